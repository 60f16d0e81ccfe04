"""The tables of a report: the same columns and values for the terminal, the page and the workbook."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from nottermost_cost.estimate import Fit, Line, Treatment
from nottermost_cost.numeric import HOURS_PER_DAY, to_decimal
from nottermost_cost.pricebook import INFINITE, Confidence
from nottermost_cost.report.cells import Cell, Kind, show, show_quantity
from nottermost_cost.report.figures import (
    CONFIDENCE_NAMES,
    MONTHS_PER_YEAR,
    PROPERTIES,
    SIZING_NAMES,
    Breakdown,
    Costs,
    Figures,
    Share,
    find_band,
)
from nottermost_cost.report.quantities import find_hours, find_main, find_single, find_storage, say_name


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        width: on a sheet, in characters.
    """

    title: str
    kind: Kind = Kind.TEXT
    width: int = 16

    @property
    def is_number(self) -> bool:
        """Whether it is aligned to the right."""
        return self.kind not in (Kind.TEXT, Kind.DATE)


@dataclass(frozen=True, slots=True)
class Table:
    """Values in columns.

    Attributes:
        total: a last row that sums the others; None where sums mean nothing.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] | None = None

    def pick(self, *titles: str) -> "Table":
        """Some of its columns, in that order."""
        at = [self.index(title) for title in titles]
        return Table(
            self.caption,
            tuple(self.columns[each] for each in at),
            tuple(tuple(row[each] for each in at) for row in self.rows),
            tuple(self.total[each] for each in at) if self.total else None,
        )

    def say(self) -> "Table":
        """With inputs and quantities in words instead of their names."""
        said = {at for at, column in enumerate(self.columns) if column.title in NAMED}
        return replace(
            self,
            rows=tuple(
                tuple(say_name(cell) if at in said and isinstance(cell, str) else cell for at, cell in enumerate(row))
                for row in self.rows
            ),
        )

    def head(self, count: int, caption: str) -> "Table":
        """Its first rows, without a total."""
        return replace(self, caption=caption, rows=self.rows[:count], total=None)

    def index(self, title: str) -> int:
        """Where a column is. Raises: StopIteration when there is none."""
        return next(at for at, column in enumerate(self.columns) if column.title == title)

    def texts(self) -> list[list[str]]:
        """The rows as people read them."""
        return [self._texts(row) for row in self.rows]

    def total_texts(self) -> list[str]:
        """The last row, too; empty where there is none."""
        return self._texts(self.total) if self.total else []

    def _texts(self, row: Iterable[Cell]) -> list[str]:
        return [
            "" if value is None and not column.is_number else show(value, column.kind)
            for column, value in zip(self.columns, row, strict=True)
        ]


LIST: Final = Column("List", Kind.MONEY)
CONTRACTED: Final = Column("Contracted", Kind.MONEY)
EFFECTIVE: Final = Column("Effective", Kind.MONEY)
_COSTS: Final = (LIST, CONTRACTED, EFFECTIVE)
SHARE: Final = Column("Share", Kind.SHARE, 9)
REASON: Final = Column("Reason", width=70)
NAMED: Final = ("Input", "Follows")  # columns of names with dots
HOUR: Final = "Hour, UTC"
MONTH: Final = "Month"


def title_of(name: str) -> str:
    """A property of lines as a column."""
    return name.capitalize()


def list_totals(figures: Figures) -> Table:
    """The environment asked for, the others, together: USD a month, and effective a year."""
    others = ", ".join(figures.other_environments) or "none"
    return Table(
        "Cost in USD a month",
        (Column("Environment", width=34), *_COSTS, Column("Effective a year", Kind.MONEY, 18)),
        tuple(
            (label, *_cells(costs), costs.yearly.effective_cost)
            for label, costs in (
                (figures.estimate.environment, figures.asked),
                (f"other environments ({others})", figures.others),
            )
        ),
        ("together", *_cells(figures.together), figures.together.yearly.effective_cost),
    )


def list_sizings(figures: Figures) -> Table:
    """Both sizings beside each other."""
    return Table(
        "Both sizings, list USD",
        (Column("Sizes", width=44), Column("List", Kind.MONEY), Column("List a year", Kind.MONEY)),
        tuple(
            (
                f"as {SIZING_NAMES[sizing]}{' (this report)' if sizing is figures.estimate.sizing else ''}",
                cost,
                cost * MONTHS_PER_YEAR,
            )
            for sizing, cost in figures.estimate.alternatives.items()
        ),
    )


def list_service_lines(figures: Figures) -> tuple[tuple[Share, Table], ...]:
    """The lines of each service with what explains their cost, the dearest service and line first."""
    whole = list_lines(figures)
    service, factor, region, price_region = map(whole.index, ("Service", "Factor", "Region", "Price region"))
    found = []
    for share in figures.breakdown("service").rows:
        rows = tuple(row for row in whole.rows if row[service] == share.label)
        elsewhere = any(row[factor] != 1 or row[region] != row[price_region] for row in rows)
        titles = (
            *("Line", "Effective", *(("List",) if figures.has_terms else ()), "Quantity", "Unit", "Unit price"),
            *("Environment", "Region", "Origin", "Follows", "Price key"),
            *(("Price region", "Factor") if elsewhere else ()),
        )
        found.append((share, replace(whole, caption=share.label, rows=rows, total=None).pick(*titles).say()))
    return tuple(found)


def list_breakdown(figures: Figures, breakdown: Breakdown) -> Table:
    """One breakdown with its total."""
    return Table(
        f"By {breakdown.name}",
        (Column(title_of(breakdown.name), width=34), *_COSTS, SHARE),
        tuple((row.label, *_cells(row.costs), row.share) for row in breakdown.rows),
        ("Total", *_cells(figures.together), Decimal(1) if figures.together.effective_cost else None),
    )


def list_unit_costs(figures: Figures) -> Table:
    """Effective USD a month for one of something."""
    return Table(
        "Unit costs: effective USD a month",
        (
            Column("Per", width=34),
            Column(figures.estimate.environment, Kind.RATE),
            Column("Together", Kind.RATE),
            Column("Quantity", Kind.COUNT, 20),
        ),
        tuple((each.name, each.asked, each.together, each.quantity) for each in figures.unit_costs),
    )


def list_confidence(figures: Figures) -> Table:
    """How well the prices are sourced, in dollars."""
    return Table(
        "Where the prices come from",
        (Column("Source", width=34), LIST, SHARE),
        tuple(
            (label, figures.by_confidence[confidence], figures.confidence_shares[confidence])
            for confidence, label in CONFIDENCE_NAMES.items()
        ),
        ("Total", figures.together.list_cost, Decimal(1) if figures.together.list_cost else None),
    )


def list_lines(figures: Figures) -> Table:
    """Every line with all that is known of it."""
    together = figures.together
    return Table(
        "Every line, USD a month",
        (
            Column("Line", width=44),
            *(Column(title_of(name), width=30 if name == "service" else 16) for name in PROPERTIES),
            Column("Quantity", Kind.COUNT),
            Column("Unit"),
            Column("Unit price", Kind.PRICE),
            Column("Factor", Kind.COUNT, 9),
            *_COSTS,
            SHARE,
            *(Column(f"List, {confidence}", Kind.MONEY) for confidence in Confidence),
            Column("Follows", width=34),
            Column("Price key", width=30),
            Column("Price region"),
            Column("Tags", width=40),
            Column("URN", width=60),
        ),
        tuple(_line(line, together) for line in figures.lines),
        (
            *("Total", *([None] * (len(PROPERTIES) + 4)), *_cells(together)),
            Decimal(1) if together.effective_cost else None,
            *(figures.by_confidence[confidence] for confidence in Confidence),
            *([None] * 5),
        ),
    )


def _line(line: Line, total: Costs) -> tuple[Cell, ...]:
    charge, band = line.charge, find_band(line)
    return (
        charge.name,
        *(find(line) for find in PROPERTIES.values()),
        to_decimal(charge.quantity),
        line.rate.unit,
        band.price if band else None,
        charge.factor,
        *(line.list_cost, line.contracted_cost, line.effective_cost),
        line.effective_cost / total.effective_cost if total.effective_cost else None,
        *(line.by_confidence.get(confidence, Decimal(0)) for confidence in Confidence),
        charge.driver,
        line.rate.key,
        line.rate.region,
        "; ".join(f"{key}={value}" for key, value in sorted(charge.tags.items())),
        charge.urn,
    )


def list_prices(figures: Figures) -> Table:
    """Every band of every price used."""
    return Table(
        "Prices used, every band of each",
        (
            Column("Price key", width=30),
            Column("Region"),
            Column("Unit"),
            Column("From", Kind.COUNT),
            Column("Below", Kind.COUNT),
            Column("Price", Kind.PRICE),
            Column("Confidence", width=12),
            Column("Read on", Kind.DATE, 12),
            Column("Over a year old", width=14),
            Column("AWS SKU", width=20),
            Column("Service", width=30),
            Column("Description", width=44),
            Column("Source", width=80),
        ),
        tuple(
            (
                *(rate.key, rate.region, rate.unit, band.start, None if band.end == INFINITE else band.end, band.price),
                *(str(band.confidence), band.snapshot, "yes" if price.old else ""),
                *(band.sku, rate.service, rate.description, band.source),
            )
            for price in figures.prices
            for rate in (price.rate,)
            for band in rate.bands
        ),
    )


def list_main_quantities(figures: Figures) -> Table:
    """What the workload is told by, short and exact."""
    return Table(
        "Quantities, a month where nothing else is said",
        (
            Column("Quantity", width=34),
            Column("In short", Kind.WORDS, 24),
            Column("Exactly", Kind.COUNT, 22),
            Column("Unit", width=20),
            Column("Place"),
        ),
        tuple((each.title, each.short, each.value, each.unit, each.place) for each in find_main(figures.estimate)),
    )


def list_quantities(figures: Figures) -> Table:
    """The workload in units, before any price; without what `list_hours` and `list_storage` have."""
    return Table(
        "Quantities of the workload",
        (
            Column("Quantity", width=34),
            Column("Place"),
            Column("Value", Kind.COUNT, 22),
            Column("Unit", width=22),
            Column("In short", Kind.WORDS, 24),
            Column("Formula", width=90),
        ),
        tuple(
            (each.name, each.place or "all", value, each.unit, show_quantity(value, each.unit), each.formula)
            for each in find_single(figures.estimate)
            for value in (to_decimal(each.value),)
        ),
    )


def list_hours(figures: Figures) -> Table:
    """Open connections by hour of the day; empty when the workload has no such quantities."""
    regions = find_hours(figures.estimate)
    return Table(
        "Open connections by hour of the day (UTC)",
        (Column(HOUR, width=12), *(Column(region, Kind.COUNT) for region in regions)),
        tuple(
            (f"{hour:02}:00", *(each[hour].to_integral_value() for each in regions.values()))
            for hour in range(HOURS_PER_DAY if regions else 0)
        ),
    )


def list_storage(figures: Figures) -> Table:
    """What is stored by month since launch; empty when the workload has no such quantities."""
    return Table(
        "Messages and files stored, by month since launch",
        (
            Column(MONTH, Kind.COUNT, 12),
            Column("GB", Kind.COUNT),
            Column("In short", Kind.WORDS),
            Column("Estimated", width=18),
        ),
        tuple(
            (month, gb, show_quantity(gb, "GB"), "in this estimate" if month == figures.estimate.month else "")
            for month, gb in find_storage(figures.estimate).items()
        ),
    )


def list_inputs(figures: Figures) -> Table:
    """What the estimate assumes, with ranges and sources."""
    return Table(
        "Assumptions: every input",
        (
            Column("Input", width=38),
            Column("Low", Kind.COUNT),
            Column("Base", Kind.COUNT),
            Column("High", Kind.COUNT),
            Column("Unit", width=20),
            Column("Kind", width=12),
            Column("Source", width=90),
        ),
        tuple(
            (each.name, each.low, each.value, each.high, each.unit, str(each.kind), each.source)
            for each in figures.estimate.inputs
        ),
    )


def list_findings(figures: Figures) -> Table:
    """Where the declared sizes do not fit the load."""
    return Table(
        "Sizes against the load",
        (
            Column("Fit", width=12),
            Column("What", width=36),
            Column("Environment", width=12),
            Column("Region"),
            Column("Needed", Kind.COUNT),
            Column("Declared", Kind.COUNT),
            Column("Unit"),
            Column("Missing, a month", Kind.WHOLE, 18),
            REASON,
        ),
        tuple(
            (
                *(str(each.fit), each.what, each.environment, each.region),
                *(each.needed, each.declared, each.unit, each.cost or None, each.reason),
            )
            for each in figures.findings
        ),
    )


def list_misfits(figures: Figures) -> Table:
    """Those of them that are too small or too large."""
    count = sum(each.fit is not Fit.FITS for each in figures.findings)
    found = list_findings(figures).pick(
        "What", "Fit", "Needed", "Declared", "Unit", "Missing, a month", "Region", "Reason"
    )
    return found.head(count, f"Sizes that do not fit the load: {count} of {len(figures.findings)}")


def list_types_without_lines(figures: Figures) -> Table:
    """Resource types that have no line of their own, what has no price first."""
    order = list(reversed(Treatment))
    return Table(
        "Resource types without a line of their own",
        (Column("Resource type", width=50), Column("Count", Kind.COUNT, 10), Column("Treatment", width=12), REASON),
        tuple(
            (each.type, each.count, str(each.treatment), each.reason)
            for each in sorted(
                figures.estimate.types, key=lambda each: (order.index(each.treatment), -each.count, each.type)
            )
            if each.treatment is not Treatment.PRICED
        ),
    )


def list_not_priced(figures: Figures) -> Table:
    """What costs something and is not in the totals."""
    return Table(
        "Not priced, and so not in any total",
        (Column("Resource type", width=50), Column("Count", Kind.COUNT, 10), REASON),
        tuple((each.type, each.count, each.reason) for each in figures.not_priced),
    )


def list_commitments(figures: Figures) -> Table:
    """What is bought in advance; an upfront payment is spread over its term."""
    commitments = figures.estimate.commitments
    amounts = [(each.covered, each.upfront, each.recurring, each.amortised, each.unused) for each in commitments]
    return Table(
        "Commitments",
        (
            Column("Commitment", width=40),
            Column("Covers, a month", Kind.MONEY, 18),
            Column("Upfront, once", Kind.MONEY),
            Column("Recurring", Kind.MONEY),
            Column("Amortised", Kind.MONEY),
            Column("Of it unused", Kind.MONEY),
            REASON,
        ),
        tuple((each.name, *row, each.reason) for each, row in zip(commitments, amounts, strict=True)),
        ("Total", *(sum(column, Decimal(0)) for column in zip(*amounts, strict=True)), None) if amounts else None,
    )


def list_range(figures: Figures) -> Table:
    """Low, base and high of the total, the least first; empty without sensitivities."""
    cases: list[tuple[str, Decimal]] = []
    if found := figures.sensitivity:
        low, half, high = (found.percentiles[each] for each in (5, 50, 95))
        below = f"of {found.samples:,} sampled scenarios cost less"
        cases = [
            ("every input at its cheapest end", found.cheapest),
            (f"low: 5% {below}", low),
            ("base: every input at its value", found.base),
            (f"half {below}", half),
            (f"high: 95% {below}", high),
            ("every input at its dearest end", found.dearest),
        ]
        cases.sort(key=lambda case: case[1])
    return Table(
        "Range of the effective total, a month",
        (Column("Case", width=50), Column("Effective", Kind.WHOLE)),
        tuple(cases),
    )


def list_bars(figures: Figures) -> Table:
    """What moves the total: one input at a time from its low to its high end; empty without sensitivities."""
    return Table(
        "What moves the total: one input alone",
        (
            Column("Input", width=38),
            Column("Low", Kind.COUNT),
            Column("Base", Kind.COUNT),
            Column("High", Kind.COUNT),
            Column("Unit", width=20),
            Column("Cost at low", Kind.WHOLE),
            Column("Cost at high", Kind.WHOLE),
            Column("Swing", Kind.WHOLE),
            Column("Kind", width=12),
            Column("Source", width=90),
        ),
        tuple(
            (
                *(each.input.name, each.input.low, each.input.value, each.input.high, each.input.unit),
                *(each.low, each.high, abs(each.high - each.low), str(each.input.kind), each.input.source),
            )
            for each in (figures.sensitivity.bars if figures.sensitivity else ())
        ),
    )


def _cells(costs: Costs) -> tuple[Decimal, Decimal, Decimal]:
    return costs.list_cost, costs.contracted_cost, costs.effective_cost
