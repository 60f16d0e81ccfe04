"""Judging a claimed figure against the one that was found: a value and a ratio, nothing else."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Verdict(StrEnum):
    """What a claim is worth."""

    HOLDS = "holds"
    TOO_HIGH = "too high"
    TOO_LOW = "too low"
    CANNOT = "cannot be checked"


@dataclass(frozen=True, slots=True)
class Span:
    """A figure, or a range of it; low <= high."""

    low: Decimal
    high: Decimal


def judge_claim(claimed: Span | None, found: Span | None, tolerance: Decimal) -> tuple[Verdict, Decimal | None]:
    """The verdict, and claimed / found between the ends that are nearest; 1 where the ranges meet.

    Args:
        tolerance: a ratio between 1 / (1 + tolerance) and 1 + tolerance holds.
    """
    if claimed is None or found is None:
        return Verdict.CANNOT, None
    if claimed.low <= found.high and found.low <= claimed.high:
        return Verdict.HOLDS, Decimal(1)
    above = claimed.low > found.high
    one, other = (claimed.low, found.high) if above else (claimed.high, found.low)
    if not other:
        return Verdict.TOO_HIGH, None
    ratio = one / other
    if 1 / (1 + tolerance) <= ratio <= 1 + tolerance:
        return Verdict.HOLDS, ratio
    return (Verdict.TOO_HIGH if above else Verdict.TOO_LOW), ratio
