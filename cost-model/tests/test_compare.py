"""Two estimates as a bridge: it adds up to the last digit, says why, and reads graphs from git revisions."""

import json
import shutil
import subprocess
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nottermost_cost.bill.testing import make_estimate, make_line
from nottermost_cost.budgets import Budget, judge_budget
from nottermost_cost.charges import Part
from nottermost_cost.compare import (
    Bridge,
    Effects,
    build_bridge,
    compare_subjects,
    render_json,
    render_markdown,
    render_text,
)
from nottermost_cost.engine import Choice, load_model
from nottermost_cost.engine import make_estimate as estimate_model
from nottermost_cost.errors import GraphError
from nottermost_cost.estimate import Estimate, Line
from nottermost_cost.graph import GRAPHS
from nottermost_cost.numeric import sum_exact
from nottermost_cost.subject import Subject, UnknownSubject, parse_subject

OPTIONS = Choice("prod", "growth")
COMMENT_MAX = 65_536  # characters of a comment on a pull request


def line(
    key: str,
    quantity: str | int,
    cost: str | int,
    *,
    name: str = "a line",
    urn: str = "urn::a",
    price: int = 1,
    **more: Any,
) -> Line:
    usd = Decimal(cost)
    return make_line(key, Decimal(quantity), price=Decimal(price), effective=usd, name=name, urn=urn, **more)


def estimate(*lines: Line, environment: str = "prod") -> Estimate:
    return make_estimate(lines, environment=environment)


def bridge(left: Estimate, right: Estimate) -> Bridge:
    return build_bridge(left, right, "left", "right")


def parts(effects: Effects) -> list[Decimal]:
    return [effects.price, effects.quantity, effects.new, effects.removed]


@cache
def compared(left: str, right: str) -> Bridge:
    return compare_subjects(left, right, OPTIONS)


@pytest.fixture
def graphs(tmp_path: Path) -> Path:
    """A repository with the reviewed graphs of dev in its first revision, and without any in the one before."""
    folder = tmp_path / "repository" / "platform" / "graphs"
    folder.mkdir(parents=True)
    git(folder.parents[1], "init", "--quiet")
    commit(folder)
    shutil.copytree(GRAPHS / "dev", folder / "dev")
    commit(folder)
    return folder


def git(folder: Path, *arguments: str) -> None:
    own = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *own, *arguments], check=True, capture_output=True, timeout=60)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--no-verify", "--message", "graphs")


# --- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("staging", Subject("staging")),
        ("pr-12", Subject("pr-12")),
        ("growth", Subject(scenario="growth")),
        (":prod", Subject(scenario="prod")),
        ("@HEAD~3", Subject(revision="HEAD~3")),
        ("prod@origin/main", Subject("prod", "origin/main")),
        ("prod:scale", Subject("prod", scenario="scale")),
        ("prod@v1.2:own/file.yaml", Subject("prod", "v1.2", "own/file.yaml")),
    ],
)
def test_a_subject_is_read(text: str, subject: Subject) -> None:
    """Every form of the grammar means what its page says."""
    assert parse_subject(text) == subject


@pytest.mark.parametrize("text", ["", "@", ":", "prod@", "prod:", "growth@HEAD", "production:growth", "@--output=x"])
def test_what_is_no_subject_is_refused(text: str) -> None:
    """An unreadable word gets one sentence, and nothing of it reaches git as an option."""
    with pytest.raises(UnknownSubject):
        parse_subject(text)


def test_the_label_says_all_that_is_left_out() -> None:
    """A report names environment, revision and scenario, whatever was typed."""
    assert Subject(revision="v1").label(OPTIONS) == "prod@v1:growth"


# --- the bridge -----------------------------------------------------------------------------------


def test_quantity_and_price_are_split_by_hand() -> None:
    """10 at $2 become 15 at $3: five more at the old price, and all fifteen a dollar dearer."""
    found = bridge(estimate(line("a", 10, 20)), estimate(line("a", 15, 45, price=3)))
    (movement,) = found.movements
    assert movement.effects == Effects(price=Decimal(15), quantity=Decimal(10))
    assert movement.why == "quantity up 50% (what drives it), average price up 50% (another price)"
    assert [found.before, found.after, found.change, found.percent] == [Decimal(each) for each in (20, 45, 25, 125)]


def test_a_line_of_one_side_is_new_or_removed() -> None:
    """It is the resource that came or went, unless the resource has other lines on the other side."""
    left = estimate(line("a", 1, 5), line("b", 1, 7, urn="urn::b"))
    right = estimate(line("a", 1, 5), line("c", 1, 2, name="more"), line("d", 1, 3, urn="urn::d"))
    assert {each.name + each.resource: each.why for each in bridge(left, right).movements} == {
        "a lineurn::b": "resource removed",
        "moreurn::a": "new for a resource that was there: what drives it",
        "a lineurn::d": "resource added",
    }


