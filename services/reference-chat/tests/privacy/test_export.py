"""A copy of one's own data: complete, only one's own, only for oneself, and for a week."""

import io
import zipfile
from typing import Any

import msgspec
import pytest

from nottermost_chat.errors import Unavailable
from nottermost_chat.services import Embedded
from nottermost_chat.testing.people import Person
from nottermost_chat.workers import erasure, exporter, retention

PICTURE = "a picture"


async def make(chat: Any, person: Person) -> Any:
    """Ask, wait, and look at the answer."""
    asked = await person.post("/api/users/me/exports", status=202)
    assert (asked["state"], asked["url"]) == ("requested", "")
    assert (await person.post("/api/users/me/exports", status=202))["export_id"] == asked["export_id"]
    await exporter.run_pass(chat.services)
    return (await person.get("/api/users/me/exports"))[0]


async def unzip(chat: Any, url: str) -> dict[str, bytes]:
    answer = await chat.http.get(url)
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


async def test_it_holds_all_that_is_ones_own(chat: Any) -> None:
    """Profile, devices, memberships, messages of store and archive, files; and not a word of anybody else."""
    ann, bob = await chat.join("ann"), await chat.join("bob")
    workspace = await bob.workspace("W", ann)
    await bob.put(f"/api/workspaces/{workspace}/retention", {"warm_days": 30})
    place = await bob.channel(workspace, "c", ann)
    await ann.say(place, "long ago")
    await bob.say(place, "bob's old words")
    chat.clock.ahead_s += 31 * 24 * 3600
    for person in (ann, bob):
        person.access_token = (await chat.services.tokens.session(person.user_id, "later")).access_token
    said = await ann.say(place, "a long text " * 1_000)
    await bob.say(place, "bob's new words")
    file = await ann.post("/api/files", {"conversation_id": place, "name": "../../a b.txt", "size": len(PICTURE) + 2})
    await ann.put(file["upload_url"], PICTURE, status=201)
    await retention.run_pass(chat.services, until_s=chat.services.clock.monotonic() + 60)
    found = await unzip(chat, (await make(chat, ann))["url"])
    assert {"profile.json", "devices.json", "memberships.json", "consents.json", "messages.jsonl"} <= found.keys()
    profile = msgspec.json.decode(found["profile.json"])
    assert (profile["email"], profile["username"]) == ("ann@example.org", "ann")
    messages = [msgspec.json.decode(line) for line in found["messages.jsonl"].splitlines()]
    assert {one["text"] for one in messages} == {"long ago", "a long text " * 1_000}
    assert {one["conversation_id"] for one in messages} == {place}
    assert said["message_id"] in {one["message_id"] for one in messages}
    (membership,) = msgspec.json.decode(found["memberships.json"])
    assert (membership["title"], membership["workspace"]) == ("c", "W")
    (name,) = [name for name in found if name.startswith("files/")]
    assert found[name] == f'"{PICTURE}"'.encode()
    assert "/" not in name.removeprefix("files/")
    assert not [name for name, content in found.items() if b"bob" in content]


async def test_the_link_is_for_its_user_and_for_a_week(chat: Any) -> None:
    """Not with another's name, not changed, not later; then the bytes are gone too."""
    ann, bob = await chat.join("ann"), await chat.join("bob")
    export = await make(chat, ann)
    url: str = export["url"]
    services: Embedded = chat.services
    assert (await chat.http.get(url.replace(ann.user_id, bob.user_id))).status_code == 403
    assert (await chat.http.get(f"/api/exports/{export['export_id']}")).status_code == 403
    assert await bob.get("/api/users/me/exports") == []
    key = (await services.directory.privacy.export(export["export_id"])).blob_key  # type: ignore[union-attr]
    assert key is not None
    chat.clock.ahead_s += services.settings.export_s - 60
    assert (await chat.http.get(url)).status_code == 200
    chat.clock.ahead_s += 120
    assert (await chat.http.get(url)).json()["code"] == "link_expired"
    await exporter.run_pass(services)
    assert await services.blobs.size(key) is None
    assert (await services.directory.privacy.exports_of(ann.user_id))[0].blob_key is None


async def test_an_interrupted_export_is_made_anew(chat: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first attempt stored is removed, and one zip is there; another user's export did not wait for it."""
    ann, bob = await chat.join("ann"), await chat.join("bob")
    services: Embedded = chat.services
    asked = await ann.post("/api/users/me/exports", status=202)
    await bob.post("/api/users/me/exports", status=202)
    finish = services.directory.privacy.finish_export

    async def fail(export_id: str, *, expires_at: int) -> None:
        if export_id == asked["export_id"]:
            raise Unavailable("killed")
        await finish(export_id, expires_at=expires_at)

    with monkeypatch.context() as patched:
        patched.setattr(services.directory.privacy, "finish_export", fail)
        await exporter.run_pass(services)
    (first,) = await services.directory.privacy.open_exports()
    assert first.user_id == ann.user_id
    assert await services.blobs.size(first.blob_key or "")
    await exporter.run_pass(services)
    (made,) = await services.directory.privacy.exports_of(ann.user_id)
    assert await services.blobs.size(first.blob_key or "") is None
    assert await services.blobs.size(made.blob_key or "")


async def test_an_erased_user_has_no_export(chat: Any) -> None:
    """The link ends with the account, and the zip goes with everything else."""
    ann = await chat.join("ann")
    services: Embedded = chat.services
    export = await make(chat, ann)
    key = (await services.directory.privacy.export(export["export_id"])).blob_key  # type: ignore[union-attr]
    await ann.delete("/api/users/me?confirm=ann", status=202)
    assert (await chat.http.get(export["url"])).status_code == 404
    await erasure.run_pass(services)
    assert await services.blobs.size(key or "") is None
