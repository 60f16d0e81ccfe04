"""Bots: accounts that programs act as, with tokens that do what they were made for and end when they are told to."""

from typing import Any, get_args

import httpx
import pytest
import structlog
from litestar import Litestar
from litestar.routes import HTTPRoute

from nottermost_chat.api.request import authenticate
from nottermost_chat.model import Role
from nottermost_chat.protocol import AnyClientFrame
from nottermost_chat.scopes import FOR_ANY, FRAMES, ROUTES, Scope
from nottermost_chat.services import Embedded
from nottermost_chat.testing.people import Person, ShiftedClock


class Bot:
    """A bot in Ann's workspace, in a channel."""

    def __init__(self, ann: Person, http: httpx.AsyncClient, path: str, bot_id: str, channel_id: str) -> None:
        self.ann, self.http, self.path, self.bot_id, self.channel_id = ann, http, path, bot_id, channel_id

    async def token(self, *scopes: str) -> dict[str, Any]:
        wanted = {"name": "test", "scopes": scopes or list(Scope)}
        return dict(await self.ann.post(f"{self.path}/{self.bot_id}/tokens", wanted))

    async def call(self, token: str, method: str, path: str, body: object = None) -> httpx.Response:
        return await self.http.request(method, path, json=body, headers={"authorization": f"Bearer {token}"})

    async def say(self, token: str, client_msg_id: str = "1") -> int:
        path = f"/api/messages/conversations/{self.channel_id}/messages"
        return (await self.call(token, "POST", path, {"client_msg_id": client_msg_id, "body": "hi"})).status_code

    async def session(self, token: str) -> httpx.Response:
        return await self.http.post("/api/bots/session", json={"token": token})


@pytest.fixture
async def bot(services: Embedded, http: httpx.AsyncClient, ann: Person, bob: Person) -> Bot:
    workspace_id = (await ann.post("/api/workspaces", {"name": "W"}))["workspace_id"]
    await services.directory.workspaces.add_members(workspace_id, [bob.user_id], Role.MEMBER)
    channel_id = (await ann.post(f"/api/workspaces/{workspace_id}/channels", {"name": "general"}))["conversation_id"]
    path = f"/api/workspaces/{workspace_id}/bots"
    bot_id = (await ann.post(path, {"username": "helper", "display_name": "Helper"}))["user_id"]
    await ann.post(f"/api/chats/conversations/{channel_id}/members", {"user_ids": [bot_id]}, status=200)
    return Bot(ann, http, path, bot_id, channel_id)


async def test_a_bot_acts_with_its_token(bot: Bot) -> None:
    """On REST with the token itself or with a session made of it; everybody sees that it is a bot."""
    token = (await bot.token())["token"]
    assert token.startswith("nmb_")
    assert await bot.say(token) == 201
    session = (await bot.session(token)).json()
    assert await bot.say(session["access_token"], "2") == 201
    assert (await bot.call(token, "GET", "/api/users/me")).json()["user_id"] == bot.bot_id == session["user_id"]
    assert (await bot.ann.get(f"/api/users/{bot.bot_id}"))["bot"]


@pytest.mark.parametrize("scope", list(Scope))
async def test_a_token_does_what_its_scope_says_and_no_more(bot: Bot, app: Litestar, scope: Scope) -> None:
    """Every route that asks for a token, with the token itself and with a session of it."""
    token = (await bot.token(scope))["token"]
    session = (await bot.session(token)).json()["access_token"]
    for name, method, path in bearer_routes(app):
        allowed = name in FOR_ANY or ROUTES.get(name) is scope
        for bearer in (token, session) if allowed else (token,):
            answer = await bot.call(bearer, method, path)
            refused = answer.status_code == 403 and ("scope" in answer.text)
            assert refused is not allowed, (name, answer.text)


def bearer_routes(app: Litestar) -> list[tuple[str, str, str]]:
    """Name, method and an address of each."""
    return [
        (handler.fn.__name__, method, route.path_format.replace("{", "").replace("}", ""))
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if authenticate in handler.resolve_guards()
        for method in handler.http_methods
        if method != "OPTIONS"
    ]


