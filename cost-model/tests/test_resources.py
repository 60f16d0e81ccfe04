"""Every resource of the reviewed environments is treated, and what is charged is what the graph declares."""

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from nottermost_conventions.contracts import GRAPH
from nottermost_cost.charges import Origin
from nottermost_cost.errors import GraphError
from nottermost_cost.estimate import Treatment, TypeCoverage
from nottermost_cost.graph import GRAPHS, Graph, Resource, Stack, load_graph
from nottermost_cost.pricebook import load_prices
from nottermost_cost.resources import RULES, account, compute, data, network, observability, price_resources
from nottermost_cost.testing import declared_charges

ENVIRONMENTS = ("dev", "staging", "prod", "pr-0")
TODAY = date(2026, 11, 21)


@cache
def golden(env: str) -> Graph:
    return load_graph(GRAPHS / env)


def declared(env: str, type_: str) -> Iterator[dict[str, Any]]:
    """Resources of one type as the files hold them, read without the cost model."""
    for path in sorted((GRAPHS / env).glob("*.json")):
        for stack in json.loads(path.read_text())["stacks"]:
            yield from (each for each in stack["resources"] if each["type"] == type_)


def resource(type_: str, /, **inputs: Any) -> Resource:
    short = type_.partition("/")[2].partition(":")[0]
    return Resource(f"urn:{type_}::{short}", type_, short, "eu-west-1", inputs, {"owner": "platform"})


def graph_of(*resources: Resource) -> Graph:
    return Graph(GRAPH, "dev", "known", (Stack("network", "eu-west-1", resources),))


def price(*resources: Resource) -> dict[tuple[str, str], Decimal]:
    """Quantities by (key, region)."""
    total: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for charge in price_resources(graph_of(*resources))[0]:
        total[charge.key, charge.region] += charge.quantity
    return dict(total)


def cover(one: Resource) -> TypeCoverage:
    (entry,) = price_resources(graph_of(one))[1]
    return entry


def totals(env: str) -> dict[str, Decimal]:
    total: defaultdict[str, Decimal] = defaultdict(Decimal)
    for charge in price_resources(golden(env))[0]:
        total[charge.key] += charge.quantity
    return dict(total)


# --- the reviewed environments ----------------------------------------------------------------


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_type_is_known_and_every_resource_counted(env: str) -> None:
    """No type of the golden graphs is unknown, each treatment has its reason, and the counts add up."""
    _, types = price_resources(golden(env))
    assert all(each.reason and each.reason != "unknown type" for each in types)
    assert sum(each.count for each in types) == sum(1 for _ in golden(env))


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_charge_leads_back_to_its_resource_and_owner(env: str) -> None:
    """Each line keeps the URN of a resource, its environment, and the tags by which finance shares it."""
    urns = {each.urn for each in golden(env)}
    charges = price_resources(golden(env))[0] + declared_charges(golden(env))
    for charge in charges:
        assert charge.urn in urns
        assert (charge.origin, charge.environment) == (Origin.GRAPH, env)
        assert charge.tags["env"] == env
        assert charge.tags["owner"]
        assert charge.tags["cost-center"]
        assert charge.name
        assert charge.driver
        assert charge.quantity > 0


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_charge_has_a_price(env: str) -> None:
    """The book prices each key in the region of its charge."""
    book = load_prices()
    for charge in price_resources(golden(env))[0] + declared_charges(golden(env)):
        book.find(charge.key, charge.region, TODAY)


def test_production_is_charged_for_what_it_declares() -> None:
    """Counted from the files: hours of gateways, addresses and endpoints by zone, keys, secrets, alarms, rules."""
    found = totals("prod")
    interfaces = [each for each in declared("prod", "aws:ec2/vpcEndpoint:VpcEndpoint") if "subnetIds" in each["inputs"]]
    balancers = list(declared("prod", "aws:lb/loadBalancer:LoadBalancer"))
    addresses = len(list(declared("prod", "aws:ec2/eip:Eip"))) + sum(
        len(each["inputs"]["subnets"]) for each in balancers
    )
    secrets = [each["inputs"] for each in declared("prod", "aws:secretsmanager/secret:Secret")]
    lists = list(declared("prod", "aws:wafv2/webAcl:WebAcl"))
    zones = sum(len(each["inputs"]["subnetIds"]) for each in interfaces)

    assert len(list(declared("prod", "aws:ec2/natGateway:NatGateway"))) == 6
    assert zones == 60
    assert found["nat.hour"] == 6 * 730
    assert found["vpc.endpoint.interface.hour"] == 730 * zones
    assert found["alb.hour"] == 730 * len(balancers)
    assert found["vpc.public_ipv4.in_use.hour"] == 730 * addresses
    assert found["kms.key"] == 18
    assert found["secrets.secret_month"] == len(secrets) + sum(len(each.get("replicas", ())) for each in secrets)
    assert found["waf.webacl"] == len(lists)
    assert found["waf.rule"] == sum(len(each["inputs"]["rules"]) for each in lists)
    assert found["cw.alarm.composite"] == found["cw.dashboard"] == 2
    assert found["route53.zone"] == 3  # the public one, and one for the names of tasks in each region


