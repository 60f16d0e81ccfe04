"""The search language: words, "phrases", word*, -word, and filters such as from:name or after:2024-05-01."""

import re
from collections import defaultdict
from datetime import date
from typing import Final

import msgspec

from nottermost_chat.ports import Term

TERMS_MAX: Final = 32  # each one is a condition on every candidate; people type fewer than ten

_DAY_MS: Final = 86_400_000
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_HAS: Final = ("file", "link", "reaction")
_CURLY_QUOTES: Final = str.maketrans("“”„‟", '""""')  # phones and word processors write them unasked
_TOKEN = re.compile(
    r"""
    (?P<minus>-(?=[^\s-]))?      # --verbose is a word
    (?: (?P<key>from|in|with|before|after|on|has):(?:"(?P<quoted>[^"]*)"?|(?P<value>\S*))
      | "(?P<phrase>[^"]*)"?(?P<star>\*?)
      | (?P<word>\S+)
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)


class ParsedQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query as typed; names are not yet resolved to ids.

    Attributes:
        from_names, in_names, with_names: without @, # or ~ in front; `me` is the API's to resolve.
        created_from, created_before: ms since the epoch.
        problems: the parts that cannot be understood, as typed; the rest is searched without them.
    """

    terms: tuple[Term, ...] = ()
    from_names: tuple[str, ...] = ()
    in_names: tuple[str, ...] = ()
    with_names: tuple[str, ...] = ()
    created_from: int | None = None
    created_before: int | None = None
    has_file: bool = False
    has_link: bool = False
    has_reaction: bool = False
    problems: tuple[str, ...] = ()


def parse_query(text: str, *, utc_offset_minutes: int = 0) -> ParsedQuery:
    """Read a query; never fails.

    Args:
        utc_offset_minutes: how far the searcher's clock is ahead of UTC: days begin at their midnight.
    """
    terms: dict[Term, None] = {}  # in order, each once
    filters: defaultdict[str, list[str]] = defaultdict(list)
    problems: list[str] = []
    for token in _TOKEN.finditer(text.translate(_CURLY_QUOTES)):
        key = (token["key"] or "").lower()
        if not key:
            term = _read_term(token)
            if term in terms or len(terms) < TERMS_MAX:
                terms[term] = None
            else:
                problems.append(token[0])
        elif (value := _read_value(token, key)) is not None:
            filters[key].append(value)
        else:
            problems.append(token[0])
    days = {key: [_day_ms(day, utc_offset_minutes) for day in filters[key]] for key in ("on", "after", "before")}
    return ParsedQuery(
        terms=tuple(terms),
        from_names=tuple(filters["from"]),
        in_names=tuple(filters["in"]),
        with_names=tuple(filters["with"]),
        created_from=max(days["on"] + [day + _DAY_MS for day in days["after"]], default=None),
        created_before=min([day + _DAY_MS for day in days["on"]] + days["before"], default=None),
        has_file="file" in filters["has"],
        has_link="link" in filters["has"],
        has_reaction="reaction" in filters["has"],
        problems=tuple(problems),
    )


def _read_term(token: re.Match[str]) -> Term:
    negated = token["minus"] is not None
    phrase = (token["phrase"] or "").strip()
    if phrase:
        return Term(phrase, whole_words=True, prefix=bool(token["star"]), negated=negated)
    word = token["word"] or token[0].removeprefix("-" if negated else "")  # an empty pair of quotes stands for itself
    if word.endswith("*") and (stem := word.rstrip("*")):
        return Term(stem, prefix=True, negated=negated)
    return Term(word, negated=negated)


def _read_value(token: re.Match[str], key: str) -> str | None:
    """A filter's value; None when it says nothing. A filter cannot be negated."""
    value = (token["quoted"] or token["value"] or "").strip()
    if token["minus"]:
        return None
    if key == "has":
        return value.lower() if value.lower() in _HAS else None
    if key in ("before", "after", "on"):
        return value if _is_day(value) else None
    return (value[1:] if value[:1] in ("@", "#", "~") else value) or None


def _is_day(text: str) -> bool:
    try:
        return _DAY.fullmatch(text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _day_ms(day: str, utc_offset_minutes: int) -> int:
    return (date.fromisoformat(day).toordinal() - _EPOCH_DAY) * _DAY_MS - utc_offset_minutes * 60_000
