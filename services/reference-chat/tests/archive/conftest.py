"""The API over the parts that the chat really runs on, with a clock that can be set forward; people to call it with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from nottermost_chat.api.app import create_app
from nottermost_chat.archive import Archive
from nottermost_chat.bootstrap import open_services
from nottermost_chat.services import Embedded
from nottermost_chat.settings import Settings
from nottermost_chat.testing.people import Person, ShiftedClock, join
from nottermost_chat.testing.running import wait_until
from nottermost_chat.workers.archiver import Archiver


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
async def services(tmp_path: Path, clock: ShiftedClock) -> AsyncIterator[Embedded]:
    async with open_services(Settings(data=tmp_path / "data", port=0), clock) as services:
        yield services


@pytest.fixture
def archive(services: Embedded) -> Archive:
    assert services.archive is not None
    return services.archive


@pytest.fixture
async def http(services: Embedded) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(services)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://chat.example") as client:
        yield client


@pytest.fixture
async def ann(services: Embedded, http: httpx.AsyncClient) -> Person:
    return await join(services, http, "ann")


@pytest.fixture
async def bob(services: Embedded, http: httpx.AsyncClient) -> Person:
    return await join(services, http, "bob")


@pytest.fixture
async def archived(services: Embedded, archive: Archive) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Runs the archiver; gives a function that waits until everything is in the archive."""
    archiver = Archiver(archive, services.store, services.directory, every_s=0)
    running = asyncio.create_task(services.log.consume(archiver.group, archiver.handle))

    async def caught_up() -> bool:
        return not await services.log.lag(archiver.group)

    yield lambda: wait_until(caught_up)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
