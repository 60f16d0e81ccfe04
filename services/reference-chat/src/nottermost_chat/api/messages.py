"""/api/messages: sending and changing messages, history, threads, cursors."""

from typing import Annotated, Literal

from litestar import Router, delete, get, patch, post, put
from litestar.params import JSONBody, QueryParameter

from nottermost_chat.actions import messages
from nottermost_chat.api import shapes
from nottermost_chat.api.idempotency import idempotent
from nottermost_chat.api.params import Limit, OptionalSeq, OptionalTime, PathId, parse_seq, parse_time
from nottermost_chat.api.request import ApiRequest
from nottermost_chat.protocol import MessageFields

Roots = Annotated[bool, QueryParameter(description="leave out thread replies that the conversation does not show")]
Fields = Annotated[Literal["preview", "full"], QueryParameter(description="full: with the whole body")]
OpIdQuery = Annotated[str, QueryParameter(min_length=1, max_length=64, description="a repeat has the same one")]


@post("/messages")
@idempotent
async def send(request: ApiRequest, conversation_id: PathId, data: JSONBody[shapes.SendRequest]) -> shapes.SentView:
    """Send a message; a repeat with the same client_msg_id is answered with the first result."""
    await request.limits.take_message(request.caller_id)
    return await messages.send(*request.who, conversation_id, data)


@get("/messages")
async def read_history(
    request: ApiRequest,
    conversation_id: PathId,
    after_seq: OptionalSeq = "",
    before_seq: OptionalSeq = "",
    around_seq: OptionalSeq = "",
    at: OptionalTime = "",
    limit: Limit = 50,
    roots: Roots = False,
) -> shapes.HistoryPage:
    """A page of messages with previews, oldest first; without a place, the newest."""
    place = messages.Place(parse_seq(after_seq), parse_seq(before_seq), parse_seq(around_seq), parse_time("at", at))
    return await messages.read_history(*request.who, conversation_id, place, limit=limit, roots_only=roots)


@get("/messages/{message_id:str}")
async def get_message(
    request: ApiRequest, conversation_id: PathId, message_id: PathId, fields: Fields = "preview"
) -> MessageFields:
    """One message."""
    return await messages.get_message(*request.who, conversation_id, message_id, full=fields == "full")


@patch("/messages/{message_id:str}")
async def edit(
    request: ApiRequest, conversation_id: PathId, message_id: PathId, data: JSONBody[shapes.EditRequest]
) -> shapes.SentView:
    """Replace the text of one's own message."""
    await request.limits.take_message(request.caller_id)
    return await messages.edit(*request.who, conversation_id, message_id, data)


@delete("/messages/{message_id:str}", status_code=200)
async def delete_message(
    request: ApiRequest, conversation_id: PathId, message_id: PathId, client_msg_id: OpIdQuery
) -> shapes.SentView:
    """Delete a message; it can be undone for seven days."""
    await request.limits.take_message(request.caller_id)
    return await messages.delete(*request.who, conversation_id, message_id, client_msg_id)


@post("/messages/{message_id:str}/restore", status_code=200)
async def restore(
    request: ApiRequest, conversation_id: PathId, message_id: PathId, data: JSONBody[shapes.OperationRequest]
) -> shapes.SentView:
    """Undo a delete."""
    await request.limits.take_message(request.caller_id)
    return await messages.delete(*request.who, conversation_id, message_id, data.client_msg_id, restore=True)


@put("/messages/{message_id:str}/reactions")
async def react(
    request: ApiRequest, conversation_id: PathId, message_id: PathId, data: JSONBody[shapes.ReactionRequest]
) -> shapes.SentView:
    """Set one's reaction, or take it back."""
    await request.limits.take_message(request.caller_id)
    return await messages.react(*request.who, conversation_id, message_id, data)


@get("/messages/{message_id:str}/thread")
async def read_thread(
    request: ApiRequest, conversation_id: PathId, message_id: PathId, after_seq: OptionalSeq = "", limit: Limit = 50
) -> shapes.HistoryPage:
    """A page of the thread of this message, which comes first."""
    return await messages.read_thread(
        request.services,
        request.caller_id,
        conversation_id,
        message_id,
        after_seq=parse_seq(after_seq) or 0,
        limit=limit,
    )


# --- cursors ----------------------------------------------------------------------------------


@post("/read", status_code=200)
async def mark_read(
    request: ApiRequest, conversation_id: PathId, data: JSONBody[shapes.ReadRequest]
) -> shapes.ReadView:
    """Everything up to this seq has been read; the cursor only rises."""
    return await messages.mark_read(*request.who, conversation_id, data.last_read_seq)


@post("/delivered", status_code=204)
async def mark_delivered(request: ApiRequest, conversation_id: PathId, data: JSONBody[shapes.DeliveredRequest]) -> None:
    """Everything up to this seq has reached the caller's device."""
    await messages.mark_delivered(*request.who, conversation_id, data.last_delivered_seq)


@get("/receipts")
async def list_receipts(request: ApiRequest, conversation_id: PathId) -> list[shapes.ReceiptView]:
    """How far each member has come; empty above 100 members."""
    return await messages.list_receipts(*request.who, conversation_id)


message_routes = Router(
    path="/api/messages/conversations/{conversation_id:str}",
    route_handlers=[
        send, read_history, get_message, edit, delete_message, restore, react, read_thread, mark_read, mark_delivered,
        list_receipts,
    ],
    tags=["messages"],
)  # fmt: skip
