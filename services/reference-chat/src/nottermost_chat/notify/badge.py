"""The number on the app's icon: what waits for a user."""

import asyncio

from nottermost_chat.actions.conversations import count_unread
from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory, Notify
from nottermost_chat.model import ConversationKind, Head
from nottermost_chat.notify.decide import level_of
from nottermost_chat.ports import MessageStore

CONVERSATIONS_MAX = 200  # the last active ones: what waits longer elsewhere is not worth reading a thousand heads


async def count_badge(directory: Directory, store: MessageStore, clock: Clock, user_id: str) -> int:
    """As the page counts: mentions in channels, everything unread elsewhere, nothing where it is muted."""
    places = await directory.conversations.list_of(user_id, limit=CONVERSATIONS_MAX)
    ids = [place.conversation.conversation_id for place in places]
    heads, mentions, levels = await asyncio.gather(
        store.heads(ids), directory.cursors.count_mentions(user_id, ids), directory.notifications.levels(user_id)
    )
    badge, now = 0, clock.now_ms()
    for conversation_id, place in zip(ids, places, strict=True):
        kind = place.conversation.kind
        if place.conversation.archived or level_of(kind, levels.get(conversation_id), now) is Notify.NONE:
            continue
        head = heads.get(conversation_id, Head(conversation_id))
        unread, mentioned = count_unread(head, place.cursor, mentions.get(conversation_id, 0))
        badge += mentioned if kind is ConversationKind.CHANNEL else unread
    return badge
