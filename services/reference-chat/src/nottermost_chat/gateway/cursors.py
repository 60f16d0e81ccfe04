"""The gateway's cursor: the one place where entries are put in order and repeats are dropped."""

from collections import OrderedDict
from enum import Enum, auto

from nottermost_chat.model import Position


class Step(Enum):
    """What to do with an entry."""

    NEXT = auto()
    REPEAT = auto()
    HOLE = auto()  # something before it is missing: fetch that first


class Cursors:
    """Conversation to the last (epoch, seq) delivered here. The conversation used longest ago is forgotten first.

    Forgetting is safe: clients keep a cursor of their own.
    """

    def __init__(self, conversations_max: int) -> None:
        self._max = conversations_max
        self._at: OrderedDict[str, Position] = OrderedDict()

    def judge(self, conversation_id: str, position: Position) -> Step:
        """What comes next is what follows the cursor; a conversation not seen before begins anywhere."""
        at = self._at.get(conversation_id)
        if at is None:
            return Step.NEXT
        if position <= at:
            return Step.REPEAT
        return Step.NEXT if position == (at[0], at[1] + 1) else Step.HOLE

    def get(self, conversation_id: str) -> Position | None:
        return self._at.get(conversation_id)

    def advance(self, conversation_id: str, position: Position) -> None:
        """Everything up to `position` is delivered. Never goes back."""
        at = self._at.get(conversation_id)
        if at is not None and position <= at:
            return
        self._at[conversation_id] = position
        self._at.move_to_end(conversation_id)
        if len(self._at) > self._max:
            self._at.popitem(last=False)
