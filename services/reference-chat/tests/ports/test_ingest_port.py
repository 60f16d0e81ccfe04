"""What Ingest promises to gateway and API. The same tests run in the process and over gRPC, with a real ingest behind."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nottermost_chat.clock import Clock
from nottermost_chat.errors import Archived, ChatError, Forbidden, InvalidText, MessageGone, NotAMember, NotFound
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import ConversationSettings, EntryKind, Role
from nottermost_chat.pictures import Pictures
from nottermost_chat.ports import Appended, AppendRequest, Ingest
from nottermost_chat.rpc.addresses import FixedAddresses
from nottermost_chat.rpc.ingest_client import RemoteIngest
from nottermost_chat.rpc.ingest_server import IngestServer
from nottermost_chat.rpc.server import serving
from nottermost_chat.rpc.signals import SignalHub
from nottermost_chat.testing.ingesting import Writing, open_writing
from nottermost_chat.testing.rpc import Strangers, running
from nottermost_chat.testing.running import wait_until

LONG = "x" * 90_000 + "é" * 10_000


@dataclass
class Bench:
    """An ingest as its callers see it, and what it writes to."""

    ingest: Ingest
    writing: Writing

    async def do(self, kind: str, place: str, actor: str, op_id: str = "", **more: Any) -> Appended:
        op_id = op_id or self.writing.clock.new_id()
        return await self.ingest.submit(
            AppendRequest(kind=kind, conversation_id=place, actor_id=actor, op_id=op_id, **more)
        )


@pytest.fixture(params=["in the process", "grpc"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        writing = await stack.enter_async_context(open_writing(tmp_path))
        if request.param == "in the process":
            yield Bench(writing.ingest, writing)
            return
        members = writing.directory.conversations
        served = IngestServer(
            writing.ingest,
            memberships=members,
            pictures=Pictures(members, writing.store),
            people=Strangers(),
            signals=SignalHub(),
        )
        port = await stack.enter_async_context(serving(served, host="127.0.0.1", port=0))
        remote = RemoteIngest(FixedAddresses(f"127.0.0.1:{port}"), "test", metrics=Metrics(), clock=Clock())
        await stack.enter_async_context(running(asyncio.create_task(remote.run())))
        yield Bench(remote, writing)


async def test_an_operation_is_durable_when_its_future_resolves(bench: Bench) -> None:
    """The entry that comes back is the one that is stored, with every field."""
    ann, bob = await bench.writing.users("ann", "bob")
    place = await bench.writing.conversation(ann, bob)
    root = await bench.do("message", place, ann, body="hello @channel")
    reply = await bench.do(
        "message", place, bob, body=LONG, thread_id=root.entry.message_id, broadcast=True, sent_at=5, note=True,
        silent=True, trusted=True, mentions=(ann,),
    )  # fmt: skip
    changed = await bench.do(
        "membership", place, ann, changes=((bob, Role.ADMIN),), settings=ConversationSettings(title="é", archived=False)
    )
    answers = [root, reply, changed]
    assert [one.entry for one in answers] == await bench.writing.store.entries(place, 1, 10)
    assert not any(one.id_reused for one in answers)
    message = await bench.writing.store.full_message(place, reply.entry.message_id)
    assert message is not None
    assert message.text == LONG
    assert (reply.entry.detail.sent_at, reply.entry.detail.note, reply.entry.detail.broadcast) == (5, True, True)


async def test_a_repeat_gets_the_first_answer(bench: Bench) -> None:
    """Stored once; with another body it says so."""
    (ann,) = await bench.writing.users("ann")
    place = await bench.writing.conversation(ann)
    first, again, other = await asyncio.gather(
        *(bench.do("message", place, ann, "one", body=body) for body in ("hello", "hello", "another"))
    )
    assert first.entry == again.entry == other.entry
    assert (first.id_reused, again.id_reused, other.id_reused) == (False, False, True)


async def test_many_at_once_are_each_answered(bench: Bench) -> None:
    """Operations on many conversations, submitted together, each get their own answer."""
    (ann,) = await bench.writing.users("ann")
    places = [await bench.writing.conversation(ann) for _ in range(5)]
    wanted = [(place, f"{number}") for number in range(40) for place in places]
    answers = await asyncio.gather(*(bench.do("message", place, ann, op, body=op) for place, op in wanted))
    assert [(one.entry.conversation_id, one.entry.op_id) for one in answers] == wanted


def refusals(
    place: str, ann: str, bob: str, gone: str
) -> dict[type[ChatError], Callable[[Bench], "asyncio.Future[Appended]"]]:
    def ask(kind: str, actor: str = ann, conversation_id: str = place, **more: Any) -> Any:
        request = AppendRequest(kind=kind, conversation_id=conversation_id, actor_id=actor, op_id="refused", **more)
        return lambda bench: bench.ingest.submit(request)

    return {
        NotAMember: ask("message", "stranger", body="hello"),
        InvalidText: ask("message", body=" "),
        NotFound: ask("edit", message_id="nothing", body="hello"),
        MessageGone: ask("edit", message_id=gone, body="hello"),
        Forbidden: ask("edit", bob, message_id=gone, body="hello"),
    }


async def test_what_is_refused_is_raised_as_the_same_error(bench: Bench) -> None:
    """Class, code and sentence."""
    ann, bob = await bench.writing.users("ann", "bob")
    place = await bench.writing.conversation(ann, bob)
    gone = (await bench.do("message", place, ann, body="hello")).entry.message_id
    await bench.do("delete", place, ann, message_id=gone)
    inside = Bench(bench.writing.ingest, bench.writing)
    for kind, ask in refusals(place, ann, bob, gone).items():
        errors = await asyncio.gather(ask(bench), ask(inside), return_exceptions=True)
        assert [(type(error), str(error)) for error in errors] == [(kind, str(errors[1]))] * 2
    await bench.do("membership", place, ann, settings=ConversationSettings(archived=True))
    with pytest.raises(Archived):
        await bench.do("message", place, ann, body="hello")


@pytest.mark.parametrize("body", ["\ud800", "a\x00b"])
async def test_a_text_that_cannot_be_stored_is_refused(bench: Bench, body: str) -> None:
    """A lone surrogate and U+0000 are refused for themselves, not as a failure."""
    (ann,) = await bench.writing.users("ann")
    place = await bench.writing.conversation(ann)
    with pytest.raises(InvalidText):
        await bench.do("message", place, ann, body=body)
    assert (await bench.do("message", place, ann, body="hello")).entry.kind is EntryKind.MESSAGE


async def test_missed_is_everything_after_a_position(bench: Bench) -> None:
    """Entries in order with the messages as they are now; nothing at the head; reset for strangers and made-up positions."""
    ann, bob = await bench.writing.users("ann", "bob")
    place = await bench.writing.conversation(ann, bob)
    first = await bench.do("message", place, ann, body="before")
    await bench.do("reaction", place, bob, message_id=first.entry.message_id, emoji="👍")
    edit = await bench.do("edit", place, ann, message_id=first.entry.message_id, body="after")
    gone = await bench.do("message", place, bob, body="hello")
    last = await bench.do("delete", place, bob, message_id=gone.entry.message_id)
    inside = bench.writing.ingest
    for user in (ann, None):
        missed = await bench.ingest.missed(user, place, first.entry.position)
        assert missed == await inside.missed(user, place, first.entry.position)
        assert [entry.seq for entry in missed.entries] == [3, 4, 5, 6]
        assert missed.messages[first.entry.message_id].text == "after"
        assert missed.messages[first.entry.message_id].changed_seq == edit.entry.seq
        assert missed.messages[gone.entry.message_id].text is None
    for user, after in [(ann, last.entry.position), (ann, (1, 2**70)), (ann, (2**70, 1)), (ann, (-(2**70), -(2**70))), ("stranger", (1, 1))]:  # fmt: skip
        assert await bench.ingest.missed(user, place, after) == await inside.missed(user, place, after)
    assert (await bench.ingest.missed(ann, "nowhere", (1, 1))).reset


async def test_marks_raise_cursors(bench: Bench) -> None:
    """Within a second, and only up to the head; a made-up one harms nobody."""
    ann, bob = await bench.writing.users("ann", "bob")
    place = await bench.writing.conversation(ann, bob)
    last = await bench.do("message", place, ann, body="hello")
    for read, delivered in ((1, 0), (last.entry.seq, 0), (0, last.entry.seq), (0, 2**70)):
        bench.ingest.mark(bob, place, read_seq=read, delivered_seq=delivered)
    reader = bench.writing.directory.cursors

    async def has_read() -> bool:
        return (await reader.of_user(bob, [place]))[place].read_seq == last.entry.seq

    await wait_until(has_read)
