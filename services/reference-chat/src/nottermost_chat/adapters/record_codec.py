"""How a log record looks on the wire: in the event log, and in deliveries between roles.

JSON, so that people on call can read it with any tool. A reader ignores fields that it does not
know; whatever it must not ignore raises `VERSION`. Never the text of a message, only its preview.
"""

from typing import Final

import msgspec

from nottermost_chat.errors import ChatError
from nottermost_chat.model import Entry, LogRecord

VERSION: Final = 1
LOG_RECORD_BYTES_MAX: Final = 4096  # 30 days of them are kept, and every consumer reads all of them


class WireRecord(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A log record as it travels.

    Attributes:
        v: version of this format.
        partial: the lists of `entry.detail` would not fit and are left out: the store has the entry.
        written_at, traceparent: in deliveries; the log carries them as headers.
        consumed_us: in deliveries only.
    """

    v: int
    entry: Entry
    large: bool = False
    preview: str | None = None
    has_more: bool = False
    silent: bool = False
    partial: bool = False
    written_at: int = 0
    traceparent: str = ""
    consumed_us: int = 0


class _Version(msgspec.Struct):
    v: int | str | None = None


class RecordRefused(ChatError):
    """A log record that another version wrote, or that is something else."""

    code = "unknown_record"

    def __init__(self, found: object) -> None:
        said = "is none of ours" if found is None else f"has version {found!r}"
        super().__init__(f"the log record {said}, expected {VERSION}: read it with the program that wrote it")
        self.found = found


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(WireRecord).decode
_decode_version = msgspec.json.Decoder(_Version).decode


def encode_record(record: LogRecord) -> bytes:
    """The whole record, however long its lists are."""
    return _encode(
        WireRecord(
            VERSION, record.entry, record.large, record.preview, record.has_more, record.silent, record.partial,
            record.written_at, record.traceparent, record.consumed_us,
        )
    )  # fmt: skip


def encode_log_record(record: LogRecord) -> bytes:
    """The record as the log takes it, at most LOG_RECORD_BYTES_MAX: lists that do not fit are left out."""
    bare = msgspec.structs.replace(record, written_at=0, traceparent="", consumed_us=0)
    data = encode_record(bare)
    if len(data) <= LOG_RECORD_BYTES_MAX:
        return data
    detail = msgspec.structs.replace(record.entry.detail, file_ids=(), mentions=(), changes=(), settings=None)
    entry = msgspec.structs.replace(record.entry, detail=detail)
    return encode_record(msgspec.structs.replace(bare, entry=entry, partial=True))


def decode_record(data: bytes) -> LogRecord:
    """Raises: RecordRefused for another version, and for what is no record."""
    try:
        wire = _decode(data)
    except msgspec.MsgspecError as error:
        raise RecordRefused(_version_of(data)) from error
    if wire.v != VERSION:
        raise RecordRefused(wire.v)
    return LogRecord(
        wire.entry, wire.large, wire.preview, wire.has_more, wire.silent,
        written_at=wire.written_at, traceparent=wire.traceparent, partial=wire.partial,
        consumed_us=wire.consumed_us,
    )  # fmt: skip


def _version_of(data: bytes) -> int | str | None:
    """The version of what could not be read; our own one means that it is malformed."""
    try:
        found = _decode_version(data).v
    except msgspec.MsgspecError:
        return None
    return None if found == VERSION else found
