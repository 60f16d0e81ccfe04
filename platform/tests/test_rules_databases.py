"""Each rule of databases notices what it is for, and production passes."""

import msgspec
import pytest

from nottermost_platform.graph import Graph
from nottermost_platform.rules import View
from nottermost_platform.rules.databases import (
    CLUSTER,
    CLUSTER_PARAMETERS,
    EVENTS,
    INSTANCE,
    MEMBER,
    PARAMETERS,
    PROXY,
    ROTATION,
    SUBNETS,
)
from nottermost_platform.testing import (
    REMOVED,
    Bad,
    added,
    altered,
    both,
    changed,
    check_bad,
    one,
    removed,
    says,
    view_of,
)

LOG_GROUP = "cloudwatch/logGroup:LogGroup"
ROUTE = "ec2/route:Route"
GLOBAL = "rds/globalCluster:GlobalCluster"
READER = "database-reader-0"
DATA_ROUTES = "rtb-c8391af53081f67a5"  # the data tier's route table, as captured: a hash of its URN
CLUSTER_GOOD = {
    "clusterIdentifier": "added", "engine": "aurora-postgresql", "engineVersion": "17", "storageEncrypted": True,
    "deletionProtection": True, "skipFinalSnapshot": False, "finalSnapshotIdentifier": "last",
    "backupRetentionPeriod": 14, "deleteAutomatedBackups": False, "iamDatabaseAuthenticationEnabled": True,
    "copyTagsToSnapshot": True, "masterUsername": "nottermost", "manageMasterUserPassword": True,
    "enabledCloudwatchLogsExports": ["postgresql"], "dbClusterParameterGroupName": "shared",
}  # fmt: skip
MEMBER_GOOD = {
    "clusterIdentifier": "added", "engine": "aurora-postgresql", "publiclyAccessible": False, "promotionTier": 0,
    "availabilityZone": "us-east-1a", "caCertIdentifier": "rds-ca-rsa2048-g1", "copyTagsToSnapshot": True,
    "autoMinorVersionUpgrade": True, "monitoringInterval": 60, "performanceInsightsEnabled": True,
    "performanceInsightsRetentionPeriod": 7,
}  # fmt: skip
WANTED = {"rds.force_ssl": "1", "log_statement": "ddl", "log_min_duration_statement": "500", "log_lock_waits": "1"}
TLS, SLOW, STATEMENTS, LOCKS, IDLE = (f"parameters.{place}.value" for place in range(5))


def without_standby(graph: Graph) -> Graph:
    """Production in one region."""
    return msgspec.structs.replace(graph, stacks=[each for each in graph.stacks if each.region == "us-east-1"])


