"""The figures, how they are written, and that every format holds the same ones."""

import json
import re
from dataclasses import replace
from decimal import Decimal
from io import BytesIO
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook  # type: ignore[import-untyped]

from nottermost_cost.estimate import Estimate, Fit, Line
from nottermost_cost.focus import rows_of
from nottermost_cost.numeric import CENT
from nottermost_cost.pricebook import Confidence
from nottermost_cost.report import Figures, render_json, render_page, render_terminal, render_workbook
from nottermost_cost.report.cells import Kind, show, show_amount, show_count, show_money, show_quantity, show_whole
from nottermost_cost.report.document import Document, build_document
from nottermost_cost.report.figures import UNTAGGED, find_band, sum_costs
from nottermost_cost.report.quantities import find_main, say_name

MONEY = re.compile(r"-?\$[\d,]+\.\d\d")


def read_json(figures: Figures) -> Any:
    return json.loads(render_json(figures), parse_float=Decimal, parse_int=Decimal)


def row_of(text: str, label: str) -> list[str]:
    """The amounts on the first line that begins with a label."""
    line = next(line for line in text.splitlines() if line.strip().startswith(label))
    return MONEY.findall(line)


def test_every_breakdown_adds_up_to_the_total(figures: Figures) -> None:
    """By service, environment, region, owner, cost center and origin: list, contracted and effective, exactly."""
    for breakdown in figures.breakdowns:
        assert sum_costs(row.costs for row in breakdown.rows) == figures.together, breakdown.name
        assert sum_costs(row.costs for row in breakdown.fold(2).rows) == figures.together
    assert figures.together.effective_cost == figures.estimate.total()
    assert figures.asked.effective_cost == figures.estimate.total("prod")


def test_what_has_no_tag_is_a_row(figures: Figures) -> None:
    """Lines without owner or cost center stand together under a name of their own."""
    for name, tag in (("owner", "owner"), ("cost-center", "cost-center")):
        row = next(row for row in figures.breakdown(name).rows if row.label == UNTAGGED)
        assert row.costs == sum_costs(line for line in figures.lines if tag not in line.charge.tags)


@given(groups=st.lists(st.sampled_from(["platform", "chat", "", "=1+1", "Platform"]), min_size=1, max_size=30))
def test_sharing_by_tags_loses_nothing(groups: list[str], estimate: Estimate) -> None:
    """However the lines are tagged, the breakdown by owner adds up to them, and the dearest comes first."""
    lines = tuple(
        replace(line, charge=replace(line.charge, tags={"owner": owner} if owner else {}))
        for line, owner in zip(estimate.lines, groups, strict=False)
    )
    figures = Figures(replace(estimate, lines=lines))
    rows = figures.breakdown("owner").rows
    assert sum_costs(row.costs for row in rows) == sum_costs(lines)
    assert {row.label for row in rows} == {owner or UNTAGGED for owner in groups[: len(lines)]}
    costs = [row.costs.effective_cost for row in rows]
    assert costs == sorted(costs, reverse=True)


def test_all_formats_hold_the_same_totals(figures: Figures) -> None:
    """Terminal, JSON, workbook, page and FOCUS rows: the same list, contracted and effective totals."""
    costs = figures.together
    expected = [costs.list_cost, costs.contracted_cost, costs.effective_cost, costs.yearly.effective_cost]
    shown = [show_money(each) for each in expected]

    assert row_of(render_terminal(figures, width=140, colour=False), "together") == shown

    together = read_json(figures)["totals"]["together"]
    month, year = together["month"], together["year"]
    assert [*month.values(), year["effective_cost"]] == expected

    summary = load_workbook(BytesIO(render_workbook(figures)), data_only=True)["Summary"]
    row = next(row for row in summary.iter_rows(values_only=True) if row[0] == "together")
    assert [show_money(Decimal(repr(value))) for value in row[1:5]] == shown

    foot = re.search(r">together</th>(.*?)</tr>", render_page(figures), re.DOTALL)
    assert foot is not None
    assert sorted(MONEY.findall(foot[1])) == sorted(shown)  # in another order: what a phone shows first

    rows = list(rows_of(figures.estimate))
    assert sum(row.list_cost for row in rows) == costs.list_cost
    assert sum(row.effective_cost for row in rows) == costs.effective_cost


