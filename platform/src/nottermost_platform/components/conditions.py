"""What is wrong with the stores, the queues and the door: conditions by name, for alarms and the dashboard.

A store reports all the time, so that no data from it is no answer (`missing`). Errors, throttles and letters are
counted when there are some, so that no data is none (`notBreaching`).
"""

from collections.abc import Mapping
from typing import Final

import pulumi
from pydantic import Field

from nottermost_platform.components.observability import Condition, Formula, Query, Series
from nottermost_platform.settings import Strict

GIB: Final = 2**30
MIB_PER_GIB: Final = 1024
REQUESTS_MIN: Final = 50  # a minute; with fewer, one error is a high share
Conditions = dict[str, Condition]


class Limits(Strict):
    """From where on somebody is told; D: from document D.

    Attributes:
        answer_p99_s: at the load balancer (D: 0.15 s to send). error_percent: of answers.
        dead_letters: more than so many in one queue (D: 1,000 at full scale).
        consumer_lag: records that a group of consumers is behind (D: 10,000).
        broker_disk_percent, cache_memory_percent: (D: 70 and 80).
        replica_lag_s: of PostgreSQL's replicas (D: 30). table_lag_ms: of tables in the standby.
    """

    answer_p99_s: float = Field(default=1.0, gt=0)
    error_percent: float = Field(default=1.0, gt=0, le=100)
    dead_letters: int = Field(default=0, ge=0)
    consumer_lag: int = Field(default=10_000, ge=1)
    broker_disk_percent: int = Field(default=70, ge=1, le=95)
    cache_memory_percent: int = Field(default=80, ge=1, le=95)
    database_cpu_percent: int = Field(default=80, ge=1, le=99)
    database_connections: int = Field(default=300, ge=1)
    database_free_gib: int = Field(default=10, ge=1)
    replica_lag_s: int = Field(default=30, ge=1)
    table_lag_ms: int = Field(default=5_000, ge=1)
    search_free_gib: int = Field(default=5, ge=1)


def queue_conditions(dead_letter_names: Mapping[str, pulumi.Input[str]], limits: Limits) -> Conditions:
    """Letters that nobody could deliver, queue by queue; `dead_letter_names` by what the queue is for."""
    return {
        f"dead-letters-{purpose}": Condition(
            summary=f"Jobs for {purpose} failed for good and wait in the dead-letter queue.",
            measure=_series("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": name}, "Maximum"),
            threshold=limits.dead_letters, periods=1, period_s=300, runbook="dead-letters",
        )
        for purpose, name in dead_letter_names.items()
    }  # fmt: skip


def door_conditions(load_balancer: pulumi.Input[str], limits: Limits) -> Conditions:
    """How the load balancer answers, by the suffix of its ARN."""
    at = {"LoadBalancer": load_balancer}
    counted = {
        name: _series("AWS/ApplicationELB", metric, at, "Sum")
        for name, metric in {
            "balancer": "HTTPCode_ELB_5XX_Count", "requests": "RequestCount", "targets": "HTTPCode_Target_5XX_Count",
        }.items()
    }  # fmt: skip
    share = "100 * (FILL(balancer, 0) + FILL(targets, 0)) / requests"
    return {
        "api-errors": Condition(
            summary=f"More than {limits.error_percent:g} % of answers are 5xx.",
            measure=Formula(f"IF(requests > {REQUESTS_MIN}, {share}, 0)", counted), threshold=limits.error_percent,
        ),
        "api-slow": Condition(
            summary=f"One answer of a hundred takes more than {limits.answer_p99_s:g} s.",
            measure=_series("AWS/ApplicationELB", "TargetResponseTime", at, "p99"), threshold=limits.answer_p99_s,
        ),
    }  # fmt: skip


def cdn_conditions(distribution_id: pulumi.Input[str], limits: Limits) -> Conditions:
    """What CloudFront answers; its metrics are in us-east-1 only."""
    at = {"DistributionId": distribution_id, "Region": "Global"}
    return {
        "cdn-errors": Condition(
            summary=f"More than {limits.error_percent:g} % of what the CDN answers is 5xx.",
            measure=_series("AWS/CloudFront", "5xxErrorRate", at, "Average"), threshold=limits.error_percent,
        )
    }  # fmt: skip


def database_conditions(identifier: pulumi.Input[str], limits: Limits) -> Conditions:
    """The PostgreSQL instance, and all replicas of the region however many."""
    at = {"DBInstanceIdentifier": identifier}
    cpu, connections = limits.database_cpu_percent, limits.database_connections
    return {
        "database-cpu": Condition(
            summary=f"The database is busier than {cpu} % for 15 minutes.", threshold=cpu, period_s=300, periods=3,
            measure=_series("AWS/RDS", "CPUUtilization", at, "Average"), missing="missing",
        ),
        "database-storage": Condition(
            summary=f"The database has less than {limits.database_free_gib} GiB left, although its volume grows by itself.",
            measure=_series("AWS/RDS", "FreeStorageSpace", at, "Minimum"), comparison="<",
            threshold=limits.database_free_gib * GIB, period_s=300, periods=1, missing="missing",
        ),
        "database-connections": Condition(
            summary=f"More than {connections} connections to the database: the proxy no longer shares them.",
            measure=_series("AWS/RDS", "DatabaseConnections", at, "Maximum"), threshold=connections, missing="missing",
        ),
        "database-replica-lag": Condition(
            summary=f"A replica of the database is more than {limits.replica_lag_s} s behind.",
            measure=Query('SELECT MAX(ReplicaLag) FROM SCHEMA("AWS/RDS", DBInstanceIdentifier)'),
            threshold=limits.replica_lag_s,
        ),
    }  # fmt: skip


