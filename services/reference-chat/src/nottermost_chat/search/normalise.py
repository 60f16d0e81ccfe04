"""How texts and queries are made comparable: the one definition that every search adapter follows.

A text is kept in two forms, and every kind of term is a plain substring of one of them:

- the normalised text (`normalise`): what an unquoted word is looked for in;
- its word form (`word_form`): the words with single spaces around them, so that `" one two "` is a
  phrase of whole words and `" on"` is where a word begins.
"""

import re
import unicodedata
from typing import Final

import msgspec

from nottermost_chat.ports import Term

# Ends each field of a document (body, file names). In no needle: `normalise` replaces it.
FIELD_END: Final = "\x1e"

_KINDS_CACHED_MAX: Final = 65_536  # code points; a message could name a million, and each entry costs 100 bytes

# U+0000 would end a string inside SQLite, which also takes U+FFFE and U+FFFF for U+FFFD, and half a
# surrogate pair is no character. Documents and queries lose them alike, so counts stay the same.
_UNSTORABLE = re.compile("[\x00\x1e\ud800-\udfff\ufffe\uffff]")

# Scripts that are written without spaces between words (after NFKC, so without compatibility forms).
_WITHOUT_SPACES: Final = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19DF),  # Tai Le, New Tai Lue
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x3005, 0x3007),  # ideographic iteration mark, closing mark, zero
    (0x3021, 0x312F),  # Hangzhou numerals, Hiragana, Katakana, Bopomofo
    (0x31A0, 0x31FF),  # Bopomofo and Katakana extensions
    (0x3400, 0x4DBF),  # CJK extension A
    (0x4E00, 0x9FFF),  # CJK
    (0xA9E0, 0xA9FF),  # Myanmar extension B
    (0xAA60, 0xAADF),  # Myanmar extension A, Tai Viet
    (0xF900, 0xFAFF),  # CJK compatibility ideographs
    (0x1B000, 0x1B16F),  # Kana supplements
    (0x20000, 0x3FFFF),  # CJK extensions B and later
)


class Needles(msgspec.Struct, frozen=True):
    """A term as substrings that must all be there.

    Attributes:
        chunks: each is in the normalised text.
        words: is in the word form; "": no condition.
    """

    chunks: tuple[str, ...]
    words: str = ""


def normalise(text: str) -> str:
    """`text` without differences of case, width and presentation (NFKC, full case folding).

    Marks stay: `resume` does not find `résumé`, and a Thai vowel or tone is never lost.
    """
    text = _UNSTORABLE.sub("\ufffd", text)
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded)  # folding leaves some pairs that compose


def word_spans(normalised: str) -> list[tuple[int, int]]:
    """Where the words are. A letter of a script without spaces is a word of its own, with its marks."""
    return [match.span() for match in _WORD.finditer(normalised.translate(_KINDS))]


def word_form(normalised: str) -> str:
    """The words with a space before, between and after them."""
    return f" {' '.join(normalised[start:end] for start, end in word_spans(normalised))} "


def find_needles(term: Term) -> Needles:
    """What to look for. A phrase keeps its punctuation: `"c++"` is the word c where c++ is written."""
    text = normalise(term.text)
    if not (term.whole_words or term.prefix):
        return Needles((text,))
    chunks = tuple(text.split())
    spans = word_spans(text := " ".join(chunks))
    if not spans:
        return Needles(chunks)
    words = " ".join(text[start:end] for start, end in spans)
    is_open = term.prefix and spans[-1][1] == len(text)
    return Needles(chunks, f" {words}" if is_open else f" {words} ")


class _Kinds(dict[int, str]):
    """Code point to its kind, worked out when first met: n, w, m or a space, as `_WORD` reads them."""

    def __missing__(self, code: int) -> str:
        kind = _kind_of(code)
        if len(self) < _KINDS_CACHED_MAX:
            self[code] = kind
        return kind


def _kind_of(code: int) -> str:
    character = chr(code)
    if unicodedata.category(character).startswith("M"):
        return "m"
    if not (character.isalnum() or character == "_"):
        return " "
    return "n" if any(first <= code <= last for first, last in _WITHOUT_SPACES) else "w"


_KINDS: Final = _Kinds()
_WORD: Final = re.compile("nm*|w[wm]*")  # a mark without a letter before it (an emoji's variation selector) is no word
