"""The message store's tables: exactly those of the conventions, replicated, and fenced where they must not be written."""

import json
from typing import Any

import pytest

from nottermost_conventions.tables import TABLES
from nottermost_conventions.topics import TOPICS
from nottermost_platform.graph import Graph
from nottermost_platform.settings import Place, SettingsError, load
from nottermost_platform.stacks.data import LAYERS, Settings
from nottermost_platform.testing import find, graph_of, one, statements, what_if

GIVEN = {"account_id": "111122223333", "domain": "dev.example.com"}
TABLE, COPY, FENCE = (
    "dynamodb/table:Table",
    "dynamodb/tableReplica:TableReplica",
    "dynamodb/resourcePolicy:ResourcePolicy",
)


@pytest.mark.parametrize("env", ["dev", "staging", "prod", "pr-0"])
def test_tables_are_those_of_the_conventions(env: str) -> None:
    """Same names, same keys with their types, same expiry; no index, since every read is answered by a key."""
    found = {each.name: each.inputs for each in find(graph_of(env), TABLE)}
    assert set(found) == {f"messages-{table.name}" for table in TABLES}
    for table in TABLES:
        given = found[f"messages-{table.name}"]
        assert (given["hashKey"], given["rangeKey"]) == (table.partition.name, table.sort.name)
        assert {each["name"]: each["type"] for each in given["attributes"]} == {
            table.partition.name: table.partition.type,
            table.sort.name: table.sort.type,
        }
        assert given.get("ttl", {}).get("attributeName", "") == table.expires
        assert not {"globalSecondaryIndexes", "localSecondaryIndexes"} & set(given)


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_topics_are_those_of_the_conventions(region: str) -> None:
    """Same names, partitions and retention; three copies of which two confirm."""
    found = {each.inputs["name"]: each.inputs for each in find(graph_of("prod"), "msk/topic:Topic", region=region)}
    assert set(found) == {topic.name for topic in TOPICS}
    for topic in TOPICS:
        given = found[topic.name]
        assert (given["partitionCount"], given["replicationFactor"]) == (topic.partitions, 3)
        settings = json.loads(given["configs"])
        assert settings == {
            "retention.ms": str(topic.retention // topic.retention.resolution // 1000),
            "min.insync.replicas": "2",
        }


def writes_refused(graph: Graph, region: str) -> set[str]:
    """Tables of a region that refuse writes by everybody but replication."""
    refused = set()
    for fence in find(graph, FENCE, region=region):
        (statement,) = statements(fence.inputs["policy"])
        assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
        assert {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"} <= set(
            statement["Action"]
        )
        allowed = statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"]
        assert allowed.endswith(":role/aws-service-role/replication.dynamodb.amazonaws.com/*")
        refused.add(fence.name)
    return refused


def test_the_standby_holds_replicas_that_refuse_writes() -> None:
    """It owns a replica of each table; the primary ignores them, streams for them, and is open."""
    graph = graph_of("prod")
    copies = find(graph, COPY, region="eu-west-1")
    assert [each.name for each in copies] == ["messages-log", "messages-texts"]
    for copy, table in zip(copies, find(graph, TABLE), strict=True):
        assert copy.inputs["globalTableArn"].endswith(table.inputs["name"])
        assert "replicas" in table.options.ignore_changes
        assert table.inputs["streamViewType"] == "NEW_AND_OLD_IMAGES"
    assert writes_refused(graph, "eu-west-1") == {"messages-log-fence", "messages-texts-fence"}
    assert writes_refused(graph, "us-east-1") == set()


def test_a_failover_moves_the_fence() -> None:
    """One setting, `home_region`, fences the old home and opens the new one; never are both open."""
    graph = what_if("prod", "data", home_region="eu-west-1")
    assert writes_refused(graph, "us-east-1") == {"messages-log-fence", "messages-texts-fence"}
    assert writes_refused(graph, "eu-west-1") == set()
    tagged = {each.tags.get("backup") for each in find(graph, COPY, region="eu-west-1")}
    assert tagged == {"prod-daily"}


def test_document_ds_writes_are_there_at_once() -> None:
    """8,000 writes a second without a ramp in production; elsewhere what DynamoDB begins with."""
    for table in find(graph_of("prod"), TABLE):
        assert table.inputs["warmThroughput"]["writeUnitsPerSecond"] == 8_000
    assert not any("warmThroughput" in each.inputs for each in find(graph_of("dev"), TABLE))


def test_control_26_capacity_may_be_provisioned() -> None:
    """An option: then it is autoscaled both ways, and the program leaves it alone."""
    graph = what_if("staging", "data", tables={"capacity": {"writes_min": 100, "reads_min": 1_000}})
    for table in find(graph, TABLE):
        assert table.inputs["billingMode"] == "PROVISIONED"
        assert {"readCapacity", "writeCapacity"} <= set(table.options.ignore_changes)
    targets = {
        each.name: each.inputs for each in find(graph, "appautoscaling/target:Target") if "messages" in each.name
    }
    assert set(targets) == {f"messages-{table.name}-{kind}" for table in TABLES for kind in ("writes", "reads")}
    assert targets["messages-log-writes"]["maxCapacity"] == 8_000
    policies = [each for each in find(graph, "appautoscaling/policy:Policy") if "messages" in each.name]
    assert {each.inputs["targetTrackingScalingPolicyConfiguration"]["targetValue"] for each in policies} == {70}
    assert len(policies) == len(targets)


def test_control_27_dax_is_off_and_safe_when_on() -> None:
    """Off everywhere; as an option it is encrypted both ways, in three zones, and has a port for clients alone."""
    for env in ("dev", "staging", "prod", "pr-0"):
        assert not find(graph_of(env), "dax/cluster:Cluster")
    graph = what_if("staging", "data", dax={"node_type": "dax.r5.large", "nodes": 3})
    cluster = one(graph, "dax/cluster:Cluster").inputs
    assert cluster["serverSideEncryption"]["enabled"]
    assert (cluster["clusterEndpointEncryptionType"], cluster["replicationFactor"]) == ("TLS", 3)
    assert len(cluster["clusterName"]) <= 20
    door = one(graph, "vpc/securityGroupIngressRule:SecurityGroupIngressRule", "stores-dax-in-clients").inputs
    assert (door["fromPort"], door["toPort"]) == (9111, 9111)
    with pytest.raises(SettingsError, match=r"dax\.nodes: in production from 3 to 11"):
        load(
            Settings,
            LAYERS,
            Place(env="prod", region="us-east-1"),
            {**GIVEN, "dax": {"nodes": 1}},
            source="Pulumi.yaml",
        )


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ({"warm_writes": 50_000}, "tables.warm_writes: .*less than or equal to 40000"),
        ({"capacity": {"writes_min": 1, "reads_min": 5}}, "tables.capacity.writes_min: .*greater than or equal to 2"),
        ({"billing": "x"}, "tables.billing: there is no such setting; there are capacity, warm_writes"),
    ],
)
def test_wrong_settings_are_refused(tables: dict[str, Any], told: str) -> None:
    """One sentence with the key and what is allowed."""
    with pytest.raises(SettingsError, match=told):
        load(Settings, LAYERS, Place(env="dev", region="us-east-1"), {**GIVEN, "tables": tables}, source="Pulumi.yaml")
