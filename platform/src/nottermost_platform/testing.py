"""What tests of the platform share: graphs captured once a process, and ways to look things up in them."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache, reduce
from typing import Any, Final, NamedTuple

import msgspec

from nottermost_platform.graph import Graph, Options, Resource, StackGraph, load_environment
from nottermost_platform.rules import RULES, View, Violation, evaluate

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


# --- bad graphs ---------------------------------------------------------------------------------

UNPROTECTED: Final = Options(
    protect=False, ignore_changes=[], aliases=[], retain_on_delete=False, replace_on_changes=[], import_id=None
)
REMOVED: Final = object()  # as a value: the property is taken away
Change = Callable[[Graph], Graph]


class Bad(NamedTuple):
    """A change of production that a rule has to notice, and words of what it says."""

    rule: str
    change: Change
    says: str


def changed(type_: str, path: str, value: Any, name: str = "") -> Change:
    """A graph in which a value of the first resource of a type, or of the one so named, is another."""

    def change(graph: Graph) -> Graph:
        chosen = _first(graph, type_, name)
        return _replace(graph, chosen.urn, msgspec.structs.replace(chosen, inputs=set_at(chosen.inputs, path, value)))

    return change


def altered(type_: str, name: str = "", **fields: Any) -> Change:
    """A graph in which the first resource of a type, or the one so named, has other fields than its inputs alone."""

    def change(graph: Graph) -> Graph:
        chosen = _first(graph, type_, name)
        return _replace(graph, chosen.urn, msgspec.structs.replace(chosen, **fields))

    return change


def removed(type_: str, name: str = "") -> Change:
    """A graph without the first resource of a type, or the one so named."""
    return lambda graph: _replace(graph, _first(graph, type_, name).urn, None)


def added(type_: str, inputs: Mapping[str, Any], stack: str = "network", like: str = "") -> Change:
    """A graph with one more resource in a stack of the primary region; `like`: with the options of this type's first."""

    def change(graph: Graph) -> Graph:
        (home,) = (each for each in graph.stacks if (each.name, each.region) == (stack, "us-east-1"))
        model = _first(graph, like) if like else next(each for each in home.resources if each.is_aws)
        urn = f"{home.resources[0].urn.rpartition('::')[0].rpartition('::')[0]}::aws:{type_}::added"
        new = msgspec.structs.replace(model, urn=urn, type=f"aws:{type_}", name="added", inputs=dict(inputs))
        return _with_stack(graph, home, [*home.resources, new])

    return change


def both(*changes: Change) -> Change:
    """One change after the other."""
    return lambda graph: reduce(lambda found, change: change(found), changes, graph)


@cache
def view_of(env: str) -> View:
    """The graph of an environment, indexed. Shared: do not change it."""
    return View(graph_of(env))


def says(rule: str, view: View) -> set[Violation]:
    """What a rule says of an environment."""
    return set(evaluate(view, [RULES[rule]]))


def check_bad(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not before. Raises: AssertionError."""
    view = view_of("prod")
    new = says(bad.rule, View(bad.change(view.graph), like=view)) - says(bad.rule, view)
    assert any(bad.says in each.message for each in new), (bad.rule, new or "nothing")


def set_at(inputs: Any, path: str, value: Any) -> Any:
    """A copy with another value at a path, as `rules.0.status`; a JSON document on the way is opened and closed."""
    key, _, rest = path.partition(".")
    if isinstance(inputs, str):
        return json.dumps(set_at(json.loads(inputs), path, value), sort_keys=True, separators=(",", ":"))
    place: Any = int(key) if isinstance(inputs, list) else key
    copied = list(inputs) if isinstance(inputs, list) else dict(inputs)
    if rest:
        copied[place] = set_at(copied[place] if isinstance(copied, list) else copied.get(place, {}), rest, value)
    elif value is REMOVED:
        del copied[place]
    else:
        copied[place] = value
    return copied


def _first(graph: Graph, type_: str, name: str = "") -> Resource:
    full = type_ if type_.startswith("pulumi:") else f"aws:{type_}"
    found = [each for each in graph.resources() if each.type == full and name in ("", each.name)]
    assert found, f"no {type_} {name}"
    return next((each for each in found if each.region == "us-east-1"), found[0])


def _replace(graph: Graph, urn: str, new: Resource | None) -> Graph:
    (home,) = (stack for stack in graph.stacks if any(each.urn == urn for each in stack.resources))
    kept = [new if each.urn == urn else each for each in home.resources]
    return _with_stack(graph, home, [each for each in kept if each is not None])


def _with_stack(graph: Graph, old: StackGraph, resources: list[Resource]) -> Graph:
    new = msgspec.structs.replace(old, resources=resources)
    return msgspec.structs.replace(graph, stacks=[new if each is old else each for each in graph.stacks])
