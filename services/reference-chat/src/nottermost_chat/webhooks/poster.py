"""Sends one delivery and says what came back."""

import asyncio
import ssl
from typing import Final

import httpcore
import msgspec

from nottermost_chat.clock import Clock
from nottermost_chat.trust import trusted
from nottermost_chat.webhooks.addresses import CheckedNetwork
from nottermost_chat.webhooks.payload import sign

TIMEOUT_S: Final = 10.0  # for all of it, the look-up of the name included
ANSWER_BYTES_MAX: Final = 4_096  # nobody reads it; what is longer is not waited for
CONNECTIONS_MAX: Final = 100
KEEP_S: Final = 5.0  # a connection for the next delivery
AGENT: Final = "Nottermost-Webhooks/1"


class Answer(msgspec.Struct, frozen=True):
    """What became of a delivery.

    Attributes:
        status: None: there was no answer.
        reason: a sentence for an admin.
        hopeless: it would be the same every time.
    """

    status: int | None
    reason: str
    hopeless: bool = False

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """The receiver wants no more."""
        return self.status == 410


class Poster:
    """A pool of connections. Follows no redirects and asks no proxy: either could lead to another address."""

    def __init__(self, clock: Clock, *, private: bool, trust: ssl.SSLContext | None = None) -> None:
        """
        Args:
            private: addresses of our own network will do, and http (tests, or an operator who knows why).
            trust: whose certificates are believed; None: the usual authorities.
        """
        self._clock = clock
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust or trusted(),
            network_backend=CheckedNetwork(private=private), max_connections=CONNECTIONS_MAX,
            keepalive_expiry=KEEP_S, retries=0,
        )  # fmt: skip

    async def close(self) -> None:
        await self._pool.aclose()

    async def post(self, url: str, *, event: str, delivery_id: str, secret: str, body: bytes) -> Answer:
        """Raises ForbiddenAddress."""
        timestamp = self._clock.now_ms() // 1000
        headers = {
            "Content-Type": "application/json",
            "User-Agent": AGENT,
            "X-Nottermost-Event": event,
            "X-Nottermost-Delivery": delivery_id,
            "X-Nottermost-Timestamp": str(timestamp),
            "X-Nottermost-Signature": sign(secret, timestamp, body),
        }
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._post(url, list(headers.items()), body)
        except TimeoutError:
            return Answer(None, f"no answer within {TIMEOUT_S:.0f} s")
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
            return Answer(None, f"{type(error).__name__}: {error}"[:200])

    async def _post(self, url: str, headers: list[tuple[str, str]], body: bytes) -> Answer:
        async with self._pool.stream("POST", url, headers=headers, content=body) as answer:
            received = 0
            async for chunk in answer.aiter_stream():
                received += len(chunk)
                if received > ANSWER_BYTES_MAX:
                    break
            return Answer(answer.status, f"the receiver answered {answer.status}")
