"""Names: the zone of an environment, certificates proved by DNS, and records that prefer the primary region."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi_aws.acm.certificate import Certificate as AcmCertificate
from pulumi_aws.acm.certificate_validation import CertificateValidation
from pulumi_aws.route53.health_check import HealthCheck
from pulumi_aws.route53.record import Record
from pulumi_aws.route53.zone import Zone as Route53Zone

from nottermost_platform.program import Component, Stack

# Three of the eight places that Route 53 can check from, and the least it accepts: both continents of ours, and a third.
CHECKED_FROM = ("us-east-1", "eu-west-1", "ap-southeast-1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneArgs:
    """A public zone; whoever holds the parent domain delegates to its name servers once."""

    domain: str


class Zone(Component):
    """The zone that an environment's names are in."""

    KIND = "edge:Zone"

    def __init__(self, stack: Stack[Any], name: str, args: ZoneArgs) -> None:
        super().__init__(stack, name, protect=stack.place.is_prod or None)
        self.zone = self.add(Route53Zone, "", name=args.domain, comment=f"Nottermost {stack.place.env}")
        self.id: pulumi.Output[str] = self.zone.zone_id
        self.register_outputs({"id": self.id})


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateArgs:
    """A certificate for a domain and what is directly below it.

    Attributes:
        region: where it is, if not in the stack's own (CloudFront takes them from us-east-1 only).
        proof: the record that proves the domain is ours, by name, where another certificate already made it: it is
            the same for every certificate of the domain in the account, in all regions, and must stay for renewals.
    """

    domain: str
    zone_id: pulumi.Input[str]
    region: str | None = None
    proof: pulumi.Input[str] | None = None


class Certificate(Component):
    """A certificate that renews itself. `arn` is known once it is valid."""

    KIND = "edge:Certificate"

    def __init__(self, stack: Stack[Any], name: str, args: CertificateArgs) -> None:
        super().__init__(stack, name)
        certificate = self.add(
            AcmCertificate, "", region=args.region, domain_name=args.domain, validation_method="DNS",
            subject_alternative_names=[f"*.{args.domain}"], key_algorithm="RSA_2048",
        )  # fmt: skip
        self.proof = self._prove(certificate, args.zone_id) if args.proof is None else args.proof
        validation = self.add(
            CertificateValidation, "valid", region=args.region, certificate_arn=certificate.arn,
            validation_record_fqdns=[self.proof],
        )  # fmt: skip
        self.arn: pulumi.Output[str] = validation.certificate_arn
        self.register_outputs({"arn": self.arn})

    def _prove(self, certificate: AcmCertificate, zone_id: pulumi.Input[str]) -> pulumi.Output[str]:
        """One record for both names: a wildcard is proved like its domain."""
        asked = certificate.domain_validation_options[0]
        record = self.add(
            Record, "proof", zone_id=zone_id, name=asked.resource_record_name, type="CNAME",
            records=[asked.resource_record_value], ttl=300,
        )  # fmt: skip
        fqdn: pulumi.Output[str] = record.fqdn
        return fqdn


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """What an alias record leads to."""

    dns_name: pulumi.Input[str]
    zone_id: pulumi.Input[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginNamesArgs:
    """The names of one region's load balancer.

    Attributes:
        own: the name that leads to this region only; it is what is checked.
        shared: the name that leads to the home region, and to no other: where a region is fenced nothing can be sent,
            and a failover is somebody's decision, which DNS follows.
        nearest: a name that leads to whichever region is nearer, for what both may answer; "" for none.
        at_home: whether this region appends.
        has_standby: whether there is a second region at all.
        check_path: what is asked for; an answer of 2xx or 3xx is health.
    """

    zone_id: pulumi.Input[str]
    target: Alias
    own: str
    shared: str
    nearest: str = ""
    at_home: pulumi.Input[bool]
    has_standby: bool
    check_path: str = "/healthz"


class OriginNames(Component):
    """Records of a region's load balancer, and the health checks that decide whether others are sent to it.

    Route 53 takes a check that is switched off for healthy, and if inverted for unhealthy: so a fenced region gets
    no failover. What both may answer follows the plain check.
    """

    KIND = "edge:OriginNames"

    def __init__(self, stack: Stack[Any], name: str, args: OriginNamesArgs) -> None:
        super().__init__(stack, name)
        place = stack.place
        alias = aws.route53.RecordAliasArgs(
            name=args.target.dns_name, zone_id=args.target.zone_id, evaluate_target_health=True
        )
        common: dict[str, Any] = {"zone_id": args.zone_id, "type": "A", "aliases": [alias]}
        own = self.add(Record, "own", name=args.own, **common)
        if not args.has_standby:
            self.add(Record, "shared", name=args.shared, **common)
        else:
            check = self.add(
                HealthCheck, "check", type="HTTPS", fqdn=args.own, port=443, resource_path=args.check_path,
                request_interval=10, failure_threshold=3, measure_latency=True, enable_sni=True, regions=list(CHECKED_FROM),
                opts=pulumi.ResourceOptions(depends_on=[own]),
            )  # fmt: skip
            fenced = pulumi.Output.from_input(args.at_home).apply(lambda at_home: not at_home)
            is_open = self.add(
                HealthCheck, "open", type="CALCULATED", child_healthchecks=[check.id], child_health_threshold=1,
                disabled=fenced, invert_healthcheck=fenced,
            )  # fmt: skip
            order = aws.route53.RecordFailoverRoutingPolicyArgs(type="SECONDARY" if place.is_standby else "PRIMARY")
            self.add(
                Record, "shared", name=args.shared, set_identifier=place.region, failover_routing_policies=[order],
                health_check_id=is_open.id, **common,
            )  # fmt: skip
            if args.nearest:
                here = aws.route53.RecordLatencyRoutingPolicyArgs(region=place.region)
                self.add(
                    Record, "nearest", name=args.nearest, set_identifier=place.region, latency_routing_policies=[here],
                    health_check_id=check.id, **common,
                )  # fmt: skip
        self.register_outputs({"own": args.own})


def add_aliases(
    component: Component, name: str, *, domains: Sequence[str], zone_id: pulumi.Input[str], to: Alias
) -> None:
    """Records over IPv4 and IPv6 for each domain, leading to a distribution."""
    target = aws.route53.RecordAliasArgs(name=to.dns_name, zone_id=to.zone_id, evaluate_target_health=False)
    for domain in domains:
        for kind in ("A", "AAAA"):
            suffix = f"{name}-{kind.lower()}"
            component.add(Record, suffix, zone_id=zone_id, name=domain, type=kind, aliases=[target])
