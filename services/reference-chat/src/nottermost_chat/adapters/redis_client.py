"""How this process reaches Redis: one pool of connections and one guard for all that it keeps there."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, TypeVar

import msgspec
from redis.asyncio import BlockingConnectionPool, Redis, SSLConnection
from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ReadOnlyError, RedisError

from nottermost_chat.errors import StartError
from nottermost_chat.metrics import Metrics
from nottermost_chat.resilience import POLICIES, Guard, Policy
from nottermost_chat.settings import Secrets, Settings

PORT = 6379
CONNECTIONS_MAX = 8  # a look-up takes under a millisecond: more connections would only queue in Redis
KEYS_MAX: Final = 500  # a script: keeps Redis from others for about a millisecond
POLICY = POLICIES["routes"]

T = TypeVar("T")


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who we are to Redis, as Secrets Manager keeps it."""

    username: str | None = None
    password: str | None = None


class Cache:
    """The Redis that all processes share: `client` for building scripts, `call` for using it.

    One address, resolved again for each new connection: after a failover the name leads elsewhere.
    """

    def __init__(
        self, client: "Redis", metrics: Metrics, monotonic: Callable[[], float], *, prefix: str, policy: Policy = POLICY
    ) -> None:
        """`prefix`: of every key, so that several chats can share a server."""
        self.client, self.prefix = client, prefix
        self._guard = Guard(policy, metrics, monotonic, RedisError, OSError)

    async def call(self, act: Callable[[], Awaitable[T]], *, attempts: int | None = None) -> T:
        """What `act` returns. Raises Unavailable."""
        return await self._guard.call(lambda: self._act(act), attempts=attempts)

    async def _act(self, act: Callable[[], Awaitable[T]]) -> T:
        try:
            return await act()
        except ReadOnlyError:  # this was the primary once: ask the name again where it is now
            await self.client.connection_pool.disconnect()
            raise

    async def close(self) -> None:
        await self.client.aclose()
        await self.client.connection_pool.disconnect()


def open_cache(
    settings: Settings, secrets: Secrets, metrics: Metrics, monotonic: Callable[[], float], policy: Policy = POLICY
) -> Cache:
    """Nothing is connected yet, so Redis may be away. Raises StartError when the login cannot be read."""
    host, _, port = settings.cache_host.partition(":")
    login = _parse_login(secrets.cache_login)
    pool = BlockingConnectionPool(
        connection_class=SSLConnection if settings.cache_tls else Connection,
        host=host, port=int(port or PORT), username=login.username, password=login.password, decode_responses=True,
        max_connections=CONNECTIONS_MAX, timeout=policy.timeout_s, socket_connect_timeout=policy.timeout_s,
        socket_timeout=None,  # the guard limits it; with one, redis-py writes under wait_for, which loses cancellation
        retry=Retry(NoBackoff(), 0),  # the guard tries again
    )  # fmt: skip
    return Cache(Redis(connection_pool=pool), metrics, monotonic, prefix=settings.cache_prefix, policy=policy)


def in_scripts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """The items in parts of which one script takes each: KEYS_MAX."""
    for start in range(0, len(items), KEYS_MAX):
        yield items[start : start + KEYS_MAX]


def _parse_login(text: str) -> Login:
    if not text:
        return Login()
    try:
        return msgspec.json.decode(text, type=Login)
    except msgspec.DecodeError:  # its sentence might quote the secret
        raise StartError('cache_login cannot be read: give {"username": "…", "password": "…"}') from None
