"""How much the rules notice of production made worse, one thing at a time."""

from collections import Counter

import pytest

from nottermost_platform.program import ROOT
from nottermost_platform.rules import View
from nottermost_platform.rules.mutation import (
    Measured,
    Operator,
    Survivor,
    find_mutants,
    find_notice,
    find_unexplained,
    load_survivors,
    measure,
)
from nottermost_platform.rules.pages import render_mutations
from nottermost_platform.testing import view_of

SHARE_MIN = 0.95


@pytest.fixture(scope="module")
def measured() -> Measured:
    """Of all kinds of changes to production; takes half a minute."""
    return measure(view_of("prod"))


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.xdist_group("mutations")
def test_nearly_everything_is_noticed_and_the_rest_has_a_reason(measured: Measured) -> None:
    """At least 95 %; every survivor has a line, every line a survivor; and the page says just this."""
    assert measured.mutants > 1_000
    assert measured.share >= SHARE_MIN
    reasons = load_survivors()
    assert [each.kind for each in find_unexplained(measured, reasons)] == []
    assert [each.change for each in reasons if not any(map(each.covers, measured.survivors))] == []
    page = (ROOT / "docs" / "policy-mutations.md").read_text()
    assert page == render_mutations(measured, reasons), "run `nottermost env docs --mutations`"


def test_every_operator_is_used_and_each_kind_once() -> None:
    """None stands idle, none is counted twice."""
    mutants = list(find_mutants(view_of("prod")))
    assert {each.operator for each in mutants} == set(Operator)
    kinds = Counter((each.kind, each.name) for each in mutants)
    assert kinds.most_common(1)[0][1] == 1
    assert not any(each.type == "aws:cloudwatch/dashboard:Dashboard" and "widgets" in each.path for each in mutants)


def test_a_change_that_nothing_notices_survives() -> None:
    """So that the share can fall: a name that nobody asks for is changed, and no rule says so."""
    view: View = view_of("prod")
    mutant = next(each for each in find_mutants(view) if each.operator is Operator.FLIP and "compress" in each.path)
    assert find_notice(mutant, view, frozenset()) is not None  # whatever was wrong before counts when nobody knew it
    measured = Measured(tried=dict.fromkeys(Operator, 1), survivors=[mutant])
    assert measured.share == pytest.approx(1 - 1 / len(Operator))
    assert find_unexplained(measured, []) == [mutant]
    assert find_unexplained(measured, [Survivor(change="flip cloudfront/*", reason="bytes")]) == []
    assert "nobody has said why" in render_mutations(measured, [])
