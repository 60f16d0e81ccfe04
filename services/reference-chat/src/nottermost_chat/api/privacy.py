"""A user's own data: to fetch a copy, or to have everything erased."""

from typing import Annotated, Any

from litestar import Response, Router, delete, get, post
from litestar.params import QueryParameter
from litestar.response import Stream

from nottermost_chat.actions import privacy
from nottermost_chat.api import shapes
from nottermost_chat.api.files import FILE_POLICY, Part
from nottermost_chat.api.params import PathId
from nottermost_chat.api.request import ApiRequest

Confirm = Annotated[str, QueryParameter(min_length=1, max_length=64, description="one's own user name")]


@delete("/me", status_code=202)  # among `user_routes`, which have the other handlers of this path
async def erase_me(request: ApiRequest, confirm: Confirm) -> shapes.ErasureView:
    """End the account now; all that the user wrote, uploaded and told goes for good."""
    return await privacy.erase_own(*request.who, confirm)


@post("/exports", status_code=202)
async def request_export(request: ApiRequest) -> shapes.ExportView:
    """Ask for a copy of one's own data; it takes a while."""
    return await privacy.request_export(*request.who)


@get("/exports")
async def list_exports(request: ApiRequest) -> list[shapes.ExportView]:
    """One's own copies, the newest first; `url` of those that are there."""
    return await privacy.list_exports(*request.who, request.file_tools.secret)


@get("/{export_id:str}", media_type="application/zip")
async def download_export(
    request: ApiRequest, export_id: PathId, expires: Part = "", signature: Part = "", variant: Part = ""
) -> Response[Any]:
    """The zip, by the link that its user was given."""
    link = {"expires": expires, "signature": signature, "variant": variant}
    key = await privacy.open_export(request.services, request.file_tools.secret, export_id, link)
    blobs = request.services.blobs
    size = await blobs.size(key) or 0
    headers = {
        "content-type": "application/zip",
        "content-length": str(size),
        "content-disposition": 'attachment; filename="my-data.zip"',
        "content-security-policy": FILE_POLICY,
        "cache-control": "no-store",
    }
    return Stream(blobs.read(key, 0, size), headers=headers)


privacy_routes = Router(path="/api/users/me", route_handlers=[request_export, list_exports], tags=["privacy"])
export_routes = Router(path="/api/exports", route_handlers=[download_export], tags=["privacy"])
