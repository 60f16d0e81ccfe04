"""What the PostgreSQL store promises beyond the port: no deadlock, look-ups by index, and what an outage does."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Final, cast

import msgspec
import psycopg
import pytest
from psycopg import sql

from nottermost_chat.adapters import postgres_store
from nottermost_chat.adapters.postgres import SESSION, Postgres, Statement, conninfo
from nottermost_chat.adapters.postgres_store import ROWS_MAX, PostgresStore
from nottermost_chat.adapters.sql_rows import SKELETON
from nottermost_chat.directory.server import Server
from nottermost_chat.errors import BadRequest, StartError, Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import EntryKind, Head
from nottermost_chat.ports import AppendRefused, EventLog, MessageStore, RepublishNote
from nottermost_chat.resilience import POLICIES
from nottermost_chat.testing.batches import START_MS, Draft, message_id_of
from nottermost_chat.testing.databases import USER, empty_store_database, make_database
from nottermost_chat.testing.ingesting import ListLog, open_writing
from nottermost_chat.testing.relay import Relay, relay_to
from nottermost_chat.testing.servers import Address

LONG: Final = "long text " * 1000
SECRET: Final = "a sentence nobody may ever find again"
TABLES: Final = ("heads", "entries", "texts", "long_texts", "reactions", "republish_notes")
BIG: Final = 5_000  # entries of each of four conversations
QUICK: Final = msgspec.structs.replace(POLICIES["message store"], timeout_s=0.5)
OpenStore = Callable[..., Awaitable[PostgresStore]]


@pytest.fixture(scope="module")
def database(postgres: Address) -> Iterator[Server]:
    with make_database(postgres, "store") as name:
        yield Server(host=postgres.authority, database=name, user=USER)


@pytest.fixture
async def open_store(postgres: Address, database: Server) -> AsyncIterator[OpenStore]:
    """Opens stores over one empty database, at the server's address or another one."""
    empty_store_database(postgres, database.database)
    async with AsyncExitStack() as stack:

        async def open_one(server: Server = database) -> PostgresStore:
            store = await PostgresStore.open(server, Metrics(), time.monotonic)
            stack.push_async_callback(store.close)
            return store

        yield open_one


@pytest.fixture
async def store(open_store: OpenStore) -> PostgresStore:
    return await open_store()


@pytest.fixture
async def relay(postgres: Address) -> AsyncIterator[Relay]:
    async with relay_to(postgres) as relay:
        yield relay


@pytest.fixture
def relayed(relay: Relay, database: Server) -> Server:
    """The same database through the relay."""
    return replace(database, host=relay.address.authority)


