"""Sequence pictures of the model, drawn line by line: Graphviz has no layout for them."""

from collections.abc import Iterator
from html import escape
from typing import Final

from nottermost_platform.diagrams.architecture import Element, Model, Sequence, Step
from nottermost_platform.diagrams.c4 import PAINTS
from nottermost_platform.diagrams.drawing import INK, LINE, QUIET, Picture, Swatch, wrapped
from nottermost_platform.diagrams.rendering import MARGIN, WIDTH

HEAD: Final = 46  # pixels: the boxes of the participants
GAP: Final = 20  # above a step
LINE_PX: Final = 14
SMALL: Final = 12
CHAR: Final = 6.1  # the width of a letter of that size, on average
NOTE: Final = "#fef9c3"
NOTE_CHARS: Final = 27
LABEL_CHARS: Final = 21  # at least, however short the arrow is


def draw_sequences(model: Model) -> list[Picture]:
    """A picture of each sequence."""
    return [_draw(model, each) for each in model.sequences]


def _draw(model: Model, sequence: Sequence) -> Picture:
    kinds = [kind for kind in PAINTS if any(model.elements[each].kind == kind for each in sequence.participants)]
    lane = (WIDTH - 2 * MARGIN) / len(sequence.participants)
    at = {name: MARGIN + lane * (place + 0.5) for place, name in enumerate(sequence.participants)}
    steps, height = _lay_out(sequence, at)
    lines = [
        f'<line x1="{x:.1f}" y1="{HEAD}" x2="{x:.1f}" y2="{height}" stroke="#94a3b8" stroke-dasharray="4 4"/>'
        for x in at.values()
    ]
    heads = [part for name, x in at.items() for part in _head(model.elements[name], x, lane - 10)]
    return Picture(
        name=sequence.name,
        title=sequence.title,
        caption=sequence.caption,
        legend=tuple(Swatch(PAINTS[kind][0], PAINTS[kind][2]) for kind in kinds),
        source="\n".join([*lines, *heads, *steps]),
        height=height + 10,
    )


def _lay_out(sequence: Sequence, at: dict[str, float]) -> tuple[list[str], int]:
    """The steps below each other, each as high as its text, and where the last one ends."""
    y = HEAD
    parts: list[str] = []
    for number, step in enumerate(sequence.steps, 1):
        width = NOTE_CHARS if step.at else max(int((abs(at[step.to] - at[step.from_]) - 16) / CHAR), LABEL_CHARS)
        lines = wrapped(f"{number}. {step.text}", width)
        y += GAP + LINE_PX * len(lines)
        parts += _note(lines, at[step.at], y) if step.at else _arrow(step, lines, at, y)
    return parts, y + GAP


def _head(element: Element, x: float, width: float) -> Iterator[str]:
    paint, ink, _ = PAINTS[element.kind]
    yield f'<rect x="{x - width / 2:.1f}" y="0" width="{width:.1f}" height="{HEAD}" rx="6" fill="{paint.fill}" stroke="{paint.border}"/>'
    lines = [element.name, element.technology.partition(",")[0]]
    for place, line in enumerate(filter(None, lines)):
        weight = "bold" if place == 0 else "normal"
        yield _text(x, 20 + 16 * place, line, ink, weight=weight)


def _arrow(step: Step, lines: list[str], at: dict[str, float], y: int) -> Iterator[str]:
    """The line, its head, and above it what it says."""
    start, end = at[step.from_], at[step.to]
    way = 1 if end > start else -1
    dashes = ' stroke-dasharray="6 4"' if step.reply else ""
    yield f'<line x1="{start:.1f}" y1="{y}" x2="{end - 7 * way:.1f}" y2="{y}" stroke="{LINE}" stroke-width="1.5"{dashes}/>'
    yield f'<path d="M{end:.1f} {y} l{-9 * way} -4.5 v9 z" fill="{LINE}"/>'
    for place, line in enumerate(reversed(lines)):  # on a white ground: lifelines do not run through it
        wide, base = len(line) * CHAR, y - 7 - LINE_PX * place
        middle = min(max((start + end) / 2, MARGIN + wide / 2), WIDTH - MARGIN - wide / 2)
        yield f'<rect x="{middle - wide / 2 - 2:.1f}" y="{base - 11}" width="{wide + 4:.1f}" height="14" fill="#ffffff"/>'
        yield _text(middle, base, line, QUIET)


def _note(lines: list[str], x: float, y: int) -> Iterator[str]:
    """A yellow slip on the lifeline, its lower edge at `y`."""
    width = max(len(line) for line in lines) * CHAR + 16
    left = min(max(x - width / 2, MARGIN), WIDTH - MARGIN - width)
    top = y - LINE_PX * len(lines) - 8
    yield f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{y - top}" rx="4" fill="{NOTE}" stroke="#ca8a04"/>'
    for place, line in enumerate(lines):
        yield _text(left + width / 2, top + 15 + LINE_PX * place, line, INK)


def _text(x: float, y: float, text: str, color: str, *, weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{SMALL}" text-anchor="middle" fill="{color}" font-weight="{weight}">{escape(text)}</text>'
