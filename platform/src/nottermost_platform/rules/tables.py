"""Rules of DynamoDB and DAX: controls 24 to 27, and that the tables are those of the chat."""

import re
from typing import Any, Final

from nottermost_conventions.tables import TABLES
from nottermost_platform.components.tables import WRITES
from nottermost_platform.graph import Resource
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.network import GROUP
from nottermost_platform.rules.stores import ROLE, are_ours, has_key, lacks_ground, scales
from nottermost_platform.rules.view import View, get, items, number, parse

TABLE: Final = "dynamodb/table:Table"
REPLICA: Final = "dynamodb/tableReplica:TableReplica"
TABLE_POLICY: Final = "dynamodb/resourcePolicy:ResourcePolicy"
DAX: Final = "dax/cluster:Cluster"
DAX_SUBNETS: Final = "dax/subnetGroup:SubnetGroup"
DECLARED: Final = {f"messages-{table.name}": table for table in TABLES}  # as the component `Tables` names them
REPLICATION: Final = re.compile(r"arn:aws:iam::\d{12}:role/aws-service-role/replication\.dynamodb\.amazonaws\.com/\*")


def is_table(table: Resource) -> bool:
    return table.type == f"aws:{TABLE}"


@rule(
    "table-recoverable", 24, Severity.MEDIUM, TABLE, REPLICA,
    title="Tables and replicas can be put back to any second; in production AWS refuses to delete them",
    fsbp="DynamoDB.2 DynamoDB.6", checkov="28", nag="DDB3",
    fix="point_in_time_recovery enabled; deletion_protection_enabled=True in production",
)  # fmt: skip
def table_recoverable(table: Resource, view: View) -> Lacks:
    if get(table, "pointInTimeRecovery.enabled" if is_table(table) else "pointInTimeRecovery") is not True:
        yield "cannot be put back to a point in time"
    if view.is_prod and get(table, "deletionProtectionEnabled") is not True:
        yield "can be deleted"
    for replica in items(table, "replicas"):
        if get(replica, "pointInTimeRecovery") is not True:
            yield f"has a replica in {get(replica, 'regionName')} that cannot be put back to a point in time"
        if view.is_prod and get(replica, "deletionProtectionEnabled") is not True:
            yield f"has a replica in {get(replica, 'regionName')} that can be deleted"


@rule(
    "table-encrypted", 25, Severity.MEDIUM, TABLE, REPLICA,
    title="Tables are encrypted with a key of ours, each replica with one of its region",
    checkov="119", fix="server_side_encryption with kms_key_arn; kms_key_arn of the replica's region",
)  # fmt: skip
def table_encrypted(table: Resource, view: View) -> Lacks:
    if is_table(table) and get(table, "serverSideEncryption.enabled") is not True:
        yield "is not encrypted with a key of an account"
    if not has_key(table, view, "serverSideEncryption.kmsKeyArn" if is_table(table) else "kmsKeyArn"):
        yield "is not encrypted with a key of ours in its region"
    for replica in items(table, "replicas"):
        region = str(get(replica, "regionName"))
        if region not in {each.region for each in view.meant(get(replica, "kmsKeyArn"))}:
            yield f"has a replica that is not encrypted with a key of ours in {region}"


@rule(
    "table-capacity", 26, Severity.MEDIUM, TABLE,
    title="Tables are paid per request, or their capacity follows the load both ways, that of indexes too",
    fsbp="DynamoDB.1", checkov="CKV2_AWS_16",
    fix="billing_mode='PAY_PER_REQUEST', or a Target and a Policy a way, with ignore_changes of the capacity",
)  # fmt: skip
def table_capacity(table: Resource, view: View) -> Lacks:
    if get(table, "billingMode") == "PAY_PER_REQUEST":
        return
    if not {"readCapacity", "writeCapacity"} <= set(table.options.ignore_changes):
        yield "puts back the capacity that autoscaling set"
    here = f"table/{get(table, 'name')}"
    places = [("table", here)]
    places += [("index", f"{here}/index/{get(each, 'name')}") for each in items(table, "globalSecondaryIndexes")]
    for kind, place in places:
        for way in ("Read", "Write"):
            if not scales(table, view, place, f"dynamodb:{kind}:{way}CapacityUnits"):
                yield f"has no autoscaling of what it can {way.lower()} at {place}"


@rule(
    "table-keys", 0, Severity.HIGH, TABLE,
    title="The tables are those that the chat declares: keys, types, expiry, no index, a stream for replicas alone",
    fix="change nottermost_conventions.tables, from which both the chat and the platform take them",
)  # fmt: skip
def table_keys(table: Resource, view: View) -> Lacks:
    declared = DECLARED.get(table.name)
    if declared is None:
        yield "is no table that the chat declares"
        return
    for path, key in (("hashKey", declared.partition), ("rangeKey", declared.sort)):
        if get(table, path) != key.name:
            yield f"has the {path} {get(table, path)} and not {key.name}"
    types = {str(get(each, "name")): get(each, "type") for each in items(table, "attributes")}
    if types != {key.name: key.type for key in (declared.partition, declared.sort)}:
        yield f"declares the attributes {types}"
    expires = get(table, "ttl.attributeName", "") if get(table, "ttl.enabled") is True else ""
    if expires != declared.expires:
        yield f"expires by {expires or 'nothing'} and not by {declared.expires or 'nothing'}"
    if items(table, "globalSecondaryIndexes") or items(table, "localSecondaryIndexes"):
        yield "has an index, and the chat reads by key alone"
    copied = bool(view.users_at(table, REPLICA, "globalTableArn") or items(table, "replicas"))
    streams = get(table, "streamEnabled") is True and get(table, "streamViewType") == "NEW_AND_OLD_IMAGES"
    if copied != streams or (get(table, "streamEnabled") is True and not copied):
        yield "has a stream that nobody reads, or replicas without the stream that they are made from"
    here = [each for each in view.of(TABLE) if each.region == table.region]
    if table is here[0] and (missing := DECLARED.keys() - {each.name for each in here}):
        yield f"stands without {', '.join(sorted(missing))}, which the chat declares"


