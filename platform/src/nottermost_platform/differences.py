"""Two mappings compared down to their single values, also inside of JSON text."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import takewhile, zip_longest
from typing import Any, Final

import msgspec

VALUE_CHARS_MAX: Final = 60  # of a value beside its property; longer ones are cut
MARKERS: Final = {"$secret": "[secret]", "$unknown": "[known later]"}
OTHER_ORDER: Final = "the same in another order"
LISTED_BY: Final = ("name", "Sid", "sid")  # what tells the elements of a list apart, else their place


class PropertyChange(msgspec.Struct, frozen=True, order=True):
    """A property before and after, cut where long; None: it is not there."""

    path: str
    before: str | None
    after: str | None


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> Iterator[PropertyChange]:
    """What differs in two mappings, down to the single values, also inside of JSON text."""
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) == new.get(key):
            continue
        path = prefix + key
        before, after = (Counter(_leaves(each[key], path)) if key in each else Counter() for each in (old, new))
        gone, come = before - after, after - before
        if not gone and not come:
            yield PropertyChange(path, "…", OTHER_ORDER)
        for leaf in sorted({path for path, _ in (*gone, *come)}):
            lost, got = (sorted(text for at, text in each.elements() if at == leaf) for each in (gone, come))
            for was, is_ in zip_longest(lost, got):
                yield PropertyChange(leaf, _cut(was, is_), _cut(is_, was))


def _cut(text: str | None, other: str | None) -> str | None:
    """A text as far as it is shown: of two long ones, the part where they begin to differ."""
    if text is None or len(text) <= VALUE_CHARS_MAX:
        return text
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(text, other or "", strict=False)))
    start = max(0, same - VALUE_CHARS_MAX // 3)
    part = f"…{text[start:]}" if start else text
    return part if len(part) <= VALUE_CHARS_MAX else f"{part[: VALUE_CHARS_MAX - 1]}…"


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """The single values in a value, each with its path."""
    value = parse_text(value)
    if isinstance(value, Mapping) and value:
        marker = next(iter(value))
        if marker == "$asset":
            yield path, f"content {str(value[marker])[:12]}"
        elif marker in MARKERS:
            yield path, MARKERS[marker]
        else:
            for key, each in value.items():
                yield from _leaves(each, f"{path}.{key}")
    elif isinstance(value, list) and value:
        for at, each in enumerate(value):
            label = (
                next((str(each[key]) for key in LISTED_BY if key in each), str(at)) if isinstance(each, Mapping) else ""
            )
            yield from _leaves(each, f"{path}[{label}]")
    else:
        yield path, json.dumps(value, ensure_ascii=False)


def parse_text(value: Any) -> Any:
    """What JSON text says; anything else as it is."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def top_level(path: str) -> str:
    """The input that a path leads into."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]
