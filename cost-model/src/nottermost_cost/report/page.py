"""The estimate as one HTML file that asks for nothing: no script, no font, no picture from elsewhere."""

from typing import Final

from nottermost_cost.report import charts, tables
from nottermost_cost.report.cells import ROUNDED, SIZES, show_whole
from nottermost_cost.report.figures import Figures
from nottermost_cost.report.templating import render_template

LARGEST: Final = 20
_NOTES: Final = {
    "region": "Places that begin with edge: are CloudFront's, by where the users are; global is what has no region.",
    "owner": "What has no tag is charged to the account as a whole, such as its configuration inventory.",
    "origin": "Usage: the scenario's quantities times prices. Declared resources: as the programs declare them. Scaled "
    "by the hour: services that follow the day between their minimum and maximum. Missing resources: what this load "
    "needs beyond what is declared or allowed.",
}


def render_page(figures: Figures) -> str:
    """The report as an HTML document."""
    lines = tables.list_lines(figures)
    costs = ("Effective", "Share", "List", "Contracted") if figures.has_terms else ("Effective", "Share")
    largest = lines.pick("Line", *costs[:3], "Quantity", "Unit", "Region", "Follows").say()
    return render_template(
        "page.html.jinja",
        figures=figures,
        estimate=figures.estimate,
        tables=tables,
        rounded=ROUNDED,
        sizes=SIZES,
        notes=_NOTES,
        costs=costs,
        whole=show_whole,
        services=charts.draw_services(figures),
        places=charts.draw_places(figures),
        tornado=charts.draw_tornado(figures),
        hours=charts.draw_hours(figures),
        storage=charts.draw_storage(figures),
        largest=largest.head(LARGEST, f"The {min(LARGEST, len(lines.rows))} largest of {len(lines.rows):,} lines"),
        lines=tables.list_service_lines(figures),
    )
