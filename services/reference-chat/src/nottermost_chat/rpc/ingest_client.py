"""All ingests, as one: what a gateway, the API and fan-out use in place of the durability plane itself."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from hashlib import blake2b
from typing import TypeVar

import grpc.aio
import msgspec
import structlog

from nottermost_chat.clock import Clock
from nottermost_chat.errors import ChatError, InvalidText, TooLarge, Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import Member
from nottermost_chat.ports import Appended, AppendRequest, Missed, Picture, Signal
from nottermost_chat.protocol import Presence
from nottermost_chat.resilience import POLICIES, Guard
from nottermost_chat.rpc.addresses import Resolver
from nottermost_chat.rpc.channel import BATCH_BYTES_MAX
from nottermost_chat.rpc.link import DEFAULT_PACE, Link, Links, Pace, Stream
from nottermost_chat.rpc.refusals import AWAY, make_error, translate_status
from nottermost_chat.rpc.tracing import current_traceparent
from nottermost_chat.rpc.translate import (
    clamp,
    pack_append,
    pack_position,
    pack_signal,
    unpack_appended,
    unpack_member,
    unpack_missed,
    unpack_picture,
    unpack_signal,
    unpack_tier,
)
from nottermost_chat.rpc.v1 import common_pb2 as common
from nottermost_chat.rpc.v1 import ingest_pb2 as pb
from nottermost_chat.rpc.v1.ingest_pb2_grpc import IngestServiceStub
from nottermost_chat.settings import Tier

DEADLINE_S = 10.0  # an operation without an answer by then is refused as `unavailable`, its outcome unknown
OPERATIONS_MAX = 10_000  # unanswered; as many as one ingest lets wait,
APPEND_BYTES_MAX = 600_000  # of one: a body of 100,000 characters is 400 KB, 500 changed members are 20 KB
OPERATION_BYTES_MAX = 64 * 1024 * 1024  # and no more than this of memory; above it `unavailable`
SOMEBODY_WITHIN_S = 1.0  # a question that finds no ingest waits so long, three times: people are watching
MARKS_MAX = 5_000  # waiting for one ingest; above it dropped, cursors rise with the next one
ID_CHARS_MAX = 64  # a client may send anything as an id; ours have 26
SIGNALS_MAX = 1_000  # waiting for one ingest; above it the oldest are dropped: they are about now

T = TypeVar("T")
Answer = TypeVar("Answer")
logger = structlog.get_logger(__name__)


class Operation(msgspec.Struct, eq=False):
    """An append without an answer."""

    wire: pb.Append
    done: "asyncio.Future[Appended]"
    deadline: float  # of the loop's clock
    size: int
    timer: asyncio.TimerHandle | None = None
    peer: "IngestEnd | None" = None
    number: int = 0


class Moved(Exception):
    """The ingest went away during a question, or none is there: ask another one."""


class RemoteIngest:
    """Ingest over gRPC. Implements `ports.Ingest`, `ports.Members` and `ports.Signals`.

    Promises those of the ports. An operation whose ingest dies, stops or drains is sent to
    another one until its deadline: operation ids make repeats harmless. `run` keeps the
    streams until it is cancelled; before it runs, operations wait.
    """

    def __init__(
        self,
        resolver: Resolver,
        caller_id: str,
        *,
        metrics: Metrics,
        clock: Clock,
        deadline_s: float = DEADLINE_S,
        pace: Pace = DEFAULT_PACE,
    ) -> None:
        """`caller_id`: names this process in the logs of ingest, e.g. the gateway's id."""
        self._caller_id, self._deadline_s, self._pace, self._metrics = caller_id, deadline_s, pace, metrics
        self._policy, self._now_us = POLICIES["ingest"], clock.now_us
        self._guard = Guard(self._policy, metrics, clock.monotonic, Moved)
        self._links = Links(resolver, self._make_link)
        self._ends: dict[str, IngestEnd] = {}
        self._listener: Callable[[Signal], None] | None = None
        self._homeless: dict[Operation, None] = {}  # no ingest is there to send them to; oldest first
        self._operations: set[Operation] = set()
        self._bytes = 0
        self._somebody = asyncio.Event()  # an ingest is there

    def attach(self, listener: Callable[[Signal], None]) -> None:
        """`listener` (`Gateway.signal`) gets every signal. Before `run`; without it none are sent here."""
        self._listener = listener

    async def run(self) -> None:
        """Dial every ingest, again and again. When cancelled, what is unanswered fails as `unavailable`."""
        try:
            await self._links.run()
        finally:
            for operation in list(self._operations):
                self._refuse(operation, Unavailable("this process is stopping: repeat the operation"))

    async def connected(self) -> None:
        """Returns when an ingest answers."""
        await self._somebody.wait()

    @property
    def ingests(self) -> list[str]:
        """Addresses that answer now and take new operations: none is a reason to be unhealthy."""
        return sorted(end.address for end in self._ends.values() if end.takes_new)

    # --- ports.Ingest --------------------------------------------------------------------------

    def submit(self, request: AppendRequest) -> "asyncio.Future[Appended]":
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Appended] = loop.create_future()
        if len(self._operations) >= OPERATIONS_MAX or self._bytes >= OPERATION_BYTES_MAX:
            done.set_exception(Unavailable("too many operations wait for ingest: repeat this one in a moment"))
            return done
        try:
            wire = pack_append(request)
        except UnicodeEncodeError:
            done.set_exception(InvalidText("the text holds half of a surrogate pair: remove it"))
            return done
        size = wire.ByteSize()
        if size > APPEND_BYTES_MAX:  # it would break the stream for everybody; ingest would refuse it too
            done.set_exception(TooLarge(f"the operation takes {size} bytes, the limit is {APPEND_BYTES_MAX}"))
            return done
        wire.traceparent, wire.received_us = current_traceparent(), request.received_us or self._now_us()
        deadline = loop.time() + self._deadline_s
        operation = Operation(wire, done, deadline, size)
        operation.timer = loop.call_at(deadline, self._expire, operation)
        self._operations.add(operation)
        self._bytes += size
        done.add_done_callback(partial(self._forget, operation))
        self._place(operation)
        return done

    def mark(self, user_id: str, conversation_id: str, *, read_seq: int = 0, delivered_seq: int = 0) -> None:
        end = self._choose(conversation_id)
        if end is not None:
            end.mark(user_id, conversation_id, clamp(read_seq), clamp(delivered_seq))

    async def missed(self, user_id: str | None, conversation_id: str, after: tuple[int, int]) -> Missed:
        request = _make(pb.MissedRequest, user_id=user_id, conversation_id=conversation_id, after=pack_position(after))
        wire: pb.MissedResponse = await self._ask(conversation_id, lambda stub, s: stub.Missed(request, timeout=s))
        return unpack_missed(conversation_id, wire)

    # --- ports.Members -------------------------------------------------------------------------

    async def among(self, conversation_id: str, user_ids: Sequence[str]) -> dict[str, Member]:
        request = _make(pb.AmongRequest, conversation_id=conversation_id, user_ids=user_ids)
        wire: pb.AmongResponse = await self._ask(conversation_id, lambda stub, s: stub.Among(request, timeout=s))
        return {member.user_id: unpack_member(member) for member in wire.members}

    async def of_user(self, user_id: str, conversation_ids: Sequence[str]) -> dict[str, Member]:
        request = _make(pb.OfUserRequest, user_id=user_id, conversation_ids=conversation_ids)
        wire: pb.OfUserResponse = await self._ask(user_id, lambda stub, s: stub.OfUser(request, timeout=s))
        return {conversation_id: unpack_member(member) for conversation_id, member in wire.stays.items()}

    async def picture_at(self, conversation_id: str, members_seq: int) -> tuple[Picture, bool] | None:
        """Members as of that membership entry or later; None: no such conversation.

        True beside it: a large conversation, of which only those are named who had joined by `members_seq`.
        """
        request = pb.PictureAtRequest(conversation_id=conversation_id, members_seq=members_seq)
        wire: pb.PictureAtResponse = await self._ask(
            conversation_id, lambda stub, s: stub.PictureAt(request, timeout=s)
        )
        return (unpack_picture(conversation_id, wire), wire.partial) if wire.found else None

    # --- people --------------------------------------------------------------------------------

    async def tier_of(self, user_id: str) -> Tier:
        request = pb.TierOfRequest(user_id=user_id)
        wire: pb.TierOfResponse = await self._ask(user_id, lambda stub, s: stub.TierOf(request, timeout=s))
        return unpack_tier(wire)

    async def seen(self, user_id: str, device_id: str) -> Presence:
        """Note that the user is at the device now. Returns the presence to show."""
        request = pb.NoteSeenRequest(user_id=user_id, device_id=device_id)
        wire: pb.NoteSeenResponse = await self._ask(user_id, lambda stub, s: stub.NoteSeen(request, timeout=s))
        return Presence(wire.presence)

    async def acquainted(self, user_id: str, user_ids: Sequence[str]) -> frozenset[str]:
        """Those of the users whose presence the user may see."""
        request = _make(pb.AcquaintedRequest, user_id=user_id, user_ids=user_ids)
        wire: pb.AcquaintedResponse = await self._ask(user_id, lambda stub, s: stub.Acquainted(request, timeout=s))
        return frozenset(wire.user_ids)

    async def last_seen(self, user_ids: Sequence[str]) -> dict[str, int]:
        """When the users were last there, ms since the epoch; who never was is absent."""
        request = _make(pb.LastSeenRequest, user_ids=user_ids)
        wire: pb.LastSeenResponse = await self._ask("", lambda stub, s: stub.LastSeen(request, timeout=s))
        return dict(wire.last_seen_ms)

    async def revoked_since(self, since_ms: int) -> dict[str, int]:
        """Devices signed out since then, and when (ms since the epoch)."""
        request = pb.RevokedSinceRequest(since_ms=since_ms)
        wire: pb.RevokedSinceResponse = await self._ask("", lambda stub, s: stub.RevokedSince(request, timeout=s))
        return dict(wire.revoked_ms)

    # --- ports.Signals -------------------------------------------------------------------------

    async def signal(self, signal: Signal) -> None:
        """To every gateway. A revocation returns when an ingest has passed it on, or raises Unavailable; others may be lost."""
        wire = pack_signal(signal)
        if signal.revoke_user or signal.revoke_device:
            request = pb.RevokeRequest(signal=wire)
            await self._ask(signal.revoke_user, lambda stub, s: stub.Revoke(request, timeout=s))
            return
        end = self._choose(signal.conversation_id or signal.to_user)
        if end is not None:
            end.signal(wire)

    # --- where operations go -------------------------------------------------------------------

    def _make_link(self, address: str) -> Link[pb.ConnectRequest, pb.ConnectResponse]:
        end = IngestEnd(address, self._caller_id, self)
        self._ends[address] = end
        end.link = Link(address, end, pb.ConnectRequest, self._pace)
        return end.link

    def _choose(self, key: str, tried: Iterable["IngestEnd"] = ()) -> "IngestEnd | None":
        """The ingest that the key points to, of those that are there: the same one for every caller.

        Of those not `tried`, if there are any.
        """
        there = [end for end in self._ends.values() if end.takes_new]
        fresh = [end for end in there if end not in tried] or there
        return max(fresh, key=lambda end: _weight(end.address, key), default=None)

    def _place(self, operation: Operation) -> None:
        end = self._choose(operation.wire.conversation_id)
        if end is None:
            self._homeless[operation] = None
        else:
            end.send(operation)

    def _expire(self, operation: Operation) -> None:
        self._metrics.dependency_failures.labels(self._policy.dependency).inc()
        self._refuse(operation, Unavailable("no ingest has answered in time: repeat the operation"))

    def _refuse(self, operation: Operation, error: ChatError) -> None:
        if not operation.done.done():
            operation.done.set_exception(error)

    def _forget(self, operation: Operation, _done: "asyncio.Future[Appended]") -> None:
        if operation.timer is not None:
            operation.timer.cancel()
        self._operations.discard(operation)
        self._bytes -= operation.size
        self._homeless.pop(operation, None)
        if operation.peer is not None:
            operation.peer.operations.pop(operation.number, None)

    def on_up(self) -> None:
        """An ingest is there: what had nowhere to go goes."""
        self._somebody.set()
        homeless, self._homeless = self._homeless, {}
        for operation in homeless:
            self._place(operation)

    def on_away(self, operations: Iterable[Operation]) -> None:
        """An ingest takes nothing new any more; its `operations` go elsewhere."""
        if not any(end.takes_new for end in self._ends.values()):
            self._somebody.clear()
        for operation in operations:
            operation.peer = None
            self._place(operation)

    def on_signal(self, wire: common.Signal) -> None:
        if self._listener is not None:
            self._listener(unpack_signal(wire))

    @property
    def wants_signals(self) -> bool:
        return self._listener is not None

    # --- single questions ----------------------------------------------------------------------

    async def _ask(self, key: str, call: Callable[[IngestServiceStub, float], Awaitable[Answer]]) -> Answer:
        """Ask the ingest that the key points to, then others. Raises: what refused it, Unavailable."""
        tried: list[IngestEnd] = []

        async def attempt() -> Answer:
            async with asyncio.timeout(SOMEBODY_WITHIN_S):
                await self._somebody.wait()
            end = self._choose(key, tried)
            if end is None or end.stub is None:
                raise Moved
            tried.append(end)
            try:
                return await call(end.stub, self._policy.timeout_s)
            except grpc.aio.AioRpcError as error:
                if error.code() in AWAY:
                    raise Moved from error
                raise translate_status(error) from error
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                raise Moved from None  # not this task was cancelled but the call: its channel was closed

        return await self._guard.call(attempt)


