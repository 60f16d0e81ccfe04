"""The hundred-million table: claims priced again, contradictions named, and the document that tells it."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nottermost_cost.engine import PRICE_DAY, Choice, load_model, make_estimate
from nottermost_cost.errors import PriceError
from nottermost_cost.layouts import Layout
from nottermost_cost.pricebook import PriceBook, load_prices
from nottermost_cost.reproduce import (
    DOCUMENT,
    Reproduction,
    render_document,
    render_reproduction,
    reproduce,
    reproduction_json,
)
from nottermost_cost.reproduce.claims import FOLDER, ClaimsError, load_claims
from nottermost_cost.reproduce.findings import Finding
from nottermost_cost.reproduce.formulas import Calculator, find_quantity
from nottermost_cost.reproduce.grids import list_grids
from nottermost_cost.reproduce.verdicts import Span, Verdict, judge_claim
from nottermost_cost.tiers import price_quantity

NAME = "100m-dau"
TENTH = Decimal("0.1")


@pytest.fixture(scope="module")
def found() -> Reproduction:
    return reproduce(NAME)


@pytest.fixture(scope="module")
def calculator() -> Calculator:
    return Calculator(load_prices(), PRICE_DAY, "us-east-1", {"a.b": Decimal(7)}, lambda _: Decimal(5))


def claim(findings: tuple[Finding, ...], id_: str) -> Finding:
    return next(each for each in findings if each.id == id_)


def literal(finding: Finding) -> Span:
    assert finding.found is not None, f"{finding.id} has no list price"
    return finding.found


def needed(finding: Finding) -> Decimal:
    assert finding.needs is not None, f"{finding.id} says nothing about what it would need"
    return finding.needs.value


# --- the monthly table ------------------------------------------------------------------------------


def test_the_claimed_parts_add_up(found: Reproduction) -> None:
    """The document's lines are its total; at list price they are another, and the verdict says so."""
    assert found.totals.claimed == 855_000
    assert found.totals.literal == Span(Decimal("747358.796"), Decimal("776558.796"))
    assert found.totals.verdict is Verdict.TOO_HIGH


@pytest.mark.parametrize(
    ("id_", "usd", "verdict"),
    [
        ("websocket", "248200", Verdict.HOLDS),
        ("database", "29200", Verdict.TOO_HIGH),
        ("redis", "15731.50", Verdict.TOO_HIGH),
        ("kafka", "3679.20", Verdict.TOO_HIGH),
        ("s3", "50108.416", Verdict.HOLDS),
        ("cdn", "250439.68", Verdict.TOO_LOW),
    ],
)
def test_each_line_is_priced_as_written(found: Reproduction, id_: str, usd: str, verdict: Verdict) -> None:
    """Quantity x list price, along the tiers, and the verdict that follows."""
    line = claim(found.table, id_)
    assert (literal(line).low, line.verdict) == (Decimal(usd), verdict)


def test_the_delivery_line_cannot_be_paid_at_list_price(found: Reproduction) -> None:
    """10 PB by CloudFront are at least $240K in the cheapest places, however a petabyte is counted by the million GB."""
    line = claim(found.table, "cdn")
    assert min(literal(line).low, line.others["decimal"].value) >= 240_000
    assert line.others["apac"].value == pytest.approx(Decimal(698_409), abs=1)
    assert needed(line) == pytest.approx(Decimal("0.009537"), abs=Decimal("0.000001"))


def test_the_database_line_is_not_reproducible_from_its_nodes(found: Reproduction) -> None:
    """Neither a second zone, nor Ireland's list, nor four replicas of each shard reach the claimed figure."""
    line = claim(found.table, "database")
    assert max(literal(line).high, *(each.value for each in line.others.values() if each.unit == "USD")) < 200_000
    assert round(needed(line)) == 137
    assert line.others["ireland"].value == 65_408


@pytest.mark.parametrize(
    ("id_", "quantity"), [("websocket", 1007), ("redis", 254), ("kafka", 213_208), ("egress", 2854)]
)
def test_what_a_dollar_without_a_reason_would_buy(found: Reproduction, id_: str, quantity: int) -> None:
    """The quantity behind every claimed line, also of the one without any."""
    assert round(needed(claim(found.table, id_))) == quantity


def test_a_line_without_a_quantity_cannot_be_checked(found: Reproduction) -> None:
    """Egress has neither a list price nor a ratio, and neither is zero."""
    line = claim(found.table, "egress")
    assert (line.verdict, line.found, line.ratio) == (Verdict.CANNOT, None, None)


def test_other_readings_are_priced(found: Reproduction) -> None:
    """Ireland, another processor, DynamoDB, Valkey, plain machines, decimal petabytes."""
    readings = {(line.id, name): each.value for line in found.table for name, each in line.others.items()}
    expected = {
        ("websocket", "ireland"): 280_320,
        ("websocket", "graviton"): 211_700,
        ("database", "dynamodb"): 95_052,
        ("redis", "valkey"): 12_585,
        ("kafka", "ec2"): 1_682,
        ("s3", "decimal"): 47_813,
        ("cdn", "decimal"): 240_724,
    }
    assert {key: round(readings[key]) for key in expected} == expected


