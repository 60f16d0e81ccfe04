"""Tells other programs what happens."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from nottermost_chat import backends
from nottermost_chat.roles.parts import serving_operations
from nottermost_chat.roles.process import Process
from nottermost_chat.trust import trusted
from nottermost_chat.webhooks import Poster, SecretBox
from nottermost_chat.workers.webhooks import HookConsumer, HookSender
from nottermost_chat.working import working


@asynccontextmanager
async def run(process: Process) -> AsyncIterator[int]:
    """Makes a job for each webhook and entry that it wants, and does the jobs."""
    settings, clock = process.settings, process.clock
    async with AsyncExitStack() as stack:
        directory = await stack.enter_async_context(backends.directory(process))
        store = await stack.enter_async_context(backends.store(process))
        log = await stack.enter_async_context(backends.log(process, store))
        queue = (await stack.enter_async_context(backends.queues(process))).webhook
        consumer = HookConsumer(directory, queue)
        sender = HookSender(
            directory=directory, store=store, queue=queue,
            box=SecretBox.find(process.secrets.webhook_key, settings.data),
            poster=Poster(clock, private=settings.webhook_private, trust=trusted(settings.authorities)), clock=clock,
        )  # fmt: skip
        await stack.enter_async_context(
            working(consumer=log.consume(process.role, consumer.handle), sender=sender.run())
        )
        yield await stack.enter_async_context(serving_operations(process, lambda: (True, "")))
