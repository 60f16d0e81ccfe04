"""What a foreign currency was worth on a day. A bill in another currency is never converted at a rate nobody dated."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

import yaml

from nottermost_cost.errors import BillError

_RATE: Final = re.compile(r"([A-Z]{3})=([0-9.]+)@(\S+)")


@dataclass(frozen=True, slots=True)
class DatedRate:
    """USD for one unit of a currency (ISO 4217), as of a day."""

    currency: str
    usd: Decimal
    day: date


def parse_rates(texts: Iterable[str]) -> dict[str, DatedRate]:
    """`EUR=1.08@2026-11-01`, each currency once. Raises: BillError."""
    rates: dict[str, DatedRate] = {}
    for text in texts:
        match = _RATE.fullmatch(text)
        if not match:
            raise BillError(f"rate {text!r}: expected one like EUR=1.08@2026-11-01")
        rate = _rate(match[1], match[2], match[3])
        if rate.currency in rates:
            raise BillError(f"two rates for {rate.currency}: give one")
        rates[rate.currency] = rate
    return rates


def load_rates(path: Path) -> dict[str, DatedRate]:
    """A YAML file of `EUR: {usd: "1.08", day: 2026-11-01}`. Raises: BillError."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BillError(f"{path} is no file of currency rates: {error}") from None
    rates = {}
    for currency, entry in content.items() if isinstance(content, Mapping) else [(str(path), content)]:
        if not isinstance(entry, Mapping) or set(entry) != {"usd", "day"}:
            raise BillError(f"{path}: {currency} has {entry!r}, expected {{usd: 1.08, day: 2026-11-01}}")
        rates[currency] = _rate(currency, str(entry["usd"]), str(entry["day"]))
    return rates


def _rate(currency: str, usd: str, day: str) -> DatedRate:
    try:
        rate = DatedRate(currency, Decimal(usd), date.fromisoformat(day))
    except (InvalidOperation, ValueError):
        raise BillError(
            f"rate of {currency}: {usd!r} at {day!r} is no number and day like 1.08 at 2026-11-01"
        ) from None
    if not (rate.usd.is_finite() and rate.usd > 0):
        raise BillError(f"rate of {currency}: {usd} USD is not above zero")
    return rate
