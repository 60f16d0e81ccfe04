"""Routes and presence of one process."""

from collections.abc import Callable, Sequence

from nottermost_chat.ports import SeenUser
from nottermost_chat.protocol import Presence

PRESENCE_S = 60  # ADR 0011: a user who vanishes shows as online for at most this long


class MemoryRoutes:
    """Routes in memory: they end with the process, so they need no lifetime. `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._gateways: dict[str, frozenset[str]] = {}
        self._present: dict[str, tuple[Presence, float, int]] = {}  # status, until, last seen

    async def register(self, gateway_id: str, user_ids: Sequence[str]) -> None:
        for user_id in user_ids:
            self._gateways[user_id] = self._gateways.get(user_id, frozenset()) | {gateway_id}

    async def unregister(self, gateway_id: str, user_ids: Sequence[str], *, now_ms: int) -> None:
        for user_id in user_ids:
            rest = self._gateways.pop(user_id, frozenset()) - {gateway_id}
            if rest:
                self._gateways[user_id] = rest
            else:
                await self.touch(user_id, Presence.OFFLINE, now_ms=now_ms)

    async def gateways_of(self, user_ids: Sequence[str]) -> dict[str, frozenset[str]] | None:
        found = self._gateways
        return {user_id: found[user_id] for user_id in user_ids if user_id in found}

    async def touch(self, user_id: str, status: Presence, *, now_ms: int) -> None:
        self._present[user_id] = (status, self._monotonic() + PRESENCE_S, now_ms)

    async def presence(self, user_ids: Sequence[str]) -> dict[str, SeenUser]:
        now, users = self._monotonic(), {}
        for user_id in user_ids:
            status, until, last_seen = self._present.get(user_id, (Presence.OFFLINE, 0.0, None))
            users[user_id] = SeenUser(status if until > now else Presence.OFFLINE, last_seen)
        return users
