"""One WebSocket connection of a client: frames in, frames out, and how it ended."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, get_args
from urllib.parse import urlsplit

import msgspec
from picows import WSAutoPingStrategy, WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # not in its stubs

from nottermost_chat.protocol import FRAME_BYTES_MAX, AnyServerFrame, ClientFrame, ServerFrame

HANDSHAKE_S = 10.0
READ_BUFFER_BYTES: Final = 16 * 1024
KINDS: Final = frozenset(kind.__struct_config__.tag for kind in get_args(AnyServerFrame))

_log = logging.getLogger("nottermost_chat.client")
_decode = msgspec.json.Decoder(AnyServerFrame).decode
_encode = msgspec.json.Encoder().encode


class _Envelope(msgspec.Struct):
    type: str


_decode_envelope = msgspec.json.Decoder(_Envelope).decode


def read_frame(payload: bytes | memoryview) -> ServerFrame | None:
    """The frame; None for one of a kind that only a newer server knows. Raises: msgspec.DecodeError."""
    try:
        frame: ServerFrame = _decode(payload)
        return frame
    except msgspec.ValidationError:
        if _decode_envelope(payload).type in KINDS:
            raise
        return None


class ClientSocket(WSListener):
    """A connection; `on_frame` gets every frame, `closed` resolves to the close code (1006: none came)."""

    def __init__(self, on_frame: Callable[[ServerFrame], None]) -> None:
        self._on_frame = on_frame
        self._transport: WSTransport | None = None
        self._code = 1006
        self._deadline: asyncio.TimerHandle | None = None  # by then something has to come
        self._paused = False
        self.closed: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(
        cls, url: str, on_frame: Callable[[ServerFrame], None], *, within_s: float = HANDSHAKE_S
    ) -> "ClientSocket":
        """Connect to `url` (http or https). Raises: OSError, TimeoutError or picows' handshake errors."""
        at = urlsplit(url)
        secure = at.scheme == "https"

        def make_protocol() -> Any:  # as picows.ws_connect makes it
            return WSProtocol(
                at.netloc, f"{at.path}/ws", True, lambda: cls(on_frame), _log, True, within_s, False, 10, 10,
                WSAutoPingStrategy.PING_WHEN_IDLE, True, FRAME_BYTES_MAX * 2, None, READ_BUFFER_BYTES,
            )  # fmt: skip

        async with asyncio.timeout(2 * within_s):  # picows begins to count when there is a connection
            transport, protocol = await asyncio.get_running_loop().create_connection(
                make_protocol,
                at.hostname or "127.0.0.1",
                at.port or (443 if secure else 80),
                ssl=True if secure else None,
            )
            try:
                await protocol.wait_until_handshake_complete()
            except BaseException:
                transport.abort()  # ws_connect would leave it open when it is cancelled here
                raise
        socket = protocol.listener
        assert isinstance(socket, cls)
        return socket

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self._stop_waiting()
        if frame.msg_type is WSMsgType.TEXT:
            known = read_frame(frame.get_payload_as_memoryview())
            if known is not None:
                self._on_frame(known)
        elif frame.msg_type is WSMsgType.CLOSE:
            payload = frame.get_payload_as_bytes()
            self._code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
            if not transport.is_close_frame_sent:
                transport.send_close(WSCloseCode.OK)
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002 - picows calls it so
        self._transport = None
        self._stop_waiting()
        if not self.closed.done():
            self.closed.set_result(self._code)

    def send(self, frame: ClientFrame) -> None:
        """Send a frame; nothing happens when the connection has just ended: the answer will not come."""
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, _encode(frame))

    def ask(self, frame: ClientFrame, *, within_s: float) -> None:
        """Send a frame that the server answers. If nothing at all comes in time, the connection is lost: 1006.

        A peer that vanished without a word is noticed in no other way: what is sent to it waits in
        the kernel for many minutes.
        """
        self.send(frame)
        if self._transport is not None and self._deadline is None and not self._paused:
            self._deadline = asyncio.get_running_loop().call_later(within_s, self._lose)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _lose(self) -> None:
        self._deadline = None
        if self._transport is not None:
            self._transport.disconnect(graceful=False)  # a graceful end would wait for the peer

    def pause_reading(self, paused: bool) -> None:
        """Let the server wait while nobody takes what came. That it says nothing then is our own doing."""
        self._paused = paused
        if paused:
            self._stop_waiting()
        if self._transport is not None:
            transport = self._transport.underlying_transport
            (transport.pause_reading if paused else transport.resume_reading)()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.send_close(WSCloseCode.OK)
            self._transport.disconnect()
