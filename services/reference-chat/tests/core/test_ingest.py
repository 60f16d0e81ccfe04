"""Ingest: what is stored, once, in which order, and what happens when something around it fails."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nottermost_chat.clock import Clock
from nottermost_chat.errors import (
    Archived,
    BadRequest,
    ChatError,
    Forbidden,
    InvalidText,
    MessageGone,
    NotAMember,
    NotFound,
    RateLimited,
    Unavailable,
)
from nottermost_chat.ingest import republish
from nottermost_chat.model import ConversationKind, ConversationSettings, Entry, EntryKind, Head, Role
from nottermost_chat.ports import Appended, AppendRequest, Batch, BatchLimits, EventLog, MessageStore
from nottermost_chat.settings import Limits, Rate, Settings, Tier
from nottermost_chat.testing.batches import Draft
from nottermost_chat.testing.ingesting import NO_LIMITS, FaultyStore, ListLog, Writing, open_writing
from nottermost_chat.testing.running import wait_until

EXAMPLES = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LONG = "x" * 5000
SMALL = BatchLimits(entries=4, items=12, items_of=lambda new: 5 if new.target else 4, across=False)


@pytest.fixture
async def writing(tmp_path: Path) -> AsyncIterator[Writing]:
    async with open_writing(tmp_path) as writing:
        yield writing


async def entries_of(writing: Writing, conversation_id: str) -> list[Entry]:
    return await writing.store.entries(conversation_id, 0, 10_000)


async def noted(writing: Writing) -> set[str]:
    """Conversations that anybody has noted for republishing."""
    notes = await writing.store.republish_notes("", abandoned_before=2**62, limit=100)
    return {note.conversation_id for note in notes}


async def has_no_notes(writing: Writing) -> bool:
    return not await noted(writing)


# --- any interleaving -------------------------------------------------------------------------

Move = tuple[str, int, int, int]  # what, which user, which conversation, which of the earlier operations
MOVES = st.lists(
    st.tuples(
        st.sampled_from(["say", "say", "say", "all", "repeat", "reuse", "edit", "delete", "restore", "react", "out", "in"]),
        st.integers(0, 2), st.integers(0, 2), st.integers(0, 5),
    ),
    max_size=40,
)  # fmt: skip


@pytest.fixture(params=["one lane", "a lane a conversation"])
async def any_writing(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Writing]:
    """Over a store that appends across conversations, and one that takes little and of one conversation."""
    limits = BatchLimits() if request.param == "one lane" else SMALL
    async with open_writing(tmp_path, limits=limits) as writing:
        yield writing


@EXAMPLES
@given(moves=MOVES, at_once=st.integers(1, 12))
@example(moves=[("in", 0, 0, 1), ("reuse", 0, 0, 0)], at_once=1)
async def test_any_interleaving_leaves_one_right_log(any_writing: Writing, moves: list[Move], at_once: int) -> None:
    """Whatever is submitted at the same time: seqs without gap, each operation once, counters and refusals as a model says."""
    writing = any_writing
    users = await writing.users("ann", "bob", "cat")
    places = [await writing.conversation(*users) for _ in range(2)]
    places.append(await writing.conversation(*users, kind=ConversationKind.CHANNEL))
    submitted: list[AppendRequest] = []
    results: list[Appended | BaseException] = []
    sent: list[Entry] = []
    for start in range(0, len(moves), at_once):
        requests = [
            request
            for number, move in enumerate(moves[start : start + at_once], start)
            if (request := lay_out(move, number, users, places, submitted, sent))
        ]
        answers = await asyncio.gather(*map(writing.ingest.submit, requests), return_exceptions=True)
        submitted += requests
        results += answers
        sent += [one.entry for one in answers if isinstance(one, Appended) and one.entry.kind is EntryKind.MESSAGE]
    for place in places:
        check_log(await entries_of(writing, place), place, submitted, results, users)
        head = (await writing.store.heads([place]))[place]
        last = (await entries_of(writing, place))[-1]
        assert (head.seq, head.messages, head.channel_mentions, head.members_seq) == (
            last.seq, last.messages, last.channel_mentions, last.members_seq,
        )  # fmt: skip
        picture = await writing.directory.conversations.picture(place)
        assert picture is not None
        assert head.members == len(picture.members)
    await check_unread(writing, users, places)


def lay_out(
    move: Move, number: int, users: list[str], places: list[str], submitted: list[AppendRequest], sent: list[Entry]
) -> AppendRequest | None:
    """The request of a move; None: it acts on something that is not there yet."""
    what, user, place, earlier = move
    actor, conversation = users[user], places[place]
    common: dict[str, Any] = {"conversation_id": conversation, "actor_id": actor, "op_id": f"op-{number}"}
    if what in ("say", "all"):
        return AppendRequest(kind="message", body="hello" if what == "say" else "@channel look", **common)
    if what in ("out", "in"):
        role = None if what == "out" else Role.MEMBER
        return AppendRequest(kind="membership", changes=((users[earlier % 3], role),), **common)
    if what in ("repeat", "reuse"):
        if not submitted:
            return None
        old = submitted[earlier % len(submitted)]
        body = old.body if what == "repeat" else "another body"
        return old if what == "repeat" else AppendRequest(
            kind="message", conversation_id=old.conversation_id, actor_id=old.actor_id, op_id=old.op_id, body=body
        )  # fmt: skip
    here = [entry for entry in sent if entry.conversation_id == conversation]
    if not here:
        return None
    target = here[earlier % len(here)].message_id
    if what == "edit":
        return AppendRequest(kind="edit", message_id=target, body=f"edited in {number}", **common)
    if what == "react":
        return AppendRequest(kind="reaction", message_id=target, emoji="👍", on=bool(earlier % 2), **common)
    return AppendRequest(kind="delete", message_id=target, restore=what == "restore", **common)


def check_log(
    entries: list[Entry],
    place: str,
    submitted: list[AppendRequest],
    results: list[Appended | BaseException],
    users: list[str],
) -> None:
    """Read the log as a model would, and compare what was answered with it."""
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    keys = [(entry.actor_id, entry.op_id) for entry in entries]
    assert len(keys) == len(set(keys))
    members: set[str] = set()
    inside: dict[int, frozenset[str]] = {}  # after each entry
    messages = mentions = members_seq = created_at = 0
    for entry in entries:
        if entry.kind is EntryKind.MEMBERSHIP:
            members_seq = entry.seq
            for change in entry.detail.changes:
                (members.discard if change.role is None else members.add)(change.user_id)
        else:
            assert entry.actor_id in members, "somebody wrote who was not a member at that place of the log"
        inside[entry.seq] = frozenset(members)
        messages += entry.kind is EntryKind.MESSAGE
        mentions += entry.detail.mention_channel
        assert (entry.messages, entry.channel_mentions, entry.members_seq) == (messages, mentions, members_seq)
        assert entry.created_at >= created_at
        created_at = entry.created_at
    assert members <= set(users)
    by_key = dict(zip(keys, entries, strict=True))
    for request, result in zip(submitted, results, strict=True):
        if request.conversation_id != place:
            continue
        stored = by_key.get((request.actor_id, request.op_id))
        if isinstance(result, Appended) and (result.entry.actor_id, result.entry.op_id) != keys_of(request):
            # There was nothing to change, so nothing was stored under its key, which another request may have used since.
            assert result.entry in entries
            assert request.changes
            for user_id, role in request.changes:
                assert (user_id in inside[result.entry.seq]) == (role is not None)
        elif isinstance(result, Appended):
            assert result.entry == stored
            wanted = [
                one for one in submitted if (one.conversation_id, one.actor_id, one.op_id) == (place, *keys_of(request))
            ]
            assert result.id_reused is False or any(one != request for one in wanted)
        else:
            assert isinstance(result, ChatError), result
            assert not isinstance(result, Unavailable)
            assert stored is None or any(one != request for one in submitted if keys_of(one) == keys_of(request))


def keys_of(request: AppendRequest) -> tuple[str, str]:
    return request.actor_id, request.op_id


async def check_unread(writing: Writing, users: list[str], places: list[str]) -> None:
    """Unread = messages after the cursor, where the cursor is the last own message or the join."""
    await writing.receipts.flush()
    for place in places:
        entries = await entries_of(writing, place)
        picture = await writing.directory.conversations.picture(place)
        assert picture is not None
        for user in picture.members:
            joined = picture.members[user].joined_seq
            own = [e.seq for e in entries if e.kind is EntryKind.MESSAGE and e.actor_id == user]
            read_seq = max([joined, *own])
            unread = sum(entry.kind is EntryKind.MESSAGE for entry in entries if entry.seq > read_seq)
            cursor = (await writing.directory.cursors.of_user(user, [place]))[place]
            assert (cursor.read_seq, entries[-1].messages - cursor.read_messages) == (read_seq, unread)


# --- repeats and batches ----------------------------------------------------------------------


async def test_a_repeat_gets_the_first_answer(writing: Writing) -> None:
    """The same id and body again: the same entry. The same id and another body: the first entry and `id_reused`."""
    (ann,) = await writing.users("ann")
    place = await writing.conversation(ann)
    first, again, other = await asyncio.gather(
        writing.say(place, ann, "one", op_id="1"),
        writing.say(place, ann, "one", op_id="1"),
        writing.say(place, ann, "two", op_id="1"),
    )
    later = await writing.say(place, ann, "three", op_id="1")
    assert first.entry == again.entry == other.entry == later.entry
    assert [one.id_reused for one in (first, again, other, later)] == [False, False, True, True]


async def test_a_bad_send_fails_alone(writing: Writing) -> None:
    """In one batch with a repeat, a stranger's send and an edit of nothing, the good ones are stored."""
    ann, bob = await writing.users("ann", "bob")
    place = await writing.conversation(ann)
    first = await writing.say(place, ann, op_id="1")
    answers = await asyncio.gather(
        writing.say(place, ann, "new", op_id="2"),
        writing.say(place, ann, op_id="1"),
        writing.say(place, bob, "let me in"),
        writing.do("edit", place, ann, message_id="nothing", body="?"),
        writing.say(place, ann, "newer", op_id="3"),
        return_exceptions=True,
    )
    assert isinstance(answers[0], Appended)
    assert isinstance(answers[1], Appended)
    assert answers[1].entry == first.entry
    assert isinstance(answers[2], NotAMember)
    assert isinstance(answers[3], NotFound)
    assert isinstance(answers[4], Appended)
    assert [entry.op_id for entry in await entries_of(writing, place)][1:] == ["1", "2", "3"]


