"""Files that browsers put into the bucket and fetch from it themselves: the same rules as through the API."""

import io
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from aiobotocore.session import AioSession
from PIL import Image
from ulid import ULID

from nottermost_chat.adapters.s3_blobs import open_s3_blobs
from nottermost_chat.bootstrap import open_services
from nottermost_chat.services import Embedded
from nottermost_chat.settings import Settings
from nottermost_chat.testing.buckets import remove_buckets, s3_environment
from nottermost_chat.testing.people import Person, ShiftedClock, read
from nottermost_chat.testing.servers import Address

PAGE = "http://chat.example"


@pytest.fixture
async def services(
    settings: Settings, clock: ShiftedClock, s3: Address, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Embedded]:
    """The chat with its files in a bucket."""
    for name, value in s3_environment(s3).items():
        monkeypatch.setenv(name, value)
    bucket, session = f"test-{ULID()}".lower(), AioSession()
    async with open_services(settings, clock) as services:
        async with open_s3_blobs(bucket, services.metrics, clock, session) as blobs:
            await blobs.set_up(PAGE)
            yield replace(services, blobs=blobs)
        await remove_buckets(session, bucket)


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    """What reaches the bucket, without any token of ours, as a page of the chat would."""
    async with httpx.AsyncClient(headers={"origin": PAGE}) as client:
        yield client


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (640, 480), (200, 100, 50)).save(file, "PNG")
    return file.getvalue()


async def announce(person: Person, conversation_id: str, name: str, size: int) -> Any:
    return await person.post("/api/files", {"conversation_id": conversation_id, "name": name, "size": size})


async def put(browser: httpx.AsyncClient, announced: Any, content: bytes) -> httpx.Response:
    direct = announced["direct"]
    return await browser.put(direct["url"], content=content, headers=direct["headers"])


async def upload(browser: httpx.AsyncClient, person: Person, place: str, name: str, content: bytes) -> Any:
    """The FileView."""
    announced = await announce(person, place, name, len(content))
    assert (await put(browser, announced, content)).status_code == 200
    return read(await person.http.post(announced["upload_url"]), 201)


