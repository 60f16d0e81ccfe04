"""/api/search: messages by what they say."""

from typing import Annotated, Literal

from litestar import Router, get
from litestar.params import QueryParameter

from nottermost_chat.actions.search import search
from nottermost_chat.api import shapes
from nottermost_chat.api.params import Limit, Text
from nottermost_chat.api.request import ApiRequest

Sort = Annotated[Literal["rank", "date"], QueryParameter(description="best first, or newest first")]
Offset = Annotated[int, QueryParameter(ge=0, le=10_000, description="hits to leave out")]
UtcOffset = Annotated[
    int, QueryParameter(ge=-1440, le=1440, description="minutes that the caller's clock is ahead of UTC, for dates")
]


@get("/")
async def search_messages(
    request: ApiRequest, q: Text, sort: Sort = "rank", offset: Offset = 0, limit: Limit = 20, utc_offset: UtcOffset = 0
) -> shapes.SearchView:
    """Full text, "phrases", prefix*, -without, from: in: with: before: after: on: has:file|link|reaction.

    Of a caller in more than 10,000 conversations the last active are searched, and those that in: names; then `unknown`
    says that others were left out.
    """
    return await search(
        *request.who, q,
        by_date=sort == "date", offset=offset, limit=limit, utc_offset_minutes=utc_offset,
    )  # fmt: skip


search_routes = Router(path="/api/search", route_handlers=[search_messages], tags=["search"])
