"""Ingest as gateways, API and fan-out reach it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Sequence
from functools import partial
from typing import Any, Final, Protocol, TypeVar, cast

import grpc
import grpc.aio
import structlog

from nottermost_chat.errors import ChatError, Unavailable
from nottermost_chat.ports import Appended, Ingest, Members, Picture, Signal
from nottermost_chat.protocol import Presence
from nottermost_chat.rpc.channel import BATCH_BYTES_MAX, MESSAGE_BYTES_MAX
from nottermost_chat.rpc.refusals import REFUSAL_KEY, make_refusal
from nottermost_chat.rpc.signals import SignalHub
from nottermost_chat.rpc.streams import until_one_ends
from nottermost_chat.rpc.tracing import continued
from nottermost_chat.rpc.translate import (
    pack_appended,
    pack_member,
    pack_missed,
    pack_picture,
    pack_signal,
    pack_tier,
    unpack_append,
    unpack_position,
    unpack_signal,
)
from nottermost_chat.rpc.v1 import common_pb2 as common
from nottermost_chat.rpc.v1 import ingest_pb2 as pb
from nottermost_chat.rpc.v1 import ingest_pb2_grpc
from nottermost_chat.settings import Tier

SIGNALS_MAX: Final = 1_000  # waiting for one gateway; above it typing and receipts are dropped,
REVOCATIONS_MAX: Final = 10_000  # and above this the stream ends: the gateway asks what was revoked when it is back
PICTURE_MEMBERS_MAX: Final = 2_000  # of a conversation that has grown since, fan-out needs only those of then
ANSWER_BYTES_MAX: Final = MESSAGE_BYTES_MAX - 10_000  # a reader who lacks more begins afresh
ANSWER_WITHIN_S: Final = 10.0  # a caller that sets no deadline has this one

T = TypeVar("T")
Context = grpc.aio.ServicerContext[Any, Any]
Stream = grpc.aio.ServicerContext[pb.ConnectRequest, pb.ConnectResponse]
logger = structlog.get_logger(__name__)


class Pictures(Protocol):
    """`nottermost_chat.pictures.Pictures`, as far as it is needed here."""

    async def at(self, conversation_id: str, members_seq: int) -> Picture | None: ...


class People(Protocol):
    """What a gateway asks about users, since it has no database."""

    async def tier_of(self, user_id: str) -> Tier: ...

    async def acquainted(self, user_id: str, user_ids: Sequence[str]) -> frozenset[str]:
        """Those of the users whose presence the user may see."""
        ...

    async def note_seen(self, user_id: str, device_id: str) -> Presence:
        """The user is at the device now. Returns the presence to show."""
        ...

    async def last_seen(self, user_ids: Sequence[str]) -> dict[str, int]:
        """When the users were last there, ms since the epoch; who never was is absent."""
        ...

    async def revoked_since(self, since_ms: int) -> dict[str, int]:
        """Devices signed out since then, and when (ms since the epoch)."""
        ...


class IngestServer(ingest_pb2_grpc.IngestServiceServicer):
    """Serves one ingest. Implements `rpc.server.Served`."""

    def __init__(
        self, ingest: Ingest, *, memberships: Members, pictures: Pictures, people: People, signals: SignalHub
    ) -> None:
        """`signals`: also given to Receipts in this process, so that receipts reach the gateways."""
        self._ingest, self._memberships, self._pictures = ingest, memberships, pictures
        self._people, self._signals = people, signals
        self._callers: set[Caller] = set()
        self._draining = False
        self._left = asyncio.Event()  # a caller has gone

    def register(self, server: grpc.aio.Server) -> None:
        ingest_pb2_grpc.add_IngestServiceServicer_to_server(self, server)

    async def drain(self) -> None:
        """Every caller is told to send new operations elsewhere; returns when all have their answers and have gone."""
        self._draining = True
        for caller in self._callers:
            caller.send_away()
        while self._callers:
            self._left.clear()
            await self._left.wait()

    # --- the stream --------------------------------------------------------------------------

    async def Connect(self, requests: AsyncIterator[pb.ConnectRequest], context: Stream) -> None:
        first = await anext(requests, None)
        if first is None or not first.hello.caller_id:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the first message holds no hello")
        caller = Caller(self._ingest, self._signals)
        if self._draining:
            caller.send_away()
        self._callers.add(caller)
        stop = self._signals.listen(caller.offer_signal) if first.hello.wants_signals else None
        logger.info("caller_connected", caller=first.hello.caller_id)
        try:
            await caller.serve(requests, context)
        finally:
            if stop is not None:
                stop()
            self._callers.discard(caller)
            self._left.set()
            logger.info("caller_left", caller=first.hello.caller_id)

    # --- single questions --------------------------------------------------------------------

    async def Missed(self, request: pb.MissedRequest, context: Context) -> pb.MissedResponse:
        user_id = request.user_id if request.HasField("user_id") else None
        after = unpack_position(request.after)
        missed = await _answer(context, self._ingest.missed(user_id, request.conversation_id, after))
        wire = pack_missed(missed)
        if wire.ByteSize() > ANSWER_BYTES_MAX:  # for example a thousand membership entries of 500 users each
            return pb.MissedResponse(head=wire.head, reset=True)
        return wire

    async def Among(self, request: pb.AmongRequest, context: Context) -> pb.AmongResponse:
        found = await _answer(context, self._memberships.among(request.conversation_id, list(request.user_ids)))
        return pb.AmongResponse(members=[pack_member(member) for member in found.values()])

    async def OfUser(self, request: pb.OfUserRequest, context: Context) -> pb.OfUserResponse:
        found = await _answer(context, self._memberships.of_user(request.user_id, list(request.conversation_ids)))
        return pb.OfUserResponse(stays={place: pack_member(member) for place, member in found.items()})

    async def PictureAt(self, request: pb.PictureAtRequest, context: Context) -> pb.PictureAtResponse:
        picture = await _answer(context, self._pictures.at(request.conversation_id, request.members_seq))
        if picture is None:
            return pb.PictureAtResponse()
        members = list(picture.members.values())
        partial_only = len(members) > PICTURE_MEMBERS_MAX
        if partial_only:
            members = [member for member in members if member.joined_seq <= request.members_seq]
        return pack_picture(picture, members, partial=partial_only)

    async def TierOf(self, request: pb.TierOfRequest, context: Context) -> pb.TierOfResponse:
        return pack_tier(await _answer(context, self._people.tier_of(request.user_id)))

    async def Acquainted(self, request: pb.AcquaintedRequest, context: Context) -> pb.AcquaintedResponse:
        found = await _answer(context, self._people.acquainted(request.user_id, list(request.user_ids)))
        return pb.AcquaintedResponse(user_ids=sorted(found))

    async def NoteSeen(self, request: pb.NoteSeenRequest, context: Context) -> pb.NoteSeenResponse:
        presence = await _answer(context, self._people.note_seen(request.user_id, request.device_id))
        return pb.NoteSeenResponse(presence=presence.value)

    async def LastSeen(self, request: pb.LastSeenRequest, context: Context) -> pb.LastSeenResponse:
        return pb.LastSeenResponse(last_seen_ms=await _answer(context, self._people.last_seen(list(request.user_ids))))

    async def RevokedSince(self, request: pb.RevokedSinceRequest, context: Context) -> pb.RevokedSinceResponse:
        return pb.RevokedSinceResponse(revoked_ms=await _answer(context, self._people.revoked_since(request.since_ms)))

    async def Revoke(self, request: pb.RevokeRequest, context: Context) -> pb.RevokeResponse:
        await _answer(context, self._signals.signal(unpack_signal(request.signal)))
        return pb.RevokeResponse()


class Caller:
    """One gateway or API that is connected: its operations under way, and what waits to be sent to it.

    Outcomes are bounded by the operations under way, and those by ingest's queue.
    """

    def __init__(self, ingest: Ingest, signals: SignalHub) -> None:
        self._ingest, self._hub = ingest, signals
        self._under_way: set[asyncio.Future[Appended]] = set()
        self._outcomes: deque[pb.Outcome] = deque()
        self._signals: deque[common.Signal] = deque()
        self._wake = asyncio.Event()
        self._beat = 0
        self._draining = False
        self._overflown = asyncio.Event()

    async def serve(self, requests: AsyncIterator[pb.ConnectRequest], context: Stream) -> None:
        """Returns when the caller ends the stream; cancelled when it breaks."""
        await context.write(pb.ConnectResponse(draining=self._draining))
        try:
            await until_one_ends(self._read(requests), self._write(context), self._overflown.wait())
        finally:
            for future in self._under_way:  # nobody waits here any more: who does repeats it elsewhere
                future.cancel()

    async def _read(self, requests: AsyncIterator[pb.ConnectRequest]) -> None:
        async for message in requests:
            self._take(message)

    def _take(self, message: pb.ConnectRequest) -> None:
        for append in message.appends:
            self._submit(append)
        for mark in message.marks:
            self._ingest.mark(
                mark.user_id, mark.conversation_id, read_seq=mark.read_seq, delivered_seq=mark.delivered_seq
            )
        for signal in message.signals:
            self._hub.tell(unpack_signal(signal))
        if message.beat:
            self._beat = message.beat
            self._wake.set()

    def _submit(self, append: pb.Append) -> None:
        if append.deadline_ms <= 0:  # it waited too long on its way; the caller has given up
            return
        try:
            with continued(append.traceparent):
                future = self._ingest.submit(unpack_append(append))
        except ValueError:  # a role of a newer version
            refusal = Unavailable("this ingest is older than the gateway: repeat the operation")
            self._outcomes.append(pb.Outcome(number=append.number, refusal=make_refusal(refusal)))
            self._wake.set()
            return
        self._under_way.add(future)
        future.add_done_callback(partial(self._on_outcome, append.number))

    def _on_outcome(self, number: int, done: "asyncio.Future[Appended]") -> None:
        self._under_way.discard(done)
        if done.cancelled():
            return
        match done.exception():
            case None:
                outcome = pb.Outcome(number=number, appended=pack_appended(done.result()))
            case ChatError() as error:
                outcome = pb.Outcome(number=number, refusal=make_refusal(error))
            case error:
                logger.error("operation_failed", error=repr(error))
                failure = Unavailable("the ingest failed: repeat the operation")
                outcome = pb.Outcome(number=number, refusal=make_refusal(failure))
        self._outcomes.append(outcome)
        self._wake.set()

    def offer_signal(self, signal: Signal) -> None:
        """Queue it for the caller; dropped when too much waits already."""
        revokes = bool(signal.revoke_user or signal.revoke_device)
        if len(self._signals) >= (REVOCATIONS_MAX if revokes else SIGNALS_MAX):
            if revokes:
                self._overflown.set()
            return
        self._signals.append(pack_signal(signal))
        self._wake.set()

    def send_away(self) -> None:
        self._draining = True
        self._wake.set()

    async def _write(self, context: Stream) -> None:
        told_draining = False
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._outcomes or self._signals or self._beat or self._draining > told_draining:
                told_draining = self._draining
                await context.write(self._next())

    def _next(self) -> pb.ConnectResponse:
        message = pb.ConnectResponse(beat=self._beat, draining=self._draining)
        self._beat = size = 0
        while self._outcomes and size < BATCH_BYTES_MAX:
            outcome = self._outcomes.popleft()
            size += outcome.ByteSize()
            message.outcomes.append(outcome)
        while self._signals and size < BATCH_BYTES_MAX:
            signal = self._signals.popleft()
            size += len(signal.frame)
            message.signals.append(signal)
        return message


async def _answer(context: Context, question: Awaitable[T]) -> T:
    """The answer, within the caller's deadline; a refusal travels in the trailing metadata."""
    remaining_s = cast("float | None", context.time_remaining())
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S if remaining_s is None else remaining_s):
            return await question
    except ChatError as error:
        metadata = ((REFUSAL_KEY, make_refusal(error).SerializeToString()),)
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, error.code, metadata)
    except TimeoutError:
        await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the answer took too long")
