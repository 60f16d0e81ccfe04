"""Runs what removes and rewrites old data: erasures, exports, retention. One process at a time does it, under a lease."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from nottermost_chat.errors import ChatError
from nottermost_chat.services import Services
from nottermost_chat.workers import erasure, exporter, retention

EVERY_S: Final = 15.0  # who asked for an export waits for it
RETENTION_EVERY_S: Final = 600.0
RETENTION_S_MAX: Final = 120.0  # a pass that has more to do goes on with the next one: others wait meanwhile
LEASE_MS: Final = 15 * 60 * 1000  # longer than any pass

logger = structlog.get_logger(__name__)


async def run(services: Services) -> None:
    """Until it is cancelled."""
    removing = Removing(services)
    while True:
        await asyncio.sleep(EVERY_S)
        await removing.run_pass()


class Removing:
    """What fails is tried again next time, and does not stop the rest."""

    def __init__(self, services: Services) -> None:
        self._services, self._owner = services, services.clock.new_id()
        self._retained_at = float("-inf")

    async def run_pass(self) -> None:
        """Whatever is to be done now, if nobody else has the lease."""
        try:
            if not await self._services.directory.retention.claim(self._owner, valid_ms=LEASE_MS):
                return
        except ChatError as error:
            logger.warning("removing_failed", step="lease", code=error.code)
            return
        steps: dict[str, Callable[[], Awaitable[None]]] = {
            "erasures": lambda: erasure.run_pass(self._services),
            "exports": lambda: exporter.run_pass(self._services),
            "retention": self._retain,
        }
        for name, step in steps.items():
            try:
                await step()
            except ChatError as error:
                logger.warning("removing_failed", step=name, code=error.code)

    async def _retain(self) -> None:
        now = self._services.clock.monotonic()
        if now - self._retained_at >= RETENTION_EVERY_S:
            await retention.run_pass(self._services, until_s=now + RETENTION_S_MAX)
            self._retained_at = now
