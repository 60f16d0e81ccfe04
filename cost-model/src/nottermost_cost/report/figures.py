"""Every number that a report shows, computed once: the formats only lay them out.

A breakdown loses nothing: what has no tag is a row too, and each adds up to the same total.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Final

from nottermost_cost.charges import Charge, Origin, Part
from nottermost_cost.estimate import Estimate, Fit, Line, SizeFinding, Sizing, Treatment, TypeCoverage
from nottermost_cost.pricebook import Band, Confidence, Rate
from nottermost_cost.report.cells import Kind, show, show_amount, show_whole

if TYPE_CHECKING:
    from nottermost_cost.sampling import Sensitivity

CONFIDENCE_NAMES: Final = {
    Confidence.PRIMARY: "sourced (primary)",
    Confidence.SECONDARY: "secondary",
    Confidence.ASSUMED: "assumed",
}
ORIGIN_NAMES: Final = {
    Origin.SCENARIO: "usage",
    Origin.TERMS: "support, commitments",
    Part.DECLARED: "declared resources",
    Part.CURVE: "scaled by the hour",
    Part.ADDED: "missing resources",
}
SIZING_NAMES: Final = {Sizing.DECLARED: "declared in the programs", Sizing.SCENARIO: "the scenario needs them"}
UNTAGGED: Final = "(untagged)"
MONTHS_PER_YEAR: Final = 12
OLD: Final = timedelta(days=365)  # a price read longer before the estimate's day counts as old

_EXACT: Final = Decimal("1e-9")  # a shared-back cost is rounded to 1e-10
_FIT_ORDER: Final = (Fit.TOO_SMALL, Fit.TOO_LARGE, Fit.FITS)
_UNIT_COSTS: Final = (  # what it is called, the quantity that it is divided by, how many of it
    ("daily active user", "users.dau", 1),
    ("monthly active user", "users.mau", 1),
    ("million messages", "messages.sent", 1_000_000),
    ("GB stored", "storage.gb", 1),
    ("thousand concurrent connections", "connections.peak", 1_000),
)


@dataclass(frozen=True, slots=True)
class Costs:
    """USD: at public prices; with private rates; with commitments, amortised."""

    list_cost: Decimal
    contracted_cost: Decimal
    effective_cost: Decimal

    def __sub__(self, other: "Costs") -> "Costs":
        return Costs(
            self.list_cost - other.list_cost,
            self.contracted_cost - other.contracted_cost,
            self.effective_cost - other.effective_cost,
        )

    @property
    def yearly(self) -> "Costs":
        """Twelve of these months."""
        return Costs(
            self.list_cost * MONTHS_PER_YEAR,
            self.contracted_cost * MONTHS_PER_YEAR,
            self.effective_cost * MONTHS_PER_YEAR,
        )


def sum_costs(parts: Iterable[Line | Costs]) -> Costs:
    """USD a month of some lines, or of sums of them."""
    listed = contracted = effective = Decimal(0)
    for part in parts:
        listed += part.list_cost
        contracted += part.contracted_cost
        effective += part.effective_cost
    return Costs(listed, contracted, effective)


@dataclass(frozen=True, slots=True)
class Share:
    """One row of a breakdown: USD a month.

    Attributes:
        share: of the effective total, 0 to 1; None when there is none.
    """

    label: str
    costs: Costs
    share: Decimal | None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The lines by one of their properties, the dearest first."""

    name: str
    rows: tuple[Share, ...]

    def fold(self, count: int) -> "Breakdown":
        """At most so many rows: beyond the dearest, the rest is one row."""
        if len(self.rows) <= count:
            return self
        kept, rest = self.rows[: count - 1], self.rows[count - 1 :]
        shares = [row.share for row in rest if row.share is not None]
        costs = sum_costs(row.costs for row in rest)
        folded = Share(f"{len(rest)} others", costs, sum(shares, Decimal(0)) if shares else None)
        return replace(self, rows=(*kept, folded))


@dataclass(frozen=True, slots=True)
class UnitCost:
    """Effective USD a month divided by a quantity of the workload; None when that quantity is zero.

    Attributes:
        name: one of what.
        per: how many of `quantity` make one: 1,000,000 of the messages.
        asked: of the environment asked for; together: with the other environments.
    """

    name: str
    quantity: Decimal
    per: int
    asked: Decimal | None
    together: Decimal | None


