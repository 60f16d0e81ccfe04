"""What was billed, summed: no single row is kept, and none is lost."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from nottermost_cost.bill.anomalies import Anomaly
from nottermost_cost.currencies import ExchangeRate
from nottermost_cost.numeric import exact, sum_exact


class BillKind(StrEnum):
    """Who wrote the file."""

    FOCUS = "FOCUS"
    CUR = "AWS cost and usage report"


class CostType(StrEnum):
    """One of a bill's costs, all in USD.

    Of a cost and usage report BILLED is the unblended and LIST the public on-demand cost.
    """

    BILLED = "billed"
    LIST = "list"
    CONTRACTED = "contracted"
    EFFECTIVE = "effective"
    BLENDED = "blended"


class Dimension(StrEnum):
    """What costs are told apart by."""

    PROVIDER = "provider"
    SERVICE = "service"
    CATEGORY = "category"
    ACCOUNT = "account"
    REGION = "region"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Billed:
    """The sum of all rows that share these words; "" where the rows have none.

    Attributes:
        account: the sub account.
        month: of the billing period, else of the charge, such as `2026-11`.
        sku: FOCUS SkuId, else the first part of SkuPriceId; in an estimate's own file the price key.
        unit: of the quantity, which is FOCUS PricingQuantity.
        commitment, status, frequency: FOCUS CommitmentDiscountId, CommitmentDiscountStatus and ChargeFrequency.
        tags: values by asked key.
        costs: only those that the file has.
    """

    provider: str
    service: str
    category: str
    account: str
    region: str
    month: str
    sku: str
    unit: str
    commitment: str
    status: str
    frequency: str
    tags: Mapping[str, str]
    rows: int
    costs: Mapping[CostType, Decimal]
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class MonthBilled:
    """A billed month, and how much of it the usage covers.

    Attributes:
        first, last: start of the first and end of the last usage; None without usage.
        complete: the usage reaches from the month's first to its last moment.
    """

    month: str
    rows: int
    first: datetime | None
    last: datetime | None
    complete: bool


@dataclass(frozen=True, slots=True)
class CommitmentBilled:
    """A commitment in this file, USD.

    Attributes:
        used, unused: effective cost.
        purchased: billed for the commitment itself; recurring: without what is paid once.
        covered_billed: billed for usage that it covers, which should be 0.
    """

    name: str
    used: Decimal
    unused: Decimal
    purchased: Decimal
    recurring: Decimal
    covered_billed: Decimal

    @property
    def is_uneven(self) -> bool:
        """Whether used and unused differ from what was billed; one paid once is used for longer than the file tells."""
        has_usage = self.used != 0 or self.unused != 0
        is_whole = self.purchased == self.recurring != 0
        return has_usage and is_whole and sum_exact((self.used, self.unused)) != self.purchased


@dataclass(frozen=True)
class Bill:
    """An imported file.

    Attributes:
        rows: every row of the file that has any value.
        cost_types: which costs it tells; the others are None, not zero.
        rates: what foreign currencies were converted with, by currency.
        tag_keys: the keys that were asked for.
    """

    name: str
    kind: BillKind
    rows: int
    cost_types: frozenset[CostType]
    sums: tuple[Billed, ...]
    months: tuple[MonthBilled, ...]
    commitments: tuple[CommitmentBilled, ...]
    anomalies: tuple[Anomaly, ...]
    rates: Mapping[str, ExchangeRate]
    tag_keys: tuple[str, ...]

    def total(self, cost: CostType) -> Decimal | None:
        """All rows together; None when the file does not tell that cost."""
        if cost not in self.cost_types:
            return None
        return sum_exact(each.costs[cost] for each in self.sums)

    @property
    def billed_cost(self) -> Decimal | None:
        """None for an estimate's own file."""
        return self.total(CostType.BILLED)

    @property
    def effective_cost(self) -> Decimal:
        """With commitments, amortised."""
        return self.total(CostType.EFFECTIVE) or Decimal(0)

    @property
    def main_cost(self) -> CostType:
        """What it is summed by: billed, or effective where nothing was billed."""
        return CostType.BILLED if CostType.BILLED in self.cost_types else CostType.EFFECTIVE

    def by(self, dimension: Dimension, cost: CostType | None = None) -> dict[str, Decimal]:
        """USD by provider, service, …, largest first; a cost that the file does not tell gives nothing."""
        return self._sum_by(lambda each: getattr(each, dimension), cost or self.main_cost)

    def rows_by(self, dimension: Dimension) -> dict[str, int]:
        """Rows by the same, in the same order."""
        counts: dict[str, int] = dict.fromkeys(self.by(dimension), 0)
        for each in self.sums:
            counts[getattr(each, dimension)] += each.rows
        return counts

    def by_tag(self, key: str, cost: CostType | None = None) -> dict[str, Decimal]:
        """The same by the values of an asked tag key; "" is without the tag."""
        return self._sum_by(lambda each: each.tags[key], cost or self.main_cost)

    def _sum_by(self, word: Callable[[Billed], str], cost: CostType) -> dict[str, Decimal]:
        totals: dict[str, Decimal] = {}
        if cost in self.cost_types:
            with exact():
                for each in self.sums:
                    totals[word(each)] = totals.get(word(each), Decimal(0)) + each.costs[cost]
        return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))


def sum_commitments(sums: Iterable[Billed], main: CostType) -> tuple[CommitmentBilled, ...]:
    """Every commitment that a row names, largest first."""
    found: dict[str, list[Billed]] = {}
    for each in sums:
        if each.commitment:
            found.setdefault(each.commitment, []).append(each)
    commitments = [_commitment(name, parts, main) for name, parts in found.items()]
    return tuple(sorted(commitments, key=lambda each: (-each.used - each.unused - each.purchased, each.name)))


def _commitment(name: str, sums: Sequence[Billed], main: CostType) -> CommitmentBilled:
    """A report's fees are purchases whose effective cost is what nothing used."""
    used = [each for each in sums if each.status == "Used"]
    purchases = [each for each in sums if each.category == "Purchase"]
    unused = [each for each in sums if each.status == "Unused"] + purchases
    return CommitmentBilled(
        name=name,
        used=sum_exact(each.costs[CostType.EFFECTIVE] for each in used),
        unused=sum_exact(each.costs[CostType.EFFECTIVE] for each in unused),
        purchased=sum_exact(each.costs[main] for each in purchases),
        recurring=sum_exact(each.costs[main] for each in purchases if each.frequency != "One-Time"),
        covered_billed=sum_exact(each.costs[main] for each in used),
    )
