"""What is odd in a bill is counted, with its rows and its money, and nothing else is."""

import csv
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from nottermost_cost.bill import Anomaly, Oddity, load_bill
from nottermost_cost.bill.anomalies import ROWS_SHOWN
from nottermost_cost.bill.testing import cur_row, focus_row, write_rows

SAMPLE = Path(__file__).parent / "bills" / "focus-1.0.csv"
Row = dict[str, str]


def odd(path: Path) -> dict[Oddity, Anomaly]:
    """What an import finds."""
    return {each.code: each for each in load_bill(path).anomalies}


def is_whole(text: str) -> bool:
    """An amount without decimals, however it is written."""
    return Decimal(text) % 1 == 0


def is_rounded(row: Row) -> bool:
    """As in the published sample: whole effective or contracted costs beside a billed cost with decimals."""
    costs = [row["EffectiveCost"], row["ContractedCost"]]
    near = [cost for cost in costs if is_whole(cost) and abs(Decimal(cost) - Decimal(row["BilledCost"])) < 1]
    return not is_whole(row["BilledCost"]) and bool(near) and row["CommitmentDiscountId"] == "NULL"


PLAIN_READINGS: dict[Oddity, Callable[[Row], bool]] = {
    Oddity.COST_ROUNDED: is_rounded,
    Oddity.LIST_COST_MISMATCH: lambda row: (
        Decimal(row["ListUnitPrice"]) * Decimal(row["PricingQuantity"]) != Decimal(row["ListCost"])
    ),
    Oddity.CREDIT: lambda row: row["ChargeCategory"] == "Credit",
    Oddity.NEGATIVE_COST: lambda row: row["ChargeCategory"] != "Credit" and row["BilledCost"].startswith("-"),
    Oddity.OTHER_MONTH: lambda row: row["ChargePeriodStart"][:7] != row["BillingPeriodStart"][:7],
    Oddity.TIME_WITHOUT_ZONE: lambda row: "Z" not in row["ChargePeriodStart"],
    Oddity.NULL_WORD: lambda row: "NULL" in row.values(),
    Oddity.NO_PRICING_CATEGORY: lambda row: row["PricingCategory"] == "",
    Oddity.UNKNOWN_SERVICE: lambda row: row["ProviderName"] != "AWS",
    Oddity.TAGS_AS_TEXT: lambda row: row["Tags"] != "NULL",
    Oddity.TAGS_EMPTY: lambda row: row["Tags"] == "NULL",
    Oddity.TAG_KEY_BLANKS: lambda row: '" org"' in row["Tags"],
}


@pytest.mark.parametrize("oddity", PLAIN_READINGS)
def test_the_sample_has_its_oddities_counted(oddity: Oddity) -> None:
    """Count, first rows and money are those of a plain reading of the file."""
    with SAMPLE.open(newline="", encoding="utf-8") as file:
        rows = [(number, row) for number, row in enumerate(csv.DictReader(file), 2) if PLAIN_READINGS[oddity](row)]
    found = odd(SAMPLE).get(oddity)
    if not rows:
        assert found is None
        return
    assert found is not None
    assert (found.count, found.rows) == (len(rows), tuple(number for number, _ in rows[:ROWS_SHOWN]))
    assert found.cost == sum((Decimal(row["BilledCost"]) for _, row in rows), Decimal(0))


def test_columns_are_noted_by_name() -> None:
    """The sample has an `Id` that FOCUS does not."""
    assert odd(SAMPLE)[Oddity.UNKNOWN_COLUMN].sentence.endswith(": Id")
    assert Oddity.MISSING_COLUMN not in odd(SAMPLE)


DECEMBER = {
    "BillingPeriodStart": "2026-12-01T00:00:00Z",
    "BillingPeriodEnd": "2027-01-01T00:00:00Z",
    "ChargePeriodStart": "2026-12-01T00:00:00Z",
    "ChargePeriodEnd": "2026-12-01T01:00:00Z",
}


