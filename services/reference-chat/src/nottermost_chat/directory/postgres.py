"""The directory's database as a PostgreSQL server, which several processes use at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from nottermost_chat import migrations
from nottermost_chat.directory.engine import Database, Write
from nottermost_chat.directory.server import Server
from nottermost_chat.directory.transactions import READ_ONLY, ROLLED_BACK, Call, Fate
from nottermost_chat.errors import BadRequest, StartError, Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.resilience import POLICIES, Guard, Policy

READERS: Final = 4  # connections and threads of a process: ten processes stay below the 100 of a small server
WRITERS: Final = 4  # apart from the readers, so that writes that wait for each other hold up no read
WAITING_MAX: Final = 2_000  # calls of each kind, about a second of work; above it they are refused
CONNECT_S: Final = 2  # the shortest that libpq knows
RECYCLE_S: Final = 1_800  # a connection's life, so that they spread again over servers that came back
IDLE_IN_TRANSACTION_MS: Final = 5_000  # a process that was stopped in the middle gives its locks back

AWAY: Final = (OperationalError, InterfaceError, InternalError, PoolTimeoutError, psycopg.OperationalError)

# Durable also where the server's default is quicker; no compiling of statements that take a millisecond. One plan for
# everybody (a prepared statement's) suits neither who is in ten channels nor who is in a hundred thousand.
SESSION: Final = """
SELECT set_config(name, value, false) FROM (VALUES
  ('statement_timeout', %s), ('idle_in_transaction_session_timeout', %s), ('jit', 'off'),
  ('plan_cache_mode', 'force_custom_plan'),
  ('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END)
) AS wanted (name, value)
"""

T = TypeVar("T")


class PostgresDatabase(Database):
    """A bounded pool; each call has a connection and a thread to itself.

    A read sees one snapshot. A write is SERIALIZABLE or, where the method sees to it itself, READ
    COMMITTED; it is repeated when it was rolled back, and when its commit was lost only if again
    is the same as once.
    """

    def __init__(self, engine: Engine, guard: Guard, timeout_s: float) -> None:
        self._engine, self._guard, self._timeout_s = engine, guard, timeout_s
        self._readers, self._writers = Lane("read", READERS, timeout_s), Lane("write", WRITERS, timeout_s)
        self._snapshot = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        alone = engine.execution_options(isolation_level="SERIALIZABLE")
        rows = engine.execution_options(isolation_level="READ COMMITTED")
        self._kinds = {
            Write.ALONE: (alone, ROLLED_BACK),
            Write.ROWS: (rows, ROLLED_BACK),
            Write.UPSERT: (rows, ROLLED_BACK | {Fate.UNKNOWN}),
        }
        self._closed = False

    @classmethod
    async def open(
        cls, server: Server, metrics: Metrics, monotonic: Callable[[], float], policy: Policy = POLICIES["directory"]
    ) -> "PostgresDatabase":
        """Connect, and bring the schema up to date as far as older programs bear it. Raises: StartError."""
        engine = _engine(server, policy.timeout_s)
        try:
            await asyncio.to_thread(_upgrade, engine)
        except (DBAPIError, psycopg.Error) as error:
            engine.dispose()
            reason = str(getattr(error, "orig", error)).strip()
            raise StartError(
                f"cannot use the database {server.database} at {server.host} as {server.user}: {reason}"
            ) from error
        except StartError:
            engine.dispose()
            raise
        return cls(engine, Guard(policy, metrics, monotonic, *AWAY), policy.timeout_s)

    async def read(self, fn: Callable[[Connection], T]) -> T:
        return await self._run(self._readers, self._snapshot, fn, repeats=frozenset(), attempts=None)

    async def write(self, fn: Callable[[Connection], T], kind: Write = Write.ALONE) -> T:
        engine, repeats = self._kinds[kind]
        # One attempt: the call repeats by itself what may be repeated.
        return await self._run(self._writers, engine, fn, repeats=repeats, attempts=1)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await self._readers.close()
        await self._writers.close()
        await asyncio.to_thread(self._engine.dispose)

    async def _run(
        self,
        lane: "Lane",
        engine: Engine,
        fn: Callable[[Connection], T],
        *,
        repeats: frozenset[Fate],
        attempts: int | None,
    ) -> T:
        if self._closed:
            raise Unavailable("the directory is closed")
        async with lane.place():
            try:
                return await self._guard.call(
                    lambda: lane.run(Call(engine, fn, repeats=repeats, timeout_s=self._timeout_s)), attempts=attempts
                )
            except DataError as error:
                raise BadRequest(
                    "this holds U+0000 or a number out of all proportion, which cannot be stored"
                ) from error


class Lane:
    """The threads for one kind of call."""

    def __init__(self, name: str, size: int, timeout_s: float) -> None:
        self._threads = ThreadPoolExecutor(size, thread_name_prefix=f"directory-{name}")
        self._free, self._size = asyncio.Semaphore(size), size
        self._timeout_s, self._waiting = timeout_s, 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A thread, once one is free. Raises: Unavailable when too many wait, or for too long."""
        if self._waiting >= WAITING_MAX:
            raise Unavailable(f"{WAITING_MAX} calls of the directory are waiting already: try again in a moment")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._free.acquire()
        except TimeoutError as error:
            raise Unavailable("the directory has too much to do: try again in a moment") from error
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()

    async def run(self, call: Call[T]) -> T:
        """Call it in a thread, which is back within the time limit whatever the server does."""
        loop = asyncio.get_running_loop()
        cutting = loop.call_later(self._timeout_s, call.cut)
        future = self._threads.submit(call)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(cutting.cancel))
        return await asyncio.wrap_future(future)

    async def close(self) -> None:
        """When all that wait have been served."""
        for _ in range(self._size):
            await self._free.acquire()
        await asyncio.to_thread(self._threads.shutdown)


def _engine(server: Server, timeout_s: float) -> Engine:
    places = [place.strip().partition(":") for place in server.host.split(",")]
    engine = create_engine(
        "postgresql+psycopg://",
        connect_args={
            "host": ",".join(host for host, _, _ in places),
            "port": ",".join(port or "5432" for _, _, port in places),
            "dbname": server.database,
            "user": server.user,
            "target_session_attrs": "read-write",
            "connect_timeout": CONNECT_S,
            "application_name": "nottermost-directory",
        },
        pool_size=READERS + WRITERS,
        max_overflow=0,
        pool_timeout=timeout_s,
        pool_recycle=RECYCLE_S,
        pool_use_lifo=True,  # what is not needed grows old and is closed
        hide_parameters=True,  # they hold e-mail addresses, and errors are logged
        use_native_hstore=False,  # asks the server for a type that we do not use
    )

    @event.listens_for(engine, "do_connect")
    def _log_in(_dialect: Any, _record: Any, _args: Any, parameters: dict[str, Any]) -> None:
        parameters["password"] = server.password() if callable(server.password) else server.password

    @event.listens_for(engine, "connect")
    def _configure(connection: psycopg.Connection[Any], _record: Any) -> None:
        connection.execute(SESSION, (str(round(timeout_s * 1000)), str(IDLE_IN_TRANSACTION_MS)))
        connection.commit()

    @event.listens_for(engine, "handle_error")
    def _leave_a_standby(context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
            context.is_disconnect = True

    return engine


def _upgrade(engine: Engine) -> None:
    with engine.connect() as connection:
        try:
            migrations.upgrade(connection, "directory")
        finally:
            connection.invalidate()  # it has lost its time limits
