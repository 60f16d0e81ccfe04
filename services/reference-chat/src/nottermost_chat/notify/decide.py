"""Who gets a push for a message, and why: a function of values.

It is asked twice: when the message is read from the log, and again right before a push is sent.
"""

from enum import StrEnum
from typing import Final

import msgspec

from nottermost_chat.directory import Level, Notify, Quiet
from nottermost_chat.model import ConversationKind, Entry, EntryKind, Member
from nottermost_chat.notify.quiet import is_quiet

# Who is active at one device has this long to read it there; presence ends after as long (ADR 0011).
GRACE_S: Final = 60.0
NEWS_MS: Final = 3_600_000  # an older message is no news: the notifier was away for long, or is new here

DEFAULT_LEVELS: Final = {
    ConversationKind.DIRECT: Notify.ALL,
    ConversationKind.GROUP: Notify.ALL,
    ConversationKind.CHANNEL: Notify.MENTIONS,
}


class Verdict(StrEnum):
    PUSH = "push"
    LATER = "later"  # after the grace, if it is unread by then
    NO = "no"


class Reason(StrEnum):
    """Why; the closed table is `VERDICTS`."""

    MENTIONED = "mentioned"
    EVERYBODY = "everybody"
    MESSAGE = "message"
    ACTIVE = "active"
    NOT_A_MESSAGE = "not_a_message"
    SILENT = "silent"
    NOTE = "note"
    OLD = "old"
    DELETED = "deleted"
    OWN = "own"
    BOT = "bot"
    DEACTIVATED = "deactivated"
    NOT_A_MEMBER = "not_a_member"
    BEFORE_JOIN = "before_join"
    READ = "read"
    MUTED = "muted"
    ONLY_MENTIONS = "only_mentions"
    LARGE = "large"
    PAUSED = "paused"
    QUIET = "quiet"


VERDICTS: Final = {
    Reason.MENTIONED: Verdict.PUSH,  # by name or through a team
    Reason.EVERYBODY: Verdict.PUSH,  # @channel
    Reason.MESSAGE: Verdict.PUSH,  # the member hears of everything here
    Reason.ACTIVE: Verdict.LATER,  # at another device now
    Reason.NOT_A_MESSAGE: Verdict.NO,
    Reason.SILENT: Verdict.NO,  # imported
    Reason.NOTE: Verdict.NO,  # an event told as a message
    Reason.OLD: Verdict.NO,
    Reason.DELETED: Verdict.NO,
    Reason.OWN: Verdict.NO,
    Reason.BOT: Verdict.NO,
    Reason.DEACTIVATED: Verdict.NO,
    Reason.NOT_A_MEMBER: Verdict.NO,  # any more
    Reason.BEFORE_JOIN: Verdict.NO,
    Reason.READ: Verdict.NO,  # on whichever device
    Reason.MUTED: Verdict.NO,
    Reason.ONLY_MENTIONS: Verdict.NO,
    Reason.LARGE: Verdict.NO,  # above 300 members only who is named hears of it, whatever they chose
    Reason.PAUSED: Verdict.NO,
    Reason.QUIET: Verdict.NO,
}


class Decision(msgspec.Struct, frozen=True):
    """What becomes of a message for one recipient."""

    reason: Reason

    @property
    def verdict(self) -> Verdict:
        return VERDICTS[self.reason]


class Said(msgspec.Struct, frozen=True):
    """A message as it is now, and where it was said.

    Attributes:
        large: too many members to tell each of them (`model.LARGE_FROM`).
        deleted: deleted, redacted or gone by now.
    """

    entry: Entry
    kind: ConversationKind
    large: bool = False
    silent: bool = False
    deleted: bool = False


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody whom the message may concern.

    Attributes:
        member: the stay in the conversation; None: not in it.
        level: what was chosen for the conversation; None: nothing.
        active: at a device now, by presence.
    """

    user_id: str
    member: Member | None
    level: Level | None = None
    quiet: Quiet = Quiet()
    read_seq: int = 0
    active: bool = False
    bot: bool = False
    deactivated: bool = False


def decide(said: Said, recipient: Recipient, *, now_ms: int, graced: bool = False) -> Decision:
    """Whether the recipient gets a push.

    Args:
        graced: the grace for reading it at another device is over.
    """
    return Decision(
        refuse_message(said.entry, now_ms, silent=said.silent, deleted=said.deleted)
        or _refuse_recipient(said, recipient)
        or _refuse_by_choice(said, recipient, now_ms)
        or (Reason.ACTIVE if recipient.active and not graced else None)
        or mention_of(said, recipient.user_id)
        or Reason.MESSAGE
    )


def refuse_message(entry: Entry, now_ms: int, *, silent: bool = False, deleted: bool = False) -> Reason | None:
    """Why nobody at all hears of it; None: somebody may."""
    if entry.kind is not EntryKind.MESSAGE:
        return Reason.NOT_A_MESSAGE
    if silent:
        return Reason.SILENT
    if entry.detail.note:
        return Reason.NOTE
    if deleted:
        return Reason.DELETED
    return Reason.OLD if now_ms - entry.created_at > NEWS_MS else None


def mention_of(said: Said, user_id: str) -> Reason | None:
    """How the message names the user. In a large conversation naming everybody names nobody."""
    detail = said.entry.detail
    if user_id in detail.mentions:
        return Reason.MENTIONED
    return Reason.EVERYBODY if detail.mention_channel and not said.large else None


def level_of(kind: ConversationKind, level: Level | None, now_ms: int) -> Notify:
    """What the member hears of: what was chosen while that lasts, else the usual for the kind."""
    if level is None or (level.until is not None and level.until <= now_ms):
        return DEFAULT_LEVELS[kind]
    return level.notify


def _refuse_recipient(said: Said, recipient: Recipient) -> Reason | None:
    if recipient.user_id == said.entry.actor_id:
        return Reason.OWN
    if recipient.bot:
        return Reason.BOT
    if recipient.deactivated:
        return Reason.DEACTIVATED
    if recipient.member is None:
        return Reason.NOT_A_MEMBER
    if recipient.member.joined_seq > said.entry.seq:
        return Reason.BEFORE_JOIN
    return Reason.READ if recipient.read_seq >= said.entry.seq else None


def _refuse_by_choice(said: Said, recipient: Recipient, now_ms: int) -> Reason | None:
    level = level_of(said.kind, recipient.level, now_ms)
    if level is Notify.NONE:
        return Reason.MUTED
    if mention_of(said, recipient.user_id) is None and (said.large or level is Notify.MENTIONS):
        return Reason.LARGE if said.large else Reason.ONLY_MENTIONS
    if recipient.quiet.paused_until is not None and recipient.quiet.paused_until > now_ms:
        return Reason.PAUSED
    return Reason.QUIET if is_quiet(recipient.quiet, now_ms) else None
