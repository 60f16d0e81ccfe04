"""Conversations: what they are called, and what each user sees of them."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, and_, case, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from nottermost_chat.directory.cursors import same_reader
from nottermost_chat.directory.engine import reads, writes, writes_rows
from nottermost_chat.directory.invites import Invites
from nottermost_chat.directory.memberships import ACTIVE, AppliedMemberships
from nottermost_chat.directory.queries import begins, chunks, contains, fetch_in, fetch_one, insert_new, named, one_of
from nottermost_chat.directory.rows import (
    CONVERSATION,
    CURSOR,
    MEMBER,
    USER,
    Changes,
    ChannelMatch,
    ConversationOfUser,
    ConversationRow,
    UserRow,
)
from nottermost_chat.directory.tables import (
    activity,
    conversations,
    cursors,
    fold,
    memberships,
    users,
    workspace_members,
)
from nottermost_chat.errors import Conflict
from nottermost_chat.model import ConversationKind, Member
from nottermost_chat.ports import Cursor

WALK_MAX: Final = 1_000  # conversations that `changed_since` walks, newest first, before it goes by the user's own

ACTIVE_AT: Final = func.coalesce(activity.c.active_at, conversations.c.created_at)


class Conversations(AppliedMemberships, Invites):
    """Conversations, who is in them, and who was asked in."""

    # --- rows; members come in through the log ---------------------------------------------------

    @writes_rows
    def direct(self, connection: Connection, user_id: str, other_id: str) -> tuple[ConversationRow, bool]:
        """The direct conversation of two users (or of one with oneself), and whether it is new.

        While its `members_seq` is 0 the caller still has to append the members.
        """
        pair_key = ":".join(sorted((user_id, other_id)))
        row = self._new_row(ConversationKind.DIRECT, user_id, pair_key=pair_key)
        if _insert_row(connection, row):
            return row, True
        there = fetch_one(
            connection, select(*CONVERSATION).where(conversations.c.pair_key == pair_key), ConversationRow
        )
        assert there is not None, "only the pair can have been in the way"
        return there, False

    @writes
    def create_group(
        self,
        connection: Connection,
        title: str,
        creator_id: str,
        *,
        workspace_id: str | None = None,
        import_key: str | None = None,
    ) -> ConversationRow:
        """Make a group. Raises Conflict when the import key is taken."""
        row = self._new_row(
            ConversationKind.GROUP, creator_id, title=title, workspace_id=workspace_id, import_key=import_key
        )
        if not _insert_row(connection, row):
            raise Conflict(f"a group with the import key {import_key} exists already")
        return row

    @writes
    def create_channel(
        self,
        connection: Connection,
        workspace_id: str,
        name: str,
        creator_id: str,
        *,
        private: bool = False,
        topic: str = "",
        purpose: str = "",
        archived: bool = False,
        import_key: str | None = None,
    ) -> ConversationRow:
        """Raises Conflict when the workspace has a channel of that name (any case, archived ones too)."""
        row = self._new_row(
            ConversationKind.CHANNEL,
            creator_id,
            title=name,
            workspace_id=workspace_id,
            private=private,
            topic=topic,
            purpose=purpose,
            archived=archived,
            import_key=import_key,
        )
        if not _insert_row(connection, row):
            raise _name_taken(name)
        return row

    @writes
    def reserve_name(self, connection: Connection, conversation_id: str, name: str) -> None:
        """Take a channel's new name before the entry that renames it is appended. Raises Conflict.

        Groups have no unique names: nothing happens.
        """
        channel = (conversations.c.conversation_id == conversation_id) & conversations.c.name_key.is_not(None)
        try:
            connection.execute(update(conversations).where(channel).values(name_key=fold(name)))
        except IntegrityError as error:
            raise _name_taken(name) from error

    @reads
    def get(self, connection: Connection, conversation_id: str) -> ConversationRow | None:
        """One conversation."""
        here = conversations.c.conversation_id == conversation_id
        return fetch_one(connection, select(*CONVERSATION).where(here), ConversationRow)

    @reads
    def get_many(self, connection: Connection, conversation_ids: Sequence[str]) -> dict[str, ConversationRow]:
        """Conversations by id; unknown ones are absent."""
        column = conversations.c.conversation_id
        rows = fetch_in(connection, select(*CONVERSATION), column, conversation_ids, ConversationRow)
        return {row.conversation_id: row for row in rows}

    @reads
    def by_import_key(self, connection: Connection, import_keys: Sequence[str]) -> dict[str, ConversationRow]:
        """Conversations by what an import knows them by."""
        column = conversations.c.import_key
        rows = fetch_in(connection, select(*CONVERSATION), column, import_keys, ConversationRow)
        return {row.import_key: row for row in rows if row.import_key}

    @reads
    def ids(self, connection: Connection, *, after: str = "", limit: int = 500) -> list[str]:
        """A page of the ids of all conversations, in order, after that id."""
        column = conversations.c.conversation_id
        return list(connection.scalars(select(column).where(column > after).order_by(column).limit(limit)))

    def _new_row(self, kind: ConversationKind, creator_id: str, **known: Any) -> ConversationRow:
        """A conversation that nobody is in yet; `known`: what is not as in a direct one."""
        now = self._clock.now_ms()
        plain = ConversationRow(
            conversation_id=self._clock.new_id(),
            kind=kind,
            workspace_id=None,
            title="",
            topic="",
            purpose="",
            private=True,
            archived=False,
            created_by=creator_id,
            created_at=now,
            member_count=0,
            members_epoch=0,
            members_seq=0,
            pair_key=None,
            import_key=None,
        )
        return msgspec.structs.replace(plain, **known)

    # --- as one user sees them -------------------------------------------------------------------

    @reads
    def list_of(
        self,
        connection: Connection,
        user_id: str,
        conversation_ids: Sequence[str] | None = None,
        *,
        limit: int | None = None,
    ) -> list[ConversationOfUser]:
        """The conversations that the user is in (of those named, if any are), last active first.

        Args:
            limit: only so many of all.
        """
        stays = _stays_of(user_id).where(ACTIVE)
        if conversation_ids is None:
            parts = [
                stays if limit is None else stays.where(memberships.c.conversation_id.in_(_newest_of(user_id, limit)))
            ]
        else:
            column = memberships.c.conversation_id
            parts = [stays.where(one_of(connection, column, part)) for part in chunks(conversation_ids)]
        rows = [row for part in parts for row in _of_user(connection, part, user_id)]
        return sorted(rows, key=lambda row: -row.active_at)

    @reads
    def changed_since(self, connection: Connection, user_id: str, since_ms: int, *, limit: int = 200) -> Changes:
        """What changed for the user at or after that time, newest first: entries, own cursors, joins and leaves.

        A time is taken before its write is committed, so ask from a few seconds before the last answer.
        """
        changed_at: dict[str, int] = {}
        for statement in _changes(connection, user_id, since_ms):
            for conversation_id, ms in connection.execute(statement.limit(limit + 1)):
                changed_at[conversation_id] = max(ms, changed_at.get(conversation_id, 0))
        if len(changed_at) > limit:
            return Changes([], reset=True)
        last_stay: dict[str, ConversationOfUser] = {}
        for part in chunks(changed_at):
            stays = _stays_of(user_id).where(one_of(connection, memberships.c.conversation_id, part))
            for row in _of_user(connection, stays.order_by(memberships.c.joined_seq), user_id):
                last_stay[row.conversation.conversation_id] = row
        newest_first = sorted(last_stay, key=lambda conversation_id: -changed_at[conversation_id])
        return Changes([last_stay[conversation_id] for conversation_id in newest_first], reset=False)

    @reads
    def in_workspace(self, connection: Connection, user_id: str, workspace_id: str) -> list[str]:
        """Ids of the workspace's conversations that the user is in."""
        statement = (
            select(memberships.c.conversation_id)
            .join(conversations, conversations.c.conversation_id == memberships.c.conversation_id)
            .where(memberships.c.user_id == user_id, ACTIVE, conversations.c.workspace_id == workspace_id)
            .order_by(memberships.c.conversation_id)
        )
        return list(connection.scalars(statement))

    @reads
    def members(
        self, connection: Connection, conversation_id: str, *, after: str = "", limit: int = 100, text: str = ""
    ) -> list[tuple[UserRow, Member]]:
        """A page of active members by user id, after that id; `text`: whose names or e-mail begin with it."""
        statement = (
            select(*USER, *MEMBER)
            .join_from(memberships, users, users.c.user_id == memberships.c.user_id)
            .where(memberships.c.conversation_id == conversation_id, ACTIVE, memberships.c.user_id > after)
            .order_by(memberships.c.user_id)
            .limit(limit)
        )
        if text:
            statement = statement.where(named(memberships.c.user_id, text))
        split = len(USER)
        return [(UserRow(*row[:split]), Member(*row[split:])) for row in connection.execute(statement)]

    @reads
    def people(self, connection: Connection, conversation_ids: Sequence[str]) -> dict[str, list[str]]:
        """Active members' ids of these direct and group conversations (at most 100 each); channels are absent."""
        statement = (
            select(memberships.c.conversation_id, memberships.c.user_id)
            .join(conversations, conversations.c.conversation_id == memberships.c.conversation_id)
            .where(ACTIVE, conversations.c.kind != ConversationKind.CHANNEL)
            .order_by(memberships.c.conversation_id, memberships.c.user_id)
        )
        people: dict[str, list[str]] = {}
        for part in chunks(conversation_ids):
            for conversation_id, user_id in connection.execute(
                statement.where(one_of(connection, conversations.c.conversation_id, part))
            ):
                people.setdefault(conversation_id, []).append(user_id)
        return people

    @reads
    def browse(
        self,
        connection: Connection,
        workspace_id: str,
        user_id: str,
        *,
        text: str = "",
        after: str = "",
        limit: int = 100,
    ) -> list[ChannelMatch]:
        """Channels of a workspace that are public or the user's own, by name, after that name; `text`: in the name."""
        statement = (
            _with_joined(user_id)
            .where(conversations.c.workspace_id == workspace_id, conversations.c.name_key > fold(after))
            .where(or_(conversations.c.private.is_(False), memberships.c.user_id.is_not(None)))
            .order_by(conversations.c.name_key)
            .limit(limit)
        )
        if text:
            statement = statement.where(contains(conversations.c.title_key, text))
        return [ChannelMatch(ConversationRow(*row[:-1]), joined=row[-1]) for row in connection.execute(statement)]

    @reads
    def find(self, connection: Connection, text: str, *, user_id: str, limit: int = 20) -> list[ChannelMatch]:
        """Groups and channels of the user, and public channels of the user's workspaces, with `text` in the title.

        Those that begin with it come first, archived ones last.
        """
        title_key = conversations.c.title_key
        rank = case((begins(title_key, text), 0), else_=1) + case((conversations.c.archived, 2), else_=0)
        named_so = contains(title_key, text) & (conversations.c.kind != ConversationKind.DIRECT)
        my_workspaces = select(workspace_members.c.workspace_id).where(workspace_members.c.user_id == user_id)
        own = memberships.c.user_id.is_not(None)
        public = conversations.c.workspace_id.in_(my_workspaces) & conversations.c.private.is_(False)
        found = {}
        for visible in (own, public):  # one after the other: each has an index, their union has none
            statement = _with_joined(user_id).where(visible, named_so).add_columns(rank, title_key)
            for *row, joined, at, key in connection.execute(statement.order_by(rank, title_key).limit(limit)):
                conversation = ConversationRow(*row)
                found[at, key, conversation.conversation_id] = ChannelMatch(conversation, joined=joined)
        return [found[place] for place in sorted(found)[:limit]]


