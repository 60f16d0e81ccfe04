"""What reproducing a document finds: claims with verdicts, omissions, contradictions, and our own costs beside them."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Final

import msgspec

from nottermost_cost.pricebook import Confidence
from nottermost_cost.report.cells import Kind, show, show_amount, show_count
from nottermost_cost.reproduce.claims import USD
from nottermost_cost.reproduce.ours import Size
from nottermost_cost.reproduce.verdicts import Span, Verdict

LEVERS: Final = 3  # the report shows so many of the largest
_HUNDRED: Final = 100
_TEN: Final = 10


class Measure(msgspec.Struct, frozen=True):
    """A figure with its unit and formula."""

    name: str
    value: Decimal
    unit: str
    formula: str

    @property
    def text(self) -> str:
        """As people read it."""
        return show_figure(self.value, self.unit)


class Ours(msgspec.Struct, frozen=True):
    """What our estimate has for the same thing, USD a month, in one region and in production's two."""

    one: Decimal
    two: Decimal


class Finding(msgspec.Struct, frozen=True):
    """A claim and its verdict.

    Attributes:
        ratio: claimed / found between the nearest ends; None where there is none.
        needs: the quantity that would make the claim right.
        ours: None where the estimate has nothing like it.
    """

    id: str
    title: str
    place: str
    written: str
    unit: str
    claimed: Span | None
    found: Span | None
    ratio: Decimal | None
    verdict: Verdict
    needs: Measure | None
    others: Mapping[str, Measure]
    because: str
    ours: Ours | None = None


class Missing(msgspec.Struct, frozen=True):
    """What the table leaves out; `found` is USD a month from the document's own figures, None where it has too few."""

    id: str
    title: str
    found: Span | None
    others: Mapping[str, Measure]
    because: str
    ours: Ours | None


class Side(msgspec.Struct, frozen=True):
    """One of two sentences; `cost` is USD a month."""

    place: str
    says: str
    cost: Decimal | None


class Conflict(msgspec.Struct, frozen=True):
    """Two places that contradict each other."""

    id: str
    about: str
    first: Side
    second: Side
    follows: str

    @property
    def difference(self) -> Decimal | None:
        """USD a month between the two; what only one of them costs counts against nothing."""
        costs = [each.cost for each in (self.first, self.second)]
        if all(each is None for each in costs):
            return None
        first, second = (each or Decimal(0) for each in costs)
        return second - first


class PhaseCost(msgspec.Struct, frozen=True):
    """A phase: what is written at list price, and our production for the scenario that is its end.

    Attributes:
        sizes: what the load needs of gateways and stores in the home region, by service or store.
    """

    id: str
    title: str
    scenario: str
    users: Decimal
    written: str
    kit: Decimal
    ours: Ours
    sizes: Mapping[str, Size]
    because: str


class Pulled(msgspec.Struct, frozen=True):
    """A lever: what production in two regions saves a month, and what is given up for it."""

    id: str
    decision: str
    title: str
    saves: Decimal
    gives_up: str


class Swing(msgspec.Struct, frozen=True):
    """An input of the estimate that nobody decides: the whole cost with it at its ends."""

    input: str
    low: Decimal
    high: Decimal
    cost_at_low: Decimal
    cost_at_high: Decimal
    source: str


class Totals(msgspec.Struct, frozen=True):
    """Of the monthly table, USD.

    Attributes:
        claimed: the lines added up; literal: the same lines at list price, with the claimed figure where a line
            has no quantity.
        omitted: list price of what is missing, of those lines that the document's own figures suffice for.
    """

    claimed: Decimal
    literal: Span
    omitted: Span
    ratio: Decimal | None
    verdict: Verdict


class Design(msgspec.Struct, frozen=True):
    """Our estimate for the same load, USD a month.

    Attributes:
        production: in one region and two, in `month`. months: the same by months since launch.
        levers: the largest saving first; together: production in two regions with the largest of three decisions.
        percentiles: of a thousand sampled scenarios in two regions, with the environments beside production.
        swings: the largest first. by_confidence: list cost by where the prices come from.
    """

    month: int
    production: Ours
    others: Decimal
    months: Mapping[int, Ours]
    rest: Ours
    levers: tuple[Pulled, ...]
    together: Decimal
    percentiles: Mapping[int, Decimal]
    swings: tuple[Swing, ...]
    by_confidence: Mapping[Confidence, Decimal]


class PriceUsed(msgspec.Struct, frozen=True):
    """A price that the claims were checked with; read: the oldest day of its bands, None without a date."""

    key: str
    region: str
    unit: str
    confidence: Confidence
    read: date | None


class Reproduction(msgspec.Struct, frozen=True):
    """Everything that was found about a document's claims."""

    name: str
    title: str
    day: date
    region: str
    tolerance: Decimal
    scenario: str
    users: Decimal
    totals: Totals
    table: tuple[Finding, ...]
    omitted: tuple[Missing, ...]
    capacity: tuple[Finding, ...]
    contradictions: tuple[Conflict, ...]
    money: tuple[Finding, ...]
    performance: tuple[Finding, ...]
    phases: tuple[PhaseCost, ...]
    design: Design
    prices: tuple[PriceUsed, ...]
    schema: str = "nottermost.reproduction/1"

    @property
    def largest_levers(self) -> tuple[Pulled, ...]:
        """The largest of three different decisions."""
        return largest_levers(self.design.levers)


def largest_levers(levers: Iterable[Pulled]) -> tuple[Pulled, ...]:
    """The largest of each decision, and of these the largest."""
    best: dict[str, Pulled] = {}
    for each in sorted(levers, key=lambda each: (-each.saves, each.id)):
        best.setdefault(each.decision, each)
    return tuple(best.values())[:LEVERS]


def show_span(span: Span | None, unit: str) -> str:
    """A figure with its unit, or both ends; "" for none."""
    if span is None:
        return ""
    if span.low == span.high:
        return show_figure(span.low, unit)
    low, high = show_figure(span.low, unit), show_figure(span.high, unit)
    return f"{low if unit == USD else low.removesuffix(unit).strip()} to {high}"


def show_figure(value: Decimal, unit: str) -> str:
    """A number of a unit: three significant digits below a hundred, whole above."""
    if unit == USD:
        return show_amount(value)
    if unit.startswith(f"{USD} "):
        return f"{show(value, Kind.RATE)}{unit.removeprefix(USD)}"
    digits = 0 if abs(value) >= _HUNDRED else 1 if abs(value) >= _TEN else 2
    return f"{show_count(round(value, digits) if digits else value.to_integral_value())} {unit}"
