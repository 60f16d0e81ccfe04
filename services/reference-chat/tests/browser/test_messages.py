"""What one does with messages: read all of a long one, edit, react, delete and undo, reply in a thread."""

import asyncio
import re

import pytest
from playwright.async_api import expect

from nottermost_chat.testing.browser import People, Person
from nottermost_chat.testing.process import Chat, OwnChat

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def pair(chat: Chat, people: People) -> tuple[Person, Person]:
    """Two people who look at the same channel."""
    ann, bob = await people.arrive_all(chat.url, "Ann", "Bob")
    await ann.channel(await ann.workspace("Harbour", bob), "quay", bob)
    await asyncio.gather(ann.sit_down("quay"), bob.sit_down("quay"))
    return ann, bob


async def test_read_more_shows_the_whole_message(chat: Chat, people: People) -> None:
    """The reader of 5,000 characters gets the beginning, and all of it on a click."""
    ann, bob = await pair(chat, people)
    text = "".join(f"{number:04} " for number in range(1000))[:4990] + "the end"[:10]
    assert len(text) > 4990
    await ann.write(text)
    message = bob.message("0000 0001")
    more = message.get_by_role("button", name="Read more")
    await expect(more).to_be_visible()
    await expect(message.locator(".text")).not_to_contain_text("the end")
    await more.click()
    await expect(message.locator(".text")).to_contain_text("the end")
    await expect(more).to_be_hidden()
    assert (await message.locator(".text p").inner_text()).strip() == text


async def test_up_edits_the_last_message(chat: Chat, people: People) -> None:
    """Up in the empty composer opens the last own message; Enter saves, Escape leaves it as it was."""
    ann, bob = await pair(chat, people)
    await ann.write("Hihg tide at nine")
    await expect(bob.message("Hihg tide")).to_be_visible()
    await ann.composer.press("ArrowUp")
    editor = ann.page.get_by_role("textbox", name="Edit message")
    await expect(editor).to_have_value("Hihg tide at nine")
    await editor.fill("High tide at nine")
    await editor.press("Enter")
    for person in (ann, bob):
        await expect(person.message("High tide at nine")).to_contain_text("(edited)")
        await expect(person.message("Hihg")).to_have_count(0)
    await expect(ann.composer).to_be_focused()
    await ann.composer.press("ArrowUp")
    await editor.fill("Something else")
    await editor.press("Escape")
    await expect(ann.messages).to_have_count(1)
    await expect(ann.message("High tide at nine")).to_be_visible()


async def test_up_edits_a_message_that_is_still_on_its_way(own_chat: OwnChat, people: People) -> None:
    """The editor opens as soon as the message is stored; what was written in the meantime is left alone."""
    ann, _ = await pair(own_chat, people)
    await own_chat.pause()
    await ann.write("Hihg tide at nine")
    await expect(ann.message("Hihg tide").get_by_role("img", name="Waiting to be sent")).to_be_visible()
    await ann.composer.press("ArrowUp")
    await own_chat.resume()
    editor = ann.page.get_by_role("textbox", name="Edit message")
    await expect(editor).to_have_value("Hihg tide at nine")
    await editor.press("Escape")
    await own_chat.pause()
    await ann.write("Low tide at three")
    await ann.composer.press("ArrowUp")
    await ann.composer.fill("And then")
    await own_chat.resume()
    await expect(ann.message("Low tide").get_by_role("img", name="Sent")).to_be_visible()
    await expect(editor).to_have_count(0)
    await expect(ann.composer).to_have_value("And then")


