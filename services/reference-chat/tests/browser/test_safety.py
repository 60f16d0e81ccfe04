"""Text is never HTML, wherever it comes from and wherever it is shown."""

import pytest
from playwright.async_api import expect

from nottermost_chat.testing.browser import People
from nottermost_chat.testing.process import Chat

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

EVIL = "<img src=x onerror=\"document.title='run'; window.ran = true\"><script>window.ran = true</script>"
LINKS = "[click](javascript:window.ran=1) <javascript:window.ran=1> [data](data:text/html,<script>1</script>)"


async def test_markup_in_texts_and_names_stays_text(chat: Chat, people: People) -> None:
    """Message, display name, channel, topic, workspace, group and file name show as they were typed and run nothing."""
    ann, bob = await people.arrive_all(chat.url, "Ann", "Bob")
    name = "<b onclick=1>Ann</b><script>window.ran=1</script>"
    await ann.rest.call("PATCH", "/api/users/me", {"display_name": name, "title": EVIL})
    workspace = await ann.workspace(EVIL[:100], bob)
    channel = {"name": EVIL[:80], "topic": EVIL, "purpose": EVIL, "member_ids": [bob.user_id]}
    quay = (await ann.rest.call("POST", f"/api/workspaces/{workspace}/channels", channel))["conversation_id"]
    await ann.direct(bob)
    group = {"title": EVIL[:100], "member_ids": [bob.user_id]}
    await ann.rest.call("POST", "/api/chats/conversations/group", group)
    asked = {"conversation_id": quay, "name": "<img src=x onerror=alert(1)>.svg", "size": 4}
    file = await ann.rest.call("POST", "/api/files", asked)
    await ann.context.request.put(f"{ann.url}{file['upload_url']}", data=b"<svg")
    for text in (
        EVIL,
        f"`{EVIL}` **{EVIL}** [{EVIL}](https://example.org/)",
        LINKS,
        f"```\n{EVIL}\n```\n> {EVIL}\n- {EVIL}",
    ):
        await ann.say(quay, text)
    await ann.say(quay, "with a file", file_ids=[file["file_id"]])
    await bob.log_in()
    await bob.side_bar.get_by_role("link", name=EVIL[:80]).first.click()
    await expect(bob.messages).to_have_count(5)
    await expect(bob.main.get_by_role("heading", level=1)).to_have_text(EVIL[:80])
    await expect(bob.messages.first.locator(".text")).to_have_text(EVIL)
    await expect(bob.messages.first.get_by_role("button", name=name)).to_be_visible()
    await expect(bob.main.get_by_role("link", name="Download <img src=x onerror=alert(1)>.svg")).to_be_visible()
    await bob.main.get_by_role("button", name="2 members, details").click()
    await expect(bob.pane.get_by_text(name)).to_be_visible()
    await bob.messages.first.get_by_role("button", name=name).click()
    await expect(bob.page.get_by_role("dialog").get_by_text(name)).to_be_visible()
    await bob.page.keyboard.press("Escape")
    await bob.page.keyboard.press("Control+k")
    await bob.page.get_by_role("combobox").fill("Ann")
    await expect(bob.page.get_by_role("option").first).to_be_visible()
    await bob.page.keyboard.press("Escape")
    await bob.main.get_by_role("button", name="Search", exact=True).click()
    await bob.pane.get_by_role("searchbox").fill("onerror")
    await bob.pane.get_by_role("searchbox").press("Enter")
    await expect(bob.pane.get_by_role("status")).to_contain_text("message")
    assert await bob.page.evaluate("window.ran") is None
    assert (
        await bob.page.locator("#app").evaluate(
            "app => app.querySelectorAll('script, [onerror], [onclick], img[src=x]').length"
        )
        == 0
    )
    hrefs = await bob.main.locator(".text a").evaluate_all("links => links.map((link) => link.protocol)")
    assert set(hrefs) <= {"https:"}, hrefs


async def test_what_one_types_is_text_too(chat: Chat, people: People) -> None:
    """Also while it waits, in the draft and in the editor."""
    ann = await people.arrive(chat.url, "Ann")
    await ann.channel(await ann.workspace("Harbour"), "quay")
    await ann.log_in()
    await ann.open("quay")
    await ann.write(EVIL)
    await expect(ann.messages.first.locator(".text")).to_have_text(EVIL)
    await ann.composer.press("ArrowUp")
    await expect(ann.page.get_by_role("textbox", name="Edit message")).to_have_value(EVIL)
    await ann.page.keyboard.press("Escape")
    await ann.composer.fill(EVIL)
    await ann.page.reload()
    await expect(ann.composer).to_have_value(EVIL)
    assert await ann.page.evaluate("window.ran") is None


async def test_the_page_forbids_inline_code(chat: Chat, people: People) -> None:
    """The policy has no hole for inline scripts or styles, and stops code that gets in all the same."""
    ann = await people.arrive(chat.url, "Ann", account=False)
    answer = await ann.page.goto(f"{ann.url}/login")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    ann.tolerated.append("Content Security Policy")
    async with ann.page.expect_console_message(lambda said: "Content Security Policy" in said.text):
        await ann.page.evaluate(
            """() => {
              const script = document.createElement("script");
              script.textContent = "window.ran = true";
              document.body.append(script);
            }"""
        )
    assert await ann.page.evaluate("window.ran") is None
