"""Routes and presence in Redis, the same for every process (ADR 0033).

Under `prefix:`, each with a lifetime of its own, all times in ms by Redis's own clock:

    generation      "<run id of the server> <since when>": routes are complete a while after that
    gateways        sorted set: gateway -> until when everything it knows stands in Redis
    route:<user>    sorted set: gateway -> until when
    seen:<user>     "<status> <until when> <last seen>"
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, cast

import msgspec

from nottermost_chat.adapters.redis_client import Cache, in_scripts
from nottermost_chat.errors import ChatError, Unavailable
from nottermost_chat.ports import SeenUser
from nottermost_chat.protocol import Presence

BEAT_S: Final = 1.0  # shorter than three attempts: who could not register was seen to be cut off
LAST_SEEN_MAX: Final = 100_000  # users, about 15 MB; above it all are asked for again
LAST_SEEN_S: Final = 60.0  # watchers look every two seconds, and the directory is not asked as often

LastSeen = Callable[[Sequence[str]], Awaitable[Mapping[str, int]]]


class Lifetimes(msgspec.Struct, frozen=True, kw_only=True):
    """How long things stand in Redis, in ms."""

    route: int = 60_000  # gateways renew every 30 s, so one renewal may fail
    present: int = 60_000  # ADR 0011
    settle: int = 40_000  # one renewal and a margin: by then every living gateway has renewed
    lease: int = 5_000  # five beats
    lapsed: int = 24 * 3600 * 1000  # a gateway that is cut off this long is told nothing that names users
    seen: int = 24 * 3600 * 1000  # who was not there for a day is looked up in the directory


LIFETIMES: Final = Lifetimes()

CLOCK: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
# A promoted replica or a server that loaded an old snapshot has a generation, but of another server.
GENERATION: Final = """
local server = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or 'unknown'
local function born()
  local by, since = string.match(redis.call('GET', KEYS[1]) or '', '^(%w+) (%d+)$')
  return by == server and tonumber(since)
end
local function live(ms)
  if born() then redis.call('PEXPIRE', KEYS[1], ms)
  else redis.call('SET', KEYS[1], server .. ' ' .. string.format('%.0f', now), 'PX', ms) end
end
"""
REGISTER: Final = f"""{CLOCK}{GENERATION}
live(ARGV[2])
for i = 2, #KEYS do
  if redis.call('ZADD', KEYS[i], now + ARGV[2], ARGV[1]) == 1 then
    redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
  end
  redis.call('PEXPIRE', KEYS[i], ARGV[2])
end
"""
LEAVE: Final = f"""{CLOCK}
for i = 1, #KEYS, 2 do
  redis.call('ZREM', KEYS[i], ARGV[1])
  if redis.call('ZCOUNT', KEYS[i], now, '+inf') == 0 then
    redis.call('SET', KEYS[i + 1], 'offline 0 ' .. ARGV[2 + (i + 1) / 2], 'PX', ARGV[2])
  end
end
"""
TOUCH: Final = f"""{CLOCK}
local till = ' ' .. string.format('%.0f', now + ARGV[1]) .. ' '
for i = 1, #KEYS do
  redis.call('SET', KEYS[i], ARGV[2 * i + 1] .. till .. ARGV[2 * i + 2], 'PX', ARGV[2])
