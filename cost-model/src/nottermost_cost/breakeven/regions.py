"""Regions: whether the standby is worth what it costs."""

from decimal import Decimal
from functools import cache
from typing import Final

from nottermost_cost.breakeven.curves import (
    Assumption,
    Axis,
    BreakEven,
    NoAnswer,
    Option,
    answer_question,
    space_by_decades,
)
from nottermost_cost.breakeven.setting import Setting, load_setting
from nottermost_cost.layouts import Layout
from nottermost_cost.pricebook import Rate
from nottermost_cost.report.cells import show_whole

ONE: Final = "one region"
ONE_WITH_OUTAGES: Final = "one region and its outages"
TWO: Final = "two regions and their outages"
OUTAGE_HOURS_PER_YEAR: Final = Decimal(4)
FAILOVER_HOURS_PER_YEAR: Final = Decimal("0.5")
USD_PER_USER_HOUR: Final = Decimal("0.10")
_MONTHS: Final = 12
_POINTS: Final = 13  # each is two estimates
_LOW: Final = Decimal(10_000)
_HIGH: Final = Decimal(100_000_000)


def ask_regions(setting: Setting) -> BreakEven:
    """x: daily users. Raises: NoAnswer when the environment has no standby."""
    if not setting.side.shape.standbys:
        raise NoAnswer(
            f"{setting.side.graph.env} has no standby here: ask of an environment and layout with two regions"
        )
    here = setting.users
    alone = load_setting(setting.model.choice, Layout.ONE)

    @cache
    def one(dau: Decimal) -> Decimal:
        return alone.with_users(dau).estimate().total()

    @cache
    def two(dau: Decimal) -> Decimal:
        return setting.with_users(dau).estimate().total()

    alone_rates = rates(alone)
    options = (
        Option(ONE, one, alone_rates),
        Option(ONE_WITH_OUTAGES, lambda dau: one(dau) + lost(dau, OUTAGE_HOURS_PER_YEAR), alone_rates),
        Option(TWO, lambda dau: two(dau) + lost(dau, FAILOVER_HOURS_PER_YEAR), rates(setting)),
    )
    standby = two(here) - one(here)
    return answer_question(
        "regions",
        "One region or two?",
        Axis("daily users", "users", space_by_decades(min(_LOW, here), max(_HIGH, here), _POINTS), here),
        options,
        lambda found: _answer(found, setting.scenario, standby),
        (
            Assumption(f"{OUTAGE_HOURS_PER_YEAR} hours of regional outage a year", "assumed: one afternoon"),
            Assumption(
                f"{FAILOVER_HOURS_PER_YEAR} hours of them stay with a standby",
                "docs/platform.md: 20 minutes from the decision; ten to decide are assumed",
            ),
            Assumption(
                f"an hour without chat costs ${USD_PER_USER_HOUR} a daily user",
                "assumed: a few seconds of working time; put your own figure against the answer's",
            ),
            Assumption("what an outage loses besides hours (data, trust) is not in it", "no figure"),
        ),
    )


def rates(setting: Setting) -> tuple[Rate, ...]:
    """Every price in an estimate that has one."""
    lines = setting.estimate().lines
    return tuple({(line.rate.key, line.rate.region): line.rate for line in lines if line.rate.bands}.values())


def lost(dau: Decimal, hours_per_year: Decimal) -> Decimal:
    """USD a month of hours without chat."""
    return dau * USD_PER_USER_HOUR * hours_per_year / _MONTHS


def break_even_hour(standby: Decimal) -> Decimal:
    """What an hour of outage must cost (USD) to pay for a standby of so many USD a month."""
    return standby * _MONTHS / (OUTAGE_HOURS_PER_YEAR - FAILOVER_HOURS_PER_YEAR)


def _answer(found: BreakEven, scenario: str, standby: Decimal) -> str:
    users = found.here[0].x
    hour = break_even_hour(standby)
    between = [each for each in found.crossings if {each.below, each.above} == {ONE_WITH_OUTAGES, TWO}]
    spans = [f"{'from' if each.above == TWO else 'up to'} {each.x:,.0f}" for each in between]
    end = " on" if between and between[-1].above == TWO else ""
    pays = found.cost_here(TWO) < found.cost_here(ONE_WITH_OUTAGES)
    where = (
        f"it pays {' '.join(spans)} daily users{end}"
        if spans
        else "it pays at any size"
        if pays
        else "it pays at no size"
    )
    return (
        f"The standby costs {show_whole(standby)} a month with {scenario}. At {OUTAGE_HOURS_PER_YEAR} hours of regional "
        f"outage a year, of which a failover leaves {FAILOVER_HOURS_PER_YEAR}, it pays when an hour of outage costs more "
        f"than {show_whole(hour)}, ${hour / users:.3f} a daily user. At ${USD_PER_USER_HOUR} {where}."
    )
