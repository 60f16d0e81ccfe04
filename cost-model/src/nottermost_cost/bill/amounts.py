"""Money and quantities of a bill, exactly as written."""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from nottermost_cost.bill.reading import Codes, Mask, Texts
from nottermost_cost.errors import BillError

Decimals = npt.NDArray[np.object_]  # a Decimal for each row

_CHARACTERS_MAX: Final = 60  # of an amount; a double is printed with 24
_MAGNITUDE_MAX: Final = 40  # powers of ten above and below one: beyond any amount of money, seconds or bytes
_FORMATTED: Final = re.compile(
    r"(?P<open>\()?(?P<minus>-)?\s?\$?\s?(?P<digits>\d{1,3}(,\d{3})+(\.\d+)?|\d+(\.\d+)?)(?(open)\))", re.ASCII
)


@dataclass(frozen=True)
class Amounts:
    """One column of amounts.

    Attributes:
        values: by row, 0 where the row has none.
        missing: rows without one.
        formatted: rows written for people, such as `$10,000.00 `.
    """

    values: Decimals
    missing: Mask
    formatted: Mask

    @cached_property
    def floats(self) -> npt.NDArray[np.float64]:
        """For comparisons with a tolerance, never for sums."""
        return self.values.astype(np.float64)


def parse_amounts(texts: Texts, column: str, numbers: Codes) -> Amounts:
    """Read a column. Raises: BillError with the first row whose text is no number, or is beyond any amount."""
    values = np.empty(len(texts.values), dtype=object)
    formatted = np.zeros(len(texts.values), dtype=bool)
    for index, text in enumerate(texts.values):
        value = _parse_plain(text)
        if value is None:
            value, formatted[index] = _parse_formatted(text), True
        if value is None:
            row = numbers[texts.codes == index][0]
            raise BillError(f"row {row}: {column} is {text!r}, expected an amount such as 1234.5")
        values[index] = value
    return Amounts(values[texts.codes], texts.is_empty, formatted[texts.codes])


def _parse_plain(text: str) -> Decimal | None:
    if not text:
        return Decimal(0)
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return _bounded(value, text) if value.is_finite() and "_" not in text else None


def _parse_formatted(text: str) -> Decimal | None:
    """`$10,000.00 `, `-$5` and `($5.00)`; None for anything else."""
    match = _FORMATTED.fullmatch(text.strip())
    if not match:
        return None
    value = Decimal(match["digits"].replace(",", ""))
    return _bounded(value.copy_negate() if match["minus"] or match["open"] else value, text)  # a minus sign would round


def _bounded(value: Decimal, text: str) -> Decimal | None:
    """None beyond what an amount can be; zero is zero, in however many digits."""
    if value.is_zero():
        return Decimal(0)
    is_sane = len(text) <= _CHARACTERS_MAX and -_MAGNITUDE_MAX <= value.adjusted() <= _MAGNITUDE_MAX
    return value if is_sane else None
