"""Groups: created by one, joined by invite."""

import asyncio

import pytest
from playwright.async_api import expect

from nottermost_chat.testing.browser import People, Person
from nottermost_chat.testing.process import Chat

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def create_group(person: Person, title: str) -> None:
    await person.side_bar.get_by_role("button", name="New group").click()
    dialog = person.page.get_by_role("dialog", name="New group")
    await dialog.get_by_label("Name", exact=True).fill(title)
    await dialog.get_by_role("button", name="Create group").click()
    await expect(person.main.get_by_role("heading", level=1, name=title)).to_be_visible()


async def invite(person: Person, other: Person) -> None:
    """Into the open group."""
    await person.main.get_by_role("button", name="details").first.click()
    await person.pane.get_by_role("button", name="Invite").click()
    dialog = person.page.get_by_role("dialog", name="Invite to")
    await dialog.get_by_label(other.name).check()
    await dialog.get_by_role("button", name="Send invites").click()
    await expect(dialog).to_be_hidden()
    await person.pane.get_by_role("button", name="Close details").click()


async def test_a_group_is_joined_by_invite(chat: Chat, people: People) -> None:
    """Who is invited sees at once from whom, accepts, and both write; another invite is declined and gone."""
    ann, cat = await people.arrive_all(chat.url, "Ann", "Cat")
    await ann.workspace("Harbour", cat)
    await asyncio.gather(ann.log_in(), cat.log_in())
    for title in ("Lighthouse", "Storm watch"):
        await create_group(ann, title)
        await expect(ann.main.get_by_role("button", name="1 member, details")).to_be_visible()
        await ann.write(f"First words in {title}")
        await invite(ann, cat)

    invites = cat.side_bar.get_by_role("region", name="Invites")
    await expect(invites.get_by_text("Lighthouse from Ann")).to_be_visible()
    await invites.get_by_role("button", name="Decline the invite to Storm watch").click()
    await expect(invites.get_by_text("Storm watch")).to_be_hidden()
    await invites.get_by_role("button", name="Accept the invite to Lighthouse").click()
    await expect(cat.main.get_by_role("heading", level=1, name="Lighthouse")).to_be_visible()
    await expect(invites).to_be_hidden()
    await expect(cat.place("Storm watch")).to_have_count(0)

    await cat.write("Here I am")
    await ann.open("Lighthouse")
    await expect(ann.message("Here I am")).to_be_visible()
    await ann.write("Welcome")
    await expect(cat.message("Welcome")).to_be_visible()
    await expect(ann.main.get_by_role("button", name="2 members, details")).to_be_visible()


async def test_who_is_removed_is_out_at_once(chat: Chat, people: People) -> None:
    """The group leaves the removed one's screen without a reload, and nothing newer reaches them."""
    ann, cat = await people.arrive_all(chat.url, "Ann", "Cat")
    await ann.workspace("Harbour", cat)
    group = {"title": "Lighthouse", "member_ids": [cat.user_id]}
    await ann.rest.call("POST", "/api/chats/conversations/group", group)
    await asyncio.gather(ann.sit_down("Lighthouse"), cat.sit_down("Lighthouse"))
    await ann.main.get_by_role("button", name="2 members, details").click()
    await ann.pane.get_by_role("button", name="Manage Cat").click()
    await ann.page.get_by_role("menuitem", name="Remove").click()
    await ann.page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(cat.page.get_by_text("You were removed from Lighthouse.")).to_be_visible()
    await expect(cat.place("Lighthouse")).to_have_count(0)
    await ann.write("Now in private")
    await expect(ann.main.get_by_role("img", name="Sent")).to_be_visible()
    await expect(cat.page.get_by_text("Now in private")).to_have_count(0)
