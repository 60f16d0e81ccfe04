"""Files in a bucket: the page puts them there and shows them from there."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiobotocore.session import AioSession
from PIL import Image
from playwright.async_api import FilePayload, Response, expect
from ulid import ULID

from nottermost_chat.adapters.s3_blobs import open_s3_blobs
from nottermost_chat.bootstrap import open_services, running_chat
from nottermost_chat.settings import Settings
from nottermost_chat.testing.browser import People
from nottermost_chat.testing.buckets import remove_buckets, s3_environment
from nottermost_chat.testing.ingesting import NO_LIMITS
from nottermost_chat.testing.servers import Address

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@asynccontextmanager
async def chat_on_a_bucket(folder: Path) -> AsyncIterator[tuple[str, str]]:
    """A chat in this process; gives its address and where its files are."""
    settings = Settings(data=folder, port=0, limits=NO_LIMITS, drain_s=0)
    bucket, session = f"test-{ULID()}".lower(), AioSession()
    async with (
        open_services(settings) as services,
        open_s3_blobs(bucket, services.metrics, services.clock, session) as blobs,
        running_chat(replace(services, blobs=blobs)) as port,
    ):
        address = f"http://127.0.0.1:{port}"
        await blobs.set_up(address)
        yield address, f"{blobs.links.origin}/{bucket}"
    await remove_buckets(session, bucket)


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((320, 200)).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


async def test_a_picture_goes_to_the_bucket_and_comes_from_it(
    s3: Address, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither upload nor download passes through the chat; the page's own policy lets both through."""
    for name, value in s3_environment(s3).items():
        monkeypatch.setenv(name, value)
    async with chat_on_a_bucket(tmp_path) as (address, place):
        ann = await people.arrive(address, "Ann")
        await ann.channel(await ann.workspace("Harbour"), "quay")
        await ann.sit_down("quay")
        seen: list[tuple[str, int]] = []

        def note(response: Response) -> None:
            if response.url.startswith(place):
                seen.append((response.request.method, response.status))

        ann.page.on("response", note)
        async with ann.page.expect_file_chooser() as chooser:
            await ann.main.get_by_role("button", name="Attach").click()
        await (await chooser.value).set_files(FilePayload(name="buoy.png", mimeType="image/png", buffer=picture()))
        uploads = ann.main.get_by_role("list", name="Files to send")
        await expect(uploads.get_by_role("button", name="Remove buoy.png")).to_be_visible()
        assert ("PUT", 200) in seen
        await ann.write("A buoy")
        image = ann.main.get_by_role("button", name="Open image buoy.png").get_by_role("img")
        await expect(image).to_be_visible()
        assert await image.evaluate("async image => (await image.decode(), image.naturalWidth)") == 320
        assert ("GET", 200) in seen
        await ann.context.close()
