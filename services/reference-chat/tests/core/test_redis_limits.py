"""Rates that several processes keep together, over a real Redis: what is owed, what is forgotten, what is away.

What all rate buckets promise is in `ports/test_rate_limiter.py`.
"""

import asyncio
import signal
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ulid import ULID

from nottermost_chat.adapters.redis_limits import SharedLimiter
from nottermost_chat.errors import RateLimited
from nottermost_chat.settings import Rate
from nottermost_chat.testing.limiters import is_given, shared_limiters
from nottermost_chat.testing.own_redis import OwnRedis, own_redis
from nottermost_chat.testing.running import wait_until
from nottermost_chat.testing.servers import Address

WITHIN_S = 30.0
SLOW = Rate(per_minute=1, burst=10)  # nothing comes back while a test runs


def take_all(limiter: SharedLimiter, rate: Rate, key: str = "ann") -> int:
    """How many tokens it gives in a row."""
    for taken in range(10_000):
        try:
            limiter.take("messages", key, rate)
        except RateLimited:
            return taken
    raise AssertionError("it gives without end")


def take_one(limiter: SharedLimiter, rate: Rate) -> bool:
    """Take one token, if there is one."""
    try:
        limiter.take("messages", "ann", rate)
    except RateLimited:
        return False
    return True


@settings(max_examples=40)
@given(
    steps=st.lists(st.tuples(st.sampled_from(["take", "take", "take", "take now", "settle"]), st.integers(0, 1))),
    per_minute=st.integers(1, 6000),
    burst=st.integers(1, 6),
)
async def test_together_they_keep_the_rate(
    redis: Address, steps: list[tuple[str, int]], per_minute: int, burst: int
) -> None:
    """Whoever gives a token exceeds the rate at most by what the others gave since it last settled."""
    rate = Rate(per_minute, burst)
    given, told, known = [0, 0], [0, 0], [0, 0]  # by each; of it in Redis; of the other's known to each
    started = time.monotonic()
    async with shared_limiters(redis.authority, 2) as both:
        for what, who in steps:
            other = 1 - who
            if what == "settle":
                await both[who].settle()
                told[who], known[who] = given[who], told[other]
                continue
            if what == "take now":
                taken = await is_given(both[who].take_now("messages", "ann", rate))
                known[who] = told[other] if taken else known[who]
                told[who] += taken
            else:
                taken = take_one(both[who], rate)
            given[who] += taken
            allowed = burst + (time.monotonic() - started) * per_minute / 60 + 1e-3
            assert not taken or given[who] + known[who] <= allowed


async def test_what_was_given_too_much_is_paid_back(redis: Address) -> None:
    """Two that have not settled give a burst each; then nobody gives anything until that much time has passed."""
    rate = Rate(per_minute=600, burst=5)
    async with shared_limiters(redis.authority, 3) as (one, two, three):
        started = time.monotonic()
        given = take_all(one, rate) + take_all(two, rate)
        assert given >= 2 * rate.burst
        for limiter in (one, two, three):
            await limiter.settle()

        async def somebody_gives() -> bool:
            for limiter in (one, two):
                await limiter.settle()
            return any([await is_given(limiter.take_now("messages", "ann", rate)) for limiter in (one, two, three)])

        await wait_until(somebody_gives)
        assert time.monotonic() - started >= (given + 1 - rate.burst) / (rate.per_minute / 60) - 1e-3


async def test_a_full_bucket_loses_nothing_when_forgotten(redis: Address) -> None:
    """Its key ends when it is full, and a bucket without a key gives the whole burst and no more."""
    rate = Rate(per_minute=1200, burst=3)
    prefix = f"test-{ULID()}"
    async with shared_limiters(redis.authority, 2, prefix) as (one, two):
        assert take_all(one, rate) >= rate.burst
        await one.settle()
        key = f"{prefix}:tokens:messages:ann"
        ttls_ms = [await one._cache.client.pttl(key) for _ in range(3)]
        assert all(later <= earlier <= rate.burst * 50 + 50 for earlier, later in pairwise(ttls_ms))

        async def is_forgotten() -> bool:
            return not await one._cache.client.exists(key)

        await wait_until(is_forgotten)
        assert take_all(two, rate) >= rate.burst


async def test_many_buckets_are_settled_at_once(redis: Address) -> None:
    """More than one script takes."""
    async with shared_limiters(redis.authority, 2) as (one, two):
        users = [f"user-{number}" for number in range(1203)]
        for user in users:
            one.take("messages", user, Rate(1, 1))
        await one.settle()
        for user in users[::100]:
            assert not await is_given(two.take_now("messages", user, Rate(1, 1)))


@pytest.mark.slow
async def test_a_redis_that_is_away_leaves_each_alone(tmp_path: Path) -> None:
    """Each keeps the rate by itself; what was given meanwhile counts for all when Redis is back."""
    server = OwnRedis(tmp_path)
    try:
        async with shared_limiters(server.authority, 2) as (one, two):
            taken = [await is_given(one.take_now("messages", "ann", SLOW)) for _ in range(SLOW.burst + 5)]
            assert sum(taken) == SLOW.burst
            assert take_all(one, SLOW, "bob") == SLOW.burst
            await one.settle()
            assert await is_given(two.take_now("messages", "ann", SLOW))
            await server.start()

            async def is_told() -> bool:
                await one.settle()
                return await one._cache.client.dbsize() == 2

            await wait_until(is_told)
            for user in ("ann", "bob"):
                assert not await is_given(two.take_now("messages", user, SLOW))
    finally:
        await server.kill()


@pytest.mark.slow
async def test_a_redis_that_hangs_or_is_flushed(tmp_path: Path) -> None:
    """Calls return in time; after a flush nobody gets a second burst where they had the first."""
    async with own_redis(tmp_path) as server, shared_limiters(server.authority, 1) as (one,):
        assert await is_given(one.take_now("log-ins", "ann", SLOW))
        server.send(signal.SIGSTOP)
        try:
            async with asyncio.timeout(WITHIN_S):  # of calls that would otherwise hang for ever
                assert await is_given(one.take_now("log-ins", "ann", SLOW))
                await one.settle()
        finally:
            server.send(signal.SIGCONT)
        assert take_all(one, SLOW, "bob") == SLOW.burst
        await one.settle()
        await server.ask("flushall")
        await one.settle()
        assert not await is_given(one.take_now("messages", "bob", SLOW))
        given = sum([await is_given(one.take_now("log-ins", "ann", SLOW)) for _ in range(20)])
        assert SLOW.burst - 4 <= given <= SLOW.burst - 2, "a call whose answer was lost may count twice"
