"""Files: pictures shown inline with their real size, everything else as a download."""

import asyncio
import base64
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.async_api import FilePayload, Locator, expect

from nottermost_chat.testing.browser import People, Person
from nottermost_chat.testing.process import Chat

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

Size = tuple[int, int]

# Puts a file into the page as the clipboard or a drag would, without a person's hand.
PASTE = """(field, [name, type, base64]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type }));
  field.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
}"""
DROP = """(place, [name, type, base64]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type }));
  for (const kind of ["dragover", "drop"])
    place.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


def picture(size: Size) -> bytes:
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    ImageDraw.Draw(image).ellipse((0, 0, size[0] // 2, size[1] // 2), fill=(200, 60, 20))
    return encoded([image], "PNG")


def animation(size: Size) -> bytes:
    frames = [Image.new("RGB", size, colour) for colour in ("red", "green", "blue")]
    return encoded(frames, "GIF", append_images=frames[1:], save_all=True, duration=80, loop=0)


def encoded(frames: Sequence[Image.Image], kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, **options)
    return buffer.getvalue()


async def pair(chat: Chat, people: People) -> tuple[Person, Person]:
    """Two people who look at the same channel."""
    ann, bob = await people.arrive_all(chat.url, "Ann", "Bob")
    await ann.channel(await ann.workspace("Harbour", bob), "quay", bob)
    await asyncio.gather(ann.sit_down("quay"), bob.sit_down("quay"))
    return ann, bob


async def attach(person: Person, name: str, kind: str, content: bytes) -> None:
    """Through the file chooser; returns when it is there and can be sent."""
    async with person.page.expect_file_chooser() as chooser:
        await person.main.get_by_role("button", name="Attach").click()
    await (await chooser.value).set_files(FilePayload(name=name, mimeType=kind, buffer=content))
    await uploaded(person, name)


async def uploaded(person: Person, name: str) -> None:
    uploads = person.main.get_by_role("list", name="Files to send")
    await expect(uploads.get_by_role("button", name=f"Remove {name}")).to_be_visible()


async def send(person: Person) -> None:
    await person.main.get_by_role("button", name="Send", exact=True).click()


async def natural_size(image: Locator) -> Size:
    """Of the bytes that arrived, decoded by the browser."""
    await expect(image).to_be_visible()
    await image.evaluate("image => image.decode()")
    width, height = await image.evaluate("image => [image.naturalWidth, image.naturalHeight]")
    return width, height


def image(person: Person, name: str) -> Locator:
    return person.main.get_by_role("button", name=f"Open image {name}").get_by_role("img")


async def test_an_image_is_shown_inline_with_its_size(chat: Chat, people: People) -> None:
    """Both see the very pixels, in the right proportions; a click shows it large and names its size."""
    ann, bob = await pair(chat, people)
    await attach(ann, "buoy.png", "image/png", picture((320, 200)))
    await ann.write("A buoy")
    for person in (ann, bob):
        assert await natural_size(image(person, "buoy.png")) == (320, 200)
        assert await image(person, "buoy.png").evaluate("image => [image.width, image.height]") == [320, 200]
    await image(bob, "buoy.png").click()
    large = bob.page.get_by_role("dialog", name="buoy.png")
    await expect(large.get_by_text("320 × 200")).to_be_visible()
    await bob.page.keyboard.press("Escape")
    await expect(large).to_be_hidden()
    await bob.page.reload()
    assert await natural_size(image(bob, "buoy.png")) == (320, 200)


async def test_a_large_image_is_shown_smaller(chat: Chat, people: People) -> None:
    """The conversation shows a thumbnail in the same proportions; the large view shows every pixel."""
    ann, bob = await pair(chat, people)
    await attach(ann, "chart.png", "image/png", picture((2400, 1200)))
    await send(ann)
    width, height = await natural_size(image(bob, "chart.png"))
    assert width < 2400
    assert width == pytest.approx(2 * height, abs=2)
    await image(bob, "chart.png").click()
    assert await natural_size(bob.page.get_by_role("dialog").get_by_role("img", name="chart.png")) == (2400, 1200)


async def test_a_gif_keeps_moving(chat: Chat, people: People) -> None:
    """The other one gets the animation itself: every frame, not a picture of the first."""
    ann, bob = await pair(chat, people)
    content = animation((120, 90))
    await attach(ann, "flag.gif", "image/gif", content)
    await send(ann)
    for person in (ann, bob):
        assert await natural_size(image(person, "flag.gif")) == (120, 90)
    source = await image(bob, "flag.gif").get_attribute("src")
    assert source is not None
    answer = await bob.context.request.get(f"{bob.url}{source}")
    assert answer.headers["content-type"] == "image/gif"
    with Image.open(io.BytesIO(await answer.body())) as received:
        assert getattr(received, "n_frames", 1) == 3


@pytest.mark.parametrize(("how", "name"), [(PASTE, "pasted.png"), (DROP, "dropped.png")], ids=["pasted", "dropped"])
async def test_an_image_comes_in_by_paste_and_by_drop(chat: Chat, people: People, how: str, name: str) -> None:
    """What is pasted into the field or dropped on the conversation waits for Send like a chosen file."""
    ann, bob = await pair(chat, people)
    content = base64.b64encode(picture((64, 48))).decode()
    await ann.composer.evaluate(how, [name, "image/png", content])
    await uploaded(ann, name)
    await send(ann)
    assert await natural_size(image(bob, name)) == (64, 48)


async def test_other_files_are_downloads(chat: Chat, people: People, tmp_path: Path) -> None:
    """A page is not shown in our page: it is a download with its name, and its bytes are the same."""
    ann, bob = await pair(chat, people)
    content = b"<script>document.title = 'taken over'</script>"
    await attach(ann, "tides.html", "text/html", content)
    await ann.write("The tides")
    link = bob.main.get_by_role("link", name="Download tides.html")
    await expect(link).to_be_visible()
    async with bob.page.expect_download() as download:
        await link.click()
    received = await download.value
    assert received.suggested_filename == "tides.html"
    await received.save_as(tmp_path / "received")
    assert (tmp_path / "received").read_bytes() == content
    await expect(bob.page).to_have_title(re.compile("quay"))
