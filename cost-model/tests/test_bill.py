"""A bill is imported to the last row and the last digit, or refused with one sentence."""

import csv
import gzip
import json
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nottermost_cost.bill import (
    BillKind,
    CostType,
    Dimension,
    Oddity,
    actual_json,
    load_bill,
    parse_rates,
    render_actual,
    write_bill,
)
from nottermost_cost.bill.testing import cur_row, focus_row, write_rows
from nottermost_cost.errors import BillError
from nottermost_cost.numeric import exact
from nottermost_cost.testing import require_shared

SAMPLE = Path(__file__).parent / "bills" / "focus-1.0.csv"
SCENARIOS = (  # file, rows, billed, effective
    ("commitment_discount_purchase_scenario_1", 1, "8760.00", "0.00"),
    ("commitment_discount_purchase_scenario_2", 3, "3.00", "0.00"),
    ("commitment_discount_purchase_scenario_3", 4, "4381.50", "0.00"),
    ("commitment_discount_usage_scenario_1", 1, "0.00", "1.00"),
    ("commitment_discount_usage_scenario_2", 1, "0.00", "1.00"),
    ("commitment_discount_usage_scenario_3", 2, "0.00", "1.00"),
    ("commitment_discount_usage_scenario_4", 2, "0.50", "1.50"),
    ("one_hundred_percent_utilization_with_commitment_discount_flexibility_with_1_resource", 3, "2.75", "2.75"),
    ("one_hundred_percent_utilization_with_commitment_discount_flexibility_with_2_resources", 3, "2.00", "2.00"),
    ("one_hundred_percent_utilization_without_commitment_discount_flexibility", 2, "1.50", "1.50"),
    ("zero_percent_utilization_without_commitment_discount_flexibility", 3, "3.50", "3.50"),
)


# --- real files ---------------------------------------------------------------------------------


def test_the_real_cost_and_usage_report_adds_up() -> None:
    """1,281 rows of November 2023: usage and tax, and what they cost at public prices."""
    bill = load_bill(require_shared("aws-cur-legacy-sample.csv"))
    assert (bill.kind, bill.rows) == (BillKind.CUR, 1281)
    assert bill.billed_cost == Decimal("1.68230869740") == bill.effective_cost == bill.total(CostType.BLENDED)
    assert bill.total(CostType.LIST) == Decimal("3.35617269490")
    assert bill.total(CostType.CONTRACTED) is None
    assert bill.by(Dimension.CATEGORY) == {"Usage": Decimal("1.60230869740"), "Tax": Decimal("0.08")}
    assert list(bill.by(Dimension.PROVIDER)) == ["AWS"]
    assert [(month.month, month.complete) for month in bill.months] == [("2023-11", False)]


@pytest.mark.parametrize(("name", "rows", "billed", "effective"), SCENARIOS)
def test_the_tables_of_the_focus_specification_are_read(name: str, rows: int, billed: str, effective: str) -> None:
    """Also with blank lines, the word null, an hour 30 and without most columns."""
    bill = load_bill(require_shared(f"focus-spec/{name}.csv"))
    assert (bill.rows, bill.billed_cost, bill.effective_cost) == (rows, Decimal(billed), Decimal(effective))
    assert bill.kind is BillKind.FOCUS


def test_used_and_unused_are_told_apart() -> None:
    """A commitment of which three quarters were used costs nothing more where it is used."""
    (commitment,) = load_bill(require_shared("focus-spec/commitment_discount_usage_scenario_3.csv")).commitments
    assert (commitment.used, commitment.unused) == (Decimal("0.75"), Decimal("0.25"))
    assert commitment.covered_billed == commitment.purchased == 0


# --- sums ---------------------------------------------------------------------------------------


def test_the_committed_bill_is_what_the_generator_writes(tmp_path: Path) -> None:
    """The fixture can be made again, and its totals are known."""
    known = write_bill(tmp_path / "bill.csv", rows=80)
    assert (tmp_path / "bill.csv").read_bytes() == SAMPLE.read_bytes()
    bill = load_bill(SAMPLE)
    assert (bill.rows, bill.billed_cost, bill.total(CostType.LIST)) == (known.rows, known.billed, known.listed)
    assert (bill.total(CostType.CONTRACTED), bill.effective_cost) == (known.contracted, known.effective)


