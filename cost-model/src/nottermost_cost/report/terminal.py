"""The estimate on a terminal: how much is used, what it costs, why, what does not fit, what is missing."""

from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from nottermost_cost.report import tables
from nottermost_cost.report.cells import ROUNDED, SIZES, Kind, printable, show_amount
from nottermost_cost.report.figures import Figures
from nottermost_cost.report.tables import Table

LARGEST: Final = 15
ROWS: Final = 12  # of a breakdown; the rest is one row
BARS: Final = 5
WIDE: Final = 120  # from here on two tables stand beside each other


def render_terminal(figures: Figures, *, width: int, colour: bool, every_line: bool = False) -> str:
    """One screen of the estimate.

    Args:
        width: in characters.
        colour: whether it goes to a terminal; without it there are no escape sequences.
        every_line: print all lines instead of the largest.
    """
    out = StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        markup=False,  # names and tags may hold brackets
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
    for part in _parts(figures, width >= WIDE, every_line):
        console.print(part)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _parts(figures: Figures, wide: bool, every_line: bool) -> Iterator[RenderableType]:
    yield _headline(figures)
    yield from _quantities(figures)
    yield _grid(tables.list_totals(figures))
    by_service, *others = (_slim(tables.list_breakdown(figures, each.fold(ROWS))) for each in figures.breakdowns)
    rest = [_grid(replace(each, total=None)) for each in others]
    unit_costs, ranges = _grid(tables.list_unit_costs(figures)), list(_ranges(figures))
    if wide:
        yield _beside([_grid(by_service), unit_costs], rest)
        yield _beside(ranges[:1], ranges[1:])
    else:
        yield from (_grid(by_service), *rest, unit_costs, *ranges)
    if every_line:
        yield from _every_quantity(figures, wide)
    yield _grid(_largest(figures, every_line, wide))
    if every_line:
        yield _grid(tables.list_prices(figures))
    for table in (tables.list_misfits(figures), tables.list_not_priced(figures), tables.list_commitments(figures)):
        if table.rows:
            yield _grid(table)
    yield Text(f"\n{ROUNDED}", style="dim")


def _headline(figures: Figures) -> Text:
    estimate, together = figures.estimate, figures.together
    text = Text()
    text.append(
        f"{estimate.environment} costs {show_amount(figures.asked.effective_cost)} a month; together with other environments "
        f"{show_amount(together.effective_cost)} a month, {show_amount(together.yearly.effective_cost)} a year\n",
        style="bold",
    )
    text.append("\n".join(printable(f"{label}: {value}") for label, value in figures.context))
    return text


def _quantities(figures: Figures) -> Iterator[RenderableType]:
    table = tables.list_main_quantities(figures)
    if table.rows:
        yield _grid(table)
        yield Text(SIZES, style="dim")


def _every_quantity(figures: Figures, wide: bool) -> Iterator[RenderableType]:
    """All quantities with their formulas; what goes by hour and by month in tables of its own."""
    yield _grid(tables.list_quantities(figures).pick("Quantity", "Place", "Value", "Unit", "Formula"))
    series = [_grid(each) for each in (tables.list_hours(figures), tables.list_storage(figures)) if each.rows]
    if wide and series:
        yield _beside(series[:1], series[1:])
    else:
        yield from series


def _ranges(figures: Figures) -> Iterator[Padding]:
    if figures.sensitivity:
        yield _grid(tables.list_range(figures))
        bars = tables.list_bars(figures).pick("Input", "Cost at low", "Cost at high", "Swing").say()
        yield _grid(bars.head(BARS, bars.caption))


def _largest(figures: Figures, every_line: bool, wide: bool) -> Table:
    found = tables.list_lines(figures).say()
    costs = ("Effective", "List") if figures.has_terms else ("Effective",)
    if every_line:
        found = found.pick("Line", "Region", "Quantity", "Unit", "Unit price", *costs, "Price key")
    elif wide:
        found = found.pick("Line", "Region", "Quantity", "Unit", "Unit price", *costs, "Share", "Follows")
    else:
        found = found.pick("Line", "Region", *costs, "Share", "Follows")
    count = len(found.rows)
    return (
        found if every_line else found.head(LARGEST, f"The {min(LARGEST, count)} largest of {count:,} lines, a month")
    )


def _slim(table: Table) -> Table:
    return table.pick(table.columns[0].title, "Effective", "Share")


def _beside(left: list[Padding], right: list[Padding]) -> Grid:
    grid = Grid.grid(padding=(0, 4))
    grid.add_row(Group(*left), Group(*right))
    return grid


def _grid(table: Table) -> Padding:
    grid = Grid(
        title=table.caption, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False, show_edge=False
    )
    total = table.total_texts()
    for at, column in enumerate(table.columns):
        grid.add_column(
            column.title,
            footer=total[at] if total else "",
            justify="right" if column.is_number else "left",
            no_wrap=column.kind is not Kind.TEXT,
            overflow="fold",
        )
    grid.show_footer = bool(total)
    for row in table.texts():
        grid.add_row(*map(printable, row))
    return Padding(grid, (1, 0, 0, 0))
