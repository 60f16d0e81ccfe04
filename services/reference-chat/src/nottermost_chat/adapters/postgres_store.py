"""The message store on PostgreSQL: entries, texts and heads, appended in one round trip.

The event log is elsewhere (Kafka), so entries have no log positions here. What is erased is
deleted from its table: no statement finds it again. Its bytes stay in the table's file until
autovacuum makes their place free and something else is written there, in the write-ahead log
until its segments are recycled, and in backups until those expire.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

import msgspec
import psycopg
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from nottermost_chat import migrations
from nottermost_chat.adapters.postgres import CONNECTIONS_MAX, Postgres, Rows, Statement, cannot_use, conninfo
from nottermost_chat.adapters.sql_rows import (
    HEAD,
    SKELETON,
    STATE,
    encode_detail,
    qualified,
    read_entry,
    read_head,
    read_message,
)
from nottermost_chat.directory.server import Server
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import Entry, Head, LogRecord, Message, Reaction
from nottermost_chat.ports import (
    AppendRefused,
    Batch,
    BatchLimits,
    HeadMove,
    NewEntry,
    OpKey,
    RepublishNote,
    Stored,
    key_of,
)
from nottermost_chat.resilience import POLICIES

ROWS_MAX: Final = 1_000  # removed in one transaction: well below what the time limit of a statement allows


class PostgresStore:
    """MessageStore in one PostgreSQL database, whose schema is that of `migrations/store`."""

    limits = BatchLimits()

    def __init__(self, database: Postgres) -> None:
        self._database = database

    @classmethod
    async def open(
        cls, server: Server, metrics: Metrics, monotonic: Callable[[], float], *, connections_max: int = CONNECTIONS_MAX
    ) -> "PostgresStore":
        """Connect, and bring the schema up to date as far as older programs bear it. Raises: StartError."""
        policy = POLICIES["message store"]
        database = await Postgres.open(server, policy, metrics, monotonic, connections_max=connections_max)
        try:
            if not await _is_newest(database):
                await asyncio.to_thread(_upgrade, server)
        except BaseException:
            await database.close()
            raise
        return cls(database)

    async def close(self) -> None:
        await self._database.close()

    async def heads(self, conversation_ids: Sequence[str]) -> dict[str, Head]:
        rows = await self._database.rows(HEADS, [list(conversation_ids)])
        return {row[0]: read_head(row) for row in rows}

    async def stored(self, keys: Sequence[OpKey]) -> dict[OpKey, Stored]:
        columns = [list(column) for column in zip(*keys, strict=True)] or [[], [], []]
        found = [Stored(read_entry(row), row[13]) for row in await self._database.rows(STORED, columns)]
        return {key_of(one.entry): one for one in found}

    async def append(self, batch: Batch) -> list[int]:
        """See MessageStore.append. The positions are 0: the log is not here.

        When it is not known whether an append was committed it is tried again. It is then
        refused, naming its own entries as repeats.
        """
        ids = [move.expected.conversation_id for move in batch.moves]
        ((lost, stale, repeated),) = await self._database.rows_after((LOCK, [ids]), lay_out(batch))
        if lost or stale or repeated:
            raise AppendRefused(await self.stored([key_of(new.entry) for new in batch.entries]), lost, stale)
        return [0] * len(batch.entries)

    async def put_text(self, message_id: str, version: int, body: str) -> None:
        await self._database.rows(PUT_TEXT, (message_id, version, body, time.time_ns() // 1_000_000))

    async def collect_texts(self, older_than_ms: int) -> int:
        collected = 0
        while (found := await self._database.rows(COLLECT_TEXTS, (older_than_ms, ROWS_MAX))) == [(ROWS_MAX,)]:
            collected += ROWS_MAX
        return collected + int(found[0][0])

    async def entries(self, conversation_id: str, after_seq: int, limit: int) -> list[Entry]:
        return [read_entry(row) for row in await self._database.rows(ENTRIES, (conversation_id, after_seq, limit))]

    async def records(self, conversation_id: str, after_seq: int, limit: int) -> list[LogRecord]:
        rows = await self._database.rows(RECORDS, (conversation_id, after_seq, limit))
        return [LogRecord(read_entry(row), row[13], row[15], bool(row[16]), row[14]) for row in rows]

    async def messages(self, conversation_id: str, message_ids: Sequence[str]) -> dict[str, Message]:
        found = _read_messages(await self._database.rows(MESSAGES, (list(message_ids), conversation_id)))
        return {message.entry.message_id: message for message in found}

    async def full_message(self, conversation_id: str, message_id: str) -> Message | None:
        rows = await self._database.rows(FULL_MESSAGE, (message_id, conversation_id))
        return _read_messages(rows)[0] if rows else None

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
        forward = after_seq is not None
        above = max(floor_seq, after_seq or 0)
        below = SEQ_MAX if forward or before_seq is None else before_seq
        statement = history_statement(in_thread=thread_id is not None, roots_only=roots_only, forward=forward)
        thread = () if thread_id is None else (thread_id, thread_id, above, below, limit)
        return _read_messages(await self._database.rows(statement, (*thread, conversation_id, above, below, limit)))

    async def last_messages(self, conversation_ids: Sequence[str]) -> dict[str, Message]:
        rows = await self._database.rows(LAST_MESSAGES, [list(conversation_ids)])
        return {row[0]: read_message(row, (), (0, None)) for row in rows}

    async def seq_at(self, conversation_id: str, at: int) -> int:
        ((seq,),) = await self._database.rows(SEQ_AT, (conversation_id, at, at, conversation_id))
        return int(seq)

    async def deleted_before(self, deleted_at: int, limit: int) -> list[Entry]:
        return [read_entry(row) for row in await self._database.rows(DELETED_BEFORE, (deleted_at, limit))]

    async def trim(self, conversation_id: str, floor_seq: int, *, seen_seq: int | None = None) -> bool:
        """See MessageStore.trim. One transaction for every ROWS_MAX entries, the first one raises the floor."""
        seen = SEQ_MAX if seen_seq is None else seen_seq
        lock = (LOCK, [[conversation_id]])
        trim = (TRIM, (conversation_id, seen, floor_seq, floor_seq, conversation_id, floor_seq, conversation_id,
                       conversation_id, ROWS_MAX))  # fmt: skip
        while True:
            ((refused, gone),) = await self._database.rows_after(lock, trim)
            if refused or gone < ROWS_MAX:
                return not refused

    async def half_trimmed(self, conversation_ids: Sequence[str]) -> frozenset[str]:
        return frozenset(row[0] for row in await self._database.rows(HALF_TRIMMED, [list(conversation_ids)]))

    async def note_republish(self, notes: Sequence[RepublishNote]) -> None:
        await self._database.rows(NOTE_REPUBLISH, [_to_json(notes)])

    async def republish_notes(self, owner: str, *, abandoned_before: int, limit: int) -> list[RepublishNote]:
        rows = await self._database.rows(REPUBLISH_NOTES, (owner, limit, abandoned_before, limit, limit))
        return [RepublishNote(*row) for row in rows]

    async def clear_republish(self, note: RepublishNote) -> None:
        await self._database.rows(CLEAR_REPUBLISH, msgspec.structs.astuple(note))


async def _is_newest(database: Postgres) -> bool:
    """Whether there is nothing to migrate, which is quickly seen."""
    try:
        found = await database.rows(f"SELECT version_num FROM {migrations.version_table('store')}")
    except psycopg.errors.UndefinedTable:
        return False
    return found == [(migrations.known("store")[0],)]


def _upgrade(server: Server) -> None:
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo(server)), poolclass=NullPool
    )
    try:
        with engine.connect() as connection:
            migrations.upgrade(connection, "store")
    except DBAPIError as error:
        raise cannot_use(server, str(error.orig)) from error


# --- what an append hands over, as JSON: one parameter each, whatever the size of the batch -----


class _MoveRow(msgspec.Struct, frozen=True, gc=False):
    """A head as it shall be, and where it must be now."""

    conversation_id: str
    epoch_from: int
    seq_from: int
    epoch: int
    seq: int
    floor_seq: int
    members_seq: int
    messages: int
    channel_mentions: int
    created_at: int
    members: int
    large: bool


class _NewRow(msgspec.Struct, gc=False):
    """An entry, its text, and the change to its target (`version_from` None: none)."""

    conversation_id: str
    epoch: int
    seq: int
    kind: str
    actor_id: str
    message_id: str
    target_seq: int
    created_at: int
    members_seq: int
    messages: int
    channel_mentions: int
    op_id: str
    detail: msgspec.Raw
    fingerprint: bytes
    large: bool
    silent: bool
    thread_id: str | None
    broadcast: bool
    sent_at: int | None
    preview: str | None
    has_more: bool
    body: str | None
    in_long_texts: bool
    emoji: str | None
    reacts: bool
    version: int
    version_from: int | None = None
    deleted_from: bool = False
    deleted: bool = False
    redacted: bool = False


def lay_out(batch: Batch) -> Statement:
    """The statement that appends the batch, with its parameters."""
    rows = [_new_row(new) for new in batch.entries]
    _drop_undone_reactions(rows)
    statement = append_statement(
        changes=any(row.version_from is not None for row in rows),
        reacts=any(row.emoji is not None for row in rows),
        long_texts=any(row.in_long_texts for row in rows),
    )
    return statement, (_to_json([_move_row(move) for move in batch.moves]), _to_json(rows))


_encode = msgspec.json.Encoder().encode


def _to_json(values: object) -> str:
    return _encode(values).decode()


def _move_row(move: HeadMove) -> _MoveRow:
    expected, after = move.expected, move.next
    return _MoveRow(
        after.conversation_id, expected.epoch, expected.seq, after.epoch, after.seq, after.floor_seq, after.members_seq,
        after.messages, after.channel_mentions, after.created_at, after.members, after.large,
    )  # fmt: skip


def _new_row(new: NewEntry) -> _NewRow:
    entry, target = new.entry, new.target
    detail = entry.detail
    row = _NewRow(
        entry.conversation_id, entry.epoch, entry.seq, entry.kind.value, entry.actor_id, entry.message_id,
        entry.target_seq, entry.created_at, entry.members_seq, entry.messages, entry.channel_mentions, entry.op_id,
        msgspec.Raw(encode_detail(detail)), new.fingerprint, new.large, new.silent, detail.thread_id,
        detail.broadcast, detail.sent_at, new.preview, new.has_more, new.text if new.has_more else None,
        new.has_more and new.text is None, detail.emoji, detail.on, 1,
    )  # fmt: skip
    if target is not None:
        row.version, row.version_from = target.version, target.version_from
        row.deleted_from, row.deleted, row.redacted = target.deleted_from, target.deleted, target.redacted
    return row


def _drop_undone_reactions(rows: Sequence[_NewRow]) -> None:
    """Of what one user does with one emoji on one message only the last counts: all take effect at once."""
    last = {(row.message_id, row.emoji, row.actor_id): row for row in rows if row.emoji is not None}
    for row in rows:
        if row.emoji is not None and last[row.message_id, row.emoji, row.actor_id] is not row:
            row.emoji = None


# --- statements -------------------------------------------------------------------------------
#
# What looks roundabout (LATERAL with a LIMIT, EXISTS with an OFFSET, = ANY(ARRAY(…)) beside a join) leaves the
# planner no other way than the index, also while it takes a table for empty.

SEQ_MAX: Final = 2**63 - 1

HEADS: Final = f"SELECT {HEAD} FROM heads WHERE conversation_id = ANY(%s)"

# Whoever changes a conversation holds its lock until the commit: taken in one order by everybody, so that
# two batches never wait for each other, and before the statement whose snapshot they judge by.
LOCK: Final = (
    "SELECT pg_advisory_xact_lock(key)"
    " FROM (SELECT DISTINCT hashtextextended(id, 0) AS key FROM unnest(%s::text[]) AS id ORDER BY 1) AS sorted"
)

_JUDGE: Final = f"""
WITH moves AS MATERIALIZED (
  SELECT * FROM json_to_recordset(%s::json) AS move (
    conversation_id text, epoch_from bigint, seq_from bigint, epoch bigint, seq bigint, floor_seq bigint,
    members_seq bigint, messages bigint, channel_mentions bigint, created_at bigint, members integer, large boolean)
), new AS MATERIALIZED (
  SELECT * FROM json_to_recordset(%s::json) AS new (
    conversation_id text, epoch bigint, seq bigint, kind text, actor_id text, message_id text, target_seq bigint,
    created_at bigint, members_seq bigint, messages bigint, channel_mentions bigint, op_id text, detail json,
    fingerprint text, large boolean, silent boolean, thread_id text, broadcast boolean, sent_at bigint, preview text,
    has_more boolean, body text, in_long_texts boolean, emoji text, reacts boolean,
    version bigint, version_from bigint, deleted_from boolean, deleted boolean, redacted boolean)
), lost AS MATERIALIZED (
  SELECT move.conversation_id FROM moves AS move LEFT JOIN LATERAL (
    SELECT epoch, seq FROM heads WHERE conversation_id = move.conversation_id LIMIT 1) AS head ON true
  WHERE head.seq IS DISTINCT FROM nullif(move.seq_from, 0) OR head.epoch <> move.epoch_from
), stale AS MATERIALIZED (
  SELECT new.message_id FROM new WHERE new.version_from IS NOT NULL AND NOT EXISTS (
    SELECT FROM entries AS target WHERE target.message_id = new.message_id AND target.kind = 'message'
    AND target.conversation_id = new.conversation_id AND target.version = new.version_from
    AND (target.deleted_at IS NOT NULL) = new.deleted_from AND NOT target.redacted OFFSET 0)
), judged AS MATERIALIZED (
  SELECT ARRAY(SELECT conversation_id FROM lost) AS lost, ARRAY(SELECT message_id FROM stale) AS stale,
    EXISTS (SELECT FROM new WHERE EXISTS (SELECT FROM entries WHERE conversation_id = new.conversation_id
      AND actor_id = new.actor_id AND op_id = new.op_id OFFSET 0)) AS repeated
), accepted AS MATERIALIZED (
  SELECT new.* FROM new, judged WHERE NOT repeated AND lost = '{{}}' AND stale = '{{}}'
), moved AS (
  INSERT INTO heads AS head ({HEAD})
  SELECT {qualified(HEAD, "move")} FROM moves AS move WHERE EXISTS (SELECT FROM accepted)
  ON CONFLICT (conversation_id) DO UPDATE SET
    epoch = excluded.epoch, seq = excluded.seq, floor_seq = greatest(head.floor_seq, excluded.floor_seq),
    members_seq = excluded.members_seq, messages = excluded.messages, channel_mentions = excluded.channel_mentions,
    created_at = excluded.created_at, members = excluded.members, large = excluded.large
), appended AS (
  INSERT INTO entries ({SKELETON}, fingerprint, large, silent, thread_id, broadcast, sent_at)
  SELECT {SKELETON}, decode(fingerprint, 'base64'), large, silent, thread_id, broadcast, sent_at FROM accepted
), written AS (
  INSERT INTO texts (message_id, version, preview, has_more, body)
  SELECT message_id, version, preview, has_more, body FROM accepted WHERE preview IS NOT NULL
)"""

_CHANGE: Final = """, change AS MATERIALIZED (
  SELECT * FROM accepted WHERE version_from IS NOT NULL
), changed AS (
  UPDATE entries AS target SET version = new.version, changed_seq = new.seq,
    edited_at = CASE WHEN new.version = new.version_from THEN target.edited_at
      ELSE coalesce(new.sent_at, new.created_at) END,
    deleted_at = CASE WHEN new.deleted THEN coalesce(target.deleted_at, new.created_at) END,
    redacted = new.redacted, fingerprint = CASE WHEN new.redacted THEN '' ELSE target.fingerprint END
  FROM change AS new WHERE target.message_id = ANY(ARRAY(SELECT message_id FROM change))
    AND target.message_id = new.message_id AND target.kind = 'message'
), erased AS (
  DELETE FROM texts USING change AS new WHERE texts.message_id = ANY(ARRAY(SELECT message_id FROM change))
    AND texts.message_id = new.message_id AND (texts.version < new.version OR new.redacted)
), erased_long AS (
  DELETE FROM long_texts AS long USING change AS new WHERE long.message_id = ANY(ARRAY(SELECT message_id FROM change))
    AND long.message_id = new.message_id AND (long.version < new.version OR new.redacted)
), erased_reactions AS (
  DELETE FROM reactions WHERE message_id = ANY(ARRAY(SELECT message_id FROM change WHERE redacted))
), erased_fingerprints AS (
  UPDATE entries SET fingerprint = ''
  WHERE message_id = ANY(ARRAY(SELECT message_id FROM change WHERE redacted)) AND kind = 'edit'
)"""

_REACT: Final = """, reacted AS (
  INSERT INTO reactions (message_id, emoji, user_id, seq)
  SELECT message_id, emoji, actor_id, seq FROM accepted WHERE emoji IS NOT NULL AND reacts ON CONFLICT DO NOTHING
), unreacted AS (
  DELETE FROM reactions AS reaction USING accepted AS new
  WHERE reaction.message_id = ANY(ARRAY(SELECT message_id FROM accepted WHERE NOT reacts)) AND NOT new.reacts
    AND (reaction.message_id, reaction.emoji, reaction.user_id) = (new.message_id, new.emoji, new.actor_id)
)"""

_USE_LONG_TEXTS: Final = """, used AS (
  UPDATE long_texts AS long SET in_use = true FROM accepted AS new
  WHERE long.message_id = ANY(ARRAY(SELECT message_id FROM accepted WHERE in_long_texts)) AND new.in_long_texts
    AND (long.message_id, long.version) = (new.message_id, new.version)
)"""


@cache
def append_statement(*, changes: bool, reacts: bool, long_texts: bool) -> str:
    """Judges a batch and, if nothing speaks against it, writes it; gives what does: (lost, stale, repeated)."""
    parts = (_JUDGE, _CHANGE if changes else "", _REACT if reacts else "", _USE_LONG_TEXTS if long_texts else "")
    return "".join(parts) + "\nSELECT lost, stale, repeated FROM judged"


_SKELETON, _STATE = (columns.replace("detail", "detail::text") for columns in (SKELETON, STATE))  # as they are read

STORED: Final = (
    f"SELECT {qualified(_SKELETON, 'entry')}, entry.fingerprint"
    " FROM unnest(%s::text[], %s::text[], %s::text[]) AS key (conversation_id, actor_id, op_id)"
    " CROSS JOIN LATERAL (SELECT * FROM entries WHERE conversation_id = key.conversation_id"
    " AND actor_id = key.actor_id AND op_id = key.op_id LIMIT 1) AS entry"
)

# One that is in use stays. A flag in the row itself: it is judged on the row's latest state, whoever else writes.
PUT_TEXT: Final = (
    "INSERT INTO long_texts AS long (message_id, version, body, written_at) VALUES (%s, %s, %s, %s)"
    " ON CONFLICT (message_id, version) DO UPDATE SET body = excluded.body, written_at = excluded.written_at"
    " WHERE NOT long.in_use"
)
COLLECT_TEXTS: Final = (
    "WITH collected AS (DELETE FROM long_texts WHERE ctid = ANY(ARRAY(SELECT ctid FROM long_texts"
    " WHERE NOT in_use AND written_at < %s ORDER BY written_at LIMIT %s FOR UPDATE SKIP LOCKED)) RETURNING 1) SELECT count(*) FROM collected"
)

ENTRIES: Final = f"SELECT {_SKELETON} FROM entries WHERE conversation_id = %s AND seq > %s ORDER BY seq LIMIT %s"
DELETED_BEFORE: Final = (
    f"SELECT {_SKELETON} FROM entries WHERE deleted_at < %s AND deleted_at IS NOT NULL AND NOT redacted"
    " ORDER BY deleted_at LIMIT %s"
)


def _text_of(message: str) -> str:
    """Joins a message's current text."""
    return (
        "LEFT JOIN LATERAL (SELECT preview, has_more, body FROM texts"
        f" WHERE message_id = {message}.message_id AND version = {message}.version LIMIT 1) AS texts ON true"
    )


