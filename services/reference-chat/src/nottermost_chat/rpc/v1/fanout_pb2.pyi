from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeliverRequest(_message.Message):
    __slots__ = ("gateway_id", "taken", "beat")
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    BEAT_FIELD_NUMBER: _ClassVar[int]
    gateway_id: str
    taken: int
    beat: int
    def __init__(self, gateway_id: _Optional[str] = ..., taken: _Optional[int] = ..., beat: _Optional[int] = ...) -> None: ...

class DeliverResponse(_message.Message):
    __slots__ = ("welcome", "deliveries", "through", "beat")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    THROUGH_FIELD_NUMBER: _ClassVar[int]
    BEAT_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    through: int
    beat: int
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ..., through: _Optional[int] = ..., beat: _Optional[int] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("instance", "resumed", "missed")
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    RESUMED_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    instance: str
    resumed: bool
    missed: bool
    def __init__(self, instance: _Optional[str] = ..., resumed: _Optional[bool] = ..., missed: _Optional[bool] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("record", "unaddressed", "recipients")
    RECORD_FIELD_NUMBER: _ClassVar[int]
    UNADDRESSED_FIELD_NUMBER: _ClassVar[int]
    RECIPIENTS_FIELD_NUMBER: _ClassVar[int]
    record: bytes
    unaddressed: bool
    recipients: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, record: _Optional[bytes] = ..., unaddressed: _Optional[bool] = ..., recipients: _Optional[_Iterable[str]] = ...) -> None: ...
