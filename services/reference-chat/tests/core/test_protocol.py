"""Every frame and the closed table of close codes."""

from datetime import UTC, datetime
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nottermost_chat.model import Role
from nottermost_chat.protocol import (
    CLOSE_RULES,
    AnyClientFrame,
    AnyServerFrame,
    ClientFrame,
    CloseCode,
    MessageNew,
    Presence,
    ServerFrame,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
TIMES = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(3000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - naive is what hypothesis asks for
decode_client = msgspec.json.Decoder(AnyClientFrame).decode
decode_server = msgspec.json.Decoder(AnyServerFrame).decode

for known in (Role, Presence):
    st.register_type_strategy(known, st.sampled_from(list(known)))
st.register_type_strategy(str, TEXT)
st.register_type_strategy(datetime, TIMES)


def structs(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a struct type."""
    fields = msgspec.structs.fields(kind)
    return st.fixed_dictionaries({field.name: values(field.type) for field in fields}).map(lambda given: kind(**given))


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a field's type, structs inside included."""
    arguments = get_args(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return structs(kind)
    if getattr(kind, "__origin__", None) is tuple and arguments[-1] is ...:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if getattr(kind, "__origin__", None) in (tuple, dict):
        return st.from_type(kind)
    if arguments:
        return st.one_of(*(values(one) for one in arguments))
    return st.integers(-(2**63), 2**63 - 1) if kind is int else st.from_type(kind)


@pytest.mark.parametrize("kind", get_args(AnyClientFrame), ids=lambda kind: kind.__struct_config__.tag)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_client_frames_survive_the_wire(kind: type[ClientFrame], data: st.DataObject) -> None:
    """Encoded and decoded, every client frame is itself."""
    frame = data.draw(structs(kind))
    assert decode_client(msgspec.json.encode(frame)) == frame


@pytest.mark.parametrize("kind", get_args(AnyServerFrame), ids=lambda kind: kind.__struct_config__.tag)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_server_frames_survive_the_wire(kind: type[ServerFrame | MessageNew], data: st.DataObject) -> None:
    """Encoded and decoded, every server frame is itself, with its defaults left out on the way."""
    frame = data.draw(structs(kind))
    assert decode_server(msgspec.json.encode(frame)) == frame


@pytest.mark.parametrize("kind", get_args(AnyClientFrame), ids=lambda kind: kind.__struct_config__.tag)
def test_the_server_refuses_fields_it_does_not_know(kind: type[ClientFrame]) -> None:
    """A typo is noticed."""
    with pytest.raises(msgspec.ValidationError):
        decode_client(msgspec.json.encode({"type": kind.__struct_config__.tag, "surprise": 1}))


def test_clients_pass_over_fields_they_do_not_know() -> None:
    """A newer server may say more."""
    assert decode_server(b'{"type":"pong","surprise":{"a":[1]}}')


def test_every_close_code_has_a_rule() -> None:
    """The table is closed, its waits make sense, and who does not come back does not resume."""
    assert set(CLOSE_RULES) == set(CloseCode)
    for rule in CLOSE_RULES.values():
        assert 0 <= rule.wait_s_min <= rule.wait_s_max
        assert rule.reconnect or not rule.resume
        assert rule.meaning
