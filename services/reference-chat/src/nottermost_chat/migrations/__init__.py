"""The SQL schemas and how a database comes to them: one folder of Alembic revisions for each schema.

A revision is called `v<generation>_<number>`. The generation rises with a revision that takes
away what older programs use (a contract step), so a program works with every revision of its
own generation, also with ones it has never heard of: that is what lets old and new run side by
side. How to make a change is in docs/migrations.md.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from nottermost_chat.errors import StartError

FOLDER: Final = Path(__file__).parent
WAIT_MS: Final = 10 * 60_000  # for another process that migrates: it may be filling a large table
LOCK_MS: Final = 5_000  # for a table: whoever waits for it makes everybody wait who comes after
ADVISORY_LOCK: Final = 0x6E6F7474  # any number that nobody else locks in this database

_REVISION: Final = re.compile(r"v(\d+)_\d+")


def upgrade(connection: Connection, name: str, *, contract: bool = False, to: str = "") -> None:
    """Bring the schema to the newest revision, or to the newest that running older programs can bear.

    A database in which nothing is yet, and every SQLite file (nobody else uses it), goes all the
    way. On PostgreSQL each revision is committed by itself, and of several processes one works
    while the others wait.

    Args:
        connection: outside of a transaction.
        name: "directory" or "store": the folder of the revisions.
        to: this revision instead.
        contract: also take away what older programs use: for when none of them runs any more.
    Raises: StartError when the database comes from a newer version that this program cannot work with.
    """
    with _alone(connection):
        now = current(connection, name) or _adopt(connection, name)
        goal = to or _goal(connection, name, now, contract=contract)
        if goal != now:
            command.upgrade(_config(connection, name), goal)
            _check_references(connection)


def current(connection: Connection, name: str) -> str | None:
    """The revision that the database is at; None: it has none."""
    table = version_table(name)
    found = None
    if inspect(connection).has_table(table):
        found = connection.execute(text(f"SELECT version_num FROM {table}")).scalar()  # noqa: S608 - one of our names
    _let_go(connection)
    return found


@cache
def known(name: str) -> tuple[str, ...]:
    """The revisions that this program knows, newest first."""
    script = ScriptDirectory(str(FOLDER), version_locations=[str(FOLDER / name / "versions")])
    return tuple(revision.revision for revision in script.walk_revisions())


def version_table(name: str) -> str:
    """Where Alembic keeps the revision: the two schemas may share a database."""
    return f"alembic_version_{name}"


def generation(revision: str) -> int:
    """Of `v2_1` it is 2."""
    found = _REVISION.fullmatch(revision)
    if found is None:
        raise StartError(f"the database says that it is at {revision}, which is no revision of this program's making")
    return int(found[1])


def _goal(connection: Connection, name: str, now: str | None, *, contract: bool) -> str:
    """The revision to go to. Raises StartError."""
    newest, *_ = revisions = known(name)
    if now is None or (now in revisions and (contract or _is_file(connection))):
        return newest
    if generation(now) > generation(newest):
        raise _newer(connection, now, newest)
    if generation(now) < generation(newest) - 1:  # a program works with what the generation before has come to
        raise StartError(f"the {name} is at {now}: contract it with the versions between that and {newest} first")
    if now not in revisions:
        return now
    return next(revision for revision in revisions if generation(revision) == generation(now))


def _adopt(connection: Connection, name: str) -> str | None:
    """A file whose tables were made by a version that knew no revisions is at the first one. Raises StartError."""
    if name != "directory" or not _is_file(connection) or not inspect(connection).has_table("meta"):
        return None
    version = connection.execute(text("SELECT value FROM meta WHERE name = 'schema_version'")).scalar()
    if version is None:
        return None
    if int(version) > 1:
        raise _newer(connection, version, "1")
    command.stamp(_config(connection, name), "v1_0")
    return "v1_0"


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Nobody else migrates meanwhile."""
    if not _is_file(connection):
        with _lock(connection):
            yield
        return
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA foreign_keys = OFF")  # to change a table SQLite makes a new one in its place
    try:
        with connection.begin():  # takes the file for itself; all or nothing
            yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


@contextmanager
def _lock(connection: Connection) -> Iterator[None]:
    _run(connection, f"SET statement_timeout = 0; SET lock_timeout = {WAIT_MS}")
    try:
        _run(connection, f"SELECT pg_advisory_lock({ADVISORY_LOCK})")
        _run(connection, f"SET lock_timeout = {LOCK_MS}")
        yield
    finally:
        connection.rollback()
        _run(connection, f"SELECT pg_advisory_unlock({ADVISORY_LOCK})")
        _run(connection, "RESET statement_timeout; RESET lock_timeout")


def _run(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)
    connection.commit()


def _let_go(connection: Connection) -> None:
    """End what a look has begun: Alembic commits each revision only if it begins the transaction itself."""
    if not _is_file(connection):
        connection.rollback()


def _is_file(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _check_references(connection: Connection) -> None:
    """What SQLite did not look at while tables were remade."""
    if _is_file(connection) and (lost := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
        raise StartError(f"a row of {lost[0]} refers to a row of {lost[2]} that is not there: restore a backup")


def _config(connection: Connection, name: str) -> Config:
    config = Config(attributes={"connection": connection, "version_table": version_table(name)})
    for option, path in (("script_location", FOLDER), ("version_locations", FOLDER / name / "versions")):
        config.set_main_option(option, str(path).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config


def _newer(connection: Connection, found: str, known: str) -> StartError:
    url = connection.engine.url
    return StartError(
        f"{url.database} has schema version {found}, this program knows {known}: "
        "it comes from a newer version, so install that or name another "
        + ("data folder with --data" if _is_file(connection) else "database")
    )
