"""Adding rows up by the words they share, exactly."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import numpy as np

from nottermost_cost.bill.bill import Billed, CostType, MonthBilled
from nottermost_cost.bill.moments import UNKNOWN_MONTH, month_bounds
from nottermost_cost.bill.reading import Codes, Texts
from nottermost_cost.bill.rows import BLENDED_COST, QUANTITY, Rows, coalesce, find
from nottermost_cost.bill.tags import tag_value
from nottermost_cost.numeric import exact

COST_COLUMNS: Final = {
    CostType.BILLED: "BilledCost",
    CostType.LIST: "ListCost",
    CostType.CONTRACTED: "ContractedCost",
    CostType.EFFECTIVE: "EffectiveCost",
    CostType.BLENDED: BLENDED_COST,
}
_WORDS: Final = {
    "provider": "ProviderName",
    "service": "ServiceName",
    "category": "ChargeCategory",
    "region": "RegionId",
    "sku": "SkuId",
    "unit": "PricingUnit",
    "commitment": "CommitmentDiscountId",
    "status": "CommitmentDiscountStatus",
    "frequency": "ChargeFrequency",
}
_NEVER: Final = 2**62
_CODES_MAX: Final = 2**31  # two of these multiplied stay below 2^63


class Sums:
    """Sums of every row it is given."""

    def __init__(self, tag_keys: Sequence[str]) -> None:
        self._tag_keys = tuple(tag_keys)
        self._sums: dict[tuple[str, ...], list[Decimal]] = {}  # costs and quantity
        self._rows: Counter[tuple[str, ...]] = Counter()
        self._months: dict[str, tuple[int, int, int]] = {}

    def add(self, rows: Rows) -> None:
        """Count the rows of one batch."""
        if not len(rows):
            return
        months = rows.billed_months
        columns = [
            *(rows.texts(name) for name in _WORDS.values()),
            coalesce(rows.texts("SubAccountId"), rows.texts("SubAccountName")),
            months,
            *(_tags(rows, key) for key in self._tag_keys),
        ]
        order, starts = _group(columns)
        ends = np.append(starts[1:], len(rows))
        names = [*COST_COLUMNS.values(), QUANTITY]
        with exact():
            added = [
                np.add.reduceat(rows.amounts[name].values[order], starts) if name in rows.amounts else None
                for name in names
            ]
            for group, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
                row = order[start]
                words = tuple(column.values[column.codes[row]] for column in columns)
                known = self._sums.setdefault(words, [Decimal(0)] * len(names))
                self._sums[words] = [
                    have if more is None else have + more[group] for have, more in zip(known, added, strict=True)
                ]
                self._rows[words] += end - start
        self._count_months(rows, months)

    @property
    def rows(self) -> int:
        """How many it was given."""
        return self._rows.total()

    @property
    def main_month(self) -> str:
        """The one with most rows, the earliest of several; UNKNOWN_MONTH when no row tells one."""
        known = sorted(month for month in self._months if month != UNKNOWN_MONTH)
        return max(known, key=lambda month: self._months[month][0], default=UNKNOWN_MONTH)

    def sums(self, cost_types: frozenset[CostType]) -> tuple[Billed, ...]:
        """By shared words, in the order of their first rows."""
        names = (*_WORDS, "account", "month")
        return tuple(
            Billed(
                **dict(zip(names, words, strict=False)),
                tags=dict(zip(self._tag_keys, words[len(names) :], strict=True)),
                rows=self._rows[words],
                costs={cost: total for cost, total in zip(COST_COLUMNS, totals, strict=False) if cost in cost_types},
                quantity=totals[-1],
            )
            for words, totals in self._sums.items()
        )

    def months(self) -> tuple[MonthBilled, ...]:
        """Each billed month; a complete one has usage from its first to its last moment."""
        return tuple(_month(month, *self._months[month]) for month in sorted(self._months))

    def _count_months(self, rows: Rows, months: Texts) -> None:
        usage, charged = find(rows.texts("ChargeCategory"), "Usage"), rows.months("ChargePeriodStart")
        starts, starts_known = rows.seconds("ChargePeriodStart")
        ends, ends_known = rows.seconds("ChargePeriodEnd")
        for month in set(months.values):
            of_month = find(months, month)
            count = int(of_month.sum())
            if not count:
                continue
            inside = of_month & usage & find(charged, month)
            before, first, last = self._months.get(month, (0, _NEVER, -_NEVER))
            self._months[month] = (
                before + count,
                int(starts.min(initial=first, where=inside & starts_known)),
                int(ends.max(initial=last, where=inside & ends_known)),
            )


def _group(columns: Sequence[Texts]) -> tuple[Codes, Codes]:
    """Rows ordered by what all columns say, and where each distinct combination starts in that order."""
    combined = np.zeros(len(columns[0].codes), dtype=np.int64)
    size = 1
    for column in columns:
        if size * len(column.values) > _CODES_MAX:
            distinct, combined = np.unique(combined, return_inverse=True)
            size = len(distinct)
        combined = combined * len(column.values) + column.codes
        size *= len(column.values)
    order = np.argsort(combined, kind="stable")
    changes = np.flatnonzero(np.diff(combined[order])) + 1
    return order, np.append(0, changes)


def _tags(rows: Rows, key: str) -> Texts:
    """The values of one tag key, from a column of its own or from the tags' JSON."""
    for name in (f"resourceTags/user:{key}", f"resourceTags/{key}"):
        if name in rows.columns:
            return rows.texts(name)
    return rows.texts("Tags").map(lambda text: tag_value(text, key))


def _month(month: str, rows: int, first: int, last: int) -> MonthBilled:
    if first == _NEVER or last == -_NEVER:
        return MonthBilled(month, rows, None, None, complete=False)
    covers = False
    if month != UNKNOWN_MONTH:
        starts, ends = month_bounds(month)
        covers = first <= starts and last >= ends
    return MonthBilled(month, rows, datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last, UTC), covers)
