"""An estimate in the columns of FOCUS 1.2, so that estimate and bill are one table.

BilledCost is for what was really billed: an estimate has none. Columns of our own begin with `x_`.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Final

import msgspec

from nottermost_cost.charges import Part
from nottermost_cost.estimate import Estimate, Line
from nottermost_cost.pricebook import Confidence
from nottermost_cost.services import category_of

COLUMNS: Final = frozenset(
    (  # of FOCUS 1.2; 1.0 and 1.1 have none beyond them
        "AvailabilityZone", "BilledCost", "BillingAccountId", "BillingAccountName", "BillingAccountType",
        "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart", "CapacityReservationId",
        "CapacityReservationStatus", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency",
        "ChargePeriodEnd", "ChargePeriodStart", "CommitmentDiscountCategory", "CommitmentDiscountId",
        "CommitmentDiscountName", "CommitmentDiscountQuantity", "CommitmentDiscountStatus",
        "CommitmentDiscountType", "CommitmentDiscountUnit", "ConsumedQuantity", "ConsumedUnit", "ContractedCost",
        "ContractedUnitPrice", "EffectiveCost", "InvoiceId", "InvoiceIssuerName", "ListCost", "ListUnitPrice",
        "PricingCategory", "PricingCurrency", "PricingCurrencyContractedUnitPrice",
        "PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice", "PricingQuantity", "PricingUnit",
        "ProviderName", "PublisherName", "RegionId", "RegionName", "ResourceId", "ResourceName", "ResourceType",
        "ServiceCategory", "ServiceName", "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails",
        "SkuPriceId", "SubAccountId", "SubAccountName", "SubAccountType", "Tags",
    )
)  # fmt: skip

MANDATORY: Final = (  # in every version since 1.0
    "BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory",
    "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost", "EffectiveCost",
    "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName",
    "ServiceCategory", "ServiceName",
)  # fmt: skip

_REGION_NAMES: Final = {
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-2": "US West (Oregon)",
    "eu-west-1": "Europe (Ireland)",
    "eu-central-1": "Europe (Frankfurt)",
    "ap-southeast-1": "Asia Pacific (Singapore)",
    "ap-northeast-1": "Asia Pacific (Tokyo)",
    "ap-south-1": "Asia Pacific (Mumbai)",
    "sa-east-1": "South America (Sao Paulo)",
}


def _column(field: str) -> str:
    """`sku_id` is SkuId, `x_origin` is x_Origin."""
    prefix, name = ("x_", field[2:]) if field.startswith("x_") else ("", field)
    return prefix + "".join(word.capitalize() for word in name.split("_"))


class FocusRow(msgspec.Struct, frozen=True, kw_only=True, rename=_column):
    """One row with the columns that an estimate fills.

    Quantities are in price units and for one month; unit prices are averages over the bands of the price,
    None without a quantity. Text that is not known is "".
    """

    billing_currency: str = "USD"
    billing_period_start: str
    billing_period_end: str
    charge_category: str = "Usage"
    charge_description: str
    charge_period_start: str
    charge_period_end: str
    commitment_discount_id: str
    commitment_discount_name: str
    commitment_discount_status: str
    consumed_quantity: Decimal
    consumed_unit: str
    contracted_cost: Decimal
    contracted_unit_price: Decimal | None
    effective_cost: Decimal
    invoice_issuer_name: str = "AWS"
    list_cost: Decimal
    list_unit_price: Decimal | None
    pricing_category: str
    pricing_quantity: Decimal
    pricing_unit: str
    provider_name: str = "AWS"
    publisher_name: str = "AWS"
    region_id: str
    region_name: str
    resource_id: str
    resource_name: str
    resource_type: str
    service_category: str
    service_name: str
    sku_id: str
    sku_meter: str
    sku_price_id: str
    sub_account_id: str
    sub_account_name: str
    tags: dict[str, str]
    x_origin: str
    x_confidence: str
    x_driver: str
    x_source: str


ESTIMATE_COLUMNS: Final = tuple(field.encode_name for field in msgspec.structs.fields(FocusRow))


def plain(value: Decimal) -> str:
    """All digits, no exponent, no padding: 1E-9 is 0.000000001 and 2.50 is 2.5."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def write_focus(rows: Iterable[FocusRow]) -> str:
    """The rows as CSV, header first; amounts without loss, tags as a JSON object."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(ESTIMATE_COLUMNS)
    writer.writerows([_cell(value) for value in msgspec.structs.astuple(row)] for row in rows)
    return out.getvalue()


def rows_of(estimate: Estimate) -> Iterator[FocusRow]:
    """One row for each line, in the month of the estimate's day."""
    starts = estimate.day.replace(day=1)
    ends = date(starts.year + starts.month // 12, starts.month % 12 + 1, 1)
    commitments = {each.name for each in estimate.commitments}
    for line in estimate.lines:
        yield _row(line, f"{starts}T00:00:00Z", f"{ends}T00:00:00Z", commitments)


def _row(line: Line, starts: str, ends: str, commitments: set[str]) -> FocusRow:
    charge, rate = line.charge, line.rate
    quantity = Decimal(charge.quantity)
    region = charge.place or charge.region
    commitment = charge.key if charge.key in commitments else ""  # its line for what nothing uses
    _, _, urn_end = charge.urn.rpartition("$")
    resource_type, _, resource_name = urn_end.rpartition("::")
    return FocusRow(
        billing_period_start=starts,
        billing_period_end=ends,
        charge_description=f"{charge.name}, {charge.part}" if charge.part is Part.ADDED else charge.name,
        charge_period_start=starts,
        charge_period_end=ends,
        commitment_discount_id=commitment,
        commitment_discount_name=commitment,
        commitment_discount_status="Unused" if commitment else "",
        consumed_quantity=quantity,
        consumed_unit=rate.unit,
        contracted_cost=line.contracted_cost,
        contracted_unit_price=line.contracted_cost / quantity if quantity else None,
        effective_cost=line.effective_cost,
        list_cost=line.list_cost,
        list_unit_price=line.list_cost / quantity if quantity else None,
        pricing_category="Committed" if commitment else "Standard",
        pricing_quantity=quantity,
        pricing_unit=rate.unit,
        region_id=region,
        region_name=_REGION_NAMES.get(region, region),
        resource_id=charge.urn,
        resource_name=resource_name,
        resource_type=resource_type.rpartition("::")[2],
        service_category=category_of(line.service),
        service_name=line.service,
        sku_id=charge.key,
        sku_meter=rate.description,
        sku_price_id=next((band.sku for band in rate.bands if band.sku), ""),
        sub_account_id=charge.environment,
        sub_account_name=charge.environment,
        tags=dict(charge.tags),
        x_origin=charge.origin,
        x_confidence=max(line.by_confidence or (rate.confidence,), key=list(Confidence).index),
        x_driver=charge.driver,
        x_source=" | ".join(dict.fromkeys(band.source for band in rate.bands)),
    )


def _cell(value: str | Decimal | dict[str, str] | None) -> str:
    match value:
        case Decimal():
            return plain(value)
        case dict():
            return json.dumps(value, sort_keys=True, ensure_ascii=False)
        case None:
            return ""
        case _:
            return value
