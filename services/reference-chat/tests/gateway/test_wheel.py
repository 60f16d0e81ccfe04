"""One timer for all connections."""

from itertools import zip_longest

from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.gateway.wheel import TimerWheel

SLOTS = 16


@given(wishes=st.dictionaries(st.integers(0, 20), st.integers(1, SLOTS - 1)), ticks=st.integers(0, 40))
def test_items_are_asked_when_they_wished(wishes: dict[int, int], ticks: int) -> None:
    """An item that wishes to be asked every n seconds is asked at n, 2n, 3n and at no other time."""
    asked: dict[int, list[int]] = {item: [] for item in wishes}
    ticked: list[int] = []

    def due(item: int) -> float:
        asked[item].append(len(ticked))
        return wishes[item]

    wheel: TimerWheel[int] = TimerWheel(SLOTS, due)
    for item, after_s in wishes.items():
        wheel.add(item, after_s)
    for tick in range(ticks):
        ticked.append(tick)
        wheel.tick()
    assert asked == {item: list(range(after_s, ticks + 1, after_s)) for item, after_s in wishes.items()}


@given(wishes=st.lists(st.integers(1, SLOTS - 1), min_size=1, max_size=5), pauses=st.lists(st.integers(0, 5)))
def test_the_last_wish_counts(wishes: list[int], pauses: list[int]) -> None:
    """However often and when an item is added, it is asked once, when it wished last."""
    asked: list[int] = []
    now = last = 0

    def due(item: str) -> None:
        asked.append(now)

    wheel: TimerWheel[str] = TimerWheel(SLOTS, due)
    for after_s, pause in zip_longest(wishes, pauses[: len(wishes)], fillvalue=0):
        wheel.add("item", after_s)
        last = now + after_s
        for _ in range(min(pause, after_s - 1)):
            now += 1
            wheel.tick()
    for _ in range(SLOTS * 3):
        now += 1
        wheel.tick()
    assert asked == [last]


def test_an_item_that_is_done_or_discarded_is_asked_no_more() -> None:
    """None ends it; discard ends it before its time; a wish beyond one turn is asked at the turn's end."""
    asked: list[str] = []

    def due(item: str) -> None:
        asked.append(item)

    wheel: TimerWheel[str] = TimerWheel(SLOTS, due)
    for item, after_s in [("soon", 0.0), ("gone", 2), ("far", 1000)]:
        wheel.add(item, after_s)
    wheel.discard("gone")
    for _ in range(SLOTS * 3):
        wheel.tick()
    assert asked == ["soon", "far"]
