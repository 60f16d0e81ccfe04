"""Notifications that devices may still show, to be taken back when their user reads elsewhere."""

import asyncio
from collections import OrderedDict

import structlog

from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory
from nottermost_chat.errors import Unavailable
from nottermost_chat.model import Position
from nottermost_chat.notify.job import PushJob, encode_job
from nottermost_chat.notify.port import News
from nottermost_chat.ports import JobQueue

EVERY_S = 2.0  # reading moves a cursor within a second; what is read together is taken back together
SHOWN_MAX = 5_000  # users times conversations, which is 25 look-ups a round; the oldest ones stay on the screen
OVERLAP_MS = 30_000  # cursors are written with the clocks of other machines

logger = structlog.get_logger(__name__)


class Shown:
    """What this process has sent and nobody has read yet. It ends with the process: then the next push sets the badge right."""

    def __init__(self, directory: Directory, queue: JobQueue, clock: Clock) -> None:
        self._directory, self._queue, self._clock = directory, queue, clock
        self._shown: OrderedDict[tuple[str, str], Position] = OrderedDict()
        self._looked_at = clock.now_ms()

    def note(self, user_id: str, conversation_id: str, position: Position) -> None:
        """A push about the entry is on its way."""
        key = (user_id, conversation_id)
        self._shown[key] = max(position, self._shown.pop(key, position))
        if len(self._shown) > SHOWN_MAX:
            self._shown.popitem(last=False)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.take_back()
            except Unavailable as error:
                logger.warning("shown_unknown", error=repr(error))

    async def take_back(self) -> None:
        """Queue a push for each notification whose message has been read. Raises: Unavailable."""
        if not self._shown:
            self._looked_at = self._clock.now_ms()
            return
        now, users = self._clock.now_ms(), sorted({user_id for user_id, _ in self._shown})
        read = await self._directory.notifications.read_since(users, self._looked_at - OVERLAP_MS)
        done = {key: at for key, at in self._shown.items() if read.get(key, -1) >= at[1]}
        if done:
            await self._queue.put(
                [encode_job(PushJob(News.READ, user, place, *at)) for (user, place), at in done.items()]
            )
        self._looked_at = now
        for key, at in done.items():
            if self._shown.get(key) == at:
                del self._shown[key]
