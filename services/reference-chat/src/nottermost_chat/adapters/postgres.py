"""PostgreSQL behind a bounded pool, for statements that find everything by key."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

from nottermost_chat.directory.server import Server
from nottermost_chat.errors import BadRequest, StartError
from nottermost_chat.metrics import Metrics
from nottermost_chat.resilience import Guard, Policy

CONNECTIONS_MAX: Final = 8  # a process keeps no more busy; forty processes stay well below what a small server bears
WAITING_MAX: Final = 1_000  # calls for a connection; above it they are refused, as those would be that waited longest
WAIT_S: Final = 1.0  # for a connection: with none to be had, three attempts are refused after three seconds
CONNECT_S: Final = 2  # the shortest that libpq knows
RECONNECT_S: Final = 2.0  # then the next call tries: longer pauses would outlast the outage

# Statements look up rows by key, whatever the statistics say of a table that has just begun to grow: a plan
# that was made for ten rows is kept, and would read all of ten million.
SESSION: Final = """
SELECT set_config(name, value, false) FROM (VALUES
  ('enable_seqscan', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('jit', 'off'),
  ('plan_cache_mode', 'force_generic_plan'), ('default_transaction_isolation', 'read committed'),
  ('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END),
  ('statement_timeout', %s)
) AS wanted (name, value)
"""

Rows = list[tuple[Any, ...]]
Statement = tuple[str, Sequence[Any]]  # and its parameters
T = TypeVar("T")


class Connection(AsyncConnection[tuple[Any, ...]]):
    """A connection that is given up together with the call that used it."""

    async def cancel_safe(self, *, timeout: float = 0.0) -> None:  # noqa: ARG002, ASYNC109 - psycopg's
        """Close instead of asking a server to stop which may not answer; its own time limit ends the statement."""
        self.pgconn.finish()


class Postgres:
    """One database. A connection commits each statement, or each pipeline, by itself.

    A connection keeps its settings and prepared statements, so it needs a session of its own:
    RDS Proxy pins one to it by itself, a PgBouncer must pool sessions.
    """

    def __init__(self, pool: AsyncConnectionPool[Connection], guard: Guard) -> None:
        self._pool, self._guard = pool, guard

    @classmethod
    async def open(
        cls, server: Server, policy: Policy, metrics: Metrics, monotonic: Callable[[], float], *,
        connections_max: int = CONNECTIONS_MAX,
    ) -> "Postgres":  # fmt: skip
        """Connect. Raises: StartError."""
        try:
            await (await Connection.connect(conninfo(server))).close()  # the pool would not tell what is wrong
        except psycopg.Error as error:
            raise cannot_use(server, str(error)) from error
        pool = AsyncConnectionPool(
            lambda: conninfo(server), connection_class=Connection, kwargs={"autocommit": True},
            configure=partial(_configure, statement_ms=round(policy.timeout_s * 1000)), open=False, min_size=1,
            max_size=connections_max, max_waiting=WAITING_MAX, timeout=WAIT_S, reconnect_timeout=RECONNECT_S,
        )  # fmt: skip
        await pool.open()
        errors = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction)
        return cls(pool, Guard(policy, metrics, monotonic, *errors))

    async def close(self) -> None:
        await self._pool.close()

    async def rows(self, statement: str, args: Sequence[Any] = ()) -> Rows:
        """Run one statement, which is a transaction. It may run several times. Raises: Unavailable."""

        async def act(connection: Connection) -> Rows:
            return await _fetch(await connection.execute(statement, args, prepare=True))

        return await self._run(act)

    async def rows_after(self, first: Statement, then: Statement) -> Rows:
        """Run two statements as one transaction, sent in one piece; gives the rows of the second.

        Nobody waits for us meanwhile, however slow this process is. Raises: Unavailable.
        """

        async def act(connection: Connection) -> Rows:
            async with connection.pipeline():
                await connection.execute(*first, prepare=True)
                cursor = await connection.execute(*then, prepare=True)
            return await _fetch(cursor)

        return await self._run(act)

    async def _run(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `act`, several times if need be, until it returned once. Raises: Unavailable, BadRequest."""
        try:
            return await self._guard.call(lambda: self._attempt(act))
        except psycopg.DataError:  # without its words: they may quote a text
            raise BadRequest("this holds U+0000 or a number out of all proportion, which cannot be stored") from None

    async def _attempt(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._pool.connection() as connection:
            try:
                return await act(connection)
            except BaseException as error:
                if isinstance(error, psycopg.OperationalError) and connection.closed:
                    await self._pool.drain()  # the others were most likely lost with it
                await connection.close()  # nobody knows what it is in the middle of
                raise


def conninfo(server: Server) -> str:
    """What libpq connects by: to the one of the hosts that takes writes, with the password of now."""
    places = [place.strip().partition(":") for place in server.host.split(",")]
    return make_conninfo(
        host=",".join(host for host, _, _ in places),
        port=",".join(port or "5432" for _, _, port in places),
        dbname=server.database,
        user=server.user,
        password=server.password() if callable(server.password) else server.password,
        target_session_attrs="read-write",
        connect_timeout=CONNECT_S,
        application_name="nottermost-store",
    )


def cannot_use(server: Server, reason: str) -> StartError:
    """What the server said is part of the sentence."""
    return StartError(f"cannot use the database {server.database} at {server.host} as {server.user}: {reason.strip()}")


async def _fetch(cursor: AsyncCursor[tuple[Any, ...]]) -> Rows:
    return await cursor.fetchall() if cursor.description else []


async def _configure(connection: Connection, statement_ms: int) -> None:
    await connection.execute(SESSION, (str(statement_ms),))
