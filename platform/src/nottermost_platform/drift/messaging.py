"""Reads queues and topics."""

from collections.abc import Iterator
from typing import Any, Final

from nottermost_platform.drift.account import View, pick, tags_of
from nottermost_platform.drift.readers import reader
from nottermost_platform.drift.values import Found

QUEUE: Final = "aws:sqs/queue:Queue"
QUEUE_POLICY: Final = "aws:sqs/queuePolicy:QueuePolicy"
TOPIC: Final = "aws:sns/topic:Topic"
TOPIC_POLICY: Final = "aws:sns/topicPolicy:TopicPolicy"
SUBSCRIPTION: Final = "aws:sns/topicSubscription:TopicSubscription"


@reader(QUEUE, QUEUE_POLICY)
def read_queues(view: View) -> Iterator[Found]:
    urls = [
        each for each in view.list("sqs", "list_queues", "QueueUrls") if view.is_ours(QUEUE, each.rpartition("/")[2])
    ]
    for parts in view.each(lambda each: list(_read_queue(view, each)), urls):
        yield from parts


def _read_queue(view: View, url: str) -> Iterator[Found]:
    answer = view.get("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["All"], absent=GONE)
    if answer is None:  # a list may show a queue for a minute after it was deleted
        return
    attributes = answer["Attributes"]
    tags = (view.get("sqs", "list_queue_tags", QueueUrl=url) or {}).get("Tags", {})
    properties = {"name": url.rpartition("/")[2]} | pick(
        attributes, visibilityTimeoutSeconds="VisibilityTimeout", messageRetentionSeconds="MessageRetentionPeriod",
        receiveWaitTimeSeconds="ReceiveMessageWaitTimeSeconds", delaySeconds="DelaySeconds", redrivePolicy="RedrivePolicy",
        kmsMasterKeyId="KmsMasterKeyId", kmsDataKeyReusePeriodSeconds="KmsDataKeyReusePeriodSeconds",
    )  # fmt: skip
    address = f"https://sqs.{view.region}.amazonaws.com/{view.account_id}/{properties['name']}"  # whatever the endpoint
    outputs = {"id": address, "url": address, "arn": attributes["QueueArn"]}
    yield Found(type=QUEUE, region=view.region, properties=properties, outputs=outputs, tags=tags)
    if attributes.get("Policy"):
        policy = {"queueUrl": address, "policy": attributes["Policy"]}
        yield Found(type=QUEUE_POLICY, region=view.region, properties=policy, belongs_to=(QUEUE, address))


GONE: Final = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


@reader(TOPIC, TOPIC_POLICY, SUBSCRIPTION)
def read_topics(view: View) -> Iterator[Found]:
    arns = [
        each
        for each in view.list("sns", "list_topics", "Topics[].TopicArn")
        if view.is_ours(TOPIC, each.rpartition(":")[2])
    ]
    for parts in view.each(lambda each: list(_read_topic(view, each)), arns):
        yield from parts


def _read_topic(view: View, arn: str) -> Iterator[Found]:
    attributes = (view.get("sns", "get_topic_attributes", TopicArn=arn) or {})["Attributes"]
    tags = tags_of(view.list("sns", "list_tags_for_resource", "Tags", ResourceArn=arn))
    properties: dict[str, Any] = {"name": arn.rpartition(":")[2]}
    properties |= pick(attributes, kmsMasterKeyId="KmsMasterKeyId")
    yield Found(type=TOPIC, region=view.region, properties=properties, outputs={"id": arn, "arn": arn}, tags=tags)
    policy = {"arn": arn, "policy": attributes.get("Policy")}
    yield Found(type=TOPIC_POLICY, region=view.region, properties=policy, belongs_to=(TOPIC, arn))
    for each in view.list("sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=arn):
        own = pick(each, topic="TopicArn", protocol="Protocol", endpoint="Endpoint")
        outputs = {"id": each["SubscriptionArn"], "arn": each["SubscriptionArn"]}
        yield Found(type=SUBSCRIPTION, region=view.region, properties=own, outputs=outputs, belongs_to=(TOPIC, arn))
