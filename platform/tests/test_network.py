"""The network: its controls, its addresses, and what a further zone changes."""

import json
from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Any

import pytest

from nottermost_platform.components.network import GATEWAY_ENDPOINTS, INTERFACE_ENDPOINTS, plan_subnets
from nottermost_platform.graph import Graph, Resource, load_environment
from nottermost_platform.replacements import replaces
from nottermost_platform.settings import Place, SettingsError, load
from nottermost_platform.stacks.network import LAYERS, Settings
from nottermost_platform.testing import find, graph_of, one, statements

GIVEN = {"account_id": "111122223333", "domain": "dev.example.com"}
Inputs = dict[str, Any]


def everything(graph: Graph) -> dict[str, Resource]:
    """All resources of an environment by URN."""
    return {each.urn: each for stack in graph.stacks for each in stack.resources}


CONTROLS: list[tuple[int, str, Callable[[Inputs], object]]] = [
    (1, "ec2/flowLog:FlowLog", lambda i: i["trafficType"] == "ALL" and i["vpcId"].startswith("vpc-")),
    (1, "cloudwatch/logGroup:LogGroup", lambda i: i["retentionInDays"] >= 365 and i["kmsKeyId"]),
    (2, "ec2/defaultSecurityGroup:DefaultSecurityGroup", lambda i: i["ingress"] == [] and i["egress"] == []),
    (3, "ec2/subnet:Subnet", lambda i: i["mapPublicIpOnLaunch"] is False),
    (4, "vpc/securityGroupIngressRule:SecurityGroupIngressRule", lambda i: i["cidrIpv4"] != "0.0.0.0/0"),
    (6, "ec2/securityGroup:SecurityGroup", lambda i: i["description"] not in ("", "Managed by Pulumi")),
    (6, "vpc/securityGroupIngressRule:SecurityGroupIngressRule", lambda i: i["description"]),
    (7, "ec2/securityGroup:SecurityGroup", lambda i: not {"ingress", "egress"} & set(i)),
    (9, "ec2/vpcEndpoint:VpcEndpoint", lambda i: i["vpcEndpointType"] == "Gateway" or i["privateDnsEnabled"]),
    (9, "ec2/vpcEndpoint:VpcEndpoint", lambda i: "aws:PrincipalAccount" in i["policy"]),
    (72, "kms/key:Key", lambda i: i["enableKeyRotation"] and i["deletionWindowInDays"] == 30),
]


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
@pytest.mark.parametrize(
    ("control", "kind", "holds"), CONTROLS, ids=[f"{number}-{kind.rpartition(':')[2]}" for number, kind, _ in CONTROLS]
)
def test_control(control: int, kind: str, holds: Callable[[Inputs], object], region: str) -> None:
    """A control of the checklist holds of all resources of its type, in both regions of production."""
    found = find(graph_of("prod"), kind, stack="network", region=region)
    assert found
    assert [each.name for each in found if not holds(each.inputs)] == [], control


@pytest.mark.parametrize("control", [5, 8], ids=str)
def test_there_is_none(control: int) -> None:
    """Control 5: the endpoints' group sends nothing. Control 8: no network ACL beside the groups."""
    kind = {5: "vpc/securityGroupEgressRule:SecurityGroupEgressRule", 8: "ec2/networkAcl:NetworkAcl"}[control]
    assert find(graph_of("prod"), kind, stack="network") == []


def test_control_10_every_vpc_needs_its_gateway() -> None:
    """The recorded exception: blocked public access would cut off the load balancers, one in each VPC."""
    graph = graph_of("prod")
    for region in ("us-east-1", "eu-west-1"):
        ways_out = len(find(graph, "ec2/internetGateway:InternetGateway", region=region))
        assert ways_out == len(find(graph, "ec2/vpc:Vpc", region=region)) == 1
        assert not one(graph, "lb/loadBalancer:LoadBalancer", region=region).inputs["internal"]
        assert not find(graph, "ec2/vpcBlockPublicAccessOptions:VpcBlockPublicAccessOptions", region=region)


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_three_tiers_in_three_zones(region: str) -> None:
    """Control 3: in production each tier has a subnet in each of three zones."""
    tiers: dict[str, set[str]] = {}
    for subnet in find(graph_of("prod"), "ec2/subnet:Subnet", region=region):
        tiers.setdefault(subnet.tags["tier"], set()).add(subnet.inputs["availabilityZone"])
    assert tiers == {tier: {f"{region}{letter}" for letter in "abc"} for tier in ("public", "app", "data")}


def test_data_leads_nowhere() -> None:
    """The data tier's table has no route at all; public leads to the gateway, app to its own zone's NAT."""
    graph = graph_of("prod")
    routes = find(graph, "ec2/route:Route", stack="network")
    data = one(graph, "ec2/routeTable:RouteTable", "main-data")
    assert not [each.name for each in routes if data.urn in each.property_dependencies["routeTableId"]]
    nats = {each.name: each.inputs["natGatewayId"] for each in routes if "natGatewayId" in each.inputs}
    assert len(set(nats.values())) == len(nats) == 3
    assert [each.name for each in routes if "gatewayId" in each.inputs] == ["main-public-out"]