async def test_a_repeat_is_answered_even_when_it_would_be_refused_now(writing: Writing) -> None:
    """Whoever was acknowledged before leaving gets the same answer afterwards."""
    ann, bob = await writing.users("ann", "bob")
    place = await writing.conversation(ann, bob)
    first = await writing.say(place, bob, op_id="1")
    await writing.change(place, ann, (bob, None))
    assert (await writing.say(place, bob, op_id="1")).entry == first.entry
    with pytest.raises(NotAMember):
        await writing.say(place, bob)


class StoppedClock(Clock):
    """No time passes between one thing and the next."""

    def monotonic(self) -> float:
        return 0.0


async def test_joins_of_a_crowd_share_entries_and_a_repeat_among_them_loses_nobody(tmp_path: Path) -> None:
    """Held joins behind a leader that turns out to be a repeat are stored by themselves, and everybody is answered."""
    async with open_writing(tmp_path, clock=StoppedClock()) as writing:
        users = await writing.users(*(f"u{number}" for number in range(12)))
        place = await writing.conversation(users[0], kind=ConversationKind.CHANNEL)

        async def join(number: int) -> Appended:
            changes = ((users[number], Role.MEMBER),)
            return await writing.do(
                "membership", place, users[number], op_id=f"join-{number}", changes=changes, joins=True
            )

        await asyncio.gather(*(join(number) for number in range(1, 5)))  # with the first entry all that come alone
        async with asyncio.timeout(20):
            await asyncio.gather(join(1), *(join(number) for number in range(5, 9)))
            shared = await asyncio.gather(*(join(number) for number in range(9, 12)))
        picture = await writing.directory.conversations.picture(place)
        assert picture is not None
        assert set(picture.members) == set(users)
        assert len({one.entry.seq for one in shared}) == 1


