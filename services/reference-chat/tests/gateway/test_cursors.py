"""The gateway's cursor, where order is made and repeats end."""

from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.gateway.cursors import Cursors, Step


@given(arrivals=st.lists(st.tuples(st.integers(1, 2), st.integers(1, 12)), max_size=60))
def test_every_position_is_let_through_once_and_in_order(arrivals: list[tuple[int, int]]) -> None:
    """Whatever repeats, reorderings and holes come: delivered positions only rise, a hole is told as one."""
    cursors, delivered = Cursors(10), list[tuple[int, int]]()
    for position in arrivals:
        step = cursors.judge("c", position)
        if delivered and position <= delivered[-1]:
            assert step is Step.REPEAT
            continue
        follows = not delivered or position == (delivered[-1][0], delivered[-1][1] + 1)
        assert step is (Step.NEXT if follows else Step.HOLE)
        cursors.advance("c", position)
        delivered.append(position)
    assert delivered == sorted(set(delivered))
    assert cursors.get("c") == (delivered[-1] if delivered else None)


def test_the_cursor_never_goes_back() -> None:
    """A late advance changes nothing; a lower epoch is a repeat however high its seq."""
    cursors = Cursors(10)
    cursors.advance("c", (2, 5))
    cursors.advance("c", (1, 99))
    assert cursors.get("c") == (2, 5)
    assert cursors.judge("c", (1, 100)) is Step.REPEAT
    assert cursors.judge("c", (3, 6)) is Step.HOLE


def test_the_number_of_cursors_is_bounded() -> None:
    """The conversation that was quiet longest is forgotten first, and then begins anywhere."""
    cursors = Cursors(2)
    for key in ("a", "b"):
        cursors.advance(key, (1, 1))
    cursors.advance("a", (1, 2))
    cursors.advance("c", (1, 1))
    assert cursors.get("b") is None
    assert cursors.judge("b", (1, 7)) is Step.NEXT
    assert cursors.get("a") == (1, 2)