CASES = [
    Bad("database-encrypted", changed(INSTANCE, "storageEncrypted", False), "is not encrypted"),
    Bad("database-encrypted", changed(INSTANCE, "kmsKeyId", REMOVED), "key of ours"),
    Bad("database-private", changed(INSTANCE, "publiclyAccessible", True, READER), "public address"),
    Bad("database-private", changed(INSTANCE, "dbSubnetGroupName", "default"), "subnet group"),
    Bad("database-private", changed(INSTANCE, "vpcSecurityGroupIds", ["sg-1"]), "security group"),
    Bad("database-private", added(MEMBER, MEMBER_GOOD | {"publiclyAccessible": True}), "public address"),
    Bad("database-subnets", changed(SUBNETS, "subnetIds", ["subnet-1"]), "not ours"),
    Bad("database-subnets", changed(SUBNETS, "subnetIds", []), "0 zones of 3"),
    Bad("database-subnets", changed(PROXY, "vpcSubnetIds.0", REMOVED), "1 zones of 2"),
    Bad("database-subnets", changed(ROUTE, "routeTableId", DATA_ROUTES), "leads to the internet"),
    Bad("database-subnets", altered("ec2/subnet:Subnet", "main-data-us-east-1a", tags={"tier": "app"}), "no data subnet"),
    Bad("database-zones", changed(INSTANCE, "multiAz", False), "one zone"),
    Bad("database-zones", both(added(CLUSTER, CLUSTER_GOOD), added(MEMBER, MEMBER_GOOD)), "1 zones of 2"),
    Bad("database-zones", both(added(CLUSTER, CLUSTER_GOOD), added(MEMBER, {"clusterIdentifier": "added"})), "which member"),
    Bad("database-copied", without_standby, "no copy"),
    Bad("database-copied", changed(INSTANCE, "replicateSourceDb", "other", READER), "no database of ours"),
    Bad("database-deletion", changed(INSTANCE, "deletionProtection", False), "can be deleted"),
    Bad("database-deletion", changed(INSTANCE, "skipFinalSnapshot", False, READER), "refuses of a replica"),
    Bad("database-deletion", changed(INSTANCE, "skipFinalSnapshot", True), "no snapshot"),
    Bad("database-deletion", changed(INSTANCE, "finalSnapshotIdentifier", REMOVED), "no snapshot"),
    Bad("database-backups", changed(INSTANCE, "backupRetentionPeriod", 7), "7 days of 14"),
    Bad("database-backups", changed(INSTANCE, "deleteAutomatedBackups", True), "takes its backups"),
    Bad("database-connections", changed(INSTANCE, "caCertIdentifier", "rds-ca-2019"), "certificate"),
    Bad("database-connections", changed(INSTANCE, "caCertIdentifier", REMOVED), "certificate"),
    Bad("database-connections", changed(INSTANCE, "engine", "mysql"), "no PostgreSQL"),
    Bad("database-connections", changed(INSTANCE, "iamDatabaseAuthenticationEnabled", False), "by IAM"),
    Bad("database-connections", changed(PARAMETERS, TLS, "0"), "without TLS"),
    Bad("database-connections", changed(INSTANCE, "parameterGroupName", "default.postgres17"), "without TLS"),
    Bad("database-logs", changed(INSTANCE, "enabledCloudwatchLogsExports", ["upgrade"]), "its log to CloudWatch"),
    Bad("database-logs", removed(LOG_GROUP, "database-log-postgresql"), "log group of ours for postgresql"),
    Bad("database-logs", changed(PARAMETERS, STATEMENTS, "none"), "changes of its tables"),
    Bad("database-logs", changed(PARAMETERS, SLOW, "-1"), "no slow statement"),
    Bad("database-logs", changed(PARAMETERS, SLOW, "0"), "each one with its values"),
    Bad("database-logs", changed(PARAMETERS, LOCKS, "0"), "waits for locks"),
    Bad("database-limits", changed(INSTANCE, "maxAllocatedStorage", 200), "does not grow"),
    Bad("database-limits", changed(PARAMETERS, IDLE, "0"), "clients that are gone"),
    Bad("database-updates", changed(INSTANCE, "copyTagsToSnapshot", False), "without tags"),
    Bad("database-updates", changed(INSTANCE, "autoMinorVersionUpgrade", False), "minor versions"),
    Bad("database-updates", changed(INSTANCE, "engineVersion", "17.2"), "version 17.2"),
    Bad("database-watched", changed(INSTANCE, "monitoringInterval", 0), "what its machine does"),
    Bad("database-watched", changed(INSTANCE, "monitoringRoleArn", "arn:aws:iam::1:role/other"), "no role of ours"),
    Bad("database-watched", changed(INSTANCE, "performanceInsightsEnabled", False), "does not record"),
    Bad("database-watched", changed(INSTANCE, "performanceInsightsKmsKeyId", REMOVED), "key of ours"),
    Bad("database-watched", changed(INSTANCE, "performanceInsightsRetentionPeriod", 0), "less than 7 days"),
    Bad("database-first-user", changed(INSTANCE, "username", "postgres"), "everybody tries"),
    Bad("database-first-user", changed(INSTANCE, "password", {"$secret": True}), "Pulumi's state"),
    Bad("database-first-user", both(changed(INSTANCE, "passwordWo", REMOVED), changed(INSTANCE, "manageMasterUserPassword", True)), "no key of ours"),
    Bad("database-first-user", changed(INSTANCE, "passwordWo", "hunter2"), "in the program"),
    Bad("database-first-user", changed(ROTATION, "rotateImmediately", False, "database-password-schedule"), "nothing changes"),
    Bad("database-first-user", changed(INSTANCE, "passwordWo", REMOVED), "without a password"),
    Bad("database-first-user", changed(INSTANCE, "username", REMOVED), "or the reverse"),
    Bad("database-proxy", changed(PROXY, "requireTls", False), "without TLS"),
    Bad("database-proxy", changed(PROXY, "defaultAuthScheme", "NONE"), "by password"),
    Bad("database-proxy", changed(PROXY, "auths", [{"iamAuth": "DISABLED"}]), "by password"),
    Bad("database-proxy", changed(PROXY, "debugLogging", True), "statements into its log"),
    Bad("database-proxy", changed(PROXY, "vpcSecurityGroupIds", []), "security group"),
    Bad("database-proxy", changed(PROXY, "roleArn", REMOVED), "no role"),
    Bad("database-proxy", removed(LOG_GROUP, "database-log-proxy"), "no log group"),
    Bad("database-global", added(GLOBAL, {"deletionProtection": True}), "not encrypted"),
    Bad("database-global", added(GLOBAL, {"storageEncrypted": True}), "can be deleted"),
    Bad("database-events", removed(EVENTS, "database-parameters"), "configuration change"),
    Bad("database-events", changed(EVENTS, "eventCategories", ["failover"], "database-instance"), "low storage"),
    Bad("database-events", changed(EVENTS, "sourceIds", ["other"], "database-instance"), "tells nobody"),
    Bad("database-events", changed(EVENTS, "enabled", False, "database-instance"), "tells nobody"),
    Bad("database-events", changed(EVENTS, "snsTopic", "arn:aws:sns:us-east-1:1:other", "database-instance"), "no topic of ours"),
    Bad("database-events", added(CLUSTER, CLUSTER_GOOD), "tells nobody of configuration change, deletion"),
]  # fmt: skip


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)


