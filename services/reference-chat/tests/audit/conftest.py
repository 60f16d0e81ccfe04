"""A chat in this process, people who use its API, and the consumer that takes conversations into the audit log."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from nottermost_chat.api.app import create_app
from nottermost_chat.bootstrap import open_services
from nottermost_chat.directory import AuditQuery, AuditRow
from nottermost_chat.services import Embedded
from nottermost_chat.settings import Settings
from nottermost_chat.testing.people import Person, ShiftedClock, join
from nottermost_chat.workers.audit import Auditor


@dataclass(frozen=True)
class Chat:
    """The parts, and nobody in particular to call the API."""

    services: Embedded
    http: httpx.AsyncClient
    clock: ShiftedClock

    async def join(self, name: str) -> Person:
        return await join(self.services, self.http, name)

    async def noted(self, action: str = "", **more: Any) -> list[AuditRow]:
        """What the audit log says, the oldest first."""
        return (await self.services.directory.audit.find(AuditQuery(action=action, **more)))[::-1]

    async def audit(self, *places: str) -> None:
        """What happened in these conversations is taken into the audit log."""
        auditor = Auditor(self.services.store, self.services.directory)
        for place in places:
            await auditor.handle(await self.services.store.records(place, 0, 500))


@asynccontextmanager
async def open_chat(folder: Path, **settings: Any) -> AsyncIterator[Chat]:
    clock = ShiftedClock()
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(open_services(Settings(data=folder, port=0, **settings), clock))
        transport = httpx.ASGITransport(create_app(services), raise_app_exceptions=False)  # type: ignore[arg-type]
        http = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://chat.example"))
        yield Chat(services, http, clock)


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    async with open_chat(tmp_path / "data") as chat:
        yield chat


@pytest.fixture
async def consenting(tmp_path: Path) -> AsyncIterator[Chat]:
    """Where an account needs agreement to two documents."""
    async with open_chat(tmp_path / "data", consent_documents="terms=2026-11,privacy=2", consent_required=True) as chat:
        yield chat
