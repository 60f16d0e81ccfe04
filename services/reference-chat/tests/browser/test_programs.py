"""Webhooks and bots: an admin makes them in the page."""

import re

import httpx
import pytest
from playwright.async_api import expect

from nottermost_chat.testing.browser import People, Person
from nottermost_chat.testing.process import Chat

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def shown_once(person: Person, title: str) -> str:
    """What the dialog shows, which is closed then."""
    dialog = person.page.get_by_role("dialog", name=title, exact=True)
    text = await dialog.get_by_role("textbox", name=title).input_value()
    await dialog.get_by_role("button", name="Close").click()
    return text


@pytest.mark.parametrize("chat", ["embedded"], indirect=True)  # the tests' cluster takes private addresses too
async def test_an_admin_makes_webhooks_and_a_bot(chat: Chat, people: People) -> None:
    """An address that posts, a webhook that goes to the internet only, a bot whose token works."""
    ann = await people.arrive(chat.url, "Ann")
    workspace_id = await ann.workspace("Harbour")
    channel_id = await ann.channel(workspace_id, "alerts")
    await ann.log_in()
    await ann.side_bar.get_by_role("link", name="People").click()
    await ann.page.get_by_role("tab", name="Webhooks and bots").click()

    await ann.page.get_by_role("button", name="New incoming webhook").click()
    dialog = ann.page.get_by_role("dialog", name="New incoming webhook")
    await dialog.get_by_label("Name").fill("Build server")
    await dialog.get_by_label("Posts to").select_option(label="alerts")
    await dialog.get_by_role("button", name="Create webhook").click()
    address = await shown_once(ann, "Address of the webhook")
    await expect(ann.page.get_by_role("list", name="Incoming webhooks").get_by_text("Build server")).to_be_visible()

    await ann.page.get_by_role("button", name="New outgoing webhook").click()
    dialog = ann.page.get_by_role("dialog", name="New outgoing webhook")
    ann.tolerated.append("status of 400")
    await dialog.get_by_label("Address").fill("https://127.0.0.1/")
    await dialog.get_by_role("button", name="Create webhook").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("not an address of the internet")
    await dialog.get_by_label("Address").fill("https://hooks.example/")
    await dialog.get_by_label("Messages").uncheck()
    await dialog.get_by_label("Edits").check()
    await dialog.get_by_role("button", name="Create webhook").click()
    assert re.fullmatch(r"whsec_\S{40,}", await shown_once(ann, "Secret of the webhook"))
    hooks = ann.page.get_by_role("list", name="Outgoing webhooks")
    await expect(hooks.get_by_text("edits · all public channels")).to_be_visible()
    await hooks.get_by_role("button", name="Switch off https://hooks.example/").click()
    await expect(hooks.get_by_text("switched off")).to_be_visible()

    await ann.page.get_by_role("button", name="New bot").click()
    dialog = ann.page.get_by_role("dialog", name="New bot")
    await dialog.get_by_label("User name").fill(f"bot-{ann.username}")
    await dialog.get_by_role("button", name="Create bot").click()
    await ann.page.get_by_role("button", name=f"Tokens of bot-{ann.username}").click()
    await ann.page.get_by_role("button", name="New token").click()
    dialog = ann.page.get_by_role("dialog", name="New token")
    await dialog.get_by_label("Name").fill("deployments")
    await dialog.get_by_label("See profiles and presence").check()
    await dialog.get_by_role("button", name="Create token").click()
    token = await shown_once(ann, "Token")

    async with httpx.AsyncClient(base_url=chat.url) as http:
        assert (await http.post(address, json={"text": "green"})).status_code == 201
        me = await http.get("/api/users/me", headers={"authorization": f"Bearer {token}"})
        assert me.json()["username"] == f"bot-{ann.username}"
    assert await ann.history(channel_id) == ["green"]
