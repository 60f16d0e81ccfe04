"""The benchmark of captures runs and counts; how long they take is not a test's to say."""

import pytest

from nottermost_platform.bench import capture_and_check, measure_bare_ms, measure_slowest_stack
from nottermost_platform.testing import graph_of


def test_work_is_counted() -> None:
    """Resources without components and the stacks themselves, and no finding."""
    work = capture_and_check("pr-0", False)
    assert work.resources == sum(each.custom for each in graph_of("pr-0").resources())
    assert work.findings == 0
    assert work.memory_mib > 0


@pytest.mark.slow
def test_the_slowest_stack_and_the_reference() -> None:
    """The reference is the SDK's own, so that a ratio says what recording and checking add."""
    name, seconds, resources = measure_slowest_stack("pr-0")
    assert name.endswith(" of pr-0")
    assert seconds > 0
    assert resources > 0
    assert measure_bare_ms() > 0
