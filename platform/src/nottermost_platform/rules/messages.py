"""Rules of queues and topics: controls 69 to 71."""

from typing import Any, Final

from nottermost_platform.components.queues import VISIBILITY
from nottermost_platform.graph import Resource
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.keys import KEYS, lets_service
from nottermost_platform.rules.statements import read, refuses_plain_transport
from nottermost_platform.rules.view import View, get, items, number, parse
from nottermost_platform.stacks.async_ import HANDLERS_S

QUEUE: Final = "sqs/queue:Queue"
QUEUE_POLICY: Final = "sqs/queuePolicy:QueuePolicy"
REDRIVE_ALLOW: Final = "sqs/redriveAllowPolicy:RedriveAllowPolicy"
TOPIC: Final = "sns/topic:Topic"
TOPIC_POLICY: Final = "sns/topicPolicy:TopicPolicy"
SUBSCRIPTION: Final = "sns/topicSubscription:TopicSubscription"
ALARM: Final = "cloudwatch/metricAlarm:MetricAlarm"
DAY_S: Final = 86_400
DEAD_DAYS_MIN: Final = 14  # a person may be away for a week; SQS keeps no longer
KEEP_DAYS_MIN: Final = 4  # longer than a weekend without the worker
RECEIVES: Final = range(2, 11)  # one failure proves little, and after ten nobody waits any more
KEY_REUSE_S_MAX: Final = 3600
SAFE: Final = ("email", "email-json", "sqs", "lambda", "https", "firehose", "application", "sms")


@rule(
    "queues-encrypted", 69, Severity.MEDIUM, QUEUE,
    title="A queue is encrypted with a key of ours",
    fsbp="SQS.1", checkov="27 CKV2_AWS_73", nag="SQS2", fix="kms_master_key_id of a key in the same region",
)  # fmt: skip
def queues_encrypted(queue: Resource, view: View) -> Lacks:
    keys = view.targets(queue, "kmsMasterKeyId", *KEYS)
    if not any(each.region == queue.region for each in keys):
        yield "is encrypted with no key of ours"
    elif not 60 <= number(queue, "kmsDataKeyReusePeriodSeconds") <= KEY_REUSE_S_MAX:
        yield f"asks for a new data key after {number(queue, 'kmsDataKeyReusePeriodSeconds'):.0f} s"


@rule(
    "queues-over-tls", 70, Severity.MEDIUM, QUEUE,
    title="A queue's policy refuses what does not come over TLS",
    fsbp="SQS.3", checkov="168 387", nag="SQS4", fix="a QueuePolicy with deny_plain_transport",
)  # fmt: skip
def queues_over_tls(queue: Resource, view: View) -> Lacks:
    policies = view.users_at(queue, QUEUE_POLICY, "queueUrl")
    arn = _arn(queue, policies)
    if not policies:
        yield "has no policy"
    for policy in policies:
        document = read(get(policy, "policy"))
        if not all(refuses_plain_transport(document, f"sqs:{verb}Message", arn) for verb in ("Receive", "Send")):
            yield "answers without TLS"


def _arn(resource: Resource, policies: list[Resource]) -> str:
    """A queue's or topic's ARN, as its policy says it."""
    name = f":{get(resource, 'name')}"
    said = (arn for policy in policies for each in read(get(policy, "policy")) for arn in each.resources)
    return next((each for each in said if each.endswith(name)), name)


def dead_letters(queue: Resource, view: View) -> list[Resource]:
    """The queues that take what another could not handle."""
    return [each for each in view.meant(_redrive(queue).get("deadLetterTargetArn"), QUEUE) if each.urn != queue.urn]


def _redrive(queue: Resource) -> dict[str, Any]:
    opened = parse(get(queue, "redrivePolicy"))
    return opened if isinstance(opened, dict) else {}


def _sources(dead: Resource, view: View) -> list[Resource]:
    return [each for each in view.users(dead, QUEUE) if dead in dead_letters(each, view)]