@pytest.mark.slow
def test_a_long_bill_adds_up_across_batches(tmp_path: Path) -> None:
    """60,000 rows are several batches; rows that come twice are found in any of them."""
    known = write_bill(tmp_path / "bill.csv", rows=60_000, seed=7)
    bill = load_bill(tmp_path / "bill.csv")
    assert (bill.rows, bill.billed_cost, bill.effective_cost) == (60_000, known.billed, known.effective)
    duplicates = next(each for each in bill.anomalies if each.code is Oddity.DUPLICATE_ROW)
    assert duplicates.count == len([number for number in range(60_000) if number % 67 == 23])


amounts = st.decimals(allow_nan=False, allow_infinity=False, places=15, min_value=-(10**9), max_value=10**9)


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            amounts,
            amounts,
            st.sampled_from(["AWS", "Oracle", "", "NULL"]),
            st.text(alphabet='a",\n\r;é ', max_size=4),
            st.sampled_from(["Usage", "Tax", "Credit"]),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_no_row_is_lost_whatever_its_cells_hold(rows: list[tuple[Decimal, Decimal, str, str, str]]) -> None:
    """Rows, totals and every breakdown are those of a plain reading, to the last digit."""
    with TemporaryDirectory() as folder:
        path = write_rows(
            Path(folder) / "bill.csv",
            (
                focus_row(
                    BilledCost=f"{billed:f}",
                    EffectiveCost=str(effective),
                    ProviderName=provider,
                    ServiceName=text,
                    ChargeCategory=category,
                )
                for billed, effective, provider, text, category in rows
            ),
        )
        bill = load_bill(path)
    assert bill.rows == len(rows)
    assert bill.billed_cost == sum((row[0] for row in rows), Decimal(0))
    assert bill.effective_cost == sum((row[1] for row in rows), Decimal(0))
    for dimension in Dimension:
        assert sum(bill.by(dimension).values(), Decimal(0)) == bill.billed_cost
    assert sum(each.rows for each in bill.sums) == len(rows)


def test_amounts_keep_every_digit(tmp_path: Path) -> None:
    """A tenth of a nanodollar beside a billion dollars, and exponents as a report writes them."""
    rows = [focus_row(BilledCost=cost) for cost in ("1000000000.0", "5.2E-9", "0.00000000000000000000000000000000001")]
    bill = load_bill(write_rows(tmp_path / "bill.csv", rows))
    assert str(bill.billed_cost) == "1000000000.00000000520000000000000000000000001"


@pytest.mark.parametrize("text", ["0E-50", "-0e99", "0." + "0" * 70, "$0." + "0" * 70, "(0)"])
def test_zero_is_zero_in_any_spelling(tmp_path: Path, text: str) -> None:
    """However many digits it has."""
    bill = load_bill(write_rows(tmp_path / "bill.csv", [focus_row(BilledCost=text)]))
    assert str(bill.billed_cost) == "0"


def test_a_formatted_amount_keeps_every_digit(tmp_path: Path) -> None:
    """Also below zero."""
    digits = "1234567890123456789012345678.123456789"
    bill = load_bill(write_rows(tmp_path / "bill.csv", [focus_row(BilledCost=f"(${digits})")]))
    assert str(bill.billed_cost) == f"-{digits}"


def test_header_names_may_have_blanks_around_them(tmp_path: Path) -> None:
    """And names within quotes may hold line breaks."""
    path = tmp_path / "bill.csv"
    path.write_bytes(HEADER.replace(b",", b" , ").replace(b"\n", b',"x_\nnote"\n') + ROW[:-1] + b",a\n")
    assert (load_bill(path).rows, load_bill(path).billed_cost) == (1, Decimal(1))


def test_the_provider_is_who_the_row_names(tmp_path: Path) -> None:
    """Without a ProviderName the next that the row has: service provider, publisher, invoice issuer."""
    rows = [
        focus_row(ProviderName="A", ServiceProviderName="B"),
        focus_row(ProviderName="", ServiceProviderName="B"),
        focus_row(ProviderName="NULL", ServiceProviderName="", PublisherName="C"),
        focus_row(ProviderName="", ServiceProviderName="", PublisherName="", InvoiceIssuerName="D"),
        focus_row(ProviderName="", ServiceProviderName="", PublisherName="", InvoiceIssuerName=""),
    ]
    bill = load_bill(write_rows(tmp_path / "bill.csv", rows))
    assert bill.rows_by(Dimension.PROVIDER) == dict.fromkeys(["", "A", "B", "C", "D"], 1)
    assert Oddity.UNKNOWN_COLUMN not in {each.code for each in bill.anomalies}
    for row in rows:
        del row["ProviderName"]
    bill = load_bill(write_rows(tmp_path / "bill.csv", rows))
    assert bill.rows_by(Dimension.PROVIDER) == {"B": 2, "": 1, "C": 1, "D": 1}


