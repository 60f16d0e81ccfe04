"""Who there is: accounts, workspaces, conversations and their members, cursors, files, invites.

One adapter over SQLAlchemy Core: `tables.py` is the schema, `engine.py` what the nouns are
written against, with `sqlite.py` and `postgres.py` behind it, `rows.py` what leaves, and then
there is one file a noun. What a row says about membership is a projection; its truth is the
log (`memberships.py`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from nottermost_chat.clock import Clock
from nottermost_chat.directory.accounts import Accounts, FamilyRevoked
from nottermost_chat.directory.audit import Audit, AuditAction, AuditDetails, AuditQuery, AuditRow
from nottermost_chat.directory.bots import Bots
from nottermost_chat.directory.consents import Consents
from nottermost_chat.directory.conversations import Conversations
from nottermost_chat.directory.counts import Counts
from nottermost_chat.directory.cursors import Cursors
from nottermost_chat.directory.engine import Database, Together
from nottermost_chat.directory.files import Files
from nottermost_chat.directory.identities import Identities
from nottermost_chat.directory.notifications import Notifications
from nottermost_chat.directory.privacy import ErasureRow, ExportRow, Privacy
from nottermost_chat.directory.requests import Requests
from nottermost_chat.directory.retention import HoldRow, PolicyRow, Retention
from nottermost_chat.directory.rows import (
    BotTokenRow,
    Changes,
    ChannelMatch,
    ConversationOfUser,
    ConversationRow,
    Credentials,
    DeliveryRow,
    DeviceRow,
    FileRow,
    Finished,
    IncomingHookRow,
    InviteRow,
    Level,
    Quiet,
    QuietWindow,
    SignIn,
    Standing,
    Subscription,
    TeamRow,
    UserRow,
    WebhookRow,
    WorkspaceMember,
    WorkspaceRow,
)
from nottermost_chat.directory.server import Server
from nottermost_chat.directory.sqlite import SqliteDatabase
from nottermost_chat.directory.tables import (
    DeliveryState,
    FileStatus,
    HookEvent,
    InviteStatus,
    Notify,
    PushKind,
    RequestState,
)
from nottermost_chat.directory.webhooks import IncomingHooks, Webhooks
from nottermost_chat.directory.workspaces import Workspaces
from nottermost_chat.metrics import Metrics

__all__ = [
    "Accounts",
    "AuditAction",
    "AuditDetails",
    "AuditQuery",
    "AuditRow",
    "BotTokenRow",
    "Changes",
    "ChannelMatch",
    "ConversationOfUser",
    "ConversationRow",
    "Credentials",
    "DeliveryRow",
    "DeliveryState",
    "DeviceRow",
    "Directory",
    "ErasureRow",
    "ExportRow",
    "FamilyRevoked",
    "FileRow",
    "FileStatus",
    "Finished",
    "HoldRow",
    "HookEvent",
    "IncomingHookRow",
    "InviteRow",
    "InviteStatus",
    "Level",
    "Notify",
    "PolicyRow",
    "PushKind",
    "Quiet",
    "QuietWindow",
    "RequestState",
    "Server",
    "SignIn",
    "Standing",
    "Subscription",
    "TeamRow",
    "UserRow",
    "WebhookRow",
    "WorkspaceMember",
    "WorkspaceRow",
]


class Directory:
    """The nouns over one database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self.accounts = Accounts(database, clock)
        self.workspaces = Workspaces(database, clock)
        self.conversations = Conversations(database, clock)
        self.cursors = Cursors(database, clock)
        self.files = Files(database, clock)
        self.notifications = Notifications(database, clock)
        self.requests = Requests(database, clock)
        self.retention = Retention(database, clock)
        self.privacy = Privacy(database, clock)
        self.webhooks = Webhooks(database, clock)
        self.incoming_hooks = IncomingHooks(database, clock)
        self.bots = Bots(database, clock)
        self.identities = Identities(database, clock)
        self.audit = Audit(database, clock)
        self.consents = Consents(database, clock)
        self.counts = Counts(database, clock)

    @classmethod
    async def open(cls, place: Path | Server, clock: Clock, metrics: Metrics | None = None) -> "Directory":
        """Open the database file at this path (its folder must exist; a new file is made), or on this server.

        Raises: StartError when it cannot be used or comes from a newer version.
        """
        if isinstance(place, Path):
            return cls(await SqliteDatabase.open(place), clock)
        from nottermost_chat.directory.postgres import PostgresDatabase  # its driver is not installed everywhere

        return cls(await PostgresDatabase.open(place, metrics or Metrics(), clock.monotonic), clock)

    def together(self, also: Callable[[Connection, Any], None]) -> "Directory":
        """The same directory for one write, which does this too, in its own transaction.

        `also` gets the connection and what the write is about to return. Like the write it may run several times.
        """
        return Directory(Together(self._database, also), self._clock)

    async def close(self) -> None:
        """Finish what is queued and let go of the database."""
        await self._database.close()
