"""How a database comes to the tables: new, old, from another version, by several processes, and while old programs run."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from nottermost_chat import migrations
from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory, Server
from nottermost_chat.directory.sqlite import SqliteDatabase, open_engine
from nottermost_chat.directory.tables import metadata
from nottermost_chat.errors import StartError
from nottermost_chat.model import Detail, Entry, EntryKind, MemberChange, Role
from nottermost_chat.testing.databases import USER, connect_to, make_database
from nottermost_chat.testing.servers import Address

NAME = "directory"
MANY = 12_000  # conversations: more than two batches of the migration that fills
Connect = Callable[[], AbstractContextManager[Connection]]


@pytest.fixture(params=["sqlite", "postgres"])
def empty_place(request: pytest.FixtureRequest) -> Iterator[Path | Server]:
    """A database in which nothing is yet."""
    if request.param == "sqlite":
        yield request.getfixturevalue("path")
        return
    postgres: Address = request.getfixturevalue("postgres")
    with make_database(postgres, NAME, empty=True) as name:
        yield Server(host=postgres.authority, database=name, user=USER)


@pytest.fixture
def connect(empty_place: Path | Server, request: pytest.FixtureRequest) -> Connect:
    """Opens connections to it."""
    if isinstance(empty_place, Server):
        return lambda: connect_to(request.getfixturevalue("postgres"), empty_place.database)

    @contextmanager
    def connect() -> Iterator[Connection]:
        engine = open_engine(empty_place, "BEGIN IMMEDIATE")
        with engine.connect() as connection:
            yield connection
        engine.dispose()

    return connect


def go_to(connect: Connect, revision: str) -> None:
    with connect() as connection:
        migrations.upgrade(connection, NAME, to=revision)


def run(connect: Connect, statement: str, **values: Any) -> list[Any]:
    """In a transaction of its own; returns its rows."""
    with connect() as connection, connection.begin():
        result = connection.execute(text(statement), values)
        return [tuple(row) for row in result] if result.returns_rows else []


def differences(connection: Connection) -> list[Any]:
    def ours(name: str | None, kind: str, _parents: Any) -> bool:
        return not (kind == "table" and name == migrations.version_table(NAME))

    return list(compare_metadata(MigrationContext.configure(connection, opts={"include_name": ours}), metadata))


# --- the tables ------------------------------------------------------------------------------


def test_the_revisions_make_the_tables(connect: Connect) -> None:
    """What the revisions come to is what `tables.py` says; going through them again changes nothing."""
    for _ in range(2):
        with connect() as connection:
            migrations.upgrade(connection, NAME)
        with connect() as connection:
            assert migrations.current(connection, NAME) == migrations.known(NAME)[0]
            assert differences(connection) == []


def test_columns_and_indexes_are_the_same_to_the_letter(postgres: Address) -> None:
    """Collations, lengths, conditions and checks, which a comparison of metadata does not look at."""
    shape = """
        SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull, l.collname::text, pg_get_expr(d.adbin, d.adrelid)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_collation l ON l.oid = a.attcollation
        LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
        WHERE c.relnamespace = CAST(:schema AS regnamespace) AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
        UNION SELECT c.relname, pg_get_indexdef(i.indexrelid, 0, true), NULL, i.indisunique, NULL, NULL
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = CAST(:schema AS regnamespace)
        UNION SELECT CAST(conrelid AS regclass)::text, pg_get_constraintdef(oid), NULL, NULL, NULL, NULL
        FROM pg_constraint WHERE connamespace = CAST(:schema AS regnamespace)
    """
    with make_database(postgres, NAME) as name, connect_to(postgres, name) as connection:
        connection.execute(text("CREATE SCHEMA made"))
        metadata.create_all(connection.execution_options(schema_translate_map={None: "made"}))

        def shape_of(schema: str) -> set[tuple[Any, ...]]:
            rows = [[str(value).replace(f"{schema}.", "") for value in row] for row in connection.execute(text(shape), {"schema": schema})]  # fmt: skip
            return {tuple(row) for row in rows if not row[0].startswith("alembic")}

        connection.execute(text("SET search_path = nowhere"))  # so that names are written with their schema
        made, migrated = shape_of("made"), shape_of("public")
        assert len(made) > 300
        assert made ^ migrated == set()


async def test_processes_that_start_together_migrate_once(empty_place: Path | Server, clock: Clock) -> None:
    """Four of them open an empty database at the same moment: one makes the tables, the others wait, all can use them."""
    directories = await asyncio.gather(*(Directory.open(empty_place, clock) for _ in range(4)))
    for number, directory in enumerate(directories):
        await directory.accounts.create_user(username=f"user{number}")
    await asyncio.gather(*(directory.close() for directory in directories))


def test_who_waits_for_a_migration_does_not_wait_for_ever(
    postgres: Address, directory_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock of a process that was stopped in the middle is waited for so long and no longer."""
    monkeypatch.setattr(migrations, "WAIT_MS", 50)
    with connect_to(postgres, directory_database) as holder, connect_to(postgres, directory_database) as waiting:
        holder.execute(text(f"SELECT pg_advisory_lock({migrations.ADVISORY_LOCK})"))
        with pytest.raises(DBAPIError, match="lock timeout"):
            migrations.upgrade(waiting, NAME)
        holder.rollback()
        holder.execute(text("SELECT pg_advisory_unlock_all()"))
        migrations.upgrade(waiting, NAME)


