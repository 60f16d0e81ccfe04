"""Our own design for the same load: the engine's estimate, and what it costs with one thing changed."""

import fnmatch
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Final

import msgspec

from nottermost_cost.engine import Choice, Model, load_model, make_estimate
from nottermost_cost.estimate import Estimate, Line
from nottermost_cost.graph import Graph, Resource
from nottermost_cost.layouts import Layout
from nottermost_cost.pricebook import Confidence
from nottermost_cost.reproduce.claims import ClaimsError, Lever
from nottermost_cost.terms import load_terms

ENVIRONMENT: Final = "prod"
MONTHS: Final = (3, 12, 60)  # since launch: the claims' 90 days of media, the estimate's default, everything full
MONTH: Final = 12
_POOL: Final = "aws:cognito/userPool:UserPool"
_TASKS: Final = ("gateway tasks", "api tasks")
_NOTHING: Final = Decimal(0)


def load_ours(scenario: str, prices: Path) -> dict[Layout, Model]:
    """Production and the environments beside it at list prices, in one region and in two. Raises: CostError."""
    return {
        layout: load_model(Choice(ENVIRONMENT, scenario, layout=layout, month=MONTH, prices=prices))
        for layout in (Layout.ONE, Layout.TWO)
    }


def in_production(estimate: Estimate) -> list[Line]:
    """Its lines without the environments beside production."""
    return [line for line in estimate.lines if line.charge.environment == ENVIRONMENT]


def cost_production(model: Model) -> Decimal:
    """Effective USD a month of production. Raises: PriceError."""
    return cost_of(in_production(make_estimate(model)))


def cost_of(lines: Iterable[Line]) -> Decimal:
    """Effective USD a month."""
    return sum((line.effective_cost for line in lines), _NOTHING)


class Size(msgspec.Struct, frozen=True):
    """How many tasks or nodes the load needs at its peak, and what production declares (at most)."""

    needed: Decimal
    declared: Decimal


def list_sizes(estimate: Estimate, region: str) -> dict[str, Size]:
    """Gateways and api, and the primary nodes of each store."""
    return {
        each.what: Size(max(each.needed.to_integral_value(ROUND_CEILING), Decimal(1)), each.declared)
        for each in estimate.findings
        if (each.environment, each.region) == (ENVIRONMENT, region)
        and (each.what in _TASKS or (each.unit == "nodes" and "replica" not in each.what))
    }


def cost_by_confidence(lines: Iterable[Line]) -> dict[Confidence, Decimal]:
    """List USD a month by where the prices come from."""
    found = dict.fromkeys(Confidence, _NOTHING)
    for line in lines:
        for confidence, usd in line.by_confidence.items():
            found[confidence] += usd
    return found


def matches(line: Line, pattern: str) -> bool:
    """Whether "key name" of a line is like it."""
    return fnmatch.fnmatchcase(f"{line.charge.key} {line.charge.name}", pattern)


def check_patterns(lines: Collection[Line], patterns: Iterable[str]) -> None:
    """A pattern that no line is like has lost what it stood for. Raises: ClaimsError."""
    lost = [pattern for pattern in patterns if not any(matches(line, pattern) for line in lines)]
    if lost:
        raise ClaimsError(f"no line of our estimate is like {', '.join(lost)}: correct `ours` of the claims")


def group_lines(lines: Iterable[Line], patterns: Mapping[str, Iterable[str]], rest: str) -> dict[str, Decimal]:
    """USD a month by the first name whose patterns a line matches; `rest` gets what none does."""
    found = dict.fromkeys((*patterns, rest), _NOTHING)
    for line in lines:
        name = next((name for name, each in patterns.items() if any(matches(line, one) for one in each)), rest)
        found[name] += line.effective_cost
    return found


def change_month(model: Model, month: int) -> Model:
    """The same load so many months after launch."""
    return replace(model, sides=tuple(replace(side, shape=replace(side.shape, month=month)) for side in model.sides))


def pull_lever(model: Model, lever: Lever) -> Model:
    """A model with one change to production or to the terms. Raises: ClaimsError for an input that there is not."""
    home, *others = model.sides
    shape = home.shape
    if lever.store is not None:
        shape = replace(shape, store=lever.store)
    if lever.backup_days is not None:
        shape = replace(shape, backup_days=lever.backup_days)
    graph = home.graph if lever.identity is None else _with_identity(home.graph, lever.identity)
    terms = model.tariff.terms if lever.terms is None else load_terms(lever.terms)
    rates = {**terms.private_rate_percent, **lever.private_rate_percent}
    inputs = {**model.inputs, **terms.inputs()}
    unknown = lever.inputs.keys() - inputs
    if unknown:
        raise ClaimsError(f"lever {lever.id} moves {', '.join(sorted(unknown))}, which is no input of the estimate")
    return replace(
        model,
        sides=(replace(home, graph=graph, shape=shape), *others),
        inputs={**inputs, **{name: replace(inputs[name], value=value) for name, value in lever.inputs.items()}},
        tariff=replace(model.tariff, terms=terms.model_copy(update={"private_rate_percent": rates})),
    )


def _with_identity(graph: Graph, tier: str) -> Graph:
    def change(resource: Resource) -> Resource:
        if resource.type != _POOL:
            return resource
        return msgspec.structs.replace(resource, inputs={**resource.inputs, "userPoolTier": tier})

    stacks = tuple(
        msgspec.structs.replace(stack, resources=tuple(map(change, stack.resources))) for stack in graph.stacks
    )
    return msgspec.structs.replace(graph, stacks=stacks)
