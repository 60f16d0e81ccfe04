"""Tables of DynamoDB for tests: each pair with names of its own, and gone afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import botocore.session
import pytest
from aiobotocore.session import AioSession, get_session

from nottermost_chat.adapters.dynamo_store import DynamoStore
from nottermost_chat.adapters.dynamo_tables import declare
from nottermost_chat.clock import Clock
from nottermost_chat.metrics import Metrics
from nottermost_chat.stack.servers import ACCESS_KEY, AWS_ACCOUNT, REGION, SECRET_KEY
from nottermost_chat.testing.servers import Address
from nottermost_conventions.tables import LOG, TEXTS, Table

Names = dict[Table, str]


def dynamodb_environment(server: Address) -> dict[str, str]:
    """What a process needs in its environment to find this server."""
    return AWS_ACCOUNT | {"AWS_ENDPOINT_URL_DYNAMODB": server.url}


@contextmanager
def make_tables(server: Address) -> Iterator[Names]:
    """A new pair of tables; gives their names. While it lasts, the environment leads to the server."""
    unique, client = Clock().new_id(), plain_client(server)
    names = {LOG: f"log-{unique}", TEXTS: f"texts-{unique}"}
    with pytest.MonkeyPatch.context() as environment:
        for variable, value in dynamodb_environment(server).items():
            environment.setenv(variable, value)
        try:
            for table, name in names.items():
                client.create_table(**declare(table, name))
            yield names
        finally:
            for name in names.values():
                client.delete_table(TableName=name)


async def open_dynamo_store(names: Names, clock: Clock | None = None) -> DynamoStore:
    """A store on these tables."""
    return await DynamoStore.open(
        table_log=names[LOG], table_texts=names[TEXTS], metrics=Metrics(), clock=clock or Clock(),
        session=shared_session(),
    )  # fmt: skip


@cache
def shared_session() -> AioSession:
    """One for all tests: to read the SDK's descriptions takes longer than most tests."""
    return get_session()


@cache
def plain_client(server: Address) -> Any:
    """A client that blocks, for what stands around a test."""
    return botocore.session.get_session().create_client(
        "dynamodb", region_name=REGION, endpoint_url=server.url, aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )  # fmt: skip
