"""A bill as finance reads it, and as one JSON object."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from nottermost_cost.bill.anomalies import Anomaly
from nottermost_cost.bill.bill import Bill, CostType, Dimension, MonthBilled
from nottermost_cost.encoding import encode_json
from nottermost_cost.numeric import sum_exact
from nottermost_cost.plain import lay_out
from nottermost_cost.report.cells import Cell, Kind, printable
from nottermost_cost.report.tables import Column, Table

if TYPE_CHECKING:  # it reads bills
    from nottermost_cost.variance import Variance

NAMELESS: Final = "(none)"
_LINES_MAX: Final = 15  # of one table; the rest is one line, so that the total still adds up


def render_actual(bill: Bill) -> Iterator[str]:
    """Totals by cost type, then every breakdown with its largest first, commitments and what is odd."""
    name = printable(bill.name)
    yield f"{name}: {bill.kind}, {bill.rows:,} rows, {', '.join(describe_month(each) for each in bill.months)}"
    yield from (rate.describe(currency) for currency, rate in bill.rates.items())
    yield ""
    totals = ((cost, bill.total(cost) if cost in bill.cost_types else "not in this file") for cost in CostType)
    yield lay_out(Table("", (Column("cost"), Column("USD", Kind.MONEY)), tuple(totals)))
    shown = [cost for cost in (CostType.BILLED, CostType.EFFECTIVE, CostType.LIST) if cost in bill.cost_types]
    for dimension in Dimension:
        yield _breakdown(f"by {dimension}", {cost: bill.by(dimension, cost) for cost in shown})
    for key in bill.tag_keys:
        yield _breakdown(f"by tag {key}", {cost: bill.by_tag(key, cost) for cost in shown})
    if bill.commitments:
        columns = (Column("commitment"), *(Column(name, Kind.MONEY) for name in ("used", "unused", "purchased")))
        rows = tuple((each.name, each.used, each.unused, each.purchased) for each in bill.commitments)
        yield lay_out(Table("", columns, rows))
    if bill.anomalies:
        columns = (Column("odd"), Column("count", Kind.COUNT), Column("USD", Kind.MONEY), Column("what"))
        yield lay_out(
            Table("", columns, tuple((each.code, each.count, each.cost, _describe(each)) for each in bill.anomalies))
        )
    else:
        yield "nothing odd"


def actual_json(bill: Bill, variance: "Variance | None" = None) -> bytes:
    """The same as one JSON object, amounts as exact numbers; a cost that the file does not tell is null.

    With a variance, that too, under its name.
    """
    result = {
        "name": bill.name,
        "kind": bill.kind,
        "rows": bill.rows,
        **{f"{cost}_cost": bill.total(cost) for cost in CostType},
        **{f"by_{dimension}": bill.by(dimension) for dimension in Dimension},
        "rows_by_provider": bill.rows_by(Dimension.PROVIDER),
        "by_tag": {key: bill.by_tag(key) for key in bill.tag_keys},
        "months": bill.months,
        "commitments": bill.commitments,
        "rates": [{"currency": currency, **rate.model_dump()} for currency, rate in bill.rates.items()],
        "anomalies": bill.anomalies,
    }
    return encode_json(result | ({"variance": variance} if variance else {}))


def describe_month(month: MonthBilled) -> str:
    """Such as `2026-11 (usage from 2026-11-01 00:00 to 2026-11-14 04:00, incomplete)`."""
    name = month.month or "no month"
    if month.first is None or month.last is None:
        return f"{name} (no usage)"
    complete = "complete" if month.complete else "incomplete"
    return f"{name} (usage from {month.first:%Y-%m-%d %H:%M} to {month.last:%Y-%m-%d %H:%M}, {complete})"


def _breakdown(title: str, by_cost: Mapping[CostType, Mapping[str, Decimal]]) -> str:
    """Largest first by the first of the costs, which is the bill's main one."""
    names = list(next(iter(by_cost.values())))

    def row(label: str, *members: str) -> tuple[Cell, ...]:
        return label, *(sum_exact(costs[name] for name in members) for costs in by_cost.values())

    rows = [row(name or NAMELESS, name) for name in names[:_LINES_MAX]]
    if others := names[_LINES_MAX:]:
        rows.append(row(f"{len(others)} others", *others))
    columns = (Column(title), *(Column(cost, Kind.MONEY) for cost in by_cost))
    return lay_out(Table("", columns, tuple(rows), row("total", *names)))


def _describe(anomaly: Anomaly) -> str:
    if not anomaly.rows:
        return anomaly.sentence
    noun, more = ("row", "") if anomaly.count == 1 else ("rows", ", …" if anomaly.count > len(anomaly.rows) else "")
    return f"{anomaly.sentence} ({noun} {', '.join(map(str, anomaly.rows))}{more})"
