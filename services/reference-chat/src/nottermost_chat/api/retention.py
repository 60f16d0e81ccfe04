"""/api/workspaces/{workspace_id}: how long is kept what is said, and legal holds."""

from litestar import Router, delete, get, post, put
from litestar.params import JSONBody

from nottermost_chat.actions import retention
from nottermost_chat.api import shapes
from nottermost_chat.api.idempotency import idempotent
from nottermost_chat.api.params import PathId
from nottermost_chat.api.request import ApiRequest


@get("/retention")
async def get_retention(request: ApiRequest, workspace_id: PathId) -> shapes.RetentionView:
    """How long the workspace keeps what is said."""
    return await retention.get_policy(*request.who, workspace_id)


@put("/retention")
async def set_retention(
    request: ApiRequest, workspace_id: PathId, data: JSONBody[shapes.RetentionRequest]
) -> shapes.RetentionView:
    """Decide it; for admins. What is older goes from the next pass on, and does not come back."""
    return await retention.set_policy(*request.who, workspace_id, data)


@get("/holds")
async def list_holds(request: ApiRequest, workspace_id: PathId) -> list[shapes.HoldView]:
    """Open legal holds of the workspace, its members and its conversations; for admins."""
    return await retention.list_holds(*request.who, workspace_id)


@post("/holds")
@idempotent
async def hold(request: ApiRequest, workspace_id: PathId, data: JSONBody[shapes.HoldRequest]) -> shapes.HoldView:
    """Keep everything of the workspace, or of one member or conversation, until it is released; for admins."""
    return await retention.hold(*request.who, workspace_id, data)


@delete("/holds/{hold_id:str}")
async def release(request: ApiRequest, workspace_id: PathId, hold_id: PathId) -> None:
    """End a legal hold; for admins."""
    await retention.release(*request.who, workspace_id, hold_id)


retention_routes = Router(
    path="/api/workspaces/{workspace_id:str}",
    route_handlers=[get_retention, set_retention, list_holds, hold, release],
    tags=["retention"],
)
