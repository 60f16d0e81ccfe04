"""Messages: sending and changing them, history, threads, cursors and receipts."""

import asyncio
from datetime import datetime

import msgspec

from nottermost_chat.actions import archived
from nottermost_chat.actions.access import floor_seq, look_up, require_member
from nottermost_chat.actions.conversations import count_unread
from nottermost_chat.actions.signals import tell_read
from nottermost_chat.api import shapes
from nottermost_chat.errors import BadRequest, NotAMember, NotFound
from nottermost_chat.model import RECEIPT_MEMBERS_MAX, Head, Message
from nottermost_chat.ports import Appended, AppendRequest, Cursor, Signal
from nottermost_chat.protocol import MessageFields, ReceiptChanged, message_fields, to_time
from nottermost_chat.services import Services

_encode = msgspec.json.Encoder().encode


class Place(msgspec.Struct, frozen=True):
    """Where in a history to read: at most one of these; none: the newest page."""

    after_seq: int | None = None
    before_seq: int | None = None  # 0: from the end
    around_seq: int | None = None
    at: datetime | None = None


# --- writing: ingest judges -------------------------------------------------------------------


async def send(services: Services, caller_id: str, conversation_id: str, wanted: shapes.SendRequest) -> shapes.SentView:
    """Send a message; ingest judges everything."""
    request = AppendRequest(
        kind="message",
        conversation_id=conversation_id,
        actor_id=caller_id,
        op_id=wanted.client_msg_id,
        body=wanted.body,
        thread_id=wanted.thread_id,
        broadcast=wanted.broadcast,
        file_ids=tuple(dict.fromkeys(wanted.file_ids)),
    )
    return sent_view(await _submit(services, request))


async def edit(
    services: Services, caller_id: str, conversation_id: str, message_id: str, wanted: shapes.EditRequest
) -> shapes.SentView:
    """Replace the text of one's own message."""
    return await _operate(
        services, caller_id, conversation_id, message_id, wanted.client_msg_id, kind="edit", body=wanted.body
    )


async def delete(
    services: Services, caller_id: str, conversation_id: str, message_id: str, op_id: str, *, restore: bool = False
) -> shapes.SentView:
    """Delete a message, or undo that."""
    return await _operate(services, caller_id, conversation_id, message_id, op_id, kind="delete", restore=restore)


async def react(
    services: Services, caller_id: str, conversation_id: str, message_id: str, wanted: shapes.ReactionRequest
) -> shapes.SentView:
    """Set one's reaction, or take it back."""
    return await _operate(
        services, caller_id, conversation_id, message_id, wanted.client_msg_id,
        kind="reaction", emoji=wanted.emoji, on=wanted.on,
    )  # fmt: skip


async def _operate(
    services: Services,
    caller_id: str,
    conversation_id: str,
    message_id: str,
    op_id: str,
    *,
    kind: str,
    body: str = "",
    emoji: str = "",
    on: bool = True,
    restore: bool = False,
) -> shapes.SentView:
    request = AppendRequest(
        kind=kind,
        conversation_id=conversation_id,
        actor_id=caller_id,
        op_id=op_id,
        message_id=message_id,
        body=body,
        emoji=emoji,
        on=on,
        restore=restore,
    )
    return sent_view(await _submit(services, request))


async def _submit(services: Services, request: AppendRequest) -> Appended:
    """Raises what ingest refuses, but NotFound instead of NotAMember where the caller may not know of the place."""
    try:
        return await services.ingest.submit(request)
    except NotAMember:
        await look_up(services, request.actor_id, request.conversation_id)
        raise


def sent_view(appended: Appended) -> shapes.SentView:
    """What an operation came to."""
    entry = appended.entry
    return shapes.SentView(
        conversation_id=entry.conversation_id,
        client_msg_id=entry.op_id,
        message_id=entry.message_id,
        epoch=entry.epoch,
        seq=entry.seq,
        created_at=to_time(entry.created_at),
        id_reused=appended.id_reused,
    )


# --- reading ----------------------------------------------------------------------------------


