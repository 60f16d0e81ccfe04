"""By keyboard alone, on a phone's width, in the dark, and as a screen reader finds it."""

import re
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from nottermost_chat.testing.browser import People, Person
from nottermost_chat.testing.process import Chat

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PHONE = {"width": 360, "height": 740}
# Luminance 0 (black) to 1 (white) of a colour that the page computed.
LUMINANCE = """(element, name) => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d");
  canvas.fillStyle = getComputedStyle(element)[name];
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data]
    .map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}"""
NAMELESS = """() => [...document.querySelectorAll("button, a[href], input, select, textarea, [role=button]")]
  .filter((each) => each.checkVisibility())
  .filter((each) => !(each.getAttribute("aria-label") || each.title || each.labels?.length
    || each.getAttribute("aria-labelledby") || each.innerText?.trim()))
  .map((each) => each.outerHTML.slice(0, 200))"""


async def settled(chat: Chat, people: People, **context: Any) -> Person:
    """Somebody in a workspace with two channels, somebody else, and a message."""
    ann = await people.arrive(chat.url, "Ann", **context)
    bob = await people.arrive(chat.url, "Bob")
    workspace = await ann.workspace("Harbour", bob)
    await ann.channel(workspace, "arrivals", bob)
    quay = await ann.channel(workspace, "quay", bob)
    await bob.say(quay, "The **tide** turns at `nine`, says https://example.org/tides")
    await ann.direct(bob)
    await ann.log_in()
    return ann


async def test_the_quick_switcher_needs_no_mouse(chat: Chat, people: People) -> None:
    """Ctrl+K, a few letters, arrows and Enter lead to a channel, to a person, and by e-mail; Escape leads back."""
    ann = await settled(chat, people)
    keyboard = ann.page.keyboard
    switcher = ann.page.get_by_role("dialog", name="Jump to")
    for query, title in (("qua", "quay"), ("arri", "arrivals"), ("bob", "Bob")):
        await keyboard.press("Control+k")
        await expect(switcher.get_by_role("combobox")).to_be_focused()
        await keyboard.type(query)
        await expect(switcher.get_by_role("option", selected=True)).to_contain_text(title)
        await keyboard.press("Enter")
        await expect(ann.main.get_by_role("heading", level=1, name=title)).to_be_visible()
        await expect(ann.composer).to_be_focused()
    await keyboard.press("Control+k")
    first = await switcher.get_by_role("option", selected=True).inner_text()
    await keyboard.press("ArrowDown")
    await expect(switcher.get_by_role("option", selected=True)).not_to_have_text(first)
    await keyboard.press("Escape")
    await expect(switcher).to_be_hidden()
    await expect(ann.composer).to_be_focused()


async def test_messages_are_reached_by_keyboard(chat: Chat, people: People) -> None:
    """Shift+Tab leaves the composer upwards to the messages; keys act on the one in focus; Escape leads back."""
    ann = await settled(chat, people)
    await ann.open("quay")
    await ann.write("Mine")
    await expect(ann.main.get_by_role("img", name=re.compile("Sent|Delivered"))).to_be_visible()
    for _ in range(12):
        if await ann.page.evaluate("document.activeElement.classList.contains('message')"):
            break
        await ann.page.keyboard.press("Shift+Tab")
    await ann.page.keyboard.press("End")
    await expect(ann.message("Mine")).to_be_focused()
    await ann.page.keyboard.press("ArrowUp")
    await expect(ann.message("The tide turns")).to_be_focused()
    assert await outline(ann.message("The tide turns"))
    await ann.page.keyboard.press("t")
    await expect(ann.pane.get_by_role("textbox", name="Message", exact=True)).to_be_focused()
    await ann.page.keyboard.press("Escape")
    await expect(ann.pane).to_be_hidden()
    await expect(ann.composer).to_be_focused()


async def outline(element: Locator) -> bool:
    """Whether one can see that it has the focus."""
    return bool(
        await element.evaluate(
            """(element) => {
              const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
              return (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none";
            }"""
        )
    )


async def test_tab_goes_through_the_page_and_shows_where_it_is(chat: Chat, people: People) -> None:
    """Each step of Tab focuses something else that can be seen to have the focus."""
    ann = await settled(chat, people)
    await ann.open("quay")
    await ann.page.get_by_role("link", name="Skip to the conversation").focus()
    seen: list[str] = []
    for _ in range(12):
        await ann.page.keyboard.press("Tab")
        focused = ann.page.locator(":focus")
        await expect(focused).to_have_count(1)
        html = await focused.evaluate("element => element.outerHTML")
        assert html not in seen[-1:], "the focus does not move"
        assert await outline(focused), f"one cannot see the focus on {html[:200]}"
        seen.append(html)
    assert len(set(seen)) > 8
    await ann.page.get_by_role("link", name="Skip to the conversation").focus()
    await ann.page.keyboard.press("Enter")
    await expect(ann.main.locator(":focus").or_(ann.page.locator("main:focus"))).to_have_count(1)


