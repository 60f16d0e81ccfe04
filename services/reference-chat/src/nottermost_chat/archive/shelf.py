"""What the archive is asked for, as queries over its parts. Blocks; `archive.py` calls it in threads."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import compute as pc
from pyarrow import dataset as ds

from nottermost_chat.archive.parts import Part, Parts, only_standing, to_rows, to_table
from nottermost_chat.archive.rows import Registered, Row, Wanted, without_user
from nottermost_chat.clock import day_of

KNOWN_MAX: Final = 100_000  # (part, conversation) of which it is known which seqs are in it
REGISTER: Final = "erasures"  # the folder of the register: it outlives a restore of everything else
_INDEX: Final = ["seq", "kind", "thread_id", "broadcast", "message_id", "created_at", "__filename"]


class Shelf:
    """The archive, one call after the other or side by side in threads."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._known: OrderedDict[tuple[str, str], tuple[int, int] | None] = OrderedDict()

    def set_up(self) -> None:
        self._parts.make_bucket()

    def append(self, rows: Sequence[Row]) -> None:
        by_day: dict[str, list[Row]] = {}
        for row in rows:
            by_day.setdefault(row.day, []).append(row)
        for day, some in by_day.items():
            self._parts.write_all(day, to_table(some))

    def days(self) -> dict[str, int]:
        """Every day there is, the oldest first, and how many parts it has."""
        return {day: len(parts) for day, parts in self._parts.days().items()}

    # --- reading ---------------------------------------------------------------------------------

    def messages(self, wanted: Wanted) -> list[Row]:
        days = self._parts.days()
        found: list[Row] = []
        for day in sorted(days, reverse=wanted.newest_first):  # seqs of a conversation rise with the days
            if wanted.first_day <= day <= wanted.last_day and len(found) < wanted.limit:
                found += self._messages_of_day(days[day], wanted, wanted.limit - len(found))
        return sorted(found, key=lambda row: row.seq)

    def _messages_of_day(self, parts: Sequence[Part], wanted: Wanted, limit: int) -> list[Row]:
        """First only the numbers of what fits, then as many whole rows as are asked for."""
        parts = [part for part in parts if self._may_hold(part, wanted)]
        if not parts:
            return []
        here = ds.field("conversation_id") == wanted.conversation_id
        index = self._parts.read(parts, here, _INDEX)
        self._note(parts, wanted.conversation_id, index)
        seqs = sorted({*index.filter(_selects(wanted))["seq"].to_pylist()})
        seqs = seqs[-limit:] if wanted.newest_first else seqs[:limit]
        if not seqs:
            return []
        these = _in_conversation(wanted.conversation_id, seqs) & (ds.field("kind") == "message")
        return to_rows(only_standing(self._parts.read(parts, these)))

    def _may_hold(self, part: Part, wanted: Wanted) -> bool:
        known = self._known.get((part.path, wanted.conversation_id), (0, 2**62))
        return known is not None and known[0] < wanted.before_seq and known[1] > wanted.after_seq

    def _note(self, parts: Sequence[Part], conversation_id: str, index: pa.Table) -> None:
        """Parts never change, so what was found in one can be relied on."""
        names = index["__filename"]
        for part in parts:
            seqs = pc.min_max(index["seq"].filter(pc.equal(names, part.path))).as_py()
            known = None if seqs["min"] is None else (seqs["min"], seqs["max"])
            self._known[part.path, conversation_id] = known
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    def states(self, rows: Sequence[Row]) -> dict[tuple[int, int], Row]:
        """What there is under the keys of these rows, all of one conversation."""
        wanted = _in_conversation(rows[0].conversation_id, sorted({row.seq for row in rows}))
        found = [row for day in sorted({row.day for row in rows}) for row in self._of_day(day, wanted)]
        return {(row.epoch, row.seq): row for row in found}

    def days_between(self, from_ms: int, until_ms: int) -> list[str]:
        first, last = day_of(from_ms), day_of(max(from_ms, until_ms - 1))
        return [day for day in self.days() if first <= day <= last]

    def said(self, day: str, conversation_id: str, from_ms: int, until_ms: int) -> list[Row]:
        """Messages of a conversation in that time of the day."""
        at = ds.field("created_at").cast(pa.int64())
        here = (ds.field("conversation_id") == conversation_id) & (ds.field("kind") == "message")
        return self._of_day(day, here & (at >= from_ms) & (at < until_ms))

    def sent(self, day: str, user_id: str) -> list[Row]:
        """Messages of a user."""
        return self._of_day(day, (ds.field("actor_id") == user_id) & (ds.field("kind") == "message"))

    def _of_day(self, day: str, wanted: ds.Expression) -> list[Row]:
        return to_rows(only_standing(self._parts.read(self._parts.parts(day), wanted)))

    # --- taking out ------------------------------------------------------------------------------

    def merge(self, day: str) -> int:
        return self._parts.merge(day)

    def parts(self, day: str) -> list[Part]:
        """Of a day; what is taken out is taken out of one after the other."""
        return self._parts.parts(day)

    def erase(self, part: Part, user_id: str) -> int | None:
        """Blank the texts of a user and take back the reactions; returns in how many rows, None when the part is gone."""
        own = (ds.field("actor_id") == user_id) & (ds.field("kind") == "message")
        shown = own & (~ds.field("redacted") | ds.field("text").is_valid())
        wanted = shown | pc.match_substring(ds.field("reactions"), user_id)
        return self._parts.rewrite(part, wanted, lambda table: _blank(table, user_id))

    def expire(self, part: Part, workspace_ids: Sequence[str | None], held: Sequence[str]) -> int | None:
        gone = _expired(workspace_ids, held)
        return self._parts.rewrite(part, gone, lambda table: table.filter(~gone))

    def count_expired(self, day: str, workspace_ids: Sequence[str | None], held: Sequence[str]) -> int:
        gone = _expired(workspace_ids, held)
        return sum(self._parts.count(part, gone) for part in self._parts.parts(day))

    # --- the register ----------------------------------------------------------------------------

    def register(self, erasure: Registered) -> None:
        self._parts.put_note(REGISTER, f"{erasure.erasure_id}.json", msgspec.json.encode(erasure))

    def registered(self) -> list[Registered]:
        return [msgspec.json.decode(content, type=Registered) for content in self._parts.notes(REGISTER)]


