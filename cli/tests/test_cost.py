"""`nottermost cost …` as finance types it: the same numbers in every format, and one sentence for what is wrong."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nottermost_cli.cost import LayoutName, SizingName, StoreName
from nottermost_cli.testing import Call, make_call
from nottermost_conventions import ExitCode
from nottermost_cost.estimate import Sizing
from nottermost_cost.layouts import Layout
from nottermost_cost.testing import require_shared
from nottermost_cost.workload import STORES

ESTIMATE = ("estimate", "prod", "--scenario", "launch", "--day", "2026-11-21")
Write = Callable[[str], str]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    return make_call(monkeypatch, capfd, "cost")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of lines; returns its path."""

    def make(text: str) -> str:
        path = tmp_path / "lines.csv"
        path.write_text(text)
        return str(path)

    return make


def read_json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


# --- estimates ------------------------------------------------------------------------------------


def test_an_estimate_has_the_same_total_in_every_format(call: Call, tmp_path: Path) -> None:
    """JSON, FOCUS rows, table and page say one number; the workbook and the page are written where asked."""
    total = read_json(call(*ESTIMATE, "--json").out)["totals"]["together"]["month"]["effective_cost"]
    rows = list(csv.DictReader(io.StringIO(call(*ESTIMATE, "--csv").out)))
    assert sum(Decimal(row["EffectiveCost"]) for row in rows) == total
    book, page = tmp_path / "estimate.xlsx", tmp_path / "estimate.html"
    done = call(*ESTIMATE, "--xlsx", str(book), "--html", str(page))
    assert done.code == ExitCode.DONE
    assert f"${total:,.0f} a month" in done.out
    assert f"${total:,.0f}" in page.read_text()
    assert zipfile.is_zipfile(book)
    assert done.err.count("wrote ") == 2


def test_a_graph_file_gives_what_the_reviewed_graph_gives(call: Call, tmp_path: Path) -> None:
    """`env graph prod --json > FILE` and `--graph FILE`: the same lines as without."""
    from nottermost_platform.graph import encode
    from nottermost_platform.preview import select_stack
    from nottermost_platform.testing import graph_of

    path = tmp_path / "prod.json"
    path.write_bytes(encode(select_stack(graph_of("prod"), None)))
    assert call(*ESTIMATE, "--graph", str(path), "--csv").out == call(*ESTIMATE, "--csv").out


def test_an_estimate_and_its_export_are_one(call: Call, tmp_path: Path) -> None:
    """Estimate, FOCUS file, import: the same list, contracted and effective totals to the last digit."""
    path = tmp_path / "focus.csv"
    path.write_text(call(*ESTIMATE, "--terms", "committed", "--csv").out)
    estimated = read_json(call(*ESTIMATE, "--terms", "committed", "--json").out)["totals"]["together"]["month"]
    imported = read_json(call("actual", str(path), "--json").out)
    for cost in ("list_cost", "contracted_cost", "effective_cost"):
        assert imported[cost] == estimated[cost]


def test_choices_reach_the_estimate(call: Call) -> None:
    """Layout, sizing, store, month, alone and free tier each change the total the way they should."""

    def total(*more: str) -> Decimal:
        found = read_json(call(*ESTIMATE, *more, "--json").out)
        return Decimal(found["totals"]["together"]["month"]["effective_cost"])

    base = total()
    assert total("--layout", "one") < base < total("--layout", "three") < total("--layout", "five")
    assert total("--scenario", "mvp", "--sizing", "declared") < total("--scenario", "mvp")
    assert total("--month", "1") < base < total("--month", "60")
    assert total("--alone") < base
    assert total("--free-tier") < base
    assert total("--terms", "committed") < base
    assert total("--store", "dynamodb-single") < base


def test_the_table_says_what_finance_asks_first(call: Call) -> None:
    """Totals, shares by source, what is missing, and the largest lines; every line on request."""
    out = call(*ESTIMATE).out
    for words in ("a month", "a year", "By service", "By owner", "daily active user", "Not priced", "assumed"):
        assert words in out
    assert call(*ESTIMATE, "--lines").out.count("\n") > out.count("\n") + 300


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("estimate", "prod", "--scenario", "nowhere"), 1, "there is no scenario nowhere: name one of 100m, growth"),
        (("estimate", "moon", "--scenario", "growth"), 1, "there is no graph at"),
        (("estimate", "prod", "--scenario", "growth", "--strict"), 1, "assumed prices"),
        (("estimate", "prod", "--scenario", "growth", "--json", "--csv"), 2, "exclude each other"),
        (("estimate", "prod", "--scenario", "growth", "--xlsx", "/nowhere/at/all.xlsx"), 2, "cannot write"),
        (("estimate", "prod", "--scenario", "growth", "--month", "0"), 1, "before the launch"),
        (("estimate", "prod"), 2, "--scenario"),
        (("price", "nowhere.csv"), 1, "nowhere.csv"),
        (("actual", "nowhere.csv"), 1, "nowhere.csv"),
        (("prices", "unobtainium"), 1, "unobtainium"),
        (("reproduce", "1b-dau"), 1, "1b-dau"),
        (("breakeven", "everything"), 1, "everything"),
        (("compare", "prod@nowhere", "prod"), 1, "nowhere"),
    ],
)
def test_what_is_wrong_is_one_sentence(call: Call, arguments: tuple[str, ...], code: int, said: str) -> None:
    """Exit 1 for what cannot be done, 2 for wrong usage; nothing on stdout that looks like a result."""
    done = call(*arguments)
    assert (done.code, done.out) == (code, "")
    assert said in done.err