@rule(
    "queues-have-dead-letters", 70, Severity.MEDIUM, QUEUE,
    title="What cannot be handled goes, after a few tries, to a queue that takes it from there alone and keeps it 14 days",
    nag="SQS3", fix="the component Queue, which makes both",
)  # fmt: skip
def queues_have_dead_letters(queue: Resource, view: View) -> Lacks:
    if sources := _sources(queue, view):
        if number(queue, "messageRetentionSeconds") < DEAD_DAYS_MIN * DAY_S:
            yield f"keeps dead letters for {number(queue, 'messageRetentionSeconds') / DAY_S:.0f} days"
        yield from _redrive_allowed(queue, sources, view)
        return
    dead = dead_letters(queue, view)
    if not dead:
        yield "has no queue of ours for dead letters"
    elif any(each.region != queue.region for each in dead):
        yield "sends dead letters to another region, which SQS refuses"
    if dead and number(_redrive(queue), "maxReceiveCount") not in RECEIVES:
        yield f"gives a message up after {number(_redrive(queue), 'maxReceiveCount'):.0f} tries"
    if number(queue, "messageRetentionSeconds") < KEEP_DAYS_MIN * DAY_S:
        yield f"keeps messages for {number(queue, 'messageRetentionSeconds') / DAY_S:.1f} days"


def _redrive_allowed(dead: Resource, sources: list[Resource], view: View) -> Lacks:
    allowed = [parse(get(each, "redriveAllowPolicy")) for each in view.users_at(dead, REDRIVE_ALLOW, "queueUrl")]
    if not allowed:
        yield "takes dead letters of any queue"
    for each in allowed:
        if get(each, "redrivePermission") != "byQueue":
            yield f"takes dead letters of {get(each, 'redrivePermission')} queues"
        elif {source.urn for source in view.meant(get(each, "sourceQueueArns"), QUEUE)} != {
            each.urn for each in sources
        }:
            yield "takes dead letters of other queues than those that send them"


@rule(
    "queues-wait-for-handlers", 70, Severity.LOW, QUEUE,
    title="A message is not handed out again while it is handled: six times the handler's longest run",
    fix="QueueArgs.handler_s, as stacks/async_.py lists it",
)  # fmt: skip
def queues_wait_for_handlers(queue: Resource, view: View) -> Lacks:
    longest = HANDLERS_S.get(queue.name.removesuffix("-dead"))
    if longest is None:
        yield "has a handler of which nobody said how long it runs"
    elif number(queue, "visibilityTimeoutSeconds") < VISIBILITY * longest:
        yield f"hands a message out again after {number(queue, 'visibilityTimeoutSeconds'):.0f} s"
    if not _sources(queue, view) and number(queue, "receiveWaitTimeSeconds") < 1:
        yield "is asked over and over while it is empty"


@rule(
    "dead-letters-watched", 70, Severity.MEDIUM, QUEUE,
    title="An alarm sees every dead letter",
    fix="an alarm on ApproximateNumberOfMessagesVisible of the queue; see stacks/observability.py",
)  # fmt: skip
def dead_letters_watched(queue: Resource, view: View) -> Lacks:
    if not _sources(queue, view):
        return
    name = get(queue, "name")
    if not any(
        get(each, "metricName") == "ApproximateNumberOfMessagesVisible"
        and get(each, "dimensions.QueueName") == name
        and str(get(each, "comparisonOperator")).startswith("GreaterThan")
        and each.region == queue.region
        for each in view.users(queue, ALARM)
    ):
        yield "holds dead letters that no alarm sees"


