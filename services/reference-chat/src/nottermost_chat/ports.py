"""What the core needs from the outside, said by its promises.

Each port has one contract suite (`tests/ports/`) that runs over all of its adapters. The
SQL directory is not here: it is one class over SQLAlchemy, for SQLite and PostgreSQL alike.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from nottermost_chat.errors import ChatError
from nottermost_chat.model import (
    ConversationKind,
    ConversationSettings,
    Entry,
    Head,
    LogRecord,
    Member,
    Message,
    Role,
)
from nottermost_chat.protocol import Presence

OpKey = tuple[str, str, str]  # (conversation_id, actor_id, op_id): an operation is stored once under it


class TargetChange(msgspec.Struct, frozen=True, gc=False):
    """What an entry does to the message it acts on, in the same transaction.

    `version_from` must still be the message's version and `deleted` its state, or the append
    is refused; the rest is what they become.
    """

    message_id: str
    seq: int
    version_from: int
    deleted_from: bool
    version: int
    deleted: bool
    redacted: bool = False


class NewEntry(msgspec.Struct, frozen=True, gc=False):
    """An entry on its way into the store.

    Attributes:
        text: the body, when it is short; None: there is none, or `put_text` wrote it.
        preview, has_more: of the text that the entry makes current.
        fingerprint: tells a repeat from another request under the same id; b"" once redacted.
        target: the change to an older message, for edit, delete and redact.
        large, silent: carried into the log record.
    """

    entry: Entry
    fingerprint: bytes
    text: str | None = None
    preview: str | None = None
    has_more: bool = False
    target: TargetChange | None = None
    large: bool = False
    silent: bool = False


class HeadMove(msgspec.Struct, frozen=True, gc=False):
    """A conversation's head from what it must be now to what it becomes."""

    expected: Head
    next: Head


class Batch(msgspec.Struct, frozen=True, gc=False):
    """What one atomic append writes: all of it or nothing."""

    entries: tuple[NewEntry, ...]
    moves: tuple[HeadMove, ...]


class Stored(msgspec.Struct, frozen=True, gc=False):
    """An operation that the store holds already."""

    entry: Entry
    fingerprint: bytes


class AppendRefused(ChatError):
    """The conditional write failed and nothing was written.

    Attributes:
        repeats: operations that are stored already.
        lost: conversations whose head had moved.
        stale: ids of target messages that had changed.
    """

    code = "append_refused"

    def __init__(self, repeats: Mapping[OpKey, Stored], lost: Sequence[str], stale: Sequence[str]) -> None:
        super().__init__(
            f"append refused: {len(repeats)} repeats, {len(lost)} heads and {len(stale)} targets moved; plan it again"
        )
        self.repeats, self.lost, self.stale = dict(repeats), tuple(lost), tuple(stale)


class RepublishNote(msgspec.Struct, frozen=True, gc=False):
    """The log may lack a conversation's entries from `from_seq` on.

    Attributes:
        owner: the ingest that noted it and will publish them.
        noted_at: ms since the epoch; an owner renews its notes, so an old one is abandoned.
    """

    conversation_id: str
    owner: str
    from_seq: int
    noted_at: int