@pytest.mark.parametrize(
    ("oddity", "rows"),
    [
        (Oddity.AMOUNT_FORMATTED, [focus_row(), focus_row(BilledCost="$10,000.00 ", EffectiveCost="10000")]),
        (Oddity.AMOUNT_FORMATTED, [focus_row(), focus_row(BilledCost="($1.50)", EffectiveCost="-1.5")]),
        (Oddity.COST_MISSING, [focus_row(), focus_row(BilledCost="")]),
        (Oddity.COST_MISSING, [focus_row(), focus_row(EffectiveCost="")]),
        (Oddity.COST_MISSING, [focus_row(), focus_row(ContractedCost="NULL")]),
        (Oddity.COST_MISSING, [focus_row(), focus_row(ListCost="", BilledCost="")]),
        (Oddity.COST_MISSING, [cur_row(), cur_row(lineItem_UnblendedCost="")]),
        (Oddity.UNKNOWN_CATEGORY, [focus_row(), focus_row(ChargeCategory="usage")]),
        (Oddity.UNKNOWN_CATEGORY, [focus_row(), focus_row(ChargeCategory="Refund")]),
        (Oddity.UNKNOWN_CATEGORY, [focus_row(), focus_row(ChargeCategory="")]),
        (Oddity.OTHER_MONTH, [focus_row(), focus_row(**DECEMBER)]),
        (Oddity.OTHER_MONTH, [focus_row(), focus_row(ChargePeriodEnd="2026-12-01T00:00:01Z")]),
        (Oddity.OTHER_MONTH, [focus_row(), focus_row(ChargePeriodEnd="2026-11-30T23:00:00-02:00")]),
        (Oddity.EFFECTIVE_DIFFERS, [focus_row(), focus_row(EffectiveCost="2.75")]),
        (Oddity.NEGATIVE_COST, [focus_row(), focus_row(BilledCost="-1.5", EffectiveCost="-1.5")]),
        (Oddity.CURRENCY_MISSING, [focus_row(), focus_row(BillingCurrency="")]),
        (Oddity.TIME_UNREADABLE, [focus_row(), focus_row(ChargePeriodEnd="2026-11-01T30:00:00Z")]),
        (Oddity.TIME_WITHOUT_ZONE, [focus_row(), focus_row(ChargePeriodEnd="2026-11-01 01:00:00")]),
        (Oddity.DUPLICATE_ROW, [focus_row(), focus_row()]),
        (Oddity.TAGS_UNREADABLE, [focus_row(Tags='{"a": "b"}'), focus_row(Tags="owner=chat")]),
        (Oddity.TAGS_EMPTY, [focus_row(Tags='{"a": "b"}'), focus_row(Tags="null")]),
        (
            Oddity.COMMITTED_ROW_BILLED,
            [focus_row(CommitmentDiscountStatus=""), focus_row(CommitmentDiscountStatus="Used")],
        ),
        (Oddity.UNKNOWN_SERVICE, [cur_row(), cur_row(lineItem_ProductCode="AWSGlue")]),
        (Oddity.OTHER_MONTH, [cur_row(), cur_row(lineItem_UsageStartDate="2026-12-01T00:00:00.000Z")]),
        (Oddity.CREDIT, [cur_row(), cur_row(lineItem_LineItemType="Refund", lineItem_UnblendedCost="-4")]),
    ],
)
def test_the_second_row_is_odd(tmp_path: Path, oddity: Oddity, rows: list[Row]) -> None:
    """Only that row is named, and it is counted all the same."""
    path = write_rows(tmp_path / "bill.csv", rows)
    assert load_bill(path).rows == 2
    assert (odd(path)[oddity].count, odd(path)[oddity].rows) == (1, (3,))


def test_a_plain_row_is_not_odd(tmp_path: Path) -> None:
    """No finding without a cause, in an export and in a report."""
    assert odd(write_rows(tmp_path / "focus.csv", [focus_row()])) == {}
    assert odd(write_rows(tmp_path / "cur.csv", [cur_row()])) == {}


