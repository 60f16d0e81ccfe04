"""Getting in: a wrong password, a name that is taken, signing out, an address to come back to."""

import re

import pytest
from playwright.async_api import expect

from nottermost_chat.testing.browser import PASSWORD, People
from nottermost_chat.testing.process import Chat

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_wrong_password_is_said_in_a_sentence(chat: Chat, people: People) -> None:
    """The page says what is wrong, and the right password still works."""
    ann = await people.arrive(chat.url, "Ann")
    ann.tolerated.append("status of 401")
    await ann.go("/login")
    await ann.page.get_by_label("E-mail or user name").fill(ann.username)
    await ann.page.get_by_label("Password").fill("wrong horse battery")
    await ann.page.get_by_role("button", name="Log in").click()
    await expect(ann.page.get_by_role("alert")).to_have_text(re.compile(r"^[A-Z].*password.*\.$"))
    await ann.page.get_by_label("Password").fill(PASSWORD)
    await ann.page.get_by_role("button", name="Log in").click()
    await expect(ann.page.get_by_role("heading", name="Create your first workspace")).to_be_visible()


async def test_a_taken_name_is_said_in_a_sentence(chat: Chat, people: People) -> None:
    ann = await people.arrive(chat.url, "Ann")
    ann.tolerated.append("status of 409")
    await ann.go("/register")
    await ann.page.get_by_label("E-mail").fill(f"other-{ann.email}")
    await ann.page.get_by_label("User name").fill(ann.username)
    await ann.page.get_by_label("Password").fill(PASSWORD)
    await ann.page.get_by_role("button", name="Create account").click()
    await expect(ann.page.get_by_role("alert")).to_have_text(re.compile(r"^[A-Z].*\.$"))
    await expect(ann.page.get_by_role("heading", name="Create your account")).to_be_visible()


async def test_signing_out_and_coming_back(chat: Chat, people: People) -> None:
    """A reload keeps one in; after signing out the same address asks for the password and leads back to the place."""
    ann = await people.arrive(chat.url, "Ann")
    await ann.channel(await ann.workspace("Harbour"), "quay")
    await ann.log_in()
    await ann.open("quay")
    place = ann.page.url
    await ann.page.reload()
    await expect(ann.main.get_by_role("heading", level=1, name="quay")).to_be_visible()
    await ann.page.get_by_role("button", name="your account").click()
    await ann.page.get_by_role("menuitem", name="Sign out").click()
    await expect(ann.page.get_by_role("heading", name="Log in")).to_be_visible()
    await ann.log_in(place.removeprefix(ann.url))
    await expect(ann.main.get_by_role("heading", level=1, name="quay")).to_be_visible()


async def test_who_waits_for_a_workspace_is_let_in_at_once(chat: Chat, people: People) -> None:
    """Added to one, the page goes there without a reload; removed from it, it is back where it began."""
    ann, bob = await people.arrive_all(chat.url, "Ann", "Bob")
    await bob.log_in()
    first = bob.page.get_by_role("heading", name="Create your first workspace")
    await expect(first).to_be_visible()
    workspace = await ann.workspace("Harbour", bob)
    await expect(bob.side_bar.get_by_text("Harbour")).to_be_visible()
    bob.tolerated.append(f"404 .*{workspace}")  # what the page still loads of it is no longer there
    await ann.rest.call("DELETE", f"/api/workspaces/{workspace}/members/{bob.user_id}")
    await expect(first).to_be_visible()


async def test_a_new_name_shows_on_all_devices(chat: Chat, people: People) -> None:
    """One's own pages call one by it at once."""
    ann = await people.arrive(chat.url, "Ann")
    await ann.workspace("Harbour")
    await ann.log_in()
    await expect(ann.page.get_by_role("button", name="Ann, your account")).to_be_visible()
    await ann.rest.call("PATCH", "/api/users/me", {"display_name": "Annabel"})
    await expect(ann.page.get_by_role("button", name="Annabel, your account")).to_be_visible()


async def test_a_device_that_is_signed_out_is_out(chat: Chat, people: People) -> None:
    """Settings list the devices; the one that is signed out lands at the log-in page at once."""
    ann = await people.arrive(chat.url, "Ann")
    await ann.workspace("Harbour")
    await ann.log_in()
    settings = ann.page.get_by_role("dialog", name="Settings")
    await ann.page.get_by_role("button", name="your account").click()
    await ann.page.get_by_role("menuitem", name="Settings").click()
    await settings.get_by_role("tab", name="Devices").click()
    devices = settings.get_by_role("list", name="Devices").get_by_role("listitem")
    await expect(devices.filter(has_text="(this one)")).to_have_count(1)
    await devices.filter(has_text="(this one)").get_by_role("button", name="Sign out").click()
    await expect(ann.page.get_by_role("heading", name="Log in")).to_be_visible()
    await expect(settings).to_have_count(0)
