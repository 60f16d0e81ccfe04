"""Deliveries over gRPC when something breaks: nothing is lost that nobody is told of, and nobody waits for long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random

import pytest

from nottermost_chat.clock import Clock
from nottermost_chat.errors import Unavailable
from nottermost_chat.rpc import delivery_client, delivery_server, link
from nottermost_chat.rpc.addresses import FixedAddresses, Resolver
from nottermost_chat.rpc.delivery_client import DeliveryReceiver
from nottermost_chat.rpc.delivery_server import GatewayDelivery
from nottermost_chat.testing.rpc import QUICK, Inbox, KillableServer, Wire, make_items, running, until

LAPSE_S = 0.4
KEEP_S = 0.2


@dataclass
class Bench:
    """Fan-outs, gateways, and wires between them that can be cut."""

    stack: AsyncExitStack
    servers: list[KillableServer] = field(default_factory=list)

    async def fanout(self, port: int = 0, *, lapse_s: float = LAPSE_S, keep_s: float = KEEP_S) -> GatewayDelivery:
        delivery = GatewayDelivery(Clock(), lapse_s=lapse_s, keep_s=keep_s)
        server = KillableServer(delivery)
        server.port = port
        await server.start()
        self.stack.push_async_callback(server.kill)
        self.servers.append(server)
        return delivery

    async def wire(self, server: int = -1) -> Wire:
        wire = await Wire(self.servers[server].port).start()
        self.stack.push_async_callback(wire.end)
        return wire

    async def gateway(self, gateway_id: str, *addresses: str, resolver: Resolver | None = None) -> Inbox:
        """A connected gateway; without addresses at the latest fan-out."""
        inbox = Inbox(gateway_id)
        await self.dial(inbox, *addresses, resolver=resolver)
        return inbox

    async def dial(self, inbox: Inbox, *addresses: str, resolver: Resolver | None = None) -> DeliveryReceiver:
        resolver = resolver or FixedAddresses(*(addresses or (self.servers[-1].address,)))
        receiver = DeliveryReceiver(resolver, inbox, pace=QUICK)
        await self.stack.enter_async_context(running(asyncio.create_task(receiver.run())))
        await receiver.connected()
        return receiver


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        yield Bench(stack)


async def test_what_a_broken_stream_left_unacknowledged_comes_again(bench: Bench) -> None:
    """The connection is reset while the gateway takes: it returns in time, misses nothing and need not resume."""
    delivery = await bench.fanout(lapse_s=10)
    wire = await bench.wire()
    inbox = await bench.gateway("one", wire.address)
    inbox.opened.clear()
    delivering = asyncio.gather(*(delivery.deliver("one", make_items(2, first)) for first in (1, 3, 5)))
    await inbox.asked.wait()
    inbox.asked.clear()
    wire.cut()
    await inbox.asked.wait()
    inbox.opened.set()
    await delivering
    assert (inbox.shown(), inbox.lapses) == ([1, 2, 3, 4, 5, 6], 0)


@pytest.mark.parametrize("seed", range(3))
async def test_any_cuts_lose_nothing(bench: Bench, seed: int) -> None:
    """Resets at any moment while batches flow, answers late or refused: each seq is shown once and in order."""
    random = Random(seed)
    delivery = await bench.fanout(lapse_s=20, keep_s=20)
    wire = await bench.wire()
    inbox = await bench.gateway("one", wire.address)
    first = 1
    while first < 400:
        counts = [random.randint(1, 8) for _ in range(random.randint(1, 5))]
        starts = [first + sum(counts[:place]) for place in range(len(counts))]
        first += sum(counts)
        inbox.refuse = random.choice([0, 0, 1])
        sending = asyncio.gather(
            *(delivery.deliver("one", make_items(n, start)) for n, start in zip(counts, starts, strict=True))
        )
        if random.random() < 0.5:
            await asyncio.sleep(random.uniform(0, 0.01))
            wire.cut()
        await sending
    assert (inbox.shown(), inbox.lapses) == ([*range(1, first)], 0)


async def test_what_the_gateway_refuses_comes_again(bench: Bench) -> None:
    """A hole that could not be filled is no reason to lose what follows."""
    delivery = await bench.fanout(lapse_s=10)
    inbox = await bench.gateway("one")
    inbox.refuse = 2
    await delivery.deliver("one", make_items(3))
    assert (inbox.shown(), inbox.lapses) == ([1, 2, 3], 0)


async def test_a_gateway_that_stays_away_lapses_only_if_something_was_handled(bench: Bench) -> None:
    """Away longer than it is waited for: nobody waits any more, and it learns on its return what it missed."""
    delivery = await bench.fanout()
    wire = await bench.wire()
    inbox, _ = await bench.gateway("one", wire.address), await bench.gateway("other")

    async def leave() -> None:
        wire.freeze()
        wire.cut()
        await until_gone(delivery)

    await leave()
    wire.thaw()
    await until_back(delivery)
    await delivery.deliver("one", make_items(1))
    assert (inbox.shown(), inbox.lapses) == ([1], 0)
    await leave()
    assert await delivery.gateways() == ["other"]  # a record is handled, for whoever is there
    wire.thaw()
    await until(inbox.has_lapsed)
    await delivery.deliver("one", make_items(1, 3))
    assert inbox.shown() == [1, 3]


async def test_a_delivery_to_a_gateway_that_has_just_left_makes_it_lapse(bench: Bench) -> None:
    """It was there when the gateways were listed, and gone when its part was handed over."""
    delivery = await bench.fanout()
    wire = await bench.wire()
    inbox, _ = await bench.gateway("one", wire.address), await bench.gateway("other")
    assert await delivery.gateways() == ["one", "other"]
    wire.freeze()
    wire.cut()
    await until_gone(delivery)
    await delivery.deliver("one", make_items(1))
    wire.thaw()
    await until(inbox.has_lapsed)


async def test_a_fanout_that_no_gateway_reaches_leaves_the_log_to_another(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off without a word from its last gateway: what that one did not take is not handled, here, and nobody lapses."""
    monkeypatch.setattr(delivery_server, "SILENT_S", 0.2)
    monkeypatch.setattr(delivery_server, "ALONE_S", 0.2)
    delivery = await bench.fanout(lapse_s=60)
    wire = await bench.wire()
    inbox = await bench.gateway("one", wire.address)
    reads: list[str] = []

    async def read() -> None:
        reads.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            reads.append("ended")

    async with running(asyncio.create_task(delivery.while_reached(read))):
        await until(lambda: reads == ["begun"])
        wire.freeze()
        for refused in (delivery.deliver("one", make_items(1)), delivery.gateways()):
            with pytest.raises(Unavailable, match="no gateway reaches"):
                await refused
        await until(lambda: reads == ["begun", "ended"])
        wire.thaw()
        await until(lambda: reads == ["begun", "ended", "begun"])
        await delivery.deliver("one", make_items(2))
    assert inbox.lapses == 0
    assert inbox.shown()[-2:] == [1, 2]