def test_identity_alone_may_exceed_the_bill(found: Reproduction) -> None:
    """Cognito for 100 million users in each tier; the dearer two are above the claimed total."""
    identity = next(each for each in found.omitted if each.id == "identity")
    assert identity.found is not None
    assert identity.found.low == pytest.approx(Decimal(258_665), abs=1)
    assert identity.others["essentials"].value == 1_499_850 > found.totals.claimed
    assert identity.others["plus"].value == 2_000_000


# --- capacity, contradictions, other claims ---------------------------------------------------------


def test_capacity_rows_have_their_arithmetic_checked(found: Reproduction) -> None:
    """Right divisions hold; wrong ones do not."""
    verdicts = {each.id: each.verdict for each in found.capacity}
    right = ("mean", "peak", "text", "media", "year", "gigabits", "gateways", "redis_quick", "brokers", "media_kept")
    assert {verdicts[each] for each in right} == {Verdict.HOLDS}
    low = ("headroom", "shards_quick", "shards_storage", "redis_nodes", "brokers_diagram", "growth_sockets")
    assert {verdicts[each] for each in low} == {Verdict.TOO_LOW}
    assert verdicts["api"] is verdicts["polls"] is Verdict.TOO_HIGH


def test_contradictions_name_both_places(found: Reproduction) -> None:
    """Shards, servers, memory, writes, retention, regions, brokers: two sayings each, and dollars between most."""
    about = {each.id: each for each in found.contradictions}
    assert {"shards", "api", "redis", "redis_size", "writes", "media", "regions", "brokers", "limits"} <= about.keys()
    assert all(each.first.place and each.second.place for each in about.values())
    assert all((each.first.place, each.first.says) != (each.second.place, each.second.says) for each in about.values())
    assert about["shards"].difference == 14_600
    assert about["limits"].difference is None


def test_other_money_claims(found: Reproduction) -> None:
    """Reserved instances hold, Spot and tiering promise too much, sockets are not a tenth of polling."""
    verdicts = {each.id: (each.verdict, round(literal(each).low, 1)) for each in found.money}
    assert verdicts["reserved"] == (Verdict.HOLDS, Decimal("41.2"))
    assert verdicts["spot"] == (Verdict.TOO_HIGH, Decimal("55.1"))
    assert verdicts["tiering"] == (Verdict.TOO_HIGH, Decimal(0))
    assert verdicts["polling"] == (Verdict.HOLDS, Decimal(496_400))
    assert verdicts["polling_factor"] == (Verdict.TOO_HIGH, Decimal(2))
    assert verdicts["presence"][0] is Verdict.HOLDS
    assert verdicts["presence_left"][0] is Verdict.TOO_LOW


def test_the_peak_of_document_c_is_a_mean(found: Reproduction) -> None:
    """60 billion messages a day are 694K a second all day long; the other three figures hold."""
    kafka = claim(found.performance, "kafka")
    assert (kafka.verdict, round(kafka.others["mean"].value)) == (Verdict.TOO_LOW, 694_444)
    assert {each.verdict for each in found.performance if each is not kafka} == {Verdict.HOLDS}


# --- our own design -----------------------------------------------------------------------------------


def test_our_lines_add_up_to_our_estimate(found: Reproduction) -> None:
    """What is matched to the table, what it leaves out and the rest are production's total, in one region and two."""
    ours = [each.ours for each in found.table if each.ours]
    ours += [each.ours for each in found.omitted if each.ours] + [found.design.rest]
    production = found.design.production
    assert sum(each.one for each in ours) == production.one
    assert sum(each.two for each in ours) == production.two


def test_our_figure_is_that_of_the_estimate(found: Reproduction) -> None:
    """The same numbers as `cost estimate prod --scenario 100m`."""
    for layout, usd in ((Layout.ONE, found.design.production.one), (Layout.TWO, found.design.production.two)):
        assert make_estimate(load_model(Choice("prod", "100m", layout=layout))).total("prod") == usd


def test_three_different_decisions_lead(found: Reproduction) -> None:
    """The levers named first exclude nothing of each other, are the largest, and save most together."""
    largest = found.largest_levers
    assert len({each.decision for each in largest}) == 3
    assert largest[0].saves == max(each.saves for each in found.design.levers)
    assert found.design.together < found.design.production.two - largest[0].saves


def test_phases_are_sized_and_priced(found: Reproduction) -> None:
    """Three phases, each dearer than the one before, with more gateways."""
    assert [each.users for each in found.phases] == [100_000, 10_000_000, 100_000_000]
    for columns in ([each.kit for each in found.phases], [each.ours.two for each in found.phases]):
        assert columns == sorted(columns)
    gateways = [each.sizes["gateway tasks"].needed for each in found.phases]
    assert gateways == sorted(gateways)


# --- outputs --------------------------------------------------------------------------------------------


