"""Whatever comes in: a clear refusal as a problem document, never a failure of ours, and nothing half stored."""

import dataclasses
import json
from collections.abc import Iterator

import httpx
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from nottermost_chat.adapters.memory_routes import MemoryRoutes
from nottermost_chat.api.app import create_app
from nottermost_chat.protocol import Presence
from nottermost_chat.services import Services
from nottermost_chat.testing.people import Person

MALFORMED = {
    "truncated": b'{"a": ',
    "array": b"[]",
    "null": b"null",
    "number": b"7",
    "text": b"hello",
    "unknown field": b'{"no_such_field": 1}',
    "invalid UTF-8": b'{"name": "\xff\xfe"}',
    "lone surrogate": rb'{"name": "\ud800"}',
    "half a pair": rb'{"name": "\udc00x"}',
    "control character": b'{"name": "a\x00"}',
    "nested": b"[" * 100_000,
    "nested objects": b'{"a":' * 50_000,
    "huge number": b'{"size": 1e999999}',
}
STRANGE_IDS = [
    "%00",
    "%ff",
    "%ed%a0%80",
    "%2e%2e",
    "..%2f..",
    "%F0%9F%98%80",
    "a" * 5000,
    "'; drop table users; --",
    "%0a",
    "null",
]


def json_routes(app: Litestar) -> Iterator[tuple[str, str, bool]]:
    """Method, path and whether a body is needed of every route that reads JSON."""
    for route in app.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
            if (field := handler.parsed_data_field) is not None:
                path = route.path_format
                for name in route.path_parameters:
                    path = path.replace(f"{{{name}}}", "some-id")
                yield next(iter(handler.http_methods)), path, not field.has_default


def assert_refused(answer: httpx.Response, statuses: set[int]) -> None:
    assert answer.status_code in statuses, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["code"]
    assert problem["title"]
    assert problem["type"].startswith("urn:")
    assert len(answer.content) < 20_000


async def test_malformed_bodies_on_every_route(
    services: Services, app: Litestar, ann: Person, http: httpx.AsyncClient
) -> None:
    """400 everywhere, before anything is looked up."""
    services.limiter.exempt(ann.user_id)
    for content in MALFORMED.values():
        headers = ann.auth | {"content-type": "application/json"}
        for method, path, _ in json_routes(app):
            assert_refused(await http.request(method, path, content=content, headers=headers), {400})


async def test_missing_large_and_foreign_bodies_on_every_route(
    app: Litestar, ann: Person, http: httpx.AsyncClient
) -> None:
    """Nothing where something is needed; 1.3 MB and more; a type that we do not read."""
    routes = list(json_routes(app))
    assert len(routes) > 25
    for method, path, needed in routes:
        if needed:
            assert_refused(await http.request(method, path, headers=ann.auth), {400})
        large = b'{"name": "' + b"x" * 1_300_000 + b'"}'
        assert_refused(await http.request(method, path, content=large, headers=ann.auth), {413})
        form = ann.auth | {"content-type": "multipart/form-data; boundary=x"}
        assert_refused(await http.request(method, path, content=b"--x--", headers=form), {415})


async def test_wrong_types_and_missing_fields_on_every_route(
    services: Services, app: Litestar, ann: Person, http: httpx.AsyncClient
) -> None:
    """Each field of each body as something else: strictly judged, "5" is not 5 and 1 is not true."""
    services.limiter.exempt(ann.user_id)
    document = (await http.get("/api/openapi.json")).json()
    schemas = document["components"]["schemas"]
    wrong: dict[str, list[object]] = {
        "string": [5, None, ["x"], {}],
        "integer": ["5", 1.5, True, None],
        "boolean": [1, "true", None],
        "array": ["x", {}, [7]],
    }
    tried = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            for name, field in (
                schemas[content["schema"]["$ref"].split("/")[-1]]["properties"].items() if content else ()
            ):
                for value in wrong.get(field.get("type", ""), ()):
                    answer = await ann.call(method.upper(), path.replace("{", "").replace("}", ""), {name: value})
                    assert_refused(answer, {400})
                    tried += 1
    assert tried > 100


async def test_strange_ids_on_every_route(
    services: Services, app: Litestar, ann: Person, http: httpx.AsyncClient
) -> None:
    """Not found, or not an address at all."""
    services.limiter.exempt(ann.user_id)
    for strange in STRANGE_IDS:
        for route in app.routes:
            if not isinstance(route, HTTPRoute) or not route.path_parameters or not route.path.startswith("/api/"):
                continue
            path = route.path_format
            for name in route.path_parameters:
                path = path.replace(f"{{{name}}}", strange)
            for method in route.methods - {"OPTIONS", "HEAD"}:
                answer = await http.request(method, path, content=b"{}", headers=ann.auth)
                assert answer.status_code in {400, 403, 404, 405, 409}, (method, path, answer.text)


@pytest.mark.parametrize("field", ["name", "topic"])
async def test_zero_characters_are_refused_in_every_text(ann: Person, http: httpx.AsyncClient, field: str) -> None:
    """Written as an escape; a backslash before it makes it harmless."""
    workspace = await ann.workspace("W")
    path = f"/api/workspaces/{workspace}/channels"
    wanted = {"name": "channel", "topic": "topic"}
    answer = await ann.call("POST", path, wanted | {field: "a\0b"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_text")
    assert await ann.get(path) == []
    kept = await ann.post(path, wanted | {field: "a\\u0000b"})
    assert kept["title" if field == "name" else "topic"] == "a\\u0000b"
    assert "\\\\u0000" in json.dumps(wanted | {field: "a\\u0000b"})  # what really went over the wire


async def test_addresses_that_are_none(ann: Person) -> None:
    """Problem documents for what no route answers, too; 405 says what is allowed."""
    for method, path, status, code in [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/api/nothing", 404, "not_found"),
        ("PUT", "/api/users/auth/login", 405, "method_not_allowed"),
        ("TRACE", "/api/users/me", 405, "method_not_allowed"),
        ("GET", "/api/users/me?x=%ff", 400, "bad_request"),
        ("GET", "/api/users/me?x=%00", 400, "bad_request"),
        ("GET", "//api//users//nothing", 404, "not_found"),
    ]:
        answer = await ann.call(method, path)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert status != 405 or answer.headers["allow"]


class BrokenRoutes(MemoryRoutes):
    """Fails in a way that nobody foresaw."""

    async def touch(self, user_id: str, status: Presence, *, now_ms: int) -> None:
        raise RuntimeError("the secret reason")


async def test_a_failure_of_ours_tells_nothing(services: Services, ann: Person) -> None:
    """500 as a problem document, without the reason, under an id that the log has too."""
    broken = dataclasses.replace(services, routes=BrokenRoutes(services.clock.monotonic))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(broken)), base_url="http://chat") as client:  # type: ignore[arg-type]
        answer = await client.put("/api/users/me/presence", json={"status": "away"}, headers=ann.auth)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"]
