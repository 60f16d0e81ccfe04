"""Who reaches whom: rules in both directions, ways out, and what strangers can connect to."""

from typing import Any

import msgspec
import pytest

from nottermost_platform.graph import Graph, Resource
from nottermost_platform.reachability import (
    EGRESS_TYPE,
    GROUP_TYPE,
    INGRESS_TYPE,
    OLD_RULE_TYPE,
    RULE_TYPES,
    Kind,
    Lookup,
    Peer,
    Ports,
    Reach,
    UnknownValues,
    Way,
    find_exposures,
    find_openings,
    find_places,
    find_reaches,
    find_routes,
    find_wearers,
)
from nottermost_platform.testing import find, graph_of, one

ANYWHERE = Peer(Kind.INTERNET, "0.0.0.0/0")
SSH = Ports("tcp", 22, 22)


@pytest.fixture
def prod() -> Graph:
    return graph_of("prod")


def change(graph: Graph, urn: str, **inputs: Any) -> Graph:
    """The graph in which a resource has other inputs; None takes one away."""

    def apply(resource: Resource) -> Resource:
        given = {key: value for key, value in {**resource.inputs, **inputs}.items() if value is not None}
        return msgspec.structs.replace(resource, inputs=given) if resource.urn == urn else resource

    return replace_resources(graph, lambda resources: [apply(each) for each in resources])


def replace_resources(graph: Graph, make: Any) -> Graph:
    stacks = [msgspec.structs.replace(stack, resources=make(stack.resources)) for stack in graph.stacks]
    return msgspec.structs.replace(graph, stacks=stacks)


def without(graph: Graph, urn: str) -> Graph:
    return replace_resources(graph, lambda resources: [each for each in resources if each.urn != urn])


def beside(graph: Graph, like: Resource, **fields: Any) -> Graph:
    """The graph with one more resource beside another, made like it."""
    more = msgspec.structs.replace(like, **fields)
    return replace_resources(graph, lambda them: [*them, more] if any(each.urn == like.urn for each in them) else them)


def group(graph: Graph, name: str) -> str:
    return one(graph, "ec2/securityGroup:SecurityGroup", name).urn


def between(graph: Graph, source: str, target: str) -> list[Reach]:
    """Reaches between two groups by their names."""
    one_end, other = group(graph, source), group(graph, target)
    return [each for each in find_reaches(graph) if (each.source.name, each.target) == (one_end, other)]


def test_every_reach_has_a_rule_and_every_rule_in_use_a_reach(prod: Graph) -> None:
    """Nothing is invented, and nothing that is declared gets lost."""
    rules = {each.urn for each in prod.resources() if each.type in RULE_TYPES}
    reaches = find_reaches(prod)
    assert {each.rule for each in reaches} | {each.outward for each in reaches} - {""} <= rules
    assert {each.rule for each in reaches} == {each.urn for each in prod.resources() if each.type == INGRESS_TYPE}
    assert {each.rule for each in find_openings(prod)} == rules


def test_a_call_needs_both_rules(prod: Graph) -> None:
    """The gateway gets through to ingest; without the rule of either side it does not."""
    (reach,) = between(prod, "gateway-task", "ingest-task")
    assert reach.ports == Ports("tcp", 9001, 9001)
    assert {urn.rpartition("::")[2] for urn in reach.wearers} == {"ingest-blue", "ingest-green"}
    assert {urn.rpartition("::")[2] for urn in reach.source_wearers} == {"gateway-blue", "gateway-green"}
    for rule in (reach.rule, reach.outward):
        assert not between(without(prod, rule), "gateway-task", "ingest-task")


def test_ports_are_those_that_both_sides_let_through(prod: Graph) -> None:
    """A wider rule opens what the other side has: its own port, and 443, on which tasks may go anywhere."""
    (reach,) = between(prod, "gateway-task", "ingest-task")
    wide = change(prod, reach.rule, fromPort=0, toPort=65535)
    assert {str(each.ports) for each in between(wide, "gateway-task", "ingest-task")} == {"443", "9001"}
    everything = change(change(prod, reach.rule, ipProtocol="-1"), reach.outward, ipProtocol="-1")
    assert {str(each.ports) for each in between(everything, "gateway-task", "ingest-task")} == {"443", "all"}


