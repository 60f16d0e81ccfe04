"""Files: uploads and downloads by links, what is not what it says, and who may see them."""

import io
import struct
import zlib
from typing import Any

import httpx
from PIL import Image

from nottermost_chat.services import Services
from nottermost_chat.testing.people import Person, ShiftedClock, read


def picture(width: int = 640, height: int = 480, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (200, 100, 50)).save(file, kind)
    return file.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A small PNG that unpacks to width x height pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


async def announce(person: Person, conversation_id: str, name: str, size: int, *, status: int = 201) -> Any:
    body = {"conversation_id": conversation_id, "name": name, "size": size}
    return await person.post("/api/files", body, status=status)


async def upload(person: Person, conversation_id: str, name: str, content: bytes) -> Any:
    """The FileView."""
    announced = await announce(person, conversation_id, name, len(content))
    return read(await person.http.put(announced["upload_url"], content=content), 201)


async def links(person: Person, *file_ids: str) -> list[Any]:
    return list(await person.post("/api/files/links", {"file_ids": list(file_ids)}, status=200))


async def test_a_picture_with_its_thumbnail(http: httpx.AsyncClient, ann: Person, bob: Person) -> None:
    """Real dimensions, shown in place, seen by the others once it is in a message."""
    direct = await ann.direct(bob)
    file = await upload(ann, direct, "Bild ä.png", picture())
    assert (file["content_type"], file["width"], file["height"], file["inline"]) == ("image/png", 640, 480, True)
    assert await links(bob, file["file_id"]) == []
    await ann.say(direct, "", file_ids=[file["file_id"]])
    (seen,) = await links(bob, file["file_id"])
    answer = await http.get(seen["url"])
    assert answer.content == picture()
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"].startswith("inline")
    thumbnail = await http.get(seen["thumbnail_url"])
    assert Image.open(io.BytesIO(thumbnail.content)).size == (480, 360)
    assert thumbnail.headers["content-type"] == "image/jpeg"


