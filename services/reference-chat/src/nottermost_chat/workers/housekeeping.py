"""What has to go when its time is over: deleted texts, unreferenced texts, stale uploads, old tokens."""

import asyncio

import structlog

from nottermost_chat.actions.files import thumbnail_key
from nottermost_chat.errors import ChatError
from nottermost_chat.ports import AppendRequest
from nottermost_chat.services import Services

EVERY_S = 600
UNREFERENCED_MS = 24 * 3600 * 1000  # longer than any send takes: an unreferenced text is a send that never came
STALE_UPLOAD_MS = 24 * 3600 * 1000
PAGE = 200

logger = structlog.get_logger(__name__)


async def run(services: Services) -> None:
    """Clean up now and every ten minutes; what fails is tried again next time."""
    while True:
        try:
            await redact_deleted(services)
            await services.store.collect_texts(services.clock.now_ms() - UNREFERENCED_MS)
            await remove_stale_uploads(services)
            await services.directory.accounts.prune()
            await services.directory.requests.prune()
        except ChatError as error:
            logger.warning("housekeeping_failed", error=repr(error))
        await asyncio.sleep(EVERY_S)


async def redact_deleted(services: Services) -> int:
    """Erase for good what was deleted more than seven days ago; returns how many messages."""
    before, done = services.clock.now_ms() - services.settings.undo_delete_s * 1000, 0
    while entries := await services.store.deleted_before(before, PAGE):
        for entry in entries:
            await services.ingest.submit(
                AppendRequest(
                    kind="redact",
                    conversation_id=entry.conversation_id,
                    actor_id=entry.actor_id,
                    op_id=f"redact:{entry.message_id}",
                    message_id=entry.message_id,
                    trusted=True,
                )
            )
            if entry.detail.file_ids:
                await remove_files(services, list(entry.detail.file_ids))
            done += 1
    return done


async def remove_stale_uploads(services: Services) -> None:
    """Uploads that were announced or made, and never sent with a message."""
    stale = await services.directory.files.stale(services.clock.now_ms() - STALE_UPLOAD_MS)
    await remove_files(services, [row.file_id for row in stale])


async def remove_files(services: Services, file_ids: list[str]) -> None:
    """Remove the bytes first, then the rows that lead to them."""
    for file_id in file_ids:
        await services.blobs.delete(file_id)
        await services.blobs.delete(thumbnail_key(file_id))
    if file_ids:
        await services.directory.files.remove(file_ids)
