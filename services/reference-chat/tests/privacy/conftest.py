"""A data folder that is opened, copied and searched byte by byte; and people who use the chat on it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from nottermost_chat.settings import Settings
from nottermost_chat.testing import in_process
from nottermost_chat.workers.archiver import Archiver


class Chat(in_process.Chat):
    """With its archive."""

    async def archive_all(self, *places: str) -> None:
        """Everything of these conversations is in the archive, as it is now."""
        assert self.services.archive is not None
        archiver = Archiver(self.services.archive, self.services.store, self.services.directory, every_s=0)
        for place in places:
            await archiver.handle(await self.services.store.records(place, 0, 500))


Open = Callable[[Path], AbstractAsyncContextManager[Chat]]


@pytest.fixture
def opened() -> Open:
    """Opens the chat on a folder."""
    return lambda folder: Chat.open(Settings(data=folder, port=0))


@pytest.fixture
async def chat(tmp_path: Path, opened: Open) -> AsyncIterator[Chat]:
    async with opened(tmp_path / "data") as chat:
        yield chat