@dataclass(frozen=True, slots=True)
class Price:
    """A price that the estimate uses.

    Attributes:
        read: when its oldest band was read; None when one has no date.
        old: read more than a year before the estimate's day.
        list_cost: USD a month of its lines.
    """

    rate: Rate
    read: date | None
    old: bool
    lines: int
    list_cost: Decimal


@dataclass(frozen=True)
class Figures:
    """What reports show of an estimate, with or without its sensitivities."""

    estimate: Estimate
    sensitivity: "Sensitivity | None" = None

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """Every line, the dearest first."""
        return tuple(
            sorted(self.estimate.lines, key=lambda line: (-line.effective_cost, -line.list_cost, *_identity(line)))
        )

    @cached_property
    def together(self) -> Costs:
        """A month of all environments."""
        return sum_costs(self.lines)

    @cached_property
    def asked(self) -> Costs:
        """A month of the environment asked for."""
        return sum_costs(line for line in self.lines if line.charge.environment == self.estimate.environment)

    @property
    def others(self) -> Costs:
        """A month of the other environments."""
        return self.together - self.asked

    @cached_property
    def other_environments(self) -> tuple[str, ...]:
        """Which others have lines, sorted."""
        return tuple(sorted({line.charge.environment for line in self.lines} - {self.estimate.environment}))

    @cached_property
    def breakdowns(self) -> tuple[Breakdown, ...]:
        """By service, environment, region, owner, cost center and origin."""
        return tuple(
            Breakdown(name, _break_down(self.lines, find, self.together.effective_cost))
            for name, find in PROPERTIES.items()
        )

    def breakdown(self, name: str) -> Breakdown:
        """One of `PROPERTIES`."""
        return next(each for each in self.breakdowns if each.name == name)

    @cached_property
    def by_place_and_environment(self) -> Mapping[str, Mapping[str, Decimal]]:
        """Effective USD a month, the dearest place first."""
        found: dict[str, dict[str, Decimal]] = {row.label: {} for row in self.breakdown("region").rows}
        for line in self.lines:
            row = found[place_of(line.charge)]
            environment = line.charge.environment
            row[environment] = row.get(environment, Decimal(0)) + line.effective_cost
        return found

    @cached_property
    def unit_costs(self) -> tuple[UnitCost, ...]:
        """Per user, message, GB and connection."""
        return tuple(
            UnitCost(
                name,
                quantity := self.estimate.quantity(source),
                per,
                _divide(self.asked.effective_cost * per, quantity),
                _divide(self.together.effective_cost * per, quantity),
            )
            for name, source, per in _UNIT_COSTS
        )

    @cached_property
    def by_confidence(self) -> Mapping[Confidence, Decimal]:
        """List USD a month by where its prices come from."""
        return {
            confidence: sum((line.by_confidence.get(confidence, Decimal(0)) for line in self.lines), Decimal(0))
            for confidence in Confidence
        }

    @cached_property
    def confidence_shares(self) -> Mapping[Confidence, Decimal | None]:
        """The same as shares of the list total, 0 to 1."""
        return {name: _divide(cost, self.together.list_cost) for name, cost in self.by_confidence.items()}

    @cached_property
    def prices(self) -> tuple[Price, ...]:
        """Every price used, by key and region. The unused part of a commitment has a cost and no price."""
        found: dict[tuple[str, str, date], list[Line]] = defaultdict(list)
        for line in self.lines:
            if line.rate.bands:
                found[line.rate.key, line.rate.region, line.rate.valid_from or date.min].append(line)
        return tuple(self._price(found[key]) for key in sorted(found))

    def _price(self, lines: list[Line]) -> Price:
        dates = [band.snapshot for band in lines[0].rate.bands]
        known = [each for each in dates if each is not None]
        read = min(known) if len(known) == len(dates) else None
        old = read is not None and self.estimate.day - read > OLD
        return Price(lines[0].rate, read, old, len(lines), sum_costs(lines).list_cost)

    @property
    def prices_old(self) -> int:
        """How many of the prices used were read more than a year before the estimate's day."""
        return sum(price.old for price in self.prices)

    @property
    def prices_undated(self) -> int:
        """How many of them have a band without a date."""
        return sum(price.read is None for price in self.prices)

    @property
    def has_terms(self) -> bool:
        """Whether a private rate or a commitment makes a difference to the public prices."""
        costs = self.together
        return not costs.list_cost == costs.contracted_cost == costs.effective_cost

    @property
    def range(self) -> str:
        """Low, base and high of the total, and what they are; "" without sensitivities."""
        if (found := self.sensitivity) is None:
            return ""
        low, half, high = (show_whole(found.percentiles[each]) for each in (5, 50, 95))
        return (
            f"low {low}, base {show_whole(found.base)}, high {high} a month together: nine in ten of {found.samples:,} "
            f"scenarios with every input drawn from its range cost between low and high, half more than {half}"
        )

    @property
    def context(self) -> tuple[tuple[str, str], ...]:
        """What the estimate is of, and how far it can be trusted, in words."""
        estimate, missing = self.estimate, sum(each.count for each in self.not_priced)
        shares = ", ".join(
            f"{name} {show(self.confidence_shares[confidence], Kind.SHARE)}"
            for confidence, name in CONFIDENCE_NAMES.items()
        )
        alternatives = "; ".join(
            f"as {SIZING_NAMES[sizing]} {show_amount(cost)}" for sizing, cost in estimate.alternatives.items()
        )
        regions = f"{estimate.layout} region{'' if estimate.layout == 'one' else 's'}"
        return (
            *((("Range", self.range),) if self.sensitivity else ()),
            ("Scenario", f"{estimate.scenario}, {regions}, message store {estimate.store}"),
            ("Storage", f"as it has grown by month {estimate.month} since launch"),
            ("Sizes", f"as {SIZING_NAMES[estimate.sizing]}; list cost a month: {alternatives}"),
            ("Terms", f"{estimate.terms}; prices of {estimate.day}"),
            ("List dollars by price source", shares),
            (
                "Price age",
                f"{self.prices_old} of {len(self.prices)} prices used were over a year old, {self.prices_undated} undated",
            ),
            (
                "Not priced",
                f"resource types that cost something and are in no total: {len(self.not_priced)} "
                f"({missing} resource{'' if missing == 1 else 's'})"
                if missing
                else "nothing: every resource type has lines, costs only by use or is free",
            ),
        )

    @cached_property
    def findings(self) -> tuple[SizeFinding, ...]:
        """What is too small first, the dearest first."""
        return tuple(
            sorted(
                self.estimate.findings,
                key=lambda each: (_FIT_ORDER.index(each.fit), -each.cost, each.environment, each.region, each.what),
            )
        )

    @cached_property
    def not_priced(self) -> tuple[TypeCoverage, ...]:
        """Resource types that cost something and have no price, the most frequent first."""
        missing = [each for each in self.estimate.types if each.treatment is Treatment.UNPRICED]
        return tuple(sorted(missing, key=lambda each: (-each.count, each.type)))


