"""Ingest over gRPC when something breaks: operations go elsewhere, are stored once, and are answered."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nottermost_chat.clock import Clock
from nottermost_chat.errors import TooLarge, Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import LARGE_FROM, ConversationKind, Role
from nottermost_chat.pictures import Pictures
from nottermost_chat.ports import Appended, AppendRequest, Missed, Signal
from nottermost_chat.protocol import Presence
from nottermost_chat.rpc import ingest_client, ingest_server
from nottermost_chat.rpc.addresses import FixedAddresses
from nottermost_chat.rpc.ingest_client import DEADLINE_S, RemoteIngest
from nottermost_chat.rpc.ingest_server import IngestServer
from nottermost_chat.rpc.link import DEFAULT_PACE, Pace
from nottermost_chat.rpc.members_client import RemotePictures
from nottermost_chat.rpc.server import serving
from nottermost_chat.rpc.signals import SignalHub
from nottermost_chat.settings import Rate, Tier
from nottermost_chat.testing.ingesting import Writing, open_writing
from nottermost_chat.testing.rpc import QUICK, KillableServer, Strangers, Wire, running, until
from nottermost_chat.testing.running import wait_until


class Gate:
    """An ingest whose answers wait until they are let out; what it answers is stored by then."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self.opened = asyncio.Event()
        self.opened.set()
        self.stored: list[AppendRequest] = []
        self.failure: Exception | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def submit(self, request: AppendRequest) -> "asyncio.Future[Appended]":
        done: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
        self._tasks.append(asyncio.create_task(self._answer(request, done)))
        return done

    async def _answer(self, request: AppendRequest, done: "asyncio.Future[Appended]") -> None:
        try:
            appended = await self._writing.ingest.submit(request)
        except Exception as error:  # noqa: BLE001 - handed on
            done.set_exception(error)
            return
        if self.failure is not None:
            done.set_exception(self.failure)
            return
        self.stored.append(request)
        await self.opened.wait()
        if not done.done():
            done.set_result(appended)

    def mark(self, user_id: str, conversation_id: str, *, read_seq: int = 0, delivered_seq: int = 0) -> None:
        self._writing.ingest.mark(user_id, conversation_id, read_seq=read_seq, delivered_seq=delivered_seq)

    async def missed(self, user_id: str | None, conversation_id: str, after: tuple[int, int]) -> Missed:
        return await self._writing.ingest.missed(user_id, conversation_id, after)


@dataclass
class Ingesting:
    """One ingest of the bench, and what stands around it."""

    gate: Gate
    served: IngestServer
    hub: SignalHub
    people: Strangers
    server: KillableServer
    wire: Wire


@dataclass
class Bench:
    """Two ingests over one store, and whoever calls them."""

    stack: AsyncExitStack
    writing: Writing
    ingests: list[Ingesting] = field(default_factory=list)

    async def serve(self, writing: Writing) -> None:
        members = writing.directory.conversations
        gate, hub, people = Gate(writing), SignalHub(), Strangers()
        served = IngestServer(
            gate, memberships=members, pictures=Pictures(members, writing.store), people=people, signals=hub
        )
        server = await KillableServer(served).start()
        self.stack.push_async_callback(server.kill)
        wire = await Wire(server.port).start()
        self.stack.push_async_callback(wire.end)
        self.ingests.append(Ingesting(gate, served, hub, people, server, wire))

    async def call(
        self,
        *addresses: str,
        caller_id: str = "caller",
        pace: Pace = QUICK,
        deadline_s: float = 30,
        signals: list[Signal] | None = None,
        ingests: int = 2,
    ) -> RemoteIngest:
        """A connected caller; without addresses over the wires to both."""
        addresses = addresses or tuple(one.wire.address for one in self.ingests)
        remote = RemoteIngest(
            FixedAddresses(*addresses), caller_id, metrics=Metrics(), clock=Clock(), deadline_s=deadline_s, pace=pace
        )
        if signals is not None:
            remote.attach(signals.append)
        await self.stack.enter_async_context(running(asyncio.create_task(remote.run())))
        await until(lambda: len(remote.ingests) == min(ingests, len(addresses)))
        return remote

    async def place(self, *users: str) -> str:
        return await self.writing.conversation(*users)

    def close_gates(self) -> None:
        for one in self.ingests:
            one.gate.opened.clear()

    def owner_of(self, op_id: str) -> Ingesting:
        """The ingest that stored the operation first."""
        return next(one for one in self.ingests if any(request.op_id == op_id for request in one.gate.stored))

    def others(self, than: Ingesting) -> list[Ingesting]:
        return [one for one in self.ingests if one is not than]

    def has_stored(self, *op_ids: str) -> Callable[[], bool]:
        return lambda: {request.op_id for one in self.ingests for request in one.gate.stored} >= {*op_ids}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(open_writing(tmp_path, instance="one"))
        two = await stack.enter_async_context(open_writing(tmp_path, directory=one.directory, instance="two"))
        bench = Bench(stack, one)
        for writing in (one, two):
            await bench.serve(writing)
        yield bench


