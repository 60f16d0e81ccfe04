"""Where a text may be cut or marked without splitting what people see as one character."""

import unicodedata
from typing import Final

_JOINER: Final = "\u200d"  # joins emoji: family, profession, flag variants
_LOOK_BACK_MAX: Final = 64  # code points; longer runs of marks or flags are an attack, not a text


def is_grapheme_start(text: str, index: int) -> bool:
    """Whether a visible character begins at `index`: not a mark, not inside an emoji, flag, Hangul block or CR LF."""
    if index <= 0 or index >= len(text):
        return True
    before, after = text[index - 1], text[index]
    if after.isascii():
        return not (before == "\r" and after == "\n")
    if before == _JOINER or _extends(after):
        return False
    if _is_flag_half(before) and _is_flag_half(after):
        return _flag_halves_before(text, index) % 2 == 0
    return not _continues_hangul(before, after)


def grapheme_start(text: str, index: int) -> int:
    """The start of the visible character that `index` is in, if it is near."""
    for start in range(index, max(index - _LOOK_BACK_MAX, -1), -1):
        if is_grapheme_start(text, start):
            return start
    return index


def grapheme_end(text: str, index: int) -> int:
    """The first place at or after `index` that splits nothing, if it is near."""
    for end in range(index, index + _LOOK_BACK_MAX):
        if is_grapheme_start(text, end):
            return end
    return index


def _extends(character: str) -> bool:
    return (
        unicodedata.category(character).startswith("M")  # variation selectors and the keycap are marks too
        or character in (_JOINER, "\u200c", "\uff9e", "\uff9f")  # half-width kana carry their marks as letters
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= character <= "\U000e007f"  # tags: flags of regions
    )


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _flag_halves_before(text: str, index: int) -> int:
    first = index
    while first > max(0, index - _LOOK_BACK_MAX) and _is_flag_half(text[first - 1]):
        first -= 1
    return index - first


def _continues_hangul(before: str, after: str) -> bool:
    """Conjoining letters: a vowel or final letter after anything Hangul belongs to the same block."""
    return "\u1160" <= after <= "\u11ff" and ("\u1100" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7a3")
