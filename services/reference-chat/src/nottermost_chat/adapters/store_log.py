"""The event log of one process: the message store's own entries, in the order of their commits."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from nottermost_chat.adapters.hand_over import hand_over
from nottermost_chat.adapters.sqlite_store import SqliteStore
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import LogRecord
from nottermost_chat.ports import DeadLetter, Handler

RECENT_MAX = 20_000  # records kept in memory; who falls further behind reads them from the store
BATCH_MAX = 500
COMMIT_EVERY_S = 0.5  # positions are written this often: a crash repeats at most that much, which is allowed


class StoreLog:
    """EventLog over a SqliteStore. Publishing only wakes the consumers: the commit was the publication."""

    def __init__(self, store: SqliteStore, metrics: Metrics, monotonic: Callable[[], float]) -> None:
        self._store, self._metrics, self._monotonic = store, metrics, monotonic
        self._recent: deque[LogRecord] = deque(maxlen=RECENT_MAX)
        self._published = asyncio.Event()
        self._positions: dict[str, int] = {}

    async def publish(self, records: Sequence[LogRecord]) -> None:
        if all(record.log_position for record in records):
            self._recent.extend(records)
        else:  # published again, as it may never have been: memory may lack it, the store does not
            self._recent.clear()
        self._published.set()
        self._published = asyncio.Event()

    async def lag(self, group: str) -> int:
        done = self._positions.get(group)
        if done is None:
            done = await self._store.consumer_position(group)
        return await self._end() - done

    async def consume(self, group: str, handler: Handler, *, from_end: bool = False) -> None:
        position = await (self._end() if from_end else self._store.consumer_position(group))
        committed, committed_at, dead = position, self._monotonic(), list[tuple[int, str]]()
        self._positions[group] = position
        while True:
            published = self._published
            batch = await self._after(position)
            if not batch:
                await published.wait()
                continue
            dead += await self._handle(group, handler, batch)
            position = self._positions[group] = batch[-1].log_position
            due = dead or self._monotonic() - committed_at >= COMMIT_EVERY_S or len(batch) < BATCH_MAX
            if not from_end and due and position != committed:
                await self._store.commit_position(group, position, dead)
                committed, committed_at, dead = position, self._monotonic(), []

    async def replay(self, handler: Handler, since_ms: int) -> int:
        position, end, count = await self._store.position_before(since_ms), await self._store.log_end(), 0
        while position < end:
            batch = await self._store.log_records(position, min(BATCH_MAX, end - position))
            if not batch:
                break
            wanted = [record for record in batch if record.entry.created_at >= since_ms]
            if wanted:
                await handler(wanted)
            position, count = batch[-1].log_position, count + len(wanted)
        return count

    async def dead_letters(self, group: str, limit: int) -> list[DeadLetter]:
        return [DeadLetter(record, reason) for _, reason, record in await self._store.dead_letters(group, 0, limit)]

    async def redrive(self, group: str, handler: Handler) -> int:
        after, count = 0, 0
        while dead := await self._store.dead_letters(group, after, BATCH_MAX):
            batch = [record for _, _, record in dead if record is not None]
            refused = {one.index for one in await hand_over(handler, batch, group=group)} if batch else set()
            taken = [record.log_position for index, record in enumerate(batch) if index not in refused]
            await self._store.drop_dead_letters(group, taken)
            after, count = dead[-1][0], count + len(taken)
        return count

    async def _end(self) -> int:
        return self._recent[-1].log_position if self._recent else await self._store.log_end()

    async def _after(self, position: int) -> list[LogRecord]:
        """What follows `position`: from memory when memory reaches back that far."""
        recent = self._recent
        if recent and recent[0].log_position <= position + 1:
            missing = recent[-1].log_position - position
            if missing <= 0:
                return []
            start = max(0, len(recent) - missing)
            batch = [recent[index] for index in range(start, min(start + BATCH_MAX, len(recent)))]
            first, last = position + 1, position + len(batch)
            if batch and (batch[0].log_position, batch[-1].log_position) == (first, last):
                return batch  # without a hole: an append that failed after its commit was never published
        return await self._store.log_records(position, BATCH_MAX)

    async def _handle(self, group: str, handler: Handler, batch: Sequence[LogRecord]) -> list[tuple[int, str]]:
        """Handle a batch; returns (position, reason) of what is set aside."""
        refused = await hand_over(handler, batch, group=group)
        if refused:
            self._metrics.dead_letters.labels(group).inc(len(refused))
        return [(batch[one.index].log_position, one.reason) for one in refused]
