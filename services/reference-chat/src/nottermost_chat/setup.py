"""Brings into being what the roles expect: schemas, tables, topics, buckets and the search index.

Again is the same as once. On AWS Pulumi makes tables, buckets and queues; what is there stays as it is.
"""

import asyncio
from contextlib import AsyncExitStack
from typing import Final

import psycopg
from aiobotocore.session import AioSession
from sqlalchemy import NullPool, create_engine

from nottermost_chat import backends, migrations
from nottermost_chat.adapters.dynamo_tables import create_tables
from nottermost_chat.adapters.kafka_client import brokers_of, create_topics
from nottermost_chat.adapters.postgres import conninfo
from nottermost_chat.roles import Role, make_process
from nottermost_chat.settings import Secrets, Settings, Store
from nottermost_conventions.tables import LOG, TEXTS

COPIES: Final = 3  # of each record, where there are as many brokers


async def set_up(settings: Settings, secrets: Secrets, *, contract: bool = False) -> None:
    """`contract`: also take away what older versions use (docs/migrations.md). Raises: StartError, Unavailable."""
    process = make_process(Role.KEEPER, settings, secrets)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(backends.directory(process))  # opening brings the schema up to date
        if settings.store is Store.DYNAMODB:
            await _create_tables(settings)
        await stack.enter_async_context(backends.store(process))
        if contract:
            await asyncio.to_thread(_contract, settings, secrets)
        replication = COPIES if len(settings.brokers.split(",")) >= COPIES else 1
        await create_topics(brokers_of(settings), replication=replication)
        index = await stack.enter_async_context(backends.search(process))
        await index.set_up()
        blobs = await stack.enter_async_context(backends.blobs(process))
        await blobs.set_up(settings.url)
        archive = await stack.enter_async_context(backends.archive(process))
        await archive.set_up()
        queues = await stack.enter_async_context(backends.queues(process))
        for queue in (queues.push, queues.webhook):
            await queue.set_up()


def _contract(settings: Settings, secrets: Secrets) -> None:
    server = backends.database_server(settings, secrets)
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo(server)), poolclass=NullPool
    )
    with engine.connect() as connection:
        for schema in ("directory", "store") if settings.store is Store.POSTGRES else ("directory",):
            migrations.upgrade(connection, schema, contract=True)


async def _create_tables(settings: Settings) -> None:
    async with AioSession().create_client("dynamodb") as client:
        await create_tables(client, {LOG: settings.table_log, TEXTS: settings.table_texts})
