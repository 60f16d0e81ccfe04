"""The table of scenarios: what production costs in every scenario, with one region and with two. Committed as Markdown."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from nottermost_cost.engine import PRICE_DAY, Choice, Model, load_model, make_estimate
from nottermost_cost.estimate import Estimate, Fit
from nottermost_cost.layouts import Layout
from nottermost_cost.report.cells import show_amount, show_money
from nottermost_cost.report.figures import Figures
from nottermost_cost.sampling import Sensitivity, sample_model

PATH: Final = Path(__file__).parents[2] / "estimates.md"
ENVIRONMENT: Final = "prod"
SCENARIOS: Final = ("launch", "mvp", "growth", "scale", "100m")
LAYOUTS: Final = (Layout.ONE, Layout.TWO)
_TOP: Final = 6
_BARS: Final = 5


@dataclass(frozen=True)
class Case:
    """One scenario in one layout."""

    estimate: Estimate
    sensitivity: Sensitivity
    figures: Figures


def render_overview() -> str:
    """The whole page. Raises: CostError as an estimate does."""
    cases = {(name, layout): _make(name, layout) for name in SCENARIOS for layout in LAYOUTS}
    return "\n".join([*_head(), *_totals(cases), *_services(cases), *_movers(cases), *_sizes(cases)]) + "\n"


def _make(scenario: str, layout: Layout) -> Case:
    model: Model = load_model(Choice(ENVIRONMENT, scenario, layout=layout))
    estimate, sensitivity = make_estimate(model), sample_model(model)
    return Case(estimate, sensitivity, Figures(estimate, sensitivity))


def _head() -> Iterator[str]:
    yield "# What production costs"
    yield (
        f"USD a month at the prices of {PRICE_DAY}, list prices, twelve months after launch, from the "
        "[reviewed graph](../platform/graphs/prod) and the [scenarios](scenarios). Written by `nottermost cost docs`; "
        "one line of it: `nottermost cost estimate prod --scenario growth`."
    )
    yield ""


def _totals(cases: dict[tuple[str, Layout], Case]) -> Iterator[str]:
    yield "| scenario | users a day | one region | with standby | 5 to 95 % of samples | with non-production | per user a day | per million messages | assumed prices |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for name in SCENARIOS:
        one, two = (cases[name, layout] for layout in LAYOUTS)
        costs = {each.name: each.asked for each in two.figures.unit_costs}
        assumed = two.figures.confidence_shares["assumed"] or Decimal(0)  # type: ignore[index]
        low, high = (show_amount(two.sensitivity.percentiles[each]) for each in (5, 95))
        yield (
            f"| {name} | {two.estimate.quantity('users.dau'):,.0f} | {show_amount(one.figures.asked.effective_cost)} "
            f"| {show_amount(two.figures.asked.effective_cost)} | {low} to {high} "
            f"| {show_amount(two.figures.together.effective_cost)} "
            f"| {show_money(costs['daily active user'] or Decimal(0))} | {show_money(costs['million messages'] or Decimal(0))} "
            f"| {assumed:.0%} |"
        )
    yield ""
    yield (
        "Samples draw every input from its range, below or above its base with the same chance. Most ranges reach "
        "further up than down, so the upper end is further away. They include the non-production environments."
    )
    yield ""


def _services(cases: dict[tuple[str, Layout], Case]) -> Iterator[str]:
    yield "## Where it goes"
    yield "With the standby region, the largest services and their share."
    yield ""
    yield "| scenario | " + " | ".join(f"{place}." for place in range(1, _TOP + 1)) + " |"
    yield "|---|" + "---|" * _TOP
    for name in SCENARIOS:
        rows = cases[name, Layout.TWO].figures.breakdown("service").rows[:_TOP]
        yield f"| {name} | " + " | ".join(f"{row.label} {row.share or 0:.0%}" for row in rows) + " |"
    yield ""


def _movers(cases: dict[tuple[str, Layout], Case]) -> Iterator[str]:
    yield "## What moves it"
    yield "One input alone, from its low to its high end."
    yield ""
    yield "| scenario | " + " | ".join(f"{place}." for place in range(1, _BARS + 1)) + " |"
    yield "|---|" + "---|" * _BARS
    for name in SCENARIOS:
        bars = cases[name, Layout.TWO].sensitivity.bars[:_BARS]
        yield (
            f"| {name} | "
            + " | ".join(f"`{bar.input.name}` {show_amount(bar.low)} to {show_amount(bar.high)}" for bar in bars)
            + " |"
        )
    yield ""


def _sizes(cases: dict[tuple[str, Layout], Case]) -> Iterator[str]:
    yield "## Where the graph is too small"
    yield "What is missing is in the totals above, and has to be declared before the load comes."
    yield ""
    yield "| scenario | what | needed | declared | USD a month | what decides |"
    yield "|---|---|---:|---:|---:|---|"
    for name in SCENARIOS:
        for each in cases[name, Layout.TWO].estimate.findings:
            if each.fit is Fit.TOO_SMALL:
                yield (
                    f"| {name} | {each.what} | {each.needed:,.0f} | {each.declared:,.0f} {each.unit} "
                    f"| {show_amount(each.cost)} | {each.reason} |"
                )
    yield ""
