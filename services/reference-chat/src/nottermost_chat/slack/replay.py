"""One conversation of an export on its way into the log.

Every entry has an operation id made of its key, so the log itself says what is imported already:
a run that was stopped goes on where it ended, and a second run finds nothing to do. What is sent
is sent in the order of the times, and stored in that order, so that whatever stops the run leaves
a beginning without holes. Edits and reactions follow the messages of their conversation: an
export says who reacted, not when.
"""

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import msgspec

from nottermost_chat.errors import MessageGone
from nottermost_chat.ingest.plan import EMOJI_CHARS_MAX
from nottermost_chat.model import (
    INLINE_BYTES_MAX,
    MEMBERSHIP_CHANGES_MAX,
    ConversationKind,
    ConversationSettings,
    Entry,
    EntryKind,
    Head,
    Role,
)
from nottermost_chat.ports import Appended, AppendRequest, Cursor
from nottermost_chat.services import Services

from .members import MemberPlan, find_difference, plan_members
from .places import Places
from .records import EntryKey, Record, SlackConversation, SlackMembership, SlackMessage

WINDOW: Final = 256  # requests on their way: keeps ingest's groups of 90 full, and little of it in memory
BLOCK: Final = 512  # records between two reports of progress; their files are noted together
PAGE: Final = 1_000  # entries read at once
ALREADY_IMPORTED: Final = "already_imported"


