"""Times of a bill, which are written in many ways: with zone, without, or as a day alone."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

UNKNOWN_MONTH: Final = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time.

    Attributes:
        month: `2026-11`, in UTC; "" for a text that is no time.
        seconds: since 1970, 0 for a text that is no time.
        zoned: whether the text says its zone; without one it is taken as UTC.
    """

    month: str
    seconds: int
    zoned: bool

    @property
    def is_known(self) -> bool:
        """Whether the text was a time."""
        return self.month != UNKNOWN_MONTH


@lru_cache(maxsize=100_000)  # a year by the hour, starts and ends, in two spellings
def parse_moment(text: str) -> Moment:
    """Never raises: what is no time is a moment that is not known."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return Moment(UNKNOWN_MONTH, 0, zoned=False)
    if not 1990 <= when.year < 2200:  # no bill is from then; the ends of the calendar have no month after them
        return Moment(UNKNOWN_MONTH, 0, zoned=False)
    zoned = when.tzinfo is not None
    when = when.astimezone(UTC) if zoned else when.replace(tzinfo=UTC)
    return Moment(f"{when:%Y-%m}", int(when.timestamp()), zoned)


def month_bounds(month: str) -> tuple[int, int]:
    """Seconds since 1970 of a known month's start and end."""
    year, number = map(int, month.split("-"))
    ends = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return int(datetime(year, number, 1, tzinfo=UTC).timestamp()), int(ends.timestamp())
