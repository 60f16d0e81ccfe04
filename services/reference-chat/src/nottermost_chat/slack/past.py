"""What earlier runs stored of a conversation, held against what the export says of it now.

A later export does not repeat the one before it word for word. An edit changes what an entry's key is
made of, a range of dates cuts threads off their roots, and a file that could not be read puts its
entries between others. What is here already is found all the same, and nothing twice.
"""

import hashlib
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence

from nottermost_chat.model import Entry, EntryKind

from .records import EntryKey, Record, SlackMembership, SlackMessage


class Past:
    """The imported part of one conversation.

    Attributes:
        members: whom imports let in (True) or out, whatever happened here meanwhile.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        records: Sequence[Record],
        users: Mapping[str, str],
        *,
        finds_versions: bool = True,
    ) -> None:
        """Hold them against each other.

        Args:
            entries: the conversation's log, with what people wrote here.
            users: our ids by Slack's.
            finds_versions: False where several conversations of the export have this one log: what one of
                them does not have is no earlier version then, it is the other one's.
        """
        self._finds_versions = finds_versions
        self._entries = {entry.op_id: entry for entry in entries if _is_imported(entry)}
        self.members = {
            change.user_id: change.role is not None
            for entry in self._entries.values()
            for change in entry.detail.changes
        }
        edits = [entry for entry in self._entries.values() if entry.kind is EntryKind.EDIT and entry.detail.sent_at]
        self._edited_at = {entry.message_id: entry.detail.sent_at or 0 for entry in edits}
        self._messages = self._find_messages([one for one in records if isinstance(one, SlackMessage)], users)
        self._events = self._find_events([one for one in records if isinstance(one, SlackMembership)], users)

    def has(self, op_id: str) -> bool:
        """Whether the operation is stored."""
        return op_id in self._entries

    def has_event(self, event: SlackMembership) -> bool:
        """Whether the join or leave is stored, maybe in an entry that it shares with the ones before it."""
        return event.key in self._events

    def message(self, record: SlackMessage) -> Entry | None:
        """The message as it was stored, in this version or in another one; for a placeholder maybe the root itself."""
        return self._messages.get(record.key)

    def op_id(self, kind: str, record: SlackMessage, *parts: object) -> str:
        """The id of an operation on a message: the same in every run, whichever version the message was stored in."""
        entry = self._messages.get(record.key)
        return make_op_id(kind, entry.op_id if entry else record.key, *parts)

    def missing_edit(self, record: SlackMessage) -> str | None:
        """The operation that brings the stored message to this version, or marks it as edited; None: it needs none."""
        entry = self._messages.get(record.key)
        is_version = entry is not None and entry.op_id != str(record.key) and not record.is_placeholder
        if record.edited_at is None and not is_version:
            return None
        op_id = self.op_id("edit", record, record.key.content if record.edited_at is None else record.edited_at)
        stored_at = None if entry is None else self._edited_at.get(entry.message_id)
        is_older = stored_at is not None and (record.edited_at or 0) <= stored_at
        return None if is_older or op_id in self._entries else op_id

    def _find_messages(self, records: Sequence[SlackMessage], users: Mapping[str, str]) -> dict[EntryKey, Entry]:
        found = {record.key: entry for record in records if (entry := self._entries.get(str(record.key)))}
        stored = [entry for entry in self._entries.values() if entry.kind is EntryKind.MESSAGE]
        current = {entry.op_id for entry in found.values()}
        roots = {_ts(entry): entry for entry in reversed(stored) if entry.detail.thread_id is None}
        gone: defaultdict[tuple[str, str], deque[Entry]] = defaultdict(deque)  # from this export: other versions
        for entry in stored:
            if self._finds_versions and _ts(entry) and entry.op_id not in current and not entry.detail.note:
                gone[_ts(entry), entry.actor_id].append(entry)
        for record in records:
            versions = gone.get((record.key.ts, users[record.author_id]))
            if record.key in found:
                continue
            if record.is_placeholder and record.key.ts in roots:
                found[record.key] = roots[record.key.ts]
            elif versions and not record.is_placeholder:
                found[record.key] = versions.popleft()
        return found

    def _find_events(self, events: Iterable[SlackMembership], users: Mapping[str, str]) -> set[EntryKey]:
        """An entry goes by its first event and has a change for each of those that followed; new ones may be between."""
        found: set[EntryKey] = set()
        shared = Counter[str]()  # by user: changes whose event is still to come
        for event in events:
            user_id, entry = users[event.user_id], self._entries.get(str(event.key))
            if entry is not None:
                shared.update(change.user_id for change in entry.detail.changes)
            if entry is not None or shared[user_id]:
                shared[user_id] -= 1
                found.add(event.key)
        return found


def make_op_id(kind: str, *parts: object) -> str:
    """An operation id that says what is done and, in a hash, to what."""
    return f"{kind}/{hash_of(*parts)}"


def hash_of(*parts: object) -> str:
    """40 hex digits."""
    return hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=20).hexdigest()


def _is_imported(entry: Entry) -> bool:
    """By the form of its operation id; a client may choose its own, but not when a message was sent."""
    return "/" in entry.op_id and (entry.kind is not EntryKind.MESSAGE or entry.detail.sent_at is not None)


def _ts(message: Entry) -> str:
    return message.op_id.partition("/")[0]
