"""Time and identifiers, passed in so that tests choose them."""

import time

from ulid import ULID


class Clock:
    """The real clock."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch; may jump when the machine's clock is set."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds, never going back: for durations and leases."""
        return time.monotonic()

    def new_id(self) -> str:
        """A ULID: 26 characters, sorted by time of creation (ADR 0010)."""
        return str(ULID())
