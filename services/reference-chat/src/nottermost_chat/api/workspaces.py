"""/api/workspaces: workspaces, members, teams, channels to join, imported users."""

from litestar import Router, delete, get, patch, post, put
from litestar.params import JSONBody

from nottermost_chat.actions import conversations, workspaces
from nottermost_chat.api import shapes
from nottermost_chat.api.idempotency import idempotent
from nottermost_chat.api.params import After, Limit, PathId, Text
from nottermost_chat.api.request import ApiRequest


@post("/")
@idempotent
async def create_workspace(request: ApiRequest, data: JSONBody[shapes.WorkspaceRequest]) -> shapes.WorkspaceView:
    """Make a workspace; the caller owns it."""
    return await workspaces.create_workspace(*request.who, data.name)


@get("/")
async def list_workspaces(request: ApiRequest) -> list[shapes.WorkspaceView]:
    """The caller's workspaces."""
    return await workspaces.list_workspaces(*request.who)


@get("/{workspace_id:str}")
async def get_workspace(request: ApiRequest, workspace_id: PathId) -> shapes.WorkspaceView:
    """One of the caller's workspaces."""
    return await workspaces.get_workspace(*request.who, workspace_id)


# --- members ----------------------------------------------------------------------------------


@get("/{workspace_id:str}/members")
async def list_workspace_members(
    request: ApiRequest, workspace_id: PathId, after: After = "", limit: Limit = 100
) -> list[shapes.WorkspaceMemberView]:
    """A page of members, by user id."""
    return await workspaces.list_members(*request.who, workspace_id, after=after, limit=limit)


@post("/{workspace_id:str}/members")
@idempotent
async def add_workspace_member(
    request: ApiRequest, workspace_id: PathId, data: JSONBody[shapes.WorkspaceMemberRequest]
) -> shapes.WorkspaceMemberView:
    """Add the account with this e-mail address."""
    return await workspaces.add_member(*request.who, workspace_id, data.email, data.role)


@patch("/{workspace_id:str}/members/{user_id:str}")
async def change_workspace_role(
    request: ApiRequest, workspace_id: PathId, user_id: PathId, data: JSONBody[shapes.RoleRequest]
) -> shapes.WorkspaceMemberView:
    """Give a member another role."""
    return await workspaces.change_role(*request.who, workspace_id, user_id, data.role)


@delete("/{workspace_id:str}/members/{user_id:str}")
async def remove_workspace_member(request: ApiRequest, workspace_id: PathId, user_id: PathId) -> None:
    """Remove a member, or oneself, from the workspace and all of its conversations."""
    await workspaces.remove_member(*request.who, workspace_id, user_id)


# --- teams ------------------------------------------------------------------------------------


@get("/{workspace_id:str}/teams")
async def list_teams(request: ApiRequest, workspace_id: PathId) -> list[shapes.TeamView]:
    """Named sets of members."""
    return await workspaces.list_teams(*request.who, workspace_id)


@post("/{workspace_id:str}/teams")
@idempotent
async def create_team(request: ApiRequest, workspace_id: PathId, data: JSONBody[shapes.TeamRequest]) -> shapes.TeamView:
    """Make a team."""
    return await workspaces.create_team(*request.who, workspace_id, data.name, data.member_ids)


@put("/{workspace_id:str}/teams/{team_id:str}")
async def change_team(
    request: ApiRequest, workspace_id: PathId, team_id: PathId, data: JSONBody[shapes.TeamRequest]
) -> shapes.TeamView:
    """Replace a team's name and members."""
    return await workspaces.change_team(*request.who, workspace_id, team_id, data.name, data.member_ids)


@delete("/{workspace_id:str}/teams/{team_id:str}")
async def delete_team(request: ApiRequest, workspace_id: PathId, team_id: PathId) -> None:
    """Dissolve a team; its members stay where they are."""
    await workspaces.delete_team(*request.who, workspace_id, team_id)


# --- channels ---------------------------------------------------------------------------------


@get("/{workspace_id:str}/channels")
async def browse_channels(
    request: ApiRequest, workspace_id: PathId, q: Text = "", after: After = "", limit: Limit = 100
) -> list[shapes.ChannelView]:
    """Public channels and the caller's own, by name."""
    return await workspaces.browse_channels(*request.who, workspace_id, text=q, after=after, limit=limit)


@post("/{workspace_id:str}/channels")
@idempotent
async def create_channel(
    request: ApiRequest, workspace_id: PathId, data: JSONBody[shapes.ChannelRequest]
) -> shapes.ConversationView:
    """Make a channel."""
    created = await conversations.create_channel(*request.who, workspace_id, data)
    return await conversations.get_conversation(*request.who, created)


# --- users who came with an import ------------------------------------------------------------


@get("/{workspace_id:str}/imported-users")
async def list_imported_users(request: ApiRequest, workspace_id: PathId) -> list[shapes.ImportedUserView]:
    """Those whom nobody has claimed yet."""
    return await workspaces.list_imported_users(*request.who, workspace_id)


@post("/{workspace_id:str}/imported-users/{user_id:str}/claim")
@idempotent
async def create_claim_link(request: ApiRequest, workspace_id: PathId, user_id: PathId) -> shapes.ClaimLinkView:
    """A link with which the user takes the account over, once."""
    return await workspaces.create_claim_link(*request.who, workspace_id, user_id)


workspace_routes = Router(
    path="/api/workspaces",
    route_handlers=[
        create_workspace, list_workspaces, get_workspace, list_workspace_members, add_workspace_member,
        change_workspace_role, remove_workspace_member, list_teams, create_team, change_team, delete_team,
        browse_channels, create_channel, list_imported_users, create_claim_link,
    ],
    tags=["workspaces"],
)  # fmt: skip
