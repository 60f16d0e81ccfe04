"""Each rule of brokers and topics notices what it is for; production passes, and so does a serverless cluster."""

import pytest

from nottermost_platform.rules import View
from nottermost_platform.rules.brokers import BROKERS, CONFIGURATION, SERVERLESS, TOPIC
from nottermost_platform.rules.stores import SCALING, TARGET
from nottermost_platform.testing import REMOVED, Bad, added, changed, check_bad, one, removed, says, view_of

NODES, TRANSIT, SIGN_IN = "brokerNodeGroupInfo", "encryptionInfo.encryptionInTransit", "clientAuthentication"
LOGS, EXPORTERS = "loggingInfo.brokerLogs.cloudwatchLogs", "openMonitoring.prometheus"
PROPERTIES = "serverProperties"
ENTRIES = "log-topic-chat.entries"
CASES = [
    Bad("brokers-encrypted", changed(BROKERS, f"{TRANSIT}.clientBroker", "TLS_PLAINTEXT"), "speaks TLS_PLAINTEXT"),
    Bad("brokers-encrypted", changed(BROKERS, f"{TRANSIT}.inCluster", False), "broker to broker"),
    Bad("brokers-encrypted", changed(BROKERS, "encryptionInfo.encryptionAtRestKmsKeyArn", REMOVED), "key of ours"),
    Bad("brokers-private", changed(BROKERS, f"{NODES}.connectivityInfo", REMOVED), "public addresses"),
    Bad("brokers-private", changed(BROKERS, f"{NODES}.connectivityInfo.vpcConnectivity", {"clientAuthentication": {}}), "other VPCs"),
    Bad("brokers-private", changed(BROKERS, f"{NODES}.clientSubnets", ["subnet-1"]), "not ours"),
    Bad("brokers-private", changed(BROKERS, f"{NODES}.securityGroups", ["sg-1"]), "security group"),
    Bad("brokers-authenticate", changed(BROKERS, f"{SIGN_IN}.unauthenticated", True), "does not know"),
    Bad("brokers-authenticate", changed(BROKERS, f"{SIGN_IN}.sasl.iam", False), "by IAM"),
    Bad("brokers-authenticate", changed(BROKERS, f"{SIGN_IN}.sasl.scram", True), "by password"),
    Bad("brokers-watched", changed(BROKERS, f"{LOGS}.enabled", False), "does not log"),
    Bad("brokers-watched", changed(BROKERS, f"{LOGS}.logGroup", "other"), "does not log"),
    Bad("brokers-watched", changed(BROKERS, "enhancedMonitoring", REMOVED), "measures DEFAULT"),
    Bad("brokers-watched", changed(BROKERS, f"{EXPORTERS}.jmxExporter.enabledInBroker", False), "no jmxExporter"),
    Bad("brokers-watched", changed(BROKERS, f"{EXPORTERS}.nodeExporter", REMOVED), "no nodeExporter"),
    Bad("brokers-durable", changed(BROKERS, "numberOfBrokerNodes", 4), "4 brokers in 3 zones"),
    Bad("brokers-durable", changed(BROKERS, "numberOfBrokerNodes", 0), "0 brokers"),
    Bad("brokers-durable", changed(BROKERS, "configurationInfo", REMOVED), "that AWS gives it"),
    Bad("brokers-durable", changed(CONFIGURATION, PROPERTIES, "auto.create.topics.enable=true"), "auto.create.topics.enable=true"),
    Bad("brokers-durable", changed(CONFIGURATION, PROPERTIES, "unclean.leader.election.enable=true"), "unclean.leader.election.enable=true"),
    Bad("brokers-durable", changed(CONFIGURATION, PROPERTIES, "min.insync.replicas=1"), "min.insync.replicas=1"),
    Bad("brokers-durable", changed(CONFIGURATION, PROPERTIES, "offsets.retention.minutes=1440"), "after 1440 minutes"),
    Bad("brokers-durable", changed(CONFIGURATION, PROPERTIES, ""), "after 0 minutes"),
    Bad("brokers-grow", removed(TARGET, "log-volumes"), "do not grow"),
    Bad("brokers-grow", removed(SCALING, "log-volumes"), "do not grow"),
    Bad("log-topics", removed(TOPIC, ENTRIES), "has no topic chat.entries"),
    Bad("log-topics", changed(TOPIC, "name", "other", ENTRIES), "no topic that the chat declares"),
    Bad("log-topics", changed(TOPIC, "clusterArn", "other", ENTRIES), "no brokers of ours"),
    Bad("log-topics", changed(TOPIC, "partitionCount", 24, ENTRIES), "24 partitions and not 12"),
    Bad("log-topics", changed(TOPIC, "replicationFactor", 1, ENTRIES), "1 copies of 3"),
    Bad("log-topics", changed(TOPIC, "configs", '{"retention.ms":"1000"}', ENTRIES), "settings"),
    Bad("log-topics", changed(TOPIC, "configs", REMOVED, ENTRIES), "settings"),
    Bad("brokers-serverless", added(SERVERLESS, {"vpcConfigs": []}), "by IAM"),
    Bad("brokers-serverless", added(SERVERLESS, {}), "no VPC"),
    Bad("brokers-serverless", added(SERVERLESS, {"vpcConfigs": [{"subnetIds": ["subnet-1"]}]}), "not ours"),
    Bad("brokers-serverless", added(SERVERLESS, {"vpcConfigs": [{"subnetIds": []}]}), "security group"),
]  # fmt: skip


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)


def test_a_good_serverless_cluster_passes() -> None:
    """Where the provisioned one stands, and by IAM."""
    view = view_of("prod")
    nodes = one(view.graph, BROKERS).inputs[NODES]
    place = {"subnetIds": nodes["clientSubnets"], "securityGroupIds": nodes["securityGroups"]}
    good = {"clientAuthentication": {"sasl": {"iam": {"enabled": True}}}, "vpcConfigs": [place]}
    assert says("brokers-serverless", View(added(SERVERLESS, good)(view.graph), like=view)) == set()
