"""What has to go when its time is over: deleted texts, unreferenced texts, stale uploads, old tokens."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

import structlog

from nottermost_chat.actions.audit import noting
from nottermost_chat.actions.files import thumbnail_key
from nottermost_chat.clock import DAY_MS
from nottermost_chat.directory import AuditAction
from nottermost_chat.directory.audit import SYSTEM
from nottermost_chat.errors import ChatError
from nottermost_chat.model import Entry
from nottermost_chat.ports import AppendRequest
from nottermost_chat.services import Services

EVERY_S = 600
UNREFERENCED_MS = DAY_MS  # longer than any send takes: an unreferenced text is a send that never came
STALE_UPLOAD_MS = DAY_MS
DELIVERIES_MS = 14 * DAY_MS  # as long as dead letters are kept
PAGE = 200
HELD_MAX = 10_000  # of what a legal hold keeps that is looked through for what it does not keep; the oldest come first

T = TypeVar("T")
logger = structlog.get_logger(__name__)


async def run(services: Services) -> None:
    """Clean up now and every ten minutes."""
    while True:
        await run_pass(services)
        await asyncio.sleep(EVERY_S)


async def run_pass(services: Services) -> None:
    """Clean up. What fails is tried again next time, and does not stop the rest."""
    directory, now_ms = services.directory, services.clock.now_ms
    steps: dict[str, Callable[[], Awaitable[object]]] = {
        "deleted": lambda: redact_deleted(services),
        "texts": lambda: services.store.collect_texts(now_ms() - UNREFERENCED_MS),
        "uploads": lambda: remove_stale_uploads(services),
        "accounts": directory.accounts.prune,
        "requests": directory.requests.prune,
        "webhooks": lambda: directory.webhooks.prune(now_ms() - DELIVERIES_MS),
    }
    for name, step in steps.items():
        try:
            await step()
        except ChatError as error:
            logger.warning("housekeeping_failed", step=name, code=error.code)


async def redact_deleted(services: Services) -> int:
    """Erase for good what was deleted more than seven days ago, but for what is held; returns how many messages.

    One that is refused is left for the next pass.
    """
    before, done = services.clock.now_ms() - services.settings.undo_delete_s * 1000, 0
    refused: set[str] = set()

    async def find(limit: int) -> list[Entry]:
        """More where some were refused: they come first every time."""
        found = await services.store.deleted_before(before, limit + len(refused))
        return [entry for entry in found if entry.message_id not in refused]

    while entries := await _not_held(services, find, lambda entry: entry.conversation_id):
        for entry in entries:
            try:
                await _redact_with_media(services, entry)
                done += 1
            except ChatError as error:
                refused.add(entry.message_id)
                logger.warning("redact_refused", conversation_id=entry.conversation_id, code=error.code)
    return done


async def _redact_with_media(services: Services, entry: Entry) -> None:
    await remove_media(services, entry.detail.file_ids, {entry.message_id})  # afterwards nothing leads to them
    await redact(services, entry)


async def redact(services: Services, entry: Entry) -> Entry:
    """Take the text of a message out for good; returns the entry that says so. Raises what ingest raises."""
    done = await services.ingest.submit(
        AppendRequest(
            kind="redact",
            conversation_id=entry.conversation_id,
            actor_id=entry.actor_id,
            op_id=f"redact:{entry.message_id}",
            message_id=entry.message_id,
            trusted=True,
        )
    )
    return done.entry


async def remove_stale_uploads(services: Services) -> None:
    """Uploads that were announced or made, and never sent with a message."""
    before, files = services.clock.now_ms() - STALE_UPLOAD_MS, services.directory.files
    stale = await _not_held(services, lambda limit: files.stale(before, limit=limit), lambda row: row.conversation_id)
    await remove_files(services, [row.file_id for row in stale])


async def _not_held(
    services: Services, find: Callable[[int], Awaitable[list[T]]], place_of: Callable[[T], str]
) -> list[T]:
    """Of what `find` finds (at most so many) that which no legal hold keeps; empty: there is none."""
    limit = PAGE
    while True:
        found = await find(limit)
        held = await services.directory.retention.held([place_of(each) for each in found])
        free = [each for each in found if place_of(each) not in held]
        if free or len(found) < limit or limit >= HELD_MAX:
            return free
        limit = min(4 * limit, HELD_MAX)


async def remove_media(services: Services, file_ids: Collection[str], message_ids: Collection[str]) -> None:
    """Files of these messages; one that another message carries stays with that one."""
    if file_ids:
        found = await services.directory.files.get_many(list(file_ids))
        await remove_files(services, [row.file_id for row in found.values() if row.message_id in message_ids])


async def remove_files(services: Services, file_ids: list[str]) -> None:
    """Remove the bytes first, then the rows that lead to them."""
    for file_id in file_ids:
        await services.blobs.delete(file_id)
        await services.blobs.delete(thumbnail_key(file_id))
    if file_ids:
        await noting(services, SYSTEM, AuditAction.FILE_REMOVED, file_ids).files.remove(file_ids)
