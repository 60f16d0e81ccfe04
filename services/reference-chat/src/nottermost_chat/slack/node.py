"""JSON of unknown quality, read forgivingly.

An export is written by many versions of many programs. A field that is missing and one of
the wrong type are the same here: both read as empty, so that nobody else has to ask.
"""

import json
import re
from collections.abc import Collection, Mapping

import msgspec

TIME_US_MAX = 253_402_300_799 * 1_000_000  # the last second of the year 9999: datetime ends there
NUMBER_MAX = 2**40  # of bytes or of anything an export counts; sums of millions of them still fit into 64 bits
SPARE_FRAMES = 100  # how much further down the stack than its parsing a document may be walked
_TIME = re.compile(r"\s*([0-9]{1,12})(?:\.([0-9]*))?\s*", re.ASCII)
_SUSPECT = re.compile(r"\\u(?:0000|[dD][89a-fA-F])|\0")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair: one character
    r"|(u0000|u[dD][89a-fA-F][0-9a-fA-F]{2})"  # U+0000, half a pair
    r"|.)|(\0)",
    re.DOTALL,
)


class UnreadableJson(Exception):
    """The bytes hold no JSON; `reason` is a stable word for the report."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Decoded(msgspec.Struct, frozen=True):
    """A parsed document; `replaced` counts the characters that no store takes and that became U+FFFD."""

    value: object
    replaced: int


def decode_json(data: bytes) -> Decoded:
    """Parse UTF-8 JSON, with or without a byte order mark.

    U+0000 and lone surrogates become U+FFFD before anything else sees them. Control characters
    inside strings are let through: they are an exporter's slip and harm nobody.

    Raises: UnreadableJson with `invalid_utf8`, `invalid_json` or `too_deep`.
    """
    try:
        text, replaced = _replace_unstorable(data.decode("utf-8-sig"))
        return Decoded(_parse(text, SPARE_FRAMES), replaced)
    except UnicodeDecodeError as error:
        raise UnreadableJson("invalid_utf8") from error
    except ValueError as error:  # also a number with thousands of digits
        raise UnreadableJson("invalid_json") from error
    except RecursionError as error:
        raise UnreadableJson("too_deep") from error


def _parse(text: str, frames: int) -> object:
    """Parse with that many frames on the stack in vain: what comes out here can be walked later without a RecursionError."""
    return _parse(text, frames - 1) if frames else json.loads(text, strict=False)


def _replace_unstorable(text: str) -> tuple[str, int]:
    if not _SUSPECT.search(text):
        return text, 0
    replaced = sum(1 for escape in _ESCAPE.finditer(text) if escape[1] or escape[2])
    return _ESCAPE.sub(lambda escape: "\ufffd" if escape[1] or escape[2] else escape[0], text), replaced


class Node:
    """One JSON object; anything else reads as an object without fields."""

    __slots__ = ("_fields",)

    def __init__(self, value: object) -> None:
        self._fields: Mapping[str, object] = value if isinstance(value, dict) else {}

    def __bool__(self) -> bool:
        return bool(self._fields)

    def has_list(self, name: str) -> bool:
        """Whether the field is there and a list, be it an empty one."""
        return isinstance(self._fields.get(name), list)

    def flag(self, name: str) -> bool:
        """Whether it is true, in any of the ways in which exporters write that."""
        value = self._fields.get(name)
        return value is True or value == 1 or (isinstance(value, str) and value.lower() in ("true", "1"))

    def text(self, name: str) -> str:
        """A string, or a number as one; "" otherwise."""
        value = self._fields.get(name)
        return value if isinstance(value, str) else "" if value is None else _as_text(value)

    def texts(self, name: str) -> list[str]:
        """The non-empty strings of a list."""
        return [text for item in self._items(name) if (text := _as_text(item))]

    def number(self, name: str) -> int:
        """A whole number from 0 to NUMBER_MAX; 0 otherwise."""
        value = self._fields.get(name)
        return value if isinstance(value, int) and 0 < value <= NUMBER_MAX and not isinstance(value, bool) else 0

    def node(self, name: str) -> "Node":
        return Node(self._fields.get(name))

    def nodes(self, name: str) -> "list[Node]":
        """The objects of a list."""
        return [Node(item) for item in self._items(name) if isinstance(item, dict)]

    def rows(self, name: str) -> "list[list[Node]]":
        """The objects of a list of lists."""
        return [[Node(cell) for cell in row] for row in self._items(name) if isinstance(row, list)]

    def time_us(self, name: str) -> int | None:
        """A Slack time stamp (seconds, as text or number) in microseconds since the epoch; None: unreadable."""
        return parse_time_us(self._fields.get(name))

    def pick(self, names: Collection[str]) -> "Node":
        """Only these fields."""
        return Node({name: value for name, value in self._fields.items() if name in names})

    def updated(self, other: "Node") -> "Node":
        """These fields, with those of `other` on top."""
        return Node({**self._fields, **other._fields})

    def canonical(self) -> str:
        """The same text for the same content, whatever the order of the fields."""
        return json.dumps(self._fields, sort_keys=True, ensure_ascii=False)

    def _items(self, name: str) -> list[object]:
        value = self._fields.get(name)
        return value if isinstance(value, list) else []


def parse_time_us(value: object) -> int | None:
    """Microseconds since the epoch of a Slack time stamp in any of its spellings; None: it is none."""
    if isinstance(value, float):
        time_us = round(value * 1_000_000) if abs(value) <= TIME_US_MAX else 0  # also no infinity and no NaN
    elif match := _TIME.fullmatch(_as_text(value)):
        time_us = int(match[1]) * 1_000_000 + int((match[2] or "")[:6].ljust(6, "0"))
    else:
        return None
    return time_us if 0 < time_us <= TIME_US_MAX else None


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else ""
