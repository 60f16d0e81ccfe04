"""The benchmark of the cluster runs from end to end, with nothing lost and nothing left; how large figures are is not a test's to say."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

SMALL = """
import asyncio, json
from dataclasses import asdict
from nottermost_chat.bench import bare_servers, cluster, measure, reference
from nottermost_chat.settings import Store
measure.SENDERS, measure.READERS, measure.CHANNEL_SENDERS = 4, 20, 2
measure.SECONDS = reference.SECONDS = 0.5
measure.WARM_UP_S, bare_servers.ROUNDS = 0.2, 20
print(json.dumps([asdict(row) for row in asyncio.run(cluster.run_cluster([Store.DYNAMODB], cluster.QUICK, print_nothing))]))
""".replace("print_nothing", "lambda _step: None")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_figure_of_the_cluster_is_measured() -> None:
    """Over real servers and the default store, small; in a process of its own, since it changes what is measured."""
    before = set(Path(tempfile.gettempdir()).glob("nottermost-bench-*"))
    done = subprocess.run([sys.executable, "-c", SMALL], capture_output=True, text=True, timeout=380, check=False)
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout.splitlines()[-1])}  # logs come first
    for name in ("acknowledged sends", "send to deliver p50", "send to acknowledgement p99", "deliveries to 8"):
        assert rows[f"dynamodb: {name}"]["ratio"] > 0
    assert " 0 missing" in rows["dynamodb: send to deliver p99"]["reference"]
    for stage in ("submit", "queue", "store", "publish", "log", "deliver", "flush"):
        assert " 0 times" not in rows[f"dynamodb: of it, {stage}"]["reference"]
    assert rows["dynamodb: memory after it"]["value"] > 100
    assert set(Path(tempfile.gettempdir()).glob("nottermost-bench-*")) <= before
