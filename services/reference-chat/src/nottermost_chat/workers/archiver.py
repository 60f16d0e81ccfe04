"""Writes what is said to the archive, with the text of now."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from nottermost_chat.adapters.store_log import BATCH_MAX
from nottermost_chat.archive.rows import Row, rows_of
from nottermost_chat.directory import Directory
from nottermost_chat.model import Entry, LogRecord
from nottermost_chat.ports import MessageStore

if TYPE_CHECKING:
    from nottermost_chat.archive.archive import Archive

ROWS_BYTES_MAX: Final = 32 * 1024 * 1024  # of text held before a part is written: 500 messages can have 200 MB
ENTRIES_AT_ONCE: Final = 50  # of one conversation: 20 MB of the longest texts


class Archiver:
    """A log consumer. It writes what a message is now, under a name that its content gives it.

    The log's position moves when the batch is durable. A batch that comes again makes rows that
    stand for the same entries, of which reading takes one.
    """

    group = "archiver"

    def __init__(self, archive: "Archive", store: MessageStore, directory: Directory, *, every_s: float) -> None:
        """`every_s`: while little is said it waits so long before it writes: few parts instead of many tiny ones."""
        self._archive, self._store, self._directory, self._every_s = archive, store, directory, every_s

    async def handle(self, records: Sequence[LogRecord]) -> None:
        """Bounded: a batch of the log holds at most 500 records, and 32 MiB of text make a part."""
        await asyncio.sleep(self._every_s * max(0, 1 - len(records) / BATCH_MAX))
        by_conversation: dict[str, list[Entry]] = {}
        for record in records:
            by_conversation.setdefault(record.entry.conversation_id, []).append(record.entry)
        places = await self._directory.conversations.get_many(list(by_conversation))
        waiting: list[Row] = []
        for conversation_id, entries in by_conversation.items():
            place = places.get(conversation_id)
            workspace_id = place.workspace_id if place else None
            for start in range(0, len(entries), ENTRIES_AT_ONCE):
                part = entries[start : start + ENTRIES_AT_ONCE]
                waiting += await rows_of(self._store, part, workspace_id=workspace_id)
                if sum(len(row.text or "") for row in waiting) > ROWS_BYTES_MAX:
                    await self._archive.append(waiting)
                    waiting = []
        await self._archive.append(waiting)
