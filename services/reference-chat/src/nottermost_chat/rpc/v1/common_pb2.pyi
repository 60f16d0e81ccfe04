from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Position(_message.Message):
    __slots__ = ("epoch", "seq")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    seq: int
    def __init__(self, epoch: _Optional[int] = ..., seq: _Optional[int] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("code", "sentence", "status", "numbers", "texts")
    class NumbersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class TextsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CODE_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    code: str
    sentence: str
    status: int
    numbers: _containers.ScalarMap[str, int]
    texts: _containers.ScalarMap[str, str]
    def __init__(self, code: _Optional[str] = ..., sentence: _Optional[str] = ..., status: _Optional[int] = ..., numbers: _Optional[_Mapping[str, int]] = ..., texts: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Signal(_message.Message):
    __slots__ = ("conversation_id", "frame", "not_for", "revoke_user", "revoke_device", "to_user")
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    NOT_FOR_FIELD_NUMBER: _ClassVar[int]
    REVOKE_USER_FIELD_NUMBER: _ClassVar[int]
    REVOKE_DEVICE_FIELD_NUMBER: _ClassVar[int]
    TO_USER_FIELD_NUMBER: _ClassVar[int]
    conversation_id: str
    frame: bytes
    not_for: str
    revoke_user: str
    revoke_device: str
    to_user: str
    def __init__(self, conversation_id: _Optional[str] = ..., frame: _Optional[bytes] = ..., not_for: _Optional[str] = ..., revoke_user: _Optional[str] = ..., revoke_device: _Optional[str] = ..., to_user: _Optional[str] = ...) -> None: ...

class ConversationSettings(_message.Message):
    __slots__ = ("title", "topic", "purpose", "archived")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    title: str
    topic: str
    purpose: str
    archived: bool
    def __init__(self, title: _Optional[str] = ..., topic: _Optional[str] = ..., purpose: _Optional[str] = ..., archived: _Optional[bool] = ...) -> None: ...
