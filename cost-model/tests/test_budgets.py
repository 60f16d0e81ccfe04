"""Budgets: what is committed holds, a crossed one says so, and what is not known never passes."""

import json
import shutil
import subprocess
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from nottermost_conventions import ExitCode
from nottermost_cost.budgets import (
    Budget,
    Budgets,
    ChangeLimit,
    State,
    check_budgets,
    exit_code,
    judge_budget,
    load_budgets,
    render_json,
    render_text,
)
from nottermost_cost.currencies import ExchangeRate
from nottermost_cost.engine import Choice
from nottermost_cost.errors import TermsError
from nottermost_cost.graph import GRAPHS

OPTIONS = Choice("prod", "growth")
EURO = ExchangeRate(usd=Decimal("1.25"), day=date(2026, 11, 20), source="a bank")


def budget(limit: int = 100, *, change: ChangeLimit | None = None, currency: str = "USD") -> Budget:
    return Budget(
        environment="dev", owner="platform", scenario="team", limit=Decimal(limit), change=change, currency=currency
    )


def write(folder: Path, **fields: Any) -> Path:
    path = folder / "budgets.yaml"
    one = {"environment": "dev", "owner": "platform", "scenario": "team", "limit": 2000}
    path.write_text(yaml.safe_dump({"schema": "nottermost.budgets/1", "budgets": [one]} | fields))
    return path


def test_the_committed_budgets_hold() -> None:
    """Every reviewed environment has a budget, is estimated, and is within it without a warning."""
    verdicts = check_budgets(load_budgets(), OPTIONS)
    assert {each.environment for each in verdicts} == {path.name for path in GRAPHS.iterdir() if path.is_dir()}
    assert [each.state for each in verdicts] == [State.WITHIN] * len(verdicts)
    assert exit_code(verdicts) is ExitCode.DONE
    assert render_text(verdicts).count("\n") == 1


@pytest.mark.parametrize(
    ("cost", "state", "code"),
    [
        ("79.99", State.WITHIN, ExitCode.DONE),
        ("80", State.WARNING, ExitCode.DONE),
        ("100", State.WARNING, ExitCode.DONE),
        ("100.01", State.CROSSED, ExitCode.SAYS_NO),
    ],
)
def test_the_limit_is_the_last_dollar_that_may_be_spent(cost: str, state: State, code: ExitCode) -> None:
    """It warns from its share on, and is crossed above the limit only."""
    verdict = judge_budget(budget(), None, Decimal(cost), None)
    assert verdict.state is state
    assert exit_code([verdict]) is code


def test_no_estimate_is_no_pass() -> None:
    """Without an estimate the answer is that nobody can tell, also beside budgets that hold."""
    unknown = judge_budget(budget(), None, None, None)
    held = judge_budget(budget(), None, Decimal(1), None)
    assert unknown.state is State.NO_DATA
    assert exit_code([held, unknown]) is ExitCode.COULD_NOT_TELL
    assert exit_code([]) is ExitCode.COULD_NOT_TELL
    assert "NO DATA: dev has no graph" in render_text([held, unknown])


def test_a_crossed_budget_weighs_more_than_an_unknown_one() -> None:
    """What is known to be wrong is said first."""
    crossed = judge_budget(budget(), None, Decimal(500), None)
    assert exit_code([judge_budget(budget(), None, None, None), crossed]) is ExitCode.SAYS_NO


@pytest.mark.parametrize(
    ("change", "base", "state"),
    [
        (ChangeLimit(amount=Decimal(5)), 45, State.WITHIN),
        (ChangeLimit(amount=Decimal(5)), 44, State.CROSSED),
        (ChangeLimit(percent=Decimal(25)), 40, State.WITHIN),
        (ChangeLimit(percent=Decimal(25)), 39, State.CROSSED),
        (ChangeLimit(amount=Decimal(50), percent=Decimal(1)), 40, State.CROSSED),
        (ChangeLimit(percent=Decimal(25)), 0, State.CROSSED),
        (ChangeLimit(amount=Decimal(0)), 90, State.WITHIN),
        (ChangeLimit(amount=Decimal(0)), None, State.WITHIN),
        (None, 1, State.WITHIN),
    ],
)
def test_a_rise_has_limits_of_its_own(change: ChangeLimit | None, base: int | None, state: State) -> None:
    """$50 may have risen by no more than the amount and the percentage; savings and no base cross nothing."""
    before = None if base is None else Decimal(base)
    assert judge_budget(budget(change=change), None, Decimal(50), before).state is state


def test_a_currency_is_judged_at_its_dated_rate() -> None:
    """80 EUR at 1.25 are $100, and the sentence says at which rate of which day."""
    verdict = judge_budget(budget(80, currency="EUR"), EURO, Decimal("100.01"), None)
    assert verdict.state is State.CROSSED
    assert verdict.limit == 100
    assert verdict.sentence.endswith("(1 EUR = 1.25 USD of 2026-11-20, a bank)")


