"""Each rule of tables notices what it is for; production passes, and so does what it does not have."""

import pytest

from nottermost_platform.rules import View
from nottermost_platform.rules.tables import DAX, DAX_SUBNETS, REPLICA, TABLE, TABLE_POLICY
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

LOG, TEXTS, FENCE = "messages-log", "messages-texts", "messages-log-fence"
BY_HAND = {"regionName": "eu-west-1", "kmsKeyArn": "arn:aws:kms:eu-west-1:1:key/other"}
STATEMENT = "policy.Statement.0"
NO_COPIES = [removed(REPLICA, LOG), removed(REPLICA, TEXTS)]
CASES = [
    Bad("table-recoverable", changed(TABLE, "pointInTimeRecovery.enabled", False), "point in time"),
    Bad("table-recoverable", changed(TABLE, "deletionProtectionEnabled", False), "can be deleted"),
    Bad("table-recoverable", changed(REPLICA, "pointInTimeRecovery", False), "point in time"),
    Bad("table-recoverable", changed(REPLICA, "deletionProtectionEnabled", False), "can be deleted"),
    Bad("table-recoverable", changed(TABLE, "replicas", [BY_HAND]), "eu-west-1 that cannot be put back"),
    Bad("table-recoverable", changed(TABLE, "replicas", [BY_HAND]), "eu-west-1 that can be deleted"),
    Bad("table-encrypted", changed(TABLE, "serverSideEncryption.enabled", False), "key of an account"),
    Bad("table-encrypted", changed(TABLE, "serverSideEncryption.kmsKeyArn", REMOVED), "key of ours"),
    Bad("table-encrypted", changed(REPLICA, "kmsKeyArn", REMOVED), "key of ours"),
    Bad("table-encrypted", changed(TABLE, "replicas", [BY_HAND]), "key of ours in eu-west-1"),
    Bad("table-capacity", changed(TABLE, "billingMode", "PROVISIONED"), "puts back the capacity"),
    Bad("table-capacity", changed(TABLE, "billingMode", "PROVISIONED"), "no autoscaling of what it can read"),
    Bad("table-keys", added(TABLE, {"hashKey": "id"}), "no table that the chat declares"),
    Bad("table-keys", changed(TABLE, "hashKey", "owner", LOG), "hashKey owner and not conversation"),
    Bad("table-keys", changed(TABLE, "rangeKey", REMOVED, LOG), "rangeKey None and not item"),
    Bad("table-keys", changed(TABLE, "attributes.0.type", "N", LOG), "attributes"),
    Bad("table-keys", changed(TABLE, "ttl.enabled", False, TEXTS), "expires by nothing and not by expires_at"),
    Bad("table-keys", changed(TABLE, "ttl", {"enabled": True, "attributeName": "at"}, LOG), "expires by at and not by nothing"),
    Bad("table-keys", changed(TABLE, "globalSecondaryIndexes", [{"name": "by-user"}]), "index"),
    Bad("table-keys", changed(TABLE, "streamEnabled", False), "stream"),
    Bad("table-keys", changed(TABLE, "streamViewType", "KEYS_ONLY"), "stream"),
    Bad("table-keys", both(*NO_COPIES), "stream that nobody reads"),
    Bad("table-keys", removed(TABLE, TEXTS), "stands without messages-texts"),
    Bad("table-copied", removed(REPLICA, LOG), "no replica in another region"),
    Bad("table-fence", changed(REPLICA, "globalTableArn", "arn:aws:dynamodb:us-east-1:1:table/other"), "no table of ours"),
    Bad("table-fence", altered(REPLICA, LOG, region="us-east-1"), "region of its table"),
    Bad("table-fence", removed(TABLE_POLICY, FENCE), "takes writes, and so does messages-log in us-east-1"),
    Bad("table-fence", changed(TABLE_POLICY, f"{STATEMENT}.Effect", "Allow", FENCE), "takes writes"),
    Bad("table-fence", changed(TABLE_POLICY, f"{STATEMENT}.Principal", {"AWS": "arn:aws:iam::1:root"}, FENCE), "takes writes"),
    Bad("table-fence", changed(TABLE_POLICY, f"{STATEMENT}.Action", ["dynamodb:PutItem"], FENCE), "takes writes"),
    Bad("table-fence", changed(TABLE_POLICY, f"{STATEMENT}.Condition.ArnNotLike.aws:PrincipalArn", "*", FENCE), "takes writes"),
    Bad("table-fence", changed(TABLE_POLICY, f"{STATEMENT}.Condition.Bool", {"aws:SecureTransport": "false"}, FENCE), "takes writes"),
    Bad("table-fence", changed(TABLE_POLICY, f"{STATEMENT}.Condition", REMOVED, FENCE), "takes writes"),
    Bad("table-fence", changed(TABLE_POLICY, f"{STATEMENT}.Resource", [], FENCE), "takes writes"),
    Bad("table-policies", changed(TABLE_POLICY, f"{STATEMENT}.Effect", "Allow"), "beside the roles"),
    Bad("table-policies", changed(TABLE_POLICY, "policy", "{}"), "beside the roles"),
    Bad("table-policies", changed(TABLE_POLICY, "resourceArn", "other"), "no table of ours"),
    Bad("dax-encrypted", added(DAX, {}), "unencrypted"),
    Bad("dax-encrypted", added(DAX, {"clusterEndpointEncryptionType": "NONE"}), "without TLS"),
    Bad("dax-encrypted", added(DAX, {"replicationFactor": 1}), "1 nodes of 3"),
    Bad("dax-private", added(DAX, {"subnetGroupName": "default"}), "subnet group"),
    Bad("dax-private", added(DAX, {"securityGroupIds": ["sg-1"]}), "security group"),
    Bad("dax-private", added(DAX, {"iamRoleArn": "arn:aws:iam::1:role/other"}), "no role"),
    Bad("dax-private", added(DAX_SUBNETS, {"subnetIds": ["subnet-1"]}), "not ours"),
]  # fmt: skip


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)


def test_two_fences_are_one_too_many() -> None:
    """Where both regions refuse writes, nobody can send."""
    view = view_of("prod")
    copy = one(view.graph, REPLICA, LOG, region="eu-west-1")
    (fence,) = view.users_at(copy, TABLE_POLICY, "resourceArn")
    copy_arn = fence.inputs["resourceArn"]
    table_arn = copy.inputs["globalTableArn"]
    second = {"resourceArn": table_arn, "policy": fence.inputs["policy"].replace(copy_arn, table_arn)}
    found = says("table-fence", View(added(TABLE_POLICY, second)(view.graph), like=view))
    assert {each.message for each in found} == {"refuses writes, and so does messages-log in us-east-1"}
