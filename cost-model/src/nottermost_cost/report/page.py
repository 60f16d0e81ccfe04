"""The estimate as one HTML file that asks for nothing: no script, no font, no picture from elsewhere."""

from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from nottermost_cost.report import charts, tables
from nottermost_cost.report.cells import ROUNDED, show_amount
from nottermost_cost.report.figures import Figures

LARGEST: Final = 20
_COSTS: Final = ("Effective", "Share", "List", "Contracted")  # what a phone shows without scrolling comes first


def render_page(figures: Figures) -> str:
    """The report as an HTML document."""
    lines = tables.list_lines(figures)
    largest = lines.pick("Line", *_COSTS[:3], "Region", "Follows")
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            figures=figures,
            estimate=figures.estimate,
            tables=tables,
            rounded=ROUNDED,
            costs=_COSTS,
            amount=show_amount,
            services=charts.draw_services(figures),
            places=charts.draw_places(figures),
            tornado=charts.draw_tornado(figures),
            day=charts.draw_day(figures),
            largest=largest.head(LARGEST, f"The {min(LARGEST, len(lines.rows))} largest of {len(lines.rows)} lines"),
            lines=lines,
        )
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("nottermost_cost.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
