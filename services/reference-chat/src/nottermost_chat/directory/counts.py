"""Daily counts: what is being counted, and what has come of it.

`counting` holds sums and a sketch (`sketch.py`) for each day and workspace pseudonym; `counted` says
how far each conversation has been counted, which makes the sums exact whatever comes twice.
`daily_counts` is what is shown.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, delete, select, update

from nottermost_chat import sketch
from nottermost_chat.directory.engine import Noun, reads, upserts, writes, writes_rows
from nottermost_chat.directory.queries import chunks, columns, fetch, insert, insert_new
from nottermost_chat.directory.tables import counted, counting, daily_counts
from nottermost_chat.model import Position


class Tally(msgspec.Struct, frozen=True):
    """What happened on a day (YYYY-MM-DD, UTC) in a workspace.

    Attributes:
        users: a sketch of who was active.
        group_messages: those of `messages` that were said in groups and channels.
        uploads: that came to an end; `uploads_failed` of them were refused or broken off.
    """

    day: str
    workspace_pseudonym: str
    messages: int = 0
    group_messages: int = 0
    uploads: int = 0
    uploads_failed: int = 0
    users: bytes = sketch.EMPTY

    def plus(self, other: "Tally") -> "Tally":
        """Both together, under this one's day and name."""
        return msgspec.structs.replace(
            self,
            messages=self.messages + other.messages,
            group_messages=self.group_messages + other.group_messages,
            uploads=self.uploads + other.uploads,
            uploads_failed=self.uploads_failed + other.uploads_failed,
            users=sketch.merge(self.users, other.users),
        )


class Advance(msgspec.Struct, frozen=True):
    """A conversation was counted from one position to another; `before` None: from its beginning here."""

    conversation_id: str
    before: Position | None
    after: Position


class CountRow(msgspec.Struct, frozen=True):
    """One figure of one day."""

    day: str
    workspace_pseudonym: str
    metric: str
    value: int


TALLY: Final = columns(counting, Tally)
COUNT: Final = columns(daily_counts, CountRow)


class Counts(Noun):
    """The tables behind the business dashboard."""

    # --- counting --------------------------------------------------------------------------------

    @reads
    def marks(self, connection: Connection, conversation_ids: Sequence[str]) -> dict[str, Position]:
        """How far each conversation has been counted; those not begun are absent."""
        return _marks(connection, conversation_ids)

    @writes
    def add(self, connection: Connection, tallies: Sequence[Tally], advances: Sequence[Advance]) -> bool:
        """Add all and advance all. False: somebody else has advanced one of them, and nothing happened."""
        now = _marks(connection, [each.conversation_id for each in advances])
        if any(now.get(each.conversation_id) != each.before for each in advances):
            return False
        for advance in advances:
            epoch, seq = advance.after
            if advance.before is None:
                values = {"conversation_id": advance.conversation_id, "epoch": epoch, "seq": seq}
                connection.execute(counted.insert().values(values))
            else:
                mine = counted.c.conversation_id == advance.conversation_id
                connection.execute(update(counted).where(mine).values(epoch=epoch, seq=seq))
        for tally in sorted(tallies, key=lambda tally: (tally.day, tally.workspace_pseudonym)):
            _add(connection, tally)
        return True

    @writes_rows
    def add_upload(self, connection: Connection, day: str, workspace_pseudonym: str, *, failed: bool) -> None:
        """One more upload has come to an end."""
        tally = Tally(day, workspace_pseudonym, uploads=1, uploads_failed=int(failed))
        _add(connection, tally)

    @reads
    def window(
        self, connection: Connection, first: str, last: str, *, after: str, limit: int
    ) -> dict[str, list[Tally]]:
        """What was counted from the first to the last day, for a page of workspaces by pseudonym."""
        within = (counting.c.day >= first) & (counting.c.day <= last)  # BETWEEN takes no collation in PostgreSQL
        names = select(counting.c.workspace_pseudonym).distinct().where(within, counting.c.workspace_pseudonym > after)
        page = list(connection.scalars(names.order_by(counting.c.workspace_pseudonym).limit(limit)))
        found: dict[str, list[Tally]] = {name: [] for name in page}
        for part in chunks(page):
            statement = select(*TALLY).where(within, counting.c.workspace_pseudonym.in_(part))
            for row in fetch(connection, statement, Tally):
                found[row.workspace_pseudonym].append(_unpacked(row))
        return found

    @reads
    def days_counted(self, connection: Connection) -> list[str]:
        """Days of which something is here to be counted up, in order."""
        return list(connection.scalars(select(counting.c.day).distinct().order_by(counting.c.day)))

    @upserts
    def forget(self, connection: Connection, before: str) -> None:
        """Of days before that one what is shown stays, and what it was made of goes."""
        connection.execute(delete(counting).where(counting.c.day < before))

    # --- what is shown ---------------------------------------------------------------------------

    @upserts
    def publish(self, connection: Connection, day: str, values: Mapping[tuple[str, str], int]) -> None:
        """Show this for the day and nothing else. `values`: by workspace pseudonym and metric."""
        connection.execute(delete(daily_counts).where(daily_counts.c.day == day))
        rows = [
            {"day": day, "workspace_pseudonym": name, "metric": metric, "value": value}
            for (name, metric), value in sorted(values.items())
        ]
        if rows:
            connection.execute(insert(connection.dialect.name, daily_counts).on_conflict_do_nothing(), rows)

    @reads
    def published(self, connection: Connection, first: str, last: str) -> list[CountRow]:
        """All figures from the first to the last day."""
        within = select(*COUNT).where(daily_counts.c.day >= first, daily_counts.c.day <= last)
        order = daily_counts.c.day, daily_counts.c.workspace_pseudonym, daily_counts.c.metric
        return fetch(connection, within.order_by(*order), CountRow)

    @reads
    def days_published(self, connection: Connection) -> frozenset[str]:
        return frozenset(connection.scalars(select(daily_counts.c.day).distinct()))


def _marks(connection: Connection, conversation_ids: Sequence[str]) -> dict[str, Position]:
    found: dict[str, Position] = {}
    for part in chunks(conversation_ids):
        statement = select(counted.c.conversation_id, counted.c.epoch, counted.c.seq)
        for conversation_id, *position in connection.execute(statement.where(counted.c.conversation_id.in_(part))):
            found[conversation_id] = (position[0], position[1])
    return found


def _unpacked(row: Tally) -> Tally:
    return msgspec.structs.replace(row, users=sketch.unpack(row.users))


def _add(connection: Connection, tally: Tally) -> None:
    values = msgspec.structs.asdict(tally) | {"users": sketch.pack(tally.users)}
    if insert_new(connection, counting, values):
        return
    mine = (counting.c.day == tally.day) & (counting.c.workspace_pseudonym == tally.workspace_pseudonym)
    there = _unpacked(Tally(*connection.execute(select(*TALLY).where(mine).with_for_update()).one()))
    both = there.plus(tally)
    values = msgspec.structs.asdict(both) | {"users": sketch.pack(both.users)}
    connection.execute(update(counting).where(mine).values(values))
