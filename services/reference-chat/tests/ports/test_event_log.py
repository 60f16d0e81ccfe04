"""What an event log promises. The same tests run over each adapter."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nottermost_chat.adapters import hand_over, kafka_consumer, kafka_log, kafka_producer
from nottermost_chat.adapters.kafka_client import Brokers, answer, create_topics, delete_topics
from nottermost_chat.adapters.kafka_log import KafkaLog
from nottermost_chat.adapters.sqlite_store import SqliteStore
from nottermost_chat.adapters.store_log import StoreLog
from nottermost_chat.clock import Clock
from nottermost_chat.errors import Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import MEMBERSHIP_CHANGES_MAX, Head, LogRecord, Role
from nottermost_chat.ports import EventLog
from nottermost_chat.resilience import POLICIES
from nottermost_chat.testing.batches import START_MS, Draft
from nottermost_chat.testing.servers import Address
from nottermost_conventions.topics import ENTRIES

PARTITIONS = 3  # of a test's topic: enough to be told apart


async def wait_for(holds: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again until it holds."""
    async with asyncio.timeout(20):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.02)


class Bench:
    """A log and the way entries get into it. `restart` is one of the process."""

    log: EventLog

    def __init__(self, path: Path) -> None:
        self._path = path
        self.open()

    def open(self) -> None:
        self.store = SqliteStore.open(self._path)
        self.metrics = Metrics()
        self.log = StoreLog(self.store, self.metrics, Clock().monotonic)

    async def close(self) -> None:
        await self.store.close()

    async def restart(self) -> None:
        await self.close()
        self.open()

    async def append(self, conversation_id: str, *op_ids: str, publish: bool = True) -> list[LogRecord]:
        """Append messages and publish them; not `publish`: the process failed in between."""
        draft = await self.draft(conversation_id)
        for op_id in op_ids:
            draft.say(conversation_id, f"{conversation_id}.{op_id}", op_id)
        return await self.write(draft, publish=publish)

    async def draft(self, conversation_id: str) -> Draft:
        return Draft((await self.store.heads([conversation_id])).get(conversation_id, Head(conversation_id)))

    async def write(self, draft: Draft, *, publish: bool = True) -> list[LogRecord]:
        positions = await self.store.append(draft.batch)
        records = [
            LogRecord(new.entry, preview=new.preview, log_position=at)
            for new, at in zip(draft.batch.entries, positions, strict=True)
        ]
        if publish:
            await self.log.publish(records)
        return records

    async def begun(self, group: str, *, from_end: bool = False) -> None:
        """A consumer has found its beginning when nothing is left to read."""
        for _ in range(20):
            await asyncio.sleep(0.001)

    async def repair(self, records: Sequence[LogRecord]) -> None:
        """What becomes of entries that were stored and not published: nothing is missing here."""

    async def caught_up(self, group: str) -> None:
        """Returns when the group has handled everything, and has written that down."""
        await wait_for(lambda: self._has_no_lag(group))

    async def _has_no_lag(self, group: str) -> bool:
        return await self.log.lag(group) == 0


class KafkaBench(Bench):
    """Topics of its own on a real broker."""

    def __init__(self, path: Path, authority: str) -> None:
        self.brokers = Brokers(authority, topic_prefix=f"test-{Clock().new_id()}-")
        super().__init__(path)

    def open(self) -> None:
        super().open()
        self.kafka = self.log = KafkaLog(self.brokers, self.store, self.metrics, Clock())

    async def close(self) -> None:
        await self.kafka.close()
        await super().close()

    async def begun(self, group: str, *, from_end: bool = False) -> None:
        if not from_end:
            return
        asked = ConsumerGroupTopicPartitions(
            self.brokers.group(group), [TopicPartition(self.brokers.topic(ENTRIES), one) for one in range(PARTITIONS)]
        )
        admin = AdminClient(self.brokers.properties())

        async def has_positions() -> bool:
            (future,) = admin.list_consumer_group_offsets([asked]).values()
            return all(one.offset >= 0 for one in (await answer(future)).topic_partitions or ())

        await wait_for(has_positions)

    async def repair(self, records: Sequence[LogRecord]) -> None:
        """A note tells ingest to publish them again."""
        await self.log.publish([msgspec.structs.replace(record, log_position=0) for record in records])


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Bench]:
    """The log of one process."""
    bench = Bench(tmp_path / "store.db")
    yield bench
    await bench.close()


@pytest.fixture(params=["store", "kafka"])
async def bench(
    request: pytest.FixtureRequest, tmp_path: Path, kafka: Address, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bench]:
    if request.param == "store":
        bench = Bench(tmp_path / "store.db")
        yield bench
        await bench.close()
        return
    monkeypatch.setattr(kafka_consumer, "COMMIT_MS", 50)  # the tests wait for commits
    monkeypatch.setattr(kafka_consumer, "POLL_S", 0.05)
    monkeypatch.setattr(kafka_producer, "DELIVERY_MS", 10_000)  # a busy machine is slow, not away
    monkeypatch.setattr(kafka_log, "CONFIRM_S", 10.0)
    monkeypatch.setitem(POLICIES, "log", msgspec.structs.replace(POLICIES["log"], timeout_s=10.0))
    bench = KafkaBench(tmp_path / "store.db", kafka.authority)
    await create_topics(bench.brokers, replication=1, partitions=PARTITIONS)
    yield bench
    await bench.close()
    await delete_topics(bench.brokers)