def place_of(charge: Charge) -> str:
    """Where it is spent, also when another region's price stands in."""
    return charge.place or charge.region


def origin_of(charge: Charge) -> str:
    """Who says that it is used; for the graph how the quantity was found."""
    return ORIGIN_NAMES[charge.part if charge.origin is Origin.GRAPH else charge.origin]


PROPERTIES: Final[Mapping[str, Callable[[Line], str]]] = {
    "service": lambda line: line.service,
    "environment": lambda line: line.charge.environment,
    "region": lambda line: place_of(line.charge),
    "owner": lambda line: line.charge.tags.get("owner") or UNTAGGED,
    "cost-center": lambda line: line.charge.tags.get("cost-center") or UNTAGGED,
    "origin": lambda line: origin_of(line.charge),
}


def find_band(line: Line) -> Band | None:
    """The band whose price alone explains the list cost; None when several apply, or those of a shared total."""
    charge = line.charge
    for band in line.rate.bands:
        if abs(charge.quantity * band.price * charge.factor - line.list_cost) <= _EXACT:
            return band
    return None


def _break_down(lines: Iterable[Line], find: Callable[[Line], str], total: Decimal) -> tuple[Share, ...]:
    groups: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        groups[find(line)].append(line)
    rows = [
        Share(label, costs := sum_costs(found), _divide(costs.effective_cost, total)) for label, found in groups.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.costs.effective_cost, row.label)))


def _divide(value: Decimal, by: Decimal) -> Decimal | None:
    return value / by if by else None


def _identity(line: Line) -> tuple[str, ...]:
    charge = line.charge
    return charge.environment, place_of(charge), line.service, charge.name, charge.key, charge.urn, charge.part