async def test_a_repeated_join_of_a_crowd_changes_nothing(tmp_path: Path) -> None:
    """Operation ids of shared joins are not stored: repeated after a crash, who is in stays in, in the role they have."""
    async with open_writing(tmp_path, clock=StoppedClock()) as writing:
        users = await writing.users(*(f"u{number}" for number in range(10)))
        place = await writing.conversation(users[0], kind=ConversationKind.CHANNEL)

        async def join(number: int, through: Writing) -> Appended:
            user, changes = users[number], ((users[number], Role.MEMBER),)
            return await through.do("membership", place, user, op_id=f"join-{number}", changes=changes, joins=True)

        async with asyncio.timeout(20):
            joined = await asyncio.gather(*(join(number, writing) for number in range(1, 10)))
        assert joined[-1].entry.op_id != "join-9"  # it came with another one
        promoted = (await writing.change(place, users[0], (users[9], Role.ADMIN))).entry
        async with open_writing(tmp_path, directory=writing.directory) as fresh:
            again = await join(9, fresh)
            assert (again.entry, again.id_reused) == (promoted, False)
            assert len(await entries_of(writing, place)) == promoted.seq
            assert (await writing.directory.conversations.among(place, [users[9]]))[users[9]].role is Role.ADMIN


async def test_who_goes_leaves_those_behind_it_in_a_crowd(tmp_path: Path) -> None:
    """The caller whose request carries those of others goes away before it is stored: the others are stored."""
    async with open_writing(tmp_path, clock=StoppedClock()) as writing:
        users = await writing.users(*(f"u{number}" for number in range(9)))
        place = await writing.conversation(users[0], kind=ConversationKind.CHANNEL)
        joins = [
            writing.ingest.submit(
                AppendRequest(
                    kind="membership", conversation_id=place, actor_id=user, op_id=f"join-{user}",
                    changes=((user, Role.MEMBER),), joins=True,
                )
            )
            for user in users[1:]
        ]  # fmt: skip
        await asyncio.gather(*joins[:5])
        joins[5].cancel()  # the first of those that share an entry
        async with asyncio.timeout(20):
            await asyncio.gather(*joins[6:])
        inside = await writing.directory.conversations.among(place, users)
        assert inside.keys() >= {*users[:6], *users[7:]}


async def test_what_is_so_already_is_answered_and_not_stored(writing: Writing) -> None:
    """A second departure, a join of who is in, a role that somebody has: the entry that made it so, and no other."""
    ann, bob, cat = await writing.users("ann", "bob", "cat")
    place = await writing.conversation(ann, bob)
    left = [await writing.change(place, bob, (bob, None)) for _ in range(2)]
    assert left[0] == left[1]
    assert await writing.change(place, ann, (ann, Role.ADMIN)) == left[0]
    both = await writing.change(place, ann, (ann, Role.ADMIN), (cat, Role.MEMBER))
    assert [change.user_id for change in both.entry.detail.changes] == [cat]
    assert len(await entries_of(writing, place)) == 3


