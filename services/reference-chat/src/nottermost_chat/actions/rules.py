"""Who may do what, as functions of values."""

from collections.abc import Mapping

from nottermost_chat.directory import ConversationRow
from nottermost_chat.model import ConversationKind, Member, Role

WORKSPACE_ADMINS = frozenset({Role.OWNER, Role.ADMIN})
WORKSPACE_MEMBERS = frozenset({Role.OWNER, Role.ADMIN, Role.MEMBER})  # everybody but guests


def may_know_of(conversation: ConversationRow, *, joined: bool, workspace_role: Role | None) -> bool:
    """Public channels exist for all of their workspace but guests; everything else for its members only."""
    return joined or (_is_public(conversation) and workspace_role in WORKSPACE_MEMBERS)


def may_join(conversation: ConversationRow, workspace_role: Role | None) -> bool:
    """Without an invite."""
    return _is_public(conversation) and workspace_role in WORKSPACE_MEMBERS


def _is_public(conversation: ConversationRow) -> bool:
    return conversation.kind is ConversationKind.CHANNEL and not conversation.private


def may_administer(conversation: ConversationRow, role: Role | None, workspace_role: Role | None) -> bool:
    """Rename, archive, remove members, give roles: admins of it, and for channels those of the workspace."""
    return role is Role.ADMIN or (conversation.kind is ConversationKind.CHANNEL and workspace_role in WORKSPACE_ADMINS)


def may_give_workspace_role(giver: Role | None, current: Role | None, wanted: Role | None) -> bool:
    """Owners change everybody; admins everybody but owners, and nobody into one. None: not a member."""
    if giver is Role.OWNER:
        return True
    return giver is Role.ADMIN and Role.OWNER not in (current, wanted)


def is_last_admin(members: Mapping[str, Member], user_id: str) -> bool:
    """Whether nobody administers once this user does not."""
    return {member.user_id for member in members.values() if member.role is Role.ADMIN} == {user_id}


def first_readable_seq(kind: ConversationKind, joined_seq: int) -> int:
    """New members see all of a channel's history, and a group's from their join."""
    return joined_seq if kind is ConversationKind.GROUP else 0
