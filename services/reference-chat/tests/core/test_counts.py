"""Daily counts: exact whatever comes twice, and nobody can be found in them."""

import asyncio
import hashlib
import math
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nottermost_chat import sketch
from nottermost_chat.clock import day_of
from nottermost_chat.directory import Directory, Server
from nottermost_chat.directory.counts import CountRow, Tally
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import ConversationKind, LogRecord
from nottermost_chat.pseudonyms import NO_WORKSPACE, Pseudonyms
from nottermost_chat.testing.databases import USER, empty_directory_database, make_database
from nottermost_chat.testing.ingesting import Writing, open_writing
from nottermost_chat.testing.people import ShiftedClock
from nottermost_chat.testing.servers import Address
from nottermost_chat.workers.counts import Counter, Figures, summarise

DAY_S = 24 * 3600
HIDDEN = Pseudonyms(b"a key of this test")


def hashes(*names: object) -> list[bytes]:
    return [hashlib.sha256(str(name).encode()).digest() for name in names]


def people(*names: object) -> bytes:
    return sketch.add(sketch.EMPTY, hashes(*names))


# --- the sketch -------------------------------------------------------------------------------

names = st.lists(st.integers(0, 10_000), max_size=300)


@settings(max_examples=50)
@given(one=names, other=names)
def test_merging_is_as_if_one_had_seen_all(one: list[int], other: list[int]) -> None:
    """In whatever order, and however often."""
    both = people(*one, *other)
    assert sketch.merge(people(*one), people(*other)) == both == sketch.merge(people(*other, *one), people(*one))
    assert sketch.unpack(sketch.pack(both)) == both


@pytest.mark.parametrize("number", [0, 1, 4, 5, 100, 1_000, 10_000, 40_000])
def test_the_estimate_is_near(number: int) -> None:
    """Five standard errors of 1.6 %; of a handful exact with these names."""
    found = sketch.count(people(*range(number)))
    assert abs(found - number) <= (0 if number <= 5 else math.ceil(0.08 * number))


# --- what may be shown ------------------------------------------------------------------------


def figures_of(**active: int) -> dict[str, int]:
    """Who is shown with how many, of workspaces with so many active people each."""
    figures = Figures("2026-11-20")
    for name, number in active.items():
        users = people(*(f"{name} {each}" for each in range(number)))
        figures.take(name, [Tally("2026-11-20", name, messages=10, users=users)])
    return {name: value for (name, metric), value in figures.shown().items() if metric == "daily_users"}


def test_few_are_shown_together() -> None:
    """Below five a workspace is in "other"; if those are few too, the smallest of the rest goes with them."""
    assert figures_of(a=9, b=7) == {"a": 9, "b": 7, "all": 16}
    assert figures_of(a=9, b=3, c=4) == {"a": 9, "other": 7, "all": 16}
    assert figures_of(a=9, b=7, c=2) == {"a": 9, "other": 9, "all": 18}
    assert figures_of(a=9, c=2) == {"other": 11, "all": 11}
    assert figures_of(a=2, b=2) == {}
    assert figures_of() == {}


@settings(max_examples=30)
@given(active=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 12), max_size=8))
def test_nothing_shown_is_about_few(active: dict[str, int]) -> None:
    """Neither by itself nor as what is left of the total; and messages add up."""
    figures = Figures("2026-11-20")
    for name, number in active.items():
        users = people(*(f"{name} {each}" for each in range(number)))
        figures.take(name, [Tally("2026-11-20", name, messages=number, users=users)])
    shown = figures.shown()
    by_name = {name: value for (name, metric), value in shown.items() if metric == "daily_users"}
    assert all(value >= 5 or value == 0 for value in by_name.values())
    messages = {name: value for (name, metric), value in shown.items() if metric == "messages"}
    total = messages.pop("all", 0)
    assert total == sum(messages.values())


def test_a_month_is_thirty_days_of_different_people() -> None:
    """Who comes on two days is one; other days add nothing to the day's own figures."""
    figures = Figures("2026-11-20")
    figures.take(
        "a",
        [
            Tally("2026-11-01", "a", messages=50, users=people(*range(4, 9))),
            Tally("2026-11-20", "a", messages=7, group_messages=6, users=people(*range(6))),
        ],
    )
    shown = figures.shown()
    assert (shown["a", "daily_users"], shown["a", "monthly_users"], shown["a", "messages"]) == (6, 9, 7)


