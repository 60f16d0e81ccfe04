"""Every table of the directory, for SQLite and PostgreSQL alike.

Memberships, cursors and mentions are projections of the log: no foreign key leads out of
them, because a projection cannot refuse what the log already says.
"""

import unicodedata
from enum import StrEnum
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
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

from nottermost_chat.model import ConversationKind, Role
from nottermost_chat.protocol import Presence

SCHEMA_VERSION: Final = 1  # raised with every change that an older version could not work with

# Byte order everywhere, so that prefix ranges and pages by id use the index and agree with Python.
Key = String().with_variant(String(collation="C"), "postgresql")
Ms = BigInteger  # since the Unix epoch, UTC
Seq = BigInteger


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
    Column("activity_at", Ms, nullable=False, index=True),
    Column("pair_key", Key, unique=True),  # direct: both user ids, sorted
    Column("import_key", Key, unique=True),
    Index("ux_conversations_name", "workspace_id", "name_key", unique=True),
)

_active = text("left_seq IS NULL")

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
