"""An input of the estimate: a number that somebody chose, measured or cites, with a range and a source."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from nottermost_cost.numeric import Number


class Kind(StrEnum):
    """Where an input comes from."""

    SCENARIO = "scenario"  # the workload: what the product is used for
    MEASURED = "measured"  # a load test's coefficient
    CITED = "cited"  # a coefficient from a publication, or from a figure of our own documents
    ASSUMED = "assumed"  # a coefficient that nobody has measured
    TERMS = "terms"  # what is agreed with AWS, and how the environments are used


@dataclass(frozen=True, slots=True)
class Input:
    """One input.

    Attributes:
        name: a path, such as `messages.per_dau_day` or `gateway.connections_per_vcpu`; unique in an estimate.
        low, high: its range, low <= value <= high; both equal the value where no range is given.
        unit: of the value; "" where it has none.
        source: where it comes from, or why it was assumed.
    """

    name: str
    value: Decimal
    low: Decimal
    high: Decimal
    unit: str
    source: str
    kind: Kind

    @property
    def has_range(self) -> bool:
        """Whether it moves in sensitivities and samples."""
        return self.low < self.high


Inputs: TypeAlias = Mapping[str, Input]
Values: TypeAlias = Mapping[str, Number]  # by the same names: decimals for one estimate, columns for many


def base_values(inputs: Inputs) -> dict[str, Decimal]:
    """What the one estimate is computed with."""
    return {name: each.value for name, each in inputs.items()}


def as_columns(values: Values) -> dict[str, npt.NDArray[np.float64]]:
    """What samples are computed with."""
    return {name: np.atleast_1d(np.asarray(value, dtype=float)) for name, value in values.items()}
