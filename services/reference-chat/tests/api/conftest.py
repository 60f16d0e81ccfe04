"""The API over the parts that the chat really runs on, in this process; people to call it with."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from nottermost_chat.bootstrap import open_services
from nottermost_chat.services import Embedded
from nottermost_chat.settings import Limits, Rate, Settings
from nottermost_chat.testing.in_process import consuming
from nottermost_chat.testing.people import Person, ShiftedClock, join
from nottermost_chat.workers.indexer import Indexer


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Any free port; tests come from one address and log in often."""
    return Settings(data=tmp_path / "data", port=0, limits=Limits(ip_log_ins=Rate(100_000, 100_000)))


@pytest.fixture
async def services(settings: Settings, clock: ShiftedClock) -> AsyncIterator[Embedded]:
    async with open_services(settings, clock) as services:
        yield services


@pytest.fixture
async def cat(services: Embedded, http: httpx.AsyncClient) -> Person:
    return await join(services, http, "cat")


@pytest.fixture
async def indexed(services: Embedded) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Runs the search indexer; gives a function that waits until it has indexed everything."""
    indexer = Indexer(services.store, services.directory, services.search, rest_share=0)
    async with consuming(services.log, indexer.group, indexer.handle) as caught_up:
        yield caught_up