def test_compression_changes_nothing(tmp_path: Path) -> None:
    """A gzip file is known by its content, not by its name."""
    packed = tmp_path / "bill.csv"
    packed.write_bytes(gzip.compress(SAMPLE.read_bytes()))
    assert load_bill(packed).sums == load_bill(SAMPLE).sums


def test_a_quote_within_a_cell_is_a_character(tmp_path: Path) -> None:
    """Only one that opens a cell and never closes would swallow rows."""
    path = tmp_path / "bill.csv"
    path.write_bytes(HEADER + ROW.replace(b"Usage", b'5" disk') + ROW)
    assert load_bill(path).by(Dimension.CATEGORY) == {'5" disk': Decimal(1), "Usage": Decimal(1)}


def test_line_ends_and_byte_order_marks_change_nothing(tmp_path: Path) -> None:
    """As spreadsheet programs save it."""
    saved = tmp_path / "bill.csv"
    saved.write_bytes(b"\xef\xbb\xbf" + SAMPLE.read_bytes().replace(b"\n", b"\r\n"))
    assert load_bill(saved).sums == load_bill(SAMPLE).sums


def test_costs_are_told_apart_by_tag() -> None:
    """Also under a key that begins with a blank, and without the tag."""
    bill = load_bill(SAMPLE, tag_keys=("owner", "cost-center", "org"))
    with SAMPLE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for key in bill.tag_keys:
        expected: dict[str, Decimal] = {}
        for row in rows:
            tags = {} if row["Tags"] == "NULL" else json.loads(row["Tags"])
            value = {name.strip(): each for name, each in tags.items()}.get(key, "")
            expected[value] = expected.get(value, Decimal(0)) + Decimal(row["BilledCost"])
        assert bill.by_tag(key) == expected


def test_months_tell_how_much_they_cover(tmp_path: Path) -> None:
    """A month is complete when its usage reaches from its first to its last moment; tax proves nothing."""
    whole = {"ChargePeriodStart": "2026-11-01T00:00:00Z", "ChargePeriodEnd": "2026-12-01T00:00:00Z"}
    path = write_rows(tmp_path / "bill.csv", [focus_row(), focus_row(ChargeCategory="Tax", **whole)])
    assert [month.complete for month in load_bill(path).months] == [False]
    path = write_rows(tmp_path / "bill.csv", [focus_row(), focus_row(**whole)])
    assert [month.complete for month in load_bill(path).months] == [True]


# --- the cost and usage report ------------------------------------------------------------------


def test_a_savings_plan_counts_where_it_is_used(tmp_path: Path) -> None:
    """Covered usage at the plan's rate, its negation nothing, the fee with what nothing used."""
    arn = {"savingsPlan_SavingsPlanARN": "arn:sp"}
    rows = [
        cur_row(
            lineItem_LineItemType="SavingsPlanCoveredUsage", lineItem_UnblendedCost="10",
            savingsPlan_SavingsPlanEffectiveCost="7", **arn,
        ),
        cur_row(lineItem_LineItemType="SavingsPlanNegation", lineItem_UnblendedCost="-10", **arn),
        cur_row(
            lineItem_LineItemType="SavingsPlanRecurringFee", lineItem_UnblendedCost="8",
            savingsPlan_TotalCommitmentToDate="8", savingsPlan_UsedCommitment="7", **arn,
        ),
        cur_row(lineItem_UnblendedCost="3"),
    ]  # fmt: skip
    bill = load_bill(write_rows(tmp_path / "bill.csv", rows))
    assert bill.billed_cost == bill.effective_cost == 11
    (plan,) = bill.commitments
    assert [plan.used, plan.unused, plan.purchased] == [7, 1, 8]


