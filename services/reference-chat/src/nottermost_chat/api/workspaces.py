"""/api/workspaces: workspaces, members, teams, channels to join, imported users."""

from litestar import Router, delete, get, patch, post, put
from litestar.params import JSONBody

from nottermost_chat.actions import conversations, workspaces
from nottermost_chat.api.idempotency import idempotent
from nottermost_chat.api.params import After, Limit, PathId, Text
from nottermost_chat.api.request import ApiRequest, authenticate, check_query
from nottermost_chat.api.shapes import (
    ChannelRequest,
    ChannelView,
    ClaimLinkView,
    ConversationView,
    ImportedUserView,
    RoleRequest,
    TeamRequest,
    TeamView,
    WorkspaceMemberRequest,
    WorkspaceMemberView,
    WorkspaceRequest,
    WorkspaceView,
)


@post("/")
@idempotent
async def create_workspace(request: ApiRequest, data: JSONBody[WorkspaceRequest]) -> WorkspaceView:
    """Make a workspace; the caller owns it."""
    return await workspaces.create_workspace(request.services, request.caller_id, data.name)


@get("/")
async def list_workspaces(request: ApiRequest) -> list[WorkspaceView]:
    """The caller's workspaces."""
    return await workspaces.list_workspaces(request.services, request.caller_id)


@get("/{workspace_id:str}")
async def get_workspace(request: ApiRequest, workspace_id: PathId) -> WorkspaceView:
    """One of the caller's workspaces."""
    return await workspaces.get_workspace(request.services, request.caller_id, workspace_id)


# --- members ----------------------------------------------------------------------------------


@get("/{workspace_id:str}/members")
async def list_workspace_members(
    request: ApiRequest, workspace_id: PathId, after: After = "", limit: Limit = 100
) -> list[WorkspaceMemberView]:
    """A page of members, by user id."""
    return await workspaces.list_members(request.services, request.caller_id, workspace_id, after=after, limit=limit)


@post("/{workspace_id:str}/members")
@idempotent
async def add_workspace_member(
    request: ApiRequest, workspace_id: PathId, data: JSONBody[WorkspaceMemberRequest]
) -> WorkspaceMemberView:
    """Add the account with this e-mail address."""
    return await workspaces.add_member(request.services, request.caller_id, workspace_id, data.email, data.role)


@patch("/{workspace_id:str}/members/{user_id:str}")
async def change_workspace_role(
    request: ApiRequest, workspace_id: PathId, user_id: PathId, data: JSONBody[RoleRequest]
) -> WorkspaceMemberView:
    """Give a member another role."""
    return await workspaces.change_role(request.services, request.caller_id, workspace_id, user_id, data.role)


@delete("/{workspace_id:str}/members/{user_id:str}")
async def remove_workspace_member(request: ApiRequest, workspace_id: PathId, user_id: PathId) -> None:
    """Remove a member, or oneself, from the workspace and all of its conversations."""
    await workspaces.remove_member(request.services, request.caller_id, workspace_id, user_id)


# --- teams ------------------------------------------------------------------------------------


@get("/{workspace_id:str}/teams")
async def list_teams(request: ApiRequest, workspace_id: PathId) -> list[TeamView]:
    """Named sets of members."""
    return await workspaces.list_teams(request.services, request.caller_id, workspace_id)


@post("/{workspace_id:str}/teams")
@idempotent
async def create_team(request: ApiRequest, workspace_id: PathId, data: JSONBody[TeamRequest]) -> TeamView:
    """Make a team."""
    return await workspaces.create_team(request.services, request.caller_id, workspace_id, data.name, data.member_ids)


@put("/{workspace_id:str}/teams/{team_id:str}")
async def change_team(
    request: ApiRequest, workspace_id: PathId, team_id: PathId, data: JSONBody[TeamRequest]
) -> TeamView:
    """Replace a team's name and members."""
    return await workspaces.change_team(
        request.services, request.caller_id, workspace_id, team_id, data.name, data.member_ids
    )


@delete("/{workspace_id:str}/teams/{team_id:str}")
async def delete_team(request: ApiRequest, workspace_id: PathId, team_id: PathId) -> None:
    """Dissolve a team; its members stay where they are."""
    await workspaces.delete_team(request.services, request.caller_id, workspace_id, team_id)


# --- channels ---------------------------------------------------------------------------------


@get("/{workspace_id:str}/channels")
async def browse_channels(
    request: ApiRequest, workspace_id: PathId, q: Text = "", after: After = "", limit: Limit = 100
) -> list[ChannelView]:
    """Public channels and the caller's own, by name."""
    return await workspaces.browse_channels(
        request.services, request.caller_id, workspace_id, text=q, after=after, limit=limit
    )


@post("/{workspace_id:str}/channels")
@idempotent
async def create_channel(request: ApiRequest, workspace_id: PathId, data: JSONBody[ChannelRequest]) -> ConversationView:
    """Make a channel."""
    created = await conversations.create_channel(request.services, request.caller_id, workspace_id, data)
    return await conversations.get_conversation(request.services, request.caller_id, created)


# --- users who came with an import ------------------------------------------------------------


@get("/{workspace_id:str}/imported-users")
async def list_imported_users(request: ApiRequest, workspace_id: PathId) -> list[ImportedUserView]:
    """Those whom nobody has claimed yet."""
    return await workspaces.list_imported_users(request.services, request.caller_id, workspace_id)


@post("/{workspace_id:str}/imported-users/{user_id:str}/claim")
@idempotent
async def create_claim_link(request: ApiRequest, workspace_id: PathId, user_id: PathId) -> ClaimLinkView:
    """A link with which the user takes the account over, once."""
    return await workspaces.create_claim_link(request.services, request.caller_id, workspace_id, user_id)


workspace_routes = Router(
    path="/api/workspaces",
    guards=[authenticate, check_query],
    security=[{"bearer": []}],
    route_handlers=[
        create_workspace, list_workspaces, get_workspace, list_workspace_members, add_workspace_member,
        change_workspace_role, remove_workspace_member, list_teams, create_team, change_team, delete_team,
        browse_channels, create_channel, list_imported_users, create_claim_link,
    ],
    tags=["workspaces"],
)  # fmt: skip