def test_the_tables_are_whole(app: Litestar) -> None:
    """Every frame has its row, every row its route, and no two routes share a name."""
    assert set(FRAMES) == set(get_args(AnyClientFrame))
    names = [name for name, *_ in bearer_routes(app)]
    assert set(ROUTES) | FOR_ANY <= set(names)
    assert len(set(names)) == len(names)
    assert set(ROUTES.values()) == set(Scope)


async def test_a_revoked_token_ends_at_once(bot: Bot) -> None:
    """With everything that was opened with it; other tokens go on."""
    first, second = await bot.token(), await bot.token()
    session = (await bot.session(first["token"])).json()["access_token"]
    await bot.ann.delete(f"{bot.path}/{bot.bot_id}/tokens/{first['token_id']}")
    assert [await bot.say(token) for token in (first["token"], session, second["token"])] == [401, 401, 201]
    assert (await bot.session(first["token"])).status_code == 401
    assert [row["token_id"] for row in await bot.ann.get(f"{bot.path}/{bot.bot_id}/tokens")] == [second["token_id"]]
    await bot.ann.delete(f"{bot.path}/{bot.bot_id}/tokens/{first['token_id']}", status=404)


async def test_a_removed_bot_is_gone(bot: Bot) -> None:
    """Its tokens end, and it is in no conversation any more."""
    token = (await bot.token())["token"]
    await bot.ann.delete(f"{bot.path}/{bot.bot_id}")
    assert await bot.say(token) == 401
    assert await bot.ann.get(bot.path) == []
    members = await bot.ann.get(f"/api/chats/conversations/{bot.channel_id}/members")
    assert bot.bot_id not in repr(members)


async def test_other_admins_have_no_power_over_it(bot: Bot, bob: Person) -> None:
    """Neither a member of its workspace, nor the owner of another one."""
    other = (await bob.post("/api/workspaces", {"name": "Bob's"}))["workspace_id"]
    wanted = {"name": "mine", "scopes": ["messages:read"]}
    await bob.post(f"{bot.path}/{bot.bot_id}/tokens", wanted, status=403)
    await bob.post(f"/api/workspaces/{other}/bots/{bot.bot_id}/tokens", wanted, status=404)
    await bob.delete(f"/api/workspaces/{other}/bots/{bot.bot_id}", status=404)
    await bob.post(f"{bot.path}/{bob.user_id}/tokens", wanted, status=403)
    await bot.ann.post(f"{bot.path}/{bob.user_id}/tokens", wanted, status=404)  # no token for a person


async def test_last_used_is_known_within_a_minute(bot: Bot, clock: ShiftedClock) -> None:
    """So that a token that nobody uses can be found."""
    made = await bot.token()
    assert made["last_used_at"] is None
    await bot.say(made["token"])
    (row,) = await bot.ann.get(f"{bot.path}/{bot.bot_id}/tokens")
    first = row["last_used_at"]
    assert first
    clock.ahead_s += 61
    await bot.say(made["token"])
    (row,) = await bot.ann.get(f"{bot.path}/{bot.bot_id}/tokens")
    assert row["last_used_at"] > first
    assert row["token"] is None


async def test_tokens_are_neither_logged_nor_stored(services: Embedded, bot: Bot) -> None:
    """Whoever reads logs or the database cannot act as the bot."""
    with structlog.testing.capture_logs() as lines:
        token = (await bot.token())["token"]
        await bot.say(token)
        await bot.session(token)
        await bot.say(token + "x")
    assert lines
    assert token not in repr(lines)
    stored = b"".join(path.read_bytes() for path in services.settings.data.glob("directory.db*"))
    assert token.encode() not in stored


@pytest.mark.parametrize("token", ["nmb_", "nmb_guess", "nmb_" + "\u20ac"])
async def test_a_guess_opens_nothing(bot: Bot, token: str) -> None:
    """And is told no more than that."""
    assert (await bot.session(token)).status_code == 401
