"""Time and identifiers, passed in so that tests choose them."""

import time
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Final

from ulid import ULID

DAY_MS: Final = 24 * 3600 * 1000
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


def day_of(ms: int) -> str:
    """The UTC day of a time (ms since the epoch), YYYY-MM-DD; before or after all of these the first or last one."""
    day = _EPOCH_DAY + ms // DAY_MS
    return date.fromordinal(min(max(day, 1), date.max.toordinal())).isoformat()


class Clock:
    """The real clock."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        """`ahead_s`: for tests: how wrong the time of day is; durations are right all the same."""
        self._ahead_ms = round(ahead_s * 1000)

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch; may jump when the machine's clock is set."""
        return time.time_ns() // 1_000_000 + self._ahead_ms

    def now_us(self) -> int:
        """Microseconds since the Unix epoch, for stamps of which differences are taken."""
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        """Seconds, never going back: for durations and leases."""
        return time.monotonic()

    def new_id(self) -> str:
        """A ULID: 26 characters, sorted by time of creation (ADR 0010)."""
        return str(ULID())


class ClockThatIsSet(Clock):
    """For tests: a time of day that jumps while the process runs."""

    def __init__(self, file: Path) -> None:
        """`file`: holds how many seconds the clock is ahead now; while there is none it is right."""
        super().__init__()
        self._file = file

    def now_ms(self) -> int:
        with suppress(FileNotFoundError):
            return super().now_ms() + round(float(self._file.read_text()) * 1000)
        return super().now_ms()
