"""Limiters as several processes would have them, over one Redis, for tests."""

import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress

import msgspec
from redis.exceptions import RedisError
from ulid import ULID

from nottermost_chat.adapters.redis_client import POLICY, open_cache
from nottermost_chat.adapters.redis_limits import SharedLimiter
from nottermost_chat.errors import RateLimited
from nottermost_chat.metrics import Metrics
from nottermost_chat.resilience import Policy
from nottermost_chat.settings import Secrets, Settings

# A busy machine is no outage, in which each would give its own.
PATIENT = msgspec.structs.replace(POLICY, timeout_s=30.0)


@asynccontextmanager
async def shared_limiters(
    authority: str, number: int, prefix: str = "", policy: Policy = POLICY
) -> AsyncIterator[list[SharedLimiter]]:
    """As many processes would have, under a prefix of their own."""
    prefix = prefix or f"test-{ULID()}"
    caches = [
        open_cache(Settings(cache_host=authority, cache_prefix=prefix), Secrets(), Metrics(), time.monotonic, policy)
        for _ in range(number)
    ]
    try:
        yield [SharedLimiter(cache, time.monotonic) for cache in caches]
    finally:
        with suppress(RedisError):
            keys = [key async for key in caches[0].client.scan_iter(f"{prefix}:*", count=10_000)]
            await caches[0].client.delete("", *keys)
        for cache in caches:
            await cache.close()


async def is_given(taking: Awaitable[None]) -> bool:
    """Whether it was not refused."""
    try:
        await taking
    except RateLimited:
        return False
    return True
