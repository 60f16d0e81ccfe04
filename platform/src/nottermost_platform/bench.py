"""How long captures take and what they hold in memory, beside the SDK's own bare mocks in the same run."""

import asyncio
import gc
import os
import resource
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import pulumi
from pulumi.runtime import mocks as sdk_mocks
from pulumi.runtime import stack as sdk_stack
from pulumi_aws.sqs.queue import Queue

from nottermost_conventions.figures import Figure
from nottermost_platform.capture import Upstream, capture
from nottermost_platform.catalog import places
from nottermost_platform.checks import check_graph, check_stack
from nottermost_platform.diagrams.gallery import draw_all, model_of, write_all
from nottermost_platform.drift import find_drift
from nottermost_platform.drift.readers import allowed_accounts
from nottermost_platform.graph import load_environment, make_stack
from nottermost_platform.rules import View, judge
from nottermost_platform.rules.suppressions import load_suppressions
from nottermost_platform.testing_account import credentials, make_account, running_account

ENVIRONMENTS: Final = ("prod", "staging", "dev", "pr-0")  # the longest first, so that both cores end together
PROCESSES: Final = 2
BARE_RESOURCES: Final = 500
T = TypeVar("T")


class Work(msgspec.Struct, frozen=True):
    """What one process did with one environment in one mode."""

    resources: int
    findings: int
    seconds: float
    memory_mib: float


def run_bench(tell: Callable[[str], None]) -> list[Figure]:
    """Measure everything; each environment is captured with known and with unknown outputs, and checked."""
    tell("bare mocks")
    bare_ms = measure_bare_ms()
    tell("all environments")
    jobs = [(env, unknown) for env in ENVIRONMENTS for unknown in (False, True)]
    started = time.perf_counter()
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        works = list(pool.map(capture_and_check, *zip(*jobs, strict=True)))
    seconds = time.perf_counter() - started
    resources = sum(work.resources for work in works)
    each_ms = sum(work.seconds for work in works) / resources * 1000
    tell("one stack")
    name, stack_s, stack_resources = measure_slowest_stack()
    stack_ms = stack_s / stack_resources * 1000
    said = f"{resources:,} resources, {sum(work.findings for work in works)} findings"
    tell("policy, pictures and drift, in a process of its own")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        review = pool.submit(measure_review).result()
    return [
        Figure("all environments, both modes, from nothing", seconds, "s", said, aim="≤ 20 s"),
        Figure("a resource, captured and checked", each_ms, "ms", f"bare mocks {bare_ms:.1f} ms", each_ms / bare_ms),
        Figure(
            f"one stack, the slowest: {name}", stack_s, "s", f"{stack_resources} resources", stack_ms / bare_ms, "≤ 3 s"
        ),
        Figure(
            "memory of a process", max(work.memory_mib for work in works), "MiB", "the largest of them, SDK included"
        ),
        Figure(
            "policy, pictures and drift of prod",
            review.total_s,
            "s",
            review.said,
            review.total_s / review.capture_s,
            "≤ 20 s",
        ),
    ]


def capture_and_check(env: str, unknown: bool) -> Work:
    """An environment in one mode, as `nottermost env preview` does it."""
    started = time.perf_counter()
    graph = load_environment(env, unknown=unknown)
    findings = len(check_graph(graph))
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Work(sum(each.custom for each in graph.resources()), findings, seconds, peak)


class Review(msgspec.Struct, frozen=True):
    """Seconds of each part; the programs are imported and captured once."""

    capture_s: float
    policy_s: float
    pictures_s: float
    drift_s: float

    @property
    def total_s(self) -> float:
        return self.capture_s + self.policy_s + self.pictures_s + self.drift_s

    @property
    def said(self) -> str:
        return (
            f"capture {self.capture_s:.1f} s, policy {self.policy_s:.1f} s, pictures {self.pictures_s:.1f} s, "
            f"drift against moto {self.drift_s:.1f} s"
        )


def measure_review(env: str = "prod") -> Review:
    """All that is told of an environment from one capture, and of an account that moto plays and that is as declared."""
    with tempfile.TemporaryDirectory() as folder:
        graph, capture_s = _timed(lambda: load_environment(env))
        _, policy_s = _timed(lambda: judge(View(graph), load_suppressions(), datetime.now(UTC).date()))
        _, pictures_s = _timed(lambda: write_all(draw_all(graph, model_of(env)), Path(folder)))
        (account,) = allowed_accounts(graph)
        with running_account(account, Path(folder) / "moto.log") as address:
            os.environ.update(credentials(address))
            make_account(graph, address, account)
            drift, drift_s = _timed(lambda: find_drift(graph))
    if drift.deviations:
        raise RuntimeError(f"drift of an account as declared: {drift.deviations[0]}")
    return Review(capture_s, policy_s, pictures_s, drift_s)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def measure_slowest_stack(env: str = "prod") -> tuple[str, float, int]:
    """The stack that takes longest in both modes: its name, seconds, resources in both modes. Programs are imported."""
    load_environment(env)
    upstream: dict[str, Mapping[str, Any]] = {}
    measured = []
    for name, place in places(env):
        started = time.perf_counter()
        known, unknown = (_check(name, place, upstream, first) for first in (False, True))
        upstream[f"organization/nottermost-{name}/{place.stack}"] = known.outputs
        measured.append((time.perf_counter() - started, f"{name} of {env}", len(known.nodes) + len(unknown.nodes)))
    seconds, name, resources = max(measured)
    return name, seconds, resources


def _check(name: str, place: Any, upstream: Upstream, unknown: bool) -> Any:
    captured = capture(name, place, upstream, unknown=unknown)
    list(check_stack(make_stack(captured)))
    return captured


def measure_bare_ms() -> float:
    """Milliseconds of one plain resource under the SDK's own mocks: no URN, no checks, one output filled."""

    class Plain(sdk_mocks.Mocks):
        def new_resource(self, args: sdk_mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
            return args.name, {**args.inputs, "arn": args.name}

        def call(self, args: sdk_mocks.MockCallArgs) -> dict[str, Any]:  # type: ignore[override]
            raise AssertionError(args.token)

    async def declare() -> None:
        parents = [pulumi.ComponentResource("bench:index:Part", f"part-{number}") for number in range(10)]
        for number in range(BARE_RESOURCES):
            Queue(f"queue-{number}", name=f"queue-{number}", opts=pulumi.ResourceOptions(parent=parents[number % 10]))

    async def run() -> float:
        loops: list[asyncio.AbstractEventLoop] = []

        def give_loop() -> None:  # the mocks want one in their thread, make it themselves otherwise and never close it
            loops.append(asyncio.new_event_loop())
            asyncio.set_event_loop(loops[0])

        sdk_mocks.set_mocks(Plain(), project="bench", stack="bench", preview=False)
        started = time.perf_counter()
        with ThreadPoolExecutor(1, initializer=give_loop) as executor:
            asyncio.get_running_loop().set_default_executor(executor)
            await sdk_stack.run_pulumi_func(declare)
        seconds = time.perf_counter() - started
        for loop in loops:
            loop.close()
        return seconds

    gc.collect()
    return asyncio.run(run()) / BARE_RESOURCES * 1000
