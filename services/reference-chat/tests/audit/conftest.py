"""A chat in this process, people who use its API, and the consumer that takes conversations into the audit log."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from nottermost_chat.directory import AuditQuery, AuditRow
from nottermost_chat.settings import Settings
from nottermost_chat.testing import in_process
from nottermost_chat.workers.audit import Auditor


class Chat(in_process.Chat):
    """With its audit log."""

    async def noted(self, action: str = "", **more: Any) -> list[AuditRow]:
        """What the audit log says, the oldest first."""
        return (await self.services.directory.audit.find(AuditQuery(action=action, **more)))[::-1]

    async def audit(self, *places: str) -> None:
        """What happened in these conversations is taken into the audit log."""
        auditor = Auditor(self.services.store, self.services.directory)
        for place in places:
            await auditor.handle(await self.services.store.records(place, 0, 500))


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    async with Chat.open(Settings(data=tmp_path / "data", port=0)) as chat:
        yield chat


@pytest.fixture
async def consenting(tmp_path: Path) -> AsyncIterator[Chat]:
    """Where an account needs agreement to two documents."""
    documents = "terms=2026-11,privacy=2"
    settings = Settings(data=tmp_path / "data", port=0, consent_documents=documents, consent_required=True)
    async with Chat.open(settings) as chat:
        yield chat
