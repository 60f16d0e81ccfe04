"""The topics, on a real Kafka."""

import asyncio
from typing import Any

import pytest
import yaml
from ansible_collections.nottermost.platform.plugins.module_utils.topics import Refused, Topic, plan_topics
from ansible_collections.nottermost.platform.plugins.modules import kafka_topics
from confluent_kafka.admin import AdminClient

from nottermost_chat.adapters.kafka_client import Brokers, create_topics, delete_topics
from nottermost_chat.testing.servers import Address
from nottermost_conventions.topics import TOPICS
from nottermost_platform.program import ROOT


@pytest.fixture(scope="module")
def admin(kafka: Address) -> AdminClient:
    return kafka_topics.open_admin({"brokers": kafka.authority, "iam_region": ""})


def params(own: str, *topics: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"prefix": f"{own}-", "replication": 1, "may_grow": False, "properties": {}, "only_properties": [],
            "topics": [{"config": {}, **topic} for topic in topics], **more}  # fmt: skip


def test_a_topic_from_nothing_to_grown(admin: AdminClient, own: str) -> None:
    """Made, kept, configured, grown when that is asked for, never shrunk; a dry run does nothing of it."""
    two = {"name": "life", "partitions": 2, "config": {"retention.ms": "60000"}}
    dry = kafka_topics.run(admin, params(own, two), check=True)
    assert dry["created"] == [f"{own}-life"]
    assert kafka_topics.read_topics(admin, [f"{own}-life"]) == {}
    assert kafka_topics.run(admin, params(own, two), check=False)["created"] == [f"{own}-life"]
    assert kafka_topics.run(admin, params(own, two), check=False) == {
        "changed": False, "created": [], "grown": [], "configured": [], "diff": {},
    }  # fmt: skip

    longer = two | {"config": {"retention.ms": "90000"}}
    changed = kafka_topics.run(admin, params(own, longer), check=False)
    assert changed["configured"] == [f"{own}-life"]
    assert "retention.ms=60000" in changed["diff"]["before"]
    assert "retention.ms=90000" in changed["diff"]["after"]
    assert not kafka_topics.run(admin, params(own, longer), check=False)["changed"]

    more = longer | {"partitions": 3}
    with pytest.raises(Refused, match="would change places"):
        kafka_topics.run(admin, params(own, more), check=False)
    assert kafka_topics.run(admin, params(own, more, may_grow=True), check=False)["grown"] == [f"{own}-life"]
    with pytest.raises(Refused, match="3 partitions, 1 are wanted: Kafka cannot take any away"):
        kafka_topics.run(admin, params(own, two | {"partitions": 1}, may_grow=True), check=False)
    found = kafka_topics.read_topics(admin, [f"{own}-life"])[f"{own}-life"]
    assert (found.partitions, found.config["retention.ms"]) == (3, "90000")
    admin.delete_topics([f"{own}-life"])[f"{own}-life"].result(10)


def test_the_role_makes_what_the_chat_makes(admin: AdminClient, kafka: Address, own: str) -> None:
    """Topic by topic, partition by partition, property by property; and what one has made the other leaves alone."""
    written = yaml.safe_load((ROOT / "ansible/roles/topics/vars/main.yml").read_text())["topics_list"]
    ours = params(own, *written, properties={"min.insync.replicas": "1"})
    kafka_topics.run(admin, ours, check=False)
    theirs = Brokers(kafka.authority, topic_prefix=f"{own}x-")
    asyncio.run(create_topics(theirs, replication=1))
    asyncio.run(create_topics(Brokers(kafka.authority, topic_prefix=f"{own}-"), replication=1))  # finds them right
    kafka_topics.wait_for(admin, {theirs.topic(topic): topic.partitions for topic in TOPICS})
    assert not kafka_topics.run(admin, ours | {"prefix": f"{own}x-"}, check=False)["changed"]
    for topic in TOPICS:
        one, other = f"{own}-{topic.name}", f"{own}x-{topic.name}"
        found = kafka_topics.read_topics(admin, [one, other])
        assert found[one].config == found[other].config
        assert found[one].partitions == found[other].partitions == topic.partitions
    for prefix in (f"{own}-", f"{own}x-"):
        asyncio.run(delete_topics(Brokers(kafka.authority, topic_prefix=prefix)))


def test_a_serverless_cluster_is_given_only_what_it_takes(admin: AdminClient, own: str) -> None:
    """Its own number of copies, and no property that it refuses."""
    topic = {"name": "less", "partitions": 1, "config": {"retention.ms": "60000", "segment.ms": "1000"}}
    more = {"replication": -1, "only_properties": ["retention.ms"], "properties": {"min.insync.replicas": "0"}}
    assert kafka_topics.run(admin, params(own, topic, **more), check=False)["changed"]
    assert not kafka_topics.run(admin, params(own, topic, **more), check=False)["changed"]
    found = kafka_topics.read_topics(admin, [f"{own}-less"])[f"{own}-less"]
    assert found.config["retention.ms"] == "60000"
    assert found.config["segment.ms"] != "1000"
    admin.delete_topics([f"{own}-less"])[f"{own}-less"].result(10)


def test_every_refusal_is_told_and_nothing_is_done() -> None:
    """One topic that cannot be changed keeps the others as they are; all reasons are in the sentence."""
    wanted = [Topic(name="new", partitions=1, replication=1), Topic(name="a", partitions=1, replication=1),
              Topic(name="b", partitions=4, replication=3)]  # fmt: skip
    found = {"a": Topic(name="a", partitions=2, replication=1), "b": Topic(name="b", partitions=4, replication=1)}
    with pytest.raises(Refused, match=r"a has 2 partitions.*; b has 1 copies, 3 are wanted"):
        plan_topics(wanted, found, may_grow=True)
