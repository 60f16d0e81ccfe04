"""When which phase of a migration ran, and whether one may run now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg import sql

PHASES: Final = ("expand", "promoted", "contract")


class Refused(Exception):
    """A phase that must not run yet; the sentence says what comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line. `ended_at` None: it began and was never heard of again.

    Of `promoted`, `from_revision` is what the database was at, and `to_revision` the newest that what runs bears.
    """

    schema: str
    phase: str
    from_revision: str | None
    to_revision: str
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a phase does to one schema; its revisions are those of its `Entry`."""

    schema: str
    phase: str
    from_revision: str | None
    to_revision: str
    changes: bool


def generation(revision: str) -> int:
    """Of `v2_1` it is 2 (docs/migrations.md)."""
    return int(revision.removeprefix("v").partition("_")[0])


def plan_phase(phase: str, schema: str, *, now: str | None, known: Sequence[str], entries: Sequence[Entry]) -> Step:
    """What the phase comes to.

    Args:
        now: the revision that the database is at; None: nothing is there yet.
        known: the revisions of this program, newest first.
    Raises: Refused.
    """
    newest = known[0]
    match phase:
        case "expand":
            to = _expanded(schema, now, known)
        case "promoted":
            if now is None:
                raise Refused(f"the {schema} has no schema yet: run the phase expand first")
            return Step(
                schema=schema, phase=phase, from_revision=now, to_revision=newest,
                changes=_promoted(entries, schema) != (now, newest),
            )  # fmt: skip
        case _:
            to = _contracted(schema, now, known, entries)
    return Step(schema=schema, phase=phase, from_revision=now, to_revision=to or newest, changes=to != now)


def _expanded(schema: str, now: str | None, known: Sequence[str]) -> str:
    """The newest revision that older programs bear; a database in which nothing is goes all the way."""
    if now is None:
        return known[0]
    ours, theirs = generation(known[0]), generation(now)
    if theirs > ours:
        raise Refused(f"the {schema} is at {now}, which a newer program made: run this with that one")
    if theirs < ours - 1:
        raise Refused(f"the {schema} is at {now}: contract it with the versions between that and {known[0]} first")
    if now not in known:
        return now  # of a newer program, beside which this one works
    return next(each for each in known if generation(each) == generation(now))


def _contracted(schema: str, now: str | None, known: Sequence[str], entries: Sequence[Entry]) -> str:
    """The newest revision of all. Raises: Refused unless everything that runs is known to bear it."""
    if now is None:
        raise Refused(f"the {schema} has no schema yet: run the phase expand first")
    expanded = _expanded(schema, now, known)
    if now not in known or generation(now) == generation(known[0]):
        return now if now not in known else expanded
    if now != expanded:
        raise Refused(f"the {schema} is at {now}, not expanded to {expanded}: run the phase expand first")
    if _promoted(entries, schema) != (now, known[0]):
        raise Refused(
            f"the {schema} is expanded to {now}, and nobody has said that only programs that bear {known[0]} run: "
            "promote them, see that no older task is left, then run the phase promoted with this version"
        )
    return known[0]


def _promoted(entries: Sequence[Entry], schema: str) -> tuple[str | None, str] | None:
    """Where the database was when it was last said what runs, and the newest revision that this bears."""
    said = [each for each in entries if (each.schema, each.phase) == (schema, "promoted") and each.ended_at]
    return (said[-1].from_revision, said[-1].to_revision) if said else None


class Ledger:
    """The table `migration_ledger`; lines are added and never changed, but for the time at which they ended."""

    def __init__(self, connection: "psycopg.Connection[tuple[Any, ...]]", schema: str) -> None:
        """`connection`: with autocommit; a line is there before what it tells of begins."""
        self._connection, self._table = connection, sql.Identifier(schema, "migration_ledger")

    def exists(self) -> bool:
        found = self._connection.execute("SELECT to_regclass(%s)", [self._table.as_string(self._connection)]).fetchone()
        return found is not None and found[0] is not None

    def create(self) -> None:
        self._connection.execute(
            sql.SQL("""
            CREATE TABLE {} (
                number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, schema text NOT NULL,
                phase text NOT NULL CHECK (phase IN ('expand', 'promoted', 'contract')), from_revision text,
                to_revision text NOT NULL, program text NOT NULL, who text NOT NULL DEFAULT session_user,
                began_at timestamptz NOT NULL DEFAULT clock_timestamp(), ended_at timestamptz
            )""").format(self._table)
        )

    def entries(self) -> list[Entry]:
        rows = self._connection.execute(
            sql.SQL("SELECT schema, phase, from_revision, to_revision, ended_at FROM {} ORDER BY number").format(
                self._table
            )
        )
        return [
            Entry(schema=schema, phase=phase, from_revision=before, to_revision=after, ended_at=ended_at)
            for schema, phase, before, after, ended_at in rows
        ]

    def begin(self, step: Step, program: str) -> int:
        row = self._connection.execute(
            sql.SQL(
                "INSERT INTO {} (schema, phase, from_revision, to_revision, program) VALUES (%s, %s, %s, %s, %s)"
                " RETURNING number"
            ).format(self._table),
            [step.schema, step.phase, step.from_revision, step.to_revision, program],
        ).fetchone()
        assert row is not None
        return int(row[0])

    def end(self, number: int) -> None:
        self._connection.execute(
            sql.SQL("UPDATE {} SET ended_at = clock_timestamp() WHERE number = %s").format(self._table), [number]
        )
