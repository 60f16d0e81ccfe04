"""Rules of Kafka (MSK): controls 33 to 36, and that the topics are those of the chat."""

from datetime import timedelta
from typing import Final

from nottermost_conventions.topics import LOG_RETENTION, TOPICS
from nottermost_platform.components.brokers import COPIES, IN_SYNC, PROPERTIES
from nottermost_platform.graph import Resource
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.stores import LOG_GROUP, TARGET, are_ours, has_key, lacks_ground, scales
from nottermost_platform.rules.view import View, get, items, number, parse

BROKERS: Final = "msk/cluster:Cluster"
SERVERLESS: Final = "msk/serverlessCluster:ServerlessCluster"
TOPIC: Final = "msk/topic:Topic"
CONFIGURATION: Final = "msk/configuration:Configuration"
DECLARED: Final = {topic.name: topic for topic in TOPICS}
MONITORING: Final = ("PER_BROKER", "PER_TOPIC_PER_BROKER", "PER_TOPIC_PER_PARTITION")
RETENTION: Final = "offsets.retention.minutes"


@rule(
    "brokers-encrypted", 33, Severity.MEDIUM, BROKERS,
    title="Brokers speak TLS alone, to clients and to each other, and keep records under a key of ours",
    fsbp="MSK.1", checkov="81", nag="MSK2 MSK3", fix="encryption_info: client_broker='TLS', in_cluster, a key",
)  # fmt: skip
def brokers_encrypted(cluster: Resource, view: View) -> Lacks:
    transit = "encryptionInfo.encryptionInTransit"
    if get(cluster, f"{transit}.clientBroker") != "TLS":
        yield f"speaks {get(cluster, f'{transit}.clientBroker')} to clients"
    if get(cluster, f"{transit}.inCluster") is not True:
        yield "sends records unencrypted from broker to broker"
    if not has_key(cluster, view, "encryptionInfo.encryptionAtRestKmsKeyArn"):
        yield "is not encrypted with a key of ours"


@rule(
    "brokers-private", 33, Severity.CRITICAL, BROKERS,
    title="Brokers have no public address and stand in data subnets, behind groups of ours",
    fsbp="MSK.4", checkov="291",
    fix="broker_node_group_info: public_access 'DISABLED', data subnets, security groups",
)  # fmt: skip
def brokers_private(cluster: Resource, view: View) -> Lacks:
    nodes = "brokerNodeGroupInfo"
    if get(cluster, f"{nodes}.connectivityInfo.publicAccess.type") != "DISABLED":
        yield "has public addresses"
    if get(cluster, f"{nodes}.connectivityInfo.vpcConnectivity"):
        yield "lets other VPCs connect"
    yield from lacks_ground(cluster, view, f"{nodes}.clientSubnets", f"{nodes}.securityGroups")


@rule(
    "brokers-authenticate", 34, Severity.MEDIUM, BROKERS,
    title="Brokers let in who signs in by IAM, and nobody else",
    fsbp="MSK.6", fix="client_authentication: unauthenticated=False, sasl iam=True, no passwords",
)  # fmt: skip
def brokers_authenticate(cluster: Resource, _view: View) -> Lacks:
    if get(cluster, "clientAuthentication.unauthenticated") is not False:
        yield "lets in whom it does not know"
    if get(cluster, "clientAuthentication.sasl.iam") is not True:
        yield "lets nobody sign in by IAM"
    if get(cluster, "clientAuthentication.sasl.scram") is True:
        yield "lets clients in by password"


@rule(
    "brokers-watched", 35, Severity.LOW, BROKERS,
    title="Brokers log into a group of ours, and tell what each of them and its machine does",
    fsbp="MSK.2", checkov="80", nag="MSK6",
    fix="logging_info to a log group, enhanced_monitoring of PER_BROKER or more, open_monitoring's exporters",
)  # fmt: skip
def brokers_watched(cluster: Resource, view: View) -> Lacks:
    logs = "loggingInfo.brokerLogs.cloudwatchLogs"
    if get(cluster, f"{logs}.enabled") is not True or not are_ours(cluster, view, f"{logs}.logGroup", LOG_GROUP):
        yield "does not log into a log group of ours"
    if get(cluster, "enhancedMonitoring") not in MONITORING:
        yield f"measures {get(cluster, 'enhancedMonitoring', 'DEFAULT')}, which does not tell brokers apart"
    for each in ("jmxExporter", "nodeExporter"):
        if get(cluster, f"openMonitoring.prometheus.{each}.enabledInBroker") is not True:
            yield f"has no {each} for Prometheus"


