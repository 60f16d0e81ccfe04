"""Whether search finds in the end what was said: what the indexer owes, as the chat itself goes on without it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeVar

import httpx

from nottermost_chat.client import Refused
from nottermost_chat.errors import Unavailable
from nottermost_chat.resilience import POLICIES
from nottermost_chat.testing.chaos.team import Team
from nottermost_chat.testing.history import Acknowledged, Event, Log, LogEntry

SAMPLE_MAX: Final = 50
FOUND_S: Final = 30.0  # for the indexer to come back and catch up with a minute of traffic
AGAIN_S: Final = 1.0
AT_ONCE: Final = 4
SLACK_S: Final = 5.0  # of an answer on a machine that runs everything at once
MARK: Final = "«"

T = TypeVar("T")


def mark_text(text: str, mark: str) -> str:
    """A text that can be searched for by a word that no other holds."""
    return f"{text} {MARK}{mark}»"


def find_mark(text: str) -> str:
    """The word that no other text holds."""
    return text.rpartition(MARK)[2].removesuffix("»")


def choose_wanted(events: Iterable[Event], logs: Iterable[Log]) -> list[LogEntry]:
    """Messages that were acknowledged and say in the end what was sent; at most SAMPLE_MAX of them, evenly."""
    acknowledged = {event.key for event in events if isinstance(event, Acknowledged)}
    whole = {
        entry.key: entry
        for log in logs
        for entry in log.entries
        if entry.kind == "message" and entry.body is not None and entry.key in acknowledged
    }
    return _choose_evenly(list(whole.values()), SAMPLE_MAX)


async def tell_unfound(
    find: Callable[[LogEntry], Awaitable[bool]], wanted: Sequence[LogEntry], *, within_s: float = FOUND_S
) -> str:
    """A sentence on those that `find` has not found when the time is over; "": none. All are looked for at least once."""
    deadline = time.monotonic() + within_s
    at_once = asyncio.Semaphore(AT_ONCE)

    async def is_found(entry: LogEntry) -> bool:
        async with at_once:
            return await find(entry)

    left = list(wanted)
    while True:
        found = await asyncio.gather(*map(is_found, left))
        left = [entry for entry, there in zip(left, found, strict=True) if not there]
        if not left:
            return ""
        if time.monotonic() > deadline:
            return (
                f"search finds {len(wanted) - len(left)} of {len(wanted)} acknowledged messages within {within_s:.0f} s,"
                f" not {left[0].position} {left[0].client_msg_id}"
            )
        await asyncio.sleep(AGAIN_S)


async def finds(team: Team, entry: LogEntry) -> bool:
    """Whether the first member of its conversation finds a message by its text."""
    try:
        answer = await team.rests[team.members[entry.conversation_id][0]].call(
            "GET", "/api/search", q=find_mark(entry.body or "")
        )
    except httpx.TransportError:
        return False
    except Refused as refused:
        if not refused.passing:
            raise
        return False
    return any(hit["message"]["message_id"] == entry.message_id for hit in answer["hits"])


async def tell_if_search_answers(team: Team) -> str:
    """A sentence when search does not say in time that it is away; "": it does."""
    policy = POLICIES["search"]
    limit_s = policy.attempts * policy.timeout_s + SLACK_S
    try:
        async with asyncio.timeout(limit_s):
            await team.rests[0].call("GET", "/api/search", q="says")
    except Refused as refused:
        if refused.code == Unavailable.code:
            return ""
        return f"search is away and says {refused.code}"
    except (TimeoutError, httpx.TransportError):
        return f"search is away and does not say so within {limit_s:.0f} s"
    return "search answers while OpenSearch is away"


def _choose_evenly(values: Sequence[T], count_max: int) -> list[T]:
    """Of values in order so many, the first and what lies equally far apart from there on."""
    count = min(count_max, len(values))
    return [values[number * len(values) // count] for number in range(count)]
