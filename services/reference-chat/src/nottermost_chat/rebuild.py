"""Makes again, while the chat runs, what is derived: the search index from the store, any consumer's part from the log."""

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from nottermost_chat.adapters.hand_over import hand_over
from nottermost_chat.directory import Directory
from nottermost_chat.errors import BadRequest, ChatError
from nottermost_chat.model import Head, LogRecord, Message
from nottermost_chat.pictures import Pictures
from nottermost_chat.ports import (
    DocumentRefused,
    EventLog,
    Handler,
    MessageStore,
    SearchDocument,
    SearchIndex,
    version_at,
)
from nottermost_chat.settings import Secrets, Settings, Store
from nottermost_chat.workers.archiver import Archiver
from nottermost_chat.workers.audit import Auditor
from nottermost_chat.workers.indexer import Indexer, make_document
from nottermost_chat.workers.projector import Projector

if TYPE_CHECKING:
    from nottermost_chat.archive import Archive

CONVERSATIONS_PAGE: Final = 200
MESSAGES_PAGE: Final = 200
DOCUMENTS_MAX: Final = 500  # or this much text, in one `apply`: a rebuild holds no more than that
CHARACTERS_MAX: Final = 1_000_000

logger = structlog.get_logger(__name__)
Tell = Callable[["Rebuilt"], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What there is to rebuild from, and to rebuild."""

    store: MessageStore
    directory: Directory
    search: SearchIndex
    log: EventLog
    archive: "Archive | None" = None  # None: nothing is archived here


class Rebuilt(msgspec.Struct, frozen=True):
    """How far a rebuild has come. `refused`: messages that the index cannot hold; the log says which."""

    conversations: int = 0
    messages: int = 0
    refused: int = 0


class Replayed(msgspec.Struct, frozen=True):
    """What was handed over again. `refused`: records that the consumer could not handle; the log says why."""

    group: str
    since: datetime
    records: int
    refused: int


# --- the search index, from the store ---------------------------------------------------------


async def reindex(sources: Sources, tell: Tell = lambda _done: None) -> Rebuilt:
    """Rebuild the search index. The old one serves until the new one is whole, and stays if this fails.

    Everything in it is as it was when its conversation's head was read; what has changed since then
    is the indexer's to apply, which it does to both.

    Args:
        tell: called with how far it has come.

    Raises: Unavailable; Conflict when a later rebuild took this one's place.
    """
    rebuild = await sources.search.begin_rebuild()
    try:
        done = await _copy(sources, tell)
        await sources.search.finish_rebuild(rebuild)
    except BaseException:
        with suppress(ChatError):  # what is left over the next rebuild removes
            await sources.search.abandon_rebuild(rebuild)
        raise
    return done


async def _copy(sources: Sources, tell: Tell) -> Rebuilt:
    done, waiting, characters = Rebuilt(), list[SearchDocument](), 0
    async for ids in _conversations(sources.directory):
        for head in (await sources.store.heads(ids)).values():
            async for message in _messages(sources.store, head):
                document = await make_document(sources.store, sources.directory, message, version_at(head.position))
                waiting.append(document)
                characters += len(document.body)
                if len(waiting) >= DOCUMENTS_MAX or characters >= CHARACTERS_MAX:
                    done = await _put(sources.search, waiting, done)
                    tell(done)
                    waiting, characters = [], 0
        done = msgspec.structs.replace(done, conversations=done.conversations + len(ids))
    done = await _put(sources.search, waiting, done)
    tell(done)
    return done


async def _conversations(directory: Directory) -> AsyncIterator[list[str]]:
    """The ids of all conversations, a page at a time."""
    after = ""
    while page := await directory.conversations.ids(after=after, limit=CONVERSATIONS_PAGE):
        yield page
        after = page[-1]


async def _messages(store: MessageStore, head: Head) -> AsyncIterator[Message]:
    """What can be found of a conversation: no notes, and nothing that has no text any more."""
    after_seq = head.floor_seq
    while page := await store.history(head.conversation_id, limit=MESSAGES_PAGE, after_seq=after_seq):
        for message in page:
            if message.text is not None and not message.entry.detail.note:
                yield message
        after_seq = page[-1].entry.seq


async def _put(search: SearchIndex, documents: Sequence[SearchDocument], done: Rebuilt) -> Rebuilt:
    refused = 0
    if documents:
        try:
            await search.apply(documents, ())
        except DocumentRefused as error:
            refused = len(error.message_ids)
            logger.warning("documents_refused", message_ids=error.message_ids, error=str(error))
    return Rebuilt(done.conversations, done.messages + len(documents) - refused, done.refused + refused)


# --- any consumer's part, from the log ----------------------------------------------------------


def _indexer(sources: Sources) -> Handler:
    return Indexer(sources.store, sources.directory, sources.search).handle


def _projector(sources: Sources) -> Handler:
    return Projector(sources.directory, Pictures(sources.directory.conversations, sources.store)).handle


def _auditor(sources: Sources) -> Handler:
    return Auditor(sources.store, sources.directory).handle


def _archiver(sources: Sources) -> Handler:
    if sources.archive is None:
        raise BadRequest("nothing is archived here: install nottermost-chat[cluster], or name the archive's bucket")
    return Archiver(sources.archive, sources.store, sources.directory, every_s=0).handle


# A consumer belongs here when a record that it has handled changes nothing the second time.
REPLAYABLE: Final[Mapping[str, Callable[[Sources], Handler]]] = {
    "indexer": _indexer, "projector": _projector, "audit": _auditor, "archiver": _archiver,
}  # fmt: skip
NOT_REPLAYABLE: Final[Mapping[str, str]] = {
    "counts": "each conversation is counted from where it was left, and nothing is counted again",
    "fanout": "fan-out keeps nothing: replay `projector`, which makes who is in which conversation, and what a"
    " connection lacks its gateway fetches",
    "notifier": "people would be told again what they were told then",
    "webhooks": "other programs would be sent again what they were sent then",
}


def make_handler(group: str, sources: Sources) -> Handler:
    """What the consumer does with a record. Raises BadRequest for one that must not do it twice, or is unknown."""
    check_group(group)
    return REPLAYABLE[group](sources)


def check_group(group: str) -> None:
    """Raises BadRequest."""
    if group not in REPLAYABLE:
        reason = NOT_REPLAYABLE.get(group, "there is no such consumer")
        raise BadRequest(f"{group} cannot be replayed ({reason}): choose one of {', '.join(REPLAYABLE)}")


async def replay(
    sources: Sources, group: str, since: datetime, tell: Callable[[int], object] = lambda _done: None
) -> Replayed:
    """Hand the log's records since then to the consumer once more, beside the one that runs; its position stays.

    Args:
        tell: called with how many it was so far.

    Raises: BadRequest for a group that cannot be replayed; Unavailable.
    """
    handler, done, refused = make_handler(group, sources), 0, 0

    async def handle(records: Sequence[LogRecord]) -> None:
        nonlocal done, refused
        refused += len(await hand_over(handler, records, group=group))
        done += len(records)
        tell(done)

    count = await sources.log.replay(handle, int(since.timestamp() * 1000))
    return Replayed(group, since, count, refused)


_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_since(text: str, now: datetime) -> datetime:
    """`90m`, `2h`, `3d`: so long before now; or a time in ISO 8601, UTC unless it says otherwise. Raises BadRequest."""
    if found := re.fullmatch(r"(\d{1,9})([smhd])", text):
        return now - timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(f"{text!r} is no time: write 90m, 2h, 3d or 2026-11-21T08:00Z") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


# --- where they are -------------------------------------------------------------------------------


@asynccontextmanager
async def open_sources(settings: Settings, secrets: Secrets) -> AsyncIterator[Sources]:
    """Those of the cluster that the settings name, or those in the data folder, which no chat may be running on.

    Raises: StartError.
    """
    if settings.store is Store.SQLITE:
        from nottermost_chat.bootstrap import open_services

        async with open_services(settings) as services:
            yield Sources(
                store=services.store, directory=services.directory, search=services.search, log=services.log,
                archive=services.archive,
            )  # fmt: skip
        return
    from nottermost_chat import backends
    from nottermost_chat.roles import Role, make_process

    process = make_process(Role.INDEXER, settings, secrets)
    async with AsyncExitStack() as stack:
        directory, store, log = await stack.enter_async_context(backends.stores_and_log(process))
        search = await stack.enter_async_context(backends.search(process))
        archive = await stack.enter_async_context(backends.archive(process)) if settings.archive_bucket else None
        yield Sources(store=store, directory=directory, search=search, log=log, archive=archive)