async def test_every_control_has_a_name(chat: Chat, people: People) -> None:
    """Landmarks, one heading of the first level, and no button, link or field without a name, on every screen."""
    ann = await settled(chat, people)
    await ann.open("quay")
    await expect(ann.message("tide")).to_be_visible()
    await expect(ann.page.get_by_role("main")).to_have_count(1)
    await expect(ann.page.get_by_role("navigation")).to_have_count(2)
    await expect(ann.page.get_by_role("heading", level=1)).to_have_count(1)
    assert await ann.page.evaluate("document.documentElement.lang") == "en"
    await ann.message("tide").hover()
    assert await ann.page.evaluate(NAMELESS) == []
    await ann.main.get_by_role("button", name="2 members, details").click()
    await expect(ann.pane.get_by_text("Members · 2")).to_be_visible()
    assert await ann.page.evaluate(NAMELESS) == []
    await ann.main.get_by_role("button", name="Search", exact=True).click()
    assert await ann.page.evaluate(NAMELESS) == []
    await ann.side_bar.get_by_role("link", name="People").click()
    await expect(ann.main.get_by_role("button", name="DM Bob")).to_be_visible()
    assert await ann.page.evaluate(NAMELESS) == []
    await ann.page.get_by_role("button", name="your account").click()
    await ann.page.get_by_role("menuitem", name="Settings").click()
    for tab in await ann.page.get_by_role("dialog").get_by_role("tab").all():
        await tab.click()
        assert await ann.page.evaluate(NAMELESS) == []


async def test_a_phone_shows_the_side_bar_as_a_drawer(chat: Chat, people: People) -> None:
    """At 360 px nothing is cut off; the drawer opens, leads to a conversation, and closes."""
    ann = await settled(chat, people, viewport=PHONE, has_touch=True)
    await expect(ann.main).to_be_visible()
    await expect(ann.place("quay")).not_to_be_in_viewport()
    await ann.main.get_by_role("button", name="Open side bar").tap()
    await expect(ann.place("quay")).to_be_in_viewport(ratio=1)
    await ann.place("quay").tap()
    await expect(ann.main.get_by_role("heading", level=1, name="quay")).to_be_visible()
    await expect(ann.place("quay")).not_to_be_in_viewport()
    await ann.write("From my phone, with a word that is " + "very" * 60 + " long")
    await expect(ann.message("From my phone")).to_be_in_viewport()
    await expect(ann.composer).to_be_in_viewport(ratio=1)
    await expect(ann.main.get_by_role("button", name="Send", exact=True)).to_be_in_viewport(ratio=1)
    assert await ann.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    await ann.main.get_by_role("button", name="Search", exact=True).tap()
    await expect(ann.pane.get_by_role("searchbox")).to_be_in_viewport(ratio=1)
    await ann.pane.get_by_role("button", name="Close search").tap()
    await ann.main.get_by_role("button", name="Open side bar").tap()
    await ann.page.keyboard.press("Escape")
    await expect(ann.place("quay")).not_to_be_in_viewport()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_is_readable_in_both_themes(chat: Chat, people: People, scheme: str) -> None:
    """The page follows the system, and text stands out from its ground by the 4.5 that WCAG AA asks for."""
    ann = await settled(chat, people, color_scheme=scheme)
    await ann.open("quay")
    ground = await ann.page.locator("body").evaluate(LUMINANCE, "backgroundColor")
    assert (ground < 0.1) if scheme == "dark" else (ground > 0.7)
    for each in (ann.message("tide").locator(".text"), ann.message("tide").locator("time").first):
        text = await each.evaluate(LUMINANCE, "color")
        light, dark = max(text, ground), min(text, ground)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


async def test_the_theme_can_be_chosen(chat: Chat, people: People) -> None:
    """Dark in the settings wins over a light system, at once and after a reload."""
    ann = await settled(chat, people)
    await ann.page.get_by_role("button", name="your account").click()
    await ann.page.get_by_role("menuitem", name="Settings").click()
    await ann.page.get_by_role("tab", name="Look").click()
    await ann.page.get_by_label("Dark").check()
    assert await ann.page.locator("body").evaluate(LUMINANCE, "backgroundColor") < 0.1
    await ann.page.reload()
    await expect(ann.main).to_be_visible()
    assert await ann.page.locator("body").evaluate(LUMINANCE, "backgroundColor") < 0.1
