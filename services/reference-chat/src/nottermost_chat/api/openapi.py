"""The OpenAPI document: Litestar's, with exact schemas, our problem documents, and the headers we honour."""

import inspect
from typing import Any, Final

import msgspec
from litestar import Litestar, MediaType, Request
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.routes import HTTPRoute

from nottermost_chat import protocol
from nottermost_chat.api import idempotency, shapes
from nottermost_chat.api.problems import MEDIA_TYPE

_REF: Final = "#/components/schemas/{name}"
_IDEMPOTENCY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "a repeat with the same key within a day is answered as the first time",
    "schema": {"type": "string", "pattern": f"^{idempotency.KEY_PATTERN}$"},
}
_NO_NUL: Final = {
    "": "^[^\\u0000]*$",
    r"\S": r"^[^\u0000]*[^\s\u0000][^\u0000]*$",
}  # other patterns have no room for it
_TEXT_OR_FILES: Final = {
    "anyOf": [
        {"properties": {"body": {"pattern": r"\S"}}},
        {"required": ["file_ids"], "properties": {"file_ids": {"minItems": 1}}},
    ]
}
_PROBLEM: Final = {"$ref": "#/components/responses/Problem"}
_PROBLEM_RESPONSE: Final = {
    "description": "RFC 9457 problem document; `code` says which",
    "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(name="Problem")}}},
}


class ExactJson(OpenAPIRenderPlugin):
    """Serves the document as JSON; made when it is first asked for."""

    def __init__(self) -> None:
        super().__init__(path=["/", "/openapi.json"], media_type=MediaType.JSON)
        self._rendered = b""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        if not self._rendered:
            self._rendered = msgspec.json.encode(complete(openapi_schema, request.app))
        return self._rendered


def make_config() -> OpenAPIConfig:
    """The configuration under which Litestar collects our routes and serves the document."""
    bearer = SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")
    return OpenAPIConfig(
        title="Nottermost chat",
        version="1.0",
        path="/api/openapi.json",
        components=Components(security_schemes={"bearer": bearer}),
        render_plugins=[ExactJson()],
        use_handler_docstrings=True,
    )


def complete(document: dict[str, Any], app: Litestar) -> dict[str, Any]:
    """Litestar's document with msgspec's own schemas, and with what decorators and error handlers do."""
    _, exact = msgspec.json.schema_components(_structs(), ref_template=_REF)
    document["components"]["schemas"] |= exact
    document["components"]["schemas"]["SendRequest"] |= _TEXT_OR_FILES
    document["components"]["responses"] = {"Problem": _PROBLEM_RESPONSE}
    paths = document["paths"]
    for path in paths.values():
        for operation in path.values():
            _add_problems(operation)
    for route in app.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
            if getattr(handler.fn, "idempotent", False):
                paths[route.path_format]["post"].setdefault("parameters", []).append(_IDEMPOTENCY)
    _describe_bytes(paths["/api/files/{file_id}"])
    _refuse_nul(document)
    return document


def _structs() -> list[type]:
    """Every struct that REST takes or answers; msgspec finds those inside them."""
    views = [
        each
        for _, each in inspect.getmembers(shapes, inspect.isclass)
        if issubclass(each, shapes.Request | shapes.View)
    ]
    return [*views, protocol.MessageFields, protocol.PresenceEntry]


def _describe_bytes(path: dict[str, Any]) -> None:
    """Uploads and downloads are bytes, not JSON."""
    content = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    path["put"]["requestBody"] = {"content": content, "required": True}
    path["get"]["responses"] |= {"206": {"description": "the part asked for", "content": {"*/*": {}}}}
    path["get"]["responses"] |= {"200": {"description": "the file", "content": {"*/*": {}}}}
    for method in ("get", "head"):
        path[method]["responses"] |= {"304": {"description": "not changed"}, "416": _PROBLEM}


def _refuse_nul(schema: Any) -> None:
    """Say of every free string below that U+0000 is refused."""
    if isinstance(schema, dict):
        if schema.get("type") == "string" and not schema.keys() & {"enum", "format"}:
            schema["pattern"] = _NO_NUL.get(schema.get("pattern", ""), schema.get("pattern"))
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            _refuse_nul(part)


def _add_problems(operation: dict[str, Any]) -> None:
    responses = {status: answer for status, answer in operation["responses"].items() if status < "400"}
    for status, answer in responses.items():
        if status == "204":
            answer.pop("content", None)
    errors = ["400", "429"]
    if operation.get("security"):
        errors.append("401")
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", ())):
        errors += ["403", "404", "409"]
    if "requestBody" in operation:
        errors += ["413", "415"]
    operation["responses"] = responses | dict.fromkeys(sorted(errors), _PROBLEM) | {"default": _PROBLEM}
