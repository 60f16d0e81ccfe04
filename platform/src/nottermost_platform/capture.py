"""Runs a stack's program against a recording monitor: no cloud, no CLI, no network, in milliseconds.

What the plain mock monitor of the SDK lacks is repaired here: URNs carry the whole chain of parent
types, two resources of one URN are an error instead of one overwriting the other, and every output
that the SDK's class declares has a value that tells which resource it came from.
"""

import asyncio
import contextvars
import gc
import runpy
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pulumi
from google.protobuf import empty_pb2
from pulumi import runtime
from pulumi.runtime import mocks as sdk_mocks
from pulumi.runtime import rpc, settings
from pulumi.runtime import stack as sdk_stack
from pulumi.runtime.proto import engine_pb2, resource_pb2

from nottermost_conventions.errors import NottermostError
from nottermost_platform.catalog import places, stack_module
from nottermost_platform.configuration import STACKS, check_environment, read_environment, read_settings, yaml_to_json
from nottermost_platform.failures import explain
from nottermost_platform.naming import make_urn
from nottermost_platform.program import CURRENT, ROOT, Component
from nottermost_platform.settings import Place, merge
from nottermost_platform.tokens import fill_outputs

STACK_TYPE: Final = "pulumi:pulumi:Stack"
REFERENCE_TYPE: Final = "pulumi:pulumi:StackReference"
CAPTURE_S: Final = 60.0  # far above the 0.1 to 1 s that a stack takes


NO_OPTIONS: Final[Mapping[str, Any]] = {
    "protect": False, "ignore_changes": [], "aliases": [], "retain_on_delete": False, "replace_on_changes": [],
    "import_id": None,
}  # fmt: skip


class CaptureError(NottermostError):
    """A program that cannot be captured: what it did, and where."""

    code = "capture_failed"


@dataclass(slots=True)
class Node:
    """A resource as the program registered it."""

    urn: str
    type: str
    name: str
    custom: bool
    parent: str
    provider: str
    inputs: dict[str, Any]
    dependencies: tuple[str, ...]
    property_dependencies: dict[str, tuple[str, ...]]
    options: dict[str, Any]
    source: str
    state: dict[str, Any] = field(default_factory=dict)
    id: str = ""


@dataclass(slots=True)
class Captured:
    """What one run of one stack's program declared.

    Attributes:
        outputs: of the stack, as values; secrets are still in them.
        producers: of each output, the URNs of the resources that it was made of.
        used: outputs read of other stacks.
        reads, invokes, transforms: what a program did besides registering; none is expected but stack references.
        problems: what is wrong with the run itself.
    """

    stack: str
    place: Place
    unknown: bool
    nodes: dict[str, Node] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    producers: dict[str, list[str]] = field(default_factory=dict)
    used: dict[str, set[str]] = field(default_factory=dict)
    reads: list[tuple[str, str]] = field(default_factory=list)
    invokes: list[str] = field(default_factory=list)
    transforms: int = 0
    problems: list[str] = field(default_factory=list)


Upstream = Mapping[str, Mapping[str, Any]]  # full stack reference to the outputs of that stack