# --- who administers --------------------------------------------------------------------------


@pytest.mark.parametrize("instances", [1, 2])
async def test_two_last_admins_leave_at_the_same_time(tmp_path: Path, writing: Writing, instances: int) -> None:
    """Through one ingest or two: whoever is left has an admin, the longest-standing one, by the entry of the later departure."""
    async with open_writing(tmp_path, directory=writing.directory) as other:
        ann, bob, cat, dan = await writing.users("ann", "bob", "cat", "dan")
        place = await writing.conversation(ann, cat)
        await writing.change(place, ann, (bob, Role.ADMIN), (dan, Role.MEMBER))
        leaving = [(writing, ann), (other if instances == 2 else writing, bob)]
        left = await asyncio.gather(*(one.change(place, user, (user, None)) for one, user in leaving))
        first, last = sorted((one.entry for one in left), key=lambda entry: entry.seq)
        assert [change.role for change in first.detail.changes] == [None]
        assert {change.user_id: change.role for change in last.detail.changes} == {last.actor_id: None, cat: Role.ADMIN}
        picture = await writing.directory.conversations.picture(place)
        assert picture is not None
        assert {user: member.role for user, member in picture.members.items()} == {cat: Role.ADMIN, dan: Role.MEMBER}
        assert (await writing.store.heads([place]))[place].members == 2


async def test_an_admin_leaves_while_the_other_one_steps_down(writing: Writing) -> None:
    """Whichever comes first, and also when nobody else is there: somebody stays admin."""
    for others in ((), ("cat",)):
        ann, bob, *rest = await writing.users("ann", "bob", *others)
        place = await writing.conversation(ann, *rest)
        await writing.change(place, ann, (bob, Role.ADMIN))
        await asyncio.gather(
            writing.change(place, ann, (ann, None)),
            writing.change(place, bob, (bob, Role.MEMBER)),
        )
        picture = await writing.directory.conversations.picture(place)
        assert picture is not None
        assert picture.members.keys() == {bob, *rest}
        assert [user for user, one in picture.members.items() if one.role is Role.ADMIN] == [*rest, bob][:1]


# --- who may, and what ------------------------------------------------------------------------


async def test_only_members_write_and_only_authors_edit(writing: Writing) -> None:
    """Refusals by role: strangers, other members, archived conversations, deleted messages."""
    ann, bob, eve = await writing.users("ann", "bob", "eve")
    place = await writing.conversation(ann, bob)
    said = (await writing.say(place, bob)).entry.message_id
    for actor, kind, error in [(eve, "edit", NotAMember), (ann, "edit", Forbidden), (eve, "delete", NotAMember)]:
        with pytest.raises(error):
            await writing.do(kind, place, actor, message_id=said, body="mine now")
    await writing.do("delete", place, ann, message_id=said)  # an admin may
    with pytest.raises(MessageGone):
        await writing.do("edit", place, bob, message_id=said, body="too late")
    with pytest.raises(MessageGone):
        await writing.do("reaction", place, bob, message_id=said, emoji="👍")
    with pytest.raises(NotFound):
        await writing.say("no such conversation", ann)
    await writing.do("membership", place, ann, settings=ConversationSettings(archived=True))
    with pytest.raises(Archived):
        await writing.say(place, ann)