@pytest.fixture
async def server(database: Server) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection of an administrator to the same database."""
    async with await psycopg.AsyncConnection.connect(conninfo(database), autocommit=True) as connection:
        yield connection


async def draft(store: MessageStore, *conversation_ids: str) -> Draft:
    heads = await store.heads(conversation_ids)
    return Draft(*[heads.get(key, Head(key)) for key in conversation_ids])


async def eventually(server: psycopg.AsyncConnection, statement: str, expected: list[Any]) -> None:
    """Wait until the statement has these rows."""
    deadline = time.monotonic() + 10
    while await (await server.execute(statement)).fetchall() != expected:
        assert time.monotonic() < deadline, statement
        await asyncio.sleep(0.02)


# --- two writers ------------------------------------------------------------------------------


async def test_crossing_batches_of_two_stores_neither_deadlock_nor_lose(
    open_store: OpenStore, server: psycopg.AsyncConnection
) -> None:
    """Eight writers append to the same conversations in opposite orders: gapless, nothing lost, nobody is a victim."""
    names = [f"c{number}" for number in range(6)]
    stores = [await open_store(), await open_store()]
    acknowledged: dict[str, list[str]] = {name: [] for name in names}
    refusals: list[AppendRefused] = []

    async def write(store: PostgresStore, writer: int) -> None:
        random = Random(writer)
        for turn in range(12):
            chosen = random.sample(names, 3)
            while True:
                one = await draft(store, *chosen)
                entries = [one.say(name, f"{writer}.{turn}.{name}", "hello") for name in chosen]
                try:
                    await store.append(one.batch)
                    break
                except AppendRefused as refused:
                    refusals.append(refused)
            for entry in entries:
                acknowledged[entry.conversation_id].append(entry.op_id)

    await asyncio.gather(*(write(stores[writer % 2], writer) for writer in range(8)))
    assert all(refused.lost and not refused.repeats for refused in refusals)
    for name in names:
        entries = await stores[0].entries(name, 0, 1_000)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert sorted(entry.op_id for entry in entries) == sorted(acknowledged[name])
    await server.execute("SELECT pg_stat_force_next_flush()")
    cursor = await server.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert await cursor.fetchone() == (0,)


async def test_an_append_is_one_transaction(store: PostgresStore, server: psycopg.AsyncConnection) -> None:
    """What is sent in one piece is committed in one piece: every row of an append has the same transaction."""
    one = await draft(store, "a", "b")
    target = one.say("a", "1", "hello")
    one.say("b", "2", "there")
    one.react(target, "3", "👍")
    await store.append(one.batch)
    written = " UNION ".join(f"SELECT xmin::text FROM {table}" for table in ("heads", "entries", "texts", "reactions"))
    assert len(await (await server.execute(written)).fetchall()) == 1


# --- indexes ----------------------------------------------------------------------------------


async def load(server: psycopg.AsyncConnection, size: int = BIG) -> None:
    """Four conversations of `size` entries: of ten entries eight messages, a reaction and an edit."""
    await server.execute(
        "INSERT INTO heads SELECT 'c' || n, 1, %s, 0, 0, %s, 0, %s, 2, false FROM generate_series(0, 3) AS n",
        (size, size, START_MS + size),
    )
    await server.execute(
        f"INSERT INTO entries ({SKELETON}, fingerprint, large, silent, thread_id, broadcast, deleted_at)"
        " SELECT 'c' || c, 1, n, coalesce((ARRAY['reaction', 'edit'])[n %% 10 + 1], 'message'), 'ann', 'M' || c || '.' || n,"
        " 0, %s + n, 0, n, 0, 'op' || n, '{}', '', false, false, CASE WHEN n %% 7 = 0 THEN 'M' || c || '.2' END, false,"
        " CASE WHEN n %% 90 = 5 THEN %s + n END FROM generate_series(0, 3) AS c, generate_series(1, %s) AS n",
        (START_MS, START_MS, size),
    )
    await server.execute("INSERT INTO texts SELECT message_id, 1, 'hello', false FROM entries WHERE kind = 'message'")
    await server.execute(
        "INSERT INTO reactions SELECT message_id, 'up', 'ann', seq FROM entries WHERE kind = 'message'"
    )
    await server.execute(
        "INSERT INTO long_texts SELECT 'long' || n, 1, 'text', n, n %% 10 > 0 FROM generate_series(1, %s) AS n", [size]
    )
    await server.execute(
        "INSERT INTO republish_notes SELECT 'o' || n %% 10, 'n' || n, 1, n FROM generate_series(1, %s) AS n", [size]
    )
    await server.execute("ANALYZE")


def statements() -> dict[str, Statement]:
    """Every statement of the store, with parameters."""
    ids, page = ["c0", "c1"], ("c0", 10, BIG, 50)
    one = Draft(Head("c0", seq=BIG))
    said = one.say("c0", "new", LONG, inline=False)
    one.edit(said, "edit", "hullo")
    one.react(said, "react", "👍")
    found: dict[str, Statement] = {
        "heads": (postgres_store.HEADS, [ids]),
        "stored": (postgres_store.STORED, [["c0"], ["ann"], ["op1"]]),
        "append": postgres_store.lay_out(one.batch),
        "put_text": (postgres_store.PUT_TEXT, ("m", 1, "text", 1)),
        "collect_texts": (postgres_store.COLLECT_TEXTS, (100, 100)),
        "entries": (postgres_store.ENTRIES, ("c0", 10, 50)),
        "records": (postgres_store.RECORDS, ("c0", 10, 50)),
        "messages": (postgres_store.MESSAGES, (["M0.2", "M0.3"], "c0")),
        "full_message": (postgres_store.FULL_MESSAGE, ("M0.2", "c0")),
        "last_messages": (postgres_store.LAST_MESSAGES, [ids]),
        "seq_at": (postgres_store.SEQ_AT, ("c0", START_MS, START_MS, "c0")),
        "deleted_before": (postgres_store.DELETED_BEFORE, (START_MS + 200, 50)),
        "trim": (postgres_store.TRIM, ("c0", BIG - 10, 10, 10, "c0", 10, "c0", "c0", 100)),
        "half_trimmed": (postgres_store.HALF_TRIMMED, [ids]),
        "note": (postgres_store.NOTE_REPUBLISH, [msgspec.json.encode([RepublishNote("c0", "o1", 1, 1)]).decode()]),
        "notes": (postgres_store.REPUBLISH_NOTES, ("o1", 10, 5, 10, 10)),
        "clear": (postgres_store.CLEAR_REPUBLISH, ("n1", "o1", 1, 1)),
    }
    for in_thread in (False, True):
        for roots_only in (False, True):
            for forward in (False, True):
                sql = postgres_store.history_statement(in_thread=in_thread, roots_only=roots_only, forward=forward)
                args = (*(("M0.2", "M0.2", 10, BIG, 50) if in_thread else ()), *page)
                found[f"history {in_thread=} {roots_only=} {forward=}"] = (sql, args)
    return found


def scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of a plan that read one of our tables."""
    if plan.get("Relation Name") in TABLES and "Scan" in plan["Node Type"]:
        yield plan
    for inner in plan.get("Plans", ()):
        yield from scans(inner)


