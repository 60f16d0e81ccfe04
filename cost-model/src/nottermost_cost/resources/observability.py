"""What watches: CloudWatch, Prometheus, Grafana, X-Ray."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from nottermost_cost.charges import Charge
from nottermost_cost.graph import Resource
from nottermost_cost.resources.rules import (
    MONTH,
    Inputs,
    Rule,
    Surroundings,
    carried,
    free,
    priced,
    read_inputs,
    unpriced,
    usage,
)

STANDARD_PERIOD_S: Final = 60  # an alarm on a shorter period is of high resolution
BAND_METRICS: Final = 2  # an alarm on an anomaly is billed for the metric and the two edges of its band


class _Metric(Inputs, frozen=True):
    period: int = STANDARD_PERIOD_S


class _Query(Inputs, frozen=True):
    metric: _Metric | None = None
    period: int = STANDARD_PERIOD_S


class _Alarm(Inputs, frozen=True):
    period: int = STANDARD_PERIOD_S
    metric_queries: tuple[_Query, ...] = ()
    threshold_metric_id: Any = None


def _price_alarm(alarm: Resource, around: Surroundings) -> Iterable[Charge]:
    """By metric. A query over many metrics is billed for each that it reads; the graph does not say how many."""
    inputs = read_inputs(alarm, _Alarm)
    read = [query.metric for query in inputs.metric_queries if query.metric]
    metrics = max(1, len(read)) + (BAND_METRICS if inputs.threshold_metric_id else 0)
    periods = (inputs.period, *(each.period for each in read), *(each.period for each in inputs.metric_queries))
    key = "cw.alarm.high" if min(periods) < STANDARD_PERIOD_S else "cw.alarm.standard"
    driver = "metrics it reads" if read or not inputs.metric_queries else "metrics its query reads, at least one"
    yield around.charge(alarm, key, metrics, f"Alarm {alarm.name}", driver)


def _price_composite(alarm: Resource, around: Surroundings) -> Iterable[Charge]:
    yield around.charge(alarm, "cw.alarm.composite", MONTH, f"Composite alarm {alarm.name}", "one alarm")


def _price_dashboard(dashboard: Resource, around: Surroundings) -> Iterable[Charge]:
    yield around.charge(dashboard, "cw.dashboard", MONTH, f"Dashboard {dashboard.name}", "one dashboard")


_ROUTE_OF_LOGS: Final = free("part of a delivery of logs, which is charged by its bytes")

RULES: Final[Mapping[str, Rule]] = {
    "cloudwatch/metricAlarm": priced("metrics of the alarm", _price_alarm),
    "cloudwatch/compositeAlarm": priced("one composite alarm", _price_composite),
    "cloudwatch/dashboard": priced("one dashboard", _price_dashboard),
    "cloudwatch/logGroup": usage("GB ingested, GB stored, GB that queries scan"),
    "cloudwatch/logResourcePolicy": free("a permission"),
    "cloudwatch/logDelivery": carried("the bucket of access logs"),
    "cloudwatch/logDeliveryDestination": _ROUTE_OF_LOGS,
    "cloudwatch/logDeliverySource": _ROUTE_OF_LOGS,
    "cloudwatch/eventRule": free("events of AWS services on the default bus are free"),
    "cloudwatch/eventTarget": free("deliveries of events of AWS services are free within the account"),
    "amp/workspace": usage("samples ingested, GB stored, samples that queries read"),
    "amp/workspaceConfiguration": free("limits of the workspace"),
    "amp/queryLoggingConfiguration": carried("the log groups; it logs costly queries"),
    "grafana/workspace": usage("editors and viewers that sign in during the month"),
    "xray/group": unpriced("no price in the book: traces that insights analyse; traces themselves are usage"),
    "xray/samplingRule": free("decides which traces are recorded; those are usage"),
}