async def test_who_joins_a_group_later_does_not_reach_what_was_before(writing: Writing) -> None:
    """A message from before the join is neither answered, reacted to nor resumed."""
    ann, bob = await writing.users("ann", "bob")
    place = await writing.conversation(ann)
    before = (await writing.say(place, ann, "between us")).entry
    joined = (await writing.change(place, ann, (bob, Role.MEMBER))).entry
    for attempt in (
        writing.do("reaction", place, bob, message_id=before.message_id, emoji="👍"),
        writing.say(place, bob, "?", thread_id=before.message_id),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert (await writing.ingest.missed(bob, place, (1, 0))).reset
    missed = await writing.ingest.missed(bob, place, (1, joined.seq - 1))
    assert [entry.seq for entry in missed.entries] == [joined.seq]


@pytest.mark.parametrize(
    "bad",
    [{"body": ""}, {"body": " \n"}, {"body": "x" * 100_001}, {"body": "a\0b"}, {"body": "\ud800"}, {"op_id": "x" * 65},
     {"op_id": "a\0"}],
    ids=["empty", "blank", "too long", "U+0000", "surrogate", "long id", "U+0000 in the id"],
)  # fmt: skip
async def test_bad_text_is_refused_and_nothing_is_stored(writing: Writing, bad: dict[str, str]) -> None:
    """Each with a stable error; the log stays as it was."""
    (ann,) = await writing.users("ann")
    place = await writing.conversation(ann)
    with pytest.raises((InvalidText, BadRequest)):
        await writing.say(place, ann, **{"body": "hello"} | bad)
    assert len(await entries_of(writing, place)) == 1


async def test_a_conversation_has_a_rate(tmp_path: Path) -> None:
    """Above the conversation's rate a send is refused with the time to wait, and stored nowhere."""
    few = Tier(conversation_messages=Rate(60, 2))
    async with open_writing(tmp_path, settings=Settings(data=tmp_path, limits=Limits(standard=few))) as writing:
        (ann,) = await writing.users("ann")
        place = await writing.conversation(ann)
        await writing.say(place, ann)
        await writing.say(place, ann)
        with pytest.raises(RateLimited) as refused:
            await writing.say(place, ann)
        assert 0 < refused.value.retry_after_ms <= 1000
        assert len(await entries_of(writing, place)) == 3


async def test_strangers_do_not_use_up_a_conversations_rate(tmp_path: Path) -> None:
    """Who is not in is refused for that, however often, and the members still have all of their messages."""
    few = Tier(conversation_messages=Rate(1, 2))
    async with open_writing(tmp_path, settings=Settings(data=tmp_path, limits=Limits(standard=few))) as writing:
        ann, eve = await writing.users("ann", "eve")
        place = await writing.conversation(ann)
        for _ in range(3):
            with pytest.raises(NotAMember):
                await writing.say(place, eve)
        await asyncio.gather(writing.say(place, ann, op_id="1"), writing.say(place, ann, op_id="2"))
        with pytest.raises(RateLimited):
            await writing.say(place, ann)
        assert (await writing.say(place, ann, op_id="1")).entry.op_id == "1"  # a repeat gets its answer all the same


# --- long texts -------------------------------------------------------------------------------


async def test_long_edits_at_the_same_time_each_keep_their_text(writing: Writing) -> None:
    """Several long edits of one message, and one by somebody who may not: the last stored one is what shows."""
    ann, bob = await writing.users("ann", "bob")
    place = await writing.conversation(ann, bob)
    said = (await writing.say(place, ann, LONG + "0")).entry.message_id
    answers = await asyncio.gather(
        *(
            writing.do("edit", place, ann, message_id=said, body=f"{number}{LONG}", op_id=str(number))
            for number in range(4)
        ),
        writing.do("edit", place, bob, message_id=said, body="b" * 5000),
        return_exceptions=True,
    )
    assert isinstance(answers[-1], Forbidden)
    last = max((one.entry for one in answers if isinstance(one, Appended)), key=lambda entry: entry.seq)
    shown = await writing.store.full_message(place, said)
    assert shown is not None
    assert shown.text == f"{last.op_id}{LONG}"
    assert shown.version == 5


# --- two ingests, failing parts ---------------------------------------------------------------


class SlowStore:
    """A store of which one append concerns one conversation; it holds up those of `slow` until it is let go."""

    limits = SMALL

    def __init__(self, store: MessageStore) -> None:
        self._store = store
        self.slow = ""
        self.released = asyncio.Event()
        self.batches: list[Batch] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, batch: Batch) -> list[int]:
        (move,) = batch.moves
        self.batches.append(batch)
        if move.next.conversation_id == self.slow:
            await self.released.wait()
        return await self._store.append(batch)


async def test_a_slow_conversation_holds_up_no_other(tmp_path: Path, writing: Writing) -> None:
    """Where batches do not span conversations, others are stored while one waits; batches keep to the store's limits."""
    (ann,) = await writing.users("ann")
    slow, *others = [await writing.conversation(ann) for _ in range(20)]
    store = SlowStore(writing.store)
    async with open_writing(
        tmp_path, directory=writing.directory, store=cast("MessageStore", store), instance="two"
    ) as apart:
        store.slow = slow
        waiting = [apart.ingest.submit(message_request(slow, ann, str(number))) for number in range(10)]
        await asyncio.gather(*(apart.say(place, ann, str(number)) for place in others for number in range(5)))
        assert not any(future.done() for future in waiting)
        store.released.set()
        sent = await asyncio.gather(*waiting)
    assert [one.entry.seq for one in sent] == list(range(2, 12))
    assert max(len(batch.entries) for batch in store.batches) == 3  # of 4 items each; 12 are allowed
    for place in others:
        assert [entry.seq for entry in await entries_of(writing, place)] == list(range(1, 7))


def message_request(conversation_id: str, actor_id: str, op_id: str) -> AppendRequest:
    return AppendRequest(
        kind="message", conversation_id=conversation_id, actor_id=actor_id, op_id=op_id, body=f"body of {op_id}"
    )


async def test_two_ingests_over_one_store_make_one_log(tmp_path: Path, writing: Writing) -> None:
    """Sends and membership changes through two instances: gapless, each once, a removal seen by both."""
    async with open_writing(tmp_path, directory=writing.directory) as other:
        ann, bob = await writing.users("ann", "bob")
        place = await writing.conversation(ann, bob)
        both = (writing, other)
        await asyncio.gather(
            *(both[number % 2].say(place, (ann, bob)[number % 3 % 2], f"{number}") for number in range(40))
        )
        await other.change(place, ann, (bob, None))
        for one in both:
            with pytest.raises(NotAMember):
                await one.say(place, bob)
        entries = await entries_of(other, place)
        assert [entry.seq for entry in entries] == list(range(1, 43))
        assert [entry.messages for entry in entries] == [*range(41), 40]


