"""A gateway process that is really stopped: it delays fan-out once, and resumes when it goes on."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from nottermost_chat.clock import Clock
from nottermost_chat.rpc.delivery_server import GatewayDelivery
from nottermost_chat.rpc.server import serving
from nottermost_chat.testing.rpc import make_items, until
from nottermost_chat.testing.running import SEEN_WITHIN_S

LAPSE_S = 1.0
GATEWAY = """
import asyncio, sys
from nottermost_chat.rpc.addresses import FixedAddresses
from nottermost_chat.rpc.delivery_client import DeliveryReceiver

class Gateway:
    gateway_id = sys.argv[1]

    async def take(self, items):
        for item in items:
            print("took", item.record.entry.seq, flush=True)

    def lapse(self):
        print("lapsed", flush=True)

asyncio.run(DeliveryReceiver(FixedAddresses(sys.argv[2]), Gateway()).run())
"""


@asynccontextmanager
async def gateway(gateway_id: str, address: str) -> AsyncIterator[Process]:
    """A process that prints what becomes of it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", GATEWAY, gateway_id, address, stdout=PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        await process.communicate()


async def hear(process: Process, line: str) -> None:
    """Returns when the process has printed the line."""
    assert process.stdout is not None
    async with asyncio.timeout(SEEN_WITHIN_S):
        while (await process.stdout.readline()).decode().strip() != line:
            pass


@pytest.mark.slow
async def test_a_stopped_gateway_delays_others_once() -> None:
    """SIGSTOP: the others have theirs at once; what waits for it ends when it lapses; then it is not waited for. SIGCONT: it resumes."""
    delivery = GatewayDelivery(Clock(), lapse_s=LAPSE_S)
    async with serving(delivery, host="127.0.0.1", port=0) as port:
        address = f"127.0.0.1:{port}"
        async with gateway("stopped", address) as stopped, gateway("other", address) as other:
            await until(lambda: {*delivery.connected} == {"stopped", "other"})
            await delivery.deliver("stopped", make_items(1))
            await hear(stopped, "took 1")
            stopped.send_signal(signal.SIGSTOP)
            waiting = asyncio.ensure_future(delivery.deliver("stopped", make_items(1, 2)))
            await delivery.deliver("other", make_items(2))
            await hear(other, "took 2")
            await waiting
            assert await delivery.gateways() == ["other"]
            for seq in range(3, 50):
                await delivery.deliver("other", make_items(1, seq))
            await hear(other, "took 49")
            stopped.send_signal(signal.SIGCONT)
            await hear(stopped, "lapsed")
            await until(lambda: "stopped" in delivery.connected)
            await delivery.deliver("stopped", make_items(1, 50))
            await hear(stopped, "took 50")