def test_a_good_cluster_passes() -> None:
    """Aurora: what production does not have is judged by the same rules, and can pass them."""
    view = view_of("prod")
    model = one(view.graph, INSTANCE, "database").inputs
    shared = {"kmsKeyId": model["kmsKeyId"], "masterUserSecretKmsKeyId": model["kmsKeyId"]}
    place = {each: model[each] for each in ("dbSubnetGroupName", "vpcSecurityGroupIds")}
    watched = {each: model[each] for each in ("monitoringRoleArn", "performanceInsightsKmsKeyId")}
    parameters = [{"name": name, "value": value} for name, value in WANTED.items()]
    graph = both(
        added(CLUSTER, CLUSTER_GOOD | shared | place),
        added(MEMBER, MEMBER_GOOD | watched),
        altered(MEMBER, "added", urn="urn:pulumi:first::member"),
        added(MEMBER, MEMBER_GOOD | watched | {"availabilityZone": "us-east-1b", "promotionTier": 1}),
        added(CLUSTER_PARAMETERS, {"name": "shared", "parameters": parameters}),
        added(LOG_GROUP, {"name": "/aws/rds/cluster/added/postgresql"}),
        added(
            EVENTS,
            {"sourceType": "db-cluster", "snsTopic": one(view.graph, EVENTS, "database-instance").inputs["snsTopic"]},
        ),
        added(GLOBAL, {"storageEncrypted": True, "deletionProtection": True}),
    )(view.graph)
    changed_view = View(graph, like=view)
    rules = {bad.rule for bad in CASES}
    assert [each for rule in rules for each in says(rule, changed_view) - says(rule, view)] == []
