"""What a real preview would refuse and mocks let through: names, types, required blocks, names of resources.

The SDK itself is the schema: its input classes know every property's name and type and which are
required. What values may be, they do not know: `validators` does.
"""

import inspect
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from pulumi import _types

from nottermost_platform.naming import NAMED
from nottermost_platform.tokens import sdk_class

NAME_FORMATS: Final = {
    "aws:lb/loadBalancer:LoadBalancer": r"^(?!internal-)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$",
    "aws:lb/targetGroup:TargetGroup": r"^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$",
    "aws:s3/bucket:Bucket": r"^[a-z0-9][a-z0-9.-]+[a-z0-9]$",
    "aws:rds/instance:Instance": r"^[a-z](?:-?[a-z0-9])*$",
    "aws:rds/cluster:Cluster": r"^[a-z](?:-?[a-z0-9])*$",
    "aws:elasticache/replicationGroup:ReplicationGroup": r"^[a-z](?:-?[a-z0-9])*$",
    "aws:opensearch/domain:Domain": r"^[a-z][a-z0-9-]{2,27}$",
    "aws:dax/cluster:Cluster": r"^[a-z](?:-?[a-z0-9])*$",
    "aws:sqs/queue:Queue": r"^[A-Za-z0-9_-]+(\.fifo)?$",
    "aws:sns/topic:Topic": r"^[A-Za-z0-9_-]+(\.fifo)?$",
    "aws:iam/role:Role": r"^[\w+=,.@-]+$",
}


@cache
def input_class(token: str) -> type[Any] | None:
    """The SDK's class of a resource type's inputs."""
    resource = sdk_class(token)
    if resource is None:
        return None
    module = inspect.getmodule(resource)
    inputs = module.__all__[0]  # type: ignore[union-attr]  # `<Name>Args`, or `<Name>InitArgs` where a block has that name
    return typing.cast("type[Any]", getattr(module, inputs))


def check_inputs(token: str, inputs: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the inputs of a resource, a sentence each."""
    expected = input_class(token)
    if expected is None:
        return
    yield from _check_block(expected, inputs, "")
    named = NAMED.get(token)
    name = inputs.get(named.property) if named else None
    if named and isinstance(name, str):
        if len(name) > named.limit:
            yield f"{named.property}: {name!r} has {len(name)} characters, {named.limit} are allowed"
        if (pattern := NAME_FORMATS.get(token)) and not re.match(pattern, name):
            yield f"{named.property}: {name!r} is not of the form {pattern}"


def _check_block(expected: type[Any], given: Mapping[str, Any], path: str) -> Iterator[str]:
    hints = _types.input_type_types(expected)
    for key in _required(expected) - set(given):  # type: ignore[arg-type]
        yield f"{path}{key}: is required in {expected.__name__.removesuffix('Args')}"
    for key, value in given.items():
        where = f"{path}{key}"
        if key not in hints:
            yield f"{where}: there is no such property; there are {', '.join(sorted(hints))}"
            continue
        yield from _check_value(hints[key], value, where)


def _check_value(hint: Any, value: Any, where: str) -> Iterator[str]:
    if value is None or (isinstance(value, Mapping) and (value.keys() & {"$unknown", "$secret", "$asset"})):
        return
    kind, inner = _resolve(hint)
    if kind == "either":
        kind = "any" if isinstance(value, str) else "block"
    match kind:
        case "block":
            if not isinstance(value, Mapping):
                yield f"{where}: a block is expected, not {value!r}"
            else:
                yield from _check_block(inner, value, f"{where}.")
        case "list":
            if not isinstance(value, Sequence) or isinstance(value, str):
                yield f"{where}: a list is expected, not {value!r}"
            else:
                for number, each in enumerate(value):
                    yield from _check_value(inner, each, f"{where}[{number}]")
        case "map":
            if not isinstance(value, Mapping):
                yield f"{where}: a map is expected, not {value!r}"
        case "scalar":
            yield from _check_scalar(inner, value, where)
        case _:
            pass


def _check_scalar(kind: type[Any], value: Any, where: str) -> Iterator[str]:
    if kind is str and not isinstance(value, str):
        yield f"{where}: text is expected, not {value!r}"
    elif kind is bool and not isinstance(value, bool):
        yield f"{where}: true or false is expected, not {value!r}"
    elif kind in (int, float) and (isinstance(value, bool) or not isinstance(value, int | float)):
        yield f"{where}: a number is expected, not {value!r}"


def _resolve(hint: Any) -> tuple[str, Any]:
    """What a type hint means: `block` (its class), `list` (of what), `map`, `scalar`
    (of which type), `either` (a block or text), or `any`."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union or "UnionType" in str(origin):
        resolved = [_resolve(each) for each in arguments if each is not type(None) and "Awaitable" not in str(each)]
        resolved = [each for each in resolved if each[0] != "any"]
        blocks = [each for each in resolved if each[0] == "block"]
        if blocks and len(blocks) < len(resolved):
            return "either", blocks[0][1]  # a policy: text, or the SDK's own struct for it
        return (blocks or resolved or [("any", None)])[0]
    if origin is not None and ("Output" in str(origin) or "Awaitable" in str(origin)):
        return "any", None
    if origin is not None and "Sequence" in str(origin):
        return "list", arguments[0]
    if origin is not None and "Mapping" in str(origin):
        return "map", None
    if isinstance(hint, type):
        if hint in (str, int, float, bool):
            return "scalar", hint
        if _types.is_input_type(hint):
            return "block", hint
    return "any", None


@cache
def _required(expected: Any) -> frozenset[str]:
    names = _types.input_type_py_to_pulumi_names(expected)
    parameters = inspect.signature(expected.__init__).parameters
    return frozenset(names[key] for key, each in parameters.items() if each.default is each.empty and key in names)
