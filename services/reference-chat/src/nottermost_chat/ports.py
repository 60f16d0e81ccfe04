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
    Position,
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


class BatchLimits(msgspec.Struct, frozen=True):
    """What a store takes in one append: ingest makes its batches so.

    Attributes:
        entries: how many at most.
        items: how many at most, as `items_of` counts them for each entry.
        across: one batch may concern several conversations. If not, ingest appends to several side by side.
    """

    entries: int = 90
    items: int = 90
    items_of: Callable[[NewEntry], int] = lambda _: 1
    across: bool = True


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

    @property
    def limits(self) -> BatchLimits:
        """What `append` takes at once."""
        ...

    async def heads(self, conversation_ids: Sequence[str]) -> dict[str, Head]:
        """The heads; a conversation without entries is absent."""
        ...

    async def stored(self, keys: Sequence[OpKey]) -> dict[OpKey, Stored]:
        """Those of the operations that are stored."""
        ...

    async def append(self, batch: Batch) -> list[int]:
        """Write the batch. Returns the log position of each entry, 0 if the log is not the store's own.

        Raises: AppendRefused.
        """
        ...

    async def put_text(self, message_id: str, version: int, body: str) -> None:
        """Write a long text ahead of the entry that will refer to it; again is the same as once."""
        ...

    async def collect_texts(self, older_than_ms: int) -> int:
        """Remove long texts written before that time that no entry refers to; returns how many."""
        ...

    async def entries(self, conversation_id: str, after_seq: int, limit: int) -> list[Entry]:
        """Entries of every kind after `after_seq`, in order; also what a trim that ended early has left."""
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

    async def trim(self, conversation_id: str, floor_seq: int, *, seen_seq: int | None = None) -> bool:
        """Remove the entries at or below `floor_seq` and their texts; the head keeps the number.

        Args:
            seen_seq: what an entry after this one edits, deletes, redacts or reacts to must not go.
        Returns: False: there is such an entry. Not all of them went, and whoever trims looks at them again.
        """
        ...

    async def half_trimmed(self, conversation_ids: Sequence[str]) -> frozenset[str]:
        """Those of the conversations where a trim ended early and left something at or below the floor."""
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


