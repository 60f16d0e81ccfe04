"""Keeps the search index in step with the log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nottermost_chat import backends
from nottermost_chat.roles.parts import serving_operations
from nottermost_chat.roles.process import Process
from nottermost_chat.workers.indexer import Indexer
from nottermost_chat.working import working


@asynccontextmanager
async def run(process: Process) -> AsyncIterator[int]:
    """Keeps the search index in step with the log."""
    async with backends.stores_and_log(process) as (directory, store, log), backends.search(process) as index:
        worker = Indexer(store, directory, index)
        async with working(indexer=log.consume(process.role, worker.handle)), serving_operations(process) as port:
            yield port
