"""Webhooks: whom to tell of what happens here, and who may post from outside."""

import secrets
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, and_, delete, func, or_, select, update

from nottermost_chat.directory.engine import Noun, reads, upserts, writes, writes_rows
from nottermost_chat.directory.queries import chunks, fetch, fetch_one, insert
from nottermost_chat.directory.rows import (
    DELIVERY,
    INCOMING_HOOK,
    WEBHOOK,
    DeliveryRow,
    IncomingHookRow,
    WebhookRow,
)
from nottermost_chat.directory.tables import (
    HookEvent,
    conversations,
    incoming_hooks,
    webhook_deliveries,
    webhooks,
)
from nottermost_chat.directory.tokens import token_hash
from nottermost_chat.errors import Conflict, NotFound
from nottermost_chat.model import ConversationKind

WEBHOOKS_MAX: Final = 50  # a workspace; each costs a job for every message it wants
INCOMING_HOOKS_MAX: Final = 20  # a conversation


class Wanted(msgspec.Struct, frozen=True):
    """A webhook that wants to be told of some entries of a conversation."""

    conversation_id: str
    webhook_id: str
    events: tuple[HookEvent, ...]
    created_at: int  # what happened before is none of its business


class Webhooks(Noun):
    """Outgoing ones."""

    @writes
    def create(self, connection: Connection, hook: WebhookRow) -> None:
        """Raises Conflict when the workspace has as many as it may have."""
        mine = select(func.count()).select_from(webhooks).where(webhooks.c.workspace_id == hook.workspace_id)
        if connection.execute(mine).scalar_one() >= WEBHOOKS_MAX:
            raise Conflict(f"the workspace has {WEBHOOKS_MAX} webhooks, which is the limit: remove one first")
        connection.execute(webhooks.insert().values(msgspec.structs.asdict(hook) | {"events": list(hook.events)}))

    @reads
    def of_workspace(self, connection: Connection, workspace_id: str) -> list[WebhookRow]:
        """Oldest first."""
        statement = select(*WEBHOOK).where(webhooks.c.workspace_id == workspace_id).order_by(webhooks.c.webhook_id)
        return fetch(connection, statement, WebhookRow)

    @reads
    def get(self, connection: Connection, webhook_id: str) -> WebhookRow | None:
        """One webhook."""
        return _one(connection, webhook_id)

    @writes
    def change(
        self,
        connection: Connection,
        webhook_id: str,
        *,
        url: str | None = None,
        events: Sequence[HookEvent] | None = None,
        active: bool | None = None,
        secret: bytes | None = None,
    ) -> WebhookRow:
        """Change what is not None. Raises NotFound."""
        given = {"url": url, "events": None if events is None else list(events), "active": active, "secret": secret}
        if values := {name: value for name, value in given.items() if value is not None}:
            connection.execute(update(webhooks).where(webhooks.c.webhook_id == webhook_id).values(values))
        if (row := _one(connection, webhook_id)) is None:
            raise NotFound(f"there is no webhook {webhook_id}")
        return row

    @writes
    def remove(self, connection: Connection, webhook_id: str) -> None:
        """With what is known of its deliveries."""
        connection.execute(delete(webhook_deliveries).where(webhook_deliveries.c.webhook_id == webhook_id))
        connection.execute(delete(webhooks).where(webhooks.c.webhook_id == webhook_id))

    @reads
    def wanting(self, connection: Connection, conversation_ids: Iterable[str]) -> list[Wanted]:
        """Active webhooks of these conversations: their own, and those of all public channels of the workspace."""
        public = and_(conversations.c.kind == ConversationKind.CHANNEL, conversations.c.private.is_(False))
        of_all = and_(webhooks.c.conversation_id.is_(None), public)
        statement = (
            select(conversations.c.conversation_id, webhooks.c.webhook_id, webhooks.c.events, webhooks.c.created_at)
            .join_from(conversations, webhooks, conversations.c.workspace_id == webhooks.c.workspace_id)
            .where(webhooks.c.active, or_(webhooks.c.conversation_id == conversations.c.conversation_id, of_all))
        )
        return [
            Wanted(conversation_id, webhook_id, tuple(map(HookEvent, events)), created_at)
            for part in chunks(conversation_ids)
            for conversation_id, webhook_id, events, created_at in connection.execute(
                statement.where(conversations.c.conversation_id.in_(part))
            )
        ]

    # --- deliveries ------------------------------------------------------------------------------

    @upserts
    def note(self, connection: Connection, delivery: DeliveryRow) -> None:
        """Keep what became of it, in place of what was known; nothing if the webhook is gone."""
        if _one(connection, delivery.webhook_id) is None:
            return
        values = msgspec.structs.asdict(delivery)
        statement = insert(connection.dialect.name, webhook_deliveries).values(values)
        connection.execute(
            statement.on_conflict_do_update(index_elements=[webhook_deliveries.c.delivery_id], set_=values)
        )

    @reads
    def deliveries(self, connection: Connection, webhook_id: str, limit: int) -> list[DeliveryRow]:
        """What did not go through at once, newest first."""
        mine = select(*DELIVERY).where(webhook_deliveries.c.webhook_id == webhook_id)
        newest = mine.order_by(webhook_deliveries.c.at.desc(), webhook_deliveries.c.delivery_id).limit(limit)
        return fetch(connection, newest, DeliveryRow)

    @reads
    def delivery(self, connection: Connection, delivery_id: str) -> DeliveryRow | None:
        """One of them."""
        return fetch_one(
            connection, select(*DELIVERY).where(webhook_deliveries.c.delivery_id == delivery_id), DeliveryRow
        )

    @upserts
    def prune(self, connection: Connection, before_ms: int) -> None:
        """Forget deliveries last tried before that time."""
        connection.execute(delete(webhook_deliveries).where(webhook_deliveries.c.at < before_ms))


