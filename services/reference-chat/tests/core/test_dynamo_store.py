"""What the DynamoDB store promises beyond the port: what a batch costs, what happens when answers are lost, what is erased."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nottermost_chat.adapters import dynamo_tables
from nottermost_chat.adapters.dynamo_append import LIMITS
from nottermost_chat.adapters.dynamo_store import DynamoStore
from nottermost_chat.adapters.sqlite_store import SqliteStore
from nottermost_chat.clock import Clock
from nottermost_chat.errors import Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import Entry, Head, Role
from nottermost_chat.ports import AppendRefused, MessageStore
from nottermost_chat.stack.cluster import Options
from nottermost_chat.stack.launcher import Stack
from nottermost_chat.testing.batches import START_MS, Draft, message_id_of
from nottermost_chat.testing.ingesting import open_writing
from nottermost_chat.testing.servers import Address, make_folder
from nottermost_chat.testing.tables import Names, make_tables, open_dynamo_store, plain_client
from nottermost_conventions.tables import LOG, TEXTS

SECRET = "a sentence nobody may ever find again"
LONG = "long text " * 1000
BEGUN_S = 60.0  # the first batches of a server that has just started on a busy machine
OpenHooked = Callable[[], Awaitable[DynamoStore]]


@pytest.fixture
def tables(dynamodb: Address) -> Iterator[Names]:
    with make_tables(dynamodb) as names:
        yield names


@pytest.fixture
async def store(tables: Names) -> AsyncIterator[DynamoStore]:
    store = await open_dynamo_store(tables)
    yield store
    await store.close()


@pytest.fixture
async def session() -> AioSession:
    """For hooks into calls and answers."""
    return get_session()


@pytest.fixture
async def open_hooked(tables: Names, session: AioSession) -> AsyncIterator[OpenHooked]:
    """Opens a store whose calls pass the hooks that `session` has by then."""
    async with AsyncExitStack() as stack:

        async def opened() -> DynamoStore:
            store = await DynamoStore.open(
                table_log=tables[LOG], table_texts=tables[TEXTS], metrics=Metrics(), clock=Clock(), session=session
            )
            stack.push_async_callback(store.close)
            return store

        yield opened


async def head_of(store: MessageStore, conversation_id: str = "c") -> Head:
    return (await store.heads([conversation_id])).get(conversation_id, Head(conversation_id))


async def draft(store: MessageStore, actor_id: str = "ann") -> Draft:
    return Draft(await head_of(store), actor_id=actor_id)


async def say(store: MessageStore, op_id: str, body: str = "hello", **detail: Any) -> Entry:
    one = await draft(store)
    entry = one.say("c", op_id, body, **detail)
    await store.append(one.batch)
    return entry


# --- what a batch costs -----------------------------------------------------------------------


class Units:
    """Write units of a session's transactions.

    DynamoDB Local tells them for one item of a transaction only. So each item is written once more, by itself, to
    tables of its own: it tells what that takes, and a transaction takes twice as much.
    """

    def __init__(self, session: AioSession, server: Address, names: Names, mirrors: Names) -> None:
        self._client = plain_client(server)
        self._mirrors = {names[table]: mirrors[table] for table in names}
        self.taken = 0.0
        self._seen: set[str] = set()
        session.register("before-parameter-build.dynamodb.TransactWriteItems", self._repeat)

    def _repeat(self, params: dict[str, Any], **_: Any) -> None:
        acts = {"Put": self._client.put_item, "Update": self._client.update_item, "Delete": self._client.delete_item}
        if params["ClientRequestToken"] in self._seen:  # a slow machine: the same once more
            return
        self._seen.add(params["ClientRequestToken"])
        for item in params["TransactItems"]:
            ((action, request),) = item.items()
            mirror = {"TableName": self._mirrors[request["TableName"]], "ReturnConsumedCapacity": "TOTAL"}
            self.taken += 2 * acts[action](**request | mirror)["ConsumedCapacity"]["CapacityUnits"]


@pytest.fixture
def units(session: AioSession, dynamodb: Address, tables: Names) -> Iterator[Units]:
    with make_tables(dynamodb) as mirrors:
        yield Units(session, dynamodb, tables, mirrors)


async def units_of(store: DynamoStore, units: Units, fill: Callable[[Draft], object]) -> float:
    """Write units of one append."""
    one = await draft(store)
    fill(one)
    before = units.taken
    await store.append(one.batch)
    return units.taken - before


@pytest.mark.parametrize(("messages", "expected"), [(1, 10), (10, 82), (22, 178), (24, 194)])
async def test_messages_cost_eight_units_and_a_head_two(
    open_hooked: OpenHooked, units: Units, messages: int, expected: int
) -> None:
    """What ADR 0020 says a batch costs."""
    taken = await units_of(
        await open_hooked(), units, lambda one: [one.say("c", str(number), "hello") for number in range(messages)]
    )
    assert taken == expected


async def test_other_entries_cost_what_they_change(open_hooked: OpenHooked, units: Units) -> None:
    """Each alone, its head included."""
    hooked = await open_hooked()
    root = await say(hooked, "root")
    steps: dict[str, Callable[[Draft], object]] = {
        "reply": lambda one: one.say("c", "reply", "hello", thread_id=root.message_id),
        "reaction": lambda one: one.react(root, "reaction", "👍"),
        "edit": lambda one: one.edit(root, "edit", "hullo"),
        "delete": lambda one: one.delete(root, "delete", version=2),
        "redact": lambda one: one.redact(root, "redact", version=2),
        "membership": lambda one: one.change("c", "membership", [("bob", Role.MEMBER)]),
    }
    assert {name: await units_of(hooked, units, fill) for name, fill in steps.items()} == {
        "reply": 14, "reaction": 10, "edit": 12, "delete": 10, "redact": 12, "membership": 6,
    }  # fmt: skip


async def test_the_fullest_batches_fit_a_transaction(store: DynamoStore) -> None:
    """As many entries as the limits allow, of the kinds that take most items; one more is refused as a mistake."""
    root = await say(store, "root")
    one = await draft(store)
    for number in range(LIMITS.entries):
        one.say("c", str(number), "hello")
    await store.append(one.batch)
    replies = await draft(store)
    number = 0
    while sum(LIMITS.items_of(new) for new in replies.batch.entries) + 6 <= LIMITS.items:
        number += 1
        replies.say("c", f"reply-{number}", "hello", thread_id=root.message_id)
    await store.append(replies.batch)
    (shown,) = (await store.messages("c", [root.message_id])).values()
    assert shown.reply_count == number == 16
    two = await draft(store)
    for number in range(LIMITS.entries + 1):
        two.say("c", f"too-{number}", "many")
    with pytest.raises(ValueError, match="101 items, a transaction takes 100"):
        await store.append(two.batch)


async def test_ingest_keeps_to_what_a_transaction_takes(store: DynamoStore, tmp_path: Path) -> None:
    """A crowd in several conversations, long texts, threads and edits: all is stored, in order, nothing is refused."""
    async with open_writing(tmp_path, store=store) as writing:
        ann, bob = await writing.users("ann", "bob")
        places = [await writing.conversation(ann, bob) for _ in range(2)]
        roots = {place: (await writing.say(place, ann)).entry.message_id for place in places}
        sent = await asyncio.gather(
            *(
                writing.say(place, (ann, bob)[number % 2], LONG if number % 10 == 0 else "hello",
                            thread_id=roots[place] if number % 3 == 0 else None)
                for place in places for number in range(45)
            )
        )  # fmt: skip
        await asyncio.gather(
            *(
                writing.do(
                    "edit", one.entry.conversation_id, one.entry.actor_id, message_id=one.entry.message_id, body=LONG
                )
                for one in sent[::3]
            )
        )
    for place in places:
        entries = await store.entries(place, 0, 1000)
        assert [entry.seq for entry in entries] == list(range(1, 63))
        (root,) = (await store.messages(place, [roots[place]])).values()
        assert root.reply_count == 15
    for one in sent[::30]:
        full = await store.full_message(one.entry.conversation_id, one.entry.message_id)
        assert full is not None
        assert (full.text, full.version) == (LONG, 2)


# --- the same as the other stores -------------------------------------------------------------

Act = tuple[str, int, int]  # what, on which message, by whom
ACTS = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["say", "reply", "reply", "tell", "edit", "delete", "delete", "restore", "redact", "react", "take"]),
            st.integers(0, 7), st.integers(0, 1),
        ),
        min_size=1, max_size=4,
    ),
    max_size=8,
)  # fmt: skip


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=ACTS)
async def test_it_answers_as_sqlite_does(store: DynamoStore, tmp_path: Path, batches: list[list[Act]]) -> None:
    """After any changes of messages, threads and reactions every read of both stores is the same."""
    name = Clock().new_id()
    other = SqliteStore.open(tmp_path / f"{name}.db")
    messages: list[Entry] = []
    for index, acts in enumerate(batches):
        heads = await other.heads([name])
        known = await other.messages(name, [entry.message_id for entry in messages])
        one, touched = Draft(heads.get(name, Head(name))), set[str]()
        for place, (what, number, actor) in enumerate(acts):
            op_id = f"{name}.{index}.{place}"
            if what == "say" or not messages:
                messages.append(one.say(name, op_id, f"body of {op_id}"))
                continue
            target = messages[number % len(messages)]
            shown = known.get(target.message_id)
            if what in ("reply", "tell"):
                root_id = target.detail.thread_id or target.message_id
                messages.append(one.say(name, op_id, "reply", thread_id=root_id, broadcast=what == "tell"))
            elif shown is None or shown.redacted or target.message_id in touched:
                continue
            elif what in ("react", "take"):
                one.react(target, op_id, "👍🎉"[actor], on=what == "react")
            elif what == "redact":
                one.redact(target, op_id, version=shown.version, deleted=shown.deleted_at is not None)
            elif what == "restore" and shown.deleted_at is not None:
                one.delete(target, op_id, version=shown.version, restore=True)
            elif what == "edit" and shown.deleted_at is None:
                one.edit(target, op_id, f"edited by {op_id}", version=shown.version + 1)
            elif what == "delete" and shown.deleted_at is None:
                one.delete(target, op_id, version=shown.version)
            touched.add(target.message_id)
        if one.batch.entries:
            await other.append(one.batch)
            await store.append(one.batch)
    answers = [await every_answer(each, name, messages) for each in (store, other)]
    await other.close()
    assert answers[0] == answers[1]


async def every_answer(store: MessageStore, name: str, messages: list[Entry]) -> list[object]:
    ids = [entry.message_id for entry in messages]
    deleted = [entry for entry in await store.deleted_before(2 * START_MS, 1000) if entry.conversation_id == name]
    last = (await store.last_messages([name])).get(name)
    return [
        await store.heads([name]),
        await store.entries(name, 0, 1000),
        await store.records(name, 0, 1000),
        await store.messages(name, ids),
        await store.history(name, limit=200),
        await store.history(name, limit=3, after_seq=1),
        await store.history(name, limit=3, before_seq=9, roots_only=True),
        [await store.history(name, limit=200, thread_id=message_id) for message_id in ids[:3]],
        None if last is None else (last.entry, last.text),
        sorted(entry.seq for entry in deleted),
        await store.stored([(name, entry.actor_id, entry.op_id) for entry in messages]),
    ]


# --- lost answers, throttling, pages ----------------------------------------------------------


def lose_once(session: AioSession, *, forget: bool = False) -> None:
    """Lose the answer of the first transaction after it was committed; `forget`: DynamoDB also forgot its token."""
    lost: list[bool] = []

    def lose(**_: Any) -> None:
        if not lost:
            lost.append(True)
            raise EndpointConnectionError(endpoint_url="lost")

    def change_token(params: dict[str, Any], **_: Any) -> None:
        params["ClientRequestToken"] = Clock().new_id()

    session.register("after-call.dynamodb.TransactWriteItems", lose)
    if forget:
        session.register("before-parameter-build.dynamodb.TransactWriteItems", change_token)


async def test_an_append_whose_answer_is_lost_is_done_once(open_hooked: OpenHooked, session: AioSession) -> None:
    """It is repeated under the same token, and returns as if nothing had happened."""
    lose_once(session)
    hooked = await open_hooked()
    entry = await say(hooked, "1")
    assert await hooked.entries("c", 0, 10) == [entry]


async def test_an_append_that_finds_its_own_work_names_it_as_repeats(
    open_hooked: OpenHooked, session: AioSession
) -> None:
    """Once the token is forgotten the conditions stop the repeat, and ingest is told what is stored."""
    lose_once(session, forget=True)
    hooked = await open_hooked()
    with pytest.raises(AppendRefused) as refused:
        await say(hooked, "1")
    (entry,) = await hooked.entries("c", 0, 10)
    assert [one.entry for one in refused.value.repeats.values()] == [entry]


def throttle(session: AioSession, operation: str, times: int) -> list[int]:
    """Refuse the first calls as DynamoDB does under load; gives what counts them."""
    seen: list[int] = []

    def refuse(**_: Any) -> None:
        seen.append(1)
        if len(seen) <= times:
            error = {"Code": "ProvisionedThroughputExceededException", "Message": "slow down"}
            raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}, operation)  # type: ignore[typeddict-item]

    session.register(f"before-call.dynamodb.{operation}", refuse)
    return seen


async def test_throttled_calls_come_back(open_hooked: OpenHooked, session: AioSession) -> None:
    """Reads and writes stand back and try again: more often than a guard does, and without opening its breaker."""
    writes, reads = throttle(session, "TransactWriteItems", 6), throttle(session, "BatchGetItem", 6)
    hooked = await open_hooked()
    entry = await say(hooked, "1")
    assert await hooked.entries("c", 0, 10) == [entry]
    assert len(writes) == 7
    assert len(reads) > 6


async def test_calls_that_stay_throttled_are_unavailable(
    open_hooked: OpenHooked, session: AioSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the end whoever asked is told to try again."""
    monkeypatch.setattr(dynamo_tables, "THROTTLED_S", 0.1)
    throttle(session, "BatchGetItem", 1_000)
    hooked = await open_hooked()
    with pytest.raises(Unavailable, match="throttled"):
        await hooked.heads(["c"])