class MessageStore(Protocol):
    """The log of every conversation, and the texts.

    Promises: `append` is atomic, durable when it returns, gapless (entry seqs continue the
    expected heads) and idempotent by operation key, for ever. Reads are strong: they see
    every append that has returned. A read never shows a text that is not the current one.
    """

    async def heads(self, conversation_ids: Sequence[str]) -> dict[str, Head]:
        """The heads; a conversation without entries is absent."""
        ...

    async def stored(self, keys: Sequence[OpKey]) -> dict[OpKey, Stored]:
        """Those of the operations that are stored."""
        ...

    async def append(self, batch: Batch) -> list[int]:
        """Write the batch. Returns the log position of each entry. Raises AppendRefused."""
        ...

    async def put_text(self, message_id: str, version: int, body: str) -> None:
        """Write a long text ahead of the entry that will refer to it; again is the same as once."""
        ...

    async def collect_texts(self, older_than_ms: int) -> int:
        """Remove long texts written before that time that no entry refers to; returns how many."""
        ...

    async def entries(self, conversation_id: str, after_seq: int, limit: int) -> list[Entry]:
        """Entries of every kind after `after_seq`, in order."""
        ...

    async def records(self, conversation_id: str, after_seq: int, limit: int) -> list[LogRecord]:
        """The same entries as the log is to carry them, with the texts of now: to publish what it may lack."""
        ...

    async def messages(self, conversation_id: str, message_ids: Sequence[str]) -> dict[str, Message]:
        """Messages with their previews; unknown ids are absent."""
        ...

    async def full_message(self, conversation_id: str, message_id: str) -> Message | None:
        """One message, its `text` the whole body."""
        ...

    async def history(
        self,
        conversation_id: str,
        *,
        limit: int,
        after_seq: int | None = None,
        before_seq: int | None = None,
        thread_id: str | None = None,
        roots_only: bool = False,
        floor_seq: int = 0,
    ) -> list[Message]:
        """A page of messages with previews, oldest first.

        Args:
            after_seq: the first ones after it; or
            before_seq: the last ones before it (None with `after_seq` None: the newest).
            thread_id: only this thread, its root included.
            roots_only: leave out thread replies that the conversation does not show.
            floor_seq: nothing at or below it.
        """
        ...

    async def last_messages(self, conversation_ids: Sequence[str]) -> dict[str, Message]:
        """The newest message of each conversation that has one and is not deleted."""
        ...

    async def seq_at(self, conversation_id: str, at: int) -> int:
        """The seq at or before the first message shown with that time (`sent_at`, else `created_at`) or a later one.

        The head's seq + 1 if there is none. Exact where times rise; where an import appended
        older messages later, one of the places that fit.
        """
        ...

    async def deleted_before(self, deleted_at: int, limit: int) -> list[Entry]:
        """Message entries deleted before that time whose text is still there."""
        ...

    async def trim(self, conversation_id: str, floor_seq: int) -> None:
        """Remove the entries at or below `floor_seq` and their texts; the head keeps the number."""
        ...

    async def note_republish(self, notes: Sequence["RepublishNote"]) -> None:
        """Durably remember that the log may lack these entries; of one owner's notes the lowest seq and the latest time count."""
        ...

    async def republish_notes(self, owner: str, *, abandoned_before: int, limit: int) -> list["RepublishNote"]:
        """The owner's own notes, and those that others have not renewed since `abandoned_before` (ms since the epoch)."""
        ...

    async def clear_republish(self, note: "RepublishNote") -> None:
        """Forget the note if it is still as it was read."""
        ...


Handler = Callable[[Sequence[LogRecord]], Awaitable[None]]


class EventLog(Protocol):
    """What happened, in the order of each conversation, for whoever wants to follow.

    Promises: at least once; records of one conversation in order, except after a republish;
    a consumer group goes on where its last handled batch ended, also after a restart. What a
    handler refuses three times is set aside with the reason and does not hold up the rest. What
    it cannot handle now (Unavailable, OSError) it is handed again, ever more slowly, until it can.
    """

    async def publish(self, records: Sequence[LogRecord]) -> None:
        """Returns when the log has them for good, again or for the first time. Raises Unavailable when it does not confirm."""
        ...

    async def consume(self, group: str, handler: Handler, *, from_end: bool = False) -> None:
        """Hand batches to `handler`, one at a time, until cancelled.

        `from_end`: begin with what comes from now on, and keep no position.
        """
        ...

    async def lag(self, group: str) -> int:
        """How many records the group has not handled."""
        ...


class Picture(msgspec.Struct, frozen=True):
    """A conversation and its members as of one membership entry.

    Attributes:
        members_seq: the membership entry that this picture includes.
        members: those who are in, by user id.
    """

    conversation_id: str
    kind: ConversationKind
    workspace_id: str | None
    tier: str
    settings: ConversationSettings
    members_seq: int
    members: Mapping[str, Member]


class Memberships(Protocol):
    """Who is in which conversation: what the log's membership entries have come to.

    Promises: entries are applied in order and once (`applied_seq`); reads see every apply that
    has returned.
    """

    async def picture(self, conversation_id: str) -> Picture | None:
        """The conversation with its active members as applied so far; None: there is none."""
        ...

    async def apply(self, entries: Sequence[Entry]) -> None:
        """Apply membership entries of one conversation, in order; those applied before are passed over."""
        ...

    async def among(self, conversation_id: str, user_ids: Sequence[str]) -> dict[str, Member]:
        """Those of the users who are in the conversation."""
        ...

    async def of_user(self, user_id: str, conversation_ids: Sequence[str]) -> dict[str, Member]:
        """Those of the conversations that the user is in."""
        ...

    async def mentioned(self, conversation_id: str, names: Sequence[str]) -> list[str]:
        """User ids of the active members whom these user or team names (without @, any case) stand for."""
        ...

    async def raise_cursors(self, cursors: Sequence["Cursor"]) -> None:
        """Raise read and delivered cursors; a lower one changes nothing."""
        ...


