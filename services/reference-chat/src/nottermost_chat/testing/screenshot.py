"""The picture of the README, taken from the running program: the welcome workspace with two people in it.

python -m nottermost_chat.testing.screenshot docs/images/chat.png
"""

import asyncio
import io
import math
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import httpx
import msgspec
from PIL import Image, ImageDraw

from nottermost_chat.client import ChatClient
from nottermost_chat.testing.process import running_process
from nottermost_chat.welcome import FILE, WelcomeAccount

if TYPE_CHECKING:  # Playwright is there only where the tests run
    from nottermost_chat.testing.browser import Person

COLOURS: Final = 256  # of a PNG with a palette: a third of the bytes, and no difference to see
BYTES_MAX: Final = 200_000  # a README should not keep anybody waiting
CHANNEL: Final = "corner"
ROOT: Final = 2  # of TALK: what the replies answer
TALK: Final = (
    ("newcomer", "Good morning! I dropped a picture into the composer and it was simply there :tada:"),
    ("guide", "Nice! GIFs move, too. To find it again: `from:newcomer has:file`"),
    ("newcomer", "@guide what happens to a message when the network is gone?"),
    ("guide", "It waits, goes out *once*, and the tick tells you when it is stored :white_check_mark:"),
)  # fmt: skip
ELSEWHERE: Final = (
    ("welcome", "Thank you @guide, the folder is copied"),
    ("Release day", "The list is in the topic"),
    ("Release day", "Two points are left"),
)
REPLIES: Final = (
    ("guide", "Try it: stop the server, write something, start it again."),
    ("newcomer", "Did that twice. Nothing lost, nothing doubled :rocket:"),
)
REACTIONS: Final = {0: ("tada", "heart"), 1: ("bulb",), 2: ("+1",), 3: ("rocket",)}


def make_screenshot(out: Path) -> None:
    """Write a PNG of 1280 x 800. Raises: RuntimeError when there is no Chromium; ValueError when it became too large."""
    png = asyncio.run(_take())
    small = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    if small.tell() > BYTES_MAX:
        raise ValueError(f"the picture has {small.tell()} bytes, at most {BYTES_MAX} are wanted: show less")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(small.getvalue())


async def _take() -> bytes:
    from playwright.async_api import expect

    from nottermost_chat.testing.browser import People, find_chromium, running_browser

    executable = find_chromium()
    if executable is None:
        raise RuntimeError("there is no Chromium here; install it with: apt-get install chromium")
    command = (str(Path(sys.executable).with_name("nottermost")), "chat", "run")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        chat = await stack.enter_async_context(running_process(folder, command=command))
        accounts = msgspec.json.decode((chat.data / FILE).read_bytes(), type=list[WelcomeAccount])
        place, root_id = await _talk(chat.url, accounts)
        browser = await stack.enter_async_context(running_browser(executable))
        people = People(browser)
        stack.push_async_callback(people.leave)
        seats = [await people.arrive(chat.url, each.username.title(), account=False) for each in accounts]
        for person, account in zip(seats, accounts, strict=True):
            await person.log_in(f"/w/-/c/{place}", email=account.email, password=account.password)
            await expect(person.main.get_by_role("heading", level=1, name=CHANNEL)).to_be_visible()
        return await _look(seats[0], root_id)


async def _talk(url: str, accounts: list[WelcomeAccount]) -> tuple[str, str]:
    """Both say their lines; returns the ids of the channel and of the message that begins the thread."""
    async with AsyncExitStack() as stack:
        speakers: dict[str, ChatClient] = {}
        for account in accounts:
            client = await ChatClient.log_in(url, account.email, account.password)
            speakers[account.username] = await stack.enter_async_context(client)
        guide, newcomer = speakers["guide"], speakers["newcomer"]
        group = {"title": "Release day", "member_ids": [newcomer.session.user_id]}
        await guide.rest.call("POST", "/api/chats/conversations/group", group)
        views: list[dict[str, Any]] = await guide.rest.call("GET", "/api/chats/conversations")
        places = {view["title"]: view["conversation_id"] for view in views}
        here = places[CHANNEL]
        files: tuple[str, ...] = (await _upload(newcomer, here, "tides.png", _drawing()),)
        said = []
        for name, text in TALK:
            said.append((await speakers[name].send(here, text, file_ids=files)).message_id)
            files = ()
        for number, reactions in REACTIONS.items():
            for emoji in reactions:
                await speakers["guide" if number % 2 == 0 else "newcomer"].react(here, said[number], emoji)
        await newcomer.react(here, said[0], "tada")
        for name, text in REPLIES:
            await speakers[name].send(here, text, thread_id=said[ROOT])
        for title, text in ELSEWHERE:
            await newcomer.send(places[title], text)
        return here, said[ROOT]


def _drawing() -> bytes:
    """High and low water over three days."""
    width, height, factor = 300, 96, 3
    image = Image.new("RGB", (width * factor, height * factor), "#e8f1fa")
    draw = ImageDraw.Draw(image)
    level = [height * (0.5 - 0.34 * math.sin(x / 15) * (0.75 + 0.25 * math.cos(x / 50))) for x in range(width + 1)]
    surface = [(x * factor, y * factor) for x, y in enumerate(level)]
    draw.polygon([*surface, (width * factor, height * factor), (0, height * factor)], fill="#5d93c9")
    draw.line(surface, fill="#15294b", width=2 * factor)
    for day in (1, 2):
        draw.line([(day * 100 * factor, 0), (day * 100 * factor, height * factor)], fill="#ffffff", width=factor)
    png = io.BytesIO()
    image.resize((width, height), Image.Resampling.LANCZOS).save(png, "PNG")
    return png.getvalue()


async def _upload(client: ChatClient, conversation_id: str, name: str, content: bytes) -> str:
    asked = {"conversation_id": conversation_id, "name": name, "size": len(content)}
    view = await client.rest.call("POST", "/api/files", asked)
    async with httpx.AsyncClient(base_url=client.rest.url) as http:
        (await http.put(view["upload_url"], content=content)).raise_for_status()
    return str(view["file_id"])


async def _look(person: "Person", root_id: str) -> bytes:
    """With the thread open, when everything has arrived and nothing blinks."""
    from playwright.async_api import expect

    root = person.main.locator(f"[data-message-id='{root_id}']")
    await root.get_by_role("button", name="open thread").click()
    await expect(person.pane.locator(".message")).to_have_count(1 + len(REPLIES))
    await expect(person.main.get_by_role("img", name="tides.png")).to_be_visible()
    await expect(person.side_bar.get_by_role("img", name="Online").first).to_be_visible()
    await person.page.mouse.move(0, 0)
    return await person.page.screenshot(animations="disabled", caret="hide")


if __name__ == "__main__":
    make_screenshot(Path(sys.argv[1]))
