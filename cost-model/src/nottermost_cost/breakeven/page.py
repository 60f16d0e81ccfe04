"""Answers as one HTML file that asks for nothing: each with its curves, where they cross and where the scenario is."""

from decimal import Decimal
from pathlib import Path

from nottermost_cost.breakeven.curves import Answers, BreakEven, Curve, Point
from nottermost_cost.breakeven.render import HERE, list_points
from nottermost_cost.engine import Choice
from nottermost_cost.report.cells import Kind, show, show_brief, show_count, show_whole
from nottermost_cost.report.plots import Axis, Plot, draw_plot
from nottermost_cost.report.templating import render_template


def render_page(answers: Answers, choice: Choice) -> str:
    """An HTML document; `choice` is what was asked about."""
    return render_template(
        "breakeven.html.jinja",
        environment=choice.environment,
        scenario=Path(choice.scenario).stem,
        day=choice.day,
        questions=[(each, draw_curves(each), list_points(each)) for each in answers.answered],
        unanswered=answers.unanswered,
    )


def draw_curves(found: BreakEven) -> Plot:
    """The options along x; both axes are logarithmic where x is."""
    points = {curve.option: _points(found, curve) for curve in found.curves}
    costs = [each.cost for curve in points.values() for each in curve]
    xs = [each.x for each in next(iter(points.values()))]
    lowest = min(costs) if found.is_logarithmic else Decimal(0)
    marks = [
        (each.x, each.cost, f"{each.below} → {each.above} at {_write(found, each.x)}: {show_whole(each.cost)} a month")
        for each in found.crossings
    ]
    here = "; ".join(
        f"{curve.option} {show_whole(point.cost)}" for curve, point in zip(found.curves, found.here, strict=True)
    )
    crossed = "; ".join(title for _, _, title in marks) or "nowhere"
    return draw_plot(
        found.name,
        f"USD a month by {found.x_name}",
        f"At {_write(found, found.here[0].x)}, where the scenario is: {here}. The curves cross: {crossed}.",
        {name: [(each.x, each.cost) for each in curve] for name, curve in points.items()},
        x=Axis(xs[0], xs[-1], lambda x: _write_brief(found, x), found.is_logarithmic),
        y=Axis(lowest, max(costs), lambda cost: f"${show_brief(cost)}", found.is_logarithmic),
        marks=marks,
        here=(found.here[0].x, HERE),
        axes="Both axes are logarithmic: each number is ten times the one before." if found.is_logarithmic else "",
    )


def _points(found: BreakEven, curve: Curve) -> list[Point]:
    """Of a curve, with the scenario's and those where it crosses another."""
    at = found.curves.index(curve)
    crossed = [Point(each.x, each.cost) for each in found.crossings if curve.option in (each.below, each.above)]
    unique = {each.x: each for each in (*curve.points, found.here[at], *crossed)}
    return [unique[x] for x in sorted(unique)]


def _write(found: BreakEven, x: Decimal) -> str:
    return f"{show_count(x.to_integral_value())} {found.x_unit}" if found.x_unit else show(x, Kind.SHARE)


def _write_brief(found: BreakEven, x: Decimal) -> str:
    return show_brief(x) if found.x_unit else f"{x:.0%}"