RECORDS: Final = f"""
SELECT {qualified(_SKELETON, "entry")}, entry.large, entry.silent,
  texts.preview, texts.has_more
FROM (SELECT * FROM entries WHERE conversation_id = %s AND seq > %s ORDER BY seq LIMIT %s) AS entry
LEFT JOIN LATERAL (SELECT message_id, version FROM entries WHERE entry.kind IN ('message', 'edit', 'delete')
  AND message_id = entry.message_id AND kind = 'message' AND deleted_at IS NULL AND NOT redacted LIMIT 1
) AS target ON true
{_text_of("target")}
ORDER BY entry.seq"""


def _shown(found: str, text: str = "texts.preview", join: str = "") -> str:
    """Messages as they are now, out of a selection of entries; in order, with reactions and replies."""
    return f"""
SELECT {qualified(_STATE, "found")}, {text}, texts.has_more,
  reacted.pairs, thread.replies, thread.last_at
FROM ({found}) AS found
{_text_of("found")}{join}
LEFT JOIN LATERAL (SELECT array_agg(ARRAY[emoji, user_id] ORDER BY seq) AS pairs FROM reactions
  WHERE message_id = found.message_id AND found.deleted_at IS NULL) AS reacted ON true
LEFT JOIN LATERAL (SELECT count(*) AS replies, max(created_at) AS last_at FROM entries AS reply
  WHERE reply.thread_id = found.message_id AND reply.deleted_at IS NULL AND NOT reply.redacted) AS thread ON true
ORDER BY found.seq"""


