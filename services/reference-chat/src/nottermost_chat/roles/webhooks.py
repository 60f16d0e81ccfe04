"""Tells other programs what happens."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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
    async with backends.stores_and_log(process) as (directory, store, log), backends.queues(process) as queues:
        consumer = HookConsumer(directory, queues.webhook)
        sender = HookSender(
            directory=directory, store=store, queue=queues.webhook,
            box=SecretBox.find(process.secrets.webhook_key, settings.data),
            poster=Poster(clock, private=settings.webhook_private, trust=trusted(settings.authorities)), clock=clock,
        )  # fmt: skip
        consuming = log.consume(process.role, consumer.handle)
        async with working(consumer=consuming, sender=sender.run()), serving_operations(process) as port:
            yield port
