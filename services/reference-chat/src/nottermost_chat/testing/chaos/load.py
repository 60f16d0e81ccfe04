"""Steady traffic of a team, open loop: a message is due when it is due, however slow the one before was."""

import asyncio
import itertools
import random
import time
from collections import deque
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import httpx
import msgspec

from nottermost_chat.client import ChatClient, Refused, Rest
from nottermost_chat.model import Position
from nottermost_chat.testing import history
from nottermost_chat.testing.chaos.found import mark_text
from nottermost_chat.testing.chaos.readers import RawReader, stall
from nottermost_chat.testing.chaos.team import Team, patiently, person_of
from nottermost_chat.testing.history import Event, Log
from nottermost_chat.testing.recorder import Recorder, read_heads, read_logs

PAGES_PER_S: Final = 4.0
CHANGE_SHARE: Final = 0.05  # of acknowledged messages that are edited, and as many get a reaction
RAW_READERS: Final = 2
STALLED_READERS: Final = 1
CHANGEABLE_MAX: Final = 50
DRAIN_S: Final = 60.0  # for sends that are still unanswered when all is well again
SEEN_S: Final = 60.0


class Stamped(msgspec.Struct, frozen=True, gc=False):
    """An event, and when it was recorded: seconds of the monotonic clock."""

    at: float
    event: Event


