"""Kafka (MSK) for the event log, with the topics that the chat declares."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi_aws.appautoscaling.policy import Policy
from pulumi_aws.appautoscaling.target import Target
from pulumi_aws.msk.cluster import Cluster
from pulumi_aws.msk.configuration import Configuration
from pulumi_aws.msk.topic import Topic

from nottermost_conventions.topics import LOG_RETENTION, TOPICS
from nottermost_platform.components.security import add_log_group
from nottermost_platform.components.sizes import BrokerSize, Ground
from nottermost_platform.policy import canonical_json
from nottermost_platform.program import Component, Stack

VERSION: Final = "3.9.x.kraft"
COPIES: Final = 3  # of every record
IN_SYNC: Final = 2  # copies that must have it before it is confirmed
PORT: Final = 9098  # SASL with IAM over TLS
EXPORTER_PORTS: Final = (11001, 11002)  # JMX and node metrics
STORAGE_PERCENT: Final = 60.0
PROPERTIES: Final = {
    "auto.create.topics.enable": "false",
    "default.replication.factor": str(COPIES),
    "min.insync.replicas": str(IN_SYNC),
    "unclean.leader.election.enable": "false",
    "offsets.topic.replication.factor": str(COPIES),
    "offsets.retention.minutes": str(LOG_RETENTION // timedelta(minutes=1)),  # else who was away begins anew
    "transaction.state.log.replication.factor": str(COPIES),
    "transaction.state.log.min.isr": str(IN_SYNC),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokersArgs:
    """A cluster; its nodes are a multiple of the subnets, one of which is in each zone."""

    ground: Ground
    size: BrokerSize
    group_ids: Sequence[pulumi.Input[str]]


class Brokers(Component):
    """Brokers that speak TLS and know who asks by IAM; a record is confirmed when two of its three copies are written."""

    KIND = "data:Brokers"

    def __init__(self, stack: Stack[Any], name: str, args: BrokersArgs) -> None:
        super().__init__(stack, name, data_class="confidential", protect=stack.place.is_prod or None)
        ground, size = args.ground, args.size
        # Named after the version: a cluster cannot be moved to a version that its configuration does not allow.
        configuration = self.add(
            Configuration, f"kafka-{VERSION.replace('.', '-')}", kafka_versions=[VERSION],
            description="Three copies, two in sync, topics by declaration only",
            server_properties="\n".join(f"{key}={value}" for key, value in sorted(PROPERTIES.items())),
        )  # fmt: skip
        logs = add_log_group(
            self, "log", days=ground.log_days, key_arn=ground.log_key_arn, path=f"/aws/msk/{self.physical_name(Cluster, name)}/broker"
        )  # fmt: skip
        self.cluster = self.add(
            Cluster, "", kafka_version=VERSION, number_of_broker_nodes=size.nodes, storage_mode="LOCAL",
            broker_node_group_info=self._nodes(args), enhanced_monitoring=size.monitoring,
            configuration_info=aws.msk.ClusterConfigurationInfoArgs(
                arn=configuration.arn, revision=configuration.latest_revision
            ),
            client_authentication=aws.msk.ClusterClientAuthenticationArgs(
                unauthenticated=False, sasl=aws.msk.ClusterClientAuthenticationSaslArgs(iam=True)
            ),
            encryption_info=aws.msk.ClusterEncryptionInfoArgs(
                encryption_at_rest_kms_key_arn=ground.key_arn,
                encryption_in_transit=aws.msk.ClusterEncryptionInfoEncryptionInTransitArgs(
                    client_broker="TLS", in_cluster=True
                ),
            ),
            logging_info=aws.msk.ClusterLoggingInfoArgs(
                broker_logs=aws.msk.ClusterLoggingInfoBrokerLogsArgs(
                    cloudwatch_logs=aws.msk.ClusterLoggingInfoBrokerLogsCloudwatchLogsArgs(
                        enabled=True, log_group=logs.name
                    )
                )
            ),
            open_monitoring=aws.msk.ClusterOpenMonitoringArgs(
                prometheus=aws.msk.ClusterOpenMonitoringPrometheusArgs(
                    jmx_exporter=aws.msk.ClusterOpenMonitoringPrometheusJmxExporterArgs(enabled_in_broker=True),
                    node_exporter=aws.msk.ClusterOpenMonitoringPrometheusNodeExporterArgs(enabled_in_broker=True),
                )
            ),
            # Autoscaling owns the volumes. They are ignored with the whole block: nested paths had bugs
            # (pulumi/pulumi#12581, #20227), and a zone added to its subnets would replace the cluster. So another
            # machine is a step of its own: `aws kafka update-broker-type`, then here.
            opts=pulumi.ResourceOptions(ignore_changes=["brokerNodeGroupInfo"]),
        )  # fmt: skip
        self._grow(size)
        for topic in TOPICS:
            retention = {
                "retention.ms": str(int(topic.retention.total_seconds() * 1000)),
                "min.insync.replicas": str(IN_SYNC),
            }
            self.add(
                Topic, f"topic-{topic.name}", name=topic.name, cluster_arn=self.cluster.arn,
                partition_count=topic.partitions, replication_factor=COPIES, configs=canonical_json(retention),
            )  # fmt: skip
        self.arn: pulumi.Output[str] = self.cluster.arn
        self.name: pulumi.Output[str] = self.cluster.cluster_name
        self.endpoints: pulumi.Output[str] = self.cluster.bootstrap_brokers_sasl_iam
        self.register_outputs({"arn": self.arn})

    def _nodes(self, args: BrokersArgs) -> aws.msk.ClusterBrokerNodeGroupInfoArgs:
        closed = aws.msk.ClusterBrokerNodeGroupInfoConnectivityInfoPublicAccessArgs(type="DISABLED")
        volume = aws.msk.ClusterBrokerNodeGroupInfoStorageInfoEbsStorageInfoArgs(volume_size=args.size.storage_gib)
        return aws.msk.ClusterBrokerNodeGroupInfoArgs(
            instance_type=args.size.node_type, client_subnets=args.ground.subnet_ids, security_groups=list(args.group_ids),
            az_distribution="DEFAULT",
            connectivity_info=aws.msk.ClusterBrokerNodeGroupInfoConnectivityInfoArgs(public_access=closed),
            storage_info=aws.msk.ClusterBrokerNodeGroupInfoStorageInfoArgs(ebs_storage_info=volume),
        )  # fmt: skip

    def _grow(self, size: BrokerSize) -> None:
        """Volumes grow before they are full; Kafka's cannot shrink."""
        target = self.add(
            Target, "volumes", service_namespace="kafka", resource_id=self.cluster.arn,
            scalable_dimension="kafka:broker-storage:VolumeSize", min_capacity=size.storage_gib,
            max_capacity=size.storage_max_gib,
        )  # fmt: skip
        tracking = aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs(
            target_value=STORAGE_PERCENT, disable_scale_in=True,
            predefined_metric_specification=(
                aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgs(
                    predefined_metric_type="KafkaBrokerStorageUtilization"
                )
            ),
        )  # fmt: skip
        self.add(
            Policy, "volumes", policy_type="TargetTrackingScaling", resource_id=target.resource_id,
            service_namespace=target.service_namespace, scalable_dimension=target.scalable_dimension,
            target_tracking_scaling_policy_configuration=tracking,
        )  # fmt: skip
