"""/api/chats: conversations, who is in them, invites, the quick switcher."""

from typing import Final

from litestar import Response, Router, delete, get, patch, post
from litestar.params import JSONBody

from nottermost_chat.actions import conversations
from nottermost_chat.api import shapes
from nottermost_chat.api.idempotency import idempotent
from nottermost_chat.api.params import After, Limit, OptionalTime, PathId, Text, parse_time
from nottermost_chat.api.request import ApiRequest
from nottermost_chat.model import Role

NO_INVITE: Final = shapes.JoinRequest()  # a public channel is joined without a body


@get("/conversations")
async def list_conversations(
    request: ApiRequest, changed_since: OptionalTime = ""
) -> list[shapes.ConversationView] | shapes.ConversationChanges:
    """The caller's conversations, last active first, at most 2,000; with `changed_since`, what has changed."""
    since = parse_time("changed_since", changed_since)
    if since is None:
        return await conversations.list_conversations(*request.who)
    since_ms = int(since.timestamp() * 1000)
    return await conversations.list_changes(*request.who, since_ms)


@post("/conversations/dm", status_code=200)
@idempotent
async def open_direct(request: ApiRequest, data: JSONBody[shapes.DmRequest]) -> Response[shapes.ConversationView]:
    """The direct conversation with a user: the same one every time."""
    opened, new = await conversations.open_direct(*request.who, data.other_user_id)
    view = await conversations.get_conversation(*request.who, opened)
    return Response(view, status_code=201 if new else 200)


@post("/conversations/group")
@idempotent
async def create_group(request: ApiRequest, data: JSONBody[shapes.GroupRequest]) -> shapes.ConversationView:
    """Make a private group of up to 100 members."""
    await request.limits.take_group_creation(request.caller_id)
    created = await conversations.create_group(*request.who, data.title, data.member_ids)
    return await conversations.get_conversation(*request.who, created)


@get("/conversations/{conversation_id:str}")
async def get_conversation(request: ApiRequest, conversation_id: PathId) -> shapes.ConversationView:
    """A conversation as the caller sees it."""
    return await conversations.get_conversation(*request.who, conversation_id)


@patch("/conversations/{conversation_id:str}")
async def change_conversation(
    request: ApiRequest, conversation_id: PathId, data: JSONBody[shapes.ConversationPatch]
) -> shapes.ConversationView:
    """Change title, topic or purpose, archive or unarchive."""
    await conversations.change_conversation(*request.who, conversation_id, data)
    return await conversations.get_conversation(*request.who, conversation_id)


# --- members ----------------------------------------------------------------------------------


@get("/conversations/{conversation_id:str}/members")
async def list_members(
    request: ApiRequest, conversation_id: PathId, after: After = "", limit: Limit = 100
) -> list[shapes.MemberView]:
    """A page of members, by user id."""
    return await conversations.list_members(*request.who, conversation_id, after=after, limit=limit)


@post("/conversations/{conversation_id:str}/members", status_code=200)
@idempotent
async def add_members(
    request: ApiRequest, conversation_id: PathId, data: JSONBody[shapes.AddMembersRequest]
) -> list[shapes.MemberView]:
    """Add users and teams to a channel; answers those who were added now."""
    return await conversations.add_members(*request.who, conversation_id, data.user_ids, data.team_ids)


@patch("/conversations/{conversation_id:str}/members/{user_id:str}")
async def change_role(
    request: ApiRequest, conversation_id: PathId, user_id: PathId, data: JSONBody[shapes.MemberRoleRequest]
) -> shapes.MemberView:
    """Make a member admin, or an admin member."""
    return await conversations.change_role(*request.who, conversation_id, user_id, Role(data.role))


@delete("/conversations/{conversation_id:str}/members/{user_id:str}")
async def remove_member(request: ApiRequest, conversation_id: PathId, user_id: PathId) -> None:
    """Remove a member, who sees nothing newer from then on."""
    await conversations.remove_member(*request.who, conversation_id, user_id)


@post("/conversations/{conversation_id:str}/leave", status_code=204)
async def leave(request: ApiRequest, conversation_id: PathId) -> None:
    """Leave a group or channel."""
    await conversations.leave(*request.who, conversation_id)


# --- invites ----------------------------------------------------------------------------------


@get("/invites")
async def list_invites(request: ApiRequest) -> list[shapes.InviteView]:
    """Those that wait for the caller's answer."""
    return await conversations.list_invites(*request.who)


@post("/conversations/{conversation_id:str}/invite")
@idempotent
async def invite(
    request: ApiRequest, conversation_id: PathId, data: JSONBody[shapes.InviteRequest]
) -> shapes.InviteView:
    """Invite a user to a group."""
    return await conversations.invite(*request.who, conversation_id, data.user_id)


@post("/conversations/{conversation_id:str}/join", status_code=200)
async def join(
    request: ApiRequest, conversation_id: PathId, data: JSONBody[shapes.JoinRequest] = NO_INVITE
) -> shapes.ConversationView:
    """Join a public channel, or a group by invite."""
    await conversations.join(*request.who, conversation_id, data.invite_id)
    return await conversations.get_conversation(*request.who, conversation_id)


@post("/conversations/{conversation_id:str}/decline", status_code=204)
async def decline(request: ApiRequest, conversation_id: PathId, data: JSONBody[shapes.DeclineRequest]) -> None:
    """Decline an invite."""
    await conversations.decline(*request.who, conversation_id, data.invite_id)


# --- the quick switcher -----------------------------------------------------------------------


@get("/search")
async def quick_search(request: ApiRequest, q: Text, limit: Limit = 20) -> list[shapes.QuickMatch]:
    """People and conversations by name; people also by e-mail address."""
    return await conversations.find_people_and_conversations(*request.who, q, limit)


chat_routes = Router(
    path="/api/chats",
    route_handlers=[
        list_conversations, open_direct, create_group, get_conversation, change_conversation, list_members, add_members,
        change_role, remove_member, leave, list_invites, invite, join, decline, quick_search,
    ],
    tags=["conversations"],
)  # fmt: skip
