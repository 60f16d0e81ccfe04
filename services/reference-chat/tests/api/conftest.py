"""The API over the parts that the chat really runs on, in this process; people to call it with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from litestar import Litestar

from nottermost_chat.api.app import create_app
from nottermost_chat.bootstrap import open_services
from nottermost_chat.services import Embedded
from nottermost_chat.settings import Limits, Rate, Settings
from nottermost_chat.testing.people import Person, ShiftedClock, join
from nottermost_chat.workers.indexer import Indexer


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Any free port; tests come from one address and log in often."""
    return Settings(data=tmp_path / "data", port=0, limits=Limits(ip_log_ins=Rate(100_000, 100_000)))


@pytest.fixture
async def services(settings: Settings, clock: ShiftedClock) -> AsyncIterator[Embedded]:
    async with open_services(settings, clock) as services:
        yield services


@pytest.fixture
def app(services: Embedded) -> Litestar:
    return create_app(services)


@pytest.fixture
async def http(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """Nobody in particular."""
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
async def cat(services: Embedded, http: httpx.AsyncClient) -> Person:
    return await join(services, http, "cat")


@pytest.fixture
async def indexed(services: Embedded) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Runs the search indexer; gives a function that waits until it has indexed everything."""
    indexer = Indexer(services.store, services.directory, services.search, rest_share=0)
    running = asyncio.create_task(services.log.consume(indexer.group, indexer.handle))

    async def caught_up() -> None:
        async with asyncio.timeout(10):
            while await services.log.lag(indexer.group):  # noqa: ASYNC110 - the log tells nobody when it is done
                await asyncio.sleep(0.01)

    yield caught_up
    running.cancel()
