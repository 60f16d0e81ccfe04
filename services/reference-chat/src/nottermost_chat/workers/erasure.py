"""Takes everything out that a user wrote, uploaded and told about themselves.

What was said stays as a skeleton: that there was an entry, when, and by whom, who is nobody any more.
A pass does whatever is left to do, so it can end anywhere and begin again; an erasure is finished by a
pass that finds nothing more, so that what the archiver had just read is found by the next one.
"""

from collections.abc import AsyncIterator
from typing import Final

import structlog

from nottermost_chat.directory import ErasureRow
from nottermost_chat.errors import ChatError, MessageGone, NotFound
from nottermost_chat.model import Entry, EntryKind
from nottermost_chat.ports import AppendRequest, SearchRemoval, version_at
from nottermost_chat.services import Services
from nottermost_chat.workers.housekeeping import redact, remove_files

PAGE: Final = 500  # entries read together

logger = structlog.get_logger(__name__)


class Held(Exception):
    """A legal hold was set meanwhile."""


async def run_pass(services: Services) -> None:
    """Go on with every erasure that nothing holds; one that is refused something does not stop the others."""
    for erasure in await services.directory.privacy.erasures():
        try:
            await advance(services, erasure)
        except ChatError as error:
            logger.warning("erasure_failed", erasure_id=erasure.erasure_id, code=error.code)


async def advance(services: Services, erasure: ErasureRow) -> bool:
    """Erase what is left. True: it is finished. False: a legal hold applies, or another pass has to look.

    A hold may be set at any time, and a pass may take long: it is asked for before every step.
    """
    try:
        await _check(services, erasure.user_id)
        await services.directory.privacy.begin_erasure(erasure.erasure_id)
        changed = await _erase(services, erasure.user_id)
    except Held:
        logger.info("erasure_waits", erasure_id=erasure.erasure_id, reason="a legal hold")
        return False
    if changed:
        logger.info("erasure_runs", erasure_id=erasure.erasure_id, changed=changed)
        return False
    await services.directory.privacy.finish_erasure(erasure.erasure_id)
    logger.info("erasure_finished", erasure_id=erasure.erasure_id)
    return True


async def _check(services: Services, user_id: str, place: str = "") -> None:
    """Raises Held. `place`: a conversation in which the user said something, whether anybody knows that or not."""
    retention = services.directory.retention
    if await retention.holds_user(user_id) or (place and await retention.held([place])):
        raise Held


async def _erase(services: Services, user_id: str) -> int:
    """One pass; returns how much there was. Raises Held."""
    changed = await _blank_messages(services, user_id)
    changed += await _remove_uploads(services, user_id)
    await _check(services, user_id)
    changed += await _remove_exports(services, user_id)
    await services.directory.privacy.erase_profile(user_id)
    if services.archive is not None:
        changed += await services.archive.erase(user_id, lambda: _check(services, user_id))
    return changed


async def _blank_messages(services: Services, user_id: str) -> int:
    """Redact messages and take back reactions; returns how many there were. Raises Held."""
    changed = 0
    reactions: dict[tuple[str, str], Entry] = {}
    async for page in _pages_of(services, user_id):
        await _check(services, user_id, page[0].conversation_id)
        for entry in page:
            if entry.kind is EntryKind.REACTION:
                reactions[entry.message_id, entry.detail.emoji or ""] = entry  # the last one says whether it is set
            elif entry.kind is EntryKind.MESSAGE:
                changed += await _redact(services, entry)
    for number, entry in enumerate([entry for entry in reactions.values() if entry.detail.on]):
        if number % PAGE == 0:
            await _check(services, user_id)
        changed += await _take_back(services, entry)
    return changed


async def entries_of(services: Services, user_id: str) -> AsyncIterator[Entry]:
    """Everything the user did that the store has: in every conversation where they are or were.

    Of users of an import in every conversation there is: it does not say who was a member when.
    """
    async for page in _pages_of(services, user_id):
        for entry in page:
            yield entry


async def _pages_of(services: Services, user_id: str) -> AsyncIterator[list[Entry]]:
    """The same, those together that were read together: of one conversation."""
    for conversation_id in await places_of(services, user_id):
        after = 0
        while page := await services.store.entries(conversation_id, after, PAGE):
            after = page[-1].seq
            if own := [entry for entry in page if entry.actor_id == user_id]:
                yield own


async def places_of(services: Services, user_id: str) -> list[str]:
    """Conversations in which the user may have said something."""
    if not await services.directory.privacy.imported(user_id):
        stays = await services.directory.privacy.stays(user_id)
        return list(dict.fromkeys(stay.conversation_id for stay in stays))
    found: list[str] = []
    while page := await services.directory.conversations.ids(after=found[-1] if found else "", limit=PAGE):
        found += page
    return found


async def _redact(services: Services, entry: Entry) -> int:
    message = (await services.store.messages(entry.conversation_id, [entry.message_id])).get(entry.message_id)
    if message is None or message.redacted:
        return 0
    done = await redact(services, entry)
    await services.search.apply([], [SearchRemoval(entry.message_id, version_at(done.position))])
    return 1


async def _take_back(services: Services, entry: Entry) -> int:
    """0: there is nothing any more that it was on."""
    try:
        await services.ingest.submit(
            AppendRequest(
                kind="reaction", conversation_id=entry.conversation_id, actor_id=entry.actor_id,
                op_id=f"erase:{entry.seq}", message_id=entry.message_id, emoji=entry.detail.emoji or "", on=False,
                trusted=True,
            )
        )  # fmt: skip
    except (MessageGone, NotFound):
        return 0
    return 1


async def _remove_uploads(services: Services, user_id: str) -> int:
    removed = 0
    while page := await services.directory.privacy.uploads(user_id):
        await _check(services, user_id)
        await remove_files(services, [row.file_id for row in page])
        removed += len(page)
    return removed


async def _remove_exports(services: Services, user_id: str) -> int:
    """Copies that the user asked for hold all of it once more."""
    made = [row for row in await services.directory.privacy.exports_of(user_id) if row.blob_key is not None]
    for row in made:
        await services.blobs.delete(row.blob_key or "")
        await services.directory.privacy.forget_export(row.export_id)
    return len(made)
