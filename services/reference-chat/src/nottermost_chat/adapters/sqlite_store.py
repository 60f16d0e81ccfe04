"""The message store on SQLite: entries, texts and heads, appended in one transaction."""

import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from nottermost_chat.adapters.sql_rows import (
    SKELETON,
    STATE,
    encode_detail,
    qualified,
    read_entry,
    read_head,
    read_message,
)
from nottermost_chat.adapters.sqlite import SqliteFile
from nottermost_chat.model import Entry, EntryKind, Head, LogRecord, Message, Reaction
from nottermost_chat.ports import (
    AppendRefused,
    Batch,
    BatchLimits,
    NewEntry,
    OpKey,
    RepublishNote,
    Stored,
    TargetChange,
    key_of,
)

VERSION: Final = 2

SCHEMA: Final = """
CREATE TABLE heads (
  conversation_id TEXT PRIMARY KEY, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, floor_seq INTEGER NOT NULL,
  members_seq INTEGER NOT NULL, messages INTEGER NOT NULL, channel_mentions INTEGER NOT NULL,
  created_at INTEGER NOT NULL, members INTEGER NOT NULL, large INTEGER NOT NULL
) WITHOUT ROWID;

-- The skeletons. The columns from `version` on are the state of a message now.
CREATE TABLE entries (
  log_position INTEGER PRIMARY KEY, conversation_id TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
  kind TEXT NOT NULL, actor_id TEXT NOT NULL, message_id TEXT NOT NULL, target_seq INTEGER NOT NULL,
  created_at INTEGER NOT NULL, members_seq INTEGER NOT NULL, messages INTEGER NOT NULL,
  channel_mentions INTEGER NOT NULL, op_id TEXT NOT NULL, detail BLOB NOT NULL, fingerprint BLOB NOT NULL,
  large INTEGER NOT NULL, silent INTEGER NOT NULL, thread_id TEXT,
  version INTEGER NOT NULL DEFAULT 1, changed_seq INTEGER NOT NULL DEFAULT 0, edited_at INTEGER,
  deleted_at INTEGER, redacted INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX entries_by_seq ON entries (conversation_id, seq);
CREATE UNIQUE INDEX entries_by_operation ON entries (conversation_id, actor_id, op_id);
CREATE UNIQUE INDEX messages_by_id ON entries (message_id) WHERE kind = 'message';
CREATE INDEX messages_by_thread ON entries (thread_id, seq) WHERE thread_id IS NOT NULL;
CREATE INDEX messages_deleted ON entries (deleted_at) WHERE deleted_at IS NOT NULL AND redacted = 0;

-- `body` is null when the preview is all of it, or when it is in long_texts.
CREATE TABLE texts (
  message_id TEXT NOT NULL, version INTEGER NOT NULL, preview TEXT NOT NULL, has_more INTEGER NOT NULL, body TEXT,
  PRIMARY KEY (message_id, version)
) WITHOUT ROWID;
CREATE TABLE long_texts (
  message_id TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL, written_at INTEGER NOT NULL,
  PRIMARY KEY (message_id, version)
);
CREATE TABLE reactions (
  message_id TEXT NOT NULL, emoji TEXT NOT NULL, user_id TEXT NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY (message_id, emoji, user_id)
) WITHOUT ROWID;
CREATE TABLE republish_notes (
  conversation_id TEXT NOT NULL, owner TEXT NOT NULL, from_seq INTEGER NOT NULL, noted_at INTEGER NOT NULL,
  PRIMARY KEY (conversation_id, owner)
) WITHOUT ROWID;
CREATE TABLE consumers (name TEXT PRIMARY KEY, log_position INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE dead_letters (
  consumer TEXT NOT NULL, log_position INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (consumer, log_position)
) WITHOUT ROWID
"""

UPGRADES: Final = {
    1: """
CREATE TABLE republish_notes (
  conversation_id TEXT NOT NULL, owner TEXT NOT NULL, from_seq INTEGER NOT NULL, noted_at INTEGER NOT NULL,
  PRIMARY KEY (conversation_id, owner)
) WITHOUT ROWID;
INSERT INTO republish_notes SELECT conversation_id, '', from_seq, 0 FROM republish;
DROP TABLE republish
""",
}

