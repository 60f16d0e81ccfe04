"""What every message store promises. The same tests run over each adapter."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nottermost_chat.adapters.postgres_store import PostgresStore
from nottermost_chat.adapters.sqlite_store import SqliteStore
from nottermost_chat.clock import Clock
from nottermost_chat.directory.server import Server
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import Entry, EntryKind, Head, LogRecord, Message, Role
from nottermost_chat.ports import AppendRefused, MessageStore, RepublishNote
from nottermost_chat.testing.batches import START_MS, Draft, message_id_of
from nottermost_chat.testing.databases import USER, empty_store_database, make_database
from nottermost_chat.testing.servers import Address
from nottermost_chat.testing.tables import Names, make_tables, open_dynamo_store

LONG = "long text " * 1000
OpenStore = Callable[[], Awaitable[Any]]


def open_sqlite(_request: pytest.FixtureRequest, folder: Path) -> OpenStore:
    async def opened() -> SqliteStore:
        return SqliteStore.open(folder / "store.db")

    return opened


@pytest.fixture(scope="session")
def store_database(postgres: Address) -> Iterator[Server]:
    """A database with the schema of the message store."""
    with make_database(postgres, "store") as name:
        yield Server(host=postgres.authority, database=name, user=USER)


def open_postgres(request: pytest.FixtureRequest, _folder: Path) -> OpenStore:
    server: Server = request.getfixturevalue("store_database")
    empty_store_database(request.getfixturevalue("postgres"), server.database)
    return lambda: PostgresStore.open(server, Metrics(), time.monotonic)


@pytest.fixture
def store_tables(dynamodb: Address) -> Iterator[Names]:
    with make_tables(dynamodb) as names:
        yield names


def open_dynamodb(request: pytest.FixtureRequest, _folder: Path) -> OpenStore:
    names: Names = request.getfixturevalue("store_tables")
    return lambda: open_dynamo_store(names)


OPENERS = {"sqlite": open_sqlite, "postgres": open_postgres, "dynamodb": open_dynamodb}


@pytest.fixture(params=OPENERS)
async def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenStore]:
    """Opens a further instance over the same data; what is open at the end is closed."""
    open_one = OPENERS[request.param](request, tmp_path)
    async with contextlib.AsyncExitStack() as stack:

        async def opened() -> Any:
            store = await open_one()
            stack.push_async_callback(store.close)
            return store

        yield opened


@pytest.fixture
async def store(open_store: OpenStore) -> MessageStore:
    store: MessageStore = await open_store()
    return store


async def head_of(store: MessageStore, conversation_id: str = "c") -> Head:
    return (await store.heads([conversation_id])).get(conversation_id, Head(conversation_id))


async def draft(store: MessageStore, *conversation_ids: str, actor_id: str = "ann") -> Draft:
    """A draft on top of these conversations' heads."""
    return Draft(*[await head_of(store, key) for key in conversation_ids or ("c",)], actor_id=actor_id)


async def say(store: MessageStore, op_id: str, body: str = "", conversation_id: str = "c", **detail: Any) -> Entry:
    """Append one message."""
    one = await draft(store, conversation_id)
    entry = one.say(conversation_id, op_id, body or f"body of {op_id}", **detail)
    await store.append(one.batch)
    return entry


async def message(store: MessageStore, entry: Entry) -> Message:
    return (await store.messages(entry.conversation_id, [entry.message_id]))[entry.message_id]


async def texts(store: MessageStore, **page: Any) -> list[str | None]:
    return [one.text for one in await store.history("c", limit=200, **page)]


# --- append -----------------------------------------------------------------------------------


