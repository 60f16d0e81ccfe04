"""The load balancer, a real HAProxy, in front of small servers: each property that the chat counts on."""

import contextlib
import http.client
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

from nottermost_chat.settings import Settings
from nottermost_chat.stack.admin import ask_haproxy, set_servers
from nottermost_chat.stack.artifacts import Artifacts
from nottermost_chat.stack.haproxy import Backend, Balancer, Timeouts, render_haproxy
from nottermost_chat.stack.launch import Unit
from nottermost_chat.stack.ports import find_free
from nottermost_chat.stack.probes import http_probe
from nottermost_chat.stack.process import Running, end_all, start_units
from nottermost_chat.stack.servers import SERVERS, Place

PAGE = "http://page.example"
WITHIN_S = 20.0
KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # the example of RFC 6455


class Handler(BaseHTTPRequestHandler):
    """Says who answers; takes an upgrade and echoes; dies in the middle of a request, or is silent, when told so."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = cast("SmallServer", self.server)
        if self.path == "/healthz":
            self._answer(200 if server.healthy else 503)
        elif self.headers.get("Upgrade") == "websocket":
            self._echo()
        elif server.dies:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif self.path == "/silent":
            server.ended.wait(WITHIN_S)
        else:
            server.seen.append((self.command, self.path, self.headers.get("X-Forwarded-For", "")))
            self._answer(200)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def _answer(self, status: int) -> None:
        name = cast("SmallServer", self.server).name.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(name)))
        self.end_headers()
        self.wfile.write(name)

    def _echo(self) -> None:
        self.send_response(101)
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", "websocket")
        self.send_header("Sec-WebSocket-Accept", ACCEPT)  # HAProxy looks at it
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(OSError):
            while text := self.connection.recv(1024):
                self.connection.sendall(cast("SmallServer", self.server).name.encode() + b":" + text)

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


class SmallServer(ThreadingHTTPServer):
    """Stands for a gateway or an api."""

    daemon_threads = True

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.name, self.healthy, self.dies = name, True, False
        self.seen: list[tuple[str, str, str]] = []
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke off is what these tests are about."""

    def end(self) -> None:
        """As a crash: nobody listens any more."""
        self.ended.set()
        self.shutdown()
        self.server_close()
        self._thread.join(WITHIN_S)


