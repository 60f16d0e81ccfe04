"""What the chat does when something it depends on is slow or away.

`POLICIES` is the failure policy, one row a dependency; docs/failure-policy.md is made from it.
A call goes through a `Guard`: a time limit, three attempts with jitter (one if it hangs), and a circuit breaker
that refuses at once while the dependency is known to be away.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import Final, TypeVar

import msgspec
import stamina
import structlog

from nottermost_chat.errors import Unavailable
from nottermost_chat.metrics import Metrics

ATTEMPTS: Final = 3
WAIT_S: Final = 0.05  # before the second attempt; then twice as long, each with as much jitter again
WAIT_S_MAX: Final = 1.0
FAILURES_MAX: Final = 5  # within
WINDOW_S: Final = 30.0  # and the dependency counts as away; after
PROBE_AFTER_S: Final = 2.0  # one call may try whether it is back: well within the 10 s of a recovery

T = TypeVar("T")
logger = structlog.get_logger(__name__)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What happens when one dependency fails.

    Attributes:
        timeout_s: how long one attempt may take.
        degrades: what still works, and how.
        user_sees: what people notice.
    """

    dependency: str
    timeout_s: float
    attempts: int = ATTEMPTS
    degrades: str
    user_sees: str


POLICIES: Final = {
    policy.dependency: policy
    for policy in (
        Policy(
            dependency="message store", timeout_s=3.0,
            degrades="nothing is acknowledged that is not stored; sends and history are refused as `unavailable`",
            user_sees="messages wait in the client's queue, marked as not sent yet, and go by themselves later",
        ),
        Policy(
            dependency="directory", timeout_s=3.0,
            degrades="open sockets stay; sends go on in conversations whose members are in memory; log-ins are refused",
            user_sees="an error with `unavailable` on pages that are not loaded yet",
        ),
        Policy(
            dependency="log", timeout_s=1.0, attempts=1,  # librdkafka repeats by itself; ingest notes what it lacks
            degrades="sends are acknowledged and noted; live delivery waits and resumes by itself, nothing is missing",
            user_sees="own messages are acknowledged, those of others arrive when the log is back",
        ),
        Policy(
            dependency="routes", timeout_s=0.5,
            degrades="every gateway is told of every message; rates are limited by each process alone",
            user_sees="presence shows when people were last seen; messages arrive as before",
        ),
        Policy(
            dependency="search", timeout_s=5.0,
            degrades="search is refused as `unavailable`; the index catches up from the log",
            user_sees="the search page says that search is away and to try again",
        ),
        Policy(
            dependency="files", timeout_s=10.0,
            degrades="uploads and downloads are refused as `unavailable`; messages are not touched",
            user_sees="a file does not load or the upload asks to try again",
        ),
        Policy(
            dependency="archive", timeout_s=60.0,  # a part of 64 MiB is read or written whole
            degrades="nothing is trimmed that is not archived; older history is refused as `unavailable`",
            user_sees="scrolling back stops at the oldest message of the store and asks to try again",
        ),
        Policy(
            dependency="ingest", timeout_s=3.0,
            degrades="another ingest takes over at once; with none left sends are refused as `unavailable`",
            user_sees="nothing with one of two; else as without a message store",
        ),
        Policy(
            dependency="fan-out", timeout_s=5.0,
            degrades="another one takes over the partitions from the last position handled; entries may come twice",
            user_sees="a pause of a few seconds in live delivery",
        ),
        Policy(
            dependency="identity provider", timeout_s=5.0,
            degrades="keys are kept: tokens are verified; only one signed with a new key is refused",
            user_sees="nothing, or a log-in that asks to try again",
        ),
        Policy(
            dependency="jobs", timeout_s=5.0,
            degrades="the log's consumers wait with what they would queue and go on from there; nothing is left out",
            user_sees="late notifications and webhooks",
        ),
        Policy(
            dependency="push services", timeout_s=10.0,
            degrades="the job comes back later, then goes to the dead letters",
            user_sees="a late notification",
        ),
    )
}  # fmt: skip


class State(IntEnum):
    """Where a breaker stands; the number is the metric's value."""

    CLOSED = 0
    PROBING = 1
    OPEN = 2


class Breaker:
    """Refuses calls while a dependency is away: five failures within thirty seconds open it."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failures: deque[float] = deque(maxlen=FAILURES_MAX)
        self._opened_at: float | None = None
        self._probing = False

    @property
    def state(self) -> State:
        if self._opened_at is None:
            return State.CLOSED
        return State.PROBING if self._probing else State.OPEN

    def allows(self) -> bool:
        """Whether a call may go now. While it is open one call goes every few seconds, as a probe."""
        if self._opened_at is None:
            return True
        if self._monotonic() - self._opened_at < PROBE_AFTER_S:
            return False
        self._probing, self._opened_at = True, self._monotonic()
        return True

    def succeeded(self) -> None:
        self._failures.clear()
        self._opened_at, self._probing = None, False

    def failed(self) -> None:
        now = self._monotonic()
        self._failures.append(now)
        if self._probing or (len(self._failures) == FAILURES_MAX and now - self._failures[0] <= WINDOW_S):
            self._opened_at, self._probing = now, False


class Guard:
    """Calls one dependency as its policy says."""

    def __init__(
        self, policy: Policy, metrics: Metrics, monotonic: Callable[[], float], *errors: type[Exception]
    ) -> None:
        """`errors`: what the dependency's client raises when it is away; a TimeoutError always counts."""
        self._policy, self._metrics = policy, metrics
        self._errors: tuple[type[Exception], ...] = (*errors, TimeoutError)
        self._breaker = Breaker(monotonic)
        self._show()

    async def call(self, act: Callable[[], Awaitable[T]], *, attempts: int | None = None) -> T:
        """What `act` returns. It may run several times, so a repeat must change nothing.

        Raises: Unavailable when every attempt failed or the breaker is open; what else `act` raises passes.
        """
        if not self._breaker.allows():
            raise Unavailable(f"the {self._policy.dependency} is away: try again in a moment")
        tries = self._policy.attempts if attempts is None else attempts
        try:
            async for attempt in stamina.retry_context(
                on=self._errors,
                attempts=tries,
                timeout=self._policy.timeout_s,  # what hangs is not asked again: people wait for one limit, not for three
                wait_initial=WAIT_S,
                wait_max=WAIT_S_MAX,
                wait_jitter=WAIT_S,
            ):
                with attempt:
                    async with asyncio.timeout(self._policy.timeout_s):
                        result = await act()
                    self._answered()
                    return result
        except self._errors as error:
            self._breaker.failed()
            self._metrics.dependency_failures.labels(self._policy.dependency).inc()
            self._show()
            logger.warning("dependency_failed", dependency=self._policy.dependency, error=repr(error))
            raise Unavailable(f"the {self._policy.dependency} does not answer: try again in a moment") from error
        except Exception:  # a refusal is an answer too
            self._answered()
            raise
        raise AssertionError("the last attempt returns or raises")

    @property
    def state(self) -> State:
        return self._breaker.state

    def _answered(self) -> None:
        if self._breaker.state is not State.CLOSED:
            self._breaker.succeeded()
            self._show()

    def _show(self) -> None:
        self._metrics.breaker_state.labels(self._policy.dependency).set(self._breaker.state)
