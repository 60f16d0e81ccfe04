"""People at a real Chromium: each with an account and windows of their own, for tests and pictures of the page.

Only Debian's Chromium is used; Playwright's own browsers are not installed. What goes wrong in a
page without being shown there (uncaught errors, errors on the console, which include what the
content security policy stopped) is collected in `Person.troubles`.
"""

import asyncio
import re
import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    WebError,
    async_playwright,
    expect,
)

from nottermost_chat.client import Rest

PASSWORD: Final = "correct horse battery"  # of people who exist in tests only
WAIT_MS: Final = 15_000  # for anything to show; a busy machine needs the most of it
WINDOW: Final = (1280, 800)
CHROMIUM_ARGS: Final = (
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# What Chromium itself says about a server that is away, or about its load balancer: the page shows it in its own words.
OFFLINE: Final = r"status of 503|ERR_CONNECTION_|ERR_EMPTY_RESPONSE|ERR_CONTENT_LENGTH_|ERR_NETWORK_|ERR_INCOMPLETE_|WebSocket connection to"

Theme = Literal["light", "dark"]


def find_chromium() -> str | None:
    return shutil.which("chromium")


@asynccontextmanager
async def running_browser(executable: str) -> AsyncIterator[Browser]:
    """One Chromium, closed at the end."""
    expect.set_options(timeout=WAIT_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=list(CHROMIUM_ARGS))
        try:
            yield browser
        finally:
            await browser.close()


@dataclass(kw_only=True, eq=False)
class Person:
    """Somebody at a browser of their own. Without an account the names are those they will have.

    Attributes:
        rest: the same person without the page: to prepare what a test begins with, and to compare with what is stored.
        troubles: what went wrong unseen; `tolerated` are patterns of what a test provokes.
    """

    url: str
    name: str  # as others see it
    username: str
    context: BrowserContext
    page: Page
    rest: Rest
    troubles: list[str] = field(default_factory=list)
    tolerated: list[str] = field(default_factory=list)

    @property
    def email(self) -> str:
        return f"{self.username}@example.org"

    @property
    def user_id(self) -> str:
        assert self.rest.session is not None, f"{self.username} has no account yet"
        return self.rest.session.user_id

    def unexpected(self) -> list[str]:
        """Troubles that no test asked for."""
        return [trouble for trouble in self.troubles if not any(re.search(each, trouble) for each in self.tolerated)]

    # --- at the page ----------------------------------------------------------------------------

    async def go(self, path: str = "/") -> None:
        await self.page.goto(f"{self.url}{path}")

    async def log_in(self, path: str = "/", *, email: str = "", password: str = PASSWORD) -> None:
        """Through the form; ends where `path` leads."""
        await self.go(path)
        await self.page.get_by_label("E-mail or user name").fill(email or self.email)
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Log in").click()
        await expect(self.page.locator("nm-shell")).to_be_attached()

    @property
    def main(self) -> Locator:
        return self.page.get_by_role("main")

    @property
    def pane(self) -> Locator:
        """What is open beside the conversation: a thread, the search, the details."""
        return self.page.get_by_role("complementary")

    @property
    def side_bar(self) -> Locator:
        return self.page.get_by_role("navigation", name="Conversations")

    @property
    def composer(self) -> Locator:
        return self.main.get_by_role("textbox", name="Message", exact=True)

    @property
    def messages(self) -> Locator:
        """What was written in the open conversation, oldest first."""
        return self.main.locator(".message")

    def message(self, text: str | re.Pattern[str]) -> Locator:
        return self.messages.filter(has_text=text)

    def place(self, title: str) -> Locator:
        """The conversation's line in the side bar, whatever its badge says."""
        return self.side_bar.get_by_role("link", name=re.compile(rf"^{re.escape(title)}(, |$)"))

    async def open(self, title: str) -> None:
        """Open a conversation through the side bar."""
        await self.place(title).click()
        await expect(self.main.get_by_role("heading", level=1, name=title)).to_be_visible()
        await expect(self.composer).to_be_visible()

    async def sit_down(self, title: str) -> None:
        """Log in and open a conversation."""
        await self.log_in()
        await self.open(title)

    async def write(self, text: str) -> None:
        """Type a message into the open conversation and send it."""
        await self.composer.fill(text)
        await self.composer.press("Enter")

    async def act_on(self, message: Locator, action: str) -> None:
        """Press a button of the bar that appears when one points at a message."""
        await message.hover()
        await message.get_by_role("toolbar").get_by_role("button", name=action).click()

    async def choose_on(self, message: Locator, entry: str) -> None:
        """Choose from the menu "More actions" of a message."""
        await self.act_on(message, "More actions")
        await self.page.get_by_role("menuitem", name=entry).click()

    async def texts(self) -> list[str]:
        """The texts that the open conversation shows, in their order."""
        return await self.messages.locator(".text").all_inner_texts()

    # --- over REST ------------------------------------------------------------------------------

    async def workspace(self, name: str, *others: "Person") -> str:
        """Id of a new workspace with the others."""
        workspace_id = str((await self.rest.call("POST", "/api/workspaces", {"name": name}))["workspace_id"])
        for other in others:
            await self.rest.call("POST", f"/api/workspaces/{workspace_id}/members", {"email": other.email})
        return workspace_id

    async def channel(self, workspace_id: str, name: str, *others: "Person") -> str:
        body = {"name": name, "member_ids": [other.user_id for other in others]}
        return str((await self.rest.call("POST", f"/api/workspaces/{workspace_id}/channels", body))["conversation_id"])

    async def direct(self, other: "Person") -> str:
        view = await self.rest.call("POST", "/api/chats/conversations/dm", {"other_user_id": other.user_id})
        return str(view["conversation_id"])

    async def say(self, conversation_id: str, body: str, **more: Any) -> Any:
        """Send a message; the answer."""
        path = f"/api/messages/conversations/{conversation_id}/messages"
        return await self.rest.call("POST", path, {"client_msg_id": uuid.uuid4().hex, "body": body, **more})

    async def history(self, conversation_id: str) -> list[str]:
        """Every text that is stored, in its order; one page."""
        path = f"/api/messages/conversations/{conversation_id}/messages"
        page = await self.rest.call("GET", path, after_seq=0, limit=200)
        assert not page["has_more"], "this reads one page only"
        return [str(message["preview"]) for message in page["messages"]]


class People:
    """Makes people and says goodbye to all of them at the end.

    User names end in a suffix of their own, so that tests that share a chat do not meet.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._suffix = uuid.uuid4().hex[:6]
        self._all: list[Person] = []

    async def arrive(self, url: str, name: str, *, account: bool = True, **context: Any) -> Person:
        """Somebody with an empty window, not logged in. `context`: options of Playwright's `new_context`."""
        size = {"width": WINDOW[0], "height": WINDOW[1]}
        options = {"viewport": size, "locale": "en-GB", "reduced_motion": "reduce", "color_scheme": "light", **context}
        own = await self._browser.new_context(**options)
        own.set_default_timeout(WAIT_MS)
        page = await own.new_page()
        username = f"{name.lower()}-{self._suffix}"
        person = Person(url=url, name=name, username=username, context=own, page=page, rest=Rest(url))
        self._all.append(person)
        own.on("weberror", lambda error: person.troubles.append(_uncaught(error)))
        own.on("console", lambda said: person.troubles.append(_said(said)) if said.type == "error" else None)
        if account:
            await person.rest.register(person.email, username, PASSWORD)
            await person.rest.call("PATCH", "/api/users/me", {"display_name": name})
        return person

    async def arrive_all(self, url: str, *names: str) -> list[Person]:
        return await asyncio.gather(*(self.arrive(url, name) for name in names))

    async def leave(self, screenshots: Path | None = None) -> list[str]:
        """Close everything; with a folder, keep what each saw. Returns the troubles that were not expected."""
        troubles = []
        for person in self._all:
            if screenshots is not None and not person.page.is_closed():
                await person.page.screenshot(path=screenshots / f"{person.username}.png")
            await person.context.close()
            await person.rest.close()
            troubles += [f"{person.username}: {trouble}" for trouble in person.unexpected()]
        self._all.clear()
        return troubles


def _uncaught(error: WebError) -> str:
    return f"uncaught: {error.error.stack or error.error.message}"


def _said(message: ConsoleMessage) -> str:
    return f"console: {message.text} ({message.location.get('url', '')})"