def test_every_endpoint_is_there() -> None:
    """Control 9: what reaches AWS without leaving the VPC; gateways serve every table, data included."""
    endpoints = {
        each.inputs["serviceName"]: each.inputs for each in find(graph_of("prod"), "ec2/vpcEndpoint:VpcEndpoint")
    }
    assert set(endpoints) == {f"com.amazonaws.us-east-1.{each}" for each in (*GATEWAY_ENDPOINTS, *INTERFACE_ENDPOINTS)}
    tables = find(graph_of("prod"), "ec2/routeTable:RouteTable")
    assert {len(each["routeTableIds"]) for each in endpoints.values() if "routeTableIds" in each} == {len(tables)}


def test_images_can_be_pulled_through_the_endpoint() -> None:
    """Layers lie in a bucket of AWS, behind links that AWS signs: a condition on the account would refuse them."""
    s3 = one(graph_of("prod"), "ec2/vpcEndpoint:VpcEndpoint", "main-s3").inputs["policy"]
    own, downloads = statements(s3)
    assert own["Condition"]["StringEquals"]["aws:ResourceAccount"] == "333344445555"
    assert "arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*" in downloads["Resource"]
    assert downloads["Action"] == ["s3:GetObject"]
    assert "Condition" not in downloads


def test_a_third_zone_replaces_nothing() -> None:
    """In any stack of the environment: resources are added, none goes, none is replaced, no address changes."""
    zones = {"us-east-1a": 0, "us-east-1b": 1, "us-east-1c": 2}
    before, after = (
        everything(graph_of("dev")),
        everything(load_environment("dev", overrides={"network": {"zones": zones}})),
    )
    assert set(before) < set(after)
    for urn, old in before.items():
        new = after[urn]
        changed = {key for key in {*old.inputs, *new.inputs} if old.inputs.get(key) != new.inputs.get(key)}
        changed -= set(old.options.ignore_changes)
        assert not changed or replaces(old.type, frozenset(changed)) is False, (urn, changed)


@pytest.mark.parametrize("slot", range(6))
def test_addresses_follow_the_slot_alone(slot: int) -> None:
    """A zone has the same addresses whatever others there are; six zones fit and overlap nowhere."""
    alone = plan_subnets("10.0.0.0/16", {"z": slot})
    crowd = plan_subnets("10.0.0.0/16", {**{f"o{n}": n for n in range(6) if n != slot}, "z": slot})
    assert alone.items() <= crowd.items()
    networks = [IPv4Network(each) for each in crowd.values()]
    assert len(networks) == 18
    assert not any(a.overlaps(b) for a in networks for b in networks if a is not b)
    assert all(each.subnet_of(IPv4Network("10.0.0.0/16")) for each in networks)


@pytest.mark.parametrize(
    ("env", "settings", "told"),
    [
        ("dev", {"vpc_cidr": "10.300.0.0/16"}, r"vpc_cidr: .*a private /16 such as 10\.20\.0\.0/16 is meant"),
        ("dev", {"vpc_cidr": "10.1.2.3/16"}, r"vpc_cidr: .*host bits set; a private /16"),
        ("dev", {"vpc_cidr": "8.8.0.0/16"}, "vpc_cidr: a private /16"),
        ("dev", {"vpc_cidr": "10.0.0.0/20"}, "vpc_cidr: a private /16"),
        ("dev", {"zones": {"us-east-1b": 0}}, "zones: each zone has a slot of its own from 0 to 5"),
        ("dev", {"zones": {"eu-west-1c": 2}}, "zones: eu-west-1c is not a zone of us-east-1"),
        ("dev", {"zones": {"us-east-1c": 6}}, "zones: each zone has a slot"),
        ("dev", {"flow_log_days": 31}, r"flow_log_days: .*1, 3, 5, 7, 14, 30"),
        ("dev", {"nat": True}, "nat: there is no such setting; there are .*nat_per_zone"),
        ("prod", {"nat_per_zone": False}, "nat_per_zone: in production .*: true"),
        ("prod", {"flow_log_days": 90}, "flow_log_days: in production 365 days or more"),
    ],
)
def test_bad_settings_are_refused(env: str, settings: Inputs, told: str) -> None:
    """One sentence with the key and what is allowed."""
    with pytest.raises(SettingsError, match=told):
        load(Settings, LAYERS, Place(env=env, region="us-east-1"), {**GIVEN, **settings}, source="Pulumi.yaml")


def test_a_development_environment_is_cheap() -> None:
    """One NAT gateway, two zones, short logs."""
    graph = graph_of("dev")
    assert len(find(graph, "ec2/natGateway:NatGateway")) == 1
    assert len(find(graph, "ec2/subnet:Subnet")) == 6
    assert json.dumps(one(graph, "cloudwatch/logGroup:LogGroup", "main-flow").inputs["retentionInDays"]) == "30"
