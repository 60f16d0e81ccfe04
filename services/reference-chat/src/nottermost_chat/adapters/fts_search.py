"""The search index on SQLite's FTS5, in `search.db`.

Every condition is "this substring is in that text" (see `search/normalise.py`). The trigram index
answers it exactly for three characters and more; what is shorter, and words in their word form,
is checked on the rows that the other conditions leave.
"""

import asyncio
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from nottermost_chat.adapters.sqlite import SqliteFile
from nottermost_chat.errors import Conflict, StartError
from nottermost_chat.ports import SearchDocument, SearchHit, SearchQuery, SearchRemoval, SearchResult
from nottermost_chat.search.normalise import FIELD_END, Needles, find_needles, normalise, word_form

VERSION: Final = 2

_State = SearchDocument | SearchRemoval

_TRIGRAM_SINCE: Final = (3, 34, 0)
_SECURE_DELETE_SINCE: Final = (3, 42, 0)
_MATCHED_CHARS_MAX: Final = 64  # of a needle the index looks at; the rows that are left are checked for all of it
_MATCHED_NEEDLES_MAX: Final = 16  # the rest is checked row by row: each one costs a pass over its postings

SCHEMA: Final = """
CREATE TABLE documents (
  id INTEGER PRIMARY KEY, message_id TEXT NOT NULL UNIQUE, conversation_id TEXT NOT NULL, seq INTEGER NOT NULL,
  sender_id TEXT NOT NULL, created_at INTEGER NOT NULL,
  has_file INTEGER NOT NULL, has_link INTEGER NOT NULL, has_reaction INTEGER NOT NULL,
  version INTEGER NOT NULL DEFAULT 0, rebuild INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX documents_by_conversation ON documents (conversation_id, seq);

-- Apart from the documents: filters then read narrow rows. Normalised; fields end with U+001E.
CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT NOT NULL, words TEXT NOT NULL);

-- Case is folded already, further than the tokenizer would.
CREATE VIRTUAL TABLE trigrams USING fts5 (
  text, content = 'texts', content_rowid = 'id', tokenize = 'trigram case_sensitive 1'
)
"""
# A rebuild marks what is applied while it runs, and in the end removes what it did not mark.
_REBUILDS: Final = """;
CREATE TABLE rebuilds (rebuild INTEGER PRIMARY KEY, state TEXT NOT NULL);  -- the last one: running, finished or abandoned
CREATE TABLE removed (
  message_id TEXT PRIMARY KEY, version INTEGER NOT NULL, rebuild INTEGER NOT NULL
) WITHOUT ROWID
"""
_UPGRADES: Final = {
    1: "ALTER TABLE documents ADD COLUMN version INTEGER NOT NULL DEFAULT 0;"
    " ALTER TABLE documents ADD COLUMN rebuild INTEGER NOT NULL DEFAULT 0" + _REBUILDS
}
_SECURE_DELETE: Final = "; INSERT INTO trigrams (trigrams, rank) VALUES ('secure-delete', 1)"
# Without that option (before 3.42) the trigrams of a removed text stay in their segment, from which
# it could be put together again, until all segments have been merged: a few pages with each `apply`.
_MERGE: Final = "INSERT INTO trigrams (trigrams, rank) VALUES ('merge', -400)"  # pages: 1.6 MB, about 40 ms

_FIND_OLD = (
    "SELECT d.message_id, d.id, t.text FROM json_each(?) AS j"
    " JOIN documents AS d ON d.message_id = j.value JOIN texts AS t ON t.id = d.id"
)
# While a rebuild runs, what it has not marked is no reason to refuse anything.
_FIND_VERSIONS = (
    "SELECT message_id, version FROM (SELECT message_id, version, rebuild FROM documents"
    " UNION ALL SELECT message_id, version, rebuild FROM removed)"
    " WHERE message_id IN (SELECT value FROM json_each(?)) AND rebuild >= ?"
)
_PUT_DOCUMENT = (
    "INSERT INTO documents (message_id, conversation_id, seq, sender_id, created_at, has_file, has_link, has_reaction,"
    " version, rebuild) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (message_id) DO UPDATE SET conversation_id = excluded.conversation_id,"
    " seq = excluded.seq, sender_id = excluded.sender_id, created_at = excluded.created_at,"
    " has_file = excluded.has_file, has_link = excluded.has_link, has_reaction = excluded.has_reaction,"
    " version = excluded.version, rebuild = excluded.rebuild"
)


