"""Serves everything that is not live, and the page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nottermost_chat.api.app import create_app
from nottermost_chat.front_door import listen
from nottermost_chat.roles.parts import serving_operations_apart
from nottermost_chat.roles.process import Process
from nottermost_chat.roles.services import open_services
from nottermost_chat.verifier import derive_secret


@asynccontextmanager
async def run(process: Process) -> AsyncIterator[int]:
    """Serves everything that is not live, and the page."""
    settings = process.settings
    async with open_services(process) as (services, ingest):

        def ready() -> tuple[bool, str]:
            return bool(ingest.ingests), f"{len(ingest.ingests)} ingests answer"

        app = create_app(services, ready, link_secret=derive_secret(process.keys, b"links"))
        async with serving_operations_apart(process, ready):
            traced = process.tracing.requesting(app) if process.tracing else app
            server = await listen(traced, settings.host, settings.port, proxies=settings.trusted_proxies)
            try:
                yield server.port
            finally:
                server.stop_listening()
                await server.finish()
                await app.state["files"].images.close()
