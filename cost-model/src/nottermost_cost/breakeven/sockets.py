"""Sockets: API Gateway, which bills messages, or gateways of our own, which bill machines."""

from decimal import Decimal
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
from nottermost_cost.breakeven.setting import Setting
from nottermost_cost.capacity import find_services
from nottermost_cost.charges import Charge, Origin
from nottermost_cost.estimate import Sizing
from nottermost_cost.report.cells import show_whole
from nottermost_cost.sizing import size_all
from nottermost_cost.tiers import price_quantity

OWN: Final = "own gateways"
MANAGED: Final = "API Gateway"
_MESSAGES: Final = "apigw.ws.messages"
_MINUTES: Final = "apigw.ws.connection_minutes"
_BALANCER: Final = ("alb.hour", "alb.lcu_hour")
_LOW: Final = Decimal(1000)
_HIGH: Final = Decimal(100_000_000)


def ask_sockets(setting: Setting) -> BreakEven:
    """x: daily users. Raises: NoAnswer when the environment has no gateways."""
    here = setting.users
    charges = own_charges(setting)
    rates = {(each.key, each.region): setting.find(each.key, each.region) for each in charges}
    managed_rates = tuple(setting.find(key, setting.home) for key in (_MESSAGES, _MINUTES))
    options = (
        Option(MANAGED, lambda dau: sum(managed_costs(setting.with_users(dau)), Decimal(0)), managed_rates),
        Option(OWN, lambda dau: _own_cost(setting.with_users(dau)), tuple(rates.values())),
    )
    return answer_question(
        "sockets",
        "API Gateway's sockets or our own gateways?",
        Axis("daily users", "users", space_by_decades(min(_LOW, here), max(_HIGH, here)), here),
        options,
        lambda found: _answer(found, setting),
        (
            Assumption("everything that a user does stays the same at any number of users", "the scenario"),
            Assumption(
                "API Gateway's messages are sends, acknowledgements and deliveries, each below its 32 KB",
                "the scenario and protocol.md; the heartbeats that its ten idle minutes need are left out in its favour",
            ),
            Assumption(
                "own gateways carry the whole balancer, REST included, and the standby's minimum",
                "in API Gateway's favour",
            ),
            Assumption("its 500 new connections a second and two hours a connection are raised", "ADR 0022 names them"),
        ),
    )


def managed_costs(setting: Setting) -> tuple[Decimal, Decimal]:
    """USD a month for messages, and for minutes."""
    q = setting.workload.quantities
    messages = Decimal(q("messages.sent") * 2 + q("messages.delivered"))  # a send is acknowledged
    minutes = Decimal(q.total("connections.minutes"))
    by_message, by_minute = (setting.find(key, setting.home) for key in (_MESSAGES, _MINUTES))
    return (
        price_quantity(by_message, messages / by_message.unit_size),
        price_quantity(by_minute, minutes / by_minute.unit_size),
    )


def own_charges(setting: Setting) -> list[Charge]:
    """Gateways of every region, sized for the load, and their balancers. Raises: NoAnswer."""
    gateways = [each for each in find_services(setting.side.graph) if each.name == "gateway"]
    if not gateways:
        raise NoAnswer(f"{setting.side.graph.env} has no gateways: ask of an environment with the chat in it")
    workload = setting.with_operations()
    sized = size_all(gateways, [], workload, setting.values, Sizing.SCENARIO)
    units = [
        Charge(Origin.SCENARIO, setting.side.graph.env, "alb.lcu_hour", each.place, each.value, "units", each.name)
        for each in workload.quantities.places("balancer.units")
    ]
    return [*sized.charges, *units, *(each for each in setting.side.fixed if each.key in _BALANCER)]


def _own_cost(setting: Setting) -> Decimal:
    return setting.price(own_charges(setting))


def _answer(found: BreakEven, setting: Setting) -> str:
    crossing = found.crossing(OWN, MANAGED)
    own, managed = found.cost_here(OWN), found.cost_here(MANAGED)
    messages, _ = managed_costs(setting)
    first = (
        f"Own gateways are cheaper from {crossing.x:,.0f} daily users on."
        if crossing
        else "The same one is cheaper at any number of users."
    )
    times = f", {managed / own:,.1f} times as much" if managed > own else ""
    return (
        f"{first} At the {found.here[0].x:,.0f} of {setting.scenario} they cost {show_whole(own)} a month with their "
        f"balancers, API Gateway {show_whole(managed)}{times}; {messages / managed:.0%} of that is messages."
    )