@pytest.mark.parametrize(
    ("one_side", "other", "both"),
    [
        (Ports("tcp", 80, 90), Ports("tcp", 85, 99), Ports("tcp", 85, 90)),
        (Ports("-1", 0, 65535), Ports("udp", 53, 53), Ports("udp", 53, 53)),
        (Ports("tcp", 80, 80), Ports("udp", 80, 80), None),
        (Ports("tcp", 80, 80), Ports("tcp", 81, 81), None),
    ],
)
def test_overlap_of_ports(one_side: Ports, other: Ports, both: Ports | None) -> None:
    """The same from either side."""
    assert one_side.overlap(other) == other.overlap(one_side) == both


def test_who_may_go_out_to_the_range_gets_into_it(prod: Graph) -> None:
    """Interface endpoints let the VPC's range in: so do those in that are let out there, and nobody else."""
    endpoints = group(prod, "main-endpoints")
    sources = {each.source.name for each in find_reaches(prod) if each.target == endpoints}
    assert group(prod, "notifier-task") in sources
    assert group(prod, "main-public") not in sources  # goes out to the services alone


def test_rules_within_a_group_and_of_the_old_kind_count(prod: Graph) -> None:
    """However a port is opened, it is noticed."""
    database = one(prod, "ec2/securityGroup:SecurityGroup", "stores-database")
    inline = [{"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": ["0.0.0.0/0"]}]
    reaches = find_reaches(change(prod, database.urn, ingress=inline))
    assert [(each.source, each.rule) for each in reaches if each.ports == SSH] == [(ANYWHERE, database.urn)]
    old = {"type": "ingress", "protocol": "tcp", "fromPort": 22, "toPort": 22, "ipv6CidrBlocks": ["::/0"],
           "securityGroupId": one(prod, "vpc/securityGroupIngressRule:SecurityGroupIngressRule",
                                  "stores-database-in-clients").inputs["securityGroupId"]}  # fmt: skip
    like = one(prod, "vpc/securityGroupIngressRule:SecurityGroupIngressRule", "stores-database-in-clients")
    reaches = find_reaches(beside(prod, like, urn=f"{like.urn}-old", type=OLD_RULE_TYPE, inputs=old))
    assert [each.source.name for each in reaches if each.ports == SSH] == ["::/0"]


def test_a_group_within_its_own_names_itself(prod: Graph) -> None:
    """`self` means the group; without a rule that lets out it is nothing."""
    database = one(prod, "ec2/securityGroup:SecurityGroup", "stores-database")
    rule = [{"protocol": "tcp", "fromPort": 22, "toPort": 22, "self": True}]
    assert not between(change(prod, database.urn, ingress=rule), "stores-database", "stores-database")
    both = change(prod, database.urn, ingress=rule, egress=rule)
    assert [each.ports for each in between(both, "stores-database", "stores-database")] == [SSH]


def test_strangers_reach_the_load_balancers_alone(prod: Graph) -> None:
    """Of everything, two ports of each region's load balancer."""
    exposed = {(each.resource.rpartition("::")[2], str(each.ports)) for each in find_exposures(prod)}
    assert exposed == {("main", "80"), ("main", "443")}
    assert len(find_exposures(prod)) == 4


def test_an_open_port_in_an_isolated_subnet_exposes_nothing(prod: Graph) -> None:
    """Rule, route and address are needed together."""
    rule = one(prod, "vpc/securityGroupIngressRule:SecurityGroupIngressRule", "stores-database-in-clients")
    opened = change(prod, rule.urn, referencedSecurityGroupId=None, cidrIpv4="0.0.0.0/0")
    assert any(each.rule == rule.urn and each.source == ANYWHERE for each in find_reaches(opened))
    assert find_exposures(opened) == find_exposures(prod)


def test_a_service_with_an_address_in_a_public_subnet_is_exposed(prod: Graph) -> None:
    """Each of the three alone does nothing."""
    service = one(prod, "ecs/service:Service", "gateway-blue")
    rule = one(prod, "vpc/securityGroupIngressRule:SecurityGroupIngressRule", "gateway-from-balancer")
    public = one(prod, "lb/loadBalancer:LoadBalancer", "main").inputs["subnets"]
    opened = change(prod, rule.urn, referencedSecurityGroupId=None, cidrIpv4="0.0.0.0/0")
    for network, exposed in (
        ({"subnets": public}, False),
        ({"assignPublicIp": True}, False),
        ({"subnets": public, "assignPublicIp": True}, True),
    ):
        moved = change(opened, service.urn, networkConfiguration=service.inputs["networkConfiguration"] | network)
        assert (service.urn in {each.resource for each in find_exposures(moved)}) is exposed


