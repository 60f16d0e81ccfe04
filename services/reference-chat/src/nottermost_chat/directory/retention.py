"""Retention: what workspaces want kept for how long, what is held, and who may remove things now."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, exists, false, func, or_, select, update

from nottermost_chat.directory.engine import Noun, reads, upserts, writes
from nottermost_chat.directory.queries import chunks, columns, fetch, fetch_one, insert
from nottermost_chat.directory.tables import (
    conversations,
    legal_holds,
    memberships,
    meta,
    retention_policies,
    users,
    workspaces,
)
from nottermost_chat.errors import NotFound
from nottermost_chat.model import ConversationKind

LEASE: Final = "removing"  # in `meta`: the process that alone removes and rewrites what is old


class PolicyRow(msgspec.Struct, frozen=True):
    """How long a workspace keeps what is said: in the message store, in the archive."""

    workspace_id: str
    warm_days: int
    archive_days: int
    changed_by: str
    changed_at: int


class HoldRow(msgspec.Struct, frozen=True):
    """Keeps everything of one workspace, user or conversation as it is; exactly one of the three is set."""

    hold_id: str
    workspace_id: str | None
    user_id: str | None
    conversation_id: str | None
    reason: str
    created_by: str
    created_at: int
    ended_at: int | None


class Place(msgspec.Struct, frozen=True):
    """A conversation, as far as retention needs it."""

    conversation_id: str
    workspace_id: str | None


POLICY: Final = columns(retention_policies, PolicyRow)
HOLD: Final = columns(legal_holds, HoldRow)
HOT_HOURS: Final = 1  # nobody reads it: programs of before do, until the next contraction takes the column away
OPEN: Final = legal_holds.c.ended_at.is_(None)


class Retention(Noun):
    """Policies, holds, and the lease of who removes."""

    # --- policies --------------------------------------------------------------------------------

    @reads
    def policy(self, connection: Connection, workspace_id: str) -> PolicyRow | None:
        """What the workspace has decided; None: nothing."""
        mine = select(*POLICY).where(retention_policies.c.workspace_id == workspace_id)
        return fetch_one(connection, mine, PolicyRow)

    @reads
    def policies(self, connection: Connection) -> dict[str, PolicyRow]:
        """Those of every workspace that has one."""
        return {row.workspace_id: row for row in fetch(connection, select(*POLICY), PolicyRow)}

    @upserts
    def set_policy(
        self,
        connection: Connection,
        workspace_id: str,
        *,
        warm_days: int,
        archive_days: int,
        changed_by: str,
    ) -> PolicyRow:
        """In place of the one before."""
        row = PolicyRow(workspace_id, warm_days, archive_days, changed_by, self._clock.now_ms())
        values = msgspec.structs.asdict(row) | {"hot_hours": HOT_HOURS}
        statement = insert(connection.dialect.name, retention_policies).values(values)
        key = [retention_policies.c.workspace_id]
        connection.execute(statement.on_conflict_do_update(index_elements=key, set_=values))
        return row

    @reads
    def places(self, connection: Connection, *, after: str, limit: int) -> list[Place]:
        """A page of all conversations, by id."""
        page = select(conversations.c.conversation_id, conversations.c.workspace_id)
        page = page.where(conversations.c.conversation_id > after).order_by(conversations.c.conversation_id)
        return fetch(connection, page.limit(limit), Place)

    @reads
    def workspace_ids(self, connection: Connection) -> list[str]:
        """Of all workspaces."""
        return list(connection.scalars(select(workspaces.c.workspace_id)))

    # --- legal holds -----------------------------------------------------------------------------

    @writes
    def hold(
        self,
        connection: Connection,
        *,
        reason: str,
        created_by: str,
        workspace_id: str | None = None,
        user_id: str | None = None,
        conversation_id: str | None = None,
    ) -> HoldRow:
        """Begin to hold one of the three."""
        about = (workspace_id, user_id, conversation_id)
        row = HoldRow(self._clock.new_id(), *about, reason, created_by, self._clock.now_ms(), None)
        connection.execute(legal_holds.insert().values(msgspec.structs.asdict(row)))
        return row

    @writes
    def release(self, connection: Connection, hold_id: str) -> HoldRow:
        """End a hold; again is the same as once. Raises NotFound."""
        mine = legal_holds.c.hold_id == hold_id
        connection.execute(update(legal_holds).where(mine, OPEN).values(ended_at=self._clock.now_ms()))
        row = fetch_one(connection, select(*HOLD).where(mine), HoldRow)
        if row is None:
            raise NotFound(f"there is no legal hold {hold_id}")
        return row

    @reads
    def holds(self, connection: Connection, *, ended: bool = False) -> list[HoldRow]:
        """All that are open, the oldest first; `ended`: those that are not, too."""
        statement = select(*HOLD) if ended else select(*HOLD).where(OPEN)
        return fetch(connection, statement.order_by(legal_holds.c.hold_id), HoldRow)

    @reads
    def held(self, connection: Connection, conversation_ids: Sequence[str]) -> frozenset[str]:
        """Those of the conversations of which nothing may go.

        Held themselves, with their workspace, or with a user who is or ever was in them; all that came with
        an import, with any user who came with it.
        """
        found: set[str] = set()
        if not _is_anything_held(connection):
            return frozenset()  # nearly always
        is_held = _is_held(connection)
        for part in chunks(conversation_ids):
            statement = select(conversations.c.conversation_id)
            statement = statement.where(conversations.c.conversation_id.in_(part), is_held)
            found.update(connection.scalars(statement))
        return frozenset(found)

    @reads
    def all_held(self, connection: Connection) -> list[str]:
        """Ids of every conversation of which nothing may go."""
        if not _is_anything_held(connection):
            return []
        return list(connection.scalars(select(conversations.c.conversation_id).where(_is_held(connection))))

    @reads
    def holds_user(self, connection: Connection, user_id: str) -> bool:
        """Whether the user, or any conversation that the user is or was in or came with, is held."""
        if not _is_anything_held(connection):
            return False
        own = select(legal_holds.c.hold_id).where(OPEN, legal_holds.c.user_id == user_id).limit(1)
        if connection.execute(own).first() is not None:
            return True
        inside = select(memberships.c.conversation_id).where(memberships.c.user_id == user_id)
        theirs = or_(
            conversations.c.conversation_id.in_(inside), _came_with(_imports(connection, users.c.user_id == user_id))
        )
        places = select(conversations.c.conversation_id).where(theirs, _is_held(connection))
        return connection.execute(places.limit(1)).first() is not None

    # --- who removes -----------------------------------------------------------------------------

    @writes
    def claim(self, connection: Connection, owner: str, *, valid_ms: int) -> bool:
        """Be the one who removes for so long, or go on being it. False: somebody else is."""
        now, mine = self._clock.now_ms(), meta.c.name == LEASE
        found = connection.scalar(select(meta.c.value).where(mine))
        holder, _, until = (found or "").partition(" ")
        if found is not None and holder != owner and int(until) > now:
            return False
        connection.execute(delete(meta).where(mine))
        connection.execute(meta.insert().values(name=LEASE, value=f"{owner} {now + valid_ms}"))
        return True


def _is_anything_held(connection: Connection) -> bool:
    return connection.execute(select(legal_holds.c.hold_id).where(OPEN).limit(1)).first() is not None


def _is_held(connection: Connection) -> ColumnElement[bool]:
    """Whether a row of `conversations` is held."""
    here, stays = conversations.c, memberships.c.conversation_id == conversations.c.conversation_id
    held_users = select(legal_holds.c.user_id).where(OPEN, legal_holds.c.user_id.is_not(None))
    return or_(
        exists().where(OPEN, legal_holds.c.conversation_id == here.conversation_id),
        exists().where(OPEN, legal_holds.c.workspace_id == here.workspace_id),
        exists().where(OPEN, legal_holds.c.user_id == memberships.c.user_id, stays),
        _came_with(_imports(connection, users.c.user_id.in_(held_users))),
    )


def _imports(connection: Connection, whose: ColumnElement[bool]) -> list[str]:
    """The import keys of the workspaces that these users came with: theirs begin with them."""
    prefix = func.substr(users.c.import_key, 1, func.length(workspaces.c.import_key) + 1)
    statement = select(workspaces.c.import_key).distinct().where(whose, prefix == workspaces.c.import_key + ":")
    return list(connection.scalars(statement))


def _came_with(imports: Sequence[str]) -> ColumnElement[bool]:
    """Whether a row of `conversations` came with one of the imports.

    Which does not say who was a member when: any of its users may have said something there. A direct
    conversation has no import key of its own, but members who have.
    """
    stays = memberships.c.conversation_id == conversations.c.conversation_id
    found: list[ColumnElement[bool]] = []
    for key in imports:
        member = users.c.import_key.startswith(f"{key}:", autoescape=True)
        found.append(conversations.c.import_key.startswith(f"{key}:", autoescape=True))
        found.append(
            (conversations.c.kind == ConversationKind.DIRECT)
            & exists().where(stays, memberships.c.user_id == users.c.user_id, member)
        )
    return or_(false(), *found)
