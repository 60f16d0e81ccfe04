"""C4 pictures of the model: context, containers, components, in C4's own colours."""

from collections.abc import Iterator
from typing import Final

from nottermost_platform.diagrams.architecture import Element, Model, View
from nottermost_platform.diagrams.drawing import (
    PLAIN,
    QUIET,
    SMALL,
    Paint,
    Picture,
    Swatch,
    cell,
    cluster,
    digraph,
    edge,
    font,
    node,
    row,
    table,
    wrapped,
)

CHARS: Final = 23
WHITE: Final = "#ffffff"
DARK: Final = "#0b2545"
PAINTS: Final = {  # with the text's colour; as C4 paints them
    "person": (Paint("#08427b", "#052e56"), WHITE, "person"),
    "system": (Paint("#1168bd", "#0b4884"), WHITE, "system"),
    "external": (Paint("#6b7280", "#4b5563"), WHITE, "system of somebody else"),
    "container": (Paint("#1f6fb8", "#155a99"), WHITE, "container: a process"),
    "store": (Paint("#cfe6fa", "#438dd5"), DARK, "container: a store"),
    "component": (Paint("#b9dcfa", "#5a9bd8"), DARK, "component: a class"),
}
FRAME: Final = Paint("#ffffff", "#64748b")


def draw_views(model: Model) -> list[Picture]:
    """A picture of each view."""
    return [_draw(model, view) for view in model.views]


def _draw(model: Model, view: View) -> Picture:
    shown = [*view.elements, *(each for names in view.boundaries.values() for each in names)]
    kinds = [kind for kind in PAINTS if any(model.elements[each].kind == kind for each in shown)]
    frame = (Swatch(PLAIN, "what belongs together", dashed=True),) if view.boundaries else ()
    return Picture(
        name=view.name,
        title=view.title,
        caption=view.caption,
        legend=(*(Swatch(PAINTS[kind][0], PAINTS[kind][2]) for kind in kinds), *frame),
        source=digraph(_body(model, view), rankdir="LR" if view.across else "TB", nodesep=0.22, ranksep=0.45),
    )


def _body(model: Model, view: View) -> Iterator[str]:
    for name in view.elements:
        yield node(name, _box(model.elements[name]))
    for title, names in view.boundaries.items():
        yield from cluster(title, title, FRAME, [node(each, _box(model.elements[each])) for each in names], dashed=True)
    for each in view.relations:
        yield edge(each.from_, each.to, each.text, chars=16)


def _box(element: Element) -> str:
    """Name, kind and technology, what it is for."""
    paint, ink, kind = PAINTS[element.kind]
    kind = kind.partition(":")[0]
    said = f"[{kind}: {element.technology}]" if element.technology else f"[{kind}]"
    quiet = QUIET if ink == DARK else "#e2e8f0"
    lines = [font(f"\u00a0{element.name}\u00a0", color=ink, bold=True)]
    lines += [font(part, size=SMALL, color=quiet) for part in wrapped(said, CHARS + 4)]
    lines += [font(part, size=SMALL, color=ink) for part in wrapped(element.text, CHARS)]
    return table(
        [row(cell("<BR/>".join(lines)))],
        BORDER=1.2,
        CELLPADDING=5,
        STYLE="ROUNDED",
        BGCOLOR=paint.fill,
        COLOR=paint.border,
    )
