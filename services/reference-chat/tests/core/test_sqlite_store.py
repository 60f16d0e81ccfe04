"""What the SQLite store promises beyond the port: erased text is gone from the disk, a failing disk is `unavailable`."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nottermost_chat.adapters.sqlite_store import SqliteStore
from nottermost_chat.errors import StartError, Unavailable
from nottermost_chat.model import Head
from nottermost_chat.testing.batches import Draft, message_id_of

SECRET = "a sentence nobody may ever find again"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore.open(tmp_path / "store.db")
    yield store
    await store.close()


def bytes_on_disk(folder: Path) -> bytes:
    """The database and its WAL after a checkpoint."""
    connection = sqlite3.connect(folder / "store.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return b"".join(path.read_bytes() for path in sorted(folder.glob("store.db*")))


@pytest.mark.parametrize("body", [SECRET, SECRET + " and more" * 50, SECRET + " and much more" * 1000])
@pytest.mark.parametrize("how", ["edit", "redact"])
async def test_what_is_replaced_or_redacted_is_erased_from_the_disk(
    store: SqliteStore, tmp_path: Path, body: str, how: str
) -> None:
    """After a checkpoint neither the file nor its WAL holds a byte of a replaced or redacted text, short or long."""
    inline = len(body) < 4096
    if not inline:
        await store.put_text(message_id_of("1"), 1, body)
    one = Draft(Head("c"))
    entry = one.say("c", "1", body, inline=inline)
    await store.append(one.batch)
    assert SECRET.encode() in bytes_on_disk(tmp_path)
    two = Draft((await store.heads(["c"]))["c"])
    two.edit(entry, "2", "harmless") if how == "edit" else two.redact(entry, "2", deleted=False)
    await store.append(two.batch)
    assert SECRET.encode() not in bytes_on_disk(tmp_path)


async def test_log_records_carry_the_texts_of_now(store: SqliteStore) -> None:
    """A replay shows what a message is now: the edit, not what it replaced; nothing of what is deleted."""
    one = Draft(Head("c"))
    kept, gone = one.say("c", "1", "before"), one.say("c", "2", "to go")
    await store.append(one.batch)
    two = Draft((await store.heads(["c"]))["c"])
    two.edit(kept, "3", "after")
    two.delete(gone, "4")
    await store.append(two.batch)
    records = await store.log_records(0, 10)
    assert [record.preview for record in records] == ["after", None, "after", None]
    assert [record.log_position for record in records] == [1, 2, 3, 4]
    assert await store.log_end() == 4


async def test_a_failing_database_is_unavailable_and_heals(store: SqliteStore, tmp_path: Path) -> None:
    """An error of the disk refuses the operation with a stable error; afterwards the store works again."""
    connection = sqlite3.connect(tmp_path / "store.db")
    connection.execute("ALTER TABLE heads RENAME TO hidden")
    with pytest.raises(Unavailable):
        await store.heads(["c"])
    connection.execute("ALTER TABLE hidden RENAME TO heads")
    connection.close()
    assert await store.heads(["c"]) == {}


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """The program does not touch a file that a newer one wrote; the sentence says so."""
    connection = sqlite3.connect(tmp_path / "store.db")
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(StartError, match="newer Nottermost"):
        SqliteStore.open(tmp_path / "store.db")
