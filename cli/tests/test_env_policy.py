"""`nottermost env policy` and `env docs`: what a reviewer and a pipeline see."""

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from nottermost_cli.testing import Call, make_call
from nottermost_conventions import ExitCode
from nottermost_platform.checks import OWNERSHIP, Owned
from nottermost_platform.program import ROOT
from nottermost_platform.rules import RULES, pages, suppressions

OWNER = "aws:ec2/vpc:Vpc", (Owned(("cidrBlock",), "nobody"),)  # with this row, every VPC violates `ownership`


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Runs the command in this process."""
    return make_call(monkeypatch, capfd)


def accept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, until: date) -> None:
    """One line more in the file."""
    path = tmp_path / "suppressions.yaml"
    shutil.copy(suppressions.FILE, path)
    line = (
        f"- {{rule: ownership, resource: 'network.*/main', until: {until}, reason: 'a row that this test has added'}}\n"
    )
    path.write_text(path.read_text() + line)
    monkeypatch.setattr(suppressions.load_suppressions, "__defaults__", (path,))


def test_production_passes_and_says_what_is_accepted(call: Call) -> None:
    """Exit 0; every accepted line with its last day and reason; the sum at the end."""
    result = call("policy", "prod")
    assert result.code == ExitCode.DONE, result.out
    assert "vpc-blocks-public-access until 2027-06-30: the load balancer" in result.out
    assert "    network.eu-west-1/main does not block public access" in result.out
    assert result.out.splitlines()[-1].startswith(f"prod: {len(RULES)} rules on ")
    assert "violations: none" in result.out


def test_a_violation_is_3_until_it_is_accepted(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As a table, as JSON and as SARIF; accepted it is 0, and the day after its last day 3 again."""
    monkeypatch.setitem(OWNERSHIP, *OWNER)
    table = call("policy", "dev", "--stack", "network")
    assert table.code == ExitCode.SAYS_NO
    assert table.out.startswith("medium  ownership  network.us-east-1/main  must ignore changes of cidrBlock")
    told = json.loads(call("policy", "dev", "--stack", "network", "--json").out)
    assert [(each["rule"], each["resource"]) for each in told["violations"]] == [
        ("ownership", "network.us-east-1/main")
    ]
    accept(monkeypatch, tmp_path, date(2099, 1, 1))
    sarif = call("policy", "dev", "--stack", "network", "--format", "sarif")
    assert sarif.code == ExitCode.DONE
    results = json.loads(sarif.out)["runs"][0]["results"]
    (found,) = (each for each in results if each["ruleId"] == "ownership")
    assert found["suppressions"][0]["justification"] == "until 2099-01-01: a row that this test has added"
    accept(monkeypatch, tmp_path, date(2026, 1, 1))
    expired = call("policy", "dev", "--stack", "network")
    assert expired.code == ExitCode.SAYS_NO
    assert "suppression-expired: ownership at network.*/main was accepted until 2026-01-01" in expired.out


def test_a_violation_stops_preview(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """As any other finding: exit 1, with the rule and what to do."""
    assert "violations: none" in call("preview", "dev", "--stack", "network").out
    monkeypatch.setitem(OWNERSHIP, *OWNER)
    result = call("preview", "dev", "--stack", "network")
    assert result.code == ExitCode.FAILED
    assert "must ignore changes of cidrBlock" in result.err
    assert "(ownership)" in result.err


def test_a_file_that_cannot_be_read_is_said_before_anything_is_captured(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One sentence, exit 1."""
    path = tmp_path / "suppressions.yaml"
    path.write_text("- {rule: no-such-rule, resource: '*', until: 2099-01-01, reason: 'a reason that is long enough'}")
    monkeypatch.setattr(suppressions.load_suppressions, "__defaults__", (path,))
    result = call("policy", "dev")
    assert result.code == ExitCode.FAILED
    assert "no-such-rule, which is no rule" in result.err


def test_the_page_is_fresh_and_a_stale_one_is_3(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It names every rule, and is written anew without the check."""
    assert call("docs", "--check").code == ExitCode.DONE
    page = (ROOT / "docs" / "security.md").read_text()
    assert [rule for rule in RULES if f"`{rule}`" not in page] == []
    stale = tmp_path / "security.md"
    monkeypatch.setattr(pages, "PAGE", stale)
    result = call("docs", "--check")
    assert result.code == ExitCode.SAYS_NO
    assert "security.md is stale: run `nottermost env docs`" in result.err
    assert not stale.exists()
    assert call("docs").code == ExitCode.DONE
    assert stale.read_text() == page
