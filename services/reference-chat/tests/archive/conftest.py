"""The archive of a chat in this process, and what fills it."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from nottermost_chat.archive import Archive
from nottermost_chat.services import Embedded
from nottermost_chat.testing.in_process import consuming
from nottermost_chat.workers.archiver import Archiver


@pytest.fixture
def archive(services: Embedded) -> Archive:
    assert services.archive is not None
    return services.archive


@pytest.fixture
async def archived(services: Embedded, archive: Archive) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Runs the archiver; gives a function that waits until everything is in the archive."""
    archiver = Archiver(archive, services.store, services.directory, every_s=0)
    async with consuming(services.log, archiver.group, archiver.handle) as caught_up:
        yield caught_up