def test_shares_of_nothing_are_nothing() -> None:
    """No data is not zero."""
    rows = [CountRow("2026-11-20", "all", metric, value) for metric, value in (("daily_users", 6), ("messages", 0))]
    (day,) = summarise(rows)
    assert (day.messages_per_user, day.group_share, day.upload_success) == (0, None, None)


# --- counting ---------------------------------------------------------------------------------


@dataclass(kw_only=True)
class World:
    """A chat that writes, and what counts it."""

    writing: Writing
    counter: Counter
    metrics: Metrics
    clock: ShiftedClock

    @property
    def today(self) -> str:
        return day_of(self.clock.now_ms())

    async def records(self, place: str) -> list[LogRecord]:
        return await self.writing.store.records(place, 0, 500)

    async def tallies(self) -> dict[str, Tally]:
        """Today's, by workspace pseudonym."""
        found = await self.writing.directory.counts.window(self.today, self.today, after="", limit=100)
        return {name: tally for name, (tally,) in found.items()}


@pytest.fixture(params=["file", "server"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """Over SQLite, and with a directory on PostgreSQL. It is noon, so that a day does not end in a test."""
    clock = ShiftedClock()
    now = datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
    clock.ahead_s = (now.replace(hour=12, minute=0) - now).total_seconds()
    directory = None
    if request.param == "server":
        postgres: Address = request.getfixturevalue("postgres")
        name = request.getfixturevalue("counts_database")
        empty_directory_database(postgres, name)
        directory = await Directory.open(Server(host=postgres.authority, database=name, user=USER), clock)
    try:
        async with open_writing(tmp_path, clock=clock, directory=directory) as writing:
            metrics = Metrics()
            counter = Counter(writing.store, writing.directory, HIDDEN, metrics, clock, pause_s=0)
            yield World(writing=writing, counter=counter, metrics=metrics, clock=clock)
    finally:
        if directory is not None:
            await directory.close()


@pytest.fixture(scope="session")
def counts_database(postgres: Address) -> Iterator[str]:
    """A database with the newest schema; each test that uses it empties it first."""
    with make_database(postgres, "directory") as name:
        yield name


async def test_what_counts(world: World) -> None:
    """Messages of people, by workspace and kind; who only reacts is active too; programs and imports are not."""
    writing = world.writing
    ann, bob = await writing.users("ann", "bob")
    bot = (await writing.directory.accounts.create_user(username="robot", bot=True)).user_id
    channel = await writing.conversation(ann, bob, bot, kind=ConversationKind.CHANNEL)
    group = await writing.conversation(ann, bob)
    first = await writing.say(channel, ann)
    await writing.say(channel, bot)
    await writing.say(group, ann)
    await writing.say(group, ann)
    await writing.do("reaction", channel, bob, message_id=first.entry.message_id, emoji="+1")
    await writing.say(channel, bob, silent=True, trusted=True, sent_at=1)
    for place in (channel, group):
        await world.counter.handle(await world.records(place))
    row = await writing.directory.conversations.get(channel)
    assert row is not None
    tallies = await world.tallies()
    in_channel, elsewhere = tallies[HIDDEN.workspace(row.workspace_id)], tallies[NO_WORKSPACE]
    assert (in_channel.messages, in_channel.group_messages, sketch.count(in_channel.users)) == (1, 1, 2)
    assert (elsewhere.messages, elsewhere.group_messages, sketch.count(elsewhere.users)) == (2, 2, 1)


async def test_repeats_and_holes_change_nothing(world: World) -> None:
    """In whatever pieces, order and multiplicity the log hands a conversation over."""
    writing = world.writing
    (ann,) = await writing.users("ann")
    place = await writing.conversation(ann)
    for _ in range(30):
        await writing.say(place, ann)
    records = await world.records(place)
    await world.counter.handle(records[:3])
    chance = random.Random(5)
    for _ in range(12):
        start = chance.randrange(len(records))
        await world.counter.handle(records[start : start + chance.randrange(1, 9)])
    await world.counter.handle(records[-1:])
    assert (await world.tallies())[NO_WORKSPACE].messages == 30


async def test_two_that_count_at_once(world: World) -> None:
    """Two processes get the same records: everything is counted once."""
    writing = world.writing
    users = await writing.users("ann", "bob", "cat")
    places = [await writing.conversation(*users) for _ in range(3)]
    for place in places:
        for user in users:
            await writing.say(place, user)
    other = Counter(writing.store, writing.directory, HIDDEN, Metrics(), world.clock, pause_s=0)
    records = [record for place in places for record in await world.records(place)]
    await asyncio.gather(world.counter.handle(records), other.handle(records), world.counter.handle(records[:7]))
    tally = (await world.tallies())[NO_WORKSPACE]
    assert (tally.messages, sketch.count(tally.users)) == (9, 3)


async def test_a_restored_log_is_counted_on(world: World) -> None:
    """A later epoch begins below where the last one was left, and is new all the same."""
    writing = world.writing
    (ann,) = await writing.users("ann")
    place = await writing.conversation(ann)
    for _ in range(4):
        await writing.say(place, ann)
    records = await world.records(place)
    await world.counter.handle(records)
    last = records[-1]
    again = msgspec.structs.replace(last, entry=msgspec.structs.replace(last.entry, epoch=2, seq=3))
    for _ in range(2):
        with suppress(KeyError):
            await world.counter.handle([again])
    assert (await world.tallies())[NO_WORKSPACE].messages == 5


async def test_a_day_that_is_over(world: World) -> None:
    """It is shown with gauges of yesterday, an hour after it ended; later days show the same month; then only sums stay."""
    writing, counts = world.writing, world.writing.directory.counts
    users = await writing.users(*"abcdef")
    place = await writing.conversation(*users)
    for user in users:
        await writing.say(place, user)
    day = world.today
    await world.counter.handle(await world.records(place))
    await counts.add_upload(day, NO_WORKSPACE, failed=False)
    await counts.add_upload(day, NO_WORKSPACE, failed=True)
    await world.counter.close_days()
    assert await counts.published(day, day) == []
    assert math.isnan(world.metrics.registry.get_sample_value("chat_daily_users") or 0)
    world.clock.ahead_s += DAY_S
    for _ in range(2):
        await world.counter.close_days()
        shown = {each.workspace: each for each in summarise(await counts.published(day, day))}
        assert shown.keys() == {NO_WORKSPACE, "all"}
        whole = shown["all"]
        assert (whole.daily_users, whole.monthly_users, whole.messages, whole.messages_per_user) == (6, 6, 6, 1)
        assert (whole.group_share, whole.upload_success) == (1, 0.5)
    gauges = [
        world.metrics.registry.get_sample_value(f"chat_daily_{name}") for name in ("users", "upload_success_ratio")
    ]
    assert gauges == [6, 0.5]
    world.clock.ahead_s += 33 * DAY_S
    await world.counter.close_days()
    assert await counts.days_counted() == []
    assert {row.day for row in await counts.published(day, day)} == {day}
    assert math.isnan(world.metrics.registry.get_sample_value("chat_daily_users") or 0)


async def test_nobody_is_named(world: World) -> None:
    """No user and no workspace is in what is counted and shown, nor any hash of one that could be tried out."""
    writing = world.writing
    users = await writing.users(*"abcdef")
    place = await writing.conversation(*users, kind=ConversationKind.CHANNEL)
    for user in users:
        await writing.say(place, user)
    await world.counter.handle(await world.records(place))
    world.clock.ahead_s += DAY_S
    await world.counter.close_days()
    yesterday = day_of(world.clock.now_ms() - round(timedelta(days=1).total_seconds() * 1000))
    counts = writing.directory.counts
    held = repr(
        [await counts.window(yesterday, yesterday, after="", limit=9), await counts.published(yesterday, yesterday)]
    )
    row = await writing.directory.conversations.get(place)
    assert row is not None
    assert row.workspace_id is not None
    for name in (*users, row.workspace_id):
        digests = (hashlib.sha256(name.encode()).hexdigest()[:32], hashlib.blake2b(name.encode()).hexdigest()[:32])
        assert not [each for each in (name, *digests) if each in held]
