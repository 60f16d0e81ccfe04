"""Fan-out: which gateway is told what, and for whom."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from nottermost_chat.adapters import local_delivery
from nottermost_chat.adapters.local_delivery import LocalDelivery
from nottermost_chat.fanout.service import Fanout, assign
from nottermost_chat.model import Head, LogRecord, Role
from nottermost_chat.pictures import Pictures
from nottermost_chat.ports import DeliveryItem, Signal
from nottermost_chat.testing.batches import Draft
from nottermost_chat.testing.ingesting import Writing, open_writing


class Inbox:
    """A gateway that keeps what it is told. `stopped`: it never answers."""

    def __init__(self, gateway_id: str, *, stopped: bool = False) -> None:
        self.gateway_id, self._stopped = gateway_id, stopped
        self.items: list[DeliveryItem] = []
        self.lapsed = 0

    async def take(self, items: Sequence[DeliveryItem]) -> None:
        if self._stopped:
            await asyncio.Event().wait()
        self.items.extend(items)

    def signal(self, signal: Signal) -> None:
        raise NotImplementedError

    def lapse(self) -> None:
        self.lapsed += 1


class SetRoutes:
    """Routes that a test sets; None: lost."""

    def __init__(self) -> None:
        self.gateways: dict[str, frozenset[str]] | None = {}

    async def gateways_of(self, user_ids: Sequence[str]) -> dict[str, frozenset[str]] | None:
        return self.gateways if self.gateways is None else {u: self.gateways[u] for u in user_ids if u in self.gateways}


class Bench:
    """A fan-out between an ingest and two gateways."""

    def __init__(self, writing: Writing) -> None:
        self.writing, self.routes, self.delivery = writing, SetRoutes(), LocalDelivery()
        self.one, self.two = Inbox("one"), Inbox("two")
        self.delivery.attach(self.one)
        self.delivery.attach(self.two)
        pictures = Pictures(writing.directory.conversations, writing.store)
        self.fanout = Fanout(pictures, self.routes, self.delivery)  # type: ignore[arg-type]  # the rest is not used

    async def records(self, place: str, after_seq: int = 0) -> list[LogRecord]:
        entries = await self.writing.store.entries(place, after_seq, 100)
        return [LogRecord(entry) for entry in entries]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with open_writing(tmp_path) as writing:
        yield Bench(writing)


def told(inbox: Inbox) -> list[tuple[int, set[str] | None]]:
    return [(item.record.entry.seq, None if item.recipients is None else set(item.recipients)) for item in inbox.items]


async def test_each_gateway_is_told_once_about_its_own_users(bench: Bench) -> None:
    """A gateway without connected members hears nothing; members elsewhere are not named."""
    ann, bob, cat = await bench.writing.users("ann", "bob", "cat")
    place = await bench.writing.conversation(ann, bob, cat)
    await bench.writing.say(place, ann)
    bench.routes.gateways = {ann: frozenset({"one"}), bob: frozenset({"one", "elsewhere"})}
    await bench.fanout.handle(await bench.records(place))
    assert told(bench.one) == [(1, {ann, bob}), (2, {ann, bob})]
    assert told(bench.two) == []


async def test_lost_routes_mean_everybody_is_told(bench: Bench) -> None:
    """Not knowing who is where is not the same as nobody being there."""
    ann, bob = await bench.writing.users("ann", "bob")
    place = await bench.writing.conversation(ann, bob)
    bench.routes.gateways = None
    await bench.fanout.handle(await bench.records(place))
    assert told(bench.one) == told(bench.two) == [(1, {ann, bob})]


async def test_recipients_are_those_of_the_entry(bench: Bench) -> None:
    """Read late, an entry goes to nobody who joined after it; a removal goes to the removed too, nothing newer does."""
    ann, bob, cat = await bench.writing.users("ann", "bob", "cat")
    place = await bench.writing.conversation(ann, bob)
    await bench.writing.say(place, ann)  # 2
    await bench.writing.change(place, ann, (bob, None))  # 3
    await bench.writing.say(place, ann)  # 4
    await bench.writing.change(place, ann, (cat, Role.MEMBER))  # 5
    await bench.writing.say(place, ann)  # 6
    bench.routes.gateways = None
    await bench.fanout.handle(await bench.records(place))
    seen = dict(told(bench.one))
    assert seen[3] == {ann, bob}
    assert seen[4] == {ann}
    assert seen[5] == seen[6] == {ann, cat}


async def test_large_entries_name_nobody_and_silent_ones_go_nowhere(bench: Bench) -> None:
    """One delivery to each gateway whatever the size; imports are passed over."""
    (ann,) = await bench.writing.users("ann")
    place = await bench.writing.conversation(ann)
    (record,) = await bench.records(place)
    await bench.fanout.handle([LogRecord(record.entry, large=True), LogRecord(record.entry, silent=True)])
    assert told(bench.one) == told(bench.two) == [(1, None)]


async def test_a_conversation_that_nobody_knows_goes_nowhere(bench: Bench) -> None:
    """A record without a conversation in the directory holds nothing up."""
    draft = Draft(Head("nowhere"))
    draft.say("nowhere", "1", "hello")
    await bench.fanout.handle([LogRecord(new.entry) for new in draft.batch.entries])
    assert told(bench.one) == []


async def test_a_stopped_gateway_lapses_and_stalls_nobody(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time it may take it is told that it lapsed; the others had theirs at once."""
    monkeypatch.setattr(local_delivery, "LAPSE_S", 0.05)
    stopped = Inbox("stopped", stopped=True)
    bench.delivery.attach(stopped)
    (ann,) = await bench.writing.users("ann")
    place = await bench.writing.conversation(ann)
    bench.routes.gateways = None
    await bench.fanout.handle(await bench.records(place))
    assert stopped.lapsed == 1
    assert told(bench.one) == [(1, {ann})]
    await bench.delivery.deliver("unknown", bench.one.items)


def test_assign_keeps_the_order() -> None:
    """Items come to a gateway in the order of the records."""
    draft = Draft(Head("c"))
    for number in range(3):
        draft.say("c", str(number), "hello")
    records = [LogRecord(new.entry) for new in draft.batch.entries]
    addressed = [(records[0], ("ann",)), (records[1], None), (records[2], ("bob", "ann"))]
    items = assign(addressed, "one", {"ann": frozenset({"one"})})
    assert [(item.record.entry.seq, item.recipients) for item in items] == [(1, ("ann",)), (2, None), (3, ("ann",))]