async def test_a_read_that_is_answered_in_parts_is_whole(open_hooked: OpenHooked, session: AioSession) -> None:
    """What BatchGetItem leaves unprocessed is asked for again; more than a hundred keys are several calls."""
    parts: list[int] = []

    def leave_some(parsed: dict[str, Any], **_: Any) -> None:
        for name, items in parsed["Responses"].items():
            if len(items) > 3:
                keys = ("conversation" if "conversation" in items[0] else "owner", "item")
                left = [{key: item[key] for key in keys} for item in items[3:]]
                parsed["UnprocessedKeys"][name] = {"Keys": left}
                del items[3:]
                parts.append(len(left))

    session.register("after-call.dynamodb.BatchGetItem", leave_some)
    hooked = await open_hooked()
    one = await draft(hooked)
    entries = [one.say("c", str(number), "hello") for number in range(20)]
    await hooked.append(one.batch)
    ids = [entry.message_id for entry in entries]
    assert [*await hooked.messages("c", ids)] == ids
    assert parts
    assert await hooked.heads([f"nowhere {number}" for number in range(250)] + ["c"]) == {"c": await head_of(hooked)}


async def test_a_page_is_ranges_and_nothing_one_by_one(open_hooked: OpenHooked, session: AioSession) -> None:
    """Its texts lie in the order of its messages, also those of edited ones, and are charged by 4 KB together."""
    asked: list[str] = []
    session.register("before-call.dynamodb", lambda model, **_: asked.append(model.name))
    hooked = await open_hooked()
    one = await draft(hooked)
    for number in range(20):
        one.say("c", str(number), f"text {number}")
    await hooked.append(one.batch)
    two = await draft(hooked)
    two.edit(one.batch.entries[15].entry, "edit", "changed")
    await hooked.append(two.batch)
    asked.clear()
    page = await hooked.history("c", limit=10)
    assert [message.text for message in page] == [
        *(f"text {n}" for n in range(10, 15)),
        "changed",
        *(f"text {n}" for n in range(16, 20)),
    ]
    assert set(asked) == {"Query"}


