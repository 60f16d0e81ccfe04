"""A user's live chat: sends until acknowledged, every entry once and in order, across reconnects."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import msgspec
from picows import WSError

from nottermost_chat.client.backoff import Backoff
from nottermost_chat.client.rest import Refused, Rest, Session
from nottermost_chat.client.socket import ClientSocket
from nottermost_chat.protocol import (
    CLOSE_RULES,
    RESUME_CONVERSATIONS_MAX,
    Authenticate,
    Authenticated,
    ClientFrame,
    CloseCode,
    Delivered,
    EntryNew,
    ErrorFrame,
    MeChanged,
    MeRead,
    MessageAck,
    MessageDelete,
    MessageEdit,
    MessageNew,
    MessageSend,
    Ping,
    Pong,
    PresenceChanged,
    PresenceWatch,
    ReactionSet,
    Read,
    ReceiptChanged,
    Resume,
    Resumed,
    ResumedConversation,
    ServerDrain,
    ServerFrame,
    Typing,
    TypingSend,
)

ACK_S = 10.0  # after it the outcome is unknown, and the operation is repeated under the same id
EVENTS_MAX = 10_000  # waiting for whoever iterates; above it the socket is not read, and the server waits
REFRESH_BEFORE_S = 60.0
ANSWER_S = 15.0  # a connection on which nothing comes for so long after we asked is lost, whatever the network says

_TAKEN: Any = object()


class Reset(msgspec.Struct, frozen=True):
    """More is missing than is sent again: read this conversation afresh from REST."""

    conversation_id: str


Event = MessageNew | EntryNew | ReceiptChanged | MeChanged | MeRead | Typing | PresenceChanged | Reset
Entry = MessageNew | EntryNew
Operation = MessageSend | MessageEdit | MessageDelete | ReactionSet


class ChatClient:
    """A signed-in user's connection. Use it as an async context manager."""

    def __init__(
        self, rest: Rest, *, backoff: Backoff | None = None, answer_s: float = ANSWER_S, socket_url: str = ""
    ) -> None:
        """
        Args:
            socket_url: a gateway of one's own choice; "": where REST is.
            answer_s: how long the server may stay silent after the handshake, a ping or a token was sent.
        """
        self.rest = rest
        self._answer_s, self._socket_url = answer_s, socket_url or rest.url
        self.connected = asyncio.Event()
        self._backoff = backoff or Backoff()
        self._socket: ClientSocket | None = None
        self._authenticated: asyncio.Future[Authenticated] | None = None
        self._waiting: dict[str, tuple[Operation, asyncio.Future[MessageAck]]] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._cursors: dict[str, tuple[int, int]] = {}
        self._behind: dict[str, dict[tuple[int, int], Entry]] = {}  # conversations being resumed, what came meanwhile
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._paused = False
        self._watch: PresenceWatch | None = None
        self._task: asyncio.Task[None] | None = None
        self._followed = False  # conversations are followed since an earlier connection
        self._ended: Refused | None = None

    @classmethod
    async def log_in(cls, url: str, email: str, password: str) -> "ChatClient":
        """Raises: Refused."""
        rest = Rest(url)
        try:
            await rest.log_in(email, password)
        except BaseException:
            await rest.close()
            raise
        return cls(rest)

    @property
    def session(self) -> Session:
        if self.rest.session is None:
            raise Refused(401, "unauthorized", "log in first")
        return self.rest.session

    async def __aenter__(self) -> "ChatClient":
        self._task = asyncio.create_task(self._run(), name="chat-client")
        waiter = asyncio.create_task(self.connected.wait())
        try:
            done, _ = await asyncio.wait({self._task, waiter}, return_when=asyncio.FIRST_COMPLETED)
            if self._task in done:
                self._task.result()
        except BaseException:  # also when the caller waits no longer: nobody else would end the task
            await self.__aexit__()
            raise
        finally:
            waiter.cancel()
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Refused):
                await self._task
        if self._socket is not None:
            self._socket.close()
        await self.rest.close()

    # --- what a user does --------------------------------------------------------------------

    async def send(
        self, conversation_id: str, body: str, *, client_msg_id: str = "", thread_id: str | None = None,
        broadcast: bool = False, file_ids: tuple[str, ...] = (),
    ) -> MessageAck:  # fmt: skip
        """Send a message; returns when it is stored for good. One at a time in a conversation.

        Raises: Refused.
        """
        frame = MessageSend(conversation_id, client_msg_id or uuid4().hex, body, thread_id, broadcast, file_ids)
        return await self.operate(frame)

    async def edit(self, conversation_id: str, message_id: str, body: str) -> MessageAck:
        return await self.operate(MessageEdit(conversation_id, message_id, uuid4().hex, body))

    async def delete(self, conversation_id: str, message_id: str, *, restore: bool = False) -> MessageAck:
        return await self.operate(MessageDelete(conversation_id, message_id, uuid4().hex, restore))

    async def react(self, conversation_id: str, message_id: str, emoji: str, *, on: bool = True) -> MessageAck:
        return await self.operate(ReactionSet(conversation_id, message_id, uuid4().hex, emoji, on))

    async def operate(self, frame: Operation) -> MessageAck:
        """Repeat an operation under its own id until it is acknowledged or refused for good."""
        turn = self._turns.setdefault(frame.conversation_id, asyncio.Lock())
        async with turn:
            while True:
                try:
                    return await self._try(frame)
                except Refused as refused:
                    if not refused.passing:
                        raise
                    await asyncio.sleep(refused.wait_s)
                except TimeoutError:
                    continue  # the outcome is unknown

    async def _try(self, frame: Operation) -> MessageAck:
        if self._ended is not None:
            raise self._ended
        answer: asyncio.Future[MessageAck] = asyncio.get_running_loop().create_future()
        self._waiting[frame.client_msg_id] = (frame, answer)
        try:
            if self.connected.is_set():
                self._send(frame)
            async with asyncio.timeout(ACK_S):
                return await answer
        finally:
            self._waiting.pop(frame.client_msg_id, None)

    def read(self, conversation_id: str, seq: int) -> None:
        """Everything up to `seq` has been read."""
        self._send(Read(conversation_id, seq))

    def delivered(self, conversation_id: str, seq: int) -> None:
        self._send(Delivered(conversation_id, seq))

    def typing(self, conversation_id: str) -> None:
        self._send(TypingSend(conversation_id))

    def watch(self, user_ids: tuple[str, ...] = (), conversation_id: str | None = None) -> None:
        """What is on the screen; kept across reconnects."""
        self._watch = PresenceWatch(user_ids, conversation_id)
        self._send(self._watch)

    async def events(self) -> AsyncIterator[Event]:
        """What happens, each entry once and in the order of its conversation, until the session ends."""
        while True:
            event = await self._events.get()
            if event is _TAKEN:
                return
            if self._paused and self._events.qsize() < EVENTS_MAX // 2 and self._socket is not None:
                self._paused = False
                self._socket.pause_reading(False)
            yield event

    # --- the connection ----------------------------------------------------------------------

    async def _run(self) -> None:
        """Stay connected until the session ends; then whoever waits for anything learns it."""
        try:
            await self._stay_connected()
        except Refused as refused:
            self._end(refused)
            raise
        finally:
            self._events.put_nowait(_TAKEN)

    async def _stay_connected(self) -> None:
        while True:
            try:
                code = await self._connect_once()
                if code == CloseCode.TOKEN_EXPIRED:
                    await self.rest.refresh()
                wait_s = _wait_s(code)
            except httpx.TransportError:  # while refreshing: the next connection finds the token expired again
                wait_s = 0.0
            except Refused as refused:
                if not refused.passing:
                    raise
                wait_s = refused.wait_s
            await asyncio.sleep(max(self._backoff.next_s(), wait_s))

    def _end(self, refused: Refused) -> None:
        self._ended = refused
        for _, answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(refused)

    async def _connect_once(self) -> int:
        """One connection from its handshake to its end; returns the close code."""
        loop = asyncio.get_running_loop()
        self._authenticated = loop.create_future()
        try:
            socket = await ClientSocket.open(self._socket_url, self._on_frame, within_s=self._answer_s)
        except (OSError, WSError, TimeoutError):
            return 1006
        self._socket, self._paused = socket, False
        try:
            socket.ask(Authenticate(self.session.access_token), within_s=self._answer_s)
            await _first_of(self._authenticated, socket.closed)
            if not self._authenticated.done():
                return await socket.closed
            try:
                hello = self._authenticated.result()
            except Refused as refused:
                if refused.code != "token_expired":
                    raise
                return int(CloseCode.TOKEN_EXPIRED)
            await self._catch_up()
            self._backoff.reset()
            self.connected.set()
            for frame, _ in list(self._waiting.values()):
                self._send(frame)
            if self._watch is not None:
                self._send(self._watch)
            return await self._stay(socket, hello)
        except (httpx.TransportError, TimeoutError):
            return 1006
        finally:
            self.connected.clear()
            self._socket = None
            socket.close()

    async def _stay(self, socket: ClientSocket, hello: Authenticated) -> int:
        """Ping and refresh until the connection ends."""
        refresh_at = hello.expires_at.timestamp() - REFRESH_BEFORE_S
        while not socket.closed.done():
            await asyncio.wait({socket.closed}, timeout=hello.heartbeat_s)
            socket.ask(Ping(), within_s=self._answer_s)
            if time.time() > refresh_at:
                refresh_at = await self._renew(socket)
        return socket.closed.result()

    async def _renew(self, socket: ClientSocket) -> float:
        """Go on with a fresh token; returns when to do so again (Unix time, s)."""
        try:
            await self.rest.refresh()
        except Refused as refused:
            if not refused.passing:
                raise
            return time.time() + refused.wait_s  # the connection is good until the old token ends
        self._authenticated = asyncio.get_running_loop().create_future()
        socket.ask(Authenticate(self.session.access_token), within_s=self._answer_s)
        await _first_of(self._authenticated, socket.closed)
        if not self._authenticated.done():
            return 0.0  # the connection ended
        return self._authenticated.result().expires_at.timestamp() - REFRESH_BEFORE_S

    async def _catch_up(self) -> None:
        """Begin where each conversation stands; resume those that were followed before."""
        for view in await self.rest.call("GET", "/api/chats/conversations"):
            if view["conversation_id"] not in self._cursors:
                self._cursors[view["conversation_id"]] = (view["epoch"], view["last_seq"])
                if self._followed:  # begun or joined while this client was away
                    self._emit(Reset(view["conversation_id"]))
        self._followed = True
        self._resume(list(self._cursors))

    def _resume(self, conversation_ids: list[str]) -> None:
        for start in range(0, len(conversation_ids), RESUME_CONVERSATIONS_MAX):
            part = conversation_ids[start : start + RESUME_CONVERSATIONS_MAX]
            for conversation_id in part:
                self._behind.setdefault(conversation_id, {})
            self._send(Resume({conversation_id: self._cursors[conversation_id] for conversation_id in part}))

    def _send(self, frame: ClientFrame) -> None:
        if self._socket is not None:
            self._socket.send(frame)

    # --- what the server says ----------------------------------------------------------------

    def _on_frame(self, frame: ServerFrame | MessageNew) -> None:
        match frame:
            case MessageNew() | EntryNew():
                self._on_entry(frame)
            case MessageAck():
                waiting = self._waiting.get(frame.client_msg_id)
                if waiting is not None and not waiting[1].done():
                    waiting[1].set_result(frame)
            case Resumed():
                for conversation in frame.conversations:
                    self._on_resumed(conversation)
            case ErrorFrame():
                self._on_error(frame)
            case Authenticated():
                if self._authenticated is not None and not self._authenticated.done():
                    self._authenticated.set_result(frame)
            case ReceiptChanged() | MeChanged() | MeRead() | Typing() | PresenceChanged():
                self._emit(frame)
            case Pong() | ServerDrain():
                pass

    def _on_error(self, frame: ErrorFrame) -> None:
        refused = Refused(0, frame.code, frame.message, frame.retry_after_ms)
        waiting = self._waiting.get(frame.client_msg_id or "")
        if waiting is not None:
            if not waiting[1].done():
                waiting[1].set_exception(refused)
        elif self._authenticated is not None and not self._authenticated.done():
            self._authenticated.set_exception(refused)

    def _on_entry(self, entry: Entry) -> None:
        conversation_id, position = entry.conversation_id, (entry.epoch, entry.seq)
        behind = self._behind.get(conversation_id)
        if behind is not None:
            behind[position] = entry
            return
        at = self._cursors.get(conversation_id)
        if at is not None and position <= at:
            return
        if at is not None and position != (at[0], at[1] + 1):
            self._behind[conversation_id] = {position: entry}
            self._resume([conversation_id])
            return
        self._cursors[conversation_id] = position
        self._emit(entry)

    def _on_resumed(self, answer: ResumedConversation) -> None:
        conversation_id = answer.conversation_id
        behind = self._behind.pop(conversation_id, {})
        if answer.reset:
            self._cursors[conversation_id] = answer.position
            self._emit(Reset(conversation_id))
        for entry in answer.entries:
            self._on_entry(entry)
        for _, entry in sorted(behind.items()):
            self._on_entry(entry)

    def _emit(self, event: Event) -> None:
        self._events.put_nowait(event)
        if not self._paused and self._events.qsize() > EVENTS_MAX and self._socket is not None:
            self._paused = True
            self._socket.pause_reading(True)


def _wait_s(code: int) -> float:
    """The least time to stay away after this close. Raises: Refused when the client is not to come back."""
    if code not in list(CloseCode):
        return 0.0
    rule = CLOSE_RULES[CloseCode(code)]
    if not rule.reconnect:
        raise Refused(401, "closed", f"the server closed the connection for good: {rule.meaning}")
    return rule.wait_s_min


async def _first_of(*futures: "asyncio.Future[Any]") -> None:
    """Return when one of them is done."""
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
