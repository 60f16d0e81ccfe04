"""ElastiCache for routes, presence and rates: what it loses is not a message."""

from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi_aws.appautoscaling.policy import Policy
from pulumi_aws.appautoscaling.target import Target
from pulumi_aws.elasticache.parameter_group import ParameterGroup
from pulumi_aws.elasticache.replication_group import ReplicationGroup
from pulumi_aws.elasticache.subnet_group import SubnetGroup
from pulumi_aws.elasticache.user import User
from pulumi_aws.elasticache.user_group import UserGroup

from nottermost_platform.components.secrets import Secret, SecretArgs
from nottermost_platform.components.security import add_log_group
from nottermost_platform.components.sizes import CacheSize, Ground
from nottermost_platform.policy import Statement
from nottermost_platform.program import Component, Stack

PORT: Final = 6379
ENGINE: Final = "valkey"  # the free Redis, a fifth cheaper at ElastiCache (price list, read 2026-11-21)
VERSION: Final = "8.0"
FAMILY: Final = f"valkey{VERSION.partition('.')[0]}"
MEMORY_PERCENT: Final = 80.0  # of a shard's memory that autoscaling aims at (document D)
# All keys and channels; of the commands, those that neither administer nor look at everything.
ACCESS: Final = "on ~* &* +@all -@dangerous -@admin +info"
LOGS: Final = ("engine-log", "slow-log")


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheArgs:
    """A replication group; from two nodes on they stand in different zones."""

    ground: Ground
    size: CacheSize
    group_id: pulumi.Input[str]


class Cache(Component):
    """Valkey over TLS for one user, whose password its secret rotates: two are valid at a time."""

    KIND = "data:Cache"

    def __init__(self, stack: Stack[Any], name: str, args: CacheArgs) -> None:
        super().__init__(stack, name, protect=stack.place.is_prod or None)
        ground, size = args.ground, args.size
        subnets = self.add(
            SubnetGroup, "", description="Data subnets, which lead nowhere", subnet_ids=ground.subnet_ids
        )
        cluster = {"cluster-enabled": "yes"} if size.shards > 1 else {}
        settings = {"maxmemory-policy": "volatile-ttl", **cluster}
        parameters = self.add(
            ParameterGroup, FAMILY, family=FAMILY, description="What ends soonest is evicted first",
            parameters=[aws.elasticache.ParameterGroupParameterArgs(name=k, value=v) for k, v in settings.items()],
        )  # fmt: skip
        user = self._user(args)
        users = self.add(UserGroup, "", engine=ENGINE, user_group_id=self._id(name), user_ids=[user.user_id])
        self.name = self.physical_name(ReplicationGroup, name)
        several = size.nodes > 1
        nodes: dict[str, Any] = (
            {"num_node_groups": size.shards, "replicas_per_node_group": size.nodes - 1}
            if size.shards > 1
            else {"num_cache_clusters": size.nodes}
        )
        logs = [
            aws.elasticache.ReplicationGroupLogDeliveryConfigurationArgs(
                destination=add_log_group(
                    self, kind, days=ground.log_days, key_arn=ground.log_key_arn, path=f"/aws/elasticache/{self.name}/{kind}"
                ).name,
                destination_type="cloudwatch-logs", log_format="json", log_type=kind,
            )
            for kind in LOGS
        ]  # fmt: skip
        self.group = self.add(
            ReplicationGroup, "", description="Routes, presence and rates of the chat", engine=ENGINE,
            engine_version=VERSION, node_type=size.node_type, port=PORT, parameter_group_name=parameters.name,
            subnet_group_name=subnets.name, security_group_ids=[args.group_id], at_rest_encryption_enabled=True,
            kms_key_id=ground.key_arn, transit_encryption_enabled=True, transit_encryption_mode="required",
            user_group_ids=[users.user_group_id], automatic_failover_enabled=several, multi_az_enabled=several,
            auto_minor_version_upgrade=True, snapshot_retention_limit=size.snapshot_days, snapshot_window="03:00-04:00",
            maintenance_window="sun:05:00-sun:06:00", log_delivery_configurations=logs,
            final_snapshot_identifier=f"{self.name}-final" if stack.place.is_prod else None, **nodes,
        )  # fmt: skip
        if size.shards_max:
            self._grow(size)
        self.endpoint: pulumi.Output[str] = (
            self.group.configuration_endpoint_address if size.shards > 1 else self.group.primary_endpoint_address
        )
        self.register_outputs({"endpoint": self.endpoint})

    def _grow(self, size: CacheSize) -> None:
        """Shards are added before their memory is full, and never taken away by themselves."""
        target = self.add(
            Target, "shards", service_namespace="elasticache", min_capacity=size.shards, max_capacity=size.shards_max,
            resource_id=pulumi.Output.concat("replication-group/", self.group.replication_group_id),
            scalable_dimension="elasticache:replication-group:NodeGroups",
        )  # fmt: skip
        metric = aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgs(
            predefined_metric_type="ElastiCacheDatabaseMemoryUsageCountedForEvictPercentage"
        )
        tracking = aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs(
            target_value=MEMORY_PERCENT, disable_scale_in=True, predefined_metric_specification=metric
        )
        self.add(
            Policy, "shards", policy_type="TargetTrackingScaling", resource_id=target.resource_id,
            service_namespace=target.service_namespace, scalable_dimension=target.scalable_dimension,
            target_tracking_scaling_policy_configuration=tracking,
        )  # fmt: skip

    def _user(self, args: CacheArgs) -> User:
        """Made to sign in by IAM; its secret's first rotation, right after, gives it a password instead."""
        stack, ground, identity = self.stack, args.ground, self._id(f"{self.logical_name}-chat")
        user = self.add(
            User, "chat", engine=ENGINE, user_id=identity, user_name=identity, access_string=ACCESS,
            authentication_mode=aws.elasticache.UserAuthenticationModeArgs(type="iam"),
            opts=pulumi.ResourceOptions(ignore_changes=["authenticationMode"]),
        )  # fmt: skip
        change = Statement(actions=["elasticache:ModifyUser", "elasticache:DescribeUsers"], resources=[user.arn])
        secret = Secret(
            stack, f"{self.logical_name}-password", parent=self,
            args=SecretArgs(
                description="The chat's user of the cache", kind="cache", ground=ground, allows=[change], after=[user],
                environment={"USERNAME": identity, "TARGET": identity},
            ),
        )  # fmt: skip
        self.secret_arn: pulumi.Output[str] = secret.arn
        return user

    def _id(self, name: str) -> str:
        """ElastiCache's ids: lower case, at most 40 characters."""
        return self.physical_name(ReplicationGroup, name)
