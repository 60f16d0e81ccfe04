"""Threads: which message a reply answers, and what stands in where there is none."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec

from .drafts import Draft, ts_text
from .kinds import Kind
from .node import Node
from .people import Sighting
from .records import UNKNOWN_USER_ID, EntryKey

DELETED_ROOT_TEXT: Final = "(this message was deleted)"
MISSING_ROOT_TEXT: Final = "(the message that started this thread is not in the export)"


def with_roots(drafts: Iterable[Draft], gone: Collection[int]) -> list[Draft]:
    """Replies get the key of their root; roots that are missing are added.

    A reply to a reply answers the root of that one. A membership event that was answered or
    reacted to gets a placeholder beside it, to hold the thread and the reactions.
    """
    by_key = sorted(drafts, key=lambda draft: draft.key)
    roots: dict[int, Draft] = {}
    replies: dict[int, Draft] = {}
    events: dict[int, Draft] = {}
    for draft in by_key:
        if draft.ts_us is not None:
            by_ts = events if draft.kind is not Kind.MESSAGE else roots if draft.thread_us is None else replies
            by_ts.setdefault(draft.ts_us, draft)
    made = {ts_us: _event_placeholder(event) for ts_us, event in events.items() if event.entry.nodes("reactions")}
    rooted = []
    for draft in by_key:
        if draft.thread_us is not None:
            root_us = _root_us(draft.thread_us, roots, replies)
            if root_us not in roots and root_us not in made:
                event = events.get(root_us)
                made[root_us] = _event_placeholder(event) if event else _placeholder(root_us, draft, root_us in gone)
            draft = msgspec.structs.replace(draft, root=(roots.get(root_us) or made[root_us]).key)
        rooted.append(draft)
    return [*rooted, *made.values()]


def _root_us(thread_us: int, roots: Mapping[int, Draft], replies: Mapping[int, Draft]) -> int:
    """Where the thread starts. Ends, because a reply is later than what it answers."""
    while thread_us not in roots and thread_us in replies:
        thread_us = replies[thread_us].thread_us or 0
    return thread_us


def _event_placeholder(event: Draft) -> Draft:
    key = EntryKey(event.key.ts, "placeholder")
    return msgspec.structs.replace(event, key=key, kind=Kind.MESSAGE, is_placeholder=True)


def _placeholder(root_us: int, reply: Draft, was_deleted: bool) -> Draft:
    parent_id = reply.entry.text("parent_user_id")
    entry = Node({"text": DELETED_ROOT_TEXT if was_deleted else MISSING_ROOT_TEXT})
    return Draft(
        place=("", 0),
        kind=Kind.MESSAGE,
        entry=entry,
        original=entry,
        ts_us=root_us,
        time_us=root_us,
        key=EntryKey(ts_text(root_us), "placeholder"),
        author=Sighting(parent_id or UNKNOWN_USER_ID),
        is_placeholder=True,
    )
