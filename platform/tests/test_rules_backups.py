"""Each rule of backups notices what it is for, and production passes."""

import pytest

from nottermost_platform.rules.backups import ATTACHMENT, BUCKET, LOCK, PLAN, SELECTION, VAULT
from nottermost_platform.rules.databases import INSTANCE
from nottermost_platform.rules.tables import TABLE, TABLE_POLICY
from nottermost_platform.testing import REMOVED, Bad, altered, changed, check_bad, removed

FIRST = "rules.0"
TAG = "selectionTags.0"
UNTAGGED = dict[str, str]()
CASES = [
    Bad("vault-encrypted", changed(VAULT, "kmsKeyArn", REMOVED), "key of ours"),
    Bad("vault-encrypted", changed(VAULT, "forceDestroy", True), "emptied"),
    Bad("vault-encrypted", removed(LOCK, "backups-lock"), "not locked"),
    Bad("vault-encrypted", changed(LOCK, "minRetentionDays", 0), "go after 0 days"),
    Bad("vault-encrypted", changed(LOCK, "minRetentionDays", 60, "backups-lock"), "60 to 350 days, and a plan makes others"),
    Bad("vault-encrypted", changed(LOCK, "maxRetentionDays", 20, "backups-copies-lock"), "to 20 days, and a plan makes others"),
    Bad("backup-plan", removed(SELECTION), "backs up nothing"),
    Bad("backup-plan", changed(PLAN, f"{FIRST}.schedule", "cron(0 5 ? * SUN *)"), "no backup each day"),
    Bad("backup-plan", changed(PLAN, "rules", []), "no backup each day"),
    Bad("backup-plan", changed(PLAN, f"{FIRST}.targetVaultName", "Default"), "no vault of ours"),
    Bad("backup-plan", changed(PLAN, f"{FIRST}.lifecycle.deleteAfter", 7), "backups for 7 days of 14"),
    Bad("backup-plan", changed(PLAN, f"{FIRST}.copyActions", []), "copies nothing"),
    Bad("backup-plan", changed(PLAN, f"{FIRST}.copyActions.0.destinationVaultArn", "other"), "copies nothing"),
    Bad("backup-plan", changed(PLAN, f"{FIRST}.copyActions.0.lifecycle", REMOVED), "copies for 0 days of 14"),
    Bad("backup-covers", altered(INSTANCE, "database", tags=UNTAGGED), "in no backup"),
    Bad("backup-covers", altered(TABLE, "messages-texts", tags=UNTAGGED), "in no backup"),
    Bad("backup-covers", removed(TABLE_POLICY, "messages-log-fence"), "in no backup"),
    Bad("backup-covers", changed(SELECTION, f"{TAG}.value", "other"), "in no backup"),
    Bad("backup-selection", altered(BUCKET, "archive", tags=UNTAGGED), "takes no bucket"),
    Bad("backup-selection", altered(INSTANCE, "database", tags=UNTAGGED), "takes no database"),
    Bad("backup-selection", changed(SELECTION, f"{TAG}.type", "OTHER"), "takes no table"),
    Bad("backup-selection", changed(SELECTION, "planId", "other"), "no plan of ours"),
    Bad("backup-selection", changed(SELECTION, "iamRoleArn", REMOVED), "no role of ours"),
    Bad("backup-selection", removed(ATTACHMENT, "backups-restore"), "without AWSBackupServiceRolePolicyForRestores"),
]  # fmt: skip


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)
