"""What only the log on Kafka does: places, headers, groups whose members die, brokers that are away."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition, murmur2
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from nottermost_chat.adapters import kafka_client, kafka_consumer, kafka_log, kafka_producer
from nottermost_chat.adapters.kafka_client import Brokers, answer, brokers_of, create_topics, delete_topics
from nottermost_chat.adapters.kafka_log import KafkaLog
from nottermost_chat.adapters.kafka_producer import Outgoing, Publisher
from nottermost_chat.adapters.sqlite_store import SqliteStore
from nottermost_chat.clock import Clock
from nottermost_chat.errors import StartError, Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import Detail, Entry, EntryKind, LogRecord
from nottermost_chat.resilience import POLICIES
from nottermost_chat.settings import load_settings
from nottermost_chat.testing.servers import Address
from nottermost_conventions.topics import ENTRIES, ENTRIES_DEAD, TOPICS

PARTITIONS = 4


def make_record(conversation_id: str, seq: int, **fields: object) -> LogRecord:
    entry = Entry(conversation_id, 1, seq, EntryKind.MESSAGE, "ann", f"M{seq}", 0, seq, 1, seq, 0, f"op{seq}", Detail())
    return msgspec.structs.replace(LogRecord(entry, preview="hi"), **fields)


@pytest.fixture
async def brokers(kafka: Address, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Brokers]:
    """Topics of a test's own, on a broker that may be slow."""
    monkeypatch.setattr(kafka_producer, "DELIVERY_MS", 10_000)
    monkeypatch.setattr(kafka_log, "CONFIRM_S", 10.0)
    monkeypatch.setitem(POLICIES, "log", msgspec.structs.replace(POLICIES["log"], timeout_s=10.0))
    brokers = Brokers(kafka.authority, topic_prefix=f"test-{Clock().new_id()}-")
    await create_topics(brokers, replication=1, partitions=PARTITIONS)
    yield brokers
    await delete_topics(brokers)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore.open(tmp_path / "store.db")
    yield store
    await store.close()


@pytest.fixture
async def log(brokers: Brokers, store: SqliteStore) -> AsyncIterator[KafkaLog]:
    async with open_log(brokers, store) as log:
        yield log


@contextlib.asynccontextmanager
async def open_log(brokers: Brokers, store: SqliteStore) -> AsyncIterator[KafkaLog]:
    log = KafkaLog(brokers, store, Metrics(), Clock())
    yield log
    await log.close()


@contextlib.asynccontextmanager
async def consuming(
    log: KafkaLog, handler: Callable[[Sequence[LogRecord]], object], **how: bool
) -> AsyncIterator[None]:
    async def handle(records: Sequence[LogRecord]) -> None:
        result = handler(records)
        if asyncio.iscoroutine(result):
            await result

    task = asyncio.create_task(log.consume("group", handle, **how))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled(), task


async def publish(log: KafkaLog, records: Sequence[LogRecord]) -> None:
    """As ingest does: again until the log confirms."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await log.publish(records)
            except Unavailable:
                await asyncio.sleep(0.05)


async def until(holds: Callable[[], bool], *, within_s: float = 40) -> None:
    async with asyncio.timeout(within_s):
        while True:
            if holds():
                return
            await asyncio.sleep(0.02)


def read_topic(brokers: Brokers, topic: str, count: int) -> list[Message]:
    """The first `count` records of a topic as they are in the log."""
    consumer = Consumer(
        {"bootstrap.servers": brokers.addresses, "group.id": "test-reader", "enable.auto.commit": False}
    )
    consumer.assign([TopicPartition(topic, one, 0) for one in range(PARTITIONS if topic.endswith("entries") else 1)])
    found: list[Message] = []
    deadline = time.monotonic() + 20
    while len(found) < count and time.monotonic() < deadline:
        found += consumer.consume(count, 0.5)
    consumer.close()
    return found


def headers_of(message: Message) -> dict[str, bytes]:
    return {name: value for name, value in dict(message.headers() or ()).items() if isinstance(value, bytes)}


async def test_where_a_record_goes_depends_on_its_conversation_only(log: KafkaLog, brokers: Brokers) -> None:
    """Java's murmur2, so that every client in any language puts a conversation in the same partition, in order."""
    names = [f"conversation-{number}" for number in range(12)]
    await publish(log, [make_record(name, seq) for seq in (1, 2, 3) for name in names])
    found = await asyncio.to_thread(read_topic, brokers, brokers.topic(ENTRIES), 36)
    for name in names:
        own = [message for message in found if message.key() == name.encode()]
        assert {message.partition() for message in own} == {murmur2(name.encode(), PARTITIONS)}
        assert [msgspec.json.decode(message.value() or b"")["entry"]["seq"] for message in own][:3] == [1, 2, 3]