async def test_pages_of_more_than_a_megabyte_are_whole(store: DynamoStore) -> None:
    """A query ends after 1 MB; the adapter goes on where it ended."""
    for number in range(4):
        one = await draft(store)
        for place in range(20):
            changes = [(f"user {index:04} {'x' * 20}", Role.MEMBER) for index in range(500)]
            one.change("c", f"{number}.{place}", changes)
        await store.append(one.batch)
    assert [entry.seq for entry in await store.entries("c", 0, 100)] == list(range(1, 81))


@pytest.mark.filterwarnings("ignore:Sending a large body")  # no batch that ingest plans has a tenth of it
async def test_a_batch_of_too_many_bytes_is_refused(store: DynamoStore) -> None:
    """A transaction takes 4 MB. Ingest then tries its requests one by one."""
    one = await draft(store)
    for number in range(20):
        one.say("c", str(number), "x" * 300_000)
    with pytest.raises(AppendRefused) as refused:
        await store.append(one.batch)
    assert (refused.value.repeats, refused.value.lost, refused.value.stale) == ({}, (), ())


# --- long texts, erasure ----------------------------------------------------------------------


async def test_an_entry_whose_long_text_is_gone_is_refused(store: DynamoStore) -> None:
    """Nothing is stored that could not be read."""
    await store.put_text(message_id_of("1"), 1, LONG)
    assert await store.collect_texts(Clock().now_ms() + 1000) == 1
    with pytest.raises(AppendRefused) as refused:
        await say(store, "1", LONG, inline=False)
    assert refused.value.stale == (message_id_of("1"),)
    assert await store.entries("c", 0, 10) == []


