"""The workbook as a spreadsheet program reads it: formulas computed again, and the values written with them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest
from openpyxl import load_workbook  # type: ignore[import-untyped]

from nottermost_cost.report import Figures, render_workbook
from nottermost_cost.report.tables import list_lines

SHEETS: Final = [
    "Summary",
    "Totals",
    "Lines",
    "Prices",
    "Quantities",
    "By hour",
    "By month",
    "Assumptions",
    "Sizing",
    "Not priced",
    "Sensitivity",
]
_TOKEN: Final = re.compile(r"(?:(\w+)!)?(\$?[A-Z]+\$?\d+)(?::(\$?[A-Z]+\$?\d+))?|[A-Z]+(?=\()|[\d.]+|[-+*/(),]")


@dataclass
class Book:
    """A workbook with its formulas and with the values written beside them."""

    formulas: Any
    values: Any

    def cells(self) -> Iterator[tuple[str, Any]]:
        """Every formula with its sheet."""
        for sheet in self.formulas:
            for row in sheet.iter_rows():
                yield from ((sheet.title, cell) for cell in row if cell.data_type == "f")

    def value(self, sheet: str, cell: str) -> Any:
        """Of one cell, its formula computed again."""
        found = self.formulas[sheet][cell.replace("$", "")]
        return self.compute(sheet, found.value) if found.data_type == "f" else found.value

    def compute(self, sheet: str, formula: str) -> float:
        """A formula in the forms that the workbook uses."""
        tokens = list(_TOKEN.finditer(formula.removeprefix("=")))
        assert "".join(token[0] for token in tokens) == formula.removeprefix("="), formula
        return float(_Computation(self, sheet, tokens).sum())

    def range(self, sheet: str, first: str, last: str) -> list[Any]:
        """The values of a column's cells."""
        cells = self.formulas[sheet][f"{first}:{last}".replace("$", "")]
        rows = cells if isinstance(cells, tuple) else ((cells,),)
        return [self.value(sheet, cell.coordinate) or 0 for (cell,) in rows]


@dataclass
class _Computation:
    """A reading position in a formula. Columns are lists, everything else one value."""

    book: Book
    sheet: str
    tokens: list[re.Match[str]]

    def take(self) -> re.Match[str]:
        return self.tokens.pop(0)

    def is_next(self, *texts: str) -> bool:
        return bool(self.tokens) and self.tokens[0][0] in texts

    def sum(self) -> Any:
        value = self.product()
        while self.is_next("+", "-"):
            value = value + self.product() if self.take()[0] == "+" else value - self.product()
        return value

    def product(self) -> Any:
        value = self.factor()
        while self.is_next("*", "/"):
            if self.take()[0] == "/":
                value = value / self.factor()
            elif isinstance(value, list):
                value = [one * other for one, other in zip(value, self.factor(), strict=True)]
            else:
                value = value * self.factor()
        return value

    def factor(self) -> Any:
        token = self.take()
        if token[3]:
            return self.book.range(token[1] or self.sheet, token[2], token[3])
        if token[2]:
            return self.book.value(token[1] or self.sheet, token[2])
        if self.is_next("("):
            return self.function(token[0])
        return float(token[0])

    def function(self, name: str) -> Any:
        self.take()
        arguments = [self.sum()]
        while not self.is_next(")"):
            self.take()
            arguments.append(self.sum())
        self.take()
        match name, arguments:
            case ("SUM" | "SUMPRODUCT", [list() as values]) | ("SUBTOTAL", [109.0, list() as values]):
                return sum(values)
            case "EXACT", [list() as values, label]:
                return [value == label for value in values]
            case "ROUND", [value, digits]:
                return round(value, int(digits))
            case "ABS", [value]:
                return abs(value)
        raise AssertionError(f"{name} is not among the workbook's functions")


@pytest.fixture(scope="module")
def book(figures: Figures) -> Book:
    data = render_workbook(figures)
    return Book(load_workbook(BytesIO(data)), load_workbook(BytesIO(data), data_only=True))


def find_row(sheet: Any, label: str) -> list[Any]:
    """The first row whose first cell is the label."""
    return next([cell.value for cell in row] for row in sheet.iter_rows() if row[0].value == label)


def test_every_formula_gives_the_value_written_with_it(book: Book) -> None:
    """A viewer that computes nothing and a program that recalculates show the same amounts."""
    checked = 0
    for sheet, cell in book.cells():
        cached = book.values[sheet][cell.coordinate].value
        assert book.compute(sheet, cell.value) == pytest.approx(cached, rel=1e-12, abs=1e-6), (sheet, cell.coordinate)
        checked += 1
    assert checked > 200


def test_the_sheets_are_those_that_finance_looks_for(book: Book) -> None:
    """Eleven sheets in reading order; the lists among them have a filter and a header that stays."""
    assert book.formulas.sheetnames == SHEETS
    for name in ("Lines", "Prices", "Quantities", "By hour", "By month", "Assumptions", "Sizing", "Not priced"):
        assert book.formulas[name].auto_filter.ref, name
        assert book.formulas[name].freeze_panes, name
    assert all(sheet.page_setup.orientation == "landscape" for sheet in book.formulas)


