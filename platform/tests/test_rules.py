"""The rule set as a whole: what is accepted and until when, how a verdict reads, that every rule is shown to fire."""

import importlib.util
import json
from datetime import date
from pathlib import Path

import pytest

from nottermost_platform.rules import RULES, View, judge
from nottermost_platform.rules.report import make_sarif, render_verdict
from nottermost_platform.rules.suppressions import BadSuppression, Suppression, load_suppressions
from nottermost_platform.testing import ENVIRONMENTS, Bad, changed, view_of

HERE = Path(__file__).parent
TODAY = date(2026, 11, 21)
QUEUE = "ec2/subnet:Subnet"
OPEN = Suppression(
    rule="subnets-private-by-default", resource="network.*/main-*", until=TODAY, reason="a reason that can be judged"
)


def opened() -> View:
    """Production with one subnet that gives public addresses."""
    view = view_of("prod")
    return View(changed(QUEUE, "mapPublicIpOnLaunch", True)(view.graph), like=view)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_environment_passes(env: str) -> None:
    """As it is committed, with what is accepted."""
    verdict = judge(view_of(env), load_suppressions(), TODAY)
    assert [(each.rule, each.resource, each.message) for each in verdict.violations] == []
    assert verdict.passes or env != "prod", verdict.problems
    assert verdict.resources > 300


def test_no_suppression_is_left_over() -> None:
    """Each line is needed by some environment that it names."""
    needed = set[str]()
    for env in ENVIRONMENTS:
        needed |= {each.suppressed for each in judge(view_of(env), load_suppressions(), TODAY).suppressed}
    assert {each.reason for each in load_suppressions()} <= needed


def test_what_is_accepted_shows_and_ends() -> None:
    """On its last day it holds; on the next it is a violation again, and the line is a problem of its own."""
    lines = [*load_suppressions(), OPEN]
    accepted = judge(opened(), lines, TODAY)
    assert accepted.violations == []
    assert ("subnets-private-by-default", OPEN.reason) in [(each.rule, each.suppressed) for each in accepted.suppressed]
    ended = judge(opened(), lines, date(2026, 11, 22))
    assert [each.rule for each in ended.violations] == ["subnets-private-by-default"]
    assert any("accepted until 2026-11-21" in each for each in ended.problems)
    assert not ended.passes


def test_a_line_that_nothing_needs_fails() -> None:
    """So that the list says what is true; of one stack, the lines of others are not asked about."""
    verdict = judge(view_of("prod"), [*load_suppressions(), OPEN], TODAY)
    assert [each for each in verdict.problems if "nothing violates it" in each]
    assert judge(view_of("prod"), [*load_suppressions(), OPEN], TODAY, stack="data").problems == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- {rule: no-such, resource: '*', until: 2027-01-01, reason: 'long enough to be a reason'}", "is no rule"),
        ("- {rule: ownership, resource: '*', until: 2027-01-01, reason: short}", "a reviewer can judge"),
        ("- {rule: ownership, resource: '*', reason: 'long enough to be a reason'}", "until"),
        ("- {rule: ownership, resource: '*', until: never, reason: 'long enough to be a reason'}", "until"),
        ("- {rule: ownership, resource: '*', until: 2027-01-01, reason: 'long enough to be one', by: me}", "by"),
        ("{", "cannot be read"),
    ],
)
def test_a_bad_line_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """With a sentence, and before anything is judged."""
    path = tmp_path / "suppressions.yaml"
    path.write_text(text)
    with pytest.raises(BadSuppression, match=says):
        load_suppressions(path)


def test_a_table_begins_with_the_worst_and_says_how_to_mend_it() -> None:
    """What is accepted follows, the sum is last."""
    lines = list(render_verdict(judge(opened(), load_suppressions(), TODAY)))
    assert lines[0].startswith("medium  subnets-private-by-default  network.us-east-1/main-")
    assert "To mend it: map_public_ip_on_launch=False" in lines[2]
    assert "violations: 1 medium" in lines[-1]


def test_sarif_has_rules_results_and_what_is_accepted() -> None:
    """Each result points to the file that declares the resource; an accepted one is there with its reason."""
    (run,) = make_sarif(judge(opened(), load_suppressions(), TODAY))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [each["id"] for each in rules] == sorted(RULES)
    found = [each for each in run["results"] if "suppressions" not in each]
    assert [each["ruleId"] for each in found] == ["subnets-private-by-default"]
    for each in run["results"]:
        assert rules[each["ruleIndex"]]["id"] == each["ruleId"]
        (place,) = each["locations"]
        assert (HERE.parents[1] / place["physicalLocation"]["artifactLocation"]["uri"]).is_file()
        assert all(one["justification"] for one in each.get("suppressions", ()))
    assert json.dumps(run)


def test_every_control_has_a_rule() -> None:
    """The checklist's 79."""
    assert {rule.number for rule in RULES.values()} == set(range(80))


def test_every_rule_says_what_a_reviewer_asks() -> None:
    """A title, a fix, and for a control of the list what it is elsewhere where there is such a thing."""
    for rule in RULES.values():
        assert len(rule.title) > 15, rule.id
        assert len(rule.fix) > 10, rule.id
        assert all(each.startswith("CKV") for each in rule.checkov), rule.id


def test_every_rule_is_shown_to_fire() -> None:
    """In some table of bad graphs beside this file."""
    shown = set[str]()
    for path in sorted(HERE.glob("test_rules_*.py")):
        spec = importlib.util.spec_from_file_location(f"cases_of_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        shown |= {each.rule for each in module.CASES if isinstance(each, Bad)}
    assert set(RULES) - shown == set()
