"""What gRPC costs between the roles, over loopback. No servers: nothing is stored.

The other side is a process of its own that does nothing but answer. Appends are timed from when
each was due, so that a stall is not hidden by sending less; beside them is a function call. Beside
deliveries are as many bytes that go to the other process and come back over bare sockets.
"""

import asyncio
import statistics
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from time import perf_counter as now  # uvloop's own clock has milliseconds
from time import process_time
from typing import Any, Final, cast

import uvloop

from nottermost_chat.bench.own_servers import Tell, between_loads
from nottermost_chat.clock import Clock
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import Detail, Entry, EntryKind, LogRecord
from nottermost_chat.ports import Appended, AppendRequest, DeliveryItem, Ingest
from nottermost_chat.rpc.addresses import FixedAddresses
from nottermost_chat.rpc.delivery_client import DeliveryReceiver
from nottermost_chat.rpc.delivery_server import GatewayDelivery
from nottermost_chat.rpc.ingest_client import RemoteIngest
from nottermost_chat.rpc.ingest_server import IngestServer
from nottermost_chat.rpc.server import serving
from nottermost_chat.rpc.signals import SignalHub
from nottermost_chat.working import working
from nottermost_conventions.figures import Figure

SECONDS: Final = 8
RATES: Final = (500, 2_000)  # appends a second
STEP_S: Final = 60.0  # until the other side is ready or has ended, on a busy machine
TOGETHER: Final = (1, 16)  # deliveries under way at once: partitions of the log that one fan-out handles

ID: Final = "01M7Z0000000000000000000ID"
ENTRY: Final = Entry(ID, 1, 1, EntryKind.MESSAGE, ID, ID, 0, 1_795_000_000_000, 1, 1, 0, ID, Detail())
REQUEST: Final = AppendRequest(kind="message", conversation_id=ID, actor_id=ID, op_id=ID, body="x" * 100)
ITEM: Final = DeliveryItem(LogRecord(ENTRY, preview="x" * 100), (ID,) * 5)
PAYLOAD: Final = b"x" * 500  # about what the item takes

Submit = Callable[[AppendRequest], "asyncio.Future[Appended]"]


class NoIngest:
    """Answers at once and stores nothing."""

    def submit(self, request: AppendRequest) -> "asyncio.Future[Appended]":  # noqa: ARG002 - the port's
        done: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
        done.set_result(Appended(ENTRY))
        return done


class NoGateway:
    """Takes everything and shows it to nobody."""

    gateway_id = "bench"

    async def take(self, items: Sequence[DeliveryItem]) -> None: ...

    def signal(self, signal: object) -> None: ...

    def lapse(self) -> None: ...


async def time_appends(submit: Submit, rate: int) -> list[float]:
    """Seconds from when each append was due to its answer; the first second is left out."""
    took: list[float] = []
    waiting: list[asyncio.Future[Appended]] = []
    start = now()
    for number in range(rate * SECONDS):
        due = start + number / rate
        if (ahead_s := due - now()) > 0:
            await asyncio.sleep(ahead_s)
        waiting.append(submit(REQUEST))
        waiting[-1].add_done_callback(lambda _, due=due: took.append(now() - due))  # type: ignore[misc]
    await asyncio.gather(*waiting)
    await asyncio.sleep(0)
    return took[rate:]


async def count_deliveries(delivery: GatewayDelivery, together: int) -> float:
    """Acknowledged deliveries of one record, a second."""
    end, count = now() + SECONDS, 0

    async def deliver() -> None:
        nonlocal count
        while now() < end:
            await delivery.deliver(NoGateway.gateway_id, [ITEM])
            count += 1

    await asyncio.gather(*(deliver() for _ in range(together)))
    return count / SECONDS