def test_alarms_are_charged_by_metric() -> None:
    """One for a plain alarm or a query, one for each metric of an expression, and those of target tracking."""
    metrics = 0
    for alarm in declared("prod", "aws:cloudwatch/metricAlarm:MetricAlarm"):
        read = [query for query in alarm["inputs"].get("metricQueries", []) if "metric" in query]
        metrics += max(1, len(read))
    policies = list(declared("prod", "aws:appautoscaling/policy:Policy"))
    tracking = [each["inputs"].get("targetTrackingScalingPolicyConfiguration") for each in policies]
    grow = sum(1 for each in tracking if each)
    shrink = sum(1 for each in tracking if each and not each["disableScaleIn"])
    charges = [each for each in price_resources(golden("prod"))[0] if each.key == "cw.alarm.standard"]
    alarms = [each for each in charges if "cloudwatch/metricAlarm" in each.urn]
    assert (len(alarms), sum(each.quantity for each in alarms)) == (105, metrics)
    assert sum(each.quantity for each in charges) == metrics + grow + shrink


def test_a_copied_secret_is_paid_for_where_the_copy_is() -> None:
    """The password of the database has a copy in the second region, with a price of that region."""
    charges = [each for each in price_resources(golden("prod"))[0] if each.name.startswith("Secret database-password")]
    assert [(each.region, each.quantity) for each in charges] == [("us-east-1", 1), ("eu-west-1", 1)]


def test_a_password_that_the_database_keeps_is_a_secret() -> None:
    """In dev RDS manages the password: a secret that no resource declares, yet on the bill."""
    kept = [each for each in price_resources(golden("dev"))[0] if "rds/instance" in each.urn]
    assert [each.key for each in kept] == ["secrets.secret_month"]
    assert not [each for each in price_resources(golden("prod"))[0] if "rds/instance" in each.urn]


def test_groupings_are_one_entry_for_each_package() -> None:
    """Components and Pulumi's own resources cost nothing and do not fill the report."""
    grouped = [each for each in price_resources(golden("prod"))[1] if each.type.endswith(":*")]
    assert [each.type for each in grouped] == ["nottermost:*", "pulumi:*"]
    assert {each.reason for each in grouped} == {"a grouping, no resource of AWS"}


def test_a_type_has_one_rule() -> None:
    """No area overrides the rule of another."""
    areas = (account, compute, data, network, observability)
    assert sum(len(area.RULES) for area in areas) == len(RULES)


def test_the_table_holds_no_type_that_nobody_declares() -> None:
    """Every rule is for a type of the golden graphs."""
    used = {each.type.removeprefix("aws:").partition(":")[0] for env in ENVIRONMENTS for each in golden(env)}
    assert set(RULES) <= used


# --- odd cases ----------------------------------------------------------------------------------


@pytest.mark.parametrize("type_", ["aws:s3/bucketV2:BucketV2", "awsx:ec2/eip:Eip", "random:index/randomId:RandomId"])
def test_an_unknown_type_is_unpriced_and_counted(type_: str) -> None:
    """Never free and never zero: it is listed by its own name."""
    charges, types = price_resources(graph_of(resource(type_), resource(type_)))
    assert charges == []
    assert types == (TypeCoverage(type_, 2, Treatment.UNPRICED, "unknown type"),)


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (resource("aws:ec2/vpcEndpoint:VpcEndpoint", vpcEndpointType="GatewayLoadBalancer"), "GatewayLoadBalancer"),
        (resource("aws:lb/loadBalancer:LoadBalancer", loadBalancerType="gateway", subnets=["a"]), "gateway"),
        (resource("aws:route53/healthCheck:HealthCheck", type="RECOVERY_CONTROL"), "routing controls"),
        (resource("aws:autoscaling/group:Group", minSize=2), "2 instances always run"),
        (resource("aws:ecs/service:Service", launchType="EC2"), "tasks on EC2"),
        (resource("aws:dynamodb/table:Table", billingMode="PROVISIONED"), "PROVISIONED"),
        (resource("aws:dynamodb/table:Table"), "PROVISIONED"),
        (resource("aws:rds/instance:Instance", performanceInsightsRetentionPeriod=731), "731 days"),
        (resource("aws:rds/instance:Instance", iops=12000), "declares iops"),
        (resource("aws:opensearch/domain:Domain", clusterConfig={"warmEnabled": True}), "clusterConfig.warmEnabled"),
        (resource("aws:accessanalyzer/analyzer:Analyzer", type="ACCOUNT_UNUSED_ACCESS"), "ACCOUNT_UNUSED_ACCESS"),
    ],
)
def test_a_resource_beyond_its_rule_is_unpriced(odd: Resource, reason: str) -> None:
    """What costs more than the rule knows is listed with what it declares, instead of passing as usage or free."""
    entry = cover(odd)
    assert entry.treatment is Treatment.UNPRICED
    assert reason in entry.reason


