"""The directory on a server that others use too, that restarts, stops, and loses answers."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import msgspec
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from nottermost_chat import resilience
from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory, Server, transactions
from nottermost_chat.directory.engine import Write
from nottermost_chat.directory.postgres import READERS, WRITERS, PostgresDatabase
from nottermost_chat.directory.transactions import Fate, Phase, judge
from nottermost_chat.errors import BadRequest, StartError, Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.ports import Cursor
from nottermost_chat.resilience import POLICIES
from nottermost_chat.testing.databases import connect_to
from nottermost_chat.testing.relay import Relay, relay_to
from nottermost_chat.testing.servers import Address

TIMEOUT_S = 1.0
ENOUGH_S = 15.0  # far beyond every time limit in here


@pytest.fixture
async def relay(postgres: Address) -> AsyncIterator[Relay]:
    async with relay_to(postgres) as relay:
        yield relay


@pytest.fixture
async def database(server: Server, relay: Relay, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PostgresDatabase]:
    """Reached through the relay, with short time limits."""
    monkeypatch.setattr(resilience, "PROBE_AFTER_S", 0.1)
    policy = msgspec.structs.replace(POLICIES["directory"], timeout_s=TIMEOUT_S)
    there = replace(server, host=relay.address.authority)
    database = await PostgresDatabase.open(there, Metrics(), time.monotonic, policy)
    yield database
    relay.passing.set()
    await database.close()


def note(connection: Connection, name: str) -> str:
    connection.execute(text("INSERT INTO meta VALUES (:name, '')"), {"name": name})
    return name


def forget_notes(connection: Connection) -> None:
    connection.execute(text("DELETE FROM meta WHERE name LIKE 'note%'"))


def notes(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM meta WHERE name LIKE 'note%'")).scalar_one())


@pytest.fixture(autouse=True)
def _without_notes(server: Server, postgres: Address) -> None:
    with connect_to(postgres, server.database) as connection:
        forget_notes(connection)
        connection.commit()


def end_sessions(connection: Connection) -> int:
    """What a restart does to everybody else."""
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'nottermost-directory'"
    return len(connection.execute(text(others + " AND datname = current_database()")).all())


async def test_a_restart_is_not_noticed(database: PostgresDatabase, server: Server, postgres: Address) -> None:
    """With all pooled connections dead the next read and the next write find new ones by themselves."""
    await asyncio.gather(*(database.write(lambda c, n=n: note(c, f"note{n}")) for n in range(WRITERS)))  # type: ignore[misc]
    for turn in range(2):
        with connect_to(postgres, server.database) as connection:
            assert end_sessions(connection) > 0
        if turn:
            await database.write(lambda connection: note(connection, "note after"))
        assert await database.read(notes) == WRITERS + turn


async def test_a_connection_lost_in_the_middle_is_no_loss(database: PostgresDatabase, server: Server, postgres: Address) -> None:  # fmt: skip
    """A write whose session ends before its commit runs again, in a transaction that sees nothing of the first."""
    runs: list[int] = []

    def write(connection: Connection) -> None:
        runs.append(notes(connection))
        note(connection, "note")
        if len(runs) == 1:
            with connect_to(postgres, server.database) as other:
                end_sessions(other)
        note(connection, "note too")

    await database.write(write)
    assert runs == [0, 0]
    assert await database.read(notes) == 2


@pytest.mark.parametrize("kind", Write)
async def test_a_lost_commit_is_repeated_only_where_that_changes_nothing(
    database: PostgresDatabase, relay: Relay, kind: Write
) -> None:
    """The answer to COMMIT is lost: what is not the same the second time is refused as unavailable, and stored once."""
    runs: list[int] = []

    def write(connection: Connection) -> None:
        runs.append(notes(connection))
        connection.execute(text("INSERT INTO meta VALUES ('note', '') ON CONFLICT DO NOTHING"))

    await database.write(forget_notes, kind)  # there is a connection now, so that the next COMMIT is the one below
    relay.lose_answer_to = b"COMMIT\0"
    if kind is Write.UPSERT:
        await database.write(write, kind)
        assert runs == [0, 1]
    else:
        with pytest.raises(Unavailable):
            await database.write(write, kind)
        assert runs == [0]
    assert await database.read(notes) == 1


async def test_a_server_that_hangs_costs_no_thread(database: PostgresDatabase, relay: Relay) -> None:
    """While nothing is answered, calls are refused within the time limits; afterwards every connection is free again."""
    relay.passing.clear()
    begun = time.monotonic()
    writes = [database.write(lambda c, n=n: note(c, f"note{n}")) for n in range(2 * WRITERS)]  # type: ignore[misc]
    refused = await asyncio.gather(*writes, database.read(notes), return_exceptions=True)
    assert all(isinstance(each, Unavailable) for each in refused), refused
    assert time.monotonic() - begun < ENOUGH_S
    relay.passing.set()
    deadline = time.monotonic() + ENOUGH_S
    while True:  # the breaker lets one through every two seconds
        try:
            await database.read(notes)
            break
        except Unavailable:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
    await asyncio.gather(*(database.write(lambda c, n=n: note(c, f"note again {n}")) for n in range(2 * WRITERS)))  # type: ignore[misc]
    await asyncio.gather(*(database.read(notes) for _ in range(2 * READERS)))


async def test_an_endless_statement_is_ended(database: PostgresDatabase) -> None:
    """The server stops it, whether or not anybody waits."""
    with pytest.raises(Unavailable):
        await database.write(lambda connection: connection.execute(text("SELECT pg_sleep(60)")))
    running = text("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active' AND datname = current_database()")  # fmt: skip
    deadline = time.monotonic() + ENOUGH_S
    while await database.read(lambda connection: connection.execute(running).scalar_one()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_a_read_sees_one_state_and_writes_nothing(database: PostgresDatabase) -> None:
    """Between two statements of a read somebody writes: the second one does not see it. A read cannot write."""
    loop = asyncio.get_running_loop()

    def read(connection: Connection) -> tuple[int, int]:
        before = notes(connection)
        asyncio.run_coroutine_threadsafe(database.write(lambda c: note(c, "note")), loop).result(ENOUGH_S)
        return before, notes(connection)

    assert await database.read(read) == (0, 0)
    assert await database.read(notes) == 1
    with pytest.raises(Unavailable):
        await database.read(lambda connection: note(connection, "note two"))
    assert await database.read(notes) == 1


async def test_alone_means_alone(database: PostgresDatabase) -> None:
    """Writes that read, think and write: as many as there are, each counts on what the last one left."""

    def count_up(connection: Connection) -> None:
        value = connection.execute(text("SELECT value FROM meta WHERE name = 'note'")).scalar_one()
        connection.execute(text("UPDATE meta SET value = :value WHERE name = 'note'"), {"value": f"{value}+"})

    await database.write(lambda connection: note(connection, "note"))
    await asyncio.gather(*(database.write(count_up) for _ in range(30)))
    counted = text("SELECT value FROM meta WHERE name = 'note'")
    assert await database.read(lambda connection: connection.execute(counted).scalar_one()) == "+" * 30


async def test_closing_finishes_what_is_under_way(database: PostgresDatabase) -> None:
    """Every write taken before the close is there afterwards; none is taken later."""
    writes = [asyncio.create_task(database.write(lambda c, n=n: note(c, f"note{n}"))) for n in range(20)]  # type: ignore[misc]
    await asyncio.sleep(0)
    await database.close()
    assert len(await asyncio.gather(*writes)) == 20
    with pytest.raises(Unavailable):
        await database.read(notes)
    await database.close()


async def test_a_token_is_made_for_each_connection(server: Server) -> None:
    """What makes passwords is asked whenever a connection is opened, and only then."""
    made: list[int] = []

    def token() -> str:
        made.append(len(made))
        return f"token {len(made)}"

    database = await PostgresDatabase.open(replace(server, password=token), Metrics(), time.monotonic)
    await asyncio.gather(*(database.read(notes) for _ in range(20)))
    await database.close()
    assert 2 <= len(made) <= 1 + READERS  # one for the migrations
    assert "token" not in repr(replace(server, password="token"))


async def test_who_cannot_start_says_why(server: Server, clock: Clock) -> None:
    """A server that is away, a database that is not there: one sentence, no password."""
    for wrong in (
        replace(server, host="127.0.0.1:1"),
        replace(server, database="nowhere"),
    ):
        with pytest.raises(StartError, match=wrong.database) as refusal:
            await Directory.open(replace(wrong, password="hush"), clock)
        assert "hush" not in str(refusal.value)


async def test_the_one_that_takes_writes_is_used(server: Server, clock: Clock) -> None:
    """Of several addresses those that do not answer are passed over."""
    directory = await Directory.open(replace(server, host=f"127.0.0.1:1,{server.host}"), clock)
    assert await directory.accounts.user("nobody") is None
    await directory.close()


async def test_what_cannot_be_stored_is_a_bad_request(server: Server, clock: Clock) -> None:
    """U+0000 has no place in a text of PostgreSQL: the request is refused, the dependency is well."""
    directory = await Directory.open(server, clock)
    with pytest.raises(BadRequest):
        await directory.accounts.by_username("a\0b")
    with pytest.raises(BadRequest):
        await directory.cursors.raise_cursors([Cursor("c", "u", 2**70)])
    await directory.close()


def test_every_fate_is_told_apart() -> None:
    """From the state of the transaction and what the server said."""

    class Said(Exception):
        def __init__(self, sqlstate: str | None) -> None:
            self.sqlstate = sqlstate

    def error(sqlstate: str | None, *, lost: bool = False) -> OperationalError:
        return OperationalError("", {}, Said(sqlstate), connection_invalidated=lost)

    for sqlstate in transactions.CONFLICTS:
        for phase in Phase:
            assert judge(error(sqlstate), phase) is Fate.CONFLICT
    assert judge(error(None, lost=True), Phase.WORKING) is Fate.LOST
    assert judge(error("57P01", lost=True), Phase.COMMITTING) is Fate.UNKNOWN
    assert judge(error(None), Phase.CONNECTING) is Fate.LOST
    assert judge(error("57014"), Phase.WORKING) is Fate.REFUSED
    assert judge(ValueError(), Phase.WORKING) is Fate.REFUSED
