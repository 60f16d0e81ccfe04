"""Real servers for whatever test asks for one, in any member; a plugin of pytest, named in the root's conftest.py."""

import pytest

from nottermost_chat.testing.servers import Address, claim_servers, end_servers, start_server


def pytest_configure(config: pytest.Config) -> None:
    """The process that starts the workers keeps the servers for all of them."""
    claim_servers(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """... and ends them, whatever happened."""
    end_servers(config)


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Address:
    """A Kafka broker."""
    return start_server("kafka", request)


@pytest.fixture(scope="session")
def redis(request: pytest.FixtureRequest) -> Address:
    """A Redis server."""
    return start_server("redis", request)


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Address:
    """A PostgreSQL server; user `postgres`, no password."""
    return start_server("postgres", request)


@pytest.fixture(scope="session")
def dynamodb(request: pytest.FixtureRequest) -> Address:
    """DynamoDB Local."""
    return start_server("dynamodb", request)


@pytest.fixture(scope="session")
def opensearch(request: pytest.FixtureRequest) -> Address:
    """An OpenSearch node."""
    return start_server("opensearch", request)


@pytest.fixture(scope="session")
def sqs(request: pytest.FixtureRequest) -> Address:
    """ElasticMQ."""
    return start_server("sqs", request)


@pytest.fixture(scope="session")
def s3(request: pytest.FixtureRequest) -> Address:
    """S3Proxy; credentials `local` and `localsecret`."""
    return start_server("s3", request)
