"""What an append writes: a batch, and what was read about the messages it concerns, laid out as one transaction.

All that an append reads beforehand still holds when it is committed: it was read after the expected
head had been written, every change of a conversation moves its head, and the transaction fails if the
head has moved. So rows are changed to values that are computed here.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from nottermost_chat.adapters.dynamo_items import (
    Key,
    Row,
    Value,
    body_key,
    deleted_key,
    head_key,
    head_values,
    id_key,
    is_long,
    new_row,
    operation_key,
    place_of,
    reaction_key,
    row_values,
    state_values,
    thread_key,
)
from nottermost_chat.adapters.dynamo_tables import WRITES_MAX
from nottermost_chat.adapters.dynamo_writes import PRESENT, Write, put_new
from nottermost_chat.model import Entry, EntryKind
from nottermost_chat.ports import Batch, BatchLimits, HeadMove, NewEntry, TargetChange, key_of

MessageKey = tuple[str, str]  # (conversation_id, message_id)
Reply = tuple[int, str]  # (created_at, message_id)

ITEMS: Final = {
    EntryKind.MESSAGE: 4,  # entry, operation, id, text
    EntryKind.EDIT: 7,  # entry, operation, target; the text, and that before: either may have a body of its own
    EntryKind.DELETE: 5,  # entry, operation, target, note of the deleted, root of its thread
    EntryKind.REACTION: 4,  # entry, operation, target, reaction
    EntryKind.MEMBERSHIP: 2,  # entry, operation
    EntryKind.REDACT: 7,  # as a delete, the text and a body of its own
}


class Concerned(msgspec.Struct, frozen=True):
    """What was read before a batch is laid out.

    Attributes:
        rows: messages that it acts on or replies to, and the roots of threads whose replies it deletes or restores.
        replies: of the threads that lose replies: the last ones that show, newest first, one more than it deletes.
        digests: of bodies that this process put.
    """

    rows: Mapping[MessageKey, Row]
    replies: Mapping[MessageKey, tuple[Reply, ...]] = {}
    digests: Mapping[tuple[str, int], str] = {}


class Layout(msgspec.Struct, frozen=True):
    """A transaction, and the targets that are not as the batch expects: then it must not be tried."""

    writes: tuple[Write, ...]
    stale: tuple[str, ...]


def items_of(new: NewEntry) -> int:
    """How many items of a transaction the entry takes at most, its head left out."""
    count = ITEMS[new.entry.kind]
    if new.entry.kind is not EntryKind.MESSAGE:
        return count
    replies = new.entry.detail.thread_id is not None
    return count + is_long(new) + 2 * replies  # its place in the thread, and the root, which counts it


LIMITS: Final = BatchLimits(entries=24, items=WRITES_MAX - 1, items_of=items_of, across=False)


def concerned_ids(entry: Entry) -> tuple[str, ...]:
    """Older messages whose rows the entry changes or counts on."""
    about = entry.detail.thread_id if entry.kind is EntryKind.MESSAGE else entry.message_id
    return (about,) if about else ()


def lay_out(batch: Batch, concerned: Concerned) -> Layout:
    """The transaction that writes the batch."""
    work = _Work(concerned)
    for new in batch.entries:
        work.add(new)
    heads = [_move_head(move, work.newest.get(move.next.conversation_id)) for move in batch.moves]
    return Layout((*heads, *work.finish()), tuple(dict.fromkeys(work.stale)))


def _move_head(move: HeadMove, newest: str | None) -> Write:
    before, after = move.expected, move.next
    expects: dict[str, Value] = {"epoch": before.epoch, "seq": before.seq} if before.seq else {"epoch": None}
    sets = head_values(after) | ({} if newest is None else {"newest": newest})
    if after.floor_seq > before.floor_seq:
        return Write(
            action="Update",
            key=head_key(after.conversation_id),
            sets=sets | {"floor_seq": after.floor_seq},
            expects=expects,
        )
    return Write(
        action="Update", key=head_key(after.conversation_id), sets=sets, once={"floor_seq": after.floor_seq}, expects=expects,
    )  # fmt: skip


class _Work:
    """The rows of messages as the entries of a batch leave them, one after the other, and what else is written."""

    def __init__(self, concerned: Concerned) -> None:
        self._before, self._digests = concerned.rows, concerned.digests
        self._rows = dict(concerned.rows)
        self._replies = {key: list(replies) for key, replies in concerned.replies.items()}
        self._writes: dict[Key, Write] = {}
        self.stale: list[str] = []
        self.newest: dict[str, str] = {}  # conversation to the place of its last new message

    def add(self, new: NewEntry) -> None:
        """Lay out one entry on top of those before it."""
        entry = new.entry
        self._put(operation_key(key_of(entry)), {"at": place_of(entry)})
        if entry.kind is EntryKind.MESSAGE:
            self._add_message(new)
            return
        self._put(new_row(new).key, row_values(new_row(new)))
        if entry.kind is EntryKind.REACTION:
            self._react(entry)
        elif new.target is not None:
            self._change(new, new.target)

    def finish(self) -> Iterable[Write]:
        """Everything but the heads."""
        for key, row in self._rows.items():
            before = self._before.get(key)
            if before is None:
                yield put_new(row.key, row_values(row))
            elif row != before:
                yield _update_row(before, row)
        yield from self._writes.values()

    def _add_message(self, new: NewEntry) -> None:
        entry = new.entry
        conversation_id, root_id = entry.conversation_id, entry.detail.thread_id
        key = (conversation_id, entry.message_id)
        if key in self._rows:
            raise ValueError(f"message {entry.message_id} is there already: give every message an id of its own")
        self._rows[key] = new_row(new)
        self.newest[conversation_id] = place_of(entry)
        self._put(id_key(*key), {"at": place_of(entry)})
        self._put_text(new, self._rows[key])
        if root_id is not None:
            self._put(thread_key(conversation_id, root_id, entry.seq), {"at": place_of(entry)})
            self._count_reply(entry, (conversation_id, root_id), 1)

    def _react(self, entry: Entry) -> None:
        emoji = entry.detail.emoji or ""
        key = reaction_key(entry.conversation_id, entry.target_seq, entry.actor_id, emoji)
        if not entry.detail.on:
            self._writes[key] = Write(action="Delete", key=key)
            return
        sets: dict[str, Value] = {"target_seq": entry.target_seq, "emoji": emoji, "user": entry.actor_id}
        self._writes[key] = Write(action="Update", key=key, sets=sets, once={"seq": entry.seq})
        target = (entry.conversation_id, entry.message_id)
        if target in self._rows:
            self._rows[target] = msgspec.structs.replace(self._rows[target], reacted=True)

    def _change(self, new: NewEntry, target: TargetChange) -> None:
        entry, key = new.entry, (new.entry.conversation_id, target.message_id)
        row = self._rows.get(key)
        if row is None or not is_as_expected(row, target):
            self.stale.append(target.message_id)
            return
        after = _changed(row, entry, target)
        if target.version != target.version_from or target.redacted:  # what is replaced or erased shows nowhere
            self._drop(row.text_key)
            if row.long:
                self._drop(body_key(target.message_id, row.version))
        if target.version != target.version_from:
            self._put_text(new, after)
            after = msgspec.structs.replace(after, long=is_long(new))
        self._note_deleted(row, after)
        self._rows[key] = after
        root_id = row.entry.detail.thread_id
        if root_id is not None and row.is_shown != after.is_shown:
            self._count_reply(row.entry, (entry.conversation_id, root_id), 1 if after.is_shown else -1)

    def _count_reply(self, reply: Entry, root_key: MessageKey, change: int) -> None:
        root = self._rows.get(root_key)
        if root is None:
            return
        known, this = self._replies.setdefault(root_key, []), (reply.created_at, reply.message_id)
        if change > 0:
            known.append(this)
            last = max(root.last_reply_at or 0, reply.created_at)
        else:
            known[:] = [one for one in known if one != this]
            last = max((created_at for created_at, _ in known), default=0)
        self._rows[root_key] = msgspec.structs.replace(
            root, replies=root.replies + change, last_reply_at=last or None
        )  # fmt: skip

    def _note_deleted(self, before: Row, after: Row) -> None:
        """Keep in mind whose text has to go one day."""
        if before.deleted_at is not None:
            self._drop(deleted_key(before.entry, before.deleted_at))
        if after.deleted_at is not None and not after.redacted:
            key = deleted_key(after.entry, after.deleted_at)
            sets: dict[str, Value] = {"conversation_id": after.entry.conversation_id, "at": place_of(after.entry)}
            self._writes[key] = Write(action="Put", key=key, sets=sets)

    def _put_text(self, new: NewEntry, row: Row) -> None:
        """Of the message as `new` leaves it."""
        if new.preview is None:
            return
        message_id, version = new.entry.message_id, row.version
        body = new.text if new.has_more else None
        self._put(row.text_key, {"preview": new.preview, "has_more": new.has_more, "body": body})
        if is_long(new):
            key, digest = body_key(message_id, version), self._digests.get((message_id, version))
            self._writes[key] = Write(
                action="Update", key=key, sets={"expires_at": None}, about=message_id,
                expects={"body": PRESENT} | ({} if digest is None else {"digest": digest}),
            )  # fmt: skip

    def _put(self, key: Key, values: Mapping[str, Value]) -> None:
        if key in self._writes:
            raise ValueError(f"{key.sort} comes twice in one batch: plan each operation once")
        self._writes[key] = put_new(key, values)

    def _drop(self, key: Key) -> None:
        """Delete an item, or leave out what this batch was about to put there."""
        if self._writes.pop(key, None) is None:
            self._writes[key] = Write(action="Delete", key=key)


def is_as_expected(row: Row | None, target: TargetChange) -> bool:
    """Whether the message is as the change found it; None: it is gone."""
    if row is None:
        return False
    return (row.version, row.deleted_at is not None, row.redacted) == (target.version_from, target.deleted_from, False)


def _changed(row: Row, entry: Entry, target: TargetChange) -> Row:
    edited = target.version != target.version_from
    return msgspec.structs.replace(
        row,
        version=target.version,
        changed_seq=entry.seq,
        edited_at=(entry.detail.sent_at or entry.created_at) if edited else row.edited_at,
        deleted_at=(row.deleted_at or entry.created_at) if target.deleted else None,
        redacted=target.redacted,
        fingerprint=b"" if target.redacted else row.fingerprint,
        long=row.long and not target.redacted,
    )


def remove_row(row: Row) -> Write:
    """The end of a row that was read; it stays if it leads to more now."""
    is_now = state_values(row)
    expects = {name: is_now[name] for name in ("version", "deleted_at", "changed_seq", "reacted")}
    return Write(action="Delete", key=row.key, expects=expects, about=row.entry.message_id)


def _update_row(before: Row, after: Row) -> Write:
    """The change of a row that was read; what was read must still be so."""
    was, will = state_values(before), state_values(after)
    sets = {name: value for name, value in will.items() if value != was[name]}
    if after.fingerprint != before.fingerprint:
        sets["fingerprint"] = after.fingerprint or None
    expects = {name: was[name] for name in ("version", "deleted_at", "redacted")}
    return Write(
        action="Update", key=after.key, sets=sets, expects={"entry": PRESENT, **expects}, about=after.entry.message_id
    )  # fmt: skip