async def test_who_does_not_read_yet_is_known(log: KafkaLog) -> None:
    """A process tells whether the group has taken it in: before that nobody should be stopped in its favour."""
    assert not log.has_joined("group")
    async with consuming(log, lambda records: None):
        await until(lambda: log.has_joined("group"))


async def test_stamps_travel_as_headers(log: KafkaLog, brokers: Brokers) -> None:
    """When a record was written and which trace it belongs to, readable without its body."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    before = Clock().now_ms()
    seen: list[LogRecord] = []
    await publish(log, [make_record("a", 1, traceparent=trace), make_record("a", 2)])
    async with consuming(log, seen.extend):
        await until(lambda: len(seen) >= 2)
    first, second = seen[:2]
    assert before <= first.written_at <= Clock().now_ms()
    assert (first.traceparent, second.traceparent) == (trace, "")
    message = (await asyncio.to_thread(read_topic, brokers, brokers.topic(ENTRIES), 2))[0]
    assert headers_of(message) == {
        "written_at": str(first.written_at).encode(),
        "traceparent": trace.encode(),
    }
    assert b"written_at" not in (message.value() or b"")


async def test_a_dead_letter_says_why_and_from_where(log: KafkaLog, brokers: Brokers) -> None:
    """What a handler refused, and what nobody can read, with the place it came from; the rest goes on."""
    seen: list[LogRecord] = []

    def handle(records: Sequence[LogRecord]) -> None:
        if any(record.entry.seq == 1 for record in records):
            raise LookupError("what people wrote is not told")
        seen.extend(records)

    publisher = Publisher(brokers)
    async with asyncio.timeout(20):
        await publisher.send(brokers.topic(ENTRIES), [Outgoing(b"a", b'{"v":2}', [])])
    await publisher.close()
    await publish(log, [make_record("a", 1), make_record("a", 2)])
    async with consuming(log, handle):
        await until(lambda: bool(seen))
        found = await asyncio.to_thread(read_topic, brokers, brokers.topic(ENTRIES_DEAD), 2)
    told = [{name: value.decode() for name, value in headers_of(message).items()} for message in found[:2]]
    place = {"topic": brokers.topic(ENTRIES), "partition": str(murmur2(b"a", PARTITIONS)), "group": "group"}
    version = "the log record has version 2, expected 1: read it with the program that wrote it"
    assert told[0] == {**place, "offset": "0", "reason": version, "written_at": ""}
    assert told[1] == {
        **place, "offset": "1", "reason": "refused three times: LookupError", "written_at": told[1]["written_at"],
    }  # fmt: skip
    assert [message.key() for message in found[:2]] == [b"a", b"a"]
    unread, refused = await log.dead_letters("group", 10)
    assert unread.record is None
    assert refused.record is not None
    assert await log.redrive("group", lambda records: asyncio.sleep(0)) == 1
    assert [letter.reason for letter in await log.dead_letters("group", 10)] == [version]
    assert await log.replay(lambda records: asyncio.sleep(0), 0) == 2  # all that can be read


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken and where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def test_a_log_that_is_away_is_unavailable_soon(
    closed_port: int, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither publishing nor asking hangs, and closing does not either."""
    monkeypatch.setattr(kafka_client, "ADMIN_S", 0.5)
    async with open_log(Brokers(f"127.0.0.1:{closed_port}"), store) as log:
        async with asyncio.timeout(3):
            with pytest.raises(Unavailable):
                await log.publish([make_record("a", 1)])
        async with consuming(log, lambda records: None):
            async with asyncio.timeout(6):
                with pytest.raises(Unavailable):
                    await log.lag("group")


async def test_a_full_queue_is_unavailable(closed_port: int, store: SqliteStore) -> None:
    """More than may wait is refused at once."""
    brokers = Brokers(f"127.0.0.1:{closed_port}", extra={"queue.buffering.max.messages": 10})
    async with open_log(brokers, store) as log, asyncio.timeout(3):
        with pytest.raises(Unavailable) as refusal:
            await log.publish([make_record("a", seq) for seq in range(20)])
        assert isinstance(refusal.value.__cause__, BufferError)


