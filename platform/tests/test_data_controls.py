"""The checklist's controls of whatever keeps something, by number, in both regions of production."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from nottermost_platform.testing import ENVIRONMENTS, find, graph_of, one, statements

REGIONS = ("us-east-1", "eu-west-1")
Inputs = dict[str, Any]
Control = tuple[int, str, Callable[[Inputs], object]]


LIFECYCLE = "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
CONTROLS: list[Control] = [
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


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_control_36_no_serverless_brokers(env: str) -> None:
    """The log is a provisioned cluster everywhere; its limits are lower than what is read at peak."""
    assert not find(graph_of(env), "msk/serverlessCluster:ServerlessCluster")
    assert find(graph_of(env), "msk/cluster:Cluster")


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
    others = {"admin", "search-admin"}  # a machine's, and the one that it takes: test_admin_host
    assert others < {each.name for each in roles}
    assert all(
        '"aws:SourceAccount":"333344445555"' in each.inputs["assumeRolePolicy"]
        for each in roles
        if each.name not in others
    )
    for policy in find(graph, "iam/rolePolicy:RolePolicy", stack="data", region=region):
        for statement in statements(policy.inputs["policy"]):
            if policy.name == "admin-session" and statement["Action"][0].startswith("ssmmessages:"):
                continue  # channels have no ARN
            assert "*" not in (*statement["Action"], *statement["Resource"]), policy.name
            assert not [each for each in statement["Action"] if re.fullmatch(r"\w+:\*", each)], policy.name


def test_control_79_every_target_has_a_policy() -> None:
    """What may grow says when."""
    targets = find(graph_of("prod"), "appautoscaling/target:Target", stack="data")
    policies = find(graph_of("prod"), "appautoscaling/policy:Policy", stack="data")
    followed = {urn for each in policies for urn in each.property_dependencies["resourceId"]}
    assert {each.urn for each in targets} <= followed