@pytest.mark.parametrize("mode", ["down", "hangs"])
async def test_sends_succeed_while_the_log_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """With the log refusing or silent sends are acknowledged; when it is back everything is published."""
    monkeypatch.setattr(republish, "CONFIRM_S", 0.05)
    monkeypatch.setattr(republish, "RETRY_S", 0.01)
    log = ListLog()
    async with open_writing(tmp_path, log=cast("EventLog", log)) as writing:
        ann, bob = await writing.users("ann", "bob")
        places = [await writing.conversation(ann, bob) for _ in range(2)]
        log.mode = mode
        await asyncio.gather(*(writing.say(places[number % 2], ann) for number in range(10)))
        assert await noted(writing) == set(places)
        await asyncio.gather(*(writing.say(place, bob) for place in places))
        log.mode = "up"
        await wait_until(lambda: has_no_notes(writing))
        await writing.say(places[0], ann)
        assert [log.seqs(place) for place in places] == [list(range(1, 9)), list(range(1, 8))]


async def test_what_the_log_lacks_is_published_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notes are durable: an ingest that starts later publishes what an earlier one could not."""
    monkeypatch.setattr(republish, "RETRY_S", 0.01)
    log = ListLog()
    async with open_writing(tmp_path, log=cast("EventLog", log)) as writing:
        (ann,) = await writing.users("ann")
        place = await writing.conversation(ann)
        log.mode = "down"
        await writing.say(place, ann)
        await writing.say(place, ann)
    log.mode = "up"
    async with open_writing(tmp_path, log=cast("EventLog", log)) as writing:
        await wait_until(lambda: has_no_notes(writing))
    assert log.seqs(place) == [1, 2, 3]


async def test_what_a_crashed_ingest_noted_another_one_publishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notes that are not renewed are taken over; those of an ingest that lives are left to it."""
    monkeypatch.setattr(republish, "RETRY_S", 0.01)
    monkeypatch.setattr(republish, "RENEW_S", 0.02)
    monkeypatch.setattr(republish, "ABANDONED_S", 0.2)
    log = ListLog()
    async with open_writing(tmp_path, log=cast("EventLog", log), instance="one") as writing:
        (ann,) = await writing.users("ann")
        place = await writing.conversation(ann)
        log.mode = "down"
        await writing.say(place, ann)
        other = ListLog()
        async with open_writing(tmp_path, directory=writing.directory, log=cast("EventLog", other), instance="two"):
            await asyncio.sleep(0.5)  # longer than a note lives that nobody renews
            assert other.records == []
    async with open_writing(tmp_path, log=cast("EventLog", other), instance="two") as writing:
        await wait_until(lambda: has_no_notes(writing))
    assert other.seqs(place) == [2]


async def test_what_is_appended_while_the_log_comes_back_is_published_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However sends, failures and returns of the log interleave, nothing acknowledged stays unpublished."""
    monkeypatch.setattr(republish, "RETRY_S", 0.001)
    log = ListLog()
    async with open_writing(tmp_path, log=cast("EventLog", log)) as writing:
        (ann,) = await writing.users("ann")
        place = await writing.conversation(ann)
        for _ in range(30):
            log.mode = "down"
            await writing.say(place, ann)
            log.mode = "up"
            await asyncio.gather(*(writing.say(place, ann) for _ in range(3)))
        await wait_until(lambda: has_no_notes(writing))
        assert log.seqs(place) == list(range(1, 122))


async def test_what_is_published_late_is_as_it_would_have_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An imported entry stays silent, so that nobody is notified; size class and preview are those of its append."""
    monkeypatch.setattr(republish, "RETRY_S", 0.01)
    log = ListLog()
    async with open_writing(tmp_path, log=cast("EventLog", log)) as writing:
        (ann,) = await writing.users("ann")
        place = await writing.conversation(ann)
        log.mode = "down"
        await writing.say(place, ann, "imported", silent=True, trusted=True)
        await writing.say(place, ann, "x" * 300)
        log.mode = "up"
        await wait_until(lambda: has_no_notes(writing))
        late = {record.entry.seq: (record.silent, record.preview, record.has_more) for record in log.records}
        assert late == {1: (False, None, False), 2: (True, "imported", False), 3: (False, "x" * 200, True)}


async def test_a_fenced_region_stores_nothing(tmp_path: Path) -> None:
    """While another region appends, this one refuses for now, and what is there can be read."""
    async with open_writing(tmp_path) as writing:
        (ann,) = await writing.users("ann")
        place = await writing.conversation(ann)
    fenced = Settings(data=tmp_path, limits=NO_LIMITS, fenced=True)
    async with open_writing(tmp_path, settings=fenced) as writing:
        with pytest.raises(Unavailable, match="stands by"):
            await writing.say(place, ann)
        assert (await writing.ingest.missed(ann, place, (1, 0))).head == (1, 1)