def _insert_row(connection: Connection, row: ConversationRow) -> bool:
    """False: a row with the same name, pair or import key is there."""
    title_key = fold(row.title)
    name_key = title_key if row.kind is ConversationKind.CHANNEL else None
    return insert_new(
        connection, conversations, msgspec.structs.asdict(row) | {"title_key": title_key, "name_key": name_key}
    )


def _name_taken(name: str) -> Conflict:
    return Conflict(f"the workspace has a channel named {name} already: choose another name")


def _stays_of(user_id: str) -> Select[Any]:
    """The user's stays, each with its conversation and cursor; `_of_user` reads its rows."""
    return (
        select(
            *CONVERSATION, ACTIVE_AT, memberships.c.role, memberships.c.joined_seq, memberships.c.left_seq, *CURSOR[2:]
        )
        .join_from(memberships, conversations, conversations.c.conversation_id == memberships.c.conversation_id)
        .join(activity, activity.c.conversation_id == memberships.c.conversation_id, isouter=True)
        .join(cursors, same_reader(), isouter=True)
        .where(memberships.c.user_id == user_id)
    )


def _newest_of(user_id: str, limit: int) -> Select[Any]:
    """Ids of the user's last active conversations: chosen before anything else of them is read."""
    return (
        select(memberships.c.conversation_id)
        .join_from(memberships, conversations, conversations.c.conversation_id == memberships.c.conversation_id)
        .join(activity, activity.c.conversation_id == memberships.c.conversation_id, isouter=True)
        .where(memberships.c.user_id == user_id, ACTIVE)
        .order_by(ACTIVE_AT.desc())
        .limit(limit)
    )


