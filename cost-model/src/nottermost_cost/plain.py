"""A table as plain text: columns under each other, numbers to the right."""

from typing import Final

from nottermost_cost.report.cells import printable
from nottermost_cost.report.tables import Table

_GAP: Final = "  "


def lay_out(table: Table) -> str:
    """Its caption, a heading, the rows and a total where it has one; every line ends with a newline.

    Nothing in it controls a terminal, whatever names it holds.
    """
    total = table.total_texts()
    texts = [[column.title for column in table.columns], *table.texts(), *([total] if total else [])]
    rows = [list(map(printable, row)) for row in texts]
    widths = [max(len(row[at]) for row in rows) for at in range(len(table.columns))]
    lines = [
        _GAP.join(
            text.rjust(width) if column.is_number else text.ljust(width)
            for text, width, column in zip(row, widths, table.columns, strict=True)
        ).rstrip()
        for row in rows
    ]
    rule = _GAP.join("-" * width for width in widths)
    lines.insert(1, rule)
    if total:
        lines.insert(-1, rule)
    return "".join(f"{line}\n" for line in (printable(table.caption), *lines) if line)
