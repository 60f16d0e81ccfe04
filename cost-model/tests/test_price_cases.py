"""Worked cases whose cost is published or computed by hand, each a lines file beside this one."""

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from nottermost_cost.facts import say_source
from nottermost_cost.price_lines import price_lines
from nottermost_cost.pricebook import PriceBook, load_prices
from nottermost_cost.testing import require_shared

CASES = Path(__file__).parent / "cases"
HALF_A_CENT = Decimal("0.005")


def read_index() -> list[dict[str, str]]:
    """Every case: what it costs part by part, what of it the book has no price for, where it was published."""
    with (CASES / "index.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


PRICED = {row["case"]: row["expected_usd"] for row in read_index() if row["expected_usd"]}


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return load_prices()


@pytest.mark.parametrize("case", PRICED)
def test_a_case_costs_what_is_published(case: str, book: PriceBook) -> None:
    """The total, as exactly as the published parts are rounded: half a cent each."""
    parts = [Decimal(part) for part in PRICED[case].split("+")]
    priced = price_lines(CASES / f"{case.lower()}.csv", book, today=date(2026, 11, 21))
    rounded = sum(part.as_tuple().exponent == -2 for part in parts)  # what has more digits or none is exact
    assert abs(priced.total - sum(parts)) <= HALF_A_CENT * rounded


def test_every_collected_case_is_priced_or_says_why_not() -> None:
    """No worked case was passed over, and none is cited with another source."""
    with require_shared("cost-cases.csv").open(newline="", encoding="utf-8") as file:
        collected = {row["case"]: say_source(row["source"]) for row in csv.DictReader(file)}
    index = {row["case"]: row for row in read_index()}
    assert {case: index[case]["source"] for case in collected} == collected
    assert all(row["expected_usd"] or row["left_out"] for row in index.values())


def test_every_lines_file_is_a_case() -> None:
    """A file that the index forgot would never be priced."""
    assert {path.stem for path in CASES.glob("*.csv")} == {"index", *(case.lower() for case in PRICED)}
