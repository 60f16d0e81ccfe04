"""Who did what: rows that can be added and nothing else; the database itself sees to that."""
# ruff: noqa: S105 - names of what is done with passwords and tokens, not passwords

import os
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select
from ulid import ULID

from nottermost_chat.directory.engine import Noun, reads, upserts
from nottermost_chat.directory.queries import columns, fetch, insert
from nottermost_chat.directory.tables import audit_log

SYSTEM: Final = "system"  # the actor where the chat acts by itself
OPERATOR: Final = "operator"  # the actor where somebody acts on the command line
RANDOM_BYTES: Final = 10  # of a ULID, behind 6 of time


class AuditAction(StrEnum):
    """Everything that is noted. What is said is not among it."""

    SESSION_STARTED = "session.started"
    SESSION_REFUSED = "session.refused"
    SESSION_ENDED = "session.ended"
    TOKEN_REUSED = "session.token_reused"
    DEVICE_SIGNED_OUT = "device.signed_out"
    PASSWORD_CHANGED = "password.changed"
    PASSWORD_REFUSED = "password.refused"
    ACCOUNT_CREATED = "account.created"
    ACCOUNT_CLAIMED = "account.claimed"
    ACCOUNT_ENDED = "account.ended"
    CLAIM_LINK_CREATED = "account.claim_link_created"
    WORKSPACE_CREATED = "workspace.created"
    WORKSPACE_MEMBER_ADDED = "workspace.member_added"
    WORKSPACE_MEMBER_REMOVED = "workspace.member_removed"
    WORKSPACE_ROLE_CHANGED = "workspace.role_changed"
    CONVERSATION_MEMBER_SET = "conversation.member_set"
    CONVERSATION_MEMBER_REMOVED = "conversation.member_removed"
    MESSAGE_DELETED = "message.deleted"
    MESSAGE_RESTORED = "message.restored"
    FILE_REMOVED = "file.removed"
    RETENTION_CHANGED = "retention.changed"
    HOLD_SET = "hold.set"
    HOLD_RELEASED = "hold.released"
    EXPORT_REQUESTED = "export.requested"
    EXPORT_FETCHED = "export.fetched"
    ERASURE_REQUESTED = "erasure.requested"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_REMOVED = "webhook.removed"
    INCOMING_HOOK_CREATED = "incoming_hook.created"
    INCOMING_HOOK_REVOKED = "incoming_hook.revoked"
    BOT_CREATED = "bot.created"
    BOT_REMOVED = "bot.removed"
    BOT_TOKEN_CREATED = "bot_token.created"
    BOT_TOKEN_REVOKED = "bot_token.revoked"
    DEAD_LETTERS_REDRIVEN = "dead_letters.redriven"
    AUDIT_READ = "audit.read"


class AuditDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """What else there is to say; closed, so that nothing personal gets in.

    Attributes:
        role, was: what somebody is from now on, and was before.
        address: a pseudonym of the address that somebody tried to log in with.
        warm_days, archive_days: of a retention policy.
        group: a consumer or queue.
    """

    conversation_id: str = ""
    device_id: str = ""
    user_id: str = ""
    role: str = ""
    was: str = ""
    address: str = ""
    warm_days: int | None = None
    archive_days: int | None = None
    group: str = ""


NO_DETAILS: Final = AuditDetails()


class AuditRow(msgspec.Struct, frozen=True):
    """One thing that somebody did.

    Attributes:
        audit_id: a ULID whose time is `at`.
        action: an AuditAction, or one that a newer version knows.
        actor_id: a user, SYSTEM or OPERATOR; "": nobody known. Stays when the user is erased, as a pseudonym.
        subject_id: what or whom it was done to.
        workspace_id: whose admins may read it; None: the operator only.
    """

    audit_id: str
    at: int
    actor_id: str
    action: str
    subject_id: str
    workspace_id: str | None
    details: AuditDetails

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "details", msgspec.convert(self.details, AuditDetails))  # from JSON


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for; None and "": anything.

    Attributes:
        since, until: ms since the epoch, the second one excluded.
        before: the last audit id of the page before.
    """

    workspace_id: str | None = None
    actor_id: str = ""
    action: str = ""
    subject_id: str = ""
    since: int | None = None
    until: int | None = None
    before: str = ""
    limit: int = 100


AUDIT: Final = columns(audit_log, AuditRow)


class Audit(Noun):
    """The audit log."""

    @upserts
    def note(self, connection: Connection, rows: Sequence[AuditRow]) -> None:
        """Add rows; one that is there stays as it is."""
        add_rows(connection, rows)

    @reads
    def find(self, connection: Connection, wanted: AuditQuery) -> list[AuditRow]:
        """A page, the newest first."""
        statement = select(*AUDIT).order_by(audit_log.c.audit_id.desc()).limit(wanted.limit)
        for column, value in (
            (audit_log.c.workspace_id, wanted.workspace_id),
            (audit_log.c.actor_id, wanted.actor_id),
            (audit_log.c.action, wanted.action),
            (audit_log.c.subject_id, wanted.subject_id),
        ):
            if value:
                statement = statement.where(column == value)
        if wanted.since is not None:
            statement = statement.where(audit_log.c.audit_id >= first_id(wanted.since))
        if wanted.until is not None:
            statement = statement.where(audit_log.c.audit_id < first_id(wanted.until))
        if wanted.before:
            statement = statement.where(audit_log.c.audit_id < wanted.before)
        return fetch(connection, statement, AuditRow)


def add_rows(connection: Connection, rows: Sequence[AuditRow]) -> None:
    """Add them inside somebody's transaction; those that are there stay as they are."""
    if rows:
        values: list[dict[str, Any]] = [
            msgspec.structs.asdict(row) | {"details": msgspec.to_builtins(row.details)} for row in rows
        ]
        connection.execute(insert(connection.dialect.name, audit_log).on_conflict_do_nothing(), values)


def audit_id(at: int, rest: bytes = b"") -> str:
    """An id for something done at that time (ms); with the same `rest` (10 bytes) it is the same."""
    return str(ULID.from_bytes(at.to_bytes(6) + (rest or os.urandom(RANDOM_BYTES))))


def first_id(at: int) -> str:
    """No id of that time or later is below it."""
    return audit_id(max(0, at), bytes(RANDOM_BYTES))
