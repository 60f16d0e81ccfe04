"""Search with filters: what it finds, what it marks, where a hit leads."""

import re

import pytest
from playwright.async_api import expect

from nottermost_chat.testing.browser import People, Person
from nottermost_chat.testing.process import Chat

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def search(person: Person, query: str) -> None:
    field = person.pane.get_by_role("searchbox", name="Search messages")
    if not await field.is_visible():
        await person.main.get_by_role("button", name="Search", exact=True).click()
    await field.fill(query)
    await field.press("Enter")


async def expect_hits(person: Person, query: str, *texts: str) -> None:
    """Search until the index has caught up, then compare: the order is not promised here."""
    hits = person.pane.get_by_role("list", name="Results").get_by_role("listitem")
    for _ in range(40):  # a message is searchable a moment after it is sent
        await search(person, query)
        await expect(person.pane.get_by_role("status")).to_have_text(re.compile(r"^\d+ messages?$"))
        if await hits.count() == len(texts):
            break
        await person.page.wait_for_timeout(250)
    await expect(hits).to_have_count(len(texts))
    for text in texts:
        await expect(hits.filter(has_text=text)).to_have_count(1)


async def upload(person: Person, conversation_id: str, name: str, content: bytes) -> str:
    asked = {"conversation_id": conversation_id, "name": name, "size": len(content)}
    view = await person.rest.call("POST", "/api/files", asked)
    answer = await person.context.request.put(f"{person.url}{view['upload_url']}", data=content)
    assert answer.ok, await answer.text()
    return str(view["file_id"])


async def test_filters_find_what_they_should(chat: Chat, people: People) -> None:
    """from:, in: and has:file narrow the same word down; hits are marked; what one may not read is not found."""
    ann, bob = await people.arrive_all(chat.url, "Ann", "Bob")
    workspace = await ann.workspace("Harbour", bob)
    quay, arrivals = [await ann.channel(workspace, name, bob) for name in ("quay", "arrivals")]
    secret = await ann.channel(workspace, "harbour-office")
    await ann.say(quay, "The anchor is dropped")
    await bob.say(quay, "Whose anchor was it?")
    await bob.say(arrivals, "No anchor here", file_ids=[await upload(bob, arrivals, "list.txt", b"one anchor")])
    await ann.say(secret, "An anchor nobody knows of")
    await bob.log_in()
    await expect_hits(bob, "anchor", "The anchor is dropped", "Whose anchor was it?", "No anchor here")
    await expect(bob.pane.get_by_role("list", name="Results").locator("mark")).to_have_text(["anchor"] * 3)
    await expect_hits(bob, f"anchor from:{ann.username}", "The anchor is dropped")
    await expect_hits(bob, "anchor from:me in:quay", "Whose anchor was it?")
    await expect_hits(bob, "anchor in:arrivals", "No anchor here")
    await expect_hits(bob, "anchor has:file", "No anchor here")
    await expect_hits(bob, '"anchor was"', "Whose anchor was it?")
    await search(bob, "anchor in:nowhere")
    await expect(bob.pane.get_by_role("status")).to_contain_text("Not known")
    await expect(bob.pane.get_by_role("list", name="Results")).to_have_count(0)


async def test_search_that_is_away(chat: Chat, people: People) -> None:
    """The page says so where the results would be, and finds again when it is back."""
    ann = await people.arrive(chat.url, "Ann")
    quay = await ann.channel(await ann.workspace("Harbour"), "quay")
    await ann.say(quay, "The anchor is dropped")
    await ann.log_in()
    ann.tolerated.append("503")
    problem = {"status": 503, "code": "unavailable", "detail": "the search is away: try again in a moment"}
    await ann.page.route("**/api/search?*", lambda route: route.fulfill(status=503, json=problem))
    await search(ann, "anchor")
    await expect(ann.pane.get_by_role("status")).to_have_text("The search is away: try again in a moment.")
    await ann.page.unroute("**/api/search?*")
    await expect_hits(ann, "anchor", "The anchor is dropped")


async def test_a_hit_leads_to_its_place(chat: Chat, people: People) -> None:
    """The channel opens at the message, which is marked, far above the newest; a reply opens in its thread."""
    ann = await people.arrive(chat.url, "Ann")
    workspace = await ann.workspace("Harbour")
    await ann.channel(workspace, "arrivals")
    quay = await ann.channel(workspace, "quay")
    root = await ann.say(quay, "Found something in the net")
    await ann.say(quay, "It is a sextant", thread_id=root["message_id"])
    for number in range(150):
        await ann.say(quay, f"Line {number}")
    await ann.log_in()
    await ann.open("arrivals")
    await expect_hits(ann, "something net", "Found something in the net")
    await ann.pane.get_by_role("button", name=re.compile("Found something in the net")).click()
    await expect(ann.main.get_by_role("heading", level=1, name="quay")).to_be_visible()
    await expect(ann.message("Found something in the net")).to_be_in_viewport()
    await expect(ann.message("Found something in the net")).to_have_class(re.compile(r"\bfound\b"))
    await expect(ann.main.get_by_role("button", name="Jump to newest")).to_be_visible()

    await expect_hits(ann, "sextant", "It is a sextant")
    await ann.pane.get_by_role("button", name=re.compile("It is a sextant")).click()
    await expect(ann.pane.get_by_role("heading", name="Thread")).to_be_visible()
    await expect(ann.pane.locator(".message", has_text="It is a sextant")).to_be_in_viewport()
    await ann.main.get_by_role("button", name="Jump to newest").click()
    await expect(ann.message("Line 149")).to_be_in_viewport()