def _of_user(connection: Connection, statement: Select[Any], user_id: str) -> list[ConversationOfUser]:
    rows = []
    split = len(CONVERSATION)
    for values in connection.execute(statement):
        active_at, role, joined_seq, left_seq, *counts = values[split:]
        conversation = ConversationRow(*values[:split])
        cursor = Cursor(conversation.conversation_id, user_id, *(count or 0 for count in counts))
        rows.append(ConversationOfUser(conversation, role if left_seq is None else None, joined_seq, cursor, active_at))
    return rows


def _changes(connection: Connection, user_id: str, since_ms: int) -> list[Select[Any]]:
    """Statements that name what changed for the user, each (conversation_id, ms), newest first.

    What is active is found from the newest conversation on, or, where too many are active for
    that, from those that the user is in: the smaller of the two bounds the cost.
    """
    stays = select(memberships.c.conversation_id, memberships.c.changed_at).where(
        memberships.c.user_id == user_id, memberships.c.changed_at >= since_ms
    )
    read = select(cursors.c.conversation_id, cursors.c.changed_at).where(
        cursors.c.user_id == user_id, cursors.c.changed_at >= since_ms
    )
    active = (
        select(activity.c.conversation_id, activity.c.active_at)
        .where(activity.c.active_at >= since_ms)
        .order_by(activity.c.active_at.desc())
    )
    few = connection.execute(active.offset(WALK_MAX).limit(1)).first() is None
    recent = (active.limit(WALK_MAX) if few else active.order_by(None)).subquery()
    mine = and_(memberships.c.conversation_id == recent.c.conversation_id, memberships.c.user_id == user_id, ACTIVE)
    return [
        stays.order_by(memberships.c.changed_at.desc()),
        read.order_by(cursors.c.changed_at.desc()),
        select(recent).join(memberships, mine).order_by(recent.c.active_at.desc()),
    ]


def _with_joined(user_id: str) -> Select[Any]:
    """Conversations, each with whether the user is in it."""
    mine = and_(
        memberships.c.conversation_id == conversations.c.conversation_id, memberships.c.user_id == user_id, ACTIVE
    )
    return select(*CONVERSATION, memberships.c.user_id.is_not(None)).join_from(
        conversations, memberships, mine, isouter=True
    )
