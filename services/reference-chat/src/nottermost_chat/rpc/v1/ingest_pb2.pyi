from nottermost_chat.rpc.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ConnectRequest(_message.Message):
    __slots__ = ("hello", "appends", "marks", "signals", "beat")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    APPENDS_FIELD_NUMBER: _ClassVar[int]
    MARKS_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    BEAT_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    appends: _containers.RepeatedCompositeFieldContainer[Append]
    marks: _containers.RepeatedCompositeFieldContainer[Mark]
    signals: _containers.RepeatedCompositeFieldContainer[_common_pb2.Signal]
    beat: int
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., appends: _Optional[_Iterable[_Union[Append, _Mapping]]] = ..., marks: _Optional[_Iterable[_Union[Mark, _Mapping]]] = ..., signals: _Optional[_Iterable[_Union[_common_pb2.Signal, _Mapping]]] = ..., beat: _Optional[int] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("caller_id", "wants_signals")
    CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    WANTS_SIGNALS_FIELD_NUMBER: _ClassVar[int]
    caller_id: str
    wants_signals: bool
    def __init__(self, caller_id: _Optional[str] = ..., wants_signals: _Optional[bool] = ...) -> None: ...

class Append(_message.Message):
    __slots__ = ("number", "deadline_ms", "traceparent", "kind", "conversation_id", "actor_id", "op_id", "body", "message_id", "thread_id", "broadcast", "file_ids", "mentions", "mention_channel", "emoji", "on", "restore", "changes", "joins", "settings", "sent_at", "note", "silent", "trusted", "received_us")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_ID_FIELD_NUMBER: _ClassVar[int]
    OP_ID_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    THREAD_ID_FIELD_NUMBER: _ClassVar[int]
    BROADCAST_FIELD_NUMBER: _ClassVar[int]
    FILE_IDS_FIELD_NUMBER: _ClassVar[int]
    MENTIONS_FIELD_NUMBER: _ClassVar[int]
    MENTION_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    EMOJI_FIELD_NUMBER: _ClassVar[int]
    ON_FIELD_NUMBER: _ClassVar[int]
    RESTORE_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    JOINS_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    SENT_AT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    SILENT_FIELD_NUMBER: _ClassVar[int]
    TRUSTED_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_US_FIELD_NUMBER: _ClassVar[int]
    number: int
    deadline_ms: int
    traceparent: str
    kind: str
    conversation_id: str
    actor_id: str
    op_id: str
    body: str
    message_id: str
    thread_id: str
    broadcast: bool
    file_ids: _containers.RepeatedScalarFieldContainer[str]
    mentions: _containers.RepeatedScalarFieldContainer[str]
    mention_channel: bool
    emoji: str
    on: bool
    restore: bool
    changes: _containers.RepeatedCompositeFieldContainer[MemberChange]
    joins: bool
    settings: _common_pb2.ConversationSettings
    sent_at: int
    note: bool
    silent: bool
    trusted: bool
    received_us: int
    def __init__(self, number: _Optional[int] = ..., deadline_ms: _Optional[int] = ..., traceparent: _Optional[str] = ..., kind: _Optional[str] = ..., conversation_id: _Optional[str] = ..., actor_id: _Optional[str] = ..., op_id: _Optional[str] = ..., body: _Optional[str] = ..., message_id: _Optional[str] = ..., thread_id: _Optional[str] = ..., broadcast: _Optional[bool] = ..., file_ids: _Optional[_Iterable[str]] = ..., mentions: _Optional[_Iterable[str]] = ..., mention_channel: _Optional[bool] = ..., emoji: _Optional[str] = ..., on: _Optional[bool] = ..., restore: _Optional[bool] = ..., changes: _Optional[_Iterable[_Union[MemberChange, _Mapping]]] = ..., joins: _Optional[bool] = ..., settings: _Optional[_Union[_common_pb2.ConversationSettings, _Mapping]] = ..., sent_at: _Optional[int] = ..., note: _Optional[bool] = ..., silent: _Optional[bool] = ..., trusted: _Optional[bool] = ..., received_us: _Optional[int] = ...) -> None: ...

class MemberChange(_message.Message):
    __slots__ = ("user_id", "role")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    role: str
    def __init__(self, user_id: _Optional[str] = ..., role: _Optional[str] = ...) -> None: ...

class Mark(_message.Message):
    __slots__ = ("user_id", "conversation_id", "read_seq", "delivered_seq")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    READ_SEQ_FIELD_NUMBER: _ClassVar[int]
    DELIVERED_SEQ_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    conversation_id: str
    read_seq: int
    delivered_seq: int
    def __init__(self, user_id: _Optional[str] = ..., conversation_id: _Optional[str] = ..., read_seq: _Optional[int] = ..., delivered_seq: _Optional[int] = ...) -> None: ...

