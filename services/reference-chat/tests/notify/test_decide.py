"""Who gets a push and why: every reason, and what holds whatever the facts are."""

from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.directory import Level, Notify, Quiet, QuietWindow
from nottermost_chat.model import ConversationKind, Detail, Entry, EntryKind, Member, Role
from nottermost_chat.notify.decide import (
    NEWS_MS,
    VERDICTS,
    Decision,
    Reason,
    Recipient,
    Said,
    Verdict,
    decide,
    level_of,
)
from nottermost_chat.notify.quiet import is_quiet

NOW = 1_800_000_000_000  # a Friday, 08:00 UTC
ALL = Level(Notify.ALL)


def entry(kind: EntryKind = EntryKind.MESSAGE, *, seq: int = 10, created_at: int = NOW, **detail: object) -> Entry:
    return Entry(
        conversation_id="C", epoch=1, seq=seq, kind=kind, actor_id="ann", message_id="M", target_seq=0,
        created_at=created_at, members_seq=1, messages=seq, channel_mentions=0, op_id="", detail=Detail(**detail),  # type: ignore[arg-type]
    )  # fmt: skip


MESSAGE = Said(entry(), ConversationKind.DIRECT)
CHANNEL = msgspec.structs.replace(MESSAGE, kind=ConversationKind.CHANNEL)
BOB = Recipient(user_id="bob", member=Member("bob", Role.MEMBER, joined_seq=1))


def said(said: Said = MESSAGE, *, large: bool = False, **detail: object) -> Said:
    return msgspec.structs.replace(said, entry=entry(**detail), large=large)  # type: ignore[arg-type]


def bob(**more: object) -> Recipient:
    return msgspec.structs.replace(BOB, **more)


# One row for each reason: the message, the recipient.
ROWS = {
    Reason.MESSAGE: (MESSAGE, BOB),
    Reason.MENTIONED: (said(CHANNEL, mentions=("bob",)), BOB),
    Reason.EVERYBODY: (said(CHANNEL, mention_channel=True), BOB),
    Reason.ACTIVE: (MESSAGE, bob(active=True)),
    Reason.NOT_A_MESSAGE: (said(kind=EntryKind.REACTION), BOB),
    Reason.SILENT: (msgspec.structs.replace(MESSAGE, silent=True), BOB),
    Reason.NOTE: (said(note=True), BOB),
    Reason.OLD: (said(created_at=NOW - NEWS_MS - 1), BOB),
    Reason.DELETED: (msgspec.structs.replace(MESSAGE, deleted=True), BOB),
    Reason.OWN: (MESSAGE, bob(user_id="ann")),
    Reason.BOT: (MESSAGE, bob(bot=True)),
    Reason.DEACTIVATED: (MESSAGE, bob(deactivated=True)),
    Reason.NOT_A_MEMBER: (MESSAGE, bob(member=None)),
    Reason.BEFORE_JOIN: (MESSAGE, bob(member=Member("bob", Role.MEMBER, joined_seq=11))),
    Reason.READ: (MESSAGE, bob(read_seq=10)),
    Reason.MUTED: (said(mentions=("bob",)), bob(level=Level(Notify.NONE))),
    Reason.ONLY_MENTIONS: (CHANNEL, BOB),
    Reason.LARGE: (said(CHANNEL, large=True, mention_channel=True), bob(level=ALL)),
    Reason.PAUSED: (said(mentions=("bob",)), bob(quiet=Quiet(paused_until=NOW + 1))),
    Reason.QUIET: (said(mentions=("bob",)), bob(quiet=Quiet(windows=(QuietWindow(4, 7 * 60, 9 * 60),)))),
}


@pytest.mark.parametrize("reason", Reason)
def test_every_reason(reason: Reason) -> None:
    """Each is reached by what its row says, and has its one verdict."""
    message, recipient = ROWS[reason]
    assert decide(message, recipient, now_ms=NOW) == Decision(reason)
    assert Decision(reason).verdict is VERDICTS[reason]


def test_the_table_is_closed() -> None:
    """No reason without a verdict, none with two, none without a row here."""
    assert VERDICTS.keys() == ROWS.keys() == set(Reason)


def test_active_elsewhere_delays_and_never_suppresses() -> None:
    """After the grace an unread message is pushed however active its reader is; a read one is not."""
    assert decide(MESSAGE, bob(active=True), now_ms=NOW).verdict is Verdict.LATER
    assert decide(MESSAGE, bob(active=True), now_ms=NOW + 60_000, graced=True) == Decision(Reason.MESSAGE)
    assert decide(MESSAGE, bob(active=True, read_seq=10), now_ms=NOW + 60_000, graced=True) == Decision(Reason.READ)


def test_a_name_is_heard_in_a_large_channel() -> None:
    """Above 300 members only who is named hears of it."""
    assert decide(said(CHANNEL, large=True, mentions=("bob",)), BOB, now_ms=NOW) == Decision(Reason.MENTIONED)


def test_a_mute_ends() -> None:
    """At its time the usual holds again."""
    assert level_of(ConversationKind.DIRECT, Level(Notify.NONE, until=NOW), NOW - 1) is Notify.NONE
    assert level_of(ConversationKind.DIRECT, Level(Notify.NONE, until=NOW), NOW) is Notify.ALL
    assert level_of(ConversationKind.CHANNEL, None, NOW) is Notify.MENTIONS


# --- quiet hours ------------------------------------------------------------------------------


def at(text: str, zone: str = "Europe/Vienna") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


