"""Invites: who was asked into a conversation, and what became of it."""

from typing import Any

from sqlalchemy import Connection, Select, and_, case, func, select, update

from nottermost_chat.directory.engine import Noun, reads, writes_rows
from nottermost_chat.directory.memberships import active_among, locked
from nottermost_chat.directory.queries import fetch, fetch_one
from nottermost_chat.directory.rows import InviteRow
from nottermost_chat.directory.tables import InviteStatus, conversations, invites, pending
from nottermost_chat.errors import Conflict, GroupFull, InviteClosed, NotFound
from nottermost_chat.model import GROUP_MEMBERS_MAX, ConversationKind


class Invites(Noun):
    """One pending invite at most for each user and conversation; it ends by an answer or by time."""

    @reads
    def group_size(self, connection: Connection, conversation_id: str) -> int:
        """Members and invites that wait for an answer."""
        return _group_size(connection, conversation_id, self._clock.now_ms())

    @writes_rows
    def create_invite(
        self, connection: Connection, conversation_id: str, user_id: str, invited_by: str, *, valid_s: int
    ) -> InviteRow:
        """Invite a user; a pending invite is returned as it is.

        Raises: GroupFull when a group's members and pending invites are 100; Conflict when the user is in; NotFound.
        """
        now = self._clock.now_ms()
        row = locked(connection, conversation_id)
        if active_among(connection, conversation_id, [user_id]):
            raise Conflict(f"user {user_id} is in conversation {conversation_id} already")
        theirs = (invites.c.conversation_id == conversation_id) & (invites.c.user_id == user_id)
        over = theirs & pending & (invites.c.expires_at <= now)
        connection.execute(update(invites).where(over).values(status=InviteStatus.EXPIRED))
        if waiting := fetch_one(connection, _invites(now).where(theirs, pending), InviteRow):
            return waiting
        size = _group_size(connection, conversation_id, now)
        if row.kind is ConversationKind.GROUP and size >= GROUP_MEMBERS_MAX:
            raise GroupFull(conversation_id, size, GROUP_MEMBERS_MAX)
        invite = InviteRow(
            invite_id=self._clock.new_id(),
            conversation_id=conversation_id,
            user_id=user_id,
            invited_by=invited_by,
            status=InviteStatus.PENDING,
            created_at=now,
            expires_at=now + valid_s * 1000,
            title=row.title,
        )
        connection.execute(invites.insert().values({column.name: getattr(invite, column.name) for column in invites.c}))
        return invite

    @reads
    def invite(self, connection: Connection, invite_id: str) -> InviteRow | None:
        """One invite; `expired` as soon as its time is over."""
        return fetch_one(connection, _invites(self._clock.now_ms()).where(invites.c.invite_id == invite_id), InviteRow)

    @reads
    def invites_of(self, connection: Connection, user_id: str) -> list[InviteRow]:
        """Invites that wait for the user's answer, oldest first."""
        now = self._clock.now_ms()
        statement = _invites(now).where(invites.c.user_id == user_id, pending, invites.c.expires_at > now)
        return fetch(connection, statement.order_by(invites.c.created_at, invites.c.invite_id), InviteRow)

    @writes_rows
    def answer_invite(self, connection: Connection, invite_id: str, user_id: str, *, accept: bool) -> InviteRow:
        """Answer one's own invite, once. Raises NotFound, InviteClosed (answered already, or expired)."""
        now = self._clock.now_ms()
        status = InviteStatus.ACCEPTED if accept else InviteStatus.DECLINED
        mine = (invites.c.invite_id == invite_id) & (invites.c.user_id == user_id)
        waiting = mine & pending & (invites.c.expires_at > now)
        answered = connection.execute(update(invites).where(waiting).values(status=status)).rowcount
        row = fetch_one(connection, _invites(now).where(mine), InviteRow)
        if row is None:
            raise NotFound(f"there is no invite {invite_id} for you")
        if not answered:
            raise InviteClosed(f"this invite is {row.status} already: ask for a new one")
        return row


def _invites(now: int) -> Select[Any]:
    """Invites in the order of InviteRow's fields; a pending one whose time is over shows as expired."""
    over = and_(pending, invites.c.expires_at <= now)
    status = case((over, InviteStatus.EXPIRED), else_=invites.c.status)
    own = [status if column is invites.c.status else column for column in invites.c]
    return select(*own, conversations.c.title).join_from(invites, conversations)


def _group_size(connection: Connection, conversation_id: str, now: int) -> int:
    waiting = select(func.count()).where(
        invites.c.conversation_id == conversation_id, pending, invites.c.expires_at > now
    )
    members = select(conversations.c.member_count).where(conversations.c.conversation_id == conversation_id)
    return (connection.scalar(members) or 0) + (connection.scalar(waiting) or 0)
