"""What moves the total: every input from its low to its high end alone, and a thousand scenarios at once.

All runs are rows of one table, computed together in float64: the base, each input at either end, all inputs
at the end that costs least and most, then samples. A sample draws each input independently of the others:
below or above its base with the same chance, the likelier the nearer to it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, SupportsFloat

import numpy as np
import pandas as pd

from nottermost_cost.engine import Model
from nottermost_cost.estimate import Estimate
from nottermost_cost.inputs import Input
from nottermost_cost.plain import lay_out
from nottermost_cost.report.cells import Kind, say_sources
from nottermost_cost.report.tables import Column, Table

SAMPLES: Final = 1000
SEED: Final = 20261121
PERCENTILES: Final = (5, 50, 95)


@dataclass(frozen=True, slots=True)
class Bar:
    """The total (effective USD a month) with one input at its low and at its high end."""

    input: Input
    low: Decimal
    high: Decimal

    @property
    def width(self) -> Decimal:
        """How far it moves the total."""
        return abs(self.high - self.low)


@dataclass(frozen=True)
class Sensitivity:
    """How sure the total is; USD a month.

    Attributes:
        percentiles: of the sampled totals.
        cheapest, dearest: every input at the end that costs least, and most.
        bars: inputs that have a range, the widest first.
    """

    base: Decimal
    percentiles: Mapping[int, Decimal]
    cheapest: Decimal
    dearest: Decimal
    samples: int
    seed: int
    bars: tuple[Bar, ...]


def sample_model(model: Model, samples: int = SAMPLES, seed: int = SEED) -> Sensitivity:
    """Run the model for all rows at once."""
    moving = [each for each in model.inputs.values() if each.has_range]
    ends = _ends(moving)
    totals = _run(model, ends)
    lows, highs = totals.iloc[1 : 1 + len(moving)].to_numpy(), totals.iloc[1 + len(moving) :].to_numpy()
    extremes = pd.DataFrame(
        {
            each.name: [float(end) for end in ((each.low, each.high) if low <= high else (each.high, each.low))]
            for each, low, high in zip(moving, lows, highs, strict=True)
        },
        dtype=float,
        index=range(2),
    )
    sampled = _run(model, pd.concat([extremes, draw_samples(moving, samples, seed)], ignore_index=True))
    cheapest, dearest = sampled.iloc[0], sampled.iloc[1]
    bars = (Bar(each, _money(low), _money(high)) for each, low, high in zip(moving, lows, highs, strict=True))
    return Sensitivity(
        base=_money(totals.iloc[0]),
        percentiles={each: _money(np.percentile(sampled.iloc[2:], each)) for each in PERCENTILES},
        cheapest=_money(cheapest),
        dearest=_money(dearest),
        samples=samples,
        seed=seed,
        bars=tuple(sorted(bars, key=lambda bar: (-bar.width, bar.input.name))),
    )


def render_sensitivity(found: Sensitivity, estimate: Estimate) -> Iterator[str]:
    """The spread and what the base rests on, then every input that moves the total by a dollar or more."""
    cases = (
        ("base", found.base),
        *((f"{percentile}% of samples below", cost) for percentile, cost in found.percentiles.items()),
        ("every input cheapest", found.cheapest),
        ("every input dearest", found.dearest),
    )
    yield lay_out(Table("", (Column("Total"), Column("USD a month", Kind.MONEY)), cases))
    yield f"{found.samples:,} samples, seed {found.seed}. {say_sources(estimate.by_confidence())}\n"
    ends = ("Low", Kind.COUNT), ("Cost at low", Kind.MONEY), ("High", Kind.COUNT), ("Cost at high", Kind.MONEY)
    rows = ((bar.input.name, bar.input.low, bar.low, bar.input.high, bar.high) for bar in found.bars if bar.width >= 1)
    yield lay_out(Table("", (Column("One input alone"), *(Column(*each) for each in ends)), tuple(rows)))


def draw_samples(moving: list[Input], samples: int, seed: int) -> pd.DataFrame:
    """One row a sample, one column an input."""
    random = np.random.default_rng(seed)
    columns = {}
    for each in moving:
        below, near = random.random(samples) < 0.5, np.sqrt(random.random(samples))
        low, value, high = float(each.low), float(each.value), float(each.high)
        columns[each.name] = np.where(below, low + (value - low) * near, high - (high - value) * near)
    return pd.DataFrame(columns, index=range(samples))


def _ends(moving: list[Input]) -> pd.DataFrame:
    """The base, then each input at its low end, then each at its high end."""
    table = pd.DataFrame({each.name: np.full(1 + 2 * len(moving), float(each.value)) for each in moving})
    for row, each in enumerate(moving, start=1):
        table.loc[row, each.name] = float(each.low)
        table.loc[row + len(moving), each.name] = float(each.high)
    return table


def _run(model: Model, table: pd.DataFrame) -> "pd.Series[float]":
    """The total of each row; inputs without a column keep their base value."""
    fixed = {name: float(each.value) for name, each in model.inputs.items()}
    columns = {str(name): table[name].to_numpy(dtype=float) for name in table.columns}
    total = model.total({**fixed, **columns})
    return pd.Series(np.broadcast_to(total, len(table)), dtype=float)


def _money(value: SupportsFloat) -> Decimal:
    return Decimal(repr(float(value)))