NIGHT = Quiet("Europe/Vienna", windows=(QuietWindow(5, 22 * 60, 7 * 60),))  # Saturday 22:00 to Sunday 07:00


@pytest.mark.parametrize(
    ("time", "quiet"),
    [
        ("2026-10-24T21:59", False),
        ("2026-10-24T22:00", True),
        ("2026-10-25T02:30", True),  # twice in this night: the clocks go back
        ("2026-10-25T06:59", True),
        ("2026-10-25T07:00", False),
        ("2026-10-25T22:30", False),  # Sunday
        ("2026-03-28T23:00", True),
        ("2026-03-29T06:59", True),  # an hour shorter: the clocks went forward
        ("2026-03-29T07:00", False),
    ],
)
def test_quiet_hours_follow_the_clock_on_the_wall(time: str, quiet: bool) -> None:
    """Over midnight, and through both changes of the clocks."""
    assert is_quiet(NIGHT, at(time)) is quiet


def test_quiet_hours_are_the_users() -> None:
    """The same moment is night in one place and day in another; a zone that nobody knows any more is UTC."""
    noon = at("2026-11-21T12:00", "UTC")
    window = (QuietWindow(5, 20 * 60, 22 * 60),)
    assert is_quiet(Quiet("Asia/Tokyo", windows=window), noon)
    assert not is_quiet(Quiet("Atlantis/Capital", windows=window), noon)
    assert is_quiet(Quiet("UTC", windows=(QuietWindow(5, 0, 0),)), noon), "an end at the start is a whole day"


# --- whatever the facts are -------------------------------------------------------------------

kinds = st.sampled_from(ConversationKind)
levels = st.none() | st.builds(Level, st.sampled_from(Notify), st.none() | st.integers(NOW - 5, NOW + 5))
windows = st.builds(QuietWindow, st.integers(0, 6), st.integers(0, 1439), st.integers(0, 1439))
quiets = st.builds(
    Quiet,
    st.sampled_from(["UTC", "Europe/Vienna", "Asia/Kathmandu", "America/St_Johns"]),
    st.none() | st.integers(NOW - 5, NOW + 5),
    st.lists(windows, max_size=3).map(tuple),
)
messages = st.builds(
    Said,
    st.builds(
        entry, st.sampled_from(EntryKind), seq=st.integers(5, 15), created_at=st.integers(NOW - NEWS_MS - 5, NOW + 5),
        mentions=st.sampled_from([(), ("bob",), ("cat",)]), mention_channel=st.booleans(), note=st.booleans(),
    ),
    kinds, st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip
recipients = st.builds(
    Recipient,
    user_id=st.sampled_from(["ann", "bob"]),
    member=st.none() | st.integers(1, 15).map(lambda seq: Member("bob", Role.MEMBER, seq)),
    level=levels, quiet=quiets, read_seq=st.integers(0, 15), active=st.booleans(), bot=st.booleans(),
    deactivated=st.booleans(),
)  # fmt: skip
LOUDER = {Verdict.NO: 0, Verdict.LATER: 1, Verdict.PUSH: 2}


def loudness(message: Said, recipient: Recipient, *, graced: bool = False) -> int:
    return LOUDER[decide(message, recipient, now_ms=NOW, graced=graced).verdict]


@given(messages, recipients, st.booleans())
def test_exactly_one_reason(message: Said, recipient: Recipient, graced: bool) -> None:
    """Every decision has one, from the table; after the grace there is no "later" any more."""
    decision = decide(message, recipient, now_ms=NOW, graced=graced)
    assert decision.verdict is VERDICTS[decision.reason]
    assert not (graced and decision.verdict is Verdict.LATER)


@given(messages, recipients, quiets, st.booleans())
def test_asking_for_quiet_never_adds_a_push(message: Said, recipient: Recipient, quiet: Quiet, graced: bool) -> None:
    """Muting, hearing of mentions only, pausing and quiet hours make nothing louder than hearing of all."""
    loud = msgspec.structs.replace(recipient, level=ALL, quiet=Quiet())
    for change in ({"level": Level(Notify.NONE)}, {"level": Level(Notify.MENTIONS)}, {"quiet": quiet}):
        assert loudness(message, msgspec.structs.replace(loud, **change), graced=graced) <= loudness(
            message, loud, graced=graced
        )
    assert loudness(message, msgspec.structs.replace(loud, level=Level(Notify.NONE)), graced=graced) == 0


@given(messages, recipients)
def test_reading_deleting_and_leaving_end_it(message: Said, recipient: Recipient) -> None:
    """Whatever else holds: nobody is told of what they have read, wrote, may not see, or what is gone."""
    seq = message.entry.seq
    assert loudness(message, msgspec.structs.replace(recipient, read_seq=seq), graced=True) == 0
    assert loudness(message, msgspec.structs.replace(recipient, member=None), graced=True) == 0
    assert loudness(message, msgspec.structs.replace(recipient, user_id="ann"), graced=True) == 0
    assert loudness(msgspec.structs.replace(message, deleted=True), recipient, graced=True) == 0


@given(messages, recipients)
def test_being_active_only_delays(message: Said, recipient: Recipient) -> None:
    """Who would get a push gets it later, and who would not does not get it later either."""
    idle, active = (msgspec.structs.replace(recipient, active=active) for active in (False, True))
    assert (loudness(message, active) == 0) == (loudness(message, idle) == 0)
    assert loudness(message, active, graced=True) == loudness(message, idle)