class FtsSearchIndex:
    """SearchIndex on one file; a commit that returned survives a power cut.

    Attributes:
        is_new: the file was created just now, so everything has yet to be indexed.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the index. Raises StartError when SQLite is too old or the file cannot be used."""
        if sqlite3.sqlite_version_info < _TRIGRAM_SINCE:
            raise StartError(f"search needs SQLite 3.34 or newer, found {sqlite3.sqlite_version}: use a newer Python")
        self._deletes_securely = sqlite3.sqlite_version_info >= _SECURE_DELETE_SINCE
        self._path, self.is_new = path, not path.exists()
        if not self.is_new:
            _check_readable(path)
        self._file = SqliteFile(
            path, SCHEMA + _REBUILDS + (_SECURE_DELETE if self._deletes_securely else ""), VERSION, upgrades=_UPGRADES
        )
        self._scrubbing = asyncio.Lock()
        # What the process before this one left undone is not known: then do it.
        self._segments_hold_removed = not (self.is_new or self._deletes_securely)
        self._wal_holds_removed = not self.is_new

    async def apply(self, upserts: Sequence[SearchDocument], removals: Sequence[SearchRemoval]) -> None:
        def write(connection: sqlite3.Connection) -> None:
            if _apply(connection, _newest([*upserts, *removals])):
                self._note_removed()
            if self._segments_hold_removed:
                self._segments_hold_removed = _merge_segments(connection)
                self._wal_holds_removed = True

        await self._file.write(write)
        await self._scrub()

    async def search(self, query: SearchQuery) -> SearchResult:
        readable = query.searched
        if not readable:
            return SearchResult((), 0)
        return await self._file.read(lambda connection: _search(connection, query, readable))

    async def clear(self) -> None:
        def write(connection: sqlite3.Connection) -> None:
            _clear(connection)
            self._wal_holds_removed = True

        await self._file.write(write)
        await self._scrub()

    async def begin_rebuild(self) -> str:
        return str(await self._file.write(_begin_rebuild))

    async def finish_rebuild(self, rebuild: str) -> None:
        def write(connection: sqlite3.Connection) -> None:
            if _finish_rebuild(connection, rebuild):
                self._note_removed()

        await self._file.write(write)
        await self._scrub()

    async def abandon_rebuild(self, rebuild: str) -> None:
        await self._file.write(lambda connection: _end_rebuild(connection, rebuild, "abandoned"))

    async def close(self) -> None:
        """Finish what is under way and close the file."""
        await self._file.close()

    def _note_removed(self) -> None:
        self._segments_hold_removed = not self._deletes_securely
        self._wal_holds_removed = True

    async def _scrub(self) -> None:
        """Empty the write-ahead log when it still holds pages with texts that were removed.

        A search that is under way may keep its snapshot for longer than a second; then the next
        `apply` tries again.
        """
        async with self._scrubbing:
            if self._wal_holds_removed:
                self._wal_holds_removed = not await asyncio.to_thread(_empty_wal, self._path)


