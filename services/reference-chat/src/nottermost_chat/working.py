"""Work that runs beside something else, and ends with it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def working(**work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these by name until the body ends.

    When one of them dies the body is cancelled and its error raised: a process that half works
    is worse than one that is restarted.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each, name=name) for name, each in work.items()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
