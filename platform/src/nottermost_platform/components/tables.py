"""DynamoDB tables of the message store, as the chat declares them; their replicas; the fence; DAX."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi_aws.appautoscaling.policy import Policy
from pulumi_aws.appautoscaling.target import Target
from pulumi_aws.dax.cluster import Cluster as DaxCluster
from pulumi_aws.dax.parameter_group import ParameterGroup as DaxParameterGroup
from pulumi_aws.dax.subnet_group import SubnetGroup as DaxSubnetGroup
from pulumi_aws.dynamodb.resource_policy import ResourcePolicy
from pulumi_aws.dynamodb.table import Table
from pulumi_aws.dynamodb.table_replica import TableReplica

from nottermost_conventions.tables import TABLES
from nottermost_platform.components.backup import backup_tag
from nottermost_platform.components.security import ServiceRole, ServiceRoleArgs
from nottermost_platform.components.sizes import Capacity, DaxSize, TableSize
from nottermost_platform.policy import Statement, make_policy, trust
from nottermost_platform.program import Component, Stack

WRITES: Final = ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem",
                 "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:PartiQLDelete")  # fmt: skip
READS: Final = ("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:Scan",
                "dynamodb:ConditionCheckItem", "dynamodb:DescribeTable")  # fmt: skip
DAX_PORT: Final = 9111  # encrypted
UTILIZATION: Final = 70.0  # percent of capacity that autoscaling aims at


@dataclass(frozen=True, slots=True, kw_only=True)
class TablesArgs:
    """The message store's tables.

    Attributes:
        replicated: another region has replicas.
        fenced: nothing is written here: another region is home.
    """

    key_arn: pulumi.Input[str]
    size: TableSize
    replicated: bool = False
    fenced: bool = False


class Tables(Component):
    """The tables of `nottermost_conventions.tables`, encrypted, recoverable to any second of the last 35 days."""

    KIND = "data:Tables"

    def __init__(self, stack: Stack[Any], name: str, args: TablesArgs) -> None:
        super().__init__(stack, name, data_class="confidential", protect=stack.place.is_prod or None)
        self.args = args
        self.tables: dict[str, Table] = {}
        ignored = ["replicas", "warmThroughput"]  # the standby's stack owns the one, the other rises by itself
        ignored += ["readCapacity", "writeCapacity"] if args.size.capacity else []  # autoscaling does
        for table in TABLES:
            keys = (table.partition, table.sort)
            made = self.tables[table.name] = self.add(
                Table, table.name, hash_key=table.partition.name, range_key=table.sort.name,
                attributes=[aws.dynamodb.TableAttributeArgs(name=key.name, type=key.type) for key in keys],
                ttl=aws.dynamodb.TableTtlArgs(attribute_name=table.expires, enabled=True) if table.expires else None,
                stream_enabled=args.replicated or None,  # replicas are made from the stream
                stream_view_type="NEW_AND_OLD_IMAGES" if args.replicated else None,
                point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(enabled=True),
                server_side_encryption=aws.dynamodb.TableServerSideEncryptionArgs(enabled=True, kms_key_arn=args.key_arn),
                deletion_protection_enabled=stack.place.is_prod, tags=backup_tag(stack),
                opts=pulumi.ResourceOptions(ignore_changes=ignored), **self._throughput(),
            )  # fmt: skip
            if args.size.capacity:
                self._scale(table.name, made, args.size.capacity)
            if args.fenced:
                _fence(self, table.name, made.arn)
        self.arns: list[pulumi.Output[str]] = [table.arn for table in self.tables.values()]
        self.names: list[pulumi.Output[str]] = [table.name for table in self.tables.values()]
        self.register_outputs({"arns": self.arns})

    def _throughput(self) -> dict[str, Any]:
        if capacity := self.args.size.capacity:
            return {
                "billing_mode": "PROVISIONED", "read_capacity": capacity.reads_min, "write_capacity": capacity.writes_min,
            }  # fmt: skip
        writes = self.args.size.warm_writes
        if not writes:
            return {"billing_mode": "PAY_PER_REQUEST"}
        warm = aws.dynamodb.TableWarmThroughputArgs(
            write_units_per_second=writes, read_units_per_second=max(12_000, writes)
        )
        return {"billing_mode": "PAY_PER_REQUEST", "warm_throughput": warm}

    def _scale(self, name: str, table: Table, capacity: Capacity) -> None:
        limits = {"Write": (capacity.writes_min, capacity.writes_max), "Read": (capacity.reads_min, capacity.reads_max)}
        for kind, (least, most) in limits.items():
            target = self.add(
                Target, f"{name}-{kind.lower()}s", service_namespace="dynamodb", min_capacity=least, max_capacity=most,
                resource_id=pulumi.Output.concat("table/", table.name),
                scalable_dimension=f"dynamodb:table:{kind}CapacityUnits",
            )  # fmt: skip
            metric = aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgs(
                predefined_metric_type=f"DynamoDB{kind}CapacityUtilization"
            )
            tracking = aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs(
                target_value=UTILIZATION, predefined_metric_specification=metric
            )
            self.add(
                Policy, f"{name}-{kind.lower()}s", policy_type="TargetTrackingScaling", resource_id=target.resource_id,
                service_namespace=target.service_namespace, scalable_dimension=target.scalable_dimension,
                target_tracking_scaling_policy_configuration=tracking,
            )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCopiesArgs:
    """Replicas of another region's tables, under the same names.

    Attributes:
        source_arns: of the tables, in the order of `TABLES`.
        fenced: nothing but replication writes here: the other region is home, and makes the backups.
    """

    source_arns: pulumi.Input[Sequence[str]]
    key_arn: pulumi.Input[str]
    fenced: bool = True


class TableCopies(Component):
    """Replicas in the standby, about a second behind, that refuse writes until a failover lifts the fence."""

    KIND = "data:TableCopies"

    def __init__(self, stack: Stack[Any], name: str, args: TableCopiesArgs) -> None:
        super().__init__(stack, name, data_class="confidential", protect=stack.place.is_prod or None)
        sources = pulumi.Output.from_input(args.source_arns)
        self.arns: list[pulumi.Output[str]] = []
        for n, table in enumerate(TABLES):
            copy = self.add(
                TableReplica, table.name, global_table_arn=sources[n], kms_key_arn=args.key_arn,
                point_in_time_recovery=True, deletion_protection_enabled=stack.place.is_prod,
                tags=None if args.fenced else backup_tag(stack),
            )  # fmt: skip
            if args.fenced:
                _fence(self, table.name, copy.arn)
            self.arns.append(copy.arn)
        self.register_outputs({"arns": self.arns})


def _fence(component: Component, name: str, arn: pulumi.Output[str]) -> None:
    """Refuses writes to a table by everybody but DynamoDB's own replication.

    One region is home; two that append would each number on, and global tables let the last writer win.
    """
    account = component.stack.settings.account_id
    replication = f"arn:aws:iam::{account}:role/aws-service-role/replication.dynamodb.amazonaws.com/*"
    refuse = Statement(
        sid="AnotherRegionIsHome", effect="Deny", actions=WRITES, resources=[arn], anybody=True,
        conditions={"ArnNotLike": {"aws:PrincipalArn": replication}},
    )  # fmt: skip
    component.add(ResourcePolicy, f"{name}-fence", resource_arn=arn, policy=make_policy(refuse))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCacheArgs:
    """DAX before tables.

    Attributes:
        group_id: its security group, which lets clients in at port 9111.
    """

    table_arns: Sequence[pulumi.Input[str]]
    subnet_ids: pulumi.Input[list[str]]
    group_id: pulumi.Input[str]
    size: DaxSize


class ReadCache(Component):
    """DAX. Off by default: what it has cached breaks "a strong read sees own writes" (ADR on DAX or Redis)."""

    KIND = "data:ReadCache"

    def __init__(self, stack: Stack[Any], name: str, args: ReadCacheArgs) -> None:
        super().__init__(stack, name, data_class="confidential")
        use = Statement(actions=[*READS, *WRITES[:4]], resources=args.table_arns)
        role = ServiceRole(
            stack, f"{name}-role", parent=self,
            args=ServiceRoleArgs(
                description="Lets DAX read and write the tables",
                trusted=[trust("dax.amazonaws.com", stack.settings.account_id)], allows={"tables": [use]},
            ),
        )  # fmt: skip
        subnets = self.add(
            DaxSubnetGroup, "", description="Data subnets, which lead nowhere", subnet_ids=args.subnet_ids
        )
        minute = [
            aws.dax.ParameterGroupParameterArgs(name=key, value="60000")  # milliseconds
            for key in ("query-ttl-millis", "record-ttl-millis")
        ]
        parameters = self.add(
            DaxParameterGroup, "", description="What is cached is a minute old at most", parameters=minute
        )
        self.cluster = self.add(
            DaxCluster, "", description="Reads of the message store", node_type=args.size.node_type,
            replication_factor=args.size.nodes, iam_role_arn=role.arn, subnet_group_name=subnets.name,
            parameter_group_name=parameters.name, security_group_ids=[args.group_id],
            cluster_endpoint_encryption_type="TLS", maintenance_window="sun:05:00-sun:06:00",
            server_side_encryption=aws.dax.ClusterServerSideEncryptionArgs(enabled=True),
        )  # fmt: skip
        self.endpoint: pulumi.Output[str] = self.cluster.cluster_address
        self.register_outputs({"endpoint": self.endpoint})