MESSAGES: Final = _shown(
    "SELECT * FROM entries WHERE message_id = ANY(%s) AND kind = 'message' AND conversation_id = %s"
)
FULL_MESSAGE: Final = _shown(
    "SELECT * FROM entries WHERE message_id = %s AND kind = 'message' AND conversation_id = %s",
    text="coalesce(texts.body, long.body, texts.preview)",
    join="\nLEFT JOIN LATERAL (SELECT body FROM long_texts"
    " WHERE message_id = found.message_id AND version = found.version AND texts.has_more LIMIT 1) AS long ON true",
)


@cache
def history_statement(*, in_thread: bool, roots_only: bool, forward: bool) -> str:
    """A page of messages. Parameters: (in a thread: id, id, above, below, limit,) conversation, above, below, limit."""
    page = f"seq > %s AND seq < %s ORDER BY seq {'ASC' if forward else 'DESC'} LIMIT %s"
    source, roots = "entries", ""
    if in_thread:  # a root and its replies are found in two places
        source = (
            "(SELECT * FROM entries WHERE message_id = %s AND kind = 'message' UNION ALL"
            f" (SELECT * FROM entries WHERE thread_id = %s AND {page})) AS thread"
        )
    if roots_only:
        roots = "AND (thread_id IS NULL OR broadcast) "
    return _shown(f"SELECT * FROM {source} WHERE conversation_id = %s AND is_message {roots}AND {page}")


