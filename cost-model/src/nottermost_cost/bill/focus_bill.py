"""Rows of a FOCUS 1.x export."""

from collections.abc import Sequence
from functools import reduce
from typing import Final

from nottermost_cost.bill.amounts import parse_amounts
from nottermost_cost.bill.reading import Batch
from nottermost_cost.bill.rows import LIST_UNIT_PRICE, QUANTITY, Rows, coalesce
from nottermost_cost.bill.sums import COST_COLUMNS

REQUIRED: Final = ("BilledCost", "ChargeCategory", "ChargePeriodStart", "EffectiveCost")
PROVIDERS: Final = (  # the first that a row has; the second took the place of the first in FOCUS 1.3
    "ProviderName", "ServiceProviderName", "PublisherName", "InvoiceIssuerName",
)  # fmt: skip
ESTIMATE_MARK: Final = "x_Origin"  # our own estimates have this column, and nothing billed


def read_focus(batch: Batch) -> Rows:
    """Raises: BillError with the row of an amount that is no number."""
    amounts = {
        name: parse_amounts(batch.columns[name], name, batch.numbers)
        for name in (*COST_COLUMNS.values(), LIST_UNIT_PRICE, QUANTITY)
        if name in batch.columns
    }
    price_ids = batch.texts("SkuPriceId").map(lambda text: text.partition(".")[0])  # sku.offer.rate
    sku = coalesce(batch.texts("SkuId"), price_ids)
    provider = reduce(coalesce, map(batch.texts, PROVIDERS))
    columns = batch.columns | {"SkuId": sku, "ProviderName": provider}
    return Rows(batch.numbers, columns, batch.blank, amounts=amounts)


def missing_columns(header: Sequence[str]) -> list[str]:
    """What a file cannot be read without; an estimate of our own needs no BilledCost."""
    needed = [name for name in REQUIRED if name != "BilledCost" or ESTIMATE_MARK not in header]
    return [name for name in needed if name not in header]