class ConnectResponse(_message.Message):
    __slots__ = ("outcomes", "signals", "beat", "draining")
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    BEAT_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[Outcome]
    signals: _containers.RepeatedCompositeFieldContainer[_common_pb2.Signal]
    beat: int
    draining: bool
    def __init__(self, outcomes: _Optional[_Iterable[_Union[Outcome, _Mapping]]] = ..., signals: _Optional[_Iterable[_Union[_common_pb2.Signal, _Mapping]]] = ..., beat: _Optional[int] = ..., draining: _Optional[bool] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("number", "appended", "refusal")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    APPENDED_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    number: int
    appended: Appended
    refusal: _common_pb2.Refusal
    def __init__(self, number: _Optional[int] = ..., appended: _Optional[_Union[Appended, _Mapping]] = ..., refusal: _Optional[_Union[_common_pb2.Refusal, _Mapping]] = ...) -> None: ...

class Appended(_message.Message):
    __slots__ = ("record", "id_reused")
    RECORD_FIELD_NUMBER: _ClassVar[int]
    ID_REUSED_FIELD_NUMBER: _ClassVar[int]
    record: bytes
    id_reused: bool
    def __init__(self, record: _Optional[bytes] = ..., id_reused: _Optional[bool] = ...) -> None: ...

class MissedRequest(_message.Message):
    __slots__ = ("user_id", "conversation_id", "after")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    conversation_id: str
    after: _common_pb2.Position
    def __init__(self, user_id: _Optional[str] = ..., conversation_id: _Optional[str] = ..., after: _Optional[_Union[_common_pb2.Position, _Mapping]] = ...) -> None: ...

class MissedResponse(_message.Message):
    __slots__ = ("head", "records", "messages", "reset")
    HEAD_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    head: _common_pb2.Position
    records: _containers.RepeatedScalarFieldContainer[bytes]
    messages: _containers.RepeatedCompositeFieldContainer[Message]
    reset: bool
    def __init__(self, head: _Optional[_Union[_common_pb2.Position, _Mapping]] = ..., records: _Optional[_Iterable[bytes]] = ..., messages: _Optional[_Iterable[_Union[Message, _Mapping]]] = ..., reset: _Optional[bool] = ...) -> None: ...

class Message(_message.Message):
    __slots__ = ("record", "text", "has_more", "version", "changed_seq", "edited_at", "deleted_at", "redacted", "reactions", "reply_count", "last_reply_at")
    RECORD_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    HAS_MORE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CHANGED_SEQ_FIELD_NUMBER: _ClassVar[int]
    EDITED_AT_FIELD_NUMBER: _ClassVar[int]
    DELETED_AT_FIELD_NUMBER: _ClassVar[int]
    REDACTED_FIELD_NUMBER: _ClassVar[int]
    REACTIONS_FIELD_NUMBER: _ClassVar[int]
    REPLY_COUNT_FIELD_NUMBER: _ClassVar[int]
    LAST_REPLY_AT_FIELD_NUMBER: _ClassVar[int]
    record: bytes
    text: str
    has_more: bool
    version: int
    changed_seq: int
    edited_at: int
    deleted_at: int
    redacted: bool
    reactions: _containers.RepeatedCompositeFieldContainer[Reaction]
    reply_count: int
    last_reply_at: int
    def __init__(self, record: _Optional[bytes] = ..., text: _Optional[str] = ..., has_more: _Optional[bool] = ..., version: _Optional[int] = ..., changed_seq: _Optional[int] = ..., edited_at: _Optional[int] = ..., deleted_at: _Optional[int] = ..., redacted: _Optional[bool] = ..., reactions: _Optional[_Iterable[_Union[Reaction, _Mapping]]] = ..., reply_count: _Optional[int] = ..., last_reply_at: _Optional[int] = ...) -> None: ...

class Reaction(_message.Message):
    __slots__ = ("emoji", "user_ids")
    EMOJI_FIELD_NUMBER: _ClassVar[int]
    USER_IDS_FIELD_NUMBER: _ClassVar[int]
    emoji: str
    user_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, emoji: _Optional[str] = ..., user_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Member(_message.Message):
    __slots__ = ("user_id", "role", "joined_seq", "left_seq")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    JOINED_SEQ_FIELD_NUMBER: _ClassVar[int]
    LEFT_SEQ_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    role: str
    joined_seq: int
    left_seq: int
    def __init__(self, user_id: _Optional[str] = ..., role: _Optional[str] = ..., joined_seq: _Optional[int] = ..., left_seq: _Optional[int] = ...) -> None: ...

class AmongRequest(_message.Message):
    __slots__ = ("conversation_id", "user_ids")
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    USER_IDS_FIELD_NUMBER: _ClassVar[int]
    conversation_id: str
    user_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, conversation_id: _Optional[str] = ..., user_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class AmongResponse(_message.Message):
    __slots__ = ("members",)
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    members: _containers.RepeatedCompositeFieldContainer[Member]
    def __init__(self, members: _Optional[_Iterable[_Union[Member, _Mapping]]] = ...) -> None: ...

class OfUserRequest(_message.Message):
    __slots__ = ("user_id", "conversation_ids")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_IDS_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    conversation_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, user_id: _Optional[str] = ..., conversation_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class OfUserResponse(_message.Message):
    __slots__ = ("stays",)
    class StaysEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Member
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Member, _Mapping]] = ...) -> None: ...
    STAYS_FIELD_NUMBER: _ClassVar[int]
    stays: _containers.MessageMap[str, Member]
    def __init__(self, stays: _Optional[_Mapping[str, Member]] = ...) -> None: ...