def test_all_formats_hold_the_same_breakdowns(figures: Figures) -> None:
    """Each row of each breakdown: the same effective cost in terminal, JSON, workbook and page."""
    terminal, page, document = (
        render_terminal(figures, width=90, colour=False),
        render_page(figures),
        read_json(figures),
    )
    totals = load_workbook(BytesIO(render_workbook(figures)), data_only=True)["Totals"]
    in_workbook = {row[0]: row[3] for row in totals.iter_rows(values_only=True) if row[0]}
    for breakdown in figures.breakdowns:
        for row, found in zip(breakdown.rows, document["breakdowns"][breakdown.name], strict=True):
            shown = show_money(row.costs.effective_cost)
            assert found["costs"]["effective_cost"] == row.costs.effective_cost
            assert shown in terminal
            assert shown in page
            if row.label != UNTAGGED:  # owner and cost center have one each
                assert show_money(Decimal(repr(in_workbook[row.label]))) == shown


def test_json_keeps_every_digit_and_its_shape(figures: Figures) -> None:
    """Read back with decimals the document is the one that was written."""
    encoded = render_json(figures)
    assert json.loads(encoded)["schema"] == "nottermost.estimate/1"
    assert msgspec.json.decode(encoded, type=Document) == build_document(figures)


def test_json_holds_every_line_with_its_price(figures: Figures) -> None:
    """Each line names a price that the document has, unless it is the unused part of a commitment."""
    document = read_json(figures)
    prices = {(price["key"], price["region"]) for price in document["prices"]}
    assert len(document["lines"]) == len(figures.estimate.lines)
    homeless = [line for line in document["lines"] if (line["key"], line["price_region"]) not in prices]
    assert [line["name"] for line in homeless] == ["unused part of compute savings plan, one year, all upfront"]
    assert sum(line["effective_cost"] for line in document["lines"]) == figures.together.effective_cost


def test_shares_of_dollars_by_source(figures: Figures) -> None:
    """Primary, secondary and assumed list dollars add up to the list total, and their shares to one."""
    assert sum(figures.by_confidence.values()) == figures.together.list_cost
    shares = [share for share in figures.confidence_shares.values() if share is not None]
    assert len(shares) == len(Confidence)
    assert sum(shares) == pytest.approx(1)


def test_prices_over_a_year_old_are_counted(figures: Figures) -> None:
    """By the day of the estimate; a price without a date is counted apart, neither old nor new."""
    old = {price.rate.key for price in figures.prices if price.old}
    assert old == {"aurora.r7g.xlarge", "elasticache.valkey.r7g.large", "dynamodb.write", "cw.logs.ingest"}
    assert figures.prices_undated == 1
    assert (
        f"{figures.prices_old} of {len(figures.prices)} prices used were over a year old"
        in dict(figures.context)["Price age"]
    )


def test_unit_costs_divide_by_the_workload(figures: Figures) -> None:
    """A quantity of several places counts whole; without connections there is no cost of one."""
    by_name = {each.name: each for each in figures.unit_costs}
    messages = by_name["million messages"]
    assert messages.quantity == Decimal("1216666666.7")
    assert messages.asked == figures.asked.effective_cost * 1_000_000 / messages.quantity
    assert by_name["thousand concurrent connections"].together is None


def test_too_small_sizes_come_first(figures: Figures) -> None:
    """What must grow before the load comes, before what could shrink, before what fits."""
    assert [each.fit for each in figures.findings] == [Fit.TOO_SMALL, Fit.TOO_LARGE, Fit.FITS]


def test_one_band_explains_a_line_or_none_does(figures: Figures) -> None:
    """A unit price is shown only where quantity x price x factor is the list cost."""
    for line in figures.lines:
        if (band := find_band(line)) is not None:
            assert line.charge.quantity * band.price * line.charge.factor == pytest.approx(line.list_cost)
    assert any(find_band(line) is None for line in figures.lines)


