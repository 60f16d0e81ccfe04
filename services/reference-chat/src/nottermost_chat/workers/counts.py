"""Counts by day for the business dashboard, in which nobody can be found.

What is shown (`daily_counts`) are sums over at least five active people: workspaces with fewer on that day
are shown together as "other", which takes in the smallest of the others if it has too few itself, so that
it cannot be worked out from the total; with fewer than five in all nothing is shown. A workspace is named
by an HMAC under a key that is in no database. What the sums are made of (`counting`, 31 days) holds no
user, by no name: who was active is a sketch of 4,096 numbers, each the longest run of zeros among the keyed
hashes that fell on it, from which no hash can be read back.

Sums are exact whatever the log hands over twice, or skips and hands over later: each conversation is
counted from where it was left, in one transaction with the sums, and a hole is read from the store.
People are counted to about 1.6 % (`sketch.py`). Active is who wrote, edited, deleted or reacted; programs
and imports do not count.
"""

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec
import structlog

from nottermost_chat import sketch
from nottermost_chat.clock import Clock, day_of
from nottermost_chat.directory import ConversationRow, Directory
from nottermost_chat.directory.counts import Advance, CountRow, Tally
from nottermost_chat.errors import ChatError, Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import ConversationKind, Entry, EntryKind, LogRecord, Position
from nottermost_chat.ports import MessageStore
from nottermost_chat.pseudonyms import Pseudonyms

PEOPLE_MIN: Final = 5  # active in what is shown by itself
MONTH: Final = timedelta(days=29)  # before the day itself: thirty days together
KEPT: Final = timedelta(days=31)
CLOSE_EVERY_S: Final = 3600.0  # takes about 10 ms for each workspace and day
PAUSE_S: Final = 1.0  # collects what comes close together into one transaction, and leaves the disk to the sends
LATE: Final = timedelta(hours=1)  # a day is counted up once that much of the next one is over
WORKSPACES_PAGE: Final = 100  # held at once, with 30 sketches of 4 KiB each
RECORDS_PAGE: Final = 500
ATTEMPTS: Final = 5  # while another process counts the same conversations
ALL: Final = "all"
OTHER: Final = "other"

logger = structlog.get_logger(__name__)


