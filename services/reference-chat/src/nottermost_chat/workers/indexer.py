"""Keeps the search index in step with the log, at its own pace."""

import asyncio
import time
from collections.abc import Sequence

from nottermost_chat.directory import Directory
from nottermost_chat.model import EntryKind, LogRecord, Message
from nottermost_chat.ports import MessageStore, SearchDocument, SearchIndex, SearchRemoval, version_at
from nottermost_chat.text import has_link

REST_SHARE = 2.0  # rests this many times as long as it worked: sends come first, the index may lag


class Indexer:
    """A log consumer. It indexes what a message is now, so order and repeats do not matter."""

    group = "indexer"

    def __init__(
        self, store: MessageStore, directory: Directory, index: SearchIndex, *, rest_share: float = REST_SHARE
    ) -> None:
        self._store, self._directory, self._index, self._rest_share = store, directory, index, rest_share

    async def handle(self, records: Sequence[LogRecord]) -> None:
        started = time.monotonic()
        wanted: dict[str, dict[str, int]] = {}
        for record in records:
            entry = record.entry
            if entry.message_id and entry.kind is not EntryKind.MEMBERSHIP:
                versions = wanted.setdefault(entry.conversation_id, {})
                versions[entry.message_id] = max(version_at(entry.position), versions.get(entry.message_id, 0))
        upserts: list[SearchDocument] = []
        removals: list[SearchRemoval] = []
        for conversation_id, versions in wanted.items():
            found = await self._store.messages(conversation_id, list(versions))
            for message_id, version in versions.items():
                message = found.get(message_id)
                if message is None or message.text is None:
                    removals.append(SearchRemoval(message_id, version))
                elif not message.entry.detail.note:
                    upserts.append(await make_document(self._store, self._directory, message, version))
        if upserts or removals:
            await self._index.apply(upserts, removals)
        await asyncio.sleep((time.monotonic() - started) * self._rest_share)


async def make_document(store: MessageStore, directory: Directory, message: Message, version: int) -> SearchDocument:
    """What the index is to hold of a message whose text is there."""
    entry = message.entry
    if message.has_more:
        message = await store.full_message(entry.conversation_id, entry.message_id) or message
    file_ids = entry.detail.file_ids
    names = await directory.files.names(file_ids) if file_ids else {}
    body = message.text or ""
    return SearchDocument(
        entry.message_id, entry.conversation_id, entry.seq, entry.actor_id,
        entry.created_at if entry.detail.sent_at is None else entry.detail.sent_at,
        body, tuple(names.values()), has_link(body), bool(message.reactions), version,
    )  # fmt: skip
