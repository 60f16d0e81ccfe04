"""What two environments do not have alike, besides the names and ids that have to differ."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from nottermost_platform.configuration import read_settings
from nottermost_platform.differences import OTHER_ORDER, PropertyChange, differences, parse_text, top_level
from nottermost_platform.graph import Graph, Resource, StackGraph
from nottermost_platform.naming import NAMED, PRIMARY, REGION_CODES, REQUIRED_TAGS
from nottermost_platform.settings import Place

IDS: Final = re.compile(  # what stands for something that only AWS would know (tokens.py), different in each environment
    r"(?<![0-9A-Za-z])(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{10,64}|[ZE][0-9A-F]{13,20})(?![0-9A-Za-z])"
)
STACK: Final = "stack"  # in place of a resource's type
COUNTED_BY_AWS: Final = frozenset({"revision"})
OWN_TAGS: Final = frozenset({*REQUIRED_TAGS, "expires-on"})


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A resource, or a whole stack of type `stack`, that two environments do not have alike.

    Attributes:
        only_in: the one environment that has it.
        resources: how many it stands for.
    """

    stack: str
    type: str
    name: str
    only_in: str | None = None
    resources: int = 1
    properties: list[PropertyChange] = []

    @property
    def is_stack(self) -> bool:
        return self.type == STACK


def compare_environments(one: Graph, other: Graph, domains: Mapping[str, str] | None = None) -> list[Difference]:
    """What differs between two environments besides names and ids: which resources, which values, which options.

    The primary regions are compared; a standby has no counterpart elsewhere. A stack that only one of them has is
    one difference, before all others.

    Args:
        domains: of each environment, by its name; they count as names.
    """
    left, right = (_comparable(graph, (domains or {}).get(graph.env, "")) for graph in (one, other))
    found = list(_missing_stacks(one, other))
    missing = {each.stack for each in found}
    for key in sorted(key for key in left.keys() | right.keys() if key[0] not in missing):
        stack, type_, name = key
        if key not in left or key not in right:
            only_in = one.env if key in left else other.env
            found.append(Difference(stack=stack, type=type_, name=name, only_in=only_in))
        elif properties := [each for each in differences(left[key], right[key]) if each.after != OTHER_ORDER]:
            found.append(Difference(stack=stack, type=type_, name=name, properties=properties))
    return found


def _missing_stacks(one: Graph, other: Graph) -> Iterator[Difference]:
    sizes = {
        graph.env: {
            stack.name: sum(resource.is_aws for resource in stack.resources)
            for stack in graph.stacks
            if stack.region == PRIMARY
        }
        for graph in (one, other)
    }
    for name in sorted(sizes[one.env].keys() ^ sizes[other.env].keys()):
        env = one.env if name in sizes[one.env] else other.env
        yield Difference(stack=name, type=STACK, name=name, only_in=env, resources=sizes[env][name])


def read_domains(*envs: str) -> dict[str, str]:
    """The domain of each environment. Raises: SettingsError."""
    return {env: str(read_settings("network", Place(env=env, region=PRIMARY)).get("domain", "")) for env in envs}


def _comparable(graph: Graph, domain: str) -> dict[tuple[str, str, str], Mapping[str, Any]]:
    stacks = [stack for stack in graph.stacks if stack.region == PRIMARY]
    words = {graph.env: "<env>", PRIMARY: "<region>", REGION_CODES[PRIMARY]: "<region>", domain: "<domain>"}
    words |= dict.fromkeys(_accounts(stacks), "<account>")
    longest_first = sorted(filter(None, words), key=len, reverse=True)
    pattern = re.compile("|".join(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])" for word in longest_first))
    borrowed = {(each.from_, top_level(each.property)) for each in graph.references}

    def mask(value: Any) -> Any:
        if isinstance(value, str):
            return IDS.sub("<id>", pattern.sub(lambda match: words[match[0]], value))
        if isinstance(value, list):
            return [mask(each) for each in value]
        if isinstance(value, Mapping):
            return {key: "<id>" if key in COUNTED_BY_AWS else mask(each) for key, each in value.items()}
        return value

    def strip(resource: Resource) -> dict[str, Any]:
        own = set(resource.property_dependencies) | {key for urn, key in borrowed if urn == resource.urn}
        inputs = {key: _from_others(mask(each)) if key in own else mask(each) for key, each in resource.inputs.items()}
        if resource.type in NAMED:
            inputs.pop(NAMED[resource.type].property, None)
        inputs["tags"] = {key: mask(each) for key, each in resource.tags.items() if key not in OWN_TAGS}
        return {**inputs, "options": msgspec.to_builtins(msgspec.structs.replace(resource.options, aliases=[]))}

    return {
        (stack.name, resource.type, resource.name): strip(resource)
        for stack in stacks
        for resource in stack.resources
        if resource.is_aws
    }


def _from_others(value: Any) -> Any:
    """A single value that another resource gives says nothing; text and lists may hold more than that value."""
    return value if isinstance(parse_text(value), list | Mapping) else "<from another resource>"


def _accounts(stacks: Iterable[StackGraph]) -> Iterator[str]:
    for stack in stacks:
        for resource in stack.resources:
            if resource.type == "pulumi:providers:aws":
                yield from re.findall(r"\d{12}", str(resource.inputs.get("allowedAccountIds", "")))
