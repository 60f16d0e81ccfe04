"""One client connection: a small state machine between a socket and the gateway.

    NEW ──authenticate──▶ LIVE ──close──▶ CLOSING ──▶ gone

It assembles and checks frames, and holds what waits to be written. What a frame means is
the gateway's business.
"""

import asyncio
from enum import Enum, auto
from typing import TYPE_CHECKING

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from nottermost_chat.gateway.outbox import Outbox
from nottermost_chat.protocol import CloseCode
from nottermost_chat.scopes import Scopes

if TYPE_CHECKING:
    from nottermost_chat.gateway.gateway import Gateway

CLOSE_WITHIN_S = 5.0  # how long a peer may take to answer a close


class State(Enum):
    """Where a connection stands."""

    NEW = auto()
    LIVE = auto()
    CLOSING = auto()


class Connection(WSListener):
    """A client connection. Everything here is called on the event loop and never waits."""

    __slots__ = (
        "_fragments", "_paused", "_transport", "active_at", "alive_at", "connection_id", "device_id", "expires_at", "gateway",
        "held", "operations", "outbox", "remote", "scopes", "state", "tier", "user_id", "watched", "watching",
    )  # fmt: skip

    def __init__(self, gateway: "Gateway", remote: str) -> None:
        self.gateway, self.remote = gateway, remote
        self.state = State.NEW
        self.connection_id = self.user_id = self.device_id = ""
        self.tier = gateway.settings.limits.standard
        self.expires_at = 0
        self.scopes: Scopes = None
        self.alive_at = self.active_at = gateway.clock.monotonic()  # a frame came; a person was at the device
        self.outbox = Outbox(gateway.settings.limits.outbox_bytes_max)
        self.operations = 0
        self.watching = ""  # the conversation on the screen
        self.watched: tuple[str, ...] = ()  # the users on the screen
        self.held: dict[str, list[tuple[tuple[int, int], bytes]]] | None = None  # live frames, while resume runs
        self._transport: WSTransport | None = None
        self._paused = False
        self._fragments: bytearray | None = None

    # --- from the socket ---------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self.gateway.on_connected(self)

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002 - picows calls it so
        self.state = State.CLOSING
        self._transport = None
        self.gateway.on_disconnected(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.alive_at = self.gateway.clock.monotonic()
        kind = frame.msg_type
        if kind is WSMsgType.TEXT and frame.fin and self._fragments is None:
            self._on_payload(frame.get_payload_as_bytes())
        elif kind is WSMsgType.CLOSE:
            self._on_close(transport)
        elif kind is WSMsgType.BINARY:
            self.close(CloseCode.BINARY)
        elif kind in (WSMsgType.TEXT, WSMsgType.CONTINUATION):
            self._on_fragment(kind, frame)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if len(self.outbox):
            self.flush()

    def _on_fragment(self, kind: WSMsgType, frame: WSFrame) -> None:
        if (kind is WSMsgType.TEXT) == (self._fragments is not None):
            self.close(CloseCode.PROTOCOL)
            return
        fragments = self._fragments if self._fragments is not None else bytearray()
        fragments += frame.get_payload_as_memoryview()
        if len(fragments) > self.gateway.settings.limits.frame_bytes_max:
            self._fragments = None
            self.close(CloseCode.TOO_BIG)
        elif frame.fin:
            self._fragments = None
            self._on_payload(bytes(fragments))
        else:
            self._fragments = fragments

    def _on_payload(self, payload: bytes) -> None:
        if self.state is not State.CLOSING:
            self.gateway.on_payload(self, payload)

    def _on_close(self, transport: WSTransport) -> None:
        before, self.state = self.state, State.CLOSING
        if before is not State.CLOSING:  # else it is the answer to ours
            transport.send_close(WSCloseCode.OK)
        transport.disconnect()

    # --- to the socket -----------------------------------------------------------------------

    def offer(self, frame: bytes) -> None:
        """Queue a frame; it leaves at the end of this turn of the event loop. A reader too slow is closed."""
        if self.state is State.CLOSING:
            return
        if self.outbox.offer(frame):
            if len(self.outbox) == 1:
                self.gateway.flush_soon(self)
        else:
            self.gateway.metrics.evicted.inc()
            self.close(CloseCode.SLOW_CONSUMER)

    def offer_ephemeral(self, frame: bytes) -> None:
        """Queue a frame that may be lost: typing and presence are dropped first under pressure."""
        if not self._paused and self.state is State.LIVE:
            self.offer(frame)

    def flush(self) -> None:
        """Write what waits, unless the reader does not keep up."""
        if self._transport is not None and not self._paused and len(self.outbox):
            self._transport.underlying_transport.write(self.outbox.take())

    def close(self, code: CloseCode) -> None:
        """Close with a code that tells the client what to do next."""
        transport, before = self._transport, self.state
        self.state = State.CLOSING
        if transport is None or before is State.CLOSING:
            return
        if code is not CloseCode.SLOW_CONSUMER:
            self._paused = False
            self.flush()  # an error that explains the close goes out before it
        self.outbox.take()
        self.gateway.metrics.closed.labels(str(code.value)).inc()
        transport.underlying_transport.write(b"\x88\x02" + code.value.to_bytes(2, "big"))
        self.gateway.on_closing(self)
        asyncio.get_running_loop().call_later(CLOSE_WITHIN_S, self._abort)

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.disconnect(graceful=False)
