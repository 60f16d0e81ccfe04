"""Who reaches what is worked out, and what should not be reached is noticed."""

from typing import Any

import pytest

from nottermost_platform.graph import Graph
from nottermost_platform.rules.network import INGRESS
from nottermost_platform.testing import Bad, Change, added, altered, both, changed, check_bad, one, removed

ROUTE = "ec2/route:Route"
ASSOCIATION = "ec2/routeTableAssociation:RouteTableAssociation"
DATABASE_IN = "stores-database-in-clients"
ANY = {"cidrIpv4": "0.0.0.0/0", "ipProtocol": "tcp", "description": "by hand"}


def opened(group: str, port: int) -> Change:
    """The internet may reach what wears a group."""

    def change(graph: Graph) -> Graph:
        other = one(graph, INGRESS, group)
        inputs = {**ANY, "securityGroupId": other.inputs["securityGroupId"], "fromPort": port, "toPort": port}
        return added(INGRESS, inputs)(graph)

    return change


def routed(tier: str, block: str = "0.0.0.0/0", **to: Any) -> Change:
    """A route to everywhere in the table of a tier's first subnet."""

    def change(graph: Graph) -> Graph:
        tables = [each for each in graph.resources() if each.type == f"aws:{ASSOCIATION}" and tier in each.name]
        table = next(each.inputs["routeTableId"] for each in tables if each.region == "us-east-1")
        return added(ROUTE, {"routeTableId": table, "destinationCidrBlock": block, **to})(graph)

    return change


def gateway(graph: Graph) -> str:
    return str(next(each.inputs["gatewayId"] for each in graph.resources() if each.name == "main-public-out"))


def led_out(tier: str) -> Change:
    return lambda graph: routed(tier, gatewayId=gateway(graph))(graph)


def public_database(graph: Graph) -> Graph:
    """An address, a way in, a rule: none alone would do."""
    database = one(graph, "rds/instance:Instance", "database")
    addressed = altered("rds/instance:Instance", "database", inputs={**database.inputs, "publiclyAccessible": True})
    return both(addressed, led_out("data"), opened(DATABASE_IN, 5432))(graph)


CASES = [
    Bad("exposed", public_database, "can be reached from 0.0.0.0/0 on 5432"),
    Bad("exposed", opened("main-public-in-https", 22), "on 22"),
    Bad("stores-reached-by-groups", opened(DATABASE_IN, 5432), "lets 0.0.0.0/0 reach a store"),
    Bad("tiers-lead-out", led_out("data"), "leads to internet gateway"),
    Bad("tiers-lead-out", led_out("app"), "leads to internet gateway"),
    Bad(
        "tiers-lead-out",
        lambda graph: routed("app", "0.0.0.0/1", gatewayId=gateway(graph))(graph),
        "leads to internet gateway",
    ),
    Bad("tiers-lead-out", routed("data", natGatewayId="nat-1"), "has a route to 0.0.0.0/0"),
    Bad("tiers-lead-out", removed(ASSOCIATION), "main route table"),
    Bad("stores-in-data-tier", changed("rds/subnetGroup:SubnetGroup", "subnetIds", []), "stands in no subnet"),
]


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)
