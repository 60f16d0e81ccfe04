"""One timer for all connections: a task for each would cost more memory than the connection."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


class TimerWheel(Generic[Item]):
    """Calls `due(item)` about when asked, to the second. `due` answers when it wants to be asked next.

    Each item stands in one slot: a later wish replaces the earlier one.
    """

    def __init__(self, slots: int, due: Callable[[Item], float | None]) -> None:
        self._slots: list[set[Item]] = [set() for _ in range(slots)]
        self._slot_of: dict[Item, int] = {}
        self._due, self._at = due, 0

    def add(self, item: Item, after_s: float) -> None:
        """Ask about `item` in `after_s` seconds, at most one turn of the wheel away."""
        self.discard(item)
        steps = min(len(self._slots) - 1, max(1, round(after_s)))
        slot = self._slot_of[item] = (self._at + steps) % len(self._slots)
        self._slots[slot].add(item)

    def discard(self, item: Item) -> None:
        """Forget the item."""
        slot = self._slot_of.pop(item, None)
        if slot is not None:
            self._slots[slot].discard(item)

    def tick(self) -> None:
        """One second has passed."""
        self._at = (self._at + 1) % len(self._slots)
        slot, self._slots[self._at] = self._slots[self._at], set()
        for item in slot:
            del self._slot_of[item]
        for item in slot:
            after_s = self._due(item)
            if after_s is not None:
                self.add(item, after_s)
