"""What the nouns' statements have in common."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, Select, Table, Text, cast, exists, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY

from nottermost_chat.directory.tables import fold, memberships, user_names, workspace_members

CHUNK: Final = 200  # values in one IN list; times the columns of a row below 999, what the oldest SQLite takes

T = TypeVar("T")
RowT = TypeVar("RowT", bound=msgspec.Struct)


def insert(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say `ON CONFLICT`, in that dialect."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def insert_new(connection: Connection, table: Table, values: dict[str, Any]) -> bool:
    """Insert a row. False: something unique about it is taken, and nothing happened."""
    statement = insert(connection.dialect.name, table).values(values).on_conflict_do_nothing()
    key = table.primary_key.columns[0]  # asked for because PostgreSQL's driver does not count inserts
    return connection.execute(statement.returning(key)).first() is not None


def columns(table: Table, row: type[msgspec.Struct]) -> list[Column[Any]]:
    """The columns that the struct's fields are named after, in their order."""
    return [table.c[name] for name in row.__struct_fields__]


def fetch(connection: Connection, statement: Select[Any], row: type[RowT]) -> list[RowT]:
    """Every result row as a struct."""
    return [row(*values) for values in connection.execute(statement)]


def fetch_one(connection: Connection, statement: Select[Any], row: type[RowT]) -> RowT | None:
    """The first result row as a struct."""
    values = connection.execute(statement).first()
    return None if values is None else row(*values)


def chunks(values: Iterable[T]) -> Iterator[Sequence[T]]:
    """The values, each once, at most CHUNK at a time."""
    distinct = list(dict.fromkeys(values))
    return (distinct[start : start + CHUNK] for start in range(0, len(distinct), CHUNK))


def one_of(connection: Connection, column: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
    """The column holds one of the values.

    Of a list PostgreSQL supposes that each value is as frequent as elsewhere: it then reads all channels of a user who
    is in a hundred thousand, and all members of a channel of a million, to find a few of them. A table it joins.
    """
    if connection.dialect.name == "postgresql":
        return column.in_(select(func.unnest(cast([*values], ARRAY(Text(collation="C"))))))
    return column.in_(values)


def fetch_in(
    connection: Connection, statement: Select[Any], column: ColumnElement[str], values: Iterable[str], row: type[RowT]
) -> list[RowT]:
    """Rows whose column holds one of the values, however many those are."""
    parts = (statement.where(one_of(connection, column, part)) for part in chunks(values))
    return [found for part in parts for found in fetch(connection, part, row)]


def begins(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """The (folded) column begins with `text`: a range, which an index can answer."""
    key = fold(text.strip())
    return (column >= key) & (column < key + "\U0010ffff")


def contains(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """The (folded) column holds `text` anywhere."""
    return column.contains(fold(text.strip()), autoescape=True)


def named(user_id: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """The user's name or e-mail begins with `text`."""
    return exists().where(user_names.c.user_id == user_id, begins(user_names.c.name_key, text))


def acquainted(user_id: str, other_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Both share a workspace or a conversation now."""
    mine, theirs = workspace_members.alias(), workspace_members.alias()
    in_workspace = exists().where(
        mine.c.user_id == user_id, theirs.c.workspace_id == mine.c.workspace_id, theirs.c.user_id == other_id
    )
    my_stay, their_stay = memberships.alias(), memberships.alias()
    in_conversation = exists().where(
        my_stay.c.user_id == user_id,
        my_stay.c.left_seq.is_(None),
        their_stay.c.conversation_id == my_stay.c.conversation_id,
        their_stay.c.user_id == other_id,
        their_stay.c.left_seq.is_(None),
    )
    return or_(in_workspace, in_conversation)
