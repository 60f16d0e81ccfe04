"""What a user wrote, uploaded and told about themselves shows nowhere once it was erased, not even in a byte of a file."""

import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet as pq  # type: ignore[import-untyped]

from nottermost_chat.actions import privacy
from nottermost_chat.archive import Registered
from nottermost_chat.directory import RequestState
from nottermost_chat.directory.privacy import OWN
from nottermost_chat.directory.tables import metadata
from nottermost_chat.errors import Forbidden, Unavailable
from nottermost_chat.ports import AppendRequest, SearchDocument, SearchQuery, Term
from nottermost_chat.services import Embedded
from nottermost_chat.testing.people import Person
from nottermost_chat.workers import erasure, removing, retention

SECRET = "quetzalcoatlus"  # as a text, a file's content and name, a title, a device
Open = Callable[[Path], AbstractAsyncContextManager[Any]]


async def fill(chat: Any) -> tuple[Person, Person, str]:
    """Two people in a channel with a limit; the first one leaves a word everywhere. Some of it is in the archive only."""
    ann, bob = await chat.join("ann"), await chat.join("bob")
    workspace = await bob.workspace("W", ann)
    await bob.put(f"/api/workspaces/{workspace}/retention", {"warm_days": 30})
    place = await bob.channel(workspace, "c", ann)
    await ann.patch("/api/users/me", {"display_name": f"Ann {SECRET}", "title": SECRET})
    await chat.services.tokens.session(ann.user_id, f"{SECRET}'s phone")
    await ann.say(place, f"old {SECRET}")
    await bob.say(place, "old from bob")
    await go_forward(chat, 31, ann, bob)
    said = [await ann.say(place, f"{SECRET} {number}") for number in range(2)]
    await ann.say(place, f"long {SECRET} " * 500)
    talk = f"/api/messages/conversations/{place}/messages"
    await ann.patch(f"{talk}/{said[0]['message_id']}", {"client_msg_id": "e", "body": f"edited {SECRET}"})
    await ann.delete(f"{talk}/{said[1]['message_id']}?client_msg_id=d", status=200)
    reply = await bob.say(place, "a reply", thread_id=said[0]["message_id"])
    await ann.put(f"{talk}/{reply['message_id']}/reactions", {"client_msg_id": "+", "emoji": "+1"})
    file = await ann.post("/api/files", {"conversation_id": place, "name": f"{SECRET}.txt", "size": len(SECRET) + 2})
    await ann.put(file["upload_url"], SECRET, status=201)
    await ann.say(place, "with a file", file_ids=[file["file_id"]])
    key = {"idempotency_key": "once"}
    await ann.call("POST", talk, {"client_msg_id": "k", "body": f"by key {SECRET}"}, **key)
    await index(chat.services, place)
    await chat.archive_all(place)
    await retention.run_pass(chat.services, until_s=chat.services.clock.monotonic() + 60)
    assert (await chat.services.store.heads([place]))[place].floor_seq > 2
    return ann, bob, place


async def go_forward(chat: Any, days: int, *people: Person) -> None:
    chat.clock.ahead_s += days * 24 * 3600
    for person in people:
        person.access_token = (await chat.services.tokens.session(person.user_id, "later")).access_token


async def index(services: Embedded, place: str) -> None:
    """As the indexer does."""
    found = await services.store.history(place, limit=100)
    await services.search.apply(
        [
            SearchDocument(
                one.entry.message_id, place, one.entry.seq, one.entry.actor_id, 0, one.text, names_in(one.text)
            )
            for one in found
            if one.text is not None
        ],
        [],
    )


def names_in(text: str) -> tuple[str, ...]:
    return (f"{SECRET}.txt",) if "file" in text else ()


async def erase(services: Embedded) -> int:
    """Passes until nothing is left to do; returns how many they were."""
    for number in range(1, 6):
        await erasure.run_pass(services)
        if not await services.directory.privacy.erasures():
            return number
    raise AssertionError("five passes do not end it")


def compact(folder: Path) -> None:
    """Let databases drop what they have marked as free."""
    for path in folder.glob("*.db"):
        database = sqlite3.connect(path, isolation_level=None)
        if path.name == "search.db":
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE sql LIKE '%USING fts5%'").fetchall():
                database.execute(f"INSERT INTO {table} ({table}) VALUES ('optimize')")
        database.execute("VACUUM")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()