# --- other versions --------------------------------------------------------------------------


async def test_a_newer_generation_is_refused(connect: Connect, empty_place: Path | Server, clock: Clock) -> None:
    """In one sentence, and left as it was."""
    with connect() as connection:
        migrations.upgrade(connection, NAME)
    run(connect, "UPDATE alembic_version_directory SET version_num = 'v999_0'")
    with pytest.raises(StartError, match="newer version") as refusal:
        await Directory.open(empty_place, clock)
    assert "\n" not in str(refusal.value)
    assert run(connect, "SELECT version_num FROM alembic_version_directory") == [("v999_0",)]


async def test_a_newer_revision_of_our_generation_is_fine(connect: Connect, empty_place: Path | Server, clock: Clock) -> None:  # fmt: skip
    """A database that a newer program has expanded: an older one that starts again during the change can work."""
    with connect() as connection:
        migrations.upgrade(connection, NAME)
    run(connect, "UPDATE alembic_version_directory SET version_num = 'v2_999'")
    run(connect, "ALTER TABLE users ADD COLUMN later TEXT")
    directory = await Directory.open(empty_place, clock)
    await directory.accounts.create_user(username="ada")
    await directory.close()
    assert run(connect, "SELECT version_num FROM alembic_version_directory") == [("v2_999",)]