async def test_the_first_of_those_that_go_takes_nothing_with_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are cut off, one is noticed before the other: what was for that one alone is not handled either."""
    monkeypatch.setattr(delivery_server, "SILENT_S", 0.2)
    delivery = await bench.fanout(lapse_s=60)
    wire = await bench.wire()
    for name in ("one", "two"):
        await bench.gateway(name, wire.address)
    wire.freeze()
    waiting = [asyncio.ensure_future(delivery.deliver(name, make_items(1))) for name in ("one", "two")]
    for each in waiting:
        with pytest.raises(Unavailable, match="no gateway reaches"):
            await each


async def test_a_single_gateway_may_be_restarted(bench: Bench) -> None:
    """Back within two seconds, nothing has changed: what it did not take it gets."""
    delivery = await bench.fanout()
    wire = await bench.wire()
    inbox = await bench.gateway("one", wire.address)
    reading = asyncio.create_task(delivery.while_reached(read_for_ever))
    async with running(reading):
        wire.freeze()
        wire.cut()
        await until_gone(delivery)
        wire.thaw()
        await until_back(delivery)
        await delivery.deliver("one", make_items(1))
        assert not reading.done()
    assert (inbox.shown(), inbox.lapses) == ([1], 0)


async def test_a_stopped_gateway_delays_once(bench: Bench) -> None:
    """Frozen with its connection open: the first delivery waits until it lapses, later ones do not; back, it resumes."""
    delivery = await bench.fanout()
    wire = await bench.wire()
    stopped, other = await bench.gateway("stopped", wire.address), await bench.gateway("other")
    await delivery.deliver("stopped", make_items(1))
    wire.freeze()
    waiting = asyncio.ensure_future(delivery.deliver("stopped", make_items(1, 2)))
    await delivery.deliver("other", make_items(1))
    assert not waiting.done()
    await waiting
    assert await delivery.gateways() == ["other"]
    await delivery.deliver("stopped", make_items(1, 3))
    assert other.shown() == [1]
    assert stopped.lapses == 0
    wire.thaw()
    await until(stopped.has_lapsed)
    await until_back(delivery, "stopped")
    await delivery.deliver("stopped", make_items(1, 4))
    assert stopped.shown()[-1] == 4


async def test_a_full_queue_lapses_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory for one gateway is bounded: more is dropped, and the gateway's connections resume."""
    monkeypatch.setattr(delivery_server, "QUEUE_ITEMS_MAX", 10)
    delivery = await bench.fanout(lapse_s=60)
    inbox = await bench.gateway("one")
    inbox.opened.clear()
    waiting = asyncio.ensure_future(delivery.deliver("one", make_items(10)))
    await inbox.asked.wait()
    await delivery.deliver("one", make_items(1, 11))
    await waiting
    await until(inbox.has_lapsed)


