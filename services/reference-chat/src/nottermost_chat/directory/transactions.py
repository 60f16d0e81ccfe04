"""One transaction on PostgreSQL in a thread, repeated where that is safe."""

import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from typing import Any, Final, Generic, TypeVar

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from nottermost_chat.errors import Unavailable
from nottermost_chat.resilience import ATTEMPTS

CONFLICT_WAIT_S: Final = 0.005  # before the second attempt, at most; then twice as long each time
CONFLICT_WAIT_S_MAX: Final = 0.1
LOST_WAIT_S: Final = 0.1  # a server that restarts refuses for a moment

CONFLICTS: Final = frozenset({"40001", "40P01"})  # serialization failure, deadlock
READ_ONLY: Final = "25006"  # the server is a standby by now: what is there is another one

T = TypeVar("T")


class Fate(Enum):
    """What has become of a transaction that failed."""

    CONFLICT = "rolled back: others changed the same"
    LOST = "rolled back with its connection"
    UNKNOWN = "the connection was lost in the commit"
    REFUSED = "rolled back, and would be again"


ROLLED_BACK: Final = frozenset({Fate.CONFLICT, Fate.LOST})


class Phase(Enum):
    """How far a transaction has come."""

    CONNECTING = "connecting"
    WORKING = "working"
    COMMITTING = "committing"


def judge(error: Exception, phase: Phase) -> Fate:
    """What has become of the transaction that `error` ended."""
    if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in CONFLICTS:
        return Fate.CONFLICT
    if phase is Phase.CONNECTING:
        return Fate.LOST
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return Fate.UNKNOWN if phase is Phase.COMMITTING else Fate.LOST
    return Fate.REFUSED


class Call(Generic[T]):
    """A function on its way into a transaction. Call it in a thread; `cut` gets the thread back.

    `repeats`: fates after which it is tried again, while there is time.
    """

    def __init__(
        self, engine: Engine, fn: Callable[[Connection], T], *, repeats: frozenset[Fate], timeout_s: float
    ) -> None:
        self._engine, self._fn, self._repeats, self._timeout_s = engine, fn, repeats, timeout_s
        self._phase = Phase.CONNECTING
        self._lock = threading.Lock()
        self._driver: psycopg.Connection[Any] | None = None
        self._given_up = False

    def __call__(self) -> T:
        until, attempt = time.monotonic() + self._timeout_s, 0
        while True:
            attempt += 1
            try:
                return self._transact()
            except (DBAPIError, psycopg.Error) as error:
                fate = judge(error, self._phase)
                if fate not in self._repeats or (fate is not Fate.CONFLICT and attempt >= ATTEMPTS):
                    raise
                wait_s = _wait_s(fate, attempt)
                if self._given_up or time.monotonic() + wait_s > until:
                    if fate is Fate.CONFLICT:
                        raise Unavailable("too many change the same at this moment: try again") from error
                    raise
            time.sleep(wait_s)

    def cut(self) -> None:
        """Give up: end the connection, which a server that does not answer would hold for ever."""
        with self._lock:
            self._given_up = True
            if self._driver is not None:
                with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self._driver.fileno())) as its:
                    its.shutdown(socket.SHUT_RDWR)

    def _transact(self) -> T:
        self._phase = Phase.CONNECTING
        with self._engine.connect() as connection, self._held(connection):
            self._phase = Phase.WORKING
            with connection.begin() as transaction:
                result = self._fn(connection)
                self._phase = Phase.COMMITTING
                transaction.commit()
        return result

    @contextmanager
    def _held(self, connection: Connection) -> Iterator[None]:
        """Meanwhile `cut` knows which connection is ours; afterwards the pool may give it to somebody else."""
        driver = connection.connection.driver_connection
        with self._lock:
            if self._given_up:
                raise Unavailable("the directory took too long to answer: try again in a moment")
            self._driver = driver
        try:
            yield
        finally:
            with self._lock:
                self._driver = None


def _wait_s(fate: Fate, attempt: int) -> float:
    if fate is not Fate.CONFLICT:
        return LOST_WAIT_S * attempt
    return random.uniform(0, min(CONFLICT_WAIT_S * 2**attempt, CONFLICT_WAIT_S_MAX))  # noqa: S311 - spreads attempts
