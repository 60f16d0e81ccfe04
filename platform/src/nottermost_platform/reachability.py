"""Who reaches whom in a graph: security group rules, who wears the groups, where things stand, where routes lead.

Pure: a graph in, values out. What it says holds on paper; network ACLs are AWS's open defaults here.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_network
from typing import Any, Final

from nottermost_conventions.errors import NottermostError
from nottermost_platform.graph import Graph, Resource
from nottermost_platform.tokens import fill_outputs

ALL: Final = "-1"  # as AWS writes "every protocol"
PORT_MAX: Final = 65535
GROUP_TYPE: Final = "aws:ec2/securityGroup:SecurityGroup"
DEFAULT_GROUP_TYPE: Final = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
INGRESS_TYPE: Final = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS_TYPE: Final = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
OLD_RULE_TYPE: Final = "aws:ec2/securityGroupRule:SecurityGroupRule"
RULE_TYPES: Final = frozenset({INGRESS_TYPE, EGRESS_TYPE, OLD_RULE_TYPE})
SUBNET_TYPE: Final = "aws:ec2/subnet:Subnet"
VPC_TYPE: Final = "aws:ec2/vpc:Vpc"
TABLE_TYPE: Final = "aws:ec2/routeTable:RouteTable"
ROUTE_TYPE: Final = "aws:ec2/route:Route"
ASSOCIATION_TYPE: Final = "aws:ec2/routeTableAssociation:RouteTableAssociation"
ENDPOINT_TYPE: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"
TEMPLATE_TYPE: Final = "aws:ec2/launchTemplate:LaunchTemplate"
# What lends its subnets or groups to whoever names it, and stands nowhere itself.
LENDERS: Final = frozenset(
    [
        TEMPLATE_TYPE,
        "aws:rds/subnetGroup:SubnetGroup",
        "aws:elasticache/subnetGroup:SubnetGroup",
        "aws:dax/subnetGroup:SubnetGroup",
    ]
)
# Whose ids are looked for in inputs.
FOUND: Final = LENDERS | {
    GROUP_TYPE, DEFAULT_GROUP_TYPE, SUBNET_TYPE, VPC_TYPE, TABLE_TYPE,
    "aws:ec2/internetGateway:InternetGateway", "aws:ec2/natGateway:NatGateway", "aws:ec2/vpnGateway:VpnGateway",
}  # fmt: skip
PLUMBING: Final = RULE_TYPES | LENDERS | {GROUP_TYPE, DEFAULT_GROUP_TYPE, SUBNET_TYPE, ASSOCIATION_TYPE}
WAYS: Final = (  # inputs of a route that say where it leads
    "gatewayId", "natGatewayId", "egressOnlyGatewayId", "transitGatewayId", "vpcPeeringConnectionId",
    "networkInterfaceId", "vpcEndpointId", "carrierGatewayId", "localGatewayId", "coreNetworkArn",
)  # fmt: skip


class UnknownValues(NottermostError):
    """A graph of a first preview, in which no id is known."""

    code = "unknown_values"


class Kind(StrEnum):
    """What the other end of a rule is."""

    INTERNET = "internet"
    CIDR = "cidr"
    PREFIX_LIST = "prefix list"
    GROUP = "group"


class Way(StrEnum):
    """Where a route leads."""

    INTERNET = "internet gateway"
    NAT = "NAT"
    OTHER = "other"
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True, order=True)
class Peer:
    """The other end of a rule. `name`: a CIDR, a prefix list's id, a group's URN or, of a strange one, its id."""

    kind: Kind
    name: str

    @property
    def is_public(self) -> bool:
        """Whether somebody outside of private networks is meant."""
        return self.kind is Kind.INTERNET or (self.kind is Kind.CIDR and not ip_network(self.name, False).is_private)


@dataclass(frozen=True, slots=True, order=True)
class Ports:
    """A protocol (`tcp`, `udp`, `icmp`, `-1` for all) with its ports, both ends included; of ICMP, types."""

    protocol: str
    from_port: int
    to_port: int

    def overlap(self, other: "Ports") -> "Ports | None":
        """What both let through."""
        if ALL not in (self.protocol, other.protocol) and self.protocol != other.protocol:
            return None
        protocol = other.protocol if self.protocol == ALL else self.protocol
        first, last = max(self.from_port, other.from_port), min(self.to_port, other.to_port)
        return Ports(protocol, first, last) if first <= last else None

    def __str__(self) -> str:
        if (self.from_port, self.to_port) == (0, PORT_MAX):
            return "all" if self.protocol == ALL else f"{self.protocol} all"
        ports = str(self.from_port) if self.from_port == self.to_port else f"{self.from_port}-{self.to_port}"
        return ports if self.protocol == "tcp" else f"{self.protocol} {ports}"


@dataclass(frozen=True, slots=True, order=True)
class Opening:
    """What one rule opens in one direction. `group`: the URN of the group it belongs to; `rule`: of the declaration."""

    group: str
    inward: bool
    peer: Peer
    ports: Ports
    rule: str


@dataclass(frozen=True, slots=True, order=True)
class Reach:
    """A source that gets through to a group: the group lets it in, and where the source has a group, that lets it out.

    Attributes:
        target: the group's URN.
        rule: the rule that lets in.
        outward: the rule that lets out; empty where the source has no group in the graph.
        wearers: URNs of the resources that wear the target.
        source_wearers: of those that wear the source, where it is a group.
    """

    source: Peer
    target: str
    ports: Ports
    rule: str
    outward: str
    wearers: tuple[str, ...]
    source_wearers: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class RouteOut:
    """One route of a subnet. `to`: URN of the gateway, or its id where the graph does not have it."""

    destination: str
    way: Way
    to: str
    route: str


@dataclass(frozen=True, slots=True, order=True)
class SubnetRoutes:
    """How a subnet leads out. `table`: empty where it uses the VPC's main one, which leads nowhere."""

    subnet: str
    table: str
    outs: tuple[RouteOut, ...]
    endpoints: tuple[str, ...]

    @property
    def way(self) -> Way:
        """Where everything goes that is not in the VPC."""
        ways = [out.way for out in self.outs if out.destination in ("0.0.0.0/0", "::/0")]
        return Way.INTERNET if Way.INTERNET in ways else ways[0] if ways else Way.NOWHERE


