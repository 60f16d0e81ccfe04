"""Rate limits: what is too much is refused with when to come back, and then it works."""

import msgspec
import pytest
from httpx import AsyncClient

from nottermost_chat.services import Services
from nottermost_chat.settings import Limits, Rate, Settings, Tier
from nottermost_chat.testing.people import PASSWORD, Person, ShiftedClock, read

FEW = Rate(per_minute=60, burst=5)  # one a second
MANY = Rate(per_minute=100_000, burst=100_000)
STANDARD = Tier(user_messages=FEW, user_calls=MANY, user_group_creations=FEW, conversation_messages=MANY)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Small limits, but for calls."""
    limits = Limits(standard=STANDARD, ip_log_ins=Rate(60, 8), ip_handshakes=Rate(60, 10))
    return msgspec.structs.replace(settings, limits=limits)


async def statuses(person: Person, path: str, bodies: list[object]) -> list[int]:
    return [(await person.call("POST", path, body)).status_code for body in bodies]


async def test_messages_of_a_user(ann: Person, clock: ShiftedClock) -> None:
    """Five at once, then one a second; Retry-After says so; a refused one can be repeated."""
    alone = await ann.direct(ann)
    path = f"/api/messages/conversations/{alone}/messages"
    bodies: list[object] = [{"client_msg_id": str(n), "body": "x"} for n in range(6)]
    assert await statuses(ann, path, bodies) == [201] * 5 + [429]
    refused = await ann.call("POST", path, bodies[5])
    assert refused.json()["code"] == "rate_limited"
    assert 0 < refused.json()["retry_after_ms"] <= 1000
    assert refused.headers["retry-after"] == "1"
    clock.ahead_s = 1.1
    assert await statuses(ann, path, [bodies[5]]) == [201]
    assert len(await ann.history(alone)) == 6


async def test_new_groups(ann: Person, bob: Person) -> None:
    """Per user."""
    body = {"title": "G", "member_ids": []}
    assert await statuses(ann, "/api/chats/conversations/group", [body] * 6) == [201] * 5 + [429]
    assert await statuses(bob, "/api/chats/conversations/group", [body]) == [201]


async def test_log_ins_from_one_address(http: AsyncClient, ann: Person) -> None:
    """Guessing ends after a few, also of claims, which share the allowance; who is signed in goes on."""
    login = {"email": ann.email, "password": "guess"}
    answers = [(await http.post("/api/users/auth/login", json=login)).status_code for _ in range(10)]
    assert answers == [401] * 8 + [429] * 2
    claim = {"claim_token": "x", "password": PASSWORD}
    assert (await http.post("/api/users/auth/claim", json=claim)).status_code == 429
    assert (await http.get("/api/users/me", headers=ann.auth)).status_code == 200
    read(await http.post("/api/users/auth/refresh", json={"refresh_token": ann.refresh_token}), 200)


async def test_refreshes_from_one_address(http: AsyncClient) -> None:
    """Many more: a whole office reloads its pages at once; but not any number."""
    guess = {"refresh_token": "x"}
    answers = [(await http.post("/api/users/auth/refresh", json=guess)).status_code for _ in range(12)]
    assert answers == [401] * 10 + [429] * 2


async def test_calls_and_tiers(services: Services, settings: Settings, clock: ShiftedClock, ann: Person) -> None:
    """A workspace of a better tier lifts its members' limits, a minute later at most."""
    workspace = await ann.workspace("W")
    bodies: list[object] = [{"title": "G", "member_ids": []}] * 7
    assert 429 in await statuses(ann, "/api/chats/conversations/group", bodies)
    await services.directory.workspaces.set_tier(workspace, "enterprise")
    clock.ahead_s = 61.0
    assert 429 not in await statuses(ann, "/api/chats/conversations/group", bodies)


async def test_exempt_users_are_not_limited(services: Services, ann: Person) -> None:
    """Imports and benchmarks."""
    services.limiter.exempt(ann.user_id)
    bodies: list[object] = [{"title": "G", "member_ids": []}] * 7
    assert await statuses(ann, "/api/chats/conversations/group", bodies) == [201] * 7


class TestCalls:
    """Every call with a token costs one of the user's."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return msgspec.structs.replace(settings, limits=Limits(standard=Tier(user_calls=FEW), ip_log_ins=MANY))

    async def test_calls_of_a_user(self, ann: Person, bob: Person, http: AsyncClient) -> None:
        """Also those that fail; other people go on."""
        found = [(await ann.call("GET", "/api/users/nobody")).status_code for _ in range(7)]
        assert found == [404] * 5 + [429] * 2
        assert (await bob.call("GET", "/api/users/me")).status_code == 200
        read(await http.get("/healthz"), 200)
