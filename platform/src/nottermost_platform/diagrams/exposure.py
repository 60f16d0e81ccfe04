"""Security reachability: who gets through to whom on which port, from the internet to the stores."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from nottermost_platform.diagrams.drawing import (
    ISOLATED,
    OUTSIDE,
    PRIVATE,
    PUBLIC,
    SAFETY,
    TRAFFIC,
    Picture,
    Swatch,
    card,
    cluster,
    digraph,
    edge,
    node,
)
from nottermost_platform.diagrams.words import call, component_name, joined, paint_of, region_suffix, resources_of
from nottermost_platform.graph import Graph, Resource
from nottermost_platform.naming import PRIMARY
from nottermost_platform.reachability import (
    ENDPOINT_TYPE,
    GROUP_TYPE,
    Kind,
    Way,
    find_openings,
    find_places,
    find_reaches,
    find_routes,
    find_wearers,
)

TOGETHER_MIN: Final = 5  # so many sources of one port are one box
INTERNET: Final = "internet"
OUT: Final = "internet, out only"
CDN: Final = "aws:cloudfront/distribution:Distribution"
FIREWALL: Final = "aws:wafv2/webAcl:WebAcl"
BUCKET: Final = "aws:s3/bucket:Bucket"
RECORD: Final = "aws:route53/record:Record"
BANDS: Final = {
    Way.INTERNET: ("Public subnets", PUBLIC), Way.NAT: ("Private subnets", PRIVATE),
    Way.NOWHERE: ("Isolated subnets", ISOLATED), Way.OTHER: ("Other subnets", OUTSIDE),
}  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class Arrow:
    """One arrow: `source` and `target` name boxes. `rules`: the URNs of all that make it true."""

    source: str
    target: str
    ports: tuple[str, ...]
    rules: tuple[str, ...]


def draw_exposure(graph: Graph) -> list[Picture]:
    """A picture of each region that has security groups."""
    regions = sorted(
        {each.region for each in graph.resources() if each.type == GROUP_TYPE}, key=lambda it: it != PRIMARY
    )
    return [Exposure(graph, region).picture() for region in regions]


class Exposure:
    """One region's security groups on paper: those with the same wearers are one box.

    Attributes:
        boxes: the groups of each box, by its name; several sources of one target stand in a box of their own, too.
        arrows: what is drawn.
    """

    def __init__(self, graph: Graph, region: str) -> None:
        self.graph, self.region, self.resources = graph, region, resources_of(graph)
        self.places, self.wearers = find_places(graph), find_wearers(graph)
        self.ways = {each.subnet: each.way for each in find_routes(graph)}
        self.groups = sorted(urn for urn in self.wearers if self.resources[urn].region == region)
        self.boxes = self._boxes()
        self.together: dict[str, list[str]] = {}
        self.arrows = sorted(self._arrows())

    def _boxes(self) -> dict[str, list[str]]:
        found: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for group in self.groups:
            found[self.wearers[group] or (group,)].append(group)
        return {groups[0]: groups for groups in found.values()}

    def _arrows(self) -> Iterator[Arrow]:
        box_of = {group: box for box, groups in self.boxes.items() for group in groups}
        found: dict[tuple[str, str], list[tuple[str, tuple[str, ...]]]] = defaultdict(list)
        by_port: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for source, target, ports, rules in self._pairs():
            by_port[box_of.get(target, target), ports][box_of.get(source, source)].update(rules)
        for (target, ports), sources in by_port.items():
            if len(sources) >= TOGETHER_MIN:
                rules = tuple(sorted({rule for each in sources.values() for rule in each}))
                found[self._box_together(sorted(sources)), target].append((ports, rules))
            else:
                for source, each in sources.items():
                    found[source, target].append((ports, tuple(each)))
        for (source, target), said in found.items():
            rules = tuple(sorted({rule for _, each in said for rule in each}))
            yield Arrow(source, target, tuple(sorted({ports for ports, _ in said}, key=_by_number)), rules)

    def _pairs(self) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
        """(source, target, ports, rules): what gets in, and what gets out to the internet."""
        reaches = [each for each in find_reaches(self.graph) if each.target in self.groups]
        narrowed = {each.rule for each in reaches if each.source_wearers}
        for each in reaches:
            # Of a range within the VPC, those stand for it who are let out to it.
            if each.source.kind is not Kind.CIDR or each.rule not in narrowed:
                source = INTERNET if each.source.kind is Kind.INTERNET else each.source.name
                yield source, each.target, str(each.ports), tuple(filter(None, (each.rule, each.outward)))
        for out in find_openings(self.graph):
            if out.group in self.groups and not out.inward and out.peer.kind is Kind.INTERNET:
                yield out.group, OUT, str(out.ports), (out.rule,)

    def _box_together(self, sources: list[str]) -> str:
        name = "all of " + joined(sources)
        self.together[name] = sources
        return name

    # --- on paper -------------------------------------------------------------------------------

    def picture(self) -> Picture:
        return Picture(
            name=f"reachability{region_suffix(self.region)}",
            title=f"Who reaches whom in {self.graph.env}, {self.region}",
            caption=(
                "An arrow is a port (TCP) that the target's security group lets in and the source's lets out. What no"
                " arrow points to takes no connections. Each box wears security groups of its own."
            ),
            legend=(
                Swatch(PUBLIC, "public subnets"),
                Swatch(PRIVATE, "private, out through NAT"),
                Swatch(ISOLATED, "isolated, no way out"),
                Swatch(OUTSIDE, "several boxes as one", dashed=True),
            ),
            source=digraph(self._body(), rankdir="TB", nodesep=0.16, ranksep=0.42),
        )

    def _body(self) -> Iterator[str]:
        yield node(INTERNET, card("Internet", [], OUTSIDE))
        yield from self._bands()
        yield from self._edge_of_aws()
        for name in sorted({each.source for each in self.arrows} - {INTERNET, *self.boxes, *self.together}):
            yield node(name, card(name, [], OUTSIDE))
        if any(each.target == OUT for each in self.arrows):
            yield node(OUT, card("Internet", ["out only"], OUTSIDE))
        for arrow in self.arrows:
            yield edge(arrow.source, arrow.target, ", ".join(arrow.ports), comment="; ".join(arrow.rules))
        yield from self._order()

    def _bands(self) -> Iterator[str]:
        """Boxes by the subnets of their wearers; several as one stand where theirs do."""
        bands: dict[Way, list[str]] = defaultdict(list)
        for box in self.boxes:
            if box not in self._unreached():
                bands[self._way(box)].append(node(box, self._label(box)))
        for name, boxes in self._unreached_by_way().items():
            bands[self._way(boxes[0])].append(node(name, self._label_several(boxes, "no way in")))
        for name, sources in self.together.items():
            bands[self._way(sources[0])].append(node(name, self._label_several(sources, "all of these")))
        for way, (title, paint) in BANDS.items():
            if bands[way]:
                shown = title if len(bands[way]) > 1 else ""  # one box is too narrow for title and arrows
                yield from cluster(way.name.lower(), shown, paint, bands[way], below=way is Way.NOWHERE)

    def _unreached(self) -> list[str]:
        """Boxes that nobody reaches, and that have arrows only as one of several."""
        ends = {each.target for each in self.arrows} | {each.source for each in self.arrows}
        return [box for box in self.boxes if box not in ends]

    def _unreached_by_way(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for box in self._unreached():
            found[f"unreached {self._way(box)}"].append(box)
        return found

    def _order(self) -> Iterator[str]:
        """Invisible arrows: from the internet down, and who is one of several above the several."""
        unreached = {box: name for name, boxes in self._unreached_by_way().items() for box in boxes}
        for name in sorted(set(unreached.values())):
            for box in self.boxes:
                if self._way(box) is Way.INTERNET:
                    yield edge(box, name, style="invis")
        pairs = {(unreached.get(each, each), name) for name, sources in self.together.items() for each in sources}
        for box in self.boxes:
            wider = [each for each in self.boxes if set(self._worn(box)) < set(self._worn(each))]
            pairs |= {(unreached.get(box, box), each) for each in wider if self._way(each) is self._way(box)}
        for one, other in sorted(pairs):
            yield edge(one, other, style="invis", weight=0)

    def _worn(self, box: str) -> tuple[str, ...]:
        return self.wearers.get(box, ())

    def _way(self, box: str) -> Way:
        """The subnets that most of its wearers stand in."""
        ways = [self.ways[subnet] for urn in self._worn(box) for subnet in self.places.get(urn, ())]
        return max(BANDS, key=ways.count) if ways else Way.OTHER

    def _names(self, box: str) -> list[str]:
        return list(dict.fromkeys(component_name(self.resources[urn], self.resources) for urn in self._worn(box)))

    def _label(self, box: str) -> str:
        """What wears it, by type."""
        types = {self.resources[urn].type: self.resources[urn] for urn in self._worn(box)}
        if not types:
            return card(self.resources[box].name, ["worn by nothing"], OUTSIDE, chars=20)
        if len(types) > 1:
            lines = [self._count(box, type_) for type_ in types]
            return card(f"who wears {self.resources[box].name}", lines, SAFETY, chars=40)
        type_ = next(iter(types))
        names = self._names(box)
        if len(names) == 1 and type_ != ENDPOINT_TYPE:
            return card(names[0], [call(type_)], paint_of(type_), chars=20)
        return card(call(type_, len(self._worn(box))).replace("VPC", "interface"), [], paint_of(type_), chars=20)

    def _count(self, box: str, type_: str) -> str:
        worn = [self.resources[urn] for urn in self._worn(box) if self.resources[urn].type == type_]
        return call(type_, len({component_name(each, self.resources) for each in worn}))

    def _label_several(self, boxes: list[str], heading: str) -> str:
        names = joined(name for box in boxes for name in self._names(box) or [self.resources[box].name])
        return card(heading, [names], OUTSIDE, chars=34, dashed=True)

    def _edge_of_aws(self) -> Iterator[str]:
        """CloudFront before the load balancer and the buckets, with the firewall that each has."""
        for cdn in self.resources.values():
            if cdn.type != CDN or self.region != PRIMARY:
                continue
            yield node(cdn.urn, card("CloudFront", ["web firewall"] if cdn.inputs.get("webAclId") else [], TRAFFIC))
            yield edge(INTERNET, cdn.urn, "443")
            for target in self._origins(cdn):
                if target.type == BUCKET:
                    yield node(
                        target.urn, card(target.name, ["bucket, signed by CloudFront only"], paint_of(BUCKET), chars=20)
                    )
                    yield edge(cdn.urn, target.urn, "443")
                else:
                    for box in self.boxes:
                        if target.urn in self._worn(box):
                            yield edge(cdn.urn, box, "443")

    def _origins(self, cdn: Resource) -> list[Resource]:
        """Buckets that it reads, and the load balancer that the name of its other origin leads to."""
        referred = {each.to for each in self.graph.references if each.from_ == cdn.urn} | set(cdn.dependencies)
        buckets = [each for each in self.resources.values() if each.urn in referred and each.type == BUCKET]
        hosts = {str(each.get("domainName")) for each in cdn.inputs.get("origins", [])}
        records = [each for each in self.resources.values() if each.type == RECORD and each.inputs.get("name") in hosts]
        balancers = {urn for record in records for urn in record.property_dependencies.get("aliases", [])}
        found = buckets + [self.resources[urn] for urn in balancers if self.resources[urn].type.startswith("aws:lb/")]
        return sorted((each for each in found if each.region == self.region), key=lambda each: each.urn)


def _by_number(ports: str) -> tuple[int, str]:
    digits = "".join(each for each in ports.partition("-")[0] if each.isdigit())
    return int(digits or 0), ports
