"""The estimate as an Excel workbook: prices and quantities are cells, lines and totals are formulas.

Formulas are written with their values, so that a viewer that computes nothing shows them too. A line's
unit price refers to the Prices sheet: a price changed there moves the list cost of its lines and every
list total. Contracted and effective costs are values: terms apply to shared totals, not to single lines.
Text is stored as text whatever it starts with.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from io import BytesIO
from typing import Any, Final

from xlsxwriter import Workbook  # type: ignore[import-untyped]
from xlsxwriter.utility import xl_col_to_name  # type: ignore[import-untyped]

from nottermost_cost.pricebook import Rate
from nottermost_cost.report import tables
from nottermost_cost.report.cells import NONE, ROUNDED, Cell, Kind
from nottermost_cost.report.charts import BARS_MAX
from nottermost_cost.report.figures import MONTHS_PER_YEAR, Figures, find_band
from nottermost_cost.report.tables import Table

LINES: Final = "Lines"
PRICES: Final = "Prices"
_MILLION: Final = 1_000_000  # from here on a count is shown without what comes after its point
_HEADER_ROW: Final = 2  # of the Lines sheet, counted from 1: above it stand the totals of what a filter shows
_COSTS: Final = ("List", "Contracted", "Effective")
_FORMATS: Final = {
    Kind.TEXT: "@",
    Kind.MONEY: "$#,##0.00;-$#,##0.00",
    Kind.WHOLE: "$#,##0;-$#,##0",
    Kind.RATE: "$#,##0.00####;-$#,##0.00####",
    Kind.PRICE: "$#,##0.00##########",
    Kind.COUNT: "#,##0",
    Kind.SHARE: "0.0%",
    Kind.DATE: "yyyy-mm-dd",
    Kind.WORDS: "@",
}

FORMULAS: Final = (
    "list costs and all totals follow the Prices sheet and the quantities of the Lines sheet; "
    "where several bands apply, contracted and effective costs, and ranges, are values"
)

Formula = Callable[[int, str], str | None]  # of a row on the sheet (from 1) and a column's title


def _no_formula(_row: int, _title: str) -> None:
    """All cells are values."""


def render_workbook(figures: Figures) -> bytes:
    """The report as an .xlsx file; the same figures give the same bytes."""
    out = BytesIO()
    with Workbook(out, {"in_memory": True}) as book:
        book.set_properties(
            {
                "title": f"Cost of {figures.estimate.environment}, scenario {figures.estimate.scenario}",
                "created": datetime.combine(figures.estimate.day, time(), UTC).replace(tzinfo=None),
            }
        )
        _Book(figures, book).write()
    return out.getvalue()


@dataclass(frozen=True)
class _Block:
    """Where a table was written: rows from 1, both inclusive."""

    table: Table
    first: int
    last: int

    def column(self, title: str) -> str:
        return str(xl_col_to_name(self.table.index(title)))

    def cells(self, title: str) -> str:
        return f"${(name := self.column(title))}${self.first}:${name}${max(self.first, self.last)}"


@dataclass
class _Book:
    """The workbook while it is written."""

    figures: Figures
    book: Any
    formats: dict[tuple[str, bool], Any] = field(default_factory=dict)

    def write(self) -> None:
        summary, totals = self.sheet("Summary", [46, 26, 20, 20, 20]), self.sheet("Totals", [40, 18, 18, 18, 12])
        lines_table = tables.list_lines(self.figures)
        lines = _Block(lines_table, _HEADER_ROW + 1, _HEADER_ROW + len(lines_table.rows))
        lines_sheet = self.sheet(LINES)
        prices = self.list_sheet(PRICES, tables.list_prices(self.figures))
        self.lines(lines_sheet, lines, prices)
        self.totals(totals, lines)
        self.list_sheet("Quantities", tables.list_quantities(self.figures))
        self.series("By hour", tables.list_hours(self.figures), "line")
        self.series("By month", tables.list_storage(self.figures), "scatter")
        self.list_sheet("Assumptions", tables.list_inputs(self.figures))
        self.list_sheet("Sizing", tables.list_findings(self.figures))
        self.list_sheet("Not priced", tables.list_types_without_lines(self.figures))
        self.sensitivity()
        self.summary(summary, lines)

    def sheet(self, name: str, widths: list[int] | None = None) -> Any:
        """A sheet that prints on landscape pages, as wide as one."""
        sheet = self.book.add_worksheet(name)
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.set_footer("&L&F, &A&RPage &P of &N")
        sheet.hide_gridlines(2)
        for at, width in enumerate(widths or ()):
            sheet.set_column(at, at, width)
        return sheet

    def list_sheet(self, name: str, table: Table) -> _Block:
        """One table on a sheet of its own, with a filter."""
        sheet = self.sheet(name, [column.width for column in table.columns])
        sheet.freeze_panes(1, 1)
        sheet.repeat_rows(0)
        if table.rows:
            sheet.autofilter(0, 0, len(table.rows), len(table.columns) - 1)
        return self.table(sheet, 1, table)

    def table(self, sheet: Any, at: int, table: Table, formula: Formula = _no_formula) -> _Block:
        """Header, rows and total from row `at` (from 1) on."""
        for column_at, column in enumerate(table.columns):
            sheet.write_string(at - 1, column_at, column.title, self.format("header", right=column.is_number))
        for offset, row in enumerate(table.rows):
            self.row(sheet, at + 1 + offset, table, row, formula)
        last = at + len(table.rows)
        if table.total:
            sums = {
                column.title: f"=SUM({name}{at + 1}:{name}{last})"
                for name, column in ((xl_col_to_name(each), column) for each, column in enumerate(table.columns))
                if column.kind in (Kind.MONEY, Kind.SHARE) and table.rows
            }
            self.row(sheet, last + 1, table, table.total, lambda _row, title: sums.get(title), bold=True)
        return _Block(table, at + 1, last)

    def row(
        self, sheet: Any, at: int, table: Table, row: tuple[Cell, ...], formula: Formula, bold: bool = False
    ) -> None:
        for column_at, (column, value) in enumerate(zip(table.columns, row, strict=True)):
            self.cell(sheet, (at - 1, column_at), value, column.kind, formula(at, column.title), bold)

    def cell(
        self, sheet: Any, at: tuple[int, int], value: Cell, kind: Kind, formula: str | None = None, bold: bool = False
    ) -> None:
        """One value. A formula without a value stays away: it would divide by zero."""
        if value is None:
            sheet.write_string(*at, "" if kind in (Kind.TEXT, Kind.DATE) else NONE, self.format(kind, bold, right=True))
        elif isinstance(value, str):
            sheet.write_string(*at, value, self.format(kind, bold, right=kind is Kind.WORDS))
        elif not isinstance(value, int | Decimal):
            sheet.write_datetime(*at, datetime.combine(value, time()), self.format(kind, bold))
        elif formula:
            sheet.write_formula(*at, formula, self.format(_shape(kind, value), bold), float(value))
        else:
            sheet.write_number(*at, float(value), self.format(_shape(kind, value), bold))

    def format(self, name: str, bold: bool = False, right: bool = False) -> Any:
        """A format by kind, number format or `header`, made once."""
        key = (f"{name}{right}", bold)
        if key not in self.formats:
            header = {"bold": True, "bottom": 1, "bg_color": "#E4EEFE", "text_wrap": True, "valign": "top"}
            own = header if name == "header" else {"num_format": _FORMATS.get(name, name)}  # type: ignore[call-overload]
            more = {"align": "right"} if right else {}
            total = {"bold": True, "top": 1} if bold else {}
            self.formats[key] = self.book.add_format(own | more | total)
        return self.formats[key]

    def lines(self, sheet: Any, block: _Block, prices: _Block) -> None:
        """Every line; its list cost is quantity x unit price x factor where one band explains it."""
        table = block.table
        found = _find_price_cells(self.figures, prices)
        quantity, price, factor, listed = map(block.column, ("Quantity", "Unit price", "Factor", "List"))

        def formula(row: int, title: str) -> str | None:
            cell = found.get(row - block.first)
            if cell is None:
                return None
            sources = self.figures.lines[row - block.first].by_confidence
            return {
                "Unit price": f"={PRICES}!{cell}",
                "List": f"={quantity}{row}*{price}{row}*{factor}{row}",
                **{f"List, {confidence}": f"={listed}{row}" for confidence in sources if len(sources) == 1},
            }.get(title)

        for at, column in enumerate(table.columns):
            sheet.set_column(at, at, column.width)
        sheet.freeze_panes(_HEADER_ROW, 1)
        sheet.repeat_rows(_HEADER_ROW - 1)
        self.table(sheet, _HEADER_ROW, replace(table, total=None), formula)
        sheet.write_string(0, 0, "Total of the rows shown", self.format(Kind.TEXT, bold=True))
        if table.rows:
            sheet.autofilter(_HEADER_ROW - 1, 0, block.last - 1, len(table.columns) - 1)
        for at, (column, value) in enumerate(zip(table.columns, table.total or (), strict=True)):
            if column.kind is Kind.MONEY and table.rows:
                total = f"=SUBTOTAL(109,{block.cells(column.title)})"
                self.cell(sheet, (0, at), value, column.kind, total, bold=True)

    def totals(self, sheet: Any, lines: _Block) -> None:
        """The breakdowns below each other, each with its total and what that differs from all lines by."""
        at = 1
        for breakdown in self.figures.breakdowns:
            table = tables.list_breakdown(self.figures, breakdown)
            block = self.table(sheet, at, table, _sum_shares(lines, breakdown.name, at + len(table.rows) + 1))
            difference = Table("", table.columns[:4], ())
            nothing = Decimal(0)
            row = ("Difference to all lines", nothing, nothing, nothing)
            self.row(sheet, block.last + 2, difference, row, lambda row, column: _minus_all(lines, row, column))
            if at == 1:
                self.chart(sheet, "Effective cost a month by service", ("Totals", at, block.last - 1, 0, 3), "G1")
            at = block.last + 4

    def summary(self, sheet: Any, lines: _Block) -> None:
        """What is asked first, on one page."""
        at = self.context(sheet)
        asked = at + 2
        at = self.cost_totals(sheet, asked, lines)
        if (quantities := tables.list_main_quantities(self.figures)).rows:
            at = self.captioned(sheet, at, quantities)
        at = self.captioned(sheet, at, tables.list_sizings(self.figures), _yearly)
        at = self.captioned(sheet, at, tables.list_confidence(self.figures), _sum_sources(lines, at + 2))
        at = self.captioned(sheet, at, tables.list_unit_costs(self.figures), self.unit_cost(at + 2, asked))
        for table in (tables.list_range(self.figures), tables.list_commitments(self.figures)):
            if table.rows:
                at = self.captioned(sheet, at, table)

    def context(self, sheet: Any) -> int:
        """What the estimate is of, in words; returns the next free row, one left empty."""
        estimate = self.figures.estimate
        title = f"What {estimate.environment} costs: scenario {estimate.scenario}"
        sheet.write_string(0, 0, title, self.book.add_format({"bold": True, "font_size": 14}))
        wrapped = self.book.add_format({"text_wrap": True, "valign": "top"})
        rows = (*self.figures.context, ("Rounding", ROUNDED), ("Formulas", FORMULAS))
        for at, (label, value) in enumerate(rows, start=1):
            sheet.write_string(at, 0, label, self.format(Kind.TEXT))
            sheet.merge_range(at, 1, at, 4, "", wrapped)
            sheet.write_string(at, 1, value, wrapped)
            sheet.set_row(at, 15 * (1 + len(value) // 85))  # merged cells do not grow by themselves
        return len(rows) + 3

    def captioned(self, sheet: Any, at: int, table: Table, formula: Formula = _no_formula) -> int:
        """A table under its caption; returns the next free row, one left empty."""
        sheet.write_string(at - 1, 0, table.caption, self.format(Kind.TEXT, bold=True))
        return self.table(sheet, at + 1, table, formula).last + (3 if table.total else 2)

    def cost_totals(self, sheet: Any, asked: int, lines: _Block) -> int:
        """The environment asked for in row `asked`, the others, both; returns the next free row, one left empty."""
        together = asked + 2

        def formula(row: int, column: str) -> str | None:
            if column == "Effective a year":
                return f"=D{row}*{MONTHS_PER_YEAR}"
            if column not in _COSTS:
                return None
            name = "BCD"[_COSTS.index(column)]
            if row == asked:
                return _sum_where(lines, "Environment", f"$A{row}", column)
            return f"={name}{together}-{name}{asked}" if row == asked + 1 else f"=SUM({LINES}!{lines.cells(column)})"

        table = tables.list_totals(self.figures)
        assert table.total is not None
        self.captioned(sheet, asked - 2, replace(table, total=None), formula)
        self.row(sheet, together, table, table.total, formula, bold=True)
        return together + 2

    def unit_cost(self, first: int, asked: int) -> Formula:
        """Effective totals divided by quantities; the first of them stands in row `first`."""
        per = {first + offset: each.per for offset, each in enumerate(self.figures.unit_costs)}
        totals = {self.figures.estimate.environment: f"$D${asked}", "Together": f"$D${asked + 2}"}
        return lambda row, column: f"={totals[column]}/D{row}*{per[row]}" if column in totals else None

    def sensitivity(self) -> None:
        """Low, base and high, then what moves the total, with a chart."""
        table = tables.list_bars(self.figures)
        sheet = self.sheet("Sensitivity", [column.width for column in table.columns])
        ranges = tables.list_range(self.figures)
        if not ranges.rows:
            sheet.write_string(0, 0, "No sensitivities were computed for this report.")
            return
        at = self.table(sheet, 1, ranges).last + 2
        block = self.table(sheet, at, table, lambda row, column: f"=ABS(G{row}-F{row})" if column == "Swing" else None)
        last = min(block.last, block.first + BARS_MAX - 1)
        self.chart(
            sheet,
            "What one input alone moves",
            ("Sensitivity", at, last - 1, 0, table.index("Swing")),
            f"A{block.last + 3}",
        )

    def series(self, name: str, table: Table, kind: str) -> None:
        """A table along time on a sheet of its own, with a curve for each column of counts after the first."""
        if not table.rows:
            return
        block = self.list_sheet(name, table)
        chart = self.book.add_chart(
            {"type": kind, **({"subtype": "straight_with_markers"} if kind == "scatter" else {})}
        )
        for at, column in enumerate(table.columns):
            if at and column.kind is Kind.COUNT:
                rows = (block.first - 1, block.last - 1)
                chart.add_series(
                    {
                        "name": [name, rows[0] - 1, at],
                        "categories": [name, rows[0], 0, rows[1], 0],
                        "values": [name, rows[0], at, rows[1], at],
                    }
                )
        chart.set_title({"name": table.caption, "name_font": {"size": 12}, "overlay": False})
        chart.set_x_axis({"name": table.columns[0].title})
        chart.set_y_axis({"num_format": "#,##0", "min": 0})
        chart.set_legend({"position": "bottom"})
        chart.set_size({"width": 720, "height": 360})
        self.book.get_worksheet_by_name(name).insert_chart(1, len(table.columns) + 1, chart)

    def chart(self, sheet: Any, title: str, source: tuple[str, int, int, int, int], at: str) -> None:
        """Horizontal bars, the first row on top; `source` is a sheet, two rows and two columns, all from 0."""
        name, first, last, labels, values = source
        chart = self.book.add_chart({"type": "bar"})
        chart.add_series(
            {
                "categories": [name, first, labels, last, labels],
                "values": [name, first, values, last, values],
                "fill": {"color": "#1A5FD0"},
                "gap": 40,
            }
        )
        chart.set_title({"name": title, "name_font": {"size": 12}, "overlay": False})
        chart.set_legend({"none": True})
        chart.set_y_axis({"reverse": True})
        chart.set_x_axis({"num_format": "$#,##0", "label_position": "low", "major_gridlines": {"visible": True}})
        chart.set_size({"width": 720, "height": 120 + 26 * (last - first + 1)})
        sheet.insert_chart(at, chart)


def _sum_shares(lines: _Block, name: str, total_row: int) -> Formula:
    """The rows of a breakdown: costs of the lines with that label, and their share of the total."""

    def formula(row: int, column: str) -> str | None:
        if column in _COSTS:
            return _sum_where(lines, tables.title_of(name), f"$A{row}", column)
        return f"=D{row}/D${total_row}" if column == "Share" else None

    return formula


def _sum_sources(lines: _Block, first: int) -> Formula:
    """List dollars by where their prices come from, the best sourced in row `first`, and their shares."""
    titles = [column.title for column in lines.table.columns if column.title.startswith("List, ")]

    def formula(row: int, column: str) -> str | None:
        if column == "List":
            return f"=SUM({LINES}!{lines.cells(titles[row - first])})"
        return f"=B{row}/B${first + len(titles)}" if column == "Share" else None

    return formula


def _yearly(row: int, column: str) -> str | None:
    return f"=B{row}*{MONTHS_PER_YEAR}" if column == "List a year" else None


def _sum_where(lines: _Block, title: str, label: str, column: str) -> str:
    """The cost of the lines whose property is exactly the label.

    SUMIFS would read a label as a condition: a cost center 0410 would also match 410, and one that starts
    with = or > would match something else.
    """
    return f"=SUMPRODUCT(EXACT({LINES}!{lines.cells(title)},{label})*{LINES}!{lines.cells(column)})"


def _minus_all(lines: _Block, row: int, column: str) -> str | None:
    """What the total above differs from the sum of the lines by: 0, to the cent."""
    if column not in _COSTS:
        return None
    return f"=ROUND({'BCD'[_COSTS.index(column)]}{row - 1}-SUM({LINES}!{lines.cells(column)}),2)"


def _find_price_cells(figures: Figures, prices: _Block) -> Mapping[int, str]:
    """The cell with the unit price by a line's position; absent where several bands apply."""
    first: dict[tuple[str, str, date | None], int] = {}
    at = prices.first
    for price in figures.prices:
        first[_identify(price.rate)] = at
        at += len(price.rate.bands)
    name = prices.column("Price")
    return {
        position: f"${name}${first[_identify(line.rate)] + line.rate.bands.index(band)}"
        for position, line in enumerate(figures.lines)
        if (band := find_band(line)) is not None
    }


def _identify(rate: Rate) -> tuple[str, str, date | None]:
    return rate.key, rate.region, rate.valid_from


def _shape(kind: Kind, value: Decimal | int) -> str:
    """The number format of a count: whole numbers without a point, small ones with the digits they need."""
    if kind is not Kind.COUNT or value == math.trunc(value) or not -_MILLION < value < _MILLION:
        return kind
    return "0.000000" if -1 < value < 1 else "#,##0.00"