def say(place: str, actor: str, op_id: str, body: str = "hello") -> AppendRequest:
    return AppendRequest(kind="message", conversation_id=place, actor_id=actor, op_id=op_id, body=body)


async def test_operations_of_a_killed_ingest_are_answered_by_another(bench: Bench) -> None:
    """Stored and not yet answered when it died: repeated elsewhere, stored once, the first entry is the answer."""
    (ann,) = await bench.writing.users("ann")
    place = await bench.place(ann)
    remote = await bench.call()
    bench.close_gates()
    ops = [f"op-{number}" for number in range(5)]
    asked = [remote.submit(say(place, ann, op)) for op in ops]
    await until(bench.has_stored(*ops))
    owner = bench.owner_of("op-0")
    for other in bench.others(owner):
        other.gate.opened.set()
    await owner.server.kill()
    answers = await asyncio.gather(*asked)
    assert [one.entry for one in answers] == await bench.writing.store.entries(place, 1, 10)
    assert [(one.entry.op_id, one.id_reused) for one in answers] == [(op, False) for op in ops]


@pytest.mark.parametrize("pace", [QUICK, DEFAULT_PACE], ids=["quick", "as in production"])
async def test_a_frozen_ingest_is_left_before_the_deadline(bench: Bench, pace: Pace) -> None:
    """Its connection stays open and nothing comes: heartbeats notice, the other answers; thawed, it is used again."""
    (ann,) = await bench.writing.users("ann")
    place = await bench.place(ann)
    remote = await bench.call(pace=pace, deadline_s=DEADLINE_S)
    await remote.submit(say(place, ann, "before"))
    owner = bench.owner_of("before")
    owner.wire.freeze()
    answer = await remote.submit(say(place, ann, "frozen"))
    assert answer.entry.seq == 3
    assert remote.ingests == [one.wire.address for one in bench.others(owner)]
    missed = await remote.missed(ann, place, (1, 1))
    assert [entry.op_id for entry in missed.entries] == ["before", "frozen"]
    owner.wire.thaw()
    await until(lambda: len(remote.ingests) == 2)
    await remote.submit(say(place, ann, "after"))
    assert bench.owner_of("after") is owner


async def test_a_question_under_way_moves_too(bench: Bench) -> None:
    """Asked of an ingest that freezes, answered by the other, well before anybody gives up."""
    (ann,) = await bench.writing.users("ann")
    place = await bench.place(ann)
    remote = await bench.call()
    for frozen in bench.ingests:  # whichever it would be
        frozen.wire.freeze()
        assert set(await remote.among(place, [ann, "stranger"])) == {ann}
        frozen.wire.thaw()
        await until(lambda: len(remote.ingests) == 2)


