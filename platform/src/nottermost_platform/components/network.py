"""The network of a region: a VPC with public, app and data subnets, ways out, endpoints, flow logs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from typing import Any, Final

import pulumi
from pulumi_aws.ec2.default_security_group import DefaultSecurityGroup
from pulumi_aws.ec2.eip import Eip
from pulumi_aws.ec2.flow_log import FlowLog
from pulumi_aws.ec2.internet_gateway import InternetGateway
from pulumi_aws.ec2.nat_gateway import NatGateway
from pulumi_aws.ec2.route import Route
from pulumi_aws.ec2.route_table import RouteTable
from pulumi_aws.ec2.route_table_association import RouteTableAssociation
from pulumi_aws.ec2.subnet import Subnet
from pulumi_aws.ec2.vpc import Vpc
from pulumi_aws.ec2.vpc_endpoint import VpcEndpoint

from nottermost_platform.components.security import (
    Firewall,
    FirewallArgs,
    Rule,
    ServiceRole,
    ServiceRoleArgs,
    add_log_group,
)
from nottermost_platform.policy import Statement, make_policy, trust
from nottermost_platform.program import Component, Stack

TIERS: Final = ("public", "app", "data")
GATEWAY_ENDPOINTS: Final = ("s3", "dynamodb")
INTERFACE_ENDPOINTS: Final = (
    "ecr.api", "ecr.dkr", "logs", "secretsmanager", "kms", "sts", "ssm", "ssmmessages", "sqs", "sns",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkArgs:
    """A network.

    Attributes:
        cidr: of the whole VPC, a /16.
        zones: availability zones by name to their slot (0 to 5). A slot fixes the addresses for good:
            a zone may be added in a free slot and never moves one that is there.
        nat_per_zone: one NAT gateway a zone, else one in all (cheaper, and a zone's failure is everybody's).
        flow_log_days, log_key_arn: how long flow logs stay, and the key that encrypts them.
    """

    cidr: str
    zones: Mapping[str, int]
    nat_per_zone: bool
    flow_log_days: int
    log_key_arn: pulumi.Input[str]


def by_slot(zones: Mapping[str, int]) -> list[tuple[str, int]]:
    """Zones with their slots, the lowest first: what takes the first few keeps them when one is added."""
    return sorted(zones.items(), key=lambda item: item[1])


def plan_subnets(cidr: str, zones: Mapping[str, int]) -> dict[tuple[str, str], str]:
    """The subnets' CIDRs by tier and zone.

    A /16 is cut into 16 blocks of /20: app slots 0 to 5, data slots 6 to 11, public 12 to 15 in /22s.
    It depends on a zone's slot alone, so that adding a zone changes no address.
    """
    blocks = list(IPv4Network(cidr).subnets(new_prefix=20))
    small = list(IPv4Network(public_block(cidr)).subnets(new_prefix=22))
    plan = {}
    for zone, slot in by_slot(zones):
        plan["app", zone] = str(blocks[slot])
        plan["data", zone] = str(blocks[6 + slot])
        plan["public", zone] = str(small[slot])
    return plan


def public_block(cidr: str) -> str:
    """The last quarter of the VPC, in which the public subnets are: only load balancers and NAT stand there."""
    return str(list(IPv4Network(cidr).subnets(new_prefix=18))[3])


class Network(Component):
    """A VPC: public subnets for load balancers and NAT, app subnets with a way out, data subnets without one."""

    KIND = "network:Network"

    def __init__(self, stack: Stack[Any], name: str, args: NetworkArgs) -> None:
        super().__init__(stack, name, protect=stack.place.is_prod or None)
        self.vpc = self.add(Vpc, "", cidr_block=args.cidr, enable_dns_hostnames=True, enable_dns_support=True)
        self.add(DefaultSecurityGroup, "closed", vpc_id=self.vpc.id, ingress=[], egress=[])
        # The load balancer and NAT need it: so there is no `VpcBlockPublicAccessOptions`, which closes whole regions.
        self.gateway = self.add(InternetGateway, "internet", vpc_id=self.vpc.id)
        self.subnets: dict[tuple[str, str], Subnet] = {}
        for (tier, zone), cidr in plan_subnets(args.cidr, args.zones).items():
            self.subnets[tier, zone] = self.add(
                Subnet, f"{tier}-{zone}", vpc_id=self.vpc.id, cidr_block=cidr, availability_zone=zone,
                map_public_ip_on_launch=False, tags={"tier": tier},
            )  # fmt: skip
        self.tables = self._route(args)
        self._log_flows(args)
        self._add_endpoints(args)
        self.register_outputs({"vpc_id": self.vpc.id})

    def ids(self, tier: str) -> list[pulumi.Output[str]]:
        """The subnets of a tier, by slot."""
        return [subnet.id for (each, _), subnet in self.subnets.items() if each == tier]

    def _route(self, args: NetworkArgs) -> dict[tuple[str, str], RouteTable]:
        """A table for the public tier, one a zone for app, and one for data, which leads nowhere."""
        public = self.add(RouteTable, "public", vpc_id=self.vpc.id)
        self.add(
            Route,
            "public-out",
            route_table_id=public.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=self.gateway.id,
        )
        data = self.add(RouteTable, "data", vpc_id=self.vpc.id)
        tables: dict[tuple[str, str], RouteTable] = {}
        gateways: dict[str, NatGateway] = {}
        for zone, _ in by_slot(args.zones):
            if args.nat_per_zone or not gateways:
                address = self.add(Eip, f"nat-{zone}", domain="vpc")
                gateways[zone] = self.add(
                    NatGateway, f"nat-{zone}", allocation_id=address.id, subnet_id=self.subnets["public", zone].id,
                    opts=pulumi.ResourceOptions(depends_on=[self.gateway]),
                )  # fmt: skip
            app = self.add(RouteTable, f"app-{zone}", vpc_id=self.vpc.id)
            nat = gateways.get(zone) or next(iter(gateways.values()))
            self.add(
                Route,
                f"app-{zone}-out",
                route_table_id=app.id,
                destination_cidr_block="0.0.0.0/0",
                nat_gateway_id=nat.id,
            )
            tables |= {("public", zone): public, ("app", zone): app, ("data", zone): data}
        for (tier, zone), table in tables.items():
            subnet = self.subnets[tier, zone]
            self.add(RouteTableAssociation, f"{tier}-{zone}", route_table_id=table.id, subnet_id=subnet.id)
        return tables

    def _log_flows(self, args: NetworkArgs) -> None:
        place, account = self.stack.place, self.stack.settings.account_id
        path = f"/nottermost/{place.env}/flow"
        group = add_log_group(self, "flow", days=args.flow_log_days, key_arn=args.log_key_arn, path=path)
        write = Statement(
            actions=["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            resources=[f"arn:aws:logs:{place.region}:{account}:log-group:{path}:*"],
        )
        role = ServiceRole(
            self.stack, f"{self.logical_name}-flow", parent=self,
            args=ServiceRoleArgs(
                description="Lets VPC flow logs be written",
                trusted=[trust("vpc-flow-logs.amazonaws.com", account)], allows={"write": [write]},
            ),
        )  # fmt: skip
        self.add(
            FlowLog, "flow", vpc_id=self.vpc.id, traffic_type="ALL", log_destination_type="cloud-watch-logs",
            log_destination=group.arn, iam_role_arn=role.arn, max_aggregation_interval=60,
        )  # fmt: skip

    def _add_endpoints(self, args: NetworkArgs) -> None:
        """Ways to AWS that do not leave the VPC: for this account's principals; to data, of this account's only."""
        region, account = self.stack.place.region, self.stack.settings.account_id
        mine = {"aws:PrincipalAccount": account}
        own = Statement(  # every action of its one service
            actions=["*"], resources=["*"], anybody=True,
            conditions={"StringEquals": mine | {"aws:ResourceAccount": account}},
        )  # fmt: skip
        tables = [table.id for table in dict.fromkeys(self.tables.values())]
        for service in GATEWAY_ENDPOINTS:
            allowed = [own, _downloads(region)] if service == "s3" else [own]
            self.add(
                VpcEndpoint, service, vpc_id=self.vpc.id, service_name=f"com.amazonaws.{region}.{service}",
                vpc_endpoint_type="Gateway", route_table_ids=tables, policy=make_policy(*allowed),
            )  # fmt: skip
        policy = make_policy(replace(own, conditions={"StringEquals": mine}))  # some speak of resources that are AWS's
        https = Rule(name="vpc", port=443, why="HTTPS from within the VPC", cidr=args.cidr)
        firewall = Firewall(
            self.stack, f"{self.logical_name}-endpoints", parent=self,
            args=FirewallArgs(vpc_id=self.vpc.id, description="Interface endpoints", ingress=[https]),
        )  # fmt: skip
        for service in INTERFACE_ENDPOINTS:
            self.add(
                VpcEndpoint, service.replace(".", "-"), vpc_id=self.vpc.id, vpc_endpoint_type="Interface",
                service_name=f"com.amazonaws.{region}.{service}", private_dns_enabled=True, subnet_ids=self.ids("app"),
                security_group_ids=[firewall.id], policy=policy,
            )  # fmt: skip


def _downloads(region: str) -> Statement:
    """AWS's own buckets with layers of images (ECR) and packages (Amazon Linux): it signs those links, not we."""
    buckets = (f"prod-{region}-starport-layer-bucket", f"al2023-repos-{region}-de612dc2")
    return Statement(actions=["s3:GetObject"], resources=[f"arn:aws:s3:::{each}/*" for each in buckets], anybody=True)
