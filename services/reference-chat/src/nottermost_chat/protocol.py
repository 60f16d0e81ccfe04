"""What travels between client and server: socket frames, close codes, and the shapes REST shares.

`docs/protocol.md` and `docs/schemas/` are generated from this module. Clients ignore
fields they do not know; the server refuses them, so that a typo is noticed.
"""

from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Final, TypeVar

import msgspec

from nottermost_chat.model import LogRecord, MemberChange, Message, Reaction, Role
from nottermost_chat.text import make_preview

FRAME_BYTES_MAX: Final = 1_300_000  # a body of 100,000 code points, each escaped as two \uXXXX, and its envelope
RESUME_CONVERSATIONS_MAX: Final = 200
WATCH_USERS_MAX: Final = 200  # a screen does not show more people than this
HISTORY_LIMIT_MAX: Final = 200
PAGE_BYTES_MAX: Final = 1_000_000  # of text in one page or one resume


def to_time(ms: int) -> datetime:
    """The time `ms` milliseconds after the Unix epoch, UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def to_time_or_none(ms: int | None) -> datetime | None:
    return None if ms is None else to_time(ms)


class ClientFrame(msgspec.Struct, frozen=True, gc=False, tag_field="type", forbid_unknown_fields=True):
    """A frame that a client sends."""


class ServerFrame(msgspec.Struct, frozen=True, gc=False, tag_field="type", omit_defaults=True):
    """A frame that the server sends; a field with its default value is left out."""


# --- client to server ---------------------------------------------------------------------


class Authenticate(ClientFrame, frozen=True, tag="authenticate"):
    """The first frame of a connection; again later with a fresh token, before the old one ends."""

    token: str


class MessageSend(ClientFrame, frozen=True, tag="message:send"):
    """Send a message. Repeat it with the same `client_msg_id` until it is acknowledged."""

    conversation_id: str
    client_msg_id: str
    body: str
    thread_id: str | None = None
    broadcast: bool = False
    file_ids: tuple[str, ...] = ()


class MessageEdit(ClientFrame, frozen=True, tag="message:edit"):
    """Replace the text of one's own message."""

    conversation_id: str
    message_id: str
    client_msg_id: str
    body: str


class MessageDelete(ClientFrame, frozen=True, tag="message:delete"):
    """Delete a message, or undo that within seven days."""

    conversation_id: str
    message_id: str
    client_msg_id: str
    restore: bool = False


class ReactionSet(ClientFrame, frozen=True, tag="reaction:set"):
    """Set (`on`) or take back one's reaction to a message."""

    conversation_id: str
    message_id: str
    client_msg_id: str
    emoji: str
    on: bool = True


class Read(ClientFrame, frozen=True, tag="read"):
    """Everything up to `seq` has been read; the cursor only rises."""

    conversation_id: str
    seq: int


class Delivered(ClientFrame, frozen=True, tag="delivered"):
    """Everything up to `seq` has reached this device."""

    conversation_id: str
    seq: int


class TypingSend(ClientFrame, frozen=True, tag="typing"):
    """The user is typing; send it again every 3 s while that lasts."""

    conversation_id: str
    thread_id: str | None = None


class PresenceWatch(ClientFrame, frozen=True, tag="presence:watch"):
    """What is on the screen: presence of these users, typing and receipts of this conversation.

    Each one replaces the one before it.
    """

    user_ids: tuple[str, ...] = ()
    conversation_id: str | None = None


class Resume(ClientFrame, frozen=True, tag="resume"):
    """Ask for every entry after the (epoch, seq) held of each conversation; at most 200 of them."""

    conversations: dict[str, tuple[int, int]]


class Ping(ClientFrame, frozen=True, tag="ping"):
    """Keeps the connection and the user's presence alive: every 30 s. `active`: a person is at the device."""

    active: bool = True


AnyClientFrame = (
    Authenticate
    | MessageSend
    | MessageEdit
    | MessageDelete
    | ReactionSet
    | Read
    | Delivered
    | TypingSend
    | PresenceWatch
    | Resume
    | Ping
)


