"""What changed against the graph that was last reviewed, and what must not be deployed as it is."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from nottermost_conventions.contracts import parse_document
from nottermost_conventions.errors import NottermostError
from nottermost_platform.checks import HOLDS_DATA, STACK_TYPE, Finding, check_graph
from nottermost_platform.differences import PropertyChange, differences, top_level
from nottermost_platform.graph import (
    SCHEMA,
    Graph,
    Reference,
    Resource,
    StackGraph,
    encode,
    load_both,
    load_environment,
)
from nottermost_platform.program import ROOT
from nottermost_platform.replacements import replaces
from nottermost_platform.rules import Verdict, View, judge
from nottermost_platform.rules.report import summarise
from nottermost_platform.rules.suppressions import FILE as SUPPRESSIONS
from nottermost_platform.rules.suppressions import load_suppressions

GOLDEN: Final = ROOT / "platform" / "graphs"
SENSITIVE: Final = (
    "aws:iam/",
    "aws:vpc/securityGroup",
    "aws:ec2/securityGroup",
    "aws:ec2/defaultSecurityGroup",
    "aws:kms/",
)
GRAPH_ONLY: Final = ("dependencies", "property_dependencies", "source")  # of a resource; AWS never sees them
Kind = Literal["added", "changed", "removed"]
Replace = Literal["yes", "no", "unknown"]


class GoldenError(NottermostError):
    """A reviewed graph that cannot be read."""

    code = "bad_golden"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One resource, or one stack's outputs, that is not as it was reviewed.

    Attributes:
        replace: whether it may be made anew; unknown: nobody has looked it up for this type.
        note: what to know or to do about it.
    """

    kind: Kind
    stack: str
    region: str
    type: str
    name: str
    urn: str
    properties: list[PropertyChange] = []
    replace: Replace = "no"
    note: str = ""

    @property
    def is_sensitive(self) -> bool:
        """Whether it decides who may do or reach something; shown first."""
        return self.type.startswith(SENSITIVE)

    @property
    def is_aws(self) -> bool:
        """Whether it is something in AWS, and not a component, a provider, a reference or a stack's outputs."""
        return self.type.startswith("aws:")

    @property
    def effect(self) -> str:
        """In words."""
        return {"yes": "may replace", "unknown": "unknown whether it replaces", "no": ""}[self.replace]


