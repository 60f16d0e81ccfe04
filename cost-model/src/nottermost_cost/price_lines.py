"""Pricing bare lines: a CSV file of keys, regions and quantities, each walked along its bands alone.

Every line is priced or none is: what cannot be priced is listed with its line number, never counted as zero.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

from nottermost_cost.encoding import encode_json
from nottermost_cost.errors import NotStrict, PriceError
from nottermost_cost.plain import lay_out
from nottermost_cost.pricebook import INFINITE, Confidence, PriceBook, Rate, parse_date, weakest
from nottermost_cost.report.cells import Cell, Kind
from nottermost_cost.report.tables import Column, Table
from nottermost_cost.tiers import Step, cost_by_confidence, walk_tiers

REQUIRED_COLUMNS: Final = ("sku_key", "region", "quantity")
OPTIONAL_COLUMNS: Final = ("unit", "effective_on", "label")
QUANTITY_MAX: Final = Decimal(10**18)  # a billion billions: no meter of one account counts that far in a month

_NUMBER: Final = re.compile(r"\+?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_COLUMNS: Final = (
    Column("Line", Kind.COUNT), Column("Price key"), Column("Region"), Column("Quantity", Kind.COUNT), Column("Unit"),
    Column("Price, USD", Kind.PRICE), Column("Cost, USD", Kind.PRICE), Column("Confidence"), Column("Label"),
)  # fmt: skip


class BadLines(PriceError):
    """Lines that cannot be priced."""

    code = "bad_lines"

    def __init__(self, file: str, problems: Sequence[str], lines: int) -> None:
        listed = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"{file}: {len(problems)} of {lines} lines cannot be priced, so none was{listed}")
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class PricedLine:
    """One line with what it costs.

    Attributes:
        number: of its row in the file, the header being 1.
        day: on which the price is valid.
        quantity: in the unit of `rate`, which is the line's own where it names one.
        steps: the bands that the quantity reaches.
    """

    number: int
    label: str
    rate: Rate
    day: date
    quantity: Decimal
    steps: tuple[Step, ...]

    @property
    def cost(self) -> Decimal:
        """USD, not rounded."""
        return sum((step.cost for step in self.steps), Decimal(0))

    @property
    def confidence(self) -> Confidence:
        """Of the weakest band that the quantity reaches."""
        return weakest([step.band for step in self.steps] or self.rate.bands[:1])


@dataclass(frozen=True, slots=True)
class PricedLines:
    """All lines of a file."""

    lines: tuple[PricedLine, ...]

    @property
    def total(self) -> Decimal:
        """USD, not rounded."""
        return sum((line.cost for line in self.lines), Decimal(0))

    @property
    def by_confidence(self) -> dict[Confidence, Decimal]:
        """USD by where the prices come from."""
        return cost_by_confidence([step for line in self.lines for step in line.steps])


def price_lines(path: Path, book: PriceBook, *, today: date, strict: bool = False) -> PricedLines:
    """Price every line of a CSV file.

    Columns `sku_key`, `region`, `quantity` in the unit of the price, and optionally `unit` (which must then be that
    of the price), `effective_on` (a day like 2026-11-21, else today) and `label`.

    Raises: PriceError when the file is no such table or empty, BadLines with every line that cannot be priced,
        NotStrict when `strict` and a line rests on an assumption.
    """
    lines: list[PricedLine] = []
    problems: list[str] = []
    for number, row in _read_lines(path):
        try:
            lines.append(_price_line(number, row, book, today))
        except PriceError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        raise BadLines(path.name, problems, len(lines) + len(problems))
    if not lines:
        raise PriceError(f"{path.name} has no lines: expected {', '.join(REQUIRED_COLUMNS)} and one row a line")
    assumed = [line for line in lines if line.confidence is Confidence.ASSUMED]
    if strict and assumed:
        listed = ", ".join(f"line {line.number} ({line.rate.key} in {line.rate.region})" for line in assumed)
        raise NotStrict(f"{path.name}: {len(assumed)} of {len(lines)} lines have an assumed price: {listed}")
    return PricedLines(tuple(lines))


def render_priced_lines(priced: PricedLines) -> list[str]:
    """A table of all lines, with the walk of each that reaches several bands, the total and what it rests on."""
    table = Table("", _COLUMNS, tuple(row for line in priced.lines for row in _list_cells(line)))
    shares = ", ".join(f"{kind} {format_usd(cost)}" for kind, cost in sorted(priced.by_confidence.items()))
    return [lay_out(table), f"total {format_usd(priced.total)} USD{f' ({shares})' if shares else ''}"]


def render_priced_lines_json(priced: PricedLines) -> bytes:
    """One object; money and quantities are numbers with every digit."""
    lines = [
        {
            "line": line.number,
            "label": line.label,
            "sku_key": line.rate.key,
            "region": line.rate.region,
            "effective_on": line.day,
            "quantity": line.quantity,
            "unit": line.rate.unit,
            "cost_usd": line.cost,
            "confidence": line.confidence,
            "source": "; ".join(dict.fromkeys(step.band.source for step in line.steps)),
            "steps": [
                {
                    "tier_from": step.band.start,
                    "tier_to": None if step.band.end == INFINITE else step.band.end,
                    "price_usd": step.band.price,
                    "quantity": step.quantity,
                    "cost_usd": step.cost,
                    "confidence": step.band.confidence,
                }
                for step in line.steps
            ],
        }
        for line in priced.lines
    ]
    return encode_json({"total_usd": priced.total, "by_confidence": priced.by_confidence, "lines": lines})


def format_usd(value: Decimal) -> str:
    """At least cents and at most twelve digits: no price of a request, and no cost of one, is printed as nothing."""
    whole, _, digits = f"{value:,.12f}".partition(".")
    return f"{whole}.{digits.rstrip('0').ljust(2, '0')}"


def _list_cells(line: PricedLine) -> Iterator[tuple[Cell, ...]]:
    rate, is_walk = line.rate, len(line.steps) > 1
    price = "" if is_walk or not line.steps else format_usd(line.steps[0].band.price)
    names = (line.number, rate.key, rate.region, f"{line.quantity:,f}", rate.unit)
    yield (*names, price, format_usd(line.cost), line.confidence, line.label)
    for step in line.steps if is_walk else ():
        end = "" if step.band.end == INFINITE else f" to {step.band.end:,f}"
        reached = ("", f"  from {step.band.start:,f}{end}", "", f"{step.quantity:,f}", rate.unit)
        yield (*reached, format_usd(step.band.price), format_usd(step.cost), step.band.confidence, "")


def _read_lines(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Rows by column, blanks around each cell gone, blank rows left out; a cell without a column is under the name ""."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        columns = [column.strip() for column in next(rows, [])]
        named = [column for column in columns if column]  # a spreadsheet leaves nameless ones at the end
        _check_columns(path.name, named)
        for cells in rows:
            cells = [cell.strip() for cell in cells]
            if any(cells):
                row = dict(zip(columns, cells, strict=False))
                nameless = [cell for column, cell in zip(columns, cells, strict=False) if not column]
                row[""] = next(filter(None, [*nameless, *cells[len(columns) :]]), "")
                yield rows.line_num, row
    except OSError as error:
        raise PriceError(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise PriceError(f"{path.name} is no CSV file in UTF-8: {error}") from None


def _check_columns(file: str, columns: Sequence[str]) -> None:
    expected = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)
    unknown = [column for column in columns if column not in expected]
    missing = [column for column in REQUIRED_COLUMNS if column not in columns]
    twice = sorted({column for column in columns if columns.count(column) > 1})
    for problem, names in (("lacks", missing), ("has the unknown", unknown), ("repeats the", twice)):
        if names:
            raise PriceError(
                f"{file} {problem} column(s) {', '.join(map(repr, names))}: expected {', '.join(REQUIRED_COLUMNS)}"
                f" and optionally {', '.join(OPTIONAL_COLUMNS)}"
            )


def _price_line(number: int, row: Mapping[str, str], book: PriceBook, today: date) -> PricedLine:
    if row[""]:
        raise PriceError(f"{row['']!r} is one cell too many: numbers have no thousands separators")
    if broken := next((cell for cell in row.values() if _CONTROL.search(cell)), ""):
        raise PriceError(
            f"{broken!r} holds a line break or a control character: close the quotes before the line's end"
        )
    for column in ("sku_key", "region"):
        if not row.get(column):
            raise PriceError(f"{column} is empty")
    quantity = _parse_quantity(row.get("quantity", ""))
    day = parse_date(row.get("effective_on", ""), "effective_on") or today
    rate = book.find(row.get("sku_key", ""), row.get("region", ""), day)
    if unit := row.get("unit", ""):
        rate = rate.in_unit(unit)
    return PricedLine(number, row.get("label", ""), rate, day, quantity, walk_tiers(rate, quantity))


def _parse_quantity(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise PriceError(f"quantity {text!r} is no number >= 0 such as 1500 or 0.25")
    quantity = Decimal(text)
    if quantity > QUANTITY_MAX:
        raise PriceError(f"quantity {text} is above {QUANTITY_MAX:,f}")
    return quantity
