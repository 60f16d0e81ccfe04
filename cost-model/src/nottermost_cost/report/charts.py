"""The charts of the page: what is drawn where, in percent of the width, so that text never scales with it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from nottermost_cost.numeric import HOURS_PER_DAY
from nottermost_cost.report.cells import Kind, show, show_amount, show_count
from nottermost_cost.report.figures import Figures

BARS_MAX: Final = 12
_LABEL_MAX: Final = 38  # characters that leave room for an amount beside them on a phone
_LONE_LABEL_MAX: Final = 48  # ... that fit there alone


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar; `x` and `width` in percent of the drawing."""

    x: str
    width: str
    style: str
    title: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: its name above the pieces, with its amount beside the name or what its two ends are below them."""

    label: str
    title: str
    pieces: tuple[Piece, ...]
    amount: str = ""
    ends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """Horizontal bars.

    Attributes:
        description: what a reader who does not see it is told.
        legend: style and name.
        marker: where a vertical line stands, in percent; "" for none.
    """

    name: str
    title: str
    description: str
    bars: tuple[Bar, ...]
    legend: tuple[tuple[str, str], ...] = ()
    marker: str = ""

    @property
    def row_height(self) -> int:
        """In pixels, like all that is vertical."""
        return 58 if any(bar.ends for bar in self.bars) else 38


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a series, in percent of the drawing; `label` below it, or ""."""

    x: str
    y: str
    width: str
    height: str
    label: str
    title: str


@dataclass(frozen=True)
class Series:
    """Vertical columns along time."""

    name: str
    title: str
    description: str
    columns: tuple[Column, ...]


def draw_services(figures: Figures) -> Chart:
    """Effective cost by service, the rest as one bar."""
    rows = [(row.label, row.costs.effective_cost) for row in figures.breakdown("service").fold(BARS_MAX).rows]
    return Chart(
        "services",
        "Cost by service",
        _describe("Effective cost a month by service", rows),
        tuple(_stack(label, [("main", label, cost)], _most(cost for _, cost in rows)) for label, cost in rows),
    )


def draw_places(figures: Figures) -> Chart:
    """Effective cost by region, stacked by environment."""
    places = figures.by_place_and_environment
    totals = [(place, sum(found.values(), Decimal(0))) for place, found in places.items()]
    environments = (figures.estimate.environment, *figures.other_environments)
    styles = {name: f"stack{at % 4}" for at, name in enumerate(environments)}
    most = _most(cost for _, cost in totals)
    return Chart(
        "places",
        "Cost by region and environment",
        _describe("Effective cost a month by region", totals),
        tuple(_stack(place, _by_style(places[place], styles), most) for place, _ in totals),
        tuple((style, name) for name, style in styles.items()),
    )


def draw_tornado(figures: Figures) -> Chart | None:
    """The total with one input alone at the ends of its range, the widest first; None without sensitivities."""
    found = figures.sensitivity
    if found is None or not found.bars:
        return None
    bars = found.bars[:BARS_MAX]
    ends = [end for bar in bars for end in (bar.low, bar.high)]
    least, most = min(*ends, found.base), max(*ends, found.base)
    span = most - least or Decimal(1)

    def piece(cost: Decimal, style: str, value: Decimal) -> Piece:
        start, end = sorted((found.base, cost))
        title = f"at {show_count(value)}: {show_amount(cost)} a month"
        return Piece(_percent((start - least) / span), _percent((end - start) / span), style, title)

    return Chart(
        "tornado",
        "What moves the total",
        f"The effective total of {show_amount(found.base)} a month when one input alone goes to the ends of its range: "
        + "; ".join(f"{bar.input.name} {show_amount(bar.low)} to {show_amount(bar.high)}" for bar in bars),
        tuple(
            Bar(
                _shorten(bar.input.name, _LONE_LABEL_MAX),
                bar.input.name,
                (piece(bar.low, "low", bar.input.low), piece(bar.high, "high", bar.input.high)),
                ends=tuple(
                    f"{show_amount(cost)} at {show_count(value)}"
                    for cost, value in sorted(((bar.low, bar.input.low), (bar.high, bar.input.high)))
                ),
            )
            for bar in bars
        ),
        (("low", "input at its low end"), ("high", "input at its high end")),
        _percent((found.base - least) / span),
    )


def draw_day(figures: Figures) -> Series | None:
    """How the use spreads over the hours of a local day; None when the scenario has no curve."""
    inputs = {each.name: each.value for each in figures.estimate.inputs}
    hours = [inputs.get(f"curve.hourly.{hour}", Decimal(0)) for hour in range(HOURS_PER_DAY)]
    whole, most = sum(hours, Decimal(0)), max(hours)
    if not whole:
        return None
    return Series(
        "day",
        "How the use spreads over a local day",
        f"From {_share(min(hours), whole)} of the day's use in the quietest hour to {_share(most, whole)} in the "
        "busiest. Autoscaled services are billed along this curve, between their minimum and maximum.",
        tuple(
            Column(
                _percent(Decimal(hour) / HOURS_PER_DAY),
                _percent(1 - weight / most),
                _percent(Decimal("0.8") / HOURS_PER_DAY),
                _percent(weight / most),
                f"{hour}:00" if hour % 6 == 0 else "",
                f"{hour}:00 {_share(weight, whole)} of the day",
            )
            for hour, weight in enumerate(hours)
        ),
    )


def _share(weight: Decimal, whole: Decimal) -> str:
    return show(weight / whole, Kind.SHARE)


def _by_style(costs: Mapping[str, Decimal], styles: Mapping[str, str]) -> list[tuple[str, str, Decimal]]:
    return [(style, name, costs[name]) for name, style in styles.items() if name in costs]


def _stack(label: str, parts: Iterable[tuple[str, str, Decimal]], most: Decimal) -> Bar:
    """Pieces after each other. A negative one, such as a credit, is in the amount and not drawn."""
    at = total = Decimal(0)
    pieces: list[Piece] = []
    for style, name, cost in parts:
        width = max(cost, Decimal(0)) / most
        pieces.append(Piece(_percent(at), _percent(width), style, f"{name}: {show_amount(cost)} a month"))
        at, total = at + width, total + cost
    return Bar(_shorten(label, _LABEL_MAX), label, tuple(pieces), show_amount(total))


def _most(costs: Iterable[Decimal]) -> Decimal:
    return max((cost for cost in costs if cost > 0), default=Decimal(1))


def _describe(what: str, rows: Iterable[tuple[str, Decimal]]) -> str:
    return f"{what}: {'; '.join(f'{label} {show_amount(cost)}' for label, cost in rows)}"


def _shorten(label: str, most: int) -> str:
    return label if len(label) <= most else f"{label[: most - 1].rstrip()}…"


def _percent(share: Decimal) -> str:
    return f"{share * 100:.3f}%"
