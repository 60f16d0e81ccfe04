"""What a webhook is sent, and how it is signed."""

import hashlib
import hmac
from datetime import datetime
from typing import Final

import msgspec

from nottermost_chat.directory import HookEvent
from nottermost_chat.model import ConversationSettings, Entry, EntryKind, Message
from nottermost_chat.protocol import MemberChangeView, MessageFields, message_fields, to_time

VERSION: Final = "v1"
TEST: Final = "test"


class HookJob(msgspec.Struct, frozen=True):
    """One webhook to be told of one entry, or tried out (`event` TEST).

    Attributes:
        event: a HookEvent, or TEST.
    """

    webhook_id: str
    event: str
    delivery_id: str
    conversation_id: str = ""
    epoch: int = 0
    seq: int = 0

    @property
    def is_test(self) -> bool:
        return self.event == TEST

    @classmethod
    def about(cls, webhook_id: str, event: HookEvent, entry: Entry) -> "HookJob":
        """The same for the same webhook and entry, whoever makes it."""
        words = f"{webhook_id}:{entry.conversation_id}:{entry.epoch}:{entry.seq}"
        delivery_id = hashlib.blake2b(words.encode(), digest_size=16).hexdigest()
        return cls(webhook_id, event, delivery_id, entry.conversation_id, entry.epoch, entry.seq)


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a delivery.

    Attributes:
        actor_id: who did it.
        message: of message, edit, delete and reaction: as it is now, not as it was then; null: gone for good.
        emoji, on: reaction: set or taken back.
        changes, settings: membership.
    """

    event: str
    delivery_id: str
    webhook_id: str
    workspace_id: str
    conversation_id: str = ""
    epoch: int = 0
    seq: int = 0
    created_at: datetime | None = None
    actor_id: str = ""
    message: MessageFields | None = None
    emoji: str | None = None
    on: bool | None = None
    restored: bool = False
    changes: tuple[MemberChangeView, ...] = ()
    settings: ConversationSettings | None = None


def describe(job: HookJob, workspace_id: str, entry: Entry | None, message: Message | None) -> bytes:
    """The body, as JSON; `entry` None: of a test."""
    told = Told(event=job.event, delivery_id=job.delivery_id, webhook_id=job.webhook_id, workspace_id=workspace_id)
    if entry is None:
        return msgspec.json.encode(told)
    reaction = entry.kind is EntryKind.REACTION
    return msgspec.json.encode(
        msgspec.structs.replace(
            told,
            conversation_id=entry.conversation_id, epoch=entry.epoch, seq=entry.seq,
            created_at=to_time(entry.created_at), actor_id=entry.actor_id,
            message=None if message is None else message_fields(message, full=True),
            emoji=entry.detail.emoji, on=entry.detail.on if reaction else None, restored=entry.detail.restored,
            changes=tuple(MemberChangeView(change.user_id, change.role) for change in entry.detail.changes),
            settings=entry.detail.settings,
        )
    )  # fmt: skip


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """The signature header: over the time (seconds since the epoch) too, so that an old delivery cannot be played back."""
    signed = hmac.digest(secret.encode(), f"{timestamp}.".encode() + body, "sha256")
    return f"{VERSION}={signed.hex()}"
