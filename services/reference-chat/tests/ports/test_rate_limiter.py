"""What rate buckets promise. The same tests run over those in memory and those that processes share."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Final

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from nottermost_chat.errors import RateLimited
from nottermost_chat.limiter import RateLimiter
from nottermost_chat.settings import Rate
from nottermost_chat.testing.limiters import PATIENT, is_given, shared_limiters
from nottermost_chat.testing.people import ShiftedClock
from nottermost_chat.testing.servers import Address

SLOW: Final = Rate(per_minute=1, burst=10)  # nothing comes back while a test runs
QUICK: Final = Rate(per_minute=600, burst=5)
LATE_S: Final = 0.002  # by which the clock of the buckets may differ from ours

Take = Callable[[str, str, Rate], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """As many limiters as processes may share the buckets, and the time by which they fill."""

    limiters: Sequence[RateLimiter]
    monotonic: Callable[[], float]
    wait: Callable[[float], Awaitable[None]]


Opener = Callable[[], AbstractAsyncContextManager[Bench]]


@asynccontextmanager
async def open_memory() -> AsyncIterator[Bench]:
    """One process; its clock is moved."""
    clock = ShiftedClock()

    async def wait(seconds: float) -> None:
        clock.ahead_s += seconds

    yield Bench(limiters=[RateLimiter(clock.monotonic)], monotonic=clock.monotonic, wait=wait)


def on_redis(address: Address) -> Opener:
    @asynccontextmanager
    async def open_redis() -> AsyncIterator[Bench]:
        """Four processes; Redis's clock cannot be moved."""
        async with shared_limiters(address.authority, 4, policy=PATIENT) as limiters:
            yield Bench(limiters=limiters, monotonic=time.monotonic, wait=asyncio.sleep)

    return open_redis


ADAPTERS: Final = ("memory", "redis")


@pytest.fixture(params=ADAPTERS, scope="module")
def open_bench(request: pytest.FixtureRequest) -> Opener:
    return open_memory if request.param == "memory" else on_redis(request.getfixturevalue("redis"))


@pytest.fixture
async def bench(open_bench: Opener) -> AsyncIterator[Bench]:
    async with open_bench() as bench:
        yield bench


@pytest.fixture(params=["take", "take now"])
def way(request: pytest.FixtureRequest) -> str:
    """How tokens are taken: from one process, which settles later, or from each in turn, exactly."""
    return str(request.param)


@pytest.fixture
def take(bench: Bench, way: str) -> Take:
    return taking(bench, way)


def taking(bench: Bench, way: str) -> Take:
    processes: Iterator[RateLimiter] = cycle(bench.limiters)

    async def take(what: str, key: str, rate: Rate) -> None:
        if way == "take":
            bench.limiters[0].take(what, key, rate)
        else:
            await next(processes).take_now(what, key, rate)

    return take


async def count_given(take: Take, rate: Rate, tries: int) -> int:
    return sum([await is_given(take("messages", "ann", rate)) for _ in range(tries)])


async def test_a_burst_is_given_and_no_more(take: Take) -> None:
    """However often it is tried; what is refused names what it was."""
    assert await count_given(take, SLOW, 3 * SLOW.burst) == SLOW.burst
    with pytest.raises(RateLimited) as refused:
        await take("messages", "ann", SLOW)
    assert 0 < refused.value.retry_after_ms <= 60_000
    assert "messages" in str(refused.value)


async def test_it_fills_at_the_rate(bench: Bench, take: Take) -> None:
    """As much as the time brought, and never above the burst, however long nobody takes."""
    began = bench.monotonic()
    given = await count_given(take, QUICK, 50)
    for waited_tokens in (3, 3 * QUICK.burst):
        await bench.wait(waited_tokens * 60 / QUICK.per_minute + LATE_S)
        woke = bench.monotonic()
        more = await count_given(take, QUICK, 2 * QUICK.burst)
        passed = (bench.monotonic() - woke) * QUICK.per_minute / 60
        assert min(waited_tokens, QUICK.burst) <= more <= QUICK.burst + passed + 1
        given += more
    assert given <= QUICK.burst + (bench.monotonic() - began + LATE_S) * QUICK.per_minute / 60


@hypothesis_settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pauses_ms=st.lists(st.integers(0, 100), max_size=4), per_minute=st.integers(600, 6000), burst=st.integers(1, 3))
async def test_who_waits_as_told_is_let_through(
    open_bench: Opener, way: str, pauses_ms: list[int], per_minute: int, burst: int
) -> None:
    """`retry_after_ms` of the first refusal is enough, also for who has tried again meanwhile."""
    rate = Rate(per_minute, burst)
    async with open_bench() as bench:
        take = taking(bench, way)
        for pause_ms in [*pauses_ms, *[0] * (burst + 1)]:
            await bench.wait(pause_ms / 1000)
            try:
                await take("messages", "ann", rate)
            except RateLimited as refused:
                taken = await is_given(take("messages", "ann", rate))
                await bench.wait(refused.retry_after_ms / 1000 + LATE_S)
                assert taken or await is_given(take("messages", "ann", rate))


async def test_buckets_are_apart(take: Take) -> None:
    """Each key and each kind has its own."""
    rate = Rate(per_minute=1, burst=1)
    for what, key in [("messages", "ann"), ("messages", "bob"), ("calls", "ann")]:
        assert await is_given(take(what, key, rate))
        assert not await is_given(take(what, key, rate))


async def test_who_is_exempt_has_no_bucket(bench: Bench, take: Take) -> None:
    """And takes nothing from others."""
    for limiter in bench.limiters:
        limiter.exempt("import")
    for _ in range(3 * SLOW.burst):
        await take("messages", "import", SLOW)
    assert await count_given(take, SLOW, 2 * SLOW.burst) == SLOW.burst


async def test_taking_now_is_exact(bench: Bench) -> None:
    """However many ask at once at however many processes."""
    asked = [limiter.take_now("messages", "ann", SLOW) for limiter in bench.limiters for _ in range(12)]
    assert sum(await asyncio.gather(*map(is_given, asked))) == SLOW.burst
    for limiter in bench.limiters:
        assert not await is_given(limiter.take_now("messages", "ann", SLOW))
