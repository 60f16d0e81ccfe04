"""Every error as an RFC 9457 problem document with a stable `code`."""

from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.response.base import ASGIResponse

from nottermost_chat.api import shapes
from nottermost_chat.errors import BadRequest, ChatError, NotFound, RateLimited, TooLarge, Unavailable

MEDIA_TYPE: Final = "application/problem+json"

# What the framework refuses by itself, under our codes.
_CODES: Final = {
    400: BadRequest.code,
    404: NotFound.code,
    405: "method_not_allowed",
    413: TooLarge.code,
    503: Unavailable.code,
}

log = structlog.get_logger(__name__)


def describe(error: Exception) -> shapes.Problem:
    """The problem document for an error; of one that nobody expected it tells nothing."""
    match error:
        case ChatError():
            retry_after_ms = error.retry_after_ms if isinstance(error, RateLimited) else None
            return _problem(error.status, error.code, str(error), retry_after_ms=retry_after_ms)
        case HTTPException(status_code=status, detail=detail):
            errors = [f"{item.get('key', '')}: {item['message']}" for item in _details(error)]
            return _problem(
                status, _CODES.get(status, "http_error"), detail or HTTPStatus(status).phrase, errors=errors
            )
        case _:
            return _problem(500, "internal", "something went wrong on our side; the log has it under the request id")


def _problem(status: int, code: str, detail: str, **more: Any) -> shapes.Problem:
    title = code.replace("_", " ").capitalize()
    return shapes.Problem(
        type=f"urn:nottermost:problem:{code}", title=title, status=status, detail=detail, code=code, **more
    )


def _details(error: HTTPException) -> list[dict[str, str]]:
    return error.extra if isinstance(error.extra, list) else []


def headers_of(problem: shapes.Problem, error: Exception) -> dict[str, str]:
    """`Retry-After` in whole seconds, `Allow`, `WWW-Authenticate`, where they belong."""
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if problem.retry_after_ms is not None:
        headers["retry-after"] = str(-(-problem.retry_after_ms // 1000))
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return headers


def answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[shapes.Problem]:
    """Litestar's exception handler for everything."""
    problem = describe(error)
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request_failed", exc_info=error)
    request.app.state.services.metrics.refused.labels(problem.code).inc()
    return Response(problem, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers_of(problem, error))


def problem_app(error: Exception) -> ASGIResponse:
    """The same answer for what is refused before Litestar sees it."""
    problem = describe(error)
    return ASGIResponse(
        body=msgspec.json.encode(problem),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=headers_of(problem, error),
    )
