"""The page as a file, and as people see it in a browser, wide and narrow, light and dark."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from nottermost_cost.report import Figures, render_page


@pytest.fixture(scope="module")
def page(figures: Figures) -> str:
    return render_page(figures)


def test_the_page_asks_for_nothing_and_can_be_read_without_seeing(page: str, read_page: Callable[[str], Any]) -> None:
    """No script, link, picture, frame or address; every table has a caption, each of the five charts a title."""
    reader = read_page(page)
    assert reader.count("table") > 10
    assert len(reader.drawings) == 5


def test_what_people_wrote_is_text(page: str) -> None:
    """A tag that holds markup is shown as it is."""
    assert "<b>04100</b>" not in page
    assert "&lt;b&gt;04100&lt;/b&gt;" in page


def test_the_tornado_has_twelve_bars(page: str, figures: Figures) -> None:
    """The widest twelve of the inputs, each with both its ends; all inputs stand in the table."""
    assert figures.sensitivity is not None
    assert len(figures.sensitivity.bars) == 13
    assert page.count('class="low"') == page.count('class="high"') == 12


def test_series_are_curves(page: str) -> None:
    """Connections have a curve a region over 24 hours and back to the first, storage one with the month marked."""
    curves = [line for line in page.splitlines() if line.startswith("<polyline")]
    assert [line.count(",") for line in curves] == [25, 25, 8]
    assert [line.rpartition("<title>")[2].partition("<")[0] for line in curves] == [
        "us-east-1",
        "eu-west-1",
        "stored in the home region",
    ]
    assert ">month 12</text>" in page
    assert "From 28.9 TB in month 1 to 1.69 PB in month 60; 347 TB in month 12" in page
    assert "connections.hour." not in page
    assert "storage.gb.month." not in page


def test_a_workload_without_series_has_no_curves(figures: Figures) -> None:
    """Neither an empty frame nor an empty table."""
    few = tuple(each for each in figures.estimate.quantities if each.name.startswith("users."))
    page = render_page(Figures(replace(figures.estimate, quantities=few)))
    assert "<polyline" not in page
    assert "by hour" not in page


def test_every_line_is_there_by_service(page: str, figures: Figures) -> None:
    """A list for each service, with how many lines it has and what they cost together."""
    assert "<summary>Fargate <small>" in page
    assert sum(page.count(f'<th scope="row">{line.charge.name}</th>') > 0 for line in figures.lines) > 40


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_in_a_browser(page: str, look_at: Callable[[str, int, str], None], width: int, scheme: str) -> None:
    """Wide and on a phone: nothing is requested, the page does not scroll sideways, no text of a chart
    overlaps, paper is white."""
    look_at(page, width, scheme)
