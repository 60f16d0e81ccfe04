"""Webhooks: admins of a workspace decide who is told of what, and who may post from outside."""

import secrets
from typing import Final

import msgspec

from nottermost_chat.actions.access import look_up, require_workspace_role
from nottermost_chat.actions.audit import noting
from nottermost_chat.actions.messages import sent_view
from nottermost_chat.actions.rules import WORKSPACE_ADMINS
from nottermost_chat.api import shapes
from nottermost_chat.directory import (
    AuditAction,
    AuditDetails,
    DeliveryRow,
    DeliveryState,
    HookEvent,
    IncomingHookRow,
    WebhookRow,
)
from nottermost_chat.errors import Archived, BadRequest, NotFound, Unauthorized
from nottermost_chat.model import ConversationKind
from nottermost_chat.ports import AppendRequest
from nottermost_chat.protocol import to_time, to_time_or_none
from nottermost_chat.services import Services
from nottermost_chat.settings import Rate
from nottermost_chat.text import check_body, find_mentions
from nottermost_chat.webhooks import TEST, HookJob, check_url

HOOK_MESSAGES: Final = Rate(60, 30)  # of one incoming webhook: a burst of alerts, not a flood
USED_EVERY_MS: Final = 60_000  # when it was last used is written once a minute at most
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what all of them begin with

# --- outgoing ---------------------------------------------------------------------------------


async def create(
    services: Services, caller_id: str, workspace_id: str, wanted: shapes.WebhookRequest
) -> shapes.WebhookView:
    """The view holds the secret, this once. Raises Forbidden, NotFound, BadRequest, Conflict."""
    await require_workspace_role(services, caller_id, workspace_id, WORKSPACE_ADMINS)
    if wanted.conversation_id is not None:
        await _require_channel(services, caller_id, workspace_id, wanted.conversation_id)
    secret, webhook_id = _new_secret(), services.clock.new_id()
    hook = WebhookRow(
        webhook_id=webhook_id, workspace_id=workspace_id, conversation_id=wanted.conversation_id,
        events=_ordered(wanted.events), url=_checked(services, wanted.url),
        secret=services.secret_box.seal(secret, webhook_id), active=True, created_by=caller_id,
        created_at=services.clock.now_ms(),
    )  # fmt: skip
    action = AuditAction.WEBHOOK_CREATED
    await noting(services, caller_id, action, webhook_id, workspace_id=workspace_id).webhooks.create(hook)
    return _view(hook, secret)


async def list_all(services: Services, caller_id: str, workspace_id: str) -> list[shapes.WebhookView]:
    """Raises Forbidden, NotFound."""
    await require_workspace_role(services, caller_id, workspace_id, WORKSPACE_ADMINS)
    return [_view(hook) for hook in await services.directory.webhooks.of_workspace(workspace_id)]


async def change(
    services: Services, caller_id: str, workspace_id: str, webhook_id: str, wanted: shapes.WebhookChangeRequest
) -> shapes.WebhookView:
    """Change what is not None; the view holds the secret if a new one was asked for. Raises as `create`."""
    await _require(services, caller_id, workspace_id, webhook_id)
    secret = _new_secret() if wanted.new_secret else None
    action = AuditAction.WEBHOOK_CHANGED
    hook = await noting(services, caller_id, action, webhook_id, workspace_id=workspace_id).webhooks.change(
        webhook_id,
        url=None if wanted.url is None else _checked(services, wanted.url),
        events=None if wanted.events is None else _ordered(wanted.events),
        active=wanted.active,
        secret=None if secret is None else services.secret_box.seal(secret, webhook_id),
    )
    return _view(hook, secret)


async def remove(services: Services, caller_id: str, workspace_id: str, webhook_id: str) -> None:
    """Nothing is sent from now on, also of what waits. Raises Forbidden, NotFound."""
    await _require(services, caller_id, workspace_id, webhook_id)
    action = AuditAction.WEBHOOK_REMOVED
    await noting(services, caller_id, action, webhook_id, workspace_id=workspace_id).webhooks.remove(webhook_id)


