"""One picture a stack: what it is built of, with every resource counted; and all stacks on one page."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from nottermost_platform.capture import STACK_TYPE
from nottermost_platform.catalog import stack_module
from nottermost_platform.diagrams.drawing import (
    OUTSIDE,
    PLAIN,
    PRIVATE,
    SMALL,
    Paint,
    Picture,
    Swatch,
    card,
    cell,
    digraph,
    edge,
    font,
    heading_row,
    lines_of,
    node,
    row,
    table,
    wrapped,
)
from nottermost_platform.diagrams.words import (
    PROVIDER,
    call,
    joined,
    legend_of,
    paint_of_kind,
    plural,
    rank_of,
    region_suffix,
    word_of,
)
from nottermost_platform.graph import Graph, Resource, StackGraph
from nottermost_platform.naming import PRIMARY

CHARS: Final = 30
NAMES_MAX: Final = 12  # of components of a kind; more are counted
KINDS_MIN: Final = 3  # a stack of fewer kinds of components shows what is within those
ARROWS_MAX: Final = 4  # into one box; more are said in the boxes they come from
COLUMNS: Final = 3
OTHER_STACK: Final = Swatch(OUTSIDE, "another stack: outputs taken of it", dashed=True)


def draw_stacks(graph: Graph) -> list[Picture]:
    """The overview, and each stack: of the standby's only those that are not built like the primary's."""
    found = [draw_overview(graph)]
    for stack in sorted(graph.stacks, key=lambda each: (each.name, each.region != PRIMARY)):
        primary = next((each for each in graph.stacks if each.name == stack.name and each.region == PRIMARY), stack)
        if stack is primary or _shape(stack) != _shape(primary):
            found.append(StackPicture(graph, stack).picture())
    return found


def _shape(stack: StackGraph) -> Counter[tuple[str, str]]:
    return Counter((each.type, each.name.replace(stack.region, "")) for each in stack.resources if each.is_aws)


# --- all stacks -----------------------------------------------------------------------------------


def draw_overview(graph: Graph) -> Picture:
    """Every stack with what it holds, and which takes outputs of which."""
    total = sum(each.is_aws for each in graph.resources())
    regions = list(dict.fromkeys(each.region for each in sorted(graph.stacks, key=lambda each: each.region != PRIMARY)))
    return Picture(
        name="overview",
        title=f"The stacks of {graph.env}",
        caption=(
            f"{total} resources of AWS in {joined(regions)}. A stack stands to the right of those whose outputs it takes;"
            " where another path leads there too, the arrow is left out."
        ),
        legend=(Swatch(PRIVATE, f"in {PRIMARY} alone"), Swatch(PLAIN, "in each region")) if len(regions) > 1 else (),
        source=digraph(_overview(graph, regions), rankdir="LR", nodesep=0.2, ranksep=0.3),
    )


def _overview(graph: Graph, regions: list[str]) -> Iterator[str]:
    needs: dict[str, set[str]] = defaultdict(set)
    for stack in graph.stacks:
        needs[stack.name] |= {each.stack for each in stack.requires} - {stack.name}  # the standby takes of its primary
    for name in sorted(needs):
        here = [each for each in graph.stacks if each.name == name]
        counts = {each.region: sum(it.is_aws for it in each.resources) for each in here}
        lines = [_holds(name), *(f"{counts[region]} in {region}" for region in regions if region in counts)]
        paint = PLAIN if len(here) > 1 or len(regions) == 1 else PRIVATE
        yield node(name, card(name, lines, paint, chars=25))
        for other in sorted(needs[name]):
            if not any(other in _all_needs(each, needs) for each in needs[name] - {other}):
                yield edge(other, name)


def _all_needs(name: str, needs: dict[str, set[str]]) -> set[str]:
    found = set(needs.get(name, ()))
    return found | {deeper for each in found for deeper in _all_needs(each, needs)}


def _holds(name: str) -> str:
    """The first sentence of the program's docstring, without the stack's name."""
    said = (stack_module(name).__doc__ or "").strip().splitlines()[0].split(". ")[0].rstrip(".")
    said = said.partition(": ")[2] or said
    return said[:1].upper() + said[1:]


# --- one stack --------------------------------------------------------------------------------------


class StackPicture:
    """One stack on paper: components of a kind are one box, resources of a type one line of it.

    Attributes:
        boxes: the URNs in each box, by the kind of its components; what hangs on no component has a box of its own.
    """

    def __init__(self, graph: Graph, stack: StackGraph) -> None:
        self.graph, self.stack = graph, stack
        self.resources = {each.urn: each for each in stack.resources}
        self.stack_of = {each.urn: other for other in graph.stacks for each in other.resources}
        self.owners = {urn: self._owner(urn, outermost=True) for urn in self.resources}
        if len({each.type for each in self._owners()}) < KINDS_MIN:
            self.owners = {urn: self._owner(urn, outermost=False) for urn in self.resources}
        self.kinds = Counter(each.type for each in self._owners())
        self.box_of = {urn: self._box(urn) for urn, resource in self.resources.items() if resource.is_aws}
        self.boxes: dict[str, list[str]] = defaultdict(list)
        for urn, box in sorted(self.box_of.items()):
            self.boxes[box].append(urn)

    def _owner(self, urn: str, *, outermost: bool) -> Resource:
        """The component that a resource belongs to, itself where there is none."""
        found = resource = self.resources[urn]
        while (resource := self.resources.get(resource.parent or "", resource)) is not found:
            if resource.type == STACK_TYPE:
                return found
            found = resource
            if resource.type.startswith("nottermost:") and not outermost:
                return found
        return found

    def _owners(self) -> list[Resource]:
        urns = {self.owners[urn].urn for urn, resource in self.resources.items() if resource.is_aws}
        return [self.resources[urn] for urn in sorted(urns)]

    def _box(self, urn: str) -> str:
        """Components of a kind share a box."""
        owner = self.owners[urn]
        kind = owner.type.removeprefix("nottermost:")
        return kind if self.kinds[owner.type] > 1 else f"{kind} {owner.name}"

    def picture(self) -> Picture:
        aws = [each for each in self.stack.resources if each.is_aws]
        others = Counter(_pulumi_word(each) for each in self.stack.resources if not each.is_aws)
        rest = ", ".join(f"{count} {word if count == 1 else plural(word)}" for word, count in sorted(others.items()))
        where = self._where()
        return Picture(
            name=f"stack-{self.stack.name}{region_suffix(self.stack.region)}",
            title=f"Stack {self.stack.name} of {self.graph.env} {where}",
            caption=(
                f"{len(self.stack.resources)} resources: {len(aws)} of AWS, all counted in the boxes; besides, {rest}."
                " An arrow leads from what is needed to who needs it."
            ),
            legend=(*legend_of(map(_paint, self.boxes)), *([OTHER_STACK] if self.stack.requires else [])),
            source=digraph(self._body(), rankdir="LR", nodesep=0.16, ranksep=0.5),
        )

    def _where(self) -> str:
        """The regions that it stands in like this."""
        others = [each for each in self.graph.stacks if each.name == self.stack.name and each is not self.stack]
        same = [each.region for each in others if _shape(each) == _shape(self.stack)]
        return f"in {joined([self.stack.region, *same])}"

    def _body(self) -> Iterator[str]:
        arrows = self._arrows()
        targets = Counter(source for source, _ in arrows)
        crowded = {source for source, count in targets.items() if count > ARROWS_MAX}
        said: dict[str, list[str]] = defaultdict(list)
        for source, target in sorted(arrows):
            if source in crowded:
                said[target].append(self._called(source))
        for box in self.boxes:
            yield node(box, self._label(box, said[box]))
        for other in sorted({source for source, _ in arrows} - set(self.boxes)):
            yield node(other, self._label_other(other, targets[other] if other in crowded else 0))
        drawn = [(source, target) for source, target in sorted(arrows) if source not in crowded]
        for source, target in drawn:
            yield edge(source, target, style="dashed" if source not in self.boxes else "")
        yield from self._columns({end for pair in drawn for end in pair}, crowded)

    def _columns(self, placed: set[str], crowded: set[str]) -> Iterator[str]:
        """Boxes without arrows, in columns: below each other they would make a tower."""
        free = [box for box in (*sorted(crowded), *self.boxes) if box not in placed]
        free = list(dict.fromkeys(free))
        for place in range(0, len(free), COLUMNS):
            line = free[place : place + COLUMNS]
            for one, other in itertools.pairwise(line):
                yield edge(one, other, style="invis")

    def _arrows(self) -> set[tuple[str, str]]:
        """(what is needed, who needs it), boxes and other stacks."""
        found = set()
        for urn, box in self.box_of.items():
            resource = self.resources[urn]
            for needed in {
                *resource.dependencies,
                *(each for deps in resource.property_dependencies.values() for each in deps),
            }:
                if self.box_of.get(needed, box) != box:
                    found.add((self.box_of[needed], box))
        for each in self.graph.references:
            if each.from_ in self.box_of and each.to in self.stack_of:
                found.add((self._other(self.stack_of[each.to]), self.box_of[each.from_]))
        return {(one, other) for one, other in found if (other, one) not in found or one < other}

    def _other(self, stack: StackGraph) -> str:
        return f"stack {stack.name}" + (f" in {stack.region}" if stack.region != self.stack.region else "")

    def _called(self, box: str) -> str:
        """Short, for `needs …`."""
        return box.rpartition(":")[2].partition(" ")[0] if box in self.boxes else box

    def _label(self, box: str, needs: list[str]) -> str:
        inside = [self.resources[urn] for urn in self.boxes[box]]
        names = sorted({self.owners[each.urn].name for each in inside})
        paint = _paint(box)
        rows = [heading_row(_heading(box, names), CHARS)]
        if 1 < len(names) <= NAMES_MAX:
            rows.append(row(cell("<BR/>".join(font(part, size=SMALL) for part in wrapped(joined(names), CHARS)))))
        lines = [f"{count} {word if count == 1 else plural(word)}" for word, count in count_words(inside)]
        if needs:
            lines.append(f"needs {joined(needs)}")
        parts = [part for line in lines for part in wrapped(line, CHARS)]
        rows.append(row(cell(lines_of(parts), ALIGN="LEFT", BALIGN="LEFT")))
        return table(rows, BORDER=1.2, CELLPADDING=3, BGCOLOR=paint.fill, COLOR=paint.border, STYLE="ROUNDED")

    def _label_other(self, name: str, users: int) -> str:
        """Another stack: which of its outputs are taken."""
        required = {
            f"stack {each.stack}" + (f" in {each.region}" if each.region != self.stack.region else ""): each.outputs
            for each in self.stack.requires
        }
        outputs = required.get(name, [])
        lines = (
            [", ".join(outputs[:6]) + (f", and {len(outputs) - 6} more" if len(outputs) > 6 else "")] if outputs else []
        )
        if users:
            lines.append(f"needed by {users} of {len(self.boxes)} boxes")
        return card(name, lines, OUTSIDE, chars=CHARS, dashed=True)


def count_words(resources: list[Resource]) -> list[tuple[str, int]]:
    """How many there are of what, what runs code first; types of one word are counted together."""
    counts = Counter(word_of(each.type) for each in resources)
    ranks = {word_of(each.type): rank_of(each.type) for each in resources}
    return sorted(counts.items(), key=lambda item: (ranks[item[0]], -item[1], item[0]))


def _heading(box: str, names: list[str]) -> str:
    """`9 × Service`; of one, its kind and its name, unless they say the same."""
    kind = box.partition(" ")[0].rpartition(":")[2]
    if len(names) > 1:
        return f"{len(names)} × {kind}"
    return kind if names[0].lower() in (kind.lower(), "main") else f"{kind} {names[0]}"


def _paint(box: str) -> Paint:
    return paint_of_kind(box.partition(" ")[0])


def _pulumi_word(resource: Resource) -> str:
    """What a resource is that is not of AWS."""
    if resource.type.startswith("nottermost:"):
        return "component"
    return "provider" if resource.type == PROVIDER else call(resource.type)
