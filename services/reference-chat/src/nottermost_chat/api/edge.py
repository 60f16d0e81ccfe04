"""What happens to every request, whatever it asks for: an id, a log line, a metric, security headers."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from nottermost_chat.api.problems import problem_app
from nottermost_chat.errors import BadRequest
from nottermost_chat.services import Services

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics", "/assets/{path:path}"})  # asked for all the time

CONTENT_SECURITY_POLICY: Final = (  # {files}: where the page gets files and puts them, besides here
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:{files}; "
    "connect-src 'self' ws: wss:{files}; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "manifest-src 'self'; media-src 'self'{files}"
)
SECURITY_HEADERS: Final = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",  # what somebody may see is not kept anywhere; pages and files say otherwise
}

log = structlog.get_logger(__name__)


class Edge:
    """The outermost ASGI application; Litestar is inside."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app, self._services = app, services
        links = services.blobs.links
        policy = CONTENT_SECURITY_POLICY.format(files=f" {links.origin}" if links else "")
        self._headers = {b"content-security-policy": policy.encode(), **SECURITY_HEADERS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        clock, started = self._services.clock, self._services.clock.monotonic()
        request_id = _request_id(scope) or clock.new_id()
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _complete(message["headers"], self._headers, request_id)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id, user_id=""):
            app = (
                self._app
                if _is_readable(scope)
                else problem_app(BadRequest("the address is not UTF-8, or holds U+0000"))
            )
            try:
                await app(scope, receive, send_with_headers)
            finally:
                self._note(scope, status, clock.monotonic() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        """Neither the path nor the query: they name conversations, and what was looked for."""
        route = str(scope.get("path_template", "unknown"))
        method = str(scope["method"]) if scope["method"] in _METHODS else "other"  # type: ignore[typeddict-item]
        self._services.metrics.requests.labels(method, route, str(status)).observe(seconds)
        write = log.debug if route in _QUIET else log.info
        write("request", method=method, route=route, status=status, duration_ms=round(seconds * 1000, 1))


def _request_id(scope: Scope) -> str | None:
    """The id that a proxy or client gave, if it is fit for a log."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode() if _REQUEST_ID.fullmatch(given) else None


def _is_readable(scope: Scope) -> bool:
    """Whether path and query are UTF-8 without U+0000, as a database needs it."""
    for raw in (scope.get("raw_path") or b"", scope["query_string"]):
        if b"%" in raw:
            try:
                if "\0" in unquote_to_bytes(raw).decode():
                    return False
            except UnicodeDecodeError:
                return False
    return True


def _complete(headers: object, wanted: Mapping[bytes, bytes], request_id: str) -> list[tuple[bytes, bytes]]:
    given = list(headers)  # type: ignore[call-overload]
    names = {name.lower() for name, _ in given}
    missing = [(name, value) for name, value in wanted.items() if name not in names]
    return [*given, *missing, (b"x-request-id", request_id.encode())]