def places_of(word: str, folder: Path) -> list[str]:
    """Files below the folder that hold the word, in bytes, or in a column of a Parquet file."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content += str(pq.read_table(path, partitioning=None).to_pylist()).encode()
            if word.encode() in content.lower():
                found.append(path.name)
    return found


async def test_it_shows_nowhere(tmp_path: Path, opened: Open) -> None:
    """Before: in databases, files, index and archive. After: in none of them, nor in any answer; bob's words are there."""
    folder = tmp_path / "data"
    async with opened(folder) as chat:
        ann, bob, place = await fill(chat)
        services: Embedded = chat.services
        seq = (await services.store.heads([place]))[place].seq
        assert {"store.db", "directory.db", "search.db"} <= {
            name.removesuffix("-wal") for name in places_of(SECRET, folder)
        }
        assert [name for name in places_of(SECRET, folder) if name.endswith(".parquet")]
        await ann.delete("/api/users/me?confirm=bob", status=409)
        answer = await ann.delete("/api/users/me?confirm=ann", status=202)
        assert answer["state"] == "requested"
        assert (await ann.call("GET", "/api/users/me")).status_code == 401
        assert await erase(services) == 2  # one that finds something, one that finds nothing
        (row,) = await services.directory.privacy.erasures(finished=True)
        assert row.state is RequestState.FINISHED
        shown = await bob.get(f"/api/messages/conversations/{place}/messages?after_seq=0&limit=100")
        assert [one["preview"] for one in shown["messages"]] == [
            None, "old from bob", None, None, None, "a reply", None, None
        ]  # fmt: skip
        assert "reactions" not in shown["messages"][5]
        assert (await services.store.heads([place]))[place].seq > seq  # skeletons stay, redactions are appended
        assert (await bob.get(f"/api/users/{ann.user_id}"))["display_name"] == "Deleted user"
        assert (await bob.get("/api/search?q=" + SECRET))["total"] == 0
        assert (await services.search.search(SearchQuery({place: 0}, (Term(SECRET),)))).total == 0
        assert await services.directory.accounts.by_email("ann@example.org") is None
    compact(folder)
    assert places_of(SECRET, folder) == []
    assert places_of("ann@example.org", folder) == []
    assert places_of("old from bob", folder)


def test_every_table_about_users_is_decided_on() -> None:
    """Whoever adds one says what becomes of its rows: they go, are blanked, or hold nothing but an id."""
    gone = {table.name for table in OWN} | {"files"}  # and, by device, push_subscriptions and refresh_tokens
    blanked = {"users", "devices"}
    only_ids = {"workspace_members", "team_members", "memberships", "invites", "legal_holds", "erasures", "exports"}
    named = {table.name for table in metadata.tables.values() if {"user_id", "uploader_id"} & {*table.c.keys()}}
    assert named == gone | blanked | only_ids


# --- interruptions ----------------------------------------------------------------------------


class Interrupted:
    """A part that ends the process, as far as anybody can tell, before or after one of its calls."""

    def __init__(self, part: object, calls: list[int], *, after: bool) -> None:
        self._part, self._calls, self._after = part, calls, after

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if not callable(found) or name in ("read", "close", "now_ms", "monotonic"):
            return found

        async def call(*args: Any, **more: Any) -> Any:
            self._calls[0] -= 1
            if self._calls[0] == 0 and not self._after:
                raise Unavailable("killed")
            result = await found(*args, **more)
            if self._calls[0] == 0:
                raise Unavailable("killed")
            return result

        return call


@pytest.mark.parametrize("after", [False, True])
async def test_it_goes_on_after_a_crash_at_any_point(chat: Any, *, after: bool) -> None:
    """Ended before or after its every call to a store, the next run finishes all the same."""
    ann, bob, place = await fill(chat)
    services: Embedded = chat.services
    await ann.delete("/api/users/me?confirm=ann", status=202)
    calls, at, finished = [0], 0, False
    while not finished:
        at += 1
        calls[0] = at
        parts: dict[str, Any] = {
            name: Interrupted(getattr(services, name), calls, after=after)
            for name in ("store", "ingest", "search", "blobs", "archive")
        }
        (row,) = await services.directory.privacy.erasures()
        try:
            finished = await erasure.advance(replace(services, **parts), row)
        except Unavailable:
            continue
    assert at > 10
    assert await services.directory.privacy.erasures() == []
    shown = await bob.get(f"/api/messages/conversations/{place}/messages?after_seq=0&limit=100")
    assert [one["preview"] for one in shown["messages"] if one["preview"]] == ["old from bob", "a reply"]


