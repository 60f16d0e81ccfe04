"""DynamoDB: pay for each read and write, or for capacity by the hour."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from nottermost_cost.breakeven.curves import (
    Assumption,
    Axis,
    BreakEven,
    NoAnswer,
    Option,
    answer_question,
    space_evenly,
)
from nottermost_cost.breakeven.setting import SECONDS_PER_MONTH, Setting
from nottermost_cost.numeric import SECONDS_PER_HOUR
from nottermost_cost.pricebook import Rate
from nottermost_cost.report.cells import show_whole
from nottermost_cost.tiers import price_quantity

ON_DEMAND: Final = "on demand"
PROVISIONED: Final = "provisioned"
TARGET: Final = Decimal("0.7")  # of capacity in use, at which DynamoDB's own scaling aims unless it is told otherwise
_LOWEST: Final = Decimal("0.1")
_METERS: Final = (
    ("store.writes", "ddb.ondemand.wru", "ddb.provisioned.wcu_hour"),
    ("store.reads", "ddb.ondemand.rru", "ddb.provisioned.rcu_hour"),
    ("store.copied_writes", "ddb.global.rwru", "ddb.global.rwcu_hour"),
)


@dataclass(frozen=True, slots=True)
class _Demand:
    """Units a month of one kind in one region, with both prices of them."""

    units: Decimal
    by_use: Rate
    by_hour: Rate


def ask_dynamodb(setting: Setting) -> BreakEven:
    """x: the mean share of the capacity paid for that is used. Raises: NoAnswer without a DynamoDB store."""
    demands = _find_demands(setting)
    if not demands:
        raise NoAnswer(f"the store {setting.side.shape.store} has no DynamoDB units: ask with another store")
    options = (
        Option(ON_DEMAND, lambda _: _by_use(demands), tuple(each.by_use for each in demands)),
        Option(PROVISIONED, lambda x: _by_hour(demands, x), tuple(each.by_hour for each in demands)),
    )
    fixed, scaled = find_utilisations(setting)
    low = min(_LOWEST, fixed, scaled)
    return answer_question(
        "dynamodb",
        "DynamoDB on demand or provisioned?",
        Axis(
            "mean utilisation of provisioned capacity", "", space_evenly(low, Decimal(1)), scaled, is_logarithmic=False
        ),
        options,
        lambda found: _answer(found, setting.scenario, fixed, scaled),
        (
            Assumption(
                f"capacity follows each hour's busiest second at a target of {TARGET:.0%}",
                "DynamoDB's auto scaling, its usual target; what it lags behind is not counted",
            ),
            Assumption("reserved capacity, bursts from unused capacity and storage are not in it", "public prices"),
        ),
    )


def find_utilisations(setting: Setting) -> tuple[Decimal, Decimal]:
    """Mean use of capacity that is fixed at the day's busiest second, and of capacity that follows the hours."""
    busiest = [Decimal(each) for each in setting.workload.messages_per_s]
    mean = Decimal(setting.workload.quantities("messages.sent")) / SECONDS_PER_MONTH
    if not mean:
        raise NoAnswer(f"scenario {setting.scenario} sends no messages: there is nothing to provide capacity for")
    return mean / max(busiest), TARGET * mean * len(busiest) / sum(busiest)


def _find_demands(setting: Setting) -> tuple[_Demand, ...]:
    return tuple(
        _Demand(
            Decimal(each.value), setting.find(by_use, each.place), setting.find(by_hour, each.place)
        )
        for name, by_use, by_hour in _METERS
        for each in setting.workload.quantities.places(name)
        if each.value
    )  # fmt: skip


def _by_use(demands: tuple[_Demand, ...]) -> Decimal:
    return sum((price_quantity(each.by_use, each.units / each.by_use.unit_size) for each in demands), Decimal(0))


def _by_hour(demands: tuple[_Demand, ...], utilisation: Decimal) -> Decimal:
    """A capacity unit serves one unit a second; an hour of it therefore 3,600."""
    return sum(
        (price_quantity(each.by_hour, each.units / SECONDS_PER_HOUR / utilisation) for each in demands), Decimal(0)
    )


def _answer(found: BreakEven, scenario: str, fixed: Decimal, scaled: Decimal) -> str:
    by_use, by_hour = found.cost_here(ON_DEMAND), found.cost_here(PROVISIONED)
    crossing = found.crossing(ON_DEMAND, PROVISIONED)
    first = (
        f"Provisioned capacity is cheaper from a mean utilisation of {crossing.x:.1%} on."
        if crossing
        else "One of the two is cheaper at any utilisation."
    )
    middle = (
        f"The load of {scenario} uses {fixed:.1%} of capacity fixed at its busiest second, and {scaled:.1%} of capacity "
        f"that follows the hours: provisioned costs {show_whole(by_hour)} a month there, on demand {show_whole(by_use)}."
    )
    if by_hour < by_use:
        last = (
            f"Provisioned saves {show_whole(by_use - by_hour)} a month, for which its scaling needs an owner and a "
            "burst above it is refused."
        )
    else:
        last = f"On demand saves {show_whole(by_hour - by_use)} a month and needs no scaling."
    return f"{first} {middle} {last}"
