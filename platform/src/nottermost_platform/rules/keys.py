"""Rules of keys and secrets: controls 72 and 73."""

from typing import Final

from nottermost_platform.graph import Resource
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.statements import account_of, read
from nottermost_platform.rules.view import View, get, items, number

KEY: Final = "kms/key:Key"
REPLICA_KEY: Final = "kms/replicaKey:ReplicaKey"
KEYS: Final = (KEY, REPLICA_KEY)
ALIAS: Final = "kms/alias:Alias"
GRANT: Final = "kms/grant:Grant"
SECRET: Final = "secretsmanager/secret:Secret"  # noqa: S105 - a type
ROTATION: Final = "secretsmanager/secretRotation:SecretRotation"
FUNCTION: Final = "lambda/function:Function"
PERMISSION: Final = "lambda/permission:Permission"
WINDOW_DAYS_MIN: Final = {"prod": 30}  # in which a deleted key can be saved; elsewhere KMS's least
WINDOW_DAYS_MIN_ELSEWHERE: Final = 7
ROTATION_DAYS_MAX: Final = 90
RECOVERY_DAYS_MIN: Final = 7


def lets_service(key: Resource, service: str) -> bool:
    """Whether a key's policy lets a service read and write with it, on some condition."""
    document = [each for each in read(get(key, "policy")) if each.allows and service in each.services]
    return all(any(each.covers(f"kms:{verb}", "*") for each in document) for verb in ("Decrypt", "GenerateDataKey"))


@rule(
    "keys-rotate", 72, Severity.MEDIUM, KEY,
    title="A key is in use, rotates every year, encrypts, and in production has many regions only for a replica",
    fsbp="KMS.4", checkov="7", nag="KMS5", fix="enable_key_rotation=True",
)  # fmt: skip
def keys_rotate(key: Resource, view: View) -> Lacks:
    if get(key, "enableKeyRotation") is not True:
        yield "does not rotate"
    if number(key, "rotationPeriodInDays") > 365:
        yield f"rotates every {number(key, 'rotationPeriodInDays'):.0f} days"
    if get(key, "isEnabled", True) is not True:
        yield "is switched off"
    if view.is_prod and get(key, "multiRegion") is True and not view.users_at(key, REPLICA_KEY, "primaryKeyArn"):
        yield "may leave its region, and nothing of ours takes it"
    if get(key, "keyUsage", "ENCRYPT_DECRYPT") != "ENCRYPT_DECRYPT":
        yield f"is for {get(key, 'keyUsage')}"


@rule(
    "keys-can-be-saved", 72, Severity.CRITICAL, *KEYS,
    title="A deleted key can be saved for a week, in production for 30 days, and is protected there",
    fsbp="KMS.3", fix="deletion_window_in_days=30, and protect in production",
)  # fmt: skip
def keys_can_be_saved(key: Resource, view: View) -> Lacks:
    days = number(key, "deletionWindowInDays")
    if days < WINDOW_DAYS_MIN.get(view.env_class, WINDOW_DAYS_MIN_ELSEWHERE):
        yield f"is gone {days:.0f} days after it was deleted"
    if view.is_prod and not key.options.protect:
        yield "is not protected from being deleted"


@rule(
    "keys-have-policies", 72, Severity.HIGH, *KEYS,
    title="A key's policy is written out, leaves the key to the account's IAM, and cannot lock everybody out",
    fsbp="KMS.5", checkov="33 CKV2_AWS_64", fix="the statement AccountDecides of EncryptionKey",
)  # fmt: skip
def keys_have_policies(key: Resource, view: View) -> Lacks:
    document = read(get(key, "policy"))
    root = f"arn:aws:iam::{account_of(key, view)}:root"
    if not document:
        yield "has the policy that KMS gives it"
    elif not any(each.allows and each.principals.get("AWS") == [root] and "kms:*" in each.actions for each in document):
        yield "cannot be administered by the account"
    if get(key, "bypassPolicyLockoutSafetyCheck") is True:
        yield "may lock everybody out"


