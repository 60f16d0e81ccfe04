"""The page as a file, and as people see it in a browser, wide and narrow, light and dark."""

import os
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from nottermost_cost.report import Figures, render_page

_OVERLAPS = """() => {
  const texts = [...document.querySelectorAll('svg text')].map(e => [e.textContent, e.getBoundingClientRect()]);
  const found = [];
  for (let i = 0; i < texts.length; i++) for (let j = i + 1; j < texts.length; j++) {
    const [a, b] = [texts[i][1], texts[j][1]];
    if (a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom)
      found.push(`${texts[i][0]} | ${texts[j][0]}`);
  }
  return found;
}"""
_OUTSIDE = """() => [...document.querySelectorAll('svg text')].filter(e => {
  const [text, drawing] = [e.getBoundingClientRect(), e.closest('svg').getBoundingClientRect()];
  return text.left < drawing.left - 1 || text.right > drawing.right + 1;
}).map(e => e.textContent)"""


class _Reader(HTMLParser):
    """Which elements there are, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


@pytest.fixture(scope="module")
def page(figures: Figures) -> str:
    return render_page(figures)


def test_the_page_asks_for_nothing(page: str) -> None:
    """No script, link, picture, frame or address; a policy that forbids them all the same."""
    reader = _Reader(page)
    tags = {tag for tag, _ in reader.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    assert not [
        attributes for _, attributes in reader.elements if {"src", "href", "onclick", "style"} & set(attributes)
    ]
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import|https?://", page)


def test_what_people_wrote_is_text(page: str) -> None:
    """A tag that holds markup is shown as it is."""
    assert "<b>04100</b>" not in page
    assert "&lt;b&gt;04100&lt;/b&gt;" in page


def test_tables_and_charts_can_be_read_without_seeing(page: str) -> None:
    """Every table has a caption and header cells with a scope, every chart a title and a description."""
    reader = _Reader(page)
    assert reader.count("table") == reader.count("caption") > 10
    assert all(attributes.get("scope") in ("row", "col") for tag, attributes in reader.elements if tag == "th")
    drawings = [attributes for tag, attributes in reader.elements if tag == "svg" and "role" in attributes]
    ids = {attributes["id"] for tag, attributes in reader.elements if tag in ("title", "desc") and "id" in attributes}
    assert len(drawings) == 4
    assert {name for each in drawings for name in (each["aria-labelledby"] or "").split()} == ids


def test_the_tornado_has_twelve_bars(page: str, figures: Figures) -> None:
    """The widest twelve of the inputs, each with both its ends; all inputs stand in the table."""
    assert figures.sensitivity is not None
    assert len(figures.sensitivity.bars) == 13
    assert page.count('class="low"') == page.count('class="high"') == 12


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    if executable is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("there is no Chromium here; install it with: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def open_page(browser: Browser, path: Path, width: int, scheme: Any) -> tuple[Page, list[str]]:
    """The page in a window of its own, and what went wrong or was asked for while it loaded."""
    troubles: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: troubles.append(request.url) if request.url != path.as_uri() else None)
    page.goto(path.as_uri())
    return page, troubles


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_in_a_browser(browser: Browser, page: str, tmp_path: Path, width: int, scheme: str) -> None:
    """Wide and on a phone: nothing is requested, the page does not scroll sideways, no text of a chart
    overlaps, paper is white."""
    path = tmp_path / "estimate.html"
    path.write_text(page, encoding="utf-8")
    shown, troubles = open_page(browser, path, width, scheme)
    try:
        assert troubles == []
        assert shown.evaluate("document.documentElement.scrollWidth") == width
        assert shown.evaluate(_OVERLAPS) == []
        assert shown.evaluate(_OUTSIDE) == []
        background = shown.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(22, 26, 33)")
        shown.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert shown.evaluate("document.documentElement.scrollWidth") == width
        aligned = shown.evaluate("[...document.querySelectorAll('td.number')].map(e => getComputedStyle(e).textAlign)")
        assert set(aligned) == {"right"}
        shown.emulate_media(media="print")
        assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    finally:
        shown.close()