@dataclass(frozen=True, slots=True, order=True)
class Exposure:
    """A resource that strangers can connect to: let in by a rule, in a subnet of the internet, with an address there."""

    resource: str
    ports: Ports
    source: Peer
    rule: str


class Lookup:
    """Finds the resources of a graph by the ids that turn up in inputs. Raises: UnknownValues."""

    def __init__(self, graph: Graph) -> None:
        if graph.mode != "known":
            raise UnknownValues("reachability needs ids: capture the graph without --unknown")
        self.resources = {each.urn: each for each in graph.resources()}
        self._by_id = {_id(each): each.urn for each in self.resources.values() if each.type in FOUND}

    def urn(self, text: Any) -> str:
        """The resource of an id; the text itself where it is of none."""
        return self._by_id.get(str(text), str(text))

    def held(self, resource: Resource, kind: str) -> list[str]:
        """URNs of a type whose ids stand in the inputs, its own or those of what it borrows from; in their order."""
        own = [self._by_id[text] for text in _texts(resource.inputs) if text in self._by_id]
        lenders = [urn for urn in own if self.resources[urn].type in LENDERS and self._borrows(resource, urn)]
        lent = [each for urn in lenders for each in self.held(self.resources[urn], kind)]
        return list(dict.fromkeys(urn for urn in (*own, *lent) if self.resources[urn].type == kind))

    def _borrows(self, resource: Resource, lender: str) -> bool:
        """A subnet group may have the name of what stands in it: only the input that is meant for it counts."""
        found = self.resources[lender]
        if resource.type in LENDERS:
            return False
        if found.type == TEMPLATE_TYPE:
            return True
        area = resource.type.split("/")[0]
        names = [value for key, value in resource.inputs.items() if key.lower().endswith("subnetgroupname")]
        return found.type.startswith(f"{area}/") and any(self.urn(name) == lender for name in names)