class DeadLetter(msgspec.Struct, frozen=True, gc=False):
    """What a group's handler refused three times; `record` None: it cannot be read, or is gone from the store."""

    record: LogRecord | None
    reason: str


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

        `from_end`: a group without a position begins with what comes from now on, not with the oldest
        record; a log of one process, which nobody can go on with, keeps none for it.
        """
        ...

    async def replay(self, handler: Handler, since_ms: int) -> int:
        """Hand over the entries created at `since_ms` (ms since the epoch) or later, up to the end as it is now.

        In batches, one conversation's in order; no group notices. Previews may be old: the store has
        those of now. Returns how many; what the handler raises ends it.
        """
        ...

    async def lag(self, group: str) -> int:
        """How many records the group has not handled, by its last commit: up to half a second ago."""
        ...

    async def dead_letters(self, group: str, limit: int) -> list[DeadLetter]:
        """What was set aside for the group and not taken since, oldest first."""
        ...

    async def redrive(self, group: str, handler: Handler) -> int:
        """Hand what is set aside now to `handler` once more; what it refuses stays. Returns how many it took."""
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


class Members(Protocol):
    """The questions about members that a gateway asks. Reads see every `Memberships.apply` that has returned."""

    async def among(self, conversation_id: str, user_ids: Sequence[str]) -> dict[str, Member]:
        """Those of the users who are in the conversation."""
        ...

    async def of_user(self, user_id: str, conversation_ids: Sequence[str]) -> dict[str, Member]:
        """Those of the conversations that the user is in."""
        ...


class Memberships(Members, Protocol):
    """Who is in which conversation: what the log's membership entries have come to.

    Promises: entries are applied in order and once (`applied_seq`); reads see every apply that
    has returned.
    """

    async def picture(self, conversation_id: str) -> Picture | None:
        """The conversation with its active members as applied so far; None: there is none."""
        ...

    async def excerpt(self, conversation_id: str, user_ids: Sequence[str], *, eldest: int) -> Picture | None:
        """The same with only some of the members, where there are too many to hold.

        Those of `user_ids` who are in; with `eldest` also all admins and, unless those are as
        many, the `eldest` members who joined first: enough to tell what a change of fewer does.
        """
        ...

    async def apply(self, entries: Sequence[Entry]) -> None:
        """Apply membership entries of one conversation, in order; those applied before are passed over."""
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

    async def unregister(self, gateway_id: str, user_ids: Sequence[str], *, now_ms: int) -> None:
        """They have left the gateway. Who is at no other one has gone, and was last seen now."""
        ...

    async def gateways_of(self, user_ids: Sequence[str]) -> dict[str, frozenset[str]] | None:
        """User to gateways, users without one left out. None: it cannot tell; deliver to every gateway."""
        ...

    async def touch(self, user_id: str, status: Presence, *, now_ms: int) -> None:
        """The user is there (for 60 s), or wishes to appear gone (`OFFLINE`)."""
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


class Signals(Protocol):
    """The short way to every gateway, past log and fan-out."""

    async def signal(self, signal: Signal) -> None:
        """To every gateway; may be lost."""
        ...


class SearchDocument(msgspec.Struct, frozen=True, gc=False):
    """A message as the index holds it.

    `version`: rises with the entries whose outcome it shows (`version_at`).
    """

    message_id: str
    conversation_id: str
    seq: int
    sender_id: str
    created_at: int
    body: str
    file_names: tuple[str, ...] = ()
    has_link: bool = False
    has_reaction: bool = False
    version: int = 0


class SearchRemoval(msgspec.Struct, frozen=True, gc=False):
    """A message that is not to be found from this version on."""

    message_id: str
    version: int = 0


class DocumentRefused(ChatError):
    """The index cannot hold some documents, however often they come; `message_ids` says which."""

    code = "document_refused"

    def __init__(self, message_ids: Sequence[str], reason: str) -> None:
        super().__init__(f"the search index refused {len(message_ids)} messages ({reason}): they cannot be found")
        self.message_ids = tuple(message_ids)


def version_at(position: Position) -> int:
    """The version of a message that was read when the conversation's log had come to `position`, or further."""
    epoch, seq = position
    return epoch << 40 | seq  # 63 bits are an index's limit: a trillion entries, 8 million epochs


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

    @property
    def searched(self) -> Mapping[str, int]:
        """The readable conversations that are asked for."""
        if not self.in_conversations:
            return self.readable
        return {id_: self.readable[id_] for id_ in self.in_conversations if id_ in self.readable}


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
    """Full text over messages. Eventually consistent; can be rebuilt from the store at any time.

    Promises: of two states of a message the one of the higher version stays, in whatever order and
    from however many indexers they come; of equal versions the later. Search answers from what is
    there while a rebuild runs, and after one that a crash ended.
    """

    async def apply(self, upserts: Sequence[SearchDocument], removals: Sequence[SearchRemoval]) -> None:
        """Index these documents in place of what was there, then remove. Again is the same as once.

        Raises: Unavailable; DocumentRefused for what it can never take, with everything else applied.
        """
        ...

    async def search(self, query: SearchQuery) -> SearchResult:
        """Raises Unavailable."""
        ...

    async def clear(self) -> None: ...

    async def begin_rebuild(self) -> str:
        """Begin anew beside what serves, in place of any rebuild that did not finish; returns its name.

        From now on `apply`, of whichever process, counts for both. Then apply everything from the
        store, each message with `version_at` the head that was read before it.
        """
        ...

    async def finish_rebuild(self, rebuild: str) -> None:
        """Serve what was applied since the rebuild began, and nothing else. Raises Conflict when it was replaced."""
        ...

    async def abandon_rebuild(self, rebuild: str) -> None:
        """Go on with what serves."""
        ...


class SignedRequest(msgspec.Struct, frozen=True):
    """A request that whoever holds it may make until it ends; `headers` are signed, so they have to be sent."""

    method: str
    url: str
    headers: Mapping[str, str]