async def test_an_entry_never_takes_somebody_elses_long_text(store: DynamoStore, tables: Names) -> None:
    """Two ingests edit one message at the same time: who finds the other's text under the key is refused."""
    entry = await say(store, "1")
    other = await open_dynamo_store(tables)
    one, two = await draft(store), await draft(other)
    await store.put_text(entry.message_id, 2, LONG + "mine")
    await other.put_text(entry.message_id, 2, LONG + "theirs")
    one.edit(entry, "mine", LONG + "mine", inline=False)
    two.edit(entry, "theirs", LONG + "theirs", inline=False)
    with pytest.raises(AppendRefused) as refused:
        await store.append(one.batch)
    assert refused.value.stale == (entry.message_id,)
    await other.append(two.batch)
    await other.close()
    full = await store.full_message("c", entry.message_id)
    assert full is not None
    assert full.text == LONG + "theirs"


async def all_bytes(session: AioSession, names: Names) -> bytes:
    """Everything that both tables hold."""
    async with session.create_client("dynamodb") as client:
        found = [await client.scan(TableName=name, ConsistentRead=True) for name in names.values()]
    return repr([page["Items"] for page in found]).encode()


@pytest.mark.parametrize("body", [SECRET, SECRET + " and more" * 50, SECRET + " and much more" * 1000])
@pytest.mark.parametrize("how", ["edit", "redact", "trim"])
async def test_what_is_replaced_redacted_or_trimmed_is_in_no_table(
    store: DynamoStore, session: AioSession, tables: Names, body: str, how: str
) -> None:
    """Not a byte of the text is left in either table, short or long."""
    inline = len(body) < 4096
    if not inline:
        await store.put_text(message_id_of("1"), 1, body)
    entry = await say(store, "1", body, inline=inline)
    assert SECRET.encode() in await all_bytes(session, tables)
    one = await draft(store)
    changes = {
        "edit": lambda: one.edit(entry, "2", "harmless"),
        "redact": lambda: one.redact(entry, "2", deleted=False),
        "trim": lambda: one.react(entry, "2", "👍"),
    }
    changes[how]()
    await store.append(one.batch)
    if how == "trim":
        await store.trim("c", 1)
    assert SECRET.encode() not in await all_bytes(session, tables)


