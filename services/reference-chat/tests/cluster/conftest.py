"""Shared by the tests of the whole cluster."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from nottermost_chat.testing.cluster import Cluster, using_cluster
from nottermost_chat.testing.servers import Address, start_server
from nottermost_chat.testing.town import Town


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """The run's cluster, which other tests use at the same time."""
    with using_cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster_alone() -> Iterator[Cluster]:
    """The run's cluster for a test that breaks something."""
    with using_cluster(alone=True) as cluster:
        yield cluster


@pytest.fixture
async def town(cluster: Cluster) -> AsyncIterator[Town]:
    async with httpx.AsyncClient(base_url=cluster.url, timeout=30) as http:
        town = Town(cluster, http)
        await town.open()
        yield town


@pytest.fixture(scope="session")
def toxiproxy(request: pytest.FixtureRequest) -> Address:
    """A Toxiproxy without proxies."""
    return start_server("toxiproxy", request)
