"""Tags as a bill writes them: a JSON object in a cell, sometimes that object as text once more."""

from functools import lru_cache
from typing import Final

import msgspec

_PREFIXES: Final = ("", "user:", "user_")  # AWS's exports mark tags of users


@lru_cache(maxsize=10_000)  # resources of one kind share theirs
def parse_tags(text: str) -> dict[str, str] | None:
    """Keys as written, values as text. None for what is no JSON object, {} for nothing."""
    if not text:
        return {}
    try:
        found = msgspec.json.decode(text)
        if isinstance(found, str):
            found = msgspec.json.decode(found)
    except msgspec.DecodeError:
        return None
    if not isinstance(found, dict):
        return None
    return {
        key: value if isinstance(value, str) else msgspec.json.encode(value).decode() for key, value in found.items()
    }


def tag_value(text: str, key: str) -> str:
    """The value under a key, however the export prefixed it or surrounded it by blanks; "" without one."""
    tags = {name.strip(): value for name, value in (parse_tags(text) or {}).items()}
    names = (prefix + spelled for prefix in _PREFIXES for spelled in (key, key.replace("-", "_")))
    return next((tags[name] for name in names if name in tags), "")