async def test_a_redacted_message_leaves_no_fingerprint_of_its_edits(store: DynamoStore) -> None:
    """A fingerprint tells whether a guess of a text is right: those of all its versions go."""
    entry = await say(store, "1", "secret")
    for version in (2, 3):
        one = await draft(store)
        one.edit(entry, f"edit-{version}", f"secret {version}", version=version)
        await store.append(one.batch)
    one = await draft(store)
    one.react(entry, "reaction", "👍")
    two = Draft(one.batch.moves[0].next)
    await store.append(one.batch)
    two.redact(entry, "redact", version=3, deleted=False)
    await store.append(two.batch)
    stored = await store.stored([("c", "ann", op_id) for op_id in ("1", "edit-2", "edit-3")])
    assert [one.fingerprint for one in stored.values()] == [b"", b"", b""]


async def test_trim_leaves_only_the_head_and_what_is_above(
    store: DynamoStore, session: AioSession, tables: Names
) -> None:
    """Threads, reactions, notes of deleted messages and operations go with their entries, in as many steps as it takes."""
    root = await say(store, "root")
    one = await draft(store)
    replies = [one.say("c", str(number), "hello", thread_id=root.message_id) for number in range(10)]
    one.react(root, "reaction", "👍")
    await store.append(one.batch)
    two = await draft(store)
    two.delete(replies[0], "delete")
    await store.append(two.batch)
    await say(store, "last")
    await store.trim("c", 100)
    left = await all_bytes(session, tables)
    for kind in (b"op#ann#root", b"id#M-root", b"thread#", b"reaction#", b"entry#", b"deleted#", b"reply#"):
        assert kind not in left
    (last,) = await store.history("c", limit=10)
    assert last.entry.op_id == "last"
    assert await store.deleted_before(2 * START_MS, 10) == []