def _in_conversation(conversation_id: str, seqs: Sequence[int]) -> ds.Expression:
    """`seqs`: sorted. The bounds are for the statistics of row groups."""
    seq = ds.field("seq")
    between = (seq >= seqs[0]) & (seq <= seqs[-1])
    return (ds.field("conversation_id") == conversation_id) & between & seq.isin(seqs)


def _selects(wanted: Wanted) -> ds.Expression:
    seq = ds.field("seq")
    chosen = (ds.field("kind") == "message") & (seq > wanted.after_seq) & (seq < wanted.before_seq)
    if wanted.from_ms:
        chosen &= ds.field("created_at").cast(pa.int64()) >= wanted.from_ms
    if wanted.message_id:
        chosen &= ds.field("message_id") == wanted.message_id
    if wanted.thread_id is not None:
        chosen &= pc.coalesce(ds.field("thread_id"), ds.field("message_id")) == wanted.thread_id
    if wanted.roots_only:
        chosen &= ds.field("thread_id").is_null() | ds.field("broadcast")
    return chosen


def _expired(workspace_ids: Sequence[str | None], held: Sequence[str]) -> ds.Expression:
    named = [workspace_id for workspace_id in workspace_ids if workspace_id is not None]
    gone = ds.field("workspace_id").isin(pa.array(named, pa.string()))
    if None in workspace_ids:
        gone |= ds.field("workspace_id").is_null()
    return gone & ~ds.field("conversation_id").isin(pa.array(held, pa.string()))


def _blank(table: pa.Table, user_id: str) -> pa.Table:
    own = pc.and_(pc.equal(table["actor_id"], user_id), pc.equal(table["kind"], "message"))
    left = [without_user(one, user_id) if user_id in one else one for one in table["reactions"].to_pylist()]
    columns: Mapping[str, pa.Array] = {
        "text": pc.if_else(own, pa.scalar(None, pa.string()), table["text"]),
        "redacted": pc.or_(own, table["redacted"]),
        "reactions": pc.if_else(own, "", pa.array(left, pa.string())),
    }
    for name, column in columns.items():
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
    return table
