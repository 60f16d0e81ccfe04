"""Secrets that no program knows: they start empty, and their first rotation, or an operator, writes the first value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import pulumi
import pulumi_aws as aws
from pulumi_aws.secretsmanager.secret import Secret as ManagedSecret
from pulumi_aws.secretsmanager.secret_rotation import SecretRotation

from nottermost_platform.components.functions import Function, FunctionArgs
from nottermost_platform.components.sizes import Ground
from nottermost_platform.policy import Statement
from nottermost_platform.program import Component, Stack

ROTATION_DAYS_MAX: Final = 90  # SecretsManager.4
SecretKind = Literal["signing", "database", "cache", "key", "vapid", "given"]
ROTATION_S: Final = 600  # RDS takes a password within minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretArgs:
    """A secret and how it is rotated.

    Attributes:
        kind: what `functions/rotate.py` makes of it. "given": nothing, its value is put there by hand.
        environment, allows: what its rotation needs beside the secret itself.
        after: what must be there before the first rotation.
        replica_region: where a copy is kept, under the account's own key of Secrets Manager there: one of ours
            would have to be made before that region's stacks are.
    """

    description: str
    kind: SecretKind
    ground: Ground
    rotation_days: int = 30
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    allows: Sequence[Statement] = ()
    after: Sequence[pulumi.Resource] = ()
    replica_region: str = ""


class Secret(Component):
    """A secret that rotates by itself, unless somebody else gives it, and may have a copy in the standby."""

    KIND = "secrets:Secret"

    def __init__(self, stack: Stack[Any], name: str, args: SecretArgs, *, parent: Component | None = None) -> None:
        super().__init__(stack, name, parent=parent, data_class="restricted", protect=stack.place.is_prod or None)
        if not 1 <= args.rotation_days <= ROTATION_DAYS_MAX:
            raise ValueError(f"a secret rotates every 1 to {ROTATION_DAYS_MAX} days, not every {args.rotation_days}")
        copy = aws.secretsmanager.SecretReplicaArgs(region=args.replica_region)
        self.secret = self.add(
            ManagedSecret, "", description=args.description, kms_key_id=args.ground.key_arn,
            recovery_window_in_days=0 if stack.place.env_class == "pr" else 30,  # a temporary one may come back soon
            replicas=[copy] if args.replica_region else None,
        )  # fmt: skip
        self.arn: pulumi.Output[str] = self.secret.arn
        if args.kind != "given":
            self._rotate(args)
        self.register_outputs({"arn": self.arn})

    def _rotate(self, args: SecretArgs) -> None:
        """A function that makes the values, now and from time to time."""
        name = self.logical_name
        rotator = Function(
            self.stack, f"{name}-rotation", parent=self,
            args=FunctionArgs(
                module="rotate", description=f"Rotates: {args.description}", log_key_arn=args.ground.log_key_arn,
                log_days=args.ground.log_days, environment={"KIND": args.kind, **args.environment}, timeout_s=ROTATION_S,
                allows=[*self._own(args), *args.allows],
            ),
        )  # fmt: skip
        allowed = rotator.allow("secretsmanager.amazonaws.com", self.arn)
        self.add(
            SecretRotation, "schedule", secret_id=self.secret.id, rotation_lambda_arn=rotator.arn, rotate_immediately=True,
            rotation_rules=aws.secretsmanager.SecretRotationRotationRulesArgs(automatically_after_days=args.rotation_days),
            opts=pulumi.ResourceOptions(depends_on=[allowed, rotator, *args.after]),
        )  # fmt: skip

    def _own(self, args: SecretArgs) -> list[Statement]:
        """The secret's own versions, and its key through Secrets Manager alone."""
        via = f"secretsmanager.{self.stack.place.region}.amazonaws.com"
        return [
            Statement(
                actions=[
                    "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue",
                    "secretsmanager:UpdateSecretVersionStage",
                ],
                resources=[self.arn],
            ),
            Statement(
                actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[args.ground.key_arn],
                conditions={"StringEquals": {"kms:ViaService": via}},
            ),
        ]  # fmt: skip
