"""Batches as ingest lays them out, for tests that talk to a message store directly."""

import hashlib
from collections.abc import Sequence

import msgspec

from nottermost_chat.model import Detail, Entry, EntryKind, Head, MemberChange, Role
from nottermost_chat.ports import Batch, HeadMove, NewEntry, TargetChange
from nottermost_chat.text import make_preview

START_MS = 1_700_000_000_000


def message_id_of(op_id: str) -> str:
    """A message id that tells which operation made it."""
    return f"M-{op_id}"


class Draft:
    """A batch in the making, on top of heads that were read before. Every entry is a millisecond later."""

    def __init__(self, *heads: Head, actor_id: str = "ann", silent: bool = False) -> None:
        self._before = {head.conversation_id: head for head in heads}
        self._now = dict(self._before)
        self._entries: list[NewEntry] = []
        self._actor_id, self._silent = actor_id, silent

    @property
    def batch(self) -> Batch:
        """What to append."""
        moves = [HeadMove(head, self._now[key]) for key, head in self._before.items() if self._now[key] is not head]
        return Batch(tuple(self._entries), tuple(moves))

    def say(
        self, conversation_id: str, op_id: str, body: str, *, thread_id: str | None = None, broadcast: bool = False,
        mention_channel: bool = False, file_ids: tuple[str, ...] = (), inline: bool = True,
    ) -> Entry:  # fmt: skip
        """A new message; not `inline`: `put_text` wrote its body."""
        detail = Detail(
            thread_id=thread_id, broadcast=broadcast, file_ids=file_ids, mention_channel=mention_channel
        )  # fmt: skip
        return self._add(conversation_id, EntryKind.MESSAGE, op_id, body=body, detail=detail, inline=inline)

    def edit(self, target: Entry, op_id: str, body: str, *, version: int = 2, inline: bool = True) -> Entry:
        """Version `version` of the target's text, in place of the one before."""
        change = TargetChange(target.message_id, target.seq, version - 1, False, version, False)
        return self._add(
            target.conversation_id, EntryKind.EDIT, op_id, body=body, target=change, inline=inline,
            detail=Detail(version=version),
        )  # fmt: skip

    def delete(self, target: Entry, op_id: str, *, version: int = 1, restore: bool = False) -> Entry:
        change = TargetChange(target.message_id, target.seq, version, restore, version, not restore)
        detail = Detail(restored=restore, version=version)
        return self._add(target.conversation_id, EntryKind.DELETE, op_id, target=change, detail=detail)

    def redact(self, target: Entry, op_id: str, *, version: int = 1, deleted: bool = True) -> Entry:
        change = TargetChange(target.message_id, target.seq, version, deleted, version, True, redacted=True)
        return self._add(target.conversation_id, EntryKind.REDACT, op_id, target=change)

    def react(self, target: Entry, op_id: str, emoji: str, *, on: bool = True) -> Entry:
        entry = self._add(target.conversation_id, EntryKind.REACTION, op_id, detail=Detail(emoji=emoji, on=on))
        return self._replace_last(entry, message_id=target.message_id, target_seq=target.seq)

    def change(self, conversation_id: str, op_id: str, changes: Sequence[tuple[str, Role | None]]) -> Entry:
        """A membership entry."""
        detail = Detail(changes=tuple(MemberChange(user_id, role) for user_id, role in changes))
        return self._add(conversation_id, EntryKind.MEMBERSHIP, op_id, detail=detail)

    def _replace_last(self, entry: Entry, **fields: object) -> Entry:
        changed = msgspec.structs.replace(entry, **fields)
        self._entries[-1] = msgspec.structs.replace(self._entries[-1], entry=changed)
        return changed

    def _add(
        self, conversation_id: str, kind: EntryKind, op_id: str, *, body: str | None = None,
        target: TargetChange | None = None, detail: Detail | None = None, inline: bool = True,
    ) -> Entry:  # fmt: skip
        head, detail = self._now[conversation_id], detail or Detail()
        is_message, moves_members = kind is EntryKind.MESSAGE, kind is EntryKind.MEMBERSHIP
        target_id = "" if target is None else target.message_id
        entry = Entry(
            conversation_id=conversation_id,
            epoch=head.epoch,
            seq=head.seq + 1,
            kind=kind,
            actor_id=self._actor_id,
            message_id=message_id_of(op_id) if is_message else target_id,
            target_seq=0 if target is None else target.seq,
            created_at=max(START_MS, head.created_at) + 1,
            members_seq=head.seq + 1 if moves_members else head.members_seq,
            messages=head.messages + is_message,
            channel_mentions=head.channel_mentions + detail.mention_channel,
            op_id=op_id,
            detail=detail,
        )
        self._now[conversation_id] = msgspec.structs.replace(
            head, seq=entry.seq, members_seq=entry.members_seq, messages=entry.messages,
            channel_mentions=entry.channel_mentions, created_at=entry.created_at,
        )  # fmt: skip
        preview, has_more = (None, False) if body is None else make_preview(body)
        fingerprint = hashlib.blake2b(f"{kind}:{body}".encode(), digest_size=8).digest()
        self._entries.append(
            NewEntry(entry, fingerprint, body if inline else None, preview, has_more, target, silent=self._silent)
        )
        return entry
