"""Frames on the wire, and the bound of what waits for one connection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.gateway.outbox import Outbox, make_frame
from nottermost_chat.testing.raw_socket import TEXT, parse_frame


@given(frames=st.lists(st.binary(max_size=64)), bytes_max=st.integers(0, 256))
def test_outbox_stays_within_its_bound(frames: list[bytes], bytes_max: int) -> None:
    """Whatever is offered, the bytes accepted never exceed bytes_max, and what is accepted comes out in order."""
    outbox = Outbox(bytes_max)
    accepted = [frame for frame in frames if outbox.offer(frame)]
    assert outbox.bytes_queued == sum(map(len, accepted)) <= bytes_max
    assert len(outbox) == len(accepted)
    if accepted:
        assert outbox.take() == b"".join(accepted)
    assert (outbox.bytes_queued, len(outbox)) == (0, 0)


@given(rounds=st.lists(st.lists(st.binary(min_size=1, max_size=64), min_size=1, max_size=8), max_size=8))
def test_room_comes_back_when_frames_leave(rounds: list[list[bytes]]) -> None:
    """After a take the whole bound is free again."""
    outbox = Outbox(512)
    for frames in rounds:
        assert all(outbox.offer(frame) for frame in frames)
        assert outbox.take() == b"".join(frames)


@pytest.mark.parametrize("size", [0, 1, 124, 125, 126, 127, 65534, 65535, 65536, 65537, 1_000_000])
def test_frames_are_as_the_rfc_says(size: int) -> None:
    """A decoder written from RFC 6455 reads back the payload, whatever form its length takes."""
    payload = bytes(index % 251 for index in range(size))
    frame, rest = parse_frame(make_frame(payload) + b"next")
    assert (frame.opcode, frame.fin, frame.payload, rest) == (TEXT, True, payload, b"next")
