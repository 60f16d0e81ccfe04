"""The database as a file: what one write sees of another, what a file must be, what closing leaves."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory
from nottermost_chat.directory.sqlite import GROUP_MAX, SqliteDatabase
from nottermost_chat.errors import StartError, Unavailable


@pytest.fixture
async def database(path: Path) -> AsyncIterator[SqliteDatabase]:
    database = await SqliteDatabase.open(path)
    await database.write(lambda connection: connection.execute(text("CREATE TABLE notes (note TEXT UNIQUE)")))
    yield database
    await database.close()


class Gate:
    """A write that holds the writer until it is opened, so that others gather behind it."""

    def __init__(self) -> None:
        self._open, self.entered = threading.Event(), threading.Event()

    def __call__(self, _connection: Connection) -> None:
        self.entered.set()
        assert self._open.wait(10)

    def open(self) -> None:
        self._open.set()


def note(connection: Connection, word: str) -> str:
    connection.execute(text("INSERT INTO notes VALUES (:word)"), {"word": word})
    return word


def count(connection: Connection) -> int:
    return len(connection.execute(text("SELECT note FROM notes")).all())


async def test_a_failed_write_takes_back_only_itself(database: SqliteDatabase) -> None:
    """Writes that share a transaction: the failed one leaves nothing, the others stay, each hears its own result."""
    gate = Gate()
    held = asyncio.create_task(database.write(gate))
    await asyncio.to_thread(gate.entered.wait)

    def half(connection: Connection) -> None:
        note(connection, "half")
        raise ValueError("not this one")

    words = [f"word {number}" for number in range(GROUP_MAX)]
    writes = [
        asyncio.create_task(database.write(lambda connection, word=word: note(connection, word)))  # type: ignore[misc]
        for word in words
    ]
    failing = asyncio.create_task(database.write(half))
    cancelled = asyncio.create_task(database.write(lambda connection: note(connection, "cancelled")))
    await asyncio.sleep(0)
    cancelled.cancel()
    gate.open()
    await held
    assert await asyncio.gather(*writes) == words
    with pytest.raises(ValueError, match="not this one"):
        await failing
    assert await database.read(count) == len(words)


async def test_reads_do_not_wait_for_the_writer(database: SqliteDatabase) -> None:
    """A reader answers from the last committed state while a write is under way."""
    gate = Gate()

    def slow(connection: Connection) -> None:
        note(connection, "slow")
        gate(connection)

    held = asyncio.create_task(database.write(slow))
    await asyncio.to_thread(gate.entered.wait)
    assert await asyncio.wait_for(database.read(count), 5) == 0
    gate.open()
    await held
    assert await database.read(count) == 1


async def test_closing_finishes_what_waits(path: Path) -> None:
    """Every write taken before the close is in the file afterwards; none is taken later."""
    database = await SqliteDatabase.open(path)
    await database.write(lambda connection: connection.execute(text("CREATE TABLE notes (note TEXT UNIQUE)")))
    writes = [
        asyncio.create_task(database.write(lambda connection, word=word: note(connection, word)))  # type: ignore[misc]
        for word in map(str, range(3 * GROUP_MAX))
    ]
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*writes)
    with pytest.raises(Unavailable):
        await database.write(count)
    with pytest.raises(Unavailable):
        await database.read(count)
    await database.close()
    again = await SqliteDatabase.open(path)
    assert await again.read(count) == 3 * GROUP_MAX
    await again.close()


async def test_a_returned_write_is_synced(database: SqliteDatabase) -> None:
    """The writer syncs each commit: WAL with synchronous=FULL, and foreign keys hold."""

    def pragmas(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [connection.execute(text(f"PRAGMA {name}")).scalar() for name in names]

    assert await database.write(pragmas) == ["wal", 2, 1]


async def test_a_write_error_of_the_database_is_unavailable(database: SqliteDatabase) -> None:
    """What the driver reports about the file becomes the chat's own error."""
    with pytest.raises(Unavailable):
        await database.write(lambda connection: connection.execute(text("INSERT INTO nowhere VALUES (1)")))
    with pytest.raises(Unavailable):
        await database.read(lambda connection: connection.execute(text("SELECT * FROM nowhere")))


async def test_a_full_disk_takes_back_the_whole_group(database: SqliteDatabase) -> None:
    """When a write finds no room everybody in its transaction hears that nothing was stored; later writes go on."""
    pages = await database.write(lambda connection: connection.execute(text("PRAGMA page_count")).scalar_one())
    await database.write(lambda connection: connection.execute(text(f"PRAGMA max_page_count = {pages + 5}")).scalar())
    gate = Gate()
    held = asyncio.create_task(database.write(gate))
    await asyncio.to_thread(gate.entered.wait)
    small, large, other = (
        asyncio.create_task(database.write(lambda connection, word=word: note(connection, word)))  # type: ignore[misc]
        for word in ("small", "large" * 100_000, "other")
    )
    await asyncio.sleep(0)
    gate.open()
    await held
    for refused in (small, large, other):
        with pytest.raises(Unavailable):
            await refused
    assert await database.read(count) == 0
    await database.write(lambda connection: connection.execute(text("PRAGMA max_page_count = 1000000")).scalar())
    await database.write(lambda connection: note(connection, "room again"))
    assert await database.read(count) == 1


async def test_refuses_a_file_of_a_newer_version(path: Path, clock: Clock) -> None:
    """A newer schema is refused in one sentence and is left as it was."""
    await (await Directory.open(path, clock)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version_directory SET version_num = 'v999_0'")
    connection.close()
    with pytest.raises(StartError, match="newer version") as refusal:
        await Directory.open(path, clock)
    assert "\n" not in str(refusal.value)


async def test_refuses_what_is_no_database(tmp_path: Path, clock: Clock) -> None:
    """A file of something else, or a folder that is not there, is a StartError."""
    other = tmp_path / "other.db"
    other.write_bytes(b"not a database, but long enough to be looked at " * 40)
    for path in (other, tmp_path / "nowhere" / "directory.db"):
        with pytest.raises(StartError, match="cannot be used as a database"):
            await Directory.open(path, clock)


async def test_what_is_written_survives_a_restart(tmp_path: Path, clock: Clock) -> None:
    """The second opening finds the tables and what is in them, whatever the folder is called."""
    path = tmp_path / "my data? 100%#" / "directory.db"
    path.parent.mkdir()
    directory = await Directory.open(path, clock)
    user = await directory.accounts.create_user(username="ada")
    await directory.close()
    directory = await Directory.open(path, clock)
    assert await directory.accounts.user(user.user_id) == user
    assert path.is_file()
    await directory.close()
