"""The network of a region."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Annotated, Final

import pulumi
from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from nottermost_platform.components.network import Network, NetworkArgs, public_block
from nottermost_platform.components.security import EncryptionKey, EncryptionKeyArgs
from nottermost_platform.components.sizes import AuditDays, in_production
from nottermost_platform.program import Requirement, Stack
from nottermost_platform.settings import Cidr, Layers, StackSettings

NAME: Final = "network"
EACH_REGION: Final = True
REQUIRES: Final[dict[str, Requirement]] = {}


class Settings(StackSettings):
    """What may be chosen about a network.

    Attributes:
        zones: availability zones to their slots; a slot once used is never given to another zone.
    """

    model_config = ConfigDict(validate_default=True)

    vpc_cidr: Cidr
    zones: Annotated[
        dict[str, int],
        Field(min_length=2, max_length=6),
        in_production(lambda zones: len(zones) >= 3, "3 zones or more"),
    ]
    nat_per_zone: Annotated[bool, in_production(bool, "a zone does not depend on another's NAT: true")] = False
    flow_log_days: AuditDays = 30

    @field_validator("vpc_cidr")
    @classmethod
    def _is_private(cls, value: str) -> str:
        try:
            network = IPv4Network(value)
        except ValueError as error:
            raise ValueError(f"{error}; a private /16 such as 10.20.0.0/16 is meant") from None
        if network.prefixlen != 16 or not network.is_private:
            raise ValueError("a private /16 such as 10.20.0.0/16 is meant: subnets need its room")
        return value

    @field_validator("zones")
    @classmethod
    def _has_slots(cls, value: dict[str, int], info: ValidationInfo) -> dict[str, int]:
        region = info.context["place"].region if info.context else ""
        if strangers := sorted(zone for zone in value if not re.fullmatch(f"{region}[a-z]", zone)):
            raise ValueError(
                f"{strangers[0]} is not a zone of {region}; they are called {region}a, {region}b and so on"
            )
        if len(set(value.values())) != len(value) or not all(0 <= slot <= 5 for slot in value.values()):
            raise ValueError("each zone has a slot of its own from 0 to 5: two in one would overlap")
        return value


LAYERS: Final[Layers] = {
    "dev": {"vpc_cidr": "10.10.0.0/16", "zones": {"us-east-1a": 0, "us-east-1b": 1}},
    "pr": {"vpc_cidr": "10.11.0.0/16", "zones": {"us-east-1a": 0, "us-east-1b": 1}, "flow_log_days": 7},
    "staging": {"vpc_cidr": "10.20.0.0/16", "zones": {"us-east-1a": 0, "us-east-1b": 1}},
    "prod": {"nat_per_zone": True, "flow_log_days": 365},
    "prod/us-east-1": {"vpc_cidr": "10.30.0.0/16", "zones": {"us-east-1a": 0, "us-east-1b": 1, "us-east-1c": 2}},
    "prod/eu-west-1": {"vpc_cidr": "10.40.0.0/16", "zones": {"eu-west-1a": 0, "eu-west-1b": 1, "eu-west-1c": 2}},
}


@dataclass(frozen=True, slots=True)
class Outputs:
    """What others take of the network. `public_cidr`: what all public subnets are in, also those of zones to come."""

    vpc_id: pulumi.Input[str]
    vpc_cidr: pulumi.Input[str]
    public_cidr: pulumi.Input[str]
    public_subnet_ids: pulumi.Input[list[str]]
    app_subnet_ids: pulumi.Input[list[str]]
    data_subnet_ids: pulumi.Input[list[str]]
    log_key_arn: pulumi.Input[str]


def build(stack: Stack[Settings]) -> Outputs:
    settings, place = stack.settings, stack.place
    key = EncryptionKey(
        stack, "logs",
        EncryptionKeyArgs(description="Log groups", services=[f"logs.{place.region}.amazonaws.com"]),
    )  # fmt: skip
    network = Network(
        stack, "main",
        NetworkArgs(
            cidr=settings.vpc_cidr, zones=settings.zones, nat_per_zone=settings.nat_per_zone,
            flow_log_days=settings.flow_log_days, log_key_arn=key.arn,
        ),
    )  # fmt: skip
    return Outputs(
        vpc_id=network.vpc.id,
        vpc_cidr=settings.vpc_cidr,
        public_cidr=public_block(settings.vpc_cidr),
        public_subnet_ids=pulumi.Output.all(*network.ids("public")),
        app_subnet_ids=pulumi.Output.all(*network.ids("app")),
        data_subnet_ids=pulumi.Output.all(*network.ids("data")),
        log_key_arn=key.arn,
    )
