"""The durability plane: collects requests, decides, appends them in groups, and only then answers."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection, Sequence

import msgspec
import structlog

from nottermost_chat.clock import Clock
from nottermost_chat.errors import BadRequest, ChatError, RateLimited, Unavailable
from nottermost_chat.ingest.lanes import Lanes
from nottermost_chat.ingest.plan import (
    BATCH_BYTES_MAX,
    InForce,
    Known,
    make_fingerprint,
    make_plan,
    size_of,
)
from nottermost_chat.ingest.receipts import Receipts
from nottermost_chat.ingest.republish import Publisher
from nottermost_chat.limiter import RateLimiter
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import (
    INLINE_BYTES_MAX,
    MEMBERSHIP_CHANGES_MAX,
    ConversationKind,
    Entry,
    EntryKind,
    Head,
    LogRecord,
    Member,
    Message,
    Role,
)
from nottermost_chat.pictures import Pictures
from nottermost_chat.ports import (
    Appended,
    AppendRefused,
    AppendRequest,
    Attachments,
    EventLog,
    Memberships,
    MessageStore,
    Missed,
    NewEntry,
    OpKey,
    Picture,
    Stored,
    key_of,
)
from nottermost_chat.protocol import PAGE_BYTES_MAX
from nottermost_chat.settings import Settings
from nottermost_chat.text import check_body, check_characters, find_mentions, make_preview

HEADS_MAX = 50_000
DEADLINE_S = 10.0  # an operation that cannot be stored within it is refused as `unavailable`
ALONE_AFTER = 2  # refused batches; then each request is tried by itself, so that a bad one fails alone
OP_ID_CHARS_MAX = 64
MEMBERSHIP_BURST = 5  # membership entries a channel takes at once; then joins share an entry a second,
MEMBERSHIP_GAP_S = 1.0  # so that a crowd of a million does not make a million entries
READ_PAGE = 500
UNPUBLISHED_MAX = 16  # groups that are stored and wait for the log; meanwhile the next ones are appended
STAGES = ("queue", "store", "publish")  # of a message's time, as metrics and benchmarks name them

logger = structlog.get_logger(__name__)


class Waiting(msgspec.Struct, eq=False):
    """A request on its way, what it was found to be about, and who waits for it."""

    request: AppendRequest
    done: "asyncio.Future[Appended]"
    since: float
    message_id: str = ""
    preview: str | None = None
    has_more: bool = False
    text: str | None = None
    mention_names: tuple[str, ...] = ()
    mention_channel: bool = False
    counted: bool = False  # against the conversation's rate
    followers: list["Waiting"] = []  # membership changes that joined this one's entry


class IngestService:
    """Ingest over a store, the memberships and the log. `run` does the work until it is cancelled."""

    def __init__(
        self,
        *,
        store: MessageStore,
        memberships: Memberships,
        attachments: Attachments,
        log: EventLog,
        receipts: Receipts,
        limiter: RateLimiter,
        metrics: Metrics,
        clock: Clock,
        settings: Settings,
        instance: str,
    ) -> None:
        """`instance`: a name that no other ingest that runs has."""
        self._store, self._memberships, self._attachments, self._clock = store, memberships, attachments, clock
        self._receipts, self._limiter, self._metrics, self._settings = receipts, limiter, metrics, settings
        self._publisher = Publisher(store, log, clock, owner=instance)
        self._pictures = Pictures(memberships, store)
        self._heads: OrderedDict[str, Head] = OrderedDict()
        self._lanes: Lanes[Waiting] = Lanes(_one_lane if store.limits.across else _lane_of_conversation)
        self._arrived = asyncio.Event()
        self._preparing: set[asyncio.Task[None]] = set()
        self._unpublished = asyncio.Semaphore(UNPUBLISHED_MAX)
        self._crowds = Crowds(clock.monotonic)
        self._stages = [metrics.stage_seconds.labels(stage) for stage in STAGES]
        self._submit_stage = metrics.stage_seconds.labels("submit")

    # --- what gateway and API call -----------------------------------------------------------

    def submit(self, request: AppendRequest) -> "asyncio.Future[Appended]":
        done: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
        try:
            waiting = self._check(request, done)
        except ChatError as error:
            done.set_exception(error)
            return done
        if request.kind == EntryKind.MESSAGE and waiting.has_more and len(request.body.encode()) > INLINE_BYTES_MAX:
            task = asyncio.create_task(self._store_text_first(waiting))
            self._preparing.add(task)
            task.add_done_callback(self._preparing.discard)
        elif self._crowds.holds(request, waiting):
            asyncio.get_running_loop().call_later(MEMBERSHIP_GAP_S, self._release_crowd, request.conversation_id)
        elif not waiting.done.done():
            self._enqueue(waiting)
        return done

    def _enqueue(self, waiting: Waiting) -> None:
        self._lanes.add(waiting)
        self._arrived.set()

    def _requeue(self, several: Sequence[Waiting]) -> None:
        for waiting in several:
            self._enqueue(waiting)

    def _release_crowd(self, conversation_id: str) -> None:
        self._requeue(self._crowds.release(conversation_id))

    def kind_of(self, conversation_id: str) -> str:
        """Of a conversation that was written to lately; "": not known here."""
        head, picture = self._heads.get(conversation_id), self._pictures.known(conversation_id, 0)
        if picture is not None:
            return picture.kind.value
        return ConversationKind.CHANNEL.value if head is not None and head.large else ""

    def mark(self, user_id: str, conversation_id: str, *, read_seq: int = 0, delivered_seq: int = 0) -> None:
        self._receipts.mark(user_id, conversation_id, read_seq=read_seq, delivered_seq=delivered_seq)

    async def missed(self, user_id: str | None, conversation_id: str, after: tuple[int, int]) -> Missed:
        head = (await self._store.heads([conversation_id])).get(conversation_id)
        if head is None:
            return Missed(conversation_id, after, reset=True)
        floor = head.floor_seq
        if user_id is not None:
            picture = await self._picture(head, [user_id])  # applies what a crash left
            member = None if picture is None else picture.members.get(user_id)
            if member is None or picture is None:
                return Missed(conversation_id, head.position, reset=True)
            if picture.kind == "group":
                floor = max(floor, member.joined_seq - 1)
        if after >= head.position:  # a cursor above the head is clamped
            return Missed(conversation_id, head.position)
        limit = self._settings.limits.resume_entries_max
        if after[0] != head.epoch or after[1] < floor or head.seq - after[1] > limit:
            return Missed(conversation_id, head.position, reset=True)
        # Up to the head that membership was judged on, not to what came since.
        entries = await self._store.entries(conversation_id, after[1], head.seq - after[1])
        if not entries or entries[0].seq != after[1] + 1:  # trimmed since
            return Missed(conversation_id, head.position, reset=True)
        ids = sorted({entry.message_id for entry in entries if entry.message_id})
        messages = await self._store.messages(conversation_id, ids)
        if sum(len(message.text or "") for message in messages.values()) > PAGE_BYTES_MAX:
            return Missed(conversation_id, head.position, reset=True)
        return Missed(conversation_id, entries[-1].position, tuple(entries), messages)

    # --- from a request to a place in the queue ----------------------------------------------

    def _check(self, request: AppendRequest, done: "asyncio.Future[Appended]") -> Waiting:
        if self._settings.fenced:
            raise Unavailable("this region stands by and stores nothing: repeat it in a moment, the other one does")
        if len(self._lanes) >= self._settings.limits.ingest_queue_max:
            raise Unavailable("too many operations wait to be stored: repeat this one in a moment")
        if not 0 < len(request.op_id) <= OP_ID_CHARS_MAX:
            raise BadRequest(f"client_msg_id has {len(request.op_id)} characters, allowed are 1 to {OP_ID_CHARS_MAX}")
        check_characters(request.op_id)
        check_characters(request.emoji)
        waiting = Waiting(request, done, self._clock.monotonic())
        if request.received_us:
            self._submit_stage.observe(max(0, self._clock.now_us() - request.received_us) / 1e6)
        if request.kind in (EntryKind.MESSAGE, EntryKind.EDIT):
            check_body(request.body, may_be_empty=bool(request.file_ids))
            waiting.preview, waiting.has_more = make_preview(request.body)
            waiting.text = request.body
            found = find_mentions(request.body)
            waiting.mention_names, waiting.mention_channel = found.names, found.everybody
        if request.kind == EntryKind.MESSAGE:
            waiting.message_id = self._clock.new_id()
        return waiting

    async def _store_text_first(self, waiting: Waiting) -> None:
        """A long message's text goes under its own key before the entry that refers to it.

        That of an edit does not: which version it will be is known only when it is appended, and two
        ingests would write to one key.
        """
        try:
            await self._store.put_text(waiting.message_id, 1, waiting.request.body)
        except ChatError as error:
            _fail(waiting, error)
            return
        waiting.text = None
        self._enqueue(waiting)

    # --- the loop ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Append what waits, in each lane one group after the other: what arrives meanwhile makes the next group."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._publisher.run())
            tasks.create_task(self._receipts.run())
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                while (lane := self._lanes.claim()) is not None:
                    tasks.create_task(self._append_from(lane, tasks))

    async def _append_from(self, lane: str, tasks: asyncio.TaskGroup) -> None:
        try:
            await self._append_some(lane, tasks)
        finally:
            self._lanes.release(lane)
            self._arrived.set()

    async def _append_some(self, lane: str, tasks: asyncio.TaskGroup) -> None:
        group: list[Waiting] = []
        size, now = 0, self._clock.monotonic()
        while len(group) < self._store.limits.entries and size < BATCH_BYTES_MAX:
            waiting = self._lanes.pop(lane)
            if waiting is None:
                break
            if waiting.done.done():  # the caller has gone; who joined it has not
                self._requeue(waiting.followers)
                continue
            group.append(waiting)
            size += size_of(waiting.request)
        refusals = 0
        while group:
            alone = refusals >= ALONE_AFTER
            part, rest = (group[:1], group[1:]) if alone else (group, [])
            try:
                try:
                    group = await self._try_append(part, tasks) + rest
                except AppendRefused as refused:
                    refusals += 1
                    group = await self._after_refusal(part, refused) + rest
            except Exception as error:  # noqa: BLE001 - whatever it is belongs to those who wait; the loop goes on
                _fail_all(group, error)
                return
            if self._clock.monotonic() - now > DEADLINE_S:
                for waiting in group:
                    _fail(waiting, Unavailable("the conversation changes too fast to store this: repeat it"))
                return

    async def _after_refusal(self, part: list[Waiting], refused: AppendRefused) -> list[Waiting]:
        """Somebody else has appended: what is stored already is answered, the others are judged anew."""
        self._metrics.conflicts.inc()
        left = await self._settle_repeats(part, refused.repeats)
        for conversation_id in {waiting.request.conversation_id for waiting in left}:
            self._heads.pop(conversation_id, None)
        return left

    async def _try_append(self, group: list[Waiting], tasks: asyncio.TaskGroup) -> list[Waiting]:
        """One round: read, judge, append. Returns those that have to wait for the next round.

        What was appended is published and answered beside the next round, in the order of the rounds.
        """
        heads = await self._read_heads(group)
        known = await self._read_known(group, heads)
        requests, planned = [waiting.request for waiting in group], self._clock.monotonic()
        undo_ms = self._settings.undo_delete_s * 1000
        plan = make_plan(requests, known, heads, self._clock.now_ms(), undo_ms, self._store.limits)
        refused = [(waiting, outcome) for waiting, outcome in zip(group, plan.outcomes, strict=True)
                   if isinstance(outcome, ChatError)]  # fmt: skip
        if refused:
            await self._refuse(refused)
        appended: list[tuple[Waiting, int]] = []  # with the place of its entry in the batch
        repeats: list[tuple[Waiting, int]] = []
        later: list[Waiting] = []
        for index, (waiting, outcome) in enumerate(zip(group, plan.outcomes, strict=True)):
            first = plan.outcomes[plan.repeat_of[index]] if index in plan.repeat_of else None
            if isinstance(outcome, int):
                appended.append((waiting, outcome))
            elif outcome is None and isinstance(first, int):
                repeats.append((waiting, first))
            elif outcome is None:
                later.append(waiting)
        entries = plan.batch.entries
        if entries:
            lowest = {new.entry.conversation_id: new.entry.seq for new in reversed(entries)}
            await self._publisher.before_append(lowest)
            positions = await self._store.append(plan.batch)
            stored = self._clock.monotonic()
            for move in plan.batch.moves:
                self._remember_head(move.next)
            records = await self._after_append(entries, positions)
            await self._unpublished.acquire()
            tasks.create_task(self._publish(entries, records, appended, repeats, (planned, stored)))
        return later

    async def _publish(
        self,
        entries: Sequence[NewEntry],
        records: Sequence[LogRecord],
        appended: Sequence[tuple[Waiting, int]],
        repeats: Sequence[tuple[Waiting, int]],
        moments: tuple[float, float],
    ) -> None:
        """Give a group to the log, then acknowledge it. Whoever is told of a failure finds it stored when repeating it."""
        try:
            await self._publisher.publish(records)
            published = self._clock.monotonic()
            for waiting, index in appended:
                self._note_stages(waiting.since, *moments, published)
                self._answer(waiting, entries[index])
            for waiting, index in repeats:
                self._answer_repeat(waiting, entries[index])
        except Exception as error:  # noqa: BLE001 - as in `_append_some`
            _fail_all([waiting for waiting, _ in (*appended, *repeats)], error)
        finally:
            self._unpublished.release()

    def _note_stages(self, *moments: float) -> None:
        for stage, begun, ended in zip(self._stages, moments, moments[1:], strict=False):
            stage.observe(ended - begun)

    async def _after_append(self, entries: Sequence[NewEntry], positions: Sequence[int]) -> list[LogRecord]:
        """What has to be true before anybody hears of the entries. Returns their records."""
        changes: dict[str, list[Entry]] = {}
        for new in entries:
            if new.entry.kind is EntryKind.MEMBERSHIP:
                changes.setdefault(new.entry.conversation_id, []).append(new.entry)
        files = [new.entry for new in entries if new.entry.detail.file_ids]
        await asyncio.gather(  # together they are one transaction of the directory
            *(self._attachments.attach(entry.detail.file_ids, entry.message_id) for entry in files),
            *(self._memberships.apply(membership) for membership in changes.values()),
        )
        for change in (entry for membership in changes.values() for entry in membership):
            self._pictures.advance(change)  # only now: a change that was not applied is one that we do not know of
        records = [
            LogRecord(new.entry, new.large, new.preview, new.has_more, new.silent, position)
            for new, position in zip(entries, positions, strict=True)
        ]
        restored = [r for r in records if r.entry.kind is EntryKind.DELETE and r.entry.detail.restored]
        if restored:
            records = await self._with_restored_text(records)
        self._metrics.batch_entries.observe(len(entries))
        for kind, count in Counter(new.entry.kind for new in entries).items():
            self._metrics.appended.labels(kind.value).inc(count)
        return records

    async def _with_restored_text(self, records: list[LogRecord]) -> list[LogRecord]:
        full = []
        for record in records:
            entry = record.entry
            if entry.kind is EntryKind.DELETE and entry.detail.restored:
                found = await self._store.messages(entry.conversation_id, [entry.message_id])
                message = found.get(entry.message_id)
                if message is not None:
                    record = msgspec.structs.replace(record, preview=message.text, has_more=message.has_more)
            full.append(record)
        return full

    # --- reading what the judgement needs ----------------------------------------------------

    async def _read_heads(self, group: Sequence[Waiting]) -> dict[str, Head]:
        wanted = list(dict.fromkeys(waiting.request.conversation_id for waiting in group))
        unknown = [conversation_id for conversation_id in wanted if conversation_id not in self._heads]
        if unknown:
            found = await self._store.heads(unknown)
            for conversation_id in unknown:
                self._remember_head(found.get(conversation_id, Head(conversation_id)))
        return {conversation_id: self._heads[conversation_id] for conversation_id in wanted}

    def _remember_head(self, head: Head) -> None:
        self._heads[head.conversation_id] = head
        self._heads.move_to_end(head.conversation_id)
        if len(self._heads) > HEADS_MAX:
            self._heads.popitem(last=False)

    async def _read_known(self, group: Sequence[Waiting], heads: dict[str, Head]) -> list[Known]:
        pictures = {
            conversation_id: await self._picture(head, *_users_in(group, conversation_id))
            for conversation_id, head in heads.items()
        }
        targets = await self._read_targets(group)
        known = []
        for waiting in group:
            request = waiting.request
            picture = pictures[request.conversation_id]
            actor: Member | None = None
            over_rate: RateLimited | None = None
            if picture is not None:
                actor = picture.members.get(request.actor_id)
                over_rate = None if actor is None else self._count(waiting, picture.tier)
            mentions = request.mentions
            if waiting.mention_names and not request.trusted:
                mentions = tuple(await self._memberships.mentioned(request.conversation_id, waiting.mention_names))
            known.append(
                Known(
                    picture=picture,
                    actor=actor,
                    target=targets.get((request.conversation_id, _about(request))),
                    mentions=mentions,
                    mention_channel=request.mention_channel or (waiting.mention_channel and not request.trusted),
                    missing_file=await self._missing_file(request),
                    over_rate=over_rate,
                    message_id=waiting.message_id,
                    preview=waiting.preview,
                    has_more=waiting.has_more,
                    text=waiting.text,
                )
            )
        return known

    async def _picture(self, head: Head, users: Collection[str], changed: Collection[str] = ()) -> Picture | None:
        """Who is in the conversation; of a large one only these users, and whom it takes to judge a change of some."""
        if not head.large:
            known = self._pictures.known(head.conversation_id, head.members_seq)
            return known or await self._pictures.at(head.conversation_id, head.members_seq)
        users = {*users, *changed}
        picture = await self._pictures.excerpt(head.conversation_id, head.members_seq, users)
        if picture is None or not any(_is_admin(picture.members.get(user_id)) for user_id in changed):
            return picture
        return await self._pictures.excerpt(  # the last admin may leave: then somebody else becomes one
            head.conversation_id, head.members_seq, users, eldest=len(changed) + 1
        )

    def _count(self, waiting: Waiting, tier: str) -> RateLimited | None:
        """Count a member's operation against the conversation's rate, once, however often it is judged."""
        request, limits = waiting.request, self._settings.limits
        if waiting.counted or request.trusted or request.kind == EntryKind.MEMBERSHIP:
            return None
        rate = (limits.enterprise if tier == "enterprise" else limits.standard).conversation_messages
        try:
            self._limiter.take("messages in this conversation", request.conversation_id, rate)
        except RateLimited as error:
            return error
        waiting.counted = True
        return None

    async def _missing_file(self, request: AppendRequest) -> str:
        if not request.file_ids or request.trusted:
            return ""
        free = await self._attachments.attachable(request.file_ids, request.actor_id, request.conversation_id)
        return next((file_id for file_id in request.file_ids if file_id not in free), "")

    async def _read_targets(self, group: Sequence[Waiting]) -> dict[tuple[str, str], Message]:
        wanted: dict[str, set[str]] = {}
        for waiting in group:
            if about := _about(waiting.request):
                wanted.setdefault(waiting.request.conversation_id, set()).add(about)
        found: dict[tuple[str, str], Message] = {}
        for conversation_id, message_ids in wanted.items():
            messages = await self._store.messages(conversation_id, sorted(message_ids))
            found |= {(conversation_id, message_id): message for message_id, message in messages.items()}
        return found

    # --- answers -----------------------------------------------------------------------------

    def _answer(self, waiting: Waiting, new: NewEntry) -> None:
        entry = new.entry
        self._metrics.append_seconds.observe(self._clock.monotonic() - waiting.since)
        if entry.kind is EntryKind.MESSAGE and not new.silent:
            self._receipts.mark_sent(entry)
        _finish(waiting, entry)

    def _answer_repeat(self, waiting: Waiting, new: NewEntry) -> None:
        self._metrics.repeats.inc()
        self._requeue(waiting.followers)
        if not waiting.done.done():
            reused = new.fingerprint != make_fingerprint(waiting.request)
            waiting.done.set_result(Appended(new.entry, reused))

    async def _refuse(self, refused: Sequence[tuple[Waiting, ChatError]]) -> None:
        """A refusal stands only if the operation is not stored already: a repeat gets its first answer."""
        errors = dict(refused)
        stored = await self._store.stored([key_of(waiting.request) for waiting in errors])
        for waiting in await self._settle_repeats([*errors], stored):
            match errors[waiting]:
                case InForce(members_seq=seq):
                    (entry,) = await self._store.entries(waiting.request.conversation_id, seq - 1, 1)
                    _finish(waiting, entry)
                case error:
                    _fail(waiting, error)

    async def _settle_repeats(self, group: Sequence[Waiting], repeats: dict[OpKey, Stored]) -> list[Waiting]:
        """Answer what is stored already, once everything that a crash may have kept from following it is done.

        Returns the others.
        """
        found = [(waiting, repeats[key]) for waiting in group if (key := key_of(waiting.request)) in repeats]
        for _, stored in found:
            entry = stored.entry
            if entry.kind is EntryKind.MEMBERSHIP:
                await self._pictures.catch_up(entry.conversation_id, entry.seq)
            if entry.detail.file_ids:
                await self._attachments.attach(entry.detail.file_ids, entry.message_id)
        if found:
            await self._publisher.publish_again([stored.entry for _, stored in found])
        for waiting, stored in found:
            self._metrics.repeats.inc()
            self._requeue(waiting.followers)  # only the leader is stored: each of them goes by itself
            if not waiting.done.done():
                reused = stored.fingerprint != make_fingerprint(waiting.request)
                waiting.done.set_result(Appended(stored.entry, reused))
        return [waiting for waiting in group if key_of(waiting.request) not in repeats]


class Crowds:
    """Membership changes of channels that come so fast that they share entries."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._recent: dict[str, deque[float]] = {}
        self._held: dict[str, list[Waiting]] = {}

    def holds(self, request: AppendRequest, waiting: Waiting) -> bool:
        """Keep the request for the next shared entry. False: it goes by itself.

        Only joins share: they need no order between each other. Their operation ids are not stored, only
        the first one's: a repeat finds that the user is in.
        """
        if not request.joins or request.trusted:
            return False
        conversation_id, now = request.conversation_id, self._monotonic()
        recent = self._recent.setdefault(conversation_id, deque(maxlen=MEMBERSHIP_BURST))
        if len(recent) < MEMBERSHIP_BURST or now - recent[0] > MEMBERSHIP_GAP_S:
            recent.append(now)
            if len(self._recent) > HEADS_MAX:
                self._recent.pop(next(iter(self._recent)))
            return False
        self._held.setdefault(conversation_id, []).append(waiting)
        return True

    def release(self, conversation_id: str) -> list[Waiting]:
        """The held requests as few as possible: the first of each 500 users carries the others."""
        leaders: list[Waiting] = []
        for waiting in self._held.pop(conversation_id, []):
            if waiting.done.done():  # the caller has gone
                continue
            leader = leaders[-1] if leaders else None
            joined = {} if leader is None else dict(leader.request.changes) | dict(waiting.request.changes)
            if leader is None or len(joined) > MEMBERSHIP_CHANGES_MAX:
                leaders.append(waiting)
                continue
            leader.request = msgspec.structs.replace(leader.request, changes=tuple(joined.items()))
            leader.followers = [*leader.followers, waiting]
        return leaders


