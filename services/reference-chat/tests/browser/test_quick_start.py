"""Document A's quick test, as two people do it."""

import pytest
from playwright.async_api import Locator, expect

from nottermost_chat.testing.browser import PASSWORD, People, Person
from nottermost_chat.testing.process import Chat

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def register(person: Person) -> None:
    page = person.page
    await person.go("/register")
    await page.get_by_label("E-mail").fill(person.email)
    await page.get_by_label("Your name").fill(person.name)
    await page.get_by_label("User name").fill(person.username)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create account").click()
    await expect(page.get_by_role("heading", name="Create your first workspace")).to_be_visible()


def ticks(message: Locator) -> Locator:
    return message.get_by_role("img")


async def test_two_people_meet_and_talk(chat: Chat, people: People) -> None:
    """Register, create a workspace, add by e-mail, open the DM; messages come live, and their ticks tell how far they got."""
    ann = await people.arrive(chat.url, "Ann", account=False)
    bob = await people.arrive(chat.url, "Bob", account=False)
    await register(ann)
    await ann.page.get_by_label("Workspace name").fill("Harbour")
    await ann.page.get_by_role("button", name="Create workspace").click()
    await expect(ann.main.get_by_role("heading", name="People in Harbour")).to_be_visible()
    await register(bob)

    await ann.page.get_by_label("Add a member by e-mail").fill(bob.email)
    await ann.page.get_by_role("button", name="Add member").click()
    await ann.main.get_by_role("button", name="DM Bob").click()
    await expect(ann.composer).to_be_focused()
    await ann.write("Are you **there**?")

    sent = ann.message("Are you there?")
    await expect(ticks(sent)).to_have_accessible_name("Delivered")  # it is on Bob's device, and he has not looked
    await expect(sent.locator("strong")).to_have_text("there")

    await bob.place("Ann").click()  # nothing was loaded again: the message opened the conversation for him
    await expect(bob.message("Are you there?")).to_be_visible()
    await expect(ticks(sent)).to_have_accessible_name("Read")
    await bob.write("Here I am")
    await expect(ann.message("Here I am")).to_be_visible()
    await expect(ticks(bob.message("Here I am"))).to_have_accessible_name("Read")


async def test_ticks_begin_with_sent(chat: Chat, people: People) -> None:
    """One tick while the other one's devices are off; who logs in finds the message and makes it read."""
    ann, bob = await people.arrive_all(chat.url, "Ann", "Bob")
    await ann.workspace("Harbour", bob)
    await ann.direct(bob)
    await ann.log_in()
    await ann.open("Bob")
    await ann.write("For later")
    await expect(ticks(ann.message("For later"))).to_have_accessible_name("Sent")
    await bob.log_in()
    await bob.open("Ann")
    await expect(bob.message("For later")).to_be_visible()
    await expect(ticks(ann.message("For later"))).to_have_accessible_name("Read")
    await ann.page.reload()
    await expect(ticks(ann.message("For later"))).to_have_accessible_name("Read")


async def test_typing_and_presence_show(chat: Chat, people: People) -> None:
    """Who is there, and who types, shows to the other one."""
    ann, bob = await people.arrive_all(chat.url, "Ann", "Bob")
    await ann.workspace("Harbour", bob)
    await ann.direct(bob)
    await ann.log_in()
    await ann.open("Bob")
    presence = ann.place("Bob").get_by_role("img")
    await expect(presence).to_have_attribute("title", "Offline")
    await bob.log_in()
    await bob.open("Ann")
    await expect(presence).to_have_attribute("title", "Online")
    await bob.composer.press_sequentially("I th")
    await expect(ann.main.get_by_text("Bob is typing…")).to_be_visible()
