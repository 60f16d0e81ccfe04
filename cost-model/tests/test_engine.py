"""The estimate: everything that is charged adds up, is paid once, and follows what it should follow."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nottermost_cost.charges import Origin, Part
from nottermost_cost.engine import Choice, Model, check_strict, load_model, make_estimate
from nottermost_cost.errors import CostError, GraphError, NotStrict, PriceError, ScenarioError, TermsError
from nottermost_cost.estimate import Estimate, Fit, Sizing, Treatment
from nottermost_cost.graph import GRAPHS
from nottermost_cost.inputs import base_values
from nottermost_cost.layouts import Layout
from nottermost_cost.pricebook import PRICES
from nottermost_cost.sampling import draw_samples, sample_model
from nottermost_cost.terms import FOLDER
from nottermost_cost.tiers import price_quantity
from nottermost_cost.usage import METERS

SCENARIOS = ("launch", "mvp", "growth", "scale", "100m")


@cache
def model(**chosen: object) -> Model:
    """A model of production; it takes a tenth of a second, and tests share it."""
    return load_model(replace(Choice("prod", "growth"), **chosen))  # type: ignore[arg-type]


@cache
def estimate(**chosen: object) -> Estimate:
    return make_estimate(model(**chosen))


def cost_by(found: Estimate, name: Callable[..., str]) -> Counter[str]:
    costs: Counter[str] = Counter()
    for line in found.lines:
        costs[name(line)] += line.effective_cost  # type: ignore[assignment]
    return costs


# --- what adds up ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("layout", Layout)
def test_every_scenario_can_be_priced_in_every_layout(scenario: str, layout: Layout) -> None:
    """No price is missing, no line is negative, and the total is the sum of the lines."""
    found = estimate(scenario=scenario, layout=layout)
    assert found.total() == sum(line.effective_cost for line in found.lines) > 0
    assert found.alternatives[found.sizing] == sum(line.list_cost for line in found.lines)
    for line in found.lines:
        assert line.list_cost >= 0
        assert sum(line.by_confidence.values()) == line.list_cost


def test_more_regions_cost_more() -> None:
    """One below two below three below five; further ones are the standby's lines by a factor, and assumed."""
    totals = [estimate(layout=layout).total("prod") for layout in Layout]
    assert totals == sorted(totals)
    five = estimate(layout=Layout.FIVE)
    places = {line.charge.place for line in five.lines if line.charge.place}
    assert places == {"ap-southeast-1", "ap-northeast-1", "sa-east-1"}
    assert all(set(line.by_confidence) <= {"assumed"} for line in five.lines if line.charge.place)
    standby = sum(line.list_cost for line in estimate().lines if line.charge.region == "eu-west-1")
    further = sum(line.list_cost for line in five.lines if line.charge.place == "ap-southeast-1")
    assert Decimal("0.9") < further / (standby * Decimal("1.08")) < Decimal("1.1")


def test_tiers_are_walked_once_for_a_payer() -> None:
    """All environments together pay each key in each place as one quantity, and each line its part of it."""
    found = estimate(scenario="scale")
    groups: dict[tuple[str, str], list[int]] = {}
    for index, line in enumerate(found.lines):
        groups.setdefault((line.charge.key, line.charge.region), []).append(index)
    shared = 0
    for indexes in groups.values():
        lines = [found.lines[index] for index in indexes]
        if lines[0].charge.key.startswith("support"):
            continue
        together = price_quantity(lines[0].rate, sum((line.charge.quantity for line in lines), Decimal(0)))
        assert sum(line.list_cost for line in lines) == pytest.approx(together, abs=Decimal("1e-9"))
        shared += len({line.charge.environment for line in lines}) > 1
    assert shared > 20


def test_nothing_is_charged_by_both_graph_and_scenario() -> None:
    """A price key belongs to the graph or to the scenario, never to both."""
    for scenario in SCENARIOS:
        keys: dict[Origin, set[str]] = {origin: set() for origin in Origin}
        for line in estimate(scenario=scenario).lines:
            keys[line.charge.origin].add(line.charge.key)
        assert not keys[Origin.GRAPH] & keys[Origin.SCENARIO]


def test_every_line_leads_back() -> None:
    """Each has a price with a source, a driver that is a quantity or a property, a resource and its tags."""
    found = estimate()
    names = {quantity.name for quantity in found.quantities}
    for line in found.lines:
        charge = line.charge
        assert all(band.source for band in line.rate.bands)
        assert charge.tags["env"] in (charge.environment, "pr-0")
        if charge.origin is Origin.SCENARIO:
            assert charge.driver in names
            assert charge.urn
        if charge.origin is Origin.GRAPH:
            assert charge.urn
            assert {"owner", "cost-center"} <= charge.tags.keys()


