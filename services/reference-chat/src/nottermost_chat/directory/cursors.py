"""How far everybody has come: read and delivered cursors, personal mentions, activity of conversations."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, case, delete, exists, func, or_, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from nottermost_chat.directory.engine import Noun, reads, upserts
from nottermost_chat.directory.queries import chunks, fetch, fetch_in, insert
from nottermost_chat.directory.rows import CURSOR
from nottermost_chat.directory.tables import activity, conversations, cursors, memberships, mentions
from nottermost_chat.model import RECEIPT_MEMBERS_MAX
from nottermost_chat.ports import Cursor


class Cursors(Noun):
    """Watermarks; all of them only rise."""

    @upserts
    def raise_cursors(self, connection: Connection, cursors: Sequence[Cursor]) -> None:
        """Raise read and delivered cursors, each by itself; a lower one changes nothing."""
        put_cursors(connection, cursors, self._clock.now_ms())

    @reads
    def of_user(self, connection: Connection, user_id: str, conversation_ids: Sequence[str]) -> dict[str, Cursor]:
        """The user's cursors by conversation; one that was never raised is absent."""
        mine = select(*CURSOR).where(cursors.c.user_id == user_id)
        found = fetch_in(connection, mine, cursors.c.conversation_id, conversation_ids, Cursor)
        return {cursor.conversation_id: cursor for cursor in found}

    @reads
    def receipts(self, connection: Connection, conversation_id: str) -> list[Cursor]:
        """Cursors of the active members, by user id; empty above 100 members."""
        here = conversations.c.conversation_id == conversation_id
        members = connection.scalar(select(conversations.c.member_count).where(here))
        if members is None or members > RECEIPT_MEMBERS_MAX:
            return []
        statement = (
            select(*CURSOR)
            .join_from(cursors, memberships, same_reader())
            .where(memberships.c.conversation_id == conversation_id, memberships.c.left_seq.is_(None))
            .order_by(cursors.c.user_id)
        )
        return fetch(connection, statement, Cursor)

    @upserts
    def add_mentions(self, connection: Connection, mentioned: Sequence[tuple[str, str, int]]) -> None:
        """Users mentioned by name or team: (user_id, conversation_id, seq). Again is the same as once."""
        if mentioned:
            rows = [dict(zip(mentions.c.keys(), mention, strict=True)) for mention in sorted({*mentioned})]
            connection.execute(insert(connection.dialect.name, mentions).on_conflict_do_nothing(), rows)

    @reads
    def count_mentions(
        self, connection: Connection, user_id: str, conversation_ids: Sequence[str] | None = None
    ) -> dict[str, int]:
        """Personal mentions above the user's read cursor, by conversation (None: all); zero is absent.

        Mentions of everybody are not among them: they follow from the counters of head and cursor.
        """
        same = (cursors.c.user_id == mentions.c.user_id) & (cursors.c.conversation_id == mentions.c.conversation_id)
        statement = (
            select(mentions.c.conversation_id, func.count())
            .join_from(mentions, cursors, same, isouter=True)
            .where(mentions.c.user_id == user_id, mentions.c.seq > func.coalesce(cursors.c.read_seq, 0))
            .group_by(mentions.c.conversation_id)
        )
        counts: dict[str, int] = dict(connection.execute(statement).all())  # few: read ones are removed
        wanted = counts.keys() if conversation_ids is None else counts.keys() & {*conversation_ids}
        return {conversation_id: counts[conversation_id] for conversation_id in wanted}

    @upserts
    def touch_activity(self, connection: Connection, active: Mapping[str, int]) -> None:
        """Something happened in these conversations at these times (ms); an earlier time changes nothing."""
        note_activity(connection, active)


def same_reader() -> ColumnElement[bool]:
    """Joins a stay and the cursor of its user there."""
    return and_(cursors.c.conversation_id == memberships.c.conversation_id, cursors.c.user_id == memberships.c.user_id)


def put_cursors(connection: Connection, raised: Sequence[Cursor], now: int) -> None:
    """Raise cursors within a transaction, and forget personal mentions that were read."""
    if not raised:
        return
    in_order = sorted(raised, key=lambda cursor: (cursor.conversation_id, cursor.user_id))  # as everybody locks them
    rows = [msgspec.structs.asdict(cursor) | {"changed_at": now} for cursor in in_order]
    connection.execute(_raising(connection.dialect.name), rows)
    same = (cursors.c.user_id == mentions.c.user_id) & (cursors.c.conversation_id == mentions.c.conversation_id)
    read = exists().where(same, cursors.c.read_seq >= mentions.c.seq)
    key = mentions.primary_key.columns
    for part in chunks(cursor.user_id for cursor in in_order if cursor.read_seq):
        gone = select(*key).where(mentions.c.user_id.in_(part), read)
        free = gone.with_for_update(skip_locked=True, of=mentions)  # who holds one of them is removing it too
        connection.execute(delete(mentions).where(tuple_(*key).in_(free)))


def note_activity(connection: Connection, active: Mapping[str, int]) -> None:
    """Raise the times of the last change within a transaction."""
    rows = [{"conversation_id": conversation_id, "active_at": ms} for conversation_id, ms in sorted(active.items())]
    if rows:
        connection.execute(_activating(connection.dialect.name), rows)


@cache
def _activating(dialect: str) -> sqlite.Insert | postgresql.Insert:
    statement = insert(dialect, activity)
    new, old = statement.excluded.active_at, activity.c.active_at
    return statement.on_conflict_do_update(
        index_elements=[activity.c.conversation_id], set_={"active_at": new}, where=new > old
    )


@cache  # on the path of every message: building it costs more than running it
def _raising(dialect: str) -> sqlite.Insert | postgresql.Insert:
    statement = insert(dialect, cursors)
    new, old = statement.excluded, cursors.c
    further_read, further_delivered = new.read_seq > old.read_seq, new.delivered_seq > old.delivered_seq
    values: dict[str, ColumnElement[Any]] = {
        name: case((further_read, new[name]), else_=old[name])
        for name in ("read_seq", "read_messages", "read_mentions", "changed_at")
    }
    values["delivered_seq"] = case((further_delivered, new.delivered_seq), else_=old.delivered_seq)
    return statement.on_conflict_do_update(
        index_elements=[old.conversation_id, old.user_id], set_=values, where=or_(further_read, further_delivered)
    )