class Reader:
    """A consumer that keeps what it is handed, and refuses what it is told to."""

    def __init__(self) -> None:
        self.seen: list[LogRecord] = []
        self.refuses: Callable[[LogRecord], bool] = lambda record: False
        self.error: Exception = ValueError("not this one")
        self._more = asyncio.Event()

    async def handle(self, records: Sequence[LogRecord]) -> None:
        if any(map(self.refuses, records)):
            raise self.error
        self.seen.extend(records)
        self._more.set()

    def keys(self) -> list[tuple[str, int]]:
        """(conversation, seq) in the order handed over."""
        return [(record.entry.conversation_id, record.entry.seq) for record in self.seen]

    async def until(self, count: int) -> list[tuple[str, int]]:
        """The keys, once there are that many."""
        await self._until(lambda: len(self.seen) >= count)
        return self.keys()

    async def until_seen(self, keys: set[tuple[str, int]]) -> None:
        """Returns when all of these have been handed over."""
        await self._until(lambda: keys <= set(self.keys()))

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def consuming(
    bench: Bench, group: str, handler: Callable[[Any], Awaitable[None]], *, from_end: bool = False
) -> AsyncIterator[None]:
    task = asyncio.create_task(bench.log.consume(group, handler, from_end=from_end))
    await bench.begun(group, from_end=from_end)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_each_group_gets_everything_in_order(bench: Bench) -> None:
    """What was there before and what comes later, in the order of each conversation, to every group."""
    await bench.append("a", "1", "2")
    one, two = Reader(), Reader()
    async with consuming(bench, "one", one.handle), consuming(bench, "two", two.handle):
        await bench.append("b", "1")
        await bench.append("a", "3")
        for reader in (one, two):
            seen = await reader.until(4)
            assert [seq for key, seq in seen if key == "a"] == [1, 2, 3]
            assert ("b", 1) in seen
        await bench.caught_up("one")


async def test_a_group_goes_on_after_a_restart(bench: Bench) -> None:
    """At least once: nothing is skipped, and what was handled long ago does not come again."""
    reader = Reader()
    async with consuming(bench, "group", reader.handle):
        await bench.append("a", *map(str, range(600)))
        await reader.until(600)
        await bench.append("a", "last")
        await reader.until(601)
    await bench.restart()
    again = Reader()
    await bench.append("a", "after")
    async with consuming(bench, "group", again.handle):
        await again.until_seen({("a", 602)})
        assert len(again.seen) < 600
        assert [record.entry.seq for record in again.seen] == list(range(again.seen[0].entry.seq, 603))


async def test_from_the_end_means_only_what_comes(bench: Bench) -> None:
    """A follower without a position gets nothing that was there before."""
    await bench.append("a", "1", "2")
    reader = Reader()
    async with consuming(bench, "live", reader.handle, from_end=True):
        await bench.append("a", "3")
        assert await reader.until(1) == [("a", 3)]


async def test_a_refusal_is_tried_again(bench: Bench) -> None:
    """A handler that fails once gets the same records again."""
    reader, failures = Reader(), iter([True])
    reader.refuses = lambda record: next(failures, False)
    async with consuming(bench, "group", reader.handle):
        await bench.append("a", "1")
        assert await reader.until(1) == [("a", 1)]


async def test_what_is_refused_three_times_is_set_aside(bench: Bench) -> None:
    """One record that nobody can handle does not hold up those beside it."""
    reader = Reader()
    reader.refuses = lambda record: record.entry.seq == 2
    async with consuming(bench, "group", reader.handle):
        await bench.append("a", "1", "2", "3")
        assert await reader.until(2) == [("a", 1), ("a", 3)]
        await bench.append("a", "4")
        await reader.until(3)
    assert bench.metrics.registry.get_sample_value("chat_dead_letters_total", {"group": "group"}) == 1


