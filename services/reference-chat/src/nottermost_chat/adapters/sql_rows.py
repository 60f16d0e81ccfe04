"""What the SQL message stores share: the columns of an entry, and rows read back as values."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from nottermost_chat.model import Detail, Entry, EntryKind, Head, Message, Reaction

SKELETON: Final = (
    "conversation_id, epoch, seq, kind, actor_id, message_id, target_seq, created_at, members_seq, messages,"
    " channel_mentions, op_id, detail"
)
STATE: Final = f"{SKELETON}, version, changed_seq, edited_at, deleted_at, redacted"
HEAD: Final = (
    "conversation_id, epoch, seq, floor_seq, members_seq, messages, channel_mentions, created_at, members, large"
)

_encode = msgspec.json.Encoder().encode
_decode_detail = msgspec.json.Decoder(Detail).decode
_EMPTY_DETAIL = Detail()
_EMPTY_DETAIL_BYTES = _encode(_EMPTY_DETAIL)
_KINDS = {kind.value: kind for kind in EntryKind}


def encode_detail(detail: Detail) -> bytes:
    """JSON, for the `detail` column."""
    return _EMPTY_DETAIL_BYTES if detail == _EMPTY_DETAIL else _encode(detail)


def qualified(columns: str, table: str) -> str:
    """The columns with the table's name before each."""
    return ", ".join(f"{table}.{name}" for name in columns.split(", "))


def read_entry(row: Sequence[Any]) -> Entry:
    """Of a row that begins with SKELETON."""
    detail = row[12]
    return Entry(
        row[0], row[1], row[2], _KINDS[row[3]], row[4], row[5], row[6], row[7], row[8], row[9], row[10], row[11],
        _EMPTY_DETAIL if len(detail) == len(_EMPTY_DETAIL_BYTES) else _decode_detail(detail),
    )  # fmt: skip


def read_head(row: Sequence[Any]) -> Head:
    """Of a row of HEAD."""
    return Head(row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], bool(row[9]))


def read_message(row: Sequence[Any], reactions: tuple[Reaction, ...], replies: tuple[int, int | None]) -> Message:
    """Of a row of STATE, the preview, and whether there is more."""
    shown = row[16] is None and not row[17]
    return Message(
        read_entry(row), row[18] if shown else None, bool(row[19]) if shown else False, row[13], row[14], row[15],
        row[16], bool(row[17]), reactions if shown else (), *replies,
    )  # fmt: skip
