"""A gateway's end of the deliveries: dials every fan-out, hands over in order, acknowledges."""

import asyncio
from collections import deque
from typing import Final

import grpc.aio
import structlog

from nottermost_chat.adapters.local_delivery import GatewayInbox
from nottermost_chat.adapters.record_codec import decode_record
from nottermost_chat.errors import ChatError
from nottermost_chat.ports import DeliveryItem
from nottermost_chat.rpc.addresses import Resolver
from nottermost_chat.rpc.link import DEFAULT_PACE, Link, Links, Over, Pace, Stream
from nottermost_chat.rpc.v1 import fanout_pb2 as pb
from nottermost_chat.rpc.v1.fanout_pb2_grpc import FanoutServiceStub

DOUBT_S: Final = 30.0  # a fan-out that was cut off may have handled records for so long before it died

logger = structlog.get_logger(__name__)


class DeliveryReceiver:
    """Feeds one gateway. `run` keeps the streams until it is cancelled."""

    def __init__(self, resolver: Resolver, gateway: GatewayInbox, *, pace: Pace = DEFAULT_PACE) -> None:
        self._gateway, self._pace = gateway, pace
        self._links = Links(resolver, self._make_link)
        self._one_at_a_time = asyncio.Lock()  # the cursor judges and advances: two fan-outs must not interleave
        self._changed = asyncio.Event()

    async def run(self) -> None:
        await self._links.run()

    async def connected(self) -> None:
        """Returns when every fan-out known has answered, or failed to."""
        while not self._links.by_address or not all(link.was_tried for link in self._links.by_address.values()):
            self._changed.clear()
            await self._changed.wait()

    @property
    def fanouts(self) -> list[str]:
        """Addresses that are known."""
        return sorted(self._links.by_address)

    @property
    def unreached(self) -> list[str]:
        """Those that do not answer: dead, or cut off from here, and then what they handle does not arrive.

        No reason to be unhealthy: a dead fan-out would take all gateways with it.
        """
        return [address for address in self.fanouts if not self._links.by_address[address].is_up]

    def _make_link(self, address: str) -> Link[pb.DeliverRequest, pb.DeliverResponse]:
        end = FanoutEnd(self)
        end.link = Link(address, end, pb.DeliverRequest, self._pace)
        return end.link

    @property
    def gateway_id(self) -> str:
        return self._gateway.gateway_id

    async def take(self, message: pb.DeliverResponse) -> None:
        """Returns when the gateway has taken all of it."""
        items = [
            DeliveryItem(decode_record(one.record), None if one.unaddressed else tuple(one.recipients))
            for one in message.deliveries
        ]
        async with self._one_at_a_time:
            await self._gateway.take(items)

    def lapse(self) -> None:
        self._gateway.lapse()

    def on_change(self) -> None:
        """A fan-out has come or gone."""
        self._changed.set()


class FanoutEnd:
    """Our end of the stream from one fan-out.

    What has arrived and waits to be taken is bounded by the fan-out, which drops a gateway that
    does not acknowledge.
    """

    link: Link[pb.DeliverRequest, pb.DeliverResponse]

    def __init__(self, owner: DeliveryReceiver) -> None:
        self._owner = owner
        self._arrived: deque[pb.DeliverResponse] = deque()
        self._arrival = asyncio.Event()
        self._taken = self._told = 0
        self._instance = ""
        self._doubt: asyncio.TimerHandle | None = None  # it was cut off: has it handled anything since?

    def open(self, channel: grpc.aio.Channel) -> Stream[pb.DeliverRequest, pb.DeliverResponse]:
        stream: Stream[pb.DeliverRequest, pb.DeliverResponse] = FanoutServiceStub(channel).Deliver()
        return stream

    def hello(self) -> pb.DeliverRequest:
        return pb.DeliverRequest(gateway_id=self._owner.gateway_id)

    def on_up(self, first: pb.DeliverResponse) -> None:
        welcome = first.welcome
        self._arrived.clear()
        self._taken = self._told = 0
        doubtful, self._doubt = self._doubt, None
        if doubtful is not None:
            doubtful.cancel()
        if welcome.missed or (doubtful is not None and welcome.instance != self._instance):
            logger.warning("deliveries_missed", fanout=self.link.address)
            self._owner.lapse()
        self._instance = welcome.instance
        self._owner.on_change()

    def on_message(self, message: pb.DeliverResponse) -> None:
        if message.through:
            self._arrived.append(message)
            self._arrival.set()

    async def work(self) -> None:
        """Hand over what arrives, in order. What the gateway refuses is sent again over the next stream."""
        while True:
            await self._arrival.wait()
            self._arrival.clear()
            while self._arrived:
                message = self._arrived.popleft()
                try:
                    await self._owner.take(message)
                except ChatError as error:
                    logger.warning("delivery_refused", fanout=self.link.address, error=repr(error))
                    raise Over from error
                except Exception as error:
                    logger.exception("delivery_failed", fanout=self.link.address)
                    raise Over from error
                self._taken = message.through
                self.link.wake()

    def collect(self) -> pb.DeliverRequest | None:
        if self._taken == self._told:
            return None
        self._told = self._taken
        return pb.DeliverRequest(taken=self._taken)

    def is_over(self) -> bool:
        return False

    def on_down(self, *, silent: bool) -> None:
        if silent and self._doubt is None:
            self._doubt = asyncio.get_running_loop().call_later(DOUBT_S, self._give_up)
        self._owner.on_change()

    def _give_up(self) -> None:
        """It has not come back. Whatever it handled before it went, the gateway's connections resume."""
        self._doubt = None
        logger.warning("fanout_lost", fanout=self.link.address)
        self._owner.lapse()
