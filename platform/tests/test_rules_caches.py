"""Each rule of caches notices what it is for; production passes, and so does one with shards."""

import pytest

from nottermost_platform.rules import View
from nottermost_platform.rules.caches import CACHE, CACHE_PARAMETERS, CACHE_SUBNETS, CACHE_USER, CACHE_USERS
from nottermost_platform.testing import REMOVED, Bad, both, changed, check_bad, removed, says, view_of

CASES = [
    Bad("cache-encrypted", changed(CACHE, "atRestEncryptionEnabled", False), "keys unencrypted"),
    Bad("cache-encrypted", changed(CACHE, "kmsKeyId", REMOVED), "key of ours"),
    Bad("cache-encrypted", changed(CACHE, "transitEncryptionEnabled", False), "without TLS"),
    Bad("cache-encrypted", changed(CACHE, "transitEncryptionMode", "preferred"), "without TLS"),
    Bad("cache-authenticates", changed(CACHE, "authToken", {"$secret": True}), "Pulumi's state"),
    Bad("cache-authenticates", changed(CACHE, "userGroupIds", []), "does not know"),
    Bad("cache-authenticates", removed(CACHE_USERS), "does not know"),
    Bad("cache-authenticates", changed(CACHE_USERS, "userIds", ["default"]), "users that are not ours"),
    Bad("cache-users", changed(CACHE_USER, "authenticationMode.type", "no-password-required"), "neither password nor IAM"),
    Bad("cache-users", changed(CACHE_USER, "noPasswordRequired", True), "neither password nor IAM"),
    Bad("cache-users", changed(CACHE_USER, "passwords", [{"$secret": True}]), "Pulumi's state"),
    Bad("cache-users", changed(CACHE_USER, "accessString", "on nopass ~* +@read"), "without a password"),
    Bad("cache-users", changed(CACHE_USER, "accessString", REMOVED), "not told what it may"),
    Bad("cache-users", changed(CACHE_USER, "accessString", "on ~* &* +@all -@admin"), "administer"),
    Bad("cache-users", changed(CACHE_USER, "accessString", "on ~* -@dangerous -@admin +@all"), "given back"),
    Bad("cache-zones", changed(CACHE, "automaticFailoverEnabled", False), "takes over"),
    Bad("cache-zones", changed(CACHE, "multiAzEnabled", False), "one zone"),
    Bad("cache-zones", changed(CACHE, "numCacheClusters", 1), "no replica"),
    Bad("cache-zones", changed(CACHE, "numCacheClusters", REMOVED), "no replica"),
    Bad("cache-zones", changed(CACHE, "snapshotRetentionLimit", 0), "0 days of 7"),
    Bad("cache-zones", changed(CACHE, "finalSnapshotIdentifier", REMOVED), "no snapshot"),
    Bad("cache-updates", changed(CACHE, "autoMinorVersionUpgrade", False), "minor versions"),
    Bad("cache-private", changed(CACHE, "subnetGroupName", "default"), "subnet group"),
    Bad("cache-private", changed(CACHE, "securityGroupIds", []), "security group"),
    Bad("cache-private", changed(CACHE_SUBNETS, "subnetIds.0", "subnet-1"), "not ours"),
    Bad("cache-logs", changed(CACHE, "logDeliveryConfigurations.1.destination", "other"), "slow-log"),
    Bad("cache-logs", changed(CACHE, "logDeliveryConfigurations", []), "engine-log"),
    Bad("cache-evicts", changed(CACHE, "parameterGroupName", REMOVED), "that AWS gives it"),
    Bad("cache-evicts", changed(CACHE_PARAMETERS, "parameters.0.value", "noeviction"), "maxmemory-policy noeviction"),
]  # fmt: skip


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)


def test_shards_pass() -> None:
    """In cluster mode replicas are counted by shard."""
    view = view_of("prod")
    sharded = both(changed(CACHE, "numCacheClusters", REMOVED), changed(CACHE, "replicasPerNodeGroup", 1))
    assert says("cache-zones", View(sharded(view.graph), like=view)) == set()