async def read_history(
    services: Services, caller_id: str, conversation_id: str, place: Place, *, limit: int, roots_only: bool = False
) -> shapes.HistoryPage:
    """A page of messages with previews, oldest first. Raises NotFound, NotAMember, BadRequest for two places."""
    given = [value for value in msgspec.structs.astuple(place) if value is not None]
    if len(given) > 1:
        raise BadRequest("give one of after_seq, before_seq, around_seq and at")
    floor = floor_seq(await require_member(services, caller_id, conversation_id))
    reader = _Reader(services, conversation_id, floor, limit, roots_only=roots_only)
    if place.after_seq is not None:
        return await reader.forward(place.after_seq)
    if place.at is not None:
        at_ms = int(place.at.timestamp() * 1000)
        seq = await services.store.seq_at(conversation_id, at_ms)
        return await reader.around(await archived.seq_at(services, conversation_id, at_ms, seq))
    if place.around_seq is not None:
        return await reader.around(place.around_seq)
    return await reader.backward(place.before_seq or None)


async def read_thread(
    services: Services, caller_id: str, conversation_id: str, root_id: str, *, after_seq: int, limit: int
) -> shapes.HistoryPage:
    """A page of a thread, its root first. Raises NotFound, NotAMember."""
    floor = floor_seq(await require_member(services, caller_id, conversation_id))
    in_store = root_id in await services.store.messages(conversation_id, [root_id])
    if not in_store and await archived.message_of(services, conversation_id, root_id) is None:
        raise NotFound(f"there is no message {root_id} in conversation {conversation_id}")
    return await _Reader(services, conversation_id, floor, limit, thread_id=root_id).forward(after_seq)


class _Reader:
    """Pages of one history; reads one message more than asked for, to know whether there are more."""

    def __init__(
        self,
        services: Services,
        conversation_id: str,
        floor: int,
        limit: int,
        *,
        roots_only: bool = False,
        thread_id: str | None = None,
    ) -> None:
        self._services, self._conversation_id, self._floor, self._limit = services, conversation_id, floor, limit
        self._roots_only, self._thread_id = roots_only, thread_id

    async def forward(self, after_seq: int) -> shapes.HistoryPage:
        found, _ = await self._read(self._limit + 1, after_seq=after_seq)
        page = found[: self._limit]
        next_seq = page[-1].entry.seq + 1 if page else after_seq + 1
        return _page(page, has_more=len(found) > self._limit, next_seq=next_seq)

    async def backward(self, before_seq: int | None) -> shapes.HistoryPage:
        found, more = await self._read(self._limit + 1, before_seq=before_seq)
        page = found[-self._limit :]
        next_seq = page[0].entry.seq if page else before_seq or 0
        return _page(page, has_more=more or len(found) > self._limit, next_seq=next_seq)

    async def around(self, seq: int) -> shapes.HistoryPage:
        """Half of the page is older than `seq`, the rest from it on; `has_more` and `next_seq` go forward."""
        older_max = self._limit // 2
        older, more = await self._read(older_max + 1, before_seq=seq)
        newer, _ = await self._read(self._limit - older_max + 1, after_seq=seq - 1)
        page = [*older[-older_max:], *newer[: self._limit - older_max]] if older_max else newer[: self._limit]
        next_seq = page[-1].entry.seq + 1 if page else seq
        has_more = len(newer) > self._limit - older_max
        return _page(page, has_more=has_more, next_seq=next_seq, has_more_before=more or len(older) > older_max)

    async def _read(
        self, limit: int, *, after_seq: int | None = None, before_seq: int | None = None
    ) -> tuple[list[Message], bool]:
        """The page, and whether there is more in an archive that is away."""
        page: archived.Page = {
            "limit": limit,
            "after_seq": after_seq,
            "before_seq": before_seq,
            "thread_id": self._thread_id,
            "roots_only": self._roots_only,
            "floor_seq": self._floor,
        }
        found = await self._services.store.history(self._conversation_id, **page)
        return await archived.complete(self._services, self._conversation_id, found, **page)


