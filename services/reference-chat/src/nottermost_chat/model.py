"""What a conversation consists of: entries, heads, members. Values only, no storage.

Times are integers, milliseconds since the Unix epoch, UTC; the edge turns them into
RFC 3339. Identifiers are ULIDs (26 characters). Values hold values and never refer back, so the
garbage collector need not look at them (`gc=False`, here and in the ports and the protocol): tens of
thousands are cached, and a full collection over them would stop the chat for a tenth of a second.
"""

from enum import StrEnum
from typing import Final

import msgspec

Position = tuple[int, int]  # (epoch, seq), always compared as a pair

PREVIEW_CHARS: Final = 200  # document C: a live frame and a history page carry this much of a message
BODY_CHARS_MAX: Final = 100_000  # document C, in code points
INLINE_BYTES_MAX: Final = 4096  # longer text is written first, under its own key: log records stay under 4 KB
GROUP_MEMBERS_MAX: Final = 100  # documents C: above it, use a channel
RECEIPT_MEMBERS_MAX: Final = 100  # receipts in larger conversations cost more than they tell (ADR 0001)
LARGE_FROM: Final = 300  # members; above it a delivery names no recipients
LARGE_UNTIL: Final = 200  # back below it recipients are named again: a gap, so that the class does not flap
MEMBERSHIP_CHANGES_MAX: Final = 500  # users in one membership entry: keeps its log record small


class ConversationKind(StrEnum):
    """What a conversation is; decides who may join and how large it gets."""

    DIRECT = "direct"
    GROUP = "group"
    CHANNEL = "channel"


class EntryKind(StrEnum):
    """What happened at one seq of a conversation."""

    MESSAGE = "message"
    EDIT = "edit"
    DELETE = "delete"  # also undoes a delete: `restored`
    REACTION = "reaction"
    MEMBERSHIP = "membership"  # who is in, and what the conversation is called and allows
    REDACT = "redact"  # the text is gone for good


class Role(StrEnum):
    """What a member may do, in a workspace or in a conversation."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    GUEST = "guest"


class MemberChange(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One user's membership from this entry on; role None: the user left or was removed."""

    user_id: str
    role: Role | None


class ConversationSettings(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a conversation is called and allows; None: unchanged."""

    title: str | None = None
    topic: str | None = None
    purpose: str | None = None
    archived: bool | None = None


class Detail(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What an entry holds beyond its skeleton columns. Never any text that people wrote as a message.

    Attributes:
        thread_id: message: the root message it replies to.
        broadcast: message: a reply that the conversation itself shows too.
        file_ids: message: files attached; names and sizes live with the file.
        mentions: message: users mentioned by name or through a team.
        mention_channel: message: everybody is mentioned.
        sent_at: message: when it was written elsewhere (imports).
        note: message: an event told as a message ("set the topic"), shown without a bubble.
        version: edit: the target's version from here on.
        emoji, on: reaction: set or taken back.
        restored: delete: the delete is undone.
        changes, settings: membership.
    """

    thread_id: str | None = None
    broadcast: bool = False
    file_ids: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    mention_channel: bool = False
    sent_at: int | None = None
    note: bool = False
    version: int = 1
    emoji: str | None = None
    on: bool = True
    restored: bool = False
    changes: tuple[MemberChange, ...] = ()
    settings: ConversationSettings | None = None


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One permanent skeleton of a conversation's log.

    Attributes:
        message_id: a message's own id; for edit, delete, reaction and redact the target's; else "".
        target_seq: the seq of the target message, 0 where there is none.
        members_seq: seq of the latest membership entry at or before this one.
        messages: messages of the conversation so far, this one included.
        channel_mentions: messages so far that mention everybody, this one included.
        op_id: the client's id for this operation (`client_msg_id`).
    """

    conversation_id: str
    epoch: int
    seq: int
    kind: EntryKind
    actor_id: str
    message_id: str
    target_seq: int
    created_at: int
    members_seq: int
    messages: int
    channel_mentions: int
    op_id: str
    detail: Detail

    @property
    def position(self) -> Position:
        return (self.epoch, self.seq)


class Head(msgspec.Struct, frozen=True, gc=False):
    """Where a conversation's log ends; moved only together with the entries it counts.

    Attributes:
        floor_seq: entries at or below it may be gone (retention); 0: all are there.
        created_at: of the last entry; the next one is never earlier.
        members: how many are in, which decides `large`.
        large: deliveries name no recipients.
    """

    conversation_id: str
    epoch: int = 1
    seq: int = 0
    floor_seq: int = 0
    members_seq: int = 0
    messages: int = 0
    channel_mentions: int = 0
    created_at: int = 0
    members: int = 0
    large: bool = False

    @property
    def position(self) -> Position:
        return (self.epoch, self.seq)


class Reaction(msgspec.Struct, frozen=True, gc=False):
    """One emoji on one message, and who set it, first one first."""

    emoji: str
    user_ids: tuple[str, ...]


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message as it is now: the skeleton of its entry and the text of its current version.

    Attributes:
        text: the preview, or the whole body where it was asked for; None when it is deleted or redacted.
        has_more: the body is longer than the preview.
        changed_seq: seq of the last edit, delete, restore or redact of it; 0: none.
        reply_count, last_reply_at: of the thread it is the root of.
    """

    entry: Entry
    text: str | None
    has_more: bool = False
    version: int = 1
    changed_seq: int = 0
    edited_at: int | None = None
    deleted_at: int | None = None
    redacted: bool = False
    reactions: tuple[Reaction, ...] = ()
    reply_count: int = 0
    last_reply_at: int | None = None


class LogRecord(msgspec.Struct, frozen=True, gc=False):
    """An entry as the event log carries it, with what its readers would otherwise have to fetch.

    Attributes:
        large: the conversation's size class when it was appended.
        preview, has_more: of the message that the entry makes or changes, as it was then.
        silent: imported: delivered to nobody and notifies nobody.
        log_position: where the embedded log holds it; 0 until it took it.
        written_at: when it was given to the log, ms since the epoch; 0: unknown.
        traceparent: the span of the send that made it (W3C); "": not traced.
        partial: on the way through a log only: the lists of its detail would not fit and are left out.
        consumed_us: when fan-out took it from the log, microseconds since the epoch; 0: unknown.
    """

    entry: Entry
    large: bool = False
    preview: str | None = None
    has_more: bool = False
    silent: bool = False
    log_position: int = 0
    written_at: int = 0
    traceparent: str = ""
    partial: bool = False
    consumed_us: int = 0


class Member(msgspec.Struct, frozen=True, gc=False):
    """A stay in a conversation: from `joined_seq` up to, not including, `left_seq`."""

    user_id: str
    role: Role
    joined_seq: int
    left_seq: int | None = None