def test_the_document_is_the_generated_one(found: Reproduction) -> None:
    """docs/cost-at-100m-users.md was written with the prices, claims and model of this commit."""
    text = render_document(found)
    assert DOCUMENT.read_text(encoding="utf-8") == text, "write it again: nottermost cost docs"
    assert str(found.day) in text


def test_the_terminal_shows_every_table(found: Reproduction) -> None:
    """The same tables as in the document, within the width that was asked for."""
    text = render_reproduction(found, width=150)
    assert all(grid.title in text for grid in list_grids(found))
    assert max(map(len, text.splitlines())) <= 150
    assert "\x1b" not in text


def test_json_has_exact_numbers(found: Reproduction) -> None:
    """One object with a schema; money as numbers, what cannot be checked as null."""
    data = json.loads(reproduction_json(found), parse_float=Decimal)
    assert data["schema"] == "nottermost.reproduction/1"
    lines = {each["id"]: each for each in data["table"]}
    assert Decimal(lines["websocket"]["found"]["low"]) == 248_200
    assert lines["egress"]["found"] is None


def test_prices_that_were_used_are_named(found: Reproduction) -> None:
    """Each once, with where it counts and how sure it is."""
    keys = [(each.key, each.region) for each in found.prices]
    assert len(set(keys)) == len(keys)
    assert ("cloudfront.out.us", "edge:us") in keys


# --- formulas and verdicts ------------------------------------------------------------------------------


def test_a_missing_price_is_an_error_with_its_claim(tmp_path: Path) -> None:
    """Nothing is priced as zero: the claim and the key are named."""
    text = (FOLDER / f"{NAME}.yaml").read_text(encoding="utf-8")
    (tmp_path / f"{NAME}.yaml").write_text(text.replace("ec2.c7g.2xlarge.linux.od'", "ec2.c7g.3xlarge.linux.od'"))
    with pytest.raises(PriceError, match=r"websocket: no price for ec2\.c7g\.3xlarge\.linux\.od in us-east-1"):
        reproduce(NAME, claims=tmp_path)


def test_unknown_claims_are_an_error() -> None:
    """The sentence names those that there are."""
    with pytest.raises(ClaimsError, match="known are 100m-dau"):
        load_claims("50m-dau")


def test_a_claim_needs_a_formula_that_can_be_read(calculator: Calculator) -> None:
    """Arithmetic on figures and prices, and nothing else."""
    assert calculator.compute("2 * cost('nlb.hour', 730) + input('a.b') + ours('*') + ceil(0.5)", "x") == Decimal(
        "45.85"
    )
    for formula in ("1 +", "1 / 0", "nothing", "(1).real", "__import__('os')", "cost('nlb.hour', 0 - 1)", "[1]"):
        with pytest.raises(ClaimsError, match=r"claim x: the formula"):
            calculator.compute(formula, "claim x")


@given(
    usd=st.decimals(0, 10**7, places=2),
    key=st.sampled_from(["s3.standard.storage", "dt.internet_out", "cognito.classic"]),
)
def test_units_are_the_inverse_of_cost(calculator: Calculator, usd: Decimal, key: str) -> None:
    """What so many dollars buy costs so many dollars, also across tiers and free bands."""
    book: PriceBook = calculator.book
    rate = book.find(key, "us-east-1", PRICE_DAY)
    assert price_quantity(rate, find_quantity(rate, usd)) == pytest.approx(usd, abs=Decimal("1e-9"))


@given(claimed=st.decimals("0.01", 10**6, places=2), found=st.decimals("0.01", 10**6, places=2))
def test_verdicts_follow_the_ratio(claimed: Decimal, found: Decimal) -> None:
    """Within the tolerance a claim holds; beyond it the side decides."""
    verdict, ratio = judge_claim(Span(claimed, claimed), Span(found, found), TENTH)
    assert ratio == claimed / found
    expected = (
        Verdict.TOO_HIGH if ratio > Decimal("1.1") else Verdict.TOO_LOW if ratio * Decimal("1.1") < 1 else Verdict.HOLDS
    )
    assert verdict is expected or abs(ratio * Decimal("1.1") - 1) < Decimal("1e-20")


def test_ranges_hold_where_they_meet() -> None:
    """A claimed range is judged by the end that is nearest; nothing found is no verdict."""
    assert judge_claim(Span(Decimal(1), Decimal(5)), Span(Decimal(5), Decimal(9)), TENTH) == (Verdict.HOLDS, Decimal(1))
    assert judge_claim(Span(Decimal(4), Decimal(6)), Span(Decimal(2), Decimal(2)), TENTH) == (
        Verdict.TOO_HIGH,
        Decimal(2),
    )
    assert judge_claim(Span(Decimal(4), Decimal(4)), Span(Decimal(0), Decimal(0)), TENTH) == (Verdict.TOO_HIGH, None)
    assert judge_claim(None, Span(Decimal(2), Decimal(2)), TENTH) == (Verdict.CANNOT, None)