def test_a_larger_node_is_one_movement() -> None:
    """The same resource under another price key is replaced, not removed and added."""
    (movement,) = bridge(estimate(line("db.large", 730, 100)), estimate(line("db.xlarge", 730, 200))).movements
    assert movement.why == "db.large became db.xlarge"
    assert movement.effects == Effects(new=Decimal(200), removed=Decimal(-100))
    assert movement.change == 100


def test_a_declared_size_and_what_is_added_to_it_count_together() -> None:
    """When the load outgrows a cluster the line grows; there is no second one."""
    right = estimate(line("node", 3, 30), line("node", 6, 60, part=Part.ADDED))
    (movement,) = bridge(estimate(line("node", 3, 30)), right).movements
    assert movement.effects == Effects(quantity=Decimal(60))
    assert movement.why == "quantity up 200% (what drives it)"


def test_the_same_price_list_is_not_called_another_price() -> None:
    """A dearer average with the same bands comes from bands or discounts."""
    (movement,) = bridge(estimate(line("a", 10, 20)), estimate(line("a", 10, 30))).movements
    assert movement.why == "average price up 50% (bands or discounts)"


_LINES = st.lists(
    st.builds(
        line,
        key=st.sampled_from("abc"),
        quantity=st.decimals(0, 10**9, places=6),
        cost=st.decimals(0, 10**7, places=10),
        name=st.sampled_from(("one", "two")),
        urn=st.sampled_from(("", "urn::a", "urn::b")),
        environment=st.sampled_from(("prod", "staging")),
        service=st.sampled_from(("Amazon DynamoDB", "AWS WAF")),
        price=st.integers(1, 2),
    ),
    max_size=12,
)


@given(left=_LINES, right=_LINES, other=st.sampled_from(("prod", "dev")))
@settings(deadline=None)
def test_the_bridge_adds_up(left: list[Line], right: list[Line], other: str) -> None:
    """Whatever the lines, the effects add up to the change: of all, of each service and of each line, to the digit."""
    one, two = estimate(*left), estimate(*right, environment=other)
    found = bridge(one, two)
    assert (found.before, found.after) == (one.total(), two.total())
    assert sum_exact(parts(found.effects)) == found.change == two.total() - one.total()
    assert sum_exact(each.change for each in found.movements) == found.change
    assert sum_exact(each.change for each in found.services) == found.change
    assert all(sum_exact(parts(each.effects)) == each.change for each in found.services)
    assert all(sum_exact(parts(each.effects)) == each.change for each in found.movements)


# --- what is reviewed -----------------------------------------------------------------------------


def test_two_scenarios_add_up_to_their_estimates() -> None:
    """Between mvp and growth of prod every dollar of the difference is in a line with a reason."""
    found = compared(":mvp", "growth")
    totals = [estimate_model(load_model(replace(OPTIONS, scenario=each))).total() for each in ("mvp", "growth")]
    assert [found.before, found.after] == totals
    assert sum_exact(cost for each in found.movements for cost in parts(each.effects)) == totals[1] - totals[0]
    assert all(each.why for each in found.movements)
    assert set(found.environments) == {"prod", "staging", "dev", "pr-0"}


def test_two_environments_match_by_name_and_are_compared_alone() -> None:
    """Staging is not counted twice, and what both have is a change and no pair of new and removed."""
    found = compared("prod", "staging:team")
    assert set(found.environments) == {"prod", "staging"}
    assert {each.environment for each in found.movements} == {""}
    accounts = next(each for each in found.movements if each.name == "accounts")
    assert accounts.before
    assert accounts.after
    assert accounts.effects.quantity < 0
    node = next(each for each in found.movements if each.name == "cache: nodes" and each.place == "us-east-1")
    assert "became" in node.why


def test_a_bridge_says_what_it_rests_on() -> None:
    """Shares of sourced, secondary and assumed dollars stand on the screen and in the comment, and add up."""
    found = compared(":mvp", "growth")
    sentence = "prod:growth: List dollars by price source: primary"
    assert sentence in render_text(found)
    assert sentence in render_markdown(found)
    assert sum_exact(found.by_confidence.values()) > 0


def test_nothing_changed() -> None:
    """An estimate against itself has no movement, in no format."""
    found = compared("prod", "growth")
    assert not found.movements
    assert found.unmoved > 500
    assert "no change" in render_text(found)
    assert "no change" in render_markdown(found)


# --- revisions ------------------------------------------------------------------------------------


