"""The tables of a reproduction, as text cells: the same for the terminal and the document."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from nottermost_cost.report.cells import NONE, show_amount, show_count
from nottermost_cost.reproduce.findings import Finding, Ours, Reproduction, show_figure, show_span
from nottermost_cost.reproduce.verdicts import Span

USD: Final = "USD"


@dataclass(frozen=True, slots=True)
class Grid:
    """Text in columns; `numbers` are the columns that are aligned to the right."""

    title: str
    columns: tuple[str, ...]
    numbers: frozenset[int]
    rows: tuple[tuple[str, ...], ...]


def list_table(found: Reproduction) -> Grid:
    """The monthly table, its total last."""
    total = found.totals
    rows = [
        (
            each.title,
            each.written,
            _span(each.claimed),
            _span(each.found),
            _ratio(each.ratio),
            each.verdict.value,
            each.because,
        )
        for each in found.table
    ]
    last = (
        *("Total", "the lines add up", show_amount(total.claimed), _span(total.literal), _ratio(total.ratio)),
        *(total.verdict.value, "At list price, with the claimed figure where a line has no quantity."),
    )
    columns = ("Line", "What is written", "Claimed", "At list price", "Claimed / list", "Verdict", "Why")
    return _grid("The monthly table", columns, [*rows, last], 2, 3, 4)


def list_needs(found: Reproduction) -> Grid:
    """What would make each line right, and its other readings."""
    rows = []
    for each in found.table:
        if each.needs:
            rows.append((each.title, f"to be {_span(each.claimed)}", each.needs.text))
        rows += [(each.title, other.name, other.text) for other in each.others.values()]
    return _grid("Other readings of the lines, USD a month", ("Line", "Reading", "Figure"), rows, 2)


def list_omitted(found: Reproduction) -> Grid:
    """What the table has no line for."""
    rows = [(each.title, _span(each.found), _one(each.ours), _two(each.ours), each.because) for each in found.omitted]
    rest = ("Everything else", NONE, _one(found.design.rest), _two(found.design.rest), "Of our estimate.")
    others = show_amount(found.design.others)
    beside = ("Non-production environments", NONE, others, others, "As our terms name them; not in our totals below.")
    columns = ("Left out", "List price for the document's figures", "Ours, one region", "Ours, two", "Why")
    return _grid("What the table leaves out, USD a month", columns, [*rows, rest, beside], 1, 2, 3)


def list_ours(found: Reproduction) -> Grid:
    """The table's lines in our estimate, what it leaves out, and the totals."""
    table = [each.ours or Ours(Decimal(0), Decimal(0)) for each in found.table]
    same = Ours(sum((each.one for each in table), Decimal(0)), sum((each.two for each in table), Decimal(0)))
    design = found.design.production
    left_out = Ours(design.one - same.one, design.two - same.two)
    rows: list[tuple[str, ...]] = [
        (each.title, _span(each.claimed), _one(ours), _two(ours)) for each, ours in zip(found.table, table, strict=True)
    ]
    rows += [
        ("The same lines", show_amount(found.totals.claimed), _one(same), _two(same)),
        ("What the table leaves out", NONE, _one(left_out), _two(left_out)),
        ("Production", show_amount(found.totals.claimed), _one(design), _two(design)),
        (
            "A daily user",
            *(
                show_figure(each / found.users, "USD ").strip()
                for each in (found.totals.claimed, design.one, design.two)
            ),
        ),
    ]
    return _grid("Our estimate, USD a month", ("Line", "Claimed", "Ours, one region", "Ours, two"), rows, 1, 2, 3)


def list_months(found: Reproduction) -> Grid:
    """Our total as storage grows."""
    rows = [(f"month {month}", _one(each), _two(each)) for month, each in found.design.months.items()]
    return _grid("As what is kept grows, USD a month", ("Since launch", "One region", "Two"), rows, 1, 2)