async def test_more_than_a_message_holds_arrives_in_parts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, and the delivery ends with the last of them."""
    monkeypatch.setattr(delivery_server, "BATCH_BYTES_MAX", 1_000)
    delivery = await bench.fanout()
    inbox = await bench.gateway("one")
    await delivery.deliver("one", make_items(50))
    assert inbox.items == make_items(50)


async def test_a_new_fanout_waits_for_gateways_or_tells_them(bench: Bench) -> None:
    """Dialled before it handles anything nobody lapses; who dials later missed something."""
    delivery = await bench.fanout()
    early = await bench.gateway("early")
    await delivery.gateways()
    late = await bench.gateway("late")
    assert (early.lapses, late.lapses) == (0, 1)


async def test_a_restarted_fanout_finds_its_gateways_again(bench: Bench) -> None:
    """Killed in the middle: what was not acknowledged is not handled. On the same port it goes on, without a resume."""
    delivery = await bench.fanout(lapse_s=10)
    inbox = await bench.gateway("one")
    inbox.opened.clear()
    waiting = asyncio.ensure_future(delivery.deliver("one", make_items(2)))
    await inbox.asked.wait()
    await bench.servers[0].kill()
    waiting.cancel()  # the log's consumer dies with it, and its position stays
    inbox.opened.set()
    again = await bench.fanout(bench.servers[0].port)
    await until_back(again)
    await again.deliver("one", make_items(3))
    assert (inbox.shown(), inbox.lapses) == ([1, 2, 3], 0)


async def test_a_stopping_fanout_commits_nothing_that_was_not_taken(bench: Bench) -> None:
    """Its drain refuses what waits, and takes nobody in again."""
    delivery = await bench.fanout(lapse_s=10)
    inbox = await bench.gateway("one")
    inbox.opened.clear()
    waiting = asyncio.ensure_future(delivery.deliver("one", make_items(2)))
    await inbox.asked.wait()
    await delivery.drain()
    for refused in (waiting, delivery.deliver("one", make_items(1)), delivery.gateways()):
        with pytest.raises(Unavailable):
            await refused
    assert inbox.lapses == 0


async def test_a_fanout_that_was_cut_off_before_it_died_is_not_trusted(bench: Bench) -> None:
    """It may have handled records alone: its successor cannot tell, so the gateway's connections resume."""
    await bench.fanout()
    wire = await bench.wire()
    inbox = Inbox("one")
    receiver = await bench.dial(inbox, wire.address)
    wire.freeze()
    await until(lambda: bool(receiver.unreached))
    await bench.servers[0].kill()
    await bench.fanout(bench.servers[0].port)
    wire.thaw()
    await until(inbox.has_lapsed)
    await until(lambda: not receiver.unreached)


async def test_a_fanout_that_stays_cut_off_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never comes back: the gateway's connections resume once."""
    monkeypatch.setattr(delivery_client, "DOUBT_S", 0.2)
    await bench.fanout()
    wire = await bench.wire()
    inbox = await bench.gateway("one", wire.address)
    wire.freeze()
    await until(inbox.has_lapsed)
    assert inbox.lapses == 1


async def test_two_fanouts_never_interleave_in_a_gateway(bench: Bench) -> None:
    """The cursor judges and advances: one batch is taken whole before the next begins, from wherever it comes."""
    one, two = await bench.fanout(), await bench.fanout()
    inbox = Taking("one")
    await bench.dial(inbox, *(server.address for server in bench.servers))
    await asyncio.gather(*(each.deliver("one", make_items(3, first)) for first in (1, 4, 7) for each in (one, two)))
    assert inbox.at_once_max == 1
    assert inbox.shown() == [*range(1, 10)]


async def test_gateways_are_found_and_dropped_by_name(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new address is dialled at the next look-up; one that is gone from the name and does not answer is dropped."""
    monkeypatch.setattr(link, "LOOK_UP_EVERY_S", 0.01)
    await bench.fanout()
    names = Names(bench.servers[0].address)
    inbox = Inbox("one")
    receiver = await bench.dial(inbox, resolver=names)
    second = await bench.fanout()
    names.known = frozenset({bench.servers[1].address})
    await until_back(second)
    await until(lambda: not receiver.unreached)
    assert len(receiver.fanouts) == 2  # the first one still answers
    await bench.servers[0].kill()
    await until(lambda: len(receiver.fanouts) == 1)
    await second.deliver("one", make_items(1))
    names.fails = True
    await second.deliver("one", make_items(1, 2))
    assert inbox.shown() == [1, 2]


class Names:
    """A name server that a test tells what to say."""

    def __init__(self, *addresses: str) -> None:
        self.known, self.fails = frozenset(addresses), False

    async def addresses(self) -> frozenset[str]:
        if self.fails:
            raise OSError("the name server is away")
        return self.known


class Taking(Inbox):
    """Counts how many batches are being taken at once."""

    at_once = at_once_max = 0

    async def take(self, items: object) -> None:
        self.at_once += 1
        self.at_once_max = max(self.at_once, self.at_once_max)
        await asyncio.sleep(0.001)
        await super().take(items)  # type: ignore[arg-type]
        self.at_once -= 1


async def read_for_ever() -> None:
    await asyncio.Event().wait()


async def until_gone(delivery: GatewayDelivery, gateway_id: str = "one") -> None:
    await until(lambda: gateway_id not in delivery.connected)


async def until_back(delivery: GatewayDelivery, gateway_id: str = "one") -> None:
    await until(lambda: gateway_id in delivery.connected)