LAST_MESSAGES: Final = f"""
SELECT {qualified(_STATE, "found")}, texts.preview, texts.has_more
FROM unnest(%s::text[]) AS wanted (conversation_id) CROSS JOIN LATERAL (
  SELECT * FROM entries WHERE conversation_id = wanted.conversation_id AND is_message
    AND deleted_at IS NULL AND NOT redacted ORDER BY seq DESC LIMIT 1) AS found
{_text_of("found")}"""

# Times do not fall from message to message, so they can be searched by halves.
SEQ_AT: Final = """
WITH RECURSIVE search (low, high) AS (
  SELECT 1::bigint, coalesce((SELECT seq + 1 FROM heads WHERE conversation_id = %s), 1)
UNION ALL
  SELECT CASE WHEN message.shown_at < %s THEN message.seq + 1 ELSE low END,
    CASE WHEN message.shown_at < %s THEN high ELSE (low + high) / 2 END
  FROM search LEFT JOIN LATERAL (
    SELECT seq, coalesce(sent_at, created_at) AS shown_at FROM entries
    WHERE conversation_id = %s AND is_message AND seq >= (search.low + search.high) / 2 ORDER BY seq LIMIT 1
  ) AS message ON true
  WHERE low < high
)
SELECT max(low) FROM search"""

