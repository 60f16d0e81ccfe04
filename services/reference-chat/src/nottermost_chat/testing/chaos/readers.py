"""Readers that do without the client library: one that records frames as they come, one that takes none."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import httpx
from picows import WSError

from nottermost_chat.client import Refused, Rest
from nottermost_chat.client.socket import ClientSocket
from nottermost_chat.model import Position
from nottermost_chat.protocol import Authenticate, Authenticated, EntryNew, MessageNew, Ping, Resume, Resumed
from nottermost_chat.testing import history
from nottermost_chat.testing.raw_socket import RawSocket
from nottermost_chat.testing.recorder import Recorder, to_log_entry

AGAIN_S: Final = 0.5
PING_S: Final = 5.0
ANSWER_S: Final = 10.0
STALLED_BYTES: Final = 4096  # what the kernel takes for a reader that takes nothing


class RawReader:
    """Frames of one device as they come; after each reconnect it resumes from where it was."""

    def __init__(self, name: str, rest: Rest, recorder: Recorder, heads: Mapping[str, Position]) -> None:
        self._name, self._rest, self._recorder = name, rest, recorder
        self._at = dict(heads)
        self._resumed: set[str] = set()
        self._connection = 0
        for conversation_id, head in heads.items():
            recorder.note(history.Following(name, conversation_id, head, raw=True))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(OSError, WSError, TimeoutError, httpx.TransportError, Refused):
                await self._stay()
            await asyncio.sleep(AGAIN_S)

    async def _stay(self) -> None:
        session = await self._rest.refresh()
        self._connection += 1
        self._resumed.clear()
        socket = await ClientSocket.open(self._rest.url, lambda frame: self._on_frame(socket, frame), within_s=ANSWER_S)
        try:
            socket.ask(Authenticate(session.access_token), within_s=ANSWER_S)
            while not socket.closed.done():
                await asyncio.wait({socket.closed}, timeout=PING_S)
                socket.ask(Ping(), within_s=ANSWER_S)
        finally:
            socket.close()

    def _on_frame(self, socket: ClientSocket, frame: object) -> None:
        match frame:
            case Authenticated():
                socket.send(Resume(dict(self._at)))
            case Resumed():
                for conversation in frame.conversations:
                    self._on_resumed(conversation.conversation_id, conversation.reset, conversation.position)
                    for entry in conversation.entries:
                        self._see(entry)
                # The store was read, and the log may be behind it: what was in the answer may come once more. So
                # what follows the answer is a connection of its own to the checker.
                self._connection += 1
            # What comes before the answer to the resume is in that answer too.
            case MessageNew() | EntryNew() if frame.conversation_id in self._resumed:
                self._see(frame)
            case _:
                pass

    def _on_resumed(self, conversation_id: str, reset: bool, position: Position) -> None:
        self._resumed.add(conversation_id)
        if reset:
            self._at[conversation_id] = position
            self._recorder.note(history.Following(self._name, conversation_id, position, raw=True))

    def _see(self, frame: MessageNew | EntryNew) -> None:
        entry = to_log_entry(frame)
        if entry.conversation_id in self._at:
            self._at[entry.conversation_id] = max(entry.position, self._at[entry.conversation_id])
            self._recorder.saw(self._name, entry, self._connection)


async def stall(rest: Rest) -> None:
    """Connect, and take nothing of what comes; until cancelled."""
    session = await rest.refresh()
    socket = await RawSocket.open(rest.url, read_ahead_bytes=STALLED_BYTES)
    try:
        await socket.authenticate(session.access_token)
        await asyncio.Event().wait()
    finally:
        socket.abort()
