"""One port that serves gRPC, with a drain at its end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import grpc.aio
import structlog

from nottermost_chat.errors import StartError
from nottermost_chat.rpc.channel import SERVER_OPTIONS

DRAIN_S = 5.0  # for callers to collect their answers and to go elsewhere

logger = structlog.get_logger(__name__)


class Served(Protocol):
    """A gRPC service: `IngestServer`, `GatewayDelivery`."""

    def register(self, server: grpc.aio.Server) -> None:
        """Add its handlers to a server that has not started."""
        ...

    async def drain(self) -> None:
        """Tell callers to go elsewhere; returns when they have. Cancelled when that takes too long."""
        ...


@asynccontextmanager
async def serving(*services: Served, host: str, port: int) -> AsyncIterator[int]:
    """Serve; gives the port (0: a free one is taken). Ends with a drain of at most `DRAIN_S`.

    What the services stand on (ingest's loop above all) must outlive this. Raises: StartError
    when the port cannot be had.
    """
    server = grpc.aio.server(options=SERVER_OPTIONS)
    for service in services:
        service.register(server)
    try:
        bound = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise StartError(f"cannot serve gRPC on {host}:{port}: is the port in use? choose another one") from error
    await server.start()
    try:
        yield bound
    finally:
        try:
            async with asyncio.timeout(DRAIN_S):
                await asyncio.gather(*(service.drain() for service in services))
        except TimeoutError:
            logger.warning("drain_timed_out", after_s=DRAIN_S)
        await server.stop(grace=0)
