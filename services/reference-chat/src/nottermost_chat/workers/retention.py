"""Takes out of the message store what is old, and out of the archive what is older still.

What a pass would do is worked out first, as values (`plan_trim`, `plan_expiry`); the command line
prints them and the worker carries out the very same. Nothing leaves the store before the archive
was read back and says the same. Every step is small, and a pass that ends early goes on next time:
how far it came is the conversation's floor.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from itertools import takewhile
from typing import Final

import msgspec
import structlog

from nottermost_chat.archive.rows import out_of_date, rows_of
from nottermost_chat.clock import DAY_MS, day_of
from nottermost_chat.directory import PolicyRow
from nottermost_chat.directory.retention import Place
from nottermost_chat.model import Entry, EntryKind, Position
from nottermost_chat.ports import SearchRemoval, version_at
from nottermost_chat.services import Services
from nottermost_chat.workers.housekeeping import remove_media

PAGE: Final = 200  # conversations looked at together
STEP_ENTRIES: Final = 100  # trimmed at once: 40 MB of the longest texts while they are compared
TRIES: Final = 3  # of one step, while somebody edits, deletes or reacts to what is in it
TODAY_PARTS_MAX: Final = 64  # of the day that is going on; older days are merged to few

logger = structlog.get_logger(__name__)


class Trim(msgspec.Struct, frozen=True):
    """The next entries of a conversation that the store need not have any more.

    Attributes:
        floor_seq: up to which they go.
        held: a legal hold keeps them where they are.
    """

    conversation_id: str
    workspace_id: str | None
    floor_seq: int
    entries: tuple[Entry, ...]
    held: bool

    @property
    def message_ids(self) -> tuple[str, ...]:
        return tuple(entry.message_id for entry in self.entries if entry.kind is EntryKind.MESSAGE)

    @property
    def file_ids(self) -> tuple[str, ...]:
        return tuple(file_id for entry in self.entries for file_id in entry.detail.file_ids)


class Expiry(msgspec.Struct, frozen=True):
    """Rows of a day that the archive need not have any more.

    `workspace_ids`: of these, None: of no workspace. `held`: conversations that stay all the same.
    """

    day: str
    workspace_ids: tuple[str | None, ...]
    held: tuple[str, ...]
    rows: int


class Keeping(msgspec.Struct, frozen=True):
    """How many days the store and the archive keep an entry; `warm_days` 0: the store keeps it for good."""

    warm_days: int
    archive_days: int


class Rules:
    """What each workspace wants, and what counts where none says anything."""

    def __init__(self, services: Services, policies: Mapping[str, PolicyRow]) -> None:
        self._default = Keeping(services.settings.warm_days, services.settings.archive_days)
        self._policies = {key: Keeping(row.warm_days, row.archive_days) for key, row in policies.items()}

    @classmethod
    async def read(cls, services: Services) -> "Rules":
        return cls(services, await services.directory.retention.policies())

    def of(self, workspace_id: str | None) -> Keeping:
        return self._policies.get(workspace_id or "", self._default)

    def expired(self, workspace_ids: Sequence[str | None], age_days: int) -> tuple[str | None, ...]:
        """Those of the workspaces that want nothing kept that is so old."""
        return tuple(each for each in workspace_ids if age_days > self.of(each).archive_days)

    @property
    def trims_anything(self) -> bool:
        return any(keeping.warm_days for keeping in (self._default, *self._policies.values()))

    @property
    def archive_days_min(self) -> int:
        return min(keeping.archive_days for keeping in (self._default, *self._policies.values()))


# --- what would go ----------------------------------------------------------------------------


async def plan(services: Services) -> AsyncIterator[Trim | Expiry]:
    """The next step for every conversation and every day of which something is to go. Changes nothing."""
    rules = await Rules.read(services)
    async for place in places(services, rules):
        if (trim := await plan_trim(services, rules, place)) is not None:
            yield trim
    async for expiry in plan_expiry(services, rules):
        yield expiry


async def places(services: Services, rules: Rules) -> AsyncIterator[Place]:
    """Conversations that have more than the last entry in the store, or left of a trim, and a limit on how long."""
    after = ""
    while rules.trims_anything and (page := await services.directory.retention.places(after=after, limit=PAGE)):
        after = page[-1].conversation_id
        limited = [place for place in page if rules.of(place.workspace_id).warm_days]
        ids = [place.conversation_id for place in limited]
        heads, half_trimmed = await services.store.heads(ids), await services.store.half_trimmed(ids)
        for place in limited:
            head = heads.get(place.conversation_id)
            if head is not None and (head.floor_seq < head.seq - 1 or place.conversation_id in half_trimmed):
                yield place


async def plan_trim(services: Services, rules: Rules, place: Place) -> Trim | None:
    """The oldest entries that are older than the store is to keep them; None: there are none."""
    before = services.clock.now_ms() - rules.of(place.workspace_id).warm_days * DAY_MS
    head = (await services.store.heads([place.conversation_id]))[place.conversation_id]
    after = 0 if await services.store.half_trimmed([place.conversation_id]) else head.floor_seq
    page = await services.store.entries(place.conversation_id, after, STEP_ENTRIES)
    old = tuple(takewhile(lambda entry: entry.created_at < before and entry.seq < head.seq, page))
    if not old:
        return None
    held = await services.directory.retention.held([place.conversation_id])
    return Trim(place.conversation_id, place.workspace_id, old[-1].seq, old, bool(held))


async def plan_expiry(services: Services, rules: Rules) -> AsyncIterator[Expiry]:
    """Days that are older than somebody wants them kept."""
    archive, now_ms = services.archive, services.clock.now_ms()
    if archive is None:
        return
    last = day_of(now_ms - (rules.archive_days_min + 1) * DAY_MS)
    old = [day for day in await archive.days() if day <= last]
    workspace_ids = [None, *await services.directory.retention.workspace_ids()] if old else []
    held = tuple(await services.directory.retention.all_held()) if old else ()
    for day in old:
        expired = rules.expired(workspace_ids, _age_days(day, now_ms))
        if rows := await archive.count_expired(day, expired, held):
            yield Expiry(day, expired, held, rows)


def _age_days(day: str, now_ms: int) -> int:
    """Whole days since the day ended."""
    return (date.fromisoformat(day_of(now_ms)) - date.fromisoformat(day)).days - 1


# --- doing it ---------------------------------------------------------------------------------


async def run_pass(services: Services, *, until_s: float) -> None:
    """Do what is to be done, or as much as there is time for until then (`clock.monotonic`)."""
    if services.archive is None:
        return
    rules = await Rules.read(services)
    async for place in places(services, rules):
        while (trim := await plan_trim(services, rules, place)) is not None and await carry_out(services, trim):
            if services.clock.monotonic() > until_s:
                return
    async for expiry in plan_expiry(services, rules):
        held = services.directory.retention.all_held
        count = await services.archive.expire(expiry.day, expiry.workspace_ids, held)
        logger.info("archive_expired", day=expiry.day, rows=count)
    await merge_days(services)


async def carry_out(services: Services, trim: Trim) -> bool:
    """Trim once everything that goes is in the archive as it is now. False: not now, because of a hold or of changes.

    The store takes nothing out that was changed since it was archived: then it is archived again.
    """
    for _ in range(0 if trim.held else TRIES):
        head = await archive_first(services, trim)
        if await services.directory.retention.held([trim.conversation_id]):
            return False
        version = version_at(head)
        await services.search.apply([], [SearchRemoval(message_id, version) for message_id in trim.message_ids])
        await remove_media(services, trim.file_ids, {*trim.message_ids})
        if await services.store.trim(trim.conversation_id, trim.floor_seq, seen_seq=head[1]):
            logger.info("trimmed", conversation_id=trim.conversation_id, floor_seq=trim.floor_seq)
            return True
    return False


async def archive_first(services: Services, trim: Trim) -> Position:
    """Read back what the archive has, and write what it lacks; returns the head from before the store was read."""
    assert services.archive is not None, "nothing is trimmed without an archive"
    head = (await services.store.heads([trim.conversation_id]))[trim.conversation_id]
    rows = await rows_of(services.store, trim.entries, workspace_id=trim.workspace_id, targets=False)
    missing = out_of_date(rows, await services.archive.states(rows))
    if missing:
        await services.archive.append(missing)
    return head.position


async def merge_days(services: Services) -> None:
    """Few parts a day; and what was edited, deleted or erased since it was archived is gone afterwards."""
    assert services.archive is not None, "there is something to merge"
    today = day_of(services.clock.now_ms())
    for day, parts in (await services.archive.days()).items():
        if parts > (TODAY_PARTS_MAX if day >= today else 1):
            await services.archive.merge(day)
