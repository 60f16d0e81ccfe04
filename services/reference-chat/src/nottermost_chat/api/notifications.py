"""/api/notifications: push on devices, quiet hours, what each conversation may notify of."""

from litestar import Router, delete, get, put
from litestar.params import JSONBody

from nottermost_chat.actions import notifications
from nottermost_chat.api import shapes
from nottermost_chat.api.params import PathId
from nottermost_chat.api.request import ApiRequest


@get("/push")
async def get_push(request: ApiRequest) -> shapes.PushView:
    """Kinds of push that are on, the key for browsers, and the caller's devices that take any."""
    return await notifications.get_push(request.services, request.user)


@put("/push")
async def subscribe(request: ApiRequest, data: JSONBody[shapes.PushRequest]) -> shapes.PushView:
    """Let the calling device take pushes; again replaces where they go."""
    return await notifications.subscribe(request.services, request.user, data)


@delete("/push")
async def unsubscribe(request: ApiRequest) -> None:
    """Let the calling device take none any more."""
    await notifications.unsubscribe(request.services, request.user)


@get("/settings")
async def get_settings(request: ApiRequest) -> shapes.NotificationsView:
    """Quiet hours, and the conversations for which something was chosen."""
    return await notifications.get_settings(*request.who)


@put("/settings")
async def set_settings(request: ApiRequest, data: JSONBody[shapes.NotificationsRequest]) -> shapes.NotificationsView:
    """Replace the quiet hours."""
    return await notifications.set_settings(*request.who, data)


@get("/conversations/{conversation_id:str}")
async def get_level(request: ApiRequest, conversation_id: PathId) -> shapes.ConversationNotifyView:
    """What the conversation notifies the caller of."""
    return await notifications.get_level(*request.who, conversation_id)


@put("/conversations/{conversation_id:str}")
async def set_level(
    request: ApiRequest, conversation_id: PathId, data: JSONBody[shapes.ConversationNotifyRequest]
) -> shapes.ConversationNotifyView:
    """Mute it, or hear of more; `notify` null: the usual for its kind."""
    return await notifications.set_level(*request.who, conversation_id, data)


notification_routes = Router(
    path="/api/notifications",
    route_handlers=[get_push, subscribe, unsubscribe, get_settings, set_settings, get_level, set_level],
    tags=["notifications"],
)
