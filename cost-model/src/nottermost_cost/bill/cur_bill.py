"""Rows of AWS's cost and usage report: the legacy one (`lineItem/UnblendedCost`) and 2.0 (`line_item_unblended_cost`).

Its costs by FOCUS name: BilledCost is the unblended cost, ListCost the public on-demand cost. The report has no
contracted cost. Its effective cost is the unblended one, except where a Savings Plan or a reservation pays: there it
is the plan's or the reservation's effective cost, fees count with the part that nothing used, and upfront fees and
the negation of covered usage count nothing, because the effective cost of the usage holds them.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import numpy as np

from nottermost_cost.bill.amounts import Amounts, parse_amounts
from nottermost_cost.bill.reading import Batch, Texts
from nottermost_cost.bill.rows import BLENDED_COST, QUANTITY, Rows, coalesce, find
from nottermost_cost.numeric import exact
from nottermost_cost.services import name_of_code

_TYPE: Final = "lineItem/LineItemType"
_COST: Final = "lineItem/UnblendedCost"
REQUIRED: Final = (_TYPE, "lineItem/UsageStartDate", "lineItem/ProductCode", _COST)

_RENAMED: Final = {
    "BillingPeriodStart": "bill/BillingPeriodStartDate",
    "BillingPeriodEnd": "bill/BillingPeriodEndDate",
    "ChargePeriodStart": "lineItem/UsageStartDate",
    "ChargePeriodEnd": "lineItem/UsageEndDate",
    "BillingCurrency": "lineItem/CurrencyCode",
    "SubAccountId": "lineItem/UsageAccountId",
    "SkuId": "product/sku",
    "PricingUnit": "pricing/unit",
    "ResourceId": "lineItem/ResourceId",
}
_AMOUNTS: Final = {
    "BilledCost": _COST,
    BLENDED_COST: "lineItem/BlendedCost",
    "ListCost": "pricing/publicOnDemandCost",
    QUANTITY: "lineItem/UsageAmount",
}
_CATEGORIES: Final = {
    "Usage": "Usage",
    "DiscountedUsage": "Usage",
    "SavingsPlanCoveredUsage": "Usage",
    "SavingsPlanNegation": "Usage",  # takes back what the covered usage would have cost
    "Fee": "Purchase",
    "RIFee": "Purchase",
    "SavingsPlanUpfrontFee": "Purchase",
    "SavingsPlanRecurringFee": "Purchase",
    "Tax": "Tax",
    "Credit": "Credit",
    "Refund": "Credit",
}  # any other, such as the discounts, is an adjustment
_COVERED: Final = ("DiscountedUsage", "SavingsPlanCoveredUsage")
_ONCE: Final = ("Fee", "SavingsPlanUpfrontFee")
_RESERVATION: Final = "reservation/ReservationARN"

# By line item type, the effective cost: columns that are added, columns that are subtracted.
_EFFECTIVE: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "SavingsPlanCoveredUsage": (("savingsPlan/SavingsPlanEffectiveCost",), ()),
    "SavingsPlanNegation": ((), ()),
    "SavingsPlanUpfrontFee": ((), ()),
    "SavingsPlanRecurringFee": (("savingsPlan/TotalCommitmentToDate",), ("savingsPlan/UsedCommitment",)),
    "DiscountedUsage": (("reservation/EffectiveCost",), ()),
    "RIFee": (("reservation/UnusedAmortizedUpfrontFeeForBillingPeriod", "reservation/UnusedRecurringFee"), ()),
}


def legacy_name(column: str) -> str:
    """The key under which a column of either version is found: `line_item_unblended_cost` for both."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])|(?<=[A-Z])([A-Z])", r"_\1\2", column.replace("/", "_")).lower()


def missing_columns(header: Sequence[str]) -> list[str]:
    """What a report cannot be read without."""
    found = {legacy_name(name) for name in header}
    return [name for name in REQUIRED if legacy_name(name) not in found]


def read_cur(batch: Batch) -> Rows:
    """Raises: BillError with the row of an amount that is no number."""
    report = Batch(batch.numbers, {legacy_name(name): column for name, column in batch.columns.items()})

    def texts(name: str) -> Texts:
        return report.texts(legacy_name(name))

    kinds = texts(_TYPE)
    columns = {focus: texts(name) for focus, name in _RENAMED.items()} | {
        "ProviderName": texts("bill/BillingEntity").map(lambda text: text or "AWS"),
        "RegionId": coalesce(texts("product/regionCode"), texts("product/region")),
        "ServiceName": coalesce(texts("product/servicecode"), texts("lineItem/ProductCode")).map(name_of_code),
        "ChargeCategory": kinds.map(lambda kind: _CATEGORIES.get(kind, "Adjustment")),
        "ChargeFrequency": kinds.map(lambda kind: "One-Time" if kind in _ONCE else "Usage-Based"),
        "CommitmentDiscountId": coalesce(texts("savingsPlan/SavingsPlanARN"), texts(_RESERVATION)),
        "CommitmentDiscountStatus": kinds.map(lambda kind: "Used" if kind in _COVERED else ""),
        "Tags": texts("resource_tags"),
    }
    columns |= {name: column for name, column in batch.columns.items() if name.startswith("resourceTags/")}
    amounts = {
        focus: parse_amounts(texts(name), name, batch.numbers)
        for focus, name in _AMOUNTS.items()
        if legacy_name(name) in report.columns
    }
    amounts["EffectiveCost"] = _effective(report, kinds, amounts["BilledCost"])
    return Rows(batch.numbers, columns, batch.blank, amounts=amounts)


def _effective(report: Batch, kinds: Texts, billed: Amounts) -> Amounts:
    """By row; rows whose columns the report lacks keep their unblended cost."""
    values = billed.values.copy()
    for kind, (added, taken) in _EFFECTIVE.items():
        rows = find(kinds, kind)
        if not rows.any() or not all(legacy_name(name) in report.columns for name in added + taken):
            continue
        part = np.full(len(report), Decimal(0), dtype=object)
        with exact():
            for sign, names in ((1, added), (-1, taken)):
                for name in names:
                    part = part + sign * parse_amounts(report.texts(legacy_name(name)), name, report.numbers).values
        values[rows] = part[rows]
    values[find(kinds, "Fee") & ~report.texts(legacy_name(_RESERVATION)).is_empty] = Decimal(0)
    return Amounts(values, billed.missing, billed.formatted)
