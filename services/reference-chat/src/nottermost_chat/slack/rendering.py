"""From drafts to records: the text, whom it mentions, reactions, files."""

from collections import Counter
from typing import Final

from nottermost_chat.model import BODY_CHARS_MAX

from .blocks import slack_text
from .drafts import Draft
from .entries import Assembly
from .kinds import BROADCASTS, NOTES, Kind, Note, files_of
from .markup import Names, to_text
from .node import Node
from .records import (
    FileReference,
    Reading,
    Record,
    SlackMembership,
    SlackMessage,
    SlackReaction,
    Tally,
    join_body,
)

EMPTY_TEXT: Final = "…"  # a message of ours has at least one visible character; no word, or a search would find it
_UNAVAILABLE: Final = frozenset({"tombstone", "hidden_by_limit"})  # modes of files that are not there any more


def render(assembly: Assembly, names: Names) -> Reading:
    """The records of a conversation and their count."""
    notes = Counter(assembly.notes)
    records = tuple(_record(draft, names, notes) for draft in assembly.drafts)
    messages = [record for record in records if isinstance(record, SlackMessage)]
    placeholders = sum(message.is_placeholder for message in messages)
    tally = Tally(
        entries_read=assembly.entries_read,
        messages=len(messages) - placeholders,
        membership_events=len(records) - len(messages),
        placeholders=placeholders,
        reactions=sum(len(reaction.user_ids) for message in messages for reaction in message.reactions),
        threads=len({message.root for message in messages if message.root}),
        files=sum(len(message.files) for message in messages),
        skipped={str(reason): count for reason, count in assembly.skipped.items()},
        notes={str(note): count for note, count in notes.items() if count},
    )
    return Reading(records, tally)


def _record(draft: Draft, names: Names, notes: Counter[str]) -> Record:
    return _message(draft, names, notes) if draft.kind is Kind.MESSAGE else _membership(draft)


def _membership(draft: Draft) -> SlackMembership:
    return SlackMembership(
        key=draft.key,
        user_id=draft.author.id,
        joined=draft.kind is Kind.JOIN,
        sent_at=draft.time_us // 1000,
        inviter_id=draft.entry.text("inviter") or None,
    )


def _message(draft: Draft, names: Names, notes: Counter[str]) -> SlackMessage:
    entry, edited = draft.entry, draft.entry.node("edited")
    files = tuple(map(_file, files_of(entry)))
    rendered = to_text(slack_text(entry), names)
    edited_us = edited.time_us("ts")
    subtype = entry.text("subtype")
    return SlackMessage(
        key=draft.key,
        author_id=draft.author.id,
        sent_at=draft.time_us // 1000,
        text=_fitting_text(rendered.text, files, notes) or ("" if files else _stand_in(subtype)),
        subtype=subtype,
        is_note=subtype in NOTES or draft.is_placeholder,
        root=draft.root,
        is_broadcast=draft.root is not None and subtype in BROADCASTS,
        edited_at=None if edited_us is None else edited_us // 1000,
        editor_id=edited.text("user") or None,
        reactions=_reactions(entry, notes),
        files=files,
        mentions=rendered.user_ids,
        mentions_channel=rendered.mentions_channel,
        team_handles=rendered.team_handles,
        is_placeholder=draft.is_placeholder,
    )


def _fitting_text(text: str, files: tuple[FileReference, ...], notes: Counter[str]) -> str:
    """The text as far as it fits into one message with its files, "" when it shows nothing; both are noted."""
    excess = len(join_body(text, files)) - BODY_CHARS_MAX
    if excess > 0:
        notes[Note.TEXT_CUT] += 1
        text = text[: max(0, len(text) - excess)]
    if text.strip():
        return text
    notes[Note.TEXT_EMPTY] += not files
    return ""


def _stand_in(subtype: str) -> str:
    return f"({subtype.replace('_', ' ')})" if subtype in NOTES else EMPTY_TEXT


def _reactions(entry: Node, notes: Counter[str]) -> tuple[SlackReaction, ...]:
    """Reactions by emoji, each user once for each."""
    user_ids: dict[str, dict[str, None]] = {}
    for reaction in entry.nodes("reactions"):
        name, named = reaction.text("name").strip(":"), dict.fromkeys(reaction.texts("users"))
        if not name:
            notes[Note.REACTION_WITHOUT_NAME] += 1
            continue
        user_ids.setdefault(name, {}).update(named)
        notes[Note.REACTION_WITHOUT_USER] += max(0, reaction.number("count") - len(named))
    return tuple(SlackReaction(name, tuple(users)) for name, users in user_ids.items() if users)


def _file(file: Node) -> FileReference:
    mode = file.text("mode")
    title, name = file.text("title"), file.text("name")
    return FileReference(
        name=" ".join((name or title or file.text("id") or "file").split()) or "file",
        title=title,
        url=file.text("url_private") or file.text("url_private_download") or file.text("permalink"),
        mimetype=file.text("mimetype"),
        size_bytes=file.number("size"),
        width=file.number("original_w"),
        height=file.number("original_h"),
        is_available=mode not in _UNAVAILABLE,
    )