INSERT_ENTRY: Final = (
    f"INSERT INTO entries ({SKELETON}, fingerprint, large, silent, thread_id) VALUES ({', '.join('?' * 17)})"
)
INSERT_TEXT: Final = "INSERT INTO texts VALUES (?, ?, ?, ?, ?)"
MOVE_HEAD: Final = (
    "UPDATE heads SET epoch = ?, seq = ?, floor_seq = max(floor_seq, ?), members_seq = ?, messages = ?, channel_mentions = ?,"
    " created_at = ?, members = ?, large = ? WHERE conversation_id = ? AND epoch = ? AND seq = ?"
)
_NEW_HEAD = f"INSERT OR IGNORE INTO heads VALUES ({', '.join('?' * 10)})"
_CHANGE_TARGET = (
    "UPDATE entries SET version = ?, changed_seq = ?, edited_at = CASE WHEN ? THEN ? ELSE edited_at END,"
    " deleted_at = CASE WHEN ? THEN coalesce(deleted_at, ?) ELSE NULL END, redacted = ?"
    " WHERE message_id = ? AND kind = 'message' AND version = ? AND (deleted_at IS NOT NULL) = ? AND redacted = 0"
)


class SqliteStore:
    """MessageStore on one SQLite file, and the positions of those who follow its log."""

    limits = BatchLimits()

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    @classmethod
    def open(cls, path: Path) -> "SqliteStore":
        """Raises: StartError when the file cannot be used or is from a newer version."""
        return cls(SqliteFile(path, SCHEMA, VERSION, upgrades=UPGRADES))

    async def close(self) -> None:
        await self._file.close()

    async def heads(self, conversation_ids: Sequence[str]) -> dict[str, Head]:
        sql = f"SELECT * FROM heads WHERE conversation_id IN ({_marks(conversation_ids)})"
        return await self._file.read(lambda db: {row[0]: read_head(row) for row in db.execute(sql, conversation_ids)})

    async def stored(self, keys: Sequence[OpKey]) -> dict[OpKey, Stored]:
        return await self._file.read(lambda db: _stored(db, keys))

    async def append(self, batch: Batch) -> list[int]:
        return await self._file.write(lambda db: append(db, batch))

    async def put_text(self, message_id: str, version: int, body: str) -> None:
        row = (message_id, version, body, time.time_ns() // 1_000_000)
        sql = (
            "INSERT OR REPLACE INTO long_texts SELECT ?, ?, ?, ?"
            " WHERE NOT EXISTS (SELECT 1 FROM texts WHERE message_id = ? AND version = ?)"  # one in use stays
        )
        await self._file.write(lambda db: db.execute(sql, (*row, message_id, version)))

    async def collect_texts(self, older_than_ms: int) -> int:
        sql = (
            "DELETE FROM long_texts WHERE written_at < ? AND NOT EXISTS (SELECT 1 FROM texts"
            " WHERE texts.message_id = long_texts.message_id AND texts.version = long_texts.version)"
        )
        return await self._file.write(lambda db: db.execute(sql, (older_than_ms,)).rowcount)

    async def entries(self, conversation_id: str, after_seq: int, limit: int) -> list[Entry]:
        sql = f"SELECT {SKELETON} FROM entries WHERE conversation_id = ? AND seq > ? ORDER BY seq LIMIT ?"
        args = (conversation_id, after_seq, limit)
        return await self._file.read(lambda db: [read_entry(row) for row in db.execute(sql, args)])

    async def records(self, conversation_id: str, after_seq: int, limit: int) -> list[LogRecord]:
        where, args = "entry.conversation_id = ? AND entry.seq > ? ORDER BY entry.seq", (conversation_id, after_seq)
        found = await self._file.read(lambda db: _log_records(db, where, args, limit))
        return [msgspec.structs.replace(record, log_position=0) for record in found]

    async def messages(self, conversation_id: str, message_ids: Sequence[str]) -> dict[str, Message]:
        where = f"kind = 'message' AND message_id IN ({_marks(message_ids)}) AND conversation_id = ?"

        def work(db: sqlite3.Connection) -> dict[str, Message]:
            found = _messages(db, where, (*message_ids, conversation_id))
            return {message.entry.message_id: message for message in found}

        return await self._file.read(work)

    async def full_message(self, conversation_id: str, message_id: str) -> Message | None:
        def work(db: sqlite3.Connection) -> Message | None:
            where = "kind = 'message' AND message_id = ? AND conversation_id = ?"
            found = _messages(db, where, (message_id, conversation_id))
            return _with_body(db, found[0]) if found else None

        return await self._file.read(work)

    async def history(
        self,
        conversation_id: str,
        *,
        limit: int,
        after_seq: int | None = None,
        before_seq: int | None = None,
        thread_id: str | None = None,
        roots_only: bool = False,
        floor_seq: int = 0,
    ) -> list[Message]:
        where, args = ["conversation_id = ?", "kind = 'message'", "seq > ?"], [conversation_id, floor_seq]
        if thread_id is not None:
            where.append(
                "log_position IN (SELECT log_position FROM entries WHERE thread_id = ? AND kind = 'message'"
                " UNION ALL SELECT log_position FROM entries WHERE message_id = ? AND kind = 'message')"
            )
            args += [thread_id, thread_id]
        if roots_only:
            where.append("(thread_id IS NULL OR json_extract(CAST(detail AS TEXT), '$.broadcast'))")
        if after_seq is not None:
            where.append("seq > ?")
            args.append(after_seq)
        elif before_seq is not None:
            where.append("seq < ?")
            args.append(before_seq)
        newest_first = after_seq is None
        order = f" ORDER BY seq {'DESC' if newest_first else 'ASC'} LIMIT {int(limit)}"
        found = await self._file.read(lambda db: _messages(db, " AND ".join(where), args, order))
        return found[::-1] if newest_first else found

    async def last_messages(self, conversation_ids: Sequence[str]) -> dict[str, Message]:
        where = (
            "log_position IN (SELECT (SELECT log_position FROM entries WHERE conversation_id = wanted.value"
            " AND kind = 'message' AND deleted_at IS NULL AND redacted = 0 ORDER BY seq DESC LIMIT 1)"
            " FROM json_each(?) AS wanted)"
        )
        args = (msgspec.json.encode(list(conversation_ids)).decode(),)

        def work(db: sqlite3.Connection) -> dict[str, Message]:
            return {message.entry.conversation_id: message for message in _messages(db, where, args, extras=False)}

        return await self._file.read(work)

    async def seq_at(self, conversation_id: str, at: int) -> int:
        next_message = (
            "SELECT seq, coalesce(json_extract(CAST(detail AS TEXT), '$.sent_at'), created_at) FROM entries"
            " WHERE conversation_id = ? AND seq >= ? AND kind = 'message' ORDER BY seq LIMIT 1"
        )

        def work(db: sqlite3.Connection) -> int:
            head = db.execute("SELECT seq FROM heads WHERE conversation_id = ?", (conversation_id,)).fetchone()
            low, high = 1, 1 if head is None else head[0] + 1
            while low < high:  # times do not fall from message to message, so they can be searched by halves
                middle = (low + high) // 2
                found = db.execute(next_message, (conversation_id, middle)).fetchone()
                if found is not None and found[1] < at:
                    low = found[0] + 1
                else:
                    high = middle
            return low

        return await self._file.read(work)

    async def deleted_before(self, deleted_at: int, limit: int) -> list[Entry]:
        sql = (
            f"SELECT {SKELETON} FROM entries WHERE deleted_at < ? AND deleted_at IS NOT NULL AND redacted = 0"
            " ORDER BY deleted_at LIMIT ?"
        )
        return await self._file.read(lambda db: [read_entry(row) for row in db.execute(sql, (deleted_at, limit))])

    async def trim(self, conversation_id: str, floor_seq: int, *, seen_seq: int | None = None) -> bool:
        def work(db: sqlite3.Connection) -> bool:
            head = db.execute("SELECT seq FROM heads WHERE conversation_id = ?", (conversation_id,)).fetchone()
            if head is None:
                return True
            floor = min(floor_seq, head[0] - 1)  # the last entry stays: log positions are never given twice
            gone = (conversation_id, floor)
            later = "SELECT 1 FROM entries WHERE conversation_id = ? AND seq > ? AND target_seq BETWEEN 1 AND ? LIMIT 1"
            if seen_seq is not None and db.execute(later, (conversation_id, seen_seq, floor)).fetchone() is not None:
                return False
            for table in ("texts", "long_texts", "reactions"):
                db.execute(
                    f"DELETE FROM {table} WHERE message_id IN (SELECT message_id FROM entries"
                    " WHERE conversation_id = ? AND seq <= ? AND kind = 'message')",
                    gone,
                )
            db.execute("DELETE FROM entries WHERE conversation_id = ? AND seq <= ?", gone)
            db.execute(
                "UPDATE heads SET floor_seq = max(floor_seq, ?) WHERE conversation_id = ?", (floor, conversation_id)
            )
            return True

        return await self._file.write(work)

    async def half_trimmed(self, conversation_ids: Sequence[str]) -> frozenset[str]:
        sql = (
            "SELECT conversation_id FROM heads WHERE conversation_id IN (SELECT value FROM json_each(?)) AND EXISTS"
            " (SELECT 1 FROM entries WHERE conversation_id = heads.conversation_id AND seq <= heads.floor_seq)"
        )
        args = (msgspec.json.encode(list(conversation_ids)).decode(),)
        return await self._file.read(lambda db: frozenset(row[0] for row in db.execute(sql, args)))

    async def note_republish(self, notes: Sequence[RepublishNote]) -> None:
        sql = (
            "INSERT INTO republish_notes VALUES (?, ?, ?, ?) ON CONFLICT (conversation_id, owner) DO UPDATE"
            " SET from_seq = min(from_seq, excluded.from_seq), noted_at = max(noted_at, excluded.noted_at)"
        )
        await self._file.write(lambda db: db.executemany(sql, [msgspec.structs.astuple(note) for note in notes]))

    async def republish_notes(self, owner: str, *, abandoned_before: int, limit: int) -> list[RepublishNote]:
        sql = "SELECT * FROM republish_notes WHERE owner = ? OR noted_at < ? LIMIT ?"
        args = (owner, abandoned_before, limit)
        return await self._file.read(lambda db: [RepublishNote(*row) for row in db.execute(sql, args)])

    async def clear_republish(self, note: RepublishNote) -> None:
        sql = "DELETE FROM republish_notes WHERE (conversation_id, owner, from_seq, noted_at) = (?, ?, ?, ?)"
        await self._file.write(lambda db: db.execute(sql, msgspec.structs.astuple(note)))

    # What the embedded event log needs: the entries of all conversations in the order of their commits.

    async def log_records(self, after: int, limit: int) -> list[LogRecord]:
        """Log records after a position, their previews as they are now."""
        where = "entry.log_position > ? ORDER BY entry.log_position"
        return await self._file.read(lambda db: _log_records(db, where, (after,), limit))

    async def log_end(self) -> int:
        """Position of the last entry; 0: none."""
        sql = "SELECT coalesce(max(log_position), 0) FROM entries"
        return await self._file.read(lambda db: int(db.execute(sql).fetchone()[0]))

    async def consumer_position(self, name: str) -> int:
        sql = "SELECT coalesce(max(log_position), 0) FROM consumers WHERE name = ?"
        return await self._file.read(lambda db: int(db.execute(sql, (name,)).fetchone()[0]))

    async def commit_position(self, name: str, position: int, dead: Sequence[tuple[int, str]] = ()) -> None:
        """Remember how far a consumer has come, and what it could not handle and why."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("INSERT OR REPLACE INTO consumers VALUES (?, ?)", (name, position))
            db.executemany("INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?)", [(name, *one) for one in dead])

        await self._file.write(work)

    async def position_before(self, created_at: int) -> int:
        """The log position before the first entry created at that time or later; the end's if there is none."""
        sql = (
            "SELECT coalesce(min(log_position) - 1, (SELECT max(log_position) FROM entries), 0) FROM entries"
            " WHERE created_at >= ?"
        )
        return await self._file.read(lambda db: int(db.execute(sql, (created_at,)).fetchone()[0]))

    async def dead_letters(self, name: str, after: int, limit: int) -> list[tuple[int, str, LogRecord | None]]:
        """Position, reason and record of what a consumer set aside after a position; retention may have removed it."""
        sql = "SELECT log_position, reason FROM dead_letters WHERE consumer = ? AND log_position > ? ORDER BY 1 LIMIT ?"

        def work(db: sqlite3.Connection) -> list[tuple[int, str, LogRecord | None]]:
            dead = db.execute(sql, (name, after, limit)).fetchall()
            where = f"entry.log_position IN ({_marks(dead)})"
            found = _log_records(db, where, [position for position, _ in dead], limit)
            records = {record.log_position: record for record in found}
            return [(position, reason, records.get(position)) for position, reason in dead]

        return await self._file.read(work)

    async def drop_dead_letters(self, name: str, positions: Sequence[int]) -> None:
        """They were handled after all."""
        sql = "DELETE FROM dead_letters WHERE consumer = ? AND log_position = ?"
        await self._file.write(lambda db: db.executemany(sql, [(name, position) for position in positions]))


def append(db: sqlite3.Connection, batch: Batch) -> list[int]:
    """Write the batch inside the current transaction; see MessageStore.append."""
    entries = batch.entries
    lost = [move.expected.conversation_id for move in batch.moves if not _move_head(db, move.expected, move.next)]
    stale = [new.target.message_id for new in entries if new.target and not _change_target(db, new, new.target)]
    if lost or stale:
        raise AppendRefused(_stored(db, [key_of(new.entry) for new in entries]), lost, stale)
    try:
        first = int(db.execute("SELECT coalesce(max(log_position), 0) + 1 FROM entries").fetchone()[0])
        db.executemany(INSERT_ENTRY, [entry_row(new) for new in entries])
        db.executemany(INSERT_TEXT, [text_row(new) for new in entries if new.preview is not None])
    except sqlite3.IntegrityError as error:
        # What this very batch inserted before the failing entry is no repeat, and is about to be undone.
        ours = [new.entry for new in entries]
        found = _stored(db, [key_of(entry) for entry in ours])
        repeats = {key: stored for key, stored in found.items() if stored.entry not in ours}
        if not repeats:
            raise
        raise AppendRefused(repeats, (), ()) from error
    for new in entries:
        if new.entry.kind is EntryKind.REACTION:
            _set_reaction(db, new.entry)
    return list(range(first, first + len(entries)))


def entry_row(new: NewEntry) -> tuple[Any, ...]:
    """The columns of INSERT_ENTRY."""
    entry = new.entry
    detail = entry.detail
    return (
        entry.conversation_id, entry.epoch, entry.seq, entry.kind.value, entry.actor_id, entry.message_id,
        entry.target_seq, entry.created_at, entry.members_seq, entry.messages, entry.channel_mentions, entry.op_id,
        encode_detail(detail), new.fingerprint,
        new.large, new.silent, detail.thread_id,
    )  # fmt: skip


def text_row(new: NewEntry) -> tuple[Any, ...]:
    """The columns of INSERT_TEXT."""
    version = new.target.version if new.target else 1
    return (new.entry.message_id, version, new.preview, new.has_more, new.text if new.has_more else None)


def _move_head(db: sqlite3.Connection, expected: Head, after: Head) -> bool:
    values = (after.epoch, after.seq, after.floor_seq, after.members_seq, after.messages, after.channel_mentions,
              after.created_at, after.members, after.large)  # fmt: skip
    if expected.seq == 0:
        return db.execute(_NEW_HEAD, (after.conversation_id, *values)).rowcount == 1
    return db.execute(MOVE_HEAD, (*values, after.conversation_id, expected.epoch, expected.seq)).rowcount == 1


def _change_target(db: sqlite3.Connection, new: NewEntry, target: TargetChange) -> bool:
    entry = new.entry
    edited = target.version != target.version_from
    changed = db.execute(
        _CHANGE_TARGET,
        (
            target.version, entry.seq, edited, entry.detail.sent_at or entry.created_at, target.deleted, entry.created_at, target.redacted,
            target.message_id, target.version_from, target.deleted_from,
        ),
    )  # fmt: skip
    if changed.rowcount != 1:
        return False
    if edited or target.redacted:  # what is replaced or erased shows nowhere: not in the file either
        for table in ("texts", "long_texts"):
            db.execute(
                f"DELETE FROM {table} WHERE message_id = ? AND (version < ? OR ?)",
                (target.message_id, target.version, target.redacted),
            )
    if target.redacted:
        db.execute("DELETE FROM reactions WHERE message_id = ?", (target.message_id,))
        db.execute("UPDATE entries SET fingerprint = x'' WHERE message_id = ?", (target.message_id,))
    return True


def _set_reaction(db: sqlite3.Connection, entry: Entry) -> None:
    key = (entry.message_id, entry.detail.emoji, entry.actor_id)
    if entry.detail.on:
        db.execute("INSERT OR IGNORE INTO reactions VALUES (?, ?, ?, ?)", (*key, entry.seq))
    else:
        db.execute("DELETE FROM reactions WHERE message_id = ? AND emoji = ? AND user_id = ?", key)


def _stored(db: sqlite3.Connection, keys: Iterable[OpKey]) -> dict[OpKey, Stored]:
    sql = f"SELECT {SKELETON}, fingerprint FROM entries WHERE conversation_id = ? AND actor_id = ? AND op_id = ?"
    found = {}
    for key in keys:
        row = db.execute(sql, key).fetchone()
        if row is not None:
            found[key] = Stored(read_entry(row), row[13])
    return found


def _messages(
    db: sqlite3.Connection, where: str, args: Sequence[Any], order: str = "", *, extras: bool = True
) -> list[Message]:
    rows = db.execute(
        f"SELECT found.*, texts.preview, texts.has_more FROM (SELECT {STATE} FROM entries WHERE {where}{order}) AS found"
        " LEFT JOIN texts ON texts.message_id = found.message_id AND texts.version = found.version",
        args,
    ).fetchall()
    if order:
        rows.sort(key=lambda row: row[2], reverse="DESC" in order)
    ids = [row[5] for row in rows]
    reactions = _reactions(db, ids) if extras else {}
    replies = _replies(db, ids) if extras else {}
    return [read_message(row, reactions.get(row[5], ()), replies.get(row[5], (0, None))) for row in rows]


def _with_body(db: sqlite3.Connection, message: Message) -> Message:
    if message.text is None or not message.has_more:
        return message
    key = (message.entry.message_id, message.version)
    (body,) = db.execute("SELECT body FROM texts WHERE message_id = ? AND version = ?", key).fetchone()
    if body is None:
        (body,) = db.execute("SELECT body FROM long_texts WHERE message_id = ? AND version = ?", key).fetchone()
    return msgspec.structs.replace(message, text=body)


def _reactions(db: sqlite3.Connection, message_ids: Sequence[str]) -> dict[str, tuple[Reaction, ...]]:
    users: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    sql = f"SELECT message_id, emoji, user_id FROM reactions WHERE message_id IN ({_marks(message_ids)}) ORDER BY seq"
    for message_id, emoji, user_id in db.execute(sql, message_ids):
        users[message_id][emoji].append(user_id)
    return {key: tuple(Reaction(emoji, tuple(who)) for emoji, who in found.items()) for key, found in users.items()}


def _replies(db: sqlite3.Connection, message_ids: Sequence[str]) -> dict[str, tuple[int, int | None]]:
    sql = (
        f"SELECT thread_id, count(*), max(created_at) FROM entries WHERE thread_id IN ({_marks(message_ids)})"
        " AND deleted_at IS NULL AND redacted = 0 GROUP BY thread_id"
    )
    return {thread_id: (count, last) for thread_id, count, last in db.execute(sql, message_ids)}


def _log_records(db: sqlite3.Connection, where: str, args: Sequence[Any], limit: int) -> list[LogRecord]:
    sql = (
        f"SELECT {qualified(SKELETON, 'entry')}, entry.large, entry.silent,"
        " entry.log_position, texts.preview, texts.has_more"
        " FROM entries AS entry LEFT JOIN entries AS target ON entry.kind IN ('message', 'edit', 'delete')"
        " AND target.message_id = entry.message_id AND target.kind = 'message'"
        " AND target.deleted_at IS NULL AND target.redacted = 0"
        " LEFT JOIN texts ON texts.message_id = target.message_id AND texts.version = target.version"
        f" WHERE {where} LIMIT ?"
    )
    return [
        LogRecord(read_entry(row), bool(row[13]), row[16], bool(row[17]), bool(row[14]), row[15])
        for row in db.execute(sql, (*args, limit))
    ]


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))