def _check_readable(path: Path) -> None:
    """Raises StartError for a damaged index, or one that a newer SQLite wrote in a form this one does not know."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'trigrams'").fetchone():
                connection.execute("SELECT rowid FROM trigrams WHERE trigrams MATCH 'abc'").fetchone()
    except sqlite3.Error as error:
        raise StartError(f"cannot read {path}: {error}; remove {path.name}* and the index is built anew") from error


def _empty_wal(path: Path) -> bool:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=1)) as connection:
        (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def _newest(states: Iterable[_State]) -> dict[str, _State]:
    """The one of the highest version of each message; of equal ones the last."""
    newest: dict[str, _State] = {}
    for state in states:
        known = newest.get(state.message_id)
        if known is None or known.version <= state.version:
            newest[state.message_id] = state
    return newest


def _apply(connection: sqlite3.Connection, states: Mapping[str, _State]) -> bool:
    """Returns whether any text went away."""
    rebuild, is_running = _last_rebuild(connection)
    ids = msgspec.json.encode(list(states)).decode()
    versions = dict(connection.execute(_FIND_VERSIONS, (ids, rebuild if is_running else 0)).fetchall())
    states = {id_: state for id_, state in states.items() if versions.get(id_, -1) <= state.version}
    documents = {id_: state for id_, state in states.items() if isinstance(state, SearchDocument)}
    gone = states.keys() - documents.keys()
    connection.executemany("DELETE FROM removed WHERE message_id = ?", ((id_,) for id_ in documents))
    connection.executemany(
        "INSERT OR REPLACE INTO removed VALUES (?, ?, ?)", ((id_, states[id_].version, rebuild) for id_ in gone)
    )
    return _put(connection, documents, gone, rebuild)


def _put(
    connection: sqlite3.Connection, documents: Mapping[str, SearchDocument], gone: Collection[str], rebuild: int
) -> bool:
    """Returns whether any text went away."""
    ids = msgspec.json.encode([*documents, *gone]).decode()
    old = {message_id: (rowid, text) for message_id, rowid, text in connection.execute(_FIND_OLD, (ids,))}
    texts = {message_id: _text_of(document) for message_id, document in documents.items()}
    outdated = [old[message_id] for message_id in old if texts.get(message_id) != old[message_id][1]]
    connection.executemany("INSERT INTO trigrams (trigrams, rowid, text) VALUES ('delete', ?, ?)", outdated)
    connection.executemany("DELETE FROM texts WHERE id = ?", ((rowid,) for rowid, _ in outdated))
    connection.executemany("DELETE FROM documents WHERE message_id = ?", ((message_id,) for message_id in gone))
    added = []
    for message_id, document in documents.items():
        cursor = connection.execute(_PUT_DOCUMENT, (*_row_of(document), document.version, rebuild))
        rowid, text = old.get(message_id, (cursor.lastrowid, None))
        if texts[message_id] != text:
            added.append((rowid, texts[message_id]))
    connection.executemany("INSERT INTO texts VALUES (?, ?, ?)", ((id_, text, _words_of(text)) for id_, text in added))
    connection.executemany("INSERT INTO trigrams (rowid, text) VALUES (?, ?)", added)
    return bool(outdated)


def _last_rebuild(connection: sqlite3.Connection) -> tuple[int, bool]:
    """Its number, 0 before the first, and whether it runs."""
    row = connection.execute("SELECT rebuild, state = 'running' FROM rebuilds").fetchone()
    return (row[0], bool(row[1])) if row else (0, False)


def _begin_rebuild(connection: sqlite3.Connection) -> int:
    number = _last_rebuild(connection)[0] + 1
    connection.execute("DELETE FROM rebuilds")
    connection.execute("INSERT INTO rebuilds VALUES (?, 'running')", (number,))
    return number


def _end_rebuild(connection: sqlite3.Connection, rebuild: str, state: str) -> bool:
    """Returns whether it was running."""
    connection.execute("UPDATE rebuilds SET state = ? WHERE rebuild = ? AND state = 'running'", (state, rebuild))
    return bool(connection.execute("SELECT changes()").fetchone()[0])


def _finish_rebuild(connection: sqlite3.Connection, rebuild: str) -> bool:
    """Returns whether any text went away. Raises Conflict."""
    if not _end_rebuild(connection, rebuild, "finished"):
        raise Conflict(f"the rebuild {rebuild} was replaced by a later one, or has ended: see whether that one runs")
    connection.execute("DELETE FROM removed WHERE rebuild < ?", (rebuild,))
    unmarked = connection.execute("SELECT message_id FROM documents WHERE rebuild < ?", (rebuild,)).fetchall()
    return _put(connection, {}, [message_id for (message_id,) in unmarked], 0)


def _merge_segments(connection: sqlite3.Connection) -> bool:
    """Do a part of merging everything into one segment. Returns whether there was something to do."""
    before = connection.total_changes
    connection.execute(_MERGE)
    return connection.total_changes - before >= 2  # as FTS5's documentation has it


def _text_of(document: SearchDocument) -> str:
    return "".join(normalise(field) + FIELD_END for field in (document.body, *document.file_names))


def _words_of(text: str) -> str:
    return FIELD_END.join(word_form(field) for field in text.split(FIELD_END))


def _row_of(document: SearchDocument) -> tuple[object, ...]:
    return (
        document.message_id,
        document.conversation_id,
        document.seq,
        document.sender_id,
        document.created_at,
        bool(document.file_names),
        document.has_link,
        document.has_reaction,
    )


def _clear(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO trigrams (trigrams) VALUES ('delete-all')")
    for table in ("texts", "documents", "removed"):
        connection.execute(f"DELETE FROM {table}")


class _Conditions:
    """The parts of a WHERE clause with their values, and what the trigram index is asked."""

    def __init__(self) -> None:
        self.sql: list[str] = []
        self.values: list[object] = []
        self.matched: list[str] = []

    def add(self, sql: str, *values: object) -> None:
        self.sql.append(sql)
        self.values += values

    def add_needles(self, needles: Needles) -> None:
        """All of them must be there."""
        for chunk in needles.chunks:
            indexed = len(chunk) >= 3 and len(self.matched) < _MATCHED_NEEDLES_MAX
            if indexed:
                self.matched.append(chunk[:_MATCHED_CHARS_MAX])
            if not indexed or len(chunk) > _MATCHED_CHARS_MAX:
                self.add("instr(t.text, ?)", chunk)
        if needles.words:
            self.add("instr(t.words, ?)", needles.words)

    def add_absent(self, needles: Needles) -> None:
        """They must not all be there."""
        parts = ["instr(t.text, ?)"] * len(needles.chunks) + ["instr(t.words, ?)"] * bool(needles.words)
        self.add(f"NOT ({' AND '.join(parts) or 'true'})", *needles.chunks, *[needles.words] * bool(needles.words))

    @property
    def match(self) -> str:
        """Quoted, so that nothing in a needle is an operator of FTS5."""
        return " AND ".join('"' + needle.replace('"', '""') + '"' for needle in self.matched)


def _conditions_of(query: SearchQuery) -> _Conditions:
    conditions = _Conditions()
    for term in query.terms:
        needles = find_needles(term)
        if term.negated:
            conditions.add_absent(needles)
        else:
            conditions.add_needles(needles)
    if query.senders:
        conditions.add("d.sender_id IN (SELECT value FROM json_each(?))", msgspec.json.encode(query.senders).decode())
    if query.created_from is not None:
        conditions.add("d.created_at >= ?", query.created_from)
    if query.created_before is not None:
        conditions.add("d.created_at < ?", query.created_before)
    for column in ("has_file", "has_link", "has_reaction"):
        if getattr(query, column):
            conditions.add(f"d.{column}")
    return conditions


def _search(connection: sqlite3.Connection, query: SearchQuery, readable: Mapping[str, int]) -> SearchResult:
    _fill_readable(connection, readable)
    conditions = _conditions_of(query)
    wholes = [] if query.by_date else _whole_words(query)
    distance = "bm25(trigrams)" if conditions.matched and not query.by_date else "0"
    # CROSS JOIN fixes the order: the trigram index leaves the fewest rows, then what may be read.
    source = "readable AS r CROSS JOIN documents AS d ON d.conversation_id = r.id AND d.seq > r.above"
    if conditions.matched:
        source = (
            "trigrams CROSS JOIN documents AS d ON d.id = trigrams.rowid"
            " CROSS JOIN readable AS r ON r.id = d.conversation_id AND d.seq > r.above"
        )
        conditions.add("trigrams MATCH ?", conditions.match)
    if query.terms:
        source += " CROSS JOIN texts AS t ON t.id = d.id"
    # Only names from this module and question marks are put into the statement.
    sql = f"""
        WITH hits AS (
          SELECT d.conversation_id, d.message_id, d.seq, d.created_at, {distance} AS distance,
            {" + ".join(["0", *["(instr(t.words, ?) > 0)"] * len(wholes)])} AS wholes
          FROM {source} WHERE {" AND ".join(["true", *conditions.sql])}
        )
        SELECT total, page.* FROM (SELECT count(*) AS total FROM hits) LEFT JOIN (
          SELECT conversation_id, message_id, seq FROM hits
          ORDER BY wholes DESC, distance, created_at DESC, seq DESC, message_id DESC LIMIT ? OFFSET ?
        ) AS page
    """
    rows = connection.execute(sql, (*wholes, *conditions.values, query.limit, query.offset)).fetchall()
    return SearchResult(tuple(SearchHit(*row[1:]) for row in rows if row[1] is not None), rows[0][0])


def _whole_words(query: SearchQuery) -> list[str]:
    """What to look for in the word form to see whether unquoted words stand there as words."""
    return [
        word_form(normalise(term.text)) for term in query.terms if not (term.negated or term.whole_words or term.prefix)
    ]


def _fill_readable(connection: sqlite3.Connection, readable: Mapping[str, int]) -> None:
    """Into a table of this connection: thousands of conversations do not fit into parameters."""
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS readable (id TEXT PRIMARY KEY, above INTEGER) WITHOUT ROWID")
    connection.execute("DELETE FROM readable")
    pairs = msgspec.json.encode(readable).decode()
    connection.execute("INSERT INTO readable SELECT key, value FROM json_each(?)", (pairs,))