def table_conditions(names: Mapping[str, pulumi.Input[str]]) -> Conditions:
    """DynamoDB tables by what they hold, and errors of DynamoDB itself in any of them."""
    found: Conditions = {}
    for purpose, name in names.items():
        refused = {
            kind: _series("AWS/DynamoDB", f"{kind.capitalize()}ThrottleEvents", {"TableName": name}, "Sum")
            for kind in ("read", "write")
        }
        found[f"table-{purpose}-throttled"] = Condition(
            summary=f"The table {purpose} refuses requests: a partition is hot, or capacity is used up.",
            measure=Formula("FILL(read, 0) + FILL(write, 0)", refused), threshold=0, periods=3, runbook="table-throttled",
        )  # fmt: skip
    found["table-errors"] = Condition(
        summary="DynamoDB answers with errors of its own.",
        measure=Query('SELECT SUM(SystemErrors) FROM SCHEMA("AWS/DynamoDB", Operation, TableName)'), threshold=0, periods=3,
    )  # fmt: skip
    return found


def standby_conditions(names: Mapping[str, pulumi.Input[str]], region: str, limits: Limits) -> Conditions:
    """How far the standby's copies of tables are behind: what a failover would lose."""
    return {
        f"standby-{purpose}-lag": Condition(
            summary=f"The standby's table {purpose} is more than {limits.table_lag_ms} ms behind.", runbook="standby-lag",
            measure=_series(
                "AWS/DynamoDB", "ReplicationLatency", {"TableName": name, "ReceivingRegion": region}, "Average"
            ),
            threshold=limits.table_lag_ms,
        )
        for purpose, name in names.items()
    }  # fmt: skip


def cache_conditions(limits: Limits) -> Conditions:
    """Caches of the region, node by node: a metric of the whole group is not kept."""
    nodes = 'SCHEMA("AWS/ElastiCache", CacheClusterId, CacheNodeId)'
    percent = limits.cache_memory_percent
    return {
        "cache-memory": Condition(
            summary=f"A cache node has used more than {percent} % of its memory: routes and presence are evicted next.",
            measure=Query(f"SELECT MAX(DatabaseMemoryUsagePercentage) FROM {nodes}"), threshold=percent, missing="missing",  # noqa: S608
        )
    }  # fmt: skip


def search_conditions(domain: pulumi.Input[str], account: str, limits: Limits) -> Conditions:
    """The OpenSearch domain."""
    at = {"DomainName": domain, "ClientId": account}
    return {
        "search-red": Condition(
            summary="The search index misses shards: results are incomplete.", threshold=1, comparison=">=", periods=1,
            measure=_series("AWS/ES", "ClusterStatus.red", at, "Maximum"), missing="missing",
        ),
        "search-storage": Condition(
            summary=f"A search node has less than {limits.search_free_gib} GiB left; soon the index takes no writes.",
            measure=_series("AWS/ES", "FreeStorageSpace", at, "Minimum"), comparison="<", missing="missing", periods=1,
            threshold=limits.search_free_gib * MIB_PER_GIB,
        ),
        "search-blocked": Condition(
            summary="The search index takes no writes.", threshold=1, comparison=">=", periods=1,
            measure=_series("AWS/ES", "ClusterIndexWritesBlocked", at, "Maximum"), missing="missing",
        ),
    }  # fmt: skip


def broker_conditions(cluster: pulumi.Input[str], limits: Limits) -> Conditions:
    """The Kafka cluster, broker by broker and consumer by consumer, however many."""
    percent, lag = limits.broker_disk_percent, limits.consumer_lag
    return {
        "broker-offline": Condition(
            summary="Partitions of the log have no leader: messages are not accepted.", periods=1, missing="missing",
            measure=_series("AWS/Kafka", "OfflinePartitionsCount", {"Cluster Name": cluster}, "Maximum"), threshold=0,
        ),
        "broker-replicas": Condition(
            summary="Partitions of the log have fewer copies than they should.", threshold=0, periods=10, missing="missing",
            measure=_of_cluster("MAX(UnderReplicatedPartitions)", '"Broker ID", "Cluster Name"', cluster),
        ),
        "broker-disk": Condition(
            summary=f"A broker's disk is fuller than {percent} %.", threshold=percent, missing="missing",
            measure=_of_cluster("MAX(KafkaDataLogsDiskUsed)", '"Broker ID", "Cluster Name"', cluster),
        ),
        "consumer-lag": Condition(
            summary=f"Consumers of the log are more than {lag:,} records behind: delivery, search or push is late.",
            measure=_of_cluster("MAX(SumOffsetLag)", '"Cluster Name", "Consumer Group", Topic', cluster), threshold=lag,
        ),
    }  # fmt: skip


def _of_cluster(selected: str, dimensions: str, cluster: pulumi.Input[str]) -> Query:
    sql = f'SELECT {selected} FROM SCHEMA("AWS/Kafka", {dimensions}) WHERE "Cluster Name" = '  # noqa: S608 - of constants
    return Query(pulumi.Output.concat(sql, "'", cluster, "'"))


def _series(namespace: str, metric: str, dimensions: Mapping[str, pulumi.Input[str]], statistic: str) -> Series:
    return Series(namespace=namespace, metric=metric, dimensions=dimensions, statistic=statistic)
