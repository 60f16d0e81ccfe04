"""SQLite behind threads: one writer, a few readers, and nothing that blocks the event loop."""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from nottermost_chat.errors import StartError, Unavailable

WRITES_WAITING_MAX = 10_000  # a bound for what waits when the disk stalls; above it callers are refused
CLOSE_S = 30.0  # for what waits then; a disk that stalls longer does not keep the process from ending

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]


class SqliteFile:
    """One database file in WAL mode with `synchronous=FULL`: a commit that returned survives a power cut.

    `write` runs its functions one after the other, each a transaction of its own; `read`
    sees every write that has returned.
    """

    def __init__(
        self,
        path: Path,
        schema: str,
        version: int,
        *,
        upgrades: Mapping[int, str] = MappingProxyType({}),
        readers: int = 2,
    ) -> None:
        """
        Args:
            schema: of a new file, as `version` has it.
            upgrades: statements that lead from a version to the next one.
        """
        self._path, self._readers = path, readers
        self._jobs: queue.Queue[tuple[Work, asyncio.Future[Any]] | None] = queue.Queue(WRITES_WAITING_MAX)
        self._reads: queue.Queue[tuple[Work, asyncio.Future[Any]] | None] = queue.Queue(WRITES_WAITING_MAX)
        connection = _connect(path)
        _prepare(connection, path, schema, version, upgrades)
        self._threads = [threading.Thread(target=_work, args=(connection, self._jobs, True), name=f"{path.stem}-write")]
        self._threads += [
            threading.Thread(target=_work, args=(_connect(path), self._reads, False), name=f"{path.stem}-read-{number}")
            for number in range(readers)
        ]
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one transaction; it is durable when this returns, undone if it raises."""
        result: T = await _enqueue(self._jobs, work, self._path)
        return result

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on a reading connection, in one snapshot."""
        result: T = await _enqueue(self._reads, work, self._path)
        return result

    async def close(self) -> None:
        """Finish what waits, then close."""
        self._jobs.put(None)
        for _ in range(self._readers):
            self._reads.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join, CLOSE_S)


async def _enqueue(jobs: "queue.Queue[Any]", work: Callable[[sqlite3.Connection], Any], path: Path) -> Any:
    done = asyncio.get_running_loop().create_future()
    try:
        jobs.put_nowait((work, done))
    except queue.Full:
        raise Unavailable(f"{path.name} has {jobs.maxsize} operations waiting: try again later") from None
    return await done


def _work(connection: sqlite3.Connection, jobs: "queue.Queue[Any]", writes: bool) -> None:
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
    while (job := jobs.get()) is not None:
        work, done = job
        try:
            connection.execute(begin)
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller, whatever it is
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            _resolve(done, None, _translate(error))
        else:
            _resolve(done, result, None)
    connection.close()


def _translate(error: BaseException) -> BaseException:
    """A full disk or a locked file passes: those who asked may try again."""
    if not isinstance(error, sqlite3.OperationalError):
        return error
    unavailable = Unavailable(f"the database cannot be used: {error}; try again later")
    unavailable.__cause__ = error
    return unavailable


def _resolve(done: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    def settle() -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    loop = done.get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)


def _connect(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("PRAGMA cache_size=-65536")
    except sqlite3.Error as error:
        raise StartError(f"cannot open {path}: {error}; check that the folder can be written and has space") from error
    return connection


def _prepare(
    connection: sqlite3.Connection, path: Path, schema: str, version: int, upgrades: Mapping[int, str]
) -> None:
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found > version:
        raise StartError(
            f"{path} was written by a newer Nottermost (format {found}, this one reads up to {version}): upgrade first"
        )
    if found == 0:
        connection.executescript(f"BEGIN; {schema}; PRAGMA user_version = {version}; COMMIT")
        return
    for known in range(found, version):
        connection.executescript(f"BEGIN; {upgrades[known]}; PRAGMA user_version = {known + 1}; COMMIT")
