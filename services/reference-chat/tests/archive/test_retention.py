"""What is old leaves the store, then the archive; nothing that is not archived, and nothing that is held."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, cast

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nottermost_chat.archive import Archive, Wanted
from nottermost_chat.archive.rows import rows_of
from nottermost_chat.errors import Forbidden, Unavailable
from nottermost_chat.ports import AppendRequest, SearchDocument, SearchQuery, Term
from nottermost_chat.services import Embedded
from nottermost_chat.testing.people import Person, ShiftedClock, join
from nottermost_chat.workers import housekeeping, retention
from nottermost_chat.workers.archiver import Archiver
from nottermost_chat.workers.retention import Expiry, Trim

CaughtUp = Callable[[], Awaitable[None]]
DAY_S = 24 * 3600.0
POLICY = {"warm_days": 30, "archive_days": 60}


async def run(services: Embedded) -> None:
    """A whole pass."""
    await retention.run_pass(services, until_s=services.clock.monotonic() + 60)


class Old:
    """A channel with a limit, in which eight messages were said, half of them 31 days ago."""

    def __init__(self, ann: Person, bob: Person, workspace: str, place: str) -> None:
        self.ann, self.bob, self.workspace, self.place = ann, bob, workspace, place
        self.talk = f"/api/messages/conversations/{place}/messages"
        self.said: list[Any] = []


@pytest.fixture
async def old(services: Embedded, clock: ShiftedClock, ann: Person, bob: Person) -> Old:
    workspace = await ann.workspace("W", bob)
    await ann.put(f"/api/workspaces/{workspace}/retention", POLICY)
    old = Old(ann, bob, workspace, await ann.channel(workspace, "c", bob))
    for number in range(8):
        if number == 4:
            await go_forward(clock, 31, ann, bob, services=services)
        old.said.append(await ann.say(old.place, f"word{number}"))
    return old


async def go_forward(clock: ShiftedClock, days: int, *people: Person, services: Embedded) -> None:
    """It is so much later, and everybody has logged in again."""
    clock.ahead_s += days * DAY_S
    for person in people:
        person.access_token = (await services.tokens.session(person.user_id, "later")).access_token


async def bodies(person: Person, place: str, query: str = "after_seq=0") -> list[str]:
    return [one["preview"] for one in await person.history(place, query)]


WORDS = [f"word{number}" for number in range(8)]


async def test_old_messages_are_served_from_the_archive(services: Embedded, archive: Archive, old: Old) -> None:
    """The store has them no longer; every way of paging shows them where they were, with threads, times and bodies."""
    await old.ann.say(old.place, "a reply", thread_id=old.said[2]["message_id"])
    await run(services)
    head = (await services.store.heads([old.place]))[old.place]
    assert head.floor_seq == old.said[3]["seq"]
    assert not await services.store.history(old.place, limit=9, before_seq=head.floor_seq + 1)
    person, first = old.bob, old.said[0]["seq"]
    assert await bodies(person, old.place) == [*WORDS, "a reply"]
    assert await bodies(person, old.place, "before_seq=0&limit=6") == [*WORDS[3:], "a reply"]
    assert await bodies(person, old.place, f"before_seq={first + 3}&limit=2") == WORDS[1:3]
    assert await bodies(person, old.place, f"after_seq={first}&limit=5") == WORDS[1:6]
    assert await bodies(person, old.place, f"around_seq={first + 3}&limit=4") == WORDS[1:5]
    assert await bodies(person, old.place, f"at={old.said[1]['created_at']}&limit=4") == WORDS[:3]
    pages, before = list[str](), 0
    while True:
        page = await person.get(f"{old.talk}?before_seq={before}&limit=3")
        pages = [one["preview"] for one in page["messages"]] + pages
        before = page["next_seq"]
        if not page["has_more"]:
            break
    assert pages == [*WORDS, "a reply"]
    assert (await person.get(f"{old.talk}/{old.said[1]['message_id']}?fields=full"))["body"] == "word1"
    thread = await person.get(f"{old.talk}/{old.said[2]['message_id']}/thread")
    assert [one["preview"] for one in thread["messages"]] == ["word2", "a reply"]
    await person.get(f"{old.talk}/{services.clock.new_id()}", status=404)
    await person.get(f"{old.talk}/7ZZZZZZZZZZZZZZZZZZZZZZZZZ", status=404)  # would have been made after the year 9999
    assert (await bodies(person, old.place, "at=0001-01-01T00:00:00%2B14:00&limit=4"))[0] == "word0"


async def test_only_members_read_the_archive(
    services: Embedded, http: httpx.AsyncClient, clock: ShiftedClock, old: Old
) -> None:
    """A stranger nothing, and who came into a group later nothing from before."""
    group = await old.ann.group("G")
    early = await old.ann.say(group, "early")
    cat = await join(services, http, "cat")
    invite = await old.ann.post(f"/api/chats/conversations/{group}/invite", {"user_id": cat.user_id})
    await cat.post(f"/api/chats/conversations/{group}/join", {"invite_id": invite["invite_id"]}, status=200)
    await old.ann.say(group, "late")
    await go_forward(clock, 31, old.ann, cat, services=services)
    await old.ann.say(group, "now")
    everywhere = replace(services, settings=msgspec.structs.replace(services.settings, warm_days=30))
    await run(everywhere)
    assert await bodies(old.ann, group) == ["early", "late", "now"]
    assert await bodies(cat, group) == ["late", "now"]
    await cat.get(f"/api/messages/conversations/{group}/messages/{early['message_id']}", status=404)
    assert (await cat.call("GET", old.talk)).status_code == 404


async def test_unread_counts_stay_right(services: Embedded, old: Old) -> None:
    """They come from counters in the entries that are left."""
    read = f"/api/messages/conversations/{old.place}/read"
    before = await old.bob.post(read, {"last_read_seq": old.said[1]["seq"]}, status=200)
    assert before["unread_count"] == 6
    await run(services)
    again = await old.bob.post(read, {"last_read_seq": old.said[2]["seq"]}, status=200)
    assert again["unread_count"] == 6
    later = await old.bob.post(read, {"last_read_seq": old.said[5]["seq"]}, status=200)
    assert later["unread_count"] == 2
    receipts = await old.ann.get(f"/api/messages/conversations/{old.place}/receipts")
    assert {one["user_id"]: one["read_seq"] for one in receipts}[old.bob.user_id] == old.said[5]["seq"]


async def test_the_plan_is_what_happens(services: Embedded, archive: Archive, old: Old) -> None:
    """A plan changes nothing, names what goes, and is empty afterwards; where nobody set a limit nothing is planned."""
    await old.ann.say(await old.ann.group("no limit"), "stays")
    (trim,) = [step async for step in retention.plan(services)]
    assert isinstance(trim, Trim)
    assert (trim.conversation_id, trim.floor_seq, trim.held) == (old.place, old.said[3]["seq"], False)
    assert list(trim.message_ids) == [one["message_id"] for one in old.said[:4]]
    assert (await services.store.heads([old.place]))[old.place].floor_seq == 0
    assert await archive.days() == {}
    await run(services)
    assert [step async for step in retention.plan(services)] == []


async def test_nothing_goes_that_is_not_archived(services: Embedded, old: Old) -> None:
    """With the archive away nothing is trimmed, whatever the archiver did before; it goes on when it is back."""

    class Away:
        async def states(self, rows: object) -> object:
            raise Unavailable("the archive is away")

        def __getattr__(self, name: str) -> Any:
            return getattr(services.archive, name)

    with pytest.raises(Unavailable):
        await run(replace(services, archive=cast("Archive", Away())))
    assert (await services.store.heads([old.place]))[old.place].floor_seq == 0
    await run(services)
    assert await bodies(old.bob, old.place) == WORDS


async def test_older_states_in_the_archive_are_put_right_first(
    services: Embedded, archive: Archive, archived: CaughtUp, clock: ShiftedClock, old: Old
) -> None:
    """The archiver saw a message before it was edited and never the edit: retention notices when it reads back."""
    await archived()
    append = archive.append

    async def lost(_rows: object) -> None: ...

    archive.append = lost  # type: ignore[method-assign, assignment]
    await old.ann.patch(f"{old.talk}/{old.said[0]['message_id']}", {"client_msg_id": "e", "body": "changed"})
    await archived()
    archive.append = append  # type: ignore[method-assign]
    await run(services)
    assert await bodies(old.bob, old.place) == ["changed", *WORDS[1:]]


@pytest.mark.parametrize("how", ["delete", "edit"])
async def test_what_changes_in_the_last_moment_is_archived_so(
    services: Embedded, archive: Archive, old: Old, how: str
) -> None:
    """Deleted or edited between being archived and being trimmed; the archiver comes too late for it."""
    path, pages = f"{old.talk}/{old.said[1]['message_id']}", list[Any]()

    class Late:
        """A search index that somebody is quicker than, once."""

        async def apply(self, *args: Any) -> None:
            if not pages:
                pages.append(args)
                if how == "delete":
                    await old.ann.delete(f"{path}?client_msg_id=d", status=200)
                else:
                    await old.ann.patch(path, {"client_msg_id": "e", "body": "changed"})
            await services.search.apply(*args)

    await run(replace(services, search=cast("Any", Late())))
    assert (await services.store.heads([old.place]))[old.place].floor_seq == old.said[3]["seq"]
    late = Archiver(archive, services.store, services.directory, every_s=0)
    await late.handle(await services.store.records(old.place, 0, 500))
    await archive.merge(next(iter(await archive.days())))
    (row,) = await archive.messages(Wanted(conversation_id=old.place, limit=9, message_id=old.said[1]["message_id"]))
    assert row.text == (None if how == "delete" else "changed")
    assert (row.deleted_at is not None) == (how == "delete")
    assert await bodies(old.bob, old.place) == [WORDS[0], row.text, *WORDS[2:]]


async def test_a_trim_that_ended_early_is_finished(services: Embedded, clock: ShiftedClock, old: Old) -> None:
    """The floor was raised and the process ended: what is left below goes with the next pass, also where nothing is new."""
    await old.ann.put(f"/api/workspaces/{old.workspace}/retention", POLICY | {"archive_days": 365})
    await go_forward(clock, 31, old.ann, old.bob, services=services)

    class Killed:
        """A store that raises the floor, and then is no more."""

        async def trim(self, conversation_id: str, floor_seq: int, *, seen_seq: int | None = None) -> bool:
            def raise_floor(db: Any) -> None:
                db.execute("UPDATE heads SET floor_seq = ? WHERE conversation_id = ?", (floor_seq, conversation_id))

            await services.store._file.write(raise_floor)  # type: ignore[attr-defined]
            raise Unavailable("killed")

        def __getattr__(self, name: str) -> Any:
            return getattr(services.store, name)

    with pytest.raises(Unavailable):
        await run(replace(services, store=cast("Any", Killed())))
    head = (await services.store.heads([old.place]))[old.place]
    assert head.floor_seq == head.seq - 1
    assert (await services.store.entries(old.place, 0, 1))[0].seq == 1
    await run(services)
    assert (await services.store.entries(old.place, 0, 1))[0].seq == head.seq
    assert await bodies(old.bob, old.place) == WORDS


async def test_a_message_whose_text_a_trim_has_removed_is_not_archived_without(services: Embedded, old: Old) -> None:
    """The archive has it from before, and must not take the half that is left for the state of now."""
    entries = await services.store.entries(old.place, 0, 100)
    gone = old.said[1]["message_id"]
    assert gone in {row.message_id for row in await rows_of(services.store, entries, workspace_id=None)}
    await services.store._file.write(lambda db: db.execute("DELETE FROM texts WHERE message_id = ?", (gone,)).rowcount)  # type: ignore[attr-defined]
    rows = await rows_of(services.store, entries, workspace_id=None)
    assert gone not in {row.message_id for row in rows}
    assert {old.said[0]["message_id"], old.said[2]["message_id"]} <= {row.message_id for row in rows}


async def test_files_and_search_go_with_their_messages(
    services: Embedded, clock: ShiftedClock, ann: Person, bob: Person
) -> None:
    """The bytes, the thumbnail and the row of a file; a file of a message that stays stays."""
    workspace = await ann.workspace("W", bob)
    await ann.put(f"/api/workspaces/{workspace}/retention", POLICY)
    place = await ann.channel(workspace, "c", bob)
    gone, kept = [await upload(ann, place), await upload(ann, place)]
    first = await ann.say(place, "with a file", file_ids=[gone])
    await services.search.apply([SearchDocument(first["message_id"], place, first["seq"], ann.user_id, 0, "file")], [])
    await go_forward(clock, 31, ann, bob, services=services)
    await ann.say(place, "with another", file_ids=[kept])
    await run(services)
    assert await services.blobs.size(gone) is None
    assert await services.blobs.size(kept) == 5
    assert (await services.directory.files.get_many([gone, kept])).keys() == {kept}
    assert (await services.search.search(SearchQuery({place: 0}, (Term("file"),)))).total == 0
    assert await bodies(bob, place) == ["with a file", "with another"]


async def upload(person: Person, place: str) -> str:
    file = await person.post("/api/files", {"conversation_id": place, "name": "a.txt", "size": 5})
    await person.put(file["upload_url"], "abc", status=201)  # as JSON: "abc"
    return str(file["file_id"])


async def test_the_archive_expires(services: Embedded, archive: Archive, clock: ShiftedClock, old: Old) -> None:
    """After the workspace's days the rows are gone, day by day; the plan says so first."""
    await run(services)
    await go_forward(clock, 31, old.ann, old.bob, services=services)
    await run(services)
    assert await bodies(old.bob, old.place) == WORDS[4:]
    (day,) = await archive.days()
    await go_forward(clock, 31, old.ann, old.bob, services=services)
    steps = [step async for step in retention.plan(services)]
    assert [step.day for step in steps if isinstance(step, Expiry)] == [day]
    await run(services)
    assert await archive.days() == {}
    assert await bodies(old.bob, old.place) == WORDS[7:]  # the last entry stays


