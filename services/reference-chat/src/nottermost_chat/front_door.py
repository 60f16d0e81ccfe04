"""One port for everything: looks at how a connection begins and hands it to the socket server or to HTTP.

picows speaks only WebSocket and uvicorn is slow at it (`docs/adr/0014`), so each gets what it
is good at. After the first bytes this is out of the way: the transport belongs to the other
protocol, at no cost for each connection or frame.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

import uvicorn
from picows import WSAutoPingStrategy, WSListener, WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # not in its stubs; picows' own client uses it so
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from nottermost_chat.errors import RateLimited, StartError
from nottermost_chat.gateway.connection import Connection
from nottermost_chat.gateway.gateway import Gateway

SOCKET_PATH: Final = b"/ws"
FIRST_BYTES_S: Final = 10.0  # how long a peer may take to say what it wants
REQUEST_LINE_MAX: Final = 8192
READ_BUFFER_BYTES: Final = 1024  # picows' smallest, 2 KiB; the default of 16 KiB doubles an idle connection
BACKLOG: Final = 2048  # a whole office reconnects at once
KEEP_ALIVE_S: Final = 30

AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]


class _FrontDoor(asyncio.Protocol):
    """Waits for the request line, then hands the transport on."""

    def __init__(self, make_socket: Callable[[str], Any], make_http: Callable[[], Any]) -> None:
        self._make_socket, self._make_http = make_socket, make_http
        self._received = b""
        self._transport: Any = None
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._late = asyncio.get_running_loop().call_later(FIRST_BYTES_S, transport.close)

    def data_received(self, data: bytes) -> None:
        self._received += data
        wants_socket = _wants_socket(self._received)
        if wants_socket is None:
            return
        self.connection_lost(None)
        peer = self._transport.get_extra_info("peername")
        protocol = self._make_socket(str(peer[0]) if peer else "") if wants_socket else self._make_http()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        if wants_socket:
            _feed(protocol, self._received)
        else:
            protocol.data_received(self._received)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio calls it so
        if self._late is not None:
            self._late.cancel()
            self._late = None


def _wants_socket(received: bytes) -> bool | None:
    """Whether the request line asks for the socket; None: not enough has come to tell."""
    line, newline, _ = received.partition(b"\r\n")
    if not newline and len(received) < REQUEST_LINE_MAX:
        return None
    parts = line.split(b" ")
    return len(parts) == 3 and parts[0] == b"GET" and parts[1].partition(b"?")[0] == SOCKET_PATH


def _feed(protocol: Any, data: bytes) -> None:
    view = memoryview(data)
    while view:
        buffer = protocol.get_buffer(len(view))
        count = min(len(buffer), len(view))
        buffer[:count] = view[:count]
        protocol.buffer_updated(count)
        view = view[count:]


class Server:
    """The listening socket with both servers behind it."""

    def __init__(self, server: asyncio.Server, state: ServerState) -> None:
        self._server, self._state = server, state

    @property
    def port(self) -> int:
        """The port it listens on: the one asked for, or the free one that 0 chose."""
        return int(self._server.sockets[0].getsockname()[1])

    def stop_listening(self) -> None:
        """Take no new connections; those there are go on."""
        self._server.close()

    async def finish(self, within_s: float) -> None:
        """Let the requests under way end, for a while."""
        for connection in list(self._state.connections):
            connection.shutdown()
        deadline = asyncio.get_running_loop().time() + within_s
        while self._state.connections and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.05)
        for task in list(self._state.tasks):
            task.cancel()


async def listen(gateway: Gateway, app: AsgiApp, host: str, port: int) -> Server:
    """Serve sockets at /ws and `app` everywhere else.

    Raises: StartError when the port cannot be had.
    """
    config = uvicorn.Config(
        app, lifespan="off", ws="none", log_config=None, access_log=False, server_header=False, date_header=False,
        timeout_keep_alive=KEEP_ALIVE_S, proxy_headers=False,
    )  # fmt: skip
    config.load()
    state = ServerState()
    logger = logging.getLogger("nottermost_chat.socket")

    def make_http() -> HttpToolsProtocol:
        return HttpToolsProtocol(config=config, server_state=state, app_state={})

    def make_socket(remote: str) -> Any:
        """As picows.ws_create_server makes it; its own listener is not used because the port is shared."""
        return WSProtocol(
            None, None, False, lambda _request: _admit(gateway, remote), logger, False,
            gateway.settings.authenticate_within_s, False, 20, 20, WSAutoPingStrategy.PING_WHEN_IDLE, True,
            gateway.settings.limits.frame_bytes_max, None, READ_BUFFER_BYTES,
        )  # fmt: skip

    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(lambda: _FrontDoor(make_socket, make_http), host, port, backlog=BACKLOG)
    except OSError as error:
        raise StartError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another port with --port"
        ) from error
    return Server(server, state)


def _admit(gateway: Gateway, remote: str) -> WSListener | WSUpgradeResponseWithListener:
    try:
        connection: Connection = gateway.admit(remote)
    except RateLimited as error:
        headers = [("Retry-After", str(-(-error.retry_after_ms // 1000)))]
        body = b'{"code":"rate_limited"}'
        response = WSUpgradeResponse.create_error_response(HTTPStatus.TOO_MANY_REQUESTS, body, headers)
        return WSUpgradeResponseWithListener(response, None)
    return connection