@rule(
    "keys-grants", 72, Severity.HIGH, GRANT,
    title="A grant is to a role of ours, for what it needs, and no grant to give out grants",
    fsbp="KMS.1 KMS.2", fix="name a role of ours and the operations; the component's policies are mostly enough",
)  # fmt: skip
def keys_grants(grant: Resource, view: View) -> Lacks:
    if not view.targets(grant, "granteePrincipal", "iam/role:Role"):
        yield "is to nobody of ours"
    if not view.targets(grant, "keyId", *KEYS):
        yield "is of no key of ours"
    operations = items(grant, "operations")
    if not operations or "CreateGrant" in operations:
        yield "lets others be granted the key"


@rule(
    "keys-have-names", 72, Severity.LOW, ALIAS,
    title="An alias means a key of ours", fix="target_key_id=<Key>.key_id",
)  # fmt: skip
def keys_have_names(alias: Resource, view: View) -> Lacks:
    if not view.targets(alias, "targetKeyId", *KEYS):
        yield "means no key of ours"


@rule(
    "keys-in-both-regions", 72, Severity.HIGH, REPLICA_KEY,
    title="A replica is of a key of ours that may have replicas, in another region, and in use",
    fix="primary_key_arn of a Key with multi_region=True",
)  # fmt: skip
def keys_in_both_regions(replica: Resource, view: View) -> Lacks:
    primaries = [each for each in view.targets(replica, "primaryKeyArn", KEY) if each.region != replica.region]
    if not primaries:
        yield "is of no key of ours in another region"
    if any(get(each, "multiRegion") is not True for each in primaries):
        yield "is of a key that has one region"
    if get(replica, "enabled", True) is not True:
        yield "is switched off"


@rule(
    "secrets-encrypted", 73, Severity.MEDIUM, SECRET,
    title="A secret is encrypted with a key of ours, and can be saved for a week after it was deleted",
    checkov="149", fix="kms_key_id, recovery_window_in_days=30",
)  # fmt: skip
def secrets_encrypted(secret: Resource, view: View) -> Lacks:
    if not view.targets(secret, "kmsKeyId", *KEYS):
        yield "is encrypted with no key of ours"
    if view.env_class != "pr" and number(secret, "recoveryWindowInDays") < RECOVERY_DAYS_MIN:
        yield f"is gone {number(secret, 'recoveryWindowInDays'):.0f} days after it was deleted"
    if view.is_prod and not secret.options.protect:
        yield "is not protected from being deleted"


@rule(
    "secrets-rotate", 73, Severity.MEDIUM, SECRET,
    title="A secret is changed every 90 days at most, by a function of ours that Secrets Manager may call",
    fsbp="SecretsManager.1 SecretsManager.4", checkov="304 CKV2_AWS_57", nag="SMG4",
    fix="SecretRotation with automatically_after_days; record who changes what others issue",
)  # fmt: skip
def secrets_rotate(secret: Resource, view: View) -> Lacks:
    rotations = view.users_at(secret, ROTATION, "secretId")
    if not rotations:
        yield "is never changed"
    for rotation in rotations:
        days = number(rotation, "rotationRules.automaticallyAfterDays")
        if not 1 <= days <= ROTATION_DAYS_MAX:
            yield f"is changed every {days:.0f} days, or when an expression says so that no rule reads"
        if get(rotation, "rotateImmediately") is not True and get(rotation, "managed") is not True:
            yield "keeps its first value, which whoever made it knows, until its first day"
        functions = view.targets(rotation, "rotationLambdaArn", FUNCTION)
        if not functions and get(rotation, "managed") is not True:
            yield "is changed by no function of ours"
        for function in functions:
            callers = view.users_at(function, PERMISSION, "function")
            if "secretsmanager.amazonaws.com" not in {get(each, "principal") for each in callers}:
                yield f"is to be changed by {function.name}, which Secrets Manager may not call"


@rule(
    "secrets-in-both-regions", 73, Severity.MEDIUM, SECRET,
    title="In production a secret is in every region: copied there, or one of its own there",
    fix="replicas of the primary's secrets, or the same secret in the standby's stack", envs=("prod",),
)  # fmt: skip
def secrets_in_both_regions(secret: Resource, view: View) -> Lacks:
    regions = {each.region for each in view.of(SECRET) if each.name == secret.name}
    copies = {str(get(each, "region")) for each in items(secret, "replicas")}
    for missing in sorted({each.region for each in view.graph.stacks} - regions - copies):
        yield f"is not in {missing}"
