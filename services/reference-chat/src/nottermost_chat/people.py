"""What gateways ask about users, answered from the directory: they have no database themselves."""

from collections.abc import Sequence

from nottermost_chat.actions.tiers import Tiers
from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory
from nottermost_chat.protocol import Presence
from nottermost_chat.settings import Limits, Tier
from nottermost_chat.workers.presence import SeenUsers


class People:
    """Users, as far as a gateway needs them. `run` writes from time to time when they were seen."""

    def __init__(self, directory: Directory, limits: Limits, clock: Clock) -> None:
        self._directory, self._clock = directory, clock
        self._tiers, self._seen = Tiers(directory.workspaces, limits), SeenUsers(directory, clock)

    async def run(self) -> None:
        await self._seen.run()

    async def flush(self) -> None:
        """Write when users were seen."""
        await self._seen.flush()

    async def tier_of(self, user_id: str) -> Tier:
        return await self._tiers.of(user_id, self._clock.monotonic())

    async def acquainted(self, user_id: str, user_ids: Sequence[str]) -> frozenset[str]:
        """Those of the users whose presence the user may see."""
        return await self._directory.workspaces.acquainted(user_id, user_ids)

    async def note_seen(self, user_id: str, device_id: str) -> Presence:
        """The user is at the device now. Returns the presence to show."""
        return await self._seen.note(user_id, device_id)

    async def last_seen(self, user_ids: Sequence[str]) -> dict[str, int]:
        """When the users were last there, ms since the epoch; who never was is absent."""
        found = await self._directory.accounts.users(user_ids)
        return {user_id: row.last_seen_at for user_id, row in found.items() if row.last_seen_at is not None}

    async def revoked_since(self, since_ms: int) -> dict[str, int]:
        """Devices signed out since then, and when (ms since the epoch)."""
        return await self._directory.accounts.revoked_since(since_ms)