def test_totals_are_the_estimates(book: Book, figures: Figures) -> None:
    """The recalculated summary holds the totals of the estimate, a month and a year."""
    sheet = book.formulas["Summary"]
    for label, costs in (("prod", figures.asked), ("together", figures.together)):
        row = next(row for row in sheet.iter_rows() if row[0].value == label)
        found = [book.value("Summary", cell.coordinate) for cell in row[1:5]]
        expected = [costs.list_cost, costs.contracted_cost, costs.effective_cost, costs.yearly.effective_cost]
        assert found == pytest.approx([float(each) for each in expected], rel=1e-12)


def test_no_breakdown_differs_from_all_lines(book: Book, figures: Figures) -> None:
    """Under each of the six breakdowns stands what it differs by from the lines: nothing."""
    rows = [row for row in book.formulas["Totals"].iter_rows() if row[0].value == "Difference to all lines"]
    assert len(rows) == len(figures.breakdowns) == 6
    assert {book.value("Totals", cell.coordinate) for row in rows for cell in row[1:4]} == {0}


def test_text_is_never_a_formula(book: Book, figures: Figures) -> None:
    """Tags, names and formulas of quantities that begin with = + - @ stay text, whole."""
    owners = {cell.value for cell in book.formulas["Totals"]["A"] if cell.data_type == "s"}
    assert '=HYPERLINK("x")' in owners
    assert "+reader [bold]of reports[/bold]" in {cell.value for cell in book.formulas["Lines"]["A"]}
    formulas = {cell.value for cell in book.formulas["Quantities"]["F"]}
    assert "=users.dau x messages.per_dau_day" in formulas
    assert all(cell.data_type != "f" for name in ("Quantities", "Assumptions") for cell in book.formulas[name]["F"])


def test_series_have_a_table_and_a_chart(book: Book, figures: Figures) -> None:
    """A row an hour with a column a region, a row a month with the estimate's marked; neither among the quantities."""
    hours, months = (
        [list(row) for row in book.values[name].iter_rows(values_only=True)] for name in ("By hour", "By month")
    )
    assert hours[0] == ["Hour, UTC", "us-east-1", "eu-west-1"]
    assert hours[13] == ["12:00", 20_000, 10_000]
    assert len(hours) == 25
    assert [row[0] for row in months[1:]] == [1, 3, 6, 12, 24, 36, 48, 60]
    assert months[4] == [12, 355020.5, "347 TB", "in this estimate"]
    assert [len(book.formulas[name]._charts) for name in ("By hour", "By month")] == [1, 1]
    assert not [
        cell.value for cell in book.values["Quantities"]["A"] if ".hour." in cell.value or ".month." in cell.value
    ]


def test_a_line_leads_to_its_price(book: Book, figures: Figures) -> None:
    """The list cost of a line is quantity x the cell of its price; where several bands apply it is a value."""
    at = list_lines(figures).index("List")
    by_formula: list[str] = []
    by_value: list[str] = []
    for row in book.formulas["Lines"].iter_rows(min_row=3):
        (by_formula if row[at].data_type == "f" else by_value).append(row[0].value)
    assert "writes of prod in us-east-1" in by_formula
    assert any("S3" in name for name in by_value)
    cell = next(cell for _, cell in book.cells() if cell.value.startswith("=Prices!"))
    assert book.value("Lines", cell.coordinate) == book.values["Lines"][cell.coordinate].value


def test_a_changed_price_moves_the_totals(figures: Figures) -> None:
    """Doubling one price on the Prices sheet adds the cost of its lines to the list total."""
    data = render_workbook(figures)
    book = Book(load_workbook(BytesIO(data)), None)
    prices = book.formulas["Prices"]
    row = next(row for row in prices.iter_rows() if (row[0].value, row[1].value) == ("dynamodb.write", "us-east-1"))
    row[5].value *= 2
    total = next(row[1].coordinate for row in book.formulas["Summary"].iter_rows() if row[0].value == "together")
    added = sum(
        line.list_cost for line in figures.lines if (line.rate.key, line.rate.region) == ("dynamodb.write", "us-east-1")
    )
    assert book.value("Summary", total) == pytest.approx(float(figures.together.list_cost + added), rel=1e-12)


def test_a_zero_quantity_divides_nothing(book: Book) -> None:
    """Without connections there is no cost per connection: a dash, neither zero nor an error."""
    assert find_row(book.values["Summary"], "thousand concurrent connections")[1:4] == ["–", "–", 0]


def test_one_estimate_one_file(figures: Figures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same figures give the same bytes, and nothing is left on the disk."""
    monkeypatch.chdir(tmp_path)
    assert render_workbook(figures) == render_workbook(figures)
    assert not list(tmp_path.iterdir())


def test_an_estimate_without_lines_and_ranges_is_a_workbook_too(figures: Figures) -> None:
    """Nothing to sum and no sensitivities: zeroes and dashes, no formula that fails."""
    nothing = replace(figures.estimate, lines=(), findings=(), commitments=(), types=(), quantities=(), inputs=())
    empty = Figures(replace(nothing, alternatives={}))
    data = render_workbook(empty)
    book = Book(load_workbook(BytesIO(data)), load_workbook(BytesIO(data), data_only=True))
    for sheet, cell in book.cells():
        assert book.compute(sheet, cell.value) == book.values[sheet][cell.coordinate].value == 0
