"""Keeps the search index in step with the log."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from nottermost_chat import backends
from nottermost_chat.roles.parts import serving_operations
from nottermost_chat.roles.process import Process
from nottermost_chat.workers.indexer import Indexer
from nottermost_chat.working import working


@asynccontextmanager
async def run(process: Process) -> AsyncIterator[int]:
    """Keeps the search index in step with the log."""
    async with AsyncExitStack() as stack:
        directory = await stack.enter_async_context(backends.directory(process))
        store = await stack.enter_async_context(backends.store(process))
        log = await stack.enter_async_context(backends.log(process, store))
        index = await stack.enter_async_context(backends.search(process))
        worker = Indexer(store, directory, index)
        await stack.enter_async_context(working(indexer=log.consume(process.role, worker.handle)))
        yield await stack.enter_async_context(serving_operations(process, lambda: (True, "")))
