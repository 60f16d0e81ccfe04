"""What operators ask of every process: is it alive, is it ready, how is it doing. Plain ASGI, for every role."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from nottermost_chat.metrics import Metrics

Ready = Callable[[], tuple[bool, str]]  # whether the process does its work, and a sentence about it
Scope = MutableMapping[str, Any]
Send = Callable[[Any], Awaitable[None]]
PATHS: Final = ("/healthz", "/readyz", "/metrics")
JSON: Final = "application/json"


class OperationsApp:
    """`/healthz`: the process answers. `/readyz`: it does its work, send people here or not. `/metrics`: Prometheus."""

    def __init__(self, metrics: Metrics, ready: Ready) -> None:
        self._metrics, self._ready = metrics, ready

    async def __call__(self, scope: Scope, receive: Any, send: Send) -> None:  # noqa: ARG002 - an ASGI application
        status, kind, body = self._answer(scope["path"]) if scope["method"] in ("GET", "HEAD") else (405, JSON, b"{}")
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _answer(self, path: str) -> tuple[int, str, bytes]:
        match path.rstrip("/"):
            case "/healthz":
                return 200, JSON, b'{"status":"ok"}'
            case "/readyz":
                ready, reason = self._ready()
                answer = {"status": "ready" if ready else "not ready", "reason": reason}
                return (200 if ready else 503), JSON, msgspec.json.encode(answer)
            case "/metrics":
                return 200, CONTENT_TYPE_LATEST, generate_latest(self._metrics.registry)
            case _:
                return 404, JSON, b'{"code":"not_found"}'
