"""An estimate is a FOCUS file, and imported again it is the same money."""

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from nottermost_cost.bill import Bill, CostType, Dimension, load_bill
from nottermost_cost.bill.testing import make_estimate, make_line
from nottermost_cost.estimate import Commitment, Estimate, Line
from nottermost_cost.focus import COLUMNS, ESTIMATE_COLUMNS, plain, rows_of, write_focus
from nottermost_cost.numeric import sum_exact

amounts = st.decimals(min_value=0, max_value=10**12, places=18)
lines = st.builds(
    make_line,
    st.sampled_from(["ddb.write", "ddb.read", "s3.storage"]),
    amounts,
    price=st.decimals(min_value=0, max_value=1000, places=10),
    contracted=amounts,
    effective=amounts,
    service=st.sampled_from(["Amazon DynamoDB", "Amazon Simple Storage Service"]),
    region=st.sampled_from(["us-east-1", "eu-west-1", "global"]),
    environment=st.sampled_from(["prod", "staging"]),
    tags=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)


def reimport(estimate: Estimate) -> Bill:
    """The estimate, written and imported."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "estimate.csv"
        path.write_text(write_focus(rows_of(estimate)), encoding="utf-8")
        return load_bill(path)


def cells(line: Line, *commitments: Commitment) -> dict[str, str]:
    """The one row of an estimate with one line."""
    text = write_focus(rows_of(make_estimate([line], commitments)))
    (row,) = csv.DictReader(io.StringIO(text))
    return row


@given(st.lists(lines, min_size=1, max_size=8))
def test_an_estimate_imported_again_costs_the_same(listed: list[Line]) -> None:
    """List, contracted and effective cost are equal to the last digit, altogether and by service."""
    bill = reimport(make_estimate(listed))
    assert bill.rows == len(listed)
    assert bill.total(CostType.LIST) == sum_exact(line.list_cost for line in listed)
    assert bill.total(CostType.CONTRACTED) == sum_exact(line.contracted_cost for line in listed)
    assert bill.effective_cost == sum_exact(line.effective_cost for line in listed)
    for service, cost in bill.by(Dimension.SERVICE, CostType.LIST).items():
        assert cost == sum_exact(line.list_cost for line in listed if line.service == service)


def test_an_estimate_was_not_billed() -> None:
    """BilledCost is for what was billed: there is no such column, and the import says None and not zero."""
    assert "BilledCost" not in ESTIMATE_COLUMNS
    bill = reimport(make_estimate([make_line("ddb.write", Decimal(3))]))
    assert bill.billed_cost is None
    assert bill.anomalies == () or {each.code for each in bill.anomalies} <= {"tags_as_text"}
    assert [(month.month, month.complete) for month in bill.months] == [("2026-12", True)]
    assert bill.months[0].last == datetime(2027, 1, 1, tzinfo=UTC)


def test_columns_are_those_of_focus_and_our_own_begin_with_x() -> None:
    """FOCUS 1.2 has 57 columns; anything else has the prefix for custom columns."""
    assert len(COLUMNS) == 57
    assert {name for name in ESTIMATE_COLUMNS if name not in COLUMNS} == {
        "x_Origin", "x_Confidence", "x_Driver", "x_Source",
    }  # fmt: skip


def test_a_row_leads_back_to_the_resource_and_the_price() -> None:
    """Key, URN, tags, price SKU and source are all in the row."""
    urn = "urn:pulumi:prod-us-east-1::nottermost-data::pkg:Stores$aws:dynamodb/table:Table::messages"
    line = make_line("ddb.write", Decimal("2.50"), price=Decimal("0.5"), sku="ABC", urn=urn, tags={"owner": "chat"})
    row = cells(line)
    assert (row["SkuId"], row["SkuPriceId"], row["x_Source"]) == ("ddb.write", "ABC", "list of ddb.write")
    assert (row["ResourceId"], row["ResourceName"], row["ResourceType"]) == (
        urn,
        "messages",
        "aws:dynamodb/table:Table",
    )
    assert json.loads(row["Tags"]) == {"owner": "chat"}
    assert (row["PricingQuantity"], row["ListUnitPrice"], row["ListCost"]) == ("2.5", "0.5", "1.25")
    assert (row["RegionId"], row["RegionName"], row["SubAccountName"]) == ("us-east-1", "US East (N. Virginia)", "prod")


def test_the_unused_part_of_a_commitment_is_marked() -> None:
    """Its line is Unused and names the commitment, as FOCUS wants it."""
    nothing = Decimal(0)
    plan = Commitment("plan", "Amazon DynamoDB", nothing, nothing, nothing, nothing, nothing, "")
    line = make_line("plan", Decimal(7), price=nothing, effective=Decimal(7), unit="USD")
    row = cells(line, plan)
    assert (row["CommitmentDiscountId"], row["CommitmentDiscountStatus"]) == ("plan", "Unused")
    assert (row["ListCost"], row["EffectiveCost"], row["PricingCategory"]) == ("0", "7", "Committed")


@given(st.decimals(allow_nan=False, allow_infinity=False, places=20, min_value=-(10**20), max_value=10**20))
def test_plain_text_loses_nothing(value: Decimal) -> None:
    """No exponent, no padding, the same number."""
    text = plain(value)
    assert Decimal(text) == value
    assert "E" not in text
    assert not ("." in text and text.endswith(("0", ".")))