def test_choices_are_the_models() -> None:
    """The command line names layouts, sizings and stores itself, so that --help stays quick; they are the same."""
    assert [*LayoutName] == [*Layout]
    assert [*SizingName] == [*Sizing]
    assert tuple(StoreName) == STORES


# --- prices ---------------------------------------------------------------------------------------


def test_bare_lines_are_priced(call: Call, write: Write) -> None:
    """Each line walks its tiers alone; the grand total is a number."""
    path = write(
        "sku_key,region,quantity,unit,label\n"
        "apigw.ws.messages,us-east-1,1500,1M messages,messages\n"
        "apigw.ws.connection_minutes,us-east-1,10,1M minutes,\n"
        "nat.hour,eu-west-1,730,,\n"
    )
    found = read_json(call("price", path, "--json").out)
    assert [line["cost_usd"] for line in found["lines"]] == [1400, Decimal("2.5"), Decimal("35.04")]
    assert found["total_usd"] == Decimal("1437.54")
    assert "total 1,437.54 USD" in call("price", path).out


def test_every_bad_line_is_listed_and_nothing_is_priced(call: Call, write: Write) -> None:
    """An unknown key, an unknown region, a negative and an unreadable quantity, a wrong unit: exit 1, all of them."""
    path = write(
        "sku_key,region,quantity,unit\n"
        "nat.hour,us-east-1,730,hour\n"
        "nat.minute,us-east-1,1,\n"
        "nat.hour,mars-north-1,1,\n"
        "nat.hour,us-east-1,-1,\n"
        "nat.hour,us-east-1,many,\n"
        "nat.hour,us-east-1,1,GB\n"
    )
    done = call("price", path, "--json")
    assert (done.code, done.out) == (ExitCode.FAILED, "")
    for line in range(3, 8):
        assert f"line {line}:" in done.err
    assert "line 2:" not in done.err


def test_a_price_has_its_day(call: Call, write: Write) -> None:
    """DynamoDB before and after its cut."""
    path = write(
        "sku_key,region,quantity,effective_on\n"
        "ddb.ondemand.wru,us-east-1,120000,2024-10-31\n"
        "ddb.ondemand.wru,us-east-1,120000,2024-11-01\n"
    )
    assert [line["cost_usd"] for line in read_json(call("price", path, "--json").out)["lines"]] == [150000, 75000]


def test_the_book_can_be_searched(call: Call) -> None:
    """Prices with source and date, how old the book is, and where two regions differ."""
    out = call("prices", "nat", "--region", "eu-west-1").out
    assert "nat.hour  eu-west-1" in out
    assert "were read over a year before" in out
    assert "only in us-east-1" in call("prices", "--parity").out
    assert read_json(call("prices", "kms.key", "--json").out)["prices"]


# --- bills ----------------------------------------------------------------------------------------


def test_a_real_bill_is_imported_to_the_last_digit(call: Call) -> None:
    """The public sample of a cost and usage report."""
    found = read_json(call("actual", str(require_shared("aws-cur-legacy-sample.csv")), "--json").out)
    assert found["rows"] == 1281
    assert found["billed_cost"] == Decimal("1.68230869740")
    assert {"effective_cost", "by_provider", "anomalies"} <= found.keys()


def test_a_bill_is_held_against_the_estimate(call: Call, tmp_path: Path) -> None:
    """An estimate's own export has no variance; a bill of something else is not in the estimate."""
    path = tmp_path / "focus.csv"
    path.write_text(call(*ESTIMATE, "--csv").out)
    against = ("--against", "prod", "--scenario", "launch")
    found = read_json(call("actual", str(path), *against, "--json").out)
    assert found["variance"]["total"]["actual"] == found["variance"]["total"]["estimated"]
    assert "against the estimate" in call("actual", str(path), *against).out


# --- what finance asks next -----------------------------------------------------------------------


def test_budgets_hold(call: Call) -> None:
    """The committed budgets are kept by the committed estimates, and a crossed one exits 3."""
    assert call("budgets").code == ExitCode.DONE


def test_generated_files_are_fresh(call: Call) -> None:
    """Estimates, the page about a hundred million users and the schemas are what the code gives."""
    done = call("docs", "--check")
    assert (done.code, done.err) == (ExitCode.DONE, "")


def test_sensitivity_repeats(call: Call) -> None:
    """The same seed, the same numbers; as text and as JSON."""
    asked = ("sensitivity", "prod", "--scenario", "launch", "--samples", "50", "--day", "2026-11-21")
    assert call(*asked).out == call(*asked).out
    assert "List dollars by price source: primary" in call(*asked).out
    assert "assumed" in read_json(call(*asked, "--json").out)["list_by_source"]
    assert read_json(call(*asked, "--json").out)["samples"] == 50
