"""The connection plane: sockets on one side, ingest and deliveries on the other. Knows nothing of storage."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any, Final, get_args

import msgspec
import structlog

from nottermost_chat.clock import Clock
from nottermost_chat.errors import BadRequest, ChatError, RateLimited, Unauthorized, UnknownFrame
from nottermost_chat.gateway.connection import Connection, State
from nottermost_chat.gateway.cursors import Cursors, Step
from nottermost_chat.gateway.outbox import make_frame
from nottermost_chat.gateway.wheel import TimerWheel
from nottermost_chat.limiter import RateLimiter
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import Entry, EntryKind, LogRecord
from nottermost_chat.ports import (
    Appended,
    AppendRequest,
    DeliveryItem,
    Identity,
    Ingest,
    Members,
    Missed,
    Routes,
    Signal,
    Signals,
)
from nottermost_chat.protocol import (
    RESUME_CONVERSATIONS_MAX,
    WATCH_USERS_MAX,
    AnyClientFrame,
    Authenticate,
    Authenticated,
    ClientFrame,
    CloseCode,
    Delivered,
    EntryNew,
    ErrorFrame,
    MessageAck,
    MessageDelete,
    MessageEdit,
    MessageNew,
    MessageSend,
    Ping,
    Pong,
    Presence,
    PresenceChanged,
    PresenceEntry,
    PresenceWatch,
    ReactionSet,
    Read,
    Resume,
    Resumed,
    ResumedConversation,
    ServerDrain,
    ServerFrame,
    Typing,
    TypingSend,
    entry_new,
    message_new,
    resumed_message,
    to_time,
)
from nottermost_chat.scopes import check_frame, check_socket
from nottermost_chat.settings import Settings, Tier

CURSORS_MAX = 200_000  # conversations, about 40 MB
OPERATIONS_MAX = 64  # unanswered operations of one connection; a client has one a conversation
PRESENCE_EVERY_S = 2.0  # ADR 0011
ROUTES_EVERY_S = 30  # half of how long a route lives
QUERY_USERS_MAX = 500
FLUSH_REST_S = 0.001  # collects an acknowledgement and the deliveries of the same batch into one write
FLUSH_REST_SHARE = 1.0  # of what the last round of writes took: at most half of the time goes into writing
FLUSH_REST_S_MAX = 0.02
RESUME_SPREAD_S = 10.0  # after a lapse, so that not everybody resumes at once;
RESUMES_PER_S = 500  # a gateway with few connections is done sooner: so many at a time are no crowd
DRAIN_TASKS_S = 2.0  # for what is under way when everybody has been sent away
WHEEL_SLOTS = 128  # seconds; longer than any deadline here

logger = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(AnyClientFrame).decode
_PONG = make_frame(_encode(Pong()))
CLIENT_FRAMES: Final[tuple[type[ClientFrame], ...]] = get_args(AnyClientFrame)
NOBODY: Final[tuple[Connection, ...]] = ()


def encode_frame(frame: ServerFrame | MessageNew) -> bytes:
    """A server frame as it goes over the wire."""
    return make_frame(_encode(frame))


class Gateway:
    """All connections of one gateway instance. `run` keeps time until it is cancelled."""

    def __init__(
        self,
        *,
        gateway_id: str,
        identity: Identity,
        ingest: Ingest,
        memberships: Members,
        routes: Routes,
        signals: Signals,
        limiter: RateLimiter,
        metrics: Metrics,
        clock: Clock,
        settings: Settings,
        tier_of: Callable[[str], Awaitable[Tier]],
        seen: Callable[[str, str], Awaitable[Presence]],
        acquainted: Callable[[str, Sequence[str]], Awaitable[frozenset[str]]],
    ) -> None:
        """
        Args:
            tier_of: a user's tier.
            seen: note that a user is at a device; returns the presence to show.
            acquainted: those of the users whose presence a user may see.
        """
        self.gateway_id, self.clock, self.settings, self.metrics = gateway_id, clock, settings, metrics
        self._identity, self._ingest, self._memberships = identity, ingest, memberships
        self._routes, self._signals, self._limiter = routes, signals, limiter
        self._tier_of, self._seen, self._acquainted = tier_of, seen, acquainted
        self._users: dict[str, list[Connection]] = {}
        self._open: set[Connection] = set()
        self._cursors = Cursors(CURSORS_MAX)
        self._large: dict[str, dict[Connection, None]] = {}  # conversations too large to name recipients
        self._membership_changes = 0  # membership entries that came through
        self._lookers: dict[str, set[Connection]] = {}  # conversation on whose screens
        self._watchers: dict[str, set[Connection]] = {}  # user on whose screens
        self._presence: dict[str, PresenceEntry] = {}
        self._dirty: list[Connection] = []
        self._flush_not_before = self._dirty_since = 0.0
        self._after_flush: list[Callable[[], object]] = []
        stages = metrics.stage_seconds.labels
        self._log_stage, self._deliver_stage, self._flush_stage = stages("log"), stages("deliver"), stages("flush")
        self._wheel: TimerWheel[Connection] = TimerWheel(WHEEL_SLOTS, self._check_connection)
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = self._ended = False
        self._frames_in = {kind: metrics.frames_in.labels(kind.__struct_config__.tag) for kind in CLIENT_FRAMES}

    # --- connections come and go ---------------------------------------------------------------

    def admit(self, remote: str) -> Connection:
        """A connection for a new handshake. Raises: RateLimited."""
        self._limiter.take("connections from this address", remote, self.settings.limits.ip_handshakes)
        if self._draining or len(self._open) >= self.settings.limits.connections_max:
            raise RateLimited("connections to this server", 5000)
        return Connection(self, remote)

    def on_connected(self, connection: Connection) -> None:
        self._open.add(connection)
        self.metrics.connections.set(len(self._open))
        self._wheel.add(connection, self.settings.authenticate_within_s)

    def on_closing(self, connection: Connection) -> None:
        """Nothing more is delivered to it."""
        connection.held = None
        self._watch(connection, (), "")
        user_id = connection.user_id
        mine = self._users.get(user_id)
        if mine and connection in mine:
            mine.remove(connection)
            for members in self._large.values():
                members.pop(connection, None)
            if not mine:
                del self._users[user_id]
                self._start(self._user_left(user_id))

    def on_disconnected(self, connection: Connection) -> None:
        self.on_closing(connection)
        self._open.discard(connection)
        self._wheel.discard(connection)
        self.metrics.connections.set(len(self._open))

    async def _user_left(self, user_id: str) -> None:
        if user_id not in self._users:  # else they are back already
            await self._routes.unregister(self.gateway_id, [user_id], now_ms=self.clock.now_ms())

    def _check_connection(self, connection: Connection) -> float | None:
        """The timer's question: close what is silent or unauthenticated, else say when to ask again."""
        if connection.state is State.CLOSING:
            return None
        if connection.state is State.NEW:
            connection.close(CloseCode.NOT_AUTHENTICATED)
            return None
        silent_s = self.clock.monotonic() - connection.alive_at
        if silent_s >= self.settings.heartbeat_timeout_s:
            connection.close(CloseCode.HEARTBEAT)
            return None
        left_s = (connection.expires_at - self.clock.now_ms()) / 1000
        if left_s <= 0:
            connection.close(CloseCode.TOKEN_EXPIRED)
            return None
        return min(self.settings.heartbeat_timeout_s - silent_s, left_s) + 1

    # --- frames from clients -------------------------------------------------------------------

    def on_payload(self, connection: Connection, payload: bytes) -> None:
        try:
            frame = _decode(payload)
        except UnicodeDecodeError:
            connection.close(CloseCode.INVALID_TEXT)
            return
        except msgspec.DecodeError as error:
            if not _is_utf8(payload):
                connection.close(CloseCode.INVALID_TEXT)
            else:
                self._refuse(connection, UnknownFrame(f"the frame cannot be read: {error}"))
            return
        except RecursionError:
            self._refuse(connection, UnknownFrame("the frame cannot be read: it is nested too deeply"))
            return
        self._frames_in[type(frame)].inc()
        try:
            self._on_frame(connection, frame)
        except ChatError as error:
            self._refuse(connection, error, frame)

    def _on_frame(self, connection: Connection, frame: ClientFrame) -> None:
        if isinstance(frame, Authenticate):
            self._start(self._authenticate(connection, frame.token))
            return
        if connection.state is not State.LIVE:
            raise Unauthorized("send `authenticate` first")
        check_frame(connection.scopes, frame)
        match frame:
            case MessageSend():
                self._limit_messages(connection)
                self._operate(connection, send_request(connection.user_id, frame), frame)
            case MessageEdit() | MessageDelete() | ReactionSet():
                self._limit_messages(connection)
                self._operate(connection, change_request(connection.user_id, frame), frame)
            case Read():
                self._limit_calls(connection)
                self._ingest.mark(connection.user_id, frame.conversation_id, read_seq=max(0, frame.seq))
            case Delivered():
                self._limit_calls(connection)
                self._ingest.mark(connection.user_id, frame.conversation_id, delivered_seq=max(0, frame.seq))
            case Ping():
                self._limit_calls(connection)
                connection.offer(_PONG)
                self._start(self._touch(connection, active=frame.active))
            case TypingSend():
                self._limit_calls(connection)
                self._start(self._tell_typing(connection, frame))
            case PresenceWatch():
                self._limit_calls(connection)
                self._start(self._look_at(connection, frame))
            case Resume():
                self._limit_calls(connection)
                if len(frame.conversations) > RESUME_CONVERSATIONS_MAX:
                    raise BadRequest(f"resume names {len(frame.conversations)} conversations, at most 200 are answered")
                self._start(self._resume(connection, frame.conversations))

    def _refuse(self, connection: Connection, error: ChatError, frame: ClientFrame | None = None) -> None:
        self.metrics.refused.labels(error.code).inc()
        connection.offer(
            encode_frame(
                ErrorFrame(
                    error.code,
                    str(error),
                    getattr(frame, "client_msg_id", None),
                    getattr(frame, "conversation_id", None),
                    getattr(error, "retry_after_ms", None),
                )
            )
        )

    def _limit_messages(self, connection: Connection) -> None:
        self._limiter.take("messages", connection.user_id, connection.tier.user_messages)

    def _limit_calls(self, connection: Connection) -> None:
        self._limiter.take("calls", connection.user_id, connection.tier.user_calls)

    def _operate(
        self,
        connection: Connection,
        request: AppendRequest,
        frame: MessageSend | MessageEdit | MessageDelete | ReactionSet,
    ) -> None:
        if connection.operations >= OPERATIONS_MAX:
            raise RateLimited("unanswered operations on this connection", 1000)
        connection.operations += 1
        self._ingest.submit(request).add_done_callback(partial(self._answer, connection, frame))

    def _answer(
        self,
        connection: Connection,
        frame: MessageSend | MessageEdit | MessageDelete | ReactionSet,
        done: "asyncio.Future[Appended]",
    ) -> None:
        connection.operations -= 1
        if done.cancelled():
            return
        error = done.exception()
        if isinstance(error, ChatError):
            self._refuse(connection, error, frame)
        elif error is None:
            connection.offer(encode_frame(make_ack(frame.client_msg_id, done.result())))

    # --- authentication and presence -----------------------------------------------------------

    async def _authenticate(self, connection: Connection, token: str) -> None:
        try:
            caller = await self._identity.verify(token)
            check_socket(caller.scopes)
            tier = await self._tier_of(caller.user_id)
            if connection.state is State.LIVE and caller.user_id != connection.user_id:
                raise Unauthorized("this connection speaks for another user: open a new one")
        except ChatError as error:
            self._refuse(connection, error)
            connection.close(CloseCode.NOT_AUTHENTICATED)
            return
        if connection.state is State.CLOSING:
            return
        fresh = connection.state is State.NEW
        connection.user_id, connection.device_id = caller.user_id, caller.device_id
        connection.expires_at, connection.tier, connection.scopes = caller.expires_at, tier, caller.scopes
        if fresh:
            connection.connection_id = self.clock.new_id()
            connection.state = State.LIVE
            self._users.setdefault(caller.user_id, []).append(connection)
            await self._routes.register(self.gateway_id, [caller.user_id])
            await self._join_large(connection)
        check_after_s = self._check_connection(connection)
        if check_after_s is not None:
            self._wheel.add(connection, check_after_s)
        expires = to_time(caller.expires_at)
        connection.offer(
            encode_frame(Authenticated(caller.user_id, connection.connection_id, self.settings.heartbeat_s, expires))
        )
        await self._touch(connection, active=True)

    async def _touch(self, connection: Connection, *, active: bool) -> None:
        """Renew the user's presence: as wished, and away while nobody is at the device."""
        if active:
            connection.active_at = self.clock.monotonic()
        wish = await self._seen(connection.user_id, connection.device_id)
        if wish is Presence.ONLINE and not self._is_anybody_active(connection.user_id):
            wish = Presence.AWAY
        if connection.state is State.LIVE:
            await self._routes.touch(connection.user_id, wish, now_ms=self.clock.now_ms())

    def _is_anybody_active(self, user_id: str) -> bool:
        since = self.clock.monotonic() - self.settings.idle_away_s
        return any(connection.active_at > since for connection in self._users.get(user_id, NOBODY))

    async def _look_at(self, connection: Connection, frame: PresenceWatch) -> None:
        if len(frame.user_ids) > WATCH_USERS_MAX:
            self._refuse(
                connection, BadRequest(f"presence:watch names {len(frame.user_ids)} users, at most 200"), frame
            )
            return
        conversation_id = frame.conversation_id or ""
        if conversation_id:
            mine = await self._memberships.of_user(connection.user_id, [conversation_id])
            conversation_id = conversation_id if conversation_id in mine else ""
        known = await self._acquainted(connection.user_id, frame.user_ids)
        if connection.state is not State.LIVE:
            return
        watched = tuple(user_id for user_id in dict.fromkeys(frame.user_ids) if user_id in known)
        self._watch(connection, watched, conversation_id)
        entries = await self._read_presence(connection.watched)
        connection.offer_ephemeral(encode_frame(PresenceChanged(tuple(entries.values()))))

    def _watch(self, connection: Connection, user_ids: tuple[str, ...], conversation_id: str) -> None:
        for user_id in connection.watched:
            _drop(self._watchers, user_id, connection)
            if user_id not in self._watchers:
                self._presence.pop(user_id, None)
        if connection.watching:
            _drop(self._lookers, connection.watching, connection)
        connection.watched, connection.watching = user_ids, conversation_id
        for user_id in user_ids:
            self._watchers.setdefault(user_id, set()).add(connection)
        if conversation_id:
            self._lookers.setdefault(conversation_id, set()).add(connection)

    async def _read_presence(self, user_ids: Iterable[str]) -> dict[str, PresenceEntry]:
        found = await self._routes.presence(list(user_ids))
        entries = {}
        for user_id, seen in found.items():
            offline = seen.status is not Presence.ONLINE and seen.last_seen is not None
            last_seen = to_time(seen.last_seen) if offline and seen.last_seen is not None else None
            entries[user_id] = PresenceEntry(user_id, seen.status, last_seen)
        return entries

    async def _tell_presence(self) -> None:
        """Tell watchers what has changed: one frame a connection."""
        if not self._watchers:
            return
        now = await self._read_presence(self._watchers)
        news: dict[Connection, list[PresenceEntry]] = {}
        for user_id, entry in now.items():
            before = self._presence.get(user_id)
            if before is None or before.status is not entry.status:
                self._presence[user_id] = entry
                if before is not None or entry.status is not Presence.OFFLINE:
                    for connection in self._watchers.get(user_id, ()):
                        news.setdefault(connection, []).append(entry)
        for connection, entries in news.items():
            connection.offer_ephemeral(encode_frame(PresenceChanged(tuple(entries))))

    async def _tell_typing(self, connection: Connection, frame: TypingSend) -> None:
        if connection.watching != frame.conversation_id:
            mine = await self._memberships.of_user(connection.user_id, [frame.conversation_id])
            if frame.conversation_id not in mine:
                return
        encoded = _encode(Typing(frame.conversation_id, connection.user_id, frame.thread_id))
        await self._signals.signal(Signal(frame.conversation_id, encoded, connection.user_id))

    # --- resume --------------------------------------------------------------------------------

    async def _resume(self, connection: Connection, wanted: dict[str, tuple[int, int]]) -> None:
        """Answer what is missing. Live frames of these conversations are held back until then."""
        if connection.held is None:
            connection.held = {}
        held = connection.held
        for conversation_id in wanted:
            held.setdefault(conversation_id, [])
        try:
            answers = await self._answer_resume(connection, wanted)
        except ChatError:
            connection.close(CloseCode.RESYNC)  # what is held back would wait for ever
            raise
        if connection.state is not State.LIVE:
            return
        connection.offer(encode_frame(Resumed(tuple(answers))))
        for answer in answers:
            for position, frame in held.pop(answer.conversation_id, ()):
                if answer.reset or position > answer.position:
                    connection.offer(frame)
        if not held and connection.held is held:
            connection.held = None

    async def _answer_resume(
        self, connection: Connection, wanted: dict[str, tuple[int, int]]
    ) -> list[ResumedConversation]:
        answers: list[ResumedConversation] = []
        limits = self.settings.limits
        budget = (
            min(limits.frame_bytes_max, limits.outbox_bytes_max) * 3 // 4
        )  # the answer has to fit beside what waits
        for conversation_id, after in wanted.items():
            missed = await self._ingest.missed(connection.user_id, conversation_id, after)
            answer = make_resumed(missed)
            size = len(_encode(answer))
            if size > budget:
                answer, size = ResumedConversation(conversation_id, missed.head, reset=True), 200
            budget -= size
            answers.append(answer)
        return answers

    # --- deliveries ----------------------------------------------------------------------------

    async def take(self, items: Sequence[DeliveryItem]) -> None:
        """Deliver log records to the connections that want them, in order, each once."""
        for item in items:
            entry = item.record.entry
            step = self._cursors.judge(entry.conversation_id, entry.position)
            if step is Step.REPEAT:
                continue
            if step is Step.HOLE:
                await self._fill_hole(item)
            await self._deliver(item)
            self._cursors.advance(entry.conversation_id, entry.position)

    async def _deliver(self, item: DeliveryItem) -> None:
        record = item.record
        entry = record.entry
        connections = await self._wanting(item)
        if entry.kind is EntryKind.MEMBERSHIP:
            connections = await self._follow_membership(record, connections)
        if not connections:
            return
        frame = encode_frame(message_new(record) if entry.kind is EntryKind.MESSAGE else entry_new(record))
        for connection in connections:
            if connection.held is None:
                connection.offer(frame)
            else:
                self._offer_or_hold(connection, entry, frame)
        self.metrics.deliveries.inc(len(connections))
        now_us, consumed_us = self.clock.now_us(), record.consumed_us
        self.metrics.delivery_seconds.observe(max(0, now_us / 1000 - entry.created_at) / 1000)
        if consumed_us and record.written_at:
            self._log_stage.observe(max(0, consumed_us / 1000 - record.written_at) / 1000)
            self._deliver_stage.observe(max(0, now_us - consumed_us) / 1e6)

    async def _wanting(self, item: DeliveryItem) -> Collection[Connection]:
        if item.recipients is None:
            return await self._large_connections(item.record.entry.conversation_id)
        users = self._users
        return [connection for user in item.recipients for connection in users.get(user, NOBODY)]

    def _offer_or_hold(self, connection: Connection, entry: Entry, frame: bytes) -> None:
        """Queue the entry's frame, or hold it back while its conversation is being resumed."""
        held = None if connection.held is None else connection.held.get(entry.conversation_id)
        if held is None:
            connection.offer(frame)
        elif len(held) >= self.settings.limits.resume_entries_max:
            connection.close(CloseCode.SLOW_CONSUMER)
        else:
            held.append((entry.position, frame))

    async def _fill_hole(self, item: DeliveryItem) -> None:
        """Deliver what is missing before this item, to each user as that user may see it.

        Who left in the meantime is sent to resume, and learns it there.
        """
        entry = item.record.entry
        after = self._cursors.get(entry.conversation_id)
        if after is None:
            return
        hole = await self._ingest.missed(None, entry.conversation_id, after)
        changed = {change.user_id for before in hole.entries for change in before.detail.changes}
        if changed or hole.reset:  # what is known here of a large conversation is out of date
            self._large.pop(entry.conversation_id, None)
        concerned = [one for user in changed for one in self._users.get(user, NOBODY)]
        connections = list(dict.fromkeys([*await self._wanting(item), *concerned]))
        answers: dict[str, Missed] = {}
        for connection in connections:
            user_id = connection.user_id
            if user_id not in answers:
                answers[user_id] = await self._ingest.missed(user_id, entry.conversation_id, after)
            missed = answers[user_id]
            if missed.reset:
                connection.close(CloseCode.RESYNC)
                continue
            for before in missed.entries:
                if before.position < entry.position:
                    self._offer_or_hold(connection, before, encode_frame(resumed_entry(missed, before)))

    async def _large_connections(self, conversation_id: str) -> dict[Connection, None]:
        """Connections here that want a large conversation: worked out once, then kept up to date."""
        members = self._large.get(conversation_id)
        if members is not None:
            return members
        members = self._large[conversation_id] = {}
        users, complete = list(self._users), False
        try:
            for start in range(0, len(users), QUERY_USERS_MAX):
                found = await self._memberships.among(conversation_id, users[start : start + QUERY_USERS_MAX])
                for user_id in found:
                    members |= dict.fromkeys(self._users.get(user_id, ()))
            complete = True
        finally:
            if not complete:  # refused or lapsed half-way: worked out afresh next time
                del self._large[conversation_id]
        return members

    async def _join_large(self, connection: Connection) -> None:
        if not self._large:
            return
        while True:
            changes = self._membership_changes
            mine = await self._memberships.of_user(connection.user_id, list(self._large))
            if changes == self._membership_changes:  # else what came through meanwhile may be newer than the answer
                break
        for conversation_id in mine.keys() & self._large.keys():
            if connection.state is State.LIVE:
                self._large[conversation_id][connection] = None

    async def _follow_membership(self, record: LogRecord, connections: Iterable[Connection]) -> list[Connection]:
        """Carry a membership entry into what is known here; who is removed by it still gets it."""
        entry = record.entry
        self._membership_changes += 1
        receivers = list(connections)
        known = set(receivers)
        members = self._large.get(entry.conversation_id)
        for change in entry.detail.changes:
            for connection in self._users.get(change.user_id, ()):
                if change.role is None:
                    if connection.watching == entry.conversation_id:
                        self._watch(connection, connection.watched, "")
                    if members is not None:
                        members.pop(connection, None)
                elif members is not None:
                    members[connection] = None
                if record.large and connection not in known:
                    receivers.append(connection)
                    known.add(connection)
        if not record.large:  # it may have been large before: then the pictures here are no longer kept up
            self._large.pop(entry.conversation_id, None)
        return receivers

    def signal(self, signal: Signal) -> None:
        """Something short-lived for those who look or for one user, or a revocation."""
        if signal.revoke_user or signal.revoke_device:
            for connection in list(self._users.get(signal.revoke_user, ()) if signal.revoke_user else self._open):
                if signal.revoke_device in ("", connection.device_id):
                    connection.close(CloseCode.REVOKED)
            return
        if signal.to_user:
            self._tell_user(signal.to_user, signal.frame)
            return
        frame = make_frame(signal.frame)
        for connection in self._lookers.get(signal.conversation_id, ()):
            if connection.user_id != signal.not_for:
                connection.offer_ephemeral(frame)

    def _tell_user(self, user_id: str, encoded: bytes) -> None:
        """Not dropped under pressure: nothing tells it again before the next connect."""
        connections = tuple(self._users.get(user_id, NOBODY))  # who reads too slowly leaves the list meanwhile
        if connections:
            frame = make_frame(encoded)
            for connection in connections:
                connection.offer(frame)

    def lapse(self) -> None:
        """Deliveries to this gateway were dropped: everybody resumes, spread over at most ten seconds."""
        live = [connection for connection in self._open if connection.state is State.LIVE]
        loop, within_s = asyncio.get_running_loop(), min(RESUME_SPREAD_S, len(live) / RESUMES_PER_S)
        for index, connection in enumerate(live):
            loop.call_later(within_s * index / len(live), connection.close, CloseCode.RESYNC)

    # --- time ----------------------------------------------------------------------------------

    def flush_soon(self, connection: Connection) -> None:
        """Write the connection's outbox soon, together with all others that have something by then."""
        if not self._dirty:
            loop = asyncio.get_running_loop()
            self._dirty_since = loop.time()
            loop.call_at(self._flush_not_before, self._flush)
        self._dirty.append(connection)

    def after_flush(self, tell: Callable[[], object]) -> None:
        """Call `tell` when what is in the outboxes now was written: at once when nothing is."""
        if self._dirty:
            self._after_flush.append(tell)
        else:
            tell()

    def _flush(self) -> None:
        """Write, then rest: what comes meanwhile leaves in the same write, which is what costs.

        The pause grows with what the last round cost, so a large channel cannot take the loop
        from everybody else, and a quiet one is written to at once.
        """
        loop = asyncio.get_running_loop()
        dirty, self._dirty = self._dirty, []
        started = loop.time()
        for connection in dirty:
            connection.flush()
        ended = loop.time()
        self._flush_stage.observe(ended - self._dirty_since)
        told, self._after_flush = self._after_flush, []
        for tell in told:
            tell()
        self._flush_not_before = ended + min(FLUSH_REST_S_MAX, max(FLUSH_REST_S, FLUSH_REST_SHARE * (ended - started)))

    async def run(self) -> None:
        """Turn the wheel, tell presence, renew routes."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._every(1.0, self._tick))
            tasks.create_task(self._every(PRESENCE_EVERY_S, self._tell_presence))
            tasks.create_task(self._every(ROUTES_EVERY_S, self._renew_routes))

    async def _every(self, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await act()
            except ChatError as error:
                logger.warning("gateway_periodic_failed", error=repr(error))

    async def _tick(self) -> None:
        self._wheel.tick()

    async def _renew_routes(self) -> None:
        users = list(self._users)
        for start in range(0, len(users), QUERY_USERS_MAX):
            await self._routes.register(self.gateway_id, users[start : start + QUERY_USERS_MAX])

    async def drain(self) -> None:
        """Take nobody new and send everybody away: at once when few are left, else spread over the drain time."""
        self._draining = True
        few, within_s = self.settings.drain_connections_few, self.settings.drain_s
        waiting = [connection for connection in self._open if connection.state is State.LIVE]
        within_s = within_s if len(waiting) > few else 0
        for connection in waiting:
            connection.offer(encode_frame(ServerDrain(within_s * 1000)))
        self._flush()
        pause_s = within_s / max(1, len(waiting))
        for index, connection in enumerate(waiting):
            if within_s and len(waiting) - index > few:
                await asyncio.sleep(pause_s)
            connection.close(CloseCode.DRAIN)
        for connection in list(self._open):
            connection.close(CloseCode.DRAIN)
        await asyncio.sleep(0)
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=DRAIN_TASKS_S)
        self._ended = True
        for task in list(self._tasks):
            task.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` beside; its refusals are logged, it never outlives the gateway's drain."""
        if self._ended:
            work.close()
            return
        task = asyncio.ensure_future(_guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _guard(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except ChatError as error:
        logger.warning("gateway_task_failed", error=repr(error))


def send_request(user_id: str, frame: MessageSend) -> AppendRequest:
    """What ingest is asked to do for `message:send`."""
    return AppendRequest(
        kind=EntryKind.MESSAGE.value,
        conversation_id=frame.conversation_id,
        actor_id=user_id,
        op_id=frame.client_msg_id,
        body=frame.body,
        thread_id=frame.thread_id,
        broadcast=frame.broadcast,
        file_ids=frame.file_ids,
    )


def change_request(user_id: str, frame: MessageEdit | MessageDelete | ReactionSet) -> AppendRequest:
    """What ingest is asked to do for an edit, a delete, a restore or a reaction."""
    request = AppendRequest(
        kind=EntryKind.EDIT.value,
        conversation_id=frame.conversation_id,
        actor_id=user_id,
        op_id=frame.client_msg_id,
        message_id=frame.message_id,
    )
    match frame:
        case MessageEdit():
            return msgspec.structs.replace(request, body=frame.body)
        case MessageDelete():
            return msgspec.structs.replace(request, kind=EntryKind.DELETE.value, restore=frame.restore)
        case ReactionSet():
            return msgspec.structs.replace(request, kind=EntryKind.REACTION.value, emoji=frame.emoji, on=frame.on)


def make_ack(client_msg_id: str, appended: Appended) -> MessageAck:
    """The acknowledgement of an operation that is stored."""
    entry = appended.entry
    return MessageAck(
        entry.conversation_id, client_msg_id, entry.message_id, entry.epoch, entry.seq,
        to_time(entry.created_at), appended.id_reused,
    )  # fmt: skip


def make_resumed(missed: Missed) -> ResumedConversation:
    """The answer for one conversation."""
    if missed.reset:
        return ResumedConversation(missed.conversation_id, missed.head, reset=True)
    entries = tuple(resumed_entry(missed, entry) for entry in missed.entries)
    return ResumedConversation(missed.conversation_id, missed.head, entries)


def resumed_entry(missed: Missed, entry: Entry) -> MessageNew | EntryNew:
    """One missed entry as its frame, with the texts as they are now."""
    message = missed.messages.get(entry.message_id)
    if entry.kind is EntryKind.MESSAGE and message is not None:
        return resumed_message(message)
    carries_text = message is not None and entry.kind in (EntryKind.EDIT, EntryKind.DELETE)
    if message is None or not carries_text:
        return entry_new(LogRecord(entry))
    return entry_new(LogRecord(entry, preview=message.text, has_more=message.has_more))


def _drop(index: dict[str, set[Connection]], key: str, connection: Connection) -> None:
    found = index.get(key)
    if found is not None:
        found.discard(connection)
        if not found:
            del index[key]


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
