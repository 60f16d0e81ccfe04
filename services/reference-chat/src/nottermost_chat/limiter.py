"""Token buckets: who may do how much, how often."""

from collections import OrderedDict
from collections.abc import Callable

from nottermost_chat.errors import RateLimited
from nottermost_chat.settings import Rate

BUCKETS_MAX = 200_000  # about 40 MB; the bucket used longest ago goes first, and a full one loses nothing by it


class RateLimiter:
    """Buckets by key, in memory. `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float], *, buckets_max: int = BUCKETS_MAX) -> None:
        self._monotonic = monotonic
        self._buckets_max = buckets_max
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()
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
        now = self._monotonic()
        per_s = rate.per_minute / 60
        tokens, at = self._buckets.pop((what, key), (float(rate.burst), now))
        tokens = min(float(rate.burst), tokens + (now - at) * per_s)
        allowed = tokens >= 1
        self._buckets[what, key] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > self._buckets_max:
            self._buckets.popitem(last=False)
        if not allowed:
            raise RateLimited(what, max(1, round((1 - tokens) / per_s * 1000)))