async def test_pieces_are_merged(
    services: Embedded, archive: Archive, archived: CaughtUp, clock: ShiftedClock, old: Old
) -> None:
    """A day that is over becomes one file."""
    await archived()
    for number in range(3):
        await old.ann.say(old.place, f"more {number}")
        await archived()
    assert max((await archive.days()).values()) > 1
    await go_forward(clock, 1, old.ann, services=services)
    await run(services)
    assert {*(await archive.days()).values()} == {1}


# --- policies ---------------------------------------------------------------------------------


async def test_policies_have_bounds(ann: Person, bob: Person) -> None:
    """Only admins, only within the limits; who has none keeps what the installation keeps: everything."""
    workspace = await ann.workspace("W", bob)
    path = f"/api/workspaces/{workspace}/retention"
    assert (await bob.get(path))["warm_days"] == 0
    await bob.put(path, POLICY, status=403)
    for wrong in ({"warm_days": 6}, {"archive_days": 29}, {"archive_days": 1_827}, {"hot_hours": 1}):
        await ann.put(path, wrong, status=400)
    await ann.put(path, {"warm_days": 90, "archive_days": 60}, status=409)
    set_so = await ann.put(path, {})
    assert (set_so["warm_days"], set_so["archive_days"]) == (30, 1_826)
    assert "hot_hours" not in set_so  # there is no hot tier
    assert await bob.get(path) == set_so
    assert set_so["changed_by"] == ann.user_id


