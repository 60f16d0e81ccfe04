"""Keys and items of the message store's tables (nottermost_conventions.tables), and the structs they stand for."""

import zlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from nottermost_chat.model import Detail, Entry, EntryKind, Head
from nottermost_chat.ports import NewEntry, OpKey, RepublishNote
from nottermost_conventions.tables import LOG, TEXTS, Table

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import AttributeValueTypeDef as AttributeValue

SHARDS: Final = 16  # partitions for what all conversations share: notes and deleted messages; each takes 500 a second
SEQ_MAX: Final = 10**16 - 1

Value = str | int | bytes | bool | None  # None and False: the attribute is absent
Item = Mapping[str, "AttributeValue"]


class Stream(StrEnum):
    """Beginnings of sort keys under which a conversation's entries stand by seq, each seq in one of them.

    Whoever wants messages alone, or those that the conversation itself shows, reads no others.
    """

    ENTRY = "entry"  # what is no message
    MESSAGE = "message"
    REPLY = "reply"  # messages that show in their thread alone


MESSAGES: Final = (Stream.MESSAGE, Stream.REPLY)


class Key(NamedTuple):
    """Where an item is."""

    table: Table
    partition: str
    sort: str

    def item(self) -> dict[str, "AttributeValue"]:
        """The key's attributes."""
        return to_item({self.table.partition.name: self.partition, self.table.sort.name: self.sort})


class Row(msgspec.Struct, frozen=True, gc=False):
    """An entry as it is stored; from `version` on the state of a message now.

    Attributes:
        long: the body of the current version is an item of its own (`body_key`).
        reacted: somebody reacted to it once: there may be reactions.
        replies, last_reply_at: of the thread it is the root of, deleted ones left out.
    """

    entry: Entry
    fingerprint: bytes = b""
    large: bool = False
    silent: bool = False
    version: int = 1
    changed_seq: int = 0
    edited_at: int | None = None
    deleted_at: int | None = None
    redacted: bool = False
    long: bool = False
    reacted: bool = False
    replies: int = 0
    last_reply_at: int | None = None

    @property
    def key(self) -> Key:
        return Key(LOG, self.entry.conversation_id, place_of(self.entry))

    @property
    def text_key(self) -> Key:
        """Of the text of its version: texts stand as their messages do."""
        return Key(TEXTS, self.entry.conversation_id, f"{place_of(self.entry)}#{self.version}")

    @property
    def is_shown(self) -> bool:
        return self.deleted_at is None and not self.redacted


class Text(msgspec.Struct, frozen=True, gc=False):
    """What a page shows of one version of a message."""

    preview: str
    has_more: bool = False


class HeadRow(msgspec.Struct, frozen=True, gc=False):
    """A head, and where the newest message stands; "": there is none.

    `trimming`: entries below the floor are being removed, or were when that ended early.
    """

    head: Head
    newest: str = ""
    trimming: bool = False


class ReactionRow(msgspec.Struct, frozen=True, gc=False):
    """One user's emoji on the message `target_seq`; `seq`: of the entry that set it first."""

    target_seq: int
    seq: int
    emoji: str
    user: str


