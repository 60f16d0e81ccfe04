"""What an event log promises. The same tests run over each adapter."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nottermost_chat.adapters import store_log
from nottermost_chat.adapters.sqlite_store import SqliteStore
from nottermost_chat.adapters.store_log import StoreLog
from nottermost_chat.clock import Clock
from nottermost_chat.errors import Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import Head, LogRecord
from nottermost_chat.ports import EventLog
from nottermost_chat.testing.batches import Draft


class Bench:
    """A log and the way entries get into it. `reopen` is a restart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.reopen()

    def reopen(self) -> None:
        self.store = SqliteStore.open(self._path)
        self.metrics = Metrics()
        self.log: EventLog = StoreLog(self.store, self.metrics, Clock().monotonic)

    async def append(self, conversation_id: str, *op_ids: str, publish: bool = True) -> list[LogRecord]:
        """Append messages and publish them; not `publish`: the process failed in between."""
        draft = Draft((await self.store.heads([conversation_id])).get(conversation_id, Head(conversation_id)))
        for op_id in op_ids:
            draft.say(conversation_id, f"{conversation_id}.{op_id}", op_id)
        positions = await self.store.append(draft.batch)
        records = [
            LogRecord(new.entry, preview=new.preview, log_position=at)
            for new, at in zip(draft.batch.entries, positions, strict=True)
        ]
        if publish:
            await self.log.publish(records)
        return records


@pytest.fixture(params=["store"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path / "store.db")
    yield bench
    await bench.store.close()


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
    log: EventLog, group: str, handler: Callable[[Any], Awaitable[None]], **how: bool
) -> AsyncIterator[None]:
    task = asyncio.create_task(log.consume(group, handler, **how))
    for _ in range(20):  # it has found its beginning when nothing is left to read
        await asyncio.sleep(0.001)
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
    async with consuming(bench.log, "one", one.handle), consuming(bench.log, "two", two.handle):
        await bench.append("b", "1")
        await bench.append("a", "3")
        for reader in (one, two):
            seen = await reader.until(4)
            assert [seq for key, seq in seen if key == "a"] == [1, 2, 3]
            assert ("b", 1) in seen
        assert await bench.log.lag("one") == 0


async def test_a_group_goes_on_after_a_restart(bench: Bench) -> None:
    """At least once: nothing is skipped, and what was handled long ago does not come again."""
    reader = Reader()
    async with consuming(bench.log, "group", reader.handle):
        await bench.append("a", *map(str, range(600)))
        await reader.until(600)
        await bench.append("a", "last")
        await reader.until(601)
    await bench.store.close()
    bench.reopen()
    again = Reader()
    await bench.append("a", "after")
    async with consuming(bench.log, "group", again.handle):
        await again.until_seen({("a", 602)})
        assert len(again.seen) < 600
        assert [record.entry.seq for record in again.seen] == list(range(again.seen[0].entry.seq, 603))


async def test_from_the_end_means_only_what_comes(bench: Bench) -> None:
    """A follower without a position gets nothing that was there before."""
    await bench.append("a", "1", "2")
    reader = Reader()
    async with consuming(bench.log, "live", reader.handle, from_end=True):
        await bench.append("a", "3")
        assert await reader.until(1) == [("a", 3)]


async def test_a_refusal_is_tried_again(bench: Bench) -> None:
    """A handler that fails once gets the same records again."""
    reader, failures = Reader(), iter([True])
    reader.refuses = lambda record: next(failures, False)
    async with consuming(bench.log, "group", reader.handle):
        await bench.append("a", "1")
        assert await reader.until(1) == [("a", 1)]


async def test_what_is_refused_three_times_is_set_aside(bench: Bench) -> None:
    """One record that nobody can handle does not hold up those beside it."""
    reader = Reader()
    reader.refuses = lambda record: record.entry.seq == 2
    async with consuming(bench.log, "group", reader.handle):
        await bench.append("a", "1", "2", "3")
        assert await reader.until(2) == [("a", 1), ("a", 3)]
        await bench.append("a", "4")
        await reader.until(3)
    assert bench.metrics.registry.get_sample_value("chat_dead_letters_total", {"group": "group"}) == 1


async def test_what_cannot_be_handled_now_is_never_set_aside(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often what a handler needs is away, it gets the records again, in order, once that is back."""
    monkeypatch.setattr(store_log, "RETRY_S", 0.001)
    monkeypatch.setattr(store_log, "RETRY_S_MAX", 0.002)
    for error in (Unavailable("the index is away"), ConnectionError("the index is away")):
        name, reader, failures = Clock().new_id(), Reader(), iter(range(20))
        reader.refuses, reader.error = lambda record, failures=failures: next(failures, None) is not None, error  # type: ignore[misc]
        async with consuming(bench.log, name, reader.handle):
            await bench.append(name, "1", "2", "3")
            await reader.until_seen({(name, 3)})
        assert [record.entry.seq for record in reader.seen if record.entry.conversation_id == name] == [1, 2, 3]
        assert bench.metrics.registry.get_sample_value("chat_dead_letters_total", {"group": name}) is None


async def test_what_was_stored_and_not_published_is_handed_over(bench: Bench) -> None:
    """A process that failed between the commit and the publishing leaves no hole for who reads later."""
    await bench.append("a", "1")
    await bench.append("a", "2", publish=False)
    await bench.append("a", "3")
    reader = Reader()
    async with consuming(bench.log, "group", reader.handle):
        assert await reader.until(3) == [("a", 1), ("a", 2), ("a", 3)]


async def test_what_is_published_late_is_handed_over_at_once(bench: Bench) -> None:
    """An entry whose publishing failed does not wait for the next one when it is published again."""
    reader = Reader()
    async with consuming(bench.log, "group", reader.handle), consuming(bench.log, "live", reader.handle, from_end=True):
        await bench.append("a", "1")
        await reader.until(2)
        (late,) = await bench.append("a", "2", publish=False)
        await bench.log.publish([LogRecord(late.entry)])
        assert await reader.until(4) == [("a", 1), ("a", 1), ("a", 2), ("a", 2)]
        assert await bench.log.lag("live") == 0


STEPS = st.lists(st.tuples(st.sampled_from(["append", "crash", "again"]), st.integers(1, 3)), max_size=12)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_nothing_is_skipped_whatever_was_published(bench: Bench, steps: list[tuple[str, int]]) -> None:
    """Appends, appends whose publishing failed, and republishing in any order: every record is handed over."""
    name, reader, count = Clock().new_id(), Reader(), 0
    async with consuming(bench.log, f"group-{name}", reader.handle):
        records: list[LogRecord] = []
        for number, (what, entries) in enumerate([*steps, ("append", 1)]):
            if what == "again":
                await bench.log.publish([LogRecord(record.entry) for record in records[:entries]])
                continue
            op_ids = [f"{number}.{place}" for place in range(entries)]
            records += await bench.append(name, *op_ids, publish=what == "append")
            count += entries
        await reader.until_seen({(name, seq) for seq in range(1, count + 1)})
        assert await bench.log.lag(f"group-{name}") == 0
