"""The bridge: how the total of one estimate becomes that of another, line by line.

Lines of both sides match by price key, place, environment, name and resource. What a matched line changes is split:

    quantity  (quantity after - before) x the average price before
    price     the rest: another price, other bands of it, another discount

A line of one side only is new or removed, and when the same resource has the same line under another price key (a
larger node), it is one movement with both. Nothing is rounded after the split, so all effects add up to the change.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from decimal import Decimal
from typing import Final, NamedTuple

from nottermost_cost.estimate import Estimate, Line
from nottermost_cost.numeric import MONEY, exact, sum_exact, wide
from nottermost_cost.pricebook import Band, Confidence

_NOTHING: Final = Decimal(0)
_SHARED: Final = Decimal("1e-6")  # a price effect below this is how the total of a price was shared among its lines
_TIMES: Final = 10  # from here on a factor reads better than percent
_THIS: Final = ""  # the environment that is compared, where its name differs


@dataclass(frozen=True, slots=True)
class Effects:
    """USD a month; `removed` is negative. Together they are the change."""

    price: Decimal = _NOTHING
    quantity: Decimal = _NOTHING
    new: Decimal = _NOTHING
    removed: Decimal = _NOTHING


@dataclass(frozen=True, slots=True)
class Amount:
    """A line on one side: its quantity in units of the price, and what it costs (effective USD a month)."""

    key: str
    quantity: Decimal
    unit: str
    cost: Decimal
    bands: tuple[Band, ...]
    driver: str


@dataclass(frozen=True, slots=True)
class Movement:
    """One line that changed.

    Attributes:
        environment: "" for the one that is compared, when both sides have another.
        place: where it is spent: an AWS region, `global` or an edge.
        resource: its URN, or its name when the sides are different environments; "" where there is none.
        before, after: None where the side has no such line; new and removed lines of one resource have both.
    """

    service: str
    environment: str
    place: str
    name: str
    resource: str
    before: Amount | None
    after: Amount | None
    effects: Effects
    why: str

    @property
    def change(self) -> Decimal:
        """USD a month."""
        return _subtract(_cost(self.after), _cost(self.before))


@dataclass(frozen=True, slots=True)
class ServiceChange:
    """All lines of one service (FOCUS ServiceName), also those that did not move."""

    service: str
    before: Decimal
    after: Decimal
    effects: Effects

    @property
    def change(self) -> Decimal:
        """USD a month."""
        return _subtract(self.after, self.before)


@dataclass(frozen=True)
class Bridge:
    """From one total to another, effective USD a month.

    Attributes:
        left, right: what is compared, in the grammar of `subject`.
        environments: those whose lines are counted.
        services, movements: those that changed most first.
        unmoved: lines that cost the same on both sides.
        by_confidence: the list cost after the change, by where its prices come from.
    """

    left: str
    right: str
    environments: tuple[str, ...]
    before: Decimal
    after: Decimal
    effects: Effects
    services: tuple[ServiceChange, ...]
    movements: tuple[Movement, ...]
    unmoved: int
    by_confidence: Mapping[Confidence, Decimal]

    @property
    def change(self) -> Decimal:
        """USD a month."""
        return _subtract(self.after, self.before)

    @property
    def percent(self) -> Decimal | None:
        """The change as a share of the total before; None when that is nothing."""
        return self.change * 100 / self.before if self.before else None


def add_effects(effects: Iterable[Effects]) -> Effects:
    """Their sums, exact; of none, nothing."""
    return Effects(*(sum_exact(column) for column in zip(*map(astuple, effects), strict=True)))


class _Identity(NamedTuple):
    """What makes lines of two estimates the same line."""

    service: str
    environment: str
    place: str
    name: str
    resource: str
    key: str
    region: str


def build_bridge(left: Estimate, right: Estimate, left_name: str, right_name: str) -> Bridge:
    """Compare two estimates; lines that share an identity (a declared size and what is added to it) count together."""
    same = left.environment == right.environment
    before, after = _gather(left, same), _gather(right, same)
    moves = _pair_replaced([*_compare(before, after)])
    moved = [each for each in moves if each.effects != Effects()]
    return Bridge(
        left=left_name,
        right=right_name,
        environments=tuple(dict.fromkeys(line.charge.environment for line in (*left.lines, *right.lines))),
        before=sum_exact(each.cost for each in before.values()),
        after=sum_exact(each.cost for each in after.values()),
        effects=add_effects(each.effects for each in moved),
        services=_by_service(before, after, moved),
        movements=tuple(sorted(moved, key=lambda each: (-abs(each.change), _order(each)))),
        unmoved=len(moves) - len(moved),
        by_confidence=right.by_confidence(),
    )


def _gather(estimate: Estimate, same: bool) -> dict[_Identity, Amount]:
    lines: defaultdict[_Identity, list[Line]] = defaultdict(list)
    for line in estimate.lines:
        lines[_identify(line, estimate.environment, same)].append(line)
    return {identity: _add(members) for identity, members in lines.items()}


def _identify(line: Line, main: str, same: bool) -> _Identity:
    charge = line.charge
    return _Identity(
        service=line.service,
        environment=_THIS if charge.environment == main and not same else charge.environment,
        place=charge.place or charge.region,
        name=charge.name,
        resource=charge.urn if same else charge.urn.rpartition("::")[2],
        key=charge.key,
        region=charge.region,
    )


def _add(lines: Sequence[Line]) -> Amount:
    first = lines[0]
    return Amount(
        key=first.charge.key,
        quantity=sum_exact(Decimal(line.charge.quantity) for line in lines),
        unit=first.rate.unit,
        cost=sum_exact(line.effective_cost for line in lines),
        bands=first.rate.bands,
        driver=", ".join(dict.fromkeys(line.charge.driver for line in lines)),
    )


def _compare(before: Mapping[_Identity, Amount], after: Mapping[_Identity, Amount]) -> Iterable[Movement]:
    """A movement for every line of either side, also without effect."""
    there_before, there_after = {_resource(each) for each in before}, {_resource(each) for each in after}
    for identity in dict.fromkeys([*before, *after]):
        where, old, new = identity[:5], before.get(identity), after.get(identity)
        if old and new:
            effects = _split(old, new)
            yield Movement(*where, old, new, effects, _explain(old, new, effects))
        elif new:
            why = _appears(identity, new, _resource(identity) in there_before)
            yield Movement(*where, None, new, Effects(new=new.cost), why)
        elif old:
            why = _disappears(identity, old, _resource(identity) in there_after)
            yield Movement(*where, old, None, Effects(removed=_subtract(_NOTHING, old.cost)), why)


def _resource(identity: _Identity) -> tuple[str, ...]:
    """A URN is unique; a name is in one environment and place."""
    if "::" in identity.resource:
        return (identity.resource,)
    return identity.resource, identity.environment, identity.place


def _split(old: Amount, new: Amount) -> Effects:
    with wide():
        change = new.cost - old.cost
        if not old.quantity:
            return Effects(quantity=change)
        quantity = ((new.quantity - old.quantity) * old.cost / old.quantity).quantize(MONEY)
        price = change - quantity
        if new.quantity != old.quantity and abs(price) < _SHARED:
            return Effects(quantity=change)
        return Effects(price=price, quantity=quantity)


def _pair_replaced(moves: Sequence[Movement]) -> list[Movement]:
    """Make one of a removed and a new line of one resource that differ in nothing but their price key."""
    alone: defaultdict[tuple[str, ...], list[Movement]] = defaultdict(list)
    for each in moves:
        if each.before is None or each.after is None:
            alone[_order(each)].append(each)
    paired = []
    for found in alone.values():
        gone, come = [each for each in found if each.before], [each for each in found if each.after]
        if len(gone) == len(come) == 1:
            paired.append((gone[0], come[0]))
    left = {id(each) for pair in paired for each in pair}
    return [each for each in moves if id(each) not in left] + [_replace(*pair) for pair in paired]


def _replace(old: Movement, new: Movement) -> Movement:
    assert old.before is not None
    assert new.after is not None
    why = f"{old.before.key} became {new.after.key}"
    if ratio := _ratio(old.before.quantity, new.after.quantity):
        why += f", quantity {ratio}"
    return replace(new, before=old.before, effects=add_effects([old.effects, new.effects]), why=why)


def _order(movement: Movement) -> tuple[str, ...]:
    return movement.service, movement.environment, movement.place, movement.name, movement.resource


def _by_service(
    before: Mapping[_Identity, Amount], after: Mapping[_Identity, Amount], moves: Sequence[Movement]
) -> tuple[ServiceChange, ...]:
    found = [
        ServiceChange(
            service,
            sum_exact(each.cost for identity, each in before.items() if identity.service == service),
            sum_exact(each.cost for identity, each in after.items() if identity.service == service),
            add_effects(each.effects for each in moves if each.service == service),
        )
        for service in {each.service for each in (*before, *after)}
    ]
    return tuple(sorted(found, key=lambda each: (-abs(each.change), each.service)))


# --- why ------------------------------------------------------------------------------------------


def _explain(old: Amount, new: Amount, effects: Effects) -> str:
    parts = []
    if effects.quantity:
        parts.append(f"quantity {_ratio(old.quantity, new.quantity)} ({new.driver})")
    if effects.price and old.quantity and new.quantity:
        ratio = _ratio(old.cost / old.quantity, new.cost / new.quantity)
        cause = "bands or discounts" if old.bands == new.bands else "another price"
        parts.append(f"average price {ratio or 'hardly changed'} ({cause})")
    return ", ".join(parts)


def _appears(identity: _Identity, new: Amount, known: bool) -> str:
    if not identity.resource:
        return f"new: {new.driver}"
    return f"new for a resource that was there: {new.driver}" if known else "resource added"


def _disappears(identity: _Identity, old: Amount, known: bool) -> str:
    if not identity.resource:
        return f"gone: {old.driver}"
    return f"no longer for a resource that is still there: {old.driver}" if known else "resource removed"


def _ratio(before: Decimal, after: Decimal) -> str:
    """`up 12%`, `x 50`, `÷ 50`, `from 0` or `to 0`; "" when it is the same."""
    if before == after:
        return ""
    if not before or not after:
        return "to 0" if before else "from 0"
    ratio = after / before
    if ratio >= _TIMES:
        return f"x {ratio:,.0f}"
    if ratio * _TIMES <= 1:
        return f"÷ {1 / ratio:,.0f}"
    percent = (ratio - 1) * 100
    digits = 0 if abs(percent) >= 1 else 1 if abs(percent) >= Decimal("0.1") else 3
    return f"{'up' if percent > 0 else 'down'} {abs(percent):.{digits}f}%"


def _cost(amount: Amount | None) -> Decimal:
    return amount.cost if amount else _NOTHING


def _subtract(one: Decimal, other: Decimal) -> Decimal:
    with exact():  # even a minus sign rounds otherwise
        return one - other
