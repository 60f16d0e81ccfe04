"""Delivery to gateways that dialled this fan-out.

A record counts as handled for a gateway when it took it, or when it is sure to resume: every
gateway that returns is told whether anything was handled that did not come to it. When the last one
has gone nothing is handled any more: it may well live and be cut off from here alone, and then it is
another fan-out's turn (`while_reached`).
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import islice
from typing import Final

import grpc
import grpc.aio
import msgspec
import structlog

from nottermost_chat.adapters.local_delivery import LAPSE_S
from nottermost_chat.adapters.record_codec import encode_record
from nottermost_chat.clock import Clock
from nottermost_chat.errors import ChatError, Unavailable
from nottermost_chat.model import LogRecord
from nottermost_chat.ports import DeliveryItem
from nottermost_chat.rpc.channel import BATCH_BYTES_MAX
from nottermost_chat.rpc.streams import until_one_ends
from nottermost_chat.rpc.v1 import fanout_pb2 as pb
from nottermost_chat.rpc.v1 import fanout_pb2_grpc

QUEUE_ITEMS_MAX: Final = 10_000  # waiting or unacknowledged, for one gateway; above it the gateway has lapsed:
QUEUE_BYTES_MAX: Final = 16 * 1024 * 1024  # to resume is cheaper than to catch up, and a hundred of them fit
KEEP_S: Final = 1.0  # a gateway whose stream broke has that long to return and go on where it was
SILENT_S: Final = 3.0  # without a heartbeat, of which a gateway sends one a second: it is gone, or cut off
ALONE_S: Final = 2.0  # a single gateway that is restarted is back by then
SETTLE_S: Final = 6.0  # gateways look for a new fan-out every 5 s
ALONE: Final = "no gateway reaches this fan-out any more: another one takes over"
STOPPING: Final = "this fan-out is stopping: another one takes over"
ENCODED_MAX: Final = 1_024  # records remembered in their encoding: each goes to many gateways

Stream = grpc.aio.ServicerContext[pb.DeliverRequest, pb.DeliverResponse]
logger = structlog.get_logger(__name__)


class Waiting(msgspec.Struct, eq=False):
    """What one call of `deliver` hands over, until the gateway acknowledges it."""

    number: int
    deliveries: list[pb.Delivery]
    size: int
    since: float  # of the loop's clock
    done: "asyncio.Future[None]"


class Session:
    """What one gateway has not acknowledged, whichever stream it goes over."""

    def __init__(self, gateway_id: str) -> None:
        self.gateway_id = gateway_id
        self.waiting: deque[Waiting] = deque()
        self.stream: Outgoing | None = None
        self.leaves: asyncio.TimerHandle | None = None
        self.lapses: asyncio.TimerHandle | None = None
        self._numbers = self._items = self._bytes = 0

    def offer(self, deliveries: list[pb.Delivery]) -> "asyncio.Future[None] | None":
        """Queue them; done when they are acknowledged or the gateway has lapsed. None: the queue is full."""
        size = sum(len(delivery.record) for delivery in deliveries)
        if self._items + len(deliveries) > QUEUE_ITEMS_MAX or self._bytes + size > QUEUE_BYTES_MAX:
            return None
        loop = asyncio.get_running_loop()
        self._numbers += 1
        self._items += len(deliveries)
        self._bytes += size
        waiting = Waiting(self._numbers, deliveries, size, loop.time(), loop.create_future())
        self.waiting.append(waiting)
        if self.stream is not None:
            self.stream.wake.set()
        return waiting.done

    def acknowledge(self, number: int) -> None:
        while self.waiting and self.waiting[0].number <= number:
            waiting = self.waiting.popleft()
            self._items -= len(waiting.deliveries)
            self._bytes -= waiting.size
            if not waiting.done.done():
                waiting.done.set_result(None)

    def end(self, error: ChatError | None = None) -> None:
        """Nothing more is delivered. Whoever waits gets the error; without one it counts as delivered."""
        for timer in (self.leaves, self.lapses):
            if timer is not None:
                timer.cancel()
        if self.stream is not None:
            self.stream.ended.set()
        if error is None:
            self.acknowledge(self._numbers)
        for waiting in self.waiting:
            if error is not None and not waiting.done.done():
                waiting.done.set_exception(error)


class Outgoing:
    """One stream to a gateway: how far it has sent of what waits."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sent_through = 0
        self._beat = 0
        self.wake, self.ended = asyncio.Event(), asyncio.Event()

    async def read(self, requests: AsyncIterator[pb.DeliverRequest]) -> None:
        """Ends with the stream. Raises TimeoutError when it falls silent."""
        while True:
            async with asyncio.timeout(SILENT_S):
                message = await anext(requests, None)
            if message is None:
                return
            self._session.acknowledge(message.taken)
            if message.beat:
                self._beat = message.beat
                self.wake.set()

    async def write(self, context: Stream) -> None:
        self.wake.set()  # what the stream before left unacknowledged
        while True:
            await self.wake.wait()
            self.wake.clear()
            while (message := self._next()) is not None:
                await context.write(message)

    def _next(self) -> pb.DeliverResponse | None:
        message, size = pb.DeliverResponse(beat=self._beat), 0
        self._beat = 0
        waiting = self._session.waiting
        start = max(0, self._sent_through + 1 - waiting[0].number) if waiting else 0  # numbers have no gaps
        for one in islice(waiting, start, None):
            if size >= BATCH_BYTES_MAX:
                break
            message.deliveries.extend(one.deliveries)
            message.through = self._sent_through = one.number
            size += one.size
        return message if message.beat or message.through else None


