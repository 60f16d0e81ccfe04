"""A chat of which only parts run, in this process: its API without a socket, and single consumers of its log."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Self

import httpx
from litestar import Litestar

from nottermost_chat.api.app import create_app
from nottermost_chat.bootstrap import open_services
from nottermost_chat.ports import EventLog, Handler
from nottermost_chat.services import Embedded
from nottermost_chat.settings import Settings
from nottermost_chat.testing.people import Person, ShiftedClock, join
from nottermost_chat.testing.running import wait_until


@dataclass(frozen=True)
class Chat:
    """The parts, and nobody in particular to call the API."""

    services: Embedded
    http: httpx.AsyncClient
    clock: ShiftedClock

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[Self]:
        clock = ShiftedClock()
        async with open_services(settings, clock) as services, calling(create_app(services)) as http:
            yield cls(services, http, clock)

    async def join(self, name: str) -> Person:
        return await join(self.services, self.http, name)


@asynccontextmanager
async def calling(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """Calls the API as nobody in particular; what fails inside is answered, not raised."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://chat.example") as http:
        yield http


@asynccontextmanager
async def consuming(log: EventLog, group: str, handler: Handler) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """A consumer of the log at work; gives a function that waits until it has had everything."""
    running = asyncio.create_task(log.consume(group, handler))

    async def has_had_everything() -> bool:
        return not await log.lag(group)

    try:
        yield lambda: wait_until(has_had_everything)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
