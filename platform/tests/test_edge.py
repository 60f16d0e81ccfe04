"""The edge: one distribution, a load balancer a region, names that lead to the healthy one."""

from typing import Any

import pytest

from nottermost_platform.components.distribution import MEDIA_S
from nottermost_platform.graph import Resource, load_environment
from nottermost_platform.settings import Place, SettingsError, load
from nottermost_platform.stacks import edge
from nottermost_platform.testing import ENVIRONMENTS, find, graph_of, one, what_if

STANDBY = "eu-west-1"
PROD = Place(env="prod", region="us-east-1")
KEY = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----"
GIVEN = {"account_id": "333344445555", "domain": "chat.example.com", "file_keys": {"a": KEY}}
Inputs = dict[str, Any]


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_controls_64_and_65_no_api_gateway(env: str) -> None:
    """Sockets and REST come in by the load balancer alone: there is no stage or route to secure."""
    kinds = {resource.type for stack in graph_of(env).stacks for resource in stack.resources}
    assert not [each for each in kinds if each.startswith(("aws:apigateway/", "aws:apigatewayv2/"))]


def test_what_production_adds() -> None:
    """A bucket that fails has the one of the other region behind it."""
    graph = graph_of("prod")
    distribution = one(graph, "cloudfront/distribution:Distribution").inputs
    groups = {
        each["originId"]: [member["originId"] for member in each["members"]] for each in distribution["originGroups"]
    }
    assert groups == {"page-group": ["page", "page-standby"], "files-group": ["files", "files-standby"]}
    domains = {each["originId"]: each["domainName"] for each in distribution["origins"]}
    for kind in ("page", "files"):  # by construction, since the standby comes later: it must really be called so
        bucket = one(graph, "s3/bucket:Bucket", kind, region=STANDBY).inputs["bucket"]
        assert domains[f"{kind}-standby"] == f"{bucket}.s3.{STANDBY}.amazonaws.com"


def test_the_door_is_open_for_https_alone() -> None:
    """Control 4: what comes from anywhere comes to 443, or to 80 to be sent there."""
    for region in ("us-east-1", STANDBY):
        rules = find(
            graph_of("prod"), "vpc/securityGroupIngressRule:SecurityGroupIngressRule", stack="edge", region=region
        )
        assert {(rule.inputs["cidrIpv4"], rule.inputs["fromPort"], rule.inputs["toPort"]) for rule in rules} == {
            ("0.0.0.0/0", 443, 443), ("0.0.0.0/0", 80, 80),
        }  # fmt: skip


def test_nobody_passes_cloudfront_by() -> None:
    """With prefix lists given only their members come in; without, whoever forges a forwarded address has a limit too."""
    closed = what_if("staging", "edge", only_from=["pl-3b927c52"])
    (rule,) = find(closed, "vpc/securityGroupIngressRule:SecurityGroupIngressRule", stack="edge")
    assert (rule.inputs["prefixListId"], rule.inputs["fromPort"]) == ("pl-3b927c52", 443)
    assert "cidrIpv4" not in rule.inputs
    limits = {
        each["name"]: each["statement"]["rateBasedStatement"]["aggregateKeyType"]
        for each in one(graph_of("prod"), "wafv2/webAcl:WebAcl", "main-web").inputs["rules"]
        if "rateBasedStatement" in each["statement"]
    }
    assert limits == {"rate-by-address": "FORWARDED_IP", "rate-by-connection": "IP"}


def test_what_cloudfront_takes_is_in_us_east_1() -> None:
    """By the `region` argument; the load balancer's own are where it is."""
    graph = graph_of("prod")
    for type_, world, here in (
        ("acm/certificate:Certificate", "viewer", "origin"), ("wafv2/webAcl:WebAcl", "cdn-web", "main-web"),
        ("wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration", "cdn-web-logs", "main-web-logs"),
    ):  # fmt: skip
        assert one(graph, type_, world, stack="edge").inputs["region"] == "us-east-1"
        assert "region" not in one(graph, type_, here, stack="edge").inputs
        assert one(graph, type_, here, stack="edge", region=STANDBY).region == STANDBY
        assert find(graph, type_, world, region=STANDBY) == []
    assert one(graph, "wafv2/webAcl:WebAcl", "cdn-web").inputs["scope"] == "CLOUDFRONT"


def record(name: str, region: str) -> Resource:
    return one(graph_of("prod"), "route53/record:Record", f"origin-names-{name}", region=region)