def test_the_terminal_shows_one_screen_or_every_line(figures: Figures) -> None:
    """The fifteen largest lines, what does not fit and what has no price; all lines when asked."""
    short = render_terminal(figures, width=200, colour=False)
    whole = render_terminal(figures, width=200, colour=False, every_line=True)
    assert "The 15 largest of 55 lines" in short
    assert "too small" in short
    assert "aws:fis/experimentTemplate:ExperimentTemplate" in short
    names = {line.charge.name for line in figures.lines}
    assert all(name in whole for name in names)
    assert not all(name in short for name in names)


@pytest.mark.parametrize("width", [80, 100, 140, 200])
def test_the_terminal_stays_within_its_width(figures: Figures, width: int) -> None:
    """No line is longer than the terminal is wide, and no amount is cut."""
    text = render_terminal(figures, width=width, colour=False)
    assert max(len(line) for line in text.splitlines()) <= width
    assert show_money(figures.together.yearly.effective_cost) in text


def test_colours_only_on_a_terminal(figures: Figures) -> None:
    """Without colour there is no escape sequence; names in brackets are text, control characters are shown as such."""
    assert "\x1b[" in render_terminal(figures, width=140, colour=True)
    evil = replace(figures.lines[0], charge=replace(figures.lines[0].charge, name="[red]x[/red]\x1b[31m"))
    plain = render_terminal(Figures(replace(figures.estimate, lines=(evil,))), width=140, colour=False)
    assert "\x1b" not in plain
    assert "[red]x[/red]�[31m" in plain


@given(st.lists(st.decimals(-10_000_000, 10_000_000, places=10), min_size=1, max_size=40))
def test_a_printed_column_agrees_with_its_printed_total(values: list[Decimal]) -> None:
    """The sum of printed amounts differs from the printed sum by half a cent a row at most."""
    printed = [
        Decimal(show_money(value).replace("$", "").replace(",", "")) for value in [*values, sum(values, Decimal(0))]
    ]
    assert abs(sum(printed[:-1]) - printed[-1]) <= CENT / 2 * (len(values) + 1)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("1234.565", Kind.MONEY, "$1,234.57"),
        ("-0.001", Kind.MONEY, "$0.00"),
        ("-1234.5", Kind.MONEY, "-$1,234.50"),
        ("0.00855123", Kind.RATE, "$0.008551"),
        ("218.2435", Kind.RATE, "$218.24"),
        ("0", Kind.RATE, "$0.00"),
        ("2E-7", Kind.PRICE, "$0.0000002"),
        ("0.0345766233766233766", Kind.PRICE, "$0.0345766234"),
        ("3051.38", Kind.WHOLE, "$3,051"),
        ("6.644", Kind.WHOLE, "$6.64"),
        ("1499850", Kind.PRICE, "$1,499,850.00"),
        ("1E+6", Kind.COUNT, "1,000,000"),
        ("0.30", Kind.COUNT, "0.3"),
        ("2.5", Kind.COUNT, "2.5"),
        ("0.1234", Kind.SHARE, "12.3%"),
    ],
)  # fmt: skip
def test_how_values_are_written(value: str, kind: Kind, text: str) -> None:
    """Cents in columns, every digit of a price, four digits of something small, never a negative zero."""
    assert show(Decimal(value), kind) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        ("1216666666.67", "messages", "1.22 billion messages"),
        ("210000", "connections", "210,000 connections"),
        ("9.341012", "units / message", "9.34 units / message"),
        ("999999999", "users", "1,000 million users"),
        ("25030973549953", "B", "22.8 TB"),
        ("58391.05", "GB", "57 TB"),
        ("355.05", "B / message", "355 B / message"),
        ("0", "B", "0 B"),
    ],
)
def test_how_quantities_are_said(value: str, unit: str, text: str) -> None:
    """Three digits and a word; bytes in AWS's steps of 1,024."""
    assert show_quantity(Decimal(value), unit) == text


@given(st.decimals("1e-6", "1e18", places=6))
def test_a_quantity_in_short_is_near_the_exact_one(value: Decimal) -> None:
    """What is said is within half a percent, or half a hundredth, of what is meant."""
    number, *words, _ = show_quantity(value, "requests").split()
    factor = {"trillion": 10**12, "billion": 10**9, "million": 10**6}[words[0]] if words else 1
    assert abs(Decimal(number.replace(",", "")) * factor - value) <= max(value / 200, CENT / 2)


