"""Queues with a place for what cannot be handled, and topics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi_aws.s3.bucket_notification import BucketNotification
from pulumi_aws.sns.topic import Topic as SnsTopic
from pulumi_aws.sns.topic_policy import TopicPolicy
from pulumi_aws.sns.topic_subscription import TopicSubscription
from pulumi_aws.sqs.queue import Queue as SqsQueue
from pulumi_aws.sqs.queue_policy import QueuePolicy
from pulumi_aws.sqs.redrive_allow_policy import RedriveAllowPolicy

from nottermost_platform.policy import Statement, canonical_json, deny_plain_transport, make_policy
from nottermost_platform.program import Component, Stack

VISIBILITY: Final = 6  # times the handler's longest run, as AWS advises: a slow batch is not handed out twice
RECEIVES_MAX: Final = 5  # then a message goes to the dead letters
DAY_S: Final = 86_400
# EventBridge does not say on whose behalf it publishes: with any condition it is refused, and nobody is told
# (EventBridge guide, "Amazon SNS permissions", read 2026-11-21).
EVENTS: Final = "events.amazonaws.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueArgs:
    """A queue. `handler_s`: the longest a handler works on one message."""

    key_arn: pulumi.Input[str]
    handler_s: int
    keep_days: int = 4


class Queue(Component):
    """An encrypted queue; what fails five times waits 14 days in its dead letters, for an alarm and a person."""

    KIND = "async:Queue"

    def __init__(self, stack: Stack[Any], name: str, args: QueueArgs) -> None:
        super().__init__(stack, name, data_class="confidential")
        dead = self.add(
            SqsQueue, "dead", kms_master_key_id=args.key_arn, message_retention_seconds=14 * DAY_S,
            kms_data_key_reuse_period_seconds=300, visibility_timeout_seconds=VISIBILITY * args.handler_s,
        )  # fmt: skip
        redrive = dead.arn.apply(_redrive)
        self.queue = self.add(
            SqsQueue, "", kms_master_key_id=args.key_arn, message_retention_seconds=args.keep_days * DAY_S,
            kms_data_key_reuse_period_seconds=300, visibility_timeout_seconds=VISIBILITY * args.handler_s,
            receive_wait_time_seconds=20, redrive_policy=redrive,
        )  # fmt: skip
        allow = self.queue.arn.apply(_allow_redrive)
        self.add(RedriveAllowPolicy, "dead-from", queue_url=dead.url, redrive_allow_policy=allow)
        for kind, queue in (("policy", self.queue), ("dead-policy", dead)):
            plain = replace(deny_plain_transport(queue.arn), actions=["sqs:*"])
            self.add(QueuePolicy, kind, queue_url=queue.url, policy=make_policy(plain))
        self.url: pulumi.Output[str] = self.queue.url
        self.arn: pulumi.Output[str] = self.queue.arn
        self.dead_arn: pulumi.Output[str] = dead.arn
        self.dead_name: pulumi.Output[str] = dead.name
        self.register_outputs({"url": self.url, "arn": self.arn})


def _redrive(dead_arn: str) -> str:
    return canonical_json({"deadLetterTargetArn": dead_arn, "maxReceiveCount": RECEIVES_MAX})


def _allow_redrive(queue_arn: str) -> str:
    return canonical_json({"redrivePermission": "byQueue", "sourceQueueArns": [queue_arn]})


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicArgs:
    """A topic.

    Attributes:
        key_arn: a key whose policy lets the publishers use it.
        publishers: AWS services that publish for this account, to the ARN patterns of what they publish about ("": any).
        emails: who is told.
    """

    key_arn: pulumi.Input[str]
    publishers: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    emails: Sequence[str] = ()


class Topic(Component):
    """An encrypted topic that only this account's services and roles publish to, and only over TLS."""

    KIND = "async:Topic"

    def __init__(self, stack: Stack[Any], name: str, args: TopicArgs) -> None:
        super().__init__(stack, name)
        topic = self.add(SnsTopic, "", kms_master_key_id=args.key_arn, signature_version=2)
        self.arn: pulumi.Output[str] = topic.arn
        account = stack.settings.account_id
        plain = replace(deny_plain_transport(self.arn), actions=["sns:Publish"])  # SNS knows no wildcard here
        own = Statement(
            sid="Account", actions=["sns:Publish", "sns:Subscribe", "sns:GetTopicAttributes"], resources=[self.arn],
            principals=[f"arn:aws:iam::{account}:root"],
        )  # fmt: skip
        services = []
        for service, source in sorted(args.publishers.items()):
            conditions: dict[str, dict[str, Any]] = {"StringEquals": {"aws:SourceAccount": account}}
            if source != "":
                conditions["ArnLike"] = {"aws:SourceArn": source}
            if service == EVENTS:
                conditions = {}
            services.append(
                Statement(
                    sid="".join(part.capitalize() for part in service.removesuffix(".amazonaws.com").split(".")),
                    actions=["sns:Publish"], resources=[self.arn], services=[service], conditions=conditions,
                )
            )  # fmt: skip
        self.policy = self.add(TopicPolicy, "policy", arn=self.arn, policy=make_policy(plain, own, *services))
        for email in args.emails:
            self.add(TopicSubscription, email.replace("@", "-at-"), topic=self.arn, protocol="email", endpoint=email)
        self.register_outputs({"arn": self.arn})


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadsArgs:
    """A bucket, and the topic that hears of what was uploaded into it."""

    bucket: pulumi.Input[str]
    topic: Topic


class Uploads(Component):
    """Tells of every object that was uploaded. A bucket has one list of whom it tells: this one."""

    KIND = "async:Uploads"

    def __init__(self, stack: Stack[Any], name: str, args: UploadsArgs) -> None:
        super().__init__(stack, name)
        told = aws.s3.BucketNotificationTopicArgs(id="uploads", topic_arn=args.topic.arn, events=["s3:ObjectCreated:*"])
        self.add(
            BucketNotification, "uploads", bucket=args.bucket, topics=[told],
            opts=pulumi.ResourceOptions(depends_on=[args.topic.policy]),  # S3 tries it at once
        )  # fmt: skip
        self.register_outputs({})
