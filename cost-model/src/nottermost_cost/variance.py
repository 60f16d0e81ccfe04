"""What was billed against what was estimated: why they differ, in parts that add up to the difference."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, field, fields, replace
from decimal import Decimal
from typing import Final

from nottermost_cost.bill.bill import Bill, Billed, CostType, MonthBilled
from nottermost_cost.bill.report import NAMELESS, describe_month
from nottermost_cost.errors import BillError
from nottermost_cost.estimate import Estimate, Line
from nottermost_cost.numeric import MONEY, exact, sum_exact, wide
from nottermost_cost.plain import lay_out
from nottermost_cost.pricebook import Rate
from nottermost_cost.report.cells import Kind, printable
from nottermost_cost.report.tables import Column, Table

COMPARABLE: Final[Mapping[CostType, Callable[[Line], Decimal]]] = {
    CostType.EFFECTIVE: lambda line: line.effective_cost,
    CostType.CONTRACTED: lambda line: line.contracted_cost,
    CostType.LIST: lambda line: line.list_cost,
}

_ESTIMATED: Final = ("Usage", "Purchase")  # taxes, credits and adjustments are never estimated
_UNITS: Final = {  # a bill's word for the unit of a price, where it is more than a plural
    "hrs": "hour",
    "lcu-hrs": "lcu-hour",
    "nlcu-hrs": "nlcu-hour",
    "gb-mo": "gb-month",
    "gigabytes": "gb",
    "iops-mo": "iops-month",
    "writerequestunits": "wru",
    "readrequestunits": "rru",
    "metrics": "metric-month",
    "alarms": "alarm-month",
    "keys": "key-month",
    "secrets": "secret-month",
}


@dataclass(frozen=True, slots=True)
class ServiceVariance:
    """One service, USD. The five parts add up to the difference, exactly.

    Attributes:
        difference: actual minus estimated.
        price: (actual price - estimated price) x actual quantity, of what is found in both by SKU.
        quantity: (actual quantity - estimated quantity) x estimated price, of the same.
        not_in_estimate: billed, and the estimate has no line for it; taxes and credits too.
        not_billed: minus what was estimated and the bill does not have.
        unmatched: both have something, and no SKU or unit tells which belongs to which.
    """

    service: str
    estimated: Decimal
    actual: Decimal
    difference: Decimal
    price: Decimal
    quantity: Decimal
    not_in_estimate: Decimal
    not_billed: Decimal
    unmatched: Decimal


@dataclass(frozen=True)
class Variance:
    """A bill against an estimate.

    Attributes:
        cost: the cost type of both sides.
        times: how often the monthly estimate is counted: once for each billed month.
        services: largest difference first.
        notes: what a reader must know before comparing.
    """

    bill: str
    cost: CostType
    months: tuple[MonthBilled, ...]
    times: int
    services: tuple[ServiceVariance, ...]
    total: ServiceVariance
    notes: tuple[str, ...]


@dataclass
class _Cell:
    """One price key in one place, on both sides."""

    rate: Rate
    estimated: Decimal = Decimal(0)
    estimated_quantity: Decimal = Decimal(0)
    actual: Decimal = Decimal(0)
    actual_quantity: Decimal | None = Decimal(0)  # None: in a unit that is not the price's
    is_billed: bool = False

    @property
    def can_be_split(self) -> bool:
        """Whether both sides have a quantity in the same unit."""
        return self.is_billed and self.estimated_quantity > 0 and (self.actual_quantity or 0) > 0


@dataclass
class _Side:
    """One service while it is compared."""

    cells: dict[tuple[str, str], _Cell] = field(default_factory=dict)
    extra: list[Decimal] = field(default_factory=list)  # billed, never estimated
    unlocated: list[Decimal] = field(default_factory=list)  # billed under SKUs that the estimate does not name


def compare_bill(bill: Bill, estimate: Estimate, cost: CostType = CostType.EFFECTIVE) -> Variance:
    """Join by SKU and region where the bill's SKU is a price's, and by service for the rest.

    Nothing is scaled to the days that a bill covers: the notes say which months are incomplete.

    Args:
        cost: the same on both sides: effective, contracted or list.
    Raises: BillError when one side does not tell that cost.
    """
    if cost not in COMPARABLE or cost not in bill.cost_types:
        told = " or ".join(each for each in COMPARABLE if each in bill.cost_types)
        raise BillError(f"{bill.name} and an estimate do not both tell the {cost} cost: compare {told or 'nothing'}")
    times = max(1, len([each for each in bill.months if each.month]))
    sides = _estimated_sides(estimate.lines, cost, times)
    places = _places(sides)
    for each in bill.sums:
        cell = places.get((each.sku, each.region)) or places.get((each.sku, ""))
        _add_billed(each, each.costs[cost], sides, cell)
    services = [_service_variance(service, side) for service, side in sides.items()]
    services.sort(key=lambda each: (-abs(each.difference), each.service))
    return Variance(bill.name, cost, bill.months, times, tuple(services), _total(services), tuple(_notes(bill, times)))


def render_variance(variance: Variance) -> Iterator[str]:
    """What to know, then one line a service, largest difference first, and the total."""
    yield f"{printable(variance.bill)} against the estimate, {variance.cost} cost, USD"
    yield from (f"note: {note}" for note in variance.notes)
    service, *amounts = (each.name.replace("_", " ") for each in fields(ServiceVariance))
    columns = (Column(service), *(Column(name, Kind.MONEY) for name in amounts))
    rows = tuple(astuple(replace(each, service=each.service or NAMELESS)) for each in variance.services)
    yield ""
    yield lay_out(Table("", columns, rows, astuple(variance.total)))


def _estimated_sides(lines: Iterable[Line], cost: CostType, times: int) -> dict[str, _Side]:
    sides: dict[str, _Side] = {}
    for line in lines:
        charge = line.charge
        place = (charge.key, charge.place or charge.region)
        cell = sides.setdefault(line.service, _Side()).cells.setdefault(place, _Cell(line.rate))
        with exact():
            cell.estimated += COMPARABLE[cost](line) * times
            cell.estimated_quantity += Decimal(charge.quantity) * times
    return sides


def _places(sides: Mapping[str, _Side]) -> dict[tuple[str, str], _Cell]:
    """Where a bill's (SKU, region) belongs; AWS's SKUs are of one region and count with any, written as ""."""
    found: dict[tuple[str, str], _Cell] = {}
    for side in sides.values():
        for (key, region), cell in side.cells.items():
            found[key, region] = cell
            for sku in {band.sku for band in cell.rate.bands if band.sku}:
                found[sku, region] = found[sku, ""] = cell
    return found


def _add_billed(billed: Billed, amount: Decimal, sides: dict[str, _Side], cell: _Cell | None) -> None:
    """`cell`: where the SKU belongs, None for one that the estimate does not name."""
    if billed.category not in _ESTIMATED:
        sides.setdefault(billed.service, _Side()).extra.append(amount)
    elif cell is None:
        sides.setdefault(billed.service, _Side()).unlocated.append(amount)
    else:
        cell.is_billed = True
        cell.actual = sum_exact((cell.actual, amount))
        more, known = _in_price_units(billed, cell.rate), cell.actual_quantity
        cell.actual_quantity = None if more is None or known is None else sum_exact((known, more))


def _in_price_units(billed: Billed, rate: Rate) -> Decimal | None:
    """None when the bill counts in another unit than the price."""
    if billed.unit == rate.unit:
        return billed.quantity
    prefix, _, counted = rate.unit.partition(" ")
    unit, per_price = (counted, rate.unit_size) if counted else (prefix, Decimal(1))
    if _spelled(billed.unit) != _spelled(unit):
        return None
    with wide():
        return billed.quantity / per_price


def _spelled(unit: str) -> str:
    return _UNITS.get(unit.lower(), unit.lower().removesuffix("s"))


def _service_variance(service: str, side: _Side) -> ServiceVariance:
    """Cells that can be split are; what is left on both sides is unmatched, on one side it is missing on the other."""
    split = [cell for cell in side.cells.values() if cell.can_be_split]
    left = [cell for cell in side.cells.values() if not cell.can_be_split]
    split_estimated = sum_exact(cell.estimated for cell in split)
    split_actual = sum_exact(cell.actual for cell in split)
    at_estimated_price = sum_exact(_at_estimated_price(cell) for cell in split)
    left_estimated = sum_exact(cell.estimated for cell in left)
    left_billed = sum_exact((*side.unlocated, *(cell.actual for cell in left)))
    extra = sum_exact(side.extra)
    has_billed = bool(side.unlocated) or any(cell.is_billed for cell in left)
    zero = Decimal(0)
    with exact():  # even a minus sign rounds otherwise
        estimated, actual = split_estimated + left_estimated, split_actual + left_billed + extra
        return ServiceVariance(
            service=service,
            estimated=estimated,
            actual=actual,
            difference=actual - estimated,
            price=split_actual - at_estimated_price,
            quantity=at_estimated_price - split_estimated,
            not_in_estimate=extra + (zero if left else left_billed),
            not_billed=zero if has_billed else zero - left_estimated,
            unmatched=left_billed - left_estimated if left and has_billed else zero,
        )


def _at_estimated_price(cell: _Cell) -> Decimal:
    """The actual quantity at the estimate's average price, rounded: what rounding leaves is part of both effects."""
    with wide():
        return (cell.estimated * (cell.actual_quantity or 0) / cell.estimated_quantity).quantize(MONEY)


def _total(services: Iterable[ServiceVariance]) -> ServiceVariance:
    _, *columns = zip(*map(astuple, services), strict=True)
    return ServiceVariance("total", *map(sum_exact, columns))


def _notes(bill: Bill, times: int) -> Iterator[str]:
    if times > 1:
        yield f"the bill has {times} months: the monthly estimate is counted {times} times"
    for month in bill.months:
        if not month.complete:
            yield f"{describe_month(month)}: nothing is scaled, so the estimate is of more time than the bill"
    for currency, rate in bill.rates.items():
        yield f"{rate.describe(currency)}, converted for the whole bill"
