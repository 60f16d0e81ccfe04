"""Shared by all tests of the chat."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import settings

from nottermost_chat.testing.running import RunningChat, run_chat
from nottermost_chat.testing.servers import Address

settings.register_profile("chat", deadline=None)  # a busy machine is slow, not wrong
settings.load_profile("chat")


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[RunningChat]:
    """The whole chat, running, without rate limits."""
    async with run_chat(tmp_path) as chat:
        yield chat


@pytest.fixture(scope="session")
def kafka() -> Address:
    """A Kafka broker."""
    return Address(19092)


@pytest.fixture(scope="session")
def redis() -> Address:
    """A Redis server."""
    return Address(16379)


@pytest.fixture(scope="session")
def postgres() -> Address:
    """A PostgreSQL server; user `postgres`, no password."""
    return Address(15432)


@pytest.fixture(scope="session")
def dynamodb() -> Address:
    """DynamoDB Local."""
    return Address(18100)


@pytest.fixture(scope="session")
def opensearch() -> Address:
    """An OpenSearch node."""
    return Address(18201)


@pytest.fixture(scope="session")
def sqs() -> Address:
    """ElasticMQ."""
    return Address(18400)


@pytest.fixture(scope="session")
def s3() -> Address:
    """S3Proxy; credentials `local` and `localsecret`."""
    return Address(18500)
