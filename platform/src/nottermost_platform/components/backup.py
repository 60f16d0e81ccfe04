"""Backups of everything that is tagged for it, every day, with copies in another region."""

from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi_aws.backup.plan import Plan
from pulumi_aws.backup.selection import Selection
from pulumi_aws.backup.vault import Vault
from pulumi_aws.backup.vault_lock_configuration import VaultLockConfiguration
from pulumi_aws.iam.role_policy_attachment import RolePolicyAttachment

from nottermost_platform.components.replica_key import RemoteKey
from nottermost_platform.components.security import EncryptionKeyArgs, ServiceRole, ServiceRoleArgs
from nottermost_platform.policy import trust
from nottermost_platform.program import Component, Stack

# AWS' own policies: what a backup needs of each service changes with the service.
MANAGED: Final = {
    "backup": "service-role/AWSBackupServiceRolePolicyForBackup",
    "restore": "service-role/AWSBackupServiceRolePolicyForRestores",
    "s3-backup": "AWSBackupServiceRolePolicyForS3Backup",
    "s3-restore": "AWSBackupServiceRolePolicyForS3Restore",
}


def backup_tag(stack: Stack[Any]) -> dict[str, str]:
    """The tag of what is backed up daily; with the environment's name, since several share an account."""
    return {"backup": f"{stack.place.env}-daily"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupsArgs:
    """Daily backups.

    Attributes:
        keep_days: in this region.
        locked: nobody, not even the account's administrator, shortens that without the right to open the vault.
        copy_region, copy_days: where copies are kept, and how long; "": none.
    """

    key_arn: pulumi.Input[str]
    keep_days: int
    locked: bool = False
    copy_region: str = ""
    copy_days: int = 35


class Backups(Component):
    """A vault, a daily plan, and everything that has the environment's `backup_tag`."""

    KIND = "data:Backups"

    def __init__(self, stack: Stack[Any], name: str, args: BackupsArgs) -> None:
        super().__init__(stack, name, data_class="restricted", protect=stack.place.is_prod or None)
        self.vault = self._vault("", args.key_arn, args.locked, args.keep_days)
        copies = []
        if args.copy_region:
            key = RemoteKey(
                stack, f"{name}-copies", EncryptionKeyArgs(description="Copies of backups"), args.copy_region, self
            )
            copy = self._vault("copies", key.arn, args.locked, args.copy_days, region=args.copy_region)
            lifecycle = aws.backup.PlanRuleCopyActionLifecycleArgs(delete_after=args.copy_days)
            copies = [aws.backup.PlanRuleCopyActionArgs(destination_vault_arn=copy.arn, lifecycle=lifecycle)]
        rule = aws.backup.PlanRuleArgs(
            rule_name="daily", target_vault_name=self.vault.name, schedule="cron(0 5 * * ? *)", start_window=60,
            completion_window=480, lifecycle=aws.backup.PlanRuleLifecycleArgs(delete_after=args.keep_days),
            copy_actions=copies or None,
        )  # fmt: skip
        plan = self.add(Plan, "", rules=[rule])
        role = ServiceRole(
            stack, f"{name}-role", parent=self,
            args=ServiceRoleArgs(
                description="Lets AWS Backup copy and restore what is tagged for it",
                trusted=[trust("backup.amazonaws.com", stack.settings.account_id)],
            ),
        )  # fmt: skip
        attached = [
            self.add(RolePolicyAttachment, kind, role=role.name, policy_arn=f"arn:aws:iam::aws:policy/{policy}")
            for kind, policy in MANAGED.items()
        ]
        tag = next(iter(backup_tag(stack).items()))
        selected = aws.backup.SelectionSelectionTagArgs(type="STRINGEQUALS", key=tag[0], value=tag[1])
        self.add(
            Selection, "tagged", iam_role_arn=role.arn, plan_id=plan.id, selection_tags=[selected],
            opts=pulumi.ResourceOptions(depends_on=attached),
        )  # fmt: skip
        self.register_outputs({"vault": self.vault.name})

    def _vault(self, name: str, key: pulumi.Input[str], locked: bool, days: int, region: str | None = None) -> Vault:
        vault = self.add(Vault, name, kms_key_arn=key, region=region, force_destroy=self.stack.place.env_class == "pr")
        if locked:  # without `changeable_for_days`: governance, which a break-glass role may still open
            self.add(
                VaultLockConfiguration, f"{name}-lock".lstrip("-"), backup_vault_name=vault.name, region=region,
                min_retention_days=days, max_retention_days=10 * days,
            )  # fmt: skip
        return vault
