"""What tells that something new is there: badges, the title, the "New messages" line."""

import re

import pytest
from playwright.async_api import expect

from nottermost_chat.testing.browser import People
from nottermost_chat.testing.process import Chat

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_badges_count_what_wants_attention(chat: Chat, people: People) -> None:
    """A DM counts every message, a channel is bold and counts mentions; opening clears both."""
    ann, bob = await people.arrive_all(chat.url, "Ann", "Bob")
    workspace = await ann.workspace("Harbour", bob)
    await ann.channel(workspace, "arrivals", bob)
    quay = await ann.channel(workspace, "quay", bob)
    direct = await ann.direct(bob)
    await bob.log_in()
    await bob.open("arrivals")
    await ann.say(quay, "Nothing for anybody")
    await expect(bob.side_bar.get_by_role("link", name="quay, unread")).to_be_visible()
    await expect(bob.page).to_have_title(re.compile(r"^• arrivals"))
    await ann.say(quay, f"This is for @{bob.username}")
    await expect(bob.side_bar.get_by_role("link", name="quay, 1 mention")).to_be_visible()
    await ann.say(direct, "One")
    await ann.say(direct, "Two")
    await expect(bob.side_bar.get_by_role("link", name="Ann, 2 unread")).to_be_visible()
    await expect(bob.page).to_have_title(re.compile(r"^\(3\) arrivals"))
    await bob.open("Ann")
    await expect(bob.message("Two")).to_be_visible()
    await bob.open("quay")
    await expect(bob.side_bar.get_by_role("link", name="quay", exact=True)).to_be_visible()
    await expect(bob.side_bar.get_by_role("link", name="Ann", exact=True)).to_be_visible()
    await expect(bob.message("This is for @Bob")).to_have_class(re.compile("mentions-me"))
    await expect(bob.page).to_have_title("quay – Nottermost")


async def test_reading_on_one_device_clears_the_badges_of_the_other(chat: Chat, people: People) -> None:
    """Of a channel and of a direct conversation, without a reload; what comes afterwards counts from there."""
    ann, bob = await people.arrive_all(chat.url, "Ann", "Bob")
    workspace = await ann.workspace("Harbour", bob)
    await ann.channel(workspace, "arrivals", bob)
    quay = await ann.channel(workspace, "quay", bob)
    direct = await ann.direct(bob)
    phone = await people.arrive(chat.url, "Phone", account=False)
    await bob.log_in()
    await phone.log_in(email=bob.email)
    for device in (bob, phone):
        await device.open("arrivals")
    await ann.say(quay, f"This is for @{bob.username}")
    await ann.say(direct, "And this")
    for device in (bob, phone):
        await expect(device.side_bar.get_by_role("link", name="quay, 1 mention")).to_be_visible()
        await expect(device.side_bar.get_by_role("link", name="Ann, 1 unread")).to_be_visible()
    await phone.open("quay")
    await expect(bob.side_bar.get_by_role("link", name="quay", exact=True)).to_be_visible()
    await phone.open("Ann")
    await expect(phone.message("And this")).to_be_visible()
    await expect(bob.side_bar.get_by_role("link", name="Ann", exact=True)).to_be_visible()
    await expect(bob.page).to_have_title("arrivals – Nottermost")
    await phone.open("arrivals")
    for text in ("One", "Two"):
        await ann.say(direct, text)
    for device in (bob, phone):
        await expect(device.side_bar.get_by_role("link", name="Ann, 2 unread")).to_be_visible()


async def test_what_is_half_read_on_one_device_is_half_read_on_the_other(chat: Chat, people: People) -> None:
    """A badge goes down to what is left."""
    ann, bob = await people.arrive_all(chat.url, "Ann", "Bob")
    await ann.channel(await ann.workspace("Harbour", bob), "arrivals", bob)
    direct = await ann.direct(bob)
    await bob.log_in()
    await bob.open("arrivals")
    sent = [await ann.say(direct, str(number)) for number in range(5)]
    await expect(bob.side_bar.get_by_role("link", name="Ann, 5 unread")).to_be_visible()
    path = f"/api/messages/conversations/{direct}/read"
    await bob.rest.call("POST", path, {"last_read_seq": sent[2]["seq"]})
    await expect(bob.side_bar.get_by_role("link", name="Ann, 2 unread")).to_be_visible()


async def test_a_line_separates_what_is_new(chat: Chat, people: People) -> None:
    """What came while one was away begins below "New messages"; the own answer takes the line away."""
    ann, bob = await people.arrive_all(chat.url, "Ann", "Bob")
    workspace = await ann.workspace("Harbour", bob)
    await ann.channel(workspace, "arrivals", bob)
    quay = await ann.channel(workspace, "quay", bob)
    await ann.say(quay, "Seen before")
    await bob.log_in()
    await bob.open("quay")
    await expect(bob.message("Seen before")).to_be_visible()
    await expect(bob.side_bar.get_by_role("link", name="quay", exact=True)).to_be_visible()
    await bob.open("arrivals")
    for number in range(3):
        await ann.say(quay, f"New {number}")
    await expect(bob.side_bar.get_by_role("link", name="quay, unread")).to_be_visible()
    await bob.open("quay")
    rows = bob.main.get_by_role("list", name="Messages in quay").locator("> li:not(.day)")
    await expect(rows).to_have_text(
        [re.compile(text) for text in ("Seen before", "New messages", "New 0", "New 1", "New 2")]
    )
    await bob.write("Now I know")
    await expect(bob.message("Now I know")).to_be_visible()
    await expect(bob.main.get_by_text("New messages", exact=True)).to_have_count(0)
