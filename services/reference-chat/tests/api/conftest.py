"""The whole API over real parts, in this process; people to call it with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from litestar import Litestar

from nottermost_chat.adapters.file_blobs import FileBlobStore
from nottermost_chat.adapters.fts_search import FtsSearchIndex
from nottermost_chat.adapters.local_delivery import LocalDelivery
from nottermost_chat.adapters.memory_routes import MemoryRoutes
from nottermost_chat.adapters.sqlite_store import SqliteStore
from nottermost_chat.adapters.store_log import StoreLog
from nottermost_chat.api.app import create_app
from nottermost_chat.api.testing import Person, ShiftedClock, register
from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory
from nottermost_chat.identity import Tokens
from nottermost_chat.ingest.receipts import Receipts
from nottermost_chat.ingest.service import IngestService
from nottermost_chat.limiter import RateLimiter
from nottermost_chat.metrics import Metrics
from nottermost_chat.services import Services
from nottermost_chat.settings import Limits, Rate, Settings, Tier

QUICK_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Tests come from one address and register many people."""
    return Settings(data=tmp_path, limits=Limits(ip_log_ins=Rate(100_000, 100_000)))


@asynccontextmanager
async def open_services(settings: Settings, clock: Clock) -> AsyncIterator[Services]:
    metrics, limiter = Metrics(), RateLimiter(clock.monotonic)
    directory = await Directory.open(settings.data / "directory.db", clock)
    tokens = await Tokens.open(directory, settings, clock, hasher=QUICK_HASHER)
    store = SqliteStore.open(settings.data / "store.db")
    search = FtsSearchIndex(settings.data / "search.db")
    log = StoreLog(store, metrics=metrics, monotonic=clock.monotonic)
    delivery, routes = LocalDelivery(), MemoryRoutes(clock.monotonic)
    receipts = Receipts(store, directory.conversations, delivery, clock)
    ingest = IngestService(
        store=store, memberships=directory.conversations, attachments=directory.files, log=log, receipts=receipts, limiter=limiter,
        metrics=metrics, clock=clock, settings=settings,
    )  # fmt: skip
    running = asyncio.create_task(ingest.run())
    yield Services(
        settings=settings, clock=clock, metrics=metrics, limiter=limiter, directory=directory, tokens=tokens,
        store=store, log=log, ingest=ingest, delivery=delivery, routes=routes, search=search,
        blobs=FileBlobStore(settings.data / "files"),
    )  # fmt: skip
    running.cancel()
    await store.close()
    await search.close()
    await tokens.close()
    await directory.close()


@pytest.fixture
async def services(settings: Settings, clock: ShiftedClock) -> AsyncIterator[Services]:
    async with open_services(settings, clock) as services:
        yield services


@pytest.fixture
def open_app() -> Callable[[Settings], AbstractAsyncContextManager[Litestar]]:
    """Start the chat in whatever loop this is called; its limits are high."""

    @asynccontextmanager
    async def opened(settings: Settings) -> AsyncIterator[Litestar]:
        many = Rate(1_000_000, 1_000_000)
        limits = Limits(standard=Tier(many, many, many, many), ip_log_ins=many)
        async with open_services(Settings(data=settings.data, limits=limits), Clock()) as services:
            yield create_app(services)

    return opened


@pytest.fixture
def app(services: Services) -> Litestar:
    return create_app(services)


@pytest.fixture
async def http(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """Nobody in particular."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://chat.example") as client:
        yield client


@pytest.fixture
def join(http: httpx.AsyncClient) -> Callable[[str], Awaitable[Person]]:
    """Register somebody."""

    async def register_person(name: str) -> Person:
        return await register(http, name)

    return register_person


@pytest.fixture
async def ann(http: httpx.AsyncClient) -> Person:
    return await register(http, "ann")


@pytest.fixture
async def bob(http: httpx.AsyncClient) -> Person:
    return await register(http, "bob")


@pytest.fixture
async def cat(http: httpx.AsyncClient) -> Person:
    return await register(http, "cat")
