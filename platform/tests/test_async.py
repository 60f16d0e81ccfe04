"""Queues and topics: encrypted, over TLS alone, with a place for what fails."""

import json

import pytest

from nottermost_platform.components.queues import VISIBILITY
from nottermost_platform.settings import Place, SettingsError, load
from nottermost_platform.stacks.async_ import HANDLERS_S, LAYERS, Settings
from nottermost_platform.testing import find, graph_of, one, statements

GIVEN = {"account_id": "333344445555", "domain": "chat.example.com"}
REGIONS = ("us-east-1", "eu-west-1")


@pytest.mark.parametrize("region", REGIONS)
def test_control_69_queues_are_encrypted(region: str) -> None:
    """With a key of ours, dead letters too."""
    found = find(graph_of("prod"), "sqs/queue:Queue", stack="async", region=region)
    assert {each.name for each in found} == {"push", "push-dead", "webhook", "webhook-dead"}
    assert all(each.inputs["kmsMasterKeyId"].startswith("arn:aws:kms:") for each in found)


@pytest.mark.parametrize("name", HANDLERS_S)
def test_control_70_dead_letters(name: str) -> None:
    """After five tries a message waits 14 days; a slow handler's is not handed out twice; nothing over plain HTTP."""
    graph = graph_of("prod")
    queue, dead = one(graph, "sqs/queue:Queue", name).inputs, one(graph, "sqs/queue:Queue", f"{name}-dead")
    assert json.loads(queue["redrivePolicy"])["maxReceiveCount"] == 5
    assert dead.urn in one(graph, "sqs/queue:Queue", name).property_dependencies["redrivePolicy"]
    assert queue["visibilityTimeoutSeconds"] >= VISIBILITY * HANDLERS_S[name]
    assert dead.inputs["messageRetentionSeconds"] == 14 * 86_400
    for policy in find(graph, "sqs/queuePolicy:QueuePolicy", stack="async"):
        (plain,) = statements(policy.inputs["policy"])
        assert (plain["Effect"], plain["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


@pytest.mark.parametrize("stack", ["async", "account"])
def test_control_71_topics(stack: str) -> None:
    """Encrypted with our key, TLS only, and only this account publishes."""
    graph = graph_of("prod")
    assert all(each.inputs["kmsMasterKeyId"].startswith("arn:") for each in find(graph, "sns/topic:Topic", stack=stack))
    policies = find(graph, "sns/topicPolicy:TopicPolicy", stack=stack)
    assert policies
    for policy in policies:
        plain, *others = statements(policy.inputs["policy"])
        assert plain["Effect"] == "Deny"
        for statement in others:
            assert statement["Principal"] != "*"
            service = statement["Principal"].get("Service")
            assert "AWS" in statement["Principal"] or ("Condition" in statement) == (
                service != ["events.amazonaws.com"]
            )


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


@pytest.mark.parametrize("region", REGIONS)
def test_control_23_the_database_reports(region: str) -> None:
    """Failovers, failures, full disks and changed parameters reach the topic of alarms."""
    found = find(graph_of("prod"), "rds/eventSubscription:EventSubscription", stack="async", region=region)
    kinds = {each.inputs["sourceType"]: set(each.inputs["eventCategories"]) for each in found}
    assert kinds["db-instance"] >= {"failover", "failure", "low storage", "maintenance", "configuration change"}
    assert kinds["db-parameter-group"] == {"configuration change"}
    assert {each.inputs["snsTopic"] for each in found} == {found[0].inputs["snsTopic"]}
    assert found[0].inputs["snsTopic"].startswith(f"arn:aws:sns:{region}:")


def test_production_tells_somebody() -> None:
    """Alarms without an address are refused, with the key and an example; a preview environment needs none."""
    assert find(graph_of("prod"), "sns/topicSubscription:TopicSubscription", stack="async")
    assert not find(graph_of("pr-0"), "sns/topicSubscription:TopicSubscription", stack="async")
    with pytest.raises(SettingsError, match="alarm_emails: in production at least one address"):
        load(Settings, LAYERS, Place(env="prod", region="us-east-1"), GIVEN, source="Pulumi.yaml")
