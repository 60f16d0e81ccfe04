"""Frames waiting for one connection, and how they look on the wire."""

from typing import Final

TEXT: Final = 0x81  # FIN and opcode 1


def make_frame(payload: bytes) -> bytes:
    """A server's text frame (RFC 6455 §5.2): unmasked, so it is the same bytes for every reader."""
    size = len(payload)
    if size < 126:
        return bytes((TEXT, size)) + payload
    if size < 65536:
        return bytes((TEXT, 126)) + size.to_bytes(2, "big") + payload
    return bytes((TEXT, 127)) + size.to_bytes(8, "big") + payload


class Outbox:
    """Frames waiting for one connection, bounded in bytes."""

    __slots__ = ("_bytes_max", "_bytes_queued", "_frames")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes_queued = 0
        self._frames: list[bytes] = []

    def offer(self, frame: bytes) -> bool:
        """Queue `frame`. False: the reader is too slow and nothing was queued."""
        if self._bytes_queued + len(frame) > self._bytes_max:
            return False
        self._frames.append(frame)
        self._bytes_queued += len(frame)
        return True

    def take(self) -> bytes:
        """Everything that waits, in one piece for one write."""
        frames = self._frames
        joined = frames[0] if len(frames) == 1 else b"".join(frames)
        frames.clear()
        self._bytes_queued = 0
        return joined

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def bytes_queued(self) -> int:
        return self._bytes_queued
