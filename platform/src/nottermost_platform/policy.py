"""IAM policy documents: built from statements, and canonical; what they may say is judged by rules/access.py."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi

VERSION: Final = "2012-10-17"
ACCOUNT_ROOT: Final = "account root"  # principal: whoever this account's IAM allows


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of a policy.

    Attributes:
        resources: ARNs, plain or as outputs.
        services, principals: who, in resource policies: service names, or ARNs.
        as_text: its one service and one resource are text and not lists of one, which mean the same but to
            stand-ins of S3 that look for the leave to write access logs.
    """

    actions: Sequence[str]
    resources: Sequence[pulumi.Input[str]] = ()
    effect: str = "Allow"
    services: Sequence[str] = ()
    principals: Sequence[pulumi.Input[str]] = ()
    federated: Sequence[pulumi.Input[str]] = ()
    anybody: bool = False
    conditions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sid: str = ""
    as_text: bool = False

    def render(self) -> dict[str, Any]:
        """The statement as IAM has it; outputs stay outputs."""
        principal: dict[str, Any] = {}
        if self.services:
            principal["Service"] = self.services[0] if self.as_text else sorted(self.services)
        if self.principals:
            principal["AWS"] = list(self.principals)
        if self.federated:
            principal["Federated"] = list(self.federated)
        rendered: dict[str, Any] = {"Effect": self.effect, "Action": sorted(self.actions)}
        if self.sid:
            rendered["Sid"] = self.sid
        if self.resources:
            rendered["Resource"] = self.resources[0] if self.as_text else list(self.resources)
        if principal or self.anybody:
            rendered["Principal"] = "*" if self.anybody else principal
        if self.conditions:
            rendered["Condition"] = {key: dict(value) for key, value in self.conditions.items()}
        return rendered


def make_policy(*statements: Statement) -> pulumi.Output[str]:
    """The policy as JSON text with sorted keys, so that equal policies are equal text."""
    rendered = [statement.render() for statement in statements]
    return pulumi.Output.from_input(rendered).apply(to_document)


def to_document(statements: list[dict[str, Any]]) -> str:
    """Statements as a policy document."""
    return canonical_json({"Version": VERSION, "Statement": statements})


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def trust(service: str, account_id: str, *, source_arn: str = "") -> Statement:
    """Lets a service take a role, but only on behalf of this account (the confused deputy stays outside)."""
    conditions: dict[str, dict[str, Any]] = {"StringEquals": {"aws:SourceAccount": account_id}}
    if source_arn:
        conditions["ArnLike"] = {"aws:SourceArn": source_arn}
    return Statement(actions=["sts:AssumeRole"], services=[service], conditions=conditions)


def use_key(service: str, region: str, key_arn: pulumi.Input[str]) -> Statement:
    """The key of what is stored, but only by way of the service that stores it."""
    return Statement(
        actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[key_arn],
        conditions={"StringEquals": {"kms:ViaService": f"{service}.{region}.amazonaws.com"}},
    )  # fmt: skip


def deny_plain_transport(*resources: pulumi.Input[str]) -> Statement:
    """Refuses what does not come over TLS."""
    return Statement(
        sid="DenyPlainTransport", effect="Deny", actions=["*"], resources=resources, principals=["*"],
        conditions={"Bool": {"aws:SecureTransport": "false"}},
    )  # fmt: skip