@pytest.mark.parametrize("method", ["append", "heads", "messages"])
async def test_a_store_that_fails_once_is_unavailable_once(tmp_path: Path, method: str) -> None:
    """The operations of that moment are refused as `unavailable`; repeated they are stored, once."""
    async with open_writing(tmp_path) as below:
        faulty = FaultyStore(below.store)
        async with open_writing(tmp_path, directory=below.directory, store=cast("MessageStore", faulty)) as writing:
            (ann,) = await writing.users("ann")
            place = await below.conversation(ann)
            faulty.failures[method] = 1
            said = (await below.say(place, ann)).entry.message_id
            with pytest.raises(Unavailable):
                await writing.do("reaction", place, ann, op_id="1", message_id=said, emoji="👍")
            assert (await writing.do("reaction", place, ann, op_id="1", message_id=said, emoji="👍")).entry.seq == 3


async def test_failing_receipts_do_not_stop_sends(tmp_path: Path) -> None:
    """A store that refuses while cursors are written costs nothing but time: they are raised later."""
    async with open_writing(tmp_path) as below:
        faulty = FaultyStore(below.store)
        async with open_writing(tmp_path, directory=below.directory, store=cast("MessageStore", faulty)) as writing:
            (ann,) = await writing.users("ann")
            place = await writing.conversation(ann)
            sent = (await writing.say(place, ann)).entry
            faulty.failures["heads"] = 1
            with pytest.raises(Unavailable):
                await writing.receipts.flush()
            await writing.receipts.flush()
            assert (await writing.directory.cursors.of_user(ann, [place]))[place].read_seq == sent.seq


async def test_acknowledgements_in_any_order_mark_the_newest(writing: Writing) -> None:
    """One's own message is read, also when an older one is acknowledged after it."""
    (ann,) = await writing.users("ann")
    place = await writing.conversation(ann)
    older, newer = [(await writing.say(place, ann)).entry for _ in range(2)]
    await writing.receipts.flush()
    for entry in (newer, older):
        writing.receipts.mark_sent(entry)
    assert writing.receipts._sent[place, ann] == newer


async def test_marks_beyond_the_head_are_bounded(writing: Writing) -> None:
    """Nobody has received or read what is not there: absurd numbers change nothing and break nothing."""
    ann, bob, eve = await writing.users("ann", "bob", "eve")
    place = await writing.conversation(ann, bob)
    sent = (await writing.say(place, ann)).entry
    writing.ingest.mark(bob, place, delivered_seq=10**30)
    writing.ingest.mark(bob, place, read_seq=10**30)
    writing.ingest.mark(eve, place, read_seq=1)
    writing.ingest.mark(ann, "nowhere", read_seq=1, delivered_seq=3)
    await writing.receipts.flush()
    cursor = (await writing.directory.cursors.of_user(bob, [place]))[place]
    assert (cursor.delivered_seq, cursor.read_seq) == (sent.seq, 1)
    assert await writing.directory.cursors.of_user(eve, [place]) == {}


# --- a crash between commit and apply ---------------------------------------------------------


async def crash_after_commit(
    writing: Writing, place: str, actor: str, op_id: str, *changes: tuple[str, Role | None]
) -> None:
    """A membership entry that is stored and was never applied to the directory."""
    draft = Draft((await writing.store.heads([place]))[place], actor_id=actor)
    draft.change(place, op_id, changes)
    await writing.store.append(draft.batch)


@pytest.mark.parametrize("use", ["send", "resume", "repeat"])
async def test_a_removal_that_a_crash_left_unapplied_counts(tmp_path: Path, writing: Writing, use: str) -> None:
    """Whoever was removed in the log neither writes nor reads, whichever comes first after the crash."""
    ann, bob = await writing.users("ann", "bob")
    place = await writing.conversation(ann, bob)
    async with open_writing(tmp_path, directory=writing.directory) as fresh:
        await fresh.say(place, bob)  # it knows the conversation as it was
        await crash_after_commit(writing, place, ann, "out", (bob, None))
        match use:
            case "send":
                with pytest.raises(NotAMember):
                    await fresh.say(place, bob)
            case "resume":
                assert (await fresh.ingest.missed(bob, place, (1, 1))).reset
            case _:
                await fresh.do("membership", place, ann, op_id="out", changes=((bob, None),))
                assert bob not in await fresh.directory.conversations.among(place, [bob])


@pytest.mark.parametrize("then", ["repeats", "has left", "log away"])
async def test_a_repeat_finishes_what_a_crash_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str) -> None:
    """Committed and not published: the repeat is answered once the entry is published, or noted, and has its files."""
    monkeypatch.setattr(republish, "RETRY_S", 0.01)
    log = ListLog()
    async with open_writing(tmp_path, log=cast("EventLog", log)) as writing:
        ann, bob = await writing.users("ann", "bob")
        place = await writing.conversation(ann, bob)
        file_id = (await writing.directory.files.create(place, bob, "cat.gif", 1)).file_id
        await writing.directory.files.mark_stored(file_id, size=1, content_type="image/gif", sha256="")
        draft = Draft((await writing.store.heads([place]))[place], actor_id=bob)
        lost = draft.say(place, "1", "hello", file_ids=(file_id,))
        await writing.store.append(draft.batch)
    async with open_writing(tmp_path, log=cast("EventLog", log)) as writing:
        if then == "has left":
            await writing.change(place, ann, (bob, None))
        log.mode = "down" if then == "log away" else "up"
        assert (await writing.say(place, bob, "hello", op_id="1", file_ids=(file_id,))).entry == lost
        if then == "log away":
            log.mode = "up"
            await wait_until(lambda: has_no_notes(writing))
        published = next(record for record in log.records if record.entry == lost)
        assert published.preview == "hello"
        attached = await writing.directory.files.get(file_id)
        assert attached is not None
        assert attached.message_id == lost.message_id


