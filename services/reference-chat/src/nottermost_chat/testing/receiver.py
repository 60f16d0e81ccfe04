"""A program that webhooks tell: a real HTTP server that keeps what it is sent and answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from nottermost_chat.testing.servers import Address


@dataclass(frozen=True)
class Received:
    """One request; header names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """What came, and what is answered to what comes next.

    Attributes:
        statuses: of the next requests, in order; then 200.
        location: where a redirect leads.
        silent: take requests and never answer.
    """

    address: Address
    requests: "asyncio.Queue[Received]" = field(default_factory=asyncio.Queue)
    statuses: list[int] = field(default_factory=list)
    location: str = ""
    answer: bytes = b"ok"
    silent: bool = False

    @property
    def url(self) -> str:
        return f"{self.address.url}/hook"

    async def next(self) -> Received:
        """The next request. Raises TimeoutError."""
        async with asyncio.timeout(20):
            return await self.requests.get()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.requests.put_nowait(Received(head[0].split()[1], headers, body))
            if self.silent:
                await reader.read()  # until the other end has had enough
                return
            status = HTTPStatus(self.statuses.pop(0) if self.statuses else 200)
            location = f"location: {self.location}\r\n" if self.location else ""
            writer.write(
                f"HTTP/1.1 {status} {status.phrase}\r\n{location}connection: close\r\n"
                f"content-length: {len(self.answer)}\r\n\r\n".encode()
                + self.answer
            )
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Listens on a free port of this machine."""
    receiver = Receiver(Address(0))
    server = await asyncio.start_server(receiver._serve, "127.0.0.1", 0)
    receiver.address = Address(server.sockets[0].getsockname()[1])
    try:
        yield receiver
    finally:
        server.close()
