"""Entries on their way to records: when they were, and what they are known by."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import msgspec

from .blocks import own_text, unsaid_blocks
from .kinds import Kind, files_of
from .node import Node
from .people import Sighting
from .records import UNKNOWN_USER_ID, EntryKey

Place = tuple[str, int]  # path of the day file, position in it

CONTENT_FIELDS: Final = frozenset({"text", "blocks", "attachments", "files", "file"})  # what an edit replaces
KEPT_FIELDS: Final = CONTENT_FIELDS | {
    "type", "subtype", "ts", "user", "bot_id", "username", "user_profile", "bot_profile", "comment",
    "thread_ts", "broadcast_thread_ts", "parent_user_id", "inviter", "edited", "reactions",
    "message", "previous_message", "deleted_ts",
}  # fmt: skip
_KEPT_WITHOUT_BLOCKS: Final = KEPT_FIELDS - {"blocks"}  # they mostly repeat the text, at ten times its length


class Day(msgspec.Struct, frozen=True):
    """A file of a conversation's folder.

    Attributes:
        starts_us: the time of entries that nothing else dates.
        characters_replaced: by U+FFFD, while reading it.
    """

    path: str
    values: list[object]
    starts_us: int
    characters_replaced: int = 0


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An entry on its way to a record.

    Attributes:
        entry: as it is now, edits applied; `original`: as the export first has it, which the key is made of.
        ts_us: its own time stamp, None when it has none; `time_us`: when it was, known or guessed.
        thread_us: the time stamp of the root, for replies; `root`: the root's key.
    """

    place: Place
    kind: Kind
    entry: Node
    original: Node
    ts_us: int | None
    time_us: int
    thread_us: int | None = None
    key: EntryKey = EntryKey("", "")
    author: Sighting = Sighting(UNKNOWN_USER_ID)
    root: EntryKey | None = None
    is_placeholder: bool = False


def make_draft(place: Place, kind: Kind, entry: Node, before_us: int) -> Draft:
    """A draft without key and author. An entry without a time comes right after the one before it, and after its root."""
    kept = entry.pick(KEPT_FIELDS if unsaid_blocks(entry) else _KEPT_WITHOUT_BLOCKS)
    ts_us, thread_us = entry.time_us("ts"), entry.time_us("thread_ts") or entry.time_us("broadcast_thread_ts")
    return Draft(
        place=place,
        kind=kind,
        entry=kept,
        original=kept,
        ts_us=ts_us,
        time_us=ts_us or max(before_us, thread_us or 0),
        thread_us=thread_us if thread_us != ts_us else None,
    )


def with_keys(drafts: Iterable[Draft]) -> list[Draft]:
    """The drafts with their keys, which depend on nothing but what the entries are; see EntryKey."""
    alike: defaultdict[tuple[str, str], list[Draft]] = defaultdict(list)
    for draft in drafts:
        alike[ts_text(draft.ts_us), content_hash(draft.original)].append(draft)
    for group in alike.values():
        if len(group) > 1:  # what differs beyond the content decides, and only then where it stands
            group.sort(key=lambda draft: (draft.original.canonical(), draft.time_us, draft.place))
    return [
        msgspec.structs.replace(draft, key=EntryKey(ts, content, occurrence))
        for (ts, content), group in alike.items()
        for occurrence, draft in enumerate(group)
    ]


def ts_text(ts_us: int | None) -> str:
    """A time stamp as Slack writes it; "" for none."""
    return "" if ts_us is None else f"{ts_us // 1_000_000}.{ts_us % 1_000_000:06d}"


def content_hash(entry: Node) -> str:
    """What an entry says, in 32 hex digits; see EntryKey for what counts."""
    said = [entry.text(name) for name in ("user", "bot_id", "username", "subtype", "text")]
    said += [file.text("id") or file.text("name") for file in files_of(entry)]
    if not own_text(entry):
        said.append(entry.pick(("blocks", "attachments", "comment")).canonical())
    return hashlib.blake2b("\0".join(said).encode("utf-8"), digest_size=16).hexdigest()  # no text holds U+0000
