"""Keeps the directory in step with the log, notes and counts, removes what is old, and watches whether messages go through."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from nottermost_chat import backends
from nottermost_chat.pictures import Pictures
from nottermost_chat.roles.parts import serving_operations
from nottermost_chat.roles.process import Process
from nottermost_chat.roles.services import open_services
from nottermost_chat.workers import housekeeping, removing
from nottermost_chat.workers.audit import Auditor
from nottermost_chat.workers.canary import Canary
from nottermost_chat.workers.counts import Counter
from nottermost_chat.workers.projector import Projector
from nottermost_chat.working import working


@asynccontextmanager
async def run(process: Process) -> AsyncIterator[int]:
    """Keeps the directory in step with the log, notes and counts, removes what is old, and watches whether messages go through."""
    async with open_services(process) as (services, _), AsyncExitStack() as stack:
        log = await stack.enter_async_context(backends.log(process, services.store))
        projector = Projector(services.directory, Pictures(services.directory.conversations, services.store))
        auditor = Auditor(services.store, services.directory)
        counter = Counter(services.store, services.directory, services.pseudonyms, process.metrics, process.clock)
        canary = Canary(services)
        canary.watch(process.settings.url)
        await stack.enter_async_context(
            working(
                projector=log.consume(process.role, projector.handle), housekeeping=housekeeping.run(services),
                auditor=log.consume(auditor.group, auditor.handle), counter=log.consume(counter.group, counter.handle),
                counting_up=counter.run(), canary=canary.run(), removing=removing.run(services),
            )
        )  # fmt: skip
        stack.push_async_callback(canary.settle)
        yield await stack.enter_async_context(serving_operations(process, canary.status))
