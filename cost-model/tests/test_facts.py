"""Building the sourced files of the book from the collected facts."""

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from nottermost_cost.errors import PriceError
from nottermost_cost.facts import FACT_COLUMNS, MEND_COLUMNS, build_prices, say_source
from nottermost_cost.pricebook import PRICES, load_prices, read_rows
from nottermost_cost.testing import require_shared

Build = Callable[..., dict[str, list[dict[str, str]]]]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Build from facts given as key, region, price, from, to, day and source, and from rows of mends."""

    def run(facts: Sequence[Sequence[str]], mends: Sequence[Sequence[str]] = ()) -> dict[str, list[dict[str, str]]]:
        rows = [
            ("Any", key, f"{key} (AWS SKU ABCDEFGH23456789)", "GB", region, price, start, end, day, source)
            for key, region, price, start, end, day, source in facts
        ]
        for name, columns, table in (("facts.csv", FACT_COLUMNS, rows), ("mends.csv", MEND_COLUMNS, mends)):
            with (tmp_path / name).open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([columns, *table])
        texts = build_prices(tmp_path / "facts.csv", tmp_path / "mends.csv")
        return {name: list(csv.DictReader(text.splitlines())) for name, text in texts.items()}

    return run


def test_the_committed_book_is_what_the_facts_give() -> None:
    """Built again, every generated file has the same bytes, and there is no other."""
    built = build_prices(require_shared("prices.csv"), PRICES / "mends.csv")
    written = {"aliases.csv", "assumed.csv", "free-tier.csv", "further.csv", "mends.csv"}
    assert {
        path.name: path.read_text(encoding="utf-8") for path in PRICES.glob("*.csv") if path.name not in written
    } == built


def test_every_fact_is_in_the_book_or_in_quarantine() -> None:
    """Used, or named as a further source of the row that says the same, or refused with a note."""
    facts = [row for _, row in read_rows(require_shared("prices.csv"), FACT_COLUMNS)]
    texts = build_prices(require_shared("prices.csv"), PRICES / "mends.csv")
    quarantine = list(csv.DictReader(texts.pop("quarantine.csv").splitlines()))
    assert all(row["note"] for row in quarantine)
    refused = [{column: row[column] for column in FACT_COLUMNS} for row in quarantine]
    book = [row for text in texts.values() for row in csv.DictReader(text.splitlines())]
    added = [row for row in book if row["price_usd"] == "0" and "; mended: " in row["source"]]  # free bands
    named = sum(1 + row["source"].count("; also ") for row in book if row not in added)
    assert named + len(refused) == len(facts) == 558
    for fact in facts:
        assert fact in refused or any(say_source(fact["source"]) in row["source"] for row in book), fact["sku_key"]


def test_every_name_of_a_fact_leads_somewhere() -> None:
    """It is a key, another name of one, or the name of a tier or a period, which the error leads to its key."""
    book = load_prices()
    for _, row in read_rows(require_shared("prices.csv"), FACT_COLUMNS):
        name = row["sku_key"]
        assert (
            name in book.keys
            or name in book.aliases
            or book.nearest(name)[0] == re.sub(r"\.(t\d|free|pre_cut)$", "", name)
        ), name


def test_facts_that_agree_become_one_row(build: Build) -> None:
    """The newest primary one stands, the others are named with their day; the SKU leaves the description."""
    (row,) = build(
        [
            ("a.b", "us-east-1", "0.10", "0", "Inf", "undated", "a page"),
            ("a.b", "us-east-1", "0.1", "0", "Inf", "2024-07-01", "an old list"),
            ("a.b.golden", "us-east-1", "0.10", "0", "Inf", "2026-06", "a list"),
        ]
    )["any.csv"]
    assert row["source"] == "a list; also an old list (2024-07-01); also a page (undated)"
    assert (row["confidence"], row["snapshot_date"], row["price_usd"]) == ("primary", "2026-06-01", "0.1")
    assert (row["description"], row["aws_sku"]) == ("a.b.golden", "ABCDEFGH23456789")


def test_facts_that_disagree_need_a_decision(build: Build) -> None:
    """Neither is taken in silence; a row of mends decides, and the other goes to quarantine with the note."""
    facts = [
        ("a.b", "us-east-1", "0.1", "0", "Inf", "2026-01-01", "one list"),
        ("a.b", "us-east-1", "0.2", "0", "Inf", "2026-01-01", "another list"),
    ]
    with pytest.raises(PriceError, match=r"a\.b in us-east-1 from 0: .* decide with a row in mends\.csv"):
        build(facts)
    files = build(facts, [("quarantine", "a.b", "us-east-1", "one list", "", "too low")])
    assert [row["price_usd"] for row in files["any.csv"]] == ["0.2"]
    assert [(row["source"], row["note"]) for row in files["quarantine.csv"]] == [("one list", "too low")]


def test_a_mend_changes_what_it_says_and_leaves_its_note(build: Build) -> None:
    """A free band, another region, bounds and a period, each with the note in the row's source."""
    files = build(
        [
            ("a.b.t1", "us-east-1", "0.1", "0", "10", "2026-01-01", "list"),
            ("a.b.t2", "us-east-1", "0.05", "10", "Inf", "2026-01-01", "list"),
        ],
        [
            ("region", "a.b", "", "", "edge:us", "sold there"),
            ("bands", "a.b.t1", "", "", "0..12", "shifted"),
            ("free", "a.b.t1", "", "", "2", "two are free"),
            ("bands", "a.b.t2", "", "", "12..Inf", "shifted"),
            ("from", "a.b", "", "", "2026-01-01", "new that day"),
        ],
    )
    rows = files["any.csv"]
    assert [(row["tier_from"], row["tier_to"], row["price_usd"]) for row in rows] == [
        ("0", "2", "0"), ("2", "12", "0.1"), ("12", "Inf", "0.05"),
    ]  # fmt: skip
    assert {row["region"] for row in rows} == {"edge:us"}
    assert rows[1]["source"] == "list; mended: sold there; shifted; two are free; new that day"
    assert {row["effective_from"] for row in rows} == {"2026-01-01"}


@pytest.mark.parametrize(
    ("mend", "problem"),
    [
        (("key", "a.c", "", "", "a.d", "why"), "concern no fact: key a.c"),
        (("rename", "a.b", "", "", "a.d", "why"), "'rename' is none of key"),
        (("unit", "a.b", "", "", "hour", "why"), "the unit is 'GB', expected 'hour'"),
        (("bands", "a.b", "", "", "0-5", "why"), "'0-5' is no number"),
        (("until", "a.b", "", "", "soon", "why"), "'soon' is no date"),
        (("region", "a.b", "", "", "edge:us", ""), "needs its note"),
    ],
)
def test_a_mend_that_means_nothing_is_refused(mend: tuple[str, ...], problem: str, build: Build) -> None:
    """No fact, no such action, a value that cannot be, a price changed without a reason."""
    with pytest.raises(PriceError, match=re.escape(problem)):
        build([("a.b", "us-east-1", "0.1", "0", "Inf", "2026-01-01", "list")], [mend])
