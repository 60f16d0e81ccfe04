"""Queues and topics: encrypted, over TLS alone, with a place for what fails."""

import pytest

from nottermost_platform.settings import Place, SettingsError, load
from nottermost_platform.stacks.async_ import LAYERS, Settings
from nottermost_platform.testing import find, graph_of, one, statements

GIVEN = {"account_id": "333344445555", "domain": "chat.example.com"}
REGIONS = ("us-east-1", "eu-west-1")


def test_events_reach_the_encrypted_topic() -> None:
    """EventBridge names no account, to SNS and to KMS alike: any condition would drop its alarms silently."""
    policy = one(graph_of("prod"), "kms/key:Key", "async").inputs["policy"]
    by_sid = {each["Sid"]: each for each in statements(policy)}
    assert by_sid["Events"]["Principal"] == {"Service": ["events.amazonaws.com"]}
    assert "Condition" not in by_sid["Events"]
    assert by_sid["Services"]["Condition"] == {"StringEquals": {"aws:SourceAccount": "333344445555"}}


def test_uploads_are_told() -> None:
    """The bucket of files tells its topic, which lets S3 publish for that bucket alone."""
    graph = graph_of("prod")
    bucket = one(graph, "s3/bucket:Bucket", "files")
    notification = one(graph, "s3/bucketNotification:BucketNotification", stack="async").inputs
    assert notification["bucket"] == bucket.inputs["bucket"]
    assert notification["topics"][0]["events"] == ["s3:ObjectCreated:*"]
    policy = one(graph, "sns/topicPolicy:TopicPolicy", "uploads-policy").inputs["policy"]
    (s3,) = (each for each in statements(policy) if each.get("Sid") == "S3")
    assert "files" in s3["Condition"]["ArnLike"]["aws:SourceArn"]


def test_production_tells_somebody() -> None:
    """Alarms without an address are refused, with the key and an example; a preview environment needs none."""
    assert find(graph_of("prod"), "sns/topicSubscription:TopicSubscription", stack="async")
    assert not find(graph_of("pr-0"), "sns/topicSubscription:TopicSubscription", stack="async")
    with pytest.raises(SettingsError, match="alarm_emails: in production at least one address"):
        load(Settings, LAYERS, Place(env="prod", region="us-east-1"), GIVEN, source="Pulumi.yaml")
