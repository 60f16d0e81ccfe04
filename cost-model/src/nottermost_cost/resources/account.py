"""The account: identities, keys, secrets, sign-in, audit, billing."""

from collections.abc import Iterable, Mapping
from typing import Final

from nottermost_cost.charges import Charge
from nottermost_cost.graph import Resource
from nottermost_cost.resources.rules import (
    MONTH,
    Inputs,
    Rule,
    Surroundings,
    free,
    priced,
    read_inputs,
    unpriced,
    usage,
)


class _Replica(Inputs, frozen=True):
    region: str


class _Secret(Inputs, frozen=True):
    replicas: tuple[_Replica, ...] = ()


class _Analyzer(Inputs, frozen=True):
    type: str = "ACCOUNT"


def _price_key(key: Resource, around: Surroundings) -> Iterable[Charge]:
    yield around.charge(key, "kms.key", MONTH, f"Encryption key {key.name}", "one key")


def _price_secret(secret: Resource, around: Surroundings) -> Iterable[Charge]:
    key, name = "secrets.secret_month", f"Secret {secret.name}"
    yield around.charge(secret, key, MONTH, name, "one secret")
    for replica in read_inputs(secret, _Secret).replicas:
        yield around.charge(secret, key, MONTH, f"{name}, copy in {replica.region}", "replicas", replica.region)


def _doubt_analyzer(analyzer: Resource) -> str:
    kind = read_inputs(analyzer, _Analyzer).type
    return "" if kind in ("ACCOUNT", "ORGANIZATION") else f"no price in the book: analyzers of type {kind}"


_IDENTITY: Final = free("identities and permissions are free")
_SETTING: Final = free("a setting of the account")
_PART_OF_POOL: Final = free("part of the user pool, which is charged by active users")
_PART_OF_INVENTORY: Final = free("part of the recorder")

RULES: Final[Mapping[str, Rule]] = {
    "iam/accountPasswordPolicy": _SETTING,
    "iam/instanceProfile": _IDENTITY,
    "iam/openIdConnectProvider": _IDENTITY,
    "iam/policy": _IDENTITY,
    "iam/role": _IDENTITY,
    "iam/rolePolicy": _IDENTITY,
    "iam/rolePolicyAttachment": _IDENTITY,
    "iam/serviceLinkedRole": _IDENTITY,
    "ec2/imageBlockPublicAccess": _SETTING,
    "ec2/instanceMetadataDefaults": _SETTING,
    "ebs/encryptionByDefault": _SETTING,
    "ebs/snapshotBlockPublicAccess": _SETTING,
    "s3/accountPublicAccessBlock": _SETTING,
    "kms/key": priced(
        "one key a month; its first and second yearly rotation each add one; requests are usage", _price_key
    ),
    "kms/replicaKey": priced("one key a month; requests are usage", _price_key),
    "kms/alias": free("part of the key"),
    "secretsmanager/secret": priced("the secret and its copies; requests are usage", _price_secret),
    "secretsmanager/secretRotation": free("a schedule: it runs a function, which is usage"),
    "cognito/userPool": usage("users active in the month, at the pool's tier"),
    "cognito/riskConfiguration": _PART_OF_POOL,
    "cognito/managedLoginBranding": _PART_OF_POOL,
    "cognito/userPoolClient": _PART_OF_POOL,
    "cognito/userPoolDomain": _PART_OF_POOL,
    "cloudtrail/trail": usage(
        "data events, and calls that insights analyse; the first copy of management events is free"
    ),
    "guardduty/detector": unpriced("no price in the book: calls, DNS queries and flow logs that GuardDuty analyses"),
    "guardduty/detectorFeature": unpriced("no price in the book: what this protection of GuardDuty analyses"),
    "cfg/recorder": usage("configuration items recorded"),
    "cfg/recorderStatus": _PART_OF_INVENTORY,
    "cfg/deliveryChannel": _PART_OF_INVENTORY,
    "accessanalyzer/analyzer": free("findings of access from outside are free", doubt=_doubt_analyzer),
    "budgets/budget": free("budgets without actions are free"),
    "bcmdata/export": free("the export is free; it is GB of its bucket"),
    "costexplorer/anomalyMonitor": free("anomaly detection is free"),
    "costexplorer/anomalySubscription": free("anomaly detection is free"),
    "costexplorer/costAllocationTag": _SETTING,
}