@pytest.mark.parametrize("size", [0, 100, BIG])
async def test_every_statement_finds_its_rows_by_key(
    server: psycopg.AsyncConnection, store: PostgresStore, size: int
) -> None:
    """EXPLAIN shows no sequential scan, and no index read from end to end; also while the tables are new or small.

    A connection keeps its plans: one made for small tables serves until they are analysed again.
    """
    assert await store.heads([]) == {}
    if size:
        await load(server, size)
    await server.execute(SESSION, ("3000",))
    for name, (statement, args) in statements().items():
        cursor = await server.execute(f"EXPLAIN (FORMAT JSON) {statement}", args)
        ((found,),) = await cursor.fetchall()
        for scan in scans(found[0]["Plan"]):
            keyed = {"Index Cond", "Recheck Cond", "TID Cond"} & scan.keys()
            partial = scan.get("Index Name") == "long_texts_unused"
            assert keyed or partial, f"{name}: {scan}"


async def test_no_read_of_the_store_scans_a_table(open_store: OpenStore, server: psycopg.AsyncConnection) -> None:
    """The same of the plans that the store's connections really use: the server counts no sequential scan."""
    store = await open_store()
    await load(server)
    counted = "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname = ANY(%s) ORDER BY relname"
    await server.execute("SELECT pg_stat_force_next_flush()")
    before = await (await server.execute(counted, [list(TABLES)])).fetchall()
    page = await store.history("c1", limit=50, before_seq=BIG - 100)
    assert len(page) == 50
    assert page[-1].reactions
    assert (await store.history("c0", limit=200, thread_id="M0.2", after_seq=0))[1].entry.seq == 7
    assert len(await store.messages("c2", [one.entry.message_id.replace("M1", "M2") for one in page])) == 50
    assert (await store.last_messages(["c0", "c3"])).keys() == {"c0", "c3"}
    assert await store.seq_at("c3", START_MS + 1_234) == 1_234
    assert len(await store.records("c0", 100, 100)) == len(await store.entries("c0", 100, 100)) == 100
    assert len(await store.deleted_before(2 * START_MS, 20)) == 20
    assert len(await store.republish_notes("o1", abandoned_before=0, limit=20)) == 20
    one = await draft(store, "c0", "c1")
    one.edit((await store.entries("c0", 1, 1))[0], "op-edit", "hullo")
    one.react(one.say("c1", "op", "hello"), "op-react", "👍")
    await store.append(one.batch)
    await store.trim("c2", 2 * ROWS_MAX + 1)
    assert [entry.seq for entry in await store.entries("c2", 0, 1)] == [2 * ROWS_MAX + 2]
    assert await store.collect_texts(10_000) == 500
    await store.close()  # what a connection counted is seen when it ends
    others = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    await eventually(server, others, [])
    assert await (await server.execute(counted, [list(TABLES)])).fetchall() == before


# --- erased texts -----------------------------------------------------------------------------