async def test_a_server_that_never_answers_is_never_used(bench: Bench) -> None:
    """It accepts connections and says nothing: operations go to the other; with nobody else they are refused in time."""
    silent = bench.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    address = f"127.0.0.1:{silent.getsockname()[1]}"
    (ann,) = await bench.writing.users("ann")
    place = await bench.place(ann)
    quick = Pace(0.05, 4, 0.1, 0.01, 0.05)
    remote = await bench.call(address, bench.ingests[0].server.address, pace=quick, ingests=1)
    assert (await remote.submit(say(place, ann, "one"))).entry.seq == 2
    lonely = await bench.call(address, pace=quick, deadline_s=0.2, ingests=0)
    with pytest.raises(Unavailable):
        await lonely.submit(say(place, ann, "two"))


async def test_operations_wait_for_an_ingest_to_come_back(bench: Bench) -> None:
    """With none left they are kept until their deadline, and answered when one starts again on the same port."""
    (ann,) = await bench.writing.users("ann")
    place = await bench.place(ann)
    remote = await bench.call(*(one.server.address for one in bench.ingests))
    for one in bench.ingests:
        await one.server.kill()
    await until(lambda: not remote.ingests)
    asked = [remote.submit(say(place, ann, f"op-{number}")) for number in range(3)]
    question = asyncio.ensure_future(remote.among(place, [ann]))
    await asyncio.wait(asked, timeout=0.05)
    assert not any(one.done() for one in asked)
    await bench.ingests[1].server.start()
    answers = await asyncio.gather(*asked)
    assert [one.entry.seq for one in answers] == [2, 3, 4]
    assert set(await question) == {ann}


async def test_any_kills_and_cuts_store_each_operation_once(bench: Bench) -> None:
    """Connections reset and ingests restarted while operations flow: every one is answered, stored once, without a gap."""
    (ann,) = await bench.writing.users("ann")
    places = [await bench.place(ann) for _ in range(4)]
    remote = await bench.call()
    asked: list[asyncio.Future[Appended]] = []
    for number in range(120):
        asked.append(remote.submit(say(places[number % 4], ann, f"op-{number}")))
        broken = bench.ingests[number % 2]
        if number % 10 == 3:
            broken.wire.cut()
        if number % 30 == 7:
            await broken.server.kill()
            await broken.server.start()
        await asyncio.sleep(0)
    answers = await asyncio.gather(*asked)
    assert [one.entry.op_id for one in answers] == [f"op-{number}" for number in range(120)]
    for place in places:
        entries = await bench.writing.store.entries(place, 1, 100)
        assert [entry.seq for entry in entries] == list(range(2, 32))
        assert sorted(entry.op_id for entry in entries) == sorted(
            one.entry.op_id for one in answers if one.entry.conversation_id == place
        )


async def test_a_draining_ingest_troubles_nobody(bench: Bench) -> None:
    """What it has it answers; what is new goes to the other; it ends when everybody has left."""
    (ann,) = await bench.writing.users("ann")
    place = await bench.place(ann)
    remote = await bench.call()
    await remote.submit(say(place, ann, "before"))
    owner = bench.owner_of("before")
    owner.gate.opened.clear()
    waiting = remote.submit(say(place, ann, "under way"))
    await until(bench.has_stored("under way"))
    draining = asyncio.ensure_future(owner.served.drain())
    await until(lambda: len(remote.ingests) == 1)
    assert (await remote.submit(say(place, ann, "new"))).entry.seq == 4
    assert bench.owner_of("new") is not owner
    assert not waiting.done()
    assert not draining.done()
    owner.gate.opened.set()
    assert (await waiting).entry.seq == 3
    await draining


async def test_a_server_that_ends_serves_on_elsewhere(bench: Bench) -> None:
    """Operations flow while a server is left through its drain: none of them fails."""
    (ann,) = await bench.writing.users("ann")
    place = await bench.place(ann)
    hub = SignalHub()
    members = bench.writing.directory.conversations
    third = IngestServer(
        Gate(bench.writing), memberships=members, pictures=Pictures(members, bench.writing.store), people=Strangers(),
        signals=hub,
    )  # fmt: skip
    async with serving(third, host="127.0.0.1", port=0) as port:
        remote = await bench.call(f"127.0.0.1:{port}", bench.ingests[0].server.address)
        asked = [remote.submit(say(place, ann, f"a-{number}")) for number in range(20)]
    asked += [remote.submit(say(place, ann, f"b-{number}")) for number in range(20)]
    answers = await asyncio.gather(*asked)
    assert sorted(one.entry.seq for one in answers) == list(range(2, 42))