# --- legal holds ------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["workspace", "user", "conversation"])
async def test_under_hold_nothing_goes(
    services: Embedded, archive: Archive, clock: ShiftedClock, old: Old, what: str
) -> None:
    """Neither trimmed, nor redacted after its delete, nor expired; released, all of it goes on."""
    path = f"/api/workspaces/{old.workspace}/holds"
    about = {"workspace": {}, "user": {"user_id": old.bob.user_id}, "conversation": {"conversation_id": old.place}}
    hold = await old.ann.post(path, {"reason": "court order 7", **about[what]})
    await old.bob.post(path, {"reason": "mine"}, status=403)
    assert [one["hold_id"] for one in await old.ann.get(path)] == [hold["hold_id"]]
    await old.ann.delete(f"{old.talk}/{old.said[6]['message_id']}?client_msg_id=d", status=200)
    await go_forward(clock, 40, old.ann, old.bob, services=services)
    assert await housekeeping.redact_deleted(services) == 0
    await run(services)
    assert [step.held async for step in retention.plan(services) if isinstance(step, Trim)] == [True]
    assert (await services.store.heads([old.place]))[old.place].floor_seq == 0
    kept = await services.store.full_message(old.place, old.said[6]["message_id"])
    assert kept is not None
    assert not kept.redacted
    await old.ann.delete(f"{path}/{hold['hold_id']}")
    await old.ann.delete(f"{path}/{hold['hold_id']}", status=404)
    assert await housekeeping.redact_deleted(services) == 1
    await run(services)
    assert (await services.store.heads([old.place]))[old.place].floor_seq >= old.said[3]["seq"]


