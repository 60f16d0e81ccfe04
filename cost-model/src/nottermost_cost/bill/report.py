"""A bill as finance reads it, and as one JSON object."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec

from nottermost_cost.bill.anomalies import Anomaly
from nottermost_cost.bill.bill import Bill, CostType, Dimension, MonthBilled, sum_exact
from nottermost_cost.focus import plain

if TYPE_CHECKING:  # it reads bills
    from nottermost_cost.variance import Variance

_LINES_MAX: Final = 15  # of one table; the rest is one line, so that the total still adds up
_NAMELESS: Final = "(none)"


def render_actual(bill: Bill) -> Iterator[str]:
    """Totals by cost type, then every breakdown with its largest first, commitments and what is odd."""
    yield f"{bill.name}: {bill.kind}, {bill.rows:,} rows, {', '.join(describe_month(each) for each in bill.months)}"
    for rate in bill.rates:
        yield f"1 {rate.currency} = {plain(rate.usd)} USD as of {rate.day}"
    yield ""
    yield from align([("cost", "USD"), *_totals(bill)])
    for dimension in Dimension:
        yield ""
        yield from _breakdown(bill, f"by {dimension}", {cost: bill.by(dimension, cost) for cost in _shown(bill)})
    for key in bill.tag_keys:
        yield ""
        yield from _breakdown(bill, f"by tag {key}", {cost: bill.by_tag(key, cost) for cost in _shown(bill)})
    if bill.commitments:
        yield ""
        yield from align(
            [("commitment", "used", "unused", "purchased")]
            + [(each.name, *map(money, (each.used, each.unused, each.purchased))) for each in bill.commitments]
        )
    yield ""
    yield from _odd(bill)


def actual_json(bill: Bill, variance: "Variance | None" = None) -> bytes:
    """The same as one JSON object, amounts as exact numbers; a cost that the file does not tell is null.

    With a variance, that too, under its name.
    """
    result = {
        "name": bill.name,
        "kind": bill.kind,
        "rows": bill.rows,
        **{f"{cost}_cost": _number(bill.total(cost)) for cost in CostType},
        **{f"by_{dimension}": _numbers(bill.by(dimension)) for dimension in Dimension},
        "by_tag": {key: _numbers(bill.by_tag(key)) for key in bill.tag_keys},
        "months": bill.months,
        "commitments": bill.commitments,
        "rates": bill.rates,
        "anomalies": bill.anomalies,
    } | ({"variance": variance} if variance else {})
    return msgspec.json.Encoder(decimal_format="number").encode(result)


def describe_month(month: MonthBilled) -> str:
    """Such as `2026-11 (usage from 2026-11-01 00:00 to 2026-11-14 04:00, incomplete)`."""
    name = month.month or "no month"
    if month.first is None or month.last is None:
        return f"{name} (no usage)"
    complete = "complete" if month.complete else "incomplete"
    return f"{name} (usage from {month.first:%Y-%m-%d %H:%M} to {month.last:%Y-%m-%d %H:%M}, {complete})"


def money(amount: Decimal | None) -> str:
    """In cents, with separators; `-` for what is not told."""
    if amount is None:
        return "-"
    cents = f"{amount:,.2f}"
    return "0.00" if cents == "-0.00" else cents


def align(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns side by side: the first to the left, amounts to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
        yield "  ".join(cells).rstrip()


def _shown(bill: Bill) -> list[CostType]:
    """What breakdowns compare: what was billed, what is effective, and list prices."""
    return [cost for cost in (CostType.BILLED, CostType.EFFECTIVE, CostType.LIST) if cost in bill.cost_types]


def _totals(bill: Bill) -> list[tuple[str, str]]:
    return [(cost, money(bill.total(cost)) if cost in bill.cost_types else "not in this file") for cost in CostType]


def _breakdown(bill: Bill, title: str, by_cost: Mapping[CostType, Mapping[str, Decimal]]) -> Iterator[str]:
    names = list(by_cost[bill.main_cost])
    shown, others = names[:_LINES_MAX], names[_LINES_MAX:]
    rows = [(title, *by_cost)]
    rows += [(name or _NAMELESS, *(money(costs[name]) for costs in by_cost.values())) for name in shown]
    if others:
        rows.append((f"{len(others)} others", *(money(_sum(costs, others)) for costs in by_cost.values())))
    rows.append(("total", *(money(_sum(costs, names)) for costs in by_cost.values())))
    yield from align(rows)


def _odd(bill: Bill) -> Iterator[str]:
    if not bill.anomalies:
        yield "nothing odd"
        return
    heads = [("odd", "count", "USD"), *((each.code, f"{each.count:,}", money(each.cost)) for each in bill.anomalies)]
    for head, tail in zip(align(heads), ["what", *map(_describe, bill.anomalies)], strict=True):
        yield f"{head}  {tail}"


def _describe(anomaly: Anomaly) -> str:
    if not anomaly.rows:
        return anomaly.sentence
    noun, more = ("row", "") if anomaly.count == 1 else ("rows", ", …" if anomaly.count > len(anomaly.rows) else "")
    return f"{anomaly.sentence} ({noun} {', '.join(map(str, anomaly.rows))}{more})"


def _sum(costs: Mapping[str, Decimal], names: Iterable[str]) -> Decimal:
    return sum_exact(costs[name] for name in names)


def _number(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else Decimal(plain(amount))


def _numbers(costs: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {name: Decimal(plain(cost)) for name, cost in costs.items()}
