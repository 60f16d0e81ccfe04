"""VPC, load balancers, DNS, certificates, the CDN and its firewall."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from nottermost_cost.charges import Charge
from nottermost_cost.graph import Resource
from nottermost_cost.resources.rules import (
    HOURS,
    MONTH,
    Inputs,
    Rule,
    Surroundings,
    carried,
    free,
    priced,
    read_inputs,
    unpriced,
    usage,
)


class _Endpoint(Inputs, frozen=True):
    vpc_endpoint_type: str = "Gateway"
    subnet_ids: tuple[str, ...] = ()


class _Balancer(Inputs, frozen=True):
    subnets: tuple[str, ...]
    internal: bool = False
    load_balancer_type: str = "application"


class _HealthCheck(Inputs, frozen=True):
    type: str
    fqdn: str = ""
    request_interval: int = 30
    measure_latency: bool = False


class _WebAcl(Inputs, frozen=True):
    rules: tuple[Any, ...] = ()


def _price_nat_gateway(gateway: Resource, around: Surroundings) -> Iterable[Charge]:
    yield around.charge(gateway, "nat.hour", HOURS, f"NAT gateway {gateway.name}", "hours of one gateway")


def _price_address(address: Resource, around: Surroundings) -> Iterable[Charge]:
    yield around.charge(
        address, "vpc.public_ipv4.in_use.hour", HOURS, f"Public IPv4 address {address.name}", "hours of one address"
    )


def _price_endpoint(endpoint: Resource, around: Surroundings) -> Iterable[Charge]:
    inputs = read_inputs(endpoint, _Endpoint)
    if inputs.vpc_endpoint_type == "Interface":
        zones = len(inputs.subnet_ids)
        yield around.charge(
            endpoint,
            "vpc.endpoint.interface.hour",
            HOURS * zones,
            f"Interface endpoint {endpoint.name}",
            f"hours in {zones} zones (subnetIds)",
        )


def _doubt_endpoint(endpoint: Resource) -> str:
    kind = read_inputs(endpoint, _Endpoint).vpc_endpoint_type
    return "" if kind in ("Gateway", "Interface") else f"no price in the book: endpoints of type {kind}"


_BALANCERS: Final = {"application": "alb.hour", "network": "nlb.hour"}


def _price_balancer(balancer: Resource, around: Surroundings) -> Iterable[Charge]:
    inputs = read_inputs(balancer, _Balancer)
    if key := _BALANCERS.get(inputs.load_balancer_type):
        yield around.charge(balancer, key, HOURS, f"Load balancer {balancer.name}", "hours of one balancer")
        if not inputs.internal:
            zones = len(inputs.subnets)
            yield around.charge(
                balancer,
                "vpc.public_ipv4.in_use.hour",
                HOURS * zones,
                f"Public IPv4 addresses of load balancer {balancer.name}",
                f"hours in {zones} zones (subnets); more when it scales out",
            )


def _doubt_balancer(balancer: Resource) -> str:
    kind = read_inputs(balancer, _Balancer).load_balancer_type
    return "" if kind in _BALANCERS else f"no price in the book: load balancers of type {kind}"


def _price_zone(zone: Resource, around: Surroundings) -> Iterable[Charge]:
    yield around.charge(zone, "route53.zone", MONTH, f"Hosted zone {zone.name}", "one zone", region="global")


def _price_health_check(check: Resource, around: Surroundings) -> Iterable[Charge]:
    """Checks without an endpoint (calculated, of a metric) cost as those of AWS; so does a name that leads to AWS.

    HTTPS, a text to find, a fast interval and a latency graph are options, each with its own price.
    """
    inputs = read_inputs(check, _HealthCheck)
    without_endpoint = inputs.type in ("CALCULATED", "CLOUDWATCH_METRIC")
    kind = "aws" if without_endpoint or inputs.fqdn in around.aws_names else "nonaws"
    key = f"route53.healthcheck.{kind}"
    yield around.charge(check, key, MONTH, f"Health check {check.name}", f"type {inputs.type}", region="global")
    options = (
        inputs.type.startswith("HTTPS"),
        inputs.type.endswith("STR_MATCH"),
        inputs.request_interval < 30,
        inputs.measure_latency,
    )
    if count := sum(options):
        driver = "HTTPS, text match, fast interval, latency graph: each that is on"
        yield around.charge(check, f"{key}.option", count, f"Options of health check {check.name}", driver, "global")


def _doubt_health_check(check: Resource) -> str:
    kind = read_inputs(check, _HealthCheck).type
    return "no price in the book: routing controls" if kind == "RECOVERY_CONTROL" else ""


def _price_web_acl(acl: Resource, around: Surroundings) -> Iterable[Charge]:
    rules = len(read_inputs(acl, _WebAcl).rules)
    yield around.charge(acl, "waf.webacl", MONTH, f"Web ACL {acl.name}", "one list")
    if rules:
        yield around.charge(acl, "waf.rule", rules, f"Rules of web ACL {acl.name}", "rules; a managed group is one")


_PART_OF_VPC: Final = free("part of the VPC: no charge")
_PART_OF_CDN: Final = free("part of the distribution: no charge")
_PART_OF_BALANCER: Final = free("part of the load balancer: its capacity units count all of its traffic")

RULES: Final[Mapping[str, Rule]] = {
    "ec2/natGateway": priced("hours; the data it processes is usage", _price_nat_gateway),
    "ec2/eip": priced("hours of a public IPv4 address", _price_address),
    "ec2/vpcEndpoint": priced(
        "interface endpoints by zone and hour, their data is usage; gateway endpoints are free",
        _price_endpoint,
        doubt=_doubt_endpoint,
    ),
    "ec2/vpc": _PART_OF_VPC,
    "ec2/subnet": _PART_OF_VPC,
    "ec2/route": _PART_OF_VPC,
    "ec2/routeTable": _PART_OF_VPC,
    "ec2/routeTableAssociation": _PART_OF_VPC,
    "ec2/internetGateway": free("the gateway is free; what leaves through it is usage: egress"),
    "ec2/securityGroup": _PART_OF_VPC,
    "ec2/defaultSecurityGroup": _PART_OF_VPC,
    "vpc/securityGroupEgressRule": _PART_OF_VPC,
    "vpc/securityGroupIngressRule": _PART_OF_VPC,
    "ec2/flowLog": usage("vended log bytes, by connections in the VPC"),
    "lb/loadBalancer": priced(
        "hours and public addresses; capacity units (LCU) are usage", _price_balancer, doubt=_doubt_balancer
    ),
    "lb/listener": _PART_OF_BALANCER,
    "lb/listenerRule": _PART_OF_BALANCER,
    "lb/targetGroup": _PART_OF_BALANCER,
    "route53/zone": priced("one hosted zone; queries are usage", _price_zone),
    "route53/record": free("queries of aliases to AWS are free, and only AWS asks for the others"),
    "route53/healthCheck": priced("one check and its options", _price_health_check, doubt=_doubt_health_check),
    "servicediscovery/privateDnsNamespace": priced("the private hosted zone that it makes", _price_zone),
    "servicediscovery/service": free("tasks that ECS registers cost nothing; the zone is charged at its namespace"),
    "acm/certificate": free("public certificates are free"),
    "acm/certificateValidation": free("an act of the deployment, no resource of AWS"),
    "cloudfront/distribution": usage("egress by edge, requests"),
    "cloudfront/function": unpriced("no price in the book: invocations, one for each request of the page"),
    "cloudfront/cachePolicy": _PART_OF_CDN,
    "cloudfront/keyGroup": _PART_OF_CDN,
    "cloudfront/originAccessControl": _PART_OF_CDN,
    "cloudfront/publicKey": _PART_OF_CDN,
    "cloudfront/responseHeadersPolicy": _PART_OF_CDN,
    "wafv2/webAcl": priced("the list and its rules; requests are usage", _price_web_acl),
    "wafv2/webAclAssociation": free("part of the web ACL"),
    "wafv2/webAclLoggingConfiguration": carried("the log groups; it logs what is refused"),
}
