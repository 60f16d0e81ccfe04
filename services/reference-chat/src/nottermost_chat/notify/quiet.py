"""When somebody does not want to be disturbed."""

from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from nottermost_chat.directory import Quiet, QuietWindow


def is_quiet(quiet: Quiet, now_ms: int) -> bool:
    """Whether one of the windows is open, by the user's wall clock: through a change of the clocks they keep their hours."""
    local = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(_zone(quiet.time_zone))
    return any(_holds(window, local.weekday(), local.hour * 60 + local.minute) for window in quiet.windows)


def is_time_zone(name: str) -> bool:
    """Whether the name is one of the IANA's."""
    return name in _names()


def _holds(window: QuietWindow, weekday: int, minute: int) -> bool:
    if window.start_minute < window.end_minute:
        return weekday == window.weekday and window.start_minute <= minute < window.end_minute
    evening = weekday == window.weekday and minute >= window.start_minute
    morning = weekday == (window.weekday + 1) % 7 and minute < window.end_minute
    return evening or morning


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name if is_time_zone(name) else "UTC")  # the machine that took the name may have known more
