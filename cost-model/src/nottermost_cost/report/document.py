"""The estimate as JSON, for programs.

Money, quantities and shares are JSON numbers with every digit that the model has: whoever needs them
exact reads them as decimals. USD a month where nothing else is said; no value is null, never 0.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

from nottermost_conventions.contracts import ESTIMATE
from nottermost_cost.encoding import encode_json
from nottermost_cost.estimate import Commitment, Line, SizeFinding, Sizing, TypeCoverage
from nottermost_cost.inputs import Input
from nottermost_cost.numeric import to_decimal
from nottermost_cost.pricebook import INFINITE, Confidence
from nottermost_cost.report.figures import Costs, Figures, Price, Share, UnitCost, find_band, origin_of, place_of


class Total(msgspec.Struct, frozen=True):
    """A month, and twelve of them."""

    month: Costs
    year: Costs


class Totals(msgspec.Struct, frozen=True):
    """The environment asked for, the others, and both together."""

    environment: Total
    other_environments: Total
    together: Total


class ListBySource(msgspec.Struct, frozen=True):
    """List cost whose prices are this well sourced; `share` of the list total, 0 to 1."""

    list_cost: Decimal
    share: Decimal | None


class PriceAge(msgspec.Struct, frozen=True):
    """How many prices are used, how many of them are over a year old, how many have no date."""

    used: int
    over_a_year_old: int
    undated: int


class QuantityRow(msgspec.Struct, frozen=True):
    """A quantity of the workload; `place` is "" for all together."""

    name: str
    place: str
    value: Decimal
    unit: str
    formula: str


class BandRow(msgspec.Struct, frozen=True):
    """A band; `below` is null for the last one."""

    start: Decimal
    below: Decimal | None
    price_usd: Decimal
    confidence: Confidence
    read: date | None
    source: str
    aws_sku: str


class PriceRow(msgspec.Struct, frozen=True):
    """A price used; lines name it by key and region."""

    key: str
    region: str
    service: str
    unit: str
    description: str
    over_a_year_old: bool
    lines: int
    list_cost: Decimal
    bands: tuple[BandRow, ...]


class LineRow(msgspec.Struct, frozen=True):
    """A line; `unit_price` is null where several bands apply."""

    name: str
    service: str
    environment: str
    region: str
    origin: str
    key: str
    price_region: str
    quantity: Decimal
    unit: str
    unit_price: Decimal | None
    factor: Decimal
    list_cost: Decimal
    contracted_cost: Decimal
    effective_cost: Decimal
    list_by_source: Mapping[Confidence, Decimal]
    driver: str
    urn: str
    tags: Mapping[str, str]


class BarRow(msgspec.Struct, frozen=True):
    """The total with one input alone at the ends of its range."""

    input: str
    cost_at_low: Decimal
    cost_at_high: Decimal


class SensitivityRow(msgspec.Struct, frozen=True):
    """Of the effective total together; `percentiles` of the sampled totals."""

    base: Decimal
    cheapest: Decimal
    dearest: Decimal
    percentiles: Mapping[int, Decimal]
    samples: int
    seed: int
    bars: tuple[BarRow, ...]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """The whole report.

    Attributes:
        total_usd: effective cost a month of everything in it: `totals.together.month.effective_cost`.
        breakdowns: by `service`, `environment`, `region`, `owner`, `cost-center` and `origin`; each adds up to
            `totals.together`.
        coverage: every resource type of the graph; not_priced: those that no total holds.
    """

    schema: Literal["nottermost.estimate/1"]  # ESTIMATE, which a type cannot name
    environment: str
    scenario: str
    layout: str
    sizing: Sizing
    terms: str
    store: str
    month: int
    day: date
    other_environments: tuple[str, ...]
    total_usd: Decimal
    totals: Totals
    list_by_sizing: Mapping[Sizing, Decimal]
    list_by_source: Mapping[Confidence, ListBySource]
    price_age: PriceAge
    not_priced: tuple[TypeCoverage, ...]
    breakdowns: Mapping[str, tuple[Share, ...]]
    unit_costs: tuple[UnitCost, ...]
    sensitivity: SensitivityRow | None
    commitments: tuple[Commitment, ...]
    findings: tuple[SizeFinding, ...]
    quantities: tuple[QuantityRow, ...]
    inputs: tuple[Input, ...]
    coverage: tuple[TypeCoverage, ...]
    prices: tuple[PriceRow, ...]
    lines: tuple[LineRow, ...]


def render_json(figures: Figures) -> bytes:
    """The report as one JSON object."""
    return encode_json(build_document(figures))


def build_document(figures: Figures) -> Document:
    """The report as it is encoded."""
    estimate = figures.estimate
    return Document(
        schema=ESTIMATE,
        environment=estimate.environment,
        scenario=estimate.scenario,
        layout=estimate.layout,
        sizing=estimate.sizing,
        terms=estimate.terms,
        store=estimate.store,
        month=estimate.month,
        day=estimate.day,
        other_environments=figures.other_environments,
        total_usd=figures.together.effective_cost,
        totals=Totals(*(Total(each, each.yearly) for each in (figures.asked, figures.others, figures.together))),
        list_by_sizing=estimate.alternatives,
        list_by_source={
            name: ListBySource(cost, figures.confidence_shares[name]) for name, cost in figures.by_confidence.items()
        },
        price_age=PriceAge(len(figures.prices), figures.prices_old, figures.prices_undated),
        not_priced=figures.not_priced,
        breakdowns={each.name: each.rows for each in figures.breakdowns},
        unit_costs=figures.unit_costs,
        sensitivity=_sensitivity(figures),
        commitments=estimate.commitments,
        findings=figures.findings,
        quantities=tuple(
            QuantityRow(each.name, each.place, to_decimal(each.value), each.unit, each.formula)
            for each in estimate.quantities
        ),
        inputs=estimate.inputs,
        coverage=estimate.types,
        prices=tuple(_price(each) for each in figures.prices),
        lines=tuple(_line(each) for each in figures.lines),
    )


def _sensitivity(figures: Figures) -> SensitivityRow | None:
    found = figures.sensitivity
    if found is None:
        return None
    bars = tuple(BarRow(each.input.name, each.low, each.high) for each in found.bars)
    return SensitivityRow(found.base, found.cheapest, found.dearest, found.percentiles, found.samples, found.seed, bars)


def _price(price: Price) -> PriceRow:
    rate = price.rate
    bands = tuple(
        BandRow(
            each.start,
            None if each.end == INFINITE else each.end,
            each.price,
            each.confidence,
            each.snapshot,
            each.source,
            each.sku,
        )
        for each in rate.bands
    )
    return PriceRow(
        *(rate.key, rate.region, rate.service, rate.unit, rate.description),
        *(price.old, price.lines, price.list_cost, bands),
    )


def _line(line: Line) -> LineRow:
    charge, band = line.charge, find_band(line)
    return LineRow(
        name=charge.name,
        service=line.service,
        environment=charge.environment,
        region=place_of(charge),
        origin=origin_of(charge),
        key=line.rate.key,
        price_region=line.rate.region,
        quantity=to_decimal(charge.quantity),
        unit=line.rate.unit,
        unit_price=band.price if band else None,
        factor=charge.factor,
        list_cost=line.list_cost,
        contracted_cost=line.contracted_cost,
        effective_cost=line.effective_cost,
        list_by_source=line.by_confidence,
        driver=charge.driver,
        urn=charge.urn,
        tags=charge.tags,
    )
