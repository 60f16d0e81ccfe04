"""Idempotency-Key: a repeat is answered as the first time, on every route that creates something."""

import asyncio

from litestar import Litestar
from litestar.routes import HTTPRoute

from nottermost_chat.services import Embedded
from nottermost_chat.testing.people import Person, ShiftedClock

SPACES = "/api/workspaces"


async def test_a_repeat_creates_nothing(ann: Person) -> None:
    """Same key, same body: the same answer, byte for byte, and one workspace."""
    first = await ann.call("POST", SPACES, {"name": "W"}, idempotency_key="k")
    again = await ann.call("POST", SPACES, {"name": "W"}, idempotency_key="k")
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert len(await ann.get(SPACES)) == 1


async def test_the_status_is_repeated_too(ann: Person, bob: Person) -> None:
    """201 for a new direct conversation stays 201."""
    body, path = {"other_user_id": bob.user_id}, "/api/chats/conversations/dm"
    answers = [await ann.call("POST", path, body, idempotency_key="k") for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 201]
    assert (await ann.call("POST", path, body)).status_code == 200


async def test_another_body_under_the_same_key_is_refused(ann: Person, bob: Person) -> None:
    """Also another path; and somebody else's key is somebody else's."""
    await ann.call("POST", SPACES, {"name": "W"}, idempotency_key="k")
    other = await ann.call("POST", SPACES, {"name": "V"}, idempotency_key="k")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_mismatch")
    elsewhere = await ann.call(
        "POST", "/api/chats/conversations/group", {"title": "W", "member_ids": []}, idempotency_key="k"
    )
    assert elsewhere.json()["code"] == "idempotency_mismatch"
    assert (await bob.call("POST", SPACES, {"name": "V"}, idempotency_key="k")).status_code == 201


async def test_a_failure_is_not_kept(ann: Person, bob: Person) -> None:
    """The same key may try again once the reason is gone."""
    workspace = await ann.workspace("W")
    body = {"name": "general", "member_ids": [bob.user_id]}
    path = f"{SPACES}/{workspace}/channels"
    assert (await ann.call("POST", path, body, idempotency_key="k")).status_code == 404
    await ann.post(f"{SPACES}/{workspace}/members", {"email": bob.email})
    assert (await ann.call("POST", path, body, idempotency_key="k")).status_code == 201


async def test_a_secret_is_repeated_and_lies_nowhere(ann: Person, services: Embedded) -> None:
    """A bot's token is told once, to whoever repeats the request too; no file of the chat has it."""
    bots = f"{SPACES}/{await ann.workspace('W')}/bots"
    path = f"{bots}/{(await ann.post(bots, {'username': 'builds'}))['user_id']}/tokens"
    body = {"name": "one", "scopes": ["messages:write"]}
    first, again = [await ann.call("POST", path, body, idempotency_key="k") for _ in range(2)]
    assert (first.status_code, first.json()) == (201, again.json())
    files = [each.read_bytes() for each in services.settings.data.rglob("*") if each.is_file()]
    assert any(first.json()["token_id"].encode() in each for each in files)
    assert not any(first.json()["token"].encode() in each for each in files)


async def test_of_concurrent_repeats_one_acts(ann: Person) -> None:
    """The others are answered alike, or told to come back."""
    answers = await asyncio.gather(*(ann.call("POST", SPACES, {"name": "W"}, idempotency_key="k") for _ in range(10)))
    assert {each.status_code for each in answers} <= {201, 409}
    assert len({each.text for each in answers if each.status_code == 201}) == 1
    assert len(await ann.get(SPACES)) == 1


async def test_a_key_is_good_for_a_day(ann: Person, clock: ShiftedClock) -> None:
    """Later it is a new request."""
    await ann.call("POST", SPACES, {"name": "W"}, idempotency_key="k")
    clock.ahead_s = 24 * 3600 + 1
    fresh = await ann.post("/api/users/auth/refresh", {"refresh_token": ann.refresh_token}, status=200)
    ann.access_token = fresh["access_token"]
    await ann.call("POST", SPACES, {"name": "W"}, idempotency_key="k")
    assert len(await ann.get(SPACES)) == 2


async def test_keys_that_are_none(ann: Person) -> None:
    """1 to 255 visible ASCII characters."""
    for key in ["", "x" * 256, "a b", "\u00e9"]:
        headers = {"authorization": ann.auth["authorization"].encode(), "idempotency-key": key.encode("latin-1")}
        answer = await ann.http.post(SPACES, json={"name": "W"}, headers=list(headers.items()))  # type: ignore[arg-type]
        assert answer.status_code == 400
        assert await ann.get(SPACES) == []


def test_every_creating_route_honours_the_key(app: Litestar) -> None:
    """All that answer 201 under a token."""
    creating = {
        route.path_format: getattr(handler.fn, "idempotent", False)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if "POST" in handler.http_methods and handler.status_code == 201 and handler.resolve_security()
    }
    assert len(creating) > 5
    assert all(creating.values()), creating
