"""History that the message store does not have any more: the archive has it, and the reader need not notice."""

from typing import Final, TypedDict, Unpack

from ulid import ULID

from nottermost_chat.archive.rows import Row, Wanted, to_message
from nottermost_chat.clock import DAY_MS, day_of
from nottermost_chat.errors import Unavailable
from nottermost_chat.model import Message
from nottermost_chat.services import Services

LAST: Final = 2**62  # above every seq


class Page(TypedDict):
    """What a page of a history is asked for with, of the store and of the archive alike (`MessageStore.history`)."""

    limit: int
    after_seq: int | None
    before_seq: int | None
    thread_id: str | None
    roots_only: bool
    floor_seq: int


async def complete(
    services: Services, conversation_id: str, found: list[Message], **page: Unpack[Page]
) -> tuple[list[Message], bool]:
    """What the store found, with what the archive has of the same page; and whether the archive has more, but is away.

    `found` was read before this looks where the store ends: what is trimmed in between is in the archive.
    Raises Unavailable when the archive is away and the store found nothing.
    """
    limit, after_seq, before_seq = page["limit"], page["after_seq"], page["before_seq"]
    backward = after_seq is None
    if backward and len(found) == limit:
        return found, False
    first = max(page["floor_seq"], after_seq or 0)
    trimmed = await _trimmed_to(services, conversation_id)
    if trimmed <= first or (before_seq is not None and before_seq <= first + 1):
        return found, False
    wanted = Wanted(
        conversation_id=conversation_id, limit=limit, after_seq=first, newest_first=backward, thread_id=page["thread_id"],
        before_seq=min(LAST if before_seq is None else before_seq, trimmed + 1), roots_only=page["roots_only"],
        last_day=await _last_day(services, conversation_id, trimmed),
    )  # fmt: skip
    try:
        rows = await _read(services, wanted)
    except Unavailable:
        if found and backward:
            return found, True
        raise
    together = {row.seq: to_message(row) for row in rows}
    together |= {message.entry.seq: message for message in found}
    ordered = [together[seq] for seq in sorted(together)]
    return (ordered[-limit:] if backward else ordered[:limit]), False


async def message_of(
    services: Services, conversation_id: str, message_id: str, *, full: bool = False
) -> Message | None:
    """A message that the store does not have any more; None: the archive has none either. `full`: with its whole body."""
    row = await _row_of(services, conversation_id, message_id)
    return None if row is None else to_message(row, full=full)


async def seq_at(services: Services, conversation_id: str, at_ms: int, seq: int) -> int:
    """`seq`, which the store found for that time; or, where that is where the store begins, the archive's."""
    trimmed = await _trimmed_to(services, conversation_id)
    if not trimmed or seq > trimmed + 1:
        return seq
    wanted = Wanted(
        conversation_id=conversation_id, limit=1, before_seq=trimmed + 1, first_day=day_of(at_ms), from_ms=at_ms
    )
    rows = await _read(services, wanted)
    return rows[0].seq if rows else trimmed + 1


async def _row_of(services: Services, conversation_id: str, message_id: str) -> Row | None:
    trimmed = await _trimmed_to(services, conversation_id)
    made_at = _made_at(message_id)
    if not trimmed or made_at is None:
        return None
    wanted = Wanted(
        conversation_id=conversation_id, limit=1, before_seq=trimmed + 1, message_id=message_id,
        first_day=day_of(made_at - DAY_MS), last_day=day_of(made_at + DAY_MS),  # clocks differ by less
    )  # fmt: skip
    rows = await _read(services, wanted)
    return rows[0] if rows else None


async def _read(services: Services, wanted: Wanted) -> list[Row]:
    """Without an archive nothing is trimmed that anybody would read."""
    return [] if services.archive is None else await services.archive.messages(wanted)


async def _trimmed_to(services: Services, conversation_id: str) -> int:
    """Up to which seq entries may be gone from the store; 0: they are all there."""
    head = (await services.store.heads([conversation_id])).get(conversation_id)
    return 0 if head is None else head.floor_seq


async def _last_day(services: Services, conversation_id: str, trimmed: int) -> str:
    """The day of the first entry that the store still has: nothing that it does not have is newer."""
    entries = await services.store.entries(conversation_id, trimmed, 1)
    return day_of(entries[0].created_at) if entries else "9999"


def _made_at(message_id: str) -> int | None:
    """A ULID says when it was made, in ms since the epoch; None: it is none."""
    try:
        return ULID.from_str(message_id).milliseconds
    except ValueError:
        return None
