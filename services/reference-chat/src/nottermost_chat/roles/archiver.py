"""Writes what is said to the archive."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from nottermost_chat import backends
from nottermost_chat.roles.parts import serving_operations
from nottermost_chat.roles.process import Process
from nottermost_chat.workers.archiver import Archiver
from nottermost_chat.working import working


@asynccontextmanager
async def run(process: Process) -> AsyncIterator[int]:
    """Writes what is said to the archive."""
    async with AsyncExitStack() as stack:
        directory = await stack.enter_async_context(backends.directory(process))
        store = await stack.enter_async_context(backends.store(process))
        log = await stack.enter_async_context(backends.log(process, store))
        archive = await stack.enter_async_context(backends.archive(process))
        worker = Archiver(archive, store, directory, every_s=process.settings.archive_every_s)
        await stack.enter_async_context(working(archiver=log.consume(process.role, worker.handle)))
        yield await stack.enter_async_context(serving_operations(process, lambda: (True, "")))