def test_every_meter_is_charged() -> None:
    """No meter of the table is dead: each has lines in some scenario of production or beside it."""
    charged = {line.charge.name for line in estimate().lines}
    assert {meter.name for meter in METERS} <= charged


def test_usage_only_types_have_lines() -> None:
    """What costs only by use is the resource of a usage line, or its reason names the line that carries it."""
    found = estimate()
    types = {
        line.charge.urn.split("::")[2].split("$")[-1] for line in found.lines if line.charge.origin is Origin.SCENARIO
    }
    for each in found.types:
        if each.treatment is Treatment.USAGE:
            assert each.type in types or each.reason.startswith("in the lines of"), each


def test_costs_follow_users() -> None:
    """Each tenfold of users costs more, and less for each user."""
    totals = [estimate(scenario=scenario).total("prod") for scenario in SCENARIOS]
    assert totals == sorted(totals)
    each = [
        total / estimate(scenario=name).quantity("users.dau") for total, name in zip(totals, SCENARIOS, strict=True)
    ]
    assert each[:3] == sorted(each[:3], reverse=True)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.01, 5), st.floats(0.01, 5), st.sampled_from(["users.dau", "messages.per_dau_day", "attachments.bytes_mean", "messages.fan_out.mean_online", "retention_months.archive"]))  # fmt: skip
def test_cost_never_falls_when_an_input_grows(one: float, other: float, name: str) -> None:
    """More users, messages, bytes, readers or months: at least as dear."""
    found = model()
    base = {key: float(value) for key, value in base_values(found.inputs).items()}
    low, high = (found.total({**base, name: base[name] * factor})[0] for factor in sorted((one, other)))
    assert low <= high * (1 + 1e-12)


# --- sizes ----------------------------------------------------------------------------------------


def test_both_sizings_stand_side_by_side() -> None:
    """Declared sizes are what the graph says; the scenario's follow its day; each estimate knows the other's total."""
    declared, scenario = estimate(sizing=Sizing.DECLARED), estimate()
    assert declared.alternatives == scenario.alternatives
    assert declared.alternatives[Sizing.DECLARED] < declared.alternatives[Sizing.SCENARIO]
    assert not any(line.charge.part in (Part.CURVE, Part.ADDED) for line in declared.lines)
    gateways = [line for line in declared.lines if "gateway" in line.charge.name and line.charge.region == "us-east-1"]
    prod = [line for line in gateways if line.charge.environment == "prod" and "vcpu" in line.charge.key]
    releases = 1 + Decimal(20) / 730
    assert prod[0].charge.quantity == pytest.approx(3 * 2 * 730 * releases)


def test_services_follow_the_day_between_minimum_and_maximum() -> None:
    """A quiet night runs fewer tasks than the busy hours; nothing runs below the minimum."""
    quiet, busy = estimate(scenario="launch"), estimate(scenario="scale")

    def tasks(found: Estimate) -> Decimal:
        return sum(
            (line.charge.quantity for line in found.lines if line.charge.key == "fargate.linux.x86.vcpu_hour"
            and "gateway" in line.charge.name and line.charge.environment == "prod" and line.charge.region == "us-east-1"),
            Decimal(0),
        )  # fmt: skip

    releases = 1 + Decimal(20) / 730
    assert tasks(quiet) == pytest.approx(3 * 2 * 730 * releases)
    peak = Decimal(10_000_000) * Decimal("1.4") * Decimal("0.15") / 8000
    assert 3 * 2 * 730 < tasks(busy) < peak * 2 * 730


def test_what_is_too_small_or_too_large_is_said() -> None:
    """At a hundred million users the graph lacks nodes, and says what they cost; at the launch it is idle."""
    large = {each.what: each for each in estimate(scenario="100m").findings}
    brokers = next(each for what, each in large.items() if what.startswith("brokers log nodes"))
    assert brokers.fit is Fit.TOO_SMALL
    assert brokers.needed > brokers.declared == 3
    assert brokers.cost > 0
    small = {each.fit for each in estimate(scenario="launch").findings}
    assert Fit.TOO_LARGE in small
    added = sum(line.list_cost for line in estimate(scenario="100m").lines if line.charge.part is Part.ADDED)
    assert added > 0


def test_the_gateway_holds_what_the_scaling_allows() -> None:
    """10 million sockets at 8,000 a task are 1,250 tasks, which is the declared maximum."""
    found = next(
        each
        for each in estimate(scenario="100m").findings
        if each.what == "gateway tasks" and each.region == "us-east-1"
    )
    assert found.needed == found.declared == 1250


