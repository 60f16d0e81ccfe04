"""Records for the history checker what the client library sends and sees."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import uuid4

from nottermost_chat.client import ChatClient, Refused, Reset, Rest
from nottermost_chat.client.socket import ClientSocket
from nottermost_chat.model import Position
from nottermost_chat.protocol import Authenticate, Authenticated, EntryNew, ErrorFrame, MessageNew, Resume, Resumed
from nottermost_chat.testing import history
from nottermost_chat.testing.history import Event, LogEntry, SendKey

PAGE: Final = 200
ANSWER_S: Final = 10.0
NOTHING: Final[Position] = (2**62, 0)  # after it no entry is owed: what follows a reset says where it goes on


class Recorder:
    """What several clients in this process do and see, in the order in which it happens."""

    def __init__(self, noted: Callable[[Event], object] = lambda _event: None) -> None:
        """`noted` is told each event as it is recorded."""
        self.events: list[Event] = []
        self._noted = noted
        self._seen_up_to: dict[tuple[str, str], int] = {}

    def note(self, event: Event) -> None:
        self.events.append(event)
        self._noted(event)

    async def send(self, chat: ChatClient, conversation_id: str, body: str) -> str:
        """Send, and record what came of it; returns the message's id. Cancelled, or when the client ends: unknown."""
        sent = history.Sent(conversation_id, chat.session.user_id, uuid4().hex, body)
        self.note(sent)
        try:
            ack = await chat.send(conversation_id, body, client_msg_id=sent.client_msg_id)
        except Refused:
            self.note(history.Refused(*sent.key))
            raise
        self.note(history.Acknowledged(*sent.key, ack.message_id, ack.epoch, ack.seq))
        return ack.message_id

    async def follow(self, reader: str, chat: ChatClient, heads: Mapping[str, Position]) -> None:
        """Record what a device sees, until its session ends.

        Args:
            heads: of the conversations it is in, read while nothing was sent.
        """
        for conversation_id, head in heads.items():
            self.note(history.Following(reader, conversation_id, head))
        after_reset: set[str] = set()
        async for event in chat.events():
            match event:
                case Reset():
                    self.note(history.Following(reader, event.conversation_id, NOTHING))
                    after_reset.add(event.conversation_id)
                case MessageNew() | EntryNew():
                    entry = to_log_entry(event)
                    if entry.conversation_id in after_reset:
                        after_reset.discard(entry.conversation_id)
                        before = (entry.epoch, entry.seq - 1)
                        self.note(history.Following(reader, entry.conversation_id, before))
                    self.saw(reader, entry)
                case _:
                    pass

    def saw(self, reader: str, entry: LogEntry, connection: int = 0) -> None:
        """A device got an entry."""
        self.note(history.Seen(reader, entry, connection))
        line = (reader, entry.conversation_id)
        self._seen_up_to[line] = max(entry.seq, self._seen_up_to.get(line, 0))

    def acknowledged(self) -> set[SendKey]:
        return {event.key for event in self.events if isinstance(event, history.Acknowledged)}

    async def wait_seen(self, seqs: Mapping[tuple[str, str], int], within_s: float) -> None:
        """Wait until readers have come as far as this: (reader, conversation_id) -> seq.

        It returns also when they do not: what they lack is for the checker to tell.
        """
        deadline = asyncio.get_running_loop().time() + within_s
        while any(self._seen_up_to.get(line, 0) < seq for line, seq in seqs.items() if seq):
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(0.02)


async def read_heads(rest: Rest) -> dict[str, Position]:
    """Where each of a user's conversations stands."""
    views = await rest.call("GET", "/api/chats/conversations")
    return {view["conversation_id"]: (view["epoch"], view["last_seq"]) for view in views}


async def read_logs(rest: Rest, conversation_id: str, read_by: str) -> list[history.Log]:
    """The whole conversation, once over the socket and once over REST.

    REST pages hold messages only; the other entries are taken from the first reading.
    """
    entries = await resume(rest, conversation_id, (1, 0))
    others = [entry for entry in entries if entry.kind != "message"]
    messages = await read_messages(rest, conversation_id)
    merged = sorted([*messages, *others], key=lambda entry: entry.position)
    return [
        history.Log(conversation_id, f"{read_by} by REST", tuple(merged)),
        history.Log(conversation_id, f"{read_by} by socket", tuple(entries)),
    ]


async def read_messages(rest: Rest, conversation_id: str) -> list[LogEntry]:
    """All messages of a conversation, page by page, in the order in which they came."""
    path, found, after = f"/api/messages/conversations/{conversation_id}/messages", list[LogEntry](), 0
    while True:
        page = await rest.call("GET", path, after_seq=after, limit=PAGE)
        found += [_from_page(message) for message in page["messages"]]
        if not page["has_more"]:
            return found
        after = found[-1].seq


async def resume(rest: Rest, conversation_id: str, after: Position) -> list[LogEntry]:
    """Every entry after a position, over a socket of its own.

    Raises: RuntimeError when the chat says `reset`: there are more than it sends again.
    """
    answer: asyncio.Future[Resumed] = asyncio.get_running_loop().create_future()

    def on_frame(frame: object) -> None:
        if isinstance(frame, Authenticated):
            socket.send(Resume({conversation_id: after}))
        elif isinstance(frame, Resumed) and not answer.done():
            answer.set_result(frame)
        elif isinstance(frame, ErrorFrame) and not answer.done():
            answer.set_exception(RuntimeError(f"{frame.code}: {frame.message}"))

    assert rest.session is not None
    socket = await ClientSocket.open(rest.url, on_frame)
    try:
        socket.send(Authenticate(rest.session.access_token))
        async with asyncio.timeout(ANSWER_S):
            (conversation,) = (await answer).conversations
    finally:
        socket.close()
    if conversation.reset:
        raise RuntimeError(f"{conversation_id} has more entries than a resume sends again")
    return [to_log_entry(entry) for entry in conversation.entries]


def to_log_entry(frame: MessageNew | EntryNew) -> LogEntry:
    """What the checker compares of a frame."""
    if isinstance(frame, EntryNew):
        return LogEntry(
            frame.conversation_id, frame.epoch, frame.seq, frame.kind, frame.message_id, frame.actor_id, frame.client_msg_id
        )  # fmt: skip
    body = frame.preview if not frame.has_more and frame.version == 1 else None
    return LogEntry(
        frame.conversation_id, frame.epoch, frame.seq, "message", frame.message_id, frame.sender_id, frame.client_msg_id, body
    )  # fmt: skip


def _from_page(message: Any) -> LogEntry:
    body = message["preview"] if not message["has_more"] and message.get("version", 1) == 1 else None
    return LogEntry(
        message["conversation_id"], message["epoch"], message["seq"], "message", message["message_id"],
        message["sender_id"], message["client_msg_id"], body,
    )  # fmt: skip
