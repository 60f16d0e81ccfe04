"""Who gets in where: every route of the application, as nobody, a stranger, somebody removed, and a member.

The table has a row for each route, and a route without a row fails: whoever adds one decides
who may use it.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import httpx
import pytest
from litestar import Litestar
from litestar.routes import ASGIRoute, HTTPRoute

from nottermost_chat.services import Services
from nottermost_chat.testing.people import PASSWORD, Person, join

World = Mapping[str, str]


class Row(NamedTuple):
    """The expected status for each kind of caller, in the order in which they call.

    The removed one was in the workspace and in the group until a moment ago. The member is in
    both, without being admin. `{…}` in path and query are filled in from the world.
    """

    nobody: int
    stranger: int
    removed: int
    member: int
    body: Callable[[World], Any] | None = None
    query: str = ""


CHAT = "/api/chats/conversations/{conversation_id}"
TALK = "/api/messages/conversations/{conversation_id}"
SPACE = "/api/workspaces/{workspace_id}"
ONE = "/messages/{message_id}"

ROWS = {
    # sessions: without a token; wrong ones are refused
    "POST /api/users/auth/register": Row(201, 409, 409, 409, lambda w: {"email": "new@x.org", "username": "new", "password": PASSWORD}),
    "POST /api/users/auth/login": Row(200, 200, 200, 200, lambda w: {"email": "bob@example.org", "password": PASSWORD}),
    "POST /api/users/auth/oidc": Row(404, 404, 404, 404, lambda w: {"id_token": "guess"}),  # no provider is set
    "POST /api/users/auth/claim": Row(401, 401, 401, 401, lambda w: {"claim_token": "guess", "password": PASSWORD}),
    "POST /api/users/auth/refresh": Row(401, 401, 401, 401, lambda w: {"refresh_token": "guess"}),
    "POST /api/users/auth/logout": Row(204, 204, 204, 204, lambda w: {"refresh_token": "guess"}),
    # one's own account, public profiles
    "GET /api/users/me": Row(401, 200, 200, 200),
    "PATCH /api/users/me": Row(401, 200, 200, 200, lambda w: {"title": "here"}),
    "PUT /api/users/me/password": Row(401, 401, 401, 401, lambda w: {"old_password": "no", "new_password": PASSWORD}),
    "PUT /api/users/me/presence": Row(401, 200, 200, 200, lambda w: {"status": "away"}),
    "GET /api/users/auth/consents": Row(200, 200, 200, 200),
    "GET /api/users/me/consents": Row(401, 200, 200, 200),
    "PUT /api/users/me/consents": Row(401, 404, 404, 404, lambda w: {"document": "terms", "version": "1"}),
    "DELETE /api/users/me/consents": Row(401, 404, 404, 404, query="?document=terms"),
    "POST /api/users/me/exports": Row(401, 202, 202, 202),
    "GET /api/users/me/exports": Row(401, 200, 200, 200),
    "GET /api/exports/{export_id}": Row(403, 403, 403, 403),  # by a signed link
    "DELETE /api/users/me": Row(401, 409, 409, 409, query="?confirm=somebody"),  # oneself, by name
    "GET /api/users/me/devices": Row(401, 200, 200, 200),
    "DELETE /api/users/me/devices/{device_id}": Row(401, 404, 404, 404),  # ann's
    "GET /api/users": Row(401, 200, 200, 200, query="?ids={user_id}"),
    "GET /api/users/presence": Row(401, 200, 200, 200, query="?ids={user_id}"),
    "GET /api/users/{user_id}": Row(401, 200, 200, 200),
    # workspaces
    "POST /api/workspaces": Row(401, 201, 201, 201, lambda w: {"name": "another"}),
    "GET /api/workspaces": Row(401, 200, 200, 200),
    f"GET {SPACE}": Row(401, 404, 404, 200),
    f"GET {SPACE}/members": Row(401, 404, 404, 200),
    f"POST {SPACE}/members": Row(401, 404, 404, 403, lambda w: {"email": "dave@example.org"}),
    f"PATCH {SPACE}/members/{{user_id}}": Row(401, 404, 404, 403, lambda w: {"role": "guest"}),
    f"DELETE {SPACE}/members/{{user_id}}": Row(401, 404, 404, 403),
    f"GET {SPACE}/retention": Row(401, 404, 404, 200),
    f"PUT {SPACE}/retention": Row(401, 404, 404, 403, lambda w: {"warm_days": 30}),
    f"GET {SPACE}/holds": Row(401, 404, 404, 403),
    f"POST {SPACE}/holds": Row(401, 404, 404, 403, lambda w: {"reason": "case 7"}),
    f"DELETE {SPACE}/holds/{{hold_id}}": Row(401, 404, 404, 403),
    f"GET {SPACE}/audit": Row(401, 404, 404, 403),
    f"GET {SPACE}/teams": Row(401, 404, 404, 200),
    f"POST {SPACE}/teams": Row(401, 404, 404, 403, lambda w: {"name": "another"}),
    f"PUT {SPACE}/teams/{{team_id}}": Row(401, 404, 404, 403, lambda w: {"name": "renamed"}),
    f"DELETE {SPACE}/teams/{{team_id}}": Row(401, 404, 404, 403),
    f"GET {SPACE}/channels": Row(401, 404, 404, 200),
    f"POST {SPACE}/channels": Row(401, 404, 404, 201, lambda w: {"name": "new"}),
    f"GET {SPACE}/imported-users": Row(401, 404, 404, 403),
    f"POST {SPACE}/imported-users/{{user_id}}/claim": Row(401, 404, 404, 403),
    # other programs
    f"POST {SPACE}/webhooks": Row(401, 404, 404, 403, lambda w: {"url": "https://example.org/", "events": ["message"]}),
    f"GET {SPACE}/webhooks": Row(401, 404, 404, 403),
    f"PATCH {SPACE}/webhooks/{{webhook_id}}": Row(401, 404, 404, 403, lambda w: {"active": False}),
    f"DELETE {SPACE}/webhooks/{{webhook_id}}": Row(401, 404, 404, 403),
    f"POST {SPACE}/webhooks/{{webhook_id}}/test": Row(401, 404, 404, 403),
    f"GET {SPACE}/webhooks/{{webhook_id}}/deliveries": Row(401, 404, 404, 403),
    f"POST {SPACE}/webhooks/{{webhook_id}}/deliveries/{{delivery_id}}/replay": Row(401, 404, 404, 403),
    f"POST {SPACE}/incoming-hooks": Row(401, 404, 404, 403, lambda w: {"conversation_id": w["conversation_id"], "name": "x"}),
    f"GET {SPACE}/incoming-hooks": Row(401, 404, 404, 403),
    f"DELETE {SPACE}/incoming-hooks/{{hook_id}}": Row(401, 404, 404, 403),
    "POST /api/hooks/{token}": Row(401, 401, 401, 401, lambda w: {"text": "guessed"}),
    f"POST {SPACE}/bots": Row(401, 404, 404, 403, lambda w: {"username": "helper"}),
    f"GET {SPACE}/bots": Row(401, 404, 404, 403),
    f"DELETE {SPACE}/bots/{{bot_id}}": Row(401, 404, 404, 403),
    f"POST {SPACE}/bots/{{bot_id}}/tokens": Row(401, 404, 404, 403, lambda w: {"name": "x", "scopes": ["messages:read"]}),
    f"GET {SPACE}/bots/{{bot_id}}/tokens": Row(401, 404, 404, 403),
    f"DELETE {SPACE}/bots/{{bot_id}}/tokens/{{token_id}}": Row(401, 404, 404, 403),
    "POST /api/bots/session": Row(401, 401, 401, 401, lambda w: {"token": "nmb_guess"}),
    # conversations
    "GET /api/chats/conversations": Row(401, 200, 200, 200),
    "POST /api/chats/conversations/dm": Row(401, 201, 201, 201, lambda w: {"other_user_id": w["user_id"]}),
    "POST /api/chats/conversations/group": Row(401, 201, 201, 201, lambda w: {"title": "g", "member_ids": [w["user_id"]]}),
    f"GET {CHAT}": Row(401, 404, 404, 200),
    f"PATCH {CHAT}": Row(401, 404, 404, 200, lambda w: {"topic": "new"}),
    f"GET {CHAT}/members": Row(401, 404, 404, 200),
    f"POST {CHAT}/members": Row(401, 404, 404, 409, lambda w: {"user_ids": [w["user_id"]]}),  # a group invites
    f"PATCH {CHAT}/members/{{user_id}}": Row(401, 404, 404, 403, lambda w: {"role": "member"}),
    f"DELETE {CHAT}/members/{{user_id}}": Row(401, 404, 404, 403),
    f"POST {CHAT}/leave": Row(401, 404, 404, 204),
    "GET /api/chats/invites": Row(401, 200, 200, 200),
    f"POST {CHAT}/invite": Row(401, 404, 404, 201, lambda w: {"user_id": w["stranger_id"]}),
    f"POST {CHAT}/join": Row(401, 404, 404, 200),
    f"POST {CHAT}/decline": Row(401, 404, 404, 404, lambda w: {"invite_id": w["invite_id"]}),  # somebody else's
    "GET /api/chats/search": Row(401, 200, 200, 200, query="?q=ann"),
    # messages
    f"POST {TALK}/messages": Row(401, 404, 404, 201, lambda w: {"client_msg_id": "1", "body": "hello"}),
    f"GET {TALK}/messages": Row(401, 404, 404, 200),
    f"GET {TALK}{ONE}": Row(401, 404, 404, 200, query="?fields=full"),
    f"PATCH {TALK}{ONE}": Row(401, 404, 404, 403, lambda w: {"client_msg_id": "1", "body": "changed"}),  # ann's
    f"DELETE {TALK}{ONE}": Row(401, 404, 404, 403, query="?client_msg_id=1"),
    f"POST {TALK}{ONE}/restore": Row(401, 404, 404, 403, lambda w: {"client_msg_id": "1"}),
    f"PUT {TALK}{ONE}/reactions": Row(401, 404, 404, 200, lambda w: {"client_msg_id": "1", "emoji": "+1"}),
    f"GET {TALK}{ONE}/thread": Row(401, 404, 404, 200),
    f"POST {TALK}/read": Row(401, 404, 404, 200, lambda w: {"last_read_seq": 1}),
    f"POST {TALK}/delivered": Row(401, 404, 404, 204, lambda w: {"last_delivered_seq": 1}),
    f"GET {TALK}/receipts": Row(401, 404, 404, 200),
    # files: links are made for one user, who has to be a member still; without a good link nobody gets anything
    "POST /api/files": Row(401, 404, 404, 201, lambda w: {"conversation_id": w["conversation_id"], "name": "a", "size": 1}),
    "POST /api/files/links": Row(401, 200, 200, 200, lambda w: {"file_ids": [w["file_id"]]}),
    "PUT /api/files/{file_id}": Row(403, 403, 403, 403),
    "POST /api/files/{file_id}": Row(403, 403, 403, 403),
    "GET /api/files/{file_id}": Row(403, 403, 403, 403),
    "HEAD /api/files/{file_id}": Row(403, 403, 403, 403),
    "GET /api/search": Row(401, 200, 200, 200, query="?q=hello"),
    # notifications: one's own; here is no key for any push
    "GET /api/notifications/push": Row(401, 200, 200, 200),
    "PUT /api/notifications/push": Row(401, 409, 409, 409, lambda w: {"kind": "fcm", "address": "token"}),
    "DELETE /api/notifications/push": Row(401, 204, 204, 204),
    "GET /api/notifications/settings": Row(401, 200, 200, 200),
    "PUT /api/notifications/settings": Row(401, 200, 200, 200, lambda w: {"time_zone": "UTC"}),
    "GET /api/notifications/conversations/{conversation_id}": Row(401, 404, 404, 200),
    "PUT /api/notifications/conversations/{conversation_id}": Row(401, 404, 404, 200, lambda w: {"notify": "none"}),
    # for everybody
    **{
        f"{method} {path}": Row(200, 200, 200, 200)
        for path in ("/", "/register", "/login", "/claim", "/w", "/w/{rest}")
        for method in ("GET", "HEAD")
    },
    "GET /assets/{path}": Row(200, 200, 200, 200),
    "HEAD /assets/{path}": Row(200, 200, 200, 200),
    "GET /healthz": Row(200, 200, 200, 200),
    "GET /readyz": Row(200, 200, 200, 200),
    "GET /metrics": Row(200, 200, 200, 200),
    "GET /api/openapi.json": Row(200, 200, 200, 200),
    "GET /api/openapi.json/openapi.json": Row(200, 200, 200, 200),  # Litestar's own
    "GET /api/openapi.json/{path}": Row(404, 404, 404, 404),
}  # fmt: skip

# What a caller without access must not be shown, even where the answer is 200.
EMPTY_FOR_STRANGERS = {
    "GET /api/workspaces", "GET /api/chats/conversations", "GET /api/chats/invites", "POST /api/files/links",
    "GET /api/search", "GET /api/users/presence",
}  # fmt: skip


def routes_of(app: Litestar) -> set[str]:
    operations = {f"GET {route.path}" for route in app.routes if isinstance(route, ASGIRoute)}
    return operations | {
        f"{method} {route.path_format or '/'}"
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods
        if method != "OPTIONS"
    }


@pytest.fixture
async def people(
    services: Services, http: httpx.AsyncClient, ann: Person, bob: Person, cat: Person
) -> dict[str, Person]:
    return {"stranger": await join(services, http, "dave"), "removed": cat, "member": bob}


@pytest.fixture
async def world(ann: Person, people: dict[str, Person]) -> World:
    """A workspace and a group, out of which somebody was removed, with a message and a file in it."""
    stranger, cat, bob = people["stranger"], people["removed"], people["member"]
    workspace = await ann.workspace("W", bob, cat)
    team = await ann.post(f"/api/workspaces/{workspace}/teams", {"name": "team", "member_ids": [bob.user_id]})
    group = await ann.group("G", bob, cat)
    file = await ann.post("/api/files", {"conversation_id": group, "name": "a.txt", "size": 5})
    await ann.put(file["upload_url"], "abc", status=201)  # as JSON: "abc"
    said = await ann.say(group, "hello", file_ids=[file["file_id"]])
    space, told = f"/api/workspaces/{workspace}", {"url": "https://example.org/", "events": ["message"]}
    webhook = await ann.post(f"{space}/webhooks", told)
    channel = await ann.channel(workspace, "hooked")
    hook = await ann.post(f"{space}/incoming-hooks", {"conversation_id": channel, "name": "CI"})
    bot = await ann.post(f"{space}/bots", {"username": "bot"})
    token = await ann.post(f"{space}/bots/{bot['user_id']}/tokens", {"name": "t", "scopes": ["messages:read"]})
    hold = await ann.post(f"{space}/holds", {"reason": "case 6", "conversation_id": channel})
    elsewhere = await ann.group("H")
    invite = await ann.post(f"/api/chats/conversations/{elsewhere}/invite", {"user_id": ann.user_id}, status=409)
    assert invite["code"] == "conflict"
    invite = await ann.post(f"/api/chats/conversations/{elsewhere}/invite", {"user_id": bob.user_id})
    await ann.delete(f"/api/workspaces/{workspace}/members/{cat.user_id}")
    await ann.delete(f"/api/chats/conversations/{group}/members/{cat.user_id}")
    return {
        "workspace_id": workspace,
        "conversation_id": group,
        "message_id": said["message_id"],
        "file_id": file["file_id"],
        "team_id": team["team_id"],
        "invite_id": invite["invite_id"],
        "webhook_id": webhook["webhook_id"],
        "delivery_id": "any",
        "hook_id": hook["hook_id"],
        "bot_id": bot["user_id"],
        "token_id": token["token_id"],
        "token": "guess",
        "user_id": ann.user_id,
        "stranger_id": stranger.user_id,
        "device_id": ann.device_id,
        "hold_id": hold["hold_id"],
        "export_id": ann.user_id,
        "rest": "some/where",
        "path": "icon.svg",
    }


def test_every_route_has_a_row(app: Litestar) -> None:
    """Whoever adds a route says who may use it; whoever removes one removes its row."""
    assert routes_of(app) == set(ROWS)


def rows(*, api: bool) -> list[str]:
    return [route for route in ROWS if (" /api/" in route) == api]


READS = [route for route in rows(api=True) if route.startswith(("GET", "HEAD"))]
WRITES = [route for route in rows(api=True) if route not in READS]


@pytest.mark.parametrize("route", WRITES)
async def test_write(route: str, http: httpx.AsyncClient, world: World, people: dict[str, Person]) -> None:
    """Each caller gets what the table says, strangers first, so that they cannot profit from the member."""
    await check_row(route, http, world, people)


async def test_reads(http: httpx.AsyncClient, world: World, people: dict[str, Person]) -> None:
    """The same for what changes nothing."""
    for route in READS:
        await check_row(route, http, world, people)


async def check_row(route: str, http: httpx.AsyncClient, world: World, people: dict[str, Person]) -> None:
    row = ROWS[route]
    method, _, template = route.partition(" ")
    url = (template + row.query).format_map(world)
    body = None if row.body is None else row.body(world)
    found = {"nobody": (await http.request(method, url, json=body)).status_code}
    for name, person in people.items():
        answer = await person.call(method, url, body)
        found[name] = answer.status_code
        if name == "stranger" and route in EMPTY_FOR_STRANGERS:
            content = answer.json()
            assert (content["hits"] if isinstance(content, dict) else content) == [], route
        if answer.status_code >= 400 and not template.startswith("/api/openapi"):
            assert answer.headers["content-type"] == "application/problem+json"
            assert method == "HEAD" or answer.json()["status"] == answer.status_code
    assert found == {name: getattr(row, name) for name in found}, route


async def test_public_routes(http: httpx.AsyncClient) -> None:
    """The page and what operators ask are for everybody."""
    for route in rows(api=False):
        method, _, template = route.partition(" ")
        answer = await http.request(method, template.format(rest="some/where", path="icon.svg"))
        assert answer.status_code == ROWS[route].nobody, route


async def test_metrics_know_every_route_by_its_template(
    services: Services, http: httpx.AsyncClient, world: World
) -> None:
    """No id gets into a label."""
    await http.get(f"/api/users/{world['user_id']}")
    text = (await http.get("/metrics")).text
    assert 'route="/api/users/{user_id}"' in text
    assert not [value for value in world.values() if len(value) == 26 and value in text]
