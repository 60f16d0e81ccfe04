"""The charts of the page: what is drawn where, in percent of the width, so that text never scales with it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from nottermost_cost.numeric import HOURS_PER_DAY
from nottermost_cost.report.cells import SIZES, show_brief, show_count, show_quantity, show_whole
from nottermost_cost.report.figures import Figures
from nottermost_cost.report.plots import Axis, Plot, draw_plot
from nottermost_cost.report.quantities import find_hours, find_storage, say_name

BARS_MAX: Final = 12
GB_PER_TB: Final = 1024
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
        title = f"at {show_count(value)}: {show_whole(cost)} a month"
        return Piece(_percent((start - least) / span), _percent((end - start) / span), style, title)

    return Chart(
        "tornado",
        "What moves the total",
        f"The effective total of {show_whole(found.base)} a month when one input alone goes to the ends of its range: "
        + "; ".join(f"{say_name(bar.input.name)} {show_whole(bar.low)} to {show_whole(bar.high)}" for bar in bars),
        tuple(
            Bar(
                _shorten(say_name(bar.input.name), _LONE_LABEL_MAX),
                bar.input.name,
                (piece(bar.low, "low", bar.input.low), piece(bar.high, "high", bar.input.high)),
                ends=tuple(
                    f"{show_whole(cost)} at {show_count(value)}"
                    for cost, value in sorted(((bar.low, bar.input.low), (bar.high, bar.input.high)))
                ),
            )
            for bar in bars
        ),
        (("low", "input at its low end"), ("high", "input at its high end")),
        _percent((found.base - least) / span),
    )


def draw_hours(figures: Figures) -> Plot | None:
    """Open connections along a day in UTC, one curve a region; None when the workload has none by hour."""
    regions = find_hours(figures.estimate)
    if not regions:
        return None
    busiest, quietest = ([find(hours) for hours in regions.values()] for find in (max, min))
    return draw_plot(
        "hours",
        "Open connections by hour of the day (UTC)",
        "; ".join(
            f"{region}: from {low:,.0f} in the quietest hour to {high:,.0f} in the busiest"
            for region, low, high in zip(regions, quietest, busiest, strict=True)
        )
        + ". Services that scale are billed along such a day, between their minimum and maximum.",
        {
            region: [(Decimal(hour), value) for hour, value in enumerate((*hours, hours[0]))]
            for region, hours in regions.items()
        },
        x=Axis(Decimal(0), Decimal(HOURS_PER_DAY), lambda hour: f"{hour}:00", step=Decimal(6)),
        y=Axis(Decimal(0), _most(busiest), show_brief),
    )


def draw_storage(figures: Figures) -> Plot | None:
    """What is stored along the months since launch; None when the workload has none by month."""
    stored = find_storage(figures.estimate)
    if len(stored) <= 1:
        return None
    month, (first, *_, last) = figures.estimate.month, stored
    return draw_plot(
        "storage",
        "Messages and files stored, by month since launch",
        f"From {show_quantity(stored[first], 'GB')} in month {first} to {show_quantity(stored[last], 'GB')} in month {last}; "
        f"{show_quantity(stored[month], 'GB')} in month {month}, which this estimate is of. {SIZES}",
        {"stored in the home region": [(Decimal(each), gb / GB_PER_TB) for each, gb in stored.items()]},
        x=Axis(Decimal(0), Decimal(last), lambda each: f"{each:f}", step=Decimal(12)),
        y=Axis(Decimal(0), _most(stored.values()) / GB_PER_TB, lambda tb: f"{show_brief(tb)} TB"),
        here=(Decimal(month), f"month {month}"),
    )


def _by_style(costs: Mapping[str, Decimal], styles: Mapping[str, str]) -> list[tuple[str, str, Decimal]]:
    return [(style, name, costs[name]) for name, style in styles.items() if name in costs]


def _stack(label: str, parts: Iterable[tuple[str, str, Decimal]], most: Decimal) -> Bar:
    """Pieces after each other. A negative one, such as a credit, is in the amount and not drawn."""
    at = total = Decimal(0)
    pieces: list[Piece] = []
    for style, name, cost in parts:
        width = max(cost, Decimal(0)) / most
        pieces.append(Piece(_percent(at), _percent(width), style, f"{name}: {show_whole(cost)} a month"))
        at, total = at + width, total + cost
    return Bar(_shorten(label, _LABEL_MAX), label, tuple(pieces), show_whole(total))


def _most(costs: Iterable[Decimal]) -> Decimal:
    return max((cost for cost in costs if cost > 0), default=Decimal(1))


def _describe(what: str, rows: Iterable[tuple[str, Decimal]]) -> str:
    return f"{what}: {'; '.join(f'{label} {show_whole(cost)}' for label, cost in rows)}"


def _shorten(label: str, most: int) -> str:
    return label if len(label) <= most else f"{label[: most - 1].rstrip()}…"


def _percent(share: Decimal) -> str:
    return f"{share * 100:.3f}%"
