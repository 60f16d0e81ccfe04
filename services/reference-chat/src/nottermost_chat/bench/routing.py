"""Two ways of telling a gateway: Redis Pub/Sub, or the log and a gRPC stream. Each between processes, at the same rate.

Redis and Kafka are its own. Neither way waits for a disk: Kafka acknowledges what it has written, and syncs later.
"""

import asyncio
import math
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from threading import Event
from typing import Final

import grpc
import msgspec
from confluent_kafka import Consumer, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from redis.asyncio import Redis
from ulid import ULID

from nottermost_chat.bench.measure import value_at
from nottermost_chat.bench.own_servers import Servers, Tell, measure_over
from nottermost_chat.stack.ports import find_free
from nottermost_conventions.figures import Figure

SERVERS: Final = ("redis", "kafka")
PER_S: Final = 1000
SECONDS: Final = 10.0
AWAY_AFTER_S: Final = 4.0
AWAY_S: Final = 2.0
REST_S: Final = 3.0  # for what is under way at the end
STEP_S: Final = 60.0  # until a receiver is ready or has ended, on a busy machine
WARM_UP: Final = PER_S  # messages that are not counted
BODY: Final = b"x" * 300  # about a log record's size
STAMP_BYTES: Final = 8
METHOD: Final = "/bench.Fanout/Deliveries"
READY: Final = b"ready\n"

Send = Callable[[bytes], Awaitable[None]]


class Arrivals(msgspec.Struct):
    """What a receiver saw: microseconds from the call that sent it, by order of arrival."""

    took_us: list[int] = []

    def note(self, payload: bytes) -> None:
        """The monotonic clock is one for all processes of a machine."""
        self.took_us.append((time.monotonic_ns() - int.from_bytes(payload[:STAMP_BYTES])) // 1000)


class Took(msgspec.Struct, frozen=True):
    """One run: how many were sent, and microseconds each that arrived was under way, by order of arrival."""

    sent: int
    waits_us: list[int]

    @property
    def lost(self) -> int:
        return self.sent - len(self.waits_us)


async def run_routing(tell: Tell) -> list[Figure]:
    """Measure both ways, with the receiver there all the time and with it away for two seconds; takes about a minute.

    Raises: StartError when a server cannot be started.
    """
    return await measure_over(SERVERS, tell, lambda servers: _measure_both(servers, tell))


async def _measure_both(servers: Servers, tell: Tell) -> list[Figure]:
    settings, there, lost = servers.process.settings, list[Took](), list[Took]()
    for away, found in ((False, there), (True, lost)):
        tell(f"Redis Pub/Sub, then log and gRPC, the receiver {f'away for {AWAY_S:.0f} s' if away else 'there'}")
        found.append(await _measure_pubsub(settings.cache_host, away))
        found.append(await _measure_log(settings.brokers, away))
    return [
        *(_compare_waits(label, share, *there) for label, share in (("p50", 0.5), ("p99", 0.99))),
        _compare_losses(*lost),
    ]


def _compare_waits(label: str, share: float, published: Took, streamed: Took) -> Figure:
    """The value below which `share` of the waits lie, of both."""
    reference, value = (value_at(sorted(took.waits_us[WARM_UP:]), share) / 1000 for took in (published, streamed))
    said = f"Redis Pub/Sub {reference:.1f} ms; {PER_S:,}/s, {len(streamed.waits_us):,} of {streamed.sent:,} arrived"
    return Figure(f"log and gRPC, publish to receiver, {label}", value, "ms", said, value / reference)


def _compare_losses(published: Took, streamed: Took) -> Figure:
    said = f"Redis Pub/Sub {published.lost:,}; of {streamed.sent:,} each"
    return Figure(f"log and gRPC, lost in {AWAY_S:.0f} s away", streamed.lost, "", said, None, "0")


async def _send_all(send: Send) -> int:
    """Send at the rate; returns how many."""
    started, total = time.monotonic(), round(PER_S * SECONDS)
    for index in range(total):
        wait_s = started + index / PER_S - time.monotonic()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        await send(time.monotonic_ns().to_bytes(STAMP_BYTES) + BODY)
    return total


@asynccontextmanager
async def _process(function: str, *arguments: str) -> AsyncIterator[Callable[[], Awaitable[Arrivals]]]:
    """Runs one of the receivers below; gives a call that ends it and returns what it saw."""
    code = f"import sys, asyncio; from nottermost_chat.bench.routing import {function} as run; asyncio.run(run(*sys.argv[1:]))"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )

    async def end() -> Arrivals:
        async with asyncio.timeout(STEP_S):
            out, _ = await process.communicate(b"")  # its standard input ends, and that tells it
        return msgspec.json.decode(out, type=Arrivals) if out else Arrivals()

    try:
        assert process.stdout is not None
        async with asyncio.timeout(STEP_S):
            assert await process.stdout.readline() == READY
        yield end
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _until_told(act: Callable[[], Awaitable[None]]) -> None:
    """Say that it is ready, and run `act` until standard input ends."""
    task = asyncio.ensure_future(act())
    await asyncio.to_thread(sys.stdin.read)
    task.cancel()
    await asyncio.wait([task])


