"""The way to push services: HTTP requests with a time limit, and a breaker for each service."""

import ssl
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import httpcore
import msgspec

from nottermost_chat.errors import Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.notify.port import Outcome, Sent
from nottermost_chat.resilience import POLICIES, Guard
from nottermost_chat.trust import trusted
from nottermost_chat.webhooks.addresses import CheckedNetwork, ForbiddenAddress

ORIGINS_MAX: Final = 256  # browsers know a handful of services; who makes them up pushes out the one used longest ago
ANSWER_BYTES_MAX: Final = 16_384  # their problem documents have a few hundred
CONNECTIONS_MAX: Final = 20
KEEP_ALIVE_S: Final = 300.0  # Apple takes connections that come and go for an attack
AFTER_S_MAX: Final = 900.0  # what a job queue can wait for
TOO_MANY: Final = 429


class Answer(msgspec.Struct, frozen=True):
    """What a service answered, its body cut off at ANSWER_BYTES_MAX."""

    status: int
    body: bytes


class _Away(Exception):
    """The service says that it cannot."""

    def __init__(self, status: int, after_s: float) -> None:
        super().__init__(f"status {status}")
        self.status, self.after_s = status, after_s


AWAY: Final = (
    httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.ConnectionNotAvailable, OSError,
    _Away,
)  # fmt: skip


class Line:
    """Requests to one kind of push service, which may be at several places (Web Push: wherever browsers say).

    A place that is away does not keep requests from the others: each has its own breaker. Redirects are
    not followed and no proxy is asked: either could lead elsewhere.
    """

    def __init__(
        self,
        kind: str,
        metrics: Metrics,
        monotonic: Callable[[], float],
        *,
        private: bool,
        trust: ssl.SSLContext | None = None,
        http1: bool = True,
    ) -> None:
        """
        Args:
            private: addresses of our own network will do.
            trust: whose certificates are believed; None: the usual authorities.
        """
        policy = POLICIES["push services"]
        self._policy = msgspec.structs.replace(policy, dependency=f"{policy.dependency}: {kind}")
        self._metrics, self._monotonic = metrics, monotonic
        self._guards: OrderedDict[str, Guard] = OrderedDict()
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust or trusted(),
            network_backend=CheckedNetwork(private=private), http1=http1, http2=True,
            max_connections=CONNECTIONS_MAX, keepalive_expiry=KEEP_ALIVE_S,
        )  # fmt: skip

    async def close(self) -> None:
        await self._pool.aclose()

    async def post(
        self, url: str, *, headers: Mapping[str, str], content: bytes, judge: Callable[[Answer], Sent]
    ) -> Sent:
        """One attempt: the job is what repeats. `judge` is asked unless the service is busy or away."""

        async def act() -> Sent:
            async with self._pool.stream("POST", url, headers=list(headers.items()), content=content) as response:
                if response.status >= 500:
                    raise _Away(response.status, _after_s(response))
                if response.status == TOO_MANY:
                    return Sent(Outcome.LATER, str(TOO_MANY), _after_s(response))
                return judge(Answer(response.status, await _read(response)))

        try:
            return await self._guard(origin_of(url)).call(act, attempts=1)
        except (ValueError, httpcore.UnsupportedProtocol, ForbiddenAddress):
            return Sent(Outcome.REFUSED, "bad address")
        except Unavailable as error:
            cause = error.__cause__
            return Sent(Outcome.LATER, "away", cause.after_s if isinstance(cause, _Away) else 0.0)

    def _guard(self, origin: str) -> Guard:
        guard = self._guards.get(origin)
        if guard is None:
            guard = self._guards[origin] = Guard(self._policy, self._metrics, self._monotonic, *AWAY)
        self._guards.move_to_end(origin)
        if len(self._guards) > ORIGINS_MAX:
            self._guards.popitem(last=False)
        return guard


def origin_of(url: str) -> str:
    """Scheme and authority. Raises ValueError."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


async def _read(response: httpcore.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            break
    return body[:ANSWER_BYTES_MAX]


def _after_s(response: httpcore.Response) -> float:
    """`Retry-After` as seconds or as a date; 0: not said."""
    said = next((value for name, value in response.headers if name.lower() == b"retry-after"), b"").decode(
        "ascii", "replace"
    )
    if said.strip().isdecimal():
        return min(float(said), AFTER_S_MAX)
    try:
        return min(max(0.0, parsedate_to_datetime(said).timestamp() - time.time()), AFTER_S_MAX)
    except ValueError:
        return 0.0
