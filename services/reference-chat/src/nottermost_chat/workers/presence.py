"""When users were last there, and what presence they wish to show."""

import asyncio

import structlog

from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory
from nottermost_chat.errors import ChatError
from nottermost_chat.protocol import Presence

EVERY_S = 15.0  # last-seen times are written this often: presence in Routes is what people see

logger = structlog.get_logger(__name__)


class SeenUsers:
    """Notes who is there and writes it from time to time."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory, self._clock = directory, clock
        self._seen: dict[tuple[str, str], int] = {}

    async def note(self, user_id: str, device_id: str) -> Presence:
        """The user is at the device now. Returns the presence that the user wishes to show."""
        self._seen[user_id, device_id] = self._clock.now_ms()
        user = await self._directory.accounts.user(user_id)
        return Presence.ONLINE if user is None else user.presence

    async def run(self) -> None:
        """Write every few seconds; while the directory is away the notes wait."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.flush()
            except ChatError as error:
                logger.warning("seen_not_written", error=repr(error))

    async def flush(self) -> None:
        """Write what was noted. What fails is noted again."""
        seen, self._seen = self._seen, {}
        if not seen:
            return
        try:
            await self._directory.accounts.note_seen([(*key, at) for key, at in seen.items()])
        except ChatError:
            self._seen = seen | self._seen
            raise