async def test_holds_are_about_what_is_of_the_workspace(ann: Person, bob: Person, cat: Person) -> None:
    """Not about strangers, other conversations, or two things at once."""
    workspace = await ann.workspace("W", bob)
    path, group = f"/api/workspaces/{workspace}/holds", await ann.group("G", bob)
    await ann.post(path, {"reason": "x", "user_id": cat.user_id}, status=404)
    await ann.post(path, {"reason": "x", "conversation_id": group}, status=404)
    await ann.post(path, {"reason": "x", "conversation_id": group, "user_id": bob.user_id}, status=409)
    await ann.post(path, {"reason": " "}, status=400)
    await cat.get(path, status=404)


@pytest.fixture
async def cat(services: Embedded, http: httpx.AsyncClient) -> Person:
    return await join(services, http, "cat")


MOVES = st.lists(st.sampled_from(["hold", "release", "delete", "later", "redact", "retain", "say"]), max_size=14)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES)
async def test_what_is_held_is_there(services: Embedded, clock: ShiftedClock, ann: Person, moves: list[str]) -> None:
    """In whatever order holds, deletes, time, redactions and retention come: what a hold found is there until its end."""
    await go_forward(clock, 0, ann, services=services)
    workspace = await ann.workspace("W")
    await ann.put(f"/api/workspaces/{workspace}/retention", {"warm_days": 7, "archive_days": 30})
    place = await ann.channel(workspace, "c")
    there: dict[str, str] = {}
    hold_id, held = "", dict[str, str]()
    for turn, move in enumerate(moves):
        match move:
            case "hold" if not hold_id:
                path = f"/api/workspaces/{workspace}/holds"
                hold_id = (await ann.post(path, {"reason": "x", "conversation_id": place}))["hold_id"]
                held = await everything(services, place, there)
            case "release" if hold_id:
                await services.directory.retention.release(hold_id)
                hold_id, held = "", {}
            case "delete" if there:
                message_id = next(iter(there))
                path = f"/api/messages/conversations/{place}/messages/{message_id}?client_msg_id=d{turn}"
                await ann.call("DELETE", path)
            case "later":
                await go_forward(clock, 10, ann, services=services)
            case "redact":
                await housekeeping.redact_deleted(services)
            case "retain":
                await run(services)
            case "say":
                said = await ann.say(place, f"text {turn}")
                there[said["message_id"]] = f"text {turn}"
        if hold_id:
            assert held.items() <= (await everything(services, place, there)).items()


