"""Reads the log and tells each gateway once what its connections need."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from nottermost_chat import backends
from nottermost_chat.fanout.service import Fanout
from nottermost_chat.roles.parts import dial_ingest, serving_operations
from nottermost_chat.roles.process import Process
from nottermost_chat.rpc.delivery_server import GatewayDelivery
from nottermost_chat.rpc.members_client import RemotePictures
from nottermost_chat.rpc.server import serving
from nottermost_chat.working import working

JOIN_S_MAX: Final = 20.0  # a log that is away is no reason to be unhealthy: it is read when it comes back


@asynccontextmanager
async def run(process: Process) -> AsyncIterator[int]:
    """Reads the log and tells each gateway once what its connections need."""
    settings = process.settings
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(backends.store(process))
        log = await stack.enter_async_context(backends.log(process, store))
        cache = await stack.enter_async_context(backends.cache(process))
        ingest = dial_ingest(process)
        routes = backends.routes(process, cache, ingest.last_seen)
        stack.push_async_callback(routes.close)
        delivery = GatewayDelivery(process.clock)
        handle = Fanout(RemotePictures(ingest), routes, delivery).handle
        await stack.enter_async_context(working(ingest=ingest.run(), routes=routes.run()))
        port = await stack.enter_async_context(serving(delivery, host=settings.host, port=settings.port))
        began = process.clock.monotonic()

        def ready() -> tuple[bool, str]:
            # In a rolling restart the next one is stopped when this one is healthy: then somebody has to read.
            alone = process.clock.monotonic() - began > JOIN_S_MAX
            return log.has_joined(process.role) or alone, "it has not joined those who read the log"

        await stack.enter_async_context(serving_operations(process, ready))
        await delivery.settle()
        reading = delivery.while_reached(lambda: log.consume(process.role, handle, from_end=True))
        await stack.enter_async_context(working(fanout=reading))
        yield port
