"""Slack's message markup turned into ours.

Slack escapes &, < and > in what people write, and puts everything else between < and >:
`<@U1>`, `<#C1|name>`, `<!here>`, `<https://…|label>`. What is left is Markdown-like already
(*bold*, _italic_, `code`, > quote) and stays as it is, emoji short codes too.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from .node import parse_time_us

_ENTITIES: Final = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}  # Slack knows no others
_ESCAPES: Final = str.maketrans({character: entity for entity, character in _ENTITIES.items()})
_ENTITY = re.compile(r"&(?:lt|gt|amp);")
_IN_CODE = re.compile(rf"<[^<>]+>|{_ENTITY.pattern}")
_PIECE = re.compile(
    r"```.*?```"
    r"|`(?:[^`\n<>]++|<[^<>\n]*+>)++`"  # possessive: a lone back-tick costs one look, not all of them
    rf"|{_IN_CODE.pattern}",
    re.DOTALL,
)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SCHEME = re.compile(r"(?:https?://|mailto:|tel:)")
_TOUCHES_BEFORE = re.compile(r"[\w.@>]\Z")  # ">" ends another mention or link
_TOUCHES_AFTER = re.compile(r"[.-]*+\w")
_EVERYBODY: Final = {"!channel": "channel", "!here": "here", "!everyone": "everyone", "!group": "channel"}


class Names(msgspec.Struct, frozen=True):
    """What ids are shown as: handles by user id, names by channel id, both without their sign.

    A name given here goes before the one in the text, so that one can keep a name from being told.
    """

    users: Mapping[str, str] = {}
    channels: Mapping[str, str] = {}


class Rendered(msgspec.Struct, frozen=True):
    """Text in our format and whom it mentions.

    Attributes:
        user_ids: mentioned users that `Names` knows; others are text only.
        team_handles: mentioned teams, without "@".
        mentions_channel: by @channel, @here or @everyone; the text keeps which, all three mean the same to us.
    """

    text: str
    user_ids: frozenset[str] = frozenset()
    team_handles: frozenset[str] = frozenset()
    mentions_channel: bool = False


def to_text(slack_text: str, names: Names) -> Rendered:
    """Render Slack markup as our text; entities are decoded once. Never raises."""
    renderer = _Renderer(names)
    text = _PIECE.sub(renderer.piece, slack_text)
    return Rendered(text, frozenset(renderer.user_ids), frozenset(renderer.teams), renderer.mentions_channel)


def escape(text: str) -> str:
    """Plain text as Slack markup: the inverse of decoding its entities."""
    return text.translate(_ESCAPES)


class _Renderer:
    """One text on its way; remembers whom it mentions."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self.user_ids: set[str] = set()
        self.teams: set[str] = set()
        self.mentions_channel = False

    def piece(self, match: re.Match[str]) -> str:
        piece = match[0]
        if piece[0] == "`":
            return _IN_CODE.sub(lambda inner: self._entity_or_token(inner[0], in_code=True), piece)
        shown = self._entity_or_token(piece, in_code=False)
        return _set_apart(shown, match) if shown[0] in "@#" or _URL.match(shown) else shown

    def _entity_or_token(self, piece: str, *, in_code: bool) -> str:
        return _ENTITIES.get(piece) or self._token(piece, in_code=in_code)

    def _token(self, token: str, *, in_code: bool) -> str:
        target, _, label = (_decode(part) for part in token[1:-1].partition("|"))
        match target[:1]:
            case "@" if target[1:]:
                return self._user(target[1:], label)
            case "#" if target[1:]:
                return "#" + (self._names.channels.get(target[1:]) or label.removeprefix("#") or target[1:])
            case "!" if target[1:]:
                return self._special(target, label)
            case _ if _URL.match(target):
                return (label or target) if in_code else link(target, label)
            case _:
                return _decode(token)

    def _user(self, user_id: str, label: str) -> str:
        handle = self._names.users.get(user_id)
        if handle:
            self.user_ids.add(user_id)
        return "@" + (handle or label.removeprefix("@") or user_id)

    def _special(self, target: str, label: str) -> str:
        command, _, rest = target.partition("^")
        if command in _EVERYBODY:
            self.mentions_channel = True
            return f"@{_EVERYBODY[command]}"
        if command == "!subteam":
            team = label.removeprefix("@") or rest
            self.teams.add(team)
            return f"@{team}"
        if command == "!date":
            return label or _date(rest)
        return label or target[1:]


def _set_apart(shown: str, match: re.Match[str]) -> str:
    """A mention or a bare link with spaces where words touch it: without its < and > it would run into them."""
    before = " " if _TOUCHES_BEFORE.search(match.string, max(0, match.start() - 1), match.start()) else ""
    after = " " if _TOUCHES_AFTER.match(match.string, match.end()) else ""
    return f"{before}{shown}{after}"


def _decode(text: str) -> str:
    return _ENTITY.sub(lambda entity: _ENTITIES[entity[0]], text)


def link(url: str, label: str) -> str:
    """`[label](url)` in our format, or only one of the two where the other adds nothing."""
    if not label or label == url:
        return url
    if _SCHEME.sub("", url, count=1).rstrip("/") == label.rstrip("/"):
        return url if url.startswith("http") else label
    return f"[{label}]({url.replace('(', '%28').replace(')', '%29')})"


def _date(rest: str) -> str:
    """A date without fallback text: `1392734382^{date}` as a time in UTC."""
    time_us = parse_time_us(rest.partition("^")[0])
    return rest if time_us is None else f"{datetime.fromtimestamp(time_us / 1e6, UTC):%Y-%m-%d %H:%M} UTC"
