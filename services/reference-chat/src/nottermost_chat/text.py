"""What a text may be, what of it is shown first, and whom it mentions."""

import re
from typing import Final

import msgspec

from nottermost_chat.errors import InvalidText
from nottermost_chat.graphemes import grapheme_start
from nottermost_chat.model import BODY_CHARS_MAX, PREVIEW_CHARS

EVERYBODY: Final = frozenset({"channel", "here", "everyone", "all"})

_REFUSED = re.compile("[\x00\ud800-\udfff]")
_MENTION = re.compile(r"(?<![\w@.])@([\w](?:[\w.\-]*[\w])?)")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_LINK = re.compile(r"\bhttps?://\S", re.IGNORECASE)


class Mentions(msgspec.Struct, frozen=True):
    """Whom a text names: user or team names in lower case, and whether everybody."""

    names: tuple[str, ...]
    everybody: bool


def check_body(body: str, *, may_be_empty: bool = False) -> str:
    """Returns the body. Raises: InvalidText when it is empty, too long or holds what cannot be stored."""
    if not body.strip() and not may_be_empty:
        raise InvalidText("the message is empty: write at least one visible character")
    if len(body) > BODY_CHARS_MAX:
        raise InvalidText(f"the message has {len(body)} characters, the limit is {BODY_CHARS_MAX}: send it as a file")
    check_characters(body)
    return body


def check_characters(text: str) -> None:
    """Raises: InvalidText when `text` holds U+0000 or a lone surrogate."""
    if _REFUSED.search(text):
        raise InvalidText("the text holds U+0000 or half of a surrogate pair: remove it")


def make_preview(body: str) -> tuple[str, bool]:
    """The first 200 code points, cut where no visible character is split, and whether there is more."""
    if len(body) <= PREVIEW_CHARS:
        return body, False
    return body[: grapheme_start(body, PREVIEW_CHARS)], True


def find_mentions(body: str) -> Mentions:
    """Names after `@`, outside of code."""
    if "@" not in body:
        return Mentions((), False)
    names = {name.lower() for name in _MENTION.findall(_CODE.sub(" ", body))}
    return Mentions(tuple(sorted(names - EVERYBODY)), bool(names & EVERYBODY))


def has_link(body: str) -> bool:
    """Whether the text holds a web address."""
    return _LINK.search(body) is not None
