"""Range requests (RFC 9110 section 14): one range of bytes, or the whole file."""

import re
from typing import Final

import msgspec

from nottermost_chat.errors import RangeNotSatisfiable

_DIGITS_MAX: Final = 18  # more than any file has; Python refuses to convert thousands of digits
_RANGE = re.compile(r"bytes=\s*(?:([0-9]+)-([0-9]*)|-([0-9]+))\s*", re.IGNORECASE)


class ByteRange(msgspec.Struct, frozen=True):
    """Bytes [start, end) of a file of `size` bytes, answered with 206."""

    start: int
    end: int
    size: int

    @property
    def content_range(self) -> str:
        """The value of the Content-Range header."""
        return f"bytes {self.start}-{self.end - 1}/{self.size}"


def parse_range(header: str | None, size: int, *, etag: str = "", if_range: str | None = None) -> ByteRange | None:
    """What part of the file to answer; None: all of it, with 200.

    Several ranges, other units and what cannot be parsed are answered with the whole file, as the
    RFC allows. So is an `If-Range` that is not this strong `etag` (quotes included); a date never is.
    Raises: RangeNotSatisfiable; answer 416 with `Content-Range: bytes */<size>`.
    """
    parsed = _RANGE.fullmatch(header or "")
    if parsed is None or (if_range is not None and (if_range.strip() != etag or not etag.startswith('"'))):
        return None
    first, last, suffix = (None if digits in (None, "") else _number(digits) for digits in parsed.groups())
    if suffix is not None:
        if suffix and not size:
            return None  # the last bytes of nothing: satisfiable, and all of it
        start, end = max(0, size - suffix), size
    else:
        assert first is not None
        if last is not None and last < first:
            return None  # no range at all
        start, end = first, size if last is None else min(last + 1, size)
    if start >= end:
        raise RangeNotSatisfiable(f"the file has {size} bytes, and {header!r} names none of them")
    return ByteRange(start, end, size)


def _number(digits: str) -> int:
    return int(digits) if len(digits) <= _DIGITS_MAX else 10**_DIGITS_MAX
