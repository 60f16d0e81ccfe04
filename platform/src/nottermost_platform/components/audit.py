"""Who did what: every call to AWS kept unchanged, how resources were set up over time, and threats found in both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi_aws.cfg.delivery_channel import DeliveryChannel
from pulumi_aws.cfg.recorder import Recorder
from pulumi_aws.cfg.recorder_status import RecorderStatus
from pulumi_aws.cloudtrail.trail import Trail
from pulumi_aws.cloudwatch.event_rule import EventRule
from pulumi_aws.cloudwatch.event_target import EventTarget
from pulumi_aws.guardduty.detector import Detector
from pulumi_aws.guardduty.detector_feature import DetectorFeature
from pulumi_aws.iam.service_linked_role import ServiceLinkedRole

from nottermost_platform.components.security import ServiceRole, ServiceRoleArgs, add_log_group
from nottermost_platform.components.storage import Bucket, BucketArgs, bucket_arn
from nottermost_platform.policy import Statement, canonical_json, trust
from nottermost_platform.program import Component, Stack

# What GuardDuty looks at beside the trail, flow logs and DNS. Runtime monitoring is off: its agent needs more rights
# in every task's execution role and an endpoint of its own making in every VPC.
FEATURES: Final = ("EBS_MALWARE_PROTECTION", "LAMBDA_NETWORK_LOGS", "RDS_LOGIN_EVENTS", "S3_DATA_EVENTS")
SEVERITY_TOLD: Final = 4  # medium; lower findings stay in the console
CLOUDTRAIL: Final = "cloudtrail.amazonaws.com"
CONFIG: Final = "config.amazonaws.com"
OWNED: Final = {"s3:x-amz-acl": "bucket-owner-full-control"}
INSIGHTS: Final = ("ApiCallRateInsight", "ApiErrorRateInsight")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditTrailArgs:
    """A trail.

    Attributes:
        key_arn: encrypts its files, its log group, and needs to let CloudTrail use it.
        locked_days: nobody, not even the account's owner, deletes a file before.
        log_days: how long calls stay searchable in CloudWatch.
        watched_objects: ARNs of buckets whose objects' reads and writes are recorded as well.
        insights: whether unusual rates of calls and errors are found; billed by call.
    """

    key_arn: pulumi.Input[str]
    logs_bucket: pulumi.Input[str]
    locked_days: int
    log_days: int
    watched_objects: Sequence[pulumi.Input[str]] = ()
    insights: bool = False


class AuditTrail(Component):
    """CloudTrail of all regions into a bucket of its own that is locked, and into CloudWatch; both outlive the stack."""

    KIND = "audit:Trail"

    def __init__(self, stack: Stack[Any], name: str, args: AuditTrailArgs) -> None:
        super().__init__(stack, name, data_class="restricted", protect=stack.place.is_prod or None)
        account, place = stack.settings.account_id, stack.place
        trail_arn = f"arn:aws:cloudtrail:{place.region}:{account}:trail/{self.physical_name(Trail, name)}"
        arn = bucket_arn(stack, name)
        mine = {"aws:SourceArn": trail_arn}
        allows = [
            Statement(
                sid="TrailLooks", actions=["s3:GetBucketAcl"], resources=[arn], services=[CLOUDTRAIL],
                conditions={"StringEquals": mine},
            ),
            Statement(
                sid="TrailWrites", actions=["s3:PutObject"], resources=[f"{arn}/AWSLogs/{account}/*"],
                services=[CLOUDTRAIL], conditions={"StringEquals": {**mine, **OWNED}},
            ),
        ]  # fmt: skip
        self.bucket = Bucket(
            stack, name, parent=self,
            args=BucketArgs(
                key_arn=args.key_arn, logs_bucket=args.logs_bucket, lock_days=args.locked_days, tiering=True, keep=True,
                allows=allows,
            ),
        )  # fmt: skip
        path = f"/nottermost/{place.env}/trail"
        group = add_log_group(self, "log", days=args.log_days, key_arn=args.key_arn, path=path, keep=True)
        streams = (
            f"arn:aws:logs:{place.region}:{account}:log-group:{path}:log-stream:{account}_CloudTrail_{place.region}*"
        )
        role = ServiceRole(
            stack, f"{name}-log", parent=self,
            args=ServiceRoleArgs(
                description="Lets CloudTrail write its log group",
                # It says of no account when it takes the role: a condition would refuse it (CloudTrail guide's own role).
                trusted=[Statement(actions=["sts:AssumeRole"], services=[CLOUDTRAIL])],
                allows={"write": [Statement(actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[streams])]},
            ),
        )  # fmt: skip
        objects = {"eventCategory": "Data", "resources.type": "AWS::S3::Object"}
        selectors = [_select("Management calls", {"eventCategory": "Management"})]
        selectors += [_select("Objects", objects, under=bucket) for bucket in args.watched_objects]
        trail = self.add(
            Trail, "", s3_bucket_name=self.bucket.name, kms_key_id=args.key_arn, is_multi_region_trail=True,
            include_global_service_events=True, enable_log_file_validation=True, enable_logging=True,
            cloud_watch_logs_group_arn=group.arn.apply(lambda arn: f"{arn}:*"), cloud_watch_logs_role_arn=role.arn,
            advanced_event_selectors=selectors,
            insight_selectors=[aws.cloudtrail.TrailInsightSelectorArgs(insight_type=each) for each in INSIGHTS]
            if args.insights else None,
            opts=pulumi.ResourceOptions(retain_on_delete=True, depends_on=[self.bucket]),
        )  # fmt: skip
        self.arn: pulumi.Output[str] = trail.arn
        self.register_outputs({"arn": self.arn})


def _select(
    name: str, equals: Mapping[str, str], *, under: pulumi.Input[str] | None = None
) -> aws.cloudtrail.TrailAdvancedEventSelectorArgs:
    """Which events are recorded. `under`: the ARN of the bucket whose objects are meant."""
    make = aws.cloudtrail.TrailAdvancedEventSelectorFieldSelectorArgs
    fields = [make(field=field, equals=[value]) for field, value in equals.items()]
    if under is not None:
        fields.append(make(field="resources.ARN", starts_withs=[pulumi.Output.concat(under, "/")]))
    return aws.cloudtrail.TrailAdvancedEventSelectorArgs(name=name, field_selectors=fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreatsArgs:
    """Where threats are looked for, the primary region first, and who is told."""

    regions: Sequence[str]
    topic_arn: pulumi.Input[str]


class Threats(Component):
    """GuardDuty in every region; what it finds is told by the primary's topic, to which the others forward."""

    KIND = "audit:Threats"

    def __init__(self, stack: Stack[Any], name: str, args: ThreatsArgs) -> None:
        super().__init__(stack, name, protect=stack.place.is_prod or None)
        account, home = stack.settings.account_id, args.regions[0]
        pattern = {
            "source": ["aws.guardduty"], "detail-type": ["GuardDuty Finding"],
            "detail": {"severity": [{"numeric": [">=", SEVERITY_TOLD]}]},
        }  # fmt: skip
        bus = f"arn:aws:events:{home}:{account}:event-bus/default"
        forwarder = self._add_forwarder(bus) if args.regions[1:] else None
        for region in args.regions:
            detector = self.add(
                Detector, region, enable=True, finding_publishing_frequency="FIFTEEN_MINUTES", region=region
            )
            for feature in FEATURES:
                self.add(
                    DetectorFeature, f"{region}-{feature.lower().replace('_', '-')}", detector_id=detector.id,
                    name=feature, status="ENABLED", region=region,
                )  # fmt: skip
            rule = self.add(
                EventRule, f"found-{region}", description="Threats that somebody has to hear of",
                event_pattern=canonical_json(pattern), region=region,
            )  # fmt: skip
            self.add(
                EventTarget, f"found-{region}", rule=rule.name, target_id="told", region=region,
                arn=args.topic_arn if region == home else bus,
                role_arn=None if region == home or forwarder is None else forwarder.arn,
            )  # fmt: skip
        self.register_outputs({})

    def _add_forwarder(self, bus: str) -> ServiceRole:
        account = self.stack.settings.account_id
        return ServiceRole(
            self.stack, f"{self.logical_name}-forwarder", parent=self,
            args=ServiceRoleArgs(
                description="Lets other regions forward threats to the primary",
                trusted=[trust("events.amazonaws.com", account)],
                allows={"forward": [Statement(actions=["events:PutEvents"], resources=[bus])]},
            ),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryArgs:
    """A record of how resources are set up.

    Attributes:
        regions: where it is kept, the primary first, which also records what is of no region.
        continuous: at every change (prod), else once a day, which costs a fraction.
        key_arn: encrypts the record, and needs to let Config use it.
    """

    regions: Sequence[str]
    continuous: bool
    key_arn: pulumi.Input[str]
    logs_bucket: pulumi.Input[str]


class Inventory(Component):
    """AWS Config in every region, into one bucket, with the role that AWS made for it: its rights follow the service."""

    KIND = "audit:Inventory"

    def __init__(self, stack: Stack[Any], name: str, args: InventoryArgs) -> None:
        super().__init__(stack, name, protect=stack.place.is_prod or None)
        account, arn = stack.settings.account_id, bucket_arn(stack, name)
        mine = {"aws:SourceAccount": account}
        allows = [
            Statement(
                sid="ConfigLooks", actions=["s3:GetBucketAcl", "s3:ListBucket"], resources=[arn], services=[CONFIG],
                conditions={"StringEquals": mine},
            ),
            Statement(
                sid="ConfigWrites", actions=["s3:PutObject"], resources=[f"{arn}/AWSLogs/{account}/Config/*"],
                services=[CONFIG], conditions={"StringEquals": {**mine, **OWNED}},
            ),
        ]  # fmt: skip
        self.bucket = Bucket(  # without a lock: Config delivers to no bucket that has one
            stack, name, parent=self,
            args=BucketArgs(
                key_arn=args.key_arn, logs_bucket=args.logs_bucket, tiering=True, keep=True, allows=allows
            ),
        )  # fmt: skip
        role = self.add(ServiceLinkedRole, "", aws_service_name=CONFIG)
        home = args.regions[0]
        for region in args.regions:
            recorder = self.add(
                Recorder, region, role_arn=role.arn, region=region,
                recording_group=aws.cfg.RecorderRecordingGroupArgs(
                    all_supported=True, include_global_resource_types=region == home
                ),
                recording_mode=aws.cfg.RecorderRecordingModeArgs(
                    recording_frequency="CONTINUOUS" if args.continuous else "DAILY"
                ),
            )  # fmt: skip
            channel = self.add(
                DeliveryChannel, region, s3_bucket_name=self.bucket.name, s3_kms_key_arn=args.key_arn, region=region,
                snapshot_delivery_properties=aws.cfg.DeliveryChannelSnapshotDeliveryPropertiesArgs(
                    delivery_frequency="TwentyFour_Hours"
                ),
                opts=pulumi.ResourceOptions(depends_on=[recorder, self.bucket]),
            )  # fmt: skip
            self.add(
                RecorderStatus, region, name=recorder.name, is_enabled=True, region=region,
                opts=pulumi.ResourceOptions(depends_on=[channel]),
            )  # fmt: skip
        self.register_outputs({})
