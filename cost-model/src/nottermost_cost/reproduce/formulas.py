"""Formulas of claims: arithmetic on figures and list prices, written so that a reader can check them.

`2 * cost('nlb.hour', hours)` is 2 times the list price of 730 hours. Numbers, the names of figures, + - * / **,
and the functions below; nothing else.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Final

from nottermost_cost.errors import PriceError, PriceNotFound
from nottermost_cost.pricebook import PriceBook, Rate
from nottermost_cost.reproduce.claims import ClaimsError
from nottermost_cost.tiers import price_quantity

_OPERATORS: Final[Mapping[type[ast.operator], Callable[[Decimal, Decimal], Decimal]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


@dataclass
class Calculator:
    """Computes formulas, and keeps which prices they used.

    Attributes:
        region: of prices without one. inputs: of our estimate, by name. names: figures by name.
        ours: USD a month of the lines of our estimate that match a pattern.
    """

    book: PriceBook
    day: date
    region: str
    inputs: Mapping[str, Decimal]
    ours: Callable[[str], Decimal]
    names: dict[str, Decimal] = field(default_factory=dict)
    used: dict[tuple[str, str], Rate] = field(default_factory=dict)

    def compute(self, formula: str, where: str, **names: Decimal) -> Decimal:
        """The value of a formula; `names` count beside the figures.

        Raises: ClaimsError when it cannot be read, PriceError for a price that is missing: both name `where`.
        """
        try:
            return self._value(ast.parse(formula, mode="eval").body, {**self.names, **names})
        except PriceNotFound as error:
            raise PriceError(f"{where}: {error}") from error
        except (SyntaxError, TypeError, ValueError, ArithmeticError, InvalidOperation) as error:
            raise ClaimsError(f"{where}: the formula {formula!r} cannot be computed: {error}") from error

    def cost(self, key: str, quantity: Decimal, region: str = "") -> Decimal:
        """USD for a quantity in the unit of the price. Raises: PriceNotFound."""
        if quantity < 0:
            raise ValueError(f"a quantity of {key} is {quantity}")
        return price_quantity(self._rate(key, region), quantity)

    def units(self, key: str, usd: Decimal, region: str = "") -> Decimal:
        """The quantity that costs so much. Raises: PriceNotFound."""
        return find_quantity(self._rate(key, region), usd)

    def _rate(self, key: str, region: str) -> Rate:
        rate = self.book.find(key, region or self.region, self.day)
        return self.used.setdefault((rate.key, rate.region), rate)

    def _value(self, node: ast.expr, names: Mapping[str, Decimal]) -> Decimal:
        match node:
            case ast.Constant(value=int() | float() as value):
                return Decimal(str(value))
            case ast.Name(id=name):
                if name not in names:
                    raise ValueError(f"there is no figure {name}")
                return names[name]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](self._value(left, names), self._value(right, names))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(name, [self._argument(each, names) for each in arguments])
            case _:
                raise ValueError(f"{ast.unparse(node)} is no arithmetic")

    def _argument(self, node: ast.expr, names: Mapping[str, Decimal]) -> Decimal | str:
        match node:
            case ast.Constant(value=str() as text):
                return text
            case _:
                return self._value(node, names)

    def _call(self, name: str, arguments: list[Decimal | str]) -> Decimal:
        match name, arguments:
            case "cost", [str() as key, Decimal() as quantity]:
                return self.cost(key, quantity)
            case "cost", [str() as key, Decimal() as quantity, str() as region]:
                return self.cost(key, quantity, region)
            case "units", [str() as key, Decimal() as usd]:
                return self.units(key, usd)
            case "input", [str() as path] if path in self.inputs:
                return self.inputs[path]
            case "ours", [str() as pattern]:
                return self.ours(pattern)
            case "ceil", [Decimal() as value]:
                return value.to_integral_value(ROUND_CEILING)
            case "max", [Decimal() as one, Decimal() as other]:
                return max(one, other)
            case _:
                raise ValueError(f"{name}({', '.join(map(str, arguments))}) is no function of formulas")


def find_quantity(rate: Rate, usd: Decimal) -> Decimal:
    """How much of a price so many USD (>= 0) buy: the inverse of walking its tiers.

    Raises: ValueError when its last band is free and is reached with money left.
    """
    if usd < 0:
        raise ValueError(f"{usd} USD buy nothing of {rate.key}")
    left = usd
    for band in rate.bands:
        whole = (band.end - band.start) * band.price if band.price else Decimal(0)
        if band.price and left <= whole:
            return band.start + left / band.price
        left -= whole
    raise ValueError(f"{usd} USD are more than {rate.key} can cost")
