"""What several roles are made of."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import structlog

from nottermost_chat.errors import ChatError
from nottermost_chat.front_door import listen
from nottermost_chat.operations import OperationsApp, Ready
from nottermost_chat.ports import Signal
from nottermost_chat.roles.process import Process
from nottermost_chat.rpc.addresses import parse_addresses
from nottermost_chat.rpc.ingest_client import RemoteIngest
from nottermost_chat.verifier import Verifier

REVOKED_EVERY_S: Final = 5.0  # signals tell it at once; this is for those that were lost

logger = structlog.get_logger(__name__)


def dial_ingest(process: Process) -> RemoteIngest:
    addresses = parse_addresses(process.settings.ingest)
    return RemoteIngest(addresses, process.name, metrics=process.metrics, clock=process.clock)


def hear_both(listener: Callable[[Signal], None], verifier: Verifier) -> Callable[[Signal], None]:
    """Signals go to the listener; what signs a device out counts for tokens too."""

    def hear(signal: Signal) -> None:
        if signal.revoke_device:
            verifier.revoke(signal.revoke_device)
        listener(signal)

    return hear


async def follow_revoked(verifier: Verifier, revoked_since: Callable[[int], Awaitable[Mapping[str, int]]]) -> None:
    """Learn which devices were signed out elsewhere."""
    while True:
        try:
            await verifier.learn_revoked(revoked_since)
        except ChatError as error:
            logger.warning("revoked_unknown", error=repr(error))
        await asyncio.sleep(REVOKED_EVERY_S)


@asynccontextmanager
async def serving_operations(process: Process, ready: Ready = lambda: (True, "")) -> AsyncIterator[int]:
    """Health and metrics on a port of their own."""
    app = OperationsApp(process.metrics, ready)
    server = await listen(app, process.settings.host, process.settings.metrics_port)
    try:
        yield server.port
    finally:
        server.stop_listening()
        await server.finish(1.0)


@asynccontextmanager
async def serving_operations_apart(process: Process, ready: Ready) -> AsyncIterator[None]:
    """The same for a role that serves them beside its own, where the settings want them apart too."""
    if not process.settings.metrics_port:
        yield
        return
    async with serving_operations(process, ready):
        yield
