"""Reading Kafka: as one member of a consumer group, and from here to there without any group."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final, Self, TypeVar

import structlog
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Message, TopicPartition

from nottermost_chat.adapters.kafka_client import ADMIN_S, Brokers, Properties
from nottermost_chat.errors import Unavailable

BATCH_MAX: Final = 500
POLL_S: Final = 0.2  # how long closing may have to wait for a poll
PATIENCE_S: Final = 1.0  # a handler that takes longer is polled for, with its partitions paused
CLOSE_S: Final = 5.0  # to commit and to leave the group; then the brokers notice by themselves
SCAN_QUIET_S: Final = 10.0  # nothing came for so long, and the end is not reached
SESSION_MS: Final = 6000  # the least that brokers allow: after it the partitions of a killed member move
HEARTBEAT_MS: Final = 300  # the others learn of a change with their next one; what moves is not read meanwhile
OUT_S_MAX: Final = 30.0  # who lost everything and was not taken in again for so long joins anew; it takes up to 20 s
STUCK_MS: Final = 30_000  # a process that does not poll for so long hangs: others take over
COMMIT_MS: Final = 500  # a crash repeats at most this much, which is allowed
FETCH_BYTES_MAX: Final = 262_144  # a partition and fetch
# Whom nobody waits for gets together what came in so long: five groups at 250 records a second then cost the broker
# 0.6 ms of processor a record instead of 1.4, and the clients 0.3 instead of 0.7 (measured 2026-11-21).
TOGETHER_MS: Final = 100
TOGETHER_BYTES: Final = 65_536
FETCH_QUEUE_KB: Final = 4096  # what a slow handler lets pile up in memory, of 64 MB by default

T = TypeVar("T")
logger = structlog.get_logger(__name__)


def _reading() -> Properties:
    return {
        "enable_auto_offset_store": False,
        "auto_offset_reset": "earliest",
        "fetch_message_max_bytes": FETCH_BYTES_MAX,
        "queued_max_messages_kbytes": FETCH_QUEUE_KB,
        "queued_min_messages": BATCH_MAX,
        "fetch_queue_backoff_ms": 50,  # of 1 s: our queue is small and fills often
        "fetch_error_backoff_ms": 100,
    }


class _Polled:
    """A consumer, called in a thread of its own: one call at a time, as it demands."""

    def __init__(self, properties: Properties) -> None:
        self._consumer = Consumer(properties)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log-consumer")

    async def _call(self, act: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, act, *args)

    def _take(self) -> list[Message]:
        """What is there, after waiting a moment for the first. Waiting for a full batch would cost the wait."""
        first = self._consumer.poll(POLL_S)
        if first is None:
            return []
        found = []
        for message in (first, *self._consumer.consume(BATCH_MAX - 1, 0)):
            error = message.error()
            if error is None:
                found.append(message)
            elif error.fatal():
                raise KafkaException(error)
            else:
                logger.warning("log_read_failed", error=str(error))
        return found

    async def _close(self, *last: Callable[[], None]) -> None:
        """Do `last`, then close; gives up waiting after a while, and a second cancellation does not cut it short."""

        def work() -> None:
            for act in last:
                act()
            self._consumer.close()

        closing = asyncio.get_running_loop().run_in_executor(self._thread, work)
        self._thread.shutdown(wait=False)
        done, _ = await asyncio.wait((closing,), timeout=CLOSE_S)
        for one in done:
            if (error := one.exception()) is not None:
                logger.warning("log_close_failed", error=repr(error))


class GroupMember(_Polled):
    """One member of a consumer group, from joining to leaving it.

    What was handled is stored, and librdkafka commits it every half second, before a partition
    is given away and at the end. A partition that was taken away in the meantime is not committed.
    """

    def __init__(self, brokers: Brokers, topic: str, group: str, *, from_end: bool) -> None:
        """`from_end`: a live reader, to whom every record goes at once."""
        super().__init__(
            brokers.properties(
                group_id=group,
                partition_assignment_strategy="cooperative-sticky",
                session_timeout_ms=SESSION_MS,
                heartbeat_interval_ms=HEARTBEAT_MS,
                max_poll_interval_ms=STUCK_MS,
                enable_auto_commit=True,  # of what was stored
                auto_commit_interval_ms=COMMIT_MS,
                **({} if from_end else {"fetch_wait_max_ms": TOGETHER_MS, "fetch_min_bytes": TOGETHER_BYTES}),
                **_reading(),
            )
        )
        self._topic, self._group, self._from_end = topic, group, from_end
        self.joined = False  # the group has taken us in, at least once
        self._out_since: float | None = None  # when the last partition was taken away, until the group answers again
        self._terms: dict[int, int] = {}  # partition to the term in which we own it
        self._taken_in: dict[int, int] = {}  # the terms when records were taken last
        self._term = 0
        self._handled: dict[int, tuple[int, int]] = {}  # partition to (term, next offset), not stored yet
        self._held: list[Message] = []  # came while a handler was waited for
        self._paused = False

    async def __aenter__(self) -> Self:
        await self._call(
            lambda: self._consumer.subscribe([self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke,
                                             on_lost=self._on_lost)
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close(self._store_handled)

    async def take(self) -> list[Message]:
        """What has come, at most BATCH_MAX; empty after a moment without any.

        Raises: KafkaException, also when the client has fallen out of the group and does not come back by itself.
        """
        return await self._call(self._take_owned)

    def handled(self, batch: Sequence[Message]) -> None:
        """What was taken last is done with."""
        for partition, offset in map(place_of, batch):
            self._handled[partition] = (self._taken_in[partition], offset + 1)

    async def attend(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work and stay in the group however long it takes."""
        task = asyncio.create_task(work)
        try:
            await asyncio.wait((task,), timeout=PATIENCE_S)
            if not task.done():
                await self._stand_by(task)
            await task
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))

    async def _stand_by(self, task: "asyncio.Task[None]") -> None:
        await self._call(self._pause)
        while not task.done():
            await self._call(self._keep)
            await asyncio.wait((task,), timeout=POLL_S)
        await self._call(self._resume)

    def _take_owned(self) -> list[Message]:
        if self._out_since is not None and time.monotonic() - self._out_since > OUT_S_MAX:
            raise KafkaException(KafkaError(KafkaError._STATE, f"out of the group for {OUT_S_MAX:.0f} s"))
        self._store_handled()
        held, self._held = self._held, []
        found = held or self._take()
        self._taken_in = dict(self._terms)
        return [message for message in found if place_of(message)[0] in self._terms]

    def _store_handled(self) -> None:
        handled, self._handled = self._handled, {}
        offsets = [
            TopicPartition(self._topic, partition, offset)
            for partition, (term, offset) in handled.items()
            if self._terms.get(partition) == term
        ]
        if offsets:
            self._consumer.store_offsets(offsets=offsets)

    def _keep(self) -> None:
        """Serve rebalances. Paused partitions send nothing; what slips through is handed over later."""
        message = self._consumer.poll(0)
        if message is not None and message.error() is None:
            self._held.append(message)

    def _pause(self) -> None:
        self._paused = True
        self._consumer.pause(self._consumer.assignment())

    def _resume(self) -> None:
        self._paused = False
        self._consumer.resume(self._consumer.assignment())

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if self._from_end and partitions:
            partitions = self._place(partitions)
        self.joined, self._out_since = True, None
        self._term += 1
        self._terms |= {one.partition: self._term for one in partitions}
        consumer.incremental_assign(partitions)
        if partitions:  # one that was paused when it moved away would still be so, and never be read again
            (consumer.pause if self._paused else consumer.resume)(partitions)
        logger.info("log_assigned", group=self._group, partitions=sorted(self._terms))

    def _place(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Write the end down as the position of partitions without one, so that a crash skips nothing from here on."""
        placed = self._consumer.committed(partitions, timeout=ADMIN_S)
        new = [one for one in placed if one.offset == OFFSET_INVALID]
        for one in new:
            _, one.offset = self._consumer.get_watermark_offsets(one, timeout=ADMIN_S)
        if new:
            self._consumer.commit(offsets=new, asynchronous=False)
        return placed

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._forget(partitions)
        consumer.incremental_unassign(partitions)  # what was stored is committed first

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._forget(partitions)  # others have them already: nothing is committed
        consumer.incremental_unassign(partitions)

    def _forget(self, partitions: list[TopicPartition]) -> None:
        for one in partitions:
            self._terms.pop(one.partition, None)
        if not self._terms:
            self._out_since = time.monotonic()
        logger.info("log_revoked", group=self._group, partitions=sorted(one.partition for one in partitions))


class _Scanner(_Polled):
    def assign(self, topic: str, starts: Mapping[int, int]) -> None:
        self._consumer.assign([TopicPartition(topic, partition, start) for partition, start in starts.items()])

    async def batches(self, ends: Mapping[int, int]) -> AsyncIterator[list[Message]]:
        left, quiet_s = dict(ends), 0.0
        while left:
            messages = await self._call(self._take)
            quiet_s = 0.0 if messages else quiet_s + POLL_S
            if quiet_s > SCAN_QUIET_S:
                raise Unavailable("the log stopped answering before its end: try again in a moment")
            batch = [message for message in messages if place_of(message)[1] < ends[place_of(message)[0]]]
            for partition, offset in map(place_of, messages):
                if offset + 1 >= ends[partition]:
                    left.pop(partition, None)
            if batch:
                yield batch

    async def close(self) -> None:
        await self._close()


@asynccontextmanager
async def scanning(
    brokers: Brokers, topic: str, starts: Mapping[int, int], ends: Mapping[int, int]
) -> AsyncIterator[AsyncIterator[list[Message]]]:
    """The records of a topic from `starts` up to, not including, `ends`, by partition. In batches; joins no group.

    Raises: KafkaException; Unavailable when nothing comes any more.
    """
    wanted = {partition: start for partition, start in starts.items() if start < ends[partition]}
    scanner = _Scanner(
        brokers.properties(group_id=brokers.group("scan"), enable_auto_commit=False, **_reading())
    )  # a group's name is asked for and not used
    try:
        scanner.assign(topic, wanted)
        yield scanner.batches({partition: ends[partition] for partition in wanted})
    finally:
        await scanner.close()


def place_of(message: Message) -> tuple[int, int]:
    """Partition and offset of a record that was read."""
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    return partition, offset