async def test(services: Services, caller_id: str, workspace_id: str, webhook_id: str) -> shapes.DeliveryStarted:
    """Send a delivery of event "test"; what became of it is among the deliveries soon. Raises Forbidden, NotFound."""
    await _require(services, caller_id, workspace_id, webhook_id)
    job = HookJob(webhook_id, TEST, services.clock.new_id())
    await services.queues.webhook.put([msgspec.json.encode(job)])
    return shapes.DeliveryStarted(delivery_id=job.delivery_id)


async def list_deliveries(
    services: Services, caller_id: str, workspace_id: str, webhook_id: str, limit: int
) -> list[shapes.DeliveryView]:
    """What did not go through at once, and tests, newest first. Raises Forbidden, NotFound."""
    await _require(services, caller_id, workspace_id, webhook_id)
    return [_delivery_view(row) for row in await services.directory.webhooks.deliveries(webhook_id, limit)]


async def replay(
    services: Services, caller_id: str, workspace_id: str, webhook_id: str, delivery_id: str
) -> shapes.DeliveryStarted:
    """Send a delivery again under its own id. Raises Forbidden, NotFound."""
    await _require(services, caller_id, workspace_id, webhook_id)
    row = await services.directory.webhooks.delivery(delivery_id)
    if row is None or row.webhook_id != webhook_id:
        raise NotFound(f"webhook {webhook_id} has no failed delivery {delivery_id}")
    if row.event == TEST:
        return await test(services, caller_id, workspace_id, webhook_id)
    # First, because whoever does the job notes what came of it, and may be done before `put` returns.
    await services.directory.webhooks.note(msgspec.structs.replace(row, state=DeliveryState.RETRYING))
    if row.state is not DeliveryState.DEAD or not await services.queues.webhook.revive([row.job_id]):
        job = HookJob(webhook_id, row.event, delivery_id, row.conversation_id, row.epoch, row.seq)
        await services.queues.webhook.put([msgspec.json.encode(job)])
    return shapes.DeliveryStarted(delivery_id=delivery_id)


async def _require(services: Services, caller_id: str, workspace_id: str, webhook_id: str) -> WebhookRow:
    await require_workspace_role(services, caller_id, workspace_id, WORKSPACE_ADMINS)
    hook = await services.directory.webhooks.get(webhook_id)
    if hook is None or hook.workspace_id != workspace_id:
        raise NotFound(f"the workspace has no webhook {webhook_id}")
    return hook


async def _require_channel(services: Services, caller_id: str, workspace_id: str, conversation_id: str) -> None:
    """Raises NotFound for a private channel that the admin is not in: what it says is none of theirs to send out."""
    conversation = (await look_up(services, caller_id, conversation_id)).conversation
    if conversation.kind is not ConversationKind.CHANNEL or conversation.workspace_id != workspace_id:
        raise BadRequest(f"conversation {conversation_id} is no channel of this workspace")


def _checked(services: Services, url: str) -> str:
    return check_url(url, private=services.settings.webhook_private)


def _ordered(events: tuple[HookEvent, ...]) -> tuple[HookEvent, ...]:
    return tuple(event for event in HookEvent if event in events)


def _new_secret() -> str:
    return SECRET_PREFIX + secrets.token_urlsafe(32)


def _view(hook: WebhookRow, secret: str | None = None) -> shapes.WebhookView:
    return shapes.WebhookView(
        webhook_id=hook.webhook_id,
        conversation_id=hook.conversation_id,
        events=list(hook.events),
        url=hook.url,
        active=hook.active,
        created_by=hook.created_by,
        created_at=to_time(hook.created_at),
        secret=secret,
    )


def _delivery_view(row: DeliveryRow) -> shapes.DeliveryView:
    return shapes.DeliveryView(
        delivery_id=row.delivery_id,
        event=row.event,
        conversation_id=row.conversation_id or None,
        seq=row.seq,
        state=row.state,
        attempts=row.attempts,
        status=row.status,
        reason=row.reason,
        at=to_time(row.at),
    )


# --- incoming ---------------------------------------------------------------------------------


