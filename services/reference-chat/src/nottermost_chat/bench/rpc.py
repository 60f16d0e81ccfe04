"""What gRPC costs between the roles, over loopback: `python -m nottermost_chat.bench.rpc`.

The other side is a process of its own that does nothing but answer. Appends are timed from when
each was due, so that a stall is not hidden by sending less.
"""

import asyncio
import statistics
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from time import perf_counter as now  # uvloop's own clock has milliseconds
from time import process_time
from typing import Any, Final, cast

import uvloop

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

SECONDS: Final = 8
RATES: Final = (500, 2_000)  # appends a second
TOGETHER: Final = (1, 16)  # deliveries under way at once: partitions of the log that one fan-out handles

ID: Final = "01M7Z0000000000000000000ID"
ENTRY: Final = Entry(ID, 1, 1, EntryKind.MESSAGE, ID, ID, 0, 1_795_000_000_000, 1, 1, 0, ID, Detail())
REQUEST: Final = AppendRequest(kind="message", conversation_id=ID, actor_id=ID, op_id=ID, body="x" * 100)
ITEM: Final = DeliveryItem(LogRecord(ENTRY, preview="x" * 100), (ID,) * 5)

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


@asynccontextmanager
async def other_side(*arguments: str) -> AsyncIterator[str]:
    """This program once more; gives the first line it prints."""
    command = [sys.executable, "-m", __spec__.name, *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        await process.communicate(b"\n")  # ends it


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


async def measure() -> None:
    say = partial(print, flush=True)
    async with other_side("ingest") as address:
        remote = RemoteIngest(FixedAddresses(address), "bench", metrics=Metrics(), clock=Clock())
        async with working(ingest=remote.run()):
            await remote.connected()
            for rate in RATES:
                for name, submit in (("function call", NoIngest().submit), ("gRPC stream", remote.submit)):
                    spent_s = process_time()
                    cuts = statistics.quantiles(await time_appends(submit, rate), n=100)
                    each_ms = 1000 * (process_time() - spent_s) / (rate * SECONDS)
                    say(
                        f"append, {rate}/s, {name}: p50 {1000 * cuts[49]:.2f} ms, p99 {1000 * cuts[98]:.2f} ms,"
                        f" {each_ms:.3f} ms of the caller's processor"
                    )
    delivery = GatewayDelivery(Clock())
    async with serving(delivery, host="127.0.0.1", port=0) as port, other_side("gateway", f"127.0.0.1:{port}"):
        for together in TOGETHER:
            say(f"deliveries, {together} under way: {await count_deliveries(delivery, together):.0f}/s")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ingest"]:
            uvloop.run(serve_ingest())
        case ["gateway", address]:
            uvloop.run(receive(address))
        case _:
            uvloop.run(measure())
