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
        tokens = self._tokens(what, key, rate)
        if tokens < 1:
            self._put(what, key, tokens)
            raise RateLimited(what, math.ceil((1 - tokens) / rate.per_minute * 60_000))
        self._put(what, key, tokens - 1)

    async def take_now(self, what: str, key: str, rate: Rate) -> None:
        """The same for what must be counted exactly, however many processes there are."""
        self.take(what, key, rate)

    def _tokens(self, what: str, key: str, rate: Rate) -> float:
        now, burst = self._monotonic(), float(rate.burst)
        tokens, at = self._buckets.get((what, key), (burst, now))
        return min(burst, tokens + (now - at) * rate.per_minute / 60)

    def _put(self, what: str, key: str, tokens: float) -> None:
        self._buckets[what, key] = (tokens, self._monotonic())
        if len(self._buckets) > self._buckets_max:
            for oldest in list(islice(self._buckets, self._buckets_max // 10)):
                del self._buckets[oldest]