async def everything(services: Embedded, place: str, there: dict[str, str]) -> dict[str, str]:
    """The texts that the store or the archive still has, also of messages that were deleted and can be restored."""
    assert services.archive is not None
    stored = await services.store.messages(place, list(there))
    archived = await services.archive.messages(Wanted(conversation_id=place, limit=100))
    whole = {row.message_id for row in archived if row.text is not None}
    return {
        message_id: text
        for message_id, text in there.items()
        if (message_id in stored and not stored[message_id].redacted) or message_id in whole
    }


# --- what is refused --------------------------------------------------------------------------


async def test_a_refused_redaction_does_not_stop_the_rest(services: Embedded, clock: ShiftedClock, old: Old) -> None:
    """The first message that was deleted is refused, each time; the others go, and so does what comes after them."""
    for number in (5, 6, 7):
        await old.ann.delete(f"{old.talk}/{old.said[number]['message_id']}?client_msg_id=d{number}", status=200)
    upload_id = await upload(old.ann, old.place)
    await go_forward(clock, 8, old.ann, services=services)

    class Refusing:
        def submit(self, request: AppendRequest) -> Any:
            if request.message_id == old.said[5]["message_id"]:
                raise Forbidden("not this one")
            return services.ingest.submit(request)

    refusing = replace(services, ingest=cast("Any", Refusing()))
    await housekeeping.run_pass(refusing)
    found = await services.store.messages(old.place, [one["message_id"] for one in old.said])
    assert [found[one["message_id"]].redacted for one in old.said[4:]] == [False, False, True, True]
    assert await services.directory.files.get_many([upload_id]) == {}
    assert await housekeeping.redact_deleted(refusing) == 0
    assert await housekeeping.redact_deleted(services) == 1


async def test_a_file_that_cannot_be_removed_yet_is_not_forgotten(
    services: Embedded, clock: ShiftedClock, old: Old
) -> None:
    """A deleted message is erased after its file: while the files are away neither is, in the next pass both are."""
    file_id = await upload(old.ann, old.place)
    said = await old.ann.say(old.place, "with a file", file_ids=[file_id])
    await old.ann.delete(f"{old.talk}/{said['message_id']}?client_msg_id=d", status=200)
    await go_forward(clock, 8, old.ann, services=services)

    class Away:
        async def delete(self, key: str) -> None:
            raise Unavailable("the files do not answer: try again in a moment")

    assert await housekeeping.redact_deleted(replace(services, blobs=cast("Any", Away()))) == 0
    assert list(await services.directory.files.get_many([file_id])) == [file_id]
    assert await housekeeping.redact_deleted(services) == 1
    assert await services.directory.files.get_many([file_id]) == {}
    assert await services.blobs.size(file_id) is None


# --- who removes ------------------------------------------------------------------------------


async def test_one_process_removes(services: Embedded, clock: ShiftedClock) -> None:
    """Another one takes over when the first has not renewed its lease."""
    claim = services.directory.retention.claim
    assert await claim("a", valid_ms=60_000)
    assert await claim("a", valid_ms=60_000)
    assert not await claim("b", valid_ms=60_000)
    clock.ahead_s += 61
    assert await claim("b", valid_ms=60_000)
    assert not await claim("a", valid_ms=60_000)