class IngestEnd:
    """Our end of the stream to one ingest: what waits to be sent, and what has no answer yet."""

    link: Link[pb.ConnectRequest, pb.ConnectResponse]

    def __init__(self, address: str, caller_id: str, owner: RemoteIngest) -> None:
        self.address, self._caller_id, self._owner = address, caller_id, owner
        self.operations: dict[int, Operation] = {}  # sent and unanswered, by number
        self.stub: IngestServiceStub | None = None
        self.takes_new = False
        self._numbers = 0
        self._outbox: deque[Operation] = deque()
        self._marks: dict[tuple[str, str], pb.Mark] = {}
        self._signals: deque[common.Signal] = deque(maxlen=SIGNALS_MAX)
        self._new_stub: IngestServiceStub | None = None

    def send(self, operation: Operation) -> None:
        self._numbers += 1
        operation.peer, operation.number = self, self._numbers
        self.operations[self._numbers] = operation
        self._outbox.append(operation)
        self.link.wake()

    def mark(self, user_id: str, conversation_id: str, read_seq: int, delivered_seq: int) -> None:
        """Queue a mark; several of one user in one conversation become one."""
        key = (user_id, conversation_id)
        mark = self._marks.get(key)
        if mark is None:
            if len(self._marks) >= MARKS_MAX or len(conversation_id) > ID_CHARS_MAX:
                return
            mark = self._marks[key] = _make(pb.Mark, user_id=user_id, conversation_id=conversation_id)
        mark.read_seq, mark.delivered_seq = max(mark.read_seq, read_seq), max(mark.delivered_seq, delivered_seq)
        self.link.wake()

    def signal(self, wire: common.Signal) -> None:
        self._signals.append(wire)
        self.link.wake()

    # --- End ---------------------------------------------------------------------------------

    def open(self, channel: grpc.aio.Channel) -> Stream[pb.ConnectRequest, pb.ConnectResponse]:
        self._new_stub = IngestServiceStub(channel)
        stream: Stream[pb.ConnectRequest, pb.ConnectResponse] = self._new_stub.Connect()
        return stream

    def hello(self) -> pb.ConnectRequest:
        return pb.ConnectRequest(hello=pb.Hello(caller_id=self._caller_id, wants_signals=self._owner.wants_signals))

    def on_up(self, first: pb.ConnectResponse) -> None:
        self.stub, self.takes_new = self._new_stub, not first.draining
        if self.takes_new:
            self._owner.on_up()

    def on_message(self, message: pb.ConnectResponse) -> None:
        for outcome in message.outcomes:
            self._answer(outcome)
        for signal in message.signals:
            self._owner.on_signal(signal)
        if message.draining and self.takes_new:
            self.takes_new = False
            self._owner.on_away(())

    def _answer(self, outcome: pb.Outcome) -> None:
        operation = self.operations.pop(outcome.number, None)
        if operation is None or operation.done.done():
            return
        try:
            if outcome.HasField("refusal"):
                raise make_error(outcome.refusal)
            operation.done.set_result(unpack_appended(outcome.appended))
        except ChatError as error:  # also an entry of a newer version, that cannot be read
            operation.done.set_exception(error)

    def collect(self) -> pb.ConnectRequest | None:
        if not (self._outbox or self._marks or self._signals):
            return None
        message = pb.ConnectRequest(marks=self._marks.values(), signals=self._signals)
        self._marks.clear()
        self._signals.clear()
        size, now = 0, asyncio.get_running_loop().time()
        while self._outbox and size < BATCH_BYTES_MAX:
            operation = self._outbox.popleft()
            if operation.done.done():
                continue
            append = operation.wire
            append.number, append.deadline_ms = operation.number, int(1000 * (operation.deadline - now))
            message.appends.append(append)
            size += operation.size
        return message

    def is_over(self) -> bool:
        return not self.takes_new and not self.operations

    async def work(self) -> None:
        """Nothing but to last as long as the stream."""
        await asyncio.Event().wait()

    def on_down(self, *, silent: bool) -> None:  # noqa: ARG002 - silent or not, what is unanswered is repeated
        self.stub, self.takes_new = None, False
        unanswered = list(self.operations.values())
        self.operations.clear()
        self._outbox.clear()
        self._marks.clear()
        self._signals.clear()
        self._owner.on_away(unanswered)


def _make(kind: Callable[..., T], **fields: object) -> T:
    """A request with texts that a client made up. Raises: InvalidText."""
    try:
        return kind(**fields)
    except UnicodeEncodeError as error:
        raise InvalidText("an id holds half of a surrogate pair") from error


def _weight(address: str, key: str) -> bytes:
    """Rendezvous hashing: the highest weight has the key, so that one ingest less moves only its own keys."""
    return blake2b(f"{address} {key}".encode(errors="replace"), digest_size=8).digest()
