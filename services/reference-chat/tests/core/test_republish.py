"""Whatever the log did not confirm is noted from its first entry on, and published once it is back."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

import pytest

from nottermost_chat.errors import BadRequest
from nottermost_chat.ingest import republish
from nottermost_chat.model import LogRecord
from nottermost_chat.ports import EventLog, MessageStore
from nottermost_chat.testing.ingesting import ListLog, Writing, open_writing
from nottermost_chat.testing.running import wait_until


class GatedLog(ListLog):
    """Waits with records of `held` until `gate` is set, and then says that it is away if it is by then."""

    def __init__(self) -> None:
        super().__init__()
        self.held, self.gate = "", asyncio.Event()
        self.waiting = asyncio.Event()

    async def publish(self, records: Sequence[LogRecord]) -> None:
        if any(record.entry.conversation_id == self.held for record in records) and not self.gate.is_set():
            self.waiting.set()
            await self.gate.wait()
        await super().publish(records)


@pytest.fixture
def log() -> GatedLog:
    return GatedLog()


@pytest.fixture
async def writing(tmp_path: Path, log: GatedLog, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Writing]:
    monkeypatch.setattr(republish, "RETRY_S", 0.01)
    async with open_writing(tmp_path, log=cast("EventLog", log)) as writing:
        yield writing


async def notes(store: MessageStore) -> dict[str, int]:
    found = await store.republish_notes("", abandoned_before=2**62, limit=100)
    return {note.conversation_id: note.from_seq for note in found}


async def is_over(writing: Writing) -> bool:
    return not await notes(writing.store)


async def test_a_group_is_noted_from_its_first_entry_on(writing: Writing, log: GatedLog) -> None:
    """Three messages of one conversation in one group, after the log went away: all of them come when it is back."""
    (ann,) = await writing.users("ann")
    other, place = [await writing.conversation(ann) for _ in range(2)]
    log.mode = "down"
    await writing.say(other, ann)
    await asyncio.gather(*(writing.say(place, ann) for _ in range(3)))
    assert (await notes(writing.store))[place] == 2
    log.mode = "up"
    await wait_until(lambda: is_over(writing))
    assert log.seqs(place) == [1, 2, 3, 4]


async def test_a_publication_that_fails_late_lowers_the_note(writing: Writing, log: GatedLog) -> None:
    """Message 2 waits for the log, which goes away meanwhile; 3 is noted first, then 2 fails: both come."""
    (ann,) = await writing.users("ann")
    other, place = [await writing.conversation(ann) for _ in range(2)]
    log.held = place
    late = asyncio.create_task(writing.say(place, ann))
    await log.waiting.wait()
    log.mode = "down"
    await writing.say(other, ann)
    log.held = ""
    await writing.say(place, ann)
    assert (await notes(writing.store))[place] == 3
    log.gate.set()
    await late
    assert (await notes(writing.store))[place] == 2
    log.mode = "up"
    await wait_until(lambda: is_over(writing))
    assert log.seqs(place) == [1, 2, 3]


async def test_sends_need_no_notes_once_the_log_answers(writing: Writing, log: GatedLog) -> None:
    """While one conversation is still published again, others are published at once: notes end under any load."""
    (ann,) = await writing.users("ann")
    slow, quick = [await writing.conversation(ann) for _ in range(2)]
    log.mode, log.held = "down", slow
    log.gate.set()
    await asyncio.gather(writing.say(slow, ann), writing.say(quick, ann))
    log.gate.clear()
    log.mode = "up"

    async def is_quick_there() -> bool:
        return log.seqs(quick) == [1, 2] and quick not in await notes(writing.store)

    await wait_until(is_quick_there)
    await log.waiting.wait()
    await writing.say(quick, ann)
    assert log.seqs(quick) == [1, 2, 3]
    assert (await notes(writing.store)).keys() == {slow}
    log.gate.set()
    await wait_until(lambda: is_over(writing))
    assert log.seqs(slow) == [1, 2]


class OneBadConversation:
    """A message store that cannot give the records of one conversation."""

    def __init__(self, store: MessageStore) -> None:
        self._store, self.limits, self.bad = store, store.limits, ""

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def records(self, conversation_id: str, after_seq: int, limit: int) -> list[LogRecord]:
        if conversation_id == self.bad:
            raise BadRequest("these cannot be read")
        return await self._store.records(conversation_id, after_seq, limit)


async def test_one_that_cannot_be_read_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However its note sorts among those of the others."""
    monkeypatch.setattr(republish, "RETRY_S", 0.01)
    monkeypatch.setattr(republish, "AT_ONCE", 1)
    log = ListLog()
    async with open_writing(tmp_path) as below:
        store = OneBadConversation(below.store)
        async with open_writing(
            tmp_path, directory=below.directory, store=cast("MessageStore", store), log=cast("EventLog", log)
        ) as writing:
            (ann,) = await writing.users("ann")
            places = sorted([await writing.conversation(ann) for _ in range(3)])
            log.mode, store.bad = "down", places[1]
            for place in places:
                await writing.say(place, ann)
            log.mode = "up"

            async def are_the_others_there() -> bool:
                return (await notes(below.store)).keys() == {places[1]}

            await wait_until(are_the_others_there)
            assert [log.seqs(place) for place in places] == [[1, 2], [1], [1, 2]]
