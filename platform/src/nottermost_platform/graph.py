"""The resource graph of an environment, `nottermost.graph/1`: what was captured, normalised, references resolved."""

import hashlib
import json
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import msgspec
import pulumi
from pulumi.output import Unknown
from pulumi.runtime.rpc import is_rpc_secret, unwrap_rpc_secret

from nottermost_platform.capture import REFERENCE_TYPE, Captured, CaptureError, Node, capture_environment
from nottermost_platform.catalog import stack_module, stack_order
from nottermost_platform.naming import PRIMARY

SCHEMA: Final = "nottermost.graph/1"
SECRET: Final = {"$secret": True}
UNKNOWN: Final = {"$unknown": True}


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Resource options, as far as they change what a deployment does."""

    protect: bool
    ignore_changes: list[str]
    aliases: list[str]
    retain_on_delete: bool
    replace_on_changes: list[str]
    import_id: str | None


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """A resource of a stack. `region`: where it is, its own argument or its provider's."""

    urn: str
    type: str
    name: str
    custom: bool
    parent: str | None
    region: str
    provider: str | None
    inputs: dict[str, Any]
    tags: dict[str, str]
    dependencies: list[str]
    property_dependencies: dict[str, list[str]]
    options: Options
    source: str

    @property
    def is_aws(self) -> bool:
        return self.type.startswith("aws:")


class StackOutput(msgspec.Struct, frozen=True):
    """What a stack exports; the value of a secret is not kept."""

    value: Any
    secret: bool


class Required(msgspec.Struct, frozen=True):
    """What a stack takes from another."""

    stack: str
    region: str
    outputs: list[str]


class StackGraph(msgspec.Struct, frozen=True, kw_only=True):
    """One stack in one region."""

    name: str
    region: str
    project: str
    stack: str
    requires: list[Required]
    outputs: dict[str, StackOutput]
    resources: list[Resource]


class Reference(msgspec.Struct, frozen=True, order=True, rename={"from_": "from"}):
    """An input that came from another stack's resource."""

    from_: str
    property: str
    to: str


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """All stacks of an environment. `mode`: `known`, or `unknown` as in a first preview."""

    schema: str = SCHEMA
    env: str
    mode: str
    stacks: list[StackGraph]
    references: list[Reference]

    def resources(self) -> Iterator[Resource]:
        """Every resource of every stack."""
        for stack in self.stacks:
            yield from stack.resources


def load_environment(
    env: str,
    *,
    unknown: bool = False,
    stack: str | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
) -> Graph:
    """The graph of an environment, or of one stack and what it requires; arguments as `capture_environment` has them.

    Raises: CaptureError, SettingsError.
    """
    captures = capture_environment(env, unknown=unknown, stack=stack, overrides=overrides)
    stacks = sorted((make_stack(each) for each in captures), key=lambda each: (each.name, each.region))
    mode = "unknown" if unknown else "known"
    return Graph(env=env, mode=mode, stacks=stacks, references=sorted(set(find_references(captures))))


