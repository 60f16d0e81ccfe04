"""How a value is written for people, in one place for every format.

Columns of money have cents, so that a column and its total agree as far as rounding goes; a single
large amount has none.
"""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Final, TypeAlias, assert_never

from nottermost_cost.numeric import CENT

NONE: Final = "–"  # no value: never shown as zero
ROUNDED: Final = "Amounts are rounded for display; totals are sums of the exact amounts."
LARGE: Final = 10_000  # from here on a single amount is shown in whole dollars

Cell: TypeAlias = str | Decimal | int | date | None


class Kind(StrEnum):
    """What the cells of a column are."""

    TEXT = "text"
    MONEY = "money"  # USD, to the cent
    RATE = "rate"  # USD of something small: four significant digits
    PRICE = "price"  # USD with every digit of the price list
    COUNT = "count"
    SHARE = "share"  # 0 to 1, shown in percent
    DATE = "date"


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
        case Kind.RATE:
            return _sign(number, f"{_significant(abs(number)):,f}")
        case Kind.PRICE:
            return _sign(number, _plain(abs(number)))
        case Kind.COUNT:
            return show_count(number)
        case Kind.SHARE:
            return f"{_round(number * 100, Decimal('0.1')):f}%"
        case Kind.TEXT | Kind.DATE:
            return str(value)
        case _:
            assert_never(kind)


def show_money(value: Decimal) -> str:
    """$1,234.56."""
    return _sign(rounded := _round(value, CENT), f"{abs(rounded):,f}")


def show_amount(value: Decimal) -> str:
    """A single amount: $12,346 when it is large, else with cents."""
    if abs(value) < LARGE:
        return show_money(value)
    return _sign(value, f"{abs(_round(value, Decimal(1))):,f}")


def show_count(value: Decimal) -> str:
    """1,234,567; at most two digits after the point, four significant ones below 1."""
    rounded = _round(value, CENT) if abs(value) >= 1 else _significant(value)
    whole, _, digits = f"{rounded:,f}".partition(".")
    return f"{whole}.{digits}" if (digits := digits.rstrip("0")) else whole


def _sign(value: Decimal, digits: str) -> str:
    return f"-${digits}" if value < 0 else f"${digits}"


def _round(value: Decimal, quantum: Decimal) -> Decimal:
    return value.quantize(quantum, ROUND_HALF_UP) + 0  # + 0: never -0.00


def _significant(value: Decimal) -> Decimal:
    """Rounded to four significant digits, but never coarser than a cent."""
    return _round(value, min(CENT, Decimal(1).scaleb(value.adjusted() - 3))) if value else Decimal("0.00")


def _plain(value: Decimal) -> str:
    """At least cents, and every further digit."""
    whole, _, digits = f"{value:,f}".partition(".")
    return f"{whole}.{digits.rstrip('0').ljust(2, '0')}"
