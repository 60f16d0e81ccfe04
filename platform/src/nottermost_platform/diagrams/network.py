"""The network of a region: zones as columns, tiers as bands, what stands where, and the ways out."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from nottermost_platform.diagrams.drawing import (
    ISOLATED,
    OUTSIDE,
    PRIVATE,
    PUBLIC,
    QUIET,
    SMALL,
    TRAFFIC,
    Picture,
    Swatch,
    card,
    cell,
    digraph,
    edge,
    font,
    node,
    row,
    table,
)
from nottermost_platform.diagrams.words import (
    call,
    component_name,
    detail,
    joined,
    paint_of,
    rank_of,
    region_suffix,
    resources_of,
)
from nottermost_platform.graph import Graph, Resource
from nottermost_platform.naming import PRIMARY
from nottermost_platform.reachability import SUBNET_TYPE, VPC_TYPE, SubnetRoutes, Way, find_places, find_routes

WAYS: Final = {Way.INTERNET: PUBLIC, Way.NAT: PRIVATE, Way.NOWHERE: ISOLATED, Way.OTHER: OUTSIDE}
ORDER: Final = (Way.INTERNET, Way.NAT, Way.OTHER, Way.NOWHERE)
ZONE_CHARS: Final = 31
ZONE_WIDTH: Final = 210  # points
GATEWAY: Final = "aws:ec2/internetGateway:InternetGateway"
NAT: Final = "aws:ec2/natGateway:NatGateway"
ENDPOINT: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"
SERVICE: Final = "aws:ecs/service:Service"
Tier = tuple[str, list[Resource]]


def draw_networks(graph: Graph) -> list[Picture]:
    """A picture of each VPC."""
    resources = resources_of(graph)
    places, routes = find_places(graph), {each.subnet: each for each in find_routes(graph)}
    vpcs = sorted(
        (each for each in resources.values() if each.type == VPC_TYPE), key=lambda each: each.region != PRIMARY
    )
    return [_Network(graph, vpc, resources, places, routes).picture() for vpc in vpcs]


class _Network:
    """One VPC on paper."""

    def __init__(
        self,
        graph: Graph,
        vpc: Resource,
        resources: dict[str, Resource],
        places: dict[str, tuple[str, ...]],
        routes: dict[str, SubnetRoutes],
    ) -> None:
        self.graph, self.vpc, self.resources, self.places, self.routes = graph, vpc, resources, places, routes
        self.subnets = [
            each for each in resources.values() if each.type == SUBNET_TYPE and vpc.urn in _depends(each, "vpcId")
        ]
        self.zones = sorted({str(each.inputs["availabilityZone"]) for each in self.subnets})

    def picture(self) -> Picture:
        region = self.vpc.region
        return Picture(
            name=f"network{region_suffix(region)}",
            title=f"Network of {self.graph.env} in {region}",
            caption=(
                f"VPC {self.vpc.inputs['cidrBlock']} in {len(self.zones)} availability zones (columns) and"
                f" {len(self.tiers())} tiers (bands): what stands in each subnet, and how it leads out."
            ),
            legend=(
                Swatch(PUBLIC, "public: routes to the internet gateway"),
                Swatch(PRIVATE, "private: out through NAT only"),
                Swatch(ISOLATED, "isolated: no way out"),
            ),
            source=digraph(self._body(), rankdir="TB", nodesep=0.25, ranksep=0.3),
        )

    def tiers(self) -> list[Tier]:
        """Subnets by tier, those that lead furthest first."""
        found: dict[str, list[Resource]] = defaultdict(list)
        for subnet in self.subnets:
            found[subnet.tags.get("tier", "other")].append(subnet)
        return sorted(found.items(), key=lambda tier: (ORDER.index(self._way(tier[1])), tier[0]))

    def _way(self, subnets: Iterable[Resource]) -> Way:
        return min((self.routes[each.urn].way for each in subnets), key=ORDER.index)

    def _body(self) -> Iterator[str]:
        tiers = self.tiers()
        rows = [row(*(cell(font(zone, bold=True), WIDTH=ZONE_WIDTH) for zone in self.zones))]
        for tier, subnets in tiers:
            rows.append(row(cell(self._band(tier, subnets), COLSPAN=len(self.zones), PORT=tier)))
        heading = font(f"VPC {self.vpc.inputs['cidrBlock']}", size=11, bold=True)
        frame = [row(cell(heading, COLSPAN=len(self.zones))), *rows]
        yield node("vpc", table(frame, BORDER=1.5, COLOR="#475569", BGCOLOR="#f8fafc", CELLSPACING=4, STYLE="ROUNDED"))
        yield from self._ways_out(tiers)

    def _ways_out(self, tiers: list[Tier]) -> Iterator[str]:
        gateways = {
            out.to for subnet in self.subnets for out in self.routes[subnet.urn].outs if out.way is Way.INTERNET
        }
        if gateways:
            yield node("internet", card("Internet", [], OUTSIDE))
        for urn in sorted(gateways):
            yield node(urn, card("Internet gateway", [], TRAFFIC))
            yield edge("internet", urn, dir="both")
            yield edge(urn, "vpc|n", dir="both")
        endpoints = sorted({urn for subnet in self.subnets for urn in self.routes[subnet.urn].endpoints})
        if endpoints:
            services = joined(_service(self.resources[urn]) for urn in endpoints)
            reached = [tier for tier, subnets in tiers if any(self.routes[each.urn].endpoints for each in subnets)]
            text = f"from {joined(reached)} subnets, without leaving AWS"
            yield node("endpoints", card(f"Gateway endpoints: {services}", [text], TRAFFIC, chars=60))
            yield edge("vpc|s", "endpoints", dir="both")

    def _band(self, tier: str, subnets: list[Resource]) -> str:
        """One tier: a column a zone, then what stands in all of them."""
        paint = WAYS[self._way(subnets)]
        columns = [[each for each in subnets if each.inputs["availabilityZone"] == zone] for zone in self.zones]
        rows = [row(*(cell(self._zone(tier, column), VALIGN="TOP", WIDTH=ZONE_WIDTH) for column in columns))]
        spread = self._spread(subnets)
        rows += [row(cell(table([row(*each)], CELLSPACING=4), COLSPAN=len(columns))) for each in spread]
        return table(rows, BGCOLOR=paint.fill, BORDER=1.2, COLOR=paint.border, STYLE="ROUNDED", CELLSPACING=3)

    def _zone(self, tier: str, column: list[Resource]) -> str:
        """The subnets of a tier in a zone: addresses, the way out, and what stands here alone."""
        rows = []
        for subnet in column:
            rows.append(row(cell(font(f"{tier} {subnet.inputs['cidrBlock']}", bold=True))))
            rows.append(row(cell(font(self._way_text(subnet), size=SMALL, color=QUIET))))
            rows += [row(cell(_thing(*each))) for each in self._things([subnet])]
        return table(rows, BORDER=1, BGCOLOR="#ffffff", COLOR="#94a3b8", STYLE="ROUNDED") if rows else font("")

    def _way_text(self, subnet: Resource) -> str:
        routes = self.routes[subnet.urn]
        match routes.way:
            case Way.INTERNET:
                return "⇅ internet gateway"
            case Way.NAT:
                nat = self.resources[next(out.to for out in routes.outs if out.way is Way.NAT)]
                zones = [str(self.resources[each].inputs["availabilityZone"]) for each in self.places.get(nat.urn, ())]
                return f"↑ out through NAT in {joined(zones)}"
            case Way.OTHER:
                return f"→ {routes.outs[0].to}"
        return "no way out"

    def _things(self, subnets: list[Resource]) -> list[tuple[str, list[Resource]]]:
        """What stands in exactly these subnets, by type."""
        exactly = {each.urn for each in subnets}
        found: dict[str, list[Resource]] = defaultdict(list)
        for urn, places in self.places.items():
            if set(places) == exactly:
                found[self.resources[urn].type].append(self.resources[urn])
        return sorted(found.items(), key=lambda each: (rank_of(each[0]), each[0]))

    def _spread(self, subnets: list[Resource]) -> list[list[str]]:
        """Rows of what stands in several subnets of a tier."""
        cells = []
        sets = {frozenset(places) for places in self.places.values() if len(places) > 1}
        mine = {each.urn: each for each in subnets}
        for places in sorted(sets, key=lambda each: (-len(each), sorted(each))):
            if places <= set(mine):
                here = [mine[urn] for urn in sorted(places)]
                for type_, things in self._things(here):
                    zones = (
                        ""
                        if len(here) == len(subnets)
                        else joined(str(each.inputs["availabilityZone"]) for each in here)
                    )
                    cells.append((type_, things, zones))
        width = 2 if len(cells) in (2, 4) else 3
        drawn = [cell(self._group(*each, chars=108 // width)) for each in cells]
        return [drawn[at : at + width] for at in range(0, len(drawn), width)]

    def _group(self, type_: str, things: list[Resource], zones: str, *, chars: int) -> str:
        """What stands in several subnets, of one type: how many, their names, what they are, and where unless everywhere."""
        names = list(dict.fromkeys(component_name(each, self.resources) for each in things))
        heading = call(type_, len(names) if type_ == SERVICE else len(things))
        heading = heading.replace("VPC", "interface") if type_ == ENDPOINT else heading
        lines = [joined(_service(each) for each in things) if type_ == ENDPOINT else joined(names)]
        lines += dict.fromkeys(filter(None, (detail(each) for each in things)))
        if type_ == SERVICE and len(things) > len(names):
            lines.append("each in two colours, blue and green")
        if zones:
            lines.append(f"in {zones}")
        return card(heading[:1].upper() + heading[1:], lines, paint_of(type_), chars=chars)


def _thing(type_: str, things: list[Resource]) -> str:
    names = [] if type_ == NAT else [joined(each.name for each in things)]
    return card(call(type_, len(things)), names, paint_of(type_), chars=ZONE_CHARS)


def _service(endpoint: Resource) -> str:
    """`dynamodb` of `com.amazonaws.us-east-1.dynamodb`."""
    return str(endpoint.inputs.get("serviceName", endpoint.name)).split(".", 3)[-1]


def _depends(resource: Resource, name: str) -> list[str]:
    return resource.property_dependencies.get(name, [])
