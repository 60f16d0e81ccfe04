"""Edits and deletes that are entries of their own, applied to what they change."""

from collections import Counter, defaultdict

import msgspec

from .drafts import CONTENT_FIELDS, KEPT_FIELDS, Day, Draft, Place, make_draft
from .kinds import Kind, Skip, classify
from .node import Node


class EntryLog:
    """The drafts of a conversation while edits and deletes are applied to them.

    A change is skipped once it is applied, and so is an entry that is deleted. An edit whose
    target is not in the export becomes the message itself: it holds the later version whole.

    Attributes:
        skipped: entries that became nothing, by reason.
        gone: time stamps of what was deleted.
    """

    def __init__(self) -> None:
        self.skipped = Counter[str]()
        self.gone: set[int] = set()
        self._drafts: dict[Place, Draft] = {}
        self._places: defaultdict[int, list[Place]] = defaultdict(list)  # by time stamp
        self._changes: list[Draft] = []

    @property
    def drafts(self) -> list[Draft]:
        """What is left, in no particular order."""
        return list(self._drafts.values())

    def read(self, day: Day) -> None:
        """Add the entries of one file."""
        before_us = day.starts_us
        for index, value in enumerate(day.values):
            entry = Node(value)
            before_us = entry.time_us("ts") or before_us
            match classify(entry) if isinstance(value, dict) else Skip.NOT_AN_OBJECT:
                case Skip() as reason:
                    self.skipped[reason] += 1
                    if reason is Skip.TOMBSTONE:
                        self.gone.add(entry.time_us("ts") or 0)
                case Kind.EDIT | Kind.DELETE as kind:
                    self._changes.append(make_draft((day.path, index), kind, entry, before_us))
                case kind:
                    self._add(make_draft((day.path, index), kind, entry, before_us))

    def apply_changes(self) -> None:
        """Edits in the order of their times, then deletes: nothing comes back after it was deleted."""
        changes = sorted(self._changes, key=lambda change: (change.ts_us or 0, change.original.canonical()))
        for change in changes:
            if change.kind is Kind.EDIT:
                self._edit(change)
        for change in changes:
            if change.kind is Kind.DELETE:
                self._delete(change)

    def _add(self, draft: Draft) -> None:
        self._drafts[draft.place] = draft
        if draft.ts_us is not None:
            self._places[draft.ts_us].append(draft.place)

    def _find(self, ts_us: int | None, author_id: str) -> Draft | None:
        """The draft at this time stamp; where several have it one of this author, not the one that is read first."""
        at = [self._drafts[place] for place in self._places.get(ts_us or 0, ()) if place in self._drafts]
        return min(
            at, key=lambda draft: (draft.entry.text("user") != author_id, draft.original.canonical()), default=None
        )

    def _edit(self, change: Draft) -> None:
        message = change.entry.node("message")
        edited = Node({"edited": {"user": change.entry.text("user"), "ts": change.entry.text("ts")}})
        version = edited.updated(message)
        target = self._find(message.time_us("ts"), message.text("user"))
        if message.time_us("ts") in self.gone:
            self.skipped[Skip.EDIT_OF_DELETED] += 1
        elif target is None:
            self._restore(change, version)
        elif _edited_us(target.entry) > _edited_us(version):
            self.skipped[Skip.EDIT_OUTDATED] += 1
        else:
            unchanged = target.entry.pick(KEPT_FIELDS - CONTENT_FIELDS)
            entry = unchanged.updated(version.pick(CONTENT_FIELDS | {"edited", "reactions"}))
            self._drafts[target.place] = msgspec.structs.replace(target, entry=entry)
            self.skipped[Skip.EDIT_APPLIED] += 1

    def _restore(self, change: Draft, version: Node) -> None:
        """The edited entry is not in the export: its later version takes its place."""
        if classify(version) is Kind.MESSAGE:
            self._add(make_draft(change.place, Kind.MESSAGE, version, change.time_us))
        else:
            self.skipped[Skip.EDIT_WITHOUT_MESSAGE] += 1

    def _delete(self, change: Draft) -> None:
        before = change.entry.node("previous_message") or change.entry.node("message")
        ts_us = change.entry.time_us("deleted_ts") or before.time_us("ts")
        target = self._find(ts_us, before.text("user"))
        if ts_us is not None:
            self.gone.add(ts_us)
        if target is None:
            self.skipped[Skip.DELETE_WITHOUT_TARGET] += 1
        else:
            del self._drafts[target.place]
            self.skipped[Skip.DELETED] += 1
            self.skipped[Skip.DELETE_APPLIED] += 1


def _edited_us(entry: Node) -> int:
    return entry.node("edited").time_us("ts") or 0