class Counter:
    """A log consumer, and what counts the days up when they are over."""

    group = "counts"

    def __init__(
        self, store: MessageStore, directory: Directory, pseudonyms: Pseudonyms, metrics: Metrics, clock: Clock,
        *, pause_s: float = PAUSE_S,
    ) -> None:  # fmt: skip
        self._store, self._directory, self._pseudonyms = store, directory, pseudonyms
        self._metrics, self._clock, self._pause_s = metrics, clock, pause_s

    # --- what happens ----------------------------------------------------------------------------

    async def handle(self, records: Sequence[LogRecord]) -> None:
        """Raises Unavailable when another process counts the same all the time."""
        by_conversation: dict[str, list[LogRecord]] = {}
        for record in records:
            by_conversation.setdefault(record.entry.conversation_id, []).append(record)
        for _ in range(ATTEMPTS):
            marks = await self._directory.counts.marks(list(by_conversation))
            fresh: list[LogRecord] = []
            advances: list[Advance] = []
            for conversation_id, found in by_conversation.items():
                mark = marks.get(conversation_id)
                if new := await self._new_records(conversation_id, mark, found):
                    fresh += new
                    last = max(record.entry.position for record in new)
                    advances.append(Advance(conversation_id, mark, last))
            if not advances or await self._directory.counts.add(await self._tally(fresh), advances):
                await asyncio.sleep(self._pause_s)
                return
        raise Unavailable("another process counts the same conversations: it is tried again")

    async def _new_records(
        self, conversation_id: str, mark: Position | None, records: Sequence[LogRecord]
    ) -> list[LogRecord]:
        """What has not been counted, up to the last record; read from the store where records are missing."""
        known = {record.entry.position: record for record in records}
        positions = sorted(position for position in known if mark is None or position > mark)
        if not positions:
            return []
        first, last = positions[0], positions[-1]
        epoch, seq = mark if mark is not None and mark[0] == first[0] else (first[0], first[1] - 1)
        if last == (epoch, seq + len(positions)):
            return [known[position] for position in positions]
        found: list[LogRecord] = []
        while seq < last[1] and (page := await self._store.records(conversation_id, seq, RECORDS_PAGE)):
            found += [record for record in page if record.entry.position <= last]
            seq = page[-1].entry.seq
        return found or [known[position] for position in positions]

    async def _tally(self, records: Sequence[LogRecord]) -> list[Tally]:
        counted = [record.entry for record in records if not record.silent and is_activity(record.entry)]
        users = await self._directory.accounts.users(sorted({entry.actor_id for entry in counted}))
        people = {user_id for user_id, user in users.items() if not user.bot}
        ids = sorted({entry.conversation_id for entry in counted})
        rows = await self._directory.conversations.get_many(ids)
        places = {each: self._place(rows.get(each)) for each in ids}
        seen: dict[tuple[str, str], set[str]] = {}
        sums: dict[tuple[str, str], Tally] = {}
        for entry in counted:
            if entry.actor_id in people:
                name, together = places[entry.conversation_id]
                key = day_of(entry.created_at), name
                messages = int(entry.kind is EntryKind.MESSAGE)
                sums[key] = _plus(sums.get(key) or Tally(*key), messages, together=together)
                seen.setdefault(key, set()).add(entry.actor_id)
        return [
            msgspec.structs.replace(tally, users=sketch.add(sketch.EMPTY, map(self._pseudonyms.user, seen[key])))
            for key, tally in sums.items()
        ]

    def _place(self, row: ConversationRow | None) -> tuple[str, bool]:
        """The workspace's pseudonym, and whether it is a group or channel."""
        if row is None:
            return self._pseudonyms.workspace(None), False
        return self._pseudonyms.workspace(row.workspace_id), row.kind is not ConversationKind.DIRECT

    # --- days that are over ----------------------------------------------------------------------

    async def run(self) -> None:
        """Count up the days that are over, now and every hour; what fails is tried again next time."""
        while True:
            try:
                await self.close_days()
            except ChatError as error:
                logger.warning("counting_up_failed", error=repr(error))
            await asyncio.sleep(CLOSE_EVERY_S)

    async def close_days(self) -> None:
        """Show what is over: the last two days anew, for what came late, and those before that are missing."""
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC) - LATE
        yesterday = now.date() - timedelta(days=1)
        counts = self._directory.counts
        await counts.forget((yesterday - KEPT).isoformat())
        done = await counts.days_published()
        days = {day for day in map(date.fromisoformat, await counts.days_counted()) if day <= yesterday}
        for day in sorted(days | {yesterday}):
            if day.isoformat() not in done or yesterday - day < timedelta(days=2):
                await counts.publish(day.isoformat(), await self._figures(day))
        self._show(await counts.published(yesterday.isoformat(), yesterday.isoformat()))

    async def _figures(self, day: date) -> Mapping[tuple[str, str], int]:
        figures, after = Figures(day.isoformat()), ""
        first = (day - MONTH).isoformat()
        while page := await self._directory.counts.window(first, day.isoformat(), after=after, limit=WORKSPACES_PAGE):
            for name, tallies in page.items():
                figures.take(name, tallies)
                await asyncio.sleep(0)  # others go on meanwhile
            after = max(page)
        return figures.shown()

    def _show(self, rows: Sequence[CountRow]) -> None:
        """Gauges of yesterday; no data is no number, and not zero."""
        summary = next(iter(summarise(row for row in rows if row.workspace_pseudonym == ALL)), None)
        for gauge, name in (
            (self._metrics.daily_users, "daily_users"),
            (self._metrics.monthly_users, "monthly_users"),
            (self._metrics.daily_messages, "messages"),
            (self._metrics.daily_group_share, "group_share"),
            (self._metrics.daily_upload_success, "upload_success"),
        ):
            value = None if summary is None else getattr(summary, name)
            gauge.set(math.nan if value is None else value)


def is_activity(entry: Entry) -> bool:
    """Whether somebody did this, and it is none of what is taken out later in their name."""
    if entry.detail.note:
        return False
    match entry.kind:
        case EntryKind.MESSAGE | EntryKind.EDIT | EntryKind.DELETE:
            return True
        case EntryKind.REACTION:
            return entry.detail.on
        case _:
            return False


