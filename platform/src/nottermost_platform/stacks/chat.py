"""The chat: two services a role, their scaling and their alarms."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Annotated, Final, Literal

import pulumi
from pydantic import Field, ValidationInfo, field_validator, model_validator

from nottermost_platform.components.fleet import FleetArgs, add_fleet
from nottermost_platform.components.needs import Backends, Need, Phone
from nottermost_platform.components.roles import (
    DIGEST,
    LARGE,
    MIDDLE,
    NO_IMAGE,
    ROLES,
    SMALL,
    WARM,
    Image,
    RoleName,
    Size,
    Tier,
    TierName,
)
from nottermost_platform.components.service import COLOURS, Runtime
from nottermost_platform.components.sizes import in_production
from nottermost_platform.program import Requirement, Stack
from nottermost_platform.settings import Cidr, Layers, StackSettings
from nottermost_platform.stacks import async_ as async_stack
from nottermost_platform.stacks import cluster as cluster_stack
from nottermost_platform.stacks import data as data_stack
from nottermost_platform.stacks import edge as edge_stack
from nottermost_platform.stacks import identity as identity_stack
from nottermost_platform.stacks import network as network_stack
from nottermost_platform.stacks import observability as observability_stack

NAME: Final = "chat"
EACH_REGION: Final = True
REQUIRES: Final = {
    "network": Requirement(outputs=("vpc_id", "public_cidr", "app_subnet_ids", "log_key_arn")),
    "data": Requirement(
        outputs=(
            "home_region", "client_group_id", "database_host", "database_resource_id", "database_name", "table_arns",
            "search_endpoint", "search_domain_arn", "broker_endpoints", "broker_cluster_arn",
            "broker_cluster_name", "cache_endpoint", "cache_secret_arn", "files_bucket", "archive_bucket",
            "data_key_arn", *data_stack.SECRETS,
        )
    ),
    "async": Requirement(
        outputs=(
            "push_queue_url", "push_queue_arn", "push_dead_arn", "webhook_queue_url", "webhook_queue_arn",
            "webhook_dead_arn", "alarms_topic_arn", "key_arn",
        )
    ),
    "edge": Requirement(outputs=("load_balancer_arn_suffix", "load_balancer_group_id", "https_listener_arn")),
    "cluster": Requirement(
        outputs=(
            "cluster_arn", "cluster_name", "namespace_id", "namespace_name", "repository_url", "repository_arn",
            "collector_url", "collector_arn",
        )
    ),
    "observability": Requirement(outputs=("metrics_write_url", "metrics_workspace_arn")),
    "identity": Requirement(outputs=("issuer_url", "web_client_id"), primary=True),
}  # fmt: skip


TARGETS: Final = 1_000  # of a load balancer, and of a target group, until AWS raises the quota


class Settings(StackSettings):
    """What may be chosen about the chat.

    Attributes:
        image, collector_image: what the first revision runs, digest or tag; later ones are the promoter's.
        tasks_ceiling: the most that any role may grow to; a budget, not a plan.
        targets_max: the account's quotas for targets of a load balancer and of a target group, the lower one.
        connections: open sockets a task that gateways scale on, and those that are an alarm.
        cloudfront_ranges: the addresses that CloudFront asks from: it is believed when it says who asks, and without
            them all that comes by one of its machines counts as one client.
        phones: push services of phones whose account lies in its secret (docs/platform.md).
    """

    data_class: Literal["confidential"] = "confidential"
    image: Image = NO_IMAGE
    collector_image: Image = NO_IMAGE
    architecture: Literal["ARM64", "X86_64"] = "X86_64"
    roles: dict[RoleName, Size]
    gateway_tiers: dict[TierName, Tier] = Field(default={})
    tasks_ceiling: int = Field(default=20, ge=1)
    targets_max: int = Field(default=TARGETS, ge=1)
    connections: tuple[int, int] = (8_000, 10_000)
    cloudfront_ranges: Annotated[
        list[Cidr],
        in_production(bool, "the addresses that CloudFront asks from; docs/platform.md says how to list them"),
    ] = Field(default=[], validate_default=True)
    phones: list[Phone] = Field(default=[])
    api_latency_s_p95: float = Field(default=0.1, gt=0)
    log_days: Literal[3, 7, 14, 30, 60, 90, 180, 365] = 14

    @field_validator("image", "collector_image")
    @classmethod
    def _is_fixed(cls, value: str, info: ValidationInfo) -> str:
        if info.context and info.context["place"].is_prod and not value.startswith(DIGEST):
            raise ValueError(f"production runs an image by digest, {DIGEST} and 64 hexadecimal digits, not by tag")
        return value

    @field_validator("connections")
    @classmethod
    def _leaves_room(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 0 < value[0] < value[1]:
            raise ValueError("two numbers, the first below the second: tasks are added before one is full")
        return value

    @field_validator("cloudfront_ranges")
    @classmethod
    def _are_networks(cls, value: list[str]) -> list[str]:
        for each in value:
            IPv4Network(each)  # its sentence says what is wrong; the chat would not start
        return value

    @field_validator("roles", "gateway_tiers")
    @classmethod
    def _survives(cls, value: Mapping[str, Size], info: ValidationInfo) -> Mapping[str, Size]:
        few = [name for name, size in value.items() if size.tasks_min < 2]
        if few and info.context and info.context["place"].is_prod:
            raise ValueError(f"tasks_min of {', '.join(few)} is 1; in production at least 2, in two zones")
        return value

    @model_validator(mode="after")
    def _agrees(self) -> "Settings":
        if missing := ROLES.keys() - self.roles.keys():
            raise ValueError(f"roles: {', '.join(sorted(missing))} missing; every role of the chat has a size")
        for name, size in self.roles.items():
            if name.removeprefix("gateway-") in self.gateway_tiers:
                raise ValueError(f"roles.{name}: so the pool of a tier is called; any other name")
            if (name in ROLES) == bool(size.needs):
                raise ValueError(f"roles.{name}.needs: said for a role of one's own, and only there: {', '.join(Need)}")
        for name, size in (self.roles | self.gateway_tiers).items():
            if size.tasks_max > self.tasks_ceiling:
                raise ValueError(
                    f"tasks_max of {name} is {size.tasks_max}; at most tasks_ceiling, {self.tasks_ceiling}"
                )
        balanced = [size.tasks_max for name, size in self.roles.items() if name in ROLES and ROLES[name].paths]
        targets = len(COLOURS) * (sum(balanced) + sum(pool.tasks_max for pool in self.gateway_tiers.values()))
        if targets > self.targets_max:
            raise ValueError(
                f"tasks_max of gateways and api make {targets} targets while both colours run, the load balancer takes "
                f"{self.targets_max}; lower them, or have the quotas raised and say so as targets_max"
            )
        slots = [tier.slot for tier in self.gateway_tiers.values()]
        if len(set(slots)) < len(slots):
            raise ValueError("gateway_tiers: each tier has a slot of its own, from 0 to 80")
        return self


LAYERS: Final[Layers] = {
    "dev": {"roles": SMALL},
    "pr": {"roles": SMALL, "log_days": 3},
    "staging": {"roles": MIDDLE},
    # Document D's ten million sockets: the quotas have to be raised before (docs/platform.md, accounts).
    "prod": {"roles": LARGE, "tasks_ceiling": 1500, "targets_max": 3000, "log_days": 90},
    "prod/eu-west-1": {"roles": WARM},
}


@dataclass(frozen=True, slots=True)
class Outputs:
    """What others take of the chat.

    Attributes:
        promotion: what the promoter works with, by role: services by colour, and where a role is behind the load
            balancer the rule with the weights and target groups by colour.
    """

    service_names: pulumi.Input[list[str]]
    log_group_names: pulumi.Input[list[str]]
    promotion: Mapping[str, Mapping[str, pulumi.Input[str]]]


def build(stack: Stack[Settings]) -> Outputs:
    settings, place = stack.settings, stack.place
    network, cluster = stack.require(network_stack.Outputs, "network"), stack.require(cluster_stack.Outputs, "cluster")
    data, queues = stack.require(data_stack.Outputs, "data"), stack.require(async_stack.Outputs, "async")
    edge = stack.require(edge_stack.Outputs, "edge")
    observability = stack.require(observability_stack.Outputs, "observability")
    identity = stack.require(identity_stack.Outputs, "identity")
    backends = Backends(
        region=place.region, account_id=settings.account_id, database_host=data.database_host, database_name=data.database_name,
        database_resource_id=data.database_resource_id, table_arns=data.table_arns, search_endpoint=data.search_endpoint,
        search_domain_arn=data.search_domain_arn, brokers=data.broker_endpoints,
        broker_cluster_arn=data.broker_cluster_arn, cache_endpoint=data.cache_endpoint,
        cache_secret_arn=data.cache_secret_arn, files_bucket=data.files_bucket, archive_bucket=data.archive_bucket,
        data_key_arn=data.data_key_arn, **{secret: getattr(data, secret) for secret in data_stack.SECRETS}, issuer_url=identity.issuer_url,
        client_id=identity.web_client_id, push_queue_url=queues.push_queue_url, push_queue_arn=queues.push_queue_arn,
        push_dead_arn=queues.push_dead_arn, webhook_queue_url=queues.webhook_queue_url,
        webhook_queue_arn=queues.webhook_queue_arn, webhook_dead_arn=queues.webhook_dead_arn,
        queue_key_arn=queues.key_arn, phones=settings.phones, push_contact=f"mailto:postmaster@{settings.domain}",
    )  # fmt: skip
    runtime = Runtime(
        cluster_arn=cluster.cluster_arn, cluster_name=cluster.cluster_name, vpc_id=network.vpc_id,
        subnet_ids=network.app_subnet_ids, stores_group_id=data.client_group_id,
        image=_image(cluster.repository_url, settings.image),
        collector_image=_image(cluster.collector_url, settings.collector_image),
        images=[cluster.repository_arn, cluster.collector_arn], log_days=settings.log_days,
        log_key_arn=network.log_key_arn, secrets_key_arn=data.data_key_arn, architecture=settings.architecture,
        metrics_write_url=observability.metrics_write_url, metrics_workspace_arn=observability.metrics_workspace_arn,
        alarm_topic_arn=queues.alarms_topic_arn,
    )  # fmt: skip
    fleet = FleetArgs(
        runtime=runtime, backends=backends, listener_arn=edge.https_listener_arn, domain=settings.domain,
        load_balancer_suffix=edge.load_balancer_arn_suffix, load_balancer_group_id=edge.load_balancer_group_id,
        namespace_id=cluster.namespace_id, namespace=cluster.namespace_name, broker_cluster=data.broker_cluster_name,
        fenced=pulumi.Output.from_input(data.home_region).apply(lambda home: home != place.region),
        proxies=pulumi.Output.from_input(network.public_cidr).apply(
            lambda balancers: ",".join([balancers, *settings.cloudfront_ranges])
        ),
        roles=settings.roles, tiers=settings.gateway_tiers, connections=settings.connections,
        api_latency_s_p95=settings.api_latency_s_p95,
    )  # fmt: skip
    services = add_fleet(stack, fleet)
    return Outputs(
        service_names=pulumi.Output.all(*(each.service.name for one in services.values() for each in one.colours)),
        log_group_names=pulumi.Output.all(*(each.logs.name for each in services.values())),
        promotion={name: each.promotion() for name, each in services.items()},
    )


def _image(repository_url: pulumi.Input[str], image: str) -> pulumi.Output[str]:
    return pulumi.Output.concat(repository_url, "@" if image.startswith(DIGEST) else ":", image)
