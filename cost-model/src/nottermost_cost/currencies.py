"""What a foreign currency was worth on a day. Nothing is ever converted at a rate nobody dated."""

import re
from collections.abc import Iterable
from datetime import date
from typing import Final

from pydantic import Field, ValidationError

from nottermost_cost.documents import Decimals, Document
from nottermost_cost.errors import BillError

USD: Final = "USD"
CODE: Final = re.compile(r"[A-Z]{3}")
_RATE: Final = re.compile(
    rf"({CODE.pattern})=([0-9.]{{1,20}})@(\d{{4}}-\d{{2}}-\d{{2}})"
)  # longer ones would not convert exactly
_SHOWN: Final = 60  # characters of a text that is refused


class ExchangeRate(Document):
    """What one unit of a currency is in USD, on which day, and who says so."""

    usd: Decimals = Field(gt=0)
    day: date
    source: str = Field(min_length=1)

    def describe(self, currency: str) -> str:
        """`1 EUR = 1.08 USD of 2026-11-01`."""
        return f"1 {currency} = {self.usd} USD of {self.day}"


def parse_rates(texts: Iterable[str]) -> dict[str, ExchangeRate]:
    """By currency, each once, from texts such as `EUR=1.08@2026-11-01`. Raises: BillError."""
    rates: dict[str, ExchangeRate] = {}
    for text in texts:
        currency, usd, day = match.groups() if (match := _RATE.fullmatch(text)) else ("", "", "")
        try:
            rate = ExchangeRate.model_validate({"usd": usd, "day": day, "source": text})
        except ValidationError:
            shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
            expected = "expected one above zero, of at most 20 characters, like EUR=1.08@2026-11-01"
            raise BillError(f"rate {shown!r}: {expected}") from None
        if currency == USD:
            raise BillError("a rate for USD: everything is converted to it, so give rates of other currencies only")
        if currency in rates:
            raise BillError(f"two rates for {currency}: give one")
        rates[currency] = rate
    return rates