async def test_a_batch_is_visible_as_a_whole_when_append_returns(store: MessageStore) -> None:
    """Entries, heads, counters and texts of several conversations appear together, in the batch's order."""
    one = await draft(store, "a", "b")
    first = one.say("a", "1", "hello", mention_channel=True)
    second = one.say("b", "2", "there")
    third = one.react(first, "3", "👍")
    positions = await store.append(one.batch)
    assert positions == sorted(positions)
    assert len(set(positions)) == 3 or positions == [0, 0, 0]  # the log is the store's own, or is not
    assert await store.entries("a", 0, 10) == [first, third]
    assert await store.entries("b", 0, 10) == [second]
    heads = await store.heads(["a", "b", "nowhere"])
    assert {key: (head.seq, head.messages, head.channel_mentions) for key, head in heads.items()} == {
        "a": (2, 1, 1),
        "b": (1, 1, 0),
    }
    assert (await message(store, first)).text == "hello"


@pytest.mark.parametrize("why", ["lost head", "repeat", "stale target"])
async def test_a_refused_batch_leaves_nothing_behind(store: MessageStore, why: str) -> None:
    """No entry, text, head or target of a refused batch is visible, whatever refused it."""
    target = await say(store, "old", "as it was", "a")
    one = await draft(store, "a", "b", actor_id="ann")
    one.edit(target, "edit", "as it shall be")
    new = one.say("b", "fresh", "never seen")
    if why == "lost head":
        await say(store, "between", conversation_id="b")
    elif why == "stale target":
        one.edit(target, "edit-again", "from a version that is not there", version=5)
    else:
        one.say("a", "old", "a repeat")
    heads = await store.heads(["a", "b"])
    with pytest.raises(AppendRefused):
        await store.append(one.batch)
    assert await store.heads(["a", "b"]) == heads
    assert [entry.op_id for entry in await store.entries("a", 0, 10)] == ["old"]
    assert await store.messages("b", [new.message_id]) == {}
    assert (await message(store, target)).text == "as it was"
    assert (await message(store, target)).version == 1


async def test_a_lost_head_is_named(store: MessageStore) -> None:
    """Of two drafts on one head the second is refused, naming the conversation."""
    early, late = await draft(store), await draft(store)
    early.say("c", "1", "first")
    late.say("c", "2", "second")
    await store.append(early.batch)
    with pytest.raises(AppendRefused) as refused:
        await store.append(late.batch)
    assert (refused.value.lost, refused.value.repeats, refused.value.stale) == (("c",), {}, ())


async def test_a_repeat_is_named_with_what_is_stored(store: MessageStore) -> None:
    """A repeat comes back with its entry and fingerprint; what is new in the batch is not taken for one."""
    first = await say(store, "1", "hello")
    one = await draft(store)
    one.say("c", "2", "new")
    one.say("c", "1", "hello")
    with pytest.raises(AppendRefused) as refused:
        await store.append(one.batch)
    assert list(refused.value.repeats) == [("c", "ann", "1")]
    assert refused.value.repeats["c", "ann", "1"].entry == first
    assert refused.value.lost == ()


async def test_a_repeat_on_a_lost_head_is_named_with_both_reasons(store: MessageStore) -> None:
    """Ingest learns in one refusal that the operation is stored and that its head is old."""
    one = await draft(store)
    one.say("c", "1", "hello")
    await store.append(one.batch)
    with pytest.raises(AppendRefused) as refused:
        await store.append(one.batch)
    assert refused.value.lost == ("c",)
    assert list(refused.value.repeats) == [("c", "ann", "1")]


async def test_a_stale_target_is_named(store: MessageStore) -> None:
    """An edit of a version that is gone, and of a deleted message, is refused with the target's id."""
    target = await say(store, "1")
    one = await draft(store)
    one.delete(target, "2")
    await store.append(one.batch)
    for version in (2, 3):
        two = await draft(store)
        two.edit(target, f"edit-{version}", "too late", version=version)
        with pytest.raises(AppendRefused) as refused:
            await store.append(two.batch)
        assert refused.value.stale == (target.message_id,)