# The last entry stays, as in every store. Whether a later entry acts on what goes is judged in the transaction
# in which it goes: nobody appends meanwhile.
TRIM: Final = """
WITH judged AS MATERIALIZED (
  SELECT EXISTS (SELECT FROM entries WHERE conversation_id = %s AND seq > %s AND target_seq BETWEEN 1 AND %s OFFSET 0)
    AS refused
), head AS (
  UPDATE heads SET floor_seq = greatest(floor_seq, least(%s, seq - 1)) FROM judged
  WHERE NOT judged.refused AND conversation_id = %s RETURNING least(%s, seq - 1) AS upto
), gone AS (
  DELETE FROM entries WHERE conversation_id = %s AND seq = ANY(ARRAY(
    SELECT seq FROM entries WHERE conversation_id = %s AND seq <= (SELECT upto FROM head) ORDER BY seq LIMIT %s))
  RETURNING message_id, kind
), messages AS MATERIALIZED (
  SELECT message_id FROM gone WHERE kind = 'message'
), texts_gone AS (
  DELETE FROM texts WHERE message_id = ANY(ARRAY(SELECT message_id FROM messages))
), long_texts_gone AS (
  DELETE FROM long_texts WHERE message_id = ANY(ARRAY(SELECT message_id FROM messages))
), reactions_gone AS (
  DELETE FROM reactions WHERE message_id = ANY(ARRAY(SELECT message_id FROM messages))
)
SELECT refused, (SELECT count(*) FROM gone) FROM judged"""
HALF_TRIMMED: Final = """
SELECT conversation_id FROM heads AS head WHERE conversation_id = ANY(%s) AND EXISTS (
  SELECT FROM entries WHERE conversation_id = head.conversation_id AND seq <= head.floor_seq OFFSET 0)"""

