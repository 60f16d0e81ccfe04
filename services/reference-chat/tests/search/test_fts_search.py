"""What is special about the index in SQLite: its file."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nottermost_chat.adapters import fts_search
from nottermost_chat.adapters.fts_search import FtsSearchIndex
from nottermost_chat.errors import StartError
from nottermost_chat.ports import SearchDocument, SearchQuery, SearchRemoval, Term

SECRET = "qx🜁🜂🜃zjv"
TRIGRAM = "🜁🜂🜃".encode()[2:]  # the index may share its first bytes with the entry before it


def document(number: int, body: str) -> SearchDocument:
    return SearchDocument(f"m{number}", "c", number, "u", number, body)


def is_in_files(folder: Path, content: bytes) -> bool:
    return any(content in path.read_bytes() for path in folder.iterdir())


async def test_what_a_crash_left_is_done_after_it(tmp_path: Path) -> None:
    """Removing every trace goes on where the process before this one ended."""
    index = FtsSearchIndex(tmp_path / "search.db")
    await index.apply([document(n, f"filler {n} " * 20) for n in range(2, 300)], [])
    await index.apply([document(1, SECRET)], [])
    reader = sqlite3.connect(tmp_path / "search.db", isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM texts").fetchone() == (299,)  # nothing can be scrubbed now
    await index.apply([], [SearchRemoval("m1")])
    await index.close()
    reader.close()
    index = FtsSearchIndex(tmp_path / "search.db")
    for _ in range(4):
        await index.apply([], [])
    assert not is_in_files(tmp_path, SECRET.encode())
    assert not is_in_files(tmp_path, TRIGRAM)
    await index.close()


@pytest.mark.parametrize("removal", ["edit", "delete", "clear"])
async def test_a_removed_text_is_in_no_file(tmp_path: Path, removal: str) -> None:
    """Not in the database nor in its log as soon as `apply` returns; of its trigrams nothing after a few more."""
    index = FtsSearchIndex(tmp_path / "search.db")
    await index.apply([document(n, f"filler {n} " * 20) for n in range(2, 300)], [])
    await index.apply([document(1, f"{SECRET} and more")], [])
    assert is_in_files(tmp_path, SECRET.encode())
    match removal:
        case "edit":
            await index.apply([document(1, "harmless")], [])
        case "delete":
            await index.apply([], [SearchRemoval("m1")])
        case "clear":
            await index.clear()
    assert not is_in_files(tmp_path, SECRET.encode())
    for _ in range(3):
        await index.apply([], [])
    assert not is_in_files(tmp_path, TRIGRAM)
    assert (await index.search(SearchQuery({"c": 0}, (Term("filler"),)))).total == (0 if removal == "clear" else 298)
    await index.close()


async def test_a_search_under_way_only_delays_that(tmp_path: Path) -> None:
    """A snapshot keeps the old pages readable; the next apply removes them."""
    index = FtsSearchIndex(tmp_path / "search.db")
    await index.apply([document(1, SECRET)], [])
    reader = sqlite3.connect(tmp_path / "search.db", isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM texts").fetchone() == (1,)
    await index.apply([], [SearchRemoval("m1")])
    assert is_in_files(tmp_path, SECRET.encode())
    reader.close()
    await index.apply([], [])
    assert not is_in_files(tmp_path, SECRET.encode())
    await index.close()


async def test_a_change_beside_the_text_leaves_it_alone(tmp_path: Path) -> None:
    """Reactions come often: the text is not indexed again for them."""
    index = FtsSearchIndex(tmp_path / "search.db")
    await index.apply([document(1, "word")], [])
    reader = sqlite3.connect(tmp_path / "search.db")
    before = reader.execute("SELECT id, block FROM trigrams_data ORDER BY id").fetchall()
    await index.apply([SearchDocument("m1", "c", 1, "u", 1, "Word", has_reaction=True)], [])
    assert reader.execute("SELECT id, block FROM trigrams_data ORDER BY id").fetchall() == before
    assert (await index.search(SearchQuery({"c": 0}, has_reaction=True))).total == 1
    reader.close()
    await index.close()


async def test_an_index_from_before_versions(tmp_path: Path) -> None:
    """It goes on with what it has, and can be rebuilt."""
    index = FtsSearchIndex(tmp_path / "search.db")
    await index.apply([document(1, "old word"), document(2, "word")], [])
    await index.close()
    with closing(sqlite3.connect(tmp_path / "search.db")) as connection:
        connection.executescript(
            "DROP TABLE rebuilds; DROP TABLE removed; ALTER TABLE documents DROP COLUMN version;"
            " ALTER TABLE documents DROP COLUMN rebuild; PRAGMA user_version = 1"
        )
    index = FtsSearchIndex(tmp_path / "search.db")
    assert not index.is_new
    assert (await index.search(SearchQuery({"c": 0}, (Term("word"),)))).total == 2
    rebuild = await index.begin_rebuild()
    await index.apply([document(2, "word")], [])
    await index.finish_rebuild(rebuild)
    assert (await index.search(SearchQuery({"c": 0}, (Term("word"),)))).total == 1
    await index.close()
    assert not is_in_files(tmp_path, b"old word")


async def test_it_says_when_it_is_new(tmp_path: Path) -> None:
    """Then everything has yet to be indexed."""
    for is_new in (True, False):
        index = FtsSearchIndex(tmp_path / "search.db")
        assert index.is_new is is_new
        await index.close()


def test_a_file_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a newer version, or no database: one sentence. Nothing else is tried."""
    path = tmp_path / "search.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StartError, match="newer"):
        FtsSearchIndex(path)
    path.write_bytes(b"not a database, but long enough to be taken for one" * 100)
    with pytest.raises(StartError, match=r"search\.db"):
        FtsSearchIndex(path)
    monkeypatch.setattr(fts_search, "_TRIGRAM_SINCE", (99, 0, 0))
    with pytest.raises(StartError, match=r"needs SQLite"):
        FtsSearchIndex(tmp_path / "other.db")