async def create_incoming(
    services: Services, caller_id: str, workspace_id: str, wanted: shapes.IncomingHookRequest
) -> shapes.IncomingHookView:
    """The view holds the address with the token, this once. Raises Forbidden, NotFound, BadRequest, Conflict."""
    await require_workspace_role(services, caller_id, workspace_id, WORKSPACE_ADMINS)
    await _require_channel(services, caller_id, workspace_id, wanted.conversation_id)
    bot = await services.directory.accounts.create_user(
        username=f"hook-{services.clock.new_id().lower()}", display_name=wanted.name, bot=True
    )
    directory = noting(
        services, caller_id, AuditAction.INCOMING_HOOK_CREATED, bot.user_id, workspace_id=workspace_id,
        details=AuditDetails(conversation_id=wanted.conversation_id),
    )  # fmt: skip
    hook, token = await directory.incoming_hooks.create(bot.user_id, wanted.conversation_id, wanted.name, caller_id)
    return _incoming_view(hook, f"{services.settings.url}/api/hooks/{token}")


async def list_incoming(services: Services, caller_id: str, workspace_id: str) -> list[shapes.IncomingHookView]:
    """Raises Forbidden, NotFound."""
    await require_workspace_role(services, caller_id, workspace_id, WORKSPACE_ADMINS)
    return [_incoming_view(hook) for hook in await services.directory.incoming_hooks.of_workspace(workspace_id)]


async def revoke_incoming(services: Services, caller_id: str, workspace_id: str, hook_id: str) -> None:
    """Its address is good for nothing from now on. Raises Forbidden, NotFound."""
    await require_workspace_role(services, caller_id, workspace_id, WORKSPACE_ADMINS)
    hooks = await services.directory.incoming_hooks.of_workspace(workspace_id)
    if hook_id not in {hook.hook_id for hook in hooks}:
        raise NotFound(f"the workspace has no incoming webhook {hook_id}")
    action = AuditAction.INCOMING_HOOK_REVOKED
    await noting(services, caller_id, action, hook_id, workspace_id=workspace_id).incoming_hooks.revoke(hook_id)


async def post_incoming(services: Services, token: str, text: str, key: str | None) -> shapes.SentView:
    """Post in the hook's name; the same `key` posts once.

    Raises: Unauthorized for an unknown or revoked token, Archived, RateLimited, InvalidText.
    """
    hook = await services.directory.incoming_hooks.by_token(token)
    if hook is None:
        raise Unauthorized("this address is unknown or was revoked: ask an admin of the workspace for a new one")
    services.limiter.take("messages of this webhook", hook.hook_id, HOOK_MESSAGES)
    conversation = await services.directory.conversations.get(hook.conversation_id)
    if conversation is None or conversation.archived:
        raise Archived("the channel of this webhook is archived: ask an admin to unarchive it")
    mentions = find_mentions(check_body(text))
    mentioned = await services.directory.conversations.mentioned(hook.conversation_id, mentions.names)
    request = AppendRequest(
        kind="message",
        conversation_id=hook.conversation_id,
        actor_id=hook.hook_id,
        op_id=f"key:{key}" if key else services.clock.new_id(),
        body=text,
        mentions=tuple(mentioned),
        mention_channel=mentions.everybody,
        trusted=True,  # the hook is no member: its token is what lets it post, and it can do nothing else
    )
    sent = sent_view(await services.ingest.submit(request))
    await _note_used(services, hook)
    return sent


async def _note_used(services: Services, hook: IncomingHookRow) -> None:
    now = services.clock.now_ms()
    if now - (hook.last_used_at or 0) >= USED_EVERY_MS:
        await services.directory.incoming_hooks.note_used(hook.hook_id, now)


def _incoming_view(hook: IncomingHookRow, url: str | None = None) -> shapes.IncomingHookView:
    return shapes.IncomingHookView(
        hook_id=hook.hook_id,
        conversation_id=hook.conversation_id,
        name=hook.name,
        created_by=hook.created_by,
        created_at=to_time(hook.created_at),
        last_used_at=to_time_or_none(hook.last_used_at),
        url=url,
    )
