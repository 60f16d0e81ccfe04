"""/api/files: uploads and downloads by signed links."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from litestar import Response, Router, post, put
from litestar.exceptions import InternalServerException
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody, QueryParameter
from litestar.response import Stream

from nottermost_chat.actions import files
from nottermost_chat.api import shapes
from nottermost_chat.api.idempotency import idempotent
from nottermost_chat.api.params import PathId
from nottermost_chat.api.problems import answer_problem
from nottermost_chat.api.request import ApiRequest
from nottermost_chat.directory import FileRow
from nottermost_chat.errors import BadRequest, RangeNotSatisfiable
from nottermost_chat.files import content_disposition, inline_allowed, parse_range, sniff_content_type
from nottermost_chat.ports import BlobLinks

Part = Annotated[str, QueryParameter(max_length=200, description="part of the signed link")]

DIRECT_LINK_S = 300  # for so long after leaving somebody can fetch a file again; each renewal costs a download
# Whatever a file holds, a browser that opens it by its link runs nothing of it.
FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"


@post("/")
@idempotent
async def announce_upload(request: ApiRequest, data: JSONBody[shapes.FileRequest]) -> shapes.UploadView:
    """Announce a file; the answer says where to PUT its bytes."""
    return await files.announce_upload(request.services, request.file_tools, request.caller_id, data)


@post("/links", status_code=200)
async def list_files(request: ApiRequest, data: JSONBody[shapes.FileLinksRequest]) -> list[shapes.FileView]:
    """Those of the files that the caller may see, with fresh links."""
    return await files.list_files(request.services, request.file_tools, request.caller_id, data.file_ids)


@put("/{file_id:str}", status_code=201, request_max_body_size=None)
async def take_upload(
    request: ApiRequest, file_id: PathId, expires: Part = "", signature: Part = ""
) -> shapes.FileView:
    """The bytes of an announced file; exactly as many as announced."""
    link = {"expires": expires, "signature": signature}
    return await files.take_upload(request.services, request.file_tools, file_id, link, _received(request))


@post("/{file_id:str}", status_code=201)
async def finish_upload(
    request: ApiRequest, file_id: PathId, expires: Part = "", signature: Part = ""
) -> shapes.FileView:
    """After a direct upload: the file is looked at, and can be attached if it is what it says."""
    link = {"expires": expires, "signature": signature}
    return await files.finish_upload(request.services, request.file_tools, file_id, link)


async def _received(request: ApiRequest) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except InternalServerException as error:  # Litestar's name for a client that went away
        raise BadRequest("the upload ended before its end") from error


@HTTPRouteHandler("/{file_id:str}", http_method=["GET", "HEAD"], media_type="application/octet-stream")
async def download(
    request: ApiRequest, file_id: PathId, expires: Part = "", signature: Part = "", variant: Part = ""
) -> Response[Any]:
    """A file or its thumbnail, or where it is; supports Range, If-Range and If-None-Match."""
    link = {"expires": expires, "signature": signature, "variant": variant}
    row, key = await files.open_download(request.services, request.file_tools, file_id, link)
    links = request.services.blobs.links
    if links is not None and request.method == "GET":
        return await _redirect(request, links, row, key)
    size = await request.services.blobs.size(key) or 0
    headers = await _headers(request, row, key)
    if headers["etag"] in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    try:
        part = parse_range(
            request.headers.get("range"), size, etag=headers["etag"], if_range=request.headers.get("if-range")
        )
    except RangeNotSatisfiable as error:
        refusal = answer_problem(request, error)
        refusal.headers["content-range"] = f"bytes */{size}"
        return refusal
    start, end = (part.start, part.end) if part else (0, size)
    headers |= {"content-length": str(end - start)} | ({"content-range": part.content_range} if part else {})
    status = 206 if part else 200
    if request.method == "HEAD":
        return Response(b"", status_code=status, headers=headers)
    return Stream(request.services.blobs.read(key, start, end), status_code=status, headers=headers)


async def _redirect(request: ApiRequest, links: BlobLinks, row: FileRow, key: str) -> Response[Any]:
    """Who may see it was asked just now; the answer is kept for less time than what it says is good for."""
    headers = await _headers(request, row, key)
    url = await links.download(
        key,
        content_type=headers["content-type"],
        disposition=headers["content-disposition"],
        expires_s=DIRECT_LINK_S,
    )
    kept = {"location": url, "cache-control": f"private, max-age={DIRECT_LINK_S // 2}"}
    return Response(b"", status_code=302, headers=kept)


async def _headers(request: ApiRequest, row: FileRow, key: str) -> dict[str, str]:
    content_type, small = row.content_type, ""
    if key != row.file_id:  # thumbnails are JPEG or PNG, whatever the image is
        first = b"".join([chunk async for chunk in request.services.blobs.read(key, 0, 16)])
        content_type, small = sniff_content_type(first), "-small"
    return {
        "content-type": content_type,
        "content-disposition": content_disposition(row.name, inline=inline_allowed(row.content_type)),
        "content-security-policy": FILE_POLICY,
        "cache-control": f"private, max-age={request.services.settings.file_link_s}, immutable",
        "accept-ranges": "bytes",
        "etag": f'"{row.sha256}{small}"',
    }


link_routes = Router(path="/api/files", route_handlers=[take_upload, finish_upload, download], tags=["files"])
file_routes = Router(path="/api/files", route_handlers=[announce_upload, list_files], tags=["files"])