@pytest.mark.parametrize(("region", "order"), [("us-east-1", "PRIMARY"), (STANDBY, "SECONDARY")])
def test_names_lead_to_the_healthy_region(region: str, order: str) -> None:
    """One name by latency, which a health check of the region's own name follows, one that a fenced region never gets."""
    check, is_open = (
        one(graph_of("prod"), "route53/healthCheck:HealthCheck", f"origin-names-{name}", region=region)
        for name in ("check", "open")
    )
    own, shared, nearest = (record(name, region).inputs for name in ("own", "shared", "nearest"))
    follows = {name: record(name, region).property_dependencies["healthCheckId"] for name in ("shared", "nearest")}
    assert {name: list(urns) for name, urns in follows.items()} == {"shared": [is_open.urn], "nearest": [check.urn]}
    assert check.inputs["fqdn"] == own["name"]
    assert (check.inputs["type"], check.inputs["resourcePath"]) == ("HTTPS", "/healthz")
    assert shared["failoverRoutingPolicies"] == [{"type": order}]
    assert nearest["latencyRoutingPolicies"] == [{"region": region}]
    assert is_open.inputs["childHealthchecks"] == [nearest["healthCheckId"]]
    assert (is_open.inputs["disabled"], is_open.inputs["invertHealthcheck"]) == (region == STANDBY,) * 2
    distribution = one(graph_of("prod"), "cloudfront/distribution:Distribution").inputs
    assert shared["name"] in {each["domainName"] for each in distribution["origins"]}


def test_a_failover_moves_the_name() -> None:
    """The names follow `home_region` of `data`, and no setting of their own."""
    graph = load_environment("prod", stack="edge", overrides={"data": {"home_region": STANDBY}})
    fenced = {
        region: one(graph, "route53/healthCheck:HealthCheck", "origin-names-open", region=region).inputs["disabled"]
        for region in ("us-east-1", STANDBY)
    }
    assert fenced == {"us-east-1": True, STANDBY: False}


def test_the_standby_joins_the_world() -> None:
    """It has a door and a certificate, proved by the primary's record; zone and distribution are there once."""
    for type_ in ("cloudfront/distribution:Distribution", "route53/zone:Zone"):
        assert find(graph_of("prod"), type_, region=STANDBY) == []
    (proof,) = [each for each in find(graph_of("prod"), "route53/record:Record") if each.name.endswith("-proof")]
    assert proof.name == "viewer-proof"
    valid = one(graph_of("prod"), "acm/certificateValidation:CertificateValidation", region=STANDBY)
    assert (valid.urn, proof.urn) in {(each.from_, each.to) for each in graph_of("prod").references}
    assert find(graph_of("staging"), "route53/healthCheck:HealthCheck") == []  # one region: nowhere else to go


def test_files_stay_90_days() -> None:
    """Document D's time, and for files alone."""
    policy = one(graph_of("prod"), "cloudfront/cachePolicy:CachePolicy", "cdn-files")
    assert policy.inputs["defaultTtl"] == policy.inputs["maxTtl"] == MEDIA_S == 90 * 86_400
    distribution = one(graph_of("prod"), "cloudfront/distribution:Distribution")
    behaviors = {each["pathPattern"]: each for each in distribution.inputs["orderedCacheBehaviors"]}
    others = {each["cachePolicyId"] for path, each in behaviors.items() if path != "/files/*"}
    assert behaviors["/files/*"]["cachePolicyId"] not in others
    assert policy.urn in distribution.property_dependencies["orderedCacheBehaviors"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"file_keys": {}}, "file_keys: production needs at least one public key in PEM"),
        ({"file_keys": {"a": "secret"}}, "file_keys: each is a public key in PEM"),
        ({"only_from": ["10.0.0.0/8"]}, "only_from.0: String should match pattern"),
        ({"only_from": ["pl-3b927c52"]}, "nearest_reads: false where only_from is set"),
        ({"idle_timeout_s": 60}, "idle_timeout_s: Input should be greater than or equal to 120"),
        ({"price_class": "PriceClass_1"}, "price_class: Input should be 'PriceClass_All'"),
        ({"web_log_days": 8}, "web_log_days: Input should be 7, 14"),
    ],
)
def test_unsafe_settings_are_refused(settings: Inputs, said: str) -> None:
    """One sentence with the key and what is allowed."""
    with pytest.raises(SettingsError) as refused:
        load(edge.Settings, edge.LAYERS, PROD, GIVEN | settings, source="")
    assert said in str(refused.value)
