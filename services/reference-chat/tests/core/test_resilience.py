"""How calls to a dependency behave when it fails: repeated, then refused at once, then tried again."""

import asyncio

import pytest

from nottermost_chat import resilience
from nottermost_chat.errors import NotFound, Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.resilience import FAILURES_MAX, POLICIES, PROBE_AFTER_S, WINDOW_S, Breaker, Guard, State


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Flaky:
    """Fails the first calls."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.failures, self.error, self.calls = failures, error or ConnectionError("away"), 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return "done"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resilience, "WAIT_S", 0.001)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def make_guard(metrics: Metrics, now: Time) -> Guard:
    return Guard(POLICIES["search"], metrics, now, ConnectionError)


def state_of(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("chat_breaker_state", {"dependency": "search"})


async def test_a_call_is_tried_three_times(metrics: Metrics) -> None:
    """Two failures are not seen by the caller; three are `unavailable`, and other errors pass at once."""
    guard = make_guard(metrics, Time())
    assert await guard.call(Flaky(2)) == "done"
    with pytest.raises(Unavailable, match="search"):
        await guard.call(Flaky(3))
    with pytest.raises(NotFound):
        await guard.call(refused := Flaky(1, NotFound("no such thing")))
    assert refused.calls == 1


async def test_an_attempt_has_a_time_limit(metrics: Metrics) -> None:
    """What hangs is given up, and counts as a failure."""
    policy = resilience.Policy(dependency="search", timeout_s=0.01, degrades="", user_sees="")
    with pytest.raises(Unavailable):
        await Guard(policy, metrics, Time()).call(lambda: asyncio.sleep(60))


async def test_the_breaker_opens_and_probes(metrics: Metrics) -> None:
    """Five failures within thirty seconds: refused without a call; later one call tries, and closes it again."""
    now = Time()
    guard = make_guard(metrics, now)
    for _ in range(FAILURES_MAX):
        with pytest.raises(Unavailable):
            await guard.call(Flaky(99))
    assert (guard.state, state_of(metrics)) == (State.OPEN, 2)
    with pytest.raises(Unavailable):
        await guard.call(untouched := Flaky(0))
    assert untouched.calls == 0
    now.now += PROBE_AFTER_S
    with pytest.raises(Unavailable):
        await guard.call(Flaky(99))
    assert guard.state is State.OPEN
    now.now += PROBE_AFTER_S
    assert await guard.call(Flaky(0)) == "done"
    assert (guard.state, state_of(metrics)) == (State.CLOSED, 0)


async def test_a_refusal_shows_that_the_dependency_is_back(metrics: Metrics) -> None:
    """A probe that is answered with an error of another kind closes the breaker too."""
    now = Time()
    guard = make_guard(metrics, now)
    for _ in range(FAILURES_MAX):
        with pytest.raises(Unavailable):
            await guard.call(Flaky(99))
    now.now += PROBE_AFTER_S
    with pytest.raises(NotFound):
        await guard.call(Flaky(1, NotFound("no such thing")))
    assert (guard.state, state_of(metrics)) == (State.CLOSED, 0)


def test_old_failures_do_not_open_the_breaker() -> None:
    """Failures further apart than the window say nothing about now."""
    now = Time()
    breaker = Breaker(now)
    for _ in range(FAILURES_MAX * 2):
        breaker.failed()
        now.now += WINDOW_S / (FAILURES_MAX - 2)
    assert breaker.state is State.CLOSED


def test_only_one_probe_goes_at_a_time() -> None:
    """While a probe is under way the others are still refused."""
    now = Time()
    breaker = Breaker(now)
    for _ in range(FAILURES_MAX):
        breaker.failed()
    now.now += PROBE_AFTER_S
    assert breaker.allows()
    assert breaker.state is State.PROBING
    assert not breaker.allows()
