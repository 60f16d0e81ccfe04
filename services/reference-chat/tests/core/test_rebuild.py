"""The search index and what consumers made are rebuilt while everything goes on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nottermost_chat import rebuild
from nottermost_chat.adapters import kafka_consumer, kafka_log
from nottermost_chat.adapters.fts_search import FtsSearchIndex
from nottermost_chat.adapters.kafka_client import Brokers, create_topics, delete_topics
from nottermost_chat.adapters.kafka_log import KafkaLog
from nottermost_chat.adapters.opensearch_index import OpenSearchIndex, open_client
from nottermost_chat.adapters.sqlite_store import SqliteStore
from nottermost_chat.adapters.store_log import StoreLog
from nottermost_chat.clock import Clock
from nottermost_chat.errors import BadRequest, Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import Entry, LogRecord, Role
from nottermost_chat.ports import SearchDocument, SearchIndex, SearchQuery, SearchRemoval, Term, version_at
from nottermost_chat.rebuild import Sources, make_handler, parse_since, reindex, replay
from nottermost_chat.resilience import POLICIES
from nottermost_chat.testing.batches import Draft
from nottermost_chat.testing.ingesting import Writing, open_writing
from nottermost_chat.testing.running import wait_until
from nottermost_chat.testing.servers import Address
from nottermost_chat.workers.indexer import Indexer

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class World:
    """A chat that writes, and what may be rebuilt from it."""

    sources: Sources
    writing: Writing

    async def found(self, word: str, *places: str) -> set[str]:
        """Ids of the messages in which a word begins so."""
        query = SearchQuery(readable=dict.fromkeys(places, 0), terms=(Term(word, prefix=True),), limit=1000)
        return {hit.message_id for hit in (await self.sources.search.search(query)).hits}

    @asynccontextmanager
    async def indexing(self) -> AsyncIterator[None]:
        """The indexer works beside the body; when that ends it has caught up."""
        indexer = Indexer(self.sources.store, self.sources.directory, self.sources.search, rest_share=0)
        task = asyncio.create_task(self.sources.log.consume(indexer.group, indexer.handle))
        try:
            yield
            await self.is_indexed()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def is_indexed(self) -> None:
        async def has_no_lag() -> bool:
            return not await self.sources.log.lag(Indexer.group)

        await wait_until(has_no_lag)


class BetweenReadAndWrite:
    """The search index as a rebuild sees it: something happens after it has read, before it writes."""

    def __init__(self, index: SearchIndex, happens: Any) -> None:
        self._index, self._happens = index, happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    async def apply(self, upserts: Sequence[SearchDocument], removals: Sequence[SearchRemoval]) -> None:
        await self._happens(upserts)
        await self._index.apply(upserts, removals)


@pytest.fixture(params=["embedded", "servers"])
async def world(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    """Over one folder, or with Kafka and OpenSearch."""
    monkeypatch.setattr(rebuild, "MESSAGES_PAGE", 7)
    monkeypatch.setattr(rebuild, "CONVERSATIONS_PAGE", 2)
    monkeypatch.setattr(rebuild, "DOCUMENTS_MAX", 10)
    clock, metrics = Clock(), Metrics()
    async with AsyncExitStack() as stack:
        store = SqliteStore.open(tmp_path / "store-of-all.db")
        stack.push_async_callback(store.close)
        if request.param == "embedded":
            index: Any = FtsSearchIndex(tmp_path / "search.db")
            log: Any = StoreLog(store, metrics, clock.monotonic)
        else:
            kafka, opensearch = (request.getfixturevalue(name) for name in ("kafka", "opensearch"))
            log = await stack.enter_async_context(on_kafka(kafka, store, monkeypatch))
            index = await stack.enter_async_context(on_opensearch(opensearch))
        stack.push_async_callback(index.close)
        writing = await stack.enter_async_context(open_writing(tmp_path, store=store, log=log, clock=clock))
        yield World(sources=Sources(store=store, directory=writing.directory, search=index, log=log), writing=writing)


@asynccontextmanager
async def on_kafka(kafka: Address, store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KafkaLog]:
    monkeypatch.setattr(kafka_consumer, "COMMIT_MS", 50)  # the tests wait for commits
    monkeypatch.setattr(kafka_log, "CONFIRM_S", 10.0)  # a busy machine is slow, not away
    monkeypatch.setitem(POLICIES, "log", msgspec.structs.replace(POLICIES["log"], timeout_s=10.0))
    brokers = Brokers(kafka.authority, topic_prefix=f"test-{Clock().new_id()}-")
    await create_topics(brokers, replication=1, partitions=3)
    log = KafkaLog(brokers, store, Metrics(), Clock())
    try:
        yield log
    finally:
        await log.close()
        await delete_topics(brokers)


@asynccontextmanager
async def on_opensearch(opensearch: Address) -> AsyncIterator[OpenSearchIndex]:
    prefix = f"test-{Clock().new_id()}".lower()
    index = OpenSearchIndex(open_client(opensearch.url), prefix, Metrics(), Clock(), refresh=True)
    await index.set_up()
    try:
        yield index
    finally:
        async with open_client(opensearch.url) as client:
            await client.indices.delete(index=f"{prefix}-*")
            await client.indices.delete_index_template(name=f"{prefix}-*")


def of(entry: Entry, body: str) -> SearchDocument:
    return SearchDocument(entry.message_id, entry.conversation_id, entry.seq, entry.actor_id, entry.created_at, body)


async def change_text(writing: Writing, entry: SearchDocument | Entry, actor: str, body: str) -> None:
    await writing.do("edit", entry.conversation_id, actor, message_id=entry.message_id, body=body)


async def delete_message(writing: Writing, entry: SearchDocument | Entry, actor: str) -> None:
    await writing.do("delete", entry.conversation_id, actor, message_id=entry.message_id)


async def test_a_rebuild_shows_the_text_of_now(world: World) -> None:
    """What an index had wrong, or of messages that are gone, it has not any more."""
    writing = world.writing
    (ann,) = await writing.users("ann")
    places = [await writing.conversation(ann) for _ in range(5)]
    entries = [(await writing.say(place, ann, f"apple {n}")).entry for n in range(12) for place in places]
    edited, deleted, erased, long = entries[:4]
    await change_text(writing, edited, ann, "banana")
    await delete_message(writing, deleted, ann)
    await writing.do("redact", erased.conversation_id, ann, message_id=erased.message_id, trusted=True)
    await change_text(writing, long, ann, "x " * 5_000 + "cherry")
    note = (await writing.say(places[0], ann, "apple as a note", note=True, trusted=True)).entry
    invented = of(msgspec.structs.replace(entries[5], message_id=Clock().new_id()), "apple never said")
    await world.sources.search.apply([of(deleted, "apple"), of(erased, "apple"), of(edited, "apple"), invented], [])

    done = await reindex(world.sources)

    assert (done.conversations, done.messages, done.refused) == (5, len(entries) - 2, 0)
    assert await world.found("apple", *places) == {entry.message_id for entry in entries[4:]}
    assert await world.found("banana", *places) == {edited.message_id}
    assert await world.found("cherry", *places) == {long.message_id}
    assert note.message_id not in await world.found("note", *places)


async def test_what_happens_during_a_rebuild_is_right_afterwards(world: World) -> None:
    """Sent, edited and deleted after the rebuild has read it and before it writes, with the indexer there first."""
    writing = world.writing
    (ann,) = await writing.users("ann")
    places = [await writing.conversation(ann) for _ in range(3)]
    entries = [(await writing.say(place, ann, "apple")).entry for _ in range(15) for place in places]
    expected = {entry.message_id: "apple" for entry in entries}

    async def happens(upserts: Sequence[SearchDocument]) -> None:
        first, second = upserts[0], upserts[-1]
        await change_text(writing, first, ann, "banana")
        await delete_message(writing, second, ann)
        said = (await writing.say(first.conversation_id, ann, "cherry")).entry
        passed = (await writing.say(first.conversation_id, ann, "damson")).entry
        await delete_message(writing, passed, ann)
        expected.update({first.message_id: "banana", said.message_id: "cherry"})
        expected.pop(second.message_id)
        await world.is_indexed()

    search: Any = BetweenReadAndWrite(world.sources.search, happens)
    async with world.indexing():
        await reindex(replace(world.sources, search=search))
    for word in ("apple", "banana", "cherry", "damson"):
        wanted = {message_id for message_id, body in expected.items() if body == word}
        assert await world.found(word, *places) == wanted


@pytest.mark.parametrize("fails", [Unavailable("it is away"), asyncio.CancelledError()], ids=["fails", "is stopped"])
async def test_a_rebuild_that_ends_early_leaves_what_was_there(world: World, fails: BaseException) -> None:
    """Search answers as before, the next change counts, and the next rebuild succeeds."""
    writing = world.writing
    (ann,) = await writing.users("ann")
    place = await writing.conversation(ann)
    entries = [(await writing.say(place, ann, "apple")).entry for _ in range(25)]
    await world.sources.search.apply([of(entry, "apple as it was") for entry in entries], [])
    calls = 0

    async def happens(_upserts: Sequence[SearchDocument]) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise fails

    search: Any = BetweenReadAndWrite(world.sources.search, happens)
    with pytest.raises(type(fails)):
        await reindex(replace(world.sources, search=search))
    await world.sources.search.apply([], [SearchRemoval(entries[0].message_id, version_at((2, 1)))])
    assert await world.found("apple", place) == {entry.message_id for entry in entries[1:]}
    await reindex(world.sources)
    assert await world.found("apple", place) == {entry.message_id for entry in entries}


async def test_the_index_is_made_again_from_the_log(world: World) -> None:
    """Since a time, with the text of now; the indexer's own position does not move."""
    writing, sources = world.writing, world.sources
    (ann,) = await writing.users("ann")
    place = await writing.conversation(ann)
    before = (await writing.say(place, ann, "apple")).entry

    async def time_has_passed() -> bool:
        return writing.clock.now_ms() > before.created_at + 1

    await wait_until(time_has_passed)
    after = [(await writing.say(place, ann, "apple")).entry for _ in range(3)]
    await change_text(writing, after[0], ann, "banana")
    await delete_message(writing, after[1], ann)
    lag = await sources.log.lag(Indexer.group)
    since = datetime.fromtimestamp(after[0].created_at / 1000, UTC)

    done = await replay(sources, "indexer", since)

    assert done.records >= 5  # more when the log was away and some were published again
    assert done.refused == 0
    assert await world.found("apple", place) == {after[2].message_id}
    assert await world.found("banana", place) == {after[0].message_id}
    assert await sources.log.lag(Indexer.group) == lag


