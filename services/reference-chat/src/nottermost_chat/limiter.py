"""Token buckets: who may do how much, how often."""

import math
from collections.abc import Callable
from itertools import islice

from nottermost_chat.errors import RateLimited
from nottermost_chat.settings import Rate

BUCKETS_MAX = 200_000  # about 40 MB; above it the oldest tenth goes, and a bucket that is full loses nothing by it


class RateLimiter:
    """Buckets by key, in memory. `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float], *, buckets_max: int = BUCKETS_MAX) -> None:
        self._monotonic = monotonic
        self._buckets_max = buckets_max
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}
        self._exempt: set[str] = set()

    def exempt(self, key: str) -> None:
        """Never limit this key: imports, benchmarks, the canary."""
        self._exempt.add(key)

    def take(self, what: str, key: str, rate: Rate) -> None:
        """Take one token of `what` ("messages", "log-ins") for `key`.

        Raises: RateLimited, with the time until the next token; nothing was taken.
        """
        if key in self._exempt:
            return
        now, bucket = self._monotonic(), (what, key)
        per_s, burst = rate.per_minute / 60, float(rate.burst)
        tokens, at = self._buckets.get(bucket, (burst, now))
        tokens = min(burst, tokens + (now - at) * per_s)
        if tokens < 1:
            self._buckets[bucket] = (tokens, now)
            raise RateLimited(what, math.ceil((1 - tokens) / per_s * 1000))
        self._buckets[bucket] = (tokens - 1, now)
        if len(self._buckets) > self._buckets_max:
            for oldest in list(islice(self._buckets, self._buckets_max // 10)):
                del self._buckets[oldest]
