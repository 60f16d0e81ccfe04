"""Bots: users that a program acts as, and the tokens it does that with."""

import secrets
from typing import Final

import msgspec
from sqlalchemy import Connection, func, select, update

from nottermost_chat.directory.engine import Noun, reads, upserts, writes
from nottermost_chat.directory.queries import fetch, fetch_one
from nottermost_chat.directory.rows import BOT_TOKEN, USER, BotTokenRow, DeviceRow, UserRow
from nottermost_chat.directory.tables import bot_tokens, devices, users, workspace_members
from nottermost_chat.directory.tokens import token_hash
from nottermost_chat.errors import Conflict, NotFound

PREFIX: Final = "nmb_"  # so that scanners of source code know one when they see it
BOTS_MAX: Final = 100  # a workspace
TOKENS_MAX: Final = 10  # a bot: enough for a rotation in each of a few places


class Bots(Noun):
    """Users with `bot` set. Each of their tokens is a device: what ends a device ends the token."""

    @reads
    def of_workspace(self, connection: Connection, workspace_id: str) -> list[UserRow]:
        """Those that are not deactivated, by name."""
        statement = select(*USER).join_from(users, workspace_members)
        mine = statement.where(
            workspace_members.c.workspace_id == workspace_id, users.c.bot, users.c.deleted.is_(False)
        )
        return fetch(connection, mine.order_by(users.c.username_key), UserRow)

    @writes
    def create_token(
        self, connection: Connection, user_id: str, name: str, scopes: tuple[str, ...], created_by: str
    ) -> tuple[BotTokenRow, str]:
        """The token, this once, and what is kept of it. Raises Conflict when the bot has as many as it may have."""
        valid = select(func.count()).where(bot_tokens.c.user_id == user_id, bot_tokens.c.revoked_at.is_(None))
        if connection.execute(valid).scalar_one() >= TOKENS_MAX:
            raise Conflict(f"the bot has {TOKENS_MAX} tokens, which is the limit: revoke one first")
        token, now = PREFIX + secrets.token_urlsafe(32), self._clock.now_ms()
        row = BotTokenRow(self._clock.new_id(), user_id, name, scopes, created_by, now, None, None)
        device = DeviceRow(row.token_id, user_id, name, now, last_seen_at=now, revoked_at=None)
        connection.execute(devices.insert().values(msgspec.structs.asdict(device)))
        values = msgspec.structs.asdict(row) | {"scopes": list(scopes), "token_hash": token_hash(token)}
        connection.execute(bot_tokens.insert().values(values))
        return row, token

    @reads
    def tokens(self, connection: Connection, user_id: str) -> list[BotTokenRow]:
        """Those that are not revoked, oldest first."""
        mine = select(*BOT_TOKEN).where(bot_tokens.c.user_id == user_id, bot_tokens.c.revoked_at.is_(None))
        return fetch(connection, mine.order_by(bot_tokens.c.token_id), BotTokenRow)

    @reads
    def by_token(self, connection: Connection, token: str) -> BotTokenRow | None:
        """None: there is none, it was revoked, or the bot was deactivated."""
        held = select(*BOT_TOKEN).join_from(bot_tokens, devices, bot_tokens.c.token_id == devices.c.device_id)
        valid = held.where(bot_tokens.c.token_hash == token_hash(token), devices.c.revoked_at.is_(None))
        return fetch_one(connection, valid, BotTokenRow)

    @writes
    def revoke(self, connection: Connection, user_id: str, token_id: str) -> None:
        """The token is good for nothing from now on. Raises NotFound."""
        now, valid = self._clock.now_ms(), bot_tokens.c.revoked_at.is_(None)
        mine = (bot_tokens.c.token_id == token_id) & (bot_tokens.c.user_id == user_id) & valid
        if not connection.execute(update(bot_tokens).where(mine).values(revoked_at=now)).rowcount:
            raise NotFound(f"the bot has no token {token_id}")
        connection.execute(update(devices).where(devices.c.device_id == token_id).values(revoked_at=now))

    @upserts
    def note_used(self, connection: Connection, token_id: str, at: int) -> None:
        """When it was last used, ms since the epoch."""
        connection.execute(update(bot_tokens).where(bot_tokens.c.token_id == token_id).values(last_used_at=at))
