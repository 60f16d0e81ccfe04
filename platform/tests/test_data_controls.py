"""The checklist's controls of whatever keeps something, by number, in both regions of production."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from nottermost_platform.graph import Resource
from nottermost_platform.testing import ENVIRONMENTS, find, graph_of, one, statements

REGIONS = ("us-east-1", "eu-west-1")
Inputs = dict[str, Any]
Control = tuple[int, str, Callable[[Inputs], object]]


def sizes_of(parameters: list[Inputs]) -> dict[str, str]:
    """A parameter group as a mapping."""
    return {each["name"]: each["value"] for each in parameters}


def is_reader(i: Inputs) -> bool:
    """A replica for good; the standby's own may be promoted."""
    return "-reader-" in i["identifier"]


DATABASE = "rds/instance:Instance"
TABLE, COPY = "dynamodb/table:Table", "dynamodb/tableReplica:TableReplica"
SEARCH = "opensearch/domain:Domain"
KAFKA = "msk/cluster:Cluster"
CACHE = "elasticache/replicationGroup:ReplicationGroup"
LIFECYCLE = "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
CONTROLS: list[Control] = [
    (12, DATABASE, lambda i: i["storageEncrypted"] and i["kmsKeyId"].startswith("arn:aws:kms:")),
    (13, DATABASE, lambda i: i["publiclyAccessible"] is False and i["dbSubnetGroupName"]),
    (14, DATABASE, lambda i: i["multiAz"]),
    (15, DATABASE, lambda i: i["deletionProtection"] and i["skipFinalSnapshot"] is is_reader(i)),
    (15, DATABASE, lambda i: is_reader(i) or i["finalSnapshotIdentifier"]),
    (16, DATABASE, lambda i: i["backupRetentionPeriod"] >= 14 and i["deleteAutomatedBackups"] is False),
    (17, DATABASE, lambda i: i["iamDatabaseAuthenticationEnabled"]),
    (17, "rds/parameterGroup:ParameterGroup", lambda i: sizes_of(i["parameters"])["rds.force_ssl"] == "1"),
    (18, DATABASE, lambda i: "postgresql" in i["enabledCloudwatchLogsExports"]),
    (18, "rds/parameterGroup:ParameterGroup", lambda i: sizes_of(i["parameters"]).keys() >= {"log_statement", "log_min_duration_statement"}),
    (19, DATABASE, lambda i: i["copyTagsToSnapshot"] and i["autoMinorVersionUpgrade"] and i["engineVersion"].isdigit()),
    (20, DATABASE, lambda i: i["monitoringInterval"] > 0 and i["monitoringRoleArn"]),
    (20, DATABASE, lambda i: i["performanceInsightsEnabled"] and i["performanceInsightsKmsKeyId"]),
    (21, DATABASE, lambda i: i.get("username", "nottermost") not in ("postgres", "admin") and "password" not in i),
    (22, "rds/proxy:Proxy", lambda i: i["requireTls"] and i["defaultAuthScheme"] == "IAM_AUTH"),
    (28, SEARCH, lambda i: i["encryptAtRest"]["enabled"] and i["encryptAtRest"]["kmsKeyId"]),
    (28, SEARCH, lambda i: i["nodeToNodeEncryption"]["enabled"] and i["domainEndpointOptions"]["enforceHttps"]),
    (28, SEARCH, lambda i: i["domainEndpointOptions"]["tlsSecurityPolicy"].startswith("Policy-Min-TLS-1-2")),
    (29, SEARCH, lambda i: len(i["vpcOptions"]["subnetIds"]) == 3 and len(i["vpcOptions"]["securityGroupIds"]) == 1),
    (30, SEARCH, lambda i: i["advancedSecurityOptions"]["enabled"] and not i["advancedSecurityOptions"]["anonymousAuthEnabled"]),
    (30, SEARCH, lambda i: all(each["Principal"] != "*" for each in statements(i["accessPolicies"]))),
    (31, SEARCH, lambda i: {each["logType"] for each in i["logPublishingOptions"]} == {"ES_APPLICATION_LOGS", "AUDIT_LOGS", "SEARCH_SLOW_LOGS", "INDEX_SLOW_LOGS"}),
    (31, "cloudwatch/logResourcePolicy:LogResourcePolicy", lambda i: "es.amazonaws.com" in i["policyDocument"]),
    (32, SEARCH, lambda i: i["clusterConfig"]["instanceCount"] >= 3 and i["clusterConfig"]["zoneAwarenessEnabled"]),
    (32, SEARCH, lambda i: i["clusterConfig"]["dedicatedMasterEnabled"] and i["clusterConfig"]["dedicatedMasterCount"] == 3),
    (33, KAFKA, lambda i: i["encryptionInfo"]["encryptionInTransit"] == {"clientBroker": "TLS", "inCluster": True}),
    (33, KAFKA, lambda i: i["encryptionInfo"]["encryptionAtRestKmsKeyArn"].startswith("arn:aws:kms:")),
    (33, KAFKA, lambda i: i["brokerNodeGroupInfo"]["connectivityInfo"]["publicAccess"]["type"] == "DISABLED"),
    (34, KAFKA, lambda i: i["clientAuthentication"] == {"sasl": {"iam": True}, "unauthenticated": False}),
    (35, KAFKA, lambda i: i["loggingInfo"]["brokerLogs"]["cloudwatchLogs"]["enabled"] and i["enhancedMonitoring"] != "DEFAULT"),
    (35, KAFKA, lambda i: i["numberOfBrokerNodes"] % len(i["brokerNodeGroupInfo"]["clientSubnets"]) == 0),
    (35, "msk/configuration:Configuration", lambda i: {"min.insync.replicas=2", "default.replication.factor=3", "unclean.leader.election.enable=false", "auto.create.topics.enable=false"} <= set(i["serverProperties"].split("\n"))),
    (37, CACHE, lambda i: i["atRestEncryptionEnabled"] and i["kmsKeyId"] and i["transitEncryptionEnabled"] and i["userGroupIds"]),
    (38, CACHE, lambda i: i["automaticFailoverEnabled"] and i["multiAzEnabled"] and i["numCacheClusters"] >= 2),
    (38, CACHE, lambda i: i["snapshotRetentionLimit"] >= 7 and i["autoMinorVersionUpgrade"] and i["subnetGroupName"]),
    (53, "s3/bucketPublicAccessBlock:BucketPublicAccessBlock", lambda i: all(i[each] for each in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"))),
    (53, "s3/bucketPolicy:BucketPolicy", lambda i: next(statements(i["policy"]))["Sid"] == "DenyPlainTransport"),
    (54, "s3/bucketVersioning:BucketVersioning", lambda i: i["versioningConfiguration"]["status"] == "Enabled"),
    (54, "s3/bucketOwnershipControls:BucketOwnershipControls", lambda i: i["rule"]["objectOwnership"] == "BucketOwnerEnforced"),
    (54, LIFECYCLE, lambda i: i["rules"][0]["noncurrentVersionExpiration"] and i["rules"][0]["abortIncompleteMultipartUpload"]),
    (55, "s3/bucket:Bucket", lambda i: i["forceDestroy"] is False),
    (55, "s3/bucketLogging:BucketLogging", lambda i: "-logs-" in i["targetBucket"]),
    (74, "cloudwatch/logGroup:LogGroup", lambda i: i["retentionInDays"] >= 365 and i["kmsKeyId"]),
    (79, "appautoscaling/target:Target", lambda i: 2 <= i["minCapacity"] <= i["maxCapacity"]),
]  # fmt: skip


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize(
    ("control", "kind", "holds"), CONTROLS, ids=[f"{number}-{kind.rpartition(':')[2]}" for number, kind, _ in CONTROLS]
)
def test_control(control: int, kind: str, holds: Callable[[Inputs], object], region: str) -> None:
    """It holds of every resource of the type."""
    found = find(graph_of("prod"), kind, stack="data", region=region)
    assert found
    assert [each.name for each in found if not holds(each.inputs)] == [], control


def test_control_13_the_database_stands_in_the_data_tier() -> None:
    """Its subnets are those that lead nowhere; the proxy's too, in two zones: a third would replace it."""
    graph = graph_of("prod")
    (network,) = (each for each in graph.stacks if (each.name, each.region) == ("network", "us-east-1"))
    data = network.outputs["data_subnet_ids"].value
    assert one(graph, "rds/subnetGroup:SubnetGroup").inputs["subnetIds"] == data
    assert one(graph, "rds/proxy:Proxy").inputs["vpcSubnetIds"] == data[:2]


def test_control_21_no_password_is_known() -> None:
    """RDS keeps it, or, with replicas, it is write-only and rotated at once; no text of it is in the graph."""
    prod = one(graph_of("prod"), DATABASE, "database")
    assert prod.inputs["passwordWo"] == {"$secret": True}
    assert "passwordWo" in prod.options.ignore_changes
    rotation = one(graph_of("prod"), "secretsmanager/secretRotation:SecretRotation", "database-password-schedule")
    assert rotation.inputs["rotateImmediately"]
    assert one(graph_of("dev"), DATABASE).inputs["manageMasterUserPassword"]


@pytest.mark.parametrize("region", REGIONS)
def test_controls_24_to_26_tables(region: str) -> None:
    """Recoverable, protected, encrypted with this region's key, paid per request."""
    kind = TABLE if region == "us-east-1" else COPY
    found = find(graph_of("prod"), kind, stack="data", region=region)
    assert len(found) == 2
    for each in found:
        given = each.inputs
        assert given["deletionProtectionEnabled"]
        assert each.options.protect
        if kind == TABLE:
            assert given["pointInTimeRecovery"]["enabled"]
            assert given["serverSideEncryption"]["kmsKeyArn"].split(":")[3] == region
            assert given["billingMode"] == "PAY_PER_REQUEST"
        else:
            assert given["pointInTimeRecovery"]
            assert given["kmsKeyArn"].split(":")[3] == region


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_control_36_no_serverless_brokers(env: str) -> None:
    """The log is a provisioned cluster everywhere; its limits are lower than what is read at peak."""
    assert not find(graph_of(env), "msk/serverlessCluster:ServerlessCluster")
    assert find(graph_of(env), KAFKA)


def test_control_54_encryption() -> None:
    """Every bucket has our key and saves calls with a bucket key; that of logs cannot: AWS delivers there."""
    found = find(
        graph_of("prod"),
        "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        stack="data",
    )
    ours = {each.name.removesuffix("-encryption"): each.inputs["rules"][0]["bucketKeyEnabled"] for each in found}
    assert ours == {"logs": False, "files": True, "page": True, "archive": True, "archive-results": True}


def test_control_56_locked_and_copied() -> None:
    """The archive cannot be deleted for 30 days; the standby copies what people wrote and see."""
    graph = graph_of("prod")
    lock = one(graph, "s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration", stack="data").inputs
    assert lock["rule"]["defaultRetention"] == {"mode": "GOVERNANCE", "days": 30}
    copies = find(graph, "s3/bucketReplicationConfig:BucketReplicationConfig", region="us-east-1")
    copies += find(graph, "s3/bucketReplicationConfig:BucketReplicationConfig", region="eu-west-1")
    assert {each.name for each in copies} == {"copies-files", "copies-page", "copies-archive"}
    for each in copies:
        (rule,) = each.inputs["rules"]
        assert each.inputs["region"] == "us-east-1"
        assert rule["deleteMarkerReplication"]["status"] == "Enabled"
        assert rule["destination"]["replicationTime"]["time"]["minutes"] == 15
        assert rule["destination"]["encryptionConfiguration"]["replicaKmsKeyId"].split(":")[3] == "eu-west-1"


def policies_of(resource: Resource) -> str:
    """The text of whatever policy a resource has."""
    return json.dumps([resource.inputs.get(each, "") for each in ("policy", "assumeRolePolicy", "accessPolicies")])


@pytest.mark.parametrize("region", REGIONS)
def test_control_72_keys(region: str) -> None:
    """They rotate, wait 30 days before they are deleted, and say who may use them; the replica follows the first."""
    keys = find(graph_of("prod"), "kms/key:Key", stack="data", region=region)
    copies = find(graph_of("prod"), "kms/replicaKey:ReplicaKey", stack="data", region=region)
    assert keys or copies
    assert all(each.inputs["enableKeyRotation"] for each in keys)
    assert len(copies) == (region == "eu-west-1")
    for each in (*keys, *copies):
        assert each.inputs["deletionWindowInDays"] == 30
        assert all("Condition" in said for said in statements(each.inputs["policy"]) if "Service" in said["Principal"])


def test_control_73_secrets() -> None:
    """Our key, rotated unless given by hand, 30 days to regret a deletion, copied to the standby where that needs it."""
    graph = graph_of("prod")
    secrets = {each.name: each.inputs for each in find(graph, "secretsmanager/secret:Secret", stack="data")}
    made, given = {"signing-keys", "webhook-key", "pseudonym-key", "vapid-key"}, {"fcm-account", "apns-key"}
    assert set(secrets) == {"database-password", "cache-password", *made, *given}
    assert all(each["kmsKeyId"] and each["recoveryWindowInDays"] == 30 for each in secrets.values())
    copied = {name for name, each in secrets.items() if each.get("replicas") == [{"region": "eu-west-1"}]}
    assert copied == {"database-password", *made, *given}
    rotations = find(graph, "secretsmanager/secretRotation:SecretRotation", stack="data")
    assert {each.inputs["rotationRules"]["automaticallyAfterDays"] for each in rotations} == {30}
    assert {each.name for each in rotations} == {f"{name}-schedule" for name in set(secrets) - given}


@pytest.mark.parametrize("region", REGIONS)
def test_control_76_roles(region: str) -> None:
    """Services act for this account alone; nothing is allowed on everything."""
    graph = graph_of("prod")
    roles = find(graph, "iam/role:Role", stack="data", region=region)
    assert all(
        '"aws:SourceAccount":"333344445555"' in each.inputs["assumeRolePolicy"] or "role/prod-*" in policies_of(each)
        for each in roles
    )
    for policy in find(graph, "iam/rolePolicy:RolePolicy", stack="data", region=region):
        for statement in statements(policy.inputs["policy"]):
            assert "*" not in (*statement["Action"], *statement["Resource"]), policy.name
            assert not [each for each in statement["Action"] if re.fullmatch(r"\w+:\*", each)], policy.name


def test_control_78_backups() -> None:
    """Daily, locked, encrypted, with copies in the other region; the tag covers database, tables and archive."""
    graph = graph_of("prod")
    (rule,) = one(graph, "backup/plan:Plan").inputs["rules"]
    assert rule["lifecycle"]["deleteAfter"] == 35
    assert rule["copyActions"][0]["lifecycle"]["deleteAfter"] == 35
    vaults = find(graph, "backup/vault:Vault")
    assert {each.inputs.get("region", "us-east-1") for each in vaults} == set(REGIONS)
    assert all(each.inputs["kmsKeyArn"] for each in vaults)
    assert len(find(graph, "backup/vaultLockConfiguration:VaultLockConfiguration")) == 2
    (tag,) = one(graph, "backup/selection:Selection").inputs["selectionTags"]
    tagged = {
        each.name for stack in graph.stacks for each in stack.resources if each.tags.get(tag["key"]) == tag["value"]
    }
    assert tagged == {"database", "messages-log", "messages-texts", "archive"}


def test_control_79_every_target_has_a_policy() -> None:
    """What may grow says when."""
    targets = find(graph_of("prod"), "appautoscaling/target:Target", stack="data")
    policies = find(graph_of("prod"), "appautoscaling/policy:Policy", stack="data")
    followed = {urn for each in policies for urn in each.property_dependencies["resourceId"]}
    assert {each.urn for each in targets} <= followed
