"""What the figures are compared with: the same work without the chat around it."""

import asyncio
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import uvloop

from nottermost_chat.adapters.sqlite_store import INSERT_ENTRY, INSERT_TEXT, MOVE_HEAD, SCHEMA
from nottermost_chat.bench.load import RawClient
from nottermost_chat.bench.server import pin, raise_file_limit
from nottermost_chat.clock import Clock
from nottermost_chat.gateway.outbox import make_frame

UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
GO = b"go"
SECONDS = 3.0


def measure_fdatasync_ms(folder: Path, *, rounds: int = 100) -> float:
    """Milliseconds of one fdatasync after a write of 4 KiB."""
    path = folder / "sync-probe"
    handle = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        started = time.perf_counter()
        for _ in range(rounds):
            os.write(handle, b"x" * 4096)
            os.fdatasync(handle)
        return (time.perf_counter() - started) / rounds * 1000
    finally:
        os.close(handle)
        path.unlink()


class BareStore:
    """Our exact schema in a file of its own: WAL, synchronous=FULL, and nothing around it."""

    def __init__(self, path: Path, *, senders: int, body: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "cache_size=-65536"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(SCHEMA)
        self._new_id: Callable[[], str] = Clock().new_id
        self._body = body
        self._users = [self._new_id() for _ in range(senders)]
        self._ids = [self._new_id() for _ in range(senders // 2)]  # two senders share a conversation
        self._seqs = [1] * len(self._ids)
        for conversation_id in self._ids:
            self._db.execute("INSERT INTO heads VALUES (?, 1, 1, 0, 1, 0, 0, 0, 2, 0)", (conversation_id,))

    def append(self, senders: Sequence[int]) -> None:
        """One commit with a message of each of these senders."""
        entries, texts, before = [], [], dict[int, int]()
        for number in senders:
            place = number // 2
            before.setdefault(place, self._seqs[place])
            self._seqs[place] += 1
            message_id = self._new_id()
            entries.append((self._ids[place], 1, self._seqs[place], "message", self._users[number], message_id, 0,
                            1_700_000_000_000, 1, self._seqs[place], 0, message_id, b"{}", b"12345678", 0, 0, None))  # fmt: skip
            texts.append((message_id, 1, self._body, 0, None))
        heads = [
            (1, self._seqs[place], 0, 1, self._seqs[place], 0, 1_700_000_000_000, 2, 0, self._ids[place], 1, seq)
            for place, seq in before.items()
        ]
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(MOVE_HEAD, heads)
        self._db.executemany(INSERT_ENTRY, entries)
        self._db.executemany(INSERT_TEXT, texts)
        self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()


def measure_bare_store(folder: Path, *, senders: int, body: str) -> float:
    """Messages a second into the bare store, one of each sender a commit."""
    path = folder / "bare.db"
    store, everybody, done = BareStore(path, senders=senders, body=body), range(senders), 0
    started = time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        store.append(everybody)
        done += senders
    rate = done / (time.perf_counter() - started)
    store.close()
    for left in folder.glob("bare.db*"):
        left.unlink()
    return rate


class BareConnection(RawClient):
    """The server's side of a connection: answers the handshake, splits frames, writes frames."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclasses
        self._transport.write(UPGRADE)

    @property
    def transport(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport


def run_bare() -> None:
    """Write a prebuilt frame of 200 bytes to every connection, one write a frame, for as long as they read.

    Begins when a connection says anything; prints its port.
    """
    pin(0)
    raise_file_limit()
    frame = make_frame(b"x" * 200)
    connections: list[asyncio.Transport] = []

    def on_frame(_connection: RawClient, _payload: bytes) -> None:
        asyncio.get_running_loop().create_task(blast())

    class Blasted(BareConnection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            connections.append(self.transport)

    async def blast() -> None:
        while True:
            waiting = 0
            for transport in connections:
                transport.write(frame)
                waiting = max(waiting, transport.get_write_buffer_size())
            await asyncio.sleep(0.001 if waiting > 65536 else 0)

    uvloop.run(_listen(lambda: Blasted(on_frame)))


def run_bare_sends() -> None:
    """Commit every frame in groups into the bare store in the folder of the first argument, then send it back.

    Prints its port.
    """
    pin(0)
    raise_file_limit()
    senders = int(sys.argv[2])
    store = BareStore(Path(sys.argv[1]) / "bare-sends.db", senders=senders, body=sys.argv[3])
    waiting: list[tuple[RawClient, bytes]] = []
    numbers: dict[RawClient, int] = {}
    arrived = asyncio.Event()

    def on_frame(connection: RawClient, payload: bytes) -> None:
        waiting.append((connection, payload))
        arrived.set()

    async def commit() -> None:
        while True:
            await arrived.wait()
            arrived.clear()
            group = waiting[:]
            waiting.clear()
            await asyncio.to_thread(store.append, [numbers.setdefault(one, len(numbers) % senders) for one, _ in group])
            for connection, payload in group:
                cast("BareConnection", connection).transport.write(make_frame(payload))

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(commit())
            tasks.create_task(_listen(lambda: BareConnection(on_frame)))

    uvloop.run(main())


async def _listen(make: Callable[[], asyncio.Protocol]) -> None:
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - read by the parent
    await server.serve_forever()