async def test_an_edit_in_the_middle_of_a_trim_goes_with_its_message(
    open_hooked: OpenHooked, session: AioSession, tables: Names, store: DynamoStore
) -> None:
    """What the removal had not seen when it began is seen before the entry that leads to it goes."""
    entry = await say(store, "1", "hello")
    await say(store, "2", "bye")
    edits: list[Entry] = []

    async def edit_once(**_: Any) -> None:
        if not edits:
            one = await draft(store)
            edits.append(one.edit(entry, "3", SECRET))
            await store.append(one.batch)

    session.register("before-call.dynamodb.BatchWriteItem", edit_once)
    hooked = await open_hooked()
    await hooked.trim("c", 1)
    assert len(edits) == 1
    assert await store.messages("c", [entry.message_id]) == {}
    assert SECRET.encode() not in await all_bytes(session, tables)


@pytest.mark.parametrize("how", ["delete", "redact"])
async def test_what_is_deleted_in_the_middle_of_a_trim_is_seen_first(
    open_hooked: OpenHooked, session: AioSession, store: DynamoStore, how: str
) -> None:
    """Whoever said what they have seen is told; the message is still found, deleted, and goes when that was seen."""
    entry = await say(store, "1", "hello")
    if how == "redact":
        one = await draft(store)
        one.delete(entry, "d")
        await store.append(one.batch)
    seen_seq = (await say(store, "2", "bye")).seq
    changes: list[Entry] = []

    async def change_once(**_: Any) -> None:
        if not changes:
            one = await draft(store)
            changes.append(one.delete(entry, "3") if how == "delete" else one.redact(entry, "3"))
            await store.append(one.batch)

    session.register("before-call.dynamodb.BatchWriteItem", change_once)
    hooked = await open_hooked()
    assert not await hooked.trim("c", 1, seen_seq=seen_seq)
    assert await hooked.half_trimmed(["c"]) == {"c"}
    (found,) = (await hooked.messages("c", [entry.message_id])).values()
    assert (found.deleted_at is not None, found.redacted) == (True, how == "redact")
    assert await hooked.trim("c", 1, seen_seq=changes[0].seq)
    assert await hooked.messages("c", [entry.message_id]) == {}
    assert await hooked.half_trimmed(["c"]) == frozenset()
    assert await hooked.deleted_before(2 * START_MS, 10) == []


async def test_what_a_trim_that_ended_early_left_is_read_and_removed(
    open_hooked: OpenHooked, session: AioSession, tables: Names, store: DynamoStore
) -> None:
    """The floor is raised, the texts are there: entries shows them, also after a first page, and the next trim takes them."""
    said = [await say(store, str(number), SECRET) for number in range(1, 5)]

    async def end(**_: Any) -> None:
        raise Unavailable("killed")

    session.register("before-call.dynamodb.BatchWriteItem", end)
    hooked = await open_hooked()
    with pytest.raises(Unavailable):
        await hooked.trim("c", 3)
    assert (await head_of(store)).floor_seq == 3
    assert await store.half_trimmed(["c", "nowhere"]) == {"c"}
    assert await store.entries("c", 0, 10) == said
    assert await store.trim("c", 2)
    assert await store.half_trimmed(["c"]) == {"c"}
    assert await store.entries("c", 0, 10) == said[2:3]
    assert await store.trim("c", 3)
    assert await store.half_trimmed(["c"]) == frozenset()
    assert await store.entries("c", 0, 10) == said[3:]
    assert (await all_bytes(session, tables)).count(SECRET.encode()) == 1


