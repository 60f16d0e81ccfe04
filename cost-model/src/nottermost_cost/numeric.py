"""The numbers of the model: the same formulas run on exact decimals and on columns of samples.

A reported line is computed with `Decimal`; a thousand sampled scenarios are computed at once with
float64 columns. Formulas therefore use + - * / with each other and with whole numbers only, and the
functions below for the rest. A fraction that is part of a formula is an input with a name and a
source, never a literal.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from decimal import ROUND_CEILING, Context, Decimal, Inexact, InvalidOperation, Overflow, localcontext
from typing import Any, Final, TypeAlias

import numpy as np

Number: TypeAlias = Any  # Decimal in reports, a float64 array in samples

HOURS_PER_MONTH: Final = 730  # as AWS bills and quotes: 365 days of 24 hours in 12 months
HOURS_PER_DAY: Final = 24
SECONDS_PER_HOUR: Final = 3600
CENT: Final = Decimal("0.01")
MONEY: Final = Decimal("1e-10")  # shares of a total are rounded to this, so that they add up to it

_DIGITS: Final = 200  # an amount of a bill has at most 40 before and 100 after the point; products and sums, more
_EXACT: Final = Context(prec=_DIGITS, traps=[Inexact, InvalidOperation, Overflow])
_WIDE: Final = Context(prec=_DIGITS)
_SLACK: Final = Decimal("1e-9")  # a count this close above a whole number is that number, in both kinds of numbers


def to_decimal(value: str | int | float | Decimal) -> Decimal:
    """As it is written: 0.1 becomes 0.1 and not the nearest binary fraction."""
    return value if isinstance(value, Decimal) else Decimal(str(value))


def exact() -> AbstractContextManager[Context]:
    """Within it, a sum or product of decimals that would lose a digit raises."""
    return localcontext(_EXACT)


def wide() -> AbstractContextManager[Context]:
    """Within it, a quotient has so many digits that what is rounded from it does not see its end."""
    return localcontext(_WIDE)


def sum_exact(amounts: Iterable[Decimal]) -> Decimal:
    """Without losing a digit."""
    with exact():
        return sum(amounts, Decimal(0))


def ceil(value: Number) -> Number:
    """The whole number at or above."""
    if isinstance(value, Decimal):
        return (value - _SLACK).to_integral_value(ROUND_CEILING)
    return np.ceil(value - float(_SLACK))


def largest(*values: Number) -> Number:
    """The largest of each row; whole numbers among them count for every row."""
    if any(isinstance(value, np.ndarray) for value in values):
        result = values[0]
        for value in values[1:]:
            result = np.maximum(result, value)
        return result
    return _exact(max(values), values)


def smallest(*values: Number) -> Number:
    """The smallest of each row; whole numbers among them count for every row."""
    if any(isinstance(value, np.ndarray) for value in values):
        result = values[0]
        for value in values[1:]:
            result = np.minimum(result, value)
        return result
    return _exact(min(values), values)


def _exact(value: Number, among: Iterable[Number]) -> Number:
    """A whole number that stands among decimals is one, or the next division would make a float of it."""
    return Decimal(value) if isinstance(value, int) and any(isinstance(each, Decimal) for each in among) else value


def exp(value: Number) -> Number:
    """e to the power of it."""
    return value.exp() if isinstance(value, Decimal) else np.exp(value)


def log(value: Number) -> Number:
    """The natural logarithm."""
    return value.ln() if isinstance(value, Decimal) else np.log(value)


def below(value: Number) -> Number:
    """About the share of a normal distribution below so many sigmas: a logistic curve, at most 0.01 off."""
    return 1 / (1 + exp(-value * 1702 / 1000))


def scale(value: Number, factor: Decimal) -> Number:
    """Times an exact size of the graph, which a column of samples takes as a float."""
    return value * (factor if isinstance(value, Decimal | int) else float(factor))


def hours_to_month(per_day: Number) -> Number:
    """What happens a day, a month: 730 hours are 30.42 days."""
    return per_day * HOURS_PER_MONTH / HOURS_PER_DAY
