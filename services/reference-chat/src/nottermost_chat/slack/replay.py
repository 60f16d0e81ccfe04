"""One conversation of an export on its way into the log.

Every entry has an operation id made of its key, so the log itself says what is imported already:
a run that was stopped goes on where it ended, and a second run finds nothing to do. What is sent
is sent in the order of the times, and stored in that order, so that whatever stops the run leaves
a beginning without holes. Edits and reactions follow the messages of their conversation: an
export says who reacted, not when.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import msgspec

from nottermost_chat.directory import UserRow
from nottermost_chat.errors import MessageGone, NotFound
from nottermost_chat.ingest.plan import EMOJI_CHARS_MAX
from nottermost_chat.model import (
    INLINE_BYTES_MAX,
    MEMBERSHIP_CHANGES_MAX,
    ConversationKind,
    ConversationSettings,
    Entry,
    Head,
    Role,
)
from nottermost_chat.ports import Appended, AppendRequest, Cursor
from nottermost_chat.services import Services

from .members import MemberPlan, find_difference, plan_members
from .past import Past, hash_of, make_op_id
from .places import Places
from .records import EntryKey, Record, SlackConversation, SlackMembership, SlackMessage

WINDOW: Final = 256  # requests on their way: keeps ingest's groups of 90 full, and little of it in memory
BLOCK: Final = 512  # records between two reports of progress; their files are noted together, and their joins
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
        self._users, self._unclaimed = places.user_ids, places.unclaimed
        self._owner_id = places.workspace.created_by
        self._admin_id = _choose_admin(conversation, self._row.created_by, places.users)
        self._is_shared = self._row.conversation_id in places.shared
        self._counts, self._notes = counts, notes
        self._past = Past((), (), {})
        self._members: dict[str, bool] = {}  # as in Past, with what this run does
        self._message_ids: dict[EntryKey, str] = {}
        self._thread_ids: dict[EntryKey, str] = {}  # of roots; a message that was stored as a reply has another one
        self._answered: set[EntryKey] = set()
        self._events: dict[str, SlackMembership] = {}  # by user
        self._readers: set[str] = set()
        self._window: deque[_OnItsWay] = deque()

    async def run(self, progress: Callable[[int], None]) -> None:
        """Append what is missing. `progress`: is told how many records are done."""
        await self._recall()
        try:
            await self._replay(plan_members(self._conversation, self._records), progress)
        finally:
            for sent in self._window:  # stopped: what is on its way may still arrive, in its order
                sent.future.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _replay(self, members: MemberPlan, progress: Callable[[int], None]) -> None:
        await self._change_members("start", dict.fromkeys(map(self._users.__getitem__, members.start), True))
        is_channel = self._conversation.kind is ConversationKind.CHANNEL  # all of it is seen by who joins later
        for start in range(0, len(self._records), BLOCK):
            block = self._records[start : start + BLOCK]
            files = await self._note_files(block)
            for record in block:
                if isinstance(record, SlackMembership):
                    await self._gather_event(record, members)
                else:
                    if not is_channel:
                        await self._put_events(members)
                    await self._put_message(record, files.get(record.key, ()))
            await self._put_events(members)
            progress(start + len(block))
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
        here, entries = self._row.conversation_id, list[Entry]()
        while page := await self._services.store.entries(here, entries[-1].seq if entries else 0, PAGE):
            entries += page
        self._past = Past(entries, self._records, self._users, finds_versions=not self._is_shared)
        self._members = dict(self._past.members)
        if entries:
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

    # --- messages and events, in the order of their times ------------------------------------------

    async def _put_message(self, record: SlackMessage, file_ids: tuple[str, ...]) -> None:
        known = self._past.message(record)
        if known is not None:
            self._message_ids[record.key] = known.message_id
            self._thread_ids[record.key] = known.detail.thread_id or known.message_id
            self._counts[ALREADY_IMPORTED] += not record.is_placeholder
            self._notes["files_not_updated"] += len(record.files) != len(known.detail.file_ids)
            return
        while record.root is not None and record.root not in self._thread_ids:
            await self._settle_one()
        request = AppendRequest(
            kind="message",
            conversation_id=self._row.conversation_id,
            actor_id=self._users[record.author_id],
            op_id=str(record.key),
            body=record.text,
            thread_id=None if record.root is None else self._thread_ids[record.root],
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
            self._message_ids[record.key] = self._thread_ids[record.key] = entry.message_id
            self._counts["placeholders" if record.is_placeholder else "messages"] += 1
            self._counts["files"] += len(file_ids)
            if record.root is not None:
                self._answered.add(record.root)

        await self._submit(request, settle)
        if len(record.text) > INLINE_BYTES_MAX // 4 and len(record.text.encode()) > INLINE_BYTES_MAX:
            await self._settle()  # ingest writes long text first, and what comes after it would overtake it

    async def _gather_event(self, event: SlackMembership, members: MemberPlan) -> None:
        """Joins and leaves with no message between them share an entry, as each one costs ingest a group of its own;
        in channels, where nobody sees less for having joined later, also those with messages between them.
        """
        if self._past.has_event(event):
            self._counts[ALREADY_IMPORTED] += 1
            return
        if event.user_id in self._events or len(self._events) == MEMBERSHIP_CHANGES_MAX:
            await self._put_events(members)
        self._events[event.user_id] = event

    async def _put_events(self, members: MemberPlan) -> None:
        """The entry goes by its first event and has a change for each, even where nothing changes: so a later run
        knows which of them are imported.
        """
        events, self._events = [*self._events.values()], {}
        if not events:
            return
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
        known = [entry for record in messages if (entry := self._past.message(record))]
        # A run that was killed between a message and its files has left them without it.
        await asyncio.gather(*(files.attach(entry.detail.file_ids, entry.message_id) for entry in known))
        new = [record for record in messages if not self._past.message(record)]
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
            op_id = self._past.missing_edit(record)
            if op_id is None or not record.text or (record.edited_at is None and await self._is_stored(record)):
                continue
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

    async def _is_stored(self, record: SlackMessage) -> bool:
        """Whether the text is the stored one: another version may differ in nothing but how Slack encodes it."""
        stored = await self._services.store.full_message(self._row.conversation_id, self._message_ids[record.key])
        return stored is not None and stored.text == record.text

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
                op_id = self._past.op_id("reaction", record, reaction.name, user_id)
                if not self._past.has(op_id):
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
            if not self._past.has(op_id):
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
        op_id = make_op_id("settings", *msgspec.structs.astuple(settings))
        if settings != ConversationSettings() and not self._past.has(op_id):
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
        self._window.append(_OnItsWay(request, self._services.ingest.submit(request), settle))
        if len(self._window) >= WINDOW:
            await self._settle_one()

    async def _settle(self) -> None:
        while self._window:
            await self._settle_one()

    async def _settle_one(self) -> None:
        """Wait for the oldest request. `wait`, as a plain await would cancel it with this task and leave a hole."""
        sent = self._window[0]
        if not sent.future.done():
            await asyncio.wait([sent.future])
        self._window.popleft()
        try:
            sent.settle(sent.future.result().entry)
        except MessageGone:  # deleted here since an earlier run: it gets no edits and reactions any more
            self._notes["message_gone"] += 1
        except NotFound:  # in a group nobody answers what was said before he came in
            if sent.request.thread_id is None:
                raise
            self._notes["reply_out_of_thread"] += 1
            await self._submit(msgspec.structs.replace(sent.request, thread_id=None, broadcast=False), sent.settle)


class _OnItsWay(NamedTuple):
    """A request that ingest has, and what its entry is good for."""

    request: AppendRequest
    future: "asyncio.Future[Appended]"
    settle: Callable[[Entry], None]


def _choose_admin(conversation: SlackConversation, creator_id: str, users: Mapping[str, UserRow]) -> str:
    """The creator; of what is private a member, as nobody outside can look after it."""
    if conversation.kind is ConversationKind.DIRECT:
        return ""
    inside = [users[user_id] for user_id in conversation.member_ids]
    able = [user.user_id for user in inside if not (user.deleted or user.bot)]
    return creator_id if creator_id in able or not (conversation.is_private and able) else able[0]


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


def _file_id(conversation_id: str, key: EntryKey, place: int) -> str:
    """The same in every run; in the form of the other ids."""
    return hash_of(conversation_id, key, place)[:26].upper()
