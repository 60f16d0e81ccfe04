"""The entries of one conversation, sorted out: every object of its day files ends as exactly one
draft (a message or a membership event) or is counted under one reason to skip it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from .changes import EntryLog
from .drafts import Day, Draft, with_keys
from .kinds import Kind, Note
from .people import sight_author
from .threads import with_roots


class Assembly(msgspec.Struct, frozen=True):
    """One conversation's entries: drafts in the order of their times, and what became of the others."""

    drafts: tuple[Draft, ...]
    entries_read: int
    skipped: Counter[str]
    notes: Counter[str]


def assemble(days: Iterable[Day], bot_users: Mapping[str, str]) -> Assembly:
    """Sort out the entries of one conversation; of each file only what is needed stays in memory."""
    log, notes, entries_read = EntryLog(), Counter[str](), 0
    for day in days:
        log.read(day)
        entries_read += len(day.values)
        notes[Note.CHARACTERS_REPLACED] += day.characters_replaced
    log.apply_changes()
    drafts = [_checked(draft, bot_users, notes) for draft in with_keys(log.drafts)]
    drafts = with_roots(drafts, log.gone)
    ordered = sorted(drafts, key=lambda draft: (draft.time_us, draft.root is not None, draft.place))
    return Assembly(tuple(ordered), entries_read, log.skipped, notes)


def _checked(draft: Draft, bot_users: Mapping[str, str], notes: Counter[str]) -> Draft:
    """The draft with its author, and without a thread where it can be no reply."""
    thread_us = draft.thread_us if draft.kind is Kind.MESSAGE else None
    if draft.ts_us is None:
        notes[Note.TIME_GUESSED] += 1
    elif thread_us is not None and thread_us > draft.ts_us:
        notes[Note.REPLY_BEFORE_ROOT] += 1
        thread_us = None
    return msgspec.structs.replace(draft, thread_us=thread_us, author=sight_author(draft.entry, bot_users))
