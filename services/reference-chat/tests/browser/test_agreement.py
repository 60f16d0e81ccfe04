"""Where an account needs agreement, the page asks for it."""

import pytest
from playwright.async_api import expect

from nottermost_chat.testing.browser import PASSWORD, People
from nottermost_chat.testing.process import OwnChat

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
NEEDED = {"NOTTERMOST_CONSENT_DOCUMENTS": "terms=2026-11,privacy=2", "NOTTERMOST_CONSENT_REQUIRED": "true"}


@pytest.mark.parametrize("own_chat", [NEEDED], indirect=True)
async def test_registering_with_agreement(own_chat: OwnChat, people: People) -> None:
    """A box for each document; nobody comes in without ticking all of them, and what was ticked is kept."""
    ann = await people.arrive(own_chat.url, "Ann", account=False)
    await ann.go("/register")
    await ann.page.get_by_label("E-mail").fill(ann.email)
    await ann.page.get_by_label("User name").fill(ann.username)
    await ann.page.get_by_label("Password").fill(PASSWORD)
    await ann.page.get_by_label("I agree to: terms (2026-11)").check()
    await ann.page.get_by_role("button", name="Create account").click()
    await expect(ann.page.get_by_role("heading", name="Create your account")).to_be_visible()
    await ann.page.get_by_label("I agree to: privacy (2)").check()
    await ann.page.get_by_role("button", name="Create account").click()
    await expect(ann.page.get_by_role("heading", name="Create your first workspace")).to_be_visible()
    await ann.rest.log_in(ann.email, PASSWORD)
    given = (await ann.rest.call("GET", "/api/users/me/consents"))["given"]
    assert {each["document"]: each["version"] for each in given} == {"terms": "2026-11", "privacy": "2"}