@rule(
    "table-copied", 0, Severity.HIGH, TABLE, envs=("prod",),
    title="In production each table has a replica in the other region",
    fix="TableCopies in the standby's stack of data",
)  # fmt: skip
def table_copied(table: Resource, view: View) -> Lacks:
    replicas = view.users_at(table, REPLICA, "globalTableArn")
    if not any(each.region != table.region for each in replicas) and not items(table, "replicas"):
        yield "has no replica in another region"


@rule(
    "table-fence", 0, Severity.CRITICAL, REPLICA,
    title="Of a table and its replica one refuses all writes but replication's: two regions that append would lose messages",
    fix="home_region in the settings of data, the same in both regions; `_fence` in components/tables.py",
)  # fmt: skip
def table_fence(replica: Resource, view: View) -> Lacks:
    sources = view.targets(replica, "globalTableArn", TABLE)
    if not sources:
        yield "is a replica of no table of ours"
    for source in sources:
        if source.region == replica.region:
            yield "is in the region of its table"
        fenced = [each for each in (source, replica) if is_fenced(each, view)]
        if not fenced:
            yield f"takes writes, and so does {source.name} in {source.region}"
        elif len(fenced) > 1:
            yield f"refuses writes, and so does {source.name} in {source.region}"


def is_fenced(table: Resource, view: View) -> bool:
    """Whether a table's policy refuses every write by everybody but replication."""
    return any(
        refuses_writes(statement) and table in view.meant(get(statement, "Resource"))
        for policy in view.users_at(table, TABLE_POLICY, "resourceArn")
        for statement in items(parse(get(policy, "policy")), "Statement")
    )


def refuses_writes(statement: Any) -> bool:
    but = get(statement, "Condition.ArnNotLike.aws:PrincipalArn")
    return (
        get(statement, "Effect") == "Deny"
        and get(statement, "Principal") in ("*", {"AWS": "*"})
        and {str(each) for each in items(statement, "Action")} >= set(WRITES)
        and get(statement, "Condition") == {"ArnNotLike": {"aws:PrincipalArn": but}}
        and REPLICATION.fullmatch(str(but)) is not None
    )


@rule(
    "table-policies", 24, Severity.HIGH, TABLE_POLICY,
    title="A table's own policy only refuses; who may read it, roles say",
    fix="allow it in the role of who needs it",
)  # fmt: skip
def table_policies(policy: Resource, view: View) -> Lacks:
    said = items(parse(get(policy, "policy")), "Statement")
    if not said or any(get(statement, "Effect") != "Deny" for statement in said):
        yield "lets somebody in beside the roles"
    if not view.targets(policy, "resourceArn", TABLE, REPLICA):
        yield "is the policy of no table of ours"


@rule(
    "dax-encrypted", 27, Severity.MEDIUM, DAX,
    title="DAX encrypts what it keeps and what it sends, and has three nodes in production",
    fsbp="DynamoDB.3 DynamoDB.7", checkov="47 239", nag="DDB4",
    fix="server_side_encryption enabled, cluster_endpoint_encryption_type='TLS', dax.nodes of 3",
)  # fmt: skip
def dax_encrypted(cluster: Resource, view: View) -> Lacks:
    if get(cluster, "serverSideEncryption.enabled") is not True:
        yield "keeps items unencrypted"
    if get(cluster, "clusterEndpointEncryptionType") != "TLS":
        yield "answers without TLS"
    if view.is_prod and number(cluster, "replicationFactor") < 3:
        yield f"has {number(cluster, 'replicationFactor'):.0f} nodes of 3"


@rule(
    "dax-private", 27, Severity.HIGH, DAX, DAX_SUBNETS,
    title="DAX stands in data subnets behind a group of ours, and reads by a role of ours",
    fix="subnet_group_name, security_group_ids and iam_role_arn of ReadCache",
)  # fmt: skip
def dax_private(cluster: Resource, view: View) -> Lacks:
    if cluster.type == f"aws:{DAX_SUBNETS}":
        yield from lacks_ground(cluster, view, "subnetIds")
        return
    if not are_ours(cluster, view, "subnetGroupName", DAX_SUBNETS):
        yield "stands in a subnet group that is not ours"
    if not are_ours(cluster, view, "securityGroupIds", GROUP):
        yield "wears a security group that is not ours, or none"
    if not view.targets(cluster, "iamRoleArn", ROLE):
        yield "has no role of ours"
