"""Handing log records to a handler: again while it cannot take them, singly when it refuses them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

import msgspec
import structlog

from nottermost_chat.errors import ChatError, Unavailable
from nottermost_chat.model import LogRecord
from nottermost_chat.ports import Handler

ATTEMPTS = 3
RETRY_S = 0.05  # then twice as long each time, up to
RETRY_S_MAX = 5.0  # which is how much later a consumer is when what it needs comes back
AWAY = (Unavailable, OSError)  # says nothing about the records; a TimeoutError is an OSError

logger = structlog.get_logger(__name__)


class Refused(msgspec.Struct, frozen=True):
    """What a handler refused three times: where it stands in the batch, and why, without a word of its text."""

    index: int
    reason: str


async def hand_over(handler: Handler, batch: Sequence[LogRecord], *, group: str) -> list[Refused]:
    """Hand the batch over; returns what is refused alone too. Lasts as long as what the handler needs is away."""
    reason = await _try(handler, batch, group)
    if reason is None:
        return []
    if len(batch) == 1:
        return [Refused(0, reason)]
    alone = [await _try(handler, [record], group) for record in batch]
    return [Refused(index, reason) for index, reason in enumerate(alone) if reason is not None]


async def insist(act: Callable[[], Awaitable[None]], *, group: str) -> None:
    """Do it again, ever more slowly, until nothing that it needs is away."""
    for pause_s in _pauses():
        try:
            await act()
        except AWAY as error:
            logger.warning("consumer_waits", group=group, error=repr(error))
            await asyncio.sleep(pause_s)
        else:
            return


async def _try(handler: Handler, batch: Sequence[LogRecord], group: str) -> str | None:
    """None: handled. Else why it was refused three times."""
    refusals = 0
    for pause_s in _pauses():
        try:
            await handler(batch)
        except (ChatError, OSError, ValueError, LookupError, TypeError) as error:
            away = isinstance(error, AWAY)
            refusals += not away
            logger.warning("consumer_failed", group=group, away=away, records=len(batch), error=repr(error))
            if refusals == ATTEMPTS:
                return f"refused three times: {error if isinstance(error, ChatError) else type(error).__name__}"
            await asyncio.sleep(pause_s)
        else:
            break
    return None


def _pauses() -> Iterator[float]:
    pause_s = RETRY_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, RETRY_S_MAX)