async def test_a_generation_is_not_left_out(server: Server, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a server a program works with its own generation and what the one before has come to, and with no older one."""
    known = migrations.known(NAME)
    monkeypatch.setattr(migrations, "known", lambda _: ("v4_0", "v3_0", *known))
    with pytest.raises(StartError, match="contract it"):
        await Directory.open(server, clock)


@pytest.mark.parametrize("version", ["1", "999"])
async def test_a_file_from_before_revisions(path: Path, clock: Clock, version: str) -> None:
    """It is taken over with all that is in it; one of a newer version is refused."""
    user = {"user_id": "u", "username": "ada"}
    await make_old_file(path, user, version)
    if version == "999":
        with pytest.raises(StartError, match="newer version"):
            await Directory.open(path, clock)
        return
    directory = await Directory.open(path, clock)
    found = await directory.accounts.by_username("ada")
    assert found is not None
    assert found.user_id == "u"
    await directory.close()


async def make_old_file(path: Path, user: dict[str, str], version: str) -> None:
    """As `create_all` made it: the first revision is the same to the letter."""
    engine = open_engine(path, "BEGIN IMMEDIATE")
    with engine.connect() as connection:
        migrations.upgrade(connection, NAME, to="v1_0")
        connection.execute(text("DROP TABLE alembic_version_directory"))
        connection.execute(text("UPDATE meta SET value = :version"), {"version": version})
        connection.execute(text(OLD_USER), user)
        connection.commit()
    engine.dispose()


# --- a change, while old and new programs run --------------------------------------------------

OLD_USER = """INSERT INTO users VALUES (:user_id, :username, :username, '', '', NULL, NULL, false, false, false, 'online', NULL, 0, NULL)"""
OLD_CREATE = """
    INSERT INTO conversations (conversation_id, kind, title, title_key, topic, purpose, private, archived, created_by,
      created_at, member_count, members_epoch, members_seq, activity_at)
    VALUES (:id, 'group', 't', 't', '', '', true, false, 'u', 5, 0, 0, 0, :ms)
"""
OLD_TOUCH = "UPDATE conversations SET activity_at = :ms WHERE conversation_id = :id AND activity_at < :ms"
OLD_READ = "SELECT activity_at FROM conversations WHERE conversation_id = :id"
NEW_READ = "SELECT active_at FROM activity WHERE conversation_id = :id"


class Programs:
    """An old and a new program on one database."""

    def __init__(self, connect: Connect, directory: Directory) -> None:
        self._connect, self.directory = connect, directory

    def old(self, statement: str, **values: Any) -> list[Any]:
        return run(self._connect, statement, **values)

    async def new_touch(self, **times: int) -> None:
        await self.directory.cursors.touch_activity(times)

    def times(self, conversation_id: str) -> tuple[Any, Any]:
        """As the old program sees it, and as the new one does."""
        [(old,)] = self.old(OLD_READ, id=conversation_id)
        return old, next(iter(self.old(NEW_READ, id=conversation_id)), (None,))[0]


async def open_as_it_is(place: Path | Server, clock: Clock) -> Directory:
    if isinstance(place, Server):
        return await Directory.open(place, clock)  # goes on within the generation only
    return Directory(SqliteDatabase(open_engine(place, "BEGIN IMMEDIATE"), open_engine(place, "BEGIN")), clock)


async def test_a_change_in_three_steps(connect: Connect, empty_place: Path | Server, clock: Clock) -> None:
    """Activity moves to its own table: at every step before the last, old and new programs see each other's writes."""
    go_to(connect, "v1_1")
    run(connect, OLD_USER, user_id="u", username="ada")
    run(connect, OLD_CREATE, id="before", ms=10)
    run(connect, "INSERT INTO invites VALUES ('i', 'before', 'u', 'u', 'pending', 0, 9)")
    run(connect, MANY_OLD)

    # Expand: the old program goes on, what it writes is in both places.
    go_to(connect, "v1_2")
    run(connect, OLD_CREATE, id="during", ms=20)
    run(connect, OLD_TOUCH, id="before", ms=30)
    [(filled,)] = run(connect, "SELECT count(*) FROM activity")
    assert filled == 2

    # Migrate: the rows that nobody wrote; new programs start.
    go_to(connect, "v1_3")
    directory = await open_as_it_is(empty_place, clock)
    programs = Programs(connect, directory)
    assert programs.times("before") == (30, 30)
    assert programs.times("during") == (20, 20)
    assert programs.times("many 11999") == (11999, 11999)
    await programs.new_touch(before=40, during=15)
    programs.old(OLD_TOUCH, id="during", ms=25)
    assert programs.times("before") == (40, 40)
    assert programs.times("during") == (25, 25)
    group = (await directory.conversations.create_group("new", "u")).conversation_id
    await directory.conversations.apply([joining(group, "u")])
    old, new = programs.times(group)
    assert old == new == clock.now_ms()
    assert [row.active_at for row in await directory.conversations.list_of("u")] == [new]
    await directory.close()

    # Contract: only by itself in a file, which no other program uses; the old program is refused from now on.
    with connect() as connection:
        migrations.upgrade(connection, NAME)
    if isinstance(empty_place, Server):
        assert run(connect, OLD_READ, id="before") == [(40,)]
        with connect() as connection:
            migrations.upgrade(connection, NAME, contract=True)
    with pytest.raises(DBAPIError, match="activity_at"):
        run(connect, OLD_READ, id="before")
    assert run(connect, "SELECT value FROM meta WHERE name = 'schema_version'") == [("2",)]
    with connect() as connection:
        assert differences(connection) == []
    assert run(connect, NEW_READ, id="before") == [(40,)]
    assert run(connect, "SELECT count(*) FROM invites") == [(1,)]
    directory = await Directory.open(empty_place, clock)
    await directory.cursors.touch_activity({group: clock.now_ms() + 1})
    assert [row.active_at for row in await directory.conversations.list_of("u")] == [clock.now_ms() + 1]
    await directory.close()


MANY_OLD = f"""
    INSERT INTO conversations (conversation_id, kind, title, title_key, topic, purpose, private, archived, created_by,
      created_at, member_count, members_epoch, members_seq, activity_at)
    WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {MANY})
    SELECT 'many ' || n, 'group', 't', 't', '', '', true, false, 'u', 5, 0, 0, 0, n FROM numbers
"""


def joining(conversation_id: str, user_id: str) -> Entry:
    return Entry(
        conversation_id=conversation_id, epoch=1, seq=1, kind=EntryKind.MEMBERSHIP, actor_id="", message_id="",
        target_seq=0, created_at=0, members_seq=1, messages=0, channel_mentions=0, op_id="",
        detail=Detail(changes=(MemberChange(user_id, Role.MEMBER),)),
    )  # fmt: skip


# --- what the database itself refuses ----------------------------------------------------------


def test_the_audit_log_is_append_only(connect: Connect) -> None:
    """Rows come in; nobody changes or removes one."""
    with connect() as connection:
        migrations.upgrade(connection, NAME)
    run(connect, "INSERT INTO audit_log VALUES ('1', 1, 'ada', 'log_in', 'ada', NULL, '{}')")
    for statement in ("UPDATE audit_log SET actor_id = 'bob'", "DELETE FROM audit_log"):
        with pytest.raises(IntegrityError, match="append-only"):
            run(connect, statement)
    assert run(connect, "SELECT actor_id FROM audit_log") == [("ada",)]


def test_a_hold_is_on_one_thing(connect: Connect) -> None:
    """A workspace, a user or a conversation."""
    with connect() as connection:
        migrations.upgrade(connection, NAME)
    run(connect, OLD_USER, user_id="u", username="ada")
    run(connect, "INSERT INTO legal_holds VALUES ('1', NULL, 'u', NULL, '', 'u', 1, NULL)")
    for columns in ("NULL, NULL, NULL", "'w', 'u', NULL"):
        with pytest.raises(IntegrityError, match="ck_legal_holds_one"):
            run(connect, f"INSERT INTO legal_holds VALUES ('2', {columns}, '', 'u', 1, NULL)")
