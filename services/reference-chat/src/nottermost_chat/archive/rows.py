"""One row of the archive: an entry, and for a message also what it is now."""

from collections.abc import Mapping, Sequence

import msgspec

from nottermost_chat.clock import day_of
from nottermost_chat.model import Detail, Entry, EntryKind, Message, Reaction
from nottermost_chat.ports import MessageStore, version_at
from nottermost_chat.text import make_preview

_encode = msgspec.json.Encoder().encode
_decode_detail = msgspec.json.Decoder(Detail).decode
_decode_reactions = msgspec.json.Decoder(tuple[Reaction, ...]).decode


class Row(msgspec.Struct, frozen=True, gc=False):
    """An entry as the archive keeps it; the columns of a part are the fields, in their order.

    Of several rows with the same (conversation_id, epoch, seq) one is right: a redacted one, else that of
    the highest `as_of`. Others are left over from an earlier state and go when the day is merged.

    Attributes:
        workspace_id: of the conversation; None: it belongs to no workspace.
        as_of: `version_at` the conversation's head that was read before the message was.
        thread_id, broadcast: as in `detail`, in columns of their own to be filtered by.
        detail: JSON of a `Detail`.
        text: the whole body; None for other entries, and once it is deleted or redacted.
        reactions: JSON of the reactions; "": none.
    """

    conversation_id: str
    workspace_id: str | None
    epoch: int
    seq: int
    as_of: int
    kind: str
    actor_id: str
    message_id: str
    target_seq: int
    created_at: int
    members_seq: int
    messages: int
    channel_mentions: int
    op_id: str
    thread_id: str | None
    broadcast: bool
    detail: str
    text: str | None = None
    version: int = 1
    changed_seq: int = 0
    edited_at: int | None = None
    deleted_at: int | None = None
    redacted: bool = False
    reactions: str = ""
    reply_count: int = 0
    last_reply_at: int | None = None

    @property
    def day(self) -> str:
        return day_of(self.created_at)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages of a conversation to read.

    Attributes:
        after_seq, before_seq: between them, both left out.
        newest_first: of too many the last ones instead of the first.
        message_id: only this one; "": any.
        thread_id: only this thread, its root included.
        roots_only: without thread replies that the conversation does not show.
        from_ms: made at that time (ms since the epoch) or later.
        first_day, last_day: where to look, both included.
    """

    conversation_id: str
    limit: int
    after_seq: int = 0
    before_seq: int = 2**62
    newest_first: bool = False
    message_id: str = ""
    thread_id: str | None = None
    roots_only: bool = False
    from_ms: int = 0
    first_day: str = ""
    last_day: str = "9999"


class Registered(msgspec.Struct, frozen=True):
    """An erasure, as the register has it: ids and a time (ms since the epoch), and nothing else about the user."""

    erasure_id: str
    user_id: str
    requested_by: str
    requested_at: int


async def rows_of(
    store: MessageStore, entries: Sequence[Entry], *, workspace_id: str | None, targets: bool = True
) -> list[Row]:
    """Rows of entries of one conversation, with the texts of now; a message that is gone from the store is left out.

    So is one that a trim is just removing, and whose text went first: the archive has it.

    Args:
        targets: also the messages that edits, deletes, reactions and redactions among the entries are about:
            their rows of before are out of date now.
    """
    if not entries:
        return []
    conversation_id = entries[0].conversation_id
    head = (await store.heads([conversation_id])).get(conversation_id)
    if head is None:
        return []
    as_of = version_at(head.position)  # read first: the messages are at least as new
    wanted = [entry for entry in entries if entry.message_id and entry.kind is not EntryKind.MEMBERSHIP]
    ids = {entry.message_id for entry in wanted if targets or entry.kind is EntryKind.MESSAGE}
    messages = await _whole_messages(store, conversation_id, sorted(ids))
    others = [entry for entry in entries if entry.kind is not EntryKind.MESSAGE]
    rows = [_entry_row(entry, workspace_id, as_of) for entry in others]
    return rows + [_message_row(message, workspace_id, as_of) for message in messages.values() if _is_whole(message)]


def _is_whole(message: Message) -> bool:
    return message.text is not None or message.deleted_at is not None or message.redacted


async def _whole_messages(store: MessageStore, conversation_id: str, ids: Sequence[str]) -> dict[str, Message]:
    found: dict[str, Message] = dict(await store.messages(conversation_id, ids)) if ids else {}
    for message_id, message in found.items():
        if message.has_more:
            found[message_id] = await store.full_message(conversation_id, message_id) or message
    return found


def _entry_row(entry: Entry, workspace_id: str | None, as_of: int) -> Row:
    detail = entry.detail
    return Row(
        conversation_id=entry.conversation_id, workspace_id=workspace_id, epoch=entry.epoch, seq=entry.seq, as_of=as_of,
        kind=entry.kind.value, actor_id=entry.actor_id, message_id=entry.message_id, target_seq=entry.target_seq,
        created_at=entry.created_at, members_seq=entry.members_seq, messages=entry.messages,
        channel_mentions=entry.channel_mentions, op_id=entry.op_id, thread_id=detail.thread_id,
        broadcast=detail.broadcast, detail=_encode(detail).decode(),
    )  # fmt: skip


def _message_row(message: Message, workspace_id: str | None, as_of: int) -> Row:
    return msgspec.structs.replace(
        _entry_row(message.entry, workspace_id, as_of), text=message.text, version=message.version,
        changed_seq=message.changed_seq, edited_at=message.edited_at, deleted_at=message.deleted_at,
        redacted=message.redacted, reactions=_encode(message.reactions).decode() if message.reactions else "",
        reply_count=message.reply_count, last_reply_at=message.last_reply_at,
    )  # fmt: skip


def to_message(row: Row, *, full: bool = False) -> Message:
    """The message of a row; `full`: with its whole body instead of the preview."""
    preview, has_more = (None, False) if row.text is None else make_preview(row.text)
    return Message(
        to_entry(row), row.text if full else preview, has_more, row.version, row.changed_seq, row.edited_at,
        row.deleted_at, row.redacted, read_reactions(row), row.reply_count, row.last_reply_at,
    )  # fmt: skip


def to_entry(row: Row) -> Entry:
    return Entry(
        row.conversation_id, row.epoch, row.seq, EntryKind(row.kind), row.actor_id, row.message_id, row.target_seq,
        row.created_at, row.members_seq, row.messages, row.channel_mentions, row.op_id, _decode_detail(row.detail),
    )  # fmt: skip


def read_reactions(row: Row) -> tuple[Reaction, ...]:
    return _decode_reactions(row.reactions) if row.reactions else ()


def without_user(reactions: str, user_id: str) -> str:
    """The reactions (JSON) of everybody else."""
    left = [
        Reaction(one.emoji, others)
        for one in (_decode_reactions(reactions) if reactions else ())
        if (others := tuple(each for each in one.user_ids if each != user_id))
    ]
    return _encode(left).decode() if left else ""


def out_of_date(rows: Sequence[Row], archived: Mapping[tuple[int, int], Row]) -> list[Row]:
    """Those of the rows that the archive does not have, or has in an older state."""
    return [row for row in rows if not _same(row, archived.get((row.epoch, row.seq)))]


def _same(row: Row, archived: Row | None) -> bool:
    return archived is not None and msgspec.structs.replace(archived, as_of=row.as_of) == row
