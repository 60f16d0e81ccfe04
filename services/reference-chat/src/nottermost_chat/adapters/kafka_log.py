"""The event log on Kafka: one topic of entries keyed by conversation, one of what nobody could handle."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import msgspec
import structlog
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from nottermost_chat.adapters.hand_over import hand_over, insist
from nottermost_chat.adapters.kafka_client import ADMIN_S, Brokers, answer, partitions_of
from nottermost_chat.adapters.kafka_consumer import GroupMember, place_of, scanning
from nottermost_chat.adapters.kafka_producer import Outgoing, Publisher
from nottermost_chat.adapters.record_codec import RecordRefused, decode_record, encode_log_record
from nottermost_chat.clock import Clock
from nottermost_chat.errors import Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import LogRecord
from nottermost_chat.ports import DeadLetter, Handler, MessageStore
from nottermost_chat.resilience import POLICIES, Guard
from nottermost_conventions.topics import ENTRIES, ENTRIES_DEAD

CONFIRM_S: Final = 0.9  # below the second that ingest waits, so that the breaker learns of it
REJOIN_S: Final = 1.0  # after the client failed for good, before another one takes its place
OLDEST: Final = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
NEWEST: Final = OffsetSpec.latest()  # type: ignore[no-untyped-call]
SKEW_MS: Final = 60_000  # clocks that wrote `created_at` and the record's own time differ by less

logger = structlog.get_logger(__name__)


class KafkaLog:
    """EventLog on Kafka. See ADR 0032 for topics, groups and what happens when somebody dies."""

    def __init__(self, brokers: Brokers, store: MessageStore, metrics: Metrics, clock: Clock) -> None:
        """`store`: has the entries that are too long for a record."""
        self._brokers, self._store, self._metrics, self._clock = brokers, store, metrics, clock
        self._guard = Guard(POLICIES["log"], metrics, clock.monotonic, KafkaException, BufferError)
        self._publisher: Publisher | None = None
        self._admin: AdminClient | None = None
        self._joined: set[str] = set()
        self._topic, self._dead_topic = brokers.topic(ENTRIES), brokers.topic(ENTRIES_DEAD)

    def warm_up(self) -> None:
        """Start the producer: the first `publish` would else wait half a second until it has its id."""
        self._publisher = self._publisher or Publisher(self._brokers)

    async def close(self) -> None:
        """Send what waits and end the threads. Those who consume are cancelled before."""
        if self._publisher is not None:
            await self._publisher.close()
        self._publisher = self._admin = None

    async def publish(self, records: Sequence[LogRecord]) -> None:
        if records:
            now_ms = self._clock.now_ms()
            await self._send(self._topic, [_outgoing(record, now_ms) for record in records])

    async def consume(self, group: str, handler: Handler, *, from_end: bool = False) -> None:
        name = self._brokers.group(group)
        while True:
            try:
                async with GroupMember(self._brokers, self._topic, name, from_end=from_end) as member:
                    await self._follow(member, group, handler)
            except KafkaException as error:
                logger.warning("consumer_lost", group=group, error=str(error))
                await asyncio.sleep(REJOIN_S)

    def has_joined(self, group: str) -> bool:
        """Whether `consume` has been taken into the group: from then on it has its share of the records."""
        return group in self._joined

    async def replay(self, handler: Handler, since_ms: int) -> int:
        count = 0
        earliest = OffsetSpec.for_timestamp(max(0, since_ms - SKEW_MS))
        async with self._scan(self._topic, earliest) as batches:
            async for batch in batches:
                readable = [record for record in map(_try_read, batch) if record is not None]
                if wanted := await self._complete([one for one in readable if one.entry.created_at >= since_ms]):
                    await handler(wanted)
                    count += len(wanted)
        return count

    async def lag(self, group: str) -> int:
        with _translated():
            partitions = await partitions_of(self._client(), self._topic)
            ends, starts, done = await asyncio.gather(
                self._offsets(self._topic, partitions, NEWEST),
                self._offsets(self._topic, partitions, OLDEST),
                self._positions(self._brokers.group(group), self._topic, partitions),
            )
        return sum(max(0, ends[one] - max(starts[one], done.get(one, 0))) for one in partitions)

    async def dead_letters(self, group: str, limit: int) -> list[DeadLetter]:
        found: list[DeadLetter] = []
        async with self._scan_dead(group) as batches:
            async for batch in batches:
                letters = [message for message in batch if _header(message, "group") == group]
                found += [await self._letter(message) for message in letters[: limit - len(found)]]
                if len(found) == limit:
                    break
        return found

    async def redrive(self, group: str, handler: Handler) -> int:
        taken = 0
        async with self._scan_dead(group) as batches:
            async for batch in batches:
                letters = [message for message in batch if _header(message, "group") == group]
                taken += len(letters) - await self._handle(group, handler, letters)
                await self._move(_redriven(self._brokers.group(group)), batch)
        return taken

    async def _follow(self, member: GroupMember, group: str, handler: Handler) -> None:
        async def work(batch: Sequence[Message]) -> None:
            await self._handle(group, handler, batch)

        while True:
            batch = await member.take()
            if member.joined:
                self._joined.add(group)
            if batch:
                await member.attend(work(batch))
                member.handled(batch)

    async def _handle(self, group: str, handler: Handler, batch: Sequence[Message]) -> int:
        """Hand a batch over and set aside what is refused; returns how many that are."""
        readable: list[tuple[Message, LogRecord]] = []
        now_us = self._clock.now_us()
        dead: list[tuple[Message, str]] = []
        for message in batch:
            try:
                readable.append((message, _read(message, now_us)))
            except RecordRefused as error:
                dead.append((message, str(error)))
        records = [record for _, record in readable]
        self._observe(group, records)
        if records:
            refused = await hand_over(self._completing(handler), records, group=group)
            dead += [(readable[one.index][0], one.reason) for one in refused]
        if dead:
            await self._set_aside(group, dead)
        return len(dead)

    def _observe(self, group: str, records: Sequence[LogRecord]) -> None:
        now_ms = self._clock.now_ms()
        for record in records:
            if record.written_at:
                self._metrics.log_seconds.labels(group).observe(max(0, now_ms - record.written_at) / 1000)

    def _completing(self, handler: Handler) -> Handler:
        """The handler, given whole records."""

        async def handle(records: Sequence[LogRecord]) -> None:
            if whole := await self._complete(records):
                await handler(whole)

        return handle

    async def _complete(self, records: Sequence[LogRecord]) -> list[LogRecord]:
        """The records with all their lists. One whose entry retention has removed is left out."""
        whole = [await self._fetch(record) if record.partial else record for record in records]
        return [record for record in whole if record is not None]

    async def _fetch(self, record: LogRecord) -> LogRecord | None:
        entry = record.entry
        for found in await self._store.entries(entry.conversation_id, entry.seq - 1, 1):
            if found.position == entry.position:
                return msgspec.structs.replace(record, entry=found, partial=False)
        return None

    async def _set_aside(self, group: str, dead: Sequence[tuple[Message, str]]) -> None:
        letters = [_dead_letter(message, group, reason) for message, reason in dead]
        await insist(lambda: self._send(self._dead_topic, letters), group=group)
        self._metrics.dead_letters.labels(group).inc(len(dead))

    async def _letter(self, message: Message) -> DeadLetter:
        record = _try_read(message)
        found = await self._complete([record]) if record is not None else []
        return DeadLetter(found[0] if found else None, _header(message, "reason"))

    async def _send(self, topic: str, records: Sequence[Outgoing]) -> None:
        async def act() -> None:
            async with asyncio.timeout(CONFIRM_S):
                await self._working_publisher().send(topic, records)

        await self._guard.call(act)

    def _working_publisher(self) -> Publisher:
        """The producer, or a new one in place of one that failed for good."""
        if self._publisher is None or self._publisher.broken:
            self._publisher = Publisher(self._brokers)
        return self._publisher

    @asynccontextmanager
    async def _scan(
        self, topic: str, start: OffsetSpec, group: str | None = None
    ) -> AsyncIterator[AsyncIterator[list[Message]]]:
        """What a topic holds now, from `start` or from where `group` is."""
        with _translated():
            partitions = await partitions_of(self._client(), topic)
            ends = await self._offsets(topic, partitions, NEWEST)
            starts = await self._offsets(topic, partitions, start)
            if group is not None:
                starts |= await self._positions(group, topic, partitions)
            # A time after the last record is answered with -1.
            starts = {one: ends[one] if starts[one] < 0 else starts[one] for one in partitions}
            async with scanning(self._brokers, topic, starts, ends) as batches:
                yield batches

    @asynccontextmanager
    async def _scan_dead(self, group: str) -> AsyncIterator[AsyncIterator[list[Message]]]:
        """What was set aside and not handed over again; of all groups."""
        redriven = _redriven(self._brokers.group(group))
        async with self._scan(self._dead_topic, OLDEST, redriven) as batches:
            yield batches

    def _client(self) -> AdminClient:
        if self._admin is None:
            self._admin = AdminClient(self._brokers.properties())
        return self._admin

    async def _offsets(self, topic: str, partitions: Sequence[int], spec: OffsetSpec) -> dict[int, int]:
        asked = {TopicPartition(topic, partition): spec for partition in partitions}
        futures = self._client().list_offsets(asked, request_timeout=ADMIN_S)
        return {place.partition: (await answer(future)).offset for place, future in futures.items()}

    async def _positions(self, group: str, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        """Where a group is, of the partitions where it is anywhere."""
        asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, partition) for partition in partitions])
        (future,) = self._client().list_consumer_group_offsets([asked], request_timeout=ADMIN_S).values()
        found = (await answer(future)).topic_partitions or []
        return {place.partition: place.offset for place in found if place.offset >= 0}

    async def _move(self, group: str, batch: Sequence[Message]) -> None:
        """Write down that a group without members has come to the end of the batch."""
        ends = {partition: offset + 1 for partition, offset in map(place_of, batch)}
        places = [TopicPartition(self._dead_topic, partition, offset) for partition, offset in ends.items()]
        asked = [ConsumerGroupTopicPartitions(group, places)]
        (future,) = self._client().alter_consumer_group_offsets(asked, request_timeout=ADMIN_S).values()
        await answer(future)


def _outgoing(record: LogRecord, now_ms: int) -> Outgoing:
    headers: list[tuple[str, str | bytes | None]] = [("written_at", str(now_ms))]
    if record.traceparent:
        headers.append(("traceparent", record.traceparent))
    return Outgoing(record.entry.conversation_id.encode(), encode_log_record(record), headers)


def _read(message: Message, now_us: int = 0) -> LogRecord:
    """Raises: RecordRefused."""
    record = decode_record(message.value() or b"")
    headers = dict(message.headers() or ())
    written_at, traceparent = _text(headers.get("written_at")), _text(headers.get("traceparent"))
    return msgspec.structs.replace(
        record, written_at=int(written_at) if written_at.isdecimal() else 0, traceparent=traceparent, consumed_us=now_us
    )


def _try_read(message: Message) -> LogRecord | None:
    """None for what nobody can read: those who follow the log have set it aside, with the reason."""
    try:
        return _read(message)
    except RecordRefused:
        return None


def _dead_letter(message: Message, group: str, reason: str) -> Outgoing:
    """The record as it came, and where from; again from the first place if it was set aside before."""
    partition, offset = place_of(message)
    place = {"topic": message.topic() or "", "partition": str(partition), "offset": str(offset)}
    headers = {name: _header(message, name) or value for name, value in place.items()}
    headers |= {"reason": reason, "group": group, "written_at": _header(message, "written_at")}
    return Outgoing(message.key() or b"", message.value() or b"", list(headers.items()))


def _header(message: Message, name: str) -> str:
    """A record's header; "": it has none of that name."""
    return _text(dict(message.headers() or ()).get(name))


def _text(value: str | bytes | None) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""


def _redriven(group: str) -> str:
    """The group whose position tells which dead letters of `group` were handed over again."""
    return f"{group}-redrive"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise Unavailable(f"the log does not answer ({error.args[0].str()}): try again in a moment") from error
