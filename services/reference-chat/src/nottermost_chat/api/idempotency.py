"""`Idempotency-Key`: a creating request that is repeated is answered as it was the first time."""

import hashlib
import re
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Final, TypeVar

import msgspec
from litestar import Response

from nottermost_chat.api.request import ApiRequest
from nottermost_chat.errors import BadRequest, Conflict
from nottermost_chat.secret_box import SecretBox, Unreadable

KEY_PATTERN: Final = "[!-~]{1,255}"
HEADER: Final = "idempotency-key"

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])


def idempotent(handler: Handler) -> Handler:
    """Let a handler that creates something honour the key, for a day, per user.

    Only successes are kept: after a failure the same key may try again. They are encrypted, because
    some tell a secret that is told once. A repeat that comes while the first request is at work gets
    409 `conflict`; with another body, 409 `idempotency_mismatch`.
    """

    @wraps(handler)
    async def wrapper(request: ApiRequest, **arguments: Any) -> Any:
        if (key := read_key(request)) is None:
            return await handler(request=request, **arguments)
        requests, caller_id = request.services.directory.requests, request.caller_id
        valid_s = request.services.settings.idempotency_s
        finished = await requests.begin(caller_id, key, await _fingerprint(request), valid_s=valid_s)
        box, name = request.services.secret_box, f"answer {caller_id} {key}"
        if finished is not None:
            body = _open(box, finished.body, name)
            return Response(body, status_code=finished.status, media_type="application/json")
        try:
            answer = await handler(request=request, **arguments)
        except Exception:
            await requests.abandon(caller_id, key)
            raise
        status, content = _taken_apart(request, answer)
        await requests.finish(caller_id, key, status, box.seal(msgspec.json.encode(content).decode(), name))
        return answer

    wrapper.idempotent = True  # type: ignore[attr-defined]  # read by the OpenAPI document
    return wrapper  # type: ignore[return-value]


def read_key(request: ApiRequest) -> str | None:
    """None: there is none. Raises BadRequest."""
    key = request.headers.get(HEADER)
    if key is not None and not re.fullmatch(KEY_PATTERN, key):
        raise BadRequest("Idempotency-Key has to be 1 to 255 visible ASCII characters")
    return key


def _open(box: SecretBox, sealed: bytes, name: str) -> bytes:
    try:
        return box.open(sealed, name).encode()
    except Unreadable as error:
        raise Conflict("it was done, and what was answered can be read no more: look at what there is now") from error


async def _fingerprint(request: ApiRequest) -> bytes:
    parts = (request.method, request.url.path, await request.body())
    return hashlib.blake2b(msgspec.msgpack.encode(parts), digest_size=16).digest()


def _taken_apart(request: ApiRequest, answer: Any) -> tuple[int, Any]:
    if isinstance(answer, Response):
        return answer.status_code or 200, answer.content
    return request.route_handler.status_code, answer
