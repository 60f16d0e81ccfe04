"""Bots: accounts that programs act as, and their tokens."""

from typing import Final

from nottermost_chat.actions import workspaces
from nottermost_chat.actions.access import require_workspace_role
from nottermost_chat.actions.accounts import close_sockets, user_view
from nottermost_chat.actions.audit import noting
from nottermost_chat.actions.rules import WORKSPACE_ADMINS
from nottermost_chat.api import shapes
from nottermost_chat.directory import AuditAction, AuditDetails, BotTokenRow
from nottermost_chat.directory.bots import BOTS_MAX
from nottermost_chat.errors import Conflict, NotFound, Unauthorized
from nottermost_chat.model import Role
from nottermost_chat.ports import Caller
from nottermost_chat.protocol import to_time, to_time_or_none
from nottermost_chat.scopes import Scope
from nottermost_chat.services import Services

USED_EVERY_MS: Final = 60_000  # when it was last used is written once a minute at most

# --- for admins of a workspace ----------------------------------------------------------------


async def create(services: Services, caller_id: str, workspace_id: str, wanted: shapes.BotRequest) -> shapes.UserView:
    """An account without password, member of the workspace. Raises Forbidden, NotFound, UsernameTaken, Conflict."""
    await require_workspace_role(services, caller_id, workspace_id, WORKSPACE_ADMINS)
    if len(await services.directory.bots.of_workspace(workspace_id)) >= BOTS_MAX:
        raise Conflict(f"the workspace has {BOTS_MAX} bots, which is the limit: remove one first")
    directory = noting(
        services, caller_id, AuditAction.BOT_CREATED, lambda bot: str(bot.user_id), workspace_id=workspace_id
    )
    bot = await directory.accounts.create_user(username=wanted.username, display_name=wanted.display_name, bot=True)
    await services.directory.workspaces.add_members(workspace_id, [bot.user_id], Role.MEMBER)
    return user_view(bot)


async def list_all(services: Services, caller_id: str, workspace_id: str) -> list[shapes.UserView]:
    """Raises Forbidden, NotFound."""
    await require_workspace_role(services, caller_id, workspace_id, WORKSPACE_ADMINS)
    return [user_view(bot) for bot in await services.directory.bots.of_workspace(workspace_id)]


async def remove(services: Services, caller_id: str, workspace_id: str, bot_id: str) -> None:
    """The bot leaves its conversations, and its tokens end at once. Raises Forbidden, NotFound."""
    await _require(services, caller_id, workspace_id, bot_id)
    directory = noting(services, caller_id, AuditAction.BOT_REMOVED, bot_id, workspace_id=workspace_id)
    await close_sockets(services, bot_id, await services.tokens.deactivate(bot_id, directory.accounts))
    await workspaces.remove_member(services, caller_id, workspace_id, bot_id)


async def create_token(
    services: Services, caller_id: str, workspace_id: str, bot_id: str, wanted: shapes.BotTokenRequest
) -> shapes.BotTokenView:
    """The view holds the token, this once. Raises Forbidden, NotFound, Conflict."""
    await _require(services, caller_id, workspace_id, bot_id)
    scopes = tuple(scope for scope in Scope if scope in wanted.scopes)
    directory = noting(
        services, caller_id, AuditAction.BOT_TOKEN_CREATED, lambda made: str(made[0].token_id),
        workspace_id=workspace_id, details=AuditDetails(user_id=bot_id),
    )  # fmt: skip
    row, token = await directory.bots.create_token(bot_id, wanted.name, scopes, caller_id)
    return _token_view(row, token)


async def list_tokens(services: Services, caller_id: str, workspace_id: str, bot_id: str) -> list[shapes.BotTokenView]:
    """Without the tokens themselves. Raises Forbidden, NotFound."""
    await _require(services, caller_id, workspace_id, bot_id)
    return [_token_view(row) for row in await services.directory.bots.tokens(bot_id)]


async def revoke_token(services: Services, caller_id: str, workspace_id: str, bot_id: str, token_id: str) -> None:
    """It ends at once, with everything that was opened with it. Raises Forbidden, NotFound."""
    await _require(services, caller_id, workspace_id, bot_id)
    directory = noting(
        services, caller_id, AuditAction.BOT_TOKEN_REVOKED, token_id, workspace_id=workspace_id,
        details=AuditDetails(user_id=bot_id),
    )  # fmt: skip
    await directory.bots.revoke(bot_id, token_id)
    services.tokens.revoke(token_id)
    await close_sockets(services, bot_id, [token_id])


async def _require(services: Services, caller_id: str, workspace_id: str, bot_id: str) -> None:
    bots = await list_all(services, caller_id, workspace_id)
    if bot_id not in {bot.user_id for bot in bots}:
        raise NotFound(f"the workspace has no bot {bot_id}")


def _token_view(row: BotTokenRow, token: str | None = None) -> shapes.BotTokenView:
    return shapes.BotTokenView(
        token_id=row.token_id,
        name=row.name,
        scopes=[Scope(scope) for scope in row.scopes],
        created_by=row.created_by,
        created_at=to_time(row.created_at),
        last_used_at=to_time_or_none(row.last_used_at),
        token=token,
    )


# --- for whoever holds a token ----------------------------------------------------------------


async def open_session(services: Services, token: str) -> shapes.BotSession:
    """An access token for the socket, which knows no database. Raises Unauthorized."""
    row = await _row_of(services, token)
    scopes = [Scope(scope) for scope in row.scopes]
    expires_at = services.clock.now_ms() + services.settings.access_token_s * 1000
    return shapes.BotSession(
        user_id=row.user_id,
        access_token=services.tokens.issue(row.user_id, row.token_id, scopes=scopes),
        expires_at=to_time(expires_at),
        scopes=scopes,
    )


async def identify(services: Services, token: str) -> Caller:
    """Who the token speaks for, and what it may be used for. Raises Unauthorized."""
    row = await _row_of(services, token)
    expires_at = services.clock.now_ms() + services.settings.access_token_s * 1000
    return Caller(row.user_id, row.token_id, expires_at, frozenset(row.scopes))


async def _row_of(services: Services, token: str) -> BotTokenRow:
    row = await services.directory.bots.by_token(token)
    if row is None:
        raise Unauthorized("this token is unknown or was revoked: ask an admin of the workspace for a new one")
    now = services.clock.now_ms()
    if now - (row.last_used_at or 0) >= USED_EVERY_MS:
        await services.directory.bots.note_used(row.token_id, now)
    return row