class TypeCount(msgspec.Struct, frozen=True, order=True):
    """How many AWS resources of a type a stack has."""

    stack: str
    region: str
    type: str
    count: int


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What an environment consists of, how that differs from what was reviewed, and what is wrong with it.

    Attributes:
        never_reviewed: stacks, as `<stack>.<region>`, without a reviewed graph; all of them counts as added.
        findings: with one, nothing may be deployed or accepted.
        policy: the rules' verdict in one line.
    """

    env: str
    resources: int
    counts: list[TypeCount]
    never_reviewed: list[str]
    changes: list[Change]
    findings: list[Finding]
    policy: str = ""

    @property
    def summary(self) -> str:
        """AWS resources on both sides; what only Pulumi knows is counted apart."""
        kinds = Counter(change.kind for change in self.changes if change.is_aws)
        said = [f"{kinds[kind]} {kind}" for kind in ("added", "changed", "removed") if kinds[kind]]
        others = sum(not change.is_aws for change in self.changes)
        besides = f"; {others} changes of components, providers and outputs" if others else ""
        return f"{self.env}: {self.resources} resources, {', '.join(said) or 'no change'}{besides}"


def preview_environment(
    env: str,
    *,
    stack: str | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    golden: Path = GOLDEN,
) -> tuple[Graph, Preview]:
    """Capture an environment, or one stack of it, as it is and as in a first preview; check, judge and compare it.

    Rules look at the whole environment even then, the other stacks as reviewed: what a stack's resources need may
    stand in another.

    Raises: CaptureError, SettingsError, GoldenError, UnknownSchema, BadSuppression.
    """
    captured, first = load_both(env, stack=stack, overrides=overrides)
    whole = captured if stack is None else _with_reviewed(captured) or load_environment(env, overrides=overrides)
    verdict = judge(View(whole), load_suppressions(), datetime.now(UTC).date(), stack=stack)
    graph = select_stack(captured, stack)
    result = assess(graph, select_stack(first, stack), read_golden(env, stack, golden))
    findings = sorted([*result.findings, *_refused(verdict)])
    return graph, msgspec.structs.replace(result, findings=findings, policy=summarise(verdict))


def _with_reviewed(captured: Graph) -> Graph | None:
    """The environment with what was captured in the place of what was reviewed; None where nothing was."""
    reviewed = {(each.name, each.region): each for each in read_golden(captured.env).stacks}
    stacks = reviewed | {(each.name, each.region): each for each in captured.stacks}
    return msgspec.structs.replace(captured, stacks=[stacks[key] for key in sorted(stacks)]) if reviewed else None


def _refused(verdict: Verdict) -> Iterator[Finding]:
    for each in verdict.violations:
        yield Finding(each.rule, each.urn, f"{each.message}: {each.fix}")
    for problem in verdict.problems:
        yield Finding("suppression", SUPPRESSIONS.name, problem)


def assess(graph: Graph, first: Graph, reviewed: Graph) -> Preview:
    """Judge a graph by the one of a first preview and by the reviewed one."""
    findings = {*check_graph(graph), *check_graph(first), *_made_inside_apply(graph, first)}
    known = {(stack.name, stack.region) for stack in reviewed.stacks}
    return Preview(
        env=graph.env,
        resources=sum(resource.is_aws for resource in graph.resources()),
        counts=count_types(graph.stacks),
        never_reviewed=[f"{each.name}.{each.region}" for each in graph.stacks if (each.name, each.region) not in known],
        changes=compare(reviewed, graph),
        findings=sorted(findings),
    )


def select_stack(graph: Graph, stack: str | None) -> Graph:
    """One stack of a graph, in all its regions; the whole graph when none is named."""
    if stack is None:
        return graph
    stacks = [each for each in graph.stacks if each.name == stack]
    return _with_references(graph, stacks, graph.references)


def _with_references(graph: Graph, stacks: list[StackGraph], references: Iterable[Reference]) -> Graph:
    urns = {resource.urn for each in stacks for resource in each.resources}
    mine = sorted(each for each in references if each.from_ in urns)
    return msgspec.structs.replace(graph, stacks=stacks, references=mine)


def _made_inside_apply(graph: Graph, first: Graph) -> Iterator[Finding]:
    known, unknown = ({resource.urn for resource in each.resources()} for each in (graph, first))
    for urn in known ^ unknown:
        when = "only when outputs are known" if urn in known else "only while outputs are unknown"
        yield Finding("apply", urn, f"is declared {when}: a first preview would not show it; make it outside of apply")


def count_types(stacks: Iterable[StackGraph]) -> list[TypeCount]:
    """AWS resources by stack, region and type."""
    counts = Counter((each.name, each.region, one.type) for each in stacks for one in each.resources if one.is_aws)
    return sorted(TypeCount(*key, count) for key, count in counts.items())


# --- what was reviewed --------------------------------------------------------------------------


def golden_path(env: str, stack: StackGraph, golden: Path = GOLDEN) -> Path:
    """Where the reviewed graph of a stack is kept."""
    return golden / env / f"{stack.name}.{stack.region}.json"


def accept(graph: Graph, *, stack: str | None = None, golden: Path = GOLDEN) -> list[Path]:
    """Write a graph as the reviewed one, a file for each stack and region. Returns the files that changed.

    Args:
        stack: the graph is of this stack alone; others' files stay as they are.
    """
    folder = golden / graph.env
    folder.mkdir(parents=True, exist_ok=True)
    written = {
        golden_path(graph.env, each, golden): encode(_with_references(graph, [each], graph.references))
        for each in graph.stacks
    }
    changed = [path for path, data in written.items() if not path.exists() or path.read_bytes() != data]
    for path in changed:
        path.write_bytes(written[path])
    for path in set(_golden_files(graph.env, stack, golden)) - set(written):  # of a stack or region that is no more
        path.unlink()
        changed.append(path)
    return sorted(changed)


def read_golden(env: str, stack: str | None = None, golden: Path = GOLDEN) -> Graph:
    """The reviewed graph, without stacks when there is none. Raises: GoldenError, UnknownSchema."""
    graphs = [_read(path) for path in _golden_files(env, stack, golden)]
    stacks = [each for graph in graphs for each in graph.stacks]
    references = sorted(each for graph in graphs for each in graph.references)
    return Graph(env=env, mode="known", stacks=stacks, references=references)


def _golden_files(env: str, stack: str | None, golden: Path) -> list[Path]:
    return sorted((golden / env).glob(f"{stack or '*'}.*.json"))


def _read(path: Path) -> Graph:
    where = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    document = parse_document(path.read_bytes(), SCHEMA, str(where))
    try:
        return msgspec.convert(document, Graph)
    except msgspec.ValidationError as error:
        raise GoldenError(f"{where} is no reviewed graph: {error}; restore it from version control") from error


# --- changes ------------------------------------------------------------------------------------


def compare(before: Graph, after: Graph) -> list[Change]:
    """The changes from the reviewed graph to the captured one: what decides on access first, then what loses data."""
    old, new = ({one.urn: (each, one) for each in graph.stacks for one in each.resources} for graph in (before, after))
    renamed = {
        alias: urn
        for urn, (_, resource) in new.items()
        for alias in _aliases(resource)
        if alias in old and alias not in new
    }
    added = [_change("added", *new[urn]) for urn in new.keys() - old.keys() - set(renamed.values())]
    removed = [_removed(*old[urn], added) for urn in old.keys() - new.keys() - renamed.keys()]
    pairs = [(urn, urn) for urn in old.keys() & new.keys()] + list(renamed.items())
    changed = [change for was, is_ in pairs if (change := _changed(old[was][1], *new[is_]))]
    changes = [*added, *removed, *_follow_replacements(after, changed, {each.urn for each in added})]
    changes += _compare_stacks(before, after)
    return sorted(changes, key=lambda each: (_rank(each), each.stack, each.region, each.kind, each.type, each.name))


def _follow_replacements(graph: Graph, changed: list[Change], new: set[str]) -> list[Change]:
    """The changes and what they set off: whoever uses a resource that is made anew gets a new value from it.

    Args:
        new: resources that are not there yet; nothing happens to them.
    """
    places = {one.urn: (each, one) for each in graph.stacks for one in each.resources}
    users: dict[str, set[tuple[str, str]]] = {}
    for _, resource in places.values():
        for key, urns in resource.property_dependencies.items():
            for urn in urns:
                users.setdefault(urn, set()).add((resource.urn, key))
    for reference in graph.references:
        users.setdefault(reference.to, set()).add((reference.from_, top_level(reference.property)))
    found = {change.urn: change for change in changed}
    replaced = [change.urn for change in changed if change.replace == "yes"]
    for urn in replaced:  # grows
        for user, key in sorted(users.get(urn, ())):
            stack, resource = places[user]
            if user in new or key in resource.options.ignore_changes:
                continue
            was = found.get(user) or _change("changed", stack, resource)
            follows = PropertyChange(key, f"(of {places[urn][1].name})", "(of the one made anew)")
            effects = {was.replace, _may_replace(resource, {key})}
            replace: Replace = "yes" if "yes" in effects else "unknown" if "unknown" in effects else "no"
            found[user] = msgspec.structs.replace(was, properties=[*was.properties, follows], replace=replace)
            if replace == "yes" and user not in replaced:
                replaced.append(user)
    return list(found.values())


def _rank(change: Change) -> int:
    if change.is_sensitive:
        return 0
    return 1 if change.type in HOLDS_DATA and (change.kind == "removed" or change.replace != "no") else 2


def _aliases(resource: Resource) -> list[str]:
    """The URNs that a resource had before. The SDK writes the root stack into their types, the engine does not."""
    return [alias.replace(f"::{STACK_TYPE}$", "::") for alias in resource.options.aliases]


def _change(kind: Kind, stack: StackGraph, resource: Resource, **more: Any) -> Change:
    return Change(
        kind=kind,
        stack=stack.name,
        region=stack.region,
        type=resource.type,
        name=resource.name,
        urn=resource.urn,
        **more,
    )


def _removed(stack: StackGraph, resource: Resource, added: Iterable[Change]) -> Change:
    place = (stack.name, stack.region, resource.type)
    successors = sorted(each.name for each in added if (each.stack, each.region, each.type) == place)
    notes = []
    if successors:
        names = ", ".join(successors[:3]) + (", …" if len(successors) > 3 else "")
        notes.append(f"if it is now {names}, that needs an alias; without, it is deleted and made anew")
    if resource.options.protect:
        notes.append("protected: the deployment refuses to delete it")
    if resource.options.retain_on_delete:
        notes.append("leaves the state and stays in AWS")
    return _change("removed", stack, resource, note="; ".join(notes))


def _changed(old: Resource, stack: StackGraph, new: Resource) -> Change | None:
    properties = [
        *([PropertyChange("urn", old.urn, new.urn)] if old.urn != new.urn else []),
        *differences(old.inputs, new.inputs),
        *differences(msgspec.to_builtins(old.options), msgspec.to_builtins(new.options), "options."),
        *(each for name in ("region", "parent", "provider", *GRAPH_ONLY) for each in _difference(old, new, name)),
    ]
    if not properties:
        return None
    keys = {key for key in old.inputs.keys() | new.inputs.keys() if old.inputs.get(key) != new.inputs.get(key)}
    if old.region != new.region:
        keys.add("region")
    effective = keys - set(new.options.ignore_changes)
    note = ""
    if old.urn != new.urn:
        note = "renamed by an alias"
    elif keys and not effective:
        note = "ignored by the deployment: owned by something else at run time"
    elif all(top_level(each.path) in GRAPH_ONLY for each in properties):
        note = "in the graph alone: nothing is deployed"
    return _change("changed", stack, new, properties=properties, replace=_may_replace(new, effective), note=note)


def _difference(old: Resource, new: Resource, name: str) -> list[PropertyChange]:
    return list(differences({name: getattr(old, name)}, {name: getattr(new, name)}))


def _may_replace(resource: Resource, keys: set[str]) -> Replace:
    if not keys:
        return "no"
    if keys & set(resource.options.replace_on_changes) or "*" in resource.options.replace_on_changes:
        return "yes"
    if resource.type.startswith("pulumi:providers:") and keys & {"region", "allowedAccountIds"}:
        return "unknown"  # of everything that is made with it
    answer = replaces(resource.type, frozenset(keys))
    return "unknown" if answer is None else "yes" if answer else "no"


def _compare_stacks(before: Graph, after: Graph) -> Iterator[Change]:
    """What the stacks of both graphs export, require and refer to."""
    old = {(each.name, each.region): each for each in before.stacks}
    for stack in after.stacks:
        was = old.get((stack.name, stack.region))
        if was is None:
            continue
        if properties := list(differences(_stack_parts(was, before), _stack_parts(stack, after))):
            yield Change(
                kind="changed", stack=stack.name, region=stack.region, type="stack", name=stack.name, urn="",
                properties=properties, note="what it exports or takes from others",
            )  # fmt: skip


def _stack_parts(stack: StackGraph, graph: Graph) -> dict[str, Any]:
    mine = {resource.urn for resource in stack.resources}
    references = [f"{each.from_} {each.property} <- {each.to}" for each in graph.references if each.from_ in mine]
    taken = {f"{each.stack}.{each.region}": each.outputs for each in stack.requires}
    return {"outputs": msgspec.to_builtins(stack.outputs), "requires": taken, "references": references}