@rule(
    "topics-encrypted", 71, Severity.MEDIUM, TOPIC,
    title="A topic is encrypted with a key of ours that its publishers can use, and signs with SHA-256",
    fsbp="SNS.1", checkov="26", nag="SNS2", fix="TopicArgs.key_arn, a key with `services` of the publishers",
)  # fmt: skip
def topics_encrypted(topic: Resource, view: View) -> Lacks:
    keys = [each for each in view.targets(topic, "kmsMasterKeyId", *KEYS) if each.region == topic.region]
    if not keys:
        yield "is encrypted with no key of ours"
    publishers = {
        service
        for policy in view.users_at(topic, TOPIC_POLICY, "arn")
        for said in read(get(policy, "policy"))
        if said.allows
        for service in said.services
    }
    for service in sorted(publishers):
        yield from (f"lets {service} publish, but its key does not" for key in keys if not lets_service(key, service))
    if number(topic, "signatureVersion") != 2:
        yield "signs with SHA-1"


# What tells a topic, and the service that it tells it as.
TELLERS: Final = {
    ALARM: "cloudwatch.amazonaws.com",
    "budgets/budget:Budget": "budgets.amazonaws.com",
    "costexplorer/anomalySubscription:AnomalySubscription": "costalerts.amazonaws.com",
    "cloudwatch/eventTarget:EventTarget": "events.amazonaws.com",
    "rds/eventSubscription:EventSubscription": "events.rds.amazonaws.com",
    "s3/bucketNotification:BucketNotification": "s3.amazonaws.com",
}


@rule(
    "topics-take-what-is-told", 71, Severity.MEDIUM, TOPIC,
    title="A topic's policy lets those publish that are set up to tell it: alarms, budgets, events, buckets",
    fix="TopicArgs.publishers",
)  # fmt: skip
def topics_take_what_is_told(topic: Resource, view: View) -> Lacks:
    allowed = {
        service
        for policy in view.users_at(topic, TOPIC_POLICY, "arn")
        for said in read(get(policy, "policy"))
        if said.allows and "sns:Publish" in said.actions
        for service in said.services
    }
    for teller, service in TELLERS.items():
        if service not in allowed and any(
            topic in view.meant(each.inputs, TOPIC) for each in view.users(topic, teller)
        ):
            yield f"refuses {service}, which is to tell it"


@rule(
    "topics-over-tls", 71, Severity.MEDIUM, TOPIC,
    title="A topic's policy refuses what does not come over TLS",
    checkov="385", nag="SNS3", fix="a TopicPolicy with deny_plain_transport",
)  # fmt: skip
def topics_over_tls(topic: Resource, view: View) -> Lacks:
    policies = view.users_at(topic, TOPIC_POLICY, "arn")
    if not policies:
        yield "has no policy"
    if any(
        not refuses_plain_transport(read(get(each, "policy")), "sns:Publish", _arn(topic, policies))
        for each in policies
    ):
        yield "takes what does not come over TLS"


@rule(
    "topics-reach-somebody", 71, Severity.MEDIUM, TOPIC,
    title="In production what alarms, events and budgets tell reaches somebody",
    fix="TopicArgs.emails, or a subscription", envs=("prod",),
)  # fmt: skip
def topics_reach_somebody(topic: Resource, view: View) -> Lacks:
    tellers = ("cloudwatch/metricAlarm:MetricAlarm", "budgets/budget:Budget", "cloudwatch/eventTarget:EventTarget")
    if view.users(topic, *tellers) and not view.users_at(topic, SUBSCRIPTION, "topic"):
        yield "tells nobody"


@rule(
    "subscriptions-safe", 71, Severity.MEDIUM, SUBSCRIPTION,
    title="A subscription is of a topic of ours, and what it sends goes over TLS to somebody",
    fix="protocol https, email, sqs or lambda",
)  # fmt: skip
def subscriptions_safe(subscription: Resource, view: View) -> Lacks:
    if not view.targets(subscription, "topic", TOPIC):
        yield "is of no topic of ours"
    if get(subscription, "protocol") not in SAFE or str(get(subscription, "endpoint", "")).startswith("http://"):
        yield f"sends over {get(subscription, 'protocol')}"
    if not get(subscription, "endpoint"):
        yield "sends to nobody"
    if items(subscription, "filterPolicy") and get(subscription, "protocol", "").startswith("email"):
        yield "keeps some of it from people"
