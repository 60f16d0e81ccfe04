"""The two directions of a stream, side by side."""

import asyncio
from collections.abc import Awaitable


async def until_one_ends(*work: Awaitable[object]) -> None:
    """Run both directions, and what else may end the stream: the first that ends ends all. Raises what it raised.

    A TaskGroup would not do: before Python 3.13 it loses a cancellation that comes together with an error.
    """
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