async def test_a_key_twice_in_one_batch_is_not_told_as_stored(store: MessageStore) -> None:
    """What a failing batch itself wrote is undone, so it is never reported as a repeat."""
    one = await draft(store)
    one.say("c", "1", "hello")
    two = await draft(store)
    two.say("c", "2", "other")
    two.say("c", "2", "other")
    with pytest.raises(Exception) as raised:  # noqa: PT011 - a bug of the caller: which error is the adapter's business
        await store.append(two.batch)
    assert not (isinstance(raised.value, AppendRefused) and raised.value.repeats)
    assert await store.heads(["c"]) == {}
    await store.append(one.batch)


async def test_an_operation_is_stored_once_also_after_reopening(open_store: OpenStore) -> None:
    """The same key is refused by an instance that was opened later, with the first result."""
    first_store = await open_store()
    first = await say(first_store, "1", "hello")
    await first_store.close()
    reopened = await open_store()
    assert (await reopened.stored([("c", "ann", "1"), ("c", "bob", "1")])).keys() == {("c", "ann", "1")}
    with pytest.raises(AppendRefused) as refused:
        await say(reopened, "1", "hello")
    assert refused.value.repeats["c", "ann", "1"].entry == first


async def test_one_id_belongs_to_one_sender_and_conversation(store: MessageStore) -> None:
    """The same client_msg_id of another sender or in another conversation is another operation."""
    await say(store, "1", conversation_id="a")
    one = await draft(store, "b")
    one.react(await say(store, "1b", conversation_id="b"), "unused", "👍")
    two = await draft(store, "a", actor_id="bob")
    two.react((await store.entries("a", 0, 1))[0], "1", "👍")
    await store.append(two.batch)
    found = await store.stored([("a", "ann", "1"), ("a", "bob", "1"), ("b", "ann", "1")])
    assert {key: one.entry.kind for key, one in found.items()} == {
        ("a", "ann", "1"): EntryKind.MESSAGE,
        ("a", "bob", "1"): EntryKind.REACTION,
    }


# --- two writers ------------------------------------------------------------------------------

