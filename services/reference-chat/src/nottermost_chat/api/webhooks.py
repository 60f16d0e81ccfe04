"""/api/workspaces/{id}/webhooks and …/incoming-hooks: for admins; /api/hooks/{token}: for whoever holds the token."""

from litestar import Router, delete, get, patch, post
from litestar.params import JSONBody

from nottermost_chat.actions import webhooks
from nottermost_chat.api import shapes
from nottermost_chat.api.idempotency import idempotent, read_key
from nottermost_chat.api.params import Limit, PathId
from nottermost_chat.api.request import ApiRequest


@post("/webhooks")
@idempotent
async def create_webhook(
    request: ApiRequest, workspace_id: PathId, data: JSONBody[shapes.WebhookRequest]
) -> shapes.WebhookView:
    """Tell another program what happens in a channel, or in all public ones; the secret is shown this once."""
    return await webhooks.create(*request.who, workspace_id, data)


@get("/webhooks")
async def list_webhooks(request: ApiRequest, workspace_id: PathId) -> list[shapes.WebhookView]:
    """The workspace's outgoing webhooks."""
    return await webhooks.list_all(*request.who, workspace_id)


@patch("/webhooks/{webhook_id:str}")
async def change_webhook(
    request: ApiRequest, workspace_id: PathId, webhook_id: PathId, data: JSONBody[shapes.WebhookChangeRequest]
) -> shapes.WebhookView:
    """Change address or events, switch it off or on, make a new secret."""
    return await webhooks.change(*request.who, workspace_id, webhook_id, data)


@delete("/webhooks/{webhook_id:str}")
async def remove_webhook(request: ApiRequest, workspace_id: PathId, webhook_id: PathId) -> None:
    """Tell it nothing more."""
    await webhooks.remove(*request.who, workspace_id, webhook_id)


@post("/webhooks/{webhook_id:str}/test", status_code=202)
async def test_webhook(request: ApiRequest, workspace_id: PathId, webhook_id: PathId) -> shapes.DeliveryStarted:
    """Send a delivery of event `test`; what became of it is among the deliveries soon."""
    return await webhooks.test(*request.who, workspace_id, webhook_id)


@get("/webhooks/{webhook_id:str}/deliveries")
async def list_webhook_deliveries(
    request: ApiRequest, workspace_id: PathId, webhook_id: PathId, limit: Limit = 50
) -> list[shapes.DeliveryView]:
    """What did not go through at once in the last 14 days, and tests; newest first."""
    return await webhooks.list_deliveries(*request.who, workspace_id, webhook_id, limit)


@post("/webhooks/{webhook_id:str}/deliveries/{delivery_id:str}/replay", status_code=202)
async def replay_webhook_delivery(
    request: ApiRequest, workspace_id: PathId, webhook_id: PathId, delivery_id: PathId
) -> shapes.DeliveryStarted:
    """Send it again under the same id."""
    return await webhooks.replay(*request.who, workspace_id, webhook_id, delivery_id)


# --- incoming ---------------------------------------------------------------------------------


@post("/incoming-hooks")
@idempotent
async def create_incoming_hook(
    request: ApiRequest, workspace_id: PathId, data: JSONBody[shapes.IncomingHookRequest]
) -> shapes.IncomingHookView:
    """Let another program post into a channel; its address is shown this once."""
    return await webhooks.create_incoming(*request.who, workspace_id, data)


@get("/incoming-hooks")
async def list_incoming_hooks(request: ApiRequest, workspace_id: PathId) -> list[shapes.IncomingHookView]:
    """The workspace's incoming webhooks."""
    return await webhooks.list_incoming(*request.who, workspace_id)


@delete("/incoming-hooks/{hook_id:str}")
async def revoke_incoming_hook(request: ApiRequest, workspace_id: PathId, hook_id: PathId) -> None:
    """Its address is good for nothing from now on."""
    await webhooks.revoke_incoming(*request.who, workspace_id, hook_id)


@post("/{token:str}")
async def post_to_hook(
    request: ApiRequest, token: PathId, data: JSONBody[shapes.HookMessageRequest]
) -> shapes.SentView:
    """Post a message in the hook's name; no other log-in is needed. The same `Idempotency-Key` posts once."""
    request.limits.take_connection(request.client_ip)
    return await webhooks.post_incoming(request.services, token, data.text, read_key(request))


vars(post_to_hook.fn)["idempotent"] = True  # by its own means: ingest keeps the key for ever


webhook_routes = Router(
    path="/api/workspaces/{workspace_id:str}",
    route_handlers=[
        create_webhook, list_webhooks, change_webhook, remove_webhook, test_webhook, list_webhook_deliveries,
        replay_webhook_delivery, create_incoming_hook, list_incoming_hooks, revoke_incoming_hook,
    ],
    tags=["webhooks"],
)  # fmt: skip
hook_routes = Router(path="/api/hooks", route_handlers=[post_to_hook], tags=["webhooks"])
