"""The same rules as a Pulumi policy pack: a thin adapter, and an extra (`nottermost-platform[policy-pack]`).

The engine shows one stack, with real ids or none yet, and rules follow references through all stacks. So what it shows
is laid over the environment's captured graph: plain values are the engine's, values that are made of other resources'
outputs stay as captured. Of a resource that is captured only the captured properties are judged, since the engine
shows computed ones too; what the engine has and the graph has not is judged by its own inputs.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, Final

import msgspec
import pulumi_policy
from pulumi import _types
from pulumi_policy.proxy import UnknownValueError

from nottermost_platform.graph import Graph, Options, Resource, load_environment, normalise
from nottermost_platform.rules.engine import Severity
from nottermost_platform.rules.suppressions import load_suppressions
from nottermost_platform.rules.verdict import Judged, judge
from nottermost_platform.rules.view import View
from nottermost_platform.sdk_check import input_class

NAME: Final = "nottermost"
PLACE: Final = re.compile(r"urn:pulumi:(.+)-((?:us|eu)-[a-z]+-[0-9])::nottermost-([a-z]+)::")
Report = Callable[[str, str | None], None]
Shown = pulumi_policy.PolicyResource


def serve() -> None:
    """Answer the engine until it ends this process."""
    pulumi_policy.PolicyPack(NAME, make_policies(), enforcement_level=pulumi_policy.EnforcementLevel.MANDATORY)


def make_policies() -> list[pulumi_policy.Policy]:
    """One for each severity: the engine unpacks the whole stack anew for each policy."""
    return [
        pulumi_policy.StackValidationPolicy(
            name=f"{NAME}-{severity}",
            description=f"Rules of severity {severity}; each violation names its rule, docs/security.md has them all.",
            validate=partial(_validate, severity),
            severity=pulumi_policy.Severity(severity.value),
        )
        for severity in Severity
    ]


def _validate(severity: Severity, args: pulumi_policy.StackValidationArgs, report: Report) -> None:
    for each in judge_stack(args.resources):
        if each.severity is severity:
            report(f"{each.rule}: {each.message}. To mend it: {each.fix}", each.urn)


def judge_stack(shown: Sequence[Shown]) -> list[Judged]:
    """The violations in a stack as the engine shows it, without what is accepted."""
    found = next((place for each in shown if (place := PLACE.match(each.urn))), None)
    if found is None:
        return []  # of another project
    env, region, stack = found.groups()
    view = _captured(env)
    verdict = judge(
        View(lay_over(view.graph, stack, region, shown), like=view), load_suppressions(), _today(), stack=stack
    )
    return [each for each in verdict.violations if each.resource.startswith(f"{stack}.{region}/")]


@cache
def _captured(env: str) -> View:
    return View(load_environment(env))


def _today() -> Any:
    return datetime.now(UTC).date()


def lay_over(graph: Graph, stack: str, region: str, shown: Sequence[Shown]) -> Graph:
    """The graph with one stack's resources as the engine shows them."""
    (home,) = (each for each in graph.stacks if (each.name, each.region) == (stack, region))
    known = {each.urn: each for each in home.resources}
    laid = [_lay(known.get(each.urn), each, region) for each in shown]
    stacks = [msgspec.structs.replace(each, resources=laid) if each is home else each for each in graph.stacks]
    return msgspec.structs.replace(graph, stacks=stacks)


def _lay(known: Resource | None, shown: Shown, region: str) -> Resource:
    inputs = dict(_plain_inputs(shown, known))
    options = msgspec.structs.replace(
        known.options if known else NO_OPTIONS,
        protect=shown.opts.protect,
        ignore_changes=sorted(shown.opts.ignore_changes),
    )
    if known:
        return msgspec.structs.replace(known, inputs=inputs, options=options, tags=inputs.get("tags", known.tags))
    return Resource(
        urn=shown.urn, type=shown.resource_type, name=shown.name, custom=True, parent=shown.parent.urn if shown.parent else None,
        region=inputs.get("region", region), provider=shown.provider.urn if shown.provider else None, inputs=inputs,
        tags=inputs.get("tags", {}), dependencies=[], property_dependencies={}, options=options, source="",
    )  # fmt: skip


NO_OPTIONS: Final = Options(
    protect=False, ignore_changes=[], aliases=[], retain_on_delete=False, replace_on_changes=[], import_id=None
)


def _plain_inputs(shown: Shown, known: Resource | None) -> Iterator[tuple[str, Any]]:
    """Values that the engine knows by itself; the others as captured."""
    captured = known.inputs if known else {}
    made_of_others = {name for name, urns in (known.property_dependencies.items() if known else ()) if urns}
    for name in captured if known else _input_names(shown):
        value = captured.get(name) if name in made_of_others and name in captured else _plain(shown.props, name)
        if value is not None:
            yield name, value


def _input_names(shown: Shown) -> set[str]:
    """Of what the engine shows, which is outputs too, the names of inputs."""
    expected = input_class(shown.resource_type)
    names = set(_types.input_type_py_to_pulumi_names(expected).values()) if expected else set()
    return names & set(shown.props.keys())


def _plain(props: Mapping[str, Any], name: str) -> Any:
    """A value as the graph has it; None for what is unknown before the first deployment."""
    try:
        return normalise(_open(props[name]))
    except UnknownValueError:
        return None


def _open(value: Any) -> Any:
    """Without the wrappers that refuse to show what is unknown. Raises: UnknownValueError."""
    if isinstance(value, Mapping):
        return {key: _open(value[key]) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_open(each) for each in value]
    return value