def test_a_reservation_counts_where_it_is_used(tmp_path: Path) -> None:
    """Upfront and recurring fees become the cost of the usage and of what was not used."""
    arn = {"reservation_ReservationARN": "arn:ri"}
    rows = [
        cur_row(
            lineItem_LineItemType="DiscountedUsage", lineItem_UnblendedCost="0", reservation_EffectiveCost="5", **arn
        ),
        cur_row(
            lineItem_LineItemType="RIFee", lineItem_UnblendedCost="4",
            reservation_UnusedAmortizedUpfrontFeeForBillingPeriod="1", reservation_UnusedRecurringFee="0.5", **arn,
        ),
        cur_row(lineItem_LineItemType="Fee", lineItem_UnblendedCost="100", **arn),
    ]  # fmt: skip
    bill = load_bill(write_rows(tmp_path / "bill.csv", rows))
    assert [bill.billed_cost, bill.effective_cost] == [104, Decimal("6.5")]


def test_version_two_is_read_like_the_legacy_report(tmp_path: Path) -> None:
    """Columns in snake case and tags in one column."""
    row = {
        "bill_billing_period_start_date": "2026-11-01T00:00:00.000Z",
        "line_item_usage_account_id": "1",
        "line_item_line_item_type": "Usage",
        "line_item_usage_start_date": "2026-11-01T00:00:00.000Z",
        "line_item_product_code": "AmazonDynamoDB",
        "line_item_currency_code": "USD",
        "line_item_unblended_cost": "1.25",
        "pricing_public_on_demand_cost": "2.5",
        "product_region_code": "eu-west-1",
        "resource_tags": '{"user_cost_center": "100"}',
    }
    bill = load_bill(write_rows(tmp_path / "bill.csv", [row]), tag_keys=("cost-center",))
    assert (bill.kind, bill.billed_cost, bill.total(CostType.LIST)) == (BillKind.CUR, Decimal("1.25"), Decimal("2.5"))
    assert bill.by(Dimension.SERVICE) == {"Amazon DynamoDB": Decimal("1.25")}
    assert bill.by(Dimension.REGION) == {"eu-west-1": Decimal("1.25")}
    assert bill.by_tag("cost-center") == {"100": Decimal("1.25")}


def test_tags_of_a_legacy_report_are_columns(tmp_path: Path) -> None:
    """`resourceTags/user:owner` is the tag `owner`."""
    path = write_rows(tmp_path / "bill.csv", [cur_row() | {"resourceTags/user:owner": "chat"}])
    assert load_bill(path, tag_keys=("owner",)).by_tag("owner") == {"chat": Decimal("1.0")}


# --- currencies ---------------------------------------------------------------------------------


def test_a_currency_is_converted_at_its_dated_rate(tmp_path: Path) -> None:
    """Exactly, and the bill says at which rate of which day."""
    rows = [focus_row(BilledCost="0.1"), focus_row(BilledCost="0.1", BillingCurrency="EUR")]
    path = write_rows(tmp_path / "bill.csv", rows)
    bill = load_bill(path, parse_rates(["EUR=1.0837@2026-11-01", "GBP=1.3@2026-11-01"]))
    assert bill.billed_cost == Decimal("0.20837")
    assert list(bill.rates) == ["EUR"]
    assert "1 EUR = 1.0837 USD of 2026-11-01" in list(render_actual(bill))


def test_a_currency_without_a_rate_is_refused(tmp_path: Path) -> None:
    """The row, what it says and what to give are named."""
    for text, shown, example in (
        ("EUR", "'EUR'", "EUR"),
        ("gbp ", "'gbp '", "GBP"),
        ("\x1b[31m", r"'\x1b[31m'", "EUR"),
    ):
        path = write_rows(tmp_path / "bill.csv", [focus_row(), focus_row(BillingCurrency=text)])
        sentence = (
            f"bill.csv: row 3 is billed in {shown} and there is no dated rate for it: give one, such as {example}="
        )
        with pytest.raises(BillError, match=f"^{re.escape(sentence)}"):
            load_bill(path)


def test_a_currency_is_known_in_any_spelling(tmp_path: Path) -> None:
    """Small letters and blanks are no other currency."""
    rows = [focus_row(BillingCurrency=text, BilledCost="1") for text in ("usd", "USD ", "eur")]
    bill = load_bill(write_rows(tmp_path / "bill.csv", rows), parse_rates(["EUR=2@2026-11-01"]))
    assert (bill.billed_cost, list(bill.rates)) == (Decimal(4), ["EUR"])
    assert {each.code: each.rows for each in bill.anomalies} == {
        Oddity.CURRENCY_CONVERTED: (4,),
        Oddity.EFFECTIVE_DIFFERS: (2, 3, 4),
    }


