"""Rules of AWS Backup: control 78."""

import re
from typing import Final

from nottermost_platform.components.backup import MANAGED
from nottermost_platform.graph import Resource
from nottermost_platform.rules.databases import CLUSTER, INSTANCE
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.stores import ROLE, has_key
from nottermost_platform.rules.tables import REPLICA, TABLE, is_fenced
from nottermost_platform.rules.view import View, get, items, number

VAULT: Final = "backup/vault:Vault"
LOCK: Final = "backup/vaultLockConfiguration:VaultLockConfiguration"
PLAN: Final = "backup/plan:Plan"
SELECTION: Final = "backup/selection:Selection"
ATTACHMENT: Final = "iam/rolePolicyAttachment:RolePolicyAttachment"
BUCKET: Final = "s3/bucket:Bucket"
DAILY: Final = re.compile(r"cron\(\S+ \S+ [*?] \* [*?] \*\)|rate\((1 day|[0-9]+ hours?)\)")


def days_wanted(view: View) -> int:
    return 14 if view.is_prod else 7


def is_selected(resource: Resource, view: View) -> bool:
    """Whether a plan's selection takes it, by each of its tags or by its ARN."""
    return any(_takes(selection, resource, view) for selection in view.of(SELECTION))


def _takes(selection: Resource, resource: Resource, view: View) -> bool:
    tags = items(selection, "selectionTags")
    by_tags = any(
        get(each, "type") == "STRINGEQUALS"
        and get(each, "value") is not None
        and resource.tags.get(str(get(each, "key"))) == get(each, "value")
        for each in tags
    )
    return selection.region == resource.region and (by_tags or resource in view.targets(selection, "resources"))


@rule(
    "vault-encrypted", 78, Severity.MEDIUM, VAULT,
    title="Vaults are encrypted with a key of ours; in production they are locked, and not emptied to be deleted",
    fsbp="Backup.1", checkov="166", fix="kms_key_arn; a VaultLockConfiguration; force_destroy=False",
)  # fmt: skip
def vault_encrypted(vault: Resource, view: View) -> Lacks:
    if not has_key(vault, view, "kmsKeyArn"):
        yield "is not encrypted with a key of ours"
    if view.env_class != "pr" and get(vault, "forceDestroy") is not False:
        yield "is emptied when it is deleted"
    locks = view.users_at(vault, LOCK, "backupVaultName")
    if view.is_prod and not locks:
        yield "is not locked: who may delete a backup may delete them all"
    for lock in locks:
        least, most = number(lock, "minRetentionDays"), number(lock, "maxRetentionDays")
        if least < days_wanted(view):
            yield f"lets backups go after {least:.0f} days"
        if most and any(not least <= days <= most for days in _kept_in(vault, view)):
            yield f"takes backups of {least:.0f} to {most:.0f} days, and a plan makes others: they fail"


def _kept_in(vault: Resource, view: View) -> list[float]:
    """For how many days plans mean to keep what they put into a vault; 0: for ever."""
    days = []
    for plan in view.of(PLAN):
        for made in items(plan, "rules"):
            if vault in view.meant(get(made, "targetVaultName")):
                days.append(number(made, "lifecycle.deleteAfter"))
            copies = items(made, "copyActions")
            into = [copy for copy in copies if vault in view.meant(get(copy, "destinationVaultArn"))]
            days += [number(copy, "lifecycle.deleteAfter") for copy in into]
    return days


@rule(
    "backup-plan", 78, Severity.HIGH, PLAN,
    title="Plans make a backup each day and keep it a week (two in production, with a copy in another region)",
    checkov="CKV2_AWS_8", fix="backup_days and the copy's region in the settings of data",
)  # fmt: skip
def backup_plan(plan: Resource, view: View) -> Lacks:
    if not view.users_at(plan, SELECTION, "planId"):
        yield "backs up nothing"
    rules = items(plan, "rules")
    if not any(DAILY.fullmatch(str(get(each, "schedule"))) for each in rules):
        yield "makes no backup each day"
    for each in rules:
        if not [vault for vault in view.meant(get(each, "targetVaultName"), VAULT) if vault.region == plan.region]:
            yield "puts backups into no vault of ours"
        days = number(each, "lifecycle.deleteAfter")
        if days < days_wanted(view):
            yield f"keeps backups for {days:.0f} days of {days_wanted(view)}"
        if view.is_prod:
            yield from _lacks_copies(plan, each, view)


def _lacks_copies(plan: Resource, made: object, view: View) -> Lacks:
    copies = items(made if isinstance(made, dict) else None, "copyActions")
    vaults = [vault for each in copies for vault in view.meant(get(each, "destinationVaultArn"), VAULT)]
    if not any(vault.region != plan.region for vault in vaults):
        yield "copies nothing into another region"
    for each in copies:
        days = number(each, "lifecycle.deleteAfter")
        if days < days_wanted(view):
            yield f"keeps copies for {days:.0f} days of {days_wanted(view)}"


@rule(
    "backup-covers", 78, Severity.HIGH, INSTANCE, CLUSTER, TABLE, REPLICA,
    title="Every database and table that takes writes is backed up",
    fsbp="RDS.26 DynamoDB.4", fix="tags=backup_tag(stack)",
)  # fmt: skip
def backup_covers(store: Resource, view: View) -> Lacks:
    is_copy = get(store, "replicateSourceDb") or (store.type == f"aws:{REPLICA}" and is_fenced(store, view))
    if not is_copy and not is_selected(store, view):
        yield "is in no backup"


@rule(
    "backup-selection", 78, Severity.HIGH, SELECTION,
    title="A selection takes databases, tables and a bucket by their tag, by a role that may back up and restore them",
    fix="tag them with backup_tag(stack), and attach the policies of MANAGED in components/backup.py",
)  # fmt: skip
def backup_selection(selection: Resource, view: View) -> Lacks:
    for kinds, name in (((INSTANCE, CLUSTER), "database"), ((TABLE, REPLICA), "table"), ((BUCKET,), "bucket")):
        if not any(_takes(selection, each, view) for each in view.of(*kinds)):
            yield f"takes no {name}"
    if not view.targets(selection, "planId", PLAN):
        yield "belongs to no plan of ours"
    roles = view.targets(selection, "iamRoleArn", ROLE)
    if not roles:
        yield "has no role of ours"
    for role in roles:
        attached = {str(get(each, "policyArn")) for each in view.users_at(role, ATTACHMENT, "role")}
        for policy in sorted(MANAGED.values()):
            if f"arn:aws:iam::aws:policy/{policy}" not in attached:
                yield f"has a role without {policy.rpartition('/')[2]}"
