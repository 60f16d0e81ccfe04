"""What the nouns are written against: a database that runs their functions, off the event loop.

`sqlite.py` and `postgres.py` are the two there are.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from enum import Enum
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from nottermost_chat.clock import Clock

T = TypeVar("T")
P = ParamSpec("P")
NounT = TypeVar("NounT", bound="Noun")


class Write(Enum):
    """What a write needs of a database that several processes write at once (SQLite has one writer: all are alone)."""

    ALONE = "alone"  # it comes out as if no other write ran beside it
    ROWS = "rows"  # right whatever is committed between its statements: it locks what it has read, in order
    UPSERT = "upsert"  # the same, and again is the same as once


class Database(ABC):
    """Runs functions on connections of the right kind.

    A function may run several times, each time in a transaction that sees nothing of the last
    one: it must leave nothing outside of it.
    """

    @abstractmethod
    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn`: all of its statements see one state, with every write that has returned. Raises: Unavailable."""

    @abstractmethod
    async def write(self, fn: Callable[[Connection], T], kind: Write = Write.ALONE) -> T:
        """Run `fn`; durable when this returns, and nothing of it is there if `fn` raises.

        `fn` may run when the caller has stopped waiting. Raises: Unavailable; what was asked for
        may then have happened all the same, if the connection was lost in the very commit.
        """

    @abstractmethod
    async def close(self) -> None:
        """Finish what waits, then let go of the database."""


class Together(Database):
    """Another database, whose every write does something more in its own transaction."""

    def __init__(self, database: Database, also: Callable[[Connection, Any], None]) -> None:
        """`also` gets what the write is about to return; what it raises undoes the write."""
        self._database, self._also = database, also

    async def read(self, fn: Callable[[Connection], T]) -> T:
        return await self._database.read(fn)

    async def write(self, fn: Callable[[Connection], T], kind: Write = Write.ALONE) -> T:
        def both(connection: Connection) -> T:
            result = fn(connection)
            self._also(connection, result)
            return result

        return await self._database.write(both, kind)

    async def close(self) -> None:
        """It is the other's."""


class Noun:
    """A part of the directory: the database and the clock."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock


def reads(
    method: Callable[Concatenate[NounT, Connection, P], T],
) -> Callable[Concatenate[NounT, P], Coroutine[Any, Any, T]]:
    """A method that takes a connection becomes a coroutine that reads with it (`Database.read`)."""

    async def run(self: NounT, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._database.read(lambda connection: method(self, connection, *args, **kwargs))

    update_wrapper(run, method)
    return run


def writes(
    method: Callable[Concatenate[NounT, Connection, P], T],
) -> Callable[Concatenate[NounT, P], Coroutine[Any, Any, T]]:
    """A method that takes a connection becomes a coroutine that writes with it, alone (`Write.ALONE`)."""
    return _writing(method, Write.ALONE)


def writes_rows(
    method: Callable[Concatenate[NounT, Connection, P], T],
) -> Callable[Concatenate[NounT, P], Coroutine[Any, Any, T]]:
    """For what many do at once: the method itself sees to it that others do not disturb (`Write.ROWS`)."""
    return _writing(method, Write.ROWS)


def upserts(
    method: Callable[Concatenate[NounT, Connection, P], T],
) -> Callable[Concatenate[NounT, P], Coroutine[Any, Any, T]]:
    """As `writes_rows`, for methods that change nothing the second time (`Write.UPSERT`)."""
    return _writing(method, Write.UPSERT)


def _writing(
    method: Callable[Concatenate[NounT, Connection, P], T], kind: Write
) -> Callable[Concatenate[NounT, P], Coroutine[Any, Any, T]]:
    async def run(self: NounT, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._database.write(lambda connection: method(self, connection, *args, **kwargs), kind)

    update_wrapper(run, method)
    return run
