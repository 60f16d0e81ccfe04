"""Databases of PostgreSQL for tests: each with a name of its own, and gone afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy import URL, Connection, NullPool, create_engine

from nottermost_chat.clock import Clock
from nottermost_chat.directory.tables import metadata
from nottermost_chat.migrations import upgrade
from nottermost_chat.testing.servers import Address

USER = "postgres"


@contextmanager
def make_database(server: Address, schema: str, *, empty: bool = False) -> Iterator[str]:
    """A new database with the newest schema of the "directory" or the "store", or `empty`; gives its name."""
    name = f"{schema}_{Clock().new_id()}".lower()
    _run(server, "postgres", sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        if not empty:
            with connect_to(server, name) as connection:
                upgrade(connection, schema)
        yield name
    finally:
        _run(server, "postgres", sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def connect_to(server: Address, name: str) -> Iterator[Connection]:
    """A connection of its own to one database."""
    url = URL.create("postgresql+psycopg", USER, host=server.host, port=server.port, database=name)
    with create_engine(url, poolclass=NullPool).connect() as connection:
        yield connection


def empty_store_database(server: Address, name: str) -> None:
    """Take everything out of a message store, for the next test."""
    _empty(server, name, "heads", "entries", "texts", "long_texts", "reactions", "republish_notes")


def empty_directory_database(server: Address, name: str) -> None:
    """Take everything out of a directory, for the next test; also what its triggers keep.

    Of so many tables that are nearly empty rows are deleted in a twentieth of the time that truncating takes.
    """
    delete = [sql.SQL("DELETE FROM {}").format(sql.Identifier(table)) for table in metadata.tables]
    _run(server, name, sql.SQL("; ").join([sql.SQL("SET session_replication_role = replica"), *delete]))


def _empty(server: Address, name: str, *tables: str) -> None:
    _run(server, name, sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(map(sql.Identifier, tables))))


def _run(server: Address, database: str, statement: sql.SQL | sql.Composed) -> None:
    with psycopg.connect(host=server.host, port=server.port, user=USER, dbname=database, autocommit=True) as connection:
        connection.execute(statement)
