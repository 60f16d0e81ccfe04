"""Structs and messages: whatever goes in comes out."""

from typing import TypeVar

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.model import (
    ConversationKind,
    ConversationSettings,
    Detail,
    Entry,
    EntryKind,
    Member,
    MemberChange,
    Message,
    Reaction,
    Role,
)
from nottermost_chat.ports import Appended, AppendRequest, Missed, Picture, Signal
from nottermost_chat.rpc import translate
from nottermost_chat.rpc.v1 import common_pb2 as common
from nottermost_chat.rpc.v1 import ingest_pb2 as pb
from nottermost_chat.settings import Rate, Tier

T = TypeVar("T", bound=msgspec.Struct)
INTS = st.integers(0, 2**53)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
MAYBE_TEXT = st.none() | TEXTS
TUPLES = st.lists(TEXTS, max_size=3).map(tuple)
ROLES = st.none() | st.sampled_from(Role)


BY_TYPE: dict[object, st.SearchStrategy[object]] = {
    str: TEXTS, int: INTS, bool: st.booleans(), bytes: st.binary(max_size=8), float: st.floats(0, 1e6),
    str | None: MAYBE_TEXT, int | None: st.none() | INTS, bool | None: st.none() | st.booleans(),
    tuple[str, ...]: TUPLES,
}  # fmt: skip


def fill(struct: type[T], /, **fields: st.SearchStrategy[object]) -> st.SearchStrategy[T]:
    """Every field of the struct by its type, unless a strategy is given."""
    wanted = {one.name: fields[one.name] if one.name in fields else BY_TYPE[one.type] for one in msgspec.structs.fields(struct)}  # fmt: skip
    return st.fixed_dictionaries(wanted).map(lambda values: struct(**values))


SETTINGS = fill(ConversationSettings)
DETAILS = fill(
    Detail,
    changes=st.lists(fill(MemberChange, role=ROLES), max_size=2).map(tuple),
    settings=st.none() | SETTINGS,
)
ENTRIES = fill(Entry, kind=st.sampled_from(EntryKind), detail=DETAILS)
REACTIONS = st.lists(fill(Reaction), max_size=2).map(tuple)
MESSAGES = fill(Message, entry=ENTRIES, reactions=REACTIONS, version=st.integers(0, 2**31 - 1), reply_count=st.integers(0, 2**31 - 1))  # fmt: skip
POSITIONS = st.tuples(INTS, INTS)
RATES = fill(Rate, burst=st.integers(0, 2**31))


@given(
    fill(
        AppendRequest,
        changes=st.lists(st.tuples(TEXTS, ROLES), max_size=2).map(tuple),
        settings=st.none() | SETTINGS,
    )
)
def test_requests(request: AppendRequest) -> None:
    """Absent and empty stay apart."""
    wire = pb.Append.FromString(translate.pack_append(request).SerializeToString())
    assert translate.unpack_append(wire) == request


@given(fill(Appended, entry=ENTRIES))
def test_answers(appended: Appended) -> None:
    """The entry in the encoding of the log."""
    wire = pb.Appended.FromString(translate.pack_appended(appended).SerializeToString())
    assert translate.unpack_appended(wire) == appended


@given(TEXTS, POSITIONS, st.lists(ENTRIES, max_size=2), st.lists(MESSAGES, max_size=2), st.booleans())
def test_missed(place: str, head: tuple[int, int], entries: list[Entry], messages: list[Message], reset: bool) -> None:
    """Entries in order, messages by their ids."""
    by_id = {message.entry.message_id: message for message in messages}
    missed = Missed(place, head, tuple(entries), by_id, reset)
    wire = pb.MissedResponse.FromString(translate.pack_missed(missed).SerializeToString())
    assert translate.unpack_missed(place, wire) == missed


@given(TEXTS, MAYBE_TEXT, SETTINGS, st.lists(fill(Member, role=st.sampled_from(Role)), max_size=3))
def test_pictures(place: str, workspace: str | None, settings: ConversationSettings, members: list[Member]) -> None:
    """Members by id, whole."""
    by_id = {member.user_id: member for member in members}
    picture = Picture(place, ConversationKind.CHANNEL, workspace, "standard", settings, 7, by_id)
    packed = translate.pack_picture(picture, by_id.values(), partial=False)
    wire = pb.PictureAtResponse.FromString(packed.SerializeToString())
    assert translate.unpack_picture(place, wire) == picture


@given(fill(Signal), st.builds(Tier, RATES, RATES, RATES, RATES))
def test_signals_and_tiers(signal: Signal, tier: Tier) -> None:
    """Field by field."""
    wire = common.Signal.FromString(translate.pack_signal(signal).SerializeToString())
    assert translate.unpack_signal(wire) == signal
    packed = pb.TierOfResponse.FromString(translate.pack_tier(tier).SerializeToString())
    assert translate.unpack_tier(packed) == tier
