"""A data folder that is opened, copied and searched byte by byte; and people who use the chat on it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from nottermost_chat.api.app import create_app
from nottermost_chat.bootstrap import open_services
from nottermost_chat.services import Embedded
from nottermost_chat.settings import Settings
from nottermost_chat.testing.people import Person, ShiftedClock, join
from nottermost_chat.workers.archiver import Archiver


@dataclass(frozen=True)
class Chat:
    """The parts over one folder, and nobody in particular to call the API."""

    services: Embedded
    http: httpx.AsyncClient
    clock: ShiftedClock

    async def join(self, name: str) -> Person:
        return await join(self.services, self.http, name)

    async def archive_all(self, *places: str) -> None:
        """Everything of these conversations is in the archive, as it is now."""
        assert self.services.archive is not None
        archiver = Archiver(self.services.archive, self.services.store, self.services.directory, every_s=0)
        for place in places:
            await archiver.handle(await self.services.store.records(place, 0, 500))


Open = Callable[[Path], AbstractAsyncContextManager[Chat]]


@asynccontextmanager
async def open_chat(folder: Path) -> AsyncIterator[Chat]:
    clock = ShiftedClock()
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(open_services(Settings(data=folder, port=0), clock))
        app = create_app(services, link_secret=b"s" * 32)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # type: ignore[arg-type]
        http = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://chat.example"))
        yield Chat(services, http, clock)


@pytest.fixture
def opened() -> Open:
    """Opens the chat on a folder."""
    return open_chat


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    async with open_chat(tmp_path / "data") as chat:
        yield chat
