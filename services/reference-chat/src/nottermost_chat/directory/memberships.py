"""Who is in which conversation: a projection of the log's membership entries."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, false, func, literal_column, select, true, update

from nottermost_chat.directory.cursors import note_activity, put_cursors
from nottermost_chat.directory.engine import Noun, reads, upserts
from nottermost_chat.directory.queries import chunks, fetch, fetch_in, fetch_one, one_of
from nottermost_chat.directory.rows import CONVERSATION, MEMBER, ConversationRow
from nottermost_chat.directory.tables import (
    administers,
    conversations,
    fold,
    memberships,
    team_members,
    teams,
    users,
    workspaces,
)
from nottermost_chat.errors import NotFound
from nottermost_chat.model import ConversationSettings, Entry, EntryKind, Member, Role
from nottermost_chat.ports import Cursor, Picture

ACTIVE = memberships.c.left_seq.is_(None)
# Members in one transaction, some 200 ms: a crash may leave entries with a hundred times that.
CHANGES_MAX: Final = 1_000


class AppliedMemberships(Noun):
    """The `Memberships` port."""

    @reads
    def picture(self, connection: Connection, conversation_id: str) -> Picture | None:
        """The conversation with its active members as applied so far; None: there is none."""
        return _picture(connection, conversation_id, true())

    @reads
    def excerpt(
        self, connection: Connection, conversation_id: str, user_ids: Sequence[str], *, eldest: int
    ) -> Picture | None:
        """Only these of the members; with `eldest` also the admins and, unless those are as many, who joined first."""
        picture = _picture(connection, conversation_id, false())
        if picture is None:
            return None
        members = active_among(connection, conversation_id, user_ids)
        if eldest:
            here = select(*MEMBER).where(memberships.c.conversation_id == conversation_id)
            found = fetch(connection, here.where(administers), Member)
            if len(found) < eldest:
                by_age = here.where(ACTIVE).order_by(memberships.c.joined_seq, memberships.c.user_id)
                found += fetch(connection, by_age.limit(literal_column(str(eldest))), Member)  # a plan for few rows
            members |= {member.user_id: member for member in found}
        return msgspec.structs.replace(picture, members=members)

    async def apply(self, entries: Sequence[Entry]) -> None:
        """Apply membership entries of one conversation, in order; those applied before are passed over.

        Raises: NotFound when the directory has no such conversation.
        """
        for part in _parts([entry for entry in entries if entry.kind is EntryKind.MEMBERSHIP]):
            await self._apply(part)

    @upserts
    def _apply(self, connection: Connection, membership: Sequence[Entry]) -> None:
        row = locked(connection, membership[0].conversation_id)
        new = [entry for entry in membership if entry.position > (row.members_epoch, row.members_seq)]
        if not new:
            return
        now, settings = self._clock.now_ms(), _merged(new)
        applied = [_apply_changes(connection, entry, now) for entry in new]
        if "title" in settings:
            settings["title_key"] = fold(settings["title"])
        values = settings | {
            "members_epoch": new[-1].epoch,
            "members_seq": new[-1].seq,
            "member_count": row.member_count + sum(grown for grown, _ in applied),
        }
        here = conversations.c.conversation_id == row.conversation_id
        connection.execute(update(conversations).where(here).values(values))
        put_cursors(connection, [cursor for _, first in applied for cursor in first], now)
        note_activity(connection, {row.conversation_id: now})

    @reads
    def among(self, connection: Connection, conversation_id: str, user_ids: Sequence[str]) -> dict[str, Member]:
        """Those of the users who are in the conversation."""
        return active_among(connection, conversation_id, user_ids)

    @reads
    def of_user(self, connection: Connection, user_id: str, conversation_ids: Sequence[str]) -> dict[str, Member]:
        """Those of the conversations that the user is in."""
        stays = select(memberships.c.conversation_id, *MEMBER).where(memberships.c.user_id == user_id, ACTIVE)
        column = memberships.c.conversation_id
        parts = (connection.execute(stays.where(one_of(connection, column, part))) for part in chunks(conversation_ids))
        return {row[0]: Member(*row[1:]) for part in parts for row in part}

    @reads
    def mentioned(self, connection: Connection, conversation_id: str, names: Sequence[str]) -> list[str]:
        """User ids of the active members whom these user or team names (without @, any case) stand for."""
        active = select(memberships.c.user_id).where(memberships.c.conversation_id == conversation_id, ACTIVE)
        in_its_teams = (
            select(team_members.c.user_id)
            .join_from(team_members, teams)
            .join(conversations, conversations.c.workspace_id == teams.c.workspace_id)
            .where(conversations.c.conversation_id == conversation_id)
        )
        found: set[str] = set()
        for part in chunks(fold(name) for name in names):
            by_name = select(users.c.user_id).where(users.c.username_key.in_(part))
            by_team = in_its_teams.where(teams.c.name_key.in_(part))
            for meant in (by_name, by_team):
                found.update(connection.scalars(active.where(memberships.c.user_id.in_(meant))))
        return sorted(found)

    @upserts
    def raise_cursors(self, connection: Connection, cursors: Sequence[Cursor]) -> None:
        """Raise read and delivered cursors; a lower one changes nothing."""
        put_cursors(connection, cursors, self._clock.now_ms())


def _picture(connection: Connection, conversation_id: str, wanted: ColumnElement[bool]) -> Picture | None:
    """The conversation with those of its active members for whom the condition holds."""
    statement = (
        select(func.coalesce(workspaces.c.tier, "standard"), *CONVERSATION)
        .join_from(conversations, workspaces, isouter=True)
        .where(conversations.c.conversation_id == conversation_id)
    )
    found: Any = connection.execute(statement).first()
    if found is None:
        return None
    tier, row = found[0], ConversationRow(*found[1:])
    active = select(*MEMBER).where(memberships.c.conversation_id == conversation_id, ACTIVE, wanted)
    return Picture(
        conversation_id=conversation_id,
        kind=row.kind,
        workspace_id=row.workspace_id,
        tier=tier,
        settings=ConversationSettings(row.title, row.topic, row.purpose, row.archived),
        members_seq=row.members_seq,
        members={member.user_id: member for member in fetch(connection, active, Member)},
    )


def locked(connection: Connection, conversation_id: str) -> ConversationRow:
    """The conversation, for a change of its members: those wait for each other. Raises NotFound."""
    statement = (
        select(*CONVERSATION).where(conversations.c.conversation_id == conversation_id).with_for_update(key_share=True)
    )
    row = fetch_one(connection, statement, ConversationRow)
    if row is None:
        raise NotFound(f"there is no conversation {conversation_id}")
    return row


def active_among(connection: Connection, conversation_id: str, user_ids: Sequence[str]) -> dict[str, Member]:
    """Those of the users who are in the conversation."""
    active = select(*MEMBER).where(memberships.c.conversation_id == conversation_id, ACTIVE)
    found = fetch_in(connection, active, memberships.c.user_id, user_ids, Member)
    return {member.user_id: member for member in found}


def _parts(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """The entries, as many together as one transaction can apply in time."""
    part: list[Entry] = []
    changes = 0
    for entry in entries:
        if part and changes + len(entry.detail.changes) > CHANGES_MAX:
            yield part
            part, changes = [], 0
        part.append(entry)
        changes += len(entry.detail.changes)
    if part:
        yield part


def _merged(entries: Sequence[Entry]) -> dict[str, Any]:
    """What the entries together change of the settings."""
    every = (msgspec.structs.asdict(entry.detail.settings) for entry in entries if entry.detail.settings)
    return {name: value for settings in every for name, value in settings.items() if value is not None}


def _apply_changes(connection: Connection, entry: Entry, now: int) -> tuple[int, list[Cursor]]:
    """End, begin and change stays. The last change of a user counts.

    Returns: by how many the members have grown, and where those who joined begin: what was said before is not unread.
    """
    wanted = {change.user_id: change.role for change in entry.detail.changes}
    active = active_among(connection, entry.conversation_id, [*wanted])
    left = [user_id for user_id in active if wanted[user_id] is None]
    joined = {user_id: role for user_id, role in wanted.items() if role is not None and user_id not in active}
    _change_stays(connection, entry.conversation_id, left, {"left_seq": entry.seq, "changed_at": now})
    for role in Role:
        changed = [user_id for user_id, member in active.items() if wanted[user_id] is role and member.role is not role]
        _change_stays(connection, entry.conversation_id, changed, {"role": role, "changed_at": now})
    _begin_stays(connection, entry, joined, now)
    read = entry.seq, entry.messages, entry.channel_mentions
    return len(joined) - len(left), [Cursor(entry.conversation_id, user_id, *read) for user_id in joined]


def _change_stays(
    connection: Connection, conversation_id: str, user_ids: Sequence[str], values: dict[str, Any]
) -> None:
    for part in chunks(user_ids):
        theirs = (memberships.c.conversation_id == conversation_id) & memberships.c.user_id.in_(part)
        connection.execute(update(memberships).where(theirs, ACTIVE).values(values))


def _begin_stays(connection: Connection, entry: Entry, joined: dict[str, Role], now: int) -> None:
    stay = {"conversation_id": entry.conversation_id, "joined_seq": entry.seq, "left_seq": None, "changed_at": now}
    rows = [{"user_id": user_id, "role": role} | stay for user_id, role in joined.items()]
    if rows:
        connection.execute(memberships.insert(), rows)
