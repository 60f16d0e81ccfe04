"""Runs what removes and rewrites old data: erasures, exports, retention. One process at a time does it, under a lease."""

import asyncio
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
    """Until it is cancelled; what fails is tried again next time."""
    owner, retained_at = services.clock.new_id(), float("-inf")
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            if not await services.directory.retention.claim(owner, valid_ms=LEASE_MS):
                continue
            await erasure.run_pass(services)
            await exporter.run_pass(services)
            now = services.clock.monotonic()
            if now - retained_at >= RETENTION_EVERY_S:
                await retention.run_pass(services, until_s=now + RETENTION_S_MAX)
                retained_at = now
        except ChatError as error:
            logger.warning("removing_failed", error=repr(error))
