"""A WebSocket client that can also do everything wrong: frames byte by byte, over plain streams."""

import asyncio
import base64
import os
import socket
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

CONTINUATION: Final = 0
TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

ANSWER_S: Final = 20.0  # no test waits longer for a frame; a busy machine is slow, not wrong


class Frame(msgspec.Struct, frozen=True):
    """A WebSocket frame as it came."""

    opcode: int
    payload: bytes
    fin: bool = True


class Closed(Exception):
    """The server ended the connection. `code` 1006: without saying why."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


def parse_frame(data: bytes) -> tuple[Frame, bytes]:
    """The first frame of `data` and what follows it (RFC 6455 §5.2, unmasked). Raises IndexError when it is cut."""
    size, at = data[1] & 0x7F, 2
    if size >= 126:
        width = 2 if size == 126 else 8
        if len(data) < at + width:
            raise IndexError
        size, at = int.from_bytes(data[at : at + width], "big"), at + width
    if data[1] & 0x80 or data[0] & 0x70 or len(data) < at + size:
        raise IndexError
    return Frame(data[0] & 0x0F, data[at : at + size], bool(data[0] & 0x80)), data[at + size :]


def make_client_frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """A masked frame, whatever is in it."""
    head, size, mask = bytes([opcode | (0x80 if fin else 0)]), len(payload), os.urandom(4)
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([0x80 | 127]) + size.to_bytes(8, "big")
    repeated = mask * (size // 4 + 1)
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(repeated[:size], "big")
    return head + mask + masked.to_bytes(size, "big")


class RawSocket:
    """One connection. `receive` gives decoded server frames and raises Closed at the end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self._received = b""

    @classmethod
    async def open(cls, url: str, *, read_ahead_bytes: int = 2**16) -> "RawSocket":
        """Raises: HandshakeRefused. `read_ahead_bytes`: what arrives before it is asked for; few make a slow reader."""
        at = urlsplit(url)
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, read_ahead_bytes)  # before the window is told
        plain.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plain, (at.hostname, at.port))
        reader, writer = await asyncio.open_connection(sock=plain, limit=read_ahead_bytes)
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET /ws HTTP/1.1\r\nHost: {at.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        writer.write(request.encode())
        async with asyncio.timeout(ANSWER_S):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        status = int(head.split(" ", 2)[1])
        if status != 101:
            writer.close()
            raise HandshakeRefused(status, head)
        return cls(reader, writer)

    async def send(self, frame: object) -> None:
        """A text frame with this as JSON."""
        await self.send_raw(make_client_frame(TEXT, msgspec.json.encode(frame)))

    async def send_raw(self, data: bytes) -> None:
        """These bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def receive(self) -> dict[str, Any]:
        """The next server frame. Raises: Closed, TimeoutError."""
        while True:
            frame = await self.receive_frame()
            if frame.opcode == TEXT:
                decoded: dict[str, Any] = msgspec.json.decode(frame.payload)
                return decoded
            if frame.opcode == CLOSE:
                self.abort()
                raise Closed(int.from_bytes(frame.payload[:2], "big"))

    async def receive_frame(self) -> Frame:
        async with asyncio.timeout(ANSWER_S):
            while True:
                try:
                    frame, self._received = parse_frame(self._received)
                except IndexError:
                    try:
                        more = await self._reader.read(2**16)
                    except ConnectionError:
                        more = b""
                    if not more:
                        raise Closed(1006) from None
                    self._received += more
                else:
                    return frame

    async def expect(self, kind: str, /, **fields: object) -> dict[str, Any]:
        """The next frame of this type with these fields; others before it are passed over."""
        while True:
            frame = await self.receive()
            if frame["type"] == kind and all(frame.get(name) == value for name, value in fields.items()):
                return frame

    async def closed(self) -> int:
        """The close code, whatever comes before it."""
        return (await self.rest())[1]

    async def rest(self) -> tuple[list[dict[str, Any]], int]:
        """Everything that still comes, and the close code at its end."""
        frames = []
        while True:
            try:
                frames.append(await self.receive())
            except Closed as closed:
                return frames, closed.code

    async def authenticate(self, token: str) -> dict[str, Any]:
        """Sign in; returns the answer."""
        await self.send({"type": "authenticate", "token": token})
        return await self.expect("authenticated")

    def abort(self) -> None:
        """End the connection without a word."""
        self.writer.transport.abort()


class HandshakeRefused(Exception):
    """The server answered something else than 101."""

    def __init__(self, status: int, head: str) -> None:
        super().__init__(head)
        self.status, self.head = status, head.lower()
