"""Reading the resource graph: one file of `nottermost env graph`, or the folder of a reviewed environment."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from nottermost_conventions.contracts import GRAPH, UnknownSchema
from nottermost_cost.errors import GraphError

GRAPHS: Final = Path(__file__).parents[3] / "platform" / "graphs"


class Resource(msgspec.Struct, frozen=True):
    """One resource, with what the price needs of it."""

    urn: str
    type: str
    name: str
    region: str
    inputs: Mapping[str, Any]
    tags: Mapping[str, str] = {}
    custom: bool = True
    parent: str | None = None


class Stack(msgspec.Struct, frozen=True):
    """One stack in one region."""

    name: str
    region: str
    resources: tuple[Resource, ...]


class Graph(msgspec.Struct, frozen=True):
    """Every resource of an environment."""

    schema: str
    env: str
    mode: str
    stacks: tuple[Stack, ...]

    def __iter__(self) -> Iterator[Resource]:
        for stack in self.stacks:
            yield from stack.resources

    @property
    def regions(self) -> tuple[str, ...]:
        """Where it has resources, the primary region first."""
        found = dict.fromkeys(stack.region for stack in self.stacks if stack.name == "account")
        return tuple(found | dict.fromkeys(sorted(stack.region for stack in self.stacks)))


def load_graph(source: Path) -> Graph:
    """Read a graph file, or all files of a folder as one graph.

    Raises: GraphError when there is none, it cannot be read, its values are unknown or it is of another
        version (with both versions).
    """
    paths = sorted(source.glob("*.json")) if source.is_dir() else [source]
    if not paths or not all(path.is_file() for path in paths):
        raise GraphError(f"there is no graph at {source}: write one with `nottermost env graph ENV --json`")
    graphs = [parse_graph(path.read_bytes(), str(path)) for path in paths]
    envs = {graph.env for graph in graphs}
    if len(envs) > 1:
        raise GraphError(f"{source} mixes the environments {', '.join(sorted(envs))}")
    return Graph(GRAPH, graphs[0].env, graphs[0].mode, tuple(stack for graph in graphs for stack in graph.stacks))


def parse_graph(data: bytes, source: str) -> Graph:
    """One graph. Raises: GraphError."""
    try:
        graph = msgspec.json.decode(data, type=Graph)
    except msgspec.DecodeError as error:
        raise GraphError(f"{source} is no resource graph: {error}") from None
    if graph.schema != GRAPH:
        raise GraphError(str(UnknownSchema(source, graph.schema, GRAPH)))
    if graph.mode != "known":
        raise GraphError(f"{source} holds a graph with unknown values: capture it without --unknown")
    return graph