def load_both(
    env: str, *, stack: str | None = None, overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> tuple[Graph, Graph]:
    """The graph as it is and as in a first preview: side by side on two cores where a process can be forked safely."""
    load = partial(load_environment, env, stack=stack, overrides=overrides)
    if sys.platform != "linux" or threading.active_count() > 1:
        return load(), load(unknown=True)
    stack_order(stack)  # imports the programs, which takes longer than to run them, once for both
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        first = pool.submit(load, unknown=True)
        return load(), first.result()


def make_stack(captured: Captured) -> StackGraph:
    """A capture in the contract's form."""
    providers = {node.urn: node.inputs.get("region") for node in captured.nodes.values()}
    regions = {
        node.urn: node.inputs.get("region") or providers.get(node.provider) or captured.place.region
        for node in captured.nodes.values()
    }
    requirements = stack_module(captured.stack).REQUIRES
    requires = [
        Required(name, PRIMARY if requirements[name].primary else captured.place.region, sorted(used))
        for name, used in sorted(captured.used.items())
        if used
    ]
    return StackGraph(
        name=captured.stack,
        region=captured.place.region,
        project=f"nottermost-{captured.stack}",
        stack=captured.place.stack,
        requires=requires,
        outputs={
            name: StackOutput(normalise(value), is_rpc_secret(value))
            for name, value in sorted(captured.outputs.items())
        },
        resources=[_make_resource(node, regions) for _, node in sorted(captured.nodes.items())],
    )


def _make_resource(node: Node, regions: Mapping[str, Any]) -> Resource:
    inputs = normalise({key: value for key, value in node.inputs.items() if value is not None})
    tags = inputs.get("tags") or {}
    if isinstance(tags, list):  # of an auto scaling group, with what its instances get
        tags = {each["key"]: each["value"] for each in tags}
    return Resource(
        urn=node.urn,
        type=node.type,
        name=node.name,
        custom=node.custom,
        parent=node.parent or None,
        region=regions[node.urn],
        provider=node.provider or None,
        inputs=inputs,
        tags=tags if tags != UNKNOWN else {},
        dependencies=list(node.dependencies),
        property_dependencies={key: list(urns) for key, urns in sorted(node.property_dependencies.items())},
        options=msgspec.convert(node.options, Options),
        source=node.source,
    )


def normalise(value: Any) -> Any:
    """A captured value in the contract's form: no secret, no float that is an integer, the same each time."""
    if is_rpc_secret(value):
        return SECRET
    if isinstance(value, Unknown):
        return UNKNOWN
    if isinstance(value, Mapping):
        return {key: normalise(each) for key, each in sorted(value.items()) if each is not None}
    if isinstance(value, list | tuple):
        return [normalise(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, pulumi.Asset | pulumi.Archive):
        return {"$asset": hashlib.sha256(_content(value)).hexdigest()}
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        return _sort_json(value)
    return value


def _content(value: Any) -> bytes:
    """The bytes of an asset; of several, each with its path and length, so that no two sets are alike."""
    try:
        match value:
            case pulumi.StringAsset():
                return value.text.encode()
            case pulumi.FileAsset():
                return Path(value.path).read_bytes()
            case pulumi.AssetArchive():
                return _join({name: _content(each) for name, each in value.assets.items()})
            case pulumi.FileArchive() if Path(value.path).is_file():
                return Path(value.path).read_bytes()
            case pulumi.FileArchive():
                folder = Path(value.path)
                files = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
                if not files:
                    raise CaptureError(f"{folder} is to be deployed, but holds no file")
                return _join({path.relative_to(folder).as_posix(): path.read_bytes() for path in files})
    except OSError as error:
        raise CaptureError(f"{error.filename} is to be deployed, but cannot be read: {error.strerror}") from error
    raise CaptureError(f"a {type(value).__name__} would need the network to be captured; bring the file along")


def _join(parts: Mapping[str, bytes]) -> bytes:
    return b"".join(b"%s\0%d\0%s" % (name.encode(), len(data), data) for name, data in sorted(parts.items()))


def _sort_json(text: str) -> str:
    try:
        return json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    except ValueError:
        return text


# --- references -------------------------------------------------------------------------------


Exports = dict[str, frozenset[str]]  # each text of a stack's outputs to the URNs of the resources that it comes from


def find_references(captures: list[Captured]) -> Iterator[Reference]:
    """Inputs that were made of another stack's outputs, and the resources that those came from.

    The SDK says which properties depend on which stack reference; which of that stack's outputs it was
    shows in the property's text, where the longest are looked for first: an ARN before the name at its end.
    """
    exports: dict[str, Exports] = {}
    for captured in captures:  # in their order: what a stack passes on, it has from one before
        referred = {node.urn: node.id for node in captured.nodes.values() if node.type == REFERENCE_TYPE}
        exports[f"organization/nottermost-{captured.stack}/{captured.place.stack}"] = _exports(
            captured, referred, exports
        )
        for node in captured.nodes.values():
            for name, dependencies in node.property_dependencies.items():
                known: Exports = {}
                for urn in dependencies:
                    known |= exports.get(referred.get(urn, ""), {})
                for path, text in _texts(node.inputs.get(name), name):
                    for to in _mentioned(text, known):
                        yield Reference(node.urn, path, to)


def _exports(captured: Captured, referred: Mapping[str, str], others: Mapping[str, Exports]) -> Exports:
    found: dict[str, set[str]] = {}
    for name, value in captured.outputs.items():
        own = [urn for urn in captured.producers.get(name, ()) if urn not in referred]
        passed = [others.get(referred[urn], {}) for urn in captured.producers.get(name, ()) if urn in referred]
        for _, text in _texts(value):
            exact = [urn for urn in own if text in _held(captured.nodes[urn])]  # of several, those that have this one
            urns = {*(exact or own), *(urn for each in passed for urn in each.get(text, ()))}
            if urns and text:
                found.setdefault(text, set()).update(urns)
    for text in [each for each in found if each.startswith("arn:")]:  # programs cut names off their ends
        found.setdefault(text.rpartition(":")[2].rpartition("/")[2], found[text])
    return {text: frozenset(urns) for text, urns in found.items()}


def _held(node: Node) -> set[str]:
    return {node.id, *(text for _, text in _texts(node.state))}


def _mentioned(text: str, known: Exports) -> Iterator[str]:
    for value in sorted(known, key=len, reverse=True):
        if value in text:
            text = text.replace(value, "\0")
            yield from known[value]


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if is_rpc_secret(value):
        value = unwrap_rpc_secret(value)
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(each, f"{path}.{key}" if path else key)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each, path)


# --- as files -----------------------------------------------------------------------------------


def encode(value: msgspec.Struct) -> bytes:
    """The contract's JSON: keys sorted, a line for each value, so that a review shows what changed."""
    return json.dumps(msgspec.to_builtins(value), sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"


def decode_stack(data: bytes) -> StackGraph:
    """A stack as `encode` wrote it. Raises: msgspec.ValidationError."""
    return msgspec.json.decode(data, type=StackGraph)
