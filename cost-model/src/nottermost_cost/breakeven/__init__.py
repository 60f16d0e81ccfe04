"""Break-even questions of finance: curves of the options, where they cross, where the scenario is, and the answer."""

from collections.abc import Callable, Sequence
from typing import Final

from nottermost_cost.breakeven.cache import ask_cache
from nottermost_cost.breakeven.compute import ask_compute
from nottermost_cost.breakeven.curves import Answers, Assumption, BreakEven, Crossing, Curve, NoAnswer, Point
from nottermost_cost.breakeven.dynamodb import ask_dynamodb
from nottermost_cost.breakeven.page import render_page
from nottermost_cost.breakeven.regions import ask_regions
from nottermost_cost.breakeven.render import list_points, render_json, render_text
from nottermost_cost.breakeven.setting import Setting, load_setting
from nottermost_cost.breakeven.sockets import ask_sockets
from nottermost_cost.engine import Choice
from nottermost_cost.errors import CostError

QUESTIONS: Final[dict[str, Callable[[Setting], BreakEven]]] = {
    "dynamodb": ask_dynamodb,
    "compute": ask_compute,
    "sockets": ask_sockets,
    "cache": ask_cache,
    "regions": ask_regions,
}


class UnknownQuestion(CostError):
    """A question that nobody has written down."""

    code = "unknown_question"


def answer_questions(choice: Choice, names: Sequence[str] = ()) -> Answers:
    """Answer the questions named, or all that have an answer, for an environment by itself with the scenario.

    Raises: UnknownQuestion; NoAnswer for a question that is named and has none; CostError of an input that is wrong.
    """
    unknown = [name for name in names if name not in QUESTIONS]
    if unknown:
        raise UnknownQuestion(f"there is no question {', '.join(unknown)}: ask one of {', '.join(QUESTIONS)}")
    setting = load_setting(choice)
    answered, unanswered = [], {}
    for name in names or QUESTIONS:
        try:
            answered.append(QUESTIONS[name](setting))
        except NoAnswer as error:
            if names:
                raise
            unanswered[name] = str(error)
    return Answers(tuple(answered), unanswered)


__all__ = [
    "QUESTIONS",
    "Answers",
    "Assumption",
    "BreakEven",
    "Crossing",
    "Curve",
    "NoAnswer",
    "Point",
    "UnknownQuestion",
    "answer_questions",
    "list_points",
    "render_json",
    "render_page",
    "render_text",
]