class GatewayDelivery(fanout_pb2_grpc.FanoutServiceServicer):
    """The gateways connected to this process. Implements `ports.Delivery` and `rpc.server.Served`."""

    def __init__(self, clock: Clock, *, lapse_s: float = LAPSE_S, keep_s: float = KEEP_S) -> None:
        self._instance, self._lapse_s, self._keep_s = clock.new_id(), lapse_s, keep_s
        self._sessions: dict[str, Session] = {}
        self._unharmed: set[str] = set()  # gateways that left, and nothing was handled since
        self._begun = False  # something was handled
        self._draining = False
        self._reached, self._deserted = asyncio.Event(), asyncio.Event()  # a gateway is here; the last one has gone
        self._reached.set()  # where there never was one nobody is cut off
        self._encoded: OrderedDict[int, tuple[LogRecord, bytes]] = OrderedDict()

    def register(self, server: grpc.aio.Server) -> None:
        fanout_pb2_grpc.add_FanoutServiceServicer_to_server(self, server)

    async def drain(self) -> None:
        """Ends every stream. Stop to consume the log first: what is not acknowledged now is not delivered."""
        self._draining = True
        for session in list(self._sessions.values()):
            self._remove(session, Unavailable(STOPPING))

    async def settle(self) -> None:
        """Returns when the gateways have had the time to dial. Wait for it before consuming the log.

        Else nothing is lost, but each gateway that dials later lapses.
        """
        await asyncio.sleep(SETTLE_S)

    async def while_reached(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do this, but for the times when all gateways that were here are gone for long; it is cancelled meanwhile."""
        while True:
            await self._reached.wait()
            await until_one_ends(work(), self._is_alone())
            logger.warning("no_gateway")

    async def _is_alone(self) -> None:
        """Returns when the last gateway has gone and none has come for a while."""
        while True:
            await self._deserted.wait()
            try:
                async with asyncio.timeout(ALONE_S):
                    await self._reached.wait()
            except TimeoutError:
                return

    @property
    def connected(self) -> list[str]:
        """Gateways that are there, or whose return is waited for."""
        return list(self._sessions)

    # --- ports.Delivery ------------------------------------------------------------------------

    async def gateways(self) -> list[str]:
        self._check_open()
        self._begun = True
        self._unharmed.clear()
        return self.connected

    async def deliver(self, gateway_id: str, items: Sequence[DeliveryItem]) -> None:
        self._begun = True
        for part in _split([self._pack(item) for item in items]):
            self._check_open()
            session = self._sessions.get(gateway_id)
            if session is None:
                self._unharmed.discard(gateway_id)
                return
            done = session.offer(part)
            if done is None:
                self._lapse(session, "queue full")
                return
            if session.lapses is None:
                self._watch(session)
            await done

    def _check_open(self) -> None:
        """Nobody is listed any more, which must not look like everybody being served."""
        if self._draining:
            raise Unavailable(STOPPING)
        if self._deserted.is_set():
            raise Unavailable(ALONE)

    def _pack(self, item: DeliveryItem) -> pb.Delivery:
        record = item.record
        _, encoded = self._encoded.get(id(record), (None, b""))
        if not encoded:
            encoded = encode_record(record)
            self._encoded[id(record)] = (record, encoded)  # held, so that its id stays its own
            if len(self._encoded) > ENCODED_MAX:
                self._encoded.popitem(last=False)
        return pb.Delivery(record=encoded, unaddressed=item.recipients is None, recipients=item.recipients)

    # --- gateways that are too slow, or gone -----------------------------------------------------

    def _watch(self, session: Session) -> None:
        """Look again when what waits longest has waited too long."""
        session.lapses = None
        if not session.waiting:
            return
        loop = asyncio.get_running_loop()
        due = session.waiting[0].since + self._lapse_s
        if loop.time() >= due:
            self._lapse(session, "no acknowledgement")
        else:
            session.lapses = loop.call_at(due, self._watch, session)

    def _lapse(self, session: Session, reason: str) -> None:
        """Drop its queue and end its stream: the gateway learns the rest when it dials again."""
        logger.warning("gateway_lapsed", gateway=session.gateway_id, reason=reason)
        self._remove(session)

    def _leave(self, session: Session) -> None:
        """Its stream broke and it did not return. What the last ones have not acknowledged is not handled."""
        alone = all(each.stream is None for each in self._sessions.values())  # cut off, they go within a second
        if alone or not session.waiting:
            self._unharmed.add(session.gateway_id)
        if alone:
            self._reached.clear()
            self._deserted.set()
        self._remove(session, Unavailable(ALONE) if alone else None)

    def _remove(self, session: Session, error: ChatError | None = None) -> None:
        self._sessions.pop(session.gateway_id, None)
        session.end(error)

    # --- the stream ----------------------------------------------------------------------------

    async def Deliver(self, requests: AsyncIterator[pb.DeliverRequest], context: Stream) -> None:
        first = await anext(requests, None)
        if first is None or not first.gateway_id:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the first message names no gateway")
        if self._draining:
            await context.abort(grpc.StatusCode.UNAVAILABLE, STOPPING)
        session, welcome = self._welcome(first.gateway_id)
        self._deserted.clear()
        self._reached.set()
        stream = session.stream = Outgoing(session)
        logger.info("gateway_connected", gateway=first.gateway_id, resumed=welcome.resumed, missed=welcome.missed)
        try:
            await context.write(pb.DeliverResponse(welcome=welcome))
            await until_one_ends(stream.read(requests), stream.write(context), stream.ended.wait())
        except TimeoutError:
            logger.warning("gateway_silent", gateway=first.gateway_id)
        finally:
            if session.stream is stream and self._sessions.get(session.gateway_id) is session:
                session.stream = None
                session.leaves = asyncio.get_running_loop().call_later(self._keep_s, self._leave, session)

    def _welcome(self, gateway_id: str) -> tuple[Session, pb.Welcome]:
        """Take the gateway in, or in again: its older stream, if it still seems to be there, is dead."""
        session = self._sessions.get(gateway_id)
        if session is None:
            missed = self._begun and gateway_id not in self._unharmed
            self._unharmed.discard(gateway_id)
            session = self._sessions[gateway_id] = Session(gateway_id)
            return session, pb.Welcome(instance=self._instance, missed=missed)
        if session.leaves is not None:
            session.leaves.cancel()
        if session.stream is not None:
            session.stream.ended.set()
        return session, pb.Welcome(instance=self._instance, resumed=True)


def _split(deliveries: list[pb.Delivery]) -> list[list[pb.Delivery]]:
    """In parts that fit a message each."""
    parts: list[list[pb.Delivery]] = []
    size = BATCH_BYTES_MAX
    for delivery in deliveries:
        if size >= BATCH_BYTES_MAX:
            parts.append([])
            size = 0
        parts[-1].append(delivery)
        size += delivery.ByteSize()
    return parts