class Replay:
    """One conversation on its way into the log."""

    def __init__(
        self,
        services: Services,
        places: Places,
        conversation: SlackConversation,
        records: Sequence[Record],
        counts: Counter[str],
        notes: Counter[str],
    ) -> None:
        """`counts`, `notes`: where to add what this run adds, and what it could not take over as it stood."""
        self._services, self._conversation, self._records = services, conversation, records
        self._row = places.conversations[conversation.id]
        self._users = {slack_id: user.user_id for slack_id, user in places.users.items()}
        self._unclaimed = {user.user_id for user in places.users.values() if user.imported}
        self._owner_id = places.workspace.created_by
        self._admin_id = _choose_admin(conversation, self._row.created_by, self._users)
        self._counts, self._notes = counts, notes
        self._known: dict[str, Entry] = {}  # what is imported already, by operation id
        self._members: dict[str, bool] = {}  # whom imports let in (True) or out, whatever happened here meanwhile
        self._versions: Mapping[tuple[str, str], Entry] = {}
        self._message_ids: dict[EntryKey, str] = {}
        self._answered: set[EntryKey] = set()
        self._events: list[SlackMembership] = []
        self._readers: set[str] = set()
        self._window: deque[tuple[asyncio.Future[Appended], Callable[[Entry], None]]] = deque()

    async def run(self, progress: Callable[[int], None]) -> None:
        """Append what is missing. `progress`: is told how many records are done."""
        await self._recall()
        try:
            await self._replay(plan_members(self._conversation, self._records), progress)
        finally:
            for future, _ in self._window:  # stopped: what is on its way may still arrive, in its order
                future.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _replay(self, members: MemberPlan, progress: Callable[[int], None]) -> None:
        await self._change_members("start", dict.fromkeys(map(self._users.__getitem__, members.start), True))
        for start in range(0, len(self._records), BLOCK):
            block = self._records[start : start + BLOCK]
            files = await self._note_files(block)
            for record in block:
                if isinstance(record, SlackMembership):
                    await self._gather_event(record, members)
                else:
                    await self._put_events(members)
                    await self._put_message(record, files.get(record.key, ()))
            progress(start + len(block))
        await self._put_events(members)
        await self._settle()
        self._counts["threads"] += len(self._answered)
        messages = [record for record in self._records if isinstance(record, SlackMessage)]
        await self._put_edits(messages)
        await self._put_reactions(messages)
        await self._settle()
        inside = {user_id for user_id, is_in in self._members.items() if is_in}
        await self._change_members(
            self._services.clock.new_id(), find_difference(inside, map(self._users.__getitem__, members.end))
        )
        await self._put_settings()
        await self._mark_read()

    # --- what is there already -----------------------------------------------------------------

    async def _recall(self) -> None:
        """Read back what earlier runs stored, and who had read all of it."""
        after, here = 0, self._row.conversation_id
        while page := await self._services.store.entries(here, after, PAGE):
            after = page[-1].seq
            for entry in page:
                if _is_imported(entry):
                    self._known[entry.op_id] = entry
                    self._members |= {change.user_id: change.role is not None for change in entry.detail.changes}
        self._versions = self._find_versions()
        if after:
            self._readers = await self._find_readers((await self._services.store.heads([here]))[here])

    async def _find_readers(self, head: Head) -> set[str]:
        picture = await self._services.directory.conversations.picture(head.conversation_id)
        people = [] if picture is None else [user_id for user_id in picture.members if user_id not in self._unclaimed]
        cursors = self._services.directory.cursors
        places = await asyncio.gather(*(cursors.of_user(user_id, [head.conversation_id]) for user_id in people))
        return {
            user_id
            for user_id, place in zip(people, places, strict=True)
            if (cursor := place.get(head.conversation_id)) and cursor.read_messages >= head.messages
        }

    def _find_versions(self) -> dict[tuple[str, str], Entry]:
        """Messages that this export has no more, by time stamp and author: an edit since then changed their key."""
        current = {str(record.key) for record in self._records}
        gone = [(op_id, entry) for op_id, entry in self._known.items() if op_id not in current]
        return {
            (op_id.partition("/")[0], entry.actor_id): entry
            for op_id, entry in gone
            if entry.kind is EntryKind.MESSAGE and entry.detail.sent_at is not None and not entry.detail.note
        }

    # --- messages and events, in the order of their times ------------------------------------------

    async def _put_message(self, record: SlackMessage, file_ids: tuple[str, ...]) -> None:
        known = self._find_known(record)
        if known is not None:
            self._message_ids[record.key] = known.message_id
            self._counts[ALREADY_IMPORTED] += not record.is_placeholder
            return
        while record.root is not None and record.root not in self._message_ids:
            await self._settle_one()
        request = AppendRequest(
            kind="message",
            conversation_id=self._row.conversation_id,
            actor_id=self._users[record.author_id],
            op_id=str(record.key),
            body=record.text,
            thread_id=None if record.root is None else self._message_ids[record.root],
            broadcast=record.is_broadcast,
            file_ids=file_ids,
            mentions=tuple(sorted(self._users[user_id] for user_id in record.mentions)),
            mention_channel=record.mentions_channel,
            sent_at=record.sent_at,
            note=record.is_note,
            silent=True,
            trusted=True,
        )

        def settle(entry: Entry) -> None:
            self._message_ids[record.key] = entry.message_id
            self._counts["placeholders" if record.is_placeholder else "messages"] += 1
            self._counts["files"] += len(file_ids)
            if record.root is not None:
                self._answered.add(record.root)

        await self._submit(request, settle)
        if len(record.text) > INLINE_BYTES_MAX // 4 and len(record.text.encode()) > INLINE_BYTES_MAX:
            await self._settle()  # ingest writes long text first, and what comes after it would overtake it

    def _find_known(self, record: SlackMessage) -> Entry | None:
        """The message as an earlier run stored it, in this version or in one from before an edit."""
        known = self._known.get(str(record.key))
        if known is None and record.edited_at is not None and self._known:
            known = self._versions.get((record.key.ts, self._users[record.author_id]))
        return known

    async def _gather_event(self, event: SlackMembership, members: MemberPlan) -> None:
        """Joins and leaves with no message between them share an entry, as each one costs ingest a group of its own."""
        again = any(event.user_id == other.user_id for other in self._events)
        if again or len(self._events) == MEMBERSHIP_CHANGES_MAX:
            await self._put_events(members)
        self._events.append(event)

    async def _put_events(self, members: MemberPlan) -> None:
        """The entry goes by its first event and has a change for each, even where nothing changes: so a later run
        knows how many of them are imported.
        """
        events, self._events = self._events, []
        while events:
            known = self._known.get(str(events[0].key))
            if known is None:
                imported = (place for place, event in enumerate(events) if str(event.key) in self._known)
                count = next(imported, len(events))
                await self._submit_events(events[:count], members)
            else:
                count = max(1, min(len(events), len(known.detail.changes)))
                self._counts[ALREADY_IMPORTED] += count
            events = events[count:]

    async def _submit_events(self, events: Sequence[SlackMembership], members: MemberPlan) -> None:
        inside = {self._users[event.user_id]: members.after[event.key] for event in events}
        self._members |= inside
        changes = tuple((user_id, self._role_of(user_id) if is_in else None) for user_id, is_in in inside.items())

        def settle(_: Entry) -> None:
            self._counts["memberships"] += len(events)

        await self._submit(self._membership(str(events[0].key), changes, self._users[events[0].user_id]), settle)

    async def _note_files(self, block: Iterable[Record]) -> dict[EntryKey, tuple[str, ...]]:
        """Rows for the files of these messages, before the messages that carry them."""
        files = self._services.directory.files
        messages = [record for record in block if isinstance(record, SlackMessage) and record.files]
        known = [entry for record in messages if (entry := self._find_known(record))]
        # A run that was killed between a message and its files has left them without it.
        await asyncio.gather(*(files.attach(entry.detail.file_ids, entry.message_id) for entry in known))
        new = [record for record in messages if not self._find_known(record)]
        here = self._row.conversation_id
        ids = {
            record.key: tuple(_file_id(here, record.key, place) for place in range(len(record.files))) for record in new
        }
        notes = [
            files.create_external(
                here,
                self._users[record.author_id],
                file.name,
                clean_url(file.url) if file.is_available else "",
                file_id=file_id,
                size=file.size_bytes,
                content_type=file.mimetype,
            )
            for record in new
            for file, file_id in zip(record.files, ids[record.key], strict=True)
        ]
        await asyncio.gather(*notes)
        return ids

    # --- what follows the messages -----------------------------------------------------------------

    async def _put_edits(self, messages: Sequence[SlackMessage]) -> None:
        """The text is the last one already; the edit marks it as edited, or brings it to a later export's version."""
        for record in messages:
            if record.edited_at is None or not record.text:
                continue
            op_id = _op_id("edit", record.key, record.edited_at)
            if op_id not in self._known:
                request = AppendRequest(
                    kind="edit",
                    conversation_id=self._row.conversation_id,
                    actor_id=self._users[record.author_id],
                    op_id=op_id,
                    message_id=self._message_ids[record.key],
                    body=record.text,
                    sent_at=record.edited_at,
                    silent=True,
                    trusted=True,
                )
                await self._submit(request, self._count("edits"))

    async def _put_reactions(self, messages: Sequence[SlackMessage]) -> None:
        """In rounds, one of each message: a group of appends takes only one change of the same message."""
        waiting = [(record.key, deque(self._new_reactions(record))) for record in messages if record.reactions]
        while waiting := [(key, reactions) for key, reactions in waiting if reactions]:
            for key, reactions in waiting:
                request = msgspec.structs.replace(reactions.popleft(), message_id=self._message_ids[key])
                await self._submit(request, self._count("reactions"))

    def _new_reactions(self, record: SlackMessage) -> Iterable[AppendRequest]:
        for reaction in record.reactions:
            self._notes["emoji_cut"] += len(reaction.name) > EMOJI_CHARS_MAX
            for user_id in reaction.user_ids:
                op_id = _op_id("reaction", record.key, reaction.name, user_id)
                if op_id not in self._known:
                    yield AppendRequest(
                        kind="reaction",
                        conversation_id=self._row.conversation_id,
                        actor_id=self._users[user_id],
                        op_id=op_id,
                        emoji=reaction.name[:EMOJI_CHARS_MAX],
                        silent=True,
                        trusted=True,
                    )

    async def _change_members(self, op_name: str, wanted: Mapping[str, bool]) -> None:
        """Let users in (True) and out."""
        changes = [(user_id, self._role_of(user_id) if is_in else None) for user_id, is_in in wanted.items()]
        for start in range(0, len(changes), MEMBERSHIP_CHANGES_MAX):
            op_id = f"members/{op_name}/{start}"
            if op_id not in self._known:
                part = tuple(changes[start : start + MEMBERSHIP_CHANGES_MAX])
                self._members |= {user_id: role is not None for user_id, role in part}
                await self._submit(self._membership(op_id, part, self._owner_id), lambda _: None)
        await self._settle()

    async def _put_settings(self) -> None:
        """What a row is not made with: a group's topic and purpose, and that a channel is archived."""
        wanted, is_channel = self._conversation, self._conversation.kind is ConversationKind.CHANNEL
        settings = ConversationSettings(archived=True if is_channel and wanted.is_archived else None)
        if wanted.kind is ConversationKind.GROUP:
            settings = ConversationSettings(topic=wanted.topic or None, purpose=wanted.purpose or None)
        op_id = _op_id("settings", *map(str, msgspec.structs.astuple(settings)))
        if settings != ConversationSettings() and op_id not in self._known:
            request = self._membership(op_id, (), self._owner_id)
            await self._submit(msgspec.structs.replace(request, settings=settings), lambda _: None)
            await self._settle()

    async def _mark_read(self) -> None:
        """Nobody begins with thousands of unread messages; who had something to read before keeps it."""
        here = self._row.conversation_id
        head = (await self._services.store.heads([here])).get(here)
        picture = await self._services.directory.conversations.picture(here)
        if head is not None and picture is not None:
            read = head.seq, head.messages, head.channel_mentions, head.seq
            done = picture.members.keys() & (self._unclaimed | self._readers)
            await self._services.directory.cursors.raise_cursors(
                [Cursor(here, user_id, *read) for user_id in sorted(done)]
            )

    # --- the way into the log ----------------------------------------------------------------------

    def _membership(self, op_id: str, changes: tuple[tuple[str, Role | None], ...], actor_id: str) -> AppendRequest:
        return AppendRequest(
            kind="membership",
            conversation_id=self._row.conversation_id,
            actor_id=actor_id,
            op_id=op_id,
            changes=changes,
            silent=True,
            trusted=True,
        )

    def _role_of(self, user_id: str) -> Role:
        return Role.ADMIN if user_id == self._admin_id else Role.MEMBER

    def _count(self, name: str) -> Callable[[Entry], None]:
        def settle(_: Entry) -> None:
            self._counts[name] += 1

        return settle

    async def _submit(self, request: AppendRequest, settle: Callable[[Entry], None]) -> None:
        self._window.append((self._services.ingest.submit(request), settle))
        if len(self._window) >= WINDOW:
            await self._settle_one()

    async def _settle(self) -> None:
        while self._window:
            await self._settle_one()

    async def _settle_one(self) -> None:
        """Wait for the oldest request. `wait`, as a plain await would cancel it with this task and leave a hole."""
        future, settle = self._window[0]
        if not future.done():
            await asyncio.wait([future])
        self._window.popleft()
        try:
            settle(future.result().entry)
        except MessageGone:  # deleted here since an earlier run: it gets no edits and reactions any more
            self._notes["message_gone"] += 1