NOTE_REPUBLISH: Final = """
INSERT INTO republish_notes AS note (owner, conversation_id, from_seq, noted_at)
SELECT owner, conversation_id, min(from_seq), max(noted_at)
FROM json_to_recordset(%s::json) AS new (owner text, conversation_id text, from_seq bigint, noted_at bigint)
GROUP BY owner, conversation_id ORDER BY owner, conversation_id
ON CONFLICT (owner, conversation_id) DO UPDATE SET
  from_seq = least(note.from_seq, excluded.from_seq), noted_at = greatest(note.noted_at, excluded.noted_at)"""
_NOTE: Final = "SELECT conversation_id, owner, from_seq, noted_at FROM republish_notes"
REPUBLISH_NOTES: Final = f"({_NOTE} WHERE owner = %s LIMIT %s) UNION ({_NOTE} WHERE noted_at < %s LIMIT %s) LIMIT %s"
CLEAR_REPUBLISH: Final = (
    "DELETE FROM republish_notes WHERE (conversation_id, owner, from_seq, noted_at) = (%s, %s, %s, %s)"
)


# --- rows back to values ----------------------------------------------------------------------


def _read_messages(rows: Rows) -> list[Message]:
    return [read_message(row, _read_reactions(row[20]), (row[21], row[22])) for row in rows]


def _read_reactions(pairs: Sequence[tuple[str, str]] | None) -> tuple[Reaction, ...]:
    """Grouped by emoji, in the order in which each first came."""
    if not pairs:
        return ()
    users: dict[str, list[str]] = {}
    for emoji, user_id in pairs:
        users.setdefault(emoji, []).append(user_id)
    return tuple(Reaction(emoji, tuple(who)) for emoji, who in users.items())