async def test_whatever_a_browser_could_run_is_a_download(http: httpx.AsyncClient, ann: Person) -> None:
    """Attachment, nosniff, sandboxed, private; the name cannot break the header."""
    alone = await ann.direct(ann)
    for name, content in (
        ("page.html", b"<html><script>alert(1)</script>"),
        ('x"; filename=evil.exe\r\nSet-Cookie: a=b', b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>"),
        ("a.png", b"<?xml version='1.0'?><svg/>"),
    ):
        file = await upload(ann, alone, name, content)
        assert not file["inline"]
        assert file["content_type"] == "application/octet-stream"
        headers = (await http.get(file["url"])).headers
        assert headers["content-disposition"].startswith("attachment")
        assert "set-cookie" not in headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"].startswith("private")


async def test_pictures_that_are_none(http: httpx.AsyncClient, ann: Person) -> None:
    """Ten gigapixels, half a picture, a signature with nothing behind it: refused, and not there afterwards."""
    for content in [bomb(100_000, 100_000), picture()[:200], b"\x89PNG\r\n\x1a\n" + b"x" * 100, b"GIF89a"]:
        announced = await announce(ann, await ann.direct(ann), "a.png", len(content))
        refused = read(await http.put(announced["upload_url"], content=content), 422)
        assert refused["code"] == "unsupported_file"
        (file,) = await links(ann, announced["file_id"])
        assert file["url"] == ""
        assert not file["inline"]


async def test_sizes_are_kept_to(services: Services, http: httpx.AsyncClient, ann: Person) -> None:
    """More, less, nothing, twice, and above the limit."""
    alone = await ann.direct(ann)
    await announce(ann, alone, "a", services.settings.limits.file_bytes_max + 1, status=413)
    assert (
        read(await http.put((await announce(ann, alone, "a", 5))["upload_url"], content=b"123456"), 413)["code"]
        == "too_large"
    )
    assert (
        read(await http.put((await announce(ann, alone, "a", 5))["upload_url"], content=b"1234"), 400)["code"]
        == "bad_request"
    )
    assert (await upload(ann, alone, "empty", b""))["size"] == 0
    announced = await announce(ann, alone, "a", 3)
    read(await http.put(announced["upload_url"], content=b"abc"), 201)
    assert read(await http.put(announced["upload_url"], content=b"xyz"), 409)["code"] == "conflict"


async def test_ranges(http: httpx.AsyncClient, ann: Person) -> None:
    """Part of a file, If-Range, If-None-Match, HEAD, and what cannot be satisfied."""
    content = bytes(range(256)) * 1000
    file = await upload(ann, await ann.direct(ann), "a.bin", content)
    whole = await http.get(file["url"])
    assert whole.content == content
    assert whole.headers["accept-ranges"] == "bytes"
    etag = whole.headers["etag"]
    for value, part in (
        ("bytes=0-0", content[:1]),
        ("bytes=100000-200000", content[100_000:200_001]),
        ("bytes=-10", content[-10:]),
    ):
        answer = await http.get(file["url"], headers={"range": value, "if-range": etag})
        assert answer.status_code == 206
        assert answer.content == part
        assert answer.headers["content-range"].endswith("/256000")
        assert int(answer.headers["content-length"]) == len(part)
    assert (await http.get(file["url"], headers={"range": "bytes=0-0", "if-range": '"other"'})).status_code == 200
    assert (await http.get(file["url"], headers={"if-none-match": etag})).status_code == 304
    head = await http.head(file["url"])
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "256000")
    beyond = await http.get(file["url"], headers={"range": "bytes=256000-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */256000")
    assert beyond.json()["code"] == "range_not_satisfiable"


async def test_links_are_good_for_what_they_were_made_for(
    http: httpx.AsyncClient, ann: Person, clock: ShiftedClock
) -> None:
    """Not for another file, variant or user, not for uploading, and not for ever."""
    alone = await ann.direct(ann)
    one, two = await upload(ann, alone, "a.png", picture()), await upload(ann, alone, "b.png", picture(10, 10))
    url = httpx.URL(one["url"])
    changed = [
        url.copy_with(path=httpx.URL(two["url"]).path),
        url.copy_set_param("variant", "thumbnail." + ann.user_id),
        url.copy_set_param("variant", ".somebody-else"),
        url.copy_set_param("expires", "9999999999999"),
        url.copy_set_param("signature", "0" * 64),
        url.copy_remove_param("signature"),
    ]
    for each in changed:
        assert read(await http.get(each), 403)["code"] == "link_invalid"
    announced = await announce(ann, alone, "c", 1)
    assert (await http.get(announced["upload_url"])).status_code == 403
    assert (await http.put(one["url"].replace("variant=", "x="), content=b"x")).status_code == 400
    clock.ahead_s = 2 * 3600.0
    assert read(await http.get(url), 403)["code"] == "link_expired"


async def test_files_are_for_members_and_follow_the_message(
    http: httpx.AsyncClient, ann: Person, bob: Person, cat: Person
) -> None:
    """A link ends with the membership; a deleted message's files are gone; who came later has none of before."""
    group = await ann.group("G", bob)
    file = await upload(ann, group, "a.txt", b"hello")
    said = await ann.say(group, "see", file_ids=[file["file_id"]])
    invite = await ann.post(f"/api/chats/conversations/{group}/invite", {"user_id": cat.user_id})
    await cat.post(f"/api/chats/conversations/{group}/join", {"invite_id": invite["invite_id"]}, status=200)
    assert await links(cat, file["file_id"]) == []
    (seen,) = await links(bob, file["file_id"])
    assert (await http.get(seen["url"])).content == b"hello"
    await ann.delete(f"/api/chats/conversations/{group}/members/{bob.user_id}")
    assert (await http.get(seen["url"])).status_code == 404
    assert await links(bob, file["file_id"]) == []
    await ann.delete(f"/api/messages/conversations/{group}/messages/{said['message_id']}?client_msg_id=d", status=200)
    assert await links(ann, file["file_id"]) == []
    assert (await http.get(file["url"])).status_code == 404


async def test_only_own_files_are_attached_where_they_belong(ann: Person, bob: Person) -> None:
    """Not somebody else's, not from another conversation, not one that is still on its way, not twice."""
    direct, group = await ann.direct(bob), await ann.group("G", bob)
    file = (await upload(ann, direct, "a", b"x"))["file_id"]
    waiting = (await announce(ann, direct, "b", 3))["file_id"]
    path = "/api/messages/conversations/{}/messages"
    send = {"client_msg_id": "1", "body": "x"}
    await bob.post(path.format(direct), send | {"file_ids": [file]}, status=404)
    await ann.post(path.format(group), send | {"file_ids": [file]}, status=404)
    await ann.post(path.format(direct), send | {"file_ids": [waiting]}, status=404)
    first = await ann.post(path.format(direct), send | {"file_ids": [file]}, status=201)
    assert await ann.post(path.format(direct), send | {"file_ids": [file]}, status=201) == first  # a repeat
    await ann.post(path.format(direct), {"client_msg_id": "2", "body": "x", "file_ids": [file]}, status=404)