def list_levers(found: Reproduction) -> Grid:
    """Decisions, the largest saving first."""
    rows = [(each.title, show_amount(each.saves), each.gives_up) for each in found.design.levers]
    columns = ("Decision", "Saves a month", "Gives up")
    return _grid("What we could decide (two regions)", columns, rows, 1)


def list_swings(found: Reproduction) -> Grid:
    """Inputs, the widest first."""
    rows = [
        (
            each.input,
            f"{show_count(each.low)} to {show_count(each.high)}",
            show_amount(each.cost_at_low),
            show_amount(each.cost_at_high),
            each.source,
        )
        for each in found.design.swings
    ]
    columns = ("Input", "Range", "Cost at low", "Cost at high", "Source")
    return _grid("What nobody decides (two regions, with non-production)", columns, rows, 2, 3)


def list_findings(title: str, findings: Iterable[Finding]) -> Grid:
    """Claims with any unit."""
    rows = [
        (
            each.place,
            each.written,
            show_span(each.claimed, each.unit) or NONE,
            show_span(each.found, each.unit) or NONE,
            each.verdict.value,
            each.because,
        )
        for each in findings
    ]
    return _grid(title, ("Where", "What is written", "Claimed", "Found", "Verdict", "Why"), rows, 2, 3)


def list_contradictions(found: Reproduction) -> Grid:
    """Both places, and what lies between them in dollars."""
    rows = [
        (
            each.about,
            f"{each.first.says} ({each.first.place})",
            f"{each.second.says} ({each.second.place})",
            _usd(each.first.cost),
            _usd(each.second.cost),
            _usd(each.difference),
            each.follows,
        )
        for each in found.contradictions
    ]
    columns = ("About", "Here", "There", "Here costs", "There costs", "Difference", "What follows")
    return _grid("Where the documents contradict themselves, USD a month at list price", columns, rows, 3, 4, 5)


def list_phases(found: Reproduction) -> Grid:
    """Three phases of growth."""
    rows = [
        (
            each.title,
            each.written,
            show_amount(each.kit),
            each.scenario,
            _one(each.ours),
            _two(each.ours),
            each.because,
        )
        for each in found.phases
    ]
    columns = ("Phase", "What is written", "At list price", "Our scenario", "Ours, one region", "Ours, two", "Note")
    return _grid("Phases of growth, USD a month", columns, rows, 2, 4, 5)


def list_sizes(found: Reproduction) -> Grid:
    """What our model needs in each phase."""
    phases = [each.sizes for each in found.phases]
    names = sorted({name for sizes in phases for name in sizes})
    rows = [
        (
            name,
            *(show_count(sizes[name].needed) if name in sizes else NONE for sizes in phases),
            show_count(next(sizes[name].declared for sizes in phases if name in sizes)),
        )
        for name in names
    ]
    columns = ("What the load needs at its peak", *(each.scenario for each in found.phases), "Declared today")
    return _grid("Sizes in each phase", columns, rows, *range(1, len(columns)))


def list_grids(found: Reproduction) -> tuple[Grid, ...]:
    """All of them, in the order of the document."""
    return (
        list_table(found),
        list_needs(found),
        list_omitted(found),
        list_ours(found),
        list_months(found),
        list_levers(found),
        list_swings(found),
        list_findings("Capacity", found.capacity),
        list_contradictions(found),
        list_findings("Other claims about money", found.money),
        list_findings("Performance", found.performance),
        list_phases(found),
        list_sizes(found),
    )


def _grid(title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]], *numbers: int) -> Grid:
    return Grid(title, columns, frozenset(numbers), tuple(rows))


def _span(span: Span | None) -> str:
    return show_span(span, USD) or NONE


def _ratio(ratio: Decimal | None) -> str:
    return NONE if ratio is None else f"{ratio:,.2f}"


def _usd(value: Decimal | None) -> str:
    return NONE if value is None else show_amount(value)


def _one(ours: Ours | None) -> str:
    return NONE if ours is None else show_amount(ours.one)


def _two(ours: Ours | None) -> str:
    return NONE if ours is None else show_amount(ours.two)
