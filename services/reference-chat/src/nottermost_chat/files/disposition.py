"""The Content-Disposition header: a file's name, safely."""

import re
import unicodedata
from typing import Final
from urllib.parse import quote

_NAME_CHARS_MAX: Final = 150  # file systems take 255 bytes; three bytes a character leaves the ending readable
_ENDING_CHARS_MAX: Final = 20

_SEPARATORS = re.compile(r"[/\\:]")
_NOT_PLAIN = re.compile(r'[^\x20-\x7e]|["\\/:%]')  # browsers decode percent signs even here
_INVISIBLE: Final = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS: Final = "\u200c\u200d"  # belong to Persian words and to emoji
_ATTR_CHARS: Final = "!#$&+-.^_`|~"  # RFC 8187, besides letters and digits


def content_disposition(name: str, *, inline: bool = False) -> str:
    """The header's value (RFC 6266): an ASCII name for old clients and the real one in UTF-8."""
    safe = safe_file_name(name)
    letters = (letter for letter in unicodedata.normalize("NFKD", safe) if not unicodedata.combining(letter))
    plain = _NOT_PLAIN.sub("_", "".join(letters)).strip(" .") or "file"  # wide dots have become plain ones
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(safe, safe=_ATTR_CHARS)}"


def safe_file_name(name: str) -> str:
    """`name` as one path component that shows as what it is: no folders, controls, or marks that turn text round."""
    name = _SEPARATORS.sub("_", name)
    name = "".join(
        "_" if unicodedata.category(letter) in _INVISIBLE and letter not in _JOINERS else letter for letter in name
    )
    name = name.strip(" .") or "file"
    if len(name) <= _NAME_CHARS_MAX:
        return name
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > _ENDING_CHARS_MAX:
        return name[:_NAME_CHARS_MAX]
    return f"{stem[: _NAME_CHARS_MAX - len(ending) - 1]}.{ending}"