@pytest.mark.parametrize("store", ["dynamodb", "dynamodb-single", "postgresql"])
def test_designs_of_the_message_store_are_priced(store: str) -> None:
    """Transactions cost most; rows cost no units, but nodes."""
    found = estimate(store=store, scenario="scale")
    writes = cost_by(found, lambda line: line.charge.name)["message store: writes"]
    assert (writes > 0) is (store != "postgresql")
    databases = [each for each in found.findings if "database nodes" in each.what and each.fit is Fit.TOO_SMALL]
    assert bool(databases) or store != "postgresql"


# --- terms ----------------------------------------------------------------------------------------


def test_commitments_are_amortised_and_never_zero() -> None:
    """All upfront: paid once, and still a cost of every month; effective < contracted = list."""
    found = estimate(terms="committed")
    reserved = next(each for each in found.commitments if each.name == "database-reserved")
    assert reserved.recurring == 0 < reserved.amortised
    assert reserved.upfront == reserved.amortised * 12
    nodes = [line for line in found.lines if line.charge.key.startswith("elasticache.valkey")]
    for line in nodes:
        assert 0 < line.effective_cost < line.contracted_cost == line.list_cost
    used = sum(line.effective_cost for line in found.lines)
    assert used < sum(line.list_cost for line in found.lines)


def test_what_a_commitment_does_not_use_is_a_line(tmp_path: Path) -> None:
    """A tenth that covers nothing is a cost of its own, with the environment's owner, and is in every total."""
    text = (FOLDER / "committed.yaml").read_text().replace("term_months: 12", "unused_share: 0.1\n    term_months: 12")
    (tmp_path / "unused.yaml").write_text(text)
    found = estimate(terms=str(tmp_path / "unused.yaml"))
    unused = [line for line in found.lines if line.charge.name.startswith("unused part")]
    assert len(unused) == 2
    for line in unused:
        assert line.effective_cost > 0 == line.list_cost
        assert {"owner", "cost-center"} <= line.charge.tags.keys()
    base = sample_model(model(terms=str(tmp_path / "unused.yaml")), samples=5).base
    assert float(base) == pytest.approx(float(found.total()), rel=1e-9)


def test_an_environment_without_a_standby_has_one_region(tmp_path: Path) -> None:
    """Whatever was asked for, the estimate says what it is of; further regions need a standby to be like."""
    assert make_estimate(load_model(Choice("dev", "team"))).layout is Layout.ONE
    with pytest.raises(ScenarioError, match="dev is in us-east-1 alone"):
        load_model(Choice("dev", "team", layout=Layout.FIVE))


def test_private_rates_leave_the_list_price_alone() -> None:
    """30 % off the edge: contracted is 70 % of list, for that service only."""
    for line in estimate(terms="committed").lines:
        expected = Decimal("0.7") if line.service == "Amazon CloudFront" else 1
        assert line.contracted_cost == line.list_cost * expected


def test_support_and_non_production_are_lines() -> None:
    """Each environment has lines of its own and its part of the support plan; alone there are none of others."""
    found = estimate()
    environments = {line.charge.environment for line in found.lines}
    assert environments == {"prod", "staging", "dev", "pr-0"}
    support = {line.charge.environment for line in found.lines if line.service == "AWS Support"}
    assert support == environments
    assert {line.charge.environment for line in estimate(alone=True).lines} == {"prod"}


def test_the_free_tier_is_off_unless_asked_for() -> None:
    """An account's allowances make it cheaper, by no more than they are worth."""
    saved = estimate().total() - estimate(free_tier=True).total()
    assert 0 < saved < 200


def test_strict_refuses_what_is_assumed() -> None:
    """The list of assumed prices and of types without one, in one error."""
    with pytest.raises(NotStrict) as refused:
        check_strict(estimate())
    assert "kms.key in eu-west-1" in str(refused.value)
    assert "aws:guardduty/detector:Detector" in str(refused.value)


# --- samples --------------------------------------------------------------------------------------


@pytest.mark.parametrize("chosen", [{}, {"terms": "committed"}, {"free_tier": True}, {"layout": Layout.FIVE}, {"store": "postgresql"}, {"sizing": Sizing.DECLARED}])  # fmt: skip
@pytest.mark.parametrize("scenario", ["launch", "100m"])
def test_the_base_sample_is_the_estimate(scenario: str, chosen: dict[str, object]) -> None:
    """Float64 columns and exact decimals agree to a billionth, whatever is chosen."""
    exact = estimate(scenario=scenario, **chosen).total()
    assert float(sample_model(model(scenario=scenario, **chosen), samples=5).base) == pytest.approx(
        float(exact), rel=1e-9
    )


