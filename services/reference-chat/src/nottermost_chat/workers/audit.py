"""Takes into the audit log what happened in conversations: who was let in or removed, what was deleted by others.

Their log says it already, for good, and whichever way it was sent. Each row's id follows from its entry,
so a record that comes twice is noted once.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from nottermost_chat.directory import AuditAction, AuditDetails, AuditRow, Directory
from nottermost_chat.directory.audit import RANDOM_BYTES, audit_id
from nottermost_chat.model import Entry, EntryKind, LogRecord
from nottermost_chat.ports import MessageStore


class Auditor:
    """A log consumer. Imports are left out: what they tell did not happen here."""

    group = "audit"

    def __init__(self, store: MessageStore, directory: Directory) -> None:
        self._store, self._directory = store, directory

    async def handle(self, records: Sequence[LogRecord]) -> None:
        kinds = (EntryKind.MEMBERSHIP, EntryKind.DELETE)
        entries = [record.entry for record in records if not record.silent and record.entry.kind in kinds]
        places = await self._directory.conversations.get_many(sorted({entry.conversation_id for entry in entries}))
        rows: list[AuditRow] = []
        for entry in entries:
            place = places.get(entry.conversation_id)
            rows += rows_of(entry, place.workspace_id if place else None, await self._authors(entry))
        if rows:
            await self._directory.audit.note(rows)

    async def _authors(self, entry: Entry) -> Mapping[str, str]:
        if entry.kind is not EntryKind.DELETE:
            return {}
        found = await self._store.messages(entry.conversation_id, [entry.message_id])
        return {message_id: message.entry.actor_id for message_id, message in found.items()}


def rows_of(entry: Entry, workspace_id: str | None, authors: Mapping[str, str]) -> Iterator[AuditRow]:
    """What an entry adds. `authors`: by message; one that is trimmed meanwhile counts as somebody else's."""
    details = AuditDetails(conversation_id=entry.conversation_id)

    def row(action: AuditAction, subject_id: str, details: AuditDetails) -> AuditRow:
        key = f"{entry.conversation_id} {entry.epoch} {entry.seq} {subject_id}"
        rest = hashlib.sha256(key.encode()).digest()[:RANDOM_BYTES]
        made = audit_id(entry.created_at, rest)
        return AuditRow(made, entry.created_at, entry.actor_id, action, subject_id, workspace_id, details)

    match entry.kind:
        case EntryKind.MEMBERSHIP:
            for change in entry.detail.changes:
                if change.role is None:
                    yield row(AuditAction.CONVERSATION_MEMBER_REMOVED, change.user_id, details)
                else:
                    given = AuditDetails(conversation_id=entry.conversation_id, role=change.role)
                    yield row(AuditAction.CONVERSATION_MEMBER_SET, change.user_id, given)
        case EntryKind.DELETE if authors.get(entry.message_id, "") != entry.actor_id:
            action = AuditAction.MESSAGE_RESTORED if entry.detail.restored else AuditAction.MESSAGE_DELETED
            yield row(action, entry.message_id, details)
        case _:
            pass
