"""What an export holds, in our words: users, conversations, and what happened in them.

Every string is free of U+0000 and lone surrogates. Times are integers, milliseconds since the
Unix epoch, UTC. Every user id in a record belongs to one of `Export.users`.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

import msgspec

from nottermost_chat.model import BODY_CHARS_MAX, ConversationKind, Role

from .markup import link

UNKNOWN_USER_ID: Final = "unknown"  # the author of entries that name nobody


class SlackUser(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who wrote, reacted, or is a member.

    Attributes:
        handle: unique in the export, 1 to 64 letters, digits, ".", "-" and "_"; mentions use it.
        email: one to log in with, though two users may have the same; None: unknown or no address.
        role: in the workspace. A guest is also who is in no list while others are: somebody of another
            workspace, in a channel that is shared with it.
        listed: False: in no list of the export, made because an entry or a member list names them.
    """

    id: str
    handle: str
    real_name: str
    display_name: str
    email: str | None = None
    role: Role = Role.MEMBER
    is_primary_owner: bool = False
    is_deleted: bool = False
    is_bot: bool = False
    listed: bool = True


class SlackConversation(msgspec.Struct, frozen=True, kw_only=True):
    """A channel, a group or a direct conversation.

    Attributes:
        kind: `direct` has one or two members, `group` at most 100; what does not fit is a private channel.
        name: as in the export: not unique, any characters; "" for direct ones.
        member_ids: in order and without repeats. Where the export has no list of members, those who wrote.
        created_at: None: unknown.
        listed: False: a folder that no list names; private, its members are those who wrote in it.
    """

    id: str
    kind: ConversationKind
    is_private: bool
    name: str
    topic: str = ""
    purpose: str = ""
    created_at: int | None = None
    creator_id: str | None = None
    is_archived: bool = False
    member_ids: tuple[str, ...] = ()
    listed: bool = True


class EntryKey(msgspec.Struct, frozen=True, order=True):
    """What one entry of a conversation is known by, in this export and in a later one.

    It depends on nothing but the entry itself, whatever file it is in and wherever it stands
    there. `occurrence` tells apart entries that have the same time stamp and content: 0, 1, …
    Reactions, edits and reply counts are not content: they change from one export to the next.

    Attributes:
        ts: seconds with six decimals, as Slack writes it; "" where the entry has none that can be read.
        content: a hash of author, subtype, text and file ids; without text also of blocks and attachments.
    """

    ts: str
    content: str
    occurrence: int = 0

    def __str__(self) -> str:
        return f"{self.ts}/{self.content}/{self.occurrence}"


class SlackReaction(msgspec.Struct, frozen=True):
    """One emoji, as a short code without colons (`+1::skin-tone-2`), and who set it."""

    name: str
    user_ids: tuple[str, ...]


class FileReference(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was shared; exports hold no bytes, only where they were.

    Attributes:
        url: "" when the export does not tell.
        size_bytes, width, height: 0: unknown.
        is_available: False: deleted, or hidden by Slack.
    """

    name: str
    url: str
    title: str = ""
    mimetype: str = ""
    size_bytes: int = 0
    width: int = 0
    height: int = 0
    is_available: bool = True

    def as_text(self) -> str:
        """A link where there is one."""
        return link(self.url, self.name) if self.url and self.is_available else f"{self.name} (not available)"


class SlackMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it is in the end: edits are applied, deleted ones are left out.

    Attributes:
        text: at most 100,000 code points; "" only when there are files.
        subtype: Slack's word for what it is; "" for a plain message.
        is_note: an event told as a message ("set the topic"), or a placeholder.
        root: the message that it replies to, which comes earlier in the same reading; None: it is no reply.
        is_broadcast: a reply that the conversation itself shows too.
        mentions: users mentioned; mentions_channel: everybody is; team_handles: teams, by handle.
        is_placeholder: stands where a thread's root is missing, or is no message. It is no entry of
            the export and counts as none.
    """

    key: EntryKey
    author_id: str
    sent_at: int
    text: str
    subtype: str = ""
    is_note: bool = False
    root: EntryKey | None = None
    is_broadcast: bool = False
    edited_at: int | None = None
    editor_id: str | None = None
    reactions: tuple[SlackReaction, ...] = ()
    files: tuple[FileReference, ...] = ()
    mentions: frozenset[str] = frozenset()
    mentions_channel: bool = False
    team_handles: frozenset[str] = frozenset()
    is_placeholder: bool = False

    @property
    def body(self) -> str:
        """The text and one line for each file: 1 to 100,000 code points, what can be sent as a message."""
        return join_body(self.text, self.files)[:BODY_CHARS_MAX]


class SlackMembership(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody joined the conversation or left it."""

    key: EntryKey
    user_id: str
    joined: bool
    sent_at: int
    inviter_id: str | None = None


Record = SlackMessage | SlackMembership


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the entries: `entries_read` = messages + membership_events + all of `skipped`.

    Attributes:
        placeholders: messages made for missing roots; in none of the other counts.
        reactions: (message, emoji, user).
        threads: roots with at least one reply, placeholders among them.
        skipped: by reason, see `Skip`.
        notes: what was kept, but changed: see `Note`.
    """

    entries_read: int = 0
    messages: int = 0
    membership_events: int = 0
    placeholders: int = 0
    reactions: int = 0
    threads: int = 0
    files: int = 0
    skipped: Mapping[str, int] = {}
    notes: Mapping[str, int] = {}

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            entries_read=self.entries_read + other.entries_read,
            messages=self.messages + other.messages,
            membership_events=self.membership_events + other.membership_events,
            placeholders=self.placeholders + other.placeholders,
            reactions=self.reactions + other.reactions,
            threads=self.threads + other.threads,
            files=self.files + other.files,
            skipped=dict(Counter(self.skipped) + Counter(other.skipped)),
            notes=dict(Counter(self.notes) + Counter(other.notes)),
        )


class Reading(msgspec.Struct, frozen=True):
    """One conversation: its records in the order of their times, roots before replies, and their count."""

    records: tuple[Record, ...]
    tally: Tally


class UnreadableFile(msgspec.Struct, frozen=True):
    """A file left out as a whole. `reason`: invalid_utf8, invalid_json, too_deep or not_a_list."""

    path: str
    reason: str


def join_body(text: str, files: tuple[FileReference, ...]) -> str:
    """Text, then one line for each file."""
    return "\n".join(part for part in (text, *(file.as_text() for file in files)) if part)
