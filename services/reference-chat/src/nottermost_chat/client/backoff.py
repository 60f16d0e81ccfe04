"""How long to wait before trying again."""

import random
from collections.abc import Callable

FIRST_S = 1.0
LAST_S = 30.0


class Backoff:
    """1, 2, 4 … 30 seconds, each shortened by up to half at random so that clients do not return together."""

    def __init__(self, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._uniform = uniform
        self._next_s = FIRST_S

    def next_s(self) -> float:
        """Seconds to wait now; the next wait is twice as long."""
        now_s, self._next_s = self._next_s, min(LAST_S, self._next_s * 2)
        return self._uniform(now_s / 2, now_s)

    def reset(self) -> None:
        """It worked: the next wait is short again."""
        self._next_s = FIRST_S
