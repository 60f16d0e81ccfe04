"""Between the structs of `ports.py` and the messages of `v1/*.proto`."""

from collections.abc import Iterable
from typing import Final

from google.protobuf.message import Message as Wire

from nottermost_chat.adapters.record_codec import decode_record, encode_record
from nottermost_chat.model import (
    ConversationKind,
    ConversationSettings,
    Entry,
    LogRecord,
    Member,
    Message,
    Position,
    Reaction,
    Role,
)
from nottermost_chat.ports import Appended, AppendRequest, Missed, Picture, Signal
from nottermost_chat.rpc.v1 import common_pb2 as common
from nottermost_chat.rpc.v1 import ingest_pb2 as pb
from nottermost_chat.settings import Rate, Tier

INT64_MAX: Final = 2**63 - 1


def clamp(number: int) -> int:
    """A number that a client made up, as near as an int64 comes; no seq is ever that high."""
    return max(-INT64_MAX, min(INT64_MAX, number))


def encode_entry(entry: Entry) -> bytes:
    """An entry travels as a log record that holds nothing else: one format to keep."""
    return encode_record(LogRecord(entry))


def decode_entry(record: bytes) -> Entry:
    return decode_record(record).entry


def pack_append(request: AppendRequest) -> pb.Append:
    """Raises: UnicodeEncodeError for a text with lone surrogates."""
    return pb.Append(
        kind=request.kind, conversation_id=request.conversation_id, actor_id=request.actor_id, op_id=request.op_id,
        body=request.body, message_id=request.message_id, thread_id=request.thread_id, broadcast=request.broadcast,
        file_ids=request.file_ids, mentions=request.mentions, mention_channel=request.mention_channel,
        emoji=request.emoji, on=request.on, restore=request.restore,
        changes=[pb.MemberChange(user_id=user, role="" if role is None else role.value) for user, role in request.changes],
        joins=request.joins, settings=None if request.settings is None else pack_settings(request.settings),
        sent_at=request.sent_at, note=request.note, silent=request.silent, trusted=request.trusted,
        received_us=request.received_us,
    )  # fmt: skip


def unpack_append(wire: pb.Append) -> AppendRequest:
    return AppendRequest(
        kind=wire.kind, conversation_id=wire.conversation_id, actor_id=wire.actor_id, op_id=wire.op_id,
        body=wire.body, message_id=wire.message_id, thread_id=_text(wire, "thread_id"), broadcast=wire.broadcast,
        file_ids=tuple(wire.file_ids), mentions=tuple(wire.mentions), mention_channel=wire.mention_channel,
        emoji=wire.emoji, on=wire.on, restore=wire.restore,
        changes=tuple((change.user_id, Role(change.role) if change.role else None) for change in wire.changes),
        joins=wire.joins, settings=unpack_settings(wire.settings) if wire.HasField("settings") else None,
        sent_at=_number(wire, "sent_at"), note=wire.note, silent=wire.silent, trusted=wire.trusted,
        received_us=wire.received_us,
    )  # fmt: skip


def pack_settings(settings: ConversationSettings) -> common.ConversationSettings:
    return common.ConversationSettings(
        title=settings.title, topic=settings.topic, purpose=settings.purpose, archived=settings.archived
    )


def unpack_settings(wire: common.ConversationSettings) -> ConversationSettings:
    return ConversationSettings(
        _text(wire, "title"),
        _text(wire, "topic"),
        _text(wire, "purpose"),
        wire.archived if wire.HasField("archived") else None,
    )


def pack_appended(appended: Appended) -> pb.Appended:
    return pb.Appended(record=encode_entry(appended.entry), id_reused=appended.id_reused)


def unpack_appended(wire: pb.Appended) -> Appended:
    return Appended(decode_entry(wire.record), wire.id_reused)


def pack_position(position: Position) -> common.Position:
    return common.Position(epoch=clamp(position[0]), seq=clamp(position[1]))


def unpack_position(wire: common.Position) -> Position:
    return (wire.epoch, wire.seq)


def pack_missed(missed: Missed) -> pb.MissedResponse:
    return pb.MissedResponse(
        head=pack_position(missed.head),
        records=[encode_entry(entry) for entry in missed.entries],
        messages=[pack_message(message) for message in missed.messages.values()],
        reset=missed.reset,
    )