async def test_answers_find_their_operations_in_any_order(bench: Bench) -> None:
    """The last asked is answered first."""
    (ann,) = await bench.writing.users("ann")
    place, other = await bench.place(ann), await bench.place(ann)
    remote = await bench.call(bench.ingests[0].server.address)
    bench.close_gates()
    first = remote.submit(say(place, ann, "first"))
    await until(bench.has_stored("first"))
    refused = remote.submit(say(other, "stranger", "second"))
    with pytest.raises(Exception, match="not a member"):
        await refused
    assert not first.done()
    bench.ingests[0].gate.opened.set()
    assert (await first).entry.op_id == "first"


async def test_pending_operations_are_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the bound they are refused at once; whoever stops to wait makes room."""
    monkeypatch.setattr(ingest_client, "OPERATIONS_MAX", 2)
    (ann,) = await bench.writing.users("ann")
    place = await bench.place(ann)
    remote = await bench.call()
    bench.close_gates()
    kept, given_up = (remote.submit(say(place, ann, op)) for op in ("kept", "given up"))
    refused = remote.submit(say(place, ann, "refused"))
    assert isinstance(refused.exception(), Unavailable)
    given_up.cancel()
    with suppress(asyncio.CancelledError):
        await given_up
    await asyncio.sleep(0)
    again = remote.submit(say(place, ann, "again"))
    assert not again.done()
    for one in bench.ingests:
        one.gate.opened.set()
    await asyncio.gather(kept, again)


async def test_what_is_too_large_harms_nobody_else(bench: Bench) -> None:
    """It never gets onto the stream that others share; what just fits does, also many at once."""
    (ann,) = await bench.writing.users("ann")
    place = await bench.place(ann)
    remote = await bench.call(ingests=2)
    huge = [say(place, ann, "x" * 1_300_000), say(place, ann, "huge", "é" * 600_000)]
    remote.mark(ann, "x" * 1_300_000, read_seq=1)
    largest = [say(place, ann, f"{number}", "𝄞" * 100_000) for number in range(8)]
    answers = await asyncio.gather(*map(remote.submit, [*huge, *largest]), return_exceptions=True)
    assert [type(one) for one in answers] == [TooLarge, TooLarge, *[Appended] * 8]
    assert len(remote.ingests) == 2


async def test_a_deadline_ends_as_unavailable(bench: Bench) -> None:
    """The outcome is unknown: the same operation repeated gets the first answer."""
    (ann,) = await bench.writing.users("ann")
    place = await bench.place(ann)
    hasty = await bench.call(deadline_s=0.1)
    bench.close_gates()
    with pytest.raises(Unavailable):
        await hasty.submit(say(place, ann, "one"))
    for one in bench.ingests:
        one.gate.opened.set()
    patient = await bench.call()
    assert (await patient.submit(say(place, ann, "one"))).entry.seq == 2
    assert len(await bench.writing.store.entries(place, 1, 10)) == 1


async def test_a_failure_in_ingest_is_unavailable(bench: Bench) -> None:
    """Whatever it was; its log says it."""
    (ann,) = await bench.writing.users("ann")
    place = await bench.place(ann)
    remote = await bench.call()
    for one in bench.ingests:
        one.gate.failure = ZeroDivisionError("a bug")
    with pytest.raises(Unavailable):
        await remote.submit(say(place, ann, "one"))


async def test_a_stopping_caller_leaves_nobody_waiting(bench: Bench) -> None:
    """What is unanswered when it stops fails as unavailable."""
    (ann,) = await bench.writing.users("ann")
    place = await bench.place(ann)
    bench.close_gates()
    remote = RemoteIngest(FixedAddresses(bench.ingests[0].server.address), "x", metrics=Metrics(), clock=Clock())
    async with running(asyncio.create_task(remote.run())):
        await remote.connected()
        waiting = remote.submit(say(place, ann, "one"))
        await until(bench.has_stored("one"))
    with pytest.raises(Unavailable):
        await waiting


async def test_every_caller_sends_a_conversation_to_the_same_ingest(bench: Bench) -> None:
    """For the sake of batches and warm heads; different conversations are spread."""
    (ann,) = await bench.writing.users("ann")
    places = [await bench.place(ann) for _ in range(12)]
    for caller_id in ("one", "two"):
        remote = await bench.call(caller_id=caller_id)
        await asyncio.gather(*(remote.submit(say(place, ann, f"{caller_id} {place}")) for place in places))
    for place in places:
        assert bench.owner_of(f"one {place}") is bench.owner_of(f"two {place}")
    assert {id(bench.owner_of(f"one {place}")) for place in places} == {id(one) for one in bench.ingests}


# --- signals ----------------------------------------------------------------------------------


async def test_a_signal_reaches_every_gateway_once(bench: Bench) -> None:
    """From a gateway, from the API, and from ingest itself; callers that do not listen hear nothing."""
    first: list[Signal] = []
    second: list[Signal] = []
    gateway = await bench.call(caller_id="g1", signals=first)
    await bench.call(caller_id="g2", signals=second)
    api = await bench.call(caller_id="api")
    typing = Signal("place", b"typing", "ann")
    changed, receipt = Signal(to_user="bob", frame=b"changed"), Signal("place", b"receipt")
    await gateway.signal(typing)
    await api.signal(changed)
    await bench.ingests[1].hub.signal(receipt)
    await until(lambda: len(first) >= 3 and len(second) >= 3)
    for heard in (first, second):
        assert sorted(heard, key=repr) == sorted([typing, changed, receipt], key=repr)


async def test_a_revocation_finds_its_way(bench: Bench) -> None:
    """Whichever ingest is frozen, the other passes it on; with none the caller learns that it failed."""
    heard: list[Signal] = []
    await bench.call(*(one.server.address for one in bench.ingests), caller_id="gateway", signals=heard)
    api = await bench.call(caller_id="api")
    for number, frozen in enumerate(bench.ingests):
        frozen.wire.freeze()
        await api.signal(Signal(revoke_user="ann", revoke_device=f"{number}"))
        frozen.wire.thaw()
        await until(lambda: len(api.ingests) == 2)
    await until(lambda: {"0", "1"} <= {signal.revoke_device for signal in heard})
    for one in bench.ingests:
        await one.server.kill()
    await until(lambda: not api.ingests)
    with pytest.raises(Unavailable):
        await api.signal(Signal(revoke_user="ann"))


async def test_signals_for_a_frozen_gateway_are_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are served meanwhile; typing is dropped, and too many revocations end the stream, so that it asks."""
    monkeypatch.setattr(ingest_server, "SIGNALS_MAX", 10)
    monkeypatch.setattr(ingest_server, "REVOCATIONS_MAX", 20)
    frozen: list[Signal] = []
    other: list[Signal] = []
    stuck = await bench.call(bench.ingests[0].wire.address, caller_id="stuck", signals=frozen, pace=DEFAULT_PACE)
    await bench.call(bench.ingests[0].server.address, caller_id="other", signals=other)
    for number in range(200):  # in one go: nothing leaves in between
        bench.ingests[0].hub.tell(Signal(f"{number}", b"typing"))
    await until(lambda: len(frozen) == len(other) == 10)
    for number in range(200):
        bench.ingests[0].hub.tell(Signal(revoke_user=f"{number}"))
    await until(lambda: not stuck.ingests)
    await until(lambda: bool(stuck.ingests))


