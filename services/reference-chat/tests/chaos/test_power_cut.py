"""Power cuts at any moment: what was acknowledged had been synced, and what was not synced does no harm."""

import asyncio
import random
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from nottermost_chat.adapters.file_blobs import FileBlobStore
from nottermost_chat.adapters.sqlite import SqliteFile
from nottermost_chat.adapters.sqlite_store import SCHEMA, VERSION, SqliteStore
from nottermost_chat.bootstrap import open_services, running_chat
from nottermost_chat.client import ChatClient, Rest
from nottermost_chat.model import INLINE_BYTES_MAX, EntryKind, Head
from nottermost_chat.services import Embedded
from nottermost_chat.settings import Limits, Rate, Settings, Tier
from nottermost_chat.testing.batches import Draft, message_id_of
from nottermost_chat.testing.history import (
    Acknowledged,
    Event,
    Following,
    History,
    Log,
    LogEntry,
    Sent,
    Violation,
    ViolationKind,
    check_history,
)
from nottermost_chat.testing.power import (
    Deleted,
    Disk,
    DiskEvent,
    Marked,
    NotWatchable,
    Replay,
    Survive,
    Synced,
    Truncated,
    Wrote,
    record_disk,
)
from nottermost_chat.testing.recorder import Recorder, read_heads, read_logs

PASSWORD = "correct horse battery"
WRITERS = 4
APPENDS = 30  # of each writer
CHECKPOINT_PAGES = 60  # instead of 1000: a checkpoint every few appends, so that cuts fall into many of them
STORE_CUTS = 80
UNSAFE_CUTS = 30
CHAT_CUTS = 12
MESSAGES = 25  # of each sender in the whole chat
INDEXED_S = 30.0


