"""What waits to be appended, in lanes: what is in one is taken in order, and by one at a time."""

from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

LANES_MAX: Final = 16  # worked on at a time: each holds a batch of up to 1 MB, and a connection to the store

T = TypeVar("T")


class Lanes(Generic[T]):
    """Waiting items by lane. Lanes take turns, so that a busy one holds up no other.

    A store that appends across conversations needs one lane; else each conversation has its own, and a
    slow one delays others only when sixteen are slow.
    """

    def __init__(self, lane_of: Callable[[T], str]) -> None:
        self._lane_of = lane_of
        self._waiting: dict[str, deque[T]] = {}  # of lanes that have something or are worked on
        self._ready: deque[str] = deque()
        self._busy: set[str] = set()
        self._count = 0

    def __len__(self) -> int:
        """How many items wait."""
        return self._count

    def add(self, item: T) -> None:
        lane = self._lane_of(item)
        if lane not in self._waiting:
            self._waiting[lane] = deque()
            self._ready.append(lane)
        self._waiting[lane].append(item)
        self._count += 1

    def claim(self) -> str | None:
        """The lane whose turn it is; nobody else gets it until it is released. None: nothing can be done now."""
        if not self._ready or len(self._busy) >= LANES_MAX:
            return None
        lane = self._ready.popleft()
        self._busy.add(lane)
        return lane

    def pop(self, lane: str) -> T | None:
        """The next item of a claimed lane; None: it is empty."""
        if not self._waiting[lane]:
            return None
        self._count -= 1
        return self._waiting[lane].popleft()

    def release(self, lane: str) -> None:
        """The lane waits for its next turn, if anything has come meanwhile."""
        self._busy.discard(lane)
        if self._waiting[lane]:
            self._ready.append(lane)
        else:
            del self._waiting[lane]
