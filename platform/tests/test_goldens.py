"""The reviewed graphs are those of the programs: a change of the platform brings its graphs along."""

import pytest

from nottermost_platform.preview import GOLDEN, assess, read_golden
from nottermost_platform.testing import ENVIRONMENTS, graph_of


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_nothing_differs_from_what_was_reviewed(env: str) -> None:
    """Else: look at `nottermost env preview`, and accept it."""
    result = assess(graph_of(env), graph_of(env, unknown=True), read_golden(env, None, GOLDEN))
    assert [change.urn for change in result.changes] == []
    assert result.never_reviewed == []
    assert result.findings == []


def test_there_are_no_graphs_of_other_environments() -> None:
    """What nobody captures any more is not kept."""
    assert {folder.name for folder in GOLDEN.iterdir()} == set(ENVIRONMENTS)