def _id(resource: Resource) -> str:
    return str(
        fill_outputs(resource.type, resource.urn, resource.inputs, region=resource.region, account="").get("id", "")
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


# --- rules ----------------------------------------------------------------------------------------


def find_openings(graph: Graph) -> list[Opening]:
    """What every rule opens: rules of their own, of the old kind, and those within a group."""
    lookup = Lookup(graph)
    return sorted(opening for resource in graph.resources() for opening in _openings(resource, lookup))


def _openings(resource: Resource, lookup: Lookup) -> Iterator[Opening]:
    rule, inputs = resource.urn, resource.inputs
    if resource.type in (INGRESS_TYPE, EGRESS_TYPE):
        yield from _opened(
            rule, lookup.urn(inputs.get("securityGroupId")), resource.type == INGRESS_TYPE, inputs, lookup
        )
    elif resource.type == OLD_RULE_TYPE:
        inward = inputs.get("type") == "ingress"
        yield from _opened(rule, lookup.urn(inputs.get("securityGroupId")), inward, inputs, lookup)
    elif resource.type in (GROUP_TYPE, DEFAULT_GROUP_TYPE):
        for direction in ("ingress", "egress"):
            for inline in inputs.get(direction) or []:
                yield from _opened(rule, resource.urn, direction == "ingress", inline, lookup)


def _opened(rule: str, group: str, inward: bool, block: Mapping[str, Any], lookup: Lookup) -> Iterator[Opening]:
    for peer in _peers(block, group, lookup):
        yield Opening(group, inward, peer, _ports(block), rule)


def _ports(block: Mapping[str, Any]) -> Ports:
    protocol = str(block.get("ipProtocol", block.get("protocol", ALL)))
    first, last = block.get("fromPort"), block.get("toPort")
    if protocol in (ALL, "all") or first is None or first == -1:
        return Ports(ALL if protocol == "all" else protocol, 0, PORT_MAX)
    return Ports(protocol, int(first), int(first if last is None else last))


def _peers(block: Mapping[str, Any], group: str, lookup: Lookup) -> Iterator[Peer]:
    """The other ends, as each form of a rule names them."""
    for key in ("cidrIpv4", "cidrIpv6", "cidrBlocks", "ipv6CidrBlocks"):
        for cidr in _listed(block.get(key)):
            yield Peer(Kind.INTERNET if ip_network(cidr, False).prefixlen == 0 else Kind.CIDR, cidr)
    for key in ("prefixListId", "prefixListIds"):
        for each in _listed(block.get(key)):
            yield Peer(Kind.PREFIX_LIST, each)
    for key in ("referencedSecurityGroupId", "sourceSecurityGroupId", "securityGroups"):
        for each in _listed(block.get(key)):
            yield Peer(Kind.GROUP, lookup.urn(each))
    if block.get("self"):
        yield Peer(Kind.GROUP, group)


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def find_wearers(graph: Graph) -> dict[str, tuple[str, ...]]:
    """For each security group the URNs of the resources that wear it, through a launch template too."""
    lookup, worn = Lookup(graph), defaultdict(list)
    for resource in graph.resources():
        if resource.is_aws and resource.type not in PLUMBING:
            for group in lookup.held(resource, GROUP_TYPE):
                worn[group].append(resource.urn)
    groups = [each.urn for each in graph.resources() if each.type == GROUP_TYPE]
    return {group: tuple(sorted(worn[group])) for group in groups}


def find_reaches(graph: Graph) -> list[Reach]:
    """Everything that gets through to a security group, with the rules that let it."""
    lookup, wearers = Lookup(graph), find_wearers(graph)
    openings, networks = find_openings(graph), _networks(graph, lookup)
    outward = defaultdict(list)
    for each in openings:
        if not each.inward:
            outward[each.group].append(each)
    found = set()
    for opening in openings:
        if opening.inward:
            for source, ports, rule in _sources(opening, outward, networks):
                worn, worn_by_source = wearers.get(opening.group, ()), wearers.get(source.name, ())
                found.add(Reach(source, opening.group, ports, opening.rule, rule, worn, worn_by_source))
    return sorted(found)


def _networks(graph: Graph, lookup: Lookup) -> dict[str, Resource]:
    """The VPC by the URN of each group in it."""
    groups = [each for each in graph.resources() if each.type in (GROUP_TYPE, DEFAULT_GROUP_TYPE)]
    vpcs = {group.urn: lookup.resources.get(lookup.urn(group.inputs.get("vpcId"))) for group in groups}
    return {group: vpc for group, vpc in vpcs.items() if vpc is not None and "cidrBlock" in vpc.inputs}


def _sources(
    opening: Opening, outward: Mapping[str, list[Opening]], networks: Mapping[str, Resource]
) -> Iterator[tuple[Peer, Ports, str]]:
    """Who really comes in by an opening: with what ports, and let out by which rule."""
    if opening.peer.kind is not Kind.GROUP or opening.peer.name not in networks:
        yield opening.peer, opening.ports, ""
    for group, outs in outward.items():
        if not _admits(opening, group, networks):
            continue
        for out in outs:
            ports = out.ports.overlap(opening.ports)
            if ports and _leads_to(out.peer, opening.group, networks):
                yield Peer(Kind.GROUP, group), ports, out.rule


def _admits(opening: Opening, group: str, networks: Mapping[str, Resource]) -> bool:
    """Whether wearers of a group are meant: it is named, or they have addresses in a named range of the same VPC."""
    if opening.peer.kind is Kind.GROUP:
        return opening.peer.name == group
    vpc = networks.get(group)
    if vpc is None or vpc is not networks.get(opening.group):
        return False
    return opening.peer.kind is Kind.CIDR and _overlap(opening.peer.name, vpc.inputs["cidrBlock"])


def _leads_to(peer: Peer, group: str, networks: Mapping[str, Resource]) -> bool:
    """Whether who may go out to `peer` may go to the wearers of a group."""
    if peer.kind in (Kind.CIDR, Kind.INTERNET):
        return group in networks and _overlap(peer.name, networks[group].inputs["cidrBlock"])
    return peer == Peer(Kind.GROUP, group)


def _overlap(one: str, other: str) -> bool:
    first, second = ip_network(one, False), ip_network(other, False)
    return first.version == second.version and first.overlaps(second)


# --- places and routes ------------------------------------------------------------------------------


def find_places(graph: Graph) -> dict[str, tuple[str, ...]]:
    """For each resource that stands in subnets their URNs, through subnet groups too; none for what has none."""
    lookup = Lookup(graph)
    places = {
        each.urn: tuple(lookup.held(each, SUBNET_TYPE))
        for each in graph.resources()
        if each.is_aws and each.type not in PLUMBING
    }
    return {urn: subnets for urn, subnets in places.items() if subnets}


def find_routes(graph: Graph) -> list[SubnetRoutes]:
    """Where each subnet leads: by its table's routes, inline ones too, and by gateway endpoints."""
    lookup = Lookup(graph)
    outs, tables, endpoints = defaultdict(list), {}, defaultdict(list)
    for each in graph.resources():
        if each.type == ROUTE_TYPE:
            outs[lookup.urn(each.inputs.get("routeTableId"))].append(_route_out(each.urn, each.inputs, lookup))
        elif each.type == TABLE_TYPE:
            outs[each.urn] += [_route_out(each.urn, inline, lookup) for inline in each.inputs.get("routes") or []]
        elif each.type == ASSOCIATION_TYPE:
            tables[lookup.urn(each.inputs.get("subnetId"))] = lookup.urn(each.inputs.get("routeTableId"))
        elif each.type == ENDPOINT_TYPE:
            for table in lookup.held(each, TABLE_TYPE):
                endpoints[table].append(each.urn)
    subnets = sorted(each.urn for each in graph.resources() if each.type == SUBNET_TYPE)
    return [
        SubnetRoutes(subnet, table, tuple(sorted(outs[table])), tuple(sorted(endpoints[table])))
        for subnet, table in ((each, tables.get(each, "")) for each in subnets)
    ]


def _route_out(route: str, block: Mapping[str, Any], lookup: Lookup) -> RouteOut:
    keys = ("destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId", "cidrBlock", "ipv6CidrBlock")
    destination = next((str(block[key]) for key in keys if block.get(key)), "")
    to = next((lookup.urn(block[key]) for key in WAYS if block.get(key)), "")
    return RouteOut(destination, _way(block, to, lookup), to, route)


def _way(block: Mapping[str, Any], to: str, lookup: Lookup) -> Way:
    if block.get("natGatewayId"):
        return Way.NAT
    found = lookup.resources.get(to)
    is_gateway = found.type.endswith(":InternetGateway") if found else to.startswith("igw-")
    return Way.INTERNET if block.get("gatewayId") and is_gateway else Way.OTHER


def find_exposures(graph: Graph) -> list[Exposure]:
    """What strangers can connect to, and on which ports."""
    resources = {each.urn: each for each in graph.resources()}
    places = find_places(graph)
    public = {each.subnet for each in find_routes(graph) if any(out.way is Way.INTERNET for out in each.outs)}
    return sorted(
        Exposure(urn, reach.ports, reach.source, reach.rule)
        for reach in find_reaches(graph)
        if reach.source.is_public
        for urn in reach.wearers
        if public.intersection(places.get(urn, ())) and _is_addressed(resources[urn], _hosts(places[urn], resources))
    )


def _hosts(urns: Iterable[str], resources: Mapping[str, Resource]) -> list[Resource]:
    return [resources[urn] for urn in urns if urn in resources]


def _is_addressed(resource: Resource, subnets: list[Resource]) -> bool:
    """Whether AWS gives it a public address: as it says itself, else as its subnets do."""
    inputs = resource.inputs
    match resource.type.rpartition(":")[2]:
        case "LoadBalancer":
            return not inputs.get("internal")
        case "Service":
            return bool((inputs.get("networkConfiguration") or {}).get("assignPublicIp"))
        case "Instance" if resource.type.startswith("aws:rds/"):
            return bool(inputs.get("publiclyAccessible"))
        case "Cluster" if resource.type.startswith("aws:msk/"):
            return "SERVICE_PROVIDED_EIPS" in _texts(inputs)
        case "VpcEndpoint" | "Domain" | "ReplicationGroup" | "Proxy" | "Function":
            return False  # these have private addresses only, wherever they stand
    said = inputs.get("associatePublicIpAddress")
    return bool(said) if said is not None else any(each.inputs.get("mapPublicIpOnLaunch") for each in subnets)
