"""Workspaces, their members and roles, teams, and users who came with an import."""

import asyncio

from nottermost_chat.actions.access import require_workspace_role
from nottermost_chat.actions.accounts import user_view
from nottermost_chat.actions.audit import noting
from nottermost_chat.actions.membership import append_departure
from nottermost_chat.actions.rules import WORKSPACE_ADMINS, may_give_workspace_role
from nottermost_chat.actions.signals import tell_changed
from nottermost_chat.api import shapes
from nottermost_chat.directory import AuditAction, AuditDetails, ChannelMatch, TeamRow, WorkspaceRow
from nottermost_chat.errors import Forbidden, NotFound
from nottermost_chat.model import ConversationKind, Role
from nottermost_chat.protocol import Own, to_time
from nottermost_chat.services import Services


def _workspace_view(workspace: WorkspaceRow, role: Role) -> shapes.WorkspaceView:
    return shapes.WorkspaceView(
        workspace_id=workspace.workspace_id,
        name=workspace.name,
        role=role,
        members=workspace.member_count,
        tier=workspace.tier,
    )


def _team_view(team: TeamRow) -> shapes.TeamView:
    return shapes.TeamView(team_id=team.team_id, name=team.name, member_ids=list(team.member_ids))


# --- workspaces -------------------------------------------------------------------------------


async def create_workspace(services: Services, caller_id: str, name: str) -> shapes.WorkspaceView:
    """The caller is its owner."""
    new_id = lambda made: str(made.workspace_id)  # noqa: E731
    directory = noting(services, caller_id, AuditAction.WORKSPACE_CREATED, new_id, workspace_id=new_id)
    workspace = await directory.workspaces.create(name, caller_id)
    await tell_changed(services, caller_id, Own.WORKSPACES)
    return _workspace_view(workspace, Role.OWNER)


async def list_workspaces(services: Services, caller_id: str) -> list[shapes.WorkspaceView]:
    """The caller's workspaces, by name."""
    return [_workspace_view(*found) for found in await services.directory.workspaces.of_user(caller_id)]


async def get_workspace(services: Services, caller_id: str, workspace_id: str) -> shapes.WorkspaceView:
    """Raises NotFound, also for strangers."""
    role = await require_workspace_role(services, caller_id, workspace_id)
    workspace = await services.directory.workspaces.get(workspace_id)
    assert workspace is not None, "it has members"
    return _workspace_view(workspace, role)


# --- members ----------------------------------------------------------------------------------


async def list_members(
    services: Services, caller_id: str, workspace_id: str, *, after: str, limit: int
) -> list[shapes.WorkspaceMemberView]:
    """A page of members by user id. Raises NotFound for strangers."""
    await require_workspace_role(services, caller_id, workspace_id)
    members = await services.directory.workspaces.members(workspace_id, after=after, limit=limit)
    return [shapes.WorkspaceMemberView(user=user_view(member.user), role=member.role) for member in members]


async def add_member(
    services: Services, caller_id: str, workspace_id: str, email: str, role: Role
) -> shapes.WorkspaceMemberView:
    """Add the account with this e-mail address; who is in already keeps the role they have.

    Raises NotFound when nobody has the address, Forbidden.
    """
    caller_role = await require_workspace_role(services, caller_id, workspace_id, WORKSPACE_ADMINS)
    _check_may_give(caller_role, None, role)
    user = await services.directory.accounts.by_email(email)
    if user is None or user.deleted:
        raise NotFound("nobody here has this e-mail address: ask them to register first")
    directory = noting(
        services, caller_id, AuditAction.WORKSPACE_MEMBER_ADDED, list, workspace_id=workspace_id,
        details=AuditDetails(role=role),
    )  # fmt: skip
    if await directory.workspaces.add_members(workspace_id, [user.user_id], role):
        await tell_changed(services, user.user_id, Own.WORKSPACES)
    current = await services.directory.workspaces.role_of(workspace_id, user.user_id)
    return shapes.WorkspaceMemberView(user=user_view(user), role=current or role)


async def change_role(
    services: Services, caller_id: str, workspace_id: str, user_id: str, role: Role
) -> shapes.WorkspaceMemberView:
    """Raises Forbidden, NotFound, and Conflict when no owner would be left."""
    caller_role = await require_workspace_role(services, caller_id, workspace_id, WORKSPACE_ADMINS)
    was = await _role_of_other(services, workspace_id, user_id)
    _check_may_give(caller_role, was, role)
    directory = noting(
        services, caller_id, AuditAction.WORKSPACE_ROLE_CHANGED, user_id, workspace_id=workspace_id,
        details=AuditDetails(role=role, was=was),
    )  # fmt: skip
    await directory.workspaces.set_role(workspace_id, user_id, role)
    await tell_changed(services, user_id, Own.WORKSPACES)
    users = await services.directory.accounts.users([user_id])
    return shapes.WorkspaceMemberView(user=user_view(users[user_id]), role=role)


async def remove_member(services: Services, caller_id: str, workspace_id: str, user_id: str) -> None:
    """Remove a member (or oneself) from the workspace, its teams and its conversations.

    Raises Forbidden, NotFound, and Conflict when no owner would be left.
    """
    caller_role = await require_workspace_role(services, caller_id, workspace_id)
    role = await services.directory.workspaces.role_of(workspace_id, user_id)
    if user_id != caller_id:
        _check_may_give(caller_role, role, None)
    action, was = AuditAction.WORKSPACE_MEMBER_REMOVED, AuditDetails(was=role or "")
    directory = noting(services, caller_id, action, user_id, workspace_id=workspace_id, details=was)
    if await directory.workspaces.remove_member(workspace_id, user_id):
        await tell_changed(services, user_id, Own.WORKSPACES)
    conversations = await services.directory.conversations.in_workspace(user_id, workspace_id)
    if role is None and not conversations:  # a removal that a crash cut short leaves conversations to do
        raise NotFound(f"user {user_id} is not in the workspace")
    await asyncio.gather(*(append_departure(services, caller_id, each, user_id) for each in conversations))


