"""People who use the API, for tests: each with an account, a token and a few words to call routes with."""

import itertools
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
from argon2 import PasswordHasher

from nottermost_chat.clock import Clock
from nottermost_chat.services import Services

PASSWORD = "correct horse battery"

_numbers = itertools.count(1)


class ShiftedClock(Clock):
    """The real clock, set forward by `ahead_s`."""

    ahead_s = 0.0

    def now_ms(self) -> int:
        return super().now_ms() + round(self.ahead_s * 1000)

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


@dataclass(kw_only=True)
class Person:
    """A signed-in user."""

    http: httpx.AsyncClient
    user_id: str
    name: str
    device_id: str
    access_token: str
    refresh_token: str

    @property
    def email(self) -> str:
        return f"{self.name}@example.org"

    @property
    def auth(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.access_token}"}

    async def call(self, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        """The answer, whatever it is. A header's name has _ for -."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        json = {"json": body} if body is not None else {}
        return await self.http.request(method, path, headers=self.auth | given, **json)  # type: ignore[arg-type]

    async def get(self, path: str, *, status: int = 200) -> Any:
        return read(await self.call("GET", path), status)

    async def post(self, path: str, body: object = None, *, status: int = 201) -> Any:
        return read(await self.call("POST", path, body), status)

    async def put(self, path: str, body: object = None, *, status: int = 200) -> Any:
        return read(await self.call("PUT", path, body), status)

    async def patch(self, path: str, body: object = None, *, status: int = 200) -> Any:
        return read(await self.call("PATCH", path, body), status)

    async def delete(self, path: str, *, status: int = 204) -> Any:
        return read(await self.call("DELETE", path), status)

    # --- what nearly every test needs -----------------------------------------------------------

    async def direct(self, other: "Person") -> str:
        """Id of the direct conversation with the other."""
        answer = await self.call("POST", "/api/chats/conversations/dm", {"other_user_id": other.user_id})
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["conversation_id"])

    async def group(self, title: str, *others: "Person") -> str:
        """Id of a new group with the others."""
        body = {"title": title, "member_ids": [other.user_id for other in others]}
        return str((await self.post("/api/chats/conversations/group", body))["conversation_id"])

    async def workspace(self, name: str, *others: "Person", role: str = "member") -> str:
        """Id of a new workspace with the others."""
        workspace_id = str((await self.post("/api/workspaces", {"name": name}))["workspace_id"])
        for other in others:
            await self.post(f"/api/workspaces/{workspace_id}/members", {"email": other.email, "role": role})
        return workspace_id

    async def channel(self, workspace_id: str, name: str, *others: "Person", private: bool = False) -> str:
        """Id of a new channel with the others."""
        body = {"name": name, "private": private, "member_ids": [other.user_id for other in others]}
        return str((await self.post(f"/api/workspaces/{workspace_id}/channels", body))["conversation_id"])

    async def say(self, conversation_id: str, body: str, **more: Any) -> Any:
        """Send a message; the answer."""
        return await self.post(
            f"/api/messages/conversations/{conversation_id}/messages",
            {"client_msg_id": f"said-{next(_numbers)}", "body": body} | more,
        )

    async def history(self, conversation_id: str, query: str = "after_seq=0") -> list[Any]:
        """Messages of one page."""
        page = await self.get(f"/api/messages/conversations/{conversation_id}/messages?{query}")
        return list(page["messages"])


def read(answer: httpx.Response, status: int) -> Any:
    """The decoded body of an answer that has to have this status."""
    assert answer.status_code == status, (
        f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
    )
    return answer.json() if answer.content else None


async def join(services: Services, http: httpx.AsyncClient, name: str) -> Person:
    """A new account, signed in; its password is hashed with little effort, which saves a test most of its time."""
    user = await services.directory.accounts.create_user(
        username=name, email=f"{name}@example.org", display_name=name.title(), password_hash=_quick_hash(PASSWORD)
    )
    session = await services.tokens.session(user.user_id, "test")
    return Person(
        http=http,
        user_id=user.user_id,
        name=name,
        device_id=session.device_id,
        access_token=session.access_token,
        refresh_token=session.refresh_token,
    )


@cache
def _quick_hash(password: str) -> str:
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(password)
