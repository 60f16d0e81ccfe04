"""Why a bill differs from the estimate, in parts that add up."""

import json
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nottermost_cost.bill import Bill, CostType, actual_json, load_bill
from nottermost_cost.bill.testing import cur_row, focus_row, make_estimate, make_line, write_rows
from nottermost_cost.errors import BillError
from nottermost_cost.estimate import Line
from nottermost_cost.focus import rows_of, write_focus
from nottermost_cost.numeric import sum_exact
from nottermost_cost.variance import ServiceVariance, Variance, compare_bill, render_variance

WHOLE = {"ChargePeriodStart": "2026-11-01T00:00:00Z", "ChargePeriodEnd": "2026-12-01T00:00:00Z"}


def billed(path: Path, *rows: dict[str, str]) -> Bill:
    """An imported bill of these rows."""
    return load_bill(write_rows(path / "bill.csv", [row | WHOLE for row in rows]))


def compared(path: Path, line: Line, *rows: dict[str, str]) -> ServiceVariance:
    """The one service of a bill and an estimate of one line."""
    (service,) = compare_bill(billed(path, *rows), make_estimate([line])).services
    return service


def parts(each: ServiceVariance) -> dict[str, Decimal]:
    """Those that are not zero."""
    names = ("price", "quantity", "not_in_estimate", "not_billed", "unmatched")
    return {name: getattr(each, name) for name in names if getattr(each, name)}


def usage(cost: str, quantity: str, **cells: str) -> dict[str, str]:
    """A billed row of the key `ddb.write`."""
    return focus_row(EffectiveCost=cost, PricingQuantity=quantity, **{"SkuId": "ddb.write"} | cells)


def test_price_and_quantity_are_told_apart(tmp_path: Path) -> None:
    """10 units at 2 were estimated, 12 at 3 billed: a dollar on each of 12, and two more at 2."""
    line = make_line("ddb.write", Decimal(10), price=Decimal(2))
    found = compared(tmp_path, line, usage("36", "12"))
    assert [found.estimated, found.actual] == [20, 36]
    assert parts(found) == {"price": 12, "quantity": 4}


def test_a_sku_of_aws_is_a_price_key(tmp_path: Path) -> None:
    """The price's own SKU joins, in the unit that the bill counts in."""
    line = make_line("ddb.write", Decimal(2), price=Decimal(5), sku="A1B2", unit="1M WRU")
    row = usage("15", "3000000", SkuId="", SkuPriceId="A1B2.JRTC.6YS6", PricingUnit="WriteRequestUnits")
    assert parts(compared(tmp_path, line, row)) == {"quantity": 5}


def test_a_report_joins_by_its_sku(tmp_path: Path) -> None:
    """`product/sku` and `pricing/unit` of a cost and usage report."""
    line = make_line("ec2.hour", Decimal(100), price=Decimal(1), sku="A1B2", service="Amazon Elastic Compute Cloud")
    row = cur_row(
        lineItem_UnblendedCost="90",
        lineItem_UsageAmount="100",
        lineItem_ProductCode="AmazonEC2",
        product_sku="A1B2",
        pricing_unit="Hrs",
    )
    (found,) = compare_bill(load_bill(write_rows(tmp_path / "bill.csv", [row])), make_estimate([line])).services
    assert parts(found) == {"price": -10}


def test_the_same_key_in_another_region_was_not_estimated(tmp_path: Path) -> None:
    """A key joins in its region only: here both sides are left over in one service."""
    line = make_line("ddb.write", Decimal(10), price=Decimal(2))
    assert parts(compared(tmp_path, line, usage("36", "12", RegionId="eu-west-1"))) == {"unmatched": 16}


def test_a_service_on_one_side_only(tmp_path: Path) -> None:
    """Billed without an estimate, and estimated without a bill."""
    bill = billed(tmp_path, focus_row(ServiceName="Amazon Kinesis", EffectiveCost="7"))
    found = {
        each.service: parts(each) for each in compare_bill(bill, make_estimate([make_line("a", Decimal(3))])).services
    }
    assert found == {"Amazon Kinesis": {"not_in_estimate": 7}, "Amazon DynamoDB": {"not_billed": -3}}


def test_tax_and_credits_are_never_estimated(tmp_path: Path) -> None:
    """They stand beside what can be compared."""
    line = make_line("ddb.write", Decimal(10), price=Decimal(2))
    rows = (
        usage("20", "10"),
        usage("4", "1", ChargeCategory="Tax", SkuId=""),
        usage("-1", "1", ChargeCategory="Credit"),
    )
    assert parts(compared(tmp_path, line, *rows)) == {"not_in_estimate": 3}


def test_another_unit_is_not_split(tmp_path: Path) -> None:
    """A quantity in a unit of its own says nothing about the price."""
    line = make_line("ddb.write", Decimal(10), price=Decimal(2))
    assert parts(compared(tmp_path, line, usage("30", "12", PricingUnit="furlong"))) == {"unmatched": 10}


