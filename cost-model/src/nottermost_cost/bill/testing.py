"""Small estimates and bills for tests."""

import csv
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

from nottermost_cost.charges import Charge, Origin, Part
from nottermost_cost.estimate import Commitment, Estimate, Line, Sizing
from nottermost_cost.pricebook import INFINITE, Band, Confidence, Rate


def make_line(
    key: str,
    quantity: Decimal,
    *,
    price: Decimal = Decimal(1),
    contracted: Decimal | None = None,
    effective: Decimal | None = None,
    service: str = "Amazon DynamoDB",
    region: str = "us-east-1",
    unit: str = "hour",
    name: str = "",
    part: Part = Part.DECLARED,
    sku: str = "",
    environment: str = "prod",
    urn: str = "",
    tags: Mapping[str, str] | None = None,
) -> Line:
    """A line at one price; contracted and effective cost are the list cost unless given."""
    band = Band(Decimal(0), INFINITE, price, Confidence.PRIMARY, date(2026, 11, 1), f"list of {key}", sku)
    rate = Rate("DynamoDB", key, region, unit, 1000, f"{key}, {unit}", (band,))
    charge = Charge(
        *(Origin.GRAPH, environment, key, region, quantity, name or f"line of {key}", "what drives it", urn),
        tags=tags or {},
        part=part,
    )
    listed = quantity * price
    contracted = listed if contracted is None else contracted
    effective = contracted if effective is None else effective
    return Line(charge, rate, service, listed, contracted, effective, {Confidence.PRIMARY: listed})


def make_estimate(lines: Iterable[Line], commitments: Iterable[Commitment] = (), environment: str = "prod") -> Estimate:
    """An estimate for a day of December 2026 that has these lines and nothing else."""
    return Estimate(
        environment=environment,
        scenario="launch",
        layout="one",
        sizing=Sizing.DECLARED,
        terms="list",
        store="dynamodb",
        month=1,
        day=date(2026, 12, 15),
        lines=tuple(lines),
        quantities=(),
        inputs=(),
        types=(),
        findings=(),
        commitments=tuple(commitments),
        alternatives={},
    )


def write_rows(path: Path, rows: Iterable[Mapping[str, str]]) -> Path:
    """Rows as CSV, with every column that one of them has."""
    listed = list(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in listed for name in row)))
        writer.writeheader()
        writer.writerows(listed)
    return path


def focus_row(**cells: str) -> dict[str, str]:
    """A row of a FOCUS export that has nothing odd, with some cells replaced or added."""
    plain = {
        "BilledCost": "1.5",
        "BillingAccountId": "1",
        "BillingCurrency": "USD",
        "BillingPeriodEnd": "2026-12-01T00:00:00Z",
        "BillingPeriodStart": "2026-11-01T00:00:00Z",
        "ChargeCategory": "Usage",
        "ChargeClass": "",
        "ChargeDescription": "write units",
        "ChargePeriodEnd": "2026-11-01T01:00:00Z",
        "ChargePeriodStart": "2026-11-01T00:00:00Z",
        "ContractedCost": "1.5",
        "EffectiveCost": "1.5",
        "InvoiceIssuerName": "AWS",
        "ListCost": "1.5",
        "ListUnitPrice": "0.5",
        "PricingCategory": "Standard",
        "PricingQuantity": "3",
        "PricingUnit": "hour",
        "ProviderName": "AWS",
        "PublisherName": "AWS",
        "RegionId": "us-east-1",
        "ServiceCategory": "Databases",
        "ServiceName": "Amazon DynamoDB",
        "SkuId": "",
    }
    return plain | cells


def cur_row(**cells: str) -> dict[str, str]:
    """A row of a legacy cost and usage report; names are given as `lineItem_UnblendedCost` for the slash."""
    plain = {
        "bill/BillingEntity": "AWS",
        "bill/BillingPeriodStartDate": "2026-11-01T00:00:00.000Z",
        "lineItem/UsageAccountId": "1",
        "lineItem/LineItemType": "Usage",
        "lineItem/UsageStartDate": "2026-11-01T00:00:00.000Z",
        "lineItem/UsageEndDate": "2026-11-01T01:00:00.000Z",
        "lineItem/ProductCode": "AmazonDynamoDB",
        "lineItem/CurrencyCode": "USD",
        "lineItem/UnblendedCost": "1.0",
    }
    return plain | {name.replace("_", "/", 1): value for name, value in cells.items()}
