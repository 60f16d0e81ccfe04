"""How a value is written for people, in one place for every format.

Columns of money have cents, so that a column and its total agree as far as rounding goes; a single
large amount has none.
"""

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Final, TypeAlias, assert_never
from unicodedata import category

from nottermost_cost.numeric import CENT
from nottermost_cost.pricebook import Confidence

NONE: Final = "–"  # no value: never shown as zero
ROUNDED: Final = "Amounts are rounded for display; totals are sums of the exact amounts."
LARGE: Final = 10_000  # from here on a single amount is shown in whole dollars
GIB: Final = 1024**3
SIZES: Final = "GB and TB are AWS's: 1,024 of one are the next."

_UNPRINTABLE: Final = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))  # controls, formats, halves of pairs, separators
_MILLION: Final = 1_000_000  # from here on a count has no digits after the point
_PRICE: Final = Decimal("1e-10")
_WHOLE: Final = 10  # dollars from which cents say nothing
_WORDS: Final = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"))
_LETTERS: Final = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))
_UNITS: Final = ("B", "KB", "MB", "GB", "TB", "PB")
_STEP: Final = 1024

Cell: TypeAlias = str | Decimal | int | date | None


class Kind(StrEnum):
    """What the cells of a column are."""

    TEXT = "text"
    MONEY = "money"  # USD, to the cent
    WHOLE = "whole"  # USD, where cents would only be digits
    RATE = "rate"  # USD of something small: four significant digits
    PRICE = "price"  # USD with every digit of the price list, which has ten after the point at most
    COUNT = "count"
    SHARE = "share"  # 0 to 1, shown in percent
    DATE = "date"
    WORDS = "words"  # a number with its unit, as `show_quantity` writes it


def show(value: Cell, kind: Kind) -> str:
    """One cell as text."""
    if value is None:
        return NONE
    if isinstance(value, str | date):
        return str(value)
    number = Decimal(value)
    match kind:
        case Kind.MONEY:
            return show_money(number)
        case Kind.WHOLE:
            return show_whole(number)
        case Kind.RATE:
            return _sign(number, f"{_significant(abs(number)):,f}")
        case Kind.PRICE:
            return _sign(number, _plain(abs(number)))
        case Kind.COUNT:
            return show_count(number)
        case Kind.SHARE:
            return f"{_round(number * 100, Decimal('0.1')):f}%"
        case Kind.TEXT | Kind.DATE | Kind.WORDS:
            return str(value)
        case _:
            assert_never(kind)


def printable(text: str) -> str:
    """For a terminal: names and tags may hold what would move its cursor or turn its text around."""
    if text.isprintable():
        return text
    return "".join("\N{REPLACEMENT CHARACTER}" if category(each) in _UNPRINTABLE else each for each in text)


def show_money(value: Decimal) -> str:
    """$1,234.56."""
    return _sign(rounded := _round(value, CENT), f"{abs(rounded):,f}")


def show_amount(value: Decimal) -> str:
    """A single amount: $12,346 when it is large, else with cents."""
    if abs(value) < LARGE:
        return show_money(value)
    return _sign(value, f"{abs(_round(value, Decimal(1))):,f}")


def show_whole(value: Decimal) -> str:
    """$3,051; with cents below ten dollars."""
    if abs(value) < _WHOLE:
        return show_money(value)
    return _sign(value, f"{abs(_round(value, Decimal(1))):,f}")


def show_count(value: Decimal) -> str:
    """1,234,567; below a million at most two digits after the point, below 1 four significant ones."""
    if abs(value) >= _MILLION:
        return f"{_round(value, Decimal(1)):,f}"
    return _trim(_round(value, CENT) if abs(value) >= 1 else _significant(value))


def show_quantity(value: Decimal, unit: str) -> str:
    """1.22 billion messages, 57 TB; three digits, from the exact ones in `unit`."""
    if unit in ("B", "GB"):
        return _show_size(value * GIB if unit == "GB" else value)
    for size, word in _WORDS:
        if abs(value) >= size:
            return f"{_three(value / size)} {word} {unit}"
    return f"{_three(value)} {unit}"


def show_brief(value: Decimal) -> str:
    """12k, 2.5M: for an axis."""
    for size, letter in _LETTERS:
        if abs(value) >= size:
            return f"{_three(value / size)}{letter}"
    return _three(value)


def _show_size(value: Decimal) -> str:
    """1.5 TB, from bytes."""
    at = 0
    while abs(value) >= _STEP and at < len(_UNITS) - 1:
        value, at = value / _STEP, at + 1
    return f"{_three(value)} {_UNITS[at]}"


def _three(value: Decimal) -> str:
    """Three significant digits, and all those before the point."""
    return _trim(_round(value, max(CENT, min(Decimal(1), Decimal(1).scaleb(value.adjusted() - 2)))))


def _trim(value: Decimal) -> str:
    whole, _, digits = f"{value:,f}".partition(".")
    return f"{whole}.{digits}" if (digits := digits.rstrip("0")) else whole


def _sign(value: Decimal, digits: str) -> str:
    return f"-${digits}" if value < 0 else f"${digits}"


def _round(value: Decimal, quantum: Decimal) -> Decimal:
    return value.quantize(quantum, ROUND_HALF_UP) + 0  # + 0: never -0.00


def _significant(value: Decimal) -> Decimal:
    """Rounded to four significant digits, but never coarser than a cent."""
    return _round(value, min(CENT, Decimal(1).scaleb(value.adjusted() - 3))) if value else Decimal("0.00")


def _plain(value: Decimal) -> str:
    """At least cents, and every further digit; an assumed price, a product, has endless ones."""
    whole, _, digits = f"{_round(value, _PRICE):,f}".partition(".")
    return f"{whole}.{digits.rstrip('0').ljust(2, '0')}"


def say_sources(costs: Mapping[Confidence, Decimal]) -> str:
    """Shares of list dollars by where their prices come from."""
    whole = sum(costs.values(), Decimal(0))
    shares = ", ".join(f"{each} {usd / whole:.1%}" for each, usd in costs.items()) if whole else "nothing is priced"
    return f"List dollars by price source: {shares}."
