"""Graphs, previews and differences as text, for a terminal and for a pull request."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from nottermost_platform.checks import STACK_TYPE
from nottermost_platform.differences import PropertyChange, top_level
from nottermost_platform.environments import Difference
from nottermost_platform.graph import Graph, Resource
from nottermost_platform.preview import GRAPH_ONLY, Change, Preview

SIGNS: Final = {"added": "+", "changed": "~", "removed": "-"}
PROPERTIES_MAX: Final = 12  # shown of one resource


def render_preview(preview: Preview) -> Iterator[str]:
    """For a terminal: what there is, then what changes, so that the end of the output is what matters."""
    yield f"{'stack':<14} {'region':<10} {'type':<58} {'count':>5}"
    for each in preview.counts:
        yield f"{each.stack:<14} {each.region:<10} {each.type:<58} {each.count:>5}"
    yield ""
    if preview.never_reviewed:
        yield f"never reviewed, so all of it counts as added: {', '.join(preview.never_reviewed)}"
    for change in preview.changes:
        yield from _render_change(change)
    if preview.policy:
        yield preview.policy
    yield preview.summary


def _render_change(change: Change) -> Iterator[str]:
    mark = "!" if change.is_sensitive else " "
    tail = "".join(f"  ({each})" for each in (change.effect, change.note) if each)
    yield f"{mark}{SIGNS[change.kind]} {change.stack} {change.region} {change.type} {change.name}{tail}"
    yield from (f"     {line}" for line in render_properties(change.properties))


def render_properties(properties: list[PropertyChange]) -> Iterator[str]:
    """A line each, the first of them; what concerns the graph alone only where nothing else is to be told."""
    properties = [each for each in properties if top_level(each.path) not in GRAPH_ONLY] or properties
    for each in properties[:PROPERTIES_MAX]:
        yield _render_property(each)
    if len(properties) > PROPERTIES_MAX:
        yield f"… and {len(properties) - PROPERTIES_MAX} more"


def _render_property(change: PropertyChange) -> str:
    return f"{change.path}: {_or_none(change.before)} → {_or_none(change.after)}"


def _or_none(text: str | None) -> str:
    return "(none)" if text is None else text


def render_markdown(preview: Preview) -> str:
    """For a pull request: what is wrong, what changes, then what there is."""
    lines = [f"### {preview.summary}", ""]
    if preview.findings:
        lines += ["**This must not be deployed:**", ""]
        lines += [
            f"- `{each.urn.rpartition('::')[2]}` {_cell(each.message)} (`{each.code}`)" for each in preview.findings
        ]
        lines.append("")
    if preview.policy:
        lines += [f"Policy: {preview.policy}.", ""]
    if preview.never_reviewed:
        lines += [f"Never reviewed, so all of it counts as added: {', '.join(preview.never_reviewed)}.", ""]
    if preview.changes:
        lines += ["| | resource | stack | what | effect |", "|---|---|---|---|---|"]
        lines += [_render_row(change) for change in preview.changes]
        lines.append("")
    lines += [
        "<details><summary>All resources</summary>",
        "",
        "| stack | region | type | count |",
        "|---|---|---|---:|",
    ]
    lines += [f"| {each.stack} | {each.region} | `{each.type}` | {each.count} |" for each in preview.counts]
    return "\n".join([*lines, "", "</details>", ""])


def _render_row(change: Change) -> str:
    mark = "⚠ " if change.is_sensitive else ""
    what = "<br>".join(_cell(line) for line in render_properties(change.properties))
    effect = "; ".join(each for each in (change.effect, change.note) if each)
    where = f"{change.stack} {change.region}"
    return f"| {mark}{change.kind} | `{change.type}` {_cell(change.name)} | {where} | {what} | {_cell(effect)} |"


def _cell(text: str) -> str:
    """Text inside of a table's cell, where a bar, a tag or a mention would be read as markup."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([|`*_~@\[\]])", r"\\\1", escaped)


def render_differences(one: str, other: str, differences: list[Difference]) -> Iterator[str]:
    """For a terminal: what many resources have in common, then each that is not alike, with its values in one → the other."""
    stacks, resources = ([each for each in differences if each.is_stack is whole] for whole in (True, False))
    yield f"{len(resources)} resources differ, {one} → {other}"
    for each in stacks:
        yield f"stack {each.stack}, {each.resources} resources  (only in {each.only_in})"
    counts = Counter(change for each in resources for change in each.properties if _is_folded(change))
    shared = {change for change, count in counts.items() if count > 1}
    yield from (f"{_render_property(change)}  ({counts[change]} resources)" for change in sorted(shared))
    for each in resources:
        own = [change for change in each.properties if change not in shared]
        if not own and not each.only_in:
            continue
        only = f"  (only in {each.only_in})" if each.only_in else ""
        yield f"{each.stack} {each.type} {each.name}{only}"
        yield from (f"  {line}" for line in render_properties(own))


def _is_folded(change: PropertyChange) -> bool:
    """Whether it is of a kind that a whole environment tends to have, such as protection."""
    return top_level(change.path) in ("options", "tags")


def render_graph(graph: Graph) -> Iterator[str]:
    """For a terminal: each stack as a tree of its components."""
    for stack in graph.stacks:
        yield f"{stack.name} {stack.region} ({sum(resource.is_aws for resource in stack.resources)} resources)"
        for each in stack.requires:
            yield f"  takes from {each.stack} {each.region}: {', '.join(each.outputs)}"
        children: dict[str | None, list[Resource]] = {}
        for resource in stack.resources:
            children.setdefault(resource.parent, []).append(resource)
        root = next((one.urn for one in children.get(None, []) if one.type == STACK_TYPE), None)
        yield from _render_tree(children, root, 1)
        yield f"  exports {', '.join(stack.outputs) or 'nothing'}"


def _render_tree(children: Mapping[str | None, list[Resource]], parent: str | None, depth: int) -> Iterator[str]:
    for resource in sorted(children.get(parent, []), key=lambda each: (each.name, each.type)):
        yield f"{'  ' * depth}{resource.name}  {resource.type}"
        yield from _render_tree(children, resource.urn, depth + 1)
