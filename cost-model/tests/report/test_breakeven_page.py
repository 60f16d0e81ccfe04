"""The page of break-even questions: a chart for each, with its crossings and the scenario in it."""

from collections.abc import Callable
from typing import Any

import pytest

from nottermost_cost.breakeven import QUESTIONS, Answers, answer_questions, render_page
from nottermost_cost.breakeven.page import draw_curves
from nottermost_cost.engine import Choice

CHOICE = Choice("prod", "growth")


@pytest.fixture(scope="module")
def answers() -> Answers:
    return answer_questions(CHOICE)


@pytest.fixture(scope="module")
def page(answers: Answers) -> str:
    return render_page(answers, CHOICE)


def test_the_page_asks_for_nothing_and_can_be_read_without_seeing(page: str, read_page: Callable[[str], Any]) -> None:
    """No script, link, picture, frame or address; a chart with a title and a table with a caption a question."""
    reader = read_page(page)
    assert len(reader.drawings) == reader.count("table") == len(QUESTIONS)


def test_a_chart_has_every_curve_every_crossing_and_the_scenario(answers: Answers) -> None:
    """Curves run through their crossings; the description says what the options cost where the scenario is."""
    for found in answers.answered:
        drawn = draw_curves(found)
        assert [each.name for each in drawn.traces] == [curve.option for curve in found.curves]
        assert len(drawn.marks) == len(found.crossings)
        assert drawn.here is not None
        assert all(curve.option in drawn.description for curve in found.curves)
        for mark in drawn.marks:
            x, y = (float(each.removesuffix("%")) for each in (mark.x, mark.y))
            assert 0 <= x <= 100
            assert 0 <= y <= 100
            through = [
                point
                for trace in drawn.traces
                for point in trace.points.split()
                if abs(float(point.partition(",")[0]) - 10 * x) < 0.1
                and abs(float(point.partition(",")[2]) - 10 * y) < 0.1
            ]
            assert len(through) >= 2, (found.name, mark.title)


def test_a_logarithmic_axis_has_powers_of_ten(answers: Answers) -> None:
    """Users along, dollars up; a share has a linear axis from zero dollars."""
    drawn = {found.name: draw_curves(found) for found in answers.answered}
    assert [each.label for each in drawn["sockets"].x_ticks] == ["1k", "10k", "100k", "1M", "10M", "100M"]
    assert [each.label for each in drawn["sockets"].y_ticks][-1] == "$1M"
    assert drawn["dynamodb"].y_ticks[0].label == "$0"
    assert [each.label for each in drawn["dynamodb"].x_ticks] == ["20%", "40%", "60%", "80%", "100%"]


def test_a_question_without_an_answer_says_why() -> None:
    """Staging has no standby."""
    choice = Choice("staging", "team")
    page = render_page(answer_questions(choice), choice)
    assert "Questions without an answer" in page
    assert "no standby" in page


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_in_a_browser(page: str, look_at: Callable[[str, int, str], None], width: int, scheme: str) -> None:
    """Wide and on a phone: nothing is requested or overlaps, and the page does not scroll sideways."""
    look_at(page, width, scheme)