class _Mocks(sdk_mocks.Mocks):
    """Answers with the inputs and a value for every other output; with nothing known in a first preview."""

    def __init__(self, recorder: Callable[[], "_Recorder"], upstream: Upstream, region: str, account: str) -> None:
        self._recorder, self._upstream, self._region, self._account = recorder, upstream, region, account

    def new_resource(self, args: sdk_mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        recorder = self._recorder()
        if args.typ == REFERENCE_TYPE:
            outputs = self._upstream.get(args.resource_id or "")
            if outputs is None:
                recorder.captured.problems.append(
                    f"{args.resource_id} is not captured before {recorder.captured.stack}"
                )
            return args.resource_id, {"name": args.resource_id, "outputs": dict(outputs or {}), "secretOutputNames": []}
        if not args.custom:
            return "", dict(args.inputs)
        urn = recorder.urn
        if recorder.captured.unknown and not args.typ.startswith("pulumi:providers:"):
            return None, dict(args.inputs)
        region = args.inputs.get("region", self._region)
        state = fill_outputs(args.typ, urn, args.inputs, region=region, account=self._account)
        return state["id"], state

    def call(self, args: sdk_mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise CaptureError(f"the program calls {args.token}: data sources differ from day to day; pass it by settings")


class _Engine(sdk_mocks.MockEngine):
    """Takes what a program logs; under the CLI an error there fails the update."""

    def __init__(self, captured: Captured) -> None:
        super().__init__(None)
        self.captured = captured

    def Log(self, request: Any) -> Any:  # noqa: N802 - the SDK's name
        if request.severity == engine_pb2.ERROR:
            self.captured.problems.append(f"the program logged an error: {request.message}")
        return empty_pb2.Empty()


class _Recorder(sdk_mocks.MockMonitor):
    """Keeps everything that is registered. Problems are collected, since raising here ends as noise per property."""

    def __init__(self, captured: Captured, mocks: _Mocks) -> None:
        super().__init__(mocks)
        self.captured = captured
        self.urn = ""  # of the resource being registered

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """A URN by Pulumi's rule: the whole chain of parent types, without the root stack."""
        chain = parent.split("::")[2] if parent else ""
        types = f"{chain}${type_}" if chain and chain != STACK_TYPE else type_
        return make_urn(settings.get_stack(), settings.get_project(), types, name)

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the SDK's name
        urn = self.urn = self.make_urn(request.parent, request.type, request.name)
        if urn in self.captured.nodes:
            self.captured.problems.append(f"two resources are called {urn}; give one another name")
        node = Node(
            urn=urn,
            type=request.type,
            name=request.name,
            custom=request.custom,
            parent=request.parent,
            provider=request.provider.rpartition("::")[0],
            inputs=rpc.deserialize_properties(request.object, keep_unknowns=True),
            dependencies=tuple(sorted(request.dependencies)),
            property_dependencies={k: tuple(sorted(v.urns)) for k, v in request.propertyDependencies.items() if v.urns},
            options={
                "protect": request.protect,
                "ignore_changes": sorted(request.ignoreChanges),
                "aliases": sorted(self._aliases(request) - {urn}),
                "retain_on_delete": request.retainOnDelete,
                "replace_on_changes": sorted(request.replaceOnChanges),
                "import_id": request.importId or None,
            },
            source=self._source(request),
        )
        self.captured.nodes[urn] = node
        self.captured.transforms += len(request.transforms)
        if request.type == STACK_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        inputs = rpc.deserialize_properties(request.object)
        args = sdk_mocks.MockResourceArgs(
            request.type, request.name, inputs, request.provider, request.importId, bool(request.custom)
        )
        id_, node.state = self.mocks.new_resource(args)
        node.id = id_ or ""
        secret = {key: _hide(node.state[key]) for key in request.additionalSecretOutputs if key in node.state}
        return resource_pb2.RegisterResourceResponse(urn=urn, id=node.id, object=_serialize(node.state | secret))

    def _aliases(self, request: Any) -> set[str]:
        """What else the resource may have been called: its own aliases, and where it was under those of its parent."""
        found = {request.urn for request in request.aliases if request.urn}
        for spec in (alias.spec for alias in request.aliases if not alias.urn):
            parent = "" if spec.noParent else spec.parentUrn or request.parent
            stack, project = spec.stack or settings.get_stack(), spec.project or settings.get_project()
            urn = self.make_urn(parent, spec.type or request.type, spec.name or request.name).split("::")
            found.add("::".join([f"urn:pulumi:{stack}", project, *urn[2:]]))
        parent_node = self.captured.nodes.get(request.parent)
        for alias in parent_node.options["aliases"] if parent_node else ():
            old = alias.rpartition("::")[2]
            begins = request.name.startswith(f"{parent_node.name}-") if parent_node else False
            name = f"{old}{request.name[len(parent_node.name) :]}" if begins and parent_node else request.name
            found.add(self.make_urn(alias, request.type, name))
        return found

    def _source(self, request: Any) -> str:
        """The repository's file that declares it: its component's, else the stack's."""
        parent = self.captured.nodes.get(request.parent)
        stack = Path(str(stack_module(self.captured.stack).__file__)).relative_to(ROOT).as_posix()
        return Component.DECLARED.get(parent.type, stack) if parent else stack

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        node = self.captured.nodes.get(request.urn)
        if node is not None and node.type == STACK_TYPE:
            self.captured.outputs = rpc.deserialize_properties(request.outputs, keep_unknowns=True)
        return empty_pb2.Empty()

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        self.captured.reads.append((request.type, request.id))
        urn = self.make_urn(request.parent, request.type, request.name)
        # An output of another stack that is not known yet has to stay so.
        state: dict[str, Any] = rpc.deserialize_properties(request.properties)
        self.captured.nodes[urn] = Node(
            urn=urn,
            type=request.type,
            name=request.name,
            custom=True,
            parent=request.parent,
            provider=request.provider.rpartition("::")[0],
            inputs=dict(state),
            dependencies=tuple(sorted(request.dependencies)),
            property_dependencies={},
            options=dict(NO_OPTIONS),
            source=self._source(request),
            id=request.id,
        )
        args = sdk_mocks.MockResourceArgs(request.type, request.name, state, request.provider, request.id)
        _, state = self.mocks.new_resource(args)
        return resource_pb2.ReadResourceResponse(urn=urn, properties=_serialize(state))

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        self.captured.invokes.append(request.tok)
        return super().Invoke(request)  # type: ignore[no-untyped-call]

    def RegisterStackTransform(self, request: Any) -> Any:  # noqa: N802
        self.captured.transforms += 1
        return super().RegisterStackTransform(request)  # type: ignore[no-untyped-call]


def _hide(value: Any) -> dict[str, Any]:
    """A value as the SDK sends a secret."""
    return {rpc._special_sig_key: rpc._special_secret_sig, "value": value}


def _serialize(state: Mapping[str, Any]) -> Any:
    """Plain values as the SDK sends them. Its function is a coroutine, but waits for outputs only, and here are none."""
    try:
        rpc.serialize_properties(dict(state), {}).send(None)
    except StopIteration as done:
        return done.value
    raise CaptureError("a value that is not known yet was given for an output")


def capture(
    stack: str, place: Place, upstream: Upstream, *, unknown: bool = False, overrides: Mapping[str, Any] | None = None
) -> Captured:
    """What the program of a stack declares in a place.

    Args:
        upstream: outputs of the stacks that it refers to.
        unknown: as in a first preview, where no output of a resource is known yet.
        overrides: settings over those of the stack's YAML, to ask "what if".

    Raises: CaptureError; the next capture starts clean.
    """
    given = merge(read_settings(stack, place), overrides or {})
    program = STACKS / stack / "__main__.py"
    captured = Captured(stack, place, unknown)
    record(captured, lambda: runpy.run_path(str(program), run_name="__main__"), given, upstream)
    return captured


def record(captured: Captured, program: Callable[[], object], given: Mapping[str, Any], upstream: Upstream) -> None:
    """Run a program and put what it declares into `captured`.

    Args:
        given: what the stack's YAML says.

    Raises: CaptureError.
    """
    stack, place = captured.stack, captured.place
    if asyncio._get_running_loop() is not None:
        raise CaptureError("a capture brings its own event loop; within a running one, hand it to a thread")

    def inside() -> None:
        recorder: list[_Recorder] = []
        mocks = _Mocks(lambda: recorder[0], upstream, place.region, str(given.get("account_id", "")))
        recorder.append(_Recorder(captured, mocks))
        settings.ROOT.set(None)  # else this stack's resources hang off the last one's root
        settings.configure(
            sdk_mocks.MockSettings(  # type: ignore[no-untyped-call]
                monitor=recorder[0],
                engine=_Engine(captured),
                project=f"nottermost-{stack}",
                stack=place.stack,
                dry_run=captured.unknown,
                organization="organization",
                callbacks=None,
                monitor_features=set(),
            )
        )
        runtime.set_all_config({f"nottermost-{stack}:settings": yaml_to_json(given)})
        stacks: list[Any] = []
        CURRENT.set(stacks)
        captured.producers = asyncio.run(_run(program))
        exported = captured.producers.keys()
        captured.problems += [
            f"output {each} is None: nothing was exported" for each in exported - captured.outputs.keys()
        ]
        captured.used = {name: used for each in stacks for name, used in each.used.items()}

    try:
        with _in_peace(), redirect_stdout(sys.stderr):  # stdout is for results
            contextvars.copy_context().run(inside)
    except NottermostError:
        raise
    except (Exception, SystemExit) as error:
        _check_run(captured)  # the reason rather than what followed from it
        raise CaptureError(f"{stack} in {place.stack}: {explain(error)}") from error
    _check_run(captured)


@contextmanager
def _in_peace() -> Iterator[None]:
    """Without looking for cycles again and again, since the many objects of a capture all live to its end: half the time.

    And, from here on, without a warning for each output that nobody waits for any more when a program has failed.
    """
    warnings.filterwarnings("ignore", r"coroutine 'Output\.\w+' was never awaited", RuntimeWarning)
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _check_run(captured: Captured) -> None:
    for type_, id_ in captured.reads:
        if type_ != REFERENCE_TYPE:
            captured.problems.append(
                f"the program reads {type_} {id_}: it may differ from day to day; pass it by settings"
            )
    if captured.transforms:
        captured.problems.append(
            "the program registers transforms, which a capture does not run; say it in the components"
        )
    if captured.problems:
        where = f"{captured.stack} in {captured.place.stack}"
        raise CaptureError(f"{where}: " + "; ".join(sorted(set(captured.problems))))


class _Inline(ThreadPoolExecutor):
    """Does at once what the SDK would hand to a thread for the sake of a network that is not there."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it belongs to who waits
            done.set_exception(error)
        return done


async def _run(program: Callable[[], object]) -> dict[str, list[str]]:
    """Run a program to its end. Returns what it exports, also what is None, and of which resources that comes."""
    producers: dict[str, list[str]] = {}

    async def declare() -> None:
        program()
        await _settle()
        root = settings.get_root_resource()
        assert isinstance(root, sdk_stack.Stack)
        for name, value in root.outputs.items():
            resources = await pulumi.Output.from_input(value).resources()
            producers[name] = sorted([str(await each.urn.future()) for each in resources])

    loop = asyncio.get_running_loop()
    loop.set_default_executor(_Inline(1))
    # When one thing fails, all outputs that come of it fail and nobody asks them; the first is raised anyhow.
    loop.set_exception_handler(lambda _loop, _context: None)
    settings.SETTINGS.outputs.clear()
    try:
        async with asyncio.timeout(CAPTURE_S):
            await sdk_stack.run_in_stack(declare)
    finally:
        settings.SETTINGS.outputs.clear()
        settings._get_rpc_manager().clear()
    return producers


async def _settle() -> None:
    """Wait until all is registered. The SDK does so as well, but looks at all that is open after each that is done."""
    while waiting := [*settings.SETTINGS.outputs, *settings._get_rpc_manager().rpcs]:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_EXCEPTION)
        if any(task.exception() for task in done):
            return  # the SDK, which waits as well, finds and raises it
        settings.SETTINGS.outputs.difference_update(done)
        rpcs = settings._get_rpc_manager().rpcs
        rpcs[:] = [each for each in rpcs if each not in done]


def capture_environment(
    env: str,
    *,
    unknown: bool = False,
    stack: str | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Captured]:
    """Every stack of an environment in the order in which they are brought up.

    Args:
        stack: this one and what it requires alone.
        overrides: settings by stack over those of the YAML, in every region.
    """
    check_environment(read_environment(env, stack, overrides))
    upstream: dict[str, Mapping[str, Any]] = {}
    captures = []
    for name, place in places(env, stack):
        changed = (overrides or {}).get(name)
        captured = capture(name, place, upstream, unknown=unknown, overrides=changed)
        upstream[f"organization/nottermost-{name}/{place.stack}"] = captured.outputs
        captures.append(captured)
    return captures