@pytest.fixture
def rng() -> random.Random:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    return random.Random(seed)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Records what SQLite does in `tmp_path/before`."""
    folder = tmp_path / "before"
    folder.mkdir()
    try:
        with record_disk(folder) as disk:
            yield disk
    except NotWatchable as error:
        pytest.skip(str(error))


# --- the imagined disk ------------------------------------------------------------------------------


def after(events: Sequence[DiskEvent], survive: Survive, folder: Path, seed: int = 0) -> dict[str, bytes]:
    replay = Replay(events)
    replay.advance(len(events))
    replay.write(folder, survive, random.Random(seed))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_only_what_was_synced_is_sure_to_survive(tmp_path: Path) -> None:
    """A write that returned while a sync was under way is not covered by it."""
    events: list[DiskEvent] = [Wrote("a", 0, b"one"), Wrote("a", 3, b"two"), Synced("a", began=1, folder=True)]
    assert after(events, Survive.SYNCED, tmp_path / "synced") == {"a": b"one"}
    assert after(events, Survive.WRITTEN, tmp_path / "written") == {"a": b"onetwo"}


def test_a_truncation_waits_for_a_sync_too(tmp_path: Path) -> None:
    """Until then the old content may come back."""
    events: list[DiskEvent] = [Wrote("a", 0, b"old"), Synced("a", began=1, folder=True), Truncated("a", 1)]
    assert after(events, Survive.SYNCED, tmp_path / "before") == {"a": b"old"}
    assert after([*events, Synced("a", began=3)], Survive.SYNCED, tmp_path / "after") == {"a": b"o"}


def test_names_are_durable_when_the_folder_is_synced(tmp_path: Path) -> None:
    """A synced file may lack its name, a removed one may come back, also in place of its successor."""
    made: list[DiskEvent] = [Wrote("a", 0, b"first"), Synced("a", began=1)]
    assert after(made, Survive.SYNCED, tmp_path / "1") == {}
    named: list[DiskEvent] = [*made, Synced("a", began=2, folder=True)]
    assert after(named, Survive.SYNCED, tmp_path / "2") == {"a": b"first"}
    again: list[DiskEvent] = [*named, Deleted("a"), Wrote("a", 1, b"next"), Synced("a", began=5)]
    assert after(again, Survive.SYNCED, tmp_path / "3") == {"a": b"first"}
    assert after(again, Survive.WRITTEN, tmp_path / "4") == {"a": b"\0next"}
    other: list[DiskEvent] = [*again, Wrote("b", 0, b""), Synced("b", began=6, folder=True)]
    assert after(other, Survive.SYNCED, tmp_path / "5") == {"a": b"\0next"}
    assert after([*named, Deleted("a", folder_synced=True)], Survive.SYNCED, tmp_path / "6") == {}


def test_what_was_not_synced_survives_in_any_part(tmp_path: Path) -> None:
    """All, nothing, a torn half: each happens, and only whole sectors of what was written are there."""
    events: list[DiskEvent] = [
        Wrote("a", 0, b"." * 2048), Synced("a", began=1, folder=True), Wrote("a", 512, b"x" * 1024)
    ]  # fmt: skip
    seen = {after(events, Survive.SOME, tmp_path / str(seed), seed)["a"] for seed in range(200)}
    parts = [b"." * 1024, b"." * 512 + b"x" * 512, b"x" * 512 + b"." * 512, b"x" * 1024]
    assert seen == {b"." * 512 + part + b"." * 512 for part in parts}


# --- the message store ------------------------------------------------------------------------------


async def fill_store(folder: Path, disk: Disk, synchronous: str | None = None) -> None:
    """Append from several tasks at once; what is sent and what is acknowledged are marks on the disk."""
    file = SqliteFile(folder / "store.db", SCHEMA, VERSION)
    await file.write(lambda db: db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}"))
    if synchronous is not None:
        await file.write(lambda db: set_synchronous(db, synchronous))
    store = SqliteStore(file)
    async with asyncio.TaskGroup() as tasks:
        for writer in range(WRITERS):
            tasks.create_task(append_messages(store, disk, f"c{writer}"))
    await store.close()


def set_synchronous(db: sqlite3.Connection, value: str) -> None:
    """SQLite refuses it within a transaction, and a write is one."""
    db.execute("COMMIT")
    db.execute(f"PRAGMA synchronous = {value}")
    db.execute("BEGIN IMMEDIATE")


async def append_messages(store: SqliteStore, disk: Disk, conversation_id: str) -> None:
    head = Head(conversation_id)
    for number in range(APPENDS):
        draft = Draft(head, actor_id="ann")
        entries = []
        for part in range(1 + number % 3):
            op_id = f"{conversation_id}-{number}-{part}"
            body = f"{op_id} " * (1, 1, 40, 2000)[(number + part) % 4]
            disk.mark(Sent(conversation_id, "ann", op_id, body))
            inline = len(body) <= INLINE_BYTES_MAX
            if not inline:
                await store.put_text(message_id_of(op_id), 1, body)
            entries.append(draft.say(conversation_id, op_id, body, inline=inline))
        await store.append(draft.batch)
        for entry in entries:
            disk.mark(Acknowledged(conversation_id, "ann", entry.op_id, entry.message_id, entry.epoch, entry.seq))
        head = draft.batch.moves[0].next


def is_sound(path: Path) -> bool:
    """What SQLite itself thinks of a file."""
    with closing(sqlite3.connect(path)) as db:
        try:
            return db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        except sqlite3.DatabaseError:
            return False


async def read_store(folder: Path) -> tuple[Log, ...]:
    """What the store holds after a cut, with whole bodies."""
    store = SqliteStore.open(folder / "store.db")
    try:
        return tuple([await read_conversation(store, f"c{writer}") for writer in range(WRITERS)])
    finally:
        await store.close()


async def read_conversation(store: SqliteStore, conversation_id: str) -> Log:
    found = []
    for entry in await store.entries(conversation_id, 0, 10_000):
        assert entry.kind is EntryKind.MESSAGE
        message = await store.full_message(conversation_id, entry.message_id)
        body = None if message is None else message.text
        assert body is not None, "an entry without its text"
        found.append(
            LogEntry(conversation_id, *entry.position, "message", entry.message_id, entry.actor_id, entry.op_id, body)
        )
    head = (await store.heads([conversation_id])).get(conversation_id)
    assert (found[-1].position if found else None) == (head.position if head else None)
    return Log(conversation_id, "store", tuple(found))


def choose_cuts(events: Sequence[DiskEvent], count: int, rng: random.Random) -> list[int]:
    """Half of them right after something was acknowledged, when it is most at risk; the rest anywhere."""
    promises = [
        at + 1 for at, event in enumerate(events) if isinstance(event, Marked) and isinstance(event.value, Acknowledged)
    ]
    anywhere = range(len(events) + 1)
    return sorted({*rng.sample(promises, count // 2), *rng.sample(anywhere, count - count // 2)})


async def cut_store(
    events: Sequence[DiskEvent], folder: Path, cuts: int, ways: Sequence[Survive], rng: random.Random
) -> list[str]:
    """Cut at many places, in each of these ways; all that was found wrong."""
    wrong = []
    replay = Replay(events)
    for cut in choose_cuts(events, cuts, rng):
        replay.advance(cut)
        for way in ways:
            place = folder / f"{cut}-{way}"
            replay.write(place, way, rng)
            if not is_sound(place / "store.db"):
                wrong.append(f"{place.name}: damaged")
                continue
            found = check_history(History(tuple(replay.marks), await read_store(place)))
            wrong += [f"{place.name}: {violation.kind}: {violation.sentence}" for violation in found]
    return wrong


@pytest.mark.slow
async def test_an_append_that_returned_survives_a_power_cut(disk: Disk, tmp_path: Path, rng: random.Random) -> None:
    """At any cut: every append that had returned is there, whole and gapless, and no part of another one."""
    await fill_store(tmp_path / "before", disk)
    names = {event.name for event in disk.events if isinstance(event, Wrote)}
    assert names >= {"store.db", "store.db-wal"}, "no checkpoint was recorded"
    ways = (Survive.SYNCED, Survive.SOME, Survive.WRITTEN)
    assert await cut_store(disk.events, tmp_path / "after", STORE_CUTS, ways, rng) == []


@pytest.mark.slow
@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
async def test_without_syncs_acknowledged_messages_are_lost(
    disk: Disk, tmp_path: Path, rng: random.Random, synchronous: str
) -> None:
    """The same cuts find it when commits are not synced, which a mere SIGKILL does not."""
    await fill_store(tmp_path / "before", disk, synchronous)
    lost = await cut_store(disk.events, tmp_path / "cut", UNSAFE_CUTS, [Survive.SYNCED], rng)
    assert any(ViolationKind.ACKNOWLEDGED_MISSING in one for one in lost)
    assert await cut_store(disk.events, tmp_path / "killed", UNSAFE_CUTS, [Survive.WRITTEN], rng) == []


# --- the whole chat ---------------------------------------------------------------------------------

MANY = Rate(1_000_000, 1_000_000)
LIMITS = Limits(standard=Tier(MANY, MANY, MANY, MANY), ip_log_ins=MANY, ip_handshakes=MANY)
READY = "accounts and conversations"
TEAM = ("ann", "bob", "cat")


@asynccontextmanager
async def chat_in(folder: Path) -> AsyncIterator[tuple[Embedded, str]]:
    settings = Settings(data=folder, port=0, limits=LIMITS)
    async with open_services(settings) as services, running_chat(services) as port:
        yield services, f"http://127.0.0.1:{port}"


async def use_chat(url: str, disk: Disk, recorder: Recorder) -> list[str]:
    """Three people talk in two conversations. The first mark says that these are there."""
    async with AsyncExitStack() as stack:
        rests: dict[str, Rest] = {}
        for name in TEAM:
            rests[name] = Rest(url)
            stack.push_async_callback(rests[name].close)
            await rests[name].register(f"{name}@example.org", name, PASSWORD)
        user_ids = [rest.session.user_id for rest in rests.values() if rest.session]
        call = rests["ann"].call
        direct = await call("POST", "/api/chats/conversations/dm", {"other_user_id": user_ids[1]})
        group = await call("POST", "/api/chats/conversations/group", {"title": "team", "member_ids": user_ids[1:]})
        conversations = [str(view["conversation_id"]) for view in (direct, group)]
        disk.mark(READY)
        chats = {name: await stack.enter_async_context(ChatClient(rests[name])) for name in TEAM}
        async with asyncio.TaskGroup() as tasks:
            readers = [
                tasks.create_task(recorder.follow(name, chat, await read_heads(chat.rest)))
                for name, chat in chats.items()
            ]
            senders = [
                tasks.create_task(talk(recorder, chats[name], where))
                for where, names in zip(conversations, (TEAM[:2], TEAM), strict=True)
                for name in names
            ]
            await asyncio.wait(senders)
            for reader in readers:
                reader.cancel()
    return conversations


async def talk(recorder: Recorder, chat: ChatClient, where: str) -> None:
    for number in range(MESSAGES):
        await recorder.send(chat, where, f"lighthouse {number} {'light ' * (number % 7)}")


async def check_chat(folder: Path, conversations: Sequence[str], events: Sequence[Event] | None) -> list[Violation]:
    """Start the chat on what a cut left, log in and look. `events` None: nothing was promised yet, it has to start."""
    async with chat_in(folder) as (services, url):
        if events is None:
            return []
        rest = Rest(url)
        try:
            await rest.log_in("ann@example.org", PASSWORD)
            logs = [log for id_ in conversations for log in await read_logs(rest, id_, "ann")]
            await wait_indexed(services)
            found_by_search = (await rest.call("GET", "/api/search", q="lighthouse"))["total"]
        finally:
            await rest.close()
    stored = {entry.message_id for log in logs for entry in log.entries if entry.kind == "message"}
    assert found_by_search == len(stored)
    unbound = tuple(event for event in events if not isinstance(event, Following))  # the cut came before they saw all
    return check_history(History(unbound, tuple(logs)))


async def wait_indexed(services: Embedded) -> None:
    async with asyncio.timeout(INDEXED_S):
        while await services.log.lag("indexer"):  # noqa: ASYNC110 - the log tells it only to those who ask
            await asyncio.sleep(0.02)


@pytest.mark.slow
async def test_what_clients_saw_acknowledged_survives_a_power_cut_of_the_whole_chat(
    disk: Disk, tmp_path: Path, rng: random.Random
) -> None:
    """Accounts, conversations and messages are there, search finds them all, and what any reader saw is stored."""
    recorder = Recorder(noted=disk.mark)
    async with chat_in(tmp_path / "before") as (_, url):
        conversations = await use_chat(url, disk, recorder)
    replay, folder = Replay(disk.events), tmp_path / "after"
    for cut in choose_cuts(disk.events, CHAT_CUTS, rng):
        replay.advance(cut)
        way = rng.choice((Survive.SYNCED, Survive.SOME))
        replay.write(folder / str(cut), way, rng)
        events = replay.marks[1:] if replay.marks else None
        assert await check_chat(folder / str(cut), conversations, events) == [], f"cut {cut}, {way}"


# --- files ------------------------------------------------------------------------------------------


async def test_a_file_is_synced_before_it_gets_its_name(tmp_path: Path) -> None:
    """Content, sync, rename, sync of the folders: in this order, so that no cut leaves a named half of a file."""
    calls: list[str] = []

    def note(_frame: object, event: str, function: Any) -> None:
        if event == "c_call" and function.__name__ in ("write", "flush", "fsync", "rename"):
            calls.append(function.__name__)

    with watching_new_threads(note):
        await FileBlobStore(tmp_path).put("key", pieces(b"one", b"two"), bytes_max=100)
    assert calls == ["write", "flush", "fsync", "rename", "fsync", "fsync"]


@contextmanager
def watching_new_threads(profile: Callable[[Any, str, Any], object]) -> Iterator[None]:
    """The interpreter tells what threads call that start in here: files are written in such threads."""
    before = threading.getprofile()
    threading.setprofile(profile)
    try:
        yield
    finally:
        threading.setprofile(before)


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
