"""Idempotency keys: one request acts, repeats get its answer."""

import asyncio
from collections.abc import Callable

import pytest

from nottermost_chat.directory import Directory, Finished
from nottermost_chat.errors import Conflict, IdempotencyMismatch

Wait = Callable[[float], None]


async def test_of_many_at_once_one_acts(directory: Directory) -> None:
    """The others hear that it is under way; later ones get its answer; another request under the key is refused."""
    requests = directory.requests
    tries = (requests.begin("ada", "k", b"f", valid_s=60) for _ in range(10))
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert results.count(None) == 1
    assert all(type(result) is Conflict for result in results if result is not None)
    await requests.finish("ada", "k", 201, b"{}")
    assert await requests.begin("ada", "k", b"f", valid_s=60) == Finished(201, b"{}")
    with pytest.raises(IdempotencyMismatch):
        await requests.begin("ada", "k", b"other", valid_s=60)
    assert await requests.begin("bob", "k", b"f", valid_s=60) is None


async def test_a_key_ends(directory: Directory, wait: Wait) -> None:
    """By time, by failing, or because whoever worked on it died; pruning changes nothing of that."""
    requests = directory.requests
    assert await requests.begin("ada", "k", b"f", valid_s=100) is None
    await requests.abandon("ada", "k")
    assert await requests.begin("ada", "k", b"g", valid_s=100) is None
    wait(59)
    with pytest.raises(Conflict):
        await requests.begin("ada", "k", b"g", valid_s=100)
    wait(1)
    assert await requests.begin("ada", "k", b"g", valid_s=100) is None
    await requests.finish("ada", "k", 200, b"")
    await requests.abandon("ada", "k")
    wait(99)
    await requests.prune()
    assert await requests.begin("ada", "k", b"g", valid_s=100) == Finished(200, b"")
    wait(1)
    assert await requests.begin("ada", "k", b"h", valid_s=100) is None
    wait(100)
    await requests.prune()
    assert await requests.begin("ada", "k", b"i", valid_s=100) is None
