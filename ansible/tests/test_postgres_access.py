"""Who may do what in the chat's database, on a real PostgreSQL, as an administrator who is no superuser (as on RDS)."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from ansible_collections.nottermost.platform.plugins.module_utils.postgres import can_sign_in
from ansible_collections.nottermost.platform.plugins.modules import migration, postgres_access
from psycopg import sql

from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory, Server
from nottermost_chat.testing.servers import Address

Params = dict[str, Any]


def as_user(params: Params, user: str) -> "psycopg.Connection[tuple[Any, ...]]":
    return psycopg.connect(
        host=params["host"], port=params["port"], dbname=params["database"], user=user, autocommit=True
    )


@pytest.fixture(scope="module")
def params(postgres: Address, own: str) -> Iterator[Params]:
    """An empty database as RDS gives it: its owner may make roles and databases, and is no superuser."""
    admin, iam = f"{own}_admin", f"{own}_iam"
    with psycopg.connect(host=postgres.host, port=postgres.port, user="postgres", autocommit=True) as root:
        root.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEROLE CREATEDB").format(sql.Identifier(admin)))
        root.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(iam)))
        root.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(own), sql.Identifier(admin)))
        yield {
            "host": postgres.host, "port": postgres.port, "database": own, "user": admin, "password": "",
            "sslmode": "prefer", "sslrootcert": "", "owner": f"{own}_owner", "app": f"{own}_app",
            "readonly": f"{own}_readonly", "app_password": "", "readonly_password": "", "schemas": ["public"],
            "ledger_schema": "operations", "hidden": ["users", "refresh_tokens"], "extensions": ["pg_trgm"],
            "iam_role": iam, "phase": "expand", "migrated": ["directory"], "program": "test",
        }  # fmt: skip
        root.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(own)))
        for role in ("app", "readonly", "owner", "admin", "iam"):
            root.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(f"{own}_{role}")))


def migrate(params: Params, **changes: Any) -> dict[str, Any]:
    return migration.run(params | {"schemas": params["migrated"]} | changes, check=False)


@pytest.fixture(scope="module")
def done(params: Params) -> Params:
    """The database with everything given: access, tables, access to the tables."""
    dry = postgres_access.run(params, check=True)
    first = postgres_access.run(params, check=False)
    assert first["changed"]
    assert dry["statements"] == first["statements"]  # what the dry run shows is what is run
    migrate(params)
    assert postgres_access.run(params, check=False)["changed"]  # readers are given tables by name
    return params


def test_again_changes_nothing(done: Params) -> None:
    """The second run finds everything as it is to be, and its diff is empty."""
    again = postgres_access.run(done, check=False)
    assert not again["changed"]
    assert again["statements"] == []
    assert again["diff"]["before"] == again["diff"]["after"]


def test_a_dry_run_makes_nothing(postgres: Address, params: Params, own: str) -> None:
    """Not even a role."""
    postgres_access.run(params | {"app": f"{own}_never"}, check=True)
    with as_user(params, "postgres") as root:
        assert root.execute("SELECT FROM pg_roles WHERE rolname = %s", [f"{own}_never"]).fetchone() is None


def test_the_app_writes_rows_and_no_tables(done: Params) -> None:
    """It reads and writes what migrations made, and can neither make, change nor empty a table."""
    with as_user(done, done["app"]) as app:
        app.execute("INSERT INTO meta (name, value) VALUES ('probe', '1')")
        app.execute("DELETE FROM meta WHERE name = 'probe'")
        for statement in ("CREATE TABLE x ()", "ALTER TABLE users ADD y int", "TRUNCATE meta", "DROP TABLE meta"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("SELECT * FROM operations.migration_ledger")


def test_readers_see_no_passwords(done: Params) -> None:
    """They read conversations and the ledger, write nothing, and users and tokens are hidden from them."""
    with as_user(done, done["readonly"]) as reader:
        reader.execute("SELECT * FROM conversations")
        assert reader.execute("SELECT phase FROM operations.migration_ledger").fetchall() == [("expand",)]
        for statement in ("SELECT * FROM users", "SELECT * FROM refresh_tokens", "DELETE FROM conversations"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(statement)


def test_nobody_else_comes_in(done: Params, own: str) -> None:
    """A role that was never named may not even connect; with the IAM role there, ours are in it."""
    other = f"{own}_other"
    with as_user(done, "postgres") as root:
        root.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(other)))
        try:
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                as_user(done, other)
        finally:
            root.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(other)))
        members = root.execute(
            "SELECT pg_get_userbyid(member) FROM pg_auth_members WHERE pg_get_userbyid(roleid) = %s", [done["iam_role"]]
        ).fetchall()
    assert {name for (name,) in members} == {done["app"], done["readonly"]}


def test_what_a_migration_makes_is_the_apps_at_once(done: Params) -> None:
    """A new table needs no further grant for the program, and is given to readers by the next run."""
    with as_user(done, done["user"]) as admin:
        admin.execute(sql.SQL("SET ROLE {}; CREATE TABLE later (x int)").format(sql.Identifier(done["owner"])))
    with as_user(done, done["app"]) as app:
        app.execute("INSERT INTO later VALUES (1)")
    result = postgres_access.run(done, check=False)
    assert [line for line in result["statements"] if "later" in line] == result["statements"] != []
    with as_user(done, done["readonly"]) as reader:
        assert reader.execute("SELECT x FROM later").fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("wrong", "statement"),
    [
        ("GRANT ALL ON users TO {readonly}", "REVOKE SELECT ON TABLE public.users FROM"),
        ("GRANT CREATE ON SCHEMA public TO {app}", "REVOKE CREATE ON SCHEMA"),
        ("GRANT TEMPORARY ON DATABASE {database} TO PUBLIC", "REVOKE TEMPORARY ON DATABASE"),
        ("GRANT {owner} TO {app}", "REVOKE"),
        ("GRANT {owner} TO {iam}", "REVOKE"),
        ("GRANT {app} TO {owner}", "REVOKE"),
        ("GRANT {readonly} TO {app}", "REVOKE"),
        ("GRANT SELECT (user_id) ON users TO {readonly}", "REVOKE SELECT (user_id) ON TABLE public.users FROM"),
        ("GRANT UPDATE (name) ON meta TO PUBLIC", "REVOKE UPDATE (name) ON TABLE public.meta FROM PUBLIC"),
        ("ALTER ROLE {app} CREATEDB", "NOCREATEDB"),
        ("ALTER TABLE meta OWNER TO {user}", "ALTER TABLE public.meta OWNER TO"),
        ("REVOKE SELECT ON meta FROM {app}", "GRANT SELECT ON TABLE public.meta TO"),
        ("DROP EXTENSION pg_trgm", "CREATE EXTENSION"),
    ],
)
def test_what_somebody_did_by_hand_is_undone(done: Params, wrong: str, statement: str) -> None:
    """It shows in the plan of a dry run, is put right, and then nothing is left to do."""
    names = {key: sql.Identifier(done[key]) for key in ("owner", "app", "readonly", "database", "user")}
    names["iam"] = sql.Identifier(done["iam_role"])
    with as_user(done, "postgres") as root:
        root.execute(sql.SQL(wrong).format(**names))
    planned = postgres_access.run(done, check=True)["statements"]
    assert any(statement in line for line in planned)
    assert postgres_access.run(done, check=False)["statements"] == planned
    assert not postgres_access.run(done, check=False)["changed"]


async def test_the_chat_runs_with_what_the_app_may_do(done: Params) -> None:
    """The directory opens on a migrated database and takes a user, without any right to change tables."""
    server = Server(host=f"{done['host']}:{done['port']}", database=done["database"], user=done["app"])
    directory = await Directory.open(server, Clock())
    try:
        user = await directory.accounts.create_user(username="ada")
        assert user.user_id
    finally:
        await directory.close()


def test_a_password_is_set_where_there_is_no_iam(done: Params, own: str) -> None:
    """Once: whether it is the right one the server says, which here takes any; so a role that cannot sign in is used."""
    params = done | {"iam_role": f"{own}_absent", "app_password": "first-password"}
    with as_user(done, "postgres") as root:
        root.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(done["app"])))
    assert not can_sign_in(params, done["app"], "first-password")
    result = postgres_access.run(params, check=False)
    assert f"password of {done['app']}" in result["statements"]
    assert "first-password" not in str(result)
    with as_user(done, "postgres") as root:
        stored = root.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [done["app"]]).fetchone()
    assert stored is not None
    assert stored[0].startswith("SCRAM-SHA-256$")
    assert not postgres_access.run(params, check=False)["changed"]
    postgres_access.run(done, check=False)
