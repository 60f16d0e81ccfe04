"""A normalised text that remembers where each of its characters came from."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

import msgspec

from nottermost_chat.search.normalise import normalise

_KINDS_CACHED_MAX: Final = 65_536


class Normalised(msgspec.Struct, frozen=True):
    """`text` and, for each of its code points, the [start, end) of the original that made it."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Where [start, end) of the normalised text, not empty, was in the original; never half of a character."""
        return self.starts[start], self.ends[end - 1]


def normalise_with_offsets(text: str) -> Normalised:
    """`normalise(text)`, piece by piece: no piece affects how another one is normalised."""
    if text.isascii():
        return Normalised(normalise(text), range(len(text)), range(1, len(text) + 1))
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for match in _PIECE.finditer(text.translate(_KINDS)):
        start, end = match.span()
        piece = normalise(text[start:end])
        pieces.append(piece)
        if match["plain"]:
            starts += range(start, end)
            ends += range(start + 1, end + 1)
        else:
            starts += [start] * len(piece)
            ends += [end] * len(piece)
    return Normalised("".join(pieces), starts, ends)


class _Kinds(dict[int, str]):
    """Code point to how it takes part: "1" becomes one character, "x" none or several, "c" joins what is before."""

    def __missing__(self, code: int) -> str:
        kind = _kind_of(chr(code))
        if len(self) < _KINDS_CACHED_MAX:
            self[code] = kind
        return kind


def _kind_of(character: str) -> str:
    first = unicodedata.normalize("NFKD", character)[0]
    # What composes with a character before it is a mark, or the vowel or final letter of a Hangul block.
    if unicodedata.category(first).startswith("M") or "\u1160" <= first <= "\u11ff":
        return "c"
    return "1" if len(normalise(character)) == 1 else "x"


_KINDS: Final = _Kinds()
_PIECE: Final = re.compile("(?P<plain>1+(?!c))|[1x]c*|c+")
