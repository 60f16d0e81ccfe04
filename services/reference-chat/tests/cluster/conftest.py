"""Shared by the tests of the whole cluster."""

from collections.abc import Iterator

import pytest

from nottermost_chat.testing.cluster import Cluster, using_cluster
from nottermost_chat.testing.servers import Address, start_server


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


@pytest.fixture(scope="session")
def toxiproxy(request: pytest.FixtureRequest) -> Address:
    """A Toxiproxy without proxies."""
    return start_server("toxiproxy", request)
