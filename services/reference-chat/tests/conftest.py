"""Shared by all tests of the chat."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from hypothesis import settings
from litestar import Litestar

from nottermost_chat.api.app import create_app
from nottermost_chat.bootstrap import open_services
from nottermost_chat.services import Embedded
from nottermost_chat.settings import Settings
from nottermost_chat.testing.in_process import calling
from nottermost_chat.testing.people import Person, ShiftedClock, join
from nottermost_chat.testing.running import RunningChat, run_chat

settings.register_profile("chat", deadline=None)  # a busy machine is slow, not wrong
settings.load_profile("chat")


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[RunningChat]:
    """The whole chat, running, without rate limits."""
    async with run_chat(tmp_path) as chat:
        yield chat


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
async def services(tmp_path: Path, clock: ShiftedClock) -> AsyncIterator[Embedded]:
    """The parts that the chat runs on; nothing that works by itself."""
    async with open_services(Settings(data=tmp_path / "data", port=0), clock) as services:
        yield services


@pytest.fixture
def app(services: Embedded) -> Litestar:
    """The API over them."""
    return create_app(services)


@pytest.fixture
async def http(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(app) as http:
        yield http


@pytest.fixture
async def ann(services: Embedded, http: httpx.AsyncClient) -> Person:
    return await join(services, http, "ann")


@pytest.fixture
async def bob(services: Embedded, http: httpx.AsyncClient) -> Person:
    return await join(services, http, "bob")
