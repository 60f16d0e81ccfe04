"""Keys across regions: one that a stack makes in another region, and the replica of another region's key."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws.kms.alias import Alias
from pulumi_aws.kms.replica_key import ReplicaKey as KmsReplicaKey

from nottermost_platform.components.security import DELETION_DAYS, EncryptionKey, EncryptionKeyArgs, service_use
from nottermost_platform.policy import Statement, make_policy
from nottermost_platform.program import Component, ResourceT, Stack


class RemoteKey(EncryptionKey):
    """A key in another region, for what this stack keeps there before that region has a stack."""

    KIND = "security:RemoteKey"

    def __init__(
        self, stack: Stack[Any], name: str, args: EncryptionKeyArgs, region: str, parent: Component | None = None
    ) -> None:
        self.region = region
        super().__init__(stack, name, args, parent=parent)

    def add(self, make: type[ResourceT], name: str, /, **arguments: Any) -> ResourceT:
        return super().add(make, name, region=self.region, **arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaKeyArgs:
    """The replica of a multi-region key. `services`: AWS services that use it for this account."""

    description: str
    primary_key_arn: pulumi.Input[str]
    services: Sequence[str] = ()


class ReplicaKey(Component):
    """The same key in another region: it rotates with the first and outlives that one's region."""

    KIND = "security:ReplicaKey"

    def __init__(self, stack: Stack[Any], name: str, args: ReplicaKeyArgs) -> None:
        super().__init__(stack, name, protect=stack.place.is_prod or None)
        account = stack.settings.account_id
        statements = [
            Statement(
                sid="AccountDecides", actions=["kms:*"], resources=["*"],
                principals=[f"arn:aws:iam::{account}:root"],
            ),
            *service_use(args.services, account, stack.place.region),
        ]  # fmt: skip
        key = self.add(
            KmsReplicaKey, "", description=args.description, primary_key_arn=args.primary_key_arn,
            deletion_window_in_days=DELETION_DAYS, policy=make_policy(*statements),
        )  # fmt: skip
        self.add(Alias, "alias", name=f"alias/{stack.place.env}-{name}", target_key_id=key.key_id)
        self.arn: pulumi.Output[str] = key.arn
        self.register_outputs({"arn": self.arn})
