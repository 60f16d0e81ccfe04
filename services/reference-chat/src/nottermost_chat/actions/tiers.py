"""Which limits a user has: those of the best of the user's workspaces."""

from collections import OrderedDict

from nottermost_chat.directory.workspaces import Workspaces
from nottermost_chat.settings import Limits, Tier

KNOWN_S = 60.0  # a changed tier counts after this time at the latest
USERS_MAX = 50_000


class Tiers:
    """Tiers by user, remembered for a minute."""

    def __init__(self, workspaces: Workspaces, limits: Limits) -> None:
        self._workspaces, self._limits = workspaces, limits
        self._known: OrderedDict[str, tuple[str, float]] = OrderedDict()

    async def of(self, user_id: str, now_s: float) -> Tier:
        """The user's tier; `now_s`: the monotonic clock."""
        name, until = self._known.get(user_id, ("", 0.0))
        if until <= now_s:
            name = choose_tier([workspace.tier for workspace, _ in await self._workspaces.of_user(user_id)])
            self._known[user_id] = (name, now_s + KNOWN_S)
            if len(self._known) > USERS_MAX:
                self._known.popitem(last=False)
        return self._limits.enterprise if name == "enterprise" else self._limits.standard


def choose_tier(names: list[str]) -> str:
    """Whoever is in one enterprise workspace has its limits everywhere."""
    return "enterprise" if "enterprise" in names else "standard"
