"""The benchmarks of single parts start what they need, give every figure and leave nothing; how large those are is not a test's to say."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from nottermost_chat.bench.fanout import TooManyDeliveries, check_deliveries

FANOUT = """
from nottermost_chat.bench import fanout as part
part.MEMBERS, part.CHANNELS, part.OWNERS = 500, 300, {2: 300, 3: part.CHANNELS_FEW, 9: part.LISTED_MAX}
part.STUBS, part.COUNTED, part.MESSAGES, part.ROUNDS, part.CONNECTIONS, part.CLIENTS, part.SETTLE_S = 3, 5, 5, 3, 20, 2, 1.0
work = part.run_fanout
"""
HISTORY = """
from nottermost_chat.bench import history as part
part.PAGE, part.CONVERSATIONS, part.ROUNDS, part.WARM = 5, 2, 20, 2
work = part.run_history
"""
ROUTING = """
from nottermost_chat.bench import routing as part
part.PER_S, part.SECONDS, part.WARM_UP, part.AWAY_AFTER_S, part.REST_S = 100, 5.0, 50, 1.0, 1.5
work = part.run_routing
"""
RPC = """
from nottermost_chat.bench import rpc as part
part.SECONDS, part.RATES = 2, (50,)
work = part.run_rpc
"""
RUN = """
import asyncio, json
from dataclasses import asdict
print(json.dumps([asdict(row) for row in asyncio.run(work(lambda _step: None))]))
"""

Rows = dict[str, Any]


def run(part: str) -> Rows:
    """The rows by name. In a process of its own, since sizes are changed."""
    before = set(Path(tempfile.gettempdir()).glob("nottermost-bench-*"))
    done = subprocess.run([sys.executable, "-c", part + RUN], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert set(Path(tempfile.gettempdir()).glob("nottermost-bench-*")) <= before
    rows = {row["name"]: row for row in json.loads(done.stdout.splitlines()[-1])}  # logs come first
    assert {"load average before", "load average after"} <= {*rows}
    return rows


@pytest.mark.slow
@pytest.mark.timeout(220)
def test_fanout() -> None:
    """Real gateways are counted with the stubs; with fsync on; through the doors too."""
    rows = run(FANOUT)
    assert (rows["deliveries a message, 500 members"]["value"], rows["PostgreSQL syncs its commits"]["value"]) == (5, 1)
    for name in (
        "send, 500 members, p50",
        "resume of 10 of 300 channels, p50",
        "list over REST, 300 beside 10, p50",
        "client library until ready, 300 channels, p50",
    ):
        assert rows[name]["ratio"] > 0


@pytest.mark.slow
@pytest.mark.timeout(220)
def test_history() -> None:
    """Both stores, and what DynamoDB would charge."""
    rows = run(HISTORY)
    assert rows["PostgreSQL syncs its commits"]["value"] == 1
    assert rows["PostgreSQL: a hit would save"]["ratio"] is not None
    assert rows["DynamoDB: read units of a page"]["value"] > 1


@pytest.mark.slow
@pytest.mark.timeout(220)
def test_routing() -> None:
    """Nothing is lost by the log; what Pub/Sub loses stands beside it."""
    rows = run(ROUTING)
    assert rows["log and gRPC, publish to receiver, p50"]["ratio"] > 0
    assert rows["log and gRPC, lost in 2 s away"]["value"] == 0


@pytest.mark.slow
def test_rpc() -> None:
    """Beside a function call, and beside bare sockets."""
    rows = run(RPC)
    assert rows["append, 50/s, p50"]["ratio"] > 0
    assert rows["deliveries acknowledged, 16 under way"]["ratio"] > 0


def test_more_deliveries_than_gateways_are_an_error() -> None:
    """As many are the most."""
    assert check_deliveries("large", 100.0, 100) == 100
    with pytest.raises(TooManyDeliveries, match=r"took 100\.02 deliveries and there are 100 gateways"):
        check_deliveries("large", 100.02, 100)
