"""Rows of a bill in one form, whatever wrote it: FOCUS column names, amounts in USD."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np

from nottermost_cost.bill.amounts import Amounts, exact
from nottermost_cost.bill.moments import parse_moment
from nottermost_cost.bill.rates import DatedRate
from nottermost_cost.bill.reading import Batch, Codes, Mask, Texts
from nottermost_cost.errors import BillError

USD: Final = "USD"
BLENDED_COST: Final = "x_BlendedCost"  # of a cost and usage report; FOCUS has no such column
COSTS: Final = ("BilledCost", "ListCost", "ContractedCost", "EffectiveCost", BLENDED_COST)
LIST_UNIT_PRICE: Final = "ListUnitPrice"
QUANTITY: Final = "PricingQuantity"


@dataclass(frozen=True)
class Rows:
    """A batch with FOCUS column names.

    Attributes:
        amounts: by FOCUS name; a column that the file lacks is absent, not zero.
    """

    batch: Batch
    amounts: dict[str, Amounts]

    def __len__(self) -> int:
        return len(self.batch)

    @property
    def numbers(self) -> Codes:
        """Of the rows in the file, whose header is row 1."""
        return self.batch.numbers

    def texts(self, name: str) -> Texts:
        """A column; without values where the file lacks it."""
        return self.batch.texts(name)

    def months(self, name: str) -> Texts:
        """The month of a column of times, "" where it is no time."""
        return self.texts(name).map(lambda text: parse_moment(text).month)

    @property
    def main_cost(self) -> Amounts:
        """What was billed; what is effective where a file tells no billed cost, as an estimate's does."""
        return self.amounts.get("BilledCost") or self.amounts["EffectiveCost"]


def in_usd(rows: Rows, rates: Mapping[str, DatedRate]) -> Rows:
    """Convert money of other currencies; no currency is taken as USD.

    Raises: BillError with the first row whose currency has no rate.
    """
    currency = rows.texts("BillingCurrency")
    if set(currency.values) <= {USD, ""}:
        return rows
    unknown = currency.where(lambda each: each not in rates and each not in (USD, ""))
    if unknown.any():
        row = int(np.flatnonzero(unknown)[0])
        found = currency.values[currency.codes[row]]
        raise BillError(
            f"row {rows.numbers[row]} is billed in {found} and there is no dated rate for it: "
            f"give one, such as {found}=1.08@2026-11-01"
        )
    factors = np.array([rates[each].usd if each in rates else Decimal(1) for each in currency.values], dtype=object)
    by_row = factors[currency.codes]
    with exact():
        converted = {
            name: Amounts(each.values * by_row, each.missing, each.formatted)
            for name, each in rows.amounts.items()
            if name != QUANTITY
        }
    return Rows(rows.batch, rows.amounts | converted)


def coalesce(first: Texts, second: Texts) -> Texts:
    """The first column, and the second where it has no value."""
    codes = np.where(first.is_empty, second.codes + len(first.values), first.codes)
    return Texts(first.values + second.values, codes)


def find(values: Texts, wanted: str) -> Mask:
    """Rows with just that text."""
    return values.where(lambda value: value == wanted)
