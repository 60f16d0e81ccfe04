"""`nottermost chat bench --only cluster`: the roles apart over real servers, all of it and the load on the cores of this machine.

A cluster of its own in a temporary folder, with fsync on and without rate limits, once with each message store. It and
everything else that this starts has ended when it returns.
"""

import asyncio
import gc
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import psutil
from prometheus_client.parser import text_string_to_metric_families

from nottermost_chat.bench import bare_servers, measure, reference
from nottermost_chat.bench.crowd import Crowd, fill_crowd, make_crowd
from nottermost_chat.bench.measure import compare, value_at
from nottermost_chat.bench.own_servers import Servers, Tell, between_loads, running_stack
from nottermost_chat.bench.server import bare_server, chat_server, raise_file_limit
from nottermost_chat.roles import Role
from nottermost_chat.roles.services import open_services
from nottermost_chat.settings import PREFIX, Store
from nottermost_chat.stack.cluster import kind_of
from nottermost_chat.stack.launcher import Stack
from nottermost_chat.stack.roles import ROLES
from nottermost_conventions.figures import Figure

STORES: Final = (Store.POSTGRES, Store.DYNAMODB)
READERS: Final = (200, 1_000)
TURNS: Final = 3
WARM_S: Final = (
    30.0  # of full load, until Kafka's virtual machine has compiled what is hot: before it takes twice as much
)
SETTLE_S: Final = 5.0  # consumers catch up, and caches are warm
STAGES: Final = ("submit", "queue", "store", "publish", "log", "deliver", "flush")
PATH: Final = (
    "submit",
    "queue",
    "store",
    "log",
    "deliver",
    "flush",
)  # to the reader; `publish` is on the way to the ack
PROCESSOR_S_MIN: Final = 10e-6  # a message; who takes less is not worth a line
REQUEST_S: Final = 10.0


class Scale(msgspec.Struct, frozen=True):
    """How much is measured; `QUICK` proves that it runs and says nothing about speed."""

    readers: tuple[int, ...] = READERS
    turns: int = TURNS
    settle_s: float = SETTLE_S
    warm_s: float = WARM_S


QUICK: Final = Scale(readers=(8,), turns=1, settle_s=1.0, warm_s=0.0)


async def run_cluster(stores: Sequence[Store], scale: Scale, tell: Tell) -> list[Figure]:
    """Measure everything with each of these stores; takes about two minutes for each.

    Raises: StartError when a server cannot be started.
    """
    raise_file_limit()
    gc.disable()  # its pauses would be measured as the servers'

    async def measure_stores() -> list[Figure]:
        tell("reference: embedded")
        embedded = await _measure_embedded(scale)
        rows = [Figure("durable sends, embedded", embedded, "1/s", "one process, SQLite, the same load")]
        for store in stores:
            rows += await _measure_store(store, embedded, scale, tell)
        return rows

    return await between_loads(measure_stores)


