"""Every table of the directory, for SQLite and PostgreSQL alike, as the newest revision makes them (`migrations`).

Memberships, cursors, mentions and activity are projections of the log: no foreign key leads out of
them, because a projection cannot refuse what the log already says.
"""

import unicodedata
from enum import StrEnum

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from nottermost_chat.model import ConversationKind, Role
from nottermost_chat.protocol import Presence

# Byte order everywhere, so that prefix ranges and pages by id use the index and agree with Python.
Key = String().with_variant(String(collation="C"), "postgresql")
Ms = BigInteger  # since the Unix epoch, UTC
Seq = BigInteger
Json = JSON().with_variant(JSONB(), "postgresql")


def choice(words: type[StrEnum]) -> Enum:
    """A column that holds one of these words, as text."""
    return Enum(words, native_enum=False, length=16, values_callable=lambda enum: [word.value for word in enum])


def fold(name: str) -> str:
    """How names are compared: without case, and with the forms of a character taken as one."""
    return unicodedata.normalize("NFKC", name).casefold()


class InviteStatus(StrEnum):
    PENDING = "pending"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"


class FileStatus(StrEnum):
    PENDING = "pending"  # announced, not there yet
    STORED = "stored"  # the bytes are there
    EXTERNAL = "external"  # an import's reference: the bytes are elsewhere


class PushKind(StrEnum):
    WEBPUSH = "webpush"
    FCM = "fcm"
    APNS = "apns"


class Notify(StrEnum):
    """What a conversation may notify a member of."""

    ALL = "all"
    MENTIONS = "mentions"
    NONE = "none"


class HookEvent(StrEnum):
    """What an outgoing webhook can be told of: kinds of entries."""

    MESSAGE = "message"
    EDIT = "edit"
    DELETE = "delete"
    REACTION = "reaction"
    MEMBERSHIP = "membership"


class DeliveryState(StrEnum):
    """What became of telling a webhook, where that is worth a row."""

    RETRYING = "retrying"
    DELIVERED = "delivered"  # a test, or after a failure
    DEAD = "dead"  # it will not be tried again by itself


class RequestState(StrEnum):
    """How far an erasure or an export has come."""

    REQUESTED = "requested"
    RUNNING = "running"
    FINISHED = "finished"


metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("name", Key, primary_key=True),
    Column("value", String, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("user_id", Key, primary_key=True),
    Column("username", String, nullable=False),
    Column("username_key", Key, nullable=False, unique=True),
    Column("display_name", String, nullable=False),
    Column("title", String, nullable=False),
    Column("email", Key, unique=True),
    Column("password_hash", String),
    Column("bot", Boolean, nullable=False),
    Column("imported", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("presence", choice(Presence), nullable=False),
    Column("last_seen_at", Ms),
    Column("created_at", Ms, nullable=False),
    Column("import_key", Key, unique=True),
)

# What a user is found by: user name, e-mail, and the display name from each of its words on.
user_names = Table(
    "user_names",
    metadata,
    Column("name_key", Key, primary_key=True),
    Column("user_id", Key, ForeignKey("users.user_id"), primary_key=True),
    Index("ix_user_names_user", "user_id"),
)

devices = Table(
    "devices",
    metadata,
    Column("device_id", Key, primary_key=True),
    Column("user_id", Key, ForeignKey("users.user_id"), nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("created_at", Ms, nullable=False),
    Column("last_seen_at", Ms, nullable=False),
    Column("revoked_at", Ms, index=True),
)

# A device's refresh tokens are one family; a used one stays until it would have expired, to notice its reuse.
refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("device_id", Key, ForeignKey("devices.device_id"), nullable=False, index=True),
    Column("expires_at", Ms, nullable=False, index=True),
    Column("used_at", Ms),
)

claims = Table(
    "claims",
    metadata,
    Column("user_id", Key, ForeignKey("users.user_id"), primary_key=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("expires_at", Ms, nullable=False),
)

workspaces = Table(
    "workspaces",
    metadata,
    Column("workspace_id", Key, primary_key=True),
    Column("name", String, nullable=False),
    Column("tier", String, nullable=False),
    Column("created_by", Key, nullable=False),
    Column("created_at", Ms, nullable=False),
    Column("member_count", Integer, nullable=False),
    Column("import_key", Key, unique=True),
)

workspace_members = Table(
    "workspace_members",
    metadata,
    Column("workspace_id", Key, ForeignKey("workspaces.workspace_id"), primary_key=True),
    Column("user_id", Key, ForeignKey("users.user_id"), primary_key=True),
    Column("role", choice(Role), nullable=False),
    Index("ix_workspace_members_user", "user_id", "workspace_id"),
)

teams = Table(
    "teams",
    metadata,
    Column("team_id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspaces.workspace_id"), nullable=False),
    Column("name", String, nullable=False),
    Column("name_key", Key, nullable=False),
    Index("ux_teams_name", "workspace_id", "name_key", unique=True),
)

team_members = Table(
    "team_members",
    metadata,
    Column("team_id", Key, ForeignKey("teams.team_id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Key, ForeignKey("users.user_id"), primary_key=True),
    Index("ix_team_members_user", "user_id"),
)

conversations = Table(
    "conversations",
    metadata,
    Column("conversation_id", Key, primary_key=True),
    Column("kind", choice(ConversationKind), nullable=False),
    Column("workspace_id", Key, ForeignKey("workspaces.workspace_id")),
    Column("title", String, nullable=False),
    Column("title_key", Key, nullable=False),  # folded, for finding
    Column("name_key", Key),  # channels: folded, unique in the workspace; changes before the entry that renames
    Column("topic", String, nullable=False),
    Column("purpose", String, nullable=False),
    Column("private", Boolean, nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("created_by", Key, nullable=False),
    Column("created_at", Ms, nullable=False),
    Column("member_count", Integer, nullable=False),
    Column("members_epoch", Integer, nullable=False),
    Column("members_seq", Seq, nullable=False),
    Column("pair_key", Key, unique=True),  # direct: both user ids, sorted
    Column("import_key", Key, unique=True),
    Index("ux_conversations_name", "workspace_id", "name_key", unique=True),
)

# When a conversation last changed; its own table, because it is written with every message and
# a row of `conversations` is wide, has many indexes, and is locked while members change.
activity = Table(
    "activity",
    metadata,
    Column("conversation_id", Key, primary_key=True),
    Column("active_at", Ms, nullable=False, index=True),
)

_active = text("left_seq IS NULL")
administers = text("left_seq IS NULL AND role = 'admin'")  # as a constant: no plan for any role uses the index

memberships = Table(
    "memberships",
    metadata,
    Column("conversation_id", Key, primary_key=True),
    Column("user_id", Key, primary_key=True),
    Column("joined_seq", Seq, primary_key=True, autoincrement=False),
    Column("left_seq", Seq),
    Column("role", choice(Role), nullable=False),
    Column("changed_at", Ms, nullable=False),
    Index(
        "ux_memberships_active",
        "conversation_id",
        "user_id",
        unique=True,
        sqlite_where=_active,
        postgresql_where=_active,
    ),
    Index("ix_memberships_user", "user_id", "conversation_id", sqlite_where=_active, postgresql_where=_active),
    Index("ix_memberships_admins", "conversation_id", sqlite_where=administers, postgresql_where=administers),
    Index(
        "ix_memberships_eldest",
        "conversation_id",
        "joined_seq",
        "user_id",
        sqlite_where=_active,
        postgresql_where=_active,
    ),
    Index("ix_memberships_changed", "user_id", "changed_at"),
)

pending = text("status = 'pending'")

invites = Table(
    "invites",
    metadata,
    Column("invite_id", Key, primary_key=True),
    Column("conversation_id", Key, ForeignKey("conversations.conversation_id"), nullable=False),
    Column("user_id", Key, ForeignKey("users.user_id"), nullable=False),
    Column("invited_by", Key, nullable=False),
    Column("status", choice(InviteStatus), nullable=False),
    Column("created_at", Ms, nullable=False),
    Column("expires_at", Ms, nullable=False),
    Index(
        "ux_invites_pending",
        "conversation_id",
        "user_id",
        unique=True,
        sqlite_where=pending,
        postgresql_where=pending,
    ),
    Index("ix_invites_user", "user_id"),
)

cursors = Table(
    "cursors",
    metadata,
    Column("conversation_id", Key, primary_key=True),
    Column("user_id", Key, primary_key=True),
    Column("read_seq", Seq, nullable=False),
    Column("read_messages", Seq, nullable=False),
    Column("read_mentions", Seq, nullable=False),
    Column("delivered_seq", Seq, nullable=False),
    Column("changed_at", Ms, nullable=False),  # of the read part: delivery is no news to the user's other devices
    Index("ix_cursors_changed", "user_id", "changed_at"),
)

mentions = Table(
    "mentions",
    metadata,
    Column("user_id", Key, primary_key=True),
    Column("conversation_id", Key, primary_key=True),
    Column("seq", Seq, primary_key=True, autoincrement=False),
)

files = Table(
    "files",
    metadata,
    Column("file_id", Key, primary_key=True),
    Column("conversation_id", Key, nullable=False),
    Column("uploader_id", Key, nullable=False),
    Column("name", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("status", choice(FileStatus), nullable=False),
    Column("content_type", String, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("thumbnail", Boolean, nullable=False),
    Column("sha256", String, nullable=False),
    Column("external_url", String, nullable=False),
    Column("message_id", Key),
    Column("created_at", Ms, nullable=False),
    Index(
        "ix_files_unattached",
        "created_at",
        sqlite_where=text("message_id IS NULL"),
        postgresql_where=text("message_id IS NULL"),
    ),
)

requests = Table(
    "requests",
    metadata,
    Column("user_id", Key, primary_key=True),
    Column("key", Key, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", Integer),  # NULL: being worked on
    Column("body", LargeBinary),
    Column("started_at", Ms, nullable=False),
    Column("expires_at", Ms, nullable=False, index=True),
)

# --- notifications --------------------------------------------------------------------------------

# A browser that signs in again keeps its address and is a new device: the address moves there.
push_subscriptions = Table(
    "push_subscriptions",
    metadata,
    Column("device_id", Key, ForeignKey("devices.device_id"), primary_key=True),
    Column("kind", choice(PushKind), nullable=False),
    Column("address", Key, nullable=False, unique=True),  # the endpoint (Web Push) or the token (FCM, APNs)
    Column("public_key", String, nullable=False),  # Web Push: of the browser, base64url; "" otherwise
    Column("auth_secret", String, nullable=False),
    Column("created_at", Ms, nullable=False),
    Column("failures", Integer, nullable=False),  # in a row
)

notification_settings = Table(
    "notification_settings",
    metadata,
    Column("user_id", Key, ForeignKey("users.user_id"), primary_key=True),
    Column("time_zone", String, nullable=False),  # IANA
    Column("paused_until", Ms),
)

# Do not disturb: minutes since midnight in the user's time zone; an end before the start is on the next day.
quiet_windows = Table(
    "quiet_windows",
    metadata,
    Column("user_id", Key, ForeignKey("users.user_id"), primary_key=True),
    Column("weekday", Integer, primary_key=True, autoincrement=False),  # it starts on; 0: Monday
    Column("start_minute", Integer, primary_key=True, autoincrement=False),
    Column("end_minute", Integer, nullable=False),
)

mutes = Table(
    "mutes",
    metadata,
    Column("user_id", Key, ForeignKey("users.user_id"), primary_key=True),
    Column("conversation_id", Key, ForeignKey("conversations.conversation_id"), primary_key=True),
    Column("notify", choice(Notify), nullable=False),
    Column("until", Ms),  # NULL: until it is changed
    Index("ix_mutes_conversation", "conversation_id"),
)

# --- other programs -------------------------------------------------------------------------------

webhooks = Table(
    "webhooks",
    metadata,
    Column("webhook_id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspaces.workspace_id"), nullable=False, index=True),
    Column("conversation_id", Key, ForeignKey("conversations.conversation_id")),  # NULL: all public channels
    Column("events", Json, nullable=False),  # a list of entry kinds
    Column("url", String, nullable=False),
    Column("secret", LargeBinary, nullable=False),  # encrypted
    Column("active", Boolean, nullable=False),
    Column("created_by", Key, nullable=False),
    Column("created_at", Ms, nullable=False),
)

# What did not go through at once, for the admins of the workspace; a delivery that did has no row.
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("delivery_id", Key, primary_key=True),
    Column("webhook_id", Key, ForeignKey("webhooks.webhook_id", ondelete="CASCADE"), nullable=False),
    Column("job_id", Key, nullable=False),
    Column("event", String(16), nullable=False),
    Column("conversation_id", Key, nullable=False),  # "": a test
    Column("epoch", Integer, nullable=False),
    Column("seq", Seq, nullable=False),
    Column("state", choice(DeliveryState), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("status", Integer),  # of the last answer; NULL: there was none
    Column("reason", String, nullable=False),
    Column("at", Ms, nullable=False, index=True),  # of the last attempt
    Index("ix_webhook_deliveries_webhook", "webhook_id", "at"),
)

incoming_hooks = Table(
    "incoming_hooks",
    metadata,
    Column("hook_id", Key, primary_key=True),  # also the user id of the bot in whose name it posts
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("conversation_id", Key, ForeignKey("conversations.conversation_id"), nullable=False, index=True),
    Column("name", String, nullable=False),  # what its messages are signed with
    Column("created_by", Key, nullable=False),
    Column("created_at", Ms, nullable=False),
    Column("revoked_at", Ms),
    Column("last_used_at", Ms),
)

bot_tokens = Table(
    "bot_tokens",
    metadata,
    Column("token_id", Key, primary_key=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("user_id", Key, ForeignKey("users.user_id"), nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("scopes", Json, nullable=False),  # a list of words
    Column("created_by", Key, nullable=False),
    Column("created_at", Ms, nullable=False),
    Column("revoked_at", Ms),
    Column("last_used_at", Ms),
)

# Who a user is to an identity provider.
external_identities = Table(
    "external_identities",
    metadata,
    Column("issuer", Key, primary_key=True),
    Column("subject", Key, primary_key=True),
    Column("user_id", Key, ForeignKey("users.user_id"), nullable=False, index=True),
    Column("linked_at", Ms, nullable=False),
)

# --- what has to be shown to others ---------------------------------------------------------------

# Append-only: the database itself refuses to change or remove a row.
audit_log = Table(
    "audit_log",
    metadata,
    Column("audit_id", Key, primary_key=True),  # rises with time
    Column("at", Ms, nullable=False),
    Column("actor_id", Key, nullable=False),
    Column("action", String, nullable=False),
    Column("subject_id", Key, nullable=False),
    Column("workspace_id", Key),
    Column("details", Json, nullable=False),
    Index("ix_audit_log_workspace", "workspace_id", "audit_id"),
    Index("ix_audit_log_actor", "actor_id", "audit_id"),
    Index("ix_audit_log_subject", "subject_id", "audit_id"),
)

_holds_one = (
    "(workspace_id IS NOT NULL AND user_id IS NULL AND conversation_id IS NULL)"
    " OR (workspace_id IS NULL AND user_id IS NOT NULL AND conversation_id IS NULL)"
    " OR (workspace_id IS NULL AND user_id IS NULL AND conversation_id IS NOT NULL)"
)
_held = text("ended_at IS NULL")

legal_holds = Table(
    "legal_holds",
    metadata,
    Column("hold_id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspaces.workspace_id")),
    Column("user_id", Key, ForeignKey("users.user_id")),
    Column("conversation_id", Key, ForeignKey("conversations.conversation_id")),
    Column("reason", String, nullable=False),
    Column("created_by", Key, nullable=False),
    Column("created_at", Ms, nullable=False),
    Column("ended_at", Ms),
    CheckConstraint(_holds_one, name="ck_legal_holds_one"),
    Index("ix_legal_holds_open", "created_at", sqlite_where=_held, postgresql_where=_held),
)

retention_policies = Table(
    "retention_policies",
    metadata,
    Column("workspace_id", Key, ForeignKey("workspaces.workspace_id"), primary_key=True),
    Column("hot_hours", Integer, nullable=False),
    Column("warm_days", Integer, nullable=False),
    Column("archive_days", Integer, nullable=False),
    Column("changed_by", Key, nullable=False),
    Column("changed_at", Ms, nullable=False),
)

consents = Table(
    "consents",
    metadata,
    Column("user_id", Key, ForeignKey("users.user_id"), primary_key=True),
    Column("document", Key, primary_key=True),
    Column("version", Key, primary_key=True),
    Column("given_at", Ms, primary_key=True, autoincrement=False),
    Column("withdrawn_at", Ms),
)

# For the business dashboard: nobody can be found in them.
daily_counts = Table(
    "daily_counts",
    metadata,
    Column("day", Key, primary_key=True),  # YYYY-MM-DD, UTC
    Column("workspace_pseudonym", Key, primary_key=True),
    Column("metric", Key, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

# What they are made of, for 31 days: sums, and sketches from which nobody can be read.
counting = Table(
    "counting",
    metadata,
    Column("day", Key, primary_key=True),
    Column("workspace_pseudonym", Key, primary_key=True),
    Column("messages", BigInteger, nullable=False),
    Column("group_messages", BigInteger, nullable=False),
    Column("uploads", BigInteger, nullable=False),
    Column("uploads_failed", BigInteger, nullable=False),
    Column("users", LargeBinary, nullable=False),
    Index("ix_counting_workspace", "workspace_pseudonym", "day"),
)

# How far each conversation has been counted.
counted = Table(
    "counted",
    metadata,
    Column("conversation_id", Key, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("seq", Seq, nullable=False),
)

_unfinished = text("state <> 'finished'")

erasures = Table(
    "erasures",
    metadata,
    Column("erasure_id", Key, primary_key=True),
    Column("user_id", Key, ForeignKey("users.user_id"), nullable=False),
    Column("requested_by", Key, nullable=False),
    Column("requested_at", Ms, nullable=False),
    Column("state", choice(RequestState), nullable=False),
    Column("finished_at", Ms),
    Index("ux_erasures_open", "user_id", unique=True, sqlite_where=_unfinished, postgresql_where=_unfinished),
)

exports = Table(
    "exports",
    metadata,
    Column("export_id", Key, primary_key=True),
    Column("user_id", Key, ForeignKey("users.user_id"), nullable=False),
    Column("requested_by", Key, nullable=False),
    Column("requested_at", Ms, nullable=False),
    Column("state", choice(RequestState), nullable=False),
    Column("finished_at", Ms),
    Column("blob_key", String),  # of the result, until it expires
    Column("expires_at", Ms),
    Index("ux_exports_open", "user_id", unique=True, sqlite_where=_unfinished, postgresql_where=_unfinished),
)
