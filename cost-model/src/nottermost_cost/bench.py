"""How quick estimates, samples and imports are, beside references of the same run."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from nottermost_conventions.figures import Figure
from nottermost_cost.bill import load_bill, write_bill
from nottermost_cost.engine import Choice, load_model, make_estimate
from nottermost_cost.errors import BillError
from nottermost_cost.graph import GRAPHS, load_graph
from nottermost_cost.sampling import SAMPLES, sample_model

ROWS: Final = 1_000_000  # of the imported bill
_WAIT_S: Final = 300  # for one process of the benchmark
_MIB: Final = 1024

# What a process takes: its own seconds and its largest size, told on stdout.
_IMPORT: Final = """
import resource, sys, time
from pathlib import Path
from nottermost_cost.bill import load_bill
started = time.perf_counter()
rows = load_bill(Path(sys.argv[1])).rows
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, rows)
"""
_READ: Final = """
import resource, sys, time
import pyarrow.csv
started = time.perf_counter()
rows = sum(batch.num_rows for batch in pyarrow.csv.open_csv(sys.argv[1]))
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, rows)
"""


def run_bench(tell: Callable[[str], None], rows: int = ROWS) -> list[Figure]:
    """Measure everything. Raises: BillError when the import does not find what was written."""
    with TemporaryDirectory() as folder:
        tell("estimates")
        estimates = _measure_estimates(Path(folder))
        tell(f"samples and a bill of {rows:,} rows")
        return [*estimates, *_measure_samples(), *_measure_import(Path(folder), rows)]


def _measure_estimates(folder: Path) -> list[Figure]:
    """The command as it is typed, from a graph file; the reference reads and decodes that file in a new Python."""
    graph = folder / "prod.json"
    graph.write_bytes(msgspec.json.encode(load_graph(GRAPHS / "prod")))
    cli = [sys.executable, "-c", "from nottermost_cli.main import main; main()", "cost", "estimate", "prod"]
    command = _seconds([*cli, "--scenario", "100m", "--graph", str(graph), "--json"])
    bare = _seconds([sys.executable, "-c", "import json, sys, pandas; json.load(open(sys.argv[1]))", str(graph)])
    return [
        Figure(
            "estimate of prod, 100m, from a graph file", command, "s",
            f"Python, pandas and the file alone {bare:.2f} s", command / bare, "≤ 3 s",
        )
    ]  # fmt: skip


def _measure_samples() -> list[Figure]:
    """A thousand scenarios and the tornado at once; the reference is one exact estimate a scenario."""
    model = load_model(Choice("prod", "100m"))
    started = time.perf_counter()
    make_estimate(model)
    one = time.perf_counter() - started
    started = time.perf_counter()
    found = sample_model(model, SAMPLES)
    seconds = time.perf_counter() - started
    runs = SAMPLES + 3 + 2 * len(found.bars)
    return [
        Figure(
            f"{runs:,} scenarios: samples, tornado, ends", seconds, "s",
            f"one by one {one * runs:.0f} s", seconds / (one * runs), "≤ 10 s",
        )
    ]  # fmt: skip


def _measure_import(folder: Path, rows: int) -> list[Figure]:
    """A bill in a process of its own; the reference lets pyarrow read the same file and does nothing with it."""
    bill = folder / "bill.csv"
    known = write_bill(bill, rows)
    seconds, memory, found = _run(_IMPORT, bill)
    bare, bare_memory, _ = _run(_READ, bill)
    if found != known.rows or (rows <= ROWS // 100 and load_bill(bill).billed_cost != known.billed):
        raise BillError(f"the benchmark's bill has {known.rows} rows, {found:.0f} were imported: the import is broken")
    return [
        Figure(
            f"import of {rows:,} rows ({bill.stat().st_size / 1e6:,.0f} MB)", seconds, "s",
            f"pyarrow alone {bare:.1f} s", seconds / bare, "≤ 60 s",
        ),
        Figure(
            "memory of that import", memory / _MIB, "MiB",
            f"pyarrow alone {bare_memory / _MIB:,.0f} MiB", memory / bare_memory, "≤ 2,048 MiB",
        ),
    ]  # fmt: skip


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=_WAIT_S)  # noqa: S603 (our own command)
    return time.perf_counter() - started


def _run(program: str, path: Path) -> tuple[float, float, float]:
    """Seconds, KiB and rows that a process tells."""
    done = subprocess.run(  # noqa: S603 (our own program)
        [sys.executable, "-c", program, str(path)], check=True, capture_output=True, text=True, timeout=_WAIT_S
    )
    seconds, memory, rows = map(float, done.stdout.split())
    return seconds, memory, rows