def test_a_list_cost_that_a_report_lacks_is_not_odd(tmp_path: Path) -> None:
    """Tax and credits have no public price; an export must have one in every row."""
    rows = [cur_row(pricing_publicOnDemandCost="2"), cur_row(pricing_publicOnDemandCost="", lineItem_UnblendedCost="2")]
    assert odd(write_rows(tmp_path / "cur.csv", rows)) == {}


def test_the_month_of_most_rows_is_the_file_s(tmp_path: Path) -> None:
    """Rows of any other are named in the order of the file, each once; without a billing period the charge tells it."""
    strayed = focus_row(ChargePeriodStart="2026-10-31T23:00:00Z")
    rows = [focus_row(BilledCost="2"), focus_row(**DECEMBER), focus_row(**DECEMBER), strayed, focus_row(**DECEMBER)]
    found = odd(write_rows(tmp_path / "bill.csv", rows))[Oddity.OTHER_MONTH]
    assert (found.count, found.rows, found.cost) == (2, (2, 5), Decimal("3.5"))
    for row in rows:
        del row["BillingPeriodStart"], row["BillingPeriodEnd"]
    found = odd(write_rows(tmp_path / "bill.csv", rows))[Oddity.OTHER_MONTH]
    assert (found.count, found.rows) == (2, (2, 5))


def test_a_purchase_may_last_longer_than_its_bill(tmp_path: Path) -> None:
    """Only usage belongs to the period that it is billed in."""
    row = focus_row(ChargeCategory="Purchase", ChargePeriodEnd="2027-11-01T00:00:00Z")
    assert odd(write_rows(tmp_path / "bill.csv", [row])) == {}


def test_formatted_amounts_are_worth_what_they_say(tmp_path: Path) -> None:
    """Thousands, a sign before the dollar, and parentheses for less than nothing."""
    texts = {"$10,000.00 ": "10000", "-$5": "-5", "($1,234.50)": "-1234.5", " $ 7 ": "7"}
    for text, worth in texts.items():
        path = write_rows(tmp_path / "bill.csv", [focus_row(BilledCost=text)])
        assert load_bill(path).billed_cost == Decimal(worth)


def test_blank_rows_do_not_shift_row_numbers(tmp_path: Path) -> None:
    """They are counted apart, and the rows after them keep the numbers that a spreadsheet shows."""
    path = write_rows(tmp_path / "bill.csv", [focus_row(), focus_row(BilledCost="2", BillingCurrency="")])
    header, first, second = path.read_text(encoding="utf-8").splitlines()
    path.write_text(f"{header}\n{first}\n\n{',' * header.count(',')}\n{second}\n", encoding="utf-8")
    found = odd(path)
    assert found[Oddity.BLANK_ROW].count == 2
    assert found[Oddity.CURRENCY_MISSING].rows == (5,)
    assert load_bill(path).rows == 2


def test_line_breaks_within_cells_are_told(tmp_path: Path) -> None:
    """Row numbers are then no line numbers."""
    path = write_rows(tmp_path / "bill.csv", [focus_row(ChargeDescription="two\nlines"), focus_row()])
    assert odd(path)[Oddity.LINE_BREAK].count == 1


def test_a_commitment_that_does_not_add_up_is_named(tmp_path: Path) -> None:
    """Used and unused together are what was billed for it; what was paid once is used for longer than the bill."""
    plan = {"CommitmentDiscountId": "plan", "BilledCost": "0", "ChargeFrequency": "Usage-Based"}
    used = focus_row(**plan, CommitmentDiscountStatus="Used", EffectiveCost="3")
    unused = focus_row(**plan, CommitmentDiscountStatus="Unused", EffectiveCost="1")
    for billed, frequency, is_odd in (("4", "Recurring", False), ("5", "Recurring", True), ("50", "One-Time", False)):
        bought = {"ChargeCategory": "Purchase", "BilledCost": billed, "ChargeFrequency": frequency}
        purchase = focus_row(CommitmentDiscountStatus="", EffectiveCost="0") | plan | bought
        found = odd(write_rows(tmp_path / "bill.csv", [used, unused, purchase]))
        assert (Oddity.COMMITMENT_MISMATCH in found) is is_odd
