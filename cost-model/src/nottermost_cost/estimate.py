"""The estimate: every line with its price, what it follows and what it costs.

The order is: quantities of the workload (`workload`), what the load needs (`sizing`), charges of the graph
(`resources`, `capacity`) and of the workload (`usage`), then prices (`pricing`), then terms. Reports only read
what is here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from nottermost_cost.charges import Charge
from nottermost_cost.inputs import Input
from nottermost_cost.numeric import Number
from nottermost_cost.pricebook import Confidence, Rate


class Sizing(StrEnum):
    """Which sizes are billed: as the graph declares them, or as the scenario needs them."""

    DECLARED = "declared"
    SCENARIO = "scenario"


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something countable of the workload, a month unless its unit says otherwise.

    Attributes:
        name: such as `messages.sent`; with `place` unique in an estimate.
        place: an AWS region, an `edge:us`, or "" for all together.
        formula: how it was found, in the names of inputs and quantities.
    """

    name: str
    place: str
    value: Number
    unit: str
    formula: str


class Treatment(StrEnum):
    """What the model does with a resource type."""

    PRICED = "priced"  # has lines of its own
    USAGE = "usage"  # costs only by use: lines of the scenario name it
    FREE = "free"
    UNPRICED = "unpriced"  # costs something, and the book has no price


@dataclass(frozen=True, slots=True)
class TypeCoverage:
    """How one resource type of the graph was treated, and why."""

    type: str
    count: int
    treatment: Treatment
    reason: str


class Fit(StrEnum):
    """How a declared size compares with what the load needs."""

    FITS = "fits"
    TOO_SMALL = "too small"
    TOO_LARGE = "too large"


@dataclass(frozen=True, slots=True)
class SizeFinding:
    """What the load needs of one service or store, against what the graph declares.

    Attributes:
        what: such as `gateway tasks` or `search nodes (r6g.large.search)`.
        needed, declared: in `unit`; for an autoscaled service `declared` is its maximum.
        reason: which demand decides.
        cost: USD a month of what is missing; 0 unless too small.
    """

    what: str
    environment: str
    region: str
    needed: Decimal
    declared: Decimal
    unit: str
    fit: Fit
    reason: str
    cost: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Line:
    """One priced line; costs are USD a month.

    Attributes:
        service: FOCUS ServiceName, from the closed list in `services`.
        list_cost: at the public price; contracted: with the private rate; effective: with commitments, amortised.
        by_confidence: the list cost by where its prices come from.
    """

    charge: Charge
    rate: Rate
    service: str
    list_cost: Decimal
    contracted_cost: Decimal
    effective_cost: Decimal
    by_confidence: Mapping[Confidence, Decimal]


@dataclass(frozen=True, slots=True)
class Commitment:
    """What a commitment of the terms covers and costs.

    Attributes:
        service: FOCUS ServiceName of what it covers first.
        covered: USD a month at contracted prices that it replaces.
        upfront: USD once, at its start; recurring: USD a month; amortised: both, a month.
        unused: USD a month of the amortised cost that nothing uses; a line of its own.
    """

    name: str
    service: str
    covered: Decimal
    upfront: Decimal
    recurring: Decimal
    amortised: Decimal
    unused: Decimal
    reason: str


@dataclass(frozen=True)
class Estimate:
    """What an environment costs a month.

    Attributes:
        layout: `one`, `two`, `three` or `five` regions.
        store: the design of the message store, `dynamodb` or another of `workload.STORES`.
        month: the month since launch, which decides how much is stored.
        day: on which the prices are valid.
        alternatives: list cost by sizing, for both sizings.
    """

    environment: str
    scenario: str
    layout: str
    sizing: Sizing
    terms: str
    store: str
    month: int
    day: date
    lines: tuple[Line, ...]
    quantities: tuple[Quantity, ...]
    inputs: tuple[Input, ...]
    types: tuple[TypeCoverage, ...]
    findings: tuple[SizeFinding, ...]
    commitments: tuple[Commitment, ...]
    alternatives: Mapping[Sizing, Decimal]

    def total(self, environment: str | None = None) -> Decimal:
        """Effective cost, of one environment or of all."""
        return sum(
            (line.effective_cost for line in self.lines if environment in (None, line.charge.environment)), Decimal(0)
        )

    def by_confidence(self) -> dict[Confidence, Decimal]:
        """List cost of all environments by where its prices come from."""
        return {
            each: sum((line.by_confidence.get(each, Decimal(0)) for line in self.lines), Decimal(0))
            for each in Confidence
        }

    def quantity(self, name: str) -> Decimal:
        """A quantity over all places."""
        return sum((Decimal(each.value) for each in self.quantities if each.name == name), Decimal(0))
