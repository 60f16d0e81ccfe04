"""What is needed against what is declared, and the judgement on it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from nottermost_cost.charges import Charge
from nottermost_cost.estimate import Fit, SizeFinding
from nottermost_cost.numeric import Number

_IDLE: Final = Decimal("0.2")  # what is less busy than this at its peak would do with half its size, twice over
_HUNDREDTH: Final = Decimal("0.01")
_ORDER: Final = (Fit.TOO_SMALL, Fit.TOO_LARGE, Fit.FITS)


@dataclass(frozen=True, slots=True)
class Need:
    """What one service or store needs at its peak.

    Attributes:
        unit: such as `tasks`, `nodes` or `GB`.
        demand: how much of `unit` the load fills, not rounded; needed: rounded up to what can be bought.
        declared: what there is, or may grow to by itself. least: what is billed in any case; 0 where nothing
            smaller could be had.
        added: the charges for what is missing.
    """

    what: str
    environment: str
    region: str
    unit: str
    demand: Number
    needed: Number
    declared: Decimal
    least: Decimal
    reason: str
    added: tuple[Charge, ...] = ()


def judge_needs(needs: Iterable[Need], price: Callable[[Sequence[Charge]], Decimal]) -> list[SizeFinding]:
    """Findings of one estimate, what is too small first, then by cost. `price`: USD a month of charges."""
    found = [_find(need, price) for need in needs]
    return sorted(
        found, key=lambda each: (_ORDER.index(each.fit), -each.cost, each.environment, each.region, each.what)
    )


def _find(need: Need, price: Callable[[Sequence[Charge]], Decimal]) -> SizeFinding:
    fit = _judge(need)
    large = fit is Fit.TOO_LARGE
    return SizeFinding(
        what=need.what,
        environment=need.environment,
        region=need.region,
        needed=Decimal(need.demand if large else need.needed).quantize(_HUNDREDTH),
        declared=need.least if large else need.declared,
        unit=need.unit,
        fit=fit,
        reason=need.reason,
        cost=price(need.added) if fit is Fit.TOO_SMALL else Decimal(0),
    )


def _judge(need: Need) -> Fit:
    """A standby that nothing flows through is as large as it is meant to be."""
    if need.needed > need.declared:
        return Fit.TOO_SMALL
    return Fit.TOO_LARGE if 0 < need.demand < need.least * _IDLE else Fit.FITS


def without_nothing(charges: Iterable[Charge]) -> list[Charge]:
    """Those that have a quantity; columns of samples always do."""
    return [each for each in charges if not (isinstance(each.quantity, Decimal) and each.quantity == 0)]
