"""/api/workspaces/{workspace_id}/audit: who did what, for owners and admins."""

from datetime import datetime
from typing import Annotated

from litestar import Router, get
from litestar.params import QueryParameter

from nottermost_chat.actions import audit
from nottermost_chat.api import shapes
from nottermost_chat.api.params import Limit, OptionalTime, PathId, parse_time
from nottermost_chat.api.request import ApiRequest
from nottermost_chat.directory import AuditQuery

OptionalId = Annotated[str, QueryParameter(max_length=64)]


@get("/audit")
async def read_audit(
    request: ApiRequest,
    workspace_id: PathId,
    actor: OptionalId = "",
    action: OptionalId = "",
    subject: OptionalId = "",
    since: OptionalTime = "",
    until: OptionalTime = "",
    before: OptionalId = "",
    limit: Limit = 100,
) -> list[shapes.AuditView]:
    """A page, the newest first; the last one's id is `before` of the next. That it was read is noted too."""
    wanted = AuditQuery(
        workspace_id=workspace_id, actor_id=actor, action=action, subject_id=subject,
        since=_ms(parse_time("since", since)), until=_ms(parse_time("until", until)), before=before, limit=limit,
    )  # fmt: skip
    return await audit.read(*request.who, wanted)


def _ms(time: datetime | None) -> int | None:
    return None if time is None else int(time.timestamp() * 1000)


audit_routes = Router(path="/api/workspaces/{workspace_id:str}", route_handlers=[read_audit], tags=["audit"])
