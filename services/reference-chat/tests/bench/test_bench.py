"""The benchmark runs from end to end and gives every figure; how large they are is not a test's to say."""

import json
import subprocess
import sys

import pytest

SMALL = """
import asyncio, json
from dataclasses import asdict
from nottermost_chat.bench import measure, reference
measure.SENDERS, measure.READERS, measure.IDLE, measure.CHANNEL_SENDERS = 4, 20, 40, 2
measure.SECONDS = reference.SECONDS = measure.WARM_UP_S = measure.SETTLE_S = 0.2
measure.TURNS = 1
print(json.dumps([asdict(row) for row in asyncio.run(measure.run_bench(None, None, lambda _step: None))]))
"""


@pytest.mark.slow
def test_every_figure_is_measured_beside_its_reference() -> None:
    """In a process of its own, since it takes a core for itself; small, and with nothing lost."""
    done = subprocess.run([sys.executable, "-c", SMALL], capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    for name in ("durable sends", "send to deliver p50", "send to deliver p99", "deliveries to 1,000"):
        assert rows[name]["ratio"] > 0
    assert rows["idle connection, of 40"]["value"] == rows["idle connection, of 40"]["value"]  # a number
    assert " 0 missing" in rows["send to deliver p99"]["reference"]
