"""The directory's database as a SQLite file: one writer thread, a few reader threads."""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError

from nottermost_chat import migrations
from nottermost_chat.directory.engine import Database, Write
from nottermost_chat.errors import StartError, Unavailable

READERS: Final = 2  # so that one long read does not hold up the rest; more would only wait for the GIL
WRITES_WAITING_MAX: Final = 10_000  # functions; above it writes are refused, so that a slow disk does not fill memory
GROUP_MAX: Final = 64  # writes in one transaction: the first one waits for the last, at about 0.2 ms each
BUSY_TIMEOUT_MS: Final = 10_000  # another process may hold the file for a moment (an import)

T = TypeVar("T")


class _Job:
    """A write that waits for its turn."""

    def __init__(self, fn: Callable[[Connection], Any]) -> None:
        self.fn, self.done = fn, Future[Any]()


class SqliteDatabase(Database):
    """Runs functions on connections of the right kind, off the event loop.

    Writes that wait while another one is synced go into the next transaction together, each
    behind a savepoint of its own: one sync for all of them, and one that fails takes back only
    itself.
    """

    def __init__(self, writer: Engine, reader: Engine) -> None:
        self._writer, self._reader = writer, reader
        self._waiting: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="directory-read")
        self._thread = threading.Thread(target=self._write_all, name="directory-write", daemon=True)
        self._closed = False
        self._thread.start()

    @classmethod
    async def open(cls, path: Path) -> "SqliteDatabase":
        """Open the SQLite file at `path`, or make it.

        Raises: StartError when it cannot be used or comes from a newer version.
        """
        return await asyncio.to_thread(cls._open, path)

    @classmethod
    def _open(cls, path: Path) -> "SqliteDatabase":
        writer, reader = open_engine(path, "BEGIN IMMEDIATE"), open_engine(path, "BEGIN")
        try:
            with writer.connect() as connection:
                migrations.upgrade(connection, "directory")
        except DatabaseError as error:
            writer.dispose()
            raise StartError(
                f"{path} cannot be used as a database ({error.orig}): name another data folder with --data"
            ) from error
        except StartError:
            writer.dispose()
            raise
        return cls(writer, reader)

    async def read(self, fn: Callable[[Connection], T]) -> T:
        if self._closed:
            raise Unavailable("the directory is closed")

        def run() -> T:
            with self._reader.connect() as connection:
                return fn(connection)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, run)
        except OperationalError as error:
            raise Unavailable(f"the directory cannot be read ({error.orig})") from error

    async def write(self, fn: Callable[[Connection], T], kind: Write = Write.ALONE) -> T:  # noqa: ARG002 - all are alone
        if self._closed:
            raise Unavailable("the directory is closed")
        if self._waiting.qsize() >= WRITES_WAITING_MAX:
            raise Unavailable(f"{WRITES_WAITING_MAX} writes to the directory are waiting already")
        job = _Job(fn)
        self._waiting.put(job)
        try:
            result: T = await asyncio.wrap_future(job.done)
        except OperationalError as error:
            raise Unavailable(f"the directory cannot be written ({error.orig})") from error
        return result

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._readers.shutdown)
        self._reader.dispose()
        self._writer.dispose()  # the last connection to go moves the WAL into the file

    def _write_all(self) -> None:
        with self._writer.connect() as connection:
            while group := self._next_group():
                _write_group(connection, group)

    def _next_group(self) -> list[_Job]:
        """Whatever waits, at most GROUP_MAX; waits for the first. Empty: closing."""
        group: list[_Job] = []
        job = self._waiting.get()
        while job is not None:
            if job.done.set_running_or_notify_cancel():
                group.append(job)
            if len(group) == GROUP_MAX:
                break
            try:
                job = self._waiting.get(block=not group)
            except queue.Empty:
                break
        else:
            if group:
                self._waiting.put(None)  # for the next turn
        return group


def _write_group(connection: Connection, group: list[_Job]) -> None:
    """One transaction for all of the group; every job hears what became of it."""
    results: list[tuple[_Job, Any]] = []
    failures: list[tuple[_Job, Exception]] = []
    try:
        with connection.begin():
            for job in group:
                try:
                    with connection.begin_nested():
                        results.append((job, job.fn(connection)))
                except OperationalError:
                    raise  # a full disk takes the whole transaction back, savepoints and all
                except Exception as error:  # noqa: BLE001 - whatever it is belongs to the caller
                    failures.append((job, error))
    except Exception as error:  # noqa: BLE001 - nobody's write is there
        results, failures = [], [(job, error) for job in group]
    for job, result in results:
        job.done.set_result(result)
    for job, failure in failures:
        job.done.set_exception(failure)


def open_engine(path: Path, begin: str) -> Engine:
    """An engine whose transactions start with `begin`, which the driver would otherwise choose by itself."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=QueuePool,
        pool_size=READERS,
        max_overflow=0,
        hide_parameters=True,  # they hold e-mail addresses, and errors are logged
        connect_args={"check_same_thread": False, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