def test_a_change_in_a_currency_is_converted_too() -> None:
    """A rise of $6 is less than 5 EUR at 1.25."""
    change = ChangeLimit(amount=Decimal(5))
    assert judge_budget(budget(80, currency="EUR", change=change), EURO, Decimal(50), Decimal(44)).state is State.WITHIN
    assert (
        judge_budget(budget(80, currency="EUR", change=change), EURO, Decimal(51), Decimal(44)).state is State.CROSSED
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"budgets": [{"environment": "dev", "owner": "a", "scenario": "team", "limit": 1, "currency": "EUR"}]},
         "in EUR, which has no dated rate"),
        ({"rates": {"EUR": {"usd": 1.1, "source": "a bank"}}}, "rates.EUR.day: Field required"),
        ({"rates": {"USD": {"usd": 1, "day": "2026-11-20", "source": "a bank"}}}, "USD needs no rate"),
        ({"budgets": []}, "at least 1"),
        ({"budgets": [{"environment": "dev", "owner": "a", "scenario": "team", "limit": 0}]}, "greater than 0"),
        ({"budgets": [{"environment": "dev", "owner": "a", "scenario": "team", "limit": 1}] * 2}, "has two budgets"),
        ({"budgets": [{"environment": "live", "owner": "a", "scenario": "team", "limit": 1}]}, "environment"),
        ({"budgets": [{"environment": "dev", "owner": "a", "scenario": "team", "limit": 1, "change": {}}]},
         "name an amount, percent, or both"),
        ({"limits": {}}, "limits: Extra inputs"),
        ({"schema": "nottermost.budgets/2"}, "expected 'nottermost.budgets/1'"),
    ],
)  # fmt: skip
def test_a_file_that_makes_no_sense_is_refused(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    """One sentence with the field at fault; above all a currency without a dated rate."""
    with pytest.raises(TermsError, match=message):
        load_budgets(write(tmp_path, **fields))


def test_a_rate_from_the_future_is_refused(tmp_path: Path) -> None:
    """A rate of a later day than the prices is a mistake in one of the two."""
    one = {"environment": "dev", "owner": "a", "scenario": "team", "limit": 2000, "currency": "EUR"}
    rates = {"EUR": {"usd": 1.1, "day": "2027-01-01", "source": "a bank"}}
    with pytest.raises(TermsError, match="after the prices of 2026-11-21"):
        check_budgets(load_budgets(write(tmp_path, budgets=[one], rates=rates)), OPTIONS)


def test_an_environment_without_a_budget_is_an_error() -> None:
    """Asked for by name, it is no silent pass."""
    with pytest.raises(TermsError, match="pr-7 has no budget: these have one: prod, staging"):
        check_budgets(load_budgets(), OPTIONS, "pr-7")


def test_an_environment_without_a_graph_could_not_be_told(tmp_path: Path) -> None:
    """A budget of what was never captured is reported as no data."""
    (verdict,) = check_budgets(load_budgets(), replace(OPTIONS, graphs=tmp_path), "staging")
    assert (verdict.state, verdict.cost) == (State.NO_DATA, None)


def test_a_change_is_judged_against_a_revision(tmp_path: Path) -> None:
    """A database of the next class crosses a change limit of one percent that the limit itself would allow."""
    graphs = tmp_path / "graphs"
    shutil.copytree(GRAPHS / "dev", graphs / "dev")
    for command in (("init", "-q"), ("add", "."), ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "1")):
        subprocess.run(["git", "-C", str(graphs), *command], check=True, capture_output=True, timeout=60)
    (path,) = (graphs / "dev").glob("data.*.json")
    path.write_text(path.read_text().replace('"db.t4g.small"', '"db.m7g.large"'))
    one = {"environment": "dev", "owner": "a", "scenario": "team", "limit": 5000, "change": {"percent": 1}}
    budgets: Budgets = load_budgets(write(tmp_path, budgets=[one]))
    options = replace(OPTIONS, graphs=graphs)
    assert [each.state for each in check_budgets(budgets, options)] == [State.WITHIN]
    (verdict,) = check_budgets(budgets, options, against="HEAD")
    assert verdict.state is State.CROSSED
    assert verdict.base is not None
    assert verdict.cost is not None
    assert verdict.cost > verdict.base
    assert "it rises by" in verdict.sentence


def test_json_says_what_the_command_ends_with() -> None:
    """A program finds the verdicts and the exit code."""
    document = json.loads(render_json([judge_budget(budget(), None, Decimal(101), None)]))
    assert document["exit_code"] == 3
    assert document["budgets"][0]["state"] == "crossed"
    assert document["budgets"][0]["limit"] == 100
