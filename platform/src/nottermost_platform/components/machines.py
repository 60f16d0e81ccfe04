"""Machines without a way in: a group of them, each entered through Systems Manager only."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws
from pulumi_aws.autoscaling import Metric
from pulumi_aws.autoscaling.group import Group
from pulumi_aws.ec2.launch_template import LaunchTemplate
from pulumi_aws.iam.instance_profile import InstanceProfile

from nottermost_platform.components.security import Rule, ServiceRole
from nottermost_platform.policy import Statement
from nottermost_platform.program import Component

IMAGE: Final = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
LIFETIME_S: Final = 7 * 86_400  # a machine is replaced after a week, so that nothing gathers on it
OUT: Final = Rule(name="https", port=443, why="HTTPS to AWS, GitHub and package indexes", cidr="0.0.0.0/0")
# EC2 sends no source when it takes a role; that only this account hands it out is what PassRole ensures.
WORN_BY_MACHINES: Final = Statement(actions=["sts:AssumeRole"], services=["ec2.amazonaws.com"])


@dataclass(frozen=True, slots=True, kw_only=True)
class MachinesArgs:
    """A group of machines.

    Attributes:
        role: worn by each; it has to allow what `managed_by_ssm` says.
        group_ids: security groups.
        instance_types: of Graviton, the preferred first; with Spot the more the safer.
        machines: at least and at most. There is no desired number: it begins at the least, and is then
            whatever somebody asks for in between.
        spot: whether they may be taken away.
        user_data: what cloud-init does first.
    """

    role: ServiceRole
    subnet_ids: pulumi.Input[Sequence[str]]
    group_ids: Sequence[pulumi.Input[str]]
    instance_types: Sequence[str]
    machines: tuple[int, int]
    spot: bool
    disk_gib: int
    user_data: str


def add_machines(component: Component, args: MachinesArgs) -> pulumi.Output[str]:
    """A profile, a template and a group, all named after the component; the name of the group."""
    profile = component.add(InstanceProfile, "", role=args.role.name)
    name = component.logical_name
    tags = component.tags("aws:ec2/launchTemplate:LaunchTemplate", name)
    disk = aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
        encrypted="true", volume_size=args.disk_gib, volume_type="gp3", delete_on_termination="true"
    )
    interface = aws.ec2.LaunchTemplateNetworkInterfaceArgs(
        device_index=0, associate_public_ip_address="false", delete_on_termination="true",
        security_groups=list(args.group_ids),
    )  # fmt: skip
    template = component.add(
        LaunchTemplate, "", image_id=IMAGE, instance_type=args.instance_types[0], update_default_version=True,
        iam_instance_profile=aws.ec2.LaunchTemplateIamInstanceProfileArgs(arn=profile.arn),
        metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
            http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
        ),
        block_device_mappings=[aws.ec2.LaunchTemplateBlockDeviceMappingArgs(device_name="/dev/xvda", ebs=disk)],
        network_interfaces=[interface], instance_initiated_shutdown_behavior="terminate",
        monitoring=aws.ec2.LaunchTemplateMonitoringArgs(enabled=True),
        tag_specifications=[
            aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags={**tags, "Name": name})
            for kind in ("instance", "network-interface", "volume")
        ],
        user_data=base64.b64encode(args.user_data.encode()).decode(),
    )  # fmt: skip
    return _add_group(component, args, template)


def _add_group(component: Component, args: MachinesArgs, template: LaunchTemplate) -> pulumi.Output[str]:
    mixed = aws.autoscaling.GroupMixedInstancesPolicyArgs(
        instances_distribution=aws.autoscaling.GroupMixedInstancesPolicyInstancesDistributionArgs(
            on_demand_base_capacity=0, on_demand_percentage_above_base_capacity=0 if args.spot else 100,
            on_demand_allocation_strategy="prioritized", spot_allocation_strategy="price-capacity-optimized",
        ),
        launch_template=aws.autoscaling.GroupMixedInstancesPolicyLaunchTemplateArgs(
            launch_template_specification=aws.autoscaling.GroupMixedInstancesPolicyLaunchTemplateLaunchTemplateSpecificationArgs(
                launch_template_id=template.id, version=template.latest_version.apply(lambda number: str(int(number)))
            ),
            overrides=[
                aws.autoscaling.GroupMixedInstancesPolicyLaunchTemplateOverrideArgs(instance_type=each)
                for each in args.instance_types
            ],
        ),
    )  # fmt: skip
    # The one type whose tags are a list, so that `add` cannot make it.
    tags = component.tags("aws:autoscaling/group:Group", component.logical_name)
    least, most = args.machines
    group = Group(
        component.logical_name, name=component.physical_name(Group, component.logical_name), min_size=least,
        max_size=most, vpc_zone_identifiers=args.subnet_ids,
        mixed_instances_policy=mixed, capacity_rebalance=args.spot, health_check_type="EC2",
        health_check_grace_period=300, max_instance_lifetime=LIFETIME_S,
        instance_refresh=aws.autoscaling.GroupInstanceRefreshArgs(strategy="Rolling"),
        enabled_metrics=[
            Metric.GROUP_DESIRED_CAPACITY, Metric.GROUP_IN_SERVICE_INSTANCES, Metric.GROUP_TOTAL_INSTANCES,
        ],
        tags=[
            aws.autoscaling.GroupTagArgs(key=key, value=value, propagate_at_launch=False) for key, value in tags.items()
        ],
        opts=pulumi.ResourceOptions(parent=component),
    )  # fmt: skip
    made: pulumi.Output[str] = group.name
    return made


def managed_by_ssm(region: str, account: str) -> list[Statement]:
    """What the agent of Systems Manager needs: less than AWS's own policy for it, which also reads every parameter."""
    verbs = ("CreateControl", "CreateData", "OpenControl", "OpenData")
    return [
        Statement(actions=[f"ssmmessages:{each}Channel" for each in verbs], resources=["*"]),  # channels have no ARN
        Statement(actions=["ssm:UpdateInstanceInformation"], resources=[f"arn:aws:ec2:{region}:{account}:instance/*"]),
    ]
