"""What a quantity costs along the bands of a rate, and sharing that back to those who used it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

import numpy as np
import numpy.typing as npt

from nottermost_cost.numeric import MONEY, wide
from nottermost_cost.pricebook import Band, Confidence, Rate


@dataclass(frozen=True, slots=True)
class Step:
    """The part of a quantity that falls into one band, in price units and USD."""

    band: Band
    quantity: Decimal
    cost: Decimal


def walk_tiers(rate: Rate, quantity: Decimal) -> tuple[Step, ...]:
    """Price a quantity (price units, >= 0) band by band; bands that it does not reach are absent."""
    return tuple(
        Step(band, part, part * band.price) for band in rate.bands if (part := min(quantity, band.end) - band.start) > 0
    )


def price_quantity(rate: Rate, quantity: Decimal) -> Decimal:
    """USD for a quantity in price units: the integral of the marginal price."""
    return sum((step.cost for step in walk_tiers(rate, quantity)), Decimal(0))


def price_samples(rate: Rate, quantities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The same for a column of quantities."""
    total = np.zeros_like(quantities)
    for band in rate.bands:
        start = float(band.start)
        total += np.clip(quantities - start, 0.0, float(band.end) - start) * float(band.price)
    return total


def cost_by_confidence(steps: Sequence[Step]) -> dict[Confidence, Decimal]:
    """USD by where the price comes from."""
    found: dict[Confidence, Decimal] = {}
    for step in steps:
        found[step.band.confidence] = found.get(step.band.confidence, Decimal(0)) + step.cost
    return found


def share(total: Decimal, weights: Sequence[Decimal], quantum: Decimal = MONEY) -> list[Decimal]:
    """Split a total in proportion to weights (>= 0), by largest remainder: the parts add up to the total.

    The total is first rounded to `quantum`. Weights that are all zero share equally.
    """
    if not weights:
        return []
    with wide():  # a floor must not see rounding
        whole = sum(weights, Decimal(0))
        if whole == 0:
            weights, whole = [Decimal(1)] * len(weights), Decimal(len(weights))
        units = (total / quantum).to_integral_value()
        exact = [units * weight / whole for weight in weights]
        parts = [value.to_integral_value(ROUND_FLOOR) for value in exact]
        left = int(units - sum(parts))
        by_remainder = sorted(range(len(parts)), key=lambda index: (parts[index] - exact[index], index))
        for index in by_remainder[:left]:
            parts[index] += 1
        return [part * quantum for part in parts]