def test_a_revision_is_compared_with_the_files(graphs: Path) -> None:
    """A database of the next class shows as the one line it changes, and support follows."""
    (path,) = (graphs / "dev").glob("data.*.json")
    text = path.read_text()
    assert '"db.t4g.small"' in text
    path.write_text(text.replace('"db.t4g.small"', '"db.m7g.large"'))
    found = compare_subjects(
        "@HEAD", "dev", replace(OPTIONS, environment="dev", scenario="team", graphs=graphs, alone=True)
    )
    assert found.left == "dev@HEAD:team"
    assert "rds.postgres.db.t4g.small.single became rds.postgres.db.m7g.large.single" in {
        each.why for each in found.movements
    }
    assert {each.service for each in found.movements} <= {"Amazon Relational Database Service", "AWS Support"}
    assert found.change > 0


def test_a_resource_that_went_is_said_to_be_removed(graphs: Path) -> None:
    """Against the revision before, its lines are gone with their resource."""
    (path,) = (graphs / "dev").glob("edge.*.json")
    path.unlink()
    choice = replace(OPTIONS, environment="dev", scenario="team", graphs=graphs, alone=True)
    found = compare_subjects("dev@HEAD", "dev", choice)
    assert "resource removed" in {each.why for each in found.movements}
    assert found.change < 0


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        ("@HEAD~9", "has no revision HEAD~9"),
        ("@nowhere", "has no revision nowhere"),
        ("@HEAD~1", "revision HEAD~1 has no platform/graphs/"),
    ],
)
def test_a_revision_that_is_not_there(graphs: Path, subject: str, message: str) -> None:
    """An unknown revision, and one from before there were graphs, are told apart."""
    with pytest.raises(UnknownSubject, match=message):
        compare_subjects(subject, "dev", replace(OPTIONS, environment="dev", graphs=graphs, alone=True))


def test_an_environment_that_a_revision_lacks(graphs: Path) -> None:
    """The error names the revision's path and no temporary folder."""
    with pytest.raises(GraphError, match=r"there is no graph at HEAD:platform/graphs/prod"):
        compare_subjects("prod@HEAD", "prod", replace(OPTIONS, graphs=graphs, alone=True))


def test_no_repository(tmp_path: Path) -> None:
    """Graphs that no repository holds have no revisions."""
    with pytest.raises(UnknownSubject, match="not in a git repository"):
        compare_subjects("@HEAD", "dev", replace(OPTIONS, graphs=tmp_path))


def test_a_revision_and_a_graph_file_contradict_each_other(tmp_path: Path) -> None:
    """It would not be clear which of the two is meant."""
    with pytest.raises(UnknownSubject, match="give a revision or a graph file"):
        compare_subjects("@HEAD", "dev", replace(OPTIONS, graph=tmp_path))


# --- formats --------------------------------------------------------------------------------------


def test_the_screen_shows_the_bridge_and_the_movers() -> None:
    """Both totals, the services with a total row, and the largest lines with their reasons."""
    text = render_text(compared(":mvp", "growth"))
    assert text.startswith("prod:mvp → prod:growth: $")
    assert "Amazon Cognito" in text
    assert "quantity x 10 (identity.users)" in text
    assert "lines did not change" in text
    assert "The 15 largest of" in text
    assert "The 15 largest of" not in render_text(compared(":mvp", "growth"), every_line=True)


def test_the_comment_is_short_and_fits() -> None:
    """A pull request shows eight movers; the rest is folded, and even two environments fit into one comment."""
    text = render_markdown(compared("prod", "staging:team"))
    assert len(text) < COMMENT_MAX
    head, *folded = text.split("<details>")
    assert head.count("\n| ") == 10
    assert len(folded) == 2
    assert text.count("<details>") == text.count("</details>")


def test_the_comment_says_how_the_budgets_stand() -> None:
    """A crossed budget is told where the change is reviewed."""
    budget = Budget(environment="prod", owner="platform", scenario="growth", limit=Decimal(10))
    text = render_markdown(compared(":mvp", "growth"), [judge_budget(budget, None, Decimal(20), None)])
    assert "- CROSSED: prod costs $20.00 a month with growth, 200.0% of its limit of $10.00" in text


def test_names_cannot_break_the_comment() -> None:
    """Bars, markup and mentions in names of a graph stay text."""
    text = render_markdown(bridge(estimate(), estimate(line("a", 1, 5, name="<b>|@all\n`x`"))))
    assert r"| \<b\>\|\@all \`x\` |" in text


def test_json_has_every_digit() -> None:
    """Read as decimals, the movements of the JSON add up to its change."""
    document = json.loads(render_json(compared(":mvp", "growth")), parse_float=Decimal)
    total = sum_exact(Decimal(each) for row in document["movements"] for each in row["effects"].values())
    assert total == document["change"] == document["after"] - document["before"]
    assert document["schema"] == "nottermost.comparison/1"
    assert document["left"] == "prod:mvp"
