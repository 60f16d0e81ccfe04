"""What tests of the platform share: graphs captured once a process, and ways to look things up in them."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from nottermost_platform.graph import Graph, Resource, load_environment

ENVIRONMENTS = ("dev", "staging", "prod", "pr-0")


@cache
def graph_of(env: str, *, unknown: bool = False) -> Graph:
    """The graph of an environment as it is committed. Shared: do not change it."""
    return load_environment(env, unknown=unknown)


def what_if(env: str, stack: str, **settings: Any) -> Graph:
    """The graph of a stack and of what it requires, with other settings."""
    return load_environment(env, stack=stack, overrides={stack: settings})


def find(graph: Graph, type_: str, name: str = "", *, stack: str = "", region: str = "us-east-1") -> list[Resource]:
    """Resources of a type, as `sqs/queue:Queue`, in the stacks of a region; of one name or stack where given."""
    return [
        resource
        for each in graph.stacks
        if each.region == region and stack in ("", each.name)
        for resource in each.resources
        if resource.type == f"aws:{type_}" and name in ("", resource.name)
    ]


def one(graph: Graph, type_: str, name: str = "", *, stack: str = "", region: str = "us-east-1") -> Resource:
    """The one resource that `find` finds."""
    (found,) = find(graph, type_, name, stack=stack, region=region)
    return found


def statements(policy: str) -> Iterator[dict[str, Any]]:
    """The statements of a policy document."""
    yield from json.loads(policy)["Statement"]