# --- shapes shared with REST ------------------------------------------------------------


class Presence(StrEnum):
    """Whether a user can be expected to answer."""

    ONLINE = "online"
    AWAY = "away"
    OFFLINE = "offline"


class MessageFields(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """A message as clients see it: document C's seven fields, then ours.

    `preview` is null when the message is deleted; `has_more`: ask for the full body.
    `changed_seq` is the seq of the latest edit, delete or restore shown here: apply an
    `entry:new` to this message only if its seq is newer.
    """

    conversation_id: str
    message_id: str
    seq: int
    sender_id: str
    created_at: datetime
    preview: str | None
    has_more: bool
    epoch: int
    client_msg_id: str = ""
    version: int = 1
    changed_seq: int = 0
    thread_id: str | None = None
    broadcast: bool = False
    file_ids: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    mention_channel: bool = False
    sent_at: datetime | None = None
    note: bool = False
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    redacted: bool = False
    reactions: tuple[Reaction, ...] = ()
    reply_count: int = 0
    last_reply_at: datetime | None = None
    body: str | None = None  # the full text, only where it was asked for


class MemberChangeView(msgspec.Struct, frozen=True):
    """A membership that changed; role null: the user is out."""

    user_id: str
    role: Role | None


class SettingsView(msgspec.Struct, frozen=True, omit_defaults=True):
    """What changed of a conversation's name and state."""

    title: str | None = None
    topic: str | None = None
    purpose: str | None = None
    archived: bool | None = None


# --- server to client ---------------------------------------------------------------------


class Authenticated(ServerFrame, frozen=True, tag="authenticated"):
    """The connection speaks for this user; live frames follow from now on."""

    userId: str  # noqa: N815 - document C's name, part of the protocol
    connection_id: str
    heartbeat_s: int
    expires_at: datetime


class MessageAck(ServerFrame, frozen=True, tag="message:ack"):
    """The operation is stored for good. `id_reused`: this id was used before with other content, which stands."""

    conversation_id: str
    client_msg_id: str
    message_id: str
    epoch: int
    seq: int
    created_at: datetime
    id_reused: bool = False


class MessageNew(MessageFields, frozen=True, tag_field="type", tag="message:new", omit_defaults=True, kw_only=True):
    """A new message, own ones on other devices included."""


class EntryNew(ServerFrame, frozen=True, tag="entry:new", kw_only=True):
    """Something that happened to a conversation other than a new message.

    `kind`: edit (preview, has_more and version are the text of now), delete (`restored`: undone,
    then with the text), reaction, membership (`changes`, `settings`), redact.
    """

    conversation_id: str
    epoch: int
    seq: int
    kind: str
    actor_id: str
    created_at: datetime
    client_msg_id: str = ""
    message_id: str = ""
    target_seq: int = 0
    preview: str | None = None
    has_more: bool = False
    version: int = 1
    restored: bool = False
    emoji: str | None = None
    on: bool = True
    changes: tuple[MemberChangeView, ...] = ()
    settings: SettingsView | None = None


class ReceiptChanged(ServerFrame, frozen=True, tag="receipt:changed"):
    """How far another member has received and read; sent to those who look at the conversation."""

    conversation_id: str
    user_id: str
    delivered_seq: int
    read_seq: int


class Own(StrEnum):
    """What of one's own can change outside of any conversation."""

    INVITES = "invites"
    WORKSPACES = "workspaces"
    PROFILE = "profile"
    NOTIFICATIONS = "notifications"


class MeChanged(ServerFrame, frozen=True, tag="me:changed"):
    """Something of the user's own changed; sent to all of the user's connections. Read it again from REST.

    `what`: invites (one came, or was answered: `/api/chats/invites`), workspaces (added, removed or
    with another role: `/api/workspaces`), profile (`/api/users/me`). A connection that was away has
    missed it: read these again after each connect.
    """

    what: Own


class MeRead(ServerFrame, frozen=True, tag="me:read"):
    """The user's own read cursor rose, on whichever device; sent to all of the user's connections.

    In conversations of any size; a lower one than known tells nothing. Sending a message moves the
    cursor without it: `message:new` says so.
    """

    conversation_id: str
    seq: int


class Typing(ServerFrame, frozen=True, tag="typing"):
    """A member is typing; show it for 5 s."""

    conversation_id: str
    user_id: str
    thread_id: str | None = None


class PresenceEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One user's presence; `last_seen` where the user is not online."""

    user_id: str
    status: Presence
    last_seen: datetime | None = None


class PresenceChanged(ServerFrame, frozen=True, tag="presence:changed"):
    """Presence of watched users: all of them after `presence:watch`, then the changes, batched."""

    users: tuple[PresenceEntry, ...]


class ResumedConversation(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer for one conversation: every missing entry in order, or `reset`, never part of them.

    `reset`: too much is missing, it begins below what is kept, or the caller is no member:
    read it afresh from REST. `position`: where it stands after the entries.
    """

    conversation_id: str
    position: tuple[int, int]
    entries: tuple[MessageNew | EntryNew, ...] = ()
    reset: bool = False


class Resumed(ServerFrame, frozen=True, tag="resumed"):
    """The answer to `resume`; live frames of these conversations follow it."""

    conversations: tuple[ResumedConversation, ...]


class ServerDrain(ServerFrame, frozen=True, tag="server:drain"):
    """The server is about to stop: it will close this connection within `within_ms`; reconnect then."""

    within_ms: int


class ErrorFrame(ServerFrame, frozen=True, tag="error"):
    """A frame was refused. `client_msg_id` where it answers an operation: only then that operation failed."""

    code: str
    message: str
    client_msg_id: str | None = None
    conversation_id: str | None = None
    retry_after_ms: int | None = None


class Pong(ServerFrame, frozen=True, tag="pong"):
    """The answer to `ping`."""


AnyServerFrame = (
    Authenticated
    | MessageAck
    | MessageNew
    | EntryNew
    | ReceiptChanged
    | MeChanged
    | MeRead
    | Typing
    | PresenceChanged
    | Resumed
    | ServerDrain
    | ErrorFrame
    | Pong
)


class CloseCode(IntEnum):
    """Why the server closes a connection: the closed table. `CLOSE_RULES` says what the client does."""

    NORMAL = 1000
    PROTOCOL = 1002
    BINARY = 1003
    INVALID_TEXT = 1007
    TOO_BIG = 1009
    DRAIN = 4000
    SLOW_CONSUMER = 4001
    RESYNC = 4002
    HEARTBEAT = 4003
    NOT_AUTHENTICATED = 4010
    TOKEN_EXPIRED = 4011
    REVOKED = 4012
    TOO_MANY = 4013


class CloseRule(msgspec.Struct, frozen=True):
    """What a client does after a close: come back or not, resume or start afresh, and after how long."""

    reconnect: bool
    resume: bool
    wait_s_min: float
    wait_s_max: float
    meaning: str


CLOSE_RULES: Final[dict[CloseCode, CloseRule]] = {
    CloseCode.NORMAL: CloseRule(False, False, 0, 0, "the client asked for it"),
    CloseCode.PROTOCOL: CloseRule(False, False, 0, 0, "the client broke the WebSocket protocol: a bug in it"),
    CloseCode.BINARY: CloseRule(False, False, 0, 0, "a binary frame came; only text frames are spoken here"),
    CloseCode.INVALID_TEXT: CloseRule(False, False, 0, 0, "a text frame was not UTF-8"),
    CloseCode.TOO_BIG: CloseRule(False, False, 0, 0, "a frame was larger than 1,300,000 bytes"),
    CloseCode.DRAIN: CloseRule(True, True, 0, 5, "the server is stopping"),
    CloseCode.SLOW_CONSUMER: CloseRule(True, True, 1, 5, "the client read too slowly and its outbox is full"),
    CloseCode.RESYNC: CloseRule(True, True, 0, 10, "the server may have missed something: resume"),
    CloseCode.HEARTBEAT: CloseRule(True, True, 0, 5, "nothing came for 60 s"),
    CloseCode.NOT_AUTHENTICATED: CloseRule(False, False, 0, 0, "no valid `authenticate` came within 10 s"),
    CloseCode.TOKEN_EXPIRED: CloseRule(True, True, 0, 1, "the access token ended: refresh it first"),
    CloseCode.REVOKED: CloseRule(False, False, 0, 0, "the device was signed out or the account closed"),
    CloseCode.TOO_MANY: CloseRule(True, True, 5, 30, "too many connections or handshakes"),
}


Shape = TypeVar("Shape", bound=MessageFields)

# --- from the model to the wire -------------------------------------------------------------


def message_new(record: LogRecord) -> MessageNew:
    """The live frame of a new message."""
    entry, detail = record.entry, record.entry.detail
    return MessageNew(
        conversation_id=entry.conversation_id,
        message_id=entry.message_id,
        seq=entry.seq,
        sender_id=entry.actor_id,
        created_at=to_time(entry.created_at),
        preview=record.preview,
        has_more=record.has_more,
        epoch=entry.epoch,
        client_msg_id=entry.op_id,
        thread_id=detail.thread_id,
        broadcast=detail.broadcast,
        file_ids=detail.file_ids,
        mentions=detail.mentions,
        mention_channel=detail.mention_channel,
        sent_at=to_time_or_none(detail.sent_at),
        note=detail.note,
    )


def entry_new(record: LogRecord) -> EntryNew:
    """The live frame of any other entry."""
    entry, detail = record.entry, record.entry.detail
    settings = detail.settings
    return EntryNew(
        conversation_id=entry.conversation_id,
        epoch=entry.epoch,
        seq=entry.seq,
        kind=entry.kind.value,
        actor_id=entry.actor_id,
        created_at=to_time(entry.created_at),
        client_msg_id=entry.op_id,
        message_id=entry.message_id,
        target_seq=entry.target_seq,
        preview=record.preview,
        has_more=record.has_more,
        version=detail.version,
        restored=detail.restored,
        emoji=detail.emoji,
        on=detail.on,
        changes=tuple(view_change(change) for change in detail.changes),
        settings=None if settings is None else SettingsView(**msgspec.structs.asdict(settings)),
    )


def view_change(change: MemberChange) -> MemberChangeView:
    """A membership change as clients see it."""
    return MemberChangeView(change.user_id, change.role)


def message_fields(message: Message, *, full: bool = False) -> MessageFields:
    """A message as REST answers it; `full`: `text` holds the whole body."""
    return _fill(MessageFields, message, full=full)


def resumed_message(message: Message) -> MessageNew:
    """A message as `resumed` carries it: as it is now."""
    return _fill(MessageNew, message, full=False)


def _fill(kind: type[Shape], message: Message, *, full: bool) -> Shape:
    entry, detail, gone = message.entry, message.entry.detail, message.deleted_at is not None or message.redacted
    return kind(
        conversation_id=entry.conversation_id,
        message_id=entry.message_id,
        seq=entry.seq,
        sender_id=entry.actor_id,
        created_at=to_time(entry.created_at),
        preview=message.text if message.text is None or not full else make_preview(message.text)[0],
        has_more=message.has_more,
        epoch=entry.epoch,
        client_msg_id=entry.op_id,
        version=message.version,
        changed_seq=message.changed_seq,
        thread_id=detail.thread_id,
        broadcast=detail.broadcast,
        file_ids=() if gone else detail.file_ids,
        mentions=detail.mentions,
        mention_channel=detail.mention_channel,
        sent_at=to_time_or_none(detail.sent_at),
        note=detail.note,
        edited_at=to_time_or_none(message.edited_at),
        deleted_at=to_time_or_none(message.deleted_at),
        redacted=message.redacted,
        reactions=() if gone else message.reactions,
        reply_count=message.reply_count,
        last_reply_at=to_time_or_none(message.last_reply_at),
        body=message.text if full else None,
    )
