"""A bill of any length in the shape of a FOCUS 1.0 export, with its oddities and with known totals.

Every cell follows from the seed and the row's number alone, so that the same call writes the same bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import compute, csv

Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_ROWS_AT_ONCE: Final = 100_000
_SCALE: Final = 8  # decimals of an amount
_UNITS: Final = 10**_SCALE  # in one dollar
_NULL: Final = "NULL"
_HOURS: Final = 30 * 24  # of the billed month
_SERVICES: Final = (  # name, category, unit, SKU
    ("Amazon Elastic Container Service", "Compute", "Hours", "FRGTVCPU0001USE1"),
    ("Amazon DynamoDB", "Databases", "WriteRequestUnits", "DDBWRU000001USE1"),
    ("Amazon Simple Storage Service", "Storage", "GB-Mo", "S3STD0000001USE1"),
    ("AmazonCloudWatch", "Management and Governance", "GB", "CWLOGS000001USE1"),
    ("Elastic Load Balancing", "Networking", "LCU-Hrs", "NLBLCU000001USE1"),
    ("Virtual Machines", "Compute", "1 Hour", "AZVM00000001"),
    ("Block Volume", "Storage", "GB_MONTHS", "OCIBV0000001"),
)
_REGIONS: Final = (("us-east-1", "US East (N. Virginia)"), ("eu-west-1", "Europe (Ireland)"))
_TAGS: Final = (
    '{"env": "prod", "owner": "chat", "cost-center": "100"}',
    '{"env": "staging", "owner": "platform", "cost-center": "200"}',
    '{" org": "nottermost", "owner": "chat"}',
    _NULL,
)


@dataclass(frozen=True, slots=True)
class KnownTotals:
    """What an import of the bill must find, USD."""

    rows: int
    billed: Decimal
    listed: Decimal
    contracted: Decimal
    effective: Decimal


def write_bill(path: Path, rows: int, seed: int = 1) -> KnownTotals:
    """Write `rows` rows (>= 1) of November 2026 as CSV."""
    totals = np.zeros(4, dtype=object)
    writer = None
    with path.open("wb") as file:
        for first in range(0, rows, _ROWS_AT_ONCE):
            table, costs = _chunk(np.arange(first, min(first + _ROWS_AT_ONCE, rows), dtype=np.int64), seed)
            totals += [int(cost.sum()) for cost in costs]
            options = csv.WriteOptions(quoting_style="needed")
            writer = writer or csv.CSVWriter(file, table.schema, write_options=options)
            writer.write_table(table)
        if writer:
            writer.close()
    return KnownTotals(rows, *(Decimal(total).scaleb(-_SCALE) for total in totals))


def _chunk(numbers: Whole, seed: int) -> tuple[pa.Table, tuple[Whole, Whole, Whole, Whole]]:
    """Rows by their numbers, and their billed, list, contracted and effective cost in units."""
    source = np.where(numbers % 67 == 23, numbers - 1, numbers)  # now and then a row comes twice
    chance = _mix(source, seed)
    foreign, oracle = source % 19 == 7, source % 73 == 11
    credit = (source % 41 == 13) & ~foreign & ~oracle
    covered = (source % 11 == 4) & ~foreign & ~oracle & ~credit
    unused = covered & (source % 4 == 1)
    purchase = (source % 53 == 31) & ~foreign & ~oracle & ~credit & ~covered

    service = np.where(foreign, 5, np.where(oracle, 6, chance % 5))
    region = (chance >> 4) % 2
    quantity = (chance >> 8) % 1000 + 1  # whole units
    price = ((chance >> 20) % 200_000 + 1) * 10  # units of money; ten of them make the discounts below whole
    listed = np.where(credit, -quantity * price, quantity * price)
    contracted = listed // 10 * 9
    billed = np.where(covered, 0, contracted)
    effective = np.where(covered, contracted // 10 * 7, np.where(purchase, 0, contracted))
    rounded = (source % 5 == 0) & ~credit & ~covered & ~purchase
    contracted, effective = (np.where(rounded, _whole_dollars(each), each) for each in (contracted, effective))

    hour = (chance >> 40) % _HOURS
    hour = np.where(source % 61 == 17, _HOURS, hour)  # the first of the next month
    committed = covered | purchase
    names, categories, units, skus = zip(*_SERVICES, strict=True)
    providers = _choose(np.where(oracle, 2, foreign), ["AWS", "Microsoft", "Oracle"])
    columns: dict[str, Any] = {
        "Id": numbers + 1,
        "AvailabilityZone": _choose(region, [f"{name}a" for name, _ in _REGIONS]),
        "BilledCost": _money(billed),
        "BillingAccountId": _constant(numbers, "123456789012"),
        "BillingAccountName": _constant(numbers, "Nottermost"),
        "BillingCurrency": _constant(numbers, "USD"),
        "BillingPeriodEnd": _constant(numbers, "2026-12-01 00:00:00"),
        "BillingPeriodStart": _constant(numbers, "2026-11-01 00:00:00"),
        "ChargeCategory": _choose(np.where(credit, 1, np.where(purchase, 2, 0)), ["Usage", "Credit", "Purchase"]),
        "ChargeClass": _constant(numbers, _NULL),
        "ChargeDescription": _choose(service, [f"{name}, {unit}" for name, _, unit, _ in _SERVICES]),
        "ChargeFrequency": _choose(purchase, ["Usage-Based", "Recurring"]),
        "ChargePeriodEnd": _hours(hour + 1),
        "ChargePeriodStart": _hours(hour),
        "CommitmentDiscountCategory": _choose(committed, [_NULL, "Spend"]),
        "CommitmentDiscountId": _choose(committed, [_NULL, "sp-0001"]),
        "CommitmentDiscountName": _choose(committed, [_NULL, "Compute Savings Plan"]),
        "CommitmentDiscountStatus": _choose(np.where(unused, 2, covered), [_NULL, "Used", "Unused"]),
        "CommitmentDiscountType": _choose(committed, [_NULL, "Savings Plan"]),
        "ConsumedQuantity": quantity,
        "ConsumedUnit": _choose(service, units),
        "ContractedCost": _money(contracted),
        "ContractedUnitPrice": _money(price // 10 * 9),
        "EffectiveCost": _money(effective),
        "InvoiceIssuerName": providers,
        "ListCost": _money(listed),
        "ListUnitPrice": _money(np.where(source % 71 == 29, price + 10, np.where(credit, -price, price))),
        "PricingCategory": _choose(np.where(oracle, 2, covered), ["Standard", "Committed", ""]),
        "PricingQuantity": quantity,
        "PricingUnit": _choose(service, units),
        "ProviderName": providers,
        "PublisherName": providers,
        "RegionId": _choose(region, [name for name, _ in _REGIONS]),
        "RegionName": _choose(region, [name for _, name in _REGIONS]),
        "ResourceId": _joined("arn:aws:resource/", chance % 5000),
        "ResourceName": _joined("resource-", chance % 5000),
        "ResourceType": _choose(service, categories),
        "ServiceCategory": _choose(service, categories),
        "ServiceName": _choose(service, names),
        "SkuId": _choose(service, skus),
        "SkuPriceId": _choose(service, [f"{sku}.JRTCKXETXF.6YS6EN2CT7" for sku in skus]),
        "SubAccountId": _choose(region, ["210987654321", "310987654321"]),
        "SubAccountName": _choose(region, ["prod", "staging"]),
        "Tags": _choose((chance >> 12) % len(_TAGS), _TAGS),
    }
    return pa.table(columns), (billed, listed, contracted, effective)


def _mix(numbers: Whole, seed: int) -> Whole:
    """A number of 62 bits for each, the same every time (splitmix64)."""
    state = numbers.astype(np.uint64) + np.uint64(seed * 0xD1342543DE82EF95 % 2**64)
    state = (state + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    return ((state ^ (state >> np.uint64(31))) >> np.uint64(2)).astype(np.int64)


def _whole_dollars(amounts: Whole) -> Whole:
    return (amounts + _UNITS // 2) // _UNITS * _UNITS


def _choose(which: Whole | Flags, texts: Iterable[str]) -> pa.Array:
    return pa.array(list(texts), pa.string()).take(pa.array(which.astype(np.int64)))


def _constant(numbers: Whole, text: str) -> pa.Array:
    return pa.repeat(pa.scalar(text), len(numbers))


def _joined(prefix: str, numbers: Whole) -> pa.Array:
    return compute.binary_join_element_wise(prefix, pa.array(numbers).cast(pa.string()), "")


def _hours(hours: Whole) -> pa.Array:
    """Hours since the month's begin, as text without a zone."""
    return compute.strftime(pa.array(np.datetime64("2026-11-01T00", "s") + hours * 3600), format="%Y-%m-%d %H:%M:%S")


def _money(units: Whole) -> pa.Array:
    """All decimals, whatever the amount."""
    sign = _choose(units < 0, ["", "-"])
    dollars, rest = np.divmod(np.abs(units), _UNITS)
    cents = compute.utf8_lpad(pa.array(rest).cast(pa.string()), _SCALE, "0")
    return compute.binary_join_element_wise(sign, pa.array(dollars).cast(pa.string()), ".", cents, "").cast(pa.string())
