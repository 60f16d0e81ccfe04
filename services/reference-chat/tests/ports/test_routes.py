"""What Routes promises. The same tests run over each adapter."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest
from ulid import ULID

from nottermost_chat.adapters.memory_routes import PRESENCE_S, MemoryRoutes
from nottermost_chat.adapters.redis_client import open_cache
from nottermost_chat.adapters.redis_routes import Lifetimes, RedisRoutes
from nottermost_chat.metrics import Metrics
from nottermost_chat.ports import Routes
from nottermost_chat.protocol import Presence
from nottermost_chat.settings import Secrets, Settings
from nottermost_chat.testing.running import wait_until
from nottermost_chat.testing.servers import Address


class Time:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(params=["memory", "redis"])
async def routes(request: pytest.FixtureRequest, time: Time, redis: Address) -> AsyncIterator[Routes]:
    """Presence lasts as promised, or two seconds where its clock cannot be moved."""
    if request.param == "memory":
        yield MemoryRoutes(time)
        return
    cache = open_cache(Settings(cache_host=redis.authority, cache_prefix=f"test-{ULID()}"), Secrets(), Metrics(), time)
    yield RedisRoutes(cache, nobody_seen, time, lifetimes=Lifetimes(settle=0, present=2000))
    keys = [key async for key in cache.client.scan_iter(f"{cache.prefix}:*", count=10_000)]
    await cache.client.delete(*keys)
    await cache.close()


async def nobody_seen(_user_ids: Sequence[str]) -> Mapping[str, int]:
    return {}


async def shown(routes: Routes, *user_ids: str) -> dict[str, tuple[Presence, int | None]]:
    return {user: (seen.status, seen.last_seen) for user, seen in (await routes.presence(user_ids)).items()}


async def test_users_are_found_at_every_gateway_they_are_connected_to(routes: Routes) -> None:
    """Register and unregister of one gateway leave the others alone; users without one are left out."""
    await routes.register("g1", ["ann", "bob"])
    await routes.register("g2", ["ann"])
    await routes.register("g2", ["ann"])
    assert await routes.gateways_of(["ann", "bob", "cat"]) == {"ann": frozenset({"g1", "g2"}), "bob": frozenset({"g1"})}
    await routes.unregister("g2", ["ann", "cat"], now_ms=1000)
    await routes.unregister("g1", ["bob"], now_ms=1000)
    assert await routes.gateways_of(["ann", "bob"]) == {"ann": frozenset({"g1"})}


async def test_many_users_are_found_at_once(routes: Routes) -> None:
    """More than any adapter asks for in one go."""
    users = [f"user-{number}" for number in range(1203)]
    await routes.register("g1", users)
    assert await routes.gateways_of([*users, "ann"]) == dict.fromkeys(users, frozenset({"g1"}))
    assert set(await shown(routes, *users, "ann")) == {*users, "ann"}
    await routes.unregister("g1", users[:-1], now_ms=1000)
    assert await routes.gateways_of(users) == {users[-1]: frozenset({"g1"})}


async def test_presence_ends_by_itself(routes: Routes, time: Time) -> None:
    """A touch lasts 60 s; afterwards, and when the user goes, `last_seen` says when that was."""
    await routes.touch("ann", Presence.AWAY, now_ms=5000)
    assert (await routes.presence(["ann"]))["ann"].status is Presence.AWAY
    await routes.touch("bob", Presence.ONLINE, now_ms=6000)
    await routes.touch("bob", Presence.OFFLINE, now_ms=7000)
    time.now = PRESENCE_S + 1.0

    async def gone() -> bool:
        return (await routes.presence(["ann"]))["ann"].status is Presence.OFFLINE

    await wait_until(gone)
    assert await shown(routes, "ann", "bob", "cat") == {
        "ann": (Presence.OFFLINE, 5000),
        "bob": (Presence.OFFLINE, 7000),
        "cat": (Presence.OFFLINE, None),
    }


async def test_who_leaves_one_of_two_gateways_is_still_there(routes: Routes) -> None:
    """Leaving the last one is being gone, at once."""
    await routes.register("g1", ["ann"])
    await routes.register("g2", ["ann"])
    await routes.touch("ann", Presence.ONLINE, now_ms=5000)
    await routes.unregister("g1", ["ann"], now_ms=6000)
    assert await shown(routes, "ann") == {"ann": (Presence.ONLINE, 5000)}
    await routes.unregister("g2", ["ann"], now_ms=7000)
    assert await shown(routes, "ann") == {"ann": (Presence.OFFLINE, 7000)}


async def test_who_is_connected_may_appear_offline(routes: Routes) -> None:
    """A wish counts at once, and takes no message away."""
    await routes.register("g1", ["ann"])
    await routes.touch("ann", Presence.ONLINE, now_ms=5000)
    await routes.touch("ann", Presence.OFFLINE, now_ms=6000)
    assert await shown(routes, "ann") == {"ann": (Presence.OFFLINE, 6000)}
    assert await routes.gateways_of(["ann"]) == {"ann": frozenset({"g1"})}


async def test_changes_that_cross_end_as_they_were_made(routes: Routes) -> None:
    """Who goes and comes back at once is there, however the calls overlap."""
    for number in range(20):
        user = f"user-{number}"
        await routes.register("g1", [user])
        await asyncio.gather(
            routes.unregister("g1", [user], now_ms=1000),
            routes.register("g1", [user]),
            routes.touch(user, Presence.ONLINE, now_ms=2000),
        )
        assert await routes.gateways_of([user]) == {user: frozenset({"g1"})}
        assert await shown(routes, user) == {user: (Presence.ONLINE, 2000)}
