"""What Delivery promises. The same tests run by function call and over gRPC."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from nottermost_chat.adapters import local_delivery
from nottermost_chat.adapters.local_delivery import LocalDelivery
from nottermost_chat.clock import Clock
from nottermost_chat.model import EntryKind, Head, LogRecord, Role
from nottermost_chat.ports import Delivery, DeliveryItem
from nottermost_chat.rpc.addresses import FixedAddresses
from nottermost_chat.rpc.delivery_client import DeliveryReceiver
from nottermost_chat.rpc.delivery_server import GatewayDelivery
from nottermost_chat.rpc.server import serving
from nottermost_chat.testing.batches import Draft
from nottermost_chat.testing.rpc import QUICK, Inbox, make_items, running, until

LAPSE_S = 0.3

Attach = Callable[[Inbox], Awaitable[None]]


@pytest.fixture(params=["in the process", "grpc"])
async def bench(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Delivery, Attach]]:
    """A delivery, and what attaches a gateway to it."""
    async with AsyncExitStack() as stack:
        if request.param == "in the process":
            monkeypatch.setattr(local_delivery, "LAPSE_S", LAPSE_S)
            local = LocalDelivery()

            async def attach_here(inbox: Inbox) -> None:
                local.attach(inbox)

            yield local, attach_here
            return
        remote = GatewayDelivery(Clock(), lapse_s=LAPSE_S)
        port = await stack.enter_async_context(serving(remote, host="127.0.0.1", port=0))

        async def attach_there(inbox: Inbox) -> None:
            receiver = DeliveryReceiver(FixedAddresses(f"127.0.0.1:{port}"), inbox, pace=QUICK)
            await stack.enter_async_context(running(asyncio.create_task(receiver.run())))
            await receiver.connected()

        yield remote, attach_there


async def test_items_arrive_whole_and_in_the_order_offered(bench: tuple[Delivery, Attach]) -> None:
    """Record for record, with their recipients; also when several deliveries are under way at once."""
    delivery, attach = bench
    one, two = Inbox("one"), Inbox("two")
    await attach(one)
    await attach(two)
    assert sorted(await delivery.gateways()) == ["one", "two"]
    draft = Draft(Head("place"))
    draft.change("place", "join", [("ann", Role.ADMIN), ("bob", None)])
    draft.say("place", "say", "héllo")
    records = [LogRecord(new.entry, new.large, new.preview, written_at=7) for new in draft.batch.entries]
    assert [record.entry.kind for record in records] == [EntryKind.MEMBERSHIP, EntryKind.MESSAGE]
    items = [DeliveryItem(records[0], ("ann", "bob")), DeliveryItem(records[1]), DeliveryItem(records[1], ())]
    await delivery.deliver("one", items)
    assert one.items == items
    assert two.items == []
    many = make_items(300)
    await asyncio.gather(*(delivery.deliver("two", many[start : start + 10]) for start in range(0, 300, 10)))
    assert two.items == many


async def test_a_delivery_ends_when_the_gateway_has_taken_it(bench: tuple[Delivery, Attach]) -> None:
    """Not when it is sent: a position of the log is committed after it."""
    delivery, attach = bench
    inbox = Inbox("one")
    inbox.opened.clear()
    await attach(inbox)
    delivering = asyncio.ensure_future(delivery.deliver("one", make_items(1)))
    await inbox.asked.wait()
    assert not delivering.done()
    inbox.opened.set()
    await delivering
    assert inbox.items == make_items(1)
    assert inbox.lapses == 0


async def test_a_gateway_that_hangs_lapses_and_delays_nobody_else(bench: tuple[Delivery, Attach]) -> None:
    """It is told, so that its connections resume; the others have theirs at once, and a stranger is passed over."""
    delivery, attach = bench
    stopped, other = Inbox("stopped"), Inbox("other")
    stopped.opened.clear()
    await attach(stopped)
    await attach(other)
    hanging = asyncio.ensure_future(delivery.deliver("stopped", make_items(2)))
    await delivery.deliver("other", make_items(2))
    assert not hanging.done()
    await hanging
    await until(stopped.has_lapsed)
    assert (stopped.items, other.items) == ([], make_items(2))
    await delivery.deliver("unknown", make_items(1))