class WallClock(Clock):
    """A wall clock that somebody sets."""

    ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms


async def test_the_time_of_an_entry_never_falls(tmp_path: Path) -> None:
    """With a clock that is set back, entries keep the time of the one before."""
    clock = WallClock()
    async with open_writing(tmp_path, clock=clock) as writing:
        (ann,) = await writing.users("ann")
        place = await writing.conversation(ann)
        for ahead_ms in (3_600_000, 0, -3_600_000, 7_200_000):
            clock.ahead_ms = ahead_ms
            await writing.say(place, ann)
        times = [entry.created_at for entry in await entries_of(writing, place)]
        assert times == sorted(times)


async def test_a_removal_that_the_directory_refused_is_not_passed_over(tmp_path: Path) -> None:
    """Stored, but not applied because the directory was away: the repeat, or else the next change, applies it first."""
    async with open_writing(tmp_path) as writing:
        ann, bob, cat = await writing.users("ann", "bob", "cat")
        place = await writing.conversation(ann, bob)
        await writing.say(place, bob)
        memberships = writing.ingest._memberships
        apply = memberships.apply

        async def refuse(_: object) -> None:
            raise Unavailable("the directory is away")

        memberships.apply = refuse  # type: ignore[method-assign, assignment]
        with pytest.raises(Unavailable):
            await writing.change(place, ann, (bob, None))
        memberships.apply = apply  # type: ignore[method-assign]
        await writing.change(place, ann, (cat, Role.MEMBER))
        assert (await writing.directory.conversations.among(place, [ann, bob, cat])).keys() == {ann, cat}
        with pytest.raises(NotAMember):
            await writing.say(place, bob)


# --- resume -----------------------------------------------------------------------------------


async def test_missed_answers_everything_or_reset(tmp_path: Path) -> None:
    """In full from a cursor; clamped above the head; reset below the floor, in another epoch, or when too much."""
    limits = Limits(standard=NO_LIMITS.standard, resume_entries_max=5)
    async with open_writing(tmp_path, settings=Settings(data=tmp_path, limits=limits)) as writing:
        (ann,) = await writing.users("ann")
        place = await writing.conversation(ann, kind=ConversationKind.CHANNEL)
        for number in range(7):
            await writing.say(place, ann, str(number))
        ask: Callable[[tuple[int, int]], Any] = lambda after: writing.ingest.missed(ann, place, after)  # noqa: E731
        missed = await ask((1, 3))
        assert [missed.messages[entry.message_id].text for entry in missed.entries] == ["2", "3", "4", "5", "6"]
        assert missed.head == (1, 8)
        assert (await ask((1, 99))).head == (1, 8)
        assert not (await ask((1, 99))).entries
        assert (await ask((1, 2))).reset
        assert (await ask((0, 8))).reset
        assert (await ask((1, -5))).reset
        await writing.store.trim(place, 6)
        assert (await ask((1, 5))).reset
        assert len((await ask((1, 6))).entries) == 2
        assert (await writing.ingest.missed(ann, "nowhere", (1, 1))).reset
        assert Head("nowhere").seq == 0


class TrimmedMeanwhile:
    """A message store that is trimmed after its head was read, before its entries are."""

    def __init__(self, store: MessageStore, floor: int) -> None:
        self._store, self._floor, self.limits = store, floor, store.limits

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def entries(self, conversation_id: str, after_seq: int, limit: int) -> list[Entry]:
        if self._floor:
            await self._store.trim(conversation_id, self._floor)
        return await self._store.entries(conversation_id, after_seq, limit)


@pytest.mark.parametrize(("floor", "resets"), [(2, False), (4, True), (99, True)])
async def test_missed_never_answers_a_part(tmp_path: Path, floor: int, resets: bool) -> None:
    """What a trim takes away in the middle of the question is told as a reset."""
    async with open_writing(tmp_path) as below:
        (ann,) = await below.users("ann")
        place = await below.conversation(ann)
        for number in range(7):
            await below.say(place, ann, str(number))
        trimmed = cast("MessageStore", TrimmedMeanwhile(below.store, floor))
        async with open_writing(tmp_path, directory=below.directory, store=trimmed, instance="two") as writing:
            missed = await writing.ingest.missed(None, place, (1, 3))
            assert missed.reset is resets
            assert [entry.seq for entry in missed.entries] == ([] if resets else [4, 5, 6, 7, 8])