# --- questions --------------------------------------------------------------------------------


async def test_questions_about_people_are_answered(bench: Bench) -> None:
    """Every answer with all of its fields."""
    for one in bench.ingests:
        one.people.tier = Tier(user_messages=Rate(1.5, 2), conversation_messages=Rate(7, 8))
        one.people.presence = Presence.AWAY
        one.people.acquaintances = frozenset({"bob", "cat"})
        one.people.times = {"bob": 5, "dan": 9}
    remote = await bench.call()
    assert await remote.tier_of("ann") == bench.ingests[0].people.tier
    assert await remote.seen("ann", "phone") is Presence.AWAY
    assert [seen for one in bench.ingests for seen in one.people.seen] == [("ann", "phone")]
    assert await remote.acquainted("ann", ["bob", "eve"]) == {"bob"}
    assert await remote.last_seen(["ann", "bob"]) == {"bob": 5}
    assert await remote.revoked_since(6) == {"dan": 9}


async def test_members_are_those_of_the_directory(bench: Bench) -> None:
    """Among, of_user and pictures; never older than asked for, also right after a change through another ingest."""
    ann, bob, cat = await bench.writing.users("ann", "bob", "cat")
    place, other = await bench.place(ann, bob), await bench.place(bob)
    remote = await bench.call()
    members = bench.writing.directory.conversations
    assert await remote.among(place, [ann, cat]) == await members.among(place, [ann, cat])
    assert await remote.of_user(bob, [place, other, "nowhere"]) == await members.of_user(bob, [place, other])
    pictures = RemotePictures(remote)
    before = await pictures.at(place, 1)
    assert before == await members.picture(place)
    assert await pictures.at(place, 1) is before
    joined = await bench.writing.change(place, ann, (cat, Role.MEMBER))
    after = await pictures.at(place, joined.entry.seq)
    assert after is not None
    assert set(after.members) == {ann, bob, cat}
    assert await pictures.at("nowhere", 1) is None