Step = tuple[int, tuple[int, ...]]  # writer, and the conversation of each entry of its batch
STEPS = st.lists(
    st.tuples(st.integers(0, 1), st.lists(st.integers(0, 1), min_size=1, max_size=4).map(tuple)), max_size=12
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_two_writers_make_one_gapless_log(open_store: OpenStore, steps: list[Step]) -> None:
    """Whatever two instances append at the same time, seqs are 1..n in each conversation and nothing is lost."""
    writers = [await open_store(), await open_store()]
    names = [Clock().new_id(), Clock().new_id()]
    acknowledged: dict[str, list[str]] = {name: [] for name in names}
    refusals: list[AppendRefused] = []

    async def write(number: int) -> None:
        for index, (writer, conversations) in enumerate(steps):
            if writer != number:
                continue
            keys = [
                (names[conversation], f"{number}.{index}.{place}") for place, conversation in enumerate(conversations)
            ]
            while True:  # as ingest does: read the heads again and try again
                one = await draft(writers[number], *sorted({name for name, _ in keys}))
                entries = [one.say(name, f"{name}.{op_id}", op_id) for name, op_id in keys]
                try:
                    await writers[number].append(one.batch)
                except AppendRefused as refused:
                    refusals.append(refused)
                else:
                    break
            for entry in entries:
                acknowledged[entry.conversation_id].append(entry.op_id)

    await asyncio.gather(write(0), write(1))
    assert all(refused.lost and not refused.repeats for refused in refusals)
    for name in names:
        for reader in writers:
            entries = await reader.entries(name, 0, 1000)
            assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
            assert [entry.messages for entry in entries] == [entry.seq for entry in entries]
            assert sorted(entry.op_id for entry in entries) == sorted(acknowledged[name])
            assert (await head_of(reader, name)).seq == len(entries)
    for writer in writers:
        await writer.close()


# --- reading ----------------------------------------------------------------------------------


async def test_history_goes_forward_and_backward(store: MessageStore) -> None:
    """Pages are in order of seq, from after a place or before it; without a place, the newest; never below the floor."""
    for number in range(1, 8):
        await say(store, str(number), f"m{number}")
    assert await texts(store, after_seq=0) == [f"m{number}" for number in range(1, 8)]
    forward = await store.history("c", limit=2, after_seq=3)
    assert [one.text for one in forward] == ["m4", "m5"]
    backward = await store.history("c", limit=2, before_seq=4)
    assert [one.text for one in backward] == ["m2", "m3"]
    newest = await store.history("c", limit=3)
    assert [one.text for one in newest] == ["m5", "m6", "m7"]
    assert await texts(store, floor_seq=5) == ["m6", "m7"]
    assert await texts(store, after_seq=0, floor_seq=6) == ["m7"]
    assert await store.history("nowhere", limit=5) == []


async def test_threads_are_read_apart(store: MessageStore) -> None:
    """A thread is its root and replies; `roots_only` leaves out replies that are not broadcast; the root counts them."""
    root = await say(store, "root", "root")
    await say(store, "aside", "aside")
    await say(store, "r1", "reply", thread_id=root.message_id)
    last = await say(store, "r2", "reply to all", thread_id=root.message_id, broadcast=True)
    assert await texts(store, thread_id=root.message_id) == ["root", "reply", "reply to all"]
    assert await texts(store, roots_only=True) == ["root", "aside", "reply to all"]
    shown = await message(store, root)
    assert (shown.reply_count, shown.last_reply_at) == (2, last.created_at)


async def test_a_thread_of_another_conversation_shows_nothing(store: MessageStore) -> None:
    """Asked for a thread that is elsewhere, a conversation does not answer with messages of the same seqs."""
    root = await say(store, "root", "root", conversation_id="other")
    await say(store, "reply", "reply", conversation_id="other", thread_id=root.message_id)
    await say(store, "mine", "mine")
    await say(store, "mine too", "mine too")
    assert await texts(store, thread_id=root.message_id) == []


async def test_entries_of_every_kind_are_read_in_order(store: MessageStore) -> None:
    """`entries` pages through all kinds by seq."""
    one = await draft(store)
    joined = one.change("c", "0", [("ann", Role.ADMIN), ("bob", Role.MEMBER)])
    said = one.say("c", "1", "hello")
    await store.append(one.batch)
    two = await draft(store)
    edited = two.edit(said, "2", "hullo")
    await store.append(two.batch)
    assert await store.entries("c", 0, 2) == [joined, said]
    assert await store.entries("c", 2, 2) == [edited]
    assert (await head_of(store)).members_seq == 1


async def test_records_are_the_entries_as_the_log_carries_them(store: MessageStore) -> None:
    """Paged by seq as `entries`: with the text of now, whether it was silent, and no place in the log yet."""
    said = await say(store, "1", "before")
    one = Draft(await head_of(store), silent=True)
    edited = one.edit(said, "2", "after")
    gone = one.say("c", "3", "gone")
    await store.append(one.batch)
    two = await draft(store, "c", "d")
    deleted = two.delete(gone, "4")
    two.say("d", "5", "elsewhere")
    await store.append(two.batch)
    records = [
        LogRecord(said, preview="after"),
        LogRecord(edited, preview="after", silent=True),
        LogRecord(gone, silent=True),
        LogRecord(deleted),
    ]
    assert await store.records("c", 0, 3) == records[:3]
    assert await store.records("c", 3, 3) == records[3:]
    assert await store.records("nowhere", 0, 3) == []


async def test_previews_and_whole_bodies(store: MessageStore) -> None:
    """Pages carry previews and say whether there is more; the whole body comes on request."""
    short, middle = await say(store, "1", "short"), await say(store, "2", "m" * 300)
    assert ((await message(store, short)).text, (await message(store, short)).has_more) == ("short", False)
    shown = await message(store, middle)
    assert (shown.text, shown.has_more) == ("m" * 200, True)
    full = await store.full_message("c", middle.message_id)
    assert full is not None
    assert full.text == "m" * 300
    assert await store.full_message("c", "unknown") is None
    assert await store.full_message("elsewhere", middle.message_id) is None


async def test_seq_at_finds_the_first_entry_of_a_time(store: MessageStore) -> None:
    """The first entry at or after a time; one past the head when there is none."""
    entries = [await say(store, str(number)) for number in range(5)]
    for entry in entries:
        assert await store.seq_at("c", entry.created_at) == entry.seq
    assert await store.seq_at("c", 0) == 1
    assert await store.seq_at("c", entries[-1].created_at + 1) == 6
    assert await store.seq_at("nowhere", START_MS) == 1


async def test_last_messages_pass_over_what_is_deleted(store: MessageStore) -> None:
    """The newest message of each conversation that still shows."""
    kept, gone = await say(store, "1", "kept"), await say(store, "2", "gone")
    alone = await say(store, "3", "alone", conversation_id="d")
    one = await draft(store, "c", "d")
    one.delete(gone, "4")
    one.delete(alone, "5")
    await store.append(one.batch)
    last = await store.last_messages(["c", "d", "nowhere"])
    assert {key: shown.entry for key, shown in last.items()} == {"c": kept}
    assert last["c"].text == "kept"


# --- changes of a message ---------------------------------------------------------------------


async def every_reading(store: MessageStore, entry: Entry) -> set[str | None]:
    """The text of a message through every read there is."""
    key = entry.message_id
    full = await store.full_message("c", key)
    history = {one.entry.message_id: one for one in await store.history("c", limit=200)}
    thread = {one.entry.message_id: one for one in await store.history("c", limit=200, thread_id=key)}
    last = {one.entry.message_id: one for one in (await store.last_messages(["c"])).values()}
    shown = [full, history.get(key), thread.get(key), (await store.messages("c", [key])).get(key), last.get(key)]
    return {one.text for one in shown if one is not None}


async def test_an_edit_replaces_the_text_everywhere(store: MessageStore) -> None:
    """After an edit every read shows the new text, its version, when and at which seq it changed."""
    entry = await say(store, "1", "before")
    one = await draft(store)
    edited = one.edit(entry, "2", "after")
    await store.append(one.batch)
    assert await every_reading(store, entry) == {"after"}
    shown = await message(store, entry)
    assert (shown.version, shown.changed_seq, shown.edited_at) == (2, edited.seq, edited.created_at)


async def test_a_delete_hides_and_a_restore_shows_again(store: MessageStore) -> None:
    """A deleted message keeps its place without text and reactions; restored it is as it was."""
    entry = await say(store, "1", "text")
    one = await draft(store)
    one.react(entry, "2", "👍")
    await store.append(one.batch)
    before = await message(store, entry)
    two = await draft(store)
    deleted = two.delete(entry, "3")
    await store.append(two.batch)
    assert await every_reading(store, entry) == {None}
    hidden = await message(store, entry)
    assert (hidden.deleted_at, hidden.reactions, hidden.changed_seq) == (deleted.created_at, (), deleted.seq)
    assert await store.deleted_before(deleted.created_at + 1, 10) == [entry]
    assert await store.deleted_before(deleted.created_at, 10) == []
    three = await draft(store)
    three.delete(entry, "4", restore=True)
    await store.append(three.batch)
    assert await every_reading(store, entry) == {"text"}
    restored = await message(store, entry)
    assert (restored.deleted_at, restored.reactions) == (None, before.reactions)
    assert await store.deleted_before(deleted.created_at + 1000, 10) == []


async def test_a_redacted_message_cannot_come_back(store: MessageStore) -> None:
    """Redacted: no text, no reactions, no fingerprint, and neither edit nor restore is accepted."""
    entry = await say(store, "1", "secret")
    for step in ("delete", "redact"):
        one = await draft(store)
        one.delete(entry, step) if step == "delete" else one.redact(entry, step)
        await store.append(one.batch)
    shown = await message(store, entry)
    assert (shown.text, shown.redacted, shown.reactions) == (None, True, ())
    assert await every_reading(store, entry) == {None}
    assert (await store.stored([("c", "ann", "1")]))["c", "ann", "1"].fingerprint == b""
    assert await store.deleted_before(2 * START_MS, 10) == []
    two = await draft(store)
    two.delete(entry, "restore", restore=True)
    with pytest.raises(AppendRefused):
        await store.append(two.batch)


async def test_reactions_are_listed_by_who_came_first(store: MessageStore) -> None:
    """Setting twice is once; taking back removes only one's own."""
    entry = await say(store, "1")
    steps = [("bob", "👍", True), ("ann", "👍", True), ("bob", "👍", True), ("ann", "🎉", True), ("ann", "👍", False)]
    for number, (user, emoji, on) in enumerate(steps):
        one = await draft(store, actor_id=user)
        one.react(entry, f"r{number}", emoji, on=on)
        await store.append(one.batch)
    shown = await message(store, entry)
    assert {one.emoji: one.user_ids for one in shown.reactions} == {"👍": ("bob",), "🎉": ("ann",)}


# --- long texts -------------------------------------------------------------------------------


async def test_a_long_text_is_written_first_and_read_through_its_entry(store: MessageStore) -> None:
    """Until an entry refers to it a long text shows nowhere; afterwards the body is whole."""
    await store.put_text(message_id_of("1"), 1, LONG)
    await store.put_text(message_id_of("1"), 1, LONG)
    assert await store.full_message("c", message_id_of("1")) is None
    entry = await say(store, "1", LONG, inline=False)
    assert (await message(store, entry)).text == LONG[:200]
    full = await store.full_message("c", entry.message_id)
    assert full is not None
    assert full.text == LONG
    await store.put_text(entry.message_id, 2, LONG + "edited")
    one = await draft(store)
    one.edit(entry, "2", LONG + "edited", inline=False)
    await store.append(one.batch)
    full = await store.full_message("c", entry.message_id)
    assert full is not None
    assert full.text == LONG + "edited"


async def test_a_text_in_use_is_never_overwritten(store: MessageStore) -> None:
    """A late `put_text` of somebody who lost the race leaves the body that an entry refers to as it is."""
    await store.put_text(message_id_of("1"), 1, LONG)
    entry = await say(store, "1", LONG, inline=False)
    await store.put_text(entry.message_id, 1, "from elsewhere")
    full = await store.full_message("c", entry.message_id)
    assert full is not None
    assert full.text == LONG


async def test_unreferenced_long_texts_are_collected(store: MessageStore) -> None:
    """Only texts that no entry refers to, and that are older than asked for."""
    await store.put_text(message_id_of("1"), 1, LONG)
    await store.put_text("never sent", 1, LONG)
    entry = await say(store, "1", LONG, inline=False)
    assert await store.collect_texts(START_MS) == 0
    assert await store.collect_texts(Clock().now_ms() + 1000) == 1
    assert await store.collect_texts(Clock().now_ms() + 1000) == 0
    full = await store.full_message("c", entry.message_id)
    assert full is not None
    assert full.text == LONG


# --- retention and republishing ---------------------------------------------------------------


async def test_trim_removes_what_is_old_and_keeps_the_head(store: MessageStore) -> None:
    """Entries at or below the floor are gone with their texts; the rest, the head and later appends stay right."""
    entries = [await say(store, str(number), f"m{number}") for number in range(1, 6)]
    await store.trim("c", 3)
    head = await head_of(store)
    assert (head.seq, head.floor_seq, head.messages) == (5, 3, 5)
    assert [entry.seq for entry in await store.entries("c", 0, 10)] == [4, 5]
    assert await store.messages("c", [entries[0].message_id]) == {}
    assert await store.seq_at("c", 0) <= 4
    await store.trim("c", 1)
    assert (await head_of(store)).floor_seq == 3
    assert (await say(store, "6")).seq == 6
    await store.trim("c", 100)
    assert (await head_of(store)).seq == 6
    assert (await say(store, "7")).seq == 7
    assert await store.trim("nowhere", 5)
    assert await store.half_trimmed(["c", "nowhere"]) == frozenset()


CHANGES: dict[str, Callable[[Draft, Entry], Entry]] = {
    "edit": lambda one, entry: one.edit(entry, "x", "other"),
    "delete": lambda one, entry: one.delete(entry, "x"),
    "redact": lambda one, entry: one.redact(entry, "x", deleted=False),
    "react": lambda one, entry: one.react(entry, "x", "👍"),
}


@pytest.mark.parametrize("how", CHANGES)
async def test_trim_takes_nothing_that_was_changed_since_it_was_seen(store: MessageStore, how: str) -> None:
    """Whoever trims has seen the log so far; of what a later entry acts on nothing goes until that was seen, too."""
    first, second = await say(store, "1", "hello"), await say(store, "2")
    one = await draft(store)
    CHANGES[how](one, first)
    await store.append(one.batch)
    before = await message(store, first)
    assert not await store.trim("c", 1, seen_seq=second.seq)
    assert await message(store, first) == before
    assert (await head_of(store)).floor_seq == 0
    one = await draft(store)
    later = one.react(second, "4", "👍")  # about one that stays
    await store.append(one.batch)
    assert await store.trim("c", 1, seen_seq=later.seq - 1)
    assert await store.messages("c", [first.message_id]) == {}
    assert [entry.seq for entry in await store.entries("c", 0, 10)] == [2, 3, 4]


async def test_an_append_does_not_lower_the_floor(store: MessageStore) -> None:
    """Ingest appends on top of the head that it knows, which may be from before a trim."""
    for number in range(1, 4):
        await say(store, str(number))
    one = await draft(store)
    one.say("c", "4", "hello")
    await store.trim("c", 2)
    await store.append(one.batch)
    assert (await head_of(store)).floor_seq == 2


def note(conversation_id: str, from_seq: int, *, owner: str = "one", at: int = START_MS) -> RepublishNote:
    return RepublishNote(conversation_id, owner, from_seq, at)


async def notes_of(
    store: MessageStore, owner: str, *, abandoned_before: int = 0, limit: int = 10
) -> set[RepublishNote]:
    return set(await store.republish_notes(owner, abandoned_before=abandoned_before, limit=limit))


async def test_republish_notes_keep_the_lowest_seq_and_the_latest_time(open_store: OpenStore) -> None:
    """Notes are durable; the lowest seq of a conversation counts; only a note that is as it was read is cleared."""
    store: MessageStore = await open_store()
    await store.note_republish([note("c", 5), note("d", 1)])
    await store.note_republish([note("c", 7, at=START_MS + 1)])
    assert await notes_of(store, "one") == {note("c", 5, at=START_MS + 1), note("d", 1)}
    assert len(await notes_of(store, "one", limit=1)) == 1
    await store.note_republish([note("c", 3)])
    await store.clear_republish(note("c", 5, at=START_MS + 1))
    await store.clear_republish(note("c", 3))
    await store.clear_republish(note("d", 1))
    again: MessageStore = await open_store()
    left = note("c", 3, at=START_MS + 1)
    assert await notes_of(again, "one") == {left}
    await again.clear_republish(left)
    assert await notes_of(again, "one") == set()


async def test_republish_notes_belong_to_their_owner_until_they_are_abandoned(store: MessageStore) -> None:
    """Each ingest sees its own notes, and others' only when they were not renewed; clearing one leaves the others."""
    await store.note_republish([note("c", 5), note("c", 4, owner="two", at=START_MS + 9)])
    assert await notes_of(store, "one") == {note("c", 5)}
    assert await notes_of(store, "three") == set()
    assert await notes_of(store, "three", abandoned_before=START_MS + 1) == {note("c", 5)}
    assert await notes_of(store, "one", abandoned_before=START_MS + 10) == {
        note("c", 5),
        note("c", 4, owner="two", at=START_MS + 9),
    }
    await store.clear_republish(note("c", 5))
    assert await notes_of(store, "two") == {note("c", 4, owner="two", at=START_MS + 9)}
