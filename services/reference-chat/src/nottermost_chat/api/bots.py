"""/api/workspaces/{id}/bots: for admins; /api/bots/session: for whoever holds a token."""

from litestar import Router, delete, get, post
from litestar.params import JSONBody

from nottermost_chat.actions import bots
from nottermost_chat.api import shapes
from nottermost_chat.api.idempotency import idempotent
from nottermost_chat.api.params import PathId
from nottermost_chat.api.request import ApiRequest


@post("/")
@idempotent
async def create_bot(request: ApiRequest, workspace_id: PathId, data: JSONBody[shapes.BotRequest]) -> shapes.UserView:
    """Make an account that a program acts as."""
    return await bots.create(*request.who, workspace_id, data)


@get("/")
async def list_bots(request: ApiRequest, workspace_id: PathId) -> list[shapes.UserView]:
    """The workspace's bots."""
    return await bots.list_all(*request.who, workspace_id)


@delete("/{bot_id:str}")
async def remove_bot(request: ApiRequest, workspace_id: PathId, bot_id: PathId) -> None:
    """The bot leaves its conversations, and its tokens end at once."""
    await bots.remove(*request.who, workspace_id, bot_id)


@post("/{bot_id:str}/tokens")
@idempotent
async def create_bot_token(
    request: ApiRequest, workspace_id: PathId, bot_id: PathId, data: JSONBody[shapes.BotTokenRequest]
) -> shapes.BotTokenView:
    """A token with these scopes, shown this once."""
    return await bots.create_token(*request.who, workspace_id, bot_id, data)


@get("/{bot_id:str}/tokens")
async def list_bot_tokens(request: ApiRequest, workspace_id: PathId, bot_id: PathId) -> list[shapes.BotTokenView]:
    """The bot's tokens, without the tokens themselves."""
    return await bots.list_tokens(*request.who, workspace_id, bot_id)


@delete("/{bot_id:str}/tokens/{token_id:str}")
async def revoke_bot_token(request: ApiRequest, workspace_id: PathId, bot_id: PathId, token_id: PathId) -> None:
    """It ends at once, with everything that was opened with it."""
    await bots.revoke_token(*request.who, workspace_id, bot_id, token_id)


@post("/session", status_code=200)
async def open_bot_session(request: ApiRequest, data: JSONBody[shapes.BotSessionRequest]) -> shapes.BotSession:
    """Exchange a bot's token for an access token, which the socket takes."""
    request.limits.take_connection(request.client_ip)
    return await bots.open_session(request.services, data.token)


bot_routes = Router(
    path="/api/workspaces/{workspace_id:str}/bots",
    route_handlers=[create_bot, list_bots, remove_bot, create_bot_token, list_bot_tokens, revoke_bot_token],
    tags=["bots"],
)
bot_session_routes = Router(path="/api/bots", route_handlers=[open_bot_session], tags=["bots"])
