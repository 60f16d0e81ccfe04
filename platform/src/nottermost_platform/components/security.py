"""Keys, roles, security groups and log groups: what nearly every other component needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi_aws.cloudwatch.log_group import LogGroup
from pulumi_aws.ec2.security_group import SecurityGroup
from pulumi_aws.iam.role import Role
from pulumi_aws.iam.role_policy import RolePolicy
from pulumi_aws.kms.alias import Alias
from pulumi_aws.kms.key import Key
from pulumi_aws.vpc.security_group_egress_rule import SecurityGroupEgressRule
from pulumi_aws.vpc.security_group_ingress_rule import SecurityGroupIngressRule

from nottermost_platform.policy import Statement, make_policy
from nottermost_platform.program import Component, Stack

DELETION_DAYS = 30
ADMINISTER = ("kms:Create*", "kms:Describe*", "kms:Enable*", "kms:List*", "kms:Put*", "kms:Update*", "kms:Revoke*",
              "kms:Disable*", "kms:Get*", "kms:Delete*", "kms:TagResource", "kms:UntagResource",
              "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion", "kms:ReplicateKey")  # fmt: skip
USE = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*", "kms:DescribeKey", "kms:CreateGrant")


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionKeyArgs:
    """A key for one purpose.

    Attributes:
        services: AWS services that use it for this account, as `logs.us-east-1.amazonaws.com`.
        multi_region: whether replicas of it may exist in other regions.
    """

    description: str
    services: Sequence[str] = ()
    multi_region: bool = False


class EncryptionKey(Component):
    """A KMS key that rotates, with an alias and a policy that names who may use it."""

    KIND = "security:EncryptionKey"

    def __init__(
        self, stack: Stack[Any], name: str, args: EncryptionKeyArgs, *, parent: Component | None = None
    ) -> None:
        super().__init__(stack, name, parent=parent, protect=stack.place.is_prod or None)
        account = stack.settings.account_id
        statements = [
            Statement(
                sid="AccountDecides", actions=["kms:*"], resources=["*"],  # of its own key alone
                principals=[f"arn:aws:iam::{account}:root"],
            )
        ]  # fmt: skip
        statements += service_use(args.services, account, stack.place.region)
        self.key = self.add(
            Key, "", description=args.description, enable_key_rotation=True, deletion_window_in_days=DELETION_DAYS,
            multi_region=args.multi_region, policy=make_policy(*statements),
        )  # fmt: skip
        self.add(Alias, "alias", name=f"alias/{stack.place.env}-{name}", target_key_id=self.key.key_id)
        self.arn: pulumi.Output[str] = self.key.arn
        self.register_outputs({"arn": self.arn})


def service_use(services: Sequence[str], account: str, region: str) -> list[Statement]:
    """Lets services use a key for this account: each says in its own way on whose behalf it asks."""
    log_groups = f"arn:aws:logs:{region}:{account}:log-group:*"
    distributions = f"arn:aws:cloudfront::{account}:distribution/*"
    ways: dict[str, tuple[str, Mapping[str, Mapping[str, str]]]] = {
        f"logs.{region}.amazonaws.com": ("LogGroups", {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": log_groups}}),
        "cloudfront.amazonaws.com": ("Distributions", {"ArnLike": {"aws:SourceArn": distributions}}),
        "events.amazonaws.com": ("Events", {}),  # for an encrypted topic it says nothing (SNS guide, "Key management")
    }
    said = ("Services", {"StringEquals": {"aws:SourceAccount": account}})
    grouped: dict[str, list[str]] = {}
    for service in services:
        grouped.setdefault(ways.get(service, said)[0], []).append(service)
    return [
        Statement(
            sid=sid, actions=USE if sid != "Events" else ("kms:Decrypt", "kms:GenerateDataKey*"), resources=["*"],
            services=group, conditions=ways.get(group[0], said)[1],
        )
        for sid, group in grouped.items()
    ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRoleArgs:
    """A role.

    Attributes:
        trusted: who may take it.
        allows: what it may do, by the name of the policy.
    """

    description: str
    trusted: Sequence[Statement]
    allows: Mapping[str, Sequence[Statement]] = field(default_factory=dict)


class ServiceRole(Component):
    """An IAM role with inline policies that name what they allow."""

    KIND = "security:ServiceRole"

    def __init__(self, stack: Stack[Any], name: str, args: ServiceRoleArgs, *, parent: Component | None = None) -> None:
        super().__init__(stack, name, parent=parent)
        self.role = self.add(
            Role, "", description=args.description, assume_role_policy=make_policy(*args.trusted),
            max_session_duration=3600,
        )  # fmt: skip
        for policy, statements in sorted(args.allows.items()):
            self.add(RolePolicy, policy, role=self.role.name, policy=make_policy(*statements))
        self.arn: pulumi.Output[str] = self.role.arn
        self.name: pulumi.Output[str] = self.role.name
        self.register_outputs({"arn": self.arn})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Who may reach a port, or what may be reached. Exactly one of `group`, `cidr`, `prefix_list` is set."""

    name: str
    port: int
    why: str
    to_port: int | None = None
    group: pulumi.Input[str] | None = None
    cidr: str | None = None
    prefix_list: pulumi.Input[str] | None = None
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirewallArgs:
    """A security group and its rules, each a resource of its own (inline ones delete others')."""

    vpc_id: pulumi.Input[str]
    description: str
    ingress: Sequence[Rule] = ()
    egress: Sequence[Rule] = ()


class Firewall(Component):
    """A security group that lets through what it names, in both directions."""

    KIND = "security:Firewall"

    def __init__(self, stack: Stack[Any], name: str, args: FirewallArgs, *, parent: Component | None = None) -> None:
        super().__init__(stack, name, parent=parent)
        self.group = self.add(SecurityGroup, "", vpc_id=args.vpc_id, description=args.description)
        for kind, make, rules in (
            ("in", SecurityGroupIngressRule, args.ingress),
            ("out", SecurityGroupEgressRule, args.egress),
        ):
            for rule in rules:
                self.add(
                    make, f"{kind}-{rule.name}", security_group_id=self.group.id, description=rule.why,
                    ip_protocol=rule.protocol, from_port=rule.port, to_port=rule.to_port or rule.port,
                    referenced_security_group_id=rule.group, cidr_ipv4=rule.cidr, prefix_list_id=rule.prefix_list,
                )  # fmt: skip
        self.id: pulumi.Output[str] = self.group.id
        self.register_outputs({"id": self.id})


def add_log_group(
    component: Component, name: str, *, days: int, key_arn: pulumi.Input[str], path: str, keep: bool = False
) -> LogGroup:
    """An encrypted log group that forgets. `keep`: it outlives the stack, for audit logs."""
    opts = pulumi.ResourceOptions(retain_on_delete=True) if keep else None
    return component.add(LogGroup, name, name=path, retention_in_days=days, kms_key_id=key_arn, opts=opts)