async def test_a_producer_that_failed_for_good_is_replaced(brokers: Brokers, store: SqliteStore) -> None:
    """After a fatal error of the client the next publish works."""
    admin = AdminClient(brokers.properties())
    topic = brokers.topic(ENTRIES)
    await _configure(admin, topic, "max.message.bytes", "100")  # refused by the broker: a gap,
    strict = msgspec.structs.replace(brokers, extra={"enable.gapless.guarantee": True})  # ... which is fatal
    async with open_log(strict, store) as log:
        with pytest.raises(Unavailable):
            await log.publish([make_record("a", 1)])
        await _configure(admin, topic, "max.message.bytes", "1000000")
        await publish(log, [make_record("a", 2)])
    assert len(await asyncio.to_thread(read_topic, brokers, topic, 1)) == 1


async def _configure(admin: AdminClient, topic: str, name: str, value: str) -> None:
    change = ConfigResource(
        ResourceType.TOPIC, topic, incremental_configs=[ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)]
    )  # fmt: skip
    for future in admin.incremental_alter_configs([change]).values():
        await answer(future)


async def test_a_follower_skips_nothing_from_its_beginning_on(
    log: KafkaLog, brokers: Brokers, store: SqliteStore
) -> None:
    """One that begins at the end writes that down at once: who follows after its death gets what it was handed."""
    await publish(log, [make_record("a", 1)])
    handed = asyncio.Event()

    async def never_done(records: Sequence[LogRecord]) -> None:
        handed.set()
        await asyncio.Event().wait()

    async with consuming(log, never_done, from_end=True):
        while not handed.is_set():  # it has begun when something reaches it
            await publish(log, [make_record("a", 2)])
            await asyncio.sleep(0.1)
    seen: list[LogRecord] = []
    async with open_log(brokers, store) as other, consuming(other, seen.extend, from_end=True):
        await until(lambda: bool(seen))
    assert {record.entry.seq for record in seen} == {2}


