"""What follows the log at its own pace, when what it needs is away or large."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest

from nottermost_chat.adapters import hand_over
from nottermost_chat.adapters.store_log import StoreLog
from nottermost_chat.errors import BadRequest, Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import LogRecord, Role
from nottermost_chat.pictures import Pictures
from nottermost_chat.ports import EventLog, SearchDocument, SearchIndex, SearchRemoval
from nottermost_chat.testing.batches import Draft
from nottermost_chat.testing.ingesting import Writing, open_writing
from nottermost_chat.testing.running import wait_until
from nottermost_chat.workers.indexer import Indexer
from nottermost_chat.workers.projector import Projector


@pytest.fixture
async def writing(tmp_path: Path) -> AsyncIterator[Writing]:
    async with open_writing(tmp_path) as writing:
        yield writing


# --- indexer ----------------------------------------------------------------------------------


class Index:
    """A search index that is away at first, and that refuses one text."""

    def __init__(self, *, away: int, refuses: str) -> None:
        self._away, self._refuses = away, refuses
        self.bodies: list[str] = []

    async def apply(self, upserts: Sequence[SearchDocument], removals: Sequence[SearchRemoval]) -> None:
        if self._away:
            self._away -= 1
            raise Unavailable("the index is away")
        bodies = [document.body for document in upserts]
        if self._refuses in bodies:
            raise BadRequest("the index does not take this")
        assert not removals
        self.bodies += bodies


async def test_an_index_that_stays_away_loses_nothing(writing: Writing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Back after many attempts, it gets everything; only what it refuses is set aside."""
    monkeypatch.setattr(hand_over, "RETRY_S", 0.001)
    monkeypatch.setattr(hand_over, "RETRY_S_MAX", 0.002)
    (ann,) = await writing.users("ann")
    place = await writing.conversation(ann)
    for body in ("one", "bad", "two"):
        await writing.say(place, ann, body)
    index, metrics = Index(away=30, refuses="bad"), Metrics()
    indexer = Indexer(writing.store, writing.directory, cast("SearchIndex", index), rest_share=0)
    log: EventLog = StoreLog(writing.store, metrics, writing.clock.monotonic)
    running = asyncio.create_task(log.consume(indexer.group, indexer.handle))

    async def is_done() -> bool:
        return await log.lag(indexer.group) == 0

    await wait_until(is_done)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert index.bodies == ["one", "two"]
    assert metrics.registry.get_sample_value("chat_dead_letters_total", {"group": "indexer"}) == 1


# --- projector --------------------------------------------------------------------------------


async def test_the_projector_applies_what_a_crash_left(writing: Writing) -> None:
    """Membership entries that were stored and not applied, in order, also one that the log never carried."""
    ann, bob, cat = await writing.users("ann", "bob", "cat")
    place = await writing.conversation(ann)
    draft = Draft((await writing.store.heads([place]))[place], actor_id=ann)
    draft.change(place, "1", [(bob, Role.MEMBER), (cat, Role.MEMBER)])
    last = draft.change(place, "2", [(cat, None)])
    await writing.store.append(draft.batch)
    directory = writing.directory
    projector = Projector(directory, Pictures(directory.conversations, writing.store), pause_s=0)
    for records in ([LogRecord(last)], [LogRecord(last)]):
        await projector.handle(records)
        assert (await directory.conversations.among(place, [ann, bob, cat])).keys() == {ann, bob}


async def test_the_projector_does_not_look_at_all_members(writing: Writing, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ingest has applied costs one row, however many are in the channel."""
    ann, bob = await writing.users("ann", "bob")
    place = await writing.conversation(ann)
    pictures = Pictures(writing.directory.conversations, writing.store)
    joined = (await writing.change(place, ann, (bob, Role.MEMBER))).entry
    looks: list[str] = []
    whole = writing.directory.conversations.picture

    async def picture(conversation_id: str) -> object:
        looks.append(conversation_id)
        return await whole(conversation_id)

    monkeypatch.setattr(writing.directory.conversations, "picture", picture)
    await Projector(writing.directory, pictures, pause_s=0).handle([LogRecord(joined, large=True)])
    assert looks == []
