"""Writes what is said to the archive."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nottermost_chat import backends
from nottermost_chat.roles.parts import serving_operations
from nottermost_chat.roles.process import Process
from nottermost_chat.workers.archiver import Archiver
from nottermost_chat.working import working


@asynccontextmanager
async def run(process: Process) -> AsyncIterator[int]:
    """Writes what is said to the archive."""
    async with backends.stores_and_log(process) as (directory, store, log), backends.archive(process) as archive:
        worker = Archiver(archive, store, directory, every_s=process.settings.archive_every_s)
        async with working(archiver=log.consume(process.role, worker.handle)), serving_operations(process) as port:
            yield port