end
"""
LOOK_UP: Final = f"""{CLOCK}{GENERATION}
local since = born()
if not since or now - since < tonumber(ARGV[1]) then return false end
local found = {{redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)}}
for i = 3, #KEYS do found[i - 1] = redis.call('ZRANGEBYSCORE', KEYS[i], '(' .. now, '+inf') end
return found
"""
# The last line writes whoever calls: a former primary, or one that lost its replicas, must refuse.
BEAT: Final = f"""{CLOCK}{GENERATION}
if #ARGV > 3 then live(ARGV[1]) end
for i = 4, #ARGV do redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[i]) end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return born() and redis.call('GET', KEYS[1])
"""
SEEN: Final = f"""{CLOCK}
return {{now, redis.call('MGET', unpack(KEYS))}}
"""


class RedisRoutes:
    """Routes in Redis. `run` must run wherever one of these is used.

    Nothing fails while Redis is away: what is registered is remembered here and written again
    when it is back, look-ups answer None until all others must have done so too, and presence
    is when people were last seen. Changes of one process are written in their order, all that
    wait together.
    """

    def __init__(
        self,
        cache: Cache,
        last_seen: LastSeen,
        monotonic: Callable[[], float],
        *,
        lifetimes: Lifetimes = LIFETIMES,
    ) -> None:
        """`last_seen`: of users whom Redis does not know, in ms since the epoch; those never seen left out."""
        self._cache, self._last_seen, self._monotonic, self._lifetimes = cache, last_seen, monotonic, lifetimes
        script = cache.client.register_script
        self._register, self._leave, self._touch = script(REGISTER), script(LEAVE), script(TOUCH)
        self._look_up, self._beat, self._seen = script(LOOK_UP), script(BEAT), script(SEEN)
        self._own = [self._key("generation"), self._key("gateways")]
        self._here: dict[str, set[str]] = {}  # gateway: its users
        self._changed: dict[tuple[str, str], int] = {}  # gateway and user: when they left, if they did
        self._touched: dict[str, tuple[Presence, int]] = {}
        self._writing = asyncio.Lock()
        self._behind = False  # Redis may lack what is here
        self._generation: str | None = None
        self._unsure_until = 0.0
        self._last_seen_known: dict[str, tuple[float, int | None]] = {}  # until when, and it

    # --- who is connected where ----------------------------------------------------------------

    async def register(self, gateway_id: str, user_ids: Sequence[str]) -> None:
        self._here.setdefault(gateway_id, set()).update(user_ids)
        self._changed |= {(gateway_id, user_id): 0 for user_id in user_ids}
        await self._write()

    async def unregister(self, gateway_id: str, user_ids: Sequence[str], *, now_ms: int) -> None:
        self._here.get(gateway_id, set()).difference_update(user_ids)
        self._changed |= {(gateway_id, user_id): now_ms for user_id in user_ids}
        await self._write()

    async def gateways_of(self, user_ids: Sequence[str]) -> dict[str, frozenset[str]] | None:
        """A gateway whose lease has run out may have anybody: it is in everybody's answer."""
        found: dict[str, frozenset[str]] = {}
        for users in in_scripts(user_ids):
            answer = await self._read_routes(users)
            if answer is None:
                return None
            lapsed, *routes = answer
            found |= {
                user_id: frozenset(at + lapsed) for user_id, at in zip(users, routes, strict=True) if at or lapsed
            }
        return found

    async def _read_routes(self, user_ids: Sequence[str]) -> list[list[str]] | None:
        """The gateways that have lapsed, then those of each user. None: it cannot tell."""
        if self._behind or self._monotonic() < self._unsure_until:
            return None
        keys = [*self._own, *(self._key("route", user_id) for user_id in user_ids)]
        try:
            answer = await self._cache.call(lambda: self._look_up(keys, [self._lifetimes.settle]), attempts=1)
        except Unavailable:
            self._doubt()
            return None
        return cast("list[list[str]] | None", answer)

    # --- who is present ------------------------------------------------------------------------

    async def touch(self, user_id: str, status: Presence, *, now_ms: int) -> None:
        self._touched[user_id] = (status, now_ms)
        await self._write()

    async def presence(self, user_ids: Sequence[str]) -> dict[str, SeenUser]:
        found: dict[str, SeenUser] = {}
        try:
            for users in in_scripts(user_ids):
                found |= await self._read_seen(users)
        except Unavailable:
            self._doubt()
        unknown = [user_id for user_id in user_ids if user_id not in found]
        last_seen = await self._last_seen_of(unknown)
        return found | {user_id: SeenUser(Presence.OFFLINE, last_seen.get(user_id)) for user_id in unknown}

    async def _read_seen(self, user_ids: Sequence[str]) -> dict[str, SeenUser]:
        if self._behind:
            return {}
        keys = [self._key("seen", user_id) for user_id in user_ids]
        now, values = cast("tuple[int, list[str | None]]", await self._cache.call(lambda: self._seen(keys), attempts=1))
        return {user_id: _parse_seen(value, now) for user_id, value in zip(user_ids, values, strict=True) if value}

    async def _last_seen_of(self, user_ids: Sequence[str]) -> dict[str, int | None]:
        now, known = self._monotonic(), self._last_seen_known
        asked = [user_id for user_id in user_ids if known.get(user_id, (0.0, None))[0] <= now]
        if asked:
            try:
                answer = await self._last_seen(asked)
            except ChatError:  # the directory is away too
                return {}
            if len(known) + len(asked) > LAST_SEEN_MAX:
                known.clear()
            known |= {user_id: (now + LAST_SEEN_S, answer.get(user_id)) for user_id in asked}
        return {user_id: known[user_id][1] for user_id in user_ids if user_id in known}

    # --- writing -------------------------------------------------------------------------------

    async def _write(self) -> None:
        """Write what has changed, or nothing while Redis is away: `beat` then writes all that is here.

        Leaving and touching are then forgotten, since both end by themselves.
        """
        async with self._writing:
            if self._behind:
                self._changed, self._touched = {}, {}
            changed, self._changed = self._changed, {}
            touched, self._touched = self._touched, {}
            done = False
            try:
                await self._write_routes(changed, arrived=True)
                await self._write_touched(touched)
                await self._write_routes(changed, arrived=False)
                done = True
            except Unavailable:
                self._doubt()
            finally:
                if not done:  # also when the caller was cancelled: others wait for the same write
                    self._changed, self._touched = changed | self._changed, touched | self._touched

    async def _write_routes(self, changed: Mapping[tuple[str, str], int], *, arrived: bool) -> None:
        by_gateway: dict[str, list[str]] = {}
        for gateway_id, user_id in changed:
            if (user_id in self._here.get(gateway_id, ())) is arrived:
                by_gateway.setdefault(gateway_id, []).append(user_id)
        for gateway_id, user_ids in by_gateway.items():
            for users in in_scripts(user_ids):
                if arrived:
                    await self._write_arrived(gateway_id, users)
                else:
                    await self._write_left(gateway_id, users, [changed[gateway_id, user_id] for user_id in users])

    async def _write_arrived(self, gateway_id: str, user_ids: Sequence[str]) -> None:
        keys = [self._own[0], *(self._key("route", user_id) for user_id in user_ids)]
        await self._cache.call(lambda: self._register(keys, [gateway_id, self._lifetimes.route]))

    async def _write_left(self, gateway_id: str, user_ids: Sequence[str], left_at: Sequence[int]) -> None:
        """Who is at no other gateway is offline at once; in one script, so that two gateways see each other leave."""
        keys = [self._key(kind, user_id) for user_id in user_ids for kind in ("route", "seen")]
        await self._cache.call(lambda: self._leave(keys, [gateway_id, self._lifetimes.seen, *left_at]))

    async def _write_touched(self, touched: Mapping[str, tuple[Presence, int]]) -> None:
        for users in in_scripts(list(touched)):
            keys = [self._key("seen", user_id) for user_id in users]
            values = [value for user_id in users for value in touched[user_id]]
            await self._cache.call(partial(self._touch, keys, [self._lifetimes.present, self._lifetimes.seen, *values]))

    # --- staying in touch with Redis -----------------------------------------------------------

    async def run(self) -> None:
        """Beat every second until cancelled."""
        while True:
            await self.beat()
            await asyncio.sleep(BEAT_S)

    async def beat(self) -> None:
        """Renew the gateways' leases, notice what Redis has lost, and write it again."""
        behind = self._behind
        gateways = [] if behind else list(self._here)
        times = [self._lifetimes.route, self._lifetimes.lease, self._lifetimes.lapsed]
        try:
            found = await self._cache.call(lambda: self._beat(self._own, [*times, *gateways]), attempts=1)
        except Unavailable:
            self._doubt()
            return
        generation = cast("str | None", found)
        if behind or generation != self._generation:
            self._generation, self._behind = generation, False
            self._changed |= {(gateway_id, user_id): 0 for gateway_id, users in self._here.items() for user_id in users}
            await self._write()

    async def close(self) -> None:
        """The gateways of this process are gone for good, not cut off."""
        gateways, self._here = list(self._here), {}
        if gateways:
            try:
                await self._cache.call(lambda: self._cache.client.zrem(self._own[1], *gateways), attempts=1)
            except Unavailable:
                pass  # then they count as cut off for a day, which costs nobody anything

    def _doubt(self) -> None:
        """Redis did not answer: it may lack what is here, and what others have written."""
        self._behind = True
        self._unsure_until = self._monotonic() + self._lifetimes.settle / 1000

    def _key(self, *parts: str) -> str:
        return ":".join((self._cache.prefix, *parts))


def _parse_seen(value: str, now: int) -> SeenUser:
    status, until, last_seen = value.split(" ")
    return SeenUser(Presence(status) if int(until) > now else Presence.OFFLINE, int(last_seen))