async def test_a_reaction_in_the_middle_of_a_trim_goes_with_its_message(
    open_hooked: OpenHooked, session: AioSession, tables: Names, store: DynamoStore
) -> None:
    """Also a second one, which changes nothing of the message's row."""
    entry = await say(store, "1", "hello")
    one = await draft(store)
    one.react(entry, "2", "👍")
    await store.append(one.batch)
    await say(store, "3", "bye")
    reactions: list[Entry] = []

    async def react_once(**_: Any) -> None:
        if not reactions:
            one = await draft(store, "bob")
            reactions.append(one.react(entry, "4", "👍"))
            await store.append(one.batch)

    session.register("before-call.dynamodb.BatchWriteItem", react_once)
    hooked = await open_hooked()
    await hooked.trim("c", 2)
    assert len(reactions) == 1
    assert b"reaction#" not in await all_bytes(session, tables)


# --- a server that is killed ------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(300)  # a JVM starts three times
async def test_transactions_survive_sigkill_whole() -> None:
    """The server on disk is killed while batches are appended: each is there whole or not at all, acknowledged ones are."""
    folder = make_folder("nottermost-dynamodb-")
    server = Stack(folder)
    await asyncio.to_thread(start_dynamodb, server)
    try:
        with make_tables(Address(server.port("dynamodb"))) as names:
            for round_ in range(2):
                await append_until_killed(server, names, round_)
    finally:
        await asyncio.to_thread(server.down, volumes=True)
        shutil.rmtree(folder, ignore_errors=True)


def start_dynamodb(server: Stack) -> None:
    """DynamoDB Local on disk, on a port that it keeps."""
    server.up(Options(free_ports=True, port=0), only=["dynamodb"])


async def append_until_killed(server: Stack, names: Names, round_: int) -> None:
    acknowledged = {f"{round_}-{number}": 0 for number in range(4)}
    killed = asyncio.Event()
    store = await open_dynamo_store(names)
    tasks = [asyncio.create_task(append_batches(store, name, acknowledged, killed)) for name in acknowledged]
    async with asyncio.timeout(BEGUN_S):
        while sum(acknowledged.values()) < 80:  # noqa: ASYNC110 - until the server is in the middle of it
            await asyncio.sleep(0.01)
    killed.set()
    server.kill("dynamodb")
    await asyncio.gather(*tasks)
    await store.close()
    await asyncio.to_thread(start_dynamodb, server)
    again = await open_dynamo_store(names)
    for name, seq in acknowledged.items():
        await check_whole(again, name, seq)
    await again.close()


async def append_batches(store: DynamoStore, name: str, acknowledged: dict[str, int], killed: asyncio.Event) -> None:
    """One batch of ten after the other."""
    while not killed.is_set():
        with suppress(Unavailable, AppendRefused):  # a slow machine, or an answer that came too late
            one = Draft(await head_of(store, name))
            for number in range(10):
                one.say(name, Clock().new_id(), f"hello {number}")
            await store.append(one.batch)
            acknowledged[name] = one.batch.moves[0].next.seq


async def check_whole(store: DynamoStore, name: str, acknowledged_seq: int) -> None:
    """What was acknowledged is there, and nothing is there in part."""
    head = await head_of(store, name)
    assert head.seq >= acknowledged_seq
    assert head.seq % 10 == 0
    entries = await store.entries(name, 0, 10_000)
    assert [entry.seq for entry in entries] == list(range(1, head.seq + 1))
    assert len(await store.messages(name, [entry.message_id for entry in entries])) == head.seq
    assert len(await store.stored([(name, entry.actor_id, entry.op_id) for entry in entries])) == head.seq
    assert [one.text for one in await store.history(name, limit=10_000)] == [
        f"hello {number % 10}" for number in range(head.seq)
    ]
