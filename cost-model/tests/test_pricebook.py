"""One price for a key, a region and a day, or an error that says what is near."""

import csv
import re
import shutil
import statistics
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from nottermost_cost.errors import PriceError, PriceNotFound
from nottermost_cost.pricebook import INFINITE, PRICES, Confidence, PriceBook, load_allowances, load_prices, read_rows

DAY = date(2026, 11, 21)
CUT = date(2024, 11, 1)
PRODUCTION = (Path(__file__).parent / "production_keys.txt").read_text(encoding="utf-8").split()

Edit = Callable[[str, str, str], Path]


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return load_prices()


@pytest.fixture
def edit(tmp_path: Path) -> Edit:
    """A copy of the book in which a text of one file is replaced; "" appends."""

    def change(name: str, old: str, new: str) -> Path:
        folder = shutil.copytree(PRICES, tmp_path / "prices")
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1) if old else text + new, encoding="utf-8")
        return folder

    return change


def test_bands_join_from_zero_to_infinity(book: PriceBook) -> None:
    """Every rate of the book, so that no quantity is without a price."""
    for rate in book:
        edges = [Decimal(0), *(band.end for band in rate.bands)]
        assert [band.start for band in rate.bands] == edges[:-1], rate.key
        assert edges[-1] == INFINITE, rate.key


def test_a_key_names_no_region_tier_or_date(book: PriceBook) -> None:
    """Those are columns. An edge zone's name stays, as the keys of the price list have it."""
    forbidden = re.compile(r"\.(t\d+|free|golden|pre_cut)$|(us|eu|ap|mx)-[a-z]+-\d|\d{4}-\d{2}")
    assert [key for key in book.keys if forbidden.search(key)] == []


def test_a_key_has_one_unit_in_every_region(book: PriceBook) -> None:
    """A quantity of it means the same wherever it is spent."""
    units = {rate.key: rate.unit for rate in book}
    assert [(rate.key, rate.region) for rate in book if rate.unit != units[rate.key]] == []


def test_what_has_no_date_is_not_primary(book: PriceBook) -> None:
    """A price that nobody can date is secondary at best."""
    undated = [band for rate in book for band in rate.bands if band.snapshot is None]
    assert undated
    assert all(band.confidence is not Confidence.PRIMARY for band in undated)


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_production_can_be_priced_in_both_regions(region: str, book: PriceBook) -> None:
    """Every meter that production needs has a price in each, sourced or assumed."""
    assert [key for key in PRODUCTION if region not in book.regions(key)] == []


def test_what_has_no_basis_stays_unpriced(book: PriceBook) -> None:
    """Nothing is invented where neither region nor a like meter has a source."""
    assert [key for key in book.keys if key.startswith(("guardduty.", "athena.", "glue."))] == []


@pytest.mark.parametrize("region", ["us-east-1", "us-east-2", "us-west-2"])
@pytest.mark.parametrize(("key", "before", "after"), [("wru", "1.25", "0.625"), ("rru", "0.25", "0.125")])
def test_a_price_that_was_cut_holds_from_its_day(
    region: str, key: str, before: str, after: str, book: PriceBook
) -> None:
    """DynamoDB on demand was halved on 2024-11-01, in every region that is priced."""
    name = f"ddb.ondemand.{key}"
    assert book.find(name, region, date(2024, 10, 31)).bands[0].price == Decimal(before)
    assert book.find(name, region, CUT).bands[0].price == Decimal(after)
    assert book.find(name, region, date(1999, 1, 1)).bands[0].price == Decimal(before)


def test_a_price_without_a_day_holds_on_any_earlier_one(book: PriceBook) -> None:
    """The day it was read is no day on which it began."""
    assert book.find("nat.hour", "us-east-1", date(2015, 1, 1)) == book.find("nat.hour", "us-east-1", DAY)


@pytest.mark.parametrize(
    ("key", "region", "hint"),
    [
        ("cloudfront.out.eu.t3", "edge:eu", "nearest: cloudfront.out.eu"),
        ("amp.samples.free", "us-east-1", "nearest: amp.samples"),
        ("nat.hours", "us-east-1", "nearest: nat.hour"),
        ("eks.cluster", "eu-west-1", "it is priced in us-east-1"),
        ("cloudfront.https.us", "us-east-1", "it is priced in edge:us"),
        ("zzzzzzzzzzzz", "us-east-1", "nothing like it"),
    ],
)
def test_a_missing_price_names_what_is_near(key: str, region: str, hint: str, book: PriceBook) -> None:
    """A tier's name leads to its key, a wrong region to those that are priced, a slip to the nearest names."""
    with pytest.raises(PriceNotFound, match=re.escape(hint)):
        book.find(key, region, DAY)


