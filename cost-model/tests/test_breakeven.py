"""Break-even questions: crossings are computed, agree with arithmetic by hand, and each answer says what it rests on."""

import json
from dataclasses import replace
from decimal import Decimal
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nottermost_cost.breakeven import (
    QUESTIONS,
    Answers,
    BreakEven,
    NoAnswer,
    UnknownQuestion,
    answer_questions,
    compute,
    dynamodb,
    list_points,
    regions,
    render_json,
    render_text,
    sockets,
)
from nottermost_cost.breakeven import cache as caches
from nottermost_cost.breakeven.curves import Option, draw_curves, find_crossings, space_by_decades, space_evenly
from nottermost_cost.breakeven.setting import load_setting
from nottermost_cost.engine import Choice, load_model, make_estimate
from nottermost_cost.layouts import Layout
from nottermost_cost.pricebook import INFINITE, Band, Confidence, Rate, load_prices

CHOICE = Choice("prod", "growth")
CLOSE = Decimal("1e-5")
_BAND = Band(Decimal(0), INFINITE, Decimal(1), Confidence.PRIMARY, None, "a test")
_RATE = Rate("DynamoDB", "a.key", "us-east-1", "unit", 1000, "", (_BAND,))


@cache
def answered(name: str) -> BreakEven:
    (found,) = answer_questions(CHOICE, [name]).answered
    return found


def price(key: str, region: str = "us-east-1") -> Decimal:
    """Of the first band."""
    return load_prices().find(key, region, CHOICE.day).bands[0].price


def option(name: str, slope: Decimal, start: Decimal) -> Option:
    return Option(name, lambda x: start + slope * x, (_RATE,))


# --- curves ---------------------------------------------------------------------------------------


@given(
    slope=st.decimals("0.01", 100, places=2), start=st.decimals(0, 1000, places=2), flat=st.decimals(1, 5000, places=2)
)
def test_a_crossing_is_where_the_lines_meet(slope: Decimal, start: Decimal, flat: Decimal) -> None:
    """Two straight lines cross where algebra says, or not at all between the ends."""
    options = [option("flat", Decimal(0), flat), option("rising", slope, start)]
    xs = space_by_decades(Decimal(1), Decimal(1000))
    found = find_crossings(options, draw_curves(options, xs))
    exact = (flat - start) / slope
    if 1 < exact < 1000:
        (crossing,) = found
        assert abs(crossing.x / exact - 1) < CLOSE
        assert (crossing.below, crossing.above) == ("rising", "flat")
    else:
        assert all(abs(each.x / exact - 1) < CLOSE for each in found)


def test_every_crossing_of_every_pair_is_found() -> None:
    """A parabola crosses a line twice, and each crossing names who is cheaper on which side."""
    options = [option("line", Decimal(0), Decimal(4)), Option("bowl", lambda x: (x - 5) ** 2, (_RATE,))]
    found = find_crossings(options, draw_curves(options, space_evenly(Decimal(1), Decimal(9))))
    assert [(round(each.x), each.below) for each in found] == [(3, "line"), (7, "bowl")]


def test_a_step_is_a_crossing() -> None:
    """What is bought whole jumps over the other option: the crossing is the jump."""
    options = [
        option("flat", Decimal(0), Decimal(15)),
        Option("nodes", lambda x: Decimal(10 if x < 33 else 20), (_RATE,)),
    ]
    (crossing,) = find_crossings(options, draw_curves(options, space_evenly(Decimal(1), Decimal(100))))
    assert abs(crossing.x - 33) < CLOSE * 33


def test_options_that_cost_the_same_do_not_cross() -> None:
    """Equal curves are no break-even."""
    options = [option(name, Decimal(1), Decimal(1)) for name in ("one", "other")]
    assert find_crossings(options, draw_curves(options, space_evenly(Decimal(1), Decimal(9)))) == ()


