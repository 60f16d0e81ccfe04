"""Lanes: order within each, turns among them."""

from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.ingest.lanes import LANES_MAX, Lanes

Item = tuple[str, int]  # lane, number


def lane_of(item: Item) -> str:
    return item[0]


def drain(lanes: Lanes[Item], lane: str, count: int) -> list[Item]:
    return [item for _ in range(count) if (item := lanes.pop(lane)) is not None]


@given(steps=st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(1, 3))))
def test_every_item_is_taken_once_and_in_the_order_of_its_lane(steps: list[tuple[str, bool, int]]) -> None:
    """Whatever is added, claimed and released in between."""
    lanes: Lanes[Item] = Lanes(lane_of)
    added: list[Item] = []
    taken: list[Item] = []
    held: list[str] = []
    for number, (lane, works, count) in enumerate(steps):
        added.append((lane, number))
        lanes.add(added[-1])
        if works and (claimed := lanes.claim()) is not None:
            assert claimed not in held
            held.append(claimed)
        elif held:
            taken += drain(lanes, held[0], count)
            lanes.release(held.pop(0))
        assert len(lanes) == len(added) - len(taken)
    for lane in held:
        lanes.release(lane)
    while (claimed := lanes.claim()) is not None:
        taken += drain(lanes, claimed, len(added))
        lanes.release(claimed)
    for lane in "abc":
        assert [item for item in taken if item[0] == lane] == [item for item in added if item[0] == lane]
    assert len(lanes) == 0


def test_lanes_take_turns_and_few_are_busy() -> None:
    """A lane with more goes behind those that wait; above the limit nobody gets one."""
    lanes: Lanes[Item] = Lanes(lane_of)
    names = [f"lane {number}" for number in range(LANES_MAX + 2)]
    for name in names:
        lanes.add((name, 1))
        lanes.add((name, 2))
    busy = [lanes.claim() for _ in range(LANES_MAX)]
    assert busy == names[:LANES_MAX]
    assert lanes.claim() is None
    assert lanes.pop(names[0]) == (names[0], 1)
    lanes.release(names[0])
    assert [lanes.claim(), lanes.claim()] == [names[LANES_MAX], None]
    lanes.release(names[LANES_MAX])
    lanes.release(names[1])
    assert lanes.claim() == names[LANES_MAX + 1]
    assert lanes.claim() == names[0]
