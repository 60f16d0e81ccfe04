"""One port for everything: HTTP is uvicorn's, and who asks for the socket is handed to picows.

picows speaks only WebSocket and uvicorn is slow at it (ADR 0014), so each gets what it is
good at. After the handshake uvicorn is out of the way: the transport belongs to picows, at no
cost for each connection or frame.
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
from nottermost_chat.gateway.gateway import Gateway
from nottermost_chat.proxies import Proxies

SOCKET_PATH: Final = b"/ws"
HEAD_WITHIN_S: Final = 10.0  # how long a peer may take to say what it wants
READ_BUFFER_BYTES: Final = 1024  # picows takes 2 KiB at least; its default of 16 KiB doubles an idle connection
BACKLOG: Final = 2048  # a whole office reconnects at once
KEEP_ALIVE_S: Final = 30
REQUESTS_END_WITHIN_S: Final = 5.0

AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]

_log = logging.getLogger("nottermost_chat.socket")


class _HttpOrSocket(HttpToolsProtocol):
    """uvicorn's HTTP, but an upgrade at /ws goes to the gateway."""

    def __init__(self, gateway: Gateway | None, proxies: Proxies, **parts: Any) -> None:
        super().__init__(**parts)
        self._gateway, self._proxies = gateway, proxies
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._late = asyncio.get_running_loop().call_later(HEAD_WITHIN_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_in_time()
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        self._is_in_time()
        super().on_headers_complete()

    def _is_in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _should_upgrade(self) -> bool:
        return (
            self._gateway is not None
            and self._get_upgrade() == b"websocket"
            and self.url.partition(b"?")[0] == SOCKET_PATH
        )

    def handle_websocket_upgrade(self) -> None:
        """Hand the transport to picows, with the request as it came: picows answers the handshake."""
        self.connections.discard(self)
        head = [b"GET " + self.url + b" HTTP/1.1", *(name + b": " + value for name, value in self.headers)]
        assert self._gateway is not None  # _should_upgrade asks
        protocol = _make_socket(self._gateway, self._remote())
        transport = self.transport
        self.__dict__.clear()  # the parser and this refer to each other: nothing of it may stay for hours
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        _feed(protocol, b"\r\n".join(head) + b"\r\n\r\n")

    def _remote(self) -> str:
        forwarded = [value for name, value in self.headers if name == b"x-forwarded-for"]
        return self._proxies.find_client(self.client[0] if self.client else "", forwarded)


def _make_socket(gateway: Gateway, remote: str) -> Any:
    """A protocol as picows.ws_create_server makes it; that function is not used because the port is shared."""
    return WSProtocol(
        None, None, False, lambda _request: _admit(gateway, remote), _log, False,
        gateway.settings.authenticate_within_s, False, 20, 20, WSAutoPingStrategy.PING_WHEN_IDLE, True,
        gateway.settings.limits.frame_bytes_max, None, READ_BUFFER_BYTES,
    )  # fmt: skip


def _admit(gateway: Gateway, remote: str) -> WSListener | WSUpgradeResponseWithListener:
    try:
        return gateway.admit(remote)
    except RateLimited as error:
        headers = [("Retry-After", str(-(-error.retry_after_ms // 1000)))]
        body = b'{"code":"rate_limited"}'
        response = WSUpgradeResponse.create_error_response(HTTPStatus.TOO_MANY_REQUESTS, body, headers)
        return WSUpgradeResponseWithListener(response, None)


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

    async def finish(self, within_s: float = REQUESTS_END_WITHIN_S) -> None:
        """Let the requests under way end, for a while."""
        for connection in list(self._state.connections):
            connection.shutdown()
        deadline = asyncio.get_running_loop().time() + within_s
        while self._state.connections and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.05)
        for task in list(self._state.tasks):
            task.cancel()


async def listen(app: AsgiApp, host: str, port: int, *, gateway: Gateway | None = None, proxies: str = "") -> Server:
    """Serve `app`, and with a gateway sockets at /ws.

    Args:
        proxies: addresses and networks, with commas between, of proxies that say in X-Forwarded-For who really asks.

    Raises: StartError when the port cannot be had, or for a proxy that is neither.
    """
    trusted = Proxies(proxies)
    config = uvicorn.Config(
        app, lifespan="off", ws="none", log_config=None, access_log=False, server_header=False, date_header=False,
        timeout_keep_alive=KEEP_ALIVE_S, proxy_headers=bool(trusted.networks),
        forwarded_allow_ips=[str(network) for network in trusted.networks],
    )  # fmt: skip
    config.load()
    state = ServerState()

    def make_protocol() -> _HttpOrSocket:
        return _HttpOrSocket(gateway, trusted, config=config, server_state=state, app_state={})

    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(make_protocol, host, port, backlog=BACKLOG)
    except OSError as error:
        raise StartError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another port with --port"
        ) from error
    return Server(server, state)