@pytest.mark.parametrize(
    "text",
    [
        "EUR", "EUR=1.08", "EUR=0@2026-11-01", "EUR=1..8@2026-11-01", "EUR=1.08@yesterday",
        f"EUR=1.{'3' * 300}@2026-11-01",
    ],
)  # fmt: skip
def test_a_rate_needs_a_number_and_a_day(text: str) -> None:
    """What is no dated rate is refused, and so is one of so many digits that a conversion would round."""
    with pytest.raises(BillError, match=r"^rate '.{1,61}': expected one above zero"):
        parse_rates([text])


def test_the_longest_rate_converts_the_longest_amount(tmp_path: Path) -> None:
    """Without losing a digit."""
    rate, cost = "0." + "3" * 18, "0." + "7" * 58
    bill = load_bill(
        write_rows(tmp_path / "bill.csv", [focus_row(BilledCost=cost, BillingCurrency="EUR"), focus_row()]),
        parse_rates([f"EUR={rate}@2026-11-01"]),
    )
    with exact():
        assert bill.billed_cost == Decimal(cost) * Decimal(rate) + Decimal("1.5")


def test_usd_has_no_rate() -> None:
    """It is what everything is converted to."""
    with pytest.raises(BillError, match=r"^a rate for USD"):
        parse_rates(["USD=2@2026-11-01"])


def test_two_rates_of_one_currency_are_refused() -> None:
    """Which one would count would be a guess."""
    with pytest.raises(BillError, match="two rates for EUR"):
        parse_rates(["EUR=1.08@2026-11-01", "EUR=1.09@2026-11-02"])


# --- files that are refused ---------------------------------------------------------------------

HEADER = b"BilledCost,EffectiveCost,ChargeCategory,ChargePeriodStart\n"
ROW = b"1,1,Usage,2026-11-01T00:00:00Z\n"