# --- every question -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_is_answered_in_full(name: str) -> None:
    """Curves share their x and have a cost everywhere, the scenario is within them, and nothing rests on nothing."""
    found = answered(name)
    xs = [point.x for point in found.curves[0].points]
    assert xs == sorted(set(xs))
    assert all([point.x for point in curve.points] == xs for curve in found.curves)
    assert all(point.cost > 0 for curve in found.curves for point in curve.points)
    assert len(found.here) == len(found.curves) >= 2
    assert xs[0] <= found.here[0].x <= xs[-1]
    assert all(xs[0] <= each.x <= xs[-1] for each in found.crossings)
    assert found.answer
    assert found.assumptions
    assert all(each.text and each.source for each in found.assumptions)
    assumed = any(curve.confidence is Confidence.ASSUMED for curve in found.curves)
    assert bool(found.assumed_prices) == assumed


@pytest.mark.parametrize("name", ["sockets", "cache", "regions"])
def test_cost_never_falls_along_a_quantity(name: str) -> None:
    """More users, or more reads, never cost less, whichever option."""
    for curve in answered(name).curves:
        costs = [point.cost for point in curve.points]
        assert costs == sorted(costs), curve.option


# --- by hand --------------------------------------------------------------------------------------


def test_dynamodb_breaks_even_at_29_percent() -> None:
    """$0.00065 for an hour of a write a second, against 3,600 writes at $0.625 a million: 28.9 % must be used."""
    expected = price("ddb.provisioned.wcu_hour") / (price("ddb.ondemand.wru") / 1_000_000 * 3600)
    assert round(expected, 3) == Decimal("0.289")
    crossing = answered("dynamodb").crossing(dynamodb.ON_DEMAND, dynamodb.PROVISIONED)
    assert crossing is not None
    assert abs(crossing.x / expected - 1) < CLOSE
    assert crossing.below == dynamodb.ON_DEMAND
    assert "28.9%" in answered("dynamodb").answer


def test_dynamodb_on_demand_is_what_the_estimate_has() -> None:
    """Writes, reads and the replica's writes cost the same here as in the lines of the estimate."""
    keys = {"ddb.ondemand.wru", "ddb.ondemand.rru", "ddb.global.rwru"}
    lines = make_estimate(load_model(replace(CHOICE, alone=True))).lines
    expected = sum(line.list_cost for line in lines if line.charge.key in keys)
    assert abs(answered("dynamodb").cost_here(dynamodb.ON_DEMAND) - expected) < CLOSE


def test_the_use_of_capacity_follows_the_curve() -> None:
    """Fixed at the busiest second, three times the mean, a third is used; one that follows the hours is not fixed."""
    fixed, scaled = dynamodb.find_utilisations(load_setting(CHOICE))
    assert abs(fixed - Decimal(1) / 3) < CLOSE
    assert fixed < scaled < dynamodb.TARGET


def test_machines_break_even_where_full_ones_cost_their_share_of_fargate() -> None:
    """A machine's cost is inverse to how full it is, so the crossing is its cost when full over Fargate's."""
    setting = load_setting(CHOICE)
    tasks = compute.find_tasks(setting)
    machine = compute.choose_machine(setting, tasks)
    found = answered("compute")
    fargate = found.cost_here(compute.FARGATE)
    crossing = found.crossing(compute.FARGATE, f"EC2 {machine.name}")
    assert crossing is not None
    assert abs(crossing.x / (machine.cost(tasks, Decimal(1)) / fargate) - 1) < CLOSE
    assert found.cost_here(f"EC2 {machine.name}") == machine.cost(tasks, found.here[0].x)


def test_a_machine_holds_whole_tasks_beside_its_agent() -> None:
    """7.6 of 8 vCPU are left: three tasks of two, which is 79 % of them, and a tenth of the machines is spare."""
    setting = load_setting(CHOICE)
    gateways = [each for each in compute.find_tasks(setting) if each.service.name == "gateway"]
    machine = compute.choose_machine(setting, gateways)
    assert machine.vcpu == Decimal("7.6")
    assert machine.whole_hours(gateways) == sum(each.hours for each in gateways) / 3
    assert abs(compute.find_fill(machine, gateways) - Decimal(6) / Decimal("7.6") * Decimal("0.9")) < CLOSE


