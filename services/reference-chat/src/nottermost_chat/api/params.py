"""Path and query parameters that several routes take."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from litestar.params import PathParameter, QueryParameter

from nottermost_chat.errors import BadRequest

IDS_MAX: Final = 200
SEQ_MAX: Final = 10**15 - 1  # 15 digits: JSON numbers hold them exactly everywhere

PathId = Annotated[str, PathParameter()]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="how many at most")]
After = Annotated[str, QueryParameter(max_length=100, description="the last one of the page before")]
Text = Annotated[str, QueryParameter(max_length=500, description="what to look for")]
Ids = Annotated[str, QueryParameter(min_length=1, max_length=6_000, description="up to 200 ids, separated by commas")]

# Not int | None and datetime | None: in a query, "null" would be taken for None.
OptionalSeq = Annotated[
    str,
    QueryParameter(
        pattern=r"^[0-9]{0,15}$(?!\n)",
        schema_extra={"type": "integer", "minimum": 0, "maximum": SEQ_MAX, "pattern": None, "default": None},
    ),
]
OptionalTime = Annotated[
    str,
    QueryParameter(
        max_length=40, description="RFC 3339, with an offset", schema_extra={"format": "date-time", "default": None}
    ),
]

_Aware = Annotated[datetime, msgspec.Meta(tz=True)]


def parse_ids(text: str) -> list[str]:
    """`a,b,c` as a list, each once. Raises BadRequest above 200."""
    ids = list(dict.fromkeys(part for part in text.split(",") if part))
    if len(ids) > IDS_MAX:
        raise BadRequest(f"{len(ids)} ids, at most {IDS_MAX} at a time")
    return ids


def parse_seq(text: str) -> int | None:
    """None: not given."""
    return int(text) if text else None


def parse_time(name: str, text: str) -> datetime | None:
    """None: not given. Raises BadRequest for anything but RFC 3339 with an offset."""
    try:
        return msgspec.convert(text, _Aware) if text else None
    except msgspec.ValidationError as error:
        raise BadRequest(f"{name} has to be an RFC 3339 time with an offset, like 2026-01-07T12:34:56Z") from error