def test_gateway_endpoints_are_free_and_interface_endpoints_cost_by_zone() -> None:
    """An interface endpoint has an address in each subnet; a gateway endpoint is a route."""
    endpoint = "aws:ec2/vpcEndpoint:VpcEndpoint"
    assert price(resource(endpoint, vpcEndpointType="Gateway", routeTableIds=["a"])) == {}
    assert price(resource(endpoint, vpcEndpointType="Interface", subnetIds=["a", "b"])) == {
        ("vpc.endpoint.interface.hour", "eu-west-1"): Decimal(1460)
    }


def test_an_internal_network_balancer_has_no_public_address() -> None:
    """Only a balancer that faces the internet pays for addresses, and a network balancer has its own price."""
    balancer = resource("aws:lb/loadBalancer:LoadBalancer", loadBalancerType="network", internal=True, subnets=["a"])
    assert price(balancer) == {("nlb.hour", "eu-west-1"): Decimal(730)}


@pytest.mark.parametrize(
    ("inputs", "charged"),
    [
        ({"type": "CALCULATED"}, {"aws": 1}),
        ({"type": "CLOUDWATCH_METRIC"}, {"aws": 1}),
        ({"type": "TCP", "fqdn": "origin.example.com"}, {"aws": 1}),
        ({"type": "TCP", "fqdn": "elsewhere.example.com"}, {"nonaws": 1}),
        (
            {"type": "HTTPS_STR_MATCH", "fqdn": "origin.example.com", "requestInterval": 10, "measureLatency": True},
            {"aws": 1, "aws.option": 4},
        ),
    ],
)
def test_a_health_check_costs_by_where_it_looks_and_how(inputs: dict[str, Any], charged: dict[str, int]) -> None:
    """Names that lead to AWS and checks without an endpoint are the cheap kind; each option is extra."""
    alias = resource("aws:route53/record:Record", name="origin.example.com", aliases=[{"name": "lb"}])
    found = price(alias, resource("aws:route53/healthCheck:HealthCheck", **inputs))
    assert found == {(f"route53.healthcheck.{kind}", "global"): Decimal(count) for kind, count in charged.items()}


@pytest.mark.parametrize(
    ("inputs", "key", "metrics"),
    [
        ({"period": 300}, "cw.alarm.standard", 1),
        ({"period": 10}, "cw.alarm.high", 1),
        ({"metricQueries": [{"expression": "SELECT MAX(x)", "period": 60}]}, "cw.alarm.standard", 1),
        ({"metricQueries": [{"expression": "a/b"}, {"metric": {"period": 10}}, {"metric": {}}]}, "cw.alarm.high", 2),
        ({"metricQueries": [{"metric": {}}, {"expression": "band"}], "thresholdMetricId": "b"}, "cw.alarm.standard", 3),
    ],
)
def test_an_alarm_costs_by_metric_and_resolution(inputs: dict[str, Any], key: str, metrics: int) -> None:
    """Short periods are another price, and an alarm on an anomaly pays for the edges of its band."""
    alarm = resource("aws:cloudwatch/metricAlarm:MetricAlarm", **inputs)
    assert price(alarm) == {(key, "eu-west-1"): Decimal(metrics)}


def test_untagged_resources_take_what_their_neighbours_agree_on() -> None:
    """From the nearest component, without the tags that name one resource or on which neighbours differ."""
    part = Resource("urn:part", "nottermost:network:Network", "part", "eu-west-1", {}, custom=False)

    def inside(name: str, **tags: str) -> Resource:
        return Resource(f"urn:{name}", "aws:kms/key:Key", name, "eu-west-1", {}, tags, parent=part.urn)

    bare = inside("bare")
    one = inside("one", owner="platform", service="api", **{"nottermost-id": "1"})
    two = inside("two", owner="platform", service="gateway")
    charges, _ = price_resources(graph_of(part, bare, one, two))
    assert [dict(each.tags) for each in charges if each.urn == bare.urn] == [{"env": "dev", "owner": "platform"}]
    (alone,) = price_resources(graph_of(bare))[0]
    assert dict(alone.tags) == {"env": "dev"}


def test_an_unreadable_input_is_one_clear_error() -> None:
    """The sentence names the resource, what is wrong with it, and what to do."""
    broken = resource("aws:lb/loadBalancer:LoadBalancer", subnets=7)
    with pytest.raises(GraphError, match=r"loadBalancer.*subnets.*capture the graph again"):
        price_resources(graph_of(broken))