async def _role_of_other(services: Services, workspace_id: str, user_id: str) -> Role:
    role = await services.directory.workspaces.role_of(workspace_id, user_id)
    if role is None:
        raise NotFound(f"user {user_id} is not in the workspace")
    return role


def _check_may_give(giver: Role, current: Role | None, wanted: Role | None) -> None:
    if not may_give_workspace_role(giver, current, wanted):
        raise Forbidden("only admins manage members, and only owners make, change or remove owners")


# --- teams ------------------------------------------------------------------------------------


async def list_teams(services: Services, caller_id: str, workspace_id: str) -> list[shapes.TeamView]:
    """All teams, by name. Raises NotFound for strangers."""
    await require_workspace_role(services, caller_id, workspace_id)
    return [_team_view(team) for team in await services.directory.workspaces.teams(workspace_id)]


async def create_team(
    services: Services, caller_id: str, workspace_id: str, name: str, member_ids: list[str]
) -> shapes.TeamView:
    """Raises Forbidden, Conflict for a name that is taken, NotFound for who is not in the workspace."""
    await require_workspace_role(services, caller_id, workspace_id, WORKSPACE_ADMINS)
    return _team_view(await services.directory.workspaces.create_team(workspace_id, name, member_ids))


async def change_team(
    services: Services, caller_id: str, workspace_id: str, team_id: str, name: str, member_ids: list[str]
) -> shapes.TeamView:
    """Replace name and members. Raises as `create_team`."""
    await require_workspace_role(services, caller_id, workspace_id, WORKSPACE_ADMINS)
    return _team_view(await services.directory.workspaces.change_team(workspace_id, team_id, name, member_ids))


async def delete_team(services: Services, caller_id: str, workspace_id: str, team_id: str) -> None:
    """Raises Forbidden, NotFound."""
    await require_workspace_role(services, caller_id, workspace_id, WORKSPACE_ADMINS)
    if not await services.directory.workspaces.delete_team(workspace_id, team_id):
        raise NotFound(f"the workspace has no team {team_id}")


# --- channels to join -------------------------------------------------------------------------


async def browse_channels(
    services: Services, caller_id: str, workspace_id: str, *, text: str, after: str, limit: int
) -> list[shapes.ChannelView]:
    """Public channels and the caller's own, by name, after that name; guests find only their own."""
    role = await require_workspace_role(services, caller_id, workspace_id)
    if role is Role.GUEST:
        found = await _own_channels(services, caller_id, workspace_id, text)
        found = [match for match in found if match.conversation.title.casefold() > after.casefold()][:limit]
    else:
        found = await services.directory.conversations.browse(
            workspace_id, caller_id, text=text, after=after, limit=limit
        )
    return [_channel_view(match) for match in found]


async def _own_channels(services: Services, caller_id: str, workspace_id: str, text: str) -> list[ChannelMatch]:
    places = await services.directory.conversations.list_of(caller_id)
    channels = [place.conversation for place in places if place.conversation.workspace_id == workspace_id]
    matching = [
        row for row in channels if row.kind is ConversationKind.CHANNEL and text.casefold() in row.title.casefold()
    ]
    return [ChannelMatch(row, joined=True) for row in sorted(matching, key=lambda row: row.title.casefold())]


def _channel_view(match: ChannelMatch) -> shapes.ChannelView:
    channel = match.conversation
    return shapes.ChannelView(
        conversation_id=channel.conversation_id,
        title=channel.title,
        topic=channel.topic,
        purpose=channel.purpose,
        private=channel.private,
        archived=channel.archived,
        joined=match.joined,
        members=channel.member_count,
    )


# --- users who came with an import ------------------------------------------------------------


async def list_imported_users(services: Services, caller_id: str, workspace_id: str) -> list[shapes.ImportedUserView]:
    """Those who are not claimed yet. Raises Forbidden."""
    await require_workspace_role(services, caller_id, workspace_id, WORKSPACE_ADMINS)
    users = await services.directory.workspaces.imported_users(workspace_id)
    return [shapes.ImportedUserView(user=user_view(user), email=user.email) for user in users]


async def create_claim_link(
    services: Services, caller_id: str, workspace_id: str, user_id: str
) -> shapes.ClaimLinkView:
    """A link with which an imported user takes the account over, once. Raises Forbidden, NotFound."""
    caller_role = await require_workspace_role(services, caller_id, workspace_id, WORKSPACE_ADMINS)
    _check_may_give(caller_role, await _role_of_other(services, workspace_id, user_id), None)
    valid_s = services.settings.invite_s
    directory = noting(services, caller_id, AuditAction.CLAIM_LINK_CREATED, user_id, workspace_id=workspace_id)
    token = await directory.accounts.create_claim(user_id, valid_s=valid_s)
    expires_at = services.clock.now_ms() + valid_s * 1000
    return shapes.ClaimLinkView(claim_token=token, url=f"/claim#token={token}", expires_at=to_time(expires_at))