def _is_imported(entry: Entry) -> bool:
    """By the form of its operation id; a client may choose its own, but not when a message was sent."""
    return "/" in entry.op_id and (entry.kind is not EntryKind.MESSAGE or entry.detail.sent_at is not None)


def _choose_admin(conversation: SlackConversation, creator_id: str, users: Mapping[str, str]) -> str:
    """The creator; in a group that the creator is not in the first member, as nobody outside can look after it."""
    inside = [users[user_id] for user_id in conversation.member_ids]
    match conversation.kind:
        case ConversationKind.DIRECT:
            return ""
        case ConversationKind.GROUP if inside and creator_id not in inside:
            return inside[0]
    return creator_id


def clean_url(url: str) -> str:
    """A web address without the token with which Slack lets the export's owner fetch the file; "" for any other."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme.lower() not in ("http", "https"):
        return ""
    query = "&".join(part for part in parts.query.split("&") if part.partition("=")[0] not in ("t", "token"))
    return urlunsplit(parts._replace(query=query))


def _op_id(kind: str, *parts: object) -> str:
    return f"{kind}/{_hash(*parts)}"


def _file_id(conversation_id: str, key: EntryKey, place: int) -> str:
    """The same in every run; in the form of the other ids."""
    return _hash(conversation_id, key, place)[:26].upper()


def _hash(*parts: object) -> str:
    return hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=20).hexdigest()
