"""Curves of options and where they cross.

Costs are USD a month. A crossing is computed: between two points of the curves whose order differs, the interval is
halved until it is a millionth wide. Where an option is bought in whole nodes it may be the step itself.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import combinations, pairwise
from typing import Final

from nottermost_cost.errors import CostError
from nottermost_cost.pricebook import Confidence, Rate, weakest

POINTS: Final = 25
_PRECISION: Final = Decimal("1e-6")


class NoAnswer(CostError):
    """A question that this environment or workload does not raise; the sentence says of which to ask instead."""

    code = "no_answer"


@dataclass(frozen=True, slots=True)
class Point:
    """What an option costs at an x."""

    x: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Curve:
    """One option along x; `confidence`: of the weakest price in it."""

    option: str
    points: tuple[Point, ...]
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where two options cost the same.

    Attributes:
        below: the option that is cheaper at smaller x; above: at larger x.
    """

    x: Decimal
    cost: Decimal
    below: str
    above: str


@dataclass(frozen=True, slots=True)
class Assumption:
    """A number or a fact that the curves rest on and that no input of the estimate holds."""

    text: str
    source: str


@dataclass(frozen=True)
class BreakEven:
    """A question of finance, answered.

    Attributes:
        name: of the question, as the command takes it.
        x_name, x_unit: what the curves run along; a share has the unit "".
        here: x of the scenario, with what each option costs there, in the order of `curves`.
        answer: a few sentences.
        assumed_prices: those that the curves rest on, as `key in region`.
    """

    name: str
    question: str
    x_name: str
    x_unit: str
    is_logarithmic: bool
    curves: tuple[Curve, ...]
    crossings: tuple[Crossing, ...]
    here: tuple[Point, ...]
    answer: str
    assumptions: tuple[Assumption, ...]
    assumed_prices: tuple[str, ...]

    def cost_here(self, option: str) -> Decimal:
        """What an option costs at the scenario's x."""
        return next(point.cost for curve, point in zip(self.curves, self.here, strict=True) if curve.option == option)

    def crossing(self, one: str, other: str) -> Crossing | None:
        """The first crossing of two options; None when they have none."""
        return next((each for each in self.crossings if {each.below, each.above} == {one, other}), None)


@dataclass(frozen=True)
class Answers:
    """Questions with their answers, and why others have none (a sentence by the question's name)."""

    answered: tuple[BreakEven, ...]
    unanswered: Mapping[str, str]


@dataclass(frozen=True)
class Option:
    """A way to do it: what it costs at x, and the prices in that."""

    name: str
    cost: Callable[[Decimal], Decimal]
    rates: tuple[Rate, ...]

    @property
    def confidence(self) -> Confidence:
        """Of the weakest price."""
        return weakest(band for rate in self.rates for band in rate.bands)


@dataclass(frozen=True)
class Axis:
    """What the curves run along, where they are drawn, and where the scenario is."""

    name: str
    unit: str
    xs: Sequence[Decimal]
    here: Decimal
    is_logarithmic: bool = True


def answer_question(
    name: str,
    question: str,
    axis: Axis,
    options: Sequence[Option],
    answer: Callable[[BreakEven], str],
    assumptions: Sequence[Assumption],
) -> BreakEven:
    """Draw the curves, find where they cross, and put the answer into words."""
    curves = draw_curves(options, axis.xs)
    rates = {(rate.key, rate.region): rate for each in options for rate in each.rates}
    found = BreakEven(
        name=name,
        question=question,
        x_name=axis.name,
        x_unit=axis.unit,
        is_logarithmic=axis.is_logarithmic,
        curves=curves,
        crossings=find_crossings(options, curves),
        here=tuple(Point(axis.here, each.cost(axis.here)) for each in options),
        answer="",
        assumptions=tuple(assumptions),
        assumed_prices=tuple(
            f"{key} in {region}"
            for (key, region), rate in sorted(rates.items())
            if rate.confidence is Confidence.ASSUMED
        ),
    )
    return replace(found, answer=answer(found))


def draw_curves(options: Iterable[Option], xs: Sequence[Decimal]) -> tuple[Curve, ...]:
    """A curve for each option."""
    return tuple(Curve(each.name, tuple(Point(x, each.cost(x)) for x in xs), each.confidence) for each in options)


def find_crossings(options: Sequence[Option], curves: Sequence[Curve]) -> tuple[Crossing, ...]:
    """Where the order of two options changes between points of their curves, by x."""
    found = []
    for (one, curve), (other, other_curve) in combinations(list(zip(options, curves, strict=True)), 2):
        gaps = [(left.x, left.cost - right.cost) for left, right in zip(curve.points, other_curve.points, strict=True)]
        apart = [gap for gap in gaps if gap[1]]
        for (low, gap), (high, next_gap) in pairwise(apart):
            if gap * next_gap < 0:
                x = _halve(one, other, low, high)
                below, above = (one.name, other.name) if gap < 0 else (other.name, one.name)
                found.append(Crossing(x, one.cost(x), below, above))
    return tuple(sorted(found, key=lambda each: each.x))


def _halve(one: Option, other: Option, low: Decimal, high: Decimal) -> Decimal:
    """Where the order of two options changes between two x (> 0) at which it differs."""
    cheaper = one.cost(low) < other.cost(low)
    while high - low > high * _PRECISION:
        middle = (low + high) / 2
        if (one.cost(middle) < other.cost(middle)) == cheaper:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def space_evenly(low: Decimal, high: Decimal, count: int = POINTS) -> list[Decimal]:
    """From low to high, both included."""
    return [low + (high - low) * at / (count - 1) for at in range(count)]


def space_by_decades(low: Decimal, high: Decimal, count: int = POINTS) -> list[Decimal]:
    """From low to high (> 0), both included, each the same factor above the one before; to three digits."""
    factor = (high / low).ln() / (count - 1)
    inner = (low * (factor * at).exp() for at in range(1, count - 1))
    return [low, *(_shorten(each) for each in inner), high]


def _shorten(value: Decimal) -> Decimal:
    return value.quantize(Decimal(1).scaleb(value.adjusted() - 2))
