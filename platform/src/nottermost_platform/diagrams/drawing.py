"""What all pictures are made of: a palette, boxes, edges, and DOT text."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

FONT: Final = "Arial"  # Liberation Sans and Helvetica have its widths: a layout fits wherever it is read
SIZE: Final = 10  # points, whole ones: Graphviz cuts them; 13 pixels on a page
SMALL: Final = 9
INK: Final = "#1f2937"
QUIET: Final = "#475569"
LINE: Final = "#64748b"


@dataclass(frozen=True, slots=True)
class Paint:
    """A fill and the border that goes with it, both legible under dark text."""

    fill: str
    border: str


PUBLIC: Final = Paint("#dcfce7", "#16a34a")
PRIVATE: Final = Paint("#dbeafe", "#2563eb")
ISOLATED: Final = Paint("#ede9fe", "#7c3aed")
COMPUTE: Final = Paint("#ffedd5", "#ea580c")
STORE: Final = Paint("#e0e7ff", "#4338ca")
TRAFFIC: Final = Paint("#f3e8ff", "#9333ea")
SAFETY: Final = Paint("#fee2e2", "#dc2626")
WATCH: Final = Paint("#fce7f3", "#db2777")
PLAIN: Final = Paint("#ffffff", "#64748b")
OUTSIDE: Final = Paint("#f1f5f9", "#64748b")


@dataclass(frozen=True, slots=True)
class Swatch:
    """A line of the legend. `dashed`: the border is."""

    paint: Paint
    text: str
    dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture before it is laid out.

    Attributes:
        name: of its file, without `.svg`.
        caption: one sentence that says what it shows; its alternative text, too.
        source: DOT text; with a `height` the body of an SVG that is as wide as a page.
    """

    name: str
    title: str
    caption: str
    legend: tuple[Swatch, ...]
    source: str
    height: int = 0


def wrapped(text: str, chars: int) -> list[str]:
    """Lines of at most so many characters, unless a word is longer."""
    return textwrap.wrap(text, chars, break_long_words=False, break_on_hyphens=False)


def font(text: str, *, size: int = SIZE, color: str = INK, bold: bool = False) -> str:
    """Text of an HTML-like label; Graphviz wants something in it."""
    text = text or " "
    marked = escape(text)
    marked = f"<B>{marked}</B>" if bold else marked
    return f'<FONT POINT-SIZE="{size:g}" COLOR="{color}">{marked}</FONT>'


def lines_of(lines: Iterable[str], *, size: int = SMALL, color: str = INK) -> str:
    """Several lines below each other, from the left."""
    return "".join(f'{font(line, size=size, color=color)}<BR ALIGN="LEFT"/>' for line in lines)


def cell(content: str, paint: Paint | None = None, **attributes: object) -> str:
    """A cell of a table."""
    painted = {"BGCOLOR": paint.fill, "COLOR": paint.border} if paint else {}
    said = "".join(f' {key}="{value}"' for key, value in ({**painted, **attributes}).items())
    return f"<TD{said}>{content}</TD>"


def row(*cells: str) -> str:
    return f"<TR>{''.join(cells)}</TR>"


def table(rows: Iterable[str], **attributes: object) -> str:
    """A table; without attributes one that does not show."""
    given = {"BORDER": 0, "CELLBORDER": 0, "CELLSPACING": 0, "CELLPADDING": 2} | attributes
    said = "".join(f' {key}="{value}"' for key, value in given.items())
    return f"<TABLE{said}>{''.join(rows)}</TABLE>"


def heading_row(heading: str, chars: int) -> str:
    """The first row of a box. Spaces around: Graphviz takes bold letters for narrower than browsers do."""
    return row(cell("<BR/>".join(font(f"\u00a0{part}\u00a0", bold=True) for part in wrapped(heading, chars))))


def card(heading: str, lines: Sequence[str], paint: Paint, *, chars: int = 30, dashed: bool = False) -> str:
    """A box with a bold heading and wrapped lines."""
    texts = [part for line in lines for part in wrapped(line, chars)]
    rows = [heading_row(heading, chars)]
    if texts:
        rows.append(row(cell("<BR/>".join(font(part, size=SMALL) for part in texts))))
    style = {"STYLE": "ROUNDED,DASHED" if dashed else "ROUNDED"}
    return table(rows, BORDER=1.2, CELLPADDING=3, BGCOLOR=paint.fill, COLOR=paint.border, **style)


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _attributes(given: Mapping[str, object]) -> str:
    texts = {key: str(value) for key, value in given.items() if value != ""}
    return " ".join(f"{key}={each if each.startswith('<') else quoted(each)}" for key, each in texts.items())


def node(name: str, label: str, **attributes: object) -> str:
    """A node whose label is HTML-like."""
    return f"{quoted(name)} [{_attributes({'label': f'<{label}>', **attributes})}];"


def edge(source: str, target: str, label: str = "", *, chars: int = 22, **attributes: object) -> str:
    """An arrow; an end may name a port behind a bar, as `vpc|app:e`."""
    text = "<BR/>".join(font(part, size=SMALL, color=QUIET) for part in wrapped(label, chars))
    given = {"label": f"<{table([row(cell(text))], BGCOLOR='#ffffff', CELLPADDING=1)}>" if text else "", **attributes}
    return f"{_end(source)} -> {_end(target)} [{_attributes(given)}];"


def _end(name: str) -> str:
    found, _, port = name.partition("|")
    return f"{quoted(found)}:{port}" if port else quoted(found)


def cluster(
    name: str, title: str, paint: Paint, body: Iterable[str], *, dashed: bool = False, below: bool = False
) -> list[str]:
    """A frame around nodes. `below`: its title is, where arrows come from above."""
    label = f"<{font(title, bold=True, color=INK)}>" if title else ""
    style = "rounded,filled,dashed" if dashed else "rounded,filled"
    given = {
        "label": label,
        "style": style,
        "fillcolor": paint.fill,
        "color": paint.border,
        "labeljust": "l",
        "margin": 12,
        "labelloc": "b" if below else "t",
    }
    return [f"subgraph {quoted('cluster_' + name)} {{", f"graph [{_attributes(given)}];", *body, "}"]


def digraph(body: Iterable[str], **attributes: object) -> str:
    """DOT text, a statement a line."""
    graph = {"fontname": FONT, "fontsize": SIZE, "bgcolor": "transparent", "pad": 0.02, "margin": 0} | attributes
    edges = {"fontname": FONT, "fontsize": SMALL, "color": LINE, "arrowsize": 0.7, "penwidth": 1.1}
    opening = [
        f"graph [{_attributes(graph)}];",
        f'node [shape="plain" fontname="{FONT}" fontsize="{SIZE:g}"];',
        f"edge [{_attributes(edges)}];",
    ]
    return "\n".join(["digraph {", *opening, *body, "}"]) + "\n"
