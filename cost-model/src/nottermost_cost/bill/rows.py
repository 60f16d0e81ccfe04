"""Rows of a bill in one form, whatever wrote it: FOCUS column names, amounts in USD."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Final

import numpy as np

from nottermost_cost.bill.amounts import Amounts
from nottermost_cost.bill.moments import parse_moment
from nottermost_cost.bill.reading import Batch, Codes, Mask, Texts
from nottermost_cost.currencies import CODE, USD, ExchangeRate
from nottermost_cost.errors import BillError
from nottermost_cost.numeric import exact

BLENDED_COST: Final = "x_BlendedCost"  # of a cost and usage report; FOCUS has no such column
LIST_UNIT_PRICE: Final = "ListUnitPrice"
QUANTITY: Final = "PricingQuantity"


@dataclass(frozen=True, kw_only=True)
class Rows(Batch):
    """A batch with FOCUS column names.

    Attributes:
        amounts: by FOCUS name; a column that the file lacks is absent, not zero.
    """

    amounts: dict[str, Amounts]

    def months(self, name: str) -> Texts:
        """The month of a column of times, "" where it is no time."""
        return self.texts(name).map(lambda text: parse_moment(text).month)

    @cached_property
    def billed_months(self) -> Texts:
        """The months that the rows are counted in: of the billing period, else of the charge."""
        return coalesce(self.months("BillingPeriodStart"), self.months("ChargePeriodStart"))

    def seconds(self, name: str) -> tuple[Codes, Mask]:
        """By row of a column of times: seconds since 1970, and whether the text was a time."""
        times = self.texts(name)
        moments = [parse_moment(text) for text in times.values]
        seconds = np.array([moment.seconds for moment in moments], dtype=np.int64)
        known = np.array([moment.is_known for moment in moments])
        return seconds[times.codes], known[times.codes]

    @property
    def main_cost(self) -> Amounts:
        """What was billed; what is effective where a file tells no billed cost, as an estimate's does."""
        return self.amounts.get("BilledCost") or self.amounts["EffectiveCost"]


def in_usd(rows: Rows, rates: Mapping[str, ExchangeRate]) -> Rows:
    """Convert money of other currencies, named in letters of any case; no currency is taken as USD.

    Raises: BillError with the first row whose currency has no rate.
    """
    found = rows.texts("BillingCurrency")
    currency = found.map(lambda text: text.strip().upper())
    if "BillingCurrency" in rows.columns:
        rows = replace(rows, columns=rows.columns | {"BillingCurrency": currency})
    if set(currency.values) <= {USD, ""}:
        return rows
    unknown = currency.where(lambda each: each not in rates and each not in (USD, ""))
    if unknown.any():
        row = int(np.flatnonzero(unknown)[0])
        text, name = (each.values[each.codes[row]] for each in (found, currency))
        raise BillError(
            f"row {rows.numbers[row]} is billed in {text!r} and there is no dated rate for it: "
            f"give one, such as {name if CODE.fullmatch(name) else 'EUR'}=1.08@2026-11-01"
        )
    factors = np.array([rates[each].usd if each in rates else Decimal(1) for each in currency.values], dtype=object)
    by_row = factors[currency.codes]
    with exact():
        converted = {
            name: Amounts(each.values * by_row, each.missing, each.formatted)
            for name, each in rows.amounts.items()
            if name != QUANTITY
        }
    return replace(rows, amounts=rows.amounts | converted)


def coalesce(first: Texts, second: Texts) -> Texts:
    """The first column, and the second where it has no value."""
    if not first.is_empty.any():
        return first
    codes = np.where(first.is_empty, second.codes + len(first.values), first.codes)
    return Texts(first.values + second.values, codes)


def find(values: Texts, wanted: str) -> Mask:
    """Rows with just that text."""
    return values.where(lambda value: value == wanted)