async def count_echoes(port: int, together: int) -> float:
    """Round trips of as many bytes a second, over a connection for each that is under way."""
    end, count = now() + SECONDS, 0

    async def send() -> None:
        nonlocal count
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while now() < end:
            writer.write(PAYLOAD)
            await reader.readexactly(len(PAYLOAD))
            count += 1
        writer.close()

    await asyncio.gather(*(send() for _ in range(together)))
    return count / SECONDS


@asynccontextmanager
async def other_side(*arguments: str) -> AsyncIterator[str]:
    """This file as a program; gives the first line it prints."""
    command = [sys.executable, "-m", __spec__.name, *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(STEP_S):
            line = await process.stdout.readline()
        yield line.decode().strip()
    finally:
        try:
            async with asyncio.timeout(STEP_S):
                await process.communicate(b"\n")  # ends it
        except TimeoutError:
            process.kill()
            await process.wait()


async def until_told() -> None:
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def serve_ingest() -> None:
    nothing = cast("Any", None)  # nobody asks
    served = IngestServer(
        cast("Ingest", NoIngest()), memberships=nothing, pictures=nothing, people=nothing, signals=SignalHub()
    )
    async with serving(served, host="127.0.0.1", port=0) as port:
        sys.stdout.write(f"127.0.0.1:{port}\n")
        sys.stdout.flush()
        await until_told()


async def receive(address: str) -> None:
    receiver = DeliveryReceiver(FixedAddresses(address), NoGateway())
    async with working(receiver=receiver.run()):
        await receiver.connected()
        sys.stdout.write("connected\n")
        sys.stdout.flush()
        await until_told()


async def serve_echo() -> None:
    """Sends back what comes."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(len(PAYLOAD)):
            writer.write(data)

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await until_told()


async def run_rpc(tell: Tell) -> list[Figure]:
    """Measure appends and deliveries; takes about a minute."""

    async def measure() -> list[Figure]:
        return [*await _compare_appends(tell), *await _compare_deliveries(tell)]

    return await between_loads(measure)


async def _compare_appends(tell: Tell) -> list[Figure]:
    async with other_side("ingest") as address:
        remote = RemoteIngest(FixedAddresses(address), "bench", metrics=Metrics(), clock=Clock())
        async with working(ingest=remote.run()):
            await remote.connected()
            rows = list[Figure]()
            for rate in RATES:
                tell(f"{rate:,} appends a second, by function call, then over gRPC")
                call, stream = [await _measure_appends(submit, rate) for submit in (NoIngest().submit, remote.submit)]
                rows += [
                    Figure(f"append, {rate:,}/s, {name}", value, "ms", f"function call {other:.2f} ms", value / other)
                    for name, value, other in zip(("p50", "p99", "the caller's processor"), stream, call, strict=True)
                ]
            return rows


async def _measure_appends(submit: Submit, rate: int) -> tuple[float, float, float]:
    """Milliseconds: p50, p99, and of the caller's processor for each."""
    spent_s = process_time()
    cuts = statistics.quantiles(await time_appends(submit, rate), n=100)
    return cuts[49] * 1000, cuts[98] * 1000, (process_time() - spent_s) / (rate * SECONDS) * 1000


async def _compare_deliveries(tell: Tell) -> list[Figure]:
    delivery, rows = GatewayDelivery(Clock()), list[Figure]()
    async with (
        serving(delivery, host="127.0.0.1", port=0) as port,
        other_side("gateway", f"127.0.0.1:{port}"),
        other_side("echo") as echo_port,
    ):
        for together in TOGETHER:
            tell(f"deliveries, {together} under way")
            bare, rate = await count_echoes(int(echo_port), together), await count_deliveries(delivery, together)
            said = f"bare sockets {bare:,.0f}/s"
            rows.append(Figure(f"deliveries acknowledged, {together} under way", rate, "1/s", said, rate / bare))
    return rows


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ingest"]:
            uvloop.run(serve_ingest())
        case ["gateway", address]:
            uvloop.run(receive(address))
        case _:
            uvloop.run(serve_echo())
