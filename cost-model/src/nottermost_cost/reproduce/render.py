"""A reproduction as text for a terminal, as JSON, and as the document for a reader in finance."""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nottermost_cost.encoding import encode_json
from nottermost_cost.pricebook import Confidence
from nottermost_cost.report.cells import show_amount
from nottermost_cost.reproduce import grids
from nottermost_cost.reproduce.findings import Finding, Reproduction
from nottermost_cost.reproduce.grids import Grid
from nottermost_cost.reproduce.verdicts import Verdict

DOCUMENT: Final = Path(__file__).parents[4] / "docs" / "cost-at-100m-users.md"
WIDTH: Final = 140
_COLUMNS: Final = 7
_HUNDRED: Final = 100
_LARGEST: Final = 3


def render_reproduction(found: Reproduction, *, width: int = WIDTH, colour: bool = False) -> str:
    """Every table as text, `width` characters wide."""
    out = StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
    console.print(Text(headline(found), style="bold"))
    for grid in grids.list_grids(found):
        console.print(_table(grid, width))
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def headline(found: Reproduction) -> str:
    """The claim, its list price, and ours, in one sentence."""
    total, design = found.totals, found.design.production
    return (
        f"{found.name}: {show_amount(total.claimed)} a month are claimed; the same lines are {show_amount(total.literal.low)} "
        f"to {show_amount(total.literal.high)} at list price; our production for this load is {show_amount(design.one)} "
        f"in one region and {show_amount(design.two)} in two"
    )


def reproduction_json(found: Reproduction) -> bytes:
    """Everything as one JSON object; amounts are numbers with every digit, no value is null."""
    return encode_json(found)


def render_document(found: Reproduction) -> str:
    """The document in Markdown."""
    return _environment().get_template("cost-at-100m-users.md.jinja").render(
        found=found,
        table=_markdown,
        grids=grids,
        amount=show_amount,
        short=_short,
        percent=_percent,
        count=count_verdicts,
        off=_off,
        lines={each.id: each for each in found.table},
        left_out={each.id: each for each in found.omitted},
        largest=_largest(found),
        share=_confidence_shares(found),
        unsure=sum(each.confidence is not Confidence.PRIMARY for each in found.prices),
        undated=sum(each.read is None for each in found.prices),
        oldest=min(each.read for each in found.prices if each.read),
        newest=max(each.read for each in found.prices if each.read),
    )  # fmt: skip


def count_verdicts(findings: Iterable[Finding]) -> str:
    """Such as `2 hold, 3 are too high`."""
    counts = Counter(each.verdict for each in findings)
    return ", ".join(_say(verdict, counts[verdict]) for verdict in Verdict if counts[verdict])


def _say(verdict: Verdict, count: int) -> str:
    if verdict is Verdict.HOLDS:
        return f"{count} hold{'s' if count == 1 else ''}"
    if verdict is Verdict.CANNOT:
        return f"{count} cannot be checked"
    return f"{count} {'is' if count == 1 else 'are'} {verdict}"


def _off(found: Reproduction, verdict: str) -> Decimal:
    """How many USD the table's lines with a verdict are off, to the nearest end of what they cost at list price."""
    return sum(
        (
            min(abs(each.claimed.low - end) for end in (each.found.low, each.found.high))
            for each in found.table
            if each.claimed and each.found and each.verdict == verdict
        ),
        Decimal(0),
    )


def _largest(found: Reproduction) -> str:
    """What our estimate has most of among the lines that the table leaves out, in two regions."""
    ours = sorted(((each.ours.two, each.title) for each in found.omitted if each.ours), reverse=True)
    return ", ".join(f"{title.partition(':')[0].lower()} {_short(usd)}" for usd, title in ours[:_LARGEST])


def _short(value: Decimal) -> str:
    """$11.7M."""
    million = Decimal(1_000_000)
    return f"${value / million:.1f}M" if value >= million else f"${value / 1000:.0f}K"


def _percent(value: Decimal, whole: Decimal) -> str:
    return f"{value * _HUNDRED / whole:.0f} %"


def _confidence_shares(found: Reproduction) -> dict[str, str]:
    whole = sum(found.design.by_confidence.values())
    return {kind.value: _percent(usd, Decimal(whole)) for kind, usd in found.design.by_confidence.items()}


def _markdown(grid: Grid) -> str:
    rule = "|".join("--:" if at in grid.numbers else "---" for at in range(len(grid.columns)))
    rows = [grid.columns, *grid.rows]
    head, *body = (f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)
    return "\n".join((head, f"|{rule}|", *body))


def _table(grid: Grid, width: int) -> Table:
    table = Table(title=grid.title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    last = len(grid.columns) - 1
    for at, column in enumerate(grid.columns):
        most = None if at == last else width // _COLUMNS  # the reason, which is last and longest, gets the rest
        table.add_column(column, justify="right" if at in grid.numbers else "left", overflow="fold", max_width=most)
    for row in grid.rows:
        table.add_row(*row)
    return table


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("nottermost_cost.reproduce"),
        autoescape=False,  # noqa: S701 (Markdown of our own claims, no page)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
