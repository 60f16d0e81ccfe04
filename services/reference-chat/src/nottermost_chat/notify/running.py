"""Everything that notifies, put together: the consumer of the log, the sender, and what takes back."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory
from nottermost_chat.metrics import Metrics
from nottermost_chat.notify.facts import Facts
from nottermost_chat.notify.keys import PushKeys
from nottermost_chat.notify.sender import Sender
from nottermost_chat.notify.shown import Shown
from nottermost_chat.pictures import Pictures
from nottermost_chat.ports import EventLog, JobQueue, MessageStore, Routes
from nottermost_chat.settings import Settings
from nottermost_chat.workers.notifier import Notifier
from nottermost_chat.working import working


@asynccontextmanager
async def notifying(
    *, directory: Directory, store: MessageStore, log: EventLog, routes: Routes, queue: JobQueue, keys: PushKeys,
    settings: Settings, metrics: Metrics, clock: Clock, trust: ssl.SSLContext | None = None,
) -> AsyncIterator[None]:  # fmt: skip
    """Notify until the body ends. Without any key nothing runs; `trust`: as in `open_push_services`."""
    if not keys.kinds:
        yield
        return
    from nottermost_chat.notify.services import open_push_services  # loads two more HTTP clients than anybody needs

    async with open_push_services(keys, settings, metrics, clock, trust=trust) as services:
        facts, shown = Facts(directory, routes), Shown(directory, queue, clock)
        pictures = Pictures(directory.conversations, store)
        notifier = Notifier(directory, pictures, facts, queue, metrics, clock)
        sender = Sender(
            directory=directory, store=store, facts=facts, services=services, queue=queue, shown=shown,
            metrics=metrics, clock=clock,
        )  # fmt: skip
        async with working(
            notifier=log.consume(notifier.group, notifier.handle), push_sender=sender.run(), shown=shown.run()
        ):
            yield