async def test_it_waits_for_a_hold(chat: Any) -> None:
    """The account ends at once; what is held stays until the hold is released."""
    ann, bob, place = await fill(chat)
    services: Embedded = chat.services
    hold = await services.directory.retention.hold(reason="x", created_by=bob.user_id, user_id=ann.user_id)
    await ann.delete("/api/users/me?confirm=ann", status=202)
    (row,) = await services.directory.privacy.erasures()
    assert not await erasure.advance(services, row)
    (row,) = await services.directory.privacy.erasures()
    assert row.state is RequestState.REQUESTED
    shown = await bob.get(f"/api/messages/conversations/{place}/messages?after_seq=0&limit=100")
    assert f"edited {SECRET}" in [one["preview"] for one in shown["messages"]]
    await services.directory.retention.release(hold.hold_id)
    assert await erase(services) == 2


async def imported(chat: Any) -> tuple[str, str]:
    """A user of an import and a channel where they said two things without ever being a member; one is archived only."""
    directory, services = chat.services.directory, chat.services
    bob = await chat.join("bob")
    user = await directory.accounts.create_user(username="uma", imported=True, import_key="slack:C1@1:U1")
    row = await directory.workspaces.create("W", bob.user_id, import_key="slack:C1@1")
    await bob.put(f"/api/workspaces/{row.workspace_id}/retention", {"warm_days": 30})
    channel = await directory.conversations.create_channel(
        row.workspace_id, "c", bob.user_id, import_key="slack:C1@1:C1"
    )
    place = str(channel.conversation_id)
    for number in range(3):
        await services.ingest.submit(
            AppendRequest(
                kind="message", conversation_id=place, actor_id=user.user_id, op_id=f"i{number}",
                body=f"{SECRET} {number}", trusted=True, silent=True,
            )
        )  # fmt: skip
        if number == 0:
            await go_forward(chat, 31)
    await chat.archive_all(place)
    return user.user_id, place


async def words_left(services: Embedded, user_id: str, place: str) -> tuple[int, int]:
    """How many of the user's messages have a text: in the store, in the archive."""
    assert services.archive is not None
    stored = await services.store.history(place, limit=100)
    archived = [row async for row in services.archive.of_sender(user_id)]
    return len([one for one in stored if one.text is not None and one.entry.actor_id == user_id]), len(archived)


@pytest.mark.parametrize("what", ["conversation", "workspace"])
async def test_an_imported_user_waits_for_a_hold_on_a_place(chat: Any, what: str) -> None:
    """Where nobody says that they were a member."""
    user_id, place = await imported(chat)
    services: Embedded = chat.services
    row = await services.directory.conversations.get(place)
    about = {"conversation_id": place} if what == "conversation" else {"workspace_id": row and row.workspace_id}
    hold = await services.directory.retention.hold(reason="x", created_by="operator", **about)
    await privacy.request_erasure(services, user_id, "operator", "uma")
    await erasure.run_pass(services)
    assert await services.directory.privacy.erasures()
    assert await words_left(services, user_id, place) == (3, 3)
    await services.directory.retention.release(hold.hold_id)
    assert await erase(services) == 2
    assert await words_left(services, user_id, place) == (0, 0)


async def test_what_a_held_imported_user_said_is_not_trimmed(chat: Any) -> None:
    """Nor expired: a hold on them is on all that came with the import."""
    user_id, place = await imported(chat)
    services: Embedded = chat.services
    hold = await services.directory.retention.hold(reason="x", created_by="operator", user_id=user_id)
    await retention.run_pass(services, until_s=services.clock.monotonic() + 60)
    assert (await services.store.heads([place]))[place].floor_seq == 0
    chat.clock.ahead_s += 2000 * 24 * 3600
    await retention.run_pass(services, until_s=services.clock.monotonic() + 60)
    assert await words_left(services, user_id, place) == (3, 3)
    await services.directory.retention.release(hold.hold_id)
    await retention.run_pass(services, until_s=services.clock.monotonic() + 60)
    assert await words_left(services, user_id, place) == (1, 0)  # the last entry stays


class Then:
    """A part of which one call has a consequence, once, before it is made."""

    def __init__(self, part: object, name: str, consequence: Callable[[], Awaitable[object]]) -> None:
        self._part, self._name, self._left = part, name, [consequence]

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if name != self._name:
            return found

        async def call(*args: Any, **more: Any) -> Any:
            while self._left:
                await self._left.pop()()
            return await found(*args, **more)

        return call


