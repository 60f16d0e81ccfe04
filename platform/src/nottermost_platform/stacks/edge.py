"""Where users come in: one domain at CloudFront, a load balancer a region, names that lead to the healthy one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal

import pulumi
from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from nottermost_platform.components.distribution import (
    Distribution,
    DistributionArgs,
    Readable,
    ReadableArgs,
    replica_domain,
)
from nottermost_platform.components.dns import (
    Alias,
    Certificate,
    CertificateArgs,
    OriginNames,
    OriginNamesArgs,
    Zone,
    ZoneArgs,
    add_aliases,
)
from nottermost_platform.components.load_balancer import HEARTBEAT_LIMIT_S, LoadBalancer, LoadBalancerArgs
from nottermost_platform.components.web_firewall import WebFirewall, WebFirewallArgs
from nottermost_platform.naming import PRIMARY, REGION_CODES
from nottermost_platform.program import Requirement, Stack
from nottermost_platform.settings import Layers, StackSettings, regions_of
from nottermost_platform.stacks import data as data_stack
from nottermost_platform.stacks import network as network_stack

NAME: Final = "edge"
EACH_REGION: Final = True
REQUIRES: Final = {
    "network": Requirement(outputs=("vpc_id", "public_subnet_ids", "log_key_arn")),
    "data": Requirement(
        outputs=(
            "home_region", "files_bucket", "files_bucket_arn", "files_bucket_domain", "page_bucket", "page_bucket_arn",
            "page_bucket_domain", "logs_bucket",
        )
    ),
    "edge": Requirement(outputs=("zone_id", "name_servers", "certificate_proof", "distribution_id"), primary=True),
}  # fmt: skip
PrefixList = Annotated[str, StringConstraints(pattern=r"^pl-[0-9a-f]{8,17}$")]
PEM: Final = "-----BEGIN PUBLIC KEY-----"


class Settings(StackSettings):
    """What may be chosen about the edge.

    Attributes:
        requests_max: by one address in 5 minutes (document D: 10 a second).
        file_keys: public halves (PEM) of the keys that sign links to files; to change one, add the new one first.
        only_from: prefix lists whose members alone reach the load balancer: CloudFront's, and that of Route 53's
            health checks. Their ids differ by region; without, anybody passes CloudFront by.
        nearest_reads: also `nearest.<domain>`, which leads to the nearer region: for reads that may lag.
    """

    requests_max: int = Field(default=3000, ge=100, le=2_000_000_000)
    idle_timeout_s: int = Field(default=3 * HEARTBEAT_LIMIT_S, ge=2 * HEARTBEAT_LIMIT_S, le=4000)
    price_class: Literal["PriceClass_All", "PriceClass_200", "PriceClass_100"] = "PriceClass_100"
    blocked_countries: list[str] = Field(default=[])
    file_keys: dict[str, str] = Field(default={}, validate_default=True)
    web_log_days: Literal[7, 14, 30, 90, 365, 400, 731] = 14
    only_from: list[PrefixList] = Field(default=[])
    nearest_reads: bool = False

    @field_validator("file_keys")
    @classmethod
    def _signs(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        if not all(key.strip().startswith(PEM) for key in value.values()):
            raise ValueError(f"each is a public key in PEM ({PEM}…), RSA with 2048 bits")
        place = info.context["place"] if info.context else None
        if not value and place and place.is_prod and not place.is_standby:
            raise ValueError(
                "production needs at least one public key in PEM: without one there is no way to the files"
            )
        return value

    @model_validator(mode="after")
    def _reaches(self) -> "Settings":
        if self.only_from and self.nearest_reads:
            raise ValueError("nearest_reads: false where only_from is set: that name leads past CloudFront")
        return self


LAYERS: Final[Layers] = {
    "pr": {"web_log_days": 7},
    "prod": {"price_class": "PriceClass_All", "web_log_days": 365, "nearest_reads": True},
}


@dataclass(frozen=True, slots=True)
class Outputs:
    """What others take of the edge. `zone_id`, `name_servers` and `distribution_id` are the same in every region."""

    zone_id: pulumi.Input[str]
    name_servers: pulumi.Input[Sequence[str]]
    certificate_proof: pulumi.Input[str]
    distribution_id: pulumi.Input[str]
    domain_name: pulumi.Input[str]
    origin_domain: pulumi.Input[str]
    load_balancer_arn: pulumi.Input[str]
    load_balancer_arn_suffix: pulumi.Input[str]
    load_balancer_group_id: pulumi.Input[str]
    https_listener_arn: pulumi.Input[str]


def build(stack: Stack[Settings]) -> Outputs:
    settings, place, domain = stack.settings, stack.place, stack.settings.domain
    network, data = stack.require(network_stack.Outputs, "network"), stack.require(data_stack.Outputs, "data")
    web = WebFirewallArgs(
        scope="REGIONAL", requests_max=settings.requests_max, log_days=settings.web_log_days,
        log_key_arn=network.log_key_arn,
    )  # fmt: skip
    world = _join_world(stack) if place.is_standby else _open_world(stack, data, replace(web, scope="CLOUDFRONT"))
    certificate = Certificate(stack, "origin", CertificateArgs(domain=domain, zone_id=world.zone_id, proof=world.proof))
    load_balancer = LoadBalancer(
        stack, "main",
        LoadBalancerArgs(
            vpc_id=network.vpc_id, subnet_ids=network.public_subnet_ids, certificate_arn=certificate.arn,
            idle_timeout_s=settings.idle_timeout_s, logs_bucket=data.logs_bucket, web_firewall=web,
            only_from=settings.only_from,
        ),
    )  # fmt: skip
    balancer = load_balancer.balancer
    buckets = {"files": (data.files_bucket, data.files_bucket_arn), "page": (data.page_bucket, data.page_bucket_arn)}
    Readable(stack, "readable", ReadableArgs(buckets=buckets, distribution_id=world.distribution_id))
    OriginNames(
        stack, "origin-names",
        OriginNamesArgs(
            zone_id=world.zone_id, target=Alias(dns_name=balancer.dns_name, zone_id=balancer.zone_id),
            own=f"origin-{REGION_CODES[place.region]}.{domain}", shared=f"origin.{domain}",
            nearest=f"nearest.{domain}" if settings.nearest_reads else "",
            at_home=pulumi.Output.from_input(data.home_region).apply(lambda home: home == place.region),
            has_standby=_has_standby(stack),
        ),
    )  # fmt: skip
    return Outputs(
        zone_id=world.zone_id, name_servers=world.name_servers, certificate_proof=world.proof,
        distribution_id=world.distribution_id, domain_name=domain, origin_domain=f"origin.{domain}",
        load_balancer_arn=balancer.arn, load_balancer_arn_suffix=balancer.arn_suffix,
        load_balancer_group_id=load_balancer.group_id, https_listener_arn=load_balancer.listener.arn,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _World:
    """What there is once, whatever the number of regions."""

    zone_id: pulumi.Input[str]
    name_servers: pulumi.Input[Sequence[str]]
    proof: pulumi.Input[str]
    distribution_id: pulumi.Input[str]


def _join_world(stack: Stack[Settings]) -> _World:
    primary = stack.require(Outputs, "edge")
    return _World(primary.zone_id, primary.name_servers, primary.certificate_proof, primary.distribution_id)


def _open_world(stack: Stack[Settings], data: data_stack.Outputs, web: WebFirewallArgs) -> _World:
    settings, domain = stack.settings, stack.settings.domain
    zone = Zone(stack, "zone", ZoneArgs(domain=domain))
    certificate = Certificate(stack, "viewer", CertificateArgs(domain=domain, zone_id=zone.id, region=PRIMARY))
    distribution = Distribution(
        stack, "cdn",
        DistributionArgs(
            domain=domain, certificate_arn=certificate.arn, web_acl_arn=WebFirewall(stack, "cdn-web", web).arn,
            api_domain=f"origin.{domain}", logs_bucket=data.logs_bucket, file_keys=settings.file_keys,
            page=_domains(stack, data.page_bucket_domain, data.page_bucket),
            files=_domains(stack, data.files_bucket_domain, data.files_bucket),
            price_class=settings.price_class, blocked_countries=settings.blocked_countries,
        ),
    )  # fmt: skip
    cdn = distribution.distribution
    to = Alias(dns_name=cdn.domain_name, zone_id=cdn.hosted_zone_id)
    add_aliases(distribution, "name", domains=[domain], zone_id=zone.id, to=to)
    return _World(zone.id, zone.zone.name_servers, certificate.proof, distribution.id)


def _has_standby(stack: Stack[Settings]) -> bool:
    return len(regions_of(stack.place.env)) > 1


def _domains(stack: Stack[Settings], own: pulumi.Input[str], bucket: pulumi.Input[str]) -> list[pulumi.Input[str]]:
    """The primary's bucket, and its replica by construction: the standby's stacks come after this one."""
    return [own, pulumi.Output.from_input(bucket).apply(replica_domain)] if _has_standby(stack) else [own]