def test_fargate_is_the_price_list_times_the_hours() -> None:
    """Every task on demand: vCPU and memory by the hour; Spot with what interruptions repeat."""
    setting = load_setting(CHOICE)
    tasks = compute.find_tasks(setting)
    hand = sum(
        each.hours * each.service.vcpu * price("fargate.linux.x86.vcpu_hour", each.service.region)
        + each.hours * each.service.memory_gb * price("fargate.linux.x86.gb_hour", each.service.region)
        for each in tasks
    )
    assert abs(answered("compute").cost_here(compute.FARGATE) - hand) < CLOSE


def test_api_gateway_bills_messages_and_minutes() -> None:
    """Of a million users: 14,600 M messages are 1,000 M at $1 and the rest at $0.80 a million, minutes $0.25."""
    messages, minutes = sockets.managed_costs(load_setting(CHOICE))
    assert abs(messages - (1000 + 13_600 * Decimal("0.8"))) < Decimal("0.01")
    connected = sum(each.value for each in load_setting(CHOICE).workload.quantities.places("connections.minutes"))
    assert abs(minutes - connected / 1_000_000 * Decimal("0.25")) < Decimal("0.01")
    assert abs(answered("sockets").cost_here(sockets.MANAGED) - messages - minutes) < CLOSE


def test_own_gateways_pay_from_some_users_on() -> None:
    """Below the crossing idle gateways cost more than API Gateway's few messages, above it they never do."""
    found = answered("sockets")
    (crossing,) = found.crossings
    assert (crossing.below, crossing.above) == (sockets.MANAGED, sockets.OWN)
    assert 10_000 < crossing.x < 100_000
    at_crossing = load_setting(CHOICE).with_users(crossing.x)
    assert abs(sum(sockets.managed_costs(at_crossing)) / crossing.cost - 1) < CLOSE


def test_own_gateways_cost_what_the_estimate_has() -> None:
    """Their tasks and the balancers' hours and units are the lines of the estimate."""
    lines = make_estimate(load_model(replace(CHOICE, alone=True))).lines
    expected = sum(
        line.list_cost
        for line in lines
        if line.charge.key.startswith("alb.")
        or (line.charge.key.startswith("fargate.") and "gateway" in line.charge.name)
    )
    assert abs(answered("sockets").cost_here(sockets.OWN) - expected) < CLOSE


def test_dax_saves_nothing_on_strong_reads() -> None:
    """Its nodes come on top of every strongly consistent read, at any number of them."""
    found = {curve.option: curve.points for curve in answered("cache").curves}
    for none, dax in zip(found[caches.NO_CACHE], found[caches.DAX_STRONG], strict=True):
        assert dax.cost >= none.cost + 3 * 730 * price("dax.r5.large")
    assert "DAX caches only eventually consistent reads" in answered("cache").answer


def test_valkey_saves_what_it_answers() -> None:
    """At 80 % hits: a fifth of the units, the heads of the pages that hit, and three nodes."""
    setting = load_setting(CHOICE)
    reads, x = caches.find_reads(setting)
    month = x * 730 * 3600 * price("ddb.ondemand.rru") / 1_000_000
    nodes = 3 * 730 * price("elasticache.valkey.cache.r7g.large")
    expected = month * (reads.units * Decimal("0.2") + reads.head * Decimal("0.8")) + nodes
    assert abs(answered("cache").cost_here(caches.VALKEY) - expected) < CLOSE