@pytest.mark.parametrize(("part", "name"), [("search", "apply"), ("blobs", "delete"), ("archive", "erase")])
async def test_a_hold_stops_an_erasure_that_is_under_way(chat: Any, part: str, name: str) -> None:
    """Set while messages are redacted, files removed, or the archive's turn comes, it keeps all but what was begun."""
    ann, bob, place = await fill(chat)
    services: Embedded = chat.services
    other = await bob.group("G", ann)
    await ann.say(other, SECRET)
    chat.clock.ahead_s += 1
    later = await bob.group("H", ann)
    await ann.say(later, SECRET)
    await chat.archive_all(place, other, later)
    _, archived = await words_left(services, ann.user_id, place)
    await ann.delete("/api/users/me?confirm=ann", status=202)

    async def hold() -> None:
        await services.directory.retention.hold(reason="x", created_by="operator", user_id=ann.user_id)

    (row,) = await services.directory.privacy.erasures()
    held = replace(services, **{part: Then(getattr(services, part), name, hold)})  # type: ignore[arg-type]
    assert not await erasure.advance(held, row)
    texts = [(await words_left(services, ann.user_id, each))[0] for each in (place, other, later)]
    assert texts.count(0) == (1 if part == "search" else 3)
    assert (await words_left(services, ann.user_id, place))[1] == archived
    user = await services.directory.accounts.user(ann.user_id)
    assert user is not None
    assert (SECRET in user.display_name) == (part != "archive")
    assert len(await services.directory.privacy.uploads(ann.user_id)) == (1 if part == "search" else 0)


async def test_one_that_is_refused_does_not_stop_the_others(chat: Any) -> None:
    """Neither erasures, nor what else the same process does."""
    ann, bob, place = await fill(chat)
    cat = await chat.join("cat")
    services: Embedded = chat.services
    for person in (ann, cat):
        await privacy.request_erasure(services, person.user_id, "operator", person.name)

    class Refusing:
        async def submit(self, _: object) -> Any:
            raise Forbidden("not you")

    away = replace(services, ingest=Refusing())  # type: ignore[arg-type]
    await erasure.run_pass(away)
    assert [row.user_id for row in await services.directory.privacy.erasures()] == [ann.user_id]

    class Full:
        def __getattr__(self, name: str) -> Any:
            if name in ("delete", "size"):
                return getattr(services.blobs, name)
            raise Unavailable("the disk is full")

    await bob.post("/api/users/me/exports", status=202)
    await go_forward(chat, 31, bob)
    await bob.say(place, "new")
    floor = (await services.store.heads([place]))[place].floor_seq
    await removing.Removing(replace(services, blobs=Full(), ingest=Refusing())).run_pass()  # type: ignore[arg-type]
    assert (await services.store.heads([place]))[place].floor_seq > floor


async def test_a_request_that_comes_again_is_one(chat: Any) -> None:
    """Also after it was finished: then it looks once more and finds nothing."""
    ann = await chat.join("ann")
    services: Embedded = chat.services
    asked = [await privacy.request_erasure(services, ann.user_id, "operator", "ann") for _ in range(2)]
    assert asked[0] == asked[1]
    assert await erase(services) == 1


# --- restored backups -------------------------------------------------------------------------


async def test_a_restored_copy_is_erased_again(tmp_path: Path, opened: Open) -> None:
    """An old copy of the folder knows nothing of the erasure; the register, which is kept apart, does."""
    folder, backup = tmp_path / "data", tmp_path / "backup"
    async with opened(folder) as chat:
        ann, _, _ = await fill(chat)
    shutil.copytree(folder, backup)
    async with opened(folder) as chat:
        await privacy.request_erasure(chat.services, ann.user_id, "operator", "ann")
        await erase(chat.services)
        register = await chat.services.archive.registered()
    async with opened(backup) as chat:
        services: Embedded = chat.services
        assert await services.directory.accounts.by_email("ann@example.org") is not None
        unknown = Registered("E", services.clock.new_id(), "operator", 1)
        asked = await privacy.replay(services, [*register, unknown])
        assert [one.erasure_id for one in asked] == [one.erasure_id for one in register]
        assert await erase(services) == 2
        assert await services.archive.registered() == register  # type: ignore[union-attr]
        assert await privacy.replay(services, register)  # once more changes nothing
        assert await erase(services) == 1
    compact(backup)
    assert places_of(SECRET, backup) == []