def _page(
    messages: list[Message], *, has_more: bool, next_seq: int, has_more_before: bool = False
) -> shapes.HistoryPage:
    fields = [message_fields(message) for message in messages]
    return shapes.HistoryPage(messages=fields, has_more=has_more, next_seq=next_seq, has_more_before=has_more_before)


async def get_message(
    services: Services, caller_id: str, conversation_id: str, message_id: str, *, full: bool
) -> MessageFields:
    """One message; `full`: with its whole body. Raises NotFound, NotAMember."""
    floor = floor_seq(await require_member(services, caller_id, conversation_id))
    if full:
        message = await services.store.full_message(conversation_id, message_id)
    else:
        message = (await services.store.messages(conversation_id, [message_id])).get(message_id)
    if message is None:
        message = await archived.message_of(services, conversation_id, message_id, full=full)
    if message is None or message.entry.seq <= floor:
        raise NotFound(f"there is no message {message_id} in conversation {conversation_id}")
    return message_fields(message, full=full)


# --- cursors ----------------------------------------------------------------------------------


async def mark_read(services: Services, caller_id: str, conversation_id: str, seq: int) -> shapes.ReadView:
    """Raise the read cursor to `seq`, or to the head; a lower one changes nothing. Raises NotFound, NotAMember."""
    place = await require_member(services, caller_id, conversation_id)
    heads = await services.store.heads([conversation_id])
    head = heads.get(conversation_id, Head(conversation_id))
    cursor = place.cursor
    if min(seq, head.seq) > max(cursor.read_seq, head.floor_seq):
        cursor = await _cursor_at(services, caller_id, head, min(seq, head.seq))
        await services.directory.cursors.raise_cursors([cursor])
        await _tell_receipt(services, head, cursor)
        await tell_read(services, caller_id, conversation_id, cursor.read_seq)
    mentions = await services.directory.cursors.count_mentions(caller_id, [conversation_id])
    unread, mentioned = count_unread(head, cursor, mentions.get(conversation_id, 0))
    return shapes.ReadView(
        conversation_id=conversation_id,
        last_read_seq=cursor.read_seq,
        unread_count=unread,
        mention_count=mentioned,
    )


async def _cursor_at(services: Services, user_id: str, head: Head, seq: int) -> Cursor:
    """The counters come from the entry at `seq`; the head has those of the last one."""
    messages, mentions = head.messages, head.channel_mentions
    if seq < head.seq:
        (entry,) = await services.store.entries(head.conversation_id, seq - 1, 1)
        messages, mentions = entry.messages, entry.channel_mentions
    return Cursor(head.conversation_id, user_id, seq, messages, mentions, seq)


async def _tell_receipt(services: Services, head: Head, cursor: Cursor) -> None:
    if head.members <= RECEIPT_MEMBERS_MAX:
        frame = ReceiptChanged(cursor.conversation_id, cursor.user_id, cursor.delivered_seq, cursor.read_seq)
        await services.signals.signal(
            Signal(conversation_id=cursor.conversation_id, frame=_encode(frame), not_for=cursor.user_id)
        )


async def mark_delivered(services: Services, caller_id: str, conversation_id: str, seq: int) -> None:
    """Everything up to `seq` has reached the caller's device; told within a second. Raises NotFound, NotAMember."""
    await require_member(services, caller_id, conversation_id)
    services.ingest.mark(caller_id, conversation_id, delivered_seq=seq)


async def list_receipts(services: Services, caller_id: str, conversation_id: str) -> list[shapes.ReceiptView]:
    """How far each member has come; nothing above 100 members (ADR 0001). Raises NotFound, NotAMember."""
    _, receipts, heads = await asyncio.gather(
        require_member(services, caller_id, conversation_id),
        services.directory.cursors.receipts(conversation_id),
        services.store.heads([conversation_id]),
    )
    head = heads.get(conversation_id, Head(conversation_id))
    return [
        shapes.ReceiptView(
            user_id=cursor.user_id, delivered_seq=min(cursor.delivered_seq, head.seq), read_seq=cursor.read_seq
        )
        for cursor in receipts
    ]
