"""The web page: files of the package's `web` folder, read once at the start."""

import hashlib
from pathlib import Path
from typing import Final

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from nottermost_chat.errors import NotFound

PageRequest = Request[object, object, State]

FOLDER: Final = Path(__file__).parent.parent / "web"
PAGE: Final = "index.html"
WORKER: Final = "service-worker.js"
PAGE_PATHS: Final = ["/", "/register", "/login", "/claim", "/w", "/w/{rest:path}"]
_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


class Asset(msgspec.Struct, frozen=True):
    """A file of the page."""

    content: bytes
    content_type: str
    etag: str


def load_assets(folder: Path = FOLDER) -> dict[str, Asset]:
    """Every file below the folder, by its path there: what is not among them does not exist."""
    assets = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in _TYPES:
            content = path.read_bytes()
            etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            assets[path.relative_to(folder).as_posix()] = Asset(content, _TYPES[path.suffix], etag)
    return assets


def _answer(request: PageRequest, name: str) -> Response[bytes]:
    """Browsers ask again every time, and mostly hear that nothing has changed."""
    asset: Asset | None = request.app.state.assets.get(name)
    if asset is None:
        raise NotFound("there is no such page")
    headers = {"etag": asset.etag, "cache-control": "no-cache"}
    if name == WORKER:
        headers["service-worker-allowed"] = "/"  # it lies below /assets and opens pages everywhere
    if asset.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    if request.method == "HEAD":
        return Response(
            b"", media_type=asset.content_type, headers=headers | {"content-length": str(len(asset.content))}
        )
    return Response(asset.content, media_type=asset.content_type, headers=headers)


@HTTPRouteHandler(PAGE_PATHS, http_method=["GET", "HEAD"], include_in_schema=False)
async def get_page(request: PageRequest) -> Response[bytes]:
    """The page itself; it looks at its address to know what to show."""
    return _answer(request, PAGE)


@HTTPRouteHandler("/assets/{path:path}", http_method=["GET", "HEAD"], include_in_schema=False)
async def get_asset(request: PageRequest, path: FromPath[str]) -> Response[bytes]:
    """A file of the page."""
    return _answer(request, path.removeprefix("/"))
