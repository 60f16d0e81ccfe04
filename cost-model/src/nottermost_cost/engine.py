"""The engine: reads what was chosen, and turns it into an estimate, or into totals of many samples."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from nottermost_cost.capacity import find_services, find_stores
from nottermost_cost.charges import Charge
from nottermost_cost.coefficients import FOLDER as COEFFICIENTS
from nottermost_cost.coefficients import load_coefficients
from nottermost_cost.errors import NotStrict, ScenarioError
from nottermost_cost.estimate import Estimate, Line, Sizing, Treatment
from nottermost_cost.graph import GRAPHS, Graph, load_graph
from nottermost_cost.inputs import Input, Values, as_columns, base_values
from nottermost_cost.layouts import Layout, load_regions
from nottermost_cost.numeric import Number, scale
from nottermost_cost.pricebook import PRICES, Confidence, load_allowances, load_prices
from nottermost_cost.pricing import (
    Tariff,
    price_charges,
    price_commitments,
    support_charges,
    total_columns,
    unused_lines,
)
from nottermost_cost.resources import price_resources
from nottermost_cost.scenario import SCENARIOS, Scenario, load_scenario
from nottermost_cost.sizing import Sized, find_limits, judge_needs, size_all
from nottermost_cost.terms import load_terms
from nottermost_cost.tiers import price_quantity
from nottermost_cost.usage import charge_usage, derive_operations
from nottermost_cost.workload import Quantities, Shape, derive_workload

PRICE_DAY: Final = date(2026, 11, 21)  # of what is committed; the command line takes today
_NOTHING: Final = Decimal(0)
_TABLE: Final = "aws:dynamodb/table:Table"
_BUCKET: Final = "aws:s3/bucket:Bucket"


@dataclass(frozen=True)
class Choice:
    """What is to be estimated.

    Attributes:
        graph: a graph file or folder; None: the reviewed graph of the environment.
        month: since launch, at least 1. alone: without the non-production environments of the terms.
        free_tier: count the account's allowances.
    """

    environment: str
    scenario: str
    layout: Layout = Layout.TWO
    sizing: Sizing = Sizing.SCENARIO
    terms: str = "list"
    store: str = "dynamodb"
    month: int = 12
    day: date = PRICE_DAY
    graph: Path | None = None
    graphs: Path = GRAPHS
    prices: Path = PRICES
    scenarios: Path = SCENARIOS
    coefficients: Path = COEFFICIENTS
    alone: bool = False
    free_tier: bool = False


@dataclass(frozen=True)
class Side:
    """One environment of an estimate.

    Attributes:
        graph: of the regions that the layout has.
        fixed: charges of its resources that have no size.
        number: inputs whose product is how many of it there are, all month; empty for production.
    """

    graph: Graph
    scenario: Scenario
    shape: Shape
    fixed: tuple[Charge, ...]
    number: tuple[str, ...]


@dataclass(frozen=True)
class Model:
    """Everything that was read, ready for any values of its inputs."""

    choice: Choice
    sides: tuple[Side, ...]
    inputs: Mapping[str, Input]
    tariff: Tariff
    further: Mapping[str, Decimal]

    def collect(self, values: Values, sizing: Sizing) -> list["Collected"]:
        """Charges of every environment, for one set of values or for columns of samples."""
        return [self._collect(side, values, sizing) for side in self.sides]

    def _collect(self, side: Side, values: Values, sizing: Sizing) -> "Collected":
        own: Values = values
        if side.number:  # another scenario than the one that is estimated; its inputs do not move
            exact = base_values(side.scenario.inputs())
            own = {**values, **(exact if isinstance(values["users.dau"], Decimal) else as_columns(exact))}
        workload = derive_workload(own, side.shape)
        sized = size_all(find_services(side.graph), find_stores(side.graph), workload, own, sizing)
        limits = find_limits(side.graph, workload, sized.needs)
        derive_operations(workload, sized.task_hours, own)
        charges = [
            *side.fixed,
            *sized.charges,
            *charge_usage(workload, side.graph, self.tariff.book, self.tariff.day),
        ]
        charges += _further(charges, side, self.further)
        for name in side.number:
            charges = [replace(each, quantity=_product(each.quantity, own[name])) for each in charges]
        return Collected(side, charges, workload.quantities, replace(sized, needs=[*sized.needs, *limits]))

    def total(self, values: Values) -> npt.NDArray[np.float64]:
        """The effective cost a month of each sample; a single number counts for all of them."""
        columns = as_columns(values)
        charges = [charge for each in self.collect(columns, self.choice.sizing) for charge in each.charges]
        return total_columns(charges, self.tariff, columns)


@dataclass(frozen=True)
class Collected:
    """What one environment is charged for."""

    side: Side
    charges: list[Charge]
    quantities: Quantities
    sized: Sized


def load_model(choice: Choice) -> Model:
    """Read everything. Raises: CostError of the file that is wrong, in one sentence."""
    if choice.month < 1:
        raise ScenarioError(f"month {choice.month} is before the launch: the first is 1")
    terms = load_terms(choice.terms)
    scenario = load_scenario(choice.scenario, choice.scenarios)
    further = load_regions().of(choice.layout)
    graph = load_graph(choice.graph or choice.graphs / choice.environment)
    home, *standbys = graph.regions
    if further and not standbys:
        raise ScenarioError(
            f"{graph.env} is in {home} alone, and further regions are priced like a standby: choose layout one"
        )
    if not standbys:
        choice = replace(choice, layout=Layout.ONE)
    sides = [_side(graph, scenario, choice, further, ())]
    for each in () if choice.alone else terms.non_production:
        if each.environment != choice.environment:
            path = f"terms.non_production.{each.environment}"
            other = load_graph(choice.graphs / each.environment)
            workload = load_scenario(each.scenario, choice.scenarios)
            sides.append(_side(other, workload, choice, further, (f"{path}.count", f"{path}.hours_share")))
    inputs = {**scenario.inputs(), **load_coefficients(choice.coefficients), **terms.inputs()}
    allowances = load_allowances(choice.prices) if choice.free_tier else {}
    tariff = Tariff(load_prices(choice.prices), choice.day, terms, allowances)
    return Model(choice, tuple(sides), inputs, tariff, further)


def _side(
    graph: Graph, scenario: Scenario, choice: Choice, further: Mapping[str, Decimal], number: tuple[str, ...]
) -> Side:
    home, *standbys = graph.regions
    if choice.layout is Layout.ONE:
        graph = Graph(graph.schema, graph.env, graph.mode, tuple(each for each in graph.stacks if each.region == home))
        standbys = []
    unknown = {group.region for group in scenario.regions} - {home, *standbys}
    if unknown:
        raise ScenarioError(
            f"scenario {scenario.name} serves users in {', '.join(sorted(unknown))}, "
            f"where {graph.env} has no resources: it has them in {', '.join((home, *standbys))}"
        )
    shape = Shape(
        groups=scenario.regions,
        home=home,
        standbys=tuple(standbys),
        store=choice.store,
        month=choice.month,
        further=len(further) if standbys else 0,
        backup_days=_backup_days(graph),
        backs_up_archive=any(each.type == _BUCKET and "backup" in each.tags for each in graph),
    )
    return Side(graph, scenario, shape, tuple(price_resources(graph)[0]), number)


def _backup_days(graph: Graph) -> int:
    """How long the daily copies of tagged tables are kept."""
    if not any(each.type == _TABLE and "backup" in each.tags for each in graph):
        return 0
    plans = [each for each in graph if each.type == "aws:backup/plan:Plan"]
    return max(
        (int(rule.get("lifecycle", {}).get("deleteAfter", 0)) for plan in plans for rule in plan.inputs["rules"]),
        default=0,
    )


def _further(charges: Sequence[Charge], side: Side, factors: Mapping[str, Decimal]) -> list[Charge]:
    """The standby's charges once more for each further region, at the standby's prices times its factor."""
    if not side.shape.standbys:
        return []
    standby = side.shape.standbys[0]
    return [
        replace(charge, place=region, factor=factor)
        for region, factor in factors.items()
        for charge in charges
        if charge.region == standby
    ]


def _product(quantity: Number, count: Number) -> Number:
    return scale(count, quantity) if isinstance(quantity, Decimal) else quantity * count


def make_estimate(model: Model) -> Estimate:
    """The estimate of a model with its base values. Raises: PriceError with every price that is missing."""
    choice, values = model.choice, base_values(model.inputs)
    found = model.collect(values, choice.sizing)
    lines = price_all(found, model.tariff, values)
    commitments = price_commitments(lines, model.tariff, values)
    lines += unused_lines(commitments, lines, choice.environment)
    other = next(each for each in Sizing if each is not choice.sizing)
    others = price_all(model.collect(values, other), model.tariff, values)
    alternatives = {choice.sizing: _list_cost(lines), other: _list_cost(others)}
    main = found[0]
    return Estimate(
        environment=main.side.graph.env,
        scenario=main.side.scenario.name,
        layout=choice.layout,
        sizing=choice.sizing,
        terms=model.tariff.terms.name,
        store=choice.store,
        month=choice.month,
        day=choice.day,
        lines=tuple(lines),
        quantities=tuple(main.quantities),
        inputs=tuple(model.inputs.values()),
        types=price_resources(main.side.graph)[1],
        findings=tuple(judge_needs(main.sized.needs, lambda charges: _standalone(charges, model.tariff))),
        commitments=tuple(commitments),
        alternatives=alternatives,
    )


def price_all(found: Iterable[Collected], tariff: Tariff, values: Values) -> list[Line]:
    """Lines of all environments, which one payer pays together, and the support plan on top."""
    charges = [charge for each in found for charge in each.charges]
    lines = price_charges(charges, tariff, values)
    return lines + price_charges(support_charges(lines), tariff, values)


def _list_cost(lines: Iterable[Line]) -> Decimal:
    return sum((line.list_cost for line in lines), _NOTHING)


def _standalone(charges: Iterable[Charge], tariff: Tariff) -> Decimal:
    """USD a month of charges by themselves."""
    return sum((price_quantity(tariff.rate(each), Decimal(each.quantity)) for each in charges), _NOTHING)


def check_strict(estimate: Estimate) -> None:
    """Raises: NotStrict with the list of assumed prices and of types without a price."""
    assumed = sorted({
        f"{line.charge.key} in {line.charge.region}" for line in estimate.lines if line.by_confidence.get(Confidence.ASSUMED)
    })  # fmt: skip
    unpriced = [f"{each.type} ({each.count})" for each in estimate.types if each.treatment is Treatment.UNPRICED]
    if assumed or unpriced:
        raise NotStrict(
            f"{len(assumed)} assumed prices: {', '.join(assumed) or 'none'}; "
            f"{len(unpriced)} types without a price: {', '.join(unpriced) or 'none'}"
        )