class PictureAtRequest(_message.Message):
    __slots__ = ("conversation_id", "members_seq")
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_SEQ_FIELD_NUMBER: _ClassVar[int]
    conversation_id: str
    members_seq: int
    def __init__(self, conversation_id: _Optional[str] = ..., members_seq: _Optional[int] = ...) -> None: ...

class PictureAtResponse(_message.Message):
    __slots__ = ("found", "kind", "workspace_id", "tier", "settings", "members_seq", "members", "partial")
    FOUND_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_ID_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_SEQ_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_FIELD_NUMBER: _ClassVar[int]
    found: bool
    kind: str
    workspace_id: str
    tier: str
    settings: _common_pb2.ConversationSettings
    members_seq: int
    members: _containers.RepeatedCompositeFieldContainer[Member]
    partial: bool
    def __init__(self, found: _Optional[bool] = ..., kind: _Optional[str] = ..., workspace_id: _Optional[str] = ..., tier: _Optional[str] = ..., settings: _Optional[_Union[_common_pb2.ConversationSettings, _Mapping]] = ..., members_seq: _Optional[int] = ..., members: _Optional[_Iterable[_Union[Member, _Mapping]]] = ..., partial: _Optional[bool] = ...) -> None: ...

class TierOfRequest(_message.Message):
    __slots__ = ("user_id",)
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    def __init__(self, user_id: _Optional[str] = ...) -> None: ...

class TierOfResponse(_message.Message):
    __slots__ = ("user_messages", "user_calls", "user_group_creations", "conversation_messages")
    USER_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    USER_CALLS_FIELD_NUMBER: _ClassVar[int]
    USER_GROUP_CREATIONS_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    user_messages: Rate
    user_calls: Rate
    user_group_creations: Rate
    conversation_messages: Rate
    def __init__(self, user_messages: _Optional[_Union[Rate, _Mapping]] = ..., user_calls: _Optional[_Union[Rate, _Mapping]] = ..., user_group_creations: _Optional[_Union[Rate, _Mapping]] = ..., conversation_messages: _Optional[_Union[Rate, _Mapping]] = ...) -> None: ...

class Rate(_message.Message):
    __slots__ = ("per_minute", "burst")
    PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    BURST_FIELD_NUMBER: _ClassVar[int]
    per_minute: float
    burst: int
    def __init__(self, per_minute: _Optional[float] = ..., burst: _Optional[int] = ...) -> None: ...

class AcquaintedRequest(_message.Message):
    __slots__ = ("user_id", "user_ids")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    USER_IDS_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    user_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, user_id: _Optional[str] = ..., user_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class AcquaintedResponse(_message.Message):
    __slots__ = ("user_ids",)
    USER_IDS_FIELD_NUMBER: _ClassVar[int]
    user_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, user_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class NoteSeenRequest(_message.Message):
    __slots__ = ("user_id", "device_id")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    device_id: str
    def __init__(self, user_id: _Optional[str] = ..., device_id: _Optional[str] = ...) -> None: ...

class NoteSeenResponse(_message.Message):
    __slots__ = ("presence",)
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    presence: str
    def __init__(self, presence: _Optional[str] = ...) -> None: ...

class LastSeenRequest(_message.Message):
    __slots__ = ("user_ids",)
    USER_IDS_FIELD_NUMBER: _ClassVar[int]
    user_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, user_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class LastSeenResponse(_message.Message):
    __slots__ = ("last_seen_ms",)
    class LastSeenMsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    LAST_SEEN_MS_FIELD_NUMBER: _ClassVar[int]
    last_seen_ms: _containers.ScalarMap[str, int]
    def __init__(self, last_seen_ms: _Optional[_Mapping[str, int]] = ...) -> None: ...

class RevokedSinceRequest(_message.Message):
    __slots__ = ("since_ms",)
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    since_ms: int
    def __init__(self, since_ms: _Optional[int] = ...) -> None: ...

class RevokedSinceResponse(_message.Message):
    __slots__ = ("revoked_ms",)
    class RevokedMsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    REVOKED_MS_FIELD_NUMBER: _ClassVar[int]
    revoked_ms: _containers.ScalarMap[str, int]
    def __init__(self, revoked_ms: _Optional[_Mapping[str, int]] = ...) -> None: ...

class RevokeRequest(_message.Message):
    __slots__ = ("signal",)
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    signal: _common_pb2.Signal
    def __init__(self, signal: _Optional[_Union[_common_pb2.Signal, _Mapping]] = ...) -> None: ...

class RevokeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