async def test_memberships_are_made_again_from_the_log(world: World) -> None:
    """What the directory lacks; replayed twice it is the same."""
    writing, sources = world.writing, world.sources
    ann, bob, cat = await writing.users("ann", "bob", "cat")
    place = await writing.conversation(ann)
    draft = Draft((await sources.store.heads([place]))[place], actor_id=ann)
    changes = [
        draft.change(place, "1", [(bob, Role.MEMBER), (cat, Role.MEMBER)]),
        draft.change(place, "2", [(cat, None)]),
    ]
    await sources.store.append(draft.batch)
    await sources.log.publish([LogRecord(entry) for entry in changes])
    since = datetime.fromtimestamp(changes[0].created_at / 1000, UTC)
    for _ in range(2):
        await replay(sources, "projector", since)
        assert (await sources.directory.conversations.among(place, [ann, bob, cat])).keys() == {ann, bob}


@pytest.mark.parametrize("group", ["notifier", "webhooks", "fanout", "nobody"])
def test_what_must_not_happen_twice_is_refused(group: str) -> None:
    with pytest.raises(BadRequest, match="choose one of indexer, projector"):
        make_handler(group, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("2h", NOW - timedelta(hours=2)),
        ("3d", NOW - timedelta(days=3)),
        ("2026-11-21T08:00", datetime(2026, 11, 21, 8, tzinfo=UTC)),
        ("2026-11-21T08:00+01:00", datetime(2026, 11, 21, 8, tzinfo=timezone(timedelta(hours=1)))),
    ],
)
def test_a_time_is_given_as_one_or_as_how_long_ago(text: str, at: datetime) -> None:
    assert parse_since(text, NOW) == at


def test_no_time_is_refused_with_examples() -> None:
    with pytest.raises(BadRequest, match="write 90m"):
        parse_since("yesterday", NOW)