class Attachments(Protocol):
    """Which uploaded files may go with a message."""

    async def attachable(self, file_ids: Sequence[str], user_id: str, conversation_id: str) -> frozenset[str]:
        """Those of the files that the user may attach there: own, uploaded to it, not attached yet."""
        ...

    async def attach(self, file_ids: Sequence[str], message_id: str) -> None:
        """They belong to the message from now on; one that belongs to another stays there."""
        ...


class Cursor(msgspec.Struct, frozen=True, gc=False):
    """How far a user has come in a conversation.

    `read_messages`, `read_mentions`: the counters at `read_seq`, from which unread counts follow.
    """

    conversation_id: str
    user_id: str
    read_seq: int = 0
    read_messages: int = 0
    read_mentions: int = 0
    delivered_seq: int = 0


class SeenUser(msgspec.Struct, frozen=True):
    """A user's presence; `last_seen`: ms since the epoch, None: never."""

    status: Presence
    last_seen: int | None


class Routes(Protocol):
    """Which gateways have connections of which users, and who is present.

    Losing it loses no message: fan-out then delivers to every gateway.
    """

    async def register(self, gateway_id: str, user_ids: Sequence[str]) -> None:
        """These users have connections at the gateway, for 60 s from now."""
        ...

    async def unregister(self, gateway_id: str, user_ids: Sequence[str]) -> None: ...

    async def gateways_of(self, user_ids: Sequence[str]) -> dict[str, frozenset[str]] | None:
        """User to gateways, users without one left out. None: it cannot tell; deliver to every gateway."""
        ...

    async def touch(self, user_id: str, status: Presence, *, now_ms: int) -> None:
        """The user is there (for 60 s), or has gone (`OFFLINE`)."""
        ...

    async def presence(self, user_ids: Sequence[str]) -> dict[str, SeenUser]: ...


class DeliveryItem(msgspec.Struct, frozen=True, gc=False):
    """One log record on its way to one gateway.

    `recipients` None: the gateway works out who wants it.
    """

    record: LogRecord
    recipients: tuple[str, ...] | None = None


class Signal(msgspec.Struct, frozen=True, gc=False):
    """Something short-lived for those who look at a conversation (typing, receipts) or for one user, or a revocation.

    Attributes:
        frame: the encoded socket frame.
        not_for: the user it comes from.
        to_user: all connections of this user instead, whatever they look at.
        revoke_user, revoke_device: close these connections instead; "" device: all of the user's,
            "" user: the device's, whoever holds it.
    """

    conversation_id: str = ""
    frame: bytes = b""
    not_for: str = ""
    revoke_user: str = ""
    revoke_device: str = ""
    to_user: str = ""


class Delivery(Protocol):
    """The bounded hand-over to gateways.

    Promises: items of one conversation arrive in the order offered. `deliver` returns when the
    gateway has taken them or has lapsed (its queue is dropped and its connections resume).
    """

    async def gateways(self) -> list[str]:
        """Ids of the gateways that are alive."""
        ...

    async def deliver(self, gateway_id: str, items: Sequence[DeliveryItem]) -> None: ...

    async def signal(self, signal: Signal) -> None:
        """To every gateway; may be lost."""
        ...


class SearchDocument(msgspec.Struct, frozen=True, gc=False):
    """A message as the index holds it."""

    message_id: str
    conversation_id: str
    seq: int
    sender_id: str
    created_at: int
    body: str
    file_names: tuple[str, ...] = ()
    has_link: bool = False
    has_reaction: bool = False


class Term(msgspec.Struct, frozen=True):
    """One thing to look for: `text` anywhere; as whole words (a phrase); or where a word begins."""

    text: str
    whole_words: bool = False
    prefix: bool = False
    negated: bool = False