async def test_reactions_are_shared(chat: Chat, people: People) -> None:
    """Both react with the same emoji: one reaction with two people, which each takes back alone."""
    ann, bob = await pair(chat, people)
    await ann.write("The ferry is in")
    await bob.act_on(bob.message("The ferry is in"), "Add reaction")
    picker = bob.page.get_by_role("dialog", name="Choose an emoji")
    await picker.get_by_role("searchbox").fill("rocket")
    await picker.get_by_role("searchbox").press("Enter")
    reaction = ann.message("The ferry is in").get_by_role("button", name=re.compile("^rocket, 1: Bob"))
    await expect(reaction).to_have_attribute("aria-pressed", "false")
    await reaction.click()
    for person in (ann, bob):
        both = person.message("The ferry is in").get_by_role("button", name=re.compile("^rocket, 2:"))
        await expect(both).to_have_attribute("aria-pressed", "true")
    await bob.message("The ferry is in").get_by_role("button", name=re.compile("^rocket, 2:")).click()
    await expect(ann.message("The ferry is in").get_by_role("button", name="rocket, 1: you")).to_be_visible()


async def test_deleted_messages_come_back(chat: Chat, people: People) -> None:
    """Delete asks first; what is left says so to both; Undo brings the text back to both."""
    ann, bob = await pair(chat, people)
    await ann.write("Said too much")
    await expect(bob.message("Said too much")).to_be_visible()
    await ann.choose_on(ann.message("Said too much"), "Delete")
    await ann.page.get_by_role("dialog", name="Delete message?").get_by_role("button", name="Delete").click()
    for person in (ann, bob):
        await expect(person.message("This message was deleted.")).to_be_visible()
        await expect(person.messages.filter(has_text="Said too much")).to_have_count(0)
    await expect(bob.main.get_by_role("button", name="Undo")).to_have_count(0)
    await ann.main.get_by_role("button", name="Undo").click()
    for person in (ann, bob):
        await expect(person.message("Said too much")).to_be_visible()
        await expect(person.message("This message was deleted.")).to_have_count(0)


async def test_threads_stay_beside_the_conversation(chat: Chat, people: People) -> None:
    """Replies show in the pane and as a count at their root; sent to the conversation too, they show there as well."""
    ann, bob = await pair(chat, people)
    await ann.write("Who has the key?")
    await bob.act_on(bob.message("Who has the key?"), "Reply in thread")
    replies = bob.pane.get_by_role("textbox", name="Message", exact=True)
    await expect(replies).to_be_focused()
    await replies.fill("I have")
    await replies.press("Enter")
    await expect(bob.pane.locator(".message")).to_have_count(2)
    await expect(bob.message("I have")).to_have_count(0)
    await ann.message("Who has the key?").get_by_role("button", name="1 reply, open thread").click()
    await expect(ann.pane.locator(".message", has_text="I have")).to_be_visible()
    answer = ann.pane.get_by_role("textbox", name="Message", exact=True)
    await answer.fill("The key is found")
    await ann.pane.get_by_label("Also send to the conversation").check()
    await answer.press("Enter")
    await expect(bob.pane.locator(".message", has_text="The key is found")).to_be_visible()
    broadcast = bob.message("The key is found")
    await expect(broadcast.get_by_role("button", name="replied to a thread")).to_be_visible()
    await expect(bob.message("Who has the key?").get_by_role("button", name="2 replies, open thread")).to_be_visible()
    await bob.pane.get_by_role("button", name="Close thread").click()
    await expect(bob.pane).to_be_hidden()


async def test_short_codes_and_mentions_complete(chat: Chat, people: People) -> None:
    """Typing a colon or an @ offers what there is; Enter takes it, a second one sends."""
    ann, bob = await pair(chat, people)
    await ann.composer.press_sequentially("Ship it :rocke")
    await expect(ann.page.get_by_role("option", name=re.compile("rocket"))).to_be_visible()
    await ann.composer.press("Enter")
    await ann.composer.press_sequentially(f" @{bob.username[:5]}")
    await expect(ann.page.get_by_role("option", name=re.compile(bob.username))).to_be_visible()
    await ann.composer.press("Enter")
    await ann.composer.press("Enter")
    await expect(bob.message("Ship it 🚀 @Bob")).to_be_visible()
    await expect(bob.message("Ship it").get_by_role("button", name="@Bob")).to_be_visible()
