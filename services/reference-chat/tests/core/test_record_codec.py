"""How log records travel: nothing is lost, nothing is too long, and versions are told apart."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.adapters.record_codec import (
    LOG_RECORD_BYTES_MAX,
    RecordRefused,
    decode_record,
    encode_log_record,
    encode_record,
)
from nottermost_chat.clock import Clock
from nottermost_chat.ingest.plan import EMOJI_CHARS_MAX
from nottermost_chat.ingest.service import OP_ID_CHARS_MAX
from nottermost_chat.model import (
    MEMBERSHIP_CHANGES_MAX,
    PREVIEW_CHARS,
    ConversationSettings,
    Detail,
    Entry,
    EntryKind,
    LogRecord,
    MemberChange,
    Role,
)

ESCAPED = "\x01"  # six bytes in JSON, more than any other character
HUGE = 2**53
ID = Clock().new_id()


def make_entry(detail: Detail, *, kind: EntryKind = EntryKind.MESSAGE, op_id: str = "op", number: int = 1) -> Entry:
    return Entry(ID, number, number, kind, ID, ID, number, number, number, number, number, op_id, detail)


def largest(detail: Detail, kind: EntryKind) -> LogRecord:
    entry = make_entry(detail, kind=kind, op_id=ESCAPED * OP_ID_CHARS_MAX, number=HUGE)
    return LogRecord(entry, True, ESCAPED * PREVIEW_CHARS, True, True, HUGE, HUGE, "00-" + "f" * 52)


LARGEST = [
    largest(Detail(ID, True, (ID,) * 10, (ID,) * 20, True, HUGE, True, HUGE), EntryKind.MESSAGE),
    largest(Detail(emoji=ESCAPED * EMOJI_CHARS_MAX, on=False), EntryKind.REACTION),
    largest(Detail(mentions=(ID,) * 10_000), EntryKind.MESSAGE),  # teams are mentioned as their members
    largest(Detail(changes=(MemberChange(ID, Role.MEMBER),) * MEMBERSHIP_CHANGES_MAX), EntryKind.MEMBERSHIP),
    largest(Detail(settings=ConversationSettings(ESCAPED * 80, ESCAPED * 250, ESCAPED * 250)), EntryKind.MEMBERSHIP),
]


@pytest.mark.parametrize("record", LARGEST)
def test_a_log_record_fits_whatever_it_says(record: LogRecord) -> None:
    """At most 4 KB: what would be longer says that its lists are to be had from the store."""
    data = encode_log_record(record)
    assert len(data) <= LOG_RECORD_BYTES_MAX
    read = decode_record(data)
    assert read.partial or read.entry == record.entry
    assert decode_record(encode_record(record)).entry == record.entry


def test_ordinary_records_travel_whole() -> None:
    """A message that names twenty people with ten files, a change of fifty members."""
    changes = tuple(MemberChange(Clock().new_id(), Role.MEMBER) for _ in range(50))
    for detail in (Detail(file_ids=(ID,) * 10, mentions=(ID,) * 20), Detail(changes=changes)):
        record = LogRecord(make_entry(detail), preview="x" * PREVIEW_CHARS)
        assert decode_record(encode_log_record(record)) == record


IDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=64)
DETAILS = st.builds(
    Detail,
    thread_id=st.none() | IDS,
    file_ids=st.lists(IDS, max_size=4).map(tuple),
    mentions=st.lists(IDS, max_size=4).map(tuple),
    emoji=st.none() | IDS,
    changes=st.lists(st.builds(MemberChange, IDS, st.none() | st.sampled_from(Role)), max_size=4).map(tuple),
    settings=st.none() | st.builds(ConversationSettings, title=st.none() | IDS, archived=st.none() | st.booleans()),
)


@given(detail=DETAILS, kind=st.sampled_from(EntryKind), preview=st.none() | IDS, flags=st.tuples(*[st.booleans()] * 3))
def test_round_trip(detail: Detail, kind: EntryKind, preview: str | None, flags: tuple[bool, bool, bool]) -> None:
    """What is written is what is read, stamps included."""
    large, has_more, silent = flags
    record = LogRecord(
        make_entry(detail, kind=kind), large, preview, has_more, silent, written_at=5, traceparent="00-a-b-01"
    )
    assert decode_record(encode_record(record)) == record


def test_fields_that_are_not_known_are_passed_over() -> None:
    """A newer writer may add what an older reader need not understand."""
    record = LogRecord(make_entry(Detail()), preview="hello")
    tree = msgspec.json.decode(encode_record(record))
    tree["colour"] = tree["entry"]["colour"] = tree["entry"]["detail"]["colour"] = "red"
    assert decode_record(msgspec.json.encode(tree)) == record


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"v":2,"entry":{"shape":"new"}}', "has version 2, expected 1"),
        (b'{"v":"2.0"}', "has version '2.0', expected 1"),
        (b'{"v":1,"entry":{}}', "is none of ours, expected 1"),
        (b"[]", "is none of ours, expected 1"),
        (b"\xff", "is none of ours, expected 1"),
        (b"", "is none of ours, expected 1"),
    ],
)
def test_another_version_is_refused(data: bytes, said: str) -> None:
    """The refusal says what was found and what was expected."""
    with pytest.raises(RecordRefused, match=said):
        decode_record(data)
