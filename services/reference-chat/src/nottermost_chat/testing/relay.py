"""A TCP relay that stands between a client and a server, and misbehaves on demand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from nottermost_chat.testing.servers import Address


class Relay:
    """Passes on what it hears.

    Attributes:
        passing: cleared: connections stay open and nothing is passed on, as with a stopped server.
        lose_answer_to: the request that holds these bytes arrives, its answer is lost with the connection; once.
        connections: how many there have been.
    """

    def __init__(self, server: Address) -> None:
        self._server = server
        self._pairs: set[asyncio.Task[None]] = set()
        self.passing = asyncio.Event()
        self.passing.set()
        self.lose_answer_to = b""
        self.connections = 0
        self.address = Address(0)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        pair = asyncio.create_task(self._join(reader, writer))
        self._pairs.add(pair)
        pair.add_done_callback(self._pairs.discard)
        pair.add_done_callback(lambda _: writer.transport.abort())  # also of one that was ended before it began

    async def reset(self) -> None:
        """End every connection; new ones are let through."""
        pairs = list(self._pairs)
        for pair in pairs:
            pair.cancel()
        await asyncio.gather(*pairs, return_exceptions=True)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(self._server.host, self._server.port)
        lost = asyncio.Event()
        pumps = [
            asyncio.create_task(self._ask(reader, there[1], lost)),
            asyncio.create_task(self._answer(there[0], writer, lost)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in (writer, there[1]):  # first: what follows may itself be cancelled
                end.transport.abort()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        while data := await reader.read(65_536):
            if self.lose_answer_to and self.lose_answer_to in data:
                self.lose_answer_to = b""
                lost.set()
            await self.passing.wait()
            writer.write(data)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        while data := await reader.read(65_536):
            if lost.is_set():
                return
            await self.passing.wait()
            writer.write(data)


@asynccontextmanager
async def relay_to(server: Address) -> AsyncIterator[Relay]:
    """A relay to this server, at `address`."""
    relay = Relay(server)
    listening = await asyncio.start_server(relay.accept, "127.0.0.1", 0)
    relay.address = Address(listening.sockets[0].getsockname()[1])
    try:
        yield relay
    finally:
        listening.close()
        with suppress(OSError):
            await relay.reset()