def test_wearers_and_places_go_through_templates_and_subnet_groups(prod: Graph) -> None:
    """An instance group wears its launch template's groups; a database stands in its subnet group's subnets."""
    wearers, places = find_wearers(prod), find_places(prod)
    agents = one(prod, "autoscaling/group:Group", "agents-deploy").urn
    assert wearers[group(prod, "agents-deploy")] == (agents,)
    database = one(prod, "rds/instance:Instance", "database").urn
    names = {urn.rpartition("::")[2] for urn in places[database]}
    assert names == {f"main-data-us-east-1{zone}" for zone in "abc"}
    assert all(wearers.values()), "a group that nothing wears"


def test_each_subnet_leads_where_its_tier_says(prod: Graph) -> None:
    """Public to the internet gateway, app through a NAT of its own zone, data nowhere."""
    ways = {"public": Way.INTERNET, "app": Way.NAT, "data": Way.NOWHERE}
    subnets = {each.urn: each for each in prod.resources() if each.type.endswith(":Subnet")}
    places = find_places(prod)
    routes = find_routes(prod)
    assert {each.subnet for each in routes} == set(subnets)
    for each in routes:
        assert each.way is ways[subnets[each.subnet].tags["tier"]]
        assert len(each.endpoints) == 2
        for out in each.outs:
            if out.way is Way.NAT:
                (nat,) = places[out.to]
                zone = subnets[nat].inputs["availabilityZone"]
                assert zone == subnets[each.subnet].inputs["availabilityZone"]


def test_a_route_more_or_less_shows(prod: Graph) -> None:
    """Without its route a public subnet leads nowhere; a data subnet with one leads out."""
    route = one(prod, "ec2/route:Route", "main-public-out")
    assert {each.way for each in find_routes(without(prod, route.urn)) if "us-east-1" in each.subnet} == {
        Way.NAT, Way.NOWHERE,
    }  # fmt: skip
    table = one(prod, "ec2/routeTable:RouteTable", "main-data")
    inline = [{"cidrBlock": "0.0.0.0/0", "gatewayId": route.inputs["gatewayId"]}]
    ways = [each.way for each in find_routes(change(prod, table.urn, routes=inline)) if each.table == table.urn]
    assert ways == [Way.INTERNET] * 3


def test_public_ranges_are_told_from_private_ones() -> None:
    """A range that is not private is as public as all of them."""
    assert ANYWHERE.is_public
    assert Peer(Kind.CIDR, "8.8.8.0/24").is_public
    assert not Peer(Kind.CIDR, "10.30.0.0/16").is_public
    assert not Peer(Kind.GROUP, "sg-1").is_public


def test_a_first_preview_is_no_answer() -> None:
    """Where no id is known, nothing is claimed."""
    with pytest.raises(UnknownValues, match="without --unknown"):
        Lookup(msgspec.structs.replace(graph_of("prod"), mode="unknown"))


def test_a_strange_group_stays_itself(prod: Graph) -> None:
    """A group that no stack declares is named by its id, and taken for somebody who gets in."""
    rule = one(prod, "vpc/securityGroupIngressRule:SecurityGroupIngressRule", "stores-database-in-clients")
    strange = change(prod, rule.urn, referencedSecurityGroupId="sg-0123456789abcdef0")
    reaches = [each for each in find_reaches(strange) if each.rule == rule.urn]
    assert [(each.source, each.outward) for each in reaches] == [(Peer(Kind.GROUP, "sg-0123456789abcdef0"), "")]


def test_all_groups_and_rules_are_known_types(prod: Graph) -> None:
    """A type of rule that this file does not read would open doors unseen."""
    types = {each.type for each in prod.resources() if "ecurityGroup" in each.type}
    assert types <= {
        GROUP_TYPE,
        INGRESS_TYPE,
        EGRESS_TYPE,
        OLD_RULE_TYPE,
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
    }
    assert find(prod, "ec2/securityGroup:SecurityGroup")