def test_the_standby_costs_the_difference_of_two_estimates() -> None:
    """Two regions minus one, and the hour that pays for it: twelve months over the hours that a failover saves."""
    one, two = (
        make_estimate(load_model(replace(CHOICE, alone=True, layout=layout))).total()
        for layout in (Layout.ONE, Layout.TWO)
    )
    found = answered("regions")
    users = found.here[0].x
    assert found.cost_here(regions.ONE) == one
    assert found.cost_here(regions.TWO) == two + regions.lost(users, regions.FAILOVER_HOURS_PER_YEAR)
    hour = regions.break_even_hour(two - one)
    assert hour == (two - one) * 12 / Decimal("3.5")
    assert f"${hour:,.0f}" in found.answer
    lost_with_one, lost_with_two = hour * 4 / 12, hour * Decimal("0.5") / 12
    assert abs((one + lost_with_one) - (two + lost_with_two)) < CLOSE


# --- bad input ------------------------------------------------------------------------------------


def test_an_unknown_question_names_those_there_are() -> None:
    """A typing mistake gets the list."""
    with pytest.raises(UnknownQuestion, match="dynamodb, compute, sockets, cache, regions"):
        answer_questions(CHOICE, ["kubernetes"])


@pytest.mark.parametrize("name", ["dynamodb", "cache"])
def test_another_store_has_no_units(name: str) -> None:
    """With messages in PostgreSQL there is nothing to ask of DynamoDB."""
    with pytest.raises(NoAnswer, match="ask with another store"):
        answer_questions(replace(CHOICE, store="postgresql"), [name])


@pytest.mark.parametrize("choice", [Choice("staging", "team"), replace(CHOICE, layout=Layout.ONE)])
def test_one_region_has_no_standby_to_ask_about(choice: Choice) -> None:
    """An environment or a layout of one region cannot be compared with less."""
    with pytest.raises(NoAnswer, match="no standby"):
        answer_questions(choice, ["regions"])


@pytest.mark.parametrize("name", ["dynamodb", "sockets", "cache", "regions"])
def test_nobody_to_ask_about(name: str) -> None:
    """A workload without users has no break-even, and says so."""
    nobody = load_setting(CHOICE).with_users(Decimal(0))
    with pytest.raises(NoAnswer):
        QUESTIONS[name](nobody)


def test_all_questions_at_once_say_which_have_no_answer() -> None:
    """Of staging everything is answered but the standby that it does not have, and that is said."""
    found = answer_questions(Choice("staging", "team"))
    assert [each.name for each in found.answered] == ["dynamodb", "compute", "sockets", "cache"]
    assert set(found.unanswered) == {"regions"}
    assert "regions: no answer; staging has no standby" in render_text(found)
    assert "no standby" in json.loads(render_json(found))["unanswered"]["regions"]


def test_a_task_that_fits_no_machine_is_said() -> None:
    """A service larger than the machines gets a sentence and no division by zero."""
    setting = load_setting(CHOICE)
    tasks = compute.find_tasks(setting)
    machine = compute.choose_machine(setting, tasks)
    large = replace(tasks[0], service=replace(tasks[0].service, vcpu=Decimal(16)))
    with pytest.raises(NoAnswer, match="does not fit"):
        machine.whole_hours([large])


# --- formats --------------------------------------------------------------------------------------


def test_the_screen_shows_where_the_scenario_is_and_where_curves_cross() -> None:
    """A short table with both, the answer above it, assumed prices and assumptions below."""
    text = render_text(Answers((answered("dynamodb"),), {}))
    assert text.startswith("DynamoDB on demand or provisioned?\nProvisioned capacity is cheaper from")
    assert "you are here" in text
    assert "on demand → provisioned" in text
    assert "* with assumed prices: ddb.global.rwcu_hour in eu-west-1" in text
    assert len(list_points(answered("dynamodb")).rows) < 12


def test_json_has_every_point() -> None:
    """A program finds curves, crossings, the scenario's point and the answer of each question."""
    document = json.loads(render_json(Answers((answered("dynamodb"), answered("cache")), {})), parse_float=Decimal)
    assert document["schema"] == "nottermost.break-even/1"
    first, _ = document["questions"]
    assert first["answer"] == answered("dynamodb").answer
    assert [point["cost"] for point in first["curves"][1]["points"]] == [
        point.cost for point in answered("dynamodb").curves[1].points
    ]
