"""What Routes promises. The same tests run over each adapter."""

import pytest

from nottermost_chat.adapters.memory_routes import PRESENCE_S, MemoryRoutes
from nottermost_chat.ports import Routes
from nottermost_chat.protocol import Presence


class Time:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(params=["memory"])
def routes(request: pytest.FixtureRequest, time: Time) -> Routes:
    return MemoryRoutes(time)


async def test_users_are_found_at_every_gateway_they_are_connected_to(routes: Routes) -> None:
    """Register and unregister of one gateway leave the others alone; users without one are left out."""
    await routes.register("g1", ["ann", "bob"])
    await routes.register("g2", ["ann"])
    await routes.register("g2", ["ann"])
    assert await routes.gateways_of(["ann", "bob", "cat"]) == {"ann": frozenset({"g1", "g2"}), "bob": frozenset({"g1"})}
    await routes.unregister("g2", ["ann", "cat"])
    await routes.unregister("g1", ["bob"])
    assert await routes.gateways_of(["ann", "bob"]) == {"ann": frozenset({"g1"})}


async def test_presence_ends_by_itself(routes: Routes, time: Time) -> None:
    """A touch lasts 60 s; afterwards, and when the user goes, `last_seen` says when that was."""
    await routes.touch("ann", Presence.AWAY, now_ms=5000)
    assert (await routes.presence(["ann"]))["ann"].status is Presence.AWAY
    await routes.touch("bob", Presence.ONLINE, now_ms=6000)
    await routes.touch("bob", Presence.OFFLINE, now_ms=7000)
    time.now = PRESENCE_S + 1.0
    found = await routes.presence(["ann", "bob", "cat"])
    assert {user: (seen.status, seen.last_seen) for user, seen in found.items()} == {
        "ann": (Presence.OFFLINE, 5000),
        "bob": (Presence.OFFLINE, 7000),
        "cat": (Presence.OFFLINE, None),
    }