async def test_a_slow_handler_keeps_its_place(
    log: KafkaLog, brokers: Brokers, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a handler waits for minutes, others join the group and leave, and nothing is skipped or out of order."""
    monkeypatch.setattr(kafka_consumer, "PATIENCE_S", 0.05)
    names = [f"conversation-{number}" for number in range(12)]
    slow, quick, go_on = list[LogRecord](), list[LogRecord](), asyncio.Event()

    async def wait(records: Sequence[LogRecord]) -> None:
        slow.extend(records)
        await go_on.wait()

    await publish(log, [make_record(name, 1) for name in names])
    async with consuming(log, wait), open_log(brokers, store) as other:
        await until(lambda: bool(slow))
        await publish(log, [make_record(name, seq) for seq in (2, 3) for name in names])
        async with consuming(other, quick.extend):
            await until(lambda: bool(quick))  # the group was shared out anew while the first one waits
            go_on.set()
            wanted = {(name, seq) for name in names for seq in (1, 2, 3)}
            await until(lambda: wanted <= {(one.entry.conversation_id, one.entry.seq) for one in slow + quick})
        await publish(log, [make_record(name, 4) for name in names])  # what moved while it was paused has come back
        await until(lambda: set(names) <= {one.entry.conversation_id for one in slow if one.entry.seq == 4})
    for name in names:
        for records in (slow, quick):
            seqs = [record.entry.seq for record in records if record.entry.conversation_id == name]
            assert seqs == sorted(seqs)


async def test_a_member_that_falls_out_joins_anew(log: KafkaLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client has lost its partitions and asks for none: after a while another one takes its place."""
    monkeypatch.setattr(kafka_consumer, "OUT_S_MAX", 0.5)
    members: list[kafka_consumer.GroupMember] = []
    begin = kafka_consumer.GroupMember.__aenter__

    async def note(member: kafka_consumer.GroupMember) -> kafka_consumer.GroupMember:
        members.append(member)
        return await begin(member)

    monkeypatch.setattr(kafka_consumer.GroupMember, "__aenter__", note)
    seen: list[LogRecord] = []
    async with consuming(log, seen.extend):
        await until(lambda: bool(members) and members[0].joined)
        consumer = members[0]._consumer
        await members[0]._call(lambda: members[0]._on_lost(consumer, consumer.assignment()))
        await publish(log, [make_record("conversation", 1)])
        await until(lambda: bool(seen))
    assert len(members) > 1


@pytest.mark.slow
async def test_what_a_dead_member_had_is_taken_over(log: KafkaLog, brokers: Brokers, tmp_path: Path) -> None:
    """Of three consumers one is killed and one stopped while all work: every record is handled by somebody."""
    names = [f"conversation-{number}" for number in range(12)]
    seen: list[LogRecord] = []
    told = [tmp_path / "killed", tmp_path / "stopped"]
    seq = 0

    async def say() -> None:
        nonlocal seq
        seq += 1
        await publish(log, [make_record(name, seq) for name in names])

    def handled() -> set[tuple[str, int]]:
        lines = [line.split() for path in told for line in path.read_text().splitlines()]
        return {(one.entry.conversation_id, one.entry.seq) for one in seen} | {(name, int(at)) for name, at in lines}

    with contextlib.ExitStack() as players:
        killed, stopped = (players.enter_context(playing(brokers, path)) for path in told)
        async with consuming(log, seen.extend):
            while not (seen and all(path.read_text() for path in told)):
                await say()
                await asyncio.sleep(0.05)
            killed.send_signal(signal.SIGKILL)
            stopped.send_signal(signal.SIGSTOP)
            for _ in range(10):
                await say()
            wanted = {(name, number) for name in names for number in range(1, seq + 1)}
            await until(lambda: wanted <= handled())
            stopped.send_signal(signal.SIGCONT)  # it learns that it is no member any more, and changes nothing
            await say()
            await until(lambda: wanted | {(name, seq) for name in names} == handled())


@contextlib.contextmanager
def playing(brokers: Brokers, told: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A consumer in a process of its own that tells a file what it handled."""
    told.touch()
    player = subprocess.Popen([sys.executable, "-c", PLAYER, brokers.addresses, brokers.topic_prefix, told])
    try:
        yield player
    finally:
        player.kill()
        player.wait()


PLAYER = """
import asyncio, sys
from pathlib import Path
from nottermost_chat.adapters.kafka_client import Brokers
from nottermost_chat.adapters.kafka_log import KafkaLog
from nottermost_chat.adapters.sqlite_store import SqliteStore
from nottermost_chat.clock import Clock
from nottermost_chat.metrics import Metrics

addresses, prefix, told = sys.argv[1:]

async def handle(records):
    with Path(told).open("a") as file:
        file.writelines(f"{record.entry.conversation_id} {record.entry.seq}\\n" for record in records)

async def main():
    store = SqliteStore.open(Path(told + ".db"))
    await KafkaLog(Brokers(addresses, topic_prefix=prefix), store, Metrics(), Clock()).consume("group", handle)

asyncio.run(main())
"""


async def test_topics_are_created_once_as_the_table_says(brokers: Brokers) -> None:
    """Again changes nothing; another number of partitions is refused."""
    await create_topics(brokers, replication=1, partitions=PARTITIONS)
    with pytest.raises(StartError, match="has 4 partitions, expected 3"):
        await create_topics(brokers, replication=1, partitions=3)
    admin = AdminClient(brokers.properties())
    for topic in TOPICS:
        asked = ConfigResource(ResourceType.TOPIC, brokers.topic(topic))
        (future,) = admin.describe_configs([asked]).values()
        found = await answer(future)
        assert int(found["retention.ms"].value) == topic.retention.total_seconds() * 1000


async def test_iam_asks_for_tokens(kafka: Address, store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Producer, consumer and admin log in with tokens; this broker knows none, so the log counts as away."""
    asked: list[str] = []

    def source(region: str) -> kafka_client.TokenSource:
        def make() -> tuple[str, float]:
            asked.append(region)
            return "token", time.time() + 900

        return make

    monkeypatch.setattr(kafka_client, "ADMIN_S", 0.5)
    monkeypatch.setattr(kafka_client, "iam_tokens", source)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    settings = load_settings({"NOTTERMOST_BROKERS": kafka.authority, "NOTTERMOST_BROKERS_IAM": "true"})
    async with open_log(brokers_of(settings), store) as log:
        with pytest.raises(Unavailable):
            await log.publish([make_record("a", 1)])
        assert asked == ["eu-west-1"]
        async with consuming(log, lambda records: None):
            await until(lambda: len(asked) == 2)
            with pytest.raises((Unavailable, KafkaException)):
                await log.lag("group")
            assert len(asked) == 3
