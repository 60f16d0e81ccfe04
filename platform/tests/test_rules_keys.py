"""Each rule of keys and secrets notices what it is for, and production passes."""

import pytest

from nottermost_platform.rules import View
from nottermost_platform.rules.keys import ALIAS, FUNCTION, GRANT, KEY, PERMISSION, REPLICA_KEY, ROTATION, SECRET
from nottermost_platform.testing import REMOVED, Bad, added, changed, check_bad, removed, says, view_of

NAME = "signing-keys"
CASES = [
    Bad("keys-rotate", changed(KEY, "enableKeyRotation", False), "does not rotate"),
    Bad("keys-rotate", changed(KEY, "rotationPeriodInDays", 2560), "every 2560 days"),
    Bad("keys-rotate", changed(KEY, "isEnabled", False), "switched off"),
    Bad("keys-rotate", changed(KEY, "multiRegion", True), "may leave its region"),
    Bad("keys-rotate", changed(KEY, "keyUsage", "SIGN_VERIFY"), "SIGN_VERIFY"),
    Bad("keys-can-be-saved", changed(KEY, "deletionWindowInDays", 7), "7 days after"),
    Bad("keys-can-be-saved", added(KEY, {"deletionWindowInDays": 30}, like="sqs/queue:Queue"), "not protected"),
    Bad("keys-have-policies", changed(KEY, "policy", REMOVED), "that KMS gives it"),
    Bad("keys-have-policies", changed(KEY, "policy.Statement.0.Effect", "Deny"), "cannot be administered"),
    Bad("keys-have-policies", changed(KEY, "bypassPolicyLockoutSafetyCheck", True), "lock everybody out"),
    Bad("keys-grants", added(GRANT, {"granteePrincipal": "arn:aws:iam::1:role/x", "operations": ["Decrypt"]}), "nobody of ours"),
    Bad("keys-grants", added(GRANT, {"keyId": "other", "operations": ["Decrypt"]}), "no key of ours"),
    Bad("keys-grants", added(GRANT, {"operations": ["CreateGrant"]}), "lets others"),
    Bad("keys-have-names", changed(ALIAS, "targetKeyId", "other"), "means no key"),
    Bad("keys-in-both-regions", changed(REPLICA_KEY, "primaryKeyArn", "arn:aws:kms:us-east-1:1:key/x"), "in another region"),
    Bad("keys-in-both-regions", changed(KEY, "multiRegion", False, "data"), "has one region"),
    Bad("keys-in-both-regions", changed(REPLICA_KEY, "enabled", False), "switched off"),
    Bad("secrets-encrypted", changed(SECRET, "kmsKeyId", REMOVED, NAME), "no key of ours"),
    Bad("secrets-encrypted", changed(SECRET, "recoveryWindowInDays", 0, NAME), "0 days after"),
    Bad("secrets-encrypted", added(SECRET, {"recoveryWindowInDays": 30}, like="sqs/queue:Queue"), "not protected"),
    Bad("secrets-rotate", removed(ROTATION, f"{NAME}-schedule"), "never changed"),
    Bad("secrets-rotate", changed(ROTATION, "rotationRules.automaticallyAfterDays", 365, f"{NAME}-schedule"), "every 365 days"),
    Bad("secrets-rotate", changed(ROTATION, "rotateImmediately", False, f"{NAME}-schedule"), "its first value"),
    Bad("secrets-rotate", changed(ROTATION, "rotationLambdaArn", REMOVED, f"{NAME}-schedule"), "no function of ours"),
    Bad("secrets-rotate", removed(PERMISSION, f"{NAME}-rotation-secretsmanager"), "may not call"),
    Bad("secrets-rotate", removed(FUNCTION, f"{NAME}-rotation"), "no function of ours"),
    Bad("secrets-in-both-regions", changed(SECRET, "replicas", [], NAME), "not in eu-west-1"),
]  # fmt: skip


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)


def test_a_narrow_grant_passes() -> None:
    """To a role of ours, for what it needs."""
    view = view_of("prod")
    role, key = view.of("iam/role:Role")[0], view.of(KEY)[0]
    (alias,) = view.users(key, ALIAS)
    good = {
        "granteePrincipal": f"arn:aws:iam::333344445555:role/{role.inputs['name']}",
        "keyId": alias.inputs["targetKeyId"],
        "operations": ["Decrypt"],
    }
    assert not says("keys-grants", View(added(GRANT, good)(view.graph), like=view))