class Load:
    """A team that talks, and everything that it saw."""

    def __init__(self, team: Team, rate_per_s: float, rng: random.Random, *, stalled: int = STALLED_READERS) -> None:
        self.stamped: list[Stamped] = []
        self.team, self.recorder = team, Recorder(self._stamp)
        self.refused = 0
        self._rate_per_s, self._rng, self._stalled = rate_per_s, rng, stalled
        self._lines, self._places = list(team.lines()), list(team.members)
        self._ours: deque[tuple[str, str, str]] = deque(maxlen=CHANGEABLE_MAX)  # device, conversation, message id
        self._operations: set[asyncio.Task[None]] = set()
        self._readers: list[asyncio.Task[None]] = []
        self._traffic: list[asyncio.Task[None]] = []
        self._pages = itertools.count(1)
        self._raw_rests: list[Rest] = []

    async def start(self) -> None:
        """Follow every conversation, then begin to talk. Nobody may have talked before."""
        for device, chat in self.team.devices.items():
            heads = await patiently(partial(read_heads, chat.rest))
            self._readers.append(asyncio.create_task(self.recorder.follow(device, chat, heads)))
        for number in range(RAW_READERS):
            person = 3 * number + 2
            rest = await self._second_rest(person)
            reader = RawReader(f"{person}-raw", rest, self.recorder, await read_heads(rest))
            self._readers.append(asyncio.create_task(reader.run()))
        for number in range(self._stalled):
            self._readers.append(asyncio.create_task(stall(await self._second_rest(-1 - number))))
        self._traffic = [asyncio.create_task(self._talk()), asyncio.create_task(self._read_pages())]

    async def finish(self) -> None:
        """Stop talking; wait until what was sent is answered and seen, as far as it ever will be."""
        await _end(self._traffic)
        if self._operations:
            await asyncio.wait(self._operations, timeout=DRAIN_S)
        await _end(list(self._operations))
        await self.recorder.wait_seen(await self._owed(), SEEN_S)
        await _end(self._readers)
        for rest in self._raw_rests:
            await rest.close()

    async def read_logs(self) -> tuple[tuple[Log, ...], int]:
        """Every conversation as its first and its last member read it, with fresh clients.

        Beside it: how many messages say that they are older than the one before them.
        """
        found = await asyncio.gather(*(self._read_as(number) for number in range(len(self.team.rests))))
        return tuple(log for logs, _ in found for log in logs), sum(fell for _, fell in found)

    async def _read_as(self, number: int) -> tuple[list[Log], int]:
        rest, logs, fell = self.team.fresh_rest(number), list[Log](), 0
        try:
            for conversation_id, members in self.team.members.items():
                if number in (members[0], members[-1]):
                    logs += await patiently(partial(read_logs, rest, conversation_id, f"fresh {number}"))
                    fell += await patiently(partial(count_backward, rest, conversation_id))
        finally:
            await rest.close()
        return logs, fell

    def _stamp(self, event: Event) -> None:
        self.stamped.append(Stamped(time.monotonic(), event))

    async def _second_rest(self, person: int) -> Rest:
        rest = await self.team.sign_in(person % len(self.team.rests))
        self._raw_rests.append(rest)
        return rest

    async def _owed(self) -> dict[tuple[str, str], int]:
        heads: dict[str, Position] = {}
        for number in range(0, len(self.team.rests), 2):
            rest = self.team.fresh_rest(number)
            heads |= await patiently(partial(read_heads, rest))
            await rest.close()
        used = {conversation_id for conversation_id, _, _ in self.recorder.acknowledged()}
        return {(device, where): heads[where][1] for device, where in self._lines if where in used}

    # --- traffic -------------------------------------------------------------------------------

    async def _talk(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in itertools.count(1):
            await asyncio.sleep(began + number / self._rate_per_s - loop.time())
            where = self._rng.choice(self._places)  # so that none grows beyond what a resume sends again
            device = self._rng.choice([device for device, line in self._lines if line == where])
            self._operate(
                self._say(device, where, mark_text(f"{device} says {number}", f"{self._rng.getrandbits(64):016x}"))
            )
            if self._ours and self._rng.random() < CHANGE_SHARE:
                self._operate(self._edit(*self._rng.choice(self._ours), number))
            if self._ours and self._rng.random() < CHANGE_SHARE:
                self._operate(self._react(*self._rng.choice(self._ours)))

    def _operate(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._counting_refusals(work))
        self._operations.add(task)
        task.add_done_callback(self._operations.discard)

    async def _counting_refusals(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Refused:
            self.refused += 1

    async def _say(self, device: str, where: str, body: str) -> None:
        message_id = await self.recorder.send(self._chat(device), where, body)
        self._ours.append((device, where, message_id))

    async def _edit(self, device: str, where: str, message_id: str, number: int) -> None:
        await self._chat(device).edit(where, message_id, f"{device} meant {number}")

    async def _react(self, device: str, where: str, message_id: str) -> None:
        others = [other for other, line in self._lines if line == where and person_of(other) != person_of(device)]
        await self._chat(self._rng.choice(others)).react(where, message_id, "👍")

    async def _read_pages(self) -> None:
        while True:
            await asyncio.sleep(1 / PAGES_PER_S)
            device, where = self._rng.choice(self._lines)
            self._operate(self._read_page(self.team.rests[person_of(device)], where))

    async def _read_page(self, rest: Rest, where: str) -> None:
        assert rest.session is not None
        user_id, page = rest.session.user_id, next(self._pages)
        self.recorder.note(history.PageAsked(user_id, where, page))
        with suppress(httpx.TransportError, Refused):
            answer = await rest.call("GET", f"/api/messages/conversations/{where}/messages", limit=5)
            last = answer["messages"][-1:]
            newest = (last[0]["epoch"], last[0]["seq"]) if last else history.NOWHERE
            self.recorder.note(history.PageAnswered(user_id, where, page, newest))

    def _chat(self, device: str) -> ChatClient:
        return self.team.devices[device]


async def count_backward(rest: Rest, conversation_id: str) -> int:
    """How many messages say that they are older than the one before them."""
    path, fell, after = f"/api/messages/conversations/{conversation_id}/messages", 0, 0
    latest = datetime.min.replace(tzinfo=UTC)
    while True:
        page: Mapping[str, Any] = await rest.call("GET", path, after_seq=after, limit=200)
        messages: Sequence[Mapping[str, Any]] = page["messages"]
        for message in messages:
            created_at = datetime.fromisoformat(message["created_at"])
            fell += created_at < latest
            latest = created_at
        if not page["has_more"]:
            return fell
        after = messages[-1]["seq"]


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