@rule(
    "brokers-durable", 35, Severity.HIGH, BROKERS,
    title="Three brokers or more, as many in each zone; a record has three copies, two of them before it is confirmed",
    fix="brokers.nodes in the settings of data; PROPERTIES in components/brokers.py",
)  # fmt: skip
def brokers_durable(cluster: Resource, view: View) -> Lacks:
    nodes, zones = number(cluster, "numberOfBrokerNodes"), len(items(cluster, "brokerNodeGroupInfo.clientSubnets"))
    if nodes < COPIES or not zones or nodes % zones:
        yield f"has {nodes:.0f} brokers in {zones} zones"
    found = view.targets(cluster, "configurationInfo.arn", CONFIGURATION)
    if not found:
        yield "has the configuration that AWS gives it, which makes topics when asked for them"
    for each in found:
        told = dict(line.split("=", 1) for line in str(get(each, "serverProperties")).splitlines() if "=" in line)
        for name in (name for name in PROPERTIES if name != RETENTION):
            if told.get(name) != PROPERTIES[name]:
                yield f"has {name}={told.get(name)} and not {PROPERTIES[name]}"
        kept = int(told[RETENTION]) if told.get(RETENTION, "").isdecimal() else 0
        if kept < LOG_RETENTION // timedelta(minutes=1):
            yield f"forgets where consumers are after {kept} minutes, and keeps records for {LOG_RETENTION.days} days"


@rule(
    "brokers-grow", 35, Severity.MEDIUM, BROKERS,
    title="Brokers' disks grow before they are full",
    fix="a Target and a Policy of kafka:broker-storage:VolumeSize",
)  # fmt: skip
def brokers_grow(cluster: Resource, view: View) -> Lacks:
    dimension = "kafka:broker-storage:VolumeSize"
    places = [get(each, "resourceId") for each in view.users(cluster, TARGET)]
    if not any(scales(cluster, view, place, dimension) for place in places):
        yield "has disks that do not grow"


@rule(
    "log-topics", 0, Severity.HIGH, BROKERS, TOPIC,
    title="The topics are those that the chat declares: names, partitions, how long records stay, three copies",
    fix="change nottermost_conventions.topics, from which both the chat and the platform take them",
)  # fmt: skip
def log_topics(resource: Resource, view: View) -> Lacks:
    if resource.type == f"aws:{BROKERS}":
        found = {str(get(each, "name")) for each in view.users_at(resource, TOPIC, "clusterArn")}
        for missing in sorted(DECLARED.keys() - found):
            yield f"has no topic {missing}, which the chat declares"
        return
    if not view.targets(resource, "clusterArn", BROKERS):
        yield "is on no brokers of ours"
    declared = DECLARED.get(str(get(resource, "name")))
    if declared is None:
        yield "is no topic that the chat declares"
        return
    if number(resource, "partitionCount") != declared.partitions:
        yield f"has {number(resource, 'partitionCount'):.0f} partitions and not {declared.partitions}"
    if number(resource, "replicationFactor") != COPIES:
        yield f"keeps {number(resource, 'replicationFactor'):.0f} copies of {COPIES}"
    settings = parse(get(resource, "configs")) or {}
    wanted = {
        "retention.ms": str(declared.retention // timedelta(milliseconds=1)),
        "min.insync.replicas": str(IN_SYNC),
    }
    if settings != wanted:
        yield f"has the settings {settings} and not {wanted}"


@rule(
    "brokers-serverless", 36, Severity.HIGH, SERVERLESS,
    title="Serverless brokers let in who signs in by IAM, in data subnets behind groups of ours",
    fix="client_authentication sasl iam enabled; vpc_configs with the network's data subnets and groups",
)  # fmt: skip
def brokers_serverless(cluster: Resource, view: View) -> Lacks:
    if get(cluster, "clientAuthentication.sasl.iam.enabled") is not True:
        yield "lets nobody sign in by IAM"
    places = items(cluster, "vpcConfigs")
    if not places:
        yield "stands in no VPC of ours"
    for place in range(len(places)):
        yield from lacks_ground(cluster, view, f"vpcConfigs.{place}.subnetIds", f"vpcConfigs.{place}.securityGroupIds")
