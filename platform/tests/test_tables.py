"""The message store's tables: which region's refuse writes, what a failover changes, options, wrong settings."""

from typing import Any

import pytest

from nottermost_platform.rules import RULES, View
from nottermost_platform.rules.stores import SCALING, TARGET
from nottermost_platform.rules.tables import DAX, REPLICA, TABLE, is_fenced
from nottermost_platform.settings import Place, SettingsError, load
from nottermost_platform.stacks.data import LAYERS, Settings
from nottermost_platform.testing import ENVIRONMENTS, find, graph_of, one, removed, says, view_of, what_if

GIVEN = {"account_id": "111122223333", "domain": "dev.example.com"}
RULES_OF_TABLES = [each for each in RULES if each.startswith(("table-", "dax-"))]


def fenced(view: View) -> set[tuple[str, str]]:
    """Region and name of tables and replicas that refuse writes by everybody but replication."""
    return {(each.region, each.name) for each in view.of(TABLE, REPLICA) if is_fenced(each, view)}


@pytest.mark.parametrize(("home", "other"), [("us-east-1", "eu-west-1"), ("eu-west-1", "us-east-1")])
def test_a_failover_moves_the_fence(home: str, other: str) -> None:
    """One setting, `home_region`, fences the old home and opens the new one; what is kept is kept as before."""
    view = view_of("prod") if home == "us-east-1" else View(what_if("prod", "data", home_region=home))
    assert fenced(view) == {(other, "messages-log"), (other, "messages-texts")}
    assert [each for rule in RULES_OF_TABLES for each in says(rule, view)] == []


def test_document_ds_writes_are_there_at_once() -> None:
    """8,000 writes a second without a ramp in production; elsewhere what DynamoDB begins with."""
    for table in find(graph_of("prod"), TABLE):
        assert table.inputs["warmThroughput"]["writeUnitsPerSecond"] == 8_000
    assert not any("warmThroughput" in each.inputs for each in find(graph_of("dev"), TABLE))


def test_options_pass_the_rules_too() -> None:
    """Provisioned capacity that follows the load both ways, and DAX, which has a port for clients alone."""
    capacity = {"writes_min": 100, "reads_min": 1_000}
    graph = what_if("staging", "data", tables={"capacity": capacity}, dax={"node_type": "dax.r5.large", "nodes": 3})
    view = View(graph)
    assert {each.inputs["billingMode"] for each in view.of(TABLE)} == {"PROVISIONED"}
    assert [each for rule in RULES_OF_TABLES for each in says(rule, view)] == []
    for type_ in (TARGET, SCALING):
        less = View(removed(type_, "messages-log-reads")(graph), like=view)
        assert [each.message.partition(" at ")[0] for each in says("table-capacity", less)] == [
            "has no autoscaling of what it can read"
        ]
    writes = one(graph, TARGET, "messages-log-writes").inputs
    assert (writes["minCapacity"], writes["maxCapacity"]) == (100, 8_000)
    policy = one(graph, SCALING, "messages-log-writes").inputs["targetTrackingScalingPolicyConfiguration"]
    assert policy["targetValue"] == 70
    assert len(one(graph, DAX).inputs["clusterName"]) <= 20
    door = one(graph, "vpc/securityGroupIngressRule:SecurityGroupIngressRule", "stores-dax-in-clients").inputs
    assert (door["fromPort"], door["toPort"]) == (9111, 9111)


def test_dax_is_off() -> None:
    """Everywhere: what it has cached breaks "a strong read sees own writes"; in production it is not small either."""
    for env in ENVIRONMENTS:
        assert not find(graph_of(env), DAX)
    small = {**GIVEN, "dax": {"nodes": 1}}
    with pytest.raises(SettingsError, match=r"dax\.nodes: in production from 3 to 11"):
        load(Settings, LAYERS, Place(env="prod", region="us-east-1"), small, source="Pulumi.yaml")


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