class SearchQuery(msgspec.Struct, frozen=True):
    """A query with its names resolved to ids. All terms and filters must hold.

    Attributes:
        readable: conversations the searcher may read, each with the seq above which (group: the join).
        in_conversations, senders: empty: any.
        created_from, created_before: ms since the epoch.
    """

    readable: Mapping[str, int]
    terms: tuple[Term, ...] = ()
    in_conversations: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    created_from: int | None = None
    created_before: int | None = None
    has_file: bool = False
    has_link: bool = False
    has_reaction: bool = False
    by_date: bool = False
    offset: int = 0
    limit: int = 20


class SearchHit(msgspec.Struct, frozen=True):
    """A message that matches, by id; its text is read from the store."""

    conversation_id: str
    message_id: str
    seq: int


class SearchResult(msgspec.Struct, frozen=True):
    """A page of hits, and how many match in all."""

    hits: tuple[SearchHit, ...]
    total: int


class SearchIndex(Protocol):
    """Full text over messages. Eventually consistent; can be rebuilt from the store at any time."""

    async def apply(self, upserts: Sequence[SearchDocument], removals: Sequence[str]) -> None:
        """Index these documents in place of what was there; remove these message ids. Again is the same as once."""
        ...

    async def search(self, query: SearchQuery) -> SearchResult: ...

    async def clear(self) -> None: ...


class BlobStore(Protocol):
    """Immutable objects by key; what is there never changes.

    Uploads become visible whole or not at all.
    """

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, bytes_max: int) -> int:
        """Store an object; returns its size. Raises TooLarge, and then nothing is there."""
        ...

    async def size(self, key: str) -> int | None:
        """Bytes of the object; None: there is none."""
        ...

    def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Bytes [start, end) in chunks."""
        ...

    async def delete(self, key: str) -> None: ...


class Caller(msgspec.Struct, frozen=True):
    """Who a valid token speaks for; `expires_at` in ms since the epoch."""

    user_id: str
    device_id: str
    expires_at: int


class Identity(Protocol):
    """Tells who a token speaks for."""

    async def verify(self, token: str) -> Caller:
        """Raises Unauthorized or TokenExpired; also when the device was signed out."""
        ...


class AppendRequest(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What somebody wants to happen to a conversation; ingest decides.

    Which fields count depends on `kind`, as in `Detail`. `changes` and `settings` come only
    from the API, which has judged whether the actor may; everything else ingest judges.

    Attributes:
        joins: of `changes`: who is in already stays in as they are, whatever role they have by now.
        silent: imports: nobody is notified.
        trusted: imports and workers: the actor need not be a member, and changes that change nothing are stored too.
    """

    kind: str
    conversation_id: str
    actor_id: str
    op_id: str
    body: str = ""
    message_id: str = ""
    thread_id: str | None = None
    broadcast: bool = False
    file_ids: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    mention_channel: bool = False
    emoji: str = ""
    on: bool = True
    restore: bool = False
    changes: tuple[tuple[str, Role | None], ...] = ()
    joins: bool = False
    settings: ConversationSettings | None = None
    sent_at: int | None = None
    note: bool = False
    silent: bool = False
    trusted: bool = False


class Appended(msgspec.Struct, frozen=True, gc=False):
    """The result of an operation, now or when it was first made (`id_reused`: then with other content)."""

    entry: Entry
    id_reused: bool = False


class Missed(msgspec.Struct, frozen=True, gc=False):
    """Everything after a position: entries in order with the messages they concern as they are now; or reset.

    Attributes:
        messages: by message id: what the entries make or change.
    """

    conversation_id: str
    head: tuple[int, int]
    entries: tuple[Entry, ...] = ()
    messages: Mapping[str, Message] = {}
    reset: bool = False


class Ingest(Protocol):
    """The durability plane, as the gateway and the API see it."""

    def submit(self, request: AppendRequest) -> "asyncio.Future[Appended]":
        """Store the operation. Resolves when it is durable; raises what refused it."""
        ...

    def mark(self, user_id: str, conversation_id: str, *, read_seq: int = 0, delivered_seq: int = 0) -> None:
        """Raise the user's cursors within a second, and tell those who look. May be lost in a crash."""
        ...

    async def missed(self, user_id: str | None, conversation_id: str, after: tuple[int, int]) -> Missed:
        """What a reader who stands at `after` lacks. user_id None: a gateway's own cursor."""
        ...
