"""Range headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.errors import RangeNotSatisfiable
from nottermost_chat.files import ByteRange, parse_range


@pytest.mark.parametrize(
    ("header", "size", "expected"),
    [
        ("bytes=0-4", 10, (0, 5)),
        ("bytes=5-", 10, (5, 10)),
        ("bytes=-3", 10, (7, 10)),
        ("bytes=-30", 10, (0, 10)),
        ("bytes=0-9999999999999999999999999", 10, (0, 10)),
        ("Bytes=9-9", 10, (9, 10)),
        (None, 10, None),
        ("", 10, None),
        ("bytes=4-2", 10, None),
        ("bytes=0-1,5-6", 10, None),
        ("bytes=a-b", 10, None),
        ("bytes=-", 10, None),
        ("bytes=٣-٤", 10, None),
        ("items=0-4", 10, None),
        ("bytes=-5", 0, None),
    ],
)
def test_ranges(header: str | None, size: int, expected: tuple[int, int] | None) -> None:
    """One range is answered; anything else is answered with the whole file."""
    assert parse_range(header, size) == (expected and ByteRange(*expected, size))


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ("bytes=10-", 10),
        ("bytes=10-20", 10),
        ("bytes=-0", 10),
        ("bytes=0-", 0),
        ("bytes=-0", 0),
        ("bytes=" + "9" * 5000 + "-", 10),
    ],
)
def test_beyond_the_end(header: str, size: int) -> None:
    """416, with a stable code."""
    with pytest.raises(RangeNotSatisfiable):
        parse_range(header, size)


@pytest.mark.parametrize(
    ("if_range", "expected"),
    [
        ('"v1"', ByteRange(0, 5, 10)),
        ('"v2"', None),
        ('W/"v1"', None),
        ("Sun, 06 Nov 1994 08:49:37 GMT", None),
        ("", None),
    ],
)
def test_if_range(if_range: str, expected: ByteRange | None) -> None:
    """A part is answered only of the very file that the client has a part of."""
    assert parse_range("bytes=0-4", 10, etag='"v1"', if_range=if_range) == expected
    assert parse_range("bytes=0-4", 10, if_range=if_range) is None


def test_content_range() -> None:
    """The last byte is counted in, unlike everywhere else."""
    assert ByteRange(2, 5, 10).content_range == "bytes 2-4/10"


@given(st.from_regex(r"bytes=[0-9]{0,3}-[0-9]{0,3}", fullmatch=True) | st.text(max_size=12), st.integers(0, 500))
def test_a_range_is_inside_the_file(header: str, size: int) -> None:
    """Never empty, never beyond, for any header."""
    try:
        found = parse_range(header, size)
    except RangeNotSatisfiable:
        return
    assert found is None or 0 <= found.start < found.end <= size