@pytest.mark.parametrize("body", [SECRET, SECRET + " and more" * 50, SECRET + " and much more" * 1000])
@pytest.mark.parametrize("how", ["edit", "redact", "trim"])
async def test_what_is_replaced_or_erased_is_in_no_table(
    store: PostgresStore, server: psycopg.AsyncConnection, body: str, how: str
) -> None:
    """No row of any table holds a replaced, redacted or trimmed text, short or long."""
    inline = len(body) < 4096
    if not inline:
        await store.put_text(message_id_of("1"), 1, body)
    one = await draft(store, "c")
    entry = one.say("c", "1", body, inline=inline)
    await store.append(one.batch)

    async def kept() -> int:
        rows = [await (await server.execute(f"SELECT t::text FROM {table} AS t")).fetchall() for table in TABLES]
        return sum(SECRET in str(row) for table in rows for row in table)

    assert await kept()
    two = await draft(store, "c")
    two.redact(entry, "2", deleted=False) if how == "redact" else two.edit(entry, "2", "harmless")
    if how == "trim":
        two = await draft(store, "c")
        two.say("c", "2", "later")
    await store.append(two.batch)
    await store.trim("c", 1 if how == "trim" else 0)
    assert await kept() == 0


async def test_a_redacted_message_leaves_no_fingerprint_of_its_edits(store: PostgresStore) -> None:
    """Neither the message nor its edits keep what a text could be guessed from."""
    for step in ("say", "edit", "redact"):
        one = await draft(store, "c")
        target = (await store.entries("c", 0, 1))[:1]
        match step:
            case "say":
                one.say("c", "1", SECRET)
            case "edit":
                one.edit(target[0], "2", SECRET + "!")
            case _:
                one.redact(target[0], "3", version=2, deleted=False)
        await store.append(one.batch)
    found = await store.stored([("c", "ann", "1"), ("c", "ann", "2")])
    assert [one.fingerprint for one in found.values()] == [b"", b""]


# --- outages ----------------------------------------------------------------------------------


async def test_a_restart_of_the_server_is_not_noticed(store: PostgresStore, server: psycopg.AsyncConnection) -> None:
    """With every connection ended, also busy ones, appends and reads go on and nothing is stored twice."""

    async def write(number: int) -> None:
        one = Draft(Head(f"c{number}"))
        one.say(f"c{number}", f"{number}", "hello")
        try:
            await store.append(one.batch)
        except AppendRefused as refused:  # committed, and the connection ended before the answer
            refusals.append(refused)

    refusals: list[AppendRefused] = []
    ended = 0
    for first in range(0, 60, 20):
        writing = [asyncio.create_task(write(number)) for number in range(first, first + 20)]
        await asyncio.wait(writing, return_when=asyncio.FIRST_COMPLETED)
        cursor = await server.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        ended += cast("tuple[int]", await cursor.fetchone())[0]
        await asyncio.gather(*writing)
    assert ended
    assert all(refused.repeats for refused in refusals)
    heads = await store.heads([f"c{number}" for number in range(60)])
    assert [head.seq for head in heads.values()] == [1] * 60


async def test_a_repeat_after_an_unknown_commit_names_its_own_entries(
    open_store: OpenStore, relay: Relay, relayed: Server
) -> None:
    """The answer to a commit is lost: the store tries again and is told that the entries are there, once."""
    store = await open_store(relayed)
    one = await draft(store, "a", "b")
    first, second = one.say("a", "the-op", "hello"), one.say("b", "another", "there")
    relay.lose_answer_to = b"the-op"
    with pytest.raises(AppendRefused) as refused:
        await store.append(one.batch)
    assert not relay.lose_answer_to
    assert {key: stored.entry for key, stored in refused.value.repeats.items()} == {
        ("a", "ann", "the-op"): first,
        ("b", "ann", "another"): second,
    }
    assert await store.entries("a", 0, 10) == [first]
    assert await store.entries("b", 0, 10) == [second]


