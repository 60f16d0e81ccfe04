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
        changed: dict[str, int] = {}
        for entry in (record.entry for record in records if record.entry.kind is EntryKind.MEMBERSHIP):
            changed[entry.conversation_id] = max(entry.seq, changed.get(entry.conversation_id, 0))
        for conversation_id, seq in changed.items():
            await self._apply_memberships(conversation_id, seq)
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

    async def _apply_memberships(self, conversation_id: str, seq: int) -> None:
        """Apply what a crash left; else ingest has done it, and one row tells: no look at the members, who may be many."""
        row = await self._directory.conversations.get(conversation_id)
        if row is not None and row.members_seq < seq:
            await self._pictures.project(conversation_id, row.members_seq)
