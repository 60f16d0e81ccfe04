"""What an account has once, before every other stack: state, identity of workflows, audit, money."""

from dataclasses import dataclass
from typing import Annotated, Final

import pulumi
from pydantic import ConfigDict, Field, StringConstraints

from nottermost_platform.components.account import Defaults, DefaultsArgs, WorkflowIdentity
from nottermost_platform.components.audit import (
    AuditTrail,
    AuditTrailArgs,
    Inventory,
    InventoryArgs,
    Threats,
    ThreatsArgs,
)
from nottermost_platform.components.billing import BillExport, BillExportArgs, Spending, SpendingArgs
from nottermost_platform.components.queues import Topic, TopicArgs
from nottermost_platform.components.security import EncryptionKey, EncryptionKeyArgs
from nottermost_platform.components.sizes import AuditDays, in_production
from nottermost_platform.components.storage import Bucket, BucketArgs, bucket_arn, log_delivery
from nottermost_platform.program import Requirement, Stack
from nottermost_platform.settings import EMAIL, Layers, StackSettings, regions_of

NAME: Final = "account"
EACH_REGION: Final = False
REQUIRES: Final[dict[str, Requirement]] = {}
STATE_VERSIONS_DAYS: Final = 365  # a state of a year ago can still be read

Email = Annotated[str, StringConstraints(pattern=EMAIL)]


class Settings(StackSettings):
    """What may be chosen about an account.

    Attributes:
        emails: told of money and threats, beside the topic.
        usd_per_month: the account's budget. anomaly_usd: unusual spending from this impact on is told of.
        tags_on_bill: off in a member account of an organization, and on an account's first day.
        anomaly_monitor_arn: the monitor of services that AWS made in a new account; it allows no second.
        trail_locked_days, trail_log_days: how long calls cannot be deleted, and stay searchable.
        trail_insights: finds unusual rates of calls. config_continuous: records every change, else once a day.
    """

    model_config = ConfigDict(validate_default=True)

    emails: tuple[Email, ...] = Field(min_length=1, max_length=10)
    usd_per_month: int = Field(ge=1)
    anomaly_usd: int = Field(default=50, ge=1)
    tags_on_bill: bool = True
    anomaly_monitor_arn: str = ""
    trail_locked_days: Annotated[
        int, Field(ge=1), in_production(lambda days: days >= 365, "365 days or more, for audits")
    ] = 30
    trail_log_days: AuditDays = 90
    trail_insights: bool = False
    config_continuous: Annotated[bool, in_production(bool, "every change is recorded: true")] = False


LAYERS: Final[Layers] = {
    "dev": {"usd_per_month": 1_500, "emails": ["platform@example.com"]},
    "staging": {"usd_per_month": 6_000, "anomaly_usd": 100, "emails": ["platform@example.com"]},
    "prod": {
        "usd_per_month": 60_000, "anomaly_usd": 500, "emails": ["platform@example.com", "finance@example.com"],
        "trail_locked_days": 400, "trail_log_days": 400, "trail_insights": True, "config_continuous": True,
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outputs:
    """What others take of the account."""

    oidc_provider_arn: pulumi.Input[str]
    state_bucket: pulumi.Input[str]
    state_key_arn: pulumi.Input[str]
    trail_bucket: pulumi.Input[str]
    audit_key_arn: pulumi.Input[str]
    inventory_bucket: pulumi.Input[str]
    bill_bucket: pulumi.Input[str]
    access_logs_bucket: pulumi.Input[str]
    notices_topic_arn: pulumi.Input[str]


def build(stack: Stack[Settings]) -> Outputs:
    settings, place = stack.settings, stack.place
    regions = regions_of(place.env)
    audit_key = EncryptionKey(
        stack, "audit",
        EncryptionKeyArgs(
            description="Audit records and the bill",
            services=[
                "cloudtrail.amazonaws.com", "config.amazonaws.com", "bcm-data-exports.amazonaws.com",
                f"logs.{place.region}.amazonaws.com",
            ],
        ),
    )  # fmt: skip
    delivery = log_delivery(settings.account_id, bucket_arn(stack, "access-logs"))
    logs = Bucket(  # of the buckets here; the chat's own are another stack's
        stack, "access-logs",
        BucketArgs(
            expire_days=settings.trail_locked_days, keep=True, allows=[each for each in delivery if each.sid == "Buckets"]
        ),
    )  # fmt: skip
    state_key = EncryptionKey(stack, "state", EncryptionKeyArgs(description="Pulumi's state and its secrets"))
    state = Bucket(  # retention by versions, no lock: that would ask for a checksum that not every CLI sends
        stack, "state", data_class="restricted",
        args=BucketArgs(key_arn=state_key.arn, logs_bucket=logs.writable, purge_days=STATE_VERSIONS_DAYS, keep=True),
    )  # fmt: skip
    Defaults(stack, "defaults", DefaultsArgs(regions=regions))
    identity = WorkflowIdentity(stack, "github")
    notices = _add_notices(stack)
    trail = AuditTrail(
        stack, "trail",
        AuditTrailArgs(
            key_arn=audit_key.arn, logs_bucket=logs.writable, locked_days=settings.trail_locked_days,
            log_days=settings.trail_log_days, watched_objects=[state.arn], insights=settings.trail_insights,
        ),
    )  # fmt: skip
    inventory = Inventory(
        stack, "inventory",
        InventoryArgs(
            regions=regions, continuous=settings.config_continuous, key_arn=audit_key.arn, logs_bucket=logs.writable
        ),
    )  # fmt: skip
    Threats(stack, "threats", ThreatsArgs(regions=regions, topic_arn=notices.arn))
    Spending(
        stack, "spending",
        SpendingArgs(
            usd_per_month=settings.usd_per_month, anomaly_usd=settings.anomaly_usd, emails=settings.emails,
            topic_arn=notices.arn, tags_on_bill=settings.tags_on_bill, monitor_arn=settings.anomaly_monitor_arn,
        ),
    )  # fmt: skip
    bill = BillExport(stack, "bill", BillExportArgs(key_arn=audit_key.arn, logs_bucket=logs.writable))
    return Outputs(
        oidc_provider_arn=identity.arn,
        state_bucket=state.name,
        state_key_arn=state_key.arn,
        trail_bucket=trail.bucket.name,
        audit_key_arn=audit_key.arn,
        inventory_bucket=inventory.bucket.name,
        bill_bucket=bill.bucket.name,
        access_logs_bucket=logs.name,
        notices_topic_arn=notices.arn,
    )


def _add_notices(stack: Stack[Settings]) -> Topic:
    """A topic for what concerns the account as a whole: money spent and threats found."""
    account, place = stack.settings.account_id, stack.place
    publishers = {
        "budgets.amazonaws.com": f"arn:aws:budgets::{account}:*",
        "costalerts.amazonaws.com": "",
        "events.amazonaws.com": f"arn:aws:events:{place.region}:{account}:rule/{place.env}-*",
    }
    key = EncryptionKey(
        stack, "notices", EncryptionKeyArgs(description="Notices of the account", services=list(publishers))
    )
    return Topic(stack, "notices", TopicArgs(key_arn=key.arn, publishers=publishers, emails=stack.settings.emails))
