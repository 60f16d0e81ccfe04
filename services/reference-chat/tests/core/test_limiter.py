"""Token buckets in memory, against a model. What all rate buckets promise is in `ports/test_rate_limiter.py`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.errors import RateLimited
from nottermost_chat.limiter import RateLimiter
from nottermost_chat.settings import Rate


class Time:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(
    pauses_ms=st.lists(st.integers(0, 3000), max_size=60),
    per_minute=st.integers(1, 600),
    burst=st.integers(1, 5),
)
def test_a_bucket_gives_what_the_model_gives(pauses_ms: list[int], per_minute: int, burst: int) -> None:
    """Never more than `burst` at once and the rate in between; a refusal takes nothing and says when to come back."""
    time, rate = Time(), Rate(per_minute, burst)
    limiter = RateLimiter(time)
    allowed_max = burst + 1e-6
    taken = 0
    for pause_ms in pauses_ms:
        time.now += pause_ms / 1000
        allowed_max = min(burst + taken, allowed_max + pause_ms / 1000 * per_minute / 60) + 1e-6
        try:
            limiter.take("messages", "ann", rate)
        except RateLimited as refused:
            told_ms, missing = refused.retry_after_ms, 1 - (allowed_max - taken)
        else:
            taken += 1
            assert taken <= allowed_max
            continue
        assert missing > -1e-3
        assert abs(told_ms - missing * 60_000 / per_minute) <= 1 + 1e-3 * 60_000 / per_minute


def test_the_number_of_buckets_is_bounded() -> None:
    """However many keys come, memory is bounded, and the newest buckets are remembered."""
    limiter = RateLimiter(Time(), buckets_max=20)
    for number in range(1000):
        limiter.take("messages", str(number), Rate(1, 1))
    with pytest.raises(RateLimited):
        limiter.take("messages", "999", Rate(1, 1))
    limiter.take("messages", "0", Rate(1, 1))