def unpack_missed(conversation_id: str, wire: pb.MissedResponse) -> Missed:
    messages = [unpack_message(message) for message in wire.messages]
    return Missed(
        conversation_id,
        unpack_position(wire.head),
        tuple(decode_entry(record) for record in wire.records),
        {message.entry.message_id: message for message in messages},
        wire.reset,
    )


def pack_message(message: Message) -> pb.Message:
    return pb.Message(
        record=encode_entry(message.entry), text=message.text, has_more=message.has_more, version=message.version,
        changed_seq=message.changed_seq, edited_at=message.edited_at, deleted_at=message.deleted_at,
        redacted=message.redacted,
        reactions=[pb.Reaction(emoji=one.emoji, user_ids=one.user_ids) for one in message.reactions],
        reply_count=message.reply_count, last_reply_at=message.last_reply_at,
    )  # fmt: skip


def unpack_message(wire: pb.Message) -> Message:
    return Message(
        entry=decode_entry(wire.record), text=_text(wire, "text"), has_more=wire.has_more, version=wire.version,
        changed_seq=wire.changed_seq, edited_at=_number(wire, "edited_at"), deleted_at=_number(wire, "deleted_at"),
        redacted=wire.redacted,
        reactions=tuple(Reaction(one.emoji, tuple(one.user_ids)) for one in wire.reactions),
        reply_count=wire.reply_count, last_reply_at=_number(wire, "last_reply_at"),
    )  # fmt: skip


def pack_member(member: Member) -> pb.Member:
    return pb.Member(
        user_id=member.user_id, role=member.role.value, joined_seq=member.joined_seq, left_seq=member.left_seq
    )


def unpack_member(wire: pb.Member) -> Member:
    return Member(wire.user_id, Role(wire.role), wire.joined_seq, _number(wire, "left_seq"))


def pack_picture(picture: Picture, members: Iterable[Member], *, partial: bool) -> pb.PictureAtResponse:
    return pb.PictureAtResponse(
        found=True, kind=picture.kind.value, workspace_id=picture.workspace_id, tier=picture.tier,
        settings=pack_settings(picture.settings), members_seq=picture.members_seq,
        members=[pack_member(member) for member in members], partial=partial,
    )  # fmt: skip


def unpack_picture(conversation_id: str, wire: pb.PictureAtResponse) -> Picture:
    return Picture(
        conversation_id, ConversationKind(wire.kind), _text(wire, "workspace_id"), wire.tier,
        unpack_settings(wire.settings), wire.members_seq,
        {member.user_id: unpack_member(member) for member in wire.members},
    )  # fmt: skip


def pack_signal(signal: Signal) -> common.Signal:
    return common.Signal(
        conversation_id=signal.conversation_id, frame=signal.frame, not_for=signal.not_for,
        revoke_user=signal.revoke_user, revoke_device=signal.revoke_device, to_user=signal.to_user,
    )  # fmt: skip


def unpack_signal(wire: common.Signal) -> Signal:
    return Signal(wire.conversation_id, wire.frame, wire.not_for, wire.revoke_user, wire.revoke_device, wire.to_user)


def pack_tier(tier: Tier) -> pb.TierOfResponse:
    return pb.TierOfResponse(
        user_messages=_pack_rate(tier.user_messages),
        user_calls=_pack_rate(tier.user_calls),
        user_group_creations=_pack_rate(tier.user_group_creations),
        conversation_messages=_pack_rate(tier.conversation_messages),
    )


def unpack_tier(wire: pb.TierOfResponse) -> Tier:
    return Tier(
        _unpack_rate(wire.user_messages),
        _unpack_rate(wire.user_calls),
        _unpack_rate(wire.user_group_creations),
        _unpack_rate(wire.conversation_messages),
    )


def _pack_rate(rate: Rate) -> pb.Rate:
    return pb.Rate(per_minute=rate.per_minute, burst=rate.burst)


def _unpack_rate(wire: pb.Rate) -> Rate:
    return Rate(wire.per_minute, wire.burst)


def _text(wire: Wire, field: str) -> str | None:
    """An optional field that holds a text."""
    return str(getattr(wire, field)) if wire.HasField(field) else None


def _number(wire: Wire, field: str) -> int | None:
    """An optional field that holds a whole number."""
    return int(getattr(wire, field)) if wire.HasField(field) else None