def _users_in(group: Sequence[Waiting], conversation_id: str) -> tuple[set[str], set[str]]:
    """Who acts in the conversation, and whom changes of its members are about."""
    requests = [waiting.request for waiting in group if waiting.request.conversation_id == conversation_id]
    changed = {user_id for request in requests for user_id, _ in request.changes}
    return {request.actor_id for request in requests}, changed


def _is_admin(member: Member | None) -> bool:
    return member is not None and member.role is Role.ADMIN


def _one_lane(_waiting: Waiting) -> str:
    return ""


def _lane_of_conversation(waiting: Waiting) -> str:
    return waiting.request.conversation_id


def _about(request: AppendRequest) -> str:
    """The message that the request replies to or acts on; "": none."""
    return request.thread_id or request.message_id


def _finish(waiting: Waiting, entry: Entry) -> None:
    for each in (waiting, *waiting.followers):
        if not each.done.done():
            each.done.set_result(Appended(entry))


def _fail_all(group: Sequence[Waiting], error: Exception) -> None:
    logger.error("append_failed", requests=len(group), exc_info=error)
    refusal = Unavailable("the message store failed: repeat the operation")
    refusal.__cause__ = error
    for waiting in group:
        _fail(waiting, refusal)


def _fail(waiting: Waiting, error: ChatError) -> None:
    for each in (waiting, *waiting.followers):
        if not each.done.done():
            each.done.set_exception(error)
