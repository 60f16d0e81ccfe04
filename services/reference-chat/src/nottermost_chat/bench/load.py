"""The load: many raw connections of one process, as cheap as Python makes them."""

import asyncio
import base64
import os
import time
from collections.abc import Callable, Sequence
from typing import cast

import msgspec

HANDSHAKE = (
    "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
)
CONNECT_AT_ONCE = 50
PARSE = msgspec.json.Decoder().decode

OnFrame = Callable[["RawClient", bytes], None]


class RawClient(asyncio.Protocol):
    """A WebSocket client that only splits frames; `on_frame` gets their payloads."""

    __slots__ = ("_buffer", "_open", "_transport", "frames", "on_frame", "opened")

    def __init__(self, on_frame: OnFrame | None = None) -> None:
        self.on_frame = on_frame
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.frames = 0
        self._buffer = b""
        self._open = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclasses
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(HANDSHAKE.format(key=key).encode())

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        if not self._open:
            head, end, buffer = buffer.partition(b"\r\n\r\n")
            if not end:
                self._buffer = head
                return
            self._open = True
            self.opened.set_result(None)
        at, size, on_frame = 0, len(buffer), self.on_frame
        while size - at >= 2:
            length, start = buffer[at + 1], at + 2
            masked, length = length & 0x80, length & 0x7F
            if length == 126:
                length, start = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
            elif length == 127:
                length, start = int.from_bytes(buffer[at + 2 : at + 10], "big"), at + 10
            if masked:  # as `send` does it: with 0
                start += 4
            if size < start + length:
                break
            self.frames += 1
            if on_frame is not None:
                on_frame(self, buffer[start : start + length])
            at = start + length
        self._buffer = buffer[at:]

    def send(self, payload: bytes) -> None:
        """A text frame with the mask 0, which changes nothing and is allowed."""
        size = len(payload)
        head = bytes((0x81, 0x80 | size)) if size < 126 else bytes((0x81, 0x80 | 126)) + size.to_bytes(2, "big")
        if self._transport is not None:
            self._transport.write(head + b"\0\0\0\0" + payload)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def connect(port: int | Sequence[int], tokens: Sequence[str], on_frame: OnFrame | None = None) -> list[RawClient]:
    """A connection for each token, authenticated when this returns. Token "": none is sent. Several ports take turns."""
    ports = [port] if isinstance(port, int) else port
    loop = asyncio.get_running_loop()
    clients: list[RawClient] = []
    for start in range(0, len(tokens), CONNECT_AT_ONCE):
        part = tokens[start : start + CONNECT_AT_ONCE]
        made = await asyncio.gather(
            *(
                loop.create_connection(lambda: RawClient(None), "127.0.0.1", ports[(start + place) % len(ports)])
                for place in range(len(part))
            )
        )
        group = [client for _, client in made]
        await asyncio.wait_for(asyncio.gather(*(client.opened for client in group)), 30)
        for client, token in zip(group, part, strict=True):
            if token:
                client.send(msgspec.json.encode({"type": "authenticate", "token": token}))
        deadline = time.monotonic() + 30
        while any(token and not client.frames for client, token in zip(group, part, strict=True)):
            if time.monotonic() > deadline:
                raise TimeoutError("connections were not authenticated within 30 s")
            await asyncio.sleep(0.005)
        clients += group
    for client in clients:
        client.on_frame = on_frame
        client.frames = 0
    return clients


def make_send(conversation_id: str, client_msg_id: str, body: str) -> bytes:
    """The payload of a `message:send`."""
    frame = {"type": "message:send", "conversation_id": conversation_id, "client_msg_id": client_msg_id, "body": body}
    return msgspec.json.encode(frame)
