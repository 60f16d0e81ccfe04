"""What operators ask: is the process alive, is it ready, how is it doing."""

from collections.abc import Callable

from litestar import Response, get
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from nottermost_chat.api.request import ApiRequest

Ready = Callable[[], tuple[bool, str]]  # whether messages go through, and a sentence about it


@get("/healthz", include_in_schema=False)
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@get("/readyz", include_in_schema=False)
async def readyz(request: ApiRequest) -> Response[dict[str, str]]:
    """Messages really go through: send people here, or not."""
    ready, reason = request.app.state.ready()
    return Response({"status": "ready" if ready else "not ready", "reason": reason}, status_code=200 if ready else 503)


@get("/metrics", include_in_schema=False)
async def metrics(request: ApiRequest) -> Response[bytes]:
    """Prometheus metrics of this process."""
    return Response(generate_latest(request.services.metrics.registry), headers={"content-type": CONTENT_TYPE_LATEST})