async def test_a_picture_goes_and_comes_past_the_api(browser: httpx.AsyncClient, ann: Person, bob: Person) -> None:
    """Looked at in between, with a thumbnail; the bucket answers with the headers that the API would give."""
    place, content = await ann.direct(bob), picture()
    file = await upload(browser, ann, place, "Bild ä.png", content)
    assert (file["content_type"], file["width"], file["height"], file["inline"]) == ("image/png", 640, 480, True)
    await ann.say(place, "", file_ids=[file["file_id"]])
    (seen,) = await bob.post("/api/files/links", {"file_ids": [file["file_id"]]}, status=200)
    sent = await bob.http.get(seen["url"])
    assert (sent.status_code, sent.content) == (302, b"")
    assert sent.headers["cache-control"].startswith("private")
    got = await browser.get(sent.headers["location"])
    assert got.content == content
    assert got.headers["content-type"] == "image/png"
    assert got.headers["content-disposition"].startswith("inline")
    part = await browser.get(sent.headers["location"], headers={"range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"PNG")
    small = await browser.get((await bob.http.get(seen["thumbnail_url"])).headers["location"])
    assert small.headers["content-type"] == "image/jpeg"
    assert (await bob.http.head(seen["url"])).headers["content-length"] == str(len(content))


async def test_what_a_browser_could_run_is_a_download(browser: httpx.AsyncClient, ann: Person) -> None:
    """Whatever was said about it when it was uploaded."""
    content = b"<html><script>alert(1)</script>"
    announced = await announce(ann, place := await ann.direct(ann), "page.html", len(content))
    direct = announced["direct"]
    as_html = await browser.put(
        direct["url"], content=content, headers=direct["headers"] | {"content-type": "text/html"}
    )
    assert as_html.status_code == 403
    file = await upload(browser, ann, place, "page.html", content)
    assert (file["content_type"], file["inline"]) == ("application/octet-stream", False)
    headers = (await browser.get((await ann.http.get(file["url"])).headers["location"])).headers
    assert headers["content-disposition"].startswith("attachment")
    assert headers["content-type"] == "application/octet-stream"


async def test_nothing_is_taken_on_trust(browser: httpx.AsyncClient, ann: Person, bob: Person) -> None:
    """A picture that is none is refused; what was not looked at has no link and cannot be attached, nor be replaced."""
    place = await ann.direct(bob)
    content = b"\x89PNG\r\n\x1a\n" + b"x" * 100
    announced = await announce(ann, place, "a.png", len(content))
    assert read(await ann.http.post(announced["upload_url"]), 409)["code"] == "conflict"  # nothing there yet
    assert (await put(browser, announced, content)).status_code == 200
    asked = {"client_msg_id": "1", "body": "", "file_ids": [announced["file_id"]]}
    for _ in range(2):
        refused = await ann.call("POST", f"/api/messages/conversations/{place}/messages", asked)
        assert refused.status_code >= 400, refused.text
        (file,) = await ann.post("/api/files/links", {"file_ids": [announced["file_id"]]}, status=200)
        assert file["url"] == ""
        assert read(await ann.http.post(announced["upload_url"]), 422)["code"] == "unsupported_file"
        assert (await put(browser, announced, picture()[: len(content)])).status_code == 412


async def test_sizes_and_links_are_kept_to(browser: httpx.AsyncClient, ann: Person, clock: ShiftedClock) -> None:
    """Neither more nor less than announced, empty ones too, once, to that file, and with a link of ours."""
    place = await ann.direct(ann)
    announced = await announce(ann, place, "a", 5)
    for content in (b"123456", b"1234"):
        assert (await put(browser, announced, content)).status_code == 403
    assert (await put(browser, announced, b"12345")).status_code == 200
    assert read(await ann.http.post(f"/api/files/{announced['file_id']}?expires=1&signature=x"), 403)
    assert read(await ann.http.post(announced["upload_url"]), 201)["size"] == 5
    assert read(await ann.http.post(announced["upload_url"]), 409)["code"] == "conflict"
    assert (await upload(browser, ann, place, "empty", b""))["size"] == 0
    late = await announce(ann, place, "late", 1)
    assert (await put(browser, late, b"1")).status_code == 200
    clock.ahead_s += 2 * 3600
    assert read(await ann.http.post(late["upload_url"]), 403)["code"] == "link_expired"


async def test_only_members_are_sent_there(browser: httpx.AsyncClient, ann: Person, bob: Person, cat: Person) -> None:
    """Who left gets no fresh link from the one that was given before."""
    place = await ann.group("three", bob, cat)
    file = await upload(browser, ann, place, "a.txt", b"12345")
    await ann.say(place, "", file_ids=[file["file_id"]])
    (seen,) = await bob.post("/api/files/links", {"file_ids": [file["file_id"]]}, status=200)
    assert (await bob.http.get(seen["url"])).status_code == 302
    await ann.delete(f"/api/chats/conversations/{place}/members/{bob.user_id}")
    assert read(await bob.http.get(seen["url"]), 404)["code"] == "not_found"


async def test_through_the_api_as_well(ann: Person) -> None:
    """For whoever does not reach the bucket: the bytes go through, and are in the same place."""
    announced = await announce(ann, await ann.direct(ann), "a.txt", 5)
    assert read(await ann.http.put(announced["upload_url"], content=b"12345"), 201)["content_type"] == "text/plain"


async def test_pages_may_reach_the_bucket(services: Embedded, http: httpx.AsyncClient) -> None:
    """Pictures from it, uploads to it; and a browser asks the bucket first."""
    links = services.blobs.links
    assert links is not None
    policy = dict(
        part.strip().split(" ", 1) for part in (await http.get("/")).headers["content-security-policy"].split(";")
    )
    for name in ("img-src", "connect-src", "media-src"):
        assert links.origin in policy[name].split()
    assert links.origin not in policy["script-src"]


async def test_the_browser_s_question_before_an_upload(browser: httpx.AsyncClient, ann: Person) -> None:
    """PUT with the headers that the link wants is allowed from the page's origin."""
    direct = (await announce(ann, await ann.direct(ann), "a", 5))["direct"]
    asked = {
        "access-control-request-method": "PUT",
        "access-control-request-headers": ",".join(sorted(direct["headers"])),
    }
    answer = await browser.options(direct["url"], headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] in ("*", PAGE)
    assert "PUT" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert allowed == "*" or {name.strip() for name in allowed.split(",")} >= direct["headers"].keys()
