"""REST for one signed-in user: tokens, retries after a fresh token, refusals as errors."""

import asyncio
from typing import Any, Final

import httpx
import msgspec

from nottermost_chat.errors import ChatError

TIMEOUT_S = 30.0
PASSING: Final = frozenset({"rate_limited", "unavailable"})
PASSING_STATUSES: Final = frozenset({429, 502, 503, 504})  # also what a proxy before the chat answers
WAIT_S = 1.0  # where the server does not say how long


class Refused(ChatError):
    """The server refused; `code` is the server's stable code."""

    def __init__(self, status: int, code: str, sentence: str, retry_after_ms: int | None = None) -> None:
        super().__init__(sentence)
        self.code = code  # type: ignore[misc]  # an instance's own: it is the server's word
        self.http_status, self.retry_after_ms = status, retry_after_ms

    @property
    def passing(self) -> bool:
        """The same request may succeed later: too many for now, or something is away."""
        return self.code in PASSING or self.http_status in PASSING_STATUSES

    @property
    def wait_s(self) -> float:
        """How long to wait before that, as the server says."""
        return WAIT_S if self.retry_after_ms is None else self.retry_after_ms / 1000


class Session(msgspec.Struct):
    """The tokens of a device, and whose they are."""

    access_token: str
    refresh_token: str
    user_id: str
    username: str = ""


class Rest:
    """Requests as one user. Refreshes the access token when it has ended."""

    def __init__(self, url: str, session: Session | None = None, *, timeout_s: float = TIMEOUT_S) -> None:
        self.url = url.rstrip("/")
        self.session = session
        self._http = httpx.AsyncClient(base_url=self.url, timeout=timeout_s)
        self._refreshing = asyncio.Lock()

    async def close(self) -> None:
        await self._http.aclose()

    async def register(self, email: str, username: str, password: str) -> Session:
        """Make an account and sign in to it."""
        body = {"email": email, "username": username, "password": password}
        return self._sign_in(await self.call("POST", "/api/users/auth/register", body))

    async def log_in(self, email: str, password: str, device_name: str = "python") -> Session:
        body = {"email": email, "password": password, "device_name": device_name}
        return self._sign_in(await self.call("POST", "/api/users/auth/login", body))

    def _sign_in(self, answer: Any) -> Session:
        user = answer["user"]
        self.session = Session(answer["access_token"], answer["refresh_token"], user["user_id"], user["username"])
        return self.session

    async def refresh(self) -> Session:
        """A new pair of tokens; for all who ask at the same time one, as each refresh token is good for once.

        Raises: Refused when the session has ended, or `passing` when it has not.
        """
        if self.session is None:
            raise Refused(401, "unauthorized", "log in first")
        before = self.session.refresh_token
        async with self._refreshing:
            if self.session.refresh_token == before:
                answer = await self._request("POST", "/api/users/auth/refresh", {"refresh_token": before})
                self.session.access_token, self.session.refresh_token = answer["access_token"], answer["refresh_token"]
        return self.session

    async def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """The decoded answer; None for an empty one. Raises: Refused; httpx.TransportError when nobody answers."""
        try:
            return await self._request(method, path, body, **query)
        except Refused as refused:
            if refused.code != "token_expired" or self.session is None:
                raise
            await self.refresh()
            return await self._request(method, path, body, **query)

    async def _request(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        headers = {} if self.session is None else {"authorization": f"Bearer {self.session.access_token}"}
        given = {name: value for name, value in query.items() if value is not None}
        content = None if body is None else msgspec.json.encode(body)
        if content is not None:
            headers["content-type"] = "application/json"
        answer = await self._http.request(method, path, content=content, params=given or None, headers=headers)
        if answer.is_error:
            raise _refusal(answer)
        return msgspec.json.decode(answer.content) if answer.content else None


def _refusal(answer: httpx.Response) -> Refused:
    retry_after = answer.headers.get("retry-after", "")
    retry_after_ms = int(retry_after) * 1000 if retry_after.isdecimal() else None  # or a date: nobody here sends one
    try:
        problem = msgspec.json.decode(answer.content)
        code, detail, told_ms = problem["code"], problem["detail"], problem.get("retry_after_ms")
        return Refused(answer.status_code, code, detail, retry_after_ms if told_ms is None else told_ms)
    except (msgspec.DecodeError, KeyError, TypeError):  # something before the chat answered
        return Refused(answer.status_code, "http_error", f"the server answered {answer.status_code}", retry_after_ms)
