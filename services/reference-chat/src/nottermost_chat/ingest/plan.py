"""What ingest decides: who may do what, and which entries and heads that makes. No reading, no writing.

Each request is judged on values that were read before; the append that follows is refused
if any of them has changed in the meantime, and the request is judged again.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from nottermost_chat.errors import (
    Archived,
    BadRequest,
    ChatError,
    Conflict,
    Forbidden,
    MessageGone,
    NotAMember,
    NotFound,
    RateLimited,
)
from nottermost_chat.model import (
    INLINE_BYTES_MAX,
    LARGE_FROM,
    LARGE_UNTIL,
    Detail,
    Entry,
    EntryKind,
    Head,
    Member,
    MemberChange,
    Message,
    Role,
)
from nottermost_chat.ports import (
    AppendRequest,
    Batch,
    BatchLimits,
    HeadMove,
    NewEntry,
    OpKey,
    Picture,
    TargetChange,
    key_of,
)

BATCH_BYTES_MAX: Final = 1_000_000
EMOJI_CHARS_MAX: Final = 64
KINDS: Final = {kind.value: kind for kind in EntryKind}

Outcome = int | ChatError | None  # index into the batch's entries; a refusal; None: not in this batch


class Known(msgspec.Struct, frozen=True):
    """What was read about one request before judging it.

    Attributes:
        actor: the actor's membership, None: not a member.
        target: the message it acts on, or the root of the thread it replies to.
        mentions: users that the body names.
        missing_file: a file that the actor may not attach; "": none.
        over_rate: the conversation takes no more messages now.
        message_id, preview, has_more, text: of a new text; `text` None: stored already under its own key.
    """

    picture: Picture | None
    actor: Member | None
    target: Message | None = None
    mentions: tuple[str, ...] = ()
    mention_channel: bool = False
    missing_file: str = ""
    over_rate: RateLimited | None = None
    message_id: str = ""
    preview: str | None = None
    has_more: bool = False
    text: str | None = None


class InForce(ChatError):
    """The members are already as the request wants them: there is nothing to store, and nothing to refuse.

    Attributes:
        members_seq: the membership entry that says so.
    """

    code = "in_force"

    def __init__(self, conversation_id: str, members_seq: int) -> None:
        super().__init__(f"the members of conversation {conversation_id} are so since entry {members_seq}")
        self.members_seq = members_seq


class Plan(msgspec.Struct, frozen=True):
    """A batch, and for each request its entry in it, its refusal, or None to try it in the next batch."""

    batch: Batch
    outcomes: tuple[Outcome, ...]
    repeat_of: Mapping[int, int]  # request to the earlier request of this batch with the same key


def make_fingerprint(request: AppendRequest) -> bytes:
    """Tells a repeat from another request under the same id; too short to find a text back from."""
    parts = (request.kind, request.message_id, request.body, request.thread_id, request.file_ids, request.emoji,
             request.on, request.restore, request.changes, request.settings)  # fmt: skip
    return hashlib.blake2b(msgspec.msgpack.encode(parts), digest_size=8).digest()


def size_of(request: AppendRequest) -> int:
    """Bytes of the text; of a short one characters, which is near enough."""
    length = len(request.body)
    return length if length <= INLINE_BYTES_MAX else len(request.body.encode())


def make_plan(
    requests: Sequence[AppendRequest], known: Sequence[Known], heads: Mapping[str, Head], now_ms: int, undo_ms: int,
    limits: BatchLimits,
) -> Plan:  # fmt: skip
    """Judge the requests in their order and lay out one batch.

    Args:
        heads: of every conversation concerned; one without entries has seq 0.
        undo_ms: how long after a delete it can be undone.
    """
    current = dict(heads)
    entries: list[NewEntry] = []
    outcomes: list[Outcome] = []
    first: dict[OpKey, int] = {}
    repeat_of: dict[int, int] = {}
    touched: set[str] = set()
    changed_members: set[str] = set()
    size, items, full = 0, 0, False
    for index, (request, facts) in enumerate(zip(requests, known, strict=True)):
        key = key_of(request)
        if key in first:
            repeat_of[index] = first[key]
            outcomes.append(None)
            continue
        full = full or len(entries) >= limits.entries or (size > 0 and size + size_of(request) > BATCH_BYTES_MAX)
        conversation_id = request.conversation_id
        # The second change of a target, and whatever follows a change of members, is judged on what that leaves.
        if full or (request.message_id and request.message_id in touched) or conversation_id in changed_members:
            outcomes.append(None)
            continue
        try:
            new, after = _make_entry(request, facts, current[conversation_id], now_ms, undo_ms)
        except ChatError as error:
            outcomes.append(error)
            continue
        items += limits.items_of(new)
        if entries and items > limits.items:
            full = True
            outcomes.append(None)
            continue
        first[key] = index
        size += size_of(request)
        if request.message_id:
            touched.add(request.message_id)
        if new.entry.kind is EntryKind.MEMBERSHIP:
            changed_members.add(conversation_id)
        current[conversation_id] = after
        outcomes.append(len(entries))
        entries.append(new)
    moves = tuple(HeadMove(head, current[key]) for key, head in heads.items() if current[key] is not head)
    return Plan(Batch(tuple(entries), moves), tuple(outcomes), repeat_of)


def _make_entry(request: AppendRequest, facts: Known, head: Head, now_ms: int, undo_ms: int) -> tuple[NewEntry, Head]:
    picture = judge_actor(request, facts)
    kind, target = KINDS[request.kind], facts.target
    message_id, target_seq, change = request.message_id, 0, None
    changes = settle_changes(request, picture) if kind is EntryKind.MEMBERSHIP else ()
    if kind is EntryKind.MESSAGE:
        message_id = facts.message_id
        judge_thread(request, facts)
        if facts.missing_file:
            raise NotFound(f"you have no uploaded file {facts.missing_file} here that is free to attach")
    elif kind is not EntryKind.MEMBERSHIP:
        target = judge_target(request, facts, now_ms, undo_ms)
        target_seq, change = target.entry.seq, change_target(kind, target, request)
    detail = _make_detail(kind, request, facts, change, changes)
    members = _count_members(head.members, changes, picture)
    entry = Entry(
        conversation_id=head.conversation_id,
        epoch=head.epoch,
        seq=head.seq + 1,
        kind=kind,
        actor_id=request.actor_id,
        message_id=message_id,
        target_seq=target_seq,
        created_at=max(now_ms, head.created_at),
        members_seq=head.seq + 1 if kind is EntryKind.MEMBERSHIP else head.members_seq,
        messages=head.messages + (kind is EntryKind.MESSAGE),
        channel_mentions=head.channel_mentions + detail.mention_channel,
        op_id=request.op_id,
        detail=detail,
    )
    after = Head(
        entry.conversation_id, entry.epoch, entry.seq, head.floor_seq, entry.members_seq, entry.messages,
        entry.channel_mentions, entry.created_at, members, is_large(members, large_before=head.large),
    )  # fmt: skip
    new = NewEntry(
        entry, make_fingerprint(request), facts.text, facts.preview, facts.has_more, change, after.large, request.silent
    )
    return new, after


def judge_actor(request: AppendRequest, facts: Known) -> Picture:
    """The conversation, if the actor may write here now.

    Raises: NotFound, NotAMember, Archived or RateLimited.
    """
    picture = facts.picture
    if picture is None:
        raise NotFound(f"there is no conversation {request.conversation_id}")
    if request.trusted or request.kind == EntryKind.MEMBERSHIP:
        return picture  # imports and workers; who may change members and settings was judged by the action
    if facts.actor is None:
        raise NotAMember(f"you are not a member of conversation {request.conversation_id}: join it first")
    if picture.settings.archived:
        raise Archived(f"conversation {request.conversation_id} is archived: ask an admin to unarchive it")
    if facts.over_rate is not None:
        raise facts.over_rate
    return picture


def settle_changes(request: AppendRequest, picture: Picture) -> tuple[MemberChange, ...]:
    """The changes that the entry holds: what the request changes of the members, and who becomes admin by it.

    Decided here, on the members at the head: two last admins may leave at the same time.

    Raises: InForce when there is nothing to change.
    """
    wanted = dict(request.changes)
    if not request.trusted:
        wanted = {
            user_id: role
            for user_id, role in wanted.items()
            if _changes_member(picture.members.get(user_id), role, joins=request.joins)
        }
        if request.changes and not wanted and request.settings is None and picture.members_seq:
            raise InForce(picture.conversation_id, picture.members_seq)
    heir_id = find_heir(picture.members, wanted)
    if heir_id is not None:
        wanted[heir_id] = Role.ADMIN
    return tuple(MemberChange(user_id, role) for user_id, role in wanted.items())


def _changes_member(member: Member | None, role: Role | None, *, joins: bool) -> bool:
    if member is None:
        return role is not None
    return not joins and member.role is not role


def find_heir(members: Mapping[str, Member], changes: Mapping[str, Role | None]) -> str | None:
    """Who becomes admin when the changes take the last one away: the longest-standing member, or nobody if none is left.

    Whoever the changes are about comes last: an admin who steps down and is alone stays admin.
    """
    if not any(user_id in members and members[user_id].role is Role.ADMIN for user_id in changes):
        return None  # nearly always, and without a look at all members, who may be a million
    staying = [member for member in members.values() if changes.get(member.user_id, member.role) is not None]
    if not staying or Role.ADMIN in changes.values():
        return None
    if any(member.role is Role.ADMIN and member.user_id not in changes for member in staying):
        return None
    return min(staying, key=lambda member: (member.user_id in changes, member.joined_seq, member.user_id)).user_id


def judge_thread(request: AppendRequest, facts: Known) -> None:
    """Raises: NotFound or Conflict when the message cannot be a reply where it says."""
    if request.thread_id is None:
        return
    root = facts.target
    if root is None or not _may_see(facts, root):
        raise NotFound(f"there is no message {request.thread_id} in conversation {request.conversation_id}")
    if root.entry.detail.thread_id is not None:
        raise Conflict(f"message {request.thread_id} is itself a reply: reply to {root.entry.detail.thread_id}")


def judge_target(request: AppendRequest, facts: Known, now_ms: int, undo_ms: int) -> Message:
    """The message that an edit, delete, restore, reaction or redact acts on.

    Raises: NotFound, Forbidden, MessageGone, BadRequest or Conflict.
    """
    target = facts.target
    if target is None or not (request.trusted or _may_see(facts, target)):
        raise NotFound(f"there is no message {request.message_id} in conversation {request.conversation_id}")
    own = target.entry.actor_id == request.actor_id
    admin = facts.actor is not None and facts.actor.role in (Role.OWNER, Role.ADMIN)
    match KINDS[request.kind]:
        case EntryKind.EDIT if not (own or request.trusted):
            raise Forbidden("only the author edits a message")
        case EntryKind.DELETE if not (own or admin or request.trusted):
            raise Forbidden("only the author or an admin deletes or restores a message")
        case EntryKind.REDACT if not request.trusted:
            raise Forbidden("messages are redacted by retention only")
        case EntryKind.REACTION if not 0 < len(request.emoji) <= EMOJI_CHARS_MAX:
            raise BadRequest(f"the emoji has {len(request.emoji)} characters, allowed are 1 to {EMOJI_CHARS_MAX}")
    gone = target.redacted or (target.deleted_at is not None)
    if request.kind == EntryKind.DELETE and request.restore:
        if target.redacted or (target.deleted_at is not None and now_ms - target.deleted_at > undo_ms):
            raise MessageGone(f"message {request.message_id} was deleted too long ago to restore it")
        if target.deleted_at is None:
            raise Conflict(f"message {request.message_id} is not deleted")
    elif gone and not (request.kind == EntryKind.REDACT and not target.redacted):
        raise MessageGone(f"message {request.message_id} was deleted")
    return target


def change_target(kind: EntryKind, target: Message, request: AppendRequest) -> TargetChange | None:
    """What the operation makes of the message it acts on."""
    deleted = target.deleted_at is not None
    same = TargetChange(target.entry.message_id, target.entry.seq, target.version, deleted, target.version, deleted)
    match kind:
        case EntryKind.EDIT:
            return msgspec.structs.replace(same, version=target.version + 1)
        case EntryKind.DELETE:
            return msgspec.structs.replace(same, deleted=not request.restore)
        case EntryKind.REDACT:
            return msgspec.structs.replace(same, deleted=True, redacted=True)
    return None


def is_large(members: int, *, large_before: bool) -> bool:
    """The size class, with a gap between growing and shrinking so that it does not flap."""
    return members > (LARGE_UNTIL if large_before else LARGE_FROM)


def _may_see(facts: Known, message: Message) -> bool:
    """A group's members see what came from their join on; a channel's see all."""
    picture, actor = facts.picture, facts.actor
    if picture is None or actor is None or picture.kind != "group":
        return True
    return message.entry.seq >= actor.joined_seq


def _make_detail(
    kind: EntryKind,
    request: AppendRequest,
    facts: Known,
    change: TargetChange | None,
    changes: tuple[MemberChange, ...],
) -> Detail:
    match kind:
        case EntryKind.MESSAGE:
            return Detail(
                thread_id=request.thread_id,
                broadcast=request.broadcast and request.thread_id is not None,
                file_ids=request.file_ids,
                mentions=facts.mentions,
                mention_channel=facts.mention_channel,
                sent_at=request.sent_at,
                note=request.note,
            )
        case EntryKind.EDIT if change is not None:
            return Detail(version=change.version, sent_at=request.sent_at)
        case EntryKind.DELETE if change is not None:
            return Detail(restored=request.restore, version=change.version)
        case EntryKind.REACTION:
            return Detail(emoji=request.emoji, on=request.on)
        case EntryKind.MEMBERSHIP:
            return Detail(changes=changes, settings=request.settings)
    return Detail()


def _count_members(before: int, changes: Sequence[MemberChange], picture: Picture) -> int:
    """How many members there are after the changes."""
    return max(0, before + sum((one.role is not None) - (one.user_id in picture.members) for one in changes))
