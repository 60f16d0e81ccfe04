"""What a client makes of the frames it gets."""

import msgspec
import pytest

from nottermost_chat.client.socket import read_frame
from nottermost_chat.protocol import Pong


def test_what_a_newer_server_says_is_passed_over() -> None:
    """Frames of an unknown kind, not broken ones of a known kind."""
    assert read_frame(b'{"type":"pong"}') == Pong()
    assert read_frame(b'{"type":"me:surprised","how":"very"}') is None
    for broken in (b'{"type":"me:read"}', b'{"type":"pong"', b"[]"):
        with pytest.raises(msgspec.DecodeError):
            read_frame(broken)
