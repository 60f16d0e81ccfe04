"""What the figures are compared with: the same work without the chat around it."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import uvloop

from nottermost_chat.adapters.sqlite_store import INSERT_ENTRY, INSERT_TEXT, MOVE_HEAD, SCHEMA
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


def measure_bare_store(folder: Path, *, batch: int, conversations: int, body: str) -> float:
    """Messages a second into our exact schema: WAL, synchronous=FULL, `batch` messages a commit, nothing else."""
    path = folder / "bare.db"
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "cache_size=-65536"):
        db.execute(f"PRAGMA {pragma}")
    db.executescript(SCHEMA)
    new_id: Callable[[], str] = Clock().new_id
    ids, users = [new_id() for _ in range(conversations)], [new_id() for _ in range(batch)]
    for conversation_id in ids:
        db.execute("INSERT INTO heads VALUES (?, 1, 1, 0, 1, 0, 0, 0, 2, 0)", (conversation_id,))
    seqs, done = [1] * conversations, 0
    started = time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        entries, texts, heads = [], [], []
        for number in range(batch):
            place = number % conversations
            seqs[place] += 1
            message_id = new_id()
            entries.append((ids[place], 1, seqs[place], "message", users[number], message_id, 0, 1_700_000_000_000, 1,
                            seqs[place], 0, message_id, b"{}", b"12345678", 0, 0, None))  # fmt: skip
            texts.append((message_id, 1, body, 0, None))
        for place, conversation_id in enumerate(ids):
            before = seqs[place] - batch // conversations
            heads.append((1, seqs[place], 0, 1, seqs[place], 0, 1_700_000_000_000, 2, 0, conversation_id, 1, before))
        db.execute("BEGIN IMMEDIATE")
        db.executemany(MOVE_HEAD, heads)
        db.executemany(INSERT_ENTRY, entries)
        db.executemany(INSERT_TEXT, texts)
        db.execute("COMMIT")
        done += batch
    rate = done / (time.perf_counter() - started)
    db.close()
    for left in folder.glob("bare.db*"):
        left.unlink()
    return rate


def run_bare() -> None:
    """Write a prebuilt frame of 200 bytes to every connection, one write a frame, for as long as they read.

    Begins when a connection says `go`; prints its port.
    """
    pin(0)
    raise_file_limit()
    frame = make_frame(b"x" * 200)
    connections: list[asyncio.Transport] = []

    class Bare(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclasses

        def data_received(self, data: bytes) -> None:
            if GO in data and b"Upgrade" not in data:
                asyncio.get_running_loop().create_task(blast())
            else:
                self.transport.write(UPGRADE)
                connections.append(self.transport)

    async def blast() -> None:
        while True:
            waiting = 0
            for transport in connections:
                transport.write(frame)
                waiting = max(waiting, transport.get_write_buffer_size())
            await asyncio.sleep(0.001 if waiting > 65536 else 0)

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", 0, backlog=2048)
        print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - read by the parent
        await server.serve_forever()

    uvloop.run(main())
