"""A network with faults: connections that stay open while nothing comes through any more, or that are cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

CHUNK_BYTES: Final = 2**16


class Wire:
    """Passes bytes on between clients and a port of this machine.

    Attributes:
        silent: connections that are made now hear nothing.
        down: connections that are made now end at once.
        connections: made so far.
    """

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._pumps: set[asyncio.Task[None]] = set()
        self._ends: list[asyncio.StreamWriter] = []
        self.port = 0
        self.silent = self.down = False
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fall_silent(self) -> None:
        """For the connections that there are this is for ever, for new ones until `silent` is taken back."""
        self.silent = True
        for pump in self._pumps:
            pump.cancel()

    def cut(self) -> None:
        """End the connections that there are; new ones end until `down` is taken back."""
        self.down = True
        for pump in self._pumps:
            pump.cancel()
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.down:
            writer.transport.abort()
            return
        self._ends.append(writer)
        if self.silent:
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
        self._ends.append(there_writer)
        if not self._passes():  # any more
            there_writer.transport.abort()
            return
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            pump = asyncio.create_task(self._pump(source, sink))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    def _passes(self) -> bool:
        return not (self.silent or self.down)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while chunk := await source.read(CHUNK_BYTES):
                sink.write(chunk)
                await sink.drain()
        sink.close()


@asynccontextmanager
async def running_wire(to_port: int) -> AsyncIterator[Wire]:
    """A wire to this port, on a free one."""
    wire = Wire(to_port)
    server = await asyncio.start_server(wire.accept, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
        wire.cut()