def _say_ready() -> None:
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()


def _tell(arrivals: Arrivals) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(arrivals))


# --- Redis Pub/Sub ----------------------------------------------------------------------------


async def _measure_pubsub(redis: str, away: bool) -> Took:
    channel = f"bench-{ULID()}"
    host, _, port = redis.partition(":")
    async with (
        _process("receive_published", host, port, channel, str(away)) as end,
        Redis(host=host, port=int(port)) as client,
    ):

        async def send(payload: bytes) -> None:
            await client.publish(channel, payload)

        sent = await _send_all(send)
        await asyncio.sleep(REST_S)
        return Took(sent, (await end()).took_us)


async def receive_published(host: str, port: str, channel: str, away: str) -> None:
    """A gateway that subscribes."""
    arrivals, ready = Arrivals(), False

    async def subscribe(within_s: float | None) -> None:
        nonlocal ready
        async with Redis(host=host, port=int(port)) as client, client.pubsub() as subscription:
            await subscription.subscribe(channel)
            async with asyncio.timeout(within_s):
                async for message in subscription.listen():
                    if message["type"] == "message":
                        arrivals.note(message["data"])
                    elif not ready:
                        ready = True
                        _say_ready()

    await _until_told(lambda: _with_a_pause(subscribe, away == "True"))
    _tell(arrivals)


async def _with_a_pause(act: Callable[[float | None], Awaitable[None]], away: bool) -> None:
    if away:
        try:
            await act(AWAY_AFTER_S)
        except TimeoutError:
            await asyncio.sleep(AWAY_S)
    await act(None)


# --- log and gRPC -----------------------------------------------------------------------------


async def _measure_log(brokers: str, away: bool) -> Took:
    topic, port = f"bench-{ULID()}", str(find_free(set()))
    admin = AdminClient({"bootstrap.servers": brokers})
    admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])[topic].result(STEP_S)
    producer = Producer({"bootstrap.servers": brokers, "acks": "all", "enable.idempotence": True, "linger.ms": 1})
    async with (
        _process("fan_out", brokers, topic, port, str(away)) as end_fanout,
        _process("receive_streamed", port) as end,
    ):

        async def send(payload: bytes) -> None:
            producer.produce(topic, payload, key=b"conversation")
            producer.poll(0)

        sent = await _send_all(send)
        producer.flush(STEP_S)
        await asyncio.sleep(REST_S)
        arrivals = await end()
        await end_fanout()
        return Took(sent, arrivals.took_us)


async def fan_out(brokers: str, topic: str, port: str, away: str) -> None:
    """Consumes the log and streams it to the one gateway that dials."""
    queue: asyncio.Queue[bytes] = asyncio.Queue()  # not bounded: the bench's own rate is
    loop, ended = asyncio.get_running_loop(), Event()

    async def consume(within_s: float | None) -> None:
        await asyncio.to_thread(
            _consume, brokers, topic, within_s, ended, lambda value: loop.call_soon_threadsafe(queue.put_nowait, value)
        )
        if within_s is not None:
            raise TimeoutError

    async def deliveries(_request: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
        while True:
            await context.write(await queue.get())

    server = grpc.aio.server()
    service, _, method = METHOD[1:].partition("/")
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        method: grpc.unary_stream_rpc_method_handler(deliveries)
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    _say_ready()
    await _until_told(lambda: _with_a_pause(consume, away == "True"))
    ended.set()
    await server.stop(None)


def _consume(brokers: str, topic: str, within_s: float | None, ended: Event, hand: Callable[[bytes], object]) -> None:
    """In a thread of its own. Commits where it ends, so that the next one goes on there."""
    consumer = Consumer(
        {"bootstrap.servers": brokers, "group.id": topic, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    )
    consumer.subscribe([topic])
    until = math.inf if within_s is None else time.monotonic() + within_s
    last: Message | None = None
    while time.monotonic() < until and not ended.is_set():
        message = consumer.poll(0.1)
        value = None if message is None or message.error() else message.value()
        if value is not None:
            last = message
            hand(value)
    if last is not None:
        consumer.commit(message=last, asynchronous=False)
    consumer.close()


async def receive_streamed(port: str) -> None:
    """A gateway that dials the fan-out."""
    arrivals = Arrivals()

    async def receive() -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await channel.channel_ready()
            call: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(METHOD)
            stream = call(b"")
            _say_ready()
            async for payload in stream:
                arrivals.note(payload)

    await _until_told(receive)
    _tell(arrivals)
