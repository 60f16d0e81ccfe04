"""Decides and stores."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from nottermost_chat import backends
from nottermost_chat.ingest.receipts import Receipts
from nottermost_chat.ingest.service import IngestService
from nottermost_chat.people import People
from nottermost_chat.pictures import Pictures
from nottermost_chat.roles.parts import serving_operations
from nottermost_chat.roles.process import Process
from nottermost_chat.rpc.ingest_server import IngestServer
from nottermost_chat.rpc.server import serving
from nottermost_chat.rpc.signals import SignalHub
from nottermost_chat.working import working


@asynccontextmanager
async def run(process: Process) -> AsyncIterator[int]:
    """Decides and stores."""
    settings, clock, metrics = process.settings, process.clock, process.metrics
    async with AsyncExitStack() as stack:
        directory, store, log = await stack.enter_async_context(backends.stores_and_log(process))
        log.warm_up()
        cache = await stack.enter_async_context(backends.cache(process))
        limiter, hub = backends.limiter(process, cache), SignalHub()
        people = People(directory, settings.limits, clock)
        receipts = Receipts(store, directory.conversations, hub, clock)
        service = IngestService(
            store=store, memberships=directory.conversations, attachments=directory.files, log=log,
            receipts=receipts, limiter=limiter, metrics=metrics, clock=clock, settings=settings, instance=process.name,
        )  # fmt: skip
        pictures = Pictures(directory.conversations, store)
        served = IngestServer(
            process.tracing.appending(service) if process.tracing else service,
            memberships=directory.conversations,
            pictures=pictures,
            people=people,
            signals=hub,
        )
        stack.push_async_callback(people.flush)
        stack.push_async_callback(receipts.flush)
        await stack.enter_async_context(working(ingest=service.run(), people=people.run(), limits=limiter.run()))
        await stack.enter_async_context(serving_operations(process))
        yield await stack.enter_async_context(serving(served, host=settings.host, port=settings.port))