async def _measure_embedded(scale: Scale) -> float:
    """Sends a second of the chat in one process, on one core."""
    with tempfile.TemporaryDirectory() as folder:
        crowd = await make_crowd(Path(folder), measure.SENDERS, pairs=measure.SENDERS // 2, in_channel=2)
        async with chat_server(Path(folder)) as server:
            rates = [(await measure.measure_sends(server.port, crowd, f"e{turn}"))[0] for turn in range(scale.turns)]
    return sorted(rates)[len(rates) // 2]


async def _measure_store(store: Store, embedded: float, scale: Scale, tell: Tell) -> list[Figure]:
    tell(f"{store}: starting a cluster")
    async with running_stack(store, ["servers", *(name for name in ROLES if name in set(Role))]) as stack:
        crowd = await _make_crowd(stack, scale)
        gateways = [stack.port(f"gateway{number}") for number in (1, 2)]
        await asyncio.sleep(scale.settle_s)
        rows = [_memory(stack, store, "before any load")]
        tell(f"{store}: sends")
        rate, sends = await _compare_sends(stack, store, gateways, crowd, embedded, scale)
        tell(f"{store}: latency at half of {rate:,.0f}/s")
        await asyncio.sleep(scale.settle_s)
        rows += sends + await _compare_latency(stack, store, gateways, crowd, rate / 2)
        tell(f"{store}: deliveries")
        for readers, channel in zip(scale.readers, crowd.channels, strict=True):
            await asyncio.sleep(scale.settle_s)
            rows += await _compare_deliveries(store, gateways, crowd.tokens[:readers], channel)
        return [*rows, _memory(stack, store, "after it")]


# --- the cluster ---------------------------------------------------------------------------------


async def _make_crowd(stack: Stack, scale: Scale) -> Crowd:
    users = max(measure.SENDERS, *scale.readers)
    async with open_services(Servers(stack).process) as (services, _):
        return await fill_crowd(services, users, pairs=measure.SENDERS // 2, in_channels=scale.readers)


class Stage(msgspec.Struct, frozen=True):
    """A histogram of `chat_stage_seconds`, summed over processes: how many took at most so many seconds."""

    total_s: float = 0.0
    buckets: dict[float, float] = {}  # upper bound -> count, cumulative

    def __add__(self, other: "Stage") -> "Stage":
        bounds = sorted({*self.buckets, *other.buckets})
        buckets = {one: self.buckets.get(one, 0) + other.buckets.get(one, 0) for one in bounds}
        return Stage(self.total_s + other.total_s, buckets)

    def __sub__(self, other: "Stage") -> "Stage":
        buckets = {one: count - other.buckets.get(one, 0) for one, count in self.buckets.items()}
        return Stage(self.total_s - other.total_s, buckets)

    @property
    def count(self) -> float:
        return max(self.buckets.values(), default=0)

    @property
    def mean_ms(self) -> float:
        return self.total_s / self.count * 1000 if self.count else 0.0

    def quantile_ms(self, share: float) -> float:
        """As Prometheus works it out: evenly spread within a bucket."""
        wanted, low, below = share * self.count, 0.0, 0.0
        for bound, count in self.buckets.items():
            if count >= wanted and bound != float("inf"):
                return 1000 * (low + (bound - low) * (wanted - below) / max(1, count - below))
            low, below = bound, count
        return 1000 * low

    def figure(self, name: str) -> Figure:
        said = f"mean; p50 {self.quantile_ms(0.5):.1f} ms, p99 {self.quantile_ms(0.99):.1f} ms, {self.count:,.0f} times"
        return Figure(name, self.mean_ms, "ms", said)


def read_processors(stack: Stack) -> dict[str, float]:
    """Seconds of processor time that each kind of process has used, with those that it started."""
    used: dict[str, float] = {}
    for unit in stack.status().units:
        if unit.pid is not None:
            process = psutil.Process(unit.pid)
            times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
            kind = kind_of(unit.name)
            used[kind] = used.get(kind, 0.0) + sum(each.user + each.system for each in times)
    return used


def read_stages(stack: Stack) -> dict[str, Stage]:
    """Where the time of all messages so far went, by what ingests and gateways say."""
    found = dict.fromkeys(STAGES, Stage())
    for unit in stack.status().units:
        if unit.name.startswith(("ingest", "gateway")):
            use = "metrics" if "metrics" in stack.describe(unit.name).ports else ""
            address = f"http://127.0.0.1:{stack.port(unit.name, use)}/metrics"
            with urllib.request.urlopen(address, timeout=REQUEST_S) as answer:
                for name, stage in _parse_stages(answer.read().decode()).items():
                    found[name] += stage
    return found


def _parse_stages(text: str) -> dict[str, Stage]:
    totals, buckets = dict[str, float](), dict[str, dict[float, float]]()
    for family in text_string_to_metric_families(text):
        if family.name == "chat_stage_seconds":
            for sample in family.samples:
                stage = sample.labels["stage"]
                if sample.name.endswith("_sum"):
                    totals[stage] = sample.value
                elif sample.name.endswith("_bucket"):
                    buckets.setdefault(stage, {})[float(sample.labels["le"])] = sample.value
    return {stage: Stage(totals[stage], counts) for stage, counts in buckets.items()}


# --- what is measured ----------------------------------------------------------------------------


async def _compare_sends(
    stack: Stack, store: Store, gateways: list[int], crowd: Crowd, embedded: float, scale: Scale
) -> tuple[float, list[Figure]]:
    """Sends a second at saturation beside what the store alone takes, in turns: medians."""
    turns, ends = [], time.monotonic() + scale.warm_s
    while time.monotonic() < ends:
        await measure.measure_sends(gateways, crowd, f"w{ends - time.monotonic():.3f}")
    for turn in range(scale.turns):
        bare = await bare_servers.measure_store(store, stack.environment())
        before = read_processors(stack)
        rate, waits = await measure.measure_sends(gateways, crowd, f"c{turn}")
        spent = {kind: seconds - before[kind] for kind, seconds in read_processors(stack).items()}
        turns.append((rate, bare, waits, spent))
    rate, bare, waits, spent = sorted(turns, key=lambda turn: turn[0])[len(turns) // 2]
    messages = rate * (reference.SECONDS + measure.WARM_UP_S)
    said = f"the store alone {bare:,.0f}/s; {rate / embedded:.2f} of embedded"
    p50, p99 = (value_at(waits, share) * 1000 for share in (0.5, 0.99))
    return rate, [
        compare(f"{store}: acknowledged sends", rate, "1/s", said, rate / bare, ""),
        Figure(
            f"{store}: acknowledgement p99 at saturation", p99, "ms", f"p50 {p50:.1f} ms; {measure.SENDERS} senders"
        ),
        *(
            Figure(
                f"{store}: processor a message, {kind}", seconds / messages * 1000, "ms", f"{messages:,.0f} messages"
            )
            for kind, seconds in sorted(spent.items(), key=lambda each: -each[1])
            if seconds / messages >= PROCESSOR_S_MIN
        ),
    ]


async def _compare_latency(stack: Stack, store: Store, gateways: list[int], crowd: Crowd, per_s: float) -> list[Figure]:
    """At half load, open loop, beside a bare commit and a bare record through the log; and where the time goes."""
    commit_s = await bare_servers.measure_commit(store, stack.environment())
    log_s = await asyncio.to_thread(bare_servers.measure_log, stack.environment()[f"{PREFIX}BROKERS"])
    before = await asyncio.to_thread(read_stages, stack)
    latency = await measure.measure_latency(gateways, crowd.tokens[: measure.SENDERS], crowd, per_s, "c")
    stages = {name: stage - before[name] for name, stage in (await asyncio.to_thread(read_stages, stack)).items()}
    rows = []
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        bare = (value_at(commit_s, share) * 1000, value_at(log_s, share) * 1000)
        acked, delivered = (value_at(waits, share) * 1000 for waits in (latency.acked, latency.delivered))
        said = f"bare commit {bare[0]:.1f} ms"
        rows.append(compare(f"{store}: send to acknowledgement {name}", acked, "ms", said, acked / bare[0], ""))
        said = f"{said} + bare log {bare[1]:.1f} ms; {per_s:,.0f}/s, {len(latency.delivered):,} measured, {latency.missing} missing"
        rows.append(compare(f"{store}: send to deliver {name}", delivered, "ms", said, delivered / sum(bare), ""))
    mean = sum(latency.delivered) / max(1, len(latency.delivered)) * 1000
    path = sum(stages[name].mean_ms for name in PATH)
    return [
        *rows,
        *(stages[name].figure(f"{store}: of it, {name}") for name in STAGES),
        Figure(f"{store}: all stages to the reader, mean", path, "ms", f"the senders saw {mean:.1f} ms"),
    ]


async def _compare_deliveries(store: Store, gateways: list[int], tokens: list[str], channel: str) -> list[Figure]:
    async with bare_server() as server:
        loop = await measure.measure_bare_loop(server)
    rate, lags = await measure.measure_deliveries(gateways, tokens, channel)
    named = [replace(lag, name=f"{store}: {lag.name}, {len(tokens):,}") for lag in lags]
    said = f"bare loop {loop:,.0f}/s; {rate / len(tokens):,.0f} messages/s"
    return [compare(f"{store}: deliveries to {len(tokens):,}", rate, "1/s", said, rate / loop, ""), *named]


def _memory(stack: Stack, store: Store, when: str) -> Figure:
    """Resident memory of every process, servers and roles."""
    units = stack.status().units
    roles = sum(unit.memory_bytes for unit in units if kind_of(unit.name) in ROLES)
    total = sum(unit.memory_bytes for unit in units)
    said = f"{len(units)} processes; roles {roles / 2**20:,.0f} MiB"
    return Figure(f"{store}: memory {when}", total / 2**20, "MiB", said)
