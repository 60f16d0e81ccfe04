"""Where data lies: databases, cache, brokers, search, tables, buckets, backups, the archive's catalogue."""

from collections.abc import Iterable, Mapping
from typing import Final

from nottermost_cost.charges import Charge
from nottermost_cost.graph import Resource
from nottermost_cost.resources.rules import (
    MONTH,
    Inputs,
    Rule,
    Surroundings,
    carried,
    declares,
    free,
    priced,
    read_inputs,
    unpriced,
    usage,
)

INSIGHTS_DAYS_FREE: Final = 7  # Performance Insights keeps a week without charge


class _Instance(Inputs, frozen=True):
    manage_master_user_password: bool = False
    performance_insights_retention_period: int = INSIGHTS_DAYS_FREE


class _Table(Inputs, frozen=True):
    billing_mode: str = "PROVISIONED"  # what DynamoDB takes where none is said


def _price_kept_password(instance: Resource, around: Surroundings) -> Iterable[Charge]:
    if read_inputs(instance, _Instance).manage_master_user_password:
        yield around.charge(
            instance,
            "secrets.secret_month",
            MONTH,
            f"Secret that RDS keeps for {instance.name}",
            "manageMasterUserPassword",
        )


_DECLARES_VOLUME: Final = declares("iops", "storageThroughput")


def _doubt_instance(instance: Resource) -> str:
    kept = read_inputs(instance, _Instance).performance_insights_retention_period
    if kept > INSIGHTS_DAYS_FREE:
        return f"no price in the book: Performance Insights for {kept} days"
    return _DECLARES_VOLUME(instance)


def _doubt_table(table: Resource) -> str:
    mode = read_inputs(table, _Table).billing_mode
    return "" if mode == "PAY_PER_REQUEST" else f"billing mode {mode}: its capacity is fixed and not priced here"


_PART_OF_BUCKET: Final = free("a setting of the bucket")
_PART_OF_DATABASE: Final = free("a setting of the database")
_PART_OF_CACHE: Final = free("a setting of the cache")
_PART_OF_PROXY: Final = free("a setting of the proxy, which is charged by the instance behind it")

RULES: Final[Mapping[str, Rule]] = {
    "rds/instance": priced(
        "instance hours and storage: capacity; a week of Performance Insights is free, backups beyond the size of the "
        "storage and the logs of enhanced monitoring are usage",
        _price_kept_password,
        doubt=_doubt_instance,
    ),
    "rds/proxy": priced("vCPU hours of the instance behind it: capacity"),
    "rds/proxyDefaultTargetGroup": _PART_OF_PROXY,
    "rds/proxyTarget": _PART_OF_PROXY,
    "rds/parameterGroup": _PART_OF_DATABASE,
    "rds/subnetGroup": _PART_OF_DATABASE,
    "rds/eventSubscription": free("events are free; their delivery is counted at the topic"),
    "elasticache/replicationGroup": priced(
        "node hours: capacity; snapshots beyond one are usage", doubt=declares("dataTieringEnabled")
    ),
    "elasticache/parameterGroup": _PART_OF_CACHE,
    "elasticache/subnetGroup": _PART_OF_CACHE,
    "elasticache/user": _PART_OF_CACHE,
    "elasticache/userGroup": _PART_OF_CACHE,
    "msk/cluster": priced(
        "broker hours and storage: capacity; metrics by topic are usage",
        doubt=declares("brokerNodeGroupInfo.storageInfo.ebsStorageInfo.provisionedThroughput.enabled"),
    ),
    "msk/configuration": free("a setting of the brokers"),
    "msk/topic": free("a topic is free; what it holds is storage of the brokers"),
    "opensearch/domain": priced(
        "node hours and storage: capacity",
        doubt=declares("clusterConfig.warmEnabled", "ebsOptions.iops", "ebsOptions.throughput"),
    ),
    "dynamodb/table": usage(
        "write and read units, GB stored, GB of point-in-time recovery, stream reads", doubt=_doubt_table
    ),
    "dynamodb/tableReplica": carried("the message store: replicated writes, storage, copies to the standby"),
    "dynamodb/resourcePolicy": free("a setting of the table"),
    "s3/bucket": usage("GB by month of retention, requests, GB read"),
    "s3/bucketReplicationConfig": unpriced(
        "no price in the book: Replication Time Control, by GB; the copies themselves are lines of files and archive"
    ),
    "s3/bucketLifecycleConfiguration": carried("the files: moves into tiers"),
    "s3/bucketLogging": free("a setting of the bucket; the logs are GB of the bucket that takes them"),
    "s3/bucketNotification": free("events are free; their delivery is counted at the topic"),
    "s3/bucketCorsConfiguration": _PART_OF_BUCKET,
    "s3/bucketObjectLockConfiguration": _PART_OF_BUCKET,
    "s3/bucketOwnershipControls": _PART_OF_BUCKET,
    "s3/bucketPolicy": _PART_OF_BUCKET,
    "s3/bucketPublicAccessBlock": _PART_OF_BUCKET,
    "s3/bucketServerSideEncryptionConfiguration": free("a setting of the bucket; requests to its key are usage"),
    "s3/bucketVersioning": free("a setting of the bucket; old versions are GB of the bucket"),
    "backup/vault": carried("the message store and the archive: daily copies"),
    "backup/plan": free("a schedule: what it keeps is GB of the vault"),
    "backup/selection": free("part of the plan"),
    "backup/vaultLockConfiguration": free("a setting of the vault"),
    "glue/catalogDatabase": free("the first million objects of the catalogue are free"),
    "glue/catalogTable": free("the first million objects of the catalogue are free"),
    "athena/workgroup": unpriced("no price in the book: TB that queries of the archive scan"),
}