def _plus(tally: Tally, messages: int, *, together: bool) -> Tally:
    return msgspec.structs.replace(
        tally,
        messages=tally.messages + messages,
        group_messages=tally.group_messages + (messages if together else 0),
    )


class _Part(msgspec.Struct, frozen=True):
    """A day's tally with how many were active on it, and in the month that it ends."""

    today: Tally
    month: bytes
    daily: int
    monthly: int

    @classmethod
    def of(cls, today: Tally, month: bytes) -> "_Part":
        return cls(today, month, sketch.count(today.users), sketch.count(month))

    def plus(self, other: "_Part") -> "_Part":
        return _Part.of(self.today.plus(other.today), sketch.merge(self.month, other.month))

    @property
    def tells_on_somebody(self) -> bool:
        return 0 < self.monthly < PEOPLE_MIN or 0 < self.daily < PEOPLE_MIN

    def figures(self) -> dict[str, int]:
        today = self.today
        return {
            "daily_users": self.daily,
            "monthly_users": self.monthly,
            "messages": today.messages,
            "group_messages": today.group_messages,
            "uploads": today.uploads,
            "uploads_failed": today.uploads_failed,
        }


class Figures:
    """What of a day may be shown, worked out from one workspace after the other: few are held at a time."""

    def __init__(self, day: str) -> None:
        self._day = day
        self._all = self._other = _Part.of(Tally(day, ""), sketch.EMPTY)
        self._smallest: tuple[str, _Part] | None = None  # of those that may be shown by themselves
        self._shown: dict[str, dict[str, int]] = {}

    def take(self, name: str, tallies: Sequence[Tally]) -> None:
        """A workspace with its tallies of the thirty days that end with this one."""
        today, month = Tally(self._day, name), sketch.EMPTY
        for tally in tallies:
            month = sketch.merge(month, tally.users)
            if tally.day == self._day:
                today = tally
        part = _Part.of(today, month)
        self._all = self._all.plus(part)
        if part.daily < PEOPLE_MIN:
            self._other = self._other.plus(part)
            return
        self._shown[name] = part.figures()
        if self._smallest is None or part.daily < self._smallest[1].daily:
            self._smallest = name, part

    def shown(self) -> dict[tuple[str, str], int]:
        """By workspace pseudonym and metric."""
        if self._all.tells_on_somebody or not self._all.monthly:
            return {}
        other, shown = self._other, dict(self._shown)
        if other.tells_on_somebody and self._smallest is not None:
            name, part = self._smallest
            other = other.plus(part)
            del shown[name]
        if other.monthly or other.today.uploads:
            shown[OTHER] = other.figures()
        shown[ALL] = self._all.figures()
        return {(name, metric): value for name, figures in shown.items() for metric, value in figures.items()}


class DaySummary(msgspec.Struct, frozen=True):
    """A day of a workspace, as people want to see it; None: there was nothing to take the share of.

    Attributes:
        workspace: a pseudonym, "none" (direct conversations and groups), "other" or "all".
        messages_per_user: of those who were active.
        group_share: of the messages, 0 to 1.
        upload_success: of the uploads that came to an end, 0 to 1.
    """

    day: str
    workspace: str
    daily_users: int
    monthly_users: int
    messages: int
    messages_per_user: float | None
    group_share: float | None
    upload_success: float | None


def summarise(rows: Iterable[CountRow]) -> list[DaySummary]:
    """By day and workspace, in the order of the rows."""
    days: dict[tuple[str, str], dict[str, int]] = {}
    for row in rows:
        days.setdefault((row.day, row.workspace_pseudonym), {})[row.metric] = row.value
    return [
        DaySummary(
            *key, found.get("daily_users", 0), found.get("monthly_users", 0), found.get("messages", 0),
            _share(found.get("messages", 0), found.get("daily_users", 0)),
            _share(found.get("group_messages", 0), found.get("messages", 0)),
            _share(found.get("uploads", 0) - found.get("uploads_failed", 0), found.get("uploads", 0)),
        )
        for key, found in days.items()
    ]  # fmt: skip


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
