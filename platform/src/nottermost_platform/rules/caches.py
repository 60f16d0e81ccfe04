"""Rules of ElastiCache: controls 37 and 38."""

from typing import Final

from nottermost_platform.components.cache import LOGS
from nottermost_platform.graph import Resource
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.network import GROUP
from nottermost_platform.rules.stores import LOG_GROUP, are_ours, has_key, lacks_ground
from nottermost_platform.rules.view import View, get, items, number

CACHE: Final = "elasticache/replicationGroup:ReplicationGroup"
CACHE_SUBNETS: Final = "elasticache/subnetGroup:SubnetGroup"
CACHE_PARAMETERS: Final = "elasticache/parameterGroup:ParameterGroup"
CACHE_USER: Final = "elasticache/user:User"
CACHE_USERS: Final = "elasticache/userGroup:UserGroup"


@rule(
    "cache-encrypted", 37, Severity.MEDIUM, CACHE,
    title="Caches encrypt what they keep, with a key of ours, and answer over TLS alone",
    fsbp="ElastiCache.4 ElastiCache.5", checkov="29 30 191", nag="AEC3",
    fix="at_rest_encryption_enabled with kms_key_id, transit_encryption_enabled, transit_encryption_mode='required'",
)  # fmt: skip
def cache_encrypted(cache: Resource, view: View) -> Lacks:
    if get(cache, "atRestEncryptionEnabled") not in (True, "true"):
        yield "keeps keys unencrypted"
    if not has_key(cache, view, "kmsKeyId"):
        yield "is not encrypted with a key of ours"
    if get(cache, "transitEncryptionEnabled") is not True or get(cache, "transitEncryptionMode") != "required":
        yield "answers without TLS"


@rule(
    "cache-authenticates", 37, Severity.MEDIUM, CACHE, CACHE_USERS,
    title="Caches know who asks: users of ours, or a token that no program knows",
    fsbp="ElastiCache.6", checkov="31", nag="AEC6", fix="user_group_ids; a token only as auth_token_wo",
)  # fmt: skip
def cache_authenticates(cache: Resource, view: View) -> Lacks:
    if cache.type == f"aws:{CACHE_USERS}":
        if not _are_made(cache, view, "userIds", CACHE_USER, "userId"):
            yield "holds users that are not ours, or none"
        return
    if "authToken" in cache.inputs:
        yield "is given a token that stays in Pulumi's state"
    if not _are_made(cache, view, "userGroupIds", CACHE_USERS, "userGroupId") and not get(cache, "authTokenWo"):
        yield "lets in whom it does not know"


def _are_made(resource: Resource, view: View, path: str, type_: str, name: str) -> bool:
    """Whether each id at a path is given to one of ours; users and their groups may share it with the cache."""
    made = [get(each, name) for each in view.of(type_) if each.region == resource.region]
    return bool(items(resource, path)) and all(each in made for each in items(resource, path))


@rule(
    "cache-users", 37, Severity.HIGH, CACHE_USER,
    title="Users of caches sign in, and may neither administer nor look at everything",
    fix="access_string with -@dangerous -@admin; authentication_mode of iam, or a password that its secret rotates",
)  # fmt: skip
def cache_users(user: Resource, _view: View) -> Lacks:
    if get(user, "noPasswordRequired") is True or get(user, "authenticationMode.type") not in ("iam", "password"):
        yield "needs neither password nor IAM"
    if items(user, "passwords") or items(user, "authenticationMode.passwords"):
        yield "is given a password that stays in Pulumi's state"
    access = str(get(user, "accessString", "")).split()
    if not access or "nopass" in access:
        yield "is not told what it may, or signs in without a password"
    if not {"-@dangerous", "-@admin"} <= set(access) and ("+@all" in access or "allcommands" in access):
        yield "may administer the cache"
    late = access[access.index("-@dangerous") :] if "-@dangerous" in access else access
    if {"+@all", "+@dangerous", "+@admin", "allcommands"} & set(late):
        yield "is given back what was taken from it"


@rule(
    "cache-zones", 38, Severity.HIGH, CACHE, envs=("prod",),
    title="In production a cache has a replica in another zone that takes over, and is kept for a week",
    fsbp="ElastiCache.1 ElastiCache.3", checkov="134 CKV2_AWS_50", nag="AEC4",
    fix="cache.nodes and cache.snapshot_days in the settings of data; final_snapshot_identifier",
)  # fmt: skip
def cache_zones(cache: Resource, _view: View) -> Lacks:
    if get(cache, "automaticFailoverEnabled") is not True:
        yield "has nothing that takes over"
    if get(cache, "multiAzEnabled") is not True:
        yield "stands in one zone"
    replicas = max(number(cache, "numCacheClusters") - 1, number(cache, "replicasPerNodeGroup"))
    if replicas < 1:
        yield "has no replica"
    days = number(cache, "snapshotRetentionLimit")
    if days < 7:
        yield f"is kept for {days:.0f} days of 7"
    if not get(cache, "finalSnapshotIdentifier"):
        yield "leaves no snapshot when it is deleted"


@rule(
    "cache-updates", 38, Severity.HIGH, CACHE,
    title="Caches install minor versions by themselves",
    fsbp="ElastiCache.2", checkov="322", fix="auto_minor_version_upgrade=True",
)  # fmt: skip
def cache_updates(cache: Resource, _view: View) -> Lacks:
    if get(cache, "autoMinorVersionUpgrade") not in (True, "true"):
        yield "does not install minor versions"


@rule(
    "cache-private", 38, Severity.HIGH, CACHE, CACHE_SUBNETS,
    title="Caches stand in data subnets, behind a group of ours",
    fsbp="ElastiCache.7", checkov="323", nag="AEC1", fix="subnet_group_name and security_group_ids",
)  # fmt: skip
def cache_private(cache: Resource, view: View) -> Lacks:
    if cache.type == f"aws:{CACHE_SUBNETS}":
        yield from lacks_ground(cache, view, "subnetIds")
        return
    if not are_ours(cache, view, "subnetGroupName", CACHE_SUBNETS):
        yield "stands in a subnet group that is not ours"
    if not are_ours(cache, view, "securityGroupIds", GROUP):
        yield "wears a security group that is not ours, or none"


@rule(
    "cache-logs", 0, Severity.LOW, CACHE,
    title="Caches log what their engine says and slow commands, into groups of ours",
    fix="log_delivery_configurations of both kinds, to log groups",
)  # fmt: skip
def cache_logs(cache: Resource, view: View) -> Lacks:
    found = {str(get(each, "logType")): get(each, "destination") for each in items(cache, "logDeliveryConfigurations")}
    for kind in LOGS:
        if not view.meant(found.get(kind), LOG_GROUP):
            yield f"does not keep its {kind} in a log group of ours"


@rule(
    "cache-evicts", 0, Severity.MEDIUM, CACHE,
    title="A full cache makes room by itself, and of what ends anyway: routes and presence",
    fix="maxmemory-policy of volatile-… in its parameter group",
)  # fmt: skip
def cache_evicts(cache: Resource, view: View) -> Lacks:
    told = {
        str(get(each, "name")): str(get(each, "value"))
        for group in view.targets(cache, "parameterGroupName", CACHE_PARAMETERS)
        for each in items(group, "parameters")
    }
    if not told.get("maxmemory-policy", "").startswith("volatile-"):
        yield f"has the maxmemory-policy {told.get('maxmemory-policy', 'that AWS gives it')}"