class Skeleton(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An entry as it is written into its item: without names, and without the conversation, which is the key's.

    The fields are those of `Entry` in their order; one that is added there comes last here, with a default.
    """

    epoch: int
    seq: int
    kind: EntryKind
    actor_id: str
    message_id: str
    target_seq: int
    created_at: int
    members_seq: int
    messages: int
    channel_mentions: int
    op_id: str
    detail: Detail = Detail()


_decode_skeleton = msgspec.json.Decoder(Skeleton).decode


# --- keys -------------------------------------------------------------------------------------


def stream_of(entry: Entry) -> Stream:
    if entry.kind is not EntryKind.MESSAGE:
        return Stream.ENTRY
    return Stream.REPLY if entry.detail.thread_id is not None and not entry.detail.broadcast else Stream.MESSAGE


def place(stream: Stream, seq: int) -> str:
    """The sort key of a seq."""
    return f"{stream}#{seq:016d}"


def place_of(entry: Entry) -> str:
    """The sort key of an entry."""
    return place(stream_of(entry), entry.seq)


def head_key(conversation_id: str) -> Key:
    return Key(LOG, conversation_id, "head")


def operation_key(key: OpKey) -> Key:
    conversation_id, actor_id, op_id = key
    return Key(LOG, conversation_id, f"op#{actor_id}#{op_id}")


def id_key(conversation_id: str, message_id: str) -> Key:
    return Key(LOG, conversation_id, f"id#{message_id}")


def thread_key(conversation_id: str, root_id: str, seq: int) -> Key:
    return Key(LOG, conversation_id, f"thread#{root_id}#{seq:016d}")


def reaction_key(conversation_id: str, target_seq: int, user_id: str, emoji: str) -> Key:
    return Key(LOG, conversation_id, f"reaction#{target_seq:016d}#{user_id}#{emoji}")


def deleted_partition(shard: int) -> str:
    return f"deleted#{shard}"


def deleted_key(entry: Entry, deleted_at: int) -> Key:
    """Of a deleted message whose text is still there."""
    conversation_id = entry.conversation_id
    partition = deleted_partition(shard_of(conversation_id))
    return Key(LOG, partition, f"{deleted_at:016d}#{conversation_id}#{entry.seq:016d}")


def notes_partition(shard: int) -> str:
    return f"republish#{shard}"


def note_key(note: RepublishNote) -> Key:
    partition = notes_partition(shard_of(note.conversation_id))
    return Key(LOG, partition, f"{note.conversation_id}#{note.owner}")


def body_key(message_id: str, version: int) -> Key:
    """Of a long text, which pages do not read. It is put before the message has a seq."""
    return Key(TEXTS, message_id, f"body#{version}")


def shard_of(conversation_id: str) -> int:
    return zlib.crc32(conversation_id.encode()) % SHARDS


# --- items ------------------------------------------------------------------------------------


def to_item(values: Mapping[str, Value]) -> dict[str, "AttributeValue"]:
    """An item of DynamoDB."""
    return {name: to_value(value) for name, value in values.items() if value is not None and value is not False}


def to_value(value: str | int | bytes | bool) -> "AttributeValue":
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case str():
            return {"S": value}


def read_values(item: Item) -> dict[str, object]:
    """The attributes by their names."""
    return {name: _read_value(value) for name, value in item.items()}


def _read_value(value: "AttributeValue") -> object:
    ((kind, found),) = value.items()
    return int(str(found)) if kind == "N" else found


def row_values(row: Row) -> dict[str, Value]:
    """The attributes of an entry's item, its key left out."""
    skeleton = Skeleton(*msgspec.structs.astuple(row.entry)[1:])
    values: dict[str, Value] = {"entry": msgspec.json.encode(skeleton).decode(), "fingerprint": row.fingerprint or None}
    return values | state_values(row)


def state_values(row: Row) -> dict[str, Value]:
    """What may change of a row; a value that a new message has is left out."""
    return {
        "large": row.large, "silent": row.silent, "version": None if row.version == 1 else row.version,
        "changed_seq": row.changed_seq or None, "edited_at": row.edited_at, "deleted_at": row.deleted_at,
        "redacted": row.redacted, "long": row.long, "reacted": row.reacted, "replies": row.replies or None,
        "last_reply_at": row.last_reply_at,
    }  # fmt: skip


def read_row(conversation_id: str, item: Item) -> Row:
    values = read_values(item)
    skeleton = _decode_skeleton(str(values["entry"]))
    entry = Entry(conversation_id, *msgspec.structs.astuple(skeleton))
    return msgspec.convert({**values, "entry": entry}, Row)


def new_row(new: NewEntry) -> Row:
    """The row of an entry that is about to be appended."""
    long = new.entry.kind is EntryKind.MESSAGE and is_long(new)
    return Row(new.entry, new.fingerprint, new.large, new.silent, long=long)


def is_long(new: NewEntry) -> bool:
    """Whether `put_text` wrote the body."""
    return new.has_more and new.text is None


def head_values(head: Head) -> dict[str, Value]:
    """The attributes of a head that an append moves: `floor_seq` is retention's."""
    return {
        "epoch": head.epoch, "seq": head.seq, "members_seq": head.members_seq, "messages": head.messages,
        "channel_mentions": head.channel_mentions, "created_at": head.created_at, "members": head.members,
        "large": head.large,
    }  # fmt: skip


def read_head(conversation_id: str, item: Item) -> HeadRow:
    values = {**read_values(item), "conversation_id": conversation_id}
    return HeadRow(msgspec.convert(values, Head), str(values.get("newest", "")), bool(values.get("trimming", False)))


def read_text(item: Item) -> Text:
    return msgspec.convert(read_values(item), Text)


def read_reaction(item: Item) -> ReactionRow:
    return msgspec.convert(read_values(item), ReactionRow)


def note_values(note: RepublishNote) -> dict[str, Value]:
    return msgspec.structs.asdict(note)


def read_note(item: Item) -> RepublishNote:
    return msgspec.convert(read_values(item), RepublishNote)


def read_string(item: Item, name: str) -> str:
    return item[name]["S"]


def read_key(table: Table, item: Item) -> Key:
    return Key(table, read_string(item, table.partition.name), read_string(item, table.sort.name))


def in_runs(seqs: Iterable[int], gap: int) -> list[tuple[int, int]]:
    """First and last of each run of seqs that are at most `gap` apart."""
    runs: list[tuple[int, int]] = []
    for seq in sorted(seqs):
        if runs and seq - runs[-1][1] <= gap:
            runs[-1] = (runs[-1][0], seq)
        else:
            runs.append((seq, seq))
    return runs
