"""Answers for people and programs."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, TypeAlias

import msgspec

from nottermost_cost.breakeven.curves import Answers, BreakEven
from nottermost_cost.encoding import encode_json
from nottermost_cost.plain import lay_out
from nottermost_cost.report.cells import Kind
from nottermost_cost.report.tables import Column, Table

SCHEMA: Final = "nottermost.break-even/1"
_ROWS: Final = 7  # of a curve, on a terminal
HERE: Final = "you are here"
_WHOLE: Final = 100  # from here on an x is shown without what comes after its point
_Row: TypeAlias = tuple[Decimal, list[Decimal | None], str]  # x, costs, note


def render_text(answers: Answers) -> str:
    """For each question its answer, a short table with the crossings in it, and what it rests on."""
    parts = [_render(each) for each in answers.answered]
    parts += [f"{name}: no answer; {reason}\n" for name, reason in answers.unanswered.items()]
    return "\n".join(parts)


def render_json(answers: Answers) -> bytes:
    """One object with every point, as numbers with every digit."""
    document = _Document(answers.answered, answers.unanswered)
    return encode_json(document)


class _Document(msgspec.Struct, frozen=True):
    questions: tuple[BreakEven, ...]
    unanswered: Mapping[str, str]
    schema: str = SCHEMA


def list_points(found: BreakEven) -> Table:
    """Some points of the curves, where the scenario is, and where curves cross."""
    points = [curve.points for curve in found.curves]
    step = max(1, (len(points[0]) - 1) // (_ROWS - 1))
    here = found.here[0].x
    drawn = [row for row in list(zip(*points, strict=True))[::step] if row[0].x != here]
    rows: list[_Row] = [(row[0].x, [point.cost for point in row], "") for row in drawn]
    rows.append((here, [point.cost for point in found.here], HERE))
    for each in found.crossings:
        costs = [each.cost if curve.option in (each.below, each.above) else None for curve in found.curves]
        rows.append((each.x, costs, f"{each.below} → {each.above}"))
    unit = f" ({found.x_unit})" if found.x_unit not in found.x_name else ""  # "" is in every name
    return Table(
        "USD a month",
        (
            Column(f"{found.x_name}{unit}", Kind.COUNT if found.x_unit else Kind.SHARE),
            *(Column(f"{curve.option}{_mark(curve.confidence)}", Kind.WHOLE) for curve in found.curves),
            Column(""),
        ),
        tuple((_round(x), *costs, note) for x, costs, note in sorted(rows, key=lambda row: row[0])),
    )


def _round(x: Decimal) -> Decimal:
    return x.to_integral_value() if x >= _WHOLE else x


def _mark(confidence: str) -> str:
    return " *" if confidence == "assumed" else ""


def _render(found: BreakEven) -> str:
    lines = [f"{found.question}\n{found.answer}\n\n", lay_out(list_points(found))]
    if found.assumed_prices:
        count = len(found.assumed_prices)
        shown = ", ".join(found.assumed_prices) if count <= _ROWS else f"{count} of them"
        lines.append(f"* with assumed prices: {shown}\n")
    lines += [f"- {each.text} ({each.source})\n" for each in found.assumptions]
    return "".join(lines)