async def test_of_a_grown_conversation_only_those_of_then_are_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that named recipients is read late, when the conversation has become large."""
    monkeypatch.setattr(ingest_server, "PICTURE_MEMBERS_MAX", LARGE_FROM)
    ann, bob = await bench.writing.users("ann", "bob")
    place = await bench.writing.conversation(ann, bob, kind=ConversationKind.CHANNEL)
    crowd = [(f"user-{number}", Role.MEMBER) for number in range(LARGE_FROM)]
    grown = await bench.writing.change(place, ann, *crowd)
    pictures = RemotePictures(await bench.call())
    then = await pictures.at(place, 1)
    assert then is not None
    assert set(then.members) == {ann, bob}
    now = await pictures.at(place, grown.entry.seq)
    assert now is not None
    assert len(now.members) == LARGE_FROM + 2


async def test_too_much_missed_is_a_reset(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that would not fit a message is no failure: the reader begins afresh."""
    monkeypatch.setattr(ingest_server, "ANSWER_BYTES_MAX", 2_000)
    (ann,) = await bench.writing.users("ann")
    place = await bench.place(ann)
    remote = await bench.call()
    await asyncio.gather(*(remote.submit(say(place, ann, f"{number}")) for number in range(9)))
    last = await remote.submit(say(place, ann, "last"))
    missed = await remote.missed(ann, place, (1, 1))
    assert (missed.reset, missed.head) == (True, last.entry.position)
    assert not (await remote.missed(ann, place, (1, 10))).reset


async def test_marks_are_merged_on_their_way(bench: Bench) -> None:
    """Of many marks the highest counts, also while no message leaves."""
    ann, bob = await bench.writing.users("ann", "bob")
    place = await bench.place(ann, bob)
    remote = await bench.call()
    for number in range(9):
        await remote.submit(say(place, ann, f"{number}"))
    for seq in (3, 9, 5):
        remote.mark(bob, place, read_seq=seq)
        remote.mark(bob, place, delivered_seq=seq + 1)
    cursors = bench.writing.directory.cursors

    async def is_raised() -> bool:
        found = (await cursors.of_user(bob, [place])).get(place)
        return found is not None and (found.read_seq, found.delivered_seq) == (9, 10)

    await wait_until(is_raised)