def test_an_alias_finds_its_key(book: PriceBook) -> None:
    """Each leads to a key, none hides one, and the bill's unit of throughput keeps its meaning."""
    assert len(list(read_rows(PRICES / "aliases.csv", _columns("aliases.csv")))) == len(book.aliases)
    assert set(book.aliases.values()) <= set(book.keys)
    assert not set(book.aliases) & set(book.keys)
    assert book.find("nat.hour.golden", "us-east-1", DAY) == book.find("nat.hour", "us-east-1", DAY)
    throughput = book.find("ebs.gp3.throughput_gibps", "eu-west-1", DAY)
    assert (throughput.unit, throughput.bands[0].price) == ("GiBps-month", Decimal("45.056"))


def test_the_account_allowances_are_of_priced_meters_in_their_unit(book: PriceBook) -> None:
    """They count in price units, and are no bands: the book prices the first unit."""
    units = {row["sku_key"]: row["unit"] for _, row in read_rows(PRICES / "free-tier.csv", _columns("free-tier.csv"))}
    rates = {rate.key: rate for rate in book}
    allowances = load_allowances()
    assert {key: rates[key].unit for key in allowances} == units
    assert all(quantity > 0 and rates[key].bands[0].price > 0 for key, quantity in allowances.items())


def test_the_ratios_of_assumptions_are_those_of_the_book(book: PriceBook) -> None:
    """eu-west-1 over us-east-1: the medians that the reasons cite, computed again."""
    sourced = {
        (rate.key, rate.valid_from, band.start, rate.region): band.price
        for rate in book
        for band in rate.bands
        if band.confidence is not Confidence.ASSUMED and band.price
    }
    ratios = {
        place: sourced[*place[:3], "eu-west-1"] / price
        for place, price in sourced.items()
        if place[3] == "us-east-1" and (*place[:3], "eu-west-1") in sourced
    }
    assert len(ratios) == 84
    assert round(statistics.median(ratios.values()), 3) == Decimal("1.107")
    assert round(
        statistics.median(ratio for place, ratio in ratios.items() if place[0].startswith("rds.")), 3
    ) == Decimal("1.1")
    assert {round(ratio, 3) for place, ratio in ratios.items() if place[0].startswith("cw.logs.")} == {Decimal("1.14")}


def test_an_assumption_says_what_it_is_made_of(book: PriceBook) -> None:
    """Basis, factor and reason are its source; it is as old as its basis."""
    (band,) = book.find("msk.kafka.m7g.xlarge", "us-east-1", DAY).bands
    assert (band.price, band.confidence, band.snapshot) == (Decimal("0.408"), Confidence.ASSUMED, None)
    assert band.source.startswith("assumed: msk.kafka.m7g.large in us-east-1 x 2: The list scales")


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        (
            "assumed.csv",
            "",
            "nat.hour,eu-west-1,,,nat.hour,us-east-1,,1,,,why\n",
            "nat.hour in eu-west-1: two bands overlap",
        ),
        ("assumed.csv", "", "nat.hour,eu-west-1,,,nat.hour,us-east-1,,1,2025-01-01,,why\n", "two prices at once"),
        ("assumed.csv", "", "a.b,eu-west-1,,,rds.proxy,us-east-1,,1,,,of an assumed one\n", "no single sourced price"),
        ("assumed.csv", "", "a.b,eu-west-1,,,nat.hour,us-east-1,,1,,, \n", "needs its reasoning"),
        ("assumed.csv", "", "a.b,eu-west-1,,,nat.hour,us-east-1,,1/0,,,why\n", "no factor"),
        ("assumed.csv", "", "a.b,eu-west-1,,,nat.hour,us-east-1,,one,,,why\n", "'one' is no number"),
        ("assumed.csv", "basis_key", "basis", "has the columns"),
        ("aliases.csv", "", "a.b,nat.hour,no unit\n", "has not 4 cells"),
        (
            "sqs.csv",
            "100000,200000",
            "100001,200000",
            "there is a gap between 100000 and 100001",
        ),
        (
            "sqs.csv",
            "1M requests,1000,mx-central-1,0.315",
            "requests,1000,mx-central-1,0.315",
            "differ in unit or period",
        ),
        ("amp.csv", ",secondary,", ",primary?,", "confidence 'primary?'"),
        ("msk.csv", ",,,,secondary,", ",,,,primary,", "a price without a date is secondary"),
        ("route53.csv", "1000,Inf", "1000,2000", "the bands end at 2000 instead of Inf"),
        ("waf.csv", "2026-07-29", "29.7.2026", "'29.7.2026' is no date"),
        (
            "kms.csv",
            "Customer managed key,key-month,1000,us-east-1,1,",
            "Customer managed key,key-month,1000,us-east-1,-1,",
            "negative",
        ),
    ],
)
def test_a_broken_book_is_refused(edit: Edit, file: str, old: str, new: str, problem: str) -> None:
    """Gaps, overlaps, unknown words and assumptions upon nothing are found when it is loaded."""
    with pytest.raises(PriceError, match=re.escape(problem)):
        load_prices(edit(file, old, new))


def _columns(name: str) -> tuple[str, ...]:
    with (PRICES / name).open(newline="", encoding="utf-8") as file:
        return tuple(next(csv.reader(file)))