@dataclass
class Front:
    """A running load balancer and what is behind it."""

    folder: Path
    port: int
    health_port: int
    gateways: list[SmallServer]
    apis: list[SmallServer]
    running: list[Running] = field(default_factory=list)

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
        """Status, body and headers (names in lower case)."""
        return self._ask(self.port, method, path, headers)

    def ask_health(self, path: str) -> tuple[int, str]:
        """The same of the port that tells about the load balancer itself."""
        return self._ask(self.health_port, "GET", path, {})[:2]

    def _ask(self, port: int, method: str, path: str, headers: dict[str, str]) -> tuple[int, str, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN_S)
        with contextlib.closing(connection):
            body = b"{}" if method == "POST" else None
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, answer.read().decode(), names

    def upgrade(self) -> socket.socket:
        """An open socket through the load balancer, after the 101."""
        connection = socket.create_connection(("127.0.0.1", self.port), WITHIN_S)
        lines = (
            "GET /ws HTTP/1.1",
            "Host: a",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
        )
        connection.sendall("\r\n".join([*lines, f"Sec-WebSocket-Key: {KEY}", "\r\n"]).encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 101 ")
        return connection

    def state(self, server: str) -> str:
        """What HAProxy thinks of a server: UP, DOWN, MAINT."""
        rows = [line.split(",") for line in ask_haproxy(self.folder, "show stat").splitlines()]
        return next(row[17] for row in rows if len(row) > 17 and row[1] == server)


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def timeouts() -> Timeouts:
    return Timeouts()


@pytest.fixture
def front(folder: Path, timeouts: Timeouts) -> Iterator[Front]:
    """Two gateways and two apis, with a third place for each; PAGE may call."""
    gateways, apis = ([SmallServer(f"{kind}{number}") for number in (1, 2, 3)] for kind in ("gateway", "api"))
    port = find_free(set())
    health = find_free({port})

    def backends(servers: list[SmallServer]) -> tuple[Backend, ...]:
        return tuple(Backend(name=s.name, authority=s.authority, enabled=s.name[-1] != "3") for s in servers)

    balancer = Balancer(
        host="127.0.0.1", ports=(port,), health_port=health, gateways=backends(gateways), apis=backends(apis),
        origin=PAGE, timeouts=timeouts,
    )  # fmt: skip
    ports = {"client": port, "health": health}
    at = folder / "haproxy"
    launch = SERVERS["haproxy"].launch(Place(folder=at, ports=ports, artifacts=Artifacts(folder), balancer=balancer))
    unit = Unit(
        name="haproxy", folder=at, ports=ports, launch=launch, probe=http_probe(health), start_s=15, memory_mib=100
    )
    front = Front(at, port, health, gateways, apis)
    try:
        start_units([unit], folder, lambda _, running: front.running.append(running))
        yield front
    finally:
        end_all([(running, signal.SIGTERM) for running in front.running], 10)
        for server in [*gateways, *apis]:
            server.end()
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()


def test_sockets_go_to_gateways_and_the_rest_to_apis(front: Front) -> None:
    """Nothing is sticky: requests of one client are spread over both apis, and a slot without a server gets none."""
    answers = [front.ask("GET", "/api/users/me")[:2] for _ in range(6)]
    assert {body for _, body in answers} == {"api1", "api2"}
    sockets = [front.upgrade() for _ in range(4)]
    said = set()
    for connection in sockets:
        with connection:
            connection.sendall(b"hello")
            said.add(connection.recv(1024))
    assert said == {b"gateway1:hello", b"gateway2:hello"}


def test_a_third_is_taken_in_without_a_restart(front: Front) -> None:
    """As `--scale api=3` does it: over the admin socket, while requests go on."""
    assert front.state("api3") == "MAINT"
    set_servers(front.folder, ["api3", "gateway3"], "ready")
    wait_until(lambda: front.state("api3").startswith("UP"))
    wait_until(lambda: front.ask("GET", "/")[1] == "api3")


def test_a_dead_api_is_not_noticed_by_readers(front: Front) -> None:
    """Requests that reach nobody go to another server at once, before any health check has seen it."""
    front.apis[0].end()
    assert {front.ask("GET", "/")[:2] for _ in range(8)} == {(200, "api2")}
    assert front.ask("POST", "/")[:2] == (200, "api2")  # it never reached the dead one


def test_only_what_may_be_repeated_is_repeated(front: Front) -> None:
    """A server that dies in the middle: a GET is asked again elsewhere, a POST may have been done and is told."""
    front.apis[0].dies = True
    assert {front.ask("GET", "/")[:2] for _ in range(8)} == {(200, "api2")}
    assert 502 in {front.ask("POST", "/")[0] for _ in range(8)}


def test_who_is_not_healthy_gets_nothing(front: Front) -> None:
    """GET /healthz decides, and its own /healthz tells when nobody is left."""
    assert front.ask_health("/healthz") == (200, "ok")
    front.apis[0].healthy = False
    wait_until(lambda: front.state("api1") == "DOWN")
    assert {front.ask("GET", "/")[1] for _ in range(6)} == {"api2"}
    front.apis[1].healthy = False
    wait_until(lambda: front.ask_health("/healthz")[0] == 503)
    assert front.ask("GET", "/")[0] == 503
    front.apis[0].healthy = True
    wait_until(lambda: front.ask_health("/healthz")[0] == 200)
    assert "haproxy_server_status" in front.ask_health("/metrics")[1]


def test_sockets_of_a_lost_gateway_end(front: Front) -> None:
    """A gateway that answers no more is left by its sockets, so that clients come back elsewhere; others stay."""
    first, second = front.upgrade(), front.upgrade()
    with first, second:
        for connection in (first, second):
            connection.sendall(b"who")
        names = {connection.recv(1024).partition(b":")[0].decode(): connection for connection in (first, second)}
        assert set(names) == {"gateway1", "gateway2"}
        front.gateways[0].healthy = False
        assert names["gateway1"].recv(1024) == b""
        names["gateway2"].sendall(b"still there")
        assert names["gateway2"].recv(1024) == b"gateway2:still there"


def test_only_the_page_may_call_from_elsewhere(front: Front) -> None:
    """The preflight and the answer name the page's origin and no other one; caches keep the answers apart."""
    asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "authorization"}
    status, _, headers = front.ask("OPTIONS", "/api/x", Origin=PAGE, **asked)
    assert status == 204
    assert headers["access-control-allow-origin"] == PAGE
    assert headers["access-control-allow-credentials"] == "true"
    assert "POST" in headers["access-control-allow-methods"]
    assert "Authorization" in headers["access-control-allow-headers"]
    status, _, headers = front.ask("OPTIONS", "/api/x", Origin="http://other.example", **asked)
    assert status == 403
    assert not [name for name in headers if name.startswith("access-control")]
    for origin, allowed in ((PAGE, PAGE), ("http://other.example", None), (f"{PAGE}.other.example", None)):
        _, _, headers = front.ask("GET", "/api/x", Origin=origin)
        assert headers.get("access-control-allow-origin") == allowed
        assert headers["vary"] == "Origin"
    assert "access-control-allow-origin" not in front.ask("GET", "/api/x")[2]
    assert front.apis[0].seen or front.apis[1].seen


def test_the_client_does_not_choose_its_address(front: Front) -> None:
    """What it says in X-Forwarded-For is replaced by where it really comes from."""
    front.ask("GET", "/from", X_Forwarded_For="203.0.113.9")
    seen = [entry for api in front.apis for entry in api.seen if entry[1] == "/from"]
    assert seen == [("GET", "/from", "127.0.0.1")]


def test_nobody_may_call_from_elsewhere_unless_named() -> None:
    """Without a page's origin no answer speaks of any."""
    balancer = Balancer(host="127.0.0.1", ports=(1,), health_port=2, gateways=(), apis=())
    assert "Access-Control" not in render_haproxy(balancer)


@pytest.mark.parametrize("timeouts", [Timeouts(client_s=1, server_s=1)])
def test_a_silent_socket_outlives_silent_requests(front: Front) -> None:
    """A request on which the server, or the client, falls silent is ended; a socket silent for longer is not."""
    with front.upgrade() as connection:
        assert front.ask("GET", "/silent")[0] == 504
        with socket.create_connection(("127.0.0.1", front.port), WITHIN_S) as half:
            half.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
            assert half.recv(4096).split()[1] in (b"408", b"504")  # the server waits for the rest, and may be named
        connection.sendall(b"still there")
        assert connection.recv(1024).endswith(b":still there")


@pytest.mark.parametrize("timeouts", [Timeouts(client_s=1, server_s=1, tunnel_s=3)])
def test_a_silent_socket_ends_in_its_own_time(front: Front) -> None:
    """Which is the tunnel's, whatever requests have; by default two heartbeats may be missed."""
    with front.upgrade() as connection:
        began = time.monotonic()
        assert connection.recv(1024) == b""
        assert time.monotonic() - began > 2
    assert Timeouts().tunnel_s >= 2 * Settings(data=front.folder).heartbeat_s
