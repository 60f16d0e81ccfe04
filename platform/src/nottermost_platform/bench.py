"""How long captures take and what they hold in memory, beside the SDK's own bare mocks in the same run."""

import asyncio
import gc
import resource
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any, Final

import msgspec
import pulumi
from pulumi.runtime import mocks as sdk_mocks
from pulumi.runtime import stack as sdk_stack
from pulumi_aws.sqs.queue import Queue

from nottermost_conventions.figures import Figure
from nottermost_platform.capture import Upstream, capture
from nottermost_platform.catalog import places
from nottermost_platform.checks import check_graph, check_stack
from nottermost_platform.graph import load_environment, make_stack

ENVIRONMENTS: Final = ("prod", "staging", "dev", "pr-0")  # the longest first, so that both cores end together
PROCESSES: Final = 2
BARE_RESOURCES: Final = 500


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
    return [
        Figure("all environments, both modes, from nothing", seconds, "s", said, aim="≤ 20 s"),
        Figure("a resource, captured and checked", each_ms, "ms", f"bare mocks {bare_ms:.1f} ms", each_ms / bare_ms),
        Figure(
            f"one stack, the slowest: {name}", stack_s, "s", f"{stack_resources} resources", stack_ms / bare_ms, "≤ 3 s"
        ),
        Figure(
            "memory of a process", max(work.memory_mib for work in works), "MiB", "the largest of them, SDK included"
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


def measure_slowest_stack(env: str = "prod") -> tuple[str, float, int]:
    """The stack that takes longest in both modes: its name, seconds, resources in both modes. Programs are imported."""
    load_environment(env)
    upstream: dict[str, Mapping[str, Any]] = {}
    measured = []
    for name, place in places(env):
        started = time.perf_counter()
        known, unknown = (_check(name, place, upstream, env, first) for first in (False, True))
        upstream[f"organization/nottermost-{name}/{place.stack}"] = known.outputs
        measured.append((time.perf_counter() - started, f"{name} of {env}", len(known.nodes) + len(unknown.nodes)))
    seconds, name, resources = max(measured)
    return name, seconds, resources


def _check(name: str, place: Any, upstream: Upstream, env: str, unknown: bool) -> Any:
    captured = capture(name, place, upstream, unknown=unknown)
    list(check_stack(make_stack(captured), env))
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
