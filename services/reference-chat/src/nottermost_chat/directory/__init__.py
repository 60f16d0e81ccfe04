"""Who there is: accounts, workspaces, conversations and their members, cursors, files, invites.

One adapter over SQLAlchemy Core: `tables.py` is the schema, `engine.py` the threads, `rows.py`
what leaves, and then there is one file a noun. What a row says about membership is a
projection; its truth is the log (`memberships.py`).
"""

from pathlib import Path

from nottermost_chat.clock import Clock
from nottermost_chat.directory.accounts import Accounts, FamilyRevoked
from nottermost_chat.directory.conversations import Conversations
from nottermost_chat.directory.cursors import Cursors
from nottermost_chat.directory.engine import Database
from nottermost_chat.directory.files import Files
from nottermost_chat.directory.requests import Requests
from nottermost_chat.directory.rows import (
    Changes,
    ChannelMatch,
    ConversationOfUser,
    ConversationRow,
    Credentials,
    DeviceRow,
    FileRow,
    Finished,
    InviteRow,
    SignIn,
    TeamRow,
    UserRow,
    WorkspaceMember,
    WorkspaceRow,
)
from nottermost_chat.directory.tables import FileStatus, InviteStatus
from nottermost_chat.directory.workspaces import Workspaces

__all__ = [
    "Changes",
    "ChannelMatch",
    "ConversationOfUser",
    "ConversationRow",
    "Credentials",
    "DeviceRow",
    "Directory",
    "FamilyRevoked",
    "FileRow",
    "FileStatus",
    "Finished",
    "InviteRow",
    "InviteStatus",
    "SignIn",
    "TeamRow",
    "UserRow",
    "WorkspaceMember",
    "WorkspaceRow",
]


class Directory:
    """The nouns over one database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self.accounts = Accounts(database, clock)
        self.workspaces = Workspaces(database, clock)
        self.conversations = Conversations(database, clock)
        self.cursors = Cursors(database, clock)
        self.files = Files(database, clock)
        self.requests = Requests(database, clock)

    @classmethod
    async def open(cls, path: Path, clock: Clock) -> "Directory":
        """Open the database file at `path` (its folder must exist), or make it.

        Raises: StartError when it cannot be used or comes from a newer version.
        """
        return cls(await Database.open(path), clock)

    async def close(self) -> None:
        """Finish what is queued and close the file."""
        await self._database.close()