def test_an_estimate_that_came_true_has_no_variance(tmp_path: Path) -> None:
    """Its own file as the bill: nothing differs, in any cost that both tell."""
    estimate = make_estimate(
        [
            make_line("ddb.write", Decimal("3.7"), price=Decimal("0.3"), effective=Decimal(1)),
            make_line("ddb.write", Decimal("1.1"), price=Decimal("0.3"), region="eu-west-1", environment="staging"),
            make_line("s3.storage", Decimal(0), service="Amazon Simple Storage Service"),
        ]
    )
    path = tmp_path / "estimate.csv"
    path.write_text(write_focus(rows_of(estimate)), encoding="utf-8")
    for cost in (CostType.EFFECTIVE, CostType.CONTRACTED, CostType.LIST):
        variance = compare_bill(load_bill(path), estimate, cost)
        assert [parts(each) for each in (*variance.services, variance.total)] == [{}, {}, {}]
        assert variance.notes == ()


def test_incomplete_months_are_named_and_nothing_is_scaled(tmp_path: Path) -> None:
    """A bill of one hour stands beside the whole month, and the reader is told."""
    bill = load_bill(write_rows(tmp_path / "bill.csv", [usage("1", "1")]))
    variance = compare_bill(bill, make_estimate([make_line("ddb.write", Decimal(730))]))
    assert variance.total.estimated == 730
    (note,) = variance.notes
    assert note.startswith("2026-11 (usage from 2026-11-01 00:00 to 2026-11-01 01:00, incomplete): nothing is scaled")


def test_the_estimate_counts_once_for_each_billed_month(tmp_path: Path) -> None:
    """Two months of bills are compared with two months of estimate."""
    rows = [
        usage("10", "10") | WHOLE,
        usage("10", "10")
        | {"BillingPeriodStart": "2026-12-01T00:00:00Z", "ChargePeriodStart": "2026-12-01T00:00:00Z"}
        | {"ChargePeriodEnd": "2027-01-01T00:00:00Z"},
    ]
    bill = load_bill(write_rows(tmp_path / "bill.csv", rows))
    variance = compare_bill(bill, make_estimate([make_line("ddb.write", Decimal(10))]))
    assert variance.times == 2
    assert variance.total.difference == 0
    assert variance.notes == ("the bill has 2 months: the monthly estimate is counted 2 times",)


@pytest.mark.parametrize("cost", [CostType.BILLED, CostType.BLENDED])
def test_only_costs_that_both_tell_are_compared(tmp_path: Path, cost: CostType) -> None:
    """Nothing is billed in an estimate."""
    with pytest.raises(BillError, match="compare effective or contracted or list"):
        compare_bill(billed(tmp_path, focus_row()), make_estimate([]), cost)


amounts = st.decimals(min_value=0, max_value=10**9, places=12)
signed = st.decimals(min_value=-(10**9), max_value=10**9, places=12)
keys = st.sampled_from(["ddb.write", "ddb.read", "s3.storage"])
services = st.sampled_from(["Amazon DynamoDB", "Amazon Simple Storage Service", "Amazon Kinesis"])
regions = st.sampled_from(["us-east-1", "eu-west-1"])
lines = st.builds(make_line, keys, amounts, price=amounts, service=services, region=regions)
rows = st.builds(
    lambda key, cost, quantity, service, region, category, unit: focus_row(
        SkuId=key, EffectiveCost=str(cost), PricingQuantity=str(quantity), ServiceName=service, RegionId=region,
        ChargeCategory=category, PricingUnit=unit,
    ),
    keys | st.just("unknown"), signed, signed, services, regions, st.sampled_from(["Usage", "Tax", "Purchase"]),
    st.sampled_from(["hour", "Hrs", "GB"]),
)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(lines, max_size=6), st.lists(rows, min_size=1, max_size=8))
def test_the_parts_add_up_to_the_difference(estimated: list[Line], actual: list[dict[str, str]]) -> None:
    """By service and altogether, to the last digit, and no money of either side is lost."""
    with TemporaryDirectory() as folder:
        bill = billed(Path(folder), *actual)
    variance: Variance = compare_bill(bill, make_estimate(estimated))
    for each in (*variance.services, variance.total):
        assert sum_exact(parts(each).values()) == each.difference
    assert variance.total.estimated == sum_exact(line.effective_cost for line in estimated)
    assert variance.total.actual == bill.effective_cost


def test_the_table_has_the_largest_difference_first(tmp_path: Path) -> None:
    """Aligned, in cents, with a total."""
    bill = billed(tmp_path, focus_row(ServiceName="Amazon Kinesis", EffectiveCost="7000"), usage("36", "12"))
    estimate = make_estimate([make_line("ddb.write", Decimal(10), price=Decimal(2))])
    caption, _, table = render_variance(compare_bill(bill, estimate))
    assert caption == "bill.csv against the estimate, effective cost, USD"
    head, rule, *services, _, total = table.splitlines()
    assert [line.split("  ")[0] for line in (head, *services)] == ["service", "Amazon Kinesis", "Amazon DynamoDB"]
    amounts = ["$20.00", "$7,036.00", "$7,016.00", "$12.00", "$4.00", "$7,000.00", "$0.00", "$0.00"]
    assert total.split() == ["total", *amounts]
    assert {len(line) for line in (head, *services, total)} == {len(rule)}


def test_json_holds_the_variance_beside_the_bill(tmp_path: Path) -> None:
    """The same amounts, for a program."""
    bill = billed(tmp_path, usage("36", "12"))
    variance = compare_bill(bill, make_estimate([make_line("ddb.write", Decimal(10), price=Decimal(2))]))
    result = json.loads(actual_json(bill, variance))
    assert result["effective_cost"] == 36
    (service,) = result["variance"]["services"]
    assert (service["difference"], service["price"], service["quantity"]) == (16, 12, 4)
