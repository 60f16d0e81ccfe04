"""Two faults under load on the whole cluster, judged by the history checker; `make chaos` has all the others."""

import asyncio

import pytest

from nottermost_chat.settings import Store
from nottermost_chat.testing.chaos.faults import all_faults
from nottermost_chat.testing.chaos.run import run_fault
from nottermost_chat.testing.chaos.sites import Site
from nottermost_chat.testing.cluster import Cluster
from nottermost_chat.testing.history import Result

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # the first of all starts the cluster

RATE_PER_S = 20.0
BACK_S_MAX = 30.0  # on a busy machine; how fast it is on a quiet one, `make chaos` says


@pytest.mark.parametrize("name", ["kill-ingest", "kill-gateway"])
def test_nothing_is_lost(cluster_alone: Cluster, name: str) -> None:
    """SIGKILL of one of two while people talk: each acknowledged message is seen once, in order, by everybody."""
    site = Site(stack=cluster_alone.stack, store=Store(cluster_alone.store))
    (fault,) = [fault for fault in all_faults() if fault.name == name]
    phase = asyncio.run(run_fault(site, fault, rate_per_s=RATE_PER_S))
    assert phase.result is Result.VALID, (phase.verdict.reason, phase.verdict.worst)
    assert phase.outage is not None
    assert phase.outage.acked
    assert phase.outage.first_s is not None
    assert phase.outage.first_s < BACK_S_MAX
