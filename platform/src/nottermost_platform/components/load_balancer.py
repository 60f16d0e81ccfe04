"""The load balancer of a region: HTTPS for REST and sockets, plain HTTP only to say where HTTPS is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi_aws.lb.listener import Listener
from pulumi_aws.lb.load_balancer import LoadBalancer as ApplicationLoadBalancer
from pulumi_aws.wafv2.web_acl_association import WebAclAssociation

from nottermost_platform.components.security import Firewall, FirewallArgs, Rule
from nottermost_platform.components.web_firewall import WebFirewall, WebFirewallArgs
from nottermost_platform.program import Component, Stack

ANYWHERE: Final = "0.0.0.0/0"
TLS_POLICY: Final = "ELBSecurityPolicy-TLS13-1-2-2021-06"  # TLS 1.3, and 1.2 with forward secrecy
HEARTBEAT_LIMIT_S: Final = 60  # the chat closes a socket that was silent for so long


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancerArgs:
    """A public application load balancer.

    Attributes:
        certificate_arn: of a valid certificate in this region.
        idle_timeout_s: at least twice the chat's heartbeat limit, else it cuts quiet sockets.
        logs_bucket: where requests and connections are logged; it lets the log delivery of load balancers write.
        only_from: prefix lists of who may connect, over HTTPS alone; empty: anybody.
    """

    vpc_id: pulumi.Input[str]
    subnet_ids: pulumi.Input[list[str]]
    certificate_arn: pulumi.Input[str]
    idle_timeout_s: int
    logs_bucket: pulumi.Input[str]
    web_firewall: WebFirewallArgs
    only_from: Sequence[str] = ()


class LoadBalancer(Component):
    """A load balancer behind a web ACL. It serves what stacks add rules for, to its HTTPS listener; else 404.

    Its security group lets HTTPS and HTTP in and nothing out: each service adds the way to its own group.
    """

    KIND = "edge:LoadBalancer"

    def __init__(self, stack: Stack[Any], name: str, args: LoadBalancerArgs) -> None:
        super().__init__(stack, name)
        if args.idle_timeout_s < 2 * HEARTBEAT_LIMIT_S:
            raise ValueError(f"idle_timeout_s of {name} is {args.idle_timeout_s}; at least {2 * HEARTBEAT_LIMIT_S}")
        prod = stack.place.is_prod
        firewall = Firewall(
            stack, f"{name}-public", parent=self,
            args=FirewallArgs(
                vpc_id=args.vpc_id, description="Load balancer of the chat",
                ingress=_doors(args.only_from),
            ),
        )  # fmt: skip
        self.balancer = self.add(
            ApplicationLoadBalancer, "", load_balancer_type="application", internal=False, ip_address_type="ipv4",
            security_groups=[firewall.id], subnets=args.subnet_ids, idle_timeout=args.idle_timeout_s,
            drop_invalid_header_fields=True, desync_mitigation_mode="defensive", preserve_host_header=True,
            enable_http2=True, enable_deletion_protection=prod, enable_zonal_shift=True,
            access_logs=aws.lb.LoadBalancerAccessLogsArgs(bucket=args.logs_bucket, prefix="alb", enabled=True),
            connection_logs=aws.lb.LoadBalancerConnectionLogsArgs(
                bucket=args.logs_bucket, prefix="alb-connections", enabled=True
            ),
            opts=pulumi.ResourceOptions(protect=True) if prod else None,
        )  # fmt: skip
        nothing = aws.lb.ListenerDefaultActionFixedResponseArgs(
            content_type="text/plain", status_code="404", message_body="not found"
        )
        self.listener = self.add(
            Listener, "https", load_balancer_arn=self.balancer.arn, port=443, protocol="HTTPS", ssl_policy=TLS_POLICY,
            certificate_arn=args.certificate_arn,
            default_actions=[aws.lb.ListenerDefaultActionArgs(type="fixed-response", fixed_response=nothing)],
        )  # fmt: skip
        https = aws.lb.ListenerDefaultActionRedirectArgs(status_code="HTTP_301", protocol="HTTPS", port="443")
        self.add(
            Listener, "http", load_balancer_arn=self.balancer.arn, port=80, protocol="HTTP",
            default_actions=[aws.lb.ListenerDefaultActionArgs(type="redirect", redirect=https)],
        )  # fmt: skip
        acl = WebFirewall(stack, f"{name}-web", args.web_firewall, parent=self)
        self.add(WebAclAssociation, "web", resource_arn=self.balancer.arn, web_acl_arn=acl.arn)
        self.group_id: pulumi.Output[str] = firewall.id
        self.register_outputs({"arn": self.balancer.arn})


def _doors(only_from: Sequence[str]) -> list[Rule]:
    """Who reaches the load balancer."""
    if only_from:
        return [
            Rule(name=f"https-{each}", port=443, why="HTTPS and sockets from a prefix list", prefix_list=each)
            for each in only_from
        ]
    return [
        Rule(name="https", port=443, why="HTTPS and sockets from anywhere", cidr=ANYWHERE),
        Rule(name="http", port=80, why="HTTP from anywhere, only to be sent to HTTPS", cidr=ANYWHERE),
    ]
