"""What every route shares: who calls, and how a request is read strictly."""

from typing import Any
from urllib.parse import parse_qsl

import msgspec
import structlog
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.dto import AbstractDTO
from litestar.enums import ParamType
from litestar.handlers import BaseRouteHandler
from litestar.params import ParameterKwarg

from nottermost_chat.actions import bots
from nottermost_chat.actions.files import FileTools
from nottermost_chat.api.limits import RequestLimits
from nottermost_chat.directory.bots import PREFIX as BOT_PREFIX
from nottermost_chat.errors import BadRequest, InvalidText, Unauthorized, UnsupportedMedia
from nottermost_chat.ports import Caller
from nottermost_chat.scopes import check_route
from nottermost_chat.services import Services

Connection = ASGIConnection[Any, Any, Any, State]


class ApiRequest(Request[Caller, None, State]):
    """A request with the chat's parts and, on routes behind `authenticate`, its caller."""

    @property
    def services(self) -> Services:
        services: Services = self.app.state.services
        return services

    @property
    def limits(self) -> RequestLimits:
        limits: RequestLimits = self.app.state.limits
        return limits

    @property
    def file_tools(self) -> FileTools:
        tools: FileTools = self.app.state.files
        return tools

    @property
    def caller_id(self) -> str:
        return self.user.user_id

    @property
    def who(self) -> tuple[Services, str]:
        """What nearly every action begins with: the parts, and who asks."""
        return self.services, self.caller_id

    @property
    def client_ip(self) -> str:
        return self.client.host if self.client else ""

    @property
    def is_web(self) -> bool:
        """The page: it keeps its refresh token in a cookie. Other sites cannot send this header without our consent."""
        return self.headers.get("x-client") == "web"


async def authenticate(connection: Connection, handler: BaseRouteHandler) -> None:
    """Let in who has a valid access token, or a bot's own, as often as the user's tier allows.

    Raises: Unauthorized, TokenExpired, RateLimited, Forbidden for what the token's scopes do not allow.
    """
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized("this needs an access token: log in and send `Authorization: Bearer <token>`")
    state = connection.app.state
    caller = await _identify(state.services, token.strip())
    check_route(caller.scopes, handler.fn.__name__)
    await state.limits.take_call(caller.user_id)
    connection.scope["user"] = caller
    structlog.contextvars.bind_contextvars(user_id=caller.user_id)


async def _identify(services: Services, token: str) -> Caller:
    if token.startswith(BOT_PREFIX):
        return await bots.identify(services, token)
    return await services.tokens.verify(token)


def check_query(connection: Connection, handler: BaseRouteHandler) -> None:
    """Raises BadRequest for a query parameter that the route does not know, that is empty, or that comes twice."""
    if not (query := connection.scope["query_string"]):
        return
    known = _query_parameters(handler)
    given: set[str] = set()
    for name, value in parse_qsl(query.decode("ascii", "replace"), keep_blank_values=True):
        if name not in known:
            raise BadRequest(
                f"unknown query parameter {name!r}; this route knows: {', '.join(sorted(known)) or 'none'}"
            )
        if name in given or not (value or known[name]):
            raise BadRequest(f"query parameter {name!r} is empty or comes more than once")
        given.add(name)


def _query_parameters(handler: BaseRouteHandler) -> dict[str, bool]:
    """The query parameters of a route, and whether they may be empty: free text may. Worked out once."""
    known: dict[str, bool] | None = handler.opt.get("query_parameters")
    if known is not None:
        return known
    found = handler.opt["query_parameters"] = {
        name: definition.schema_extra is None
        for name, field in handler.parsed_fn_signature.parameters.items()
        if isinstance(definition := field.kwarg_definition, ParameterKwarg) and definition.param_type is ParamType.QUERY
    }
    return found


class StrictBody(AbstractDTO[Any]):
    """Decodes and validates a JSON body in one strict step: "5" is not 5, and unknown fields are refused."""

    def decode_bytes(self, value: bytes) -> Any:
        """Raises BadRequest, with the place of the first mistake."""
        connection = self.asgi_connection
        content_type = connection.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if content_type != "application/json":
            raise UnsupportedMedia(f"the body is {content_type!r}, expected application/json")
        field = connection.route_handler.parsed_data_field
        assert field is not None
        return decode_strictly(value, field.annotation)

    # What Litestar would otherwise derive: models of its own, for which there is no need.
    @classmethod
    def create_for_field_definition(cls, *_: Any, **__: Any) -> None: ...

    @classmethod
    def is_supported_model_type_field(cls, *_: Any) -> bool:
        return False

    @classmethod
    def generate_field_definitions(cls, *_: Any) -> Any:
        raise NotImplementedError

    @classmethod
    def detect_nested_field(cls, *_: Any) -> bool:
        return False

    @classmethod
    def create_openapi_schema(cls, field_definition: Any, handler_id: str, schema_creator: Any) -> Any:  # noqa: ARG003
        return schema_creator.for_field_definition(field_definition)


def decode_strictly(body: bytes, kind: Any) -> Any:
    """`body` as a `kind`. Raises BadRequest; U+0000 is refused in every string (PostgreSQL cannot hold it)."""
    try:
        value = msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"the body does not fit: {error}") from error
    if b"\\u0000" in body and "\0" in _strings(msgspec.to_builtins(value)):
        raise InvalidText("a string in the body holds U+0000: remove it")
    return value


def _strings(value: Any) -> str:
    """All strings inside `value`, joined."""
    match value:
        case str():
            return value
        case dict():
            return "".join(_strings(item) for pair in value.items() for item in pair)
        case list() | tuple():
            return "".join(_strings(item) for item in value)
        case _:
            return ""
