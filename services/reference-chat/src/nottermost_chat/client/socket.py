"""One WebSocket connection of a client: frames in, frames out, and how it ended."""

import asyncio
from collections.abc import Callable

import msgspec
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from nottermost_chat.protocol import FRAME_BYTES_MAX, AnyServerFrame, ClientFrame, ServerFrame

HANDSHAKE_S = 10.0

_decode = msgspec.json.Decoder(AnyServerFrame).decode
_encode = msgspec.json.Encoder().encode


class ClientSocket(WSListener):
    """A connection; `on_frame` gets every frame, `closed` resolves to the close code (1006: none came)."""

    def __init__(self, on_frame: Callable[[ServerFrame], None]) -> None:
        self._on_frame = on_frame
        self._transport: WSTransport | None = None
        self._code = 1006
        self.closed: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(cls, url: str, on_frame: Callable[[ServerFrame], None]) -> "ClientSocket":
        """Connect to `url` (http or https). Raises: OSError or picows' handshake errors."""
        address = "ws" + url.removeprefix("http") + "/ws"
        _, socket = await ws_connect(
            lambda: cls(on_frame), address, websocket_handshake_timeout=HANDSHAKE_S,
            max_frame_size=FRAME_BYTES_MAX * 2, use_aiofastnet=False,
        )  # fmt: skip
        assert isinstance(socket, cls)
        return socket

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.TEXT:
            self._on_frame(_decode(frame.get_payload_as_memoryview()))
        elif frame.msg_type is WSMsgType.CLOSE:
            payload = frame.get_payload_as_bytes()
            self._code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
            if not transport.is_close_frame_sent:
                transport.send_close(WSCloseCode.OK)
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002 - picows calls it so
        self._transport = None
        if not self.closed.done():
            self.closed.set_result(self._code)

    def send(self, frame: ClientFrame) -> None:
        """Send a frame; nothing happens when the connection has just ended: the answer will not come."""
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, _encode(frame))

    def pause_reading(self, paused: bool) -> None:
        """Let the server wait while nobody takes what came."""
        if self._transport is not None:
            transport = self._transport.underlying_transport
            (transport.pause_reading if paused else transport.resume_reading)()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.send_close(WSCloseCode.OK)
            self._transport.disconnect()