async def test_what_cannot_be_handled_now_is_never_set_aside(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often what a handler needs is away, it gets the records again, in order, once that is back."""
    monkeypatch.setattr(hand_over, "RETRY_S", 0.001)
    monkeypatch.setattr(hand_over, "RETRY_S_MAX", 0.002)
    for error in (Unavailable("the index is away"), ConnectionError("the index is away")):
        name, reader, failures = Clock().new_id(), Reader(), iter(range(20))
        reader.refuses, reader.error = lambda record, failures=failures: next(failures, None) is not None, error  # type: ignore[misc]
        async with consuming(bench, name, reader.handle):
            await bench.append(name, "1", "2", "3")
            await reader.until_seen({(name, 3)})
        assert [record.entry.seq for record in reader.seen if record.entry.conversation_id == name] == [1, 2, 3]
        assert bench.metrics.registry.get_sample_value("chat_dead_letters_total", {"group": name}) is None


async def test_what_was_stored_and_not_published_is_handed_over(embedded: Bench) -> None:
    """A process that failed between the commit and the publishing leaves no hole for who reads later."""
    await embedded.append("a", "1")
    await embedded.append("a", "2", publish=False)
    await embedded.append("a", "3")
    reader = Reader()
    async with consuming(embedded, "group", reader.handle):
        assert await reader.until(3) == [("a", 1), ("a", 2), ("a", 3)]


async def test_what_is_published_late_is_handed_over_at_once(bench: Bench) -> None:
    """An entry whose publishing failed does not wait for the next one when it is published again."""
    reader = Reader()
    async with consuming(bench, "group", reader.handle), consuming(bench, "live", reader.handle, from_end=True):
        await bench.append("a", "1")
        await reader.until(2)
        (late,) = await bench.append("a", "2", publish=False)
        await bench.log.publish([LogRecord(late.entry)])
        assert await reader.until(4) == [("a", 1), ("a", 1), ("a", 2), ("a", 2)]
        await bench.caught_up("live")


async def test_what_was_set_aside_can_be_handed_over_again(bench: Bench) -> None:
    """It is listed with its reason until a handler takes it; what is refused again stays, other groups see nothing."""
    reader = Reader()
    reader.refuses = lambda record: record.entry.seq in (2, 3)
    async with consuming(bench, "group", reader.handle):
        await bench.append("a", "1", "2", "3", "4")
        await reader.until_seen({("a", 1), ("a", 4)})

        async def are_set_aside() -> bool:
            return len(await bench.log.dead_letters("group", 10)) == 2

        await wait_for(are_set_aside)
    assert await bench.log.dead_letters("other", 10) == []
    first, second = await bench.log.dead_letters("group", 10)
    assert [letter.record and letter.record.entry.seq for letter in (first, second)] == [2, 3]
    assert first.reason == "refused three times: ValueError"
    assert len(await bench.log.dead_letters("group", 1)) == 1
    reader.refuses = lambda record: record.entry.seq == 3
    assert await bench.log.redrive("group", reader.handle) == 1
    (left,) = await bench.log.dead_letters("group", 10)
    assert left.record is not None
    assert left.record.entry.seq == 3
    reader.refuses = lambda record: False
    assert await bench.log.redrive("group", reader.handle) == 1
    assert await bench.log.dead_letters("group", 10) == []
    assert await bench.log.redrive("group", reader.handle) == 0


async def test_replay_hands_over_everything_since_a_time(bench: Bench) -> None:
    """What was created then or later, in order, up to the end; nobody who follows the log notices."""
    await bench.append("a", *map(str, range(5)))
    await bench.append("b", "1")
    follower, reader = Reader(), Reader()
    async with consuming(bench, "group", follower.handle):
        await follower.until(6)
        await bench.caught_up("group")
        assert await bench.log.replay(reader.handle, START_MS + 3) == 3
        assert reader.keys() == [("a", 3), ("a", 4), ("a", 5)]
        assert await bench.log.replay(reader.handle, 0) == 6
        assert {("a", 1), ("b", 1)} <= set(reader.keys())
        assert await bench.log.replay(reader.handle, Clock().now_ms() + 3_600_000) == 0
        await bench.append("a", "after")
        await follower.until(7)
    assert len(follower.seen) == 7


async def test_a_long_list_arrives_whole(bench: Bench) -> None:
    """An entry that changes as many members as it may is handed over with all of them."""
    draft = await bench.draft("a")
    changes: list[tuple[str, Role | None]] = [(Clock().new_id(), Role.MEMBER) for _ in range(MEMBERSHIP_CHANGES_MAX)]
    wanted = draft.change("a", "1", changes)
    reader = Reader()
    await bench.write(draft)
    async with consuming(bench, "group", reader.handle):
        await reader.until(1)
    assert [record.entry for record in reader.seen] == [wanted]
    assert await bench.log.replay(reader.handle, 0) == 1
    assert [record.entry for record in reader.seen] == [wanted, wanted]


STEPS = st.lists(st.tuples(st.sampled_from(["append", "crash", "again"]), st.integers(1, 3)), max_size=12)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_nothing_is_skipped_whatever_was_published(bench: Bench, steps: list[tuple[str, int]]) -> None:
    """Appends, appends whose publishing failed, and republishing in any order: every record is handed over."""
    name, reader, count = Clock().new_id(), Reader(), 0
    async with consuming(bench, f"group-{name}", reader.handle):
        records: list[LogRecord] = []
        for number, (what, entries) in enumerate([*steps, ("append", 1)]):
            if what == "again":
                await bench.log.publish([LogRecord(record.entry) for record in records[:entries]])
                continue
            op_ids = [f"{number}.{place}" for place in range(entries)]
            records += await bench.append(name, *op_ids, publish=what == "append")
            count += entries
            if what == "crash":
                await bench.repair(records[-entries:])
        await reader.until_seen({(name, seq) for seq in range(1, count + 1)})
        await bench.caught_up(f"group-{name}")