class IncomingHooks(Noun):
    """Incoming ones."""

    @writes
    def create(
        self, connection: Connection, hook_id: str, conversation_id: str, name: str, created_by: str
    ) -> tuple[IncomingHookRow, str]:
        """The hook and its token. Raises Conflict when the conversation has as many as it may have.

        Args:
            hook_id: the bot's user id.
        """
        open_ones = select(func.count()).where(
            incoming_hooks.c.conversation_id == conversation_id, incoming_hooks.c.revoked_at.is_(None)
        )
        if connection.execute(open_ones).scalar_one() >= INCOMING_HOOKS_MAX:
            raise Conflict(f"the conversation has {INCOMING_HOOKS_MAX} incoming webhooks: revoke one first")
        token = secrets.token_urlsafe(32)
        row = IncomingHookRow(hook_id, conversation_id, name, created_by, self._clock.now_ms(), None, None)
        values = msgspec.structs.asdict(row) | {"token_hash": token_hash(token)}
        connection.execute(incoming_hooks.insert().values(values))
        return row, token

    @reads
    def of_workspace(self, connection: Connection, workspace_id: str) -> list[IncomingHookRow]:
        """Those that are not revoked, oldest first."""
        statement = select(*INCOMING_HOOK).join_from(incoming_hooks, conversations)
        mine = statement.where(conversations.c.workspace_id == workspace_id, incoming_hooks.c.revoked_at.is_(None))
        return fetch(connection, mine.order_by(incoming_hooks.c.hook_id), IncomingHookRow)

    @reads
    def by_token(self, connection: Connection, token: str) -> IncomingHookRow | None:
        """None: there is none, or it was revoked."""
        held = (incoming_hooks.c.token_hash == token_hash(token)) & incoming_hooks.c.revoked_at.is_(None)
        return fetch_one(connection, select(*INCOMING_HOOK).where(held), IncomingHookRow)

    @writes_rows
    def revoke(self, connection: Connection, hook_id: str) -> None:
        """Its token is good for nothing from now on."""
        values: dict[str, Any] = {"revoked_at": self._clock.now_ms()}
        there = (incoming_hooks.c.hook_id == hook_id) & incoming_hooks.c.revoked_at.is_(None)
        connection.execute(update(incoming_hooks).where(there).values(values))

    @upserts
    def note_used(self, connection: Connection, hook_id: str, at: int) -> None:
        """When it was last used, ms since the epoch."""
        connection.execute(update(incoming_hooks).where(incoming_hooks.c.hook_id == hook_id).values(last_used_at=at))


def _one(connection: Connection, webhook_id: str) -> WebhookRow | None:
    return fetch_one(connection, select(*WEBHOOK).where(webhooks.c.webhook_id == webhook_id), WebhookRow)
