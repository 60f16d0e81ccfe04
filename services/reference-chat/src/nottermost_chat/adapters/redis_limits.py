"""Token buckets that all processes share, settled in Redis.

A bucket is one number there: when it will be full again, in µs by Redis's clock. Taking a token
moves it by what a token takes to come back; a bucket that is full needs no key.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final, cast

import msgspec

from nottermost_chat.adapters.redis_client import Cache, in_scripts
from nottermost_chat.errors import RateLimited, Unavailable
from nottermost_chat.limiter import BUCKETS_MAX, RateLimiter
from nottermost_chat.settings import Rate

SETTLE_EVERY_S: Final = 0.5  # how long processes may together give more than the rate; it is paid back

CLOCK: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function full_at(key) return math.max(now, tonumber(redis.call('GET', key) or 0)) end
local function put(key, full)
  local left = math.ceil((full - now) / 1000)
  if left > 0 then redis.call('SET', key, string.format('%.0f', full), 'PX', left) end
end
"""
SETTLE: Final = f"""{CLOCK}
local missing = {{}}
for i = 1, #KEYS do
  local full = full_at(KEYS[i]) + ARGV[i]
  put(KEYS[i], full)
  missing[i] = full - now
end
return missing
"""
TAKE: Final = f"""{CLOCK}
local token, burst, owed = ARGV[1] + 0, ARGV[2] + 0, ARGV[3] + 0
local full = full_at(KEYS[1]) + owed * token
local given = full + token - now <= burst * token and 1 or 0
full = full + given * token
put(KEYS[1], full)
return {{given, full - now}}
"""


class _Taken(msgspec.Struct, gc=False):
    """What one bucket gave here and Redis does not know of yet."""

    rate: Rate
    tokens: int


class SharedLimiter(RateLimiter):
    """Answers at once from buckets in memory, and settles them with everybody else's twice a second in `run`.

    All processes together keep the rate: what they gave too much within one interval is owed and
    comes off the next. While Redis is away each process keeps the rate alone. A call whose answer
    is lost may count twice.
    """

    def __init__(self, cache: Cache, monotonic: Callable[[], float], *, buckets_max: int = BUCKETS_MAX) -> None:
        super().__init__(monotonic, buckets_max=buckets_max)
        self._cache = cache
        self._settle_script = cache.client.register_script(SETTLE)
        self._take_script = cache.client.register_script(TAKE)
        self._taken: dict[tuple[str, str], _Taken] = {}

    def take(self, what: str, key: str, rate: Rate) -> None:
        super().take(what, key, rate)
        if key not in self._exempt:
            self._note(what, key, rate, 1)

    async def take_now(self, what: str, key: str, rate: Rate) -> None:
        """Exact while Redis answers. What is refused here is refused there: no one can make it ask."""
        if key in self._exempt:
            return
        super().take(what, key, rate)
        taken = self._taken.pop((what, key), None)
        owed = 0 if taken is None else taken.tokens
        try:
            given, missing_us = await self._cache.call(lambda: self._take_one(what, key, rate, owed), attempts=1)
        except Unavailable:
            self._note(what, key, rate, owed + 1)
            return
        tokens = rate.burst - missing_us / _token_us(rate)
        if not given:
            self._put(what, key, tokens)
            raise RateLimited(what, math.ceil((1 - tokens) * _token_us(rate) / 1000))
        self._adopt(what, key, rate, tokens)

    async def _take_one(self, what: str, key: str, rate: Rate, owed: int) -> tuple[bool, int]:
        args = [_token_us(rate), rate.burst, owed]
        given, missing_us = cast("list[int]", await self._take_script([self._key(what, key)], args))
        return bool(given), missing_us

    async def run(self) -> None:
        """Settle twice a second until cancelled."""
        while True:
            await asyncio.sleep(SETTLE_EVERY_S)
            await self.settle()

    async def settle(self) -> None:
        """Tell what was taken here since, and take over what is left of it everywhere."""
        taken, self._taken = self._taken, {}
        for part in in_scripts(list(taken.items())):
            try:
                await self._settle(part)
            except Unavailable:  # the rest of them too; they are told when Redis is back
                for (what, key), owed in islice(taken.items(), BUCKETS_MAX - len(self._taken)):
                    self._note(what, key, owed.rate, owed.tokens)
                return
            for bucket, _ in part:
                del taken[bucket]

    async def _settle(self, part: Sequence[tuple[tuple[str, str], _Taken]]) -> None:
        keys = [self._key(what, key) for (what, key), _ in part]
        costs = [taken.tokens * _token_us(taken.rate) for _, taken in part]
        missing = cast("list[int]", await self._cache.call(lambda: self._settle_script(keys, costs), attempts=1))
        for ((what, key), taken), missing_us in zip(part, missing, strict=True):
            self._adopt(what, key, taken.rate, taken.rate.burst - missing_us / _token_us(taken.rate))

    def _adopt(self, what: str, key: str, rate: Rate, tokens: float) -> None:
        """Take over what is left everywhere, less what was given here meanwhile.

        Never more than is known here: after a flush Redis takes every bucket for full.
        """
        since = self._taken.get((what, key))
        left = tokens - (0 if since is None else since.tokens)
        self._put(what, key, min(left, self._tokens(what, key, rate)))

    def _note(self, what: str, key: str, rate: Rate, tokens: int) -> None:
        taken = self._taken.get((what, key))
        if taken is None:
            self._taken[what, key] = _Taken(rate, tokens)
        else:
            taken.tokens += tokens

    def _key(self, what: str, key: str) -> str:
        return f"{self._cache.prefix}:tokens:{what}:{key}"


def _token_us(rate: Rate) -> int:
    """How long one token takes to come back."""
    return max(1, round(60e6 / rate.per_minute))
