"""Each rule of queues and topics notices what it is for, and production passes."""

import pytest

from nottermost_platform.rules.messages import (
    ALARM,
    QUEUE,
    QUEUE_POLICY,
    REDRIVE_ALLOW,
    SUBSCRIPTION,
    TOPIC,
    TOPIC_POLICY,
)
from nottermost_platform.testing import REMOVED, Bad, added, both, changed, check_bad, removed

ALLOW = "redriveAllowPolicy"
CASES = [
    Bad("queues-encrypted", changed(QUEUE, "kmsMasterKeyId", REMOVED, "push-dead"), "no key of ours"),
    Bad("queues-encrypted", changed(QUEUE, "kmsDataKeyReusePeriodSeconds", 86400, "push"), "86400 s"),
    Bad("queues-over-tls", removed(QUEUE_POLICY, "push-policy"), "has no policy"),
    Bad("queues-over-tls", changed(QUEUE_POLICY, "policy.Statement.0.Effect", "Allow", "push-policy"), "without TLS"),
    Bad("queues-over-tls", changed(QUEUE_POLICY, "policy.Statement.0.Condition.Bool", {"aws:SecureTransport": "true"}, "push-policy"), "without TLS"),
    Bad("queues-have-dead-letters", changed(QUEUE, "messageRetentionSeconds", 3600, "push-dead"), "dead letters for 0 days"),
    Bad("queues-have-dead-letters", changed(QUEUE, "redrivePolicy", REMOVED, "push"), "has no queue"),
    Bad("queues-have-dead-letters", changed(QUEUE, "redrivePolicy.deadLetterTargetArn", "arn:aws:sqs:eu-west-1:333344445555:prod-euw1-push-dead", "push"), "another region"),
    Bad("queues-have-dead-letters", changed(QUEUE, "redrivePolicy.maxReceiveCount", 1000, "push"), "after 1000 tries"),
    Bad("queues-have-dead-letters", changed(QUEUE, "messageRetentionSeconds", 60, "push"), "keeps messages"),
    Bad("queues-have-dead-letters", removed(REDRIVE_ALLOW, "push-dead-from"), "of any queue"),
    Bad("queues-have-dead-letters", changed(REDRIVE_ALLOW, f"{ALLOW}.redrivePermission", "allowAll", "push-dead-from"), "allowAll"),
    Bad("queues-have-dead-letters", changed(REDRIVE_ALLOW, f"{ALLOW}.sourceQueueArns", [], "push-dead-from"), "other queues"),
    Bad("queues-wait-for-handlers", changed(QUEUE, "visibilityTimeoutSeconds", 30, "webhook"), "after 30 s"),
    Bad("queues-wait-for-handlers", changed(QUEUE, "receiveWaitTimeSeconds", 0, "push"), "over and over"),
    Bad("dead-letters-watched", removed(ALARM, "dead-letters-push"), "no alarm sees"),
    Bad("dead-letters-watched", changed(ALARM, "metricName", "NumberOfMessagesSent", "dead-letters-push"), "no alarm sees"),
    Bad("dead-letters-watched", changed(ALARM, "comparisonOperator", "LessThanThreshold", "dead-letters-push"), "no alarm sees"),
    Bad("topics-encrypted", changed(TOPIC, "kmsMasterKeyId", REMOVED, "alarms"), "no key of ours"),
    Bad("topics-encrypted", changed(TOPIC, "signatureVersion", 1, "alarms"), "SHA-1"),
    Bad("topics-encrypted", changed("kms/key:Key", "policy.Statement.2.Action", ["kms:Decrypt"], "async"), "events.amazonaws.com publish, but its key does not"),
    Bad("topics-take-what-is-told", changed(TOPIC_POLICY, "policy.Statement.2.Effect", "Deny", "notices-policy"), "refuses budgets"),
    Bad("topics-over-tls", removed(TOPIC_POLICY, "alarms-policy"), "has no policy"),
    Bad("topics-over-tls", changed(TOPIC_POLICY, "policy.Statement.0.Principal", {"AWS": ["arn:aws:iam::1:root"]}, "alarms-policy"), "over TLS"),
    Bad("topics-reach-somebody", both(removed(SUBSCRIPTION, "notices-finance-at-example.com"), removed(SUBSCRIPTION, "notices-platform-at-example.com")), "tells nobody"),
    Bad("subscriptions-safe", changed(SUBSCRIPTION, "protocol", "http"), "over http"),
    Bad("subscriptions-safe", changed(SUBSCRIPTION, "endpoint", ""), "to nobody"),
    Bad("subscriptions-safe", changed(SUBSCRIPTION, "topic", "arn:aws:sns:us-east-1:1:x"), "no topic of ours"),
    Bad("subscriptions-safe", changed(SUBSCRIPTION, "filterPolicy", '{"a":["b"]}'), "keeps some of it"),
    Bad("queues-encrypted", added(QUEUE, {"sqsManagedSseEnabled": True}), "no key of ours"),
]  # fmt: skip


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)
