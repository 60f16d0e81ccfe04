"""Tells people who look elsewhere."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from nottermost_chat import backends
from nottermost_chat.notify.keys import parse_push_keys
from nottermost_chat.notify.running import notifying
from nottermost_chat.people import People
from nottermost_chat.roles.parts import serving_operations
from nottermost_chat.roles.process import Process
from nottermost_chat.working import working


@asynccontextmanager
async def run(process: Process) -> AsyncIterator[int]:
    """Decides who gets a push, and sends it."""
    settings, clock = process.settings, process.clock
    async with AsyncExitStack() as stack:
        directory, store, log = await stack.enter_async_context(backends.stores_and_log(process))
        queues = await stack.enter_async_context(backends.queues(process))
        cache = await stack.enter_async_context(backends.cache(process))
        routes = backends.routes(process, cache, People(directory, settings.limits, clock).last_seen)
        stack.push_async_callback(routes.close)
        await stack.enter_async_context(working(routes=routes.run()))
        await stack.enter_async_context(
            notifying(
                directory=directory, store=store, log=log, routes=routes, queue=queues.push,
                keys=parse_push_keys(process.secrets), settings=settings, metrics=process.metrics, clock=clock,
            )
        )  # fmt: skip
        yield await stack.enter_async_context(serving_operations(process))
