"""The bridge for people: a screen, a comment on a pull request, JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from nottermost_cost.budgets import BudgetVerdict
from nottermost_cost.compare.bridge import Bridge, Effects, Movement, ServiceChange
from nottermost_cost.encoding import encode_json
from nottermost_cost.numeric import sum_exact
from nottermost_cost.plain import lay_out
from nottermost_cost.report.cells import ROUNDED, Cell, Kind, say_sources, show_amount
from nottermost_cost.report.tables import Column, Table

MOVERS: Final = 15
MOVERS_MARKDOWN: Final = 8  # a comment is read on a phone, too; the rest is folded
FOLDED_MAX: Final = 100  # a comment may have 65,536 characters
SCHEMA: Final = "nottermost.comparison/1"


def render_text(bridge: Bridge, *, every_line: bool = False) -> str:
    """The change, the bridge by service and the lines that moved most."""
    if not bridge.movements:
        return f"{_headline(bridge)}\n"
    count = len(bridge.movements) if every_line else MOVERS
    shown = f"The {count} largest of {len(bridge.movements)}" if count < len(bridge.movements) else "All"
    parts = (
        f"{_headline(bridge)}\nof {', '.join(bridge.environments)}\n",
        lay_out(list_services(bridge)),
        lay_out(list_movements(bridge.movements[:count], f"{shown} lines that changed, USD a month")),
        f"{bridge.unmoved} lines did not change. {bridge.right}: {say_sources(bridge.by_confidence)} {ROUNDED}\n",
    )
    return "\n".join(parts)


def render_markdown(bridge: Bridge, verdicts: Iterable[BudgetVerdict] = ()) -> str:
    """A comment for a pull request: the change, the movers, how the budgets stand, details folded."""
    lines = [f"**Cost: {_headline(bridge)}**", ""]
    lines += [f"- {each.state.upper()}: {_escape(each.sentence)}" for each in verdicts]
    if bridge.movements:
        movers = list_movements(bridge.movements, "")
        top, rest = movers.rows[:MOVERS_MARKDOWN], movers.rows[MOVERS_MARKDOWN:]
        lines += [
            "",
            f"Environments: {', '.join(bridge.environments)}. {bridge.right}: {say_sources(bridge.by_confidence)}",
            "",
            *_markdown(replace(movers, rows=top)),
            "",
            *_folded("By service", _markdown(list_services(bridge))),
        ]
        if rest:
            shown = rest[:FOLDED_MAX]
            title = f"{len(rest)} smaller changes" + (f", the first {FOLDED_MAX}" if rest != shown else "")
            lines += _folded(title, _markdown(replace(movers, rows=shown)))
    return "\n".join(lines).strip() + "\n"


def render_json(bridge: Bridge) -> bytes:
    """Everything, as numbers with every digit."""
    names = (
        "left",
        "right",
        "environments",
        "before",
        "after",
        "change",
        "percent",
        "effects",
        "unmoved",
        "by_confidence",
    )
    return encode_json(
        {
            "schema": SCHEMA,
            **_pick(bridge, *names),
            "services": [_pick(each, "service", "before", "after", "change", "effects") for each in bridge.services],
            "movements": [_movement_object(each) for each in bridge.movements],
        }
    )


def list_services(bridge: Bridge) -> Table:
    """The bridge: of each service that changed, and of all others together, before, the effects and after."""
    rows = [_service_row(each) for each in bridge.services if each.effects != Effects()]
    rest = [each for each in bridge.services if each.effects == Effects()]
    if rest:
        cost = sum_exact(each.before for each in rest)
        rows.append(_service_row(ServiceChange(f"{len(rest)} services without change", cost, cost, Effects())))
    total = _service_row(ServiceChange("Total", bridge.before, bridge.after, bridge.effects))
    names = ("Before", "Quantity", "Price", "New", "Removed", "After")
    columns = (Column("Service"), *(Column(name, Kind.MONEY) for name in names))
    return Table("The bridge, USD a month", columns, tuple(rows), total)


def list_movements(movements: Sequence[Movement], caption: str) -> Table:
    """Lines that changed, and why."""
    return Table(
        caption,
        (Column("Change", Kind.MONEY), Column("Line"), Column("Where"), Column("Why")),
        tuple((each.change, each.name, _where(each), each.why) for each in movements),
    )


def _service_row(each: ServiceChange) -> tuple[Cell, ...]:
    effects = each.effects
    return each.service, each.before, effects.quantity, effects.price, effects.new, effects.removed, each.after


def _where(movement: Movement) -> str:
    return f"{movement.environment} {movement.place}".strip()


def _headline(bridge: Bridge) -> str:
    between = f"{bridge.left} → {bridge.right}"
    if not bridge.movements:
        return f"{between}: no change, {show_amount(bridge.after)} a month"
    share = "" if bridge.percent is None else f", {bridge.percent:+.1f}%"
    sign = "+" if bridge.change > 0 else ""
    return (
        f"{between}: {show_amount(bridge.before)} → {show_amount(bridge.after)} a month "
        f"({sign}{show_amount(bridge.change)}{share})"
    )


def _markdown(table: Table) -> list[str]:
    total = table.total_texts()
    return [
        f"| {' | '.join(column.title for column in table.columns)} |",
        f"| {' | '.join('---:' if column.is_number else '---' for column in table.columns)} |",
        *(f"| {' | '.join(map(_escape, row))} |" for row in (*table.texts(), *([total] if total else []))),
    ]


def _folded(title: str, lines: Iterable[str]) -> list[str]:
    return [f"<details><summary>{title}</summary>", "", *lines, "", "</details>"]


def _escape(text: str) -> str:
    """Names come from graphs: they must neither break the table nor become markup or a mention."""
    for character in "\\|<>`*_@[]":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())


def _movement_object(each: Movement) -> dict[str, object]:
    before, after = (side and _pick(side, "key", "quantity", "unit", "cost") for side in (each.before, each.after))
    found = _pick(each, "service", "environment", "place", "name", "resource", "change", "effects", "why")
    return {**found, "before": before, "after": after}


def _pick(value: object, *names: str) -> dict[str, object]:
    return {name: getattr(value, name) for name in names}
