"""What is said reaches the archive with the text of now, is read from it, and survives crashes on the way."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import msgspec
import pytest

from nottermost_chat.archive import Archive, Row, Wanted
from nottermost_chat.errors import Unavailable
from nottermost_chat.ports import AppendRequest
from nottermost_chat.services import Embedded
from nottermost_chat.testing.people import Person, ShiftedClock
from nottermost_chat.testing.running import run_chat, wait_until
from nottermost_chat.workers import housekeeping, removing
from nottermost_chat.workers.archiver import Archiver

CaughtUp = Callable[[], Awaitable[None]]


async def texts(archive: Archive, place: str) -> list[str | None]:
    return [row.text for row in await archive.messages(Wanted(conversation_id=place, limit=100))]


async def test_the_archive_has_the_texts_of_now(
    services: Embedded, archive: Archive, archived: CaughtUp, ann: Person, bob: Person
) -> None:
    """After edits, deletes, restores, reactions and long texts it says what the store says, row by row."""
    place = await ann.group("G", bob)
    talk = f"/api/messages/conversations/{place}/messages"
    said = [await ann.say(place, body) for body in ("one", "two", "three", "long " * 2_000, "five")]
    ids = [one["message_id"] for one in said]
    await archived()
    await ann.patch(f"{talk}/{ids[0]}", {"client_msg_id": "e", "body": "changed"})
    await ann.delete(f"{talk}/{ids[1]}?client_msg_id=d1", status=200)
    await ann.delete(f"{talk}/{ids[2]}?client_msg_id=d2", status=200)
    await ann.post(f"{talk}/{ids[2]}/restore", {"client_msg_id": "r"}, status=200)
    await bob.put(f"{talk}/{ids[4]}/reactions", {"client_msg_id": "+", "emoji": "+1"})
    await ann.say(place, "a reply", thread_id=ids[4])
    await archived()
    assert await texts(archive, place) == ["changed", None, "three", "long " * 2_000, "five", "a reply"]
    rows = await archive.messages(Wanted(conversation_id=place, limit=100))
    assert rows[4].reactions == f'[{{"emoji":"+1","user_ids":["{bob.user_id}"]}}]'
    for entry in await services.store.entries(place, 0, 100):  # every entry of every kind
        (row,) = (await archive.states([wanted_row(rows[0], entry.seq, entry.created_at)])).values()
        assert (row.kind, row.actor_id, row.op_id) == (entry.kind, entry.actor_id, entry.op_id)


def wanted_row(like: Row, seq: int, created_at: int) -> Row:
    return msgspec.structs.replace(like, seq=seq, created_at=created_at)


async def test_what_was_deleted_long_ago_leaves_the_archive(
    services: Embedded, archive: Archive, archived: CaughtUp, ann: Person
) -> None:
    """The hard delete after seven days reaches it, and after a merge no older state is left."""
    place = await ann.group("G")
    said = await ann.say(place, "secret")
    await archived()
    assert await texts(archive, place) == ["secret"]
    await ann.delete(f"/api/messages/conversations/{place}/messages/{said['message_id']}?client_msg_id=d", status=200)
    later = replace(services, settings=msgspec.structs.replace(services.settings, undo_delete_s=-1))
    assert await housekeeping.redact_deleted(later) == 1
    await archived()
    (row,) = await archive.messages(Wanted(conversation_id=place, limit=9))
    assert (row.text, row.redacted) == (None, True)
    (day,) = await archive.days()
    await archive.merge(day)
    assert await archive.days() == {day: 1}


class FailingArchive:
    """Refuses the first `failures` appends, before or after they were carried out."""

    def __init__(self, archive: Archive, failures: int, *, after: bool) -> None:
        self._archive, self.failures, self._after = archive, failures, after

    async def append(self, rows: list[Row]) -> None:
        fails, self.failures = self.failures > 0, self.failures - 1
        if not fails or self._after:
            await self._archive.append(rows)
        if fails:
            raise Unavailable("the archive is away")


@pytest.mark.parametrize("after", [False, True])
async def test_a_batch_that_comes_again_is_there_once(
    services: Embedded, archive: Archive, ann: Person, *, after: bool
) -> None:
    """Whether the archive failed before or after it had written: nothing is missing, nothing double, and no file more."""
    place = await ann.group("G")
    for number in range(5):
        await ann.say(place, f"text {number}")
    failing = FailingArchive(archive, 2, after=after)
    archiver = Archiver(cast("Archive", failing), services.store, services.directory, every_s=0)
    records = await services.store.records(place, 0, 100)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await archiver.handle(records)
    await archiver.handle(records)
    await archiver.handle(records)
    assert await texts(archive, place) == [f"text {number}" for number in range(5)]
    assert list((await archive.days()).values()) == [1]


async def test_a_batch_over_midnight_goes_into_two_days(
    services: Embedded, clock: ShiftedClock, archive: Archive, ann: Person
) -> None:
    """Each entry by the day on which it was stored, in UTC."""
    place = await ann.group("G")
    await ann.say(place, "today")
    clock.ahead_s = 24 * 3600.0
    said = AppendRequest(
        kind="message", conversation_id=place, actor_id=ann.user_id, op_id=services.clock.new_id(), body="tomorrow"
    )
    await services.ingest.submit(said)
    archiver = Archiver(archive, services.store, services.directory, every_s=0)
    await archiver.handle(await services.store.records(place, 0, 100))
    assert list((await archive.days()).values()) == [1, 1]


async def test_the_running_chat_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own consumer writes, and its own worker makes what people ask for."""
    monkeypatch.setattr(removing, "EVERY_S", 0.01)
    async with run_chat(tmp_path, archive_every_s=0) as chat:
        (ann,) = await chat.users("ann")
        place = await chat.conversation(ann)
        await chat.say(place, ann, "hello")
        services = chat.services
        await services.directory.privacy.request_export(ann.user_id, ann.user_id)

        async def is_done() -> bool:
            assert services.archive is not None
            return (
                await texts(services.archive, place) == ["hello"]
                and not await services.directory.privacy.open_exports()
            )

        await wait_until(is_done)
