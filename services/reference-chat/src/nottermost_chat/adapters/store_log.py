"""The event log of one process: the message store's own entries, in the order of their commits."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from nottermost_chat.adapters.sqlite_store import SqliteStore
from nottermost_chat.errors import ChatError, Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import LogRecord
from nottermost_chat.ports import Handler

RECENT_MAX = 20_000  # records kept in memory; who falls further behind reads them from the store
BATCH_MAX = 500
ATTEMPTS = 3
RETRY_S = 0.05  # then twice as long each time, up to
RETRY_S_MAX = 5.0  # which is how much later a consumer is when what it needs comes back
COMMIT_EVERY_S = 0.5  # positions are written this often: a crash repeats at most that much, which is allowed

logger = structlog.get_logger(__name__)


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
        """Handle a batch; what is refused alone too is set aside. Returns (position, reason) of those."""
        refusals, pause_s = 0, RETRY_S
        while refusals < ATTEMPTS:
            try:
                await handler(batch)
            except (ChatError, OSError, ValueError, LookupError, TypeError) as error:
                away = isinstance(error, (Unavailable, OSError))  # which says nothing about the records
                refusals += not away
                logger.warning("consumer_failed", group=group, away=away, records=len(batch), error=repr(error))
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, RETRY_S_MAX)
            else:
                return []
        if len(batch) == 1:
            self._metrics.dead_letters.labels(group).inc()
            return [(batch[0].log_position, "refused three times")]
        return [dead for record in batch for dead in await self._handle(group, handler, [record])]