def cut_off(data: bytes) -> bytes:
    """A download that stopped half way."""
    packed = gzip.compress(data * 1000)
    return packed[: len(packed) // 2]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", r"the file is empty"),
        (b"\n\n", r"the file is empty"),
        (HEADER, r"a header and no rows"),
        (HEADER.strip(), r"a header and no rows"),
        (HEADER + b"\n,,,\n", r"a header and no rows"),
        (HEADER[:-1] + b",Gr\xf6\xdfe\n" + ROW, r"row 1 is not UTF-8 \(byte 0xf6\): export or convert it as UTF-8"),
        (HEADER + b'1,1,"two\nlines",x\n1,1,\xff,x\n', r"row 3 is not UTF-8 \(byte 0xff\)"),
        (b"BilledCost ," + HEADER + b"1," + ROW, r"names a column twice: 'BilledCost'"),
        (HEADER + ROW + b"$1" + b"0" * 41 + b",1,Usage,x\n", r"row 3: BilledCost is '\$10000"),
        (HEADER + ROW + b"0_0,1,Usage,x\n", r"row 3: BilledCost is '0_0'"),
        (b"name,price\ntea,1\n", r"neither a FOCUS export .* its 2 columns begin with 'name, price'"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", r"UTF-16 or binary"),
        (b"PAR1abc", r"Parquet or a zip archive"),
        (b"BilledCost,ChargeCategory,ChargePeriodStart\n1,Usage,x\n", r"without the column EffectiveCost"),
        (b"lineItem/LineItemType,lineItem/UnblendedCost\n", r"lineItem/UsageStartDate, lineItem/ProductCode"),
        (b"BilledCost," + HEADER + b"1," + ROW, r"names a column twice: 'BilledCost'"),
        (HEADER + ROW + b"1,1,Usage\n" + ROW, r"row 3 has 3 columns, the header 4"),
        (HEADER + ROW * 2 + ROW[:-1] + b",x\n", r"row 4 has 5 columns, the header 4"),
        (HEADER + ROW + b"1O.5,1,Usage,2026-11-01\n", r"row 3: BilledCost is '1O\.5', expected an amount"),
        (HEADER + ROW + b"1,NaN,Usage,2026-11-01\n", r"row 3: EffectiveCost is 'NaN'"),
        (HEADER + ROW + b"1e999,1,Usage,2026-11-01\n", r"row 3: BilledCost is '1e999'"),
        (HEADER + ROW + b"1_0,1,Usage,2026-11-01\n", r"row 3: BilledCost is '1_0'"),
        (HEADER + b'\n1,"1.234,5",Usage,2026-11-01\n', r"row 3: EffectiveCost is '1\.234,5'"),
        (HEADER + ROW + b'1,1,"Usage,2026-11-01\n' + ROW, r"quote that is never closed"),
        (HEADER + ROW + b"1,1,Us\xe4ge,2026-11-01\n", r"row 3 is not UTF-8 \(byte 0xe4\)"),
        ((HEADER + ROW).decode().encode("utf-16"), r"UTF-16 or binary"),
        (cut_off(HEADER + ROW), r"gzip data are damaged or cut off"),
        (b"\x1f\x8b\x08\x00broken", r"gzip data are damaged or cut off|cannot be read"),
    ],
)
def test_a_file_that_is_no_bill_is_refused_in_one_sentence(tmp_path: Path, data: bytes, sentence: str) -> None:
    """With the file's name and, where there is one, the row at fault as a spreadsheet numbers it."""
    path = tmp_path / "bill.csv"
    path.write_bytes(data)
    with pytest.raises(BillError, match=rf"^bill\.csv: .*({sentence})") as error:
        load_bill(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_what_is_no_file_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Nothing there, or a folder."""
    path = tmp_path / "bill.csv"
    make(path)
    with pytest.raises(BillError, match=r"bill\.csv: it cannot be read"):
        load_bill(path)


# --- reports ------------------------------------------------------------------------------------


def test_json_has_the_totals_as_exact_numbers() -> None:
    """What a program needs, each cost a number or null."""
    bill = load_bill(SAMPLE, tag_keys=("owner",))
    result = json.loads(actual_json(bill), parse_float=Decimal)
    assert (result["rows"], result["billed_cost"]) == (80, bill.billed_cost)
    assert result["effective_cost"] == bill.effective_cost
    assert result["blended_cost"] is None
    assert result["by_provider"] == bill.by(Dimension.PROVIDER)
    assert result["rows_by_provider"] == {"AWS": 75, "Oracle": 1, "Microsoft": 4}
    assert result["by_tag"]["owner"] == bill.by_tag("owner")
    assert {each["code"] for each in result["anomalies"]} == {each.code for each in bill.anomalies}


def test_the_report_shows_totals_breakdowns_and_what_is_odd() -> None:
    """In cents, largest first, and every table ends with the same total."""
    text = "\n".join(render_actual(load_bill(SAMPLE, tag_keys=("owner",))))
    assert text.startswith("focus-1.0.csv: FOCUS, 80 rows, 2026-11 (usage from 2026-11-01 02:00 to ")
    totals = [line.split() for line in text.splitlines() if line.startswith("total")]
    assert totals == [["total", "$269.62", "$275.85", "$326.60"]] * (len(Dimension) + 1)
    assert text.index("AWS ") < text.index("Oracle ") < text.index("Microsoft ")
    assert "sp-0001" in text
    assert "blended     not in this file" in text
    assert "columns that FOCUS 1.2 does not have, not read: Id" in text


def test_a_long_table_is_shortened_and_still_adds_up(tmp_path: Path) -> None:
    """The smallest become one line."""
    rows = [focus_row(ServiceName=f"service {number}", BilledCost=str(number)) for number in range(1, 41)]
    text = "\n".join(render_actual(load_bill(write_rows(tmp_path / "bill.csv", rows))))
    assert "25 others" in text
    assert "service 40 " in text
    assert "service 25 " not in text
    assert "$820.00" in text


def test_names_do_not_control_a_terminal(tmp_path: Path) -> None:
    """What would clear the screen, break a line or turn text around is shown as one replaced character."""
    names = {"ServiceName": "a\x1b[2Jb", "ProviderName": "c\nd", "SubAccountId": "e\u202ef", "RegionId": "g\x9bh"}
    path = write_rows(
        tmp_path / "bill.csv", [focus_row(**names, Tags='{"owner": "i\\rj"}', CommitmentDiscountId="k\x07l")]
    )
    text = "\n".join(render_actual(load_bill(path, tag_keys=("owner",))))
    assert not [each for each in text if not each.isprintable() and each != "\n"]
    for shown in (
        "a\N{REPLACEMENT CHARACTER}[2Jb",
        *(f"{a}\N{REPLACEMENT CHARACTER}{b}" for a, b in ("cd", "ef", "gh", "ij", "kl")),
    ):
        assert shown in text


def test_a_bill_without_oddities_says_so(tmp_path: Path) -> None:
    """Nothing odd is a finding too."""
    lines = list(render_actual(load_bill(write_rows(tmp_path / "bill.csv", [focus_row()]))))
    assert lines[-1] == "nothing odd"
