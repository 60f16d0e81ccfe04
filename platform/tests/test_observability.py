"""The observability stack: alarms that somebody hears of, metrics, traces, dashboards."""

import json
from typing import Any

import pytest

from nottermost_conventions.tables import TABLES
from nottermost_platform.capture import Captured, capture
from nottermost_platform.components.conditions import Limits, queue_conditions
from nottermost_platform.components.observability import Condition, Formula, Query, Series, draw
from nottermost_platform.settings import Place
from nottermost_platform.stacks import async_

PRIMARY = Place(env="prod", region="us-east-1")
STANDBY = Place(env="prod", region="eu-west-1")
PR = Place(env="pr-0", region="us-east-1")
QUEUES = [f"{queue}-dead" for queue in async_.HANDLERS_S]
UPSTREAM: dict[str, dict[str, Any]] = {
    "network": {"log_key_arn": "arn:aws:kms:us-east-1:333344445555:key/logs"},
    "data": {
        "broker_cluster_name": "the-log", "database_identifier": "the-database", "search_domain_name": "the-index",
        "table_arns": [f"arn:aws:dynamodb:us-east-1:333344445555:table/the-{table.name}" for table in TABLES],
    },
    "async": {"alarms_topic_arn": "arn:aws:sns:us-east-1:333344445555:alarms", "dead_letter_names": QUEUES},
    "edge": {"distribution_id": "E1", "load_balancer_arn_suffix": "app/main/1"},
}  # fmt: skip
Inputs = dict[str, Any]


def captured(place: Place, *, unknown: bool = False) -> Captured:
    upstream = {f"organization/nottermost-{stack}/{place.stack}": outputs for stack, outputs in UPSTREAM.items()}
    return capture("observability", place, upstream, unknown=unknown)


def inputs(found: Captured, kind: str) -> dict[str, Inputs]:
    """Inputs of the resources whose type ends so, by their names."""
    return {node.name: node.inputs for node in found.nodes.values() if node.custom and node.type.endswith(kind)}


@pytest.fixture(scope="module")
def prod() -> Captured:
    return captured(PRIMARY)


@pytest.mark.parametrize("place", [PRIMARY, STANDBY, PR], ids=lambda place: place.stack)
def test_a_first_preview_declares_the_same(place: Place) -> None:
    """Nothing is made inside `apply`, however many queues and tables there are."""
    assert set(captured(place, unknown=True).nodes) == set(captured(place).nodes)


def test_an_alarm_judges_one_thing(prod: Captured) -> None:
    """Either a metric or queries of which exactly one is judged, as CloudWatch takes it."""
    for name, alarm in inputs(prod, ":MetricAlarm").items():
        if queries := alarm.get("metricQueries"):
            assert [query["id"] for query in queries if query["returnData"]] == ["result"], name
            assert not {"metricName", "namespace", "period", "statistic"} & set(alarm), name
            assert all(("metric" in query) != ("expression" in query) for query in queries), name
        else:
            assert {"metricName", "namespace", "period", "dimensions"} <= set(alarm), name
            assert ("statistic" in alarm) != ("extendedStatistic" in alarm), name


def test_the_dashboard_shows_what_alarms_watch(prod: Captured) -> None:
    """A graph an alarm, with its threshold."""
    (board,) = inputs(prod, ":Dashboard").values()
    widgets = json.loads(board["dashboardBody"])["widgets"]
    assert {widget["properties"]["title"] for widget in widgets} == set(inputs(prod, ":MetricAlarm"))
    assert len({(widget["x"], widget["y"]) for widget in widgets}) == len(widgets)


@pytest.mark.parametrize(
    ("measure", "lines"),
    [
        (Series(namespace="N", metric="M", dimensions={"D": "d"}, statistic="p99"), [["N", "M", "D", "d"]]),
        (Query("SELECT 1"), [[]]),
        (Formula("a + 1", {"a": Series(namespace="N", metric="M", dimensions={})}), [[], ["N", "M"]]),
    ],
)
def test_each_kind_of_measure_is_drawn(measure: Series | Formula | Query, lines: list[list[str]]) -> None:
    """Lines as CloudWatch takes them: the metric and its dimensions, or an expression; then options."""
    drawn = draw(4, "title", Condition(summary="", measure=measure, threshold=1), "us-east-1")
    assert [line[:-1] for line in drawn["properties"]["metrics"]] == lines
    assert (drawn["x"], drawn["y"]) == (8, 6)


def test_metrics_are_bounded(prod: Captured) -> None:
    """The limit on series is of this environment's, and writers get the whole address."""
    (limits,) = inputs(prod, ":WorkspaceConfiguration").values()
    assert limits["limitsPerLabelSets"][0]["labelSet"] == {"env": "prod"}
    assert str(prod.outputs["metrics_write_url"]).endswith("/api/v1/remote_write")


def test_traces_are_sampled_of_this_environment_only(prod: Captured) -> None:
    """Other environments of the account keep their own share."""
    rules = inputs(prod, ":SamplingRule")
    assert {rule["serviceName"] for rule in rules.values()} == {"prod-*"}
    assert rules["traces-health"]["fixedRate"] == 0
    assert len({rule["priority"] for rule in rules.values()}) == len(rules)


def test_a_temporary_environment_is_cheap() -> None:
    """No Grafana, short retention, and the output is there all the same."""
    found = captured(PR)
    assert found.outputs["grafana_endpoint"] == ""
    assert {group["retentionInDays"] for group in inputs(found, ":LogGroup").values()} == {7, 30}


def test_limits_come_from_settings() -> None:
    """What is told of follows the limit."""
    (condition,) = queue_conditions({"push": "q"}, Limits(dead_letters=7)).values()
    assert condition.threshold == 7
