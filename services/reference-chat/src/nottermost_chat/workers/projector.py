"""What the directory derives from the log: memberships, mention counts, recent activity."""

import asyncio
from collections.abc import Sequence

from nottermost_chat.directory import Directory
from nottermost_chat.model import EntryKind, LogRecord
from nottermost_chat.pictures import Pictures

PAUSE_S = 0.25  # collects what comes close together into one transaction, and leaves the disk to the sends


class Projector:
    """A log consumer; every effect is keyed by its entry, so a repeat changes nothing."""

    group = "projector"

    def __init__(self, directory: Directory, pictures: Pictures, *, pause_s: float = PAUSE_S) -> None:
        self._directory, self._pictures, self._pause_s = directory, pictures, pause_s

    async def handle(self, records: Sequence[LogRecord]) -> None:
        for record in records:
            if record.entry.kind is EntryKind.MEMBERSHIP:
                await self._pictures.at(record.entry.conversation_id, record.entry.seq)
        await self._directory.cursors.touch_activity(
            {record.entry.conversation_id: record.entry.created_at for record in records}
        )
        mentioned = [
            (user_id, record.entry.conversation_id, record.entry.seq)
            for record in records
            if not record.silent
            for user_id in record.entry.detail.mentions
            if user_id != record.entry.actor_id
        ]
        if mentioned:
            await self._directory.cursors.add_mentions(mentioned)
        await asyncio.sleep(self._pause_s)
