"""Pricing bare lines, looking into the book, and what both print."""

import codecs
import json
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from nottermost_cost.errors import NotStrict, PriceError
from nottermost_cost.price_lines import BadLines, format_usd, price_lines, render_priced_lines, render_priced_lines_json
from nottermost_cost.pricebook import Confidence, PriceBook, load_prices
from nottermost_cost.search import (
    compare_regions,
    measure_age,
    render_age,
    render_parity,
    render_prices,
    render_prices_json,
    search_prices,
)

DAY = date(2026, 11, 21)

Write = Callable[[str], Path]


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return load_prices()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A lines file of that text."""

    def save(text: str) -> Path:
        path = tmp_path / "lines.csv"
        path.write_bytes(text.encode())
        return path

    return save


def test_each_line_is_walked_alone(write: Write, book: PriceBook) -> None:
    """Two lines of one key both begin in the first band: nothing says that one payer has them."""
    path = write("sku_key,region,quantity\ndt.internet_out,eu-west-1,10240\ndt.internet_out,eu-west-1,10240\n")
    assert price_lines(path, book, today=DAY).total == 2 * Decimal("921.6")


@pytest.mark.parametrize(
    "text",
    [
        "sku_key,region,quantity\nnat.hour,us-east-1,730\n",
        "\ufeffsku_key,region,quantity\r\nnat.hour,us-east-1,730\r\n",
        " quantity , label,region,sku_key\n\n , , , \n 730 ,gateway, us-east-1 ,nat.hour\n\n",
        'sku_key,region,quantity,unit,effective_on,label\n"nat.hour",us-east-1,+7.3e2,hour,2026-01-31,"a, b"\n',
        "sku_key,region,quantity,unit,effective_on,label\nnat.hour,us-east-1,730\n",
    ],
)
def test_a_table_is_read_however_it_was_saved(text: str, write: Write, book: PriceBook) -> None:
    """A byte order mark, Windows line ends, blanks, blank rows, columns in any order, cells left out at the end."""
    assert price_lines(write(text), book, today=DAY).total == Decimal("32.85")


def test_every_bad_line_is_listed_and_nothing_is_priced(write: Write, book: PriceBook) -> None:
    """One error with each line number and what is wrong there."""
    path = write(
        "sku_key,region,quantity,unit,effective_on,label\n"
        "nat.hour,us-east-1,1,,,fine\n"
        "nat.hours,us-east-1,1,,,no such key\n"
        "nat.hour,mars-1,1,,,no such region\n"
        "nat.hour,us-east-1,-1,,,\n"
        "nat.hour,us-east-1,\"1,500\",,,\n"
        "nat.hour,us-east-1,NaN,,,\n"
        "nat.hour,us-east-1,Infinity,,,\n"
        "nat.hour,us-east-1,,,,\n"
        "nat.hour,us-east-1,1_000,,,\n"
        "nat.hour,us-east-1,1e400,,,\n"
        "nat.hour,us-east-1,1e19,,,\n"
        "nat.hour,us-east-1,1,GB,,\n"
        "nat.hour,us-east-1,1,,yesterday,\n"
        "nat.hour,us-east-1,1,,,,surplus\n"
        ",us-east-1,1,,,\n"
        "dt.internet_out.t1,us-east-1,1,,,\n"
    )  # fmt: skip
    with pytest.raises(BadLines) as caught:
        price_lines(path, book, today=DAY)
    numbers = [int(found) for problem in caught.value.problems for found in re.findall(r"^line (\d+):", problem)]
    assert numbers == list(range(3, 18))
    message = str(caught.value)
    assert "15 of 16 lines cannot be priced" in message
    for hint in (
        "nearest: nat.hour", "it is priced in eu-west-1, mx-central-1, us-east-1", "'1,500' is no number",
        "the unit is 'GB', expected 'hour'", "'yesterday' is no date", "'surplus' is one cell too many",
        "nearest: dt.internet_out",
    ):  # fmt: skip
        assert hint in message


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "lacks column(s) 'sku_key', 'region', 'quantity'"),
        ("sku_key,region,quantity\n\n", "has no lines"),
        ("sku_key,region\nnat.hour,us-east-1\n", "lacks column(s) 'quantity'"),
        ("sku_key,region,quantity,price\nnat.hour,us-east-1,1,2\n", "has the unknown column(s) 'price'"),
        ("sku_key,region,quantity,quantity\nnat.hour,us-east-1,1,2\n", "repeats the column(s) 'quantity'"),
        ("sku_key;region;quantity\nnat.hour;us-east-1;1\n", "lacks column(s)"),
        ("sku_key,region,quantity\nnat.hour,us-east-1,\x001\n", "'\\x001' holds a line break or a control character"),
    ],
)
def test_what_is_no_table_of_lines_is_refused(text: str, problem: str, write: Write, book: PriceBook) -> None:
    """An empty file, missing, unknown and repeated columns, binary."""
    with pytest.raises(PriceError, match=re.escape(problem)):
        price_lines(write(text), book, today=DAY)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('nat.hour,us-east-1,730,"a\nnat.hour,us-east-1,730,b\nnope,x,-5,c\n', "is no CSV file"),
        ('nat.hour,us-east-1,730,"a\nnat.hour,us-east-1,730,b"\n', "line break"),
        ("nat.hour,us-east-1,1,label,000,\n", "one cell too many"),
        ("nat.hour,us-east-1,1,\x1b[31m\n", "control character"),
        (",us-east-1,1,\n", "sku_key is empty"),
        ("nat.hour,,1,\n", "region is empty"),
    ],
)
def test_nothing_is_swallowed(text: str, problem: str, write: Write, book: PriceBook) -> None:
    """Open quotes do not make the lines after them part of a label, and no cell is left out."""
    with pytest.raises(PriceError, match=problem):
        price_lines(write(f"sku_key,region,quantity,label\n{text}"), book, today=DAY)


def test_nameless_columns_of_a_spreadsheet_are_empty(write: Write, book: PriceBook) -> None:
    """A comma at the end of every line is no column; something in it is too much."""
    head = "sku_key,region,quantity,,\n"
    assert price_lines(write(f"{head}nat.hour,us-east-1,730,,\n"), book, today=DAY).total == Decimal("32.85")
    with pytest.raises(BadLines, match="'x' is one cell too many"):
        price_lines(write(f"{head}nat.hour,us-east-1,730,,x\n"), book, today=DAY)


def test_a_file_that_cannot_be_read_is_one_error(tmp_path: Path, book: PriceBook) -> None:
    """Missing, or in another encoding."""
    with pytest.raises(PriceError, match="cannot be read: No such file"):
        price_lines(tmp_path / "missing.csv", book, today=DAY)
    path = tmp_path / "lines.csv"
    path.write_bytes(codecs.BOM_UTF16_LE + "sku_key,region,quantity\n".encode("utf-16-le"))
    with pytest.raises(PriceError, match=r"lines\.csv is no CSV file in UTF-8"):
        price_lines(path, book, today=DAY)


def test_a_price_is_of_the_lines_own_day(write: Write, book: PriceBook) -> None:
    """`effective_on` of a line, and today for the others."""
    path = write(
        "sku_key,region,quantity,effective_on\nddb.ondemand.wru,us-west-2,1,2024-10-31\nddb.ondemand.wru,us-west-2,1,\n"
    )
    assert [line.cost for line in price_lines(path, book, today=DAY).lines] == [Decimal("1.25"), Decimal("0.625")]
    assert [line.day for line in price_lines(path, book, today=DAY).lines] == [date(2024, 10, 31), DAY]


def test_strict_refuses_assumed_prices_that_a_line_reaches(write: Write, book: PriceBook) -> None:
    """A line that ends below the assumed band rests on none of it."""
    sourced = write("sku_key,region,quantity\ndt.internet_out,us-east-1,153600\n")
    assert price_lines(sourced, book, today=DAY, strict=True).lines[0].confidence is Confidence.PRIMARY
    assumed = write("sku_key,region,quantity\nnat.hour,us-east-1,1\ndt.internet_out,us-east-1,153601\n")
    assert price_lines(assumed, book, today=DAY).lines[1].confidence is Confidence.ASSUMED
    with pytest.raises(NotStrict, match=r"1 of 2 lines .* line 3 \(dt\.internet_out in us-east-1\)"):
        price_lines(assumed, book, today=DAY, strict=True)


def test_the_json_has_every_digit(write: Write, book: PriceBook) -> None:
    """Numbers, not texts; the lines add up to the total; a zero quantity is a line that costs nothing."""
    path = write(
        "sku_key,region,quantity,label\napigw.ws.messages,us-east-1,0.008,a\n"
        "amp.query_samples,us-east-1,1,b\nnat.hour,us-east-1,0,c\n"
    )
    answer = json.loads(
        render_priced_lines_json(price_lines(path, book, today=DAY)), parse_float=Decimal, parse_int=Decimal
    )
    assert answer["total_usd"] == Decimal("0.0080000001") == sum(line["cost_usd"] for line in answer["lines"])
    first = answer["lines"][0]
    assert (first["line"], first["label"], first["confidence"], first["effective_on"]) == (
        2,
        "a",
        "primary",
        "2026-11-21",
    )
    assert first["source"].startswith("infracost/")
    assert first["steps"][0]["tier_to"] == 1000
    assert (answer["lines"][2]["cost_usd"], answer["lines"][2]["steps"]) == (0, [])


def test_the_table_shows_the_walk_and_the_total(write: Write, book: PriceBook) -> None:
    """Bands that a quantity reaches, what the total rests on, and no cost printed as nothing."""
    path = write(
        "sku_key,region,quantity,label\ndt.internet_out,us-east-1,57000,egress\ncw.metric,us-east-1,1,\n"
        "secrets.api_request,us-east-1,1,\n"
    )
    text = "\n".join(render_priced_lines(price_lines(path, book, today=DAY)))
    assert re.search(r"from 10,240 to 51,200 +40,960 +GB +0\.085 +3,481\.60 +primary", text)
    assert re.search(r"secrets\.api_request +us-east-1 +1 +request +0\.000005 +0\.000005 +primary", text)
    assert text.endswith("total 4,809.500005 USD (assumed 0.30, primary 4,809.200005)")


@pytest.mark.parametrize(
    ("value", "text"),
    [("0", "0.00"), ("1234.5", "1,234.50"), ("0.00875", "0.00875"), ("1e-10", "0.0000000001"), ("1e6", "1,000,000.00")],
)
def test_no_price_is_printed_as_nothing(value: str, text: str) -> None:
    """Two digits at least, twelve at most."""
    assert format_usd(Decimal(value)) == text


def test_words_find_prices(book: PriceBook) -> None:
    """All words must be there, in key, service or description; a region narrows."""
    assert {rate.key for rate in search_prices(book, ["nat", "HOUR"])} == {"nat.hour"}
    assert {rate.region for rate in search_prices(book, ["dynamodb"], region="us-west-2")} == {"us-west-2"}
    assert len(search_prices(book, [])) == len(list(book))
    with pytest.raises(PriceError, match=r"no price for 'nat\.hoor' in eu-west-1; nearest: nat\.hour"):
        search_prices(book, ["nat.hoor"], region="eu-west-1")


def test_a_search_prints_bands_with_their_sources(book: PriceBook) -> None:
    """Price, range, confidence, day and source of every band; periods where there are some."""
    (text,) = render_prices(search_prices(book, ["ddb.ondemand.wru"], region="us-west-2"))
    now, before = text.splitlines()[2:]
    assert re.match(r"ddb\.ondemand\.wru +us-west-2 +2024-11-01 +0\.625 +1M WRU +0 +assumed +2024-11-15 ", now)
    assert "  assumed: ddb.ondemand.wru in us-east-2" in now
    assert re.match(r"ddb\.ondemand\.wru +us-west-2 +2024-11-01 +1\.25 ", before)
    assert render_prices([]) == []
    (found,) = json.loads(
        render_prices_json(search_prices(book, ["nat.gb"], region="eu-west-1"), measure_age(book, DAY))
    )["prices"]
    assert (found["sku_key"], found["bands"][0]["price_usd"], found["bands"][0]["tier_to"]) == ("nat.gb", 0.048, None)


def test_the_age_of_the_book_is_relative_to_a_day(book: PriceBook) -> None:
    """A year later everything dated is old; the shares count every price once."""
    age, later = measure_age(book, DAY), measure_age(book, date(2028, 1, 1))
    assert sum(age.by_confidence.values()) == age.prices == later.prices
    assert 0 < age.old < later.old == age.prices - age.undated
    assert render_age(age).startswith(f"{age.prices} prices on 2026-11-21: {age.old} were read over a year before")


def test_parity_names_keys_that_differ_by_region(book: PriceBook) -> None:
    """Priced in one alone, or assumed in one alone."""
    parity = compare_regions(book, "us-east-1", "eu-west-1", DAY)
    assert "eks.cluster" in parity.only_one
    assert "elasticache.global_datastore" in parity.only_other
    assert "rds.proxy" in parity.assumed_one
    assert "kms.key" in parity.assumed_other
    assert f"only in us-east-1: {len(parity.only_one)}" in render_parity(parity)