def test_samples_repeat_and_lie_between_the_ends() -> None:
    """The same seed gives the same numbers; all lie between every input at its cheapest and its dearest end."""
    one, other = sample_model(model()), sample_model(model())
    assert one == other
    assert one.samples == 1000
    assert one.cheapest < one.percentiles[5] < one.percentiles[50] < one.percentiles[95] < one.dearest
    assert one.cheapest < one.base < one.dearest


def test_the_tornado_is_sorted_and_knows_its_ends() -> None:
    """The widest bar first; each end is what the estimate says with that input alone at its end."""
    bars = sample_model(model(), samples=5).bars
    assert [bar.width for bar in bars] == sorted((bar.width for bar in bars), reverse=True)
    widest, found = bars[0], model()
    values = {**base_values(found.inputs), widest.input.name: widest.input.high}
    charges = replace(
        found, inputs={**found.inputs, widest.input.name: replace(widest.input, value=values[widest.input.name])}
    )
    assert float(make_estimate(charges).total()) == pytest.approx(float(widest.high), rel=1e-9)


def test_a_sample_stays_in_its_range() -> None:
    """No input is drawn outside of its low and high end."""
    moving = [each for each in model().inputs.values() if each.has_range]
    table = draw_samples(moving, 200, seed=1)
    for each in moving:
        column = table[each.name].to_numpy()
        assert np.all((float(each.low) <= column) & (column <= float(each.high)))


# --- what is refused ------------------------------------------------------------------------------


def test_every_missing_price_is_named_at_once(tmp_path: Path) -> None:
    """A book without two prices: one error with both, and nothing is priced as zero."""
    for path in PRICES.glob("*.csv"):
        if path.name not in ("kms.csv", "secretsmanager.csv"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    assumed = (tmp_path / "assumed.csv").read_text().splitlines(keepends=True)
    (tmp_path / "assumed.csv").write_text(
        "".join(line for line in assumed if "kms." not in line and "secrets." not in line)
    )
    aliases = (tmp_path / "aliases.csv").read_text().splitlines(keepends=True)
    (tmp_path / "aliases.csv").write_text(
        "".join(line for line in aliases if "kms." not in line and "secrets." not in line)
    )
    (tmp_path / "free-tier.csv").unlink()
    with pytest.raises(PriceError) as refused:
        make_estimate(load_model(Choice("prod", "growth", prices=tmp_path)))
    assert "kms.request in us-east-1" in str(refused.value)
    assert "secrets.api_request in eu-west-1" in str(refused.value)


@pytest.mark.parametrize(
    ("choice", "error", "said"),
    [
        (Choice("prod", "nowhere"), ScenarioError, "there is no scenario nowhere"),
        (Choice("moon", "growth"), GraphError, "there is no graph at"),
        (Choice("prod", "growth", terms="handshake"), TermsError, "there are no terms handshake"),
        (Choice("prod", "growth", month=0), ScenarioError, "month 0 is before the launch"),
        (Choice("prod", "growth", store="cassandra"), ScenarioError, "no store cassandra"),
    ],
)
def test_what_is_not_there_is_one_sentence(choice: Choice, error: type[CostError], said: str) -> None:
    """A scenario, environment, terms or store that nobody knows."""
    with pytest.raises(error, match=said):
        make_estimate(load_model(choice))


def test_a_graph_of_another_version_is_refused(tmp_path: Path) -> None:
    """Both versions are named; a graph with unknown values and a file of something else are refused too."""
    text = (GRAPHS / "dev" / "async.us-east-1.json").read_text()
    for wrong, said in (
        (text.replace("nottermost.graph/1", "nottermost.graph/2"), "expected 'nottermost.graph/1'"),
        (text.replace('"mode": "known"', '"mode": "unknown"'), "without --unknown"),
        ("[]", "is no resource graph"),
    ):
        path = tmp_path / "graph.json"
        path.write_text(wrong)
        with pytest.raises(GraphError, match=said):
            load_model(Choice("dev", "growth", graph=path))


def test_users_where_the_graph_has_nothing_are_refused(tmp_path: Path) -> None:
    """A scenario whose users are served in a region that the layout does not have."""
    from nottermost_cost.scenario import SCENARIOS as FOLDER

    text = (
        (FOLDER / "growth.yaml")
        .read_text()
        .replace("region: us-east-1, edge: apac", "region: ap-southeast-1, edge: apac")
    )
    (tmp_path / "growth.yaml").write_text(text)
    with pytest.raises(ScenarioError, match="serves users in ap-southeast-1"):
        load_model(Choice("prod", str(tmp_path / "growth.yaml")))