async def test_ingest_answers_and_publishes_after_an_unknown_commit(
    open_store: OpenStore, relay: Relay, relayed: Server, tmp_path: Path
) -> None:
    """A sender whose message was committed without an answer is acknowledged with it, and it reaches the log."""
    log, store = ListLog(), await open_store(relayed)
    async with open_writing(tmp_path, store=store, log=cast("EventLog", log)) as writing:
        ann, bob = await writing.users("ann", "bob")
        conversation_id = await writing.conversation(ann, bob)
        relay.lose_answer_to = b"the-op"
        answers = await asyncio.gather(
            writing.say(conversation_id, ann, "hello", op_id="the-op"),
            writing.say(conversation_id, bob, "there", op_id="another"),
        )
        assert not relay.lose_answer_to
        entries = await store.entries(conversation_id, 1, 10)
        assert [answer.entry for answer in answers] == entries
        assert [answer.id_reused for answer in answers] == [False, False]
        assert {entry.kind for entry in entries} == {EntryKind.MESSAGE}
        assert log.seqs(conversation_id) == [1, 2, 3]


async def test_without_the_server_it_is_unavailable_and_heals(
    open_store: OpenStore, relay: Relay, relayed: Server
) -> None:
    """While nothing answers calls are refused with a stable error; when it is back, the next ones go through."""
    database = await Postgres.open(relayed, QUICK, Metrics(), time.monotonic)
    try:
        assert await database.rows("SELECT 1") == [(1,)]
        relay.passing.clear()
        with pytest.raises(Unavailable):
            await database.rows("SELECT 1")
        relay.passing.set()
        deadline = time.monotonic() + 20
        while True:
            try:
                assert await database.rows("SELECT 1") == [(1,)]
                break
            except Unavailable:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
    finally:
        await database.close()


async def test_what_cannot_be_stored_is_refused_without_quoting_it(store: PostgresStore) -> None:
    """U+0000 in an id finds nothing and breaks nothing: it is the caller's mistake."""
    with pytest.raises(BadRequest) as refused:
        await store.entries(SECRET + "\0", 0, 10)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


async def test_a_full_disk_is_unavailable_and_leaves_nothing(
    store: PostgresStore, server: psycopg.AsyncConnection
) -> None:
    """SQLSTATE 53100 refuses the append with a stable error, and nothing of it is there."""
    await server.execute(
        "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$;"
        " CREATE TRIGGER full_disk BEFORE INSERT ON texts EXECUTE FUNCTION fill()"
    )
    one = await draft(store, "c")
    one.say("c", "1", "hello")
    with pytest.raises(Unavailable):
        await store.append(one.batch)
    assert await store.heads(["c"]) == {}
    assert await store.entries("c", 0, 10) == []
    await server.execute("DROP TRIGGER full_disk ON texts; DROP FUNCTION fill()")
    await store.append(one.batch)


# --- opening ----------------------------------------------------------------------------------


async def test_a_commit_waits_for_the_disk_whatever_the_server_is_set_to(
    database: Server, server: psycopg.AsyncConnection
) -> None:
    """A database that is set to answer before the log is synced does not weaken what an append promises."""
    setting = sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(sql.Identifier(database.database))
    await server.execute(setting)
    opened = await Postgres.open(database, QUICK, Metrics(), time.monotonic)
    assert await opened.rows("SHOW synchronous_commit") == [("on",)]
    await opened.close()
    await server.execute(sql.SQL("ALTER DATABASE {} RESET ALL").format(sql.Identifier(database.database)))


async def test_a_password_is_made_for_each_connection(relay: Relay, relayed: Server) -> None:
    """As IAM's, which lasts for minutes: after every connection was lost a new one is asked for."""
    made = iter(range(1000))
    opened = await Postgres.open(replace(relayed, password=lambda: str(next(made))), QUICK, Metrics(), time.monotonic)
    assert await opened.rows("SELECT 1") == [(1,)]
    before = next(made)
    await relay.reset()
    assert await opened.rows("SELECT 1") == [(1,)]
    assert next(made) > before + 1
    await opened.close()


async def test_a_database_that_is_not_there_is_refused(open_store: OpenStore, database: Server) -> None:
    """The sentence names it and says what the server said."""
    with pytest.raises(StartError, match='"nowhere" does not exist'):
        await open_store(replace(database, database="nowhere"))


async def test_a_database_of_a_newer_version_is_refused(
    open_store: OpenStore, database: Server, server: psycopg.AsyncConnection
) -> None:
    """What a later version took away is not looked for."""
    await (await open_store()).close()
    await server.execute("UPDATE alembic_version_store SET version_num = 'v9_0'")
    with pytest.raises(StartError, match="newer version"):
        await open_store()
    await server.execute("UPDATE alembic_version_store SET version_num = 'v1_0'")