def test_all_formats_hold_the_same_quantities(figures: Figures) -> None:
    """The main quantities, short and exact: on the terminal, on the page and in the workbook, from those in JSON."""
    terminal, page = render_terminal(figures, width=140, colour=False), render_page(figures)
    summary = load_workbook(BytesIO(render_workbook(figures)), data_only=True)["Summary"]
    rows = {(row[0], row[4]): row for row in summary.iter_rows(values_only=True)}
    raw = read_json(figures)["quantities"]
    main = find_main(figures.estimate)
    assert len(main) == 8
    for each in main:
        assert each.value in {row["value"] for row in raw} | _sums(raw)
        assert re.search(rf"{each.title} +{each.short} +{show_count(each.value)} +{each.unit} +{each.place}", terminal)
        assert f'<td class="number">{each.short}</td>' in page
        assert f'<td class="number">{show_count(each.value)}</td>' in page
        assert rows[each.title, each.place][1:4] == (each.short, pytest.approx(float(each.value)), each.unit)


def _sums(quantities: list[Any]) -> set[Decimal]:
    """Of each quantity over its places."""
    return {
        sum(row["value"] for row in quantities if row["name"] == name) for name in {row["name"] for row in quantities}
    }


def test_the_terminal_says_quantities_before_dollars(figures: Figures) -> None:
    """First how much is used, then what it costs; with every line also every quantity with its formula."""
    short = render_terminal(figures, width=140, colour=False)
    whole = render_terminal(figures, width=140, colour=False, every_line=True)
    assert 0 < short.index("Quantities, a month") < short.index("Cost in USD a month")
    assert "users.dau x users.mau_per_dau" not in short
    assert whole.index("users.dau x users.mau_per_dau") < whole.index("Every line")
    assert re.search(r"12:00 +20,000 +10,000", whole)
    assert "in this estimate" in whole
    assert "connections.hour." not in whole


def test_every_format_says_low_base_and_high(figures: Figures) -> None:
    """Beside the total stands the range, with what it is."""
    found = figures.sensitivity
    assert found is not None
    said = f"low {show_whole(found.percentiles[5])}, base {show_whole(found.base)}, high {show_whole(found.percentiles[95])}"
    assert said in render_terminal(figures, width=200, colour=False)
    assert said in render_page(figures)
    summary = load_workbook(BytesIO(render_workbook(figures)), data_only=True)["Summary"]
    assert any(said in str(cell) for row in summary.iter_rows(values_only=True) for cell in row)


def test_names_are_said_in_words() -> None:
    """Dots and underscores go, short forms are written out; what is no name stays."""
    assert say_name("network.cross_region_bytes") == "network: cross region bytes"
    assert say_name("users.mau_per_dau") == "users: monthly users per daily user"
    assert say_name("reads.history_pages_per_dau_day") == "reads: history pages per daily user and day"
    assert [say_name(each) for each in ("nodes (r6g.large.search)", "task hours")] == [
        "nodes (r6g.large.search)",
        "task hours",
    ]


def test_large_amounts_alone_have_no_cents() -> None:
    """From ten thousand dollars on."""
    assert [show_amount(Decimal(each)) for each in ("9999.99", "12345.5", "-12345.5")] == [
        "$9,999.99",
        "$12,346",
        "-$12,346",
    ]
    assert show_count(Decimal("999999.994")) == "999,999.99"
    assert show_count(Decimal("1216666666.70")) == "1,216,666,667"


def test_an_estimate_of_one_environment_without_ranges(estimate: Estimate) -> None:
    """No other environments, no sensitivities, no commitments: every format still renders."""
    lines: tuple[Line, ...] = tuple(line for line in estimate.lines if line.charge.environment == "prod")
    figures = Figures(replace(estimate, lines=lines, commitments=(), findings=(), types=(), inputs=()))
    assert "other environments (none)" in render_terminal(figures, width=120, colour=False)
    assert read_json(figures)["sensitivity"] is None
    assert "No sizes were compared" in render_page(figures)
    assert render_workbook(figures)
