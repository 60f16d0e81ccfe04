"""What every answer has: an id, security headers, a log line without contents, a metric. And the page."""

from urllib.parse import unquote

import httpx
import structlog
from litestar import Litestar

from nottermost_chat.api.app import create_app
from nottermost_chat.api.pages import FOLDER, load_assets
from nottermost_chat.services import Services
from nottermost_chat.testing.people import PASSWORD, Person


async def test_security_headers_are_everywhere(http: httpx.AsyncClient) -> None:
    """On pages, problems and what no route answers alike."""
    for path in ["/", "/api/users/me", "/nothing", "/healthz", "/assets/icon.svg", "/api/users/%ff"]:
        headers = (await http.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["x-request-id"]


async def test_request_ids_are_kept_where_they_are_sane(http: httpx.AsyncClient) -> None:
    """A proxy's id goes on into our log; what could break a log line is replaced."""
    assert (await http.get("/healthz", headers={"x-request-id": "abc-1.2_3"})).headers["x-request-id"] == "abc-1.2_3"
    for bad in (b"a" * 65, b"a b", b"", b"<x>", b"\xe9"):
        given = (await http.get("/healthz", headers={b"x-request-id": bad})).headers["x-request-id"]
        assert given.encode("latin-1") != bad
        assert len(given) == 26


async def test_logs_hold_no_contents(http: httpx.AsyncClient, ann: Person, bob: Person) -> None:
    """Neither text, query, token, password nor address; but who, which route, how it went and how long."""
    structlog.reset_defaults()
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        direct = await ann.direct(bob)
        await ann.say(direct, "the-secret-text")
        await ann.get("/api/search?q=the-secret-query")
        await http.post("/api/users/auth/login", json={"email": ann.email, "password": PASSWORD})
        await http.get("/api/users/me", headers={"authorization": "Bearer the-secret-token"})
        await ann.call("GET", "/api/users/me", None, x_request_id="id-1")
    text = str(lines)
    for secret in ("the-secret", PASSWORD, ann.email, ann.access_token, direct):
        assert secret not in text
    line = lines[-1]
    assert (line["route"], line["status"], line["user_id"], line["request_id"]) == (
        "/api/users/me",
        200,
        ann.user_id,
        "id-1",
    )
    assert line["duration_ms"] > 0


async def test_metrics_count_requests_by_route(http: httpx.AsyncClient, ann: Person) -> None:
    """Unknown paths and methods share one label, so that nobody can make more of them."""
    await ann.get("/api/users/me")
    for number in range(20):
        await http.request(f"METHOD{number}", f"/nothing/{number}")
    text = (await http.get("/metrics")).text
    assert 'chat_request_seconds_count{method="GET",route="/api/users/me",status="200"} 1.0' in text
    assert 'chat_request_seconds_count{method="other",route="unknown"' in text
    assert "METHOD1" not in text
    assert 'chat_refused_total{code="not_found"}' in text


async def test_ready_asks_whether_messages_go_through(services: Services, http: httpx.AsyncClient) -> None:
    """503 while they do not; the process is healthy all the same."""
    app = create_app(services, lambda: (False, "no canary for 31 s"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://chat") as client:  # type: ignore[arg-type]
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["reason"]) == (503, "no canary for 31 s")
        assert (await client.get("/healthz")).status_code == 200
    assert (await http.get("/readyz")).status_code == 200


# --- the page ---------------------------------------------------------------------------------


async def test_the_page_is_at_its_addresses(http: httpx.AsyncClient) -> None:
    """HTML that is asked for again every time, and mostly has not changed."""
    for path in ["/", "/register", "/login", "/claim", "/w", "/w/a/b/c", "/w/%F0%9F%98%80"]:
        answer = await http.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        again = await http.get(path, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


async def test_every_file_of_the_page_has_its_type(http: httpx.AsyncClient) -> None:
    """nosniff makes browsers refuse scripts of another type."""
    types = {
        ".js": "text/javascript",
        ".css": "text/css",
        ".svg": "image/svg+xml",
        ".webmanifest": "application/manifest+json",
    }
    assert load_assets()
    for name in load_assets():
        answer = await http.get(f"/assets/{name}")
        assert answer.status_code == 200
        assert answer.content == (FOLDER / name).read_bytes()
        suffix = name[name.rindex(".") :]
        assert answer.headers["content-type"].startswith(types.get(suffix, ""))


async def raw_status(app: Litestar, path: str) -> int:
    """The answer to a path that no client would send as it stands."""
    statuses: list[int] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, int]) -> None:
        statuses.append(message.get("status", 0))

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": unquote(path), "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [(b"host", b"chat")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    await app(scope, receive, send)  # type: ignore[arg-type]
    return statuses[0]


async def test_nothing_but_the_page_is_served(app: Litestar) -> None:
    """The files are looked up in a table, so there is no folder to climb out of."""
    paths = [
        "../app.py", "..%2fapp.py", "%2e%2e/app.py", "....//app.py", "/etc/passwd", "%2fetc%2fpasswd", "..\\app.py", "",
        "styles", "components/../../app.py", "nothing.js", "__init__.py", "%00", "icon.svg%00.js",
    ]  # fmt: skip
    for path in paths:
        assert await raw_status(app, f"/assets/{path}") in (400, 404), path
    assert await raw_status(app, "/assets/icon.svg") == 200
