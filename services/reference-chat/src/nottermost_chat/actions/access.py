"""The caller's place in a conversation or a workspace: looked up first by nearly every action."""

import msgspec

from nottermost_chat.actions.rules import first_readable_seq, may_administer, may_know_of
from nottermost_chat.directory import ConversationOfUser, ConversationRow
from nottermost_chat.errors import Forbidden, NotAMember, NotFound
from nottermost_chat.model import Role
from nottermost_chat.services import Services


class Access(msgspec.Struct, frozen=True):
    """A conversation that the caller may know of; `role` None: not a member."""

    conversation: ConversationRow
    role: Role | None
    workspace_role: Role | None

    @property
    def joined(self) -> bool:
        return self.role is not None


async def require_member(services: Services, caller_id: str, conversation_id: str) -> ConversationOfUser:
    """The caller's membership, in one query.

    Raises: NotAMember for public channels of the caller's workspaces, NotFound for all others.
    """
    found = await services.directory.conversations.list_of(caller_id, [conversation_id])
    if found:
        return found[0]
    await look_up(services, caller_id, conversation_id)
    raise NotAMember(f"you are not a member of conversation {conversation_id}: join it first")


async def look_up(services: Services, caller_id: str, conversation_id: str) -> Access:
    """Raises NotFound when there is no such conversation, or none that the caller may know of."""
    directory = services.directory
    conversation = await directory.conversations.get(conversation_id)
    if conversation is not None:
        members = await directory.conversations.among(conversation_id, [caller_id])
        role = members[caller_id].role if caller_id in members else None
        workspace_role = await _role_in(services, conversation.workspace_id, caller_id)
        if may_know_of(conversation, joined=role is not None, workspace_role=workspace_role):
            return Access(conversation, role, workspace_role)
    raise NotFound(f"there is no conversation {conversation_id}, or none that you may see")


async def require_admin(services: Services, caller_id: str, conversation_id: str) -> Access:
    """Raises NotFound, or Forbidden when the caller does not administer the conversation."""
    access = await look_up(services, caller_id, conversation_id)
    if not may_administer(access.conversation, access.role, access.workspace_role):
        raise Forbidden(f"only admins of conversation {conversation_id} may do this")
    return access


async def require_workspace_role(
    services: Services, caller_id: str, workspace_id: str, roles: frozenset[Role] = frozenset(Role)
) -> Role:
    """The caller's role in the workspace. Raises NotFound for strangers, Forbidden for another role."""
    role = await services.directory.workspaces.role_of(workspace_id, caller_id)
    if role is None:
        raise NotFound(f"there is no workspace {workspace_id}, or none that you may see")
    if role not in roles:
        raise Forbidden(f"you are {role} of the workspace; this needs one of: {', '.join(sorted(roles))}")
    return role


async def _role_in(services: Services, workspace_id: str | None, user_id: str) -> Role | None:
    return None if workspace_id is None else await services.directory.workspaces.role_of(workspace_id, user_id)


def floor_seq(place: ConversationOfUser) -> int:
    """Nothing at or below it may be shown to the member."""
    return max(0, first_readable_seq(place.conversation.kind, place.joined_seq) - 1)