class BlobLinks(Protocol):
    """Requests that browsers make to the blob store itself."""

    @property
    def origin(self) -> str:
        """Where they lead (scheme and authority): pages have to be allowed to reach it."""
        ...

    async def upload(self, key: str, size: int, *, expires_s: int) -> SignedRequest:
        """What stores exactly `size` bytes, and only while nothing is there.

        What came this way was seen by nobody: look at it before anybody else may.
        """
        ...

    async def download(self, key: str, *, content_type: str, disposition: str, expires_s: int) -> str:
        """Where to GET the object, answered with these headers; supports Range."""
        ...


class BlobStore(Protocol):
    """Immutable objects by key; what is there never changes.

    Uploads become visible whole or not at all.
    """

    @property
    def links(self) -> BlobLinks | None:
        """None: browsers reach objects through the API only."""
        ...

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, bytes_max: int) -> int:
        """Store an object; returns its size. The same again is the same as once.

        Raises: TooLarge, and Conflict when `key` holds other bytes; then nothing has changed. Unavailable.
        """
        ...

    async def size(self, key: str) -> int | None:
        """Bytes of the object; None: there is none."""
        ...

    def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Bytes [start, end), or up to the object's end, in chunks that are not empty. Raises NotFound."""
        ...

    async def delete(self, key: str) -> None: ...


JOB_BYTES_MAX = 190_000  # a message of SQS has 262,144 with its attributes, and is text: base64 takes a third more


class Job(msgspec.Struct, frozen=True, gc=False):
    """A job that was taken, and is hidden from others until its time to work on it is over.

    Attributes:
        job_id: stays the same through every attempt.
        attempt: 1 for the first; also those count that a worker's end cut short.
        receipt: the adapter's own; stands for this taking.
    """

    job_id: str
    body: bytes
    attempt: int
    receipt: str


class DeadJob(msgspec.Struct, frozen=True, gc=False):
    """A job that will not be tried again by itself; `reason`: why the last attempt failed."""

    job_id: str
    body: bytes
    reason: str


class JobQueue(Protocol):
    """Work to be done at least once, in no order; one object a queue.

    Promises: what `put` returned for is handed out until somebody finishes or buries it. Who takes a
    job has it alone for a set time; if they do not say what became of it by then, others get it.
    After a set number of attempts it lies with the dead letters. Late or repeated words about a job
    change nothing, or make it run once more. Every method raises Unavailable.
    """

    async def put(self, bodies: Sequence[bytes], *, delay_s: float = 0.0) -> list[str]:
        """Queue a job for each body, not to be handed out before the delay; returns their ids. Durable.

        Raises: TooLarge for a body above JOB_BYTES_MAX; then nothing is queued.
        """
        ...

    async def take(self, limit: int, wait_s: float) -> list[Job]:
        """At most so many jobs that are due, as soon as there is one; empty after `wait_s`."""
        ...

    async def finish(self, job: Job) -> None:
        """It is done."""
        ...

    async def retry(self, job: Job, after_s: float, reason: str) -> None:
        """Hand it out again, not before `after_s`; the last attempt's goes to the dead letters with the reason."""
        ...

    async def bury(self, job: Job, reason: str) -> None:
        """To the dead letters at once: no attempt can help."""
        ...

    async def dead(self, limit: int) -> list[DeadJob]:
        """Some of the dead letters; they stay. Oldest first where the queue knows an order."""
        ...

    async def revive(self, job_ids: Sequence[str]) -> int:
        """Hand these dead letters out again, from their first attempt on; returns how many there were."""
        ...

    async def waiting(self) -> int:
        """About how many jobs are neither finished nor dead: due, delayed or taken."""
        ...


class Caller(msgspec.Struct, frozen=True):
    """Who a valid token speaks for; `expires_at` in ms since the epoch.

    `scopes`: what a bot's token may be used for; None: a person's, for everything.
    """

    user_id: str
    device_id: str
    expires_at: int
    scopes: frozenset[str] | None = None


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
        received_us: when gateway or API had it, microseconds since the epoch; 0: unknown.
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
    received_us: int = 0


def key_of(operation: AppendRequest | Entry) -> OpKey:
    """What the operation is stored once under."""
    return (operation.conversation_id, operation.actor_id, operation.op_id)


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
