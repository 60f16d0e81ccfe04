"""What tells how the platform is: metrics, traces, dashboards, audit logs, and alarms that lead to a runbook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, assert_never

import pulumi
import pulumi_aws as aws
from pulumi_aws.amp.query_logging_configuration import QueryLoggingConfiguration
from pulumi_aws.amp.workspace import Workspace as MetricsWorkspace
from pulumi_aws.amp.workspace_configuration import WorkspaceConfiguration
from pulumi_aws.cloudwatch.composite_alarm import CompositeAlarm
from pulumi_aws.cloudwatch.dashboard import Dashboard
from pulumi_aws.cloudwatch.metric_alarm import MetricAlarm
from pulumi_aws.grafana.workspace import Workspace as GrafanaWorkspace
from pulumi_aws.xray.group import Group
from pulumi_aws.xray.sampling_rule import SamplingRule

from nottermost_platform.components.security import (
    EncryptionKey,
    EncryptionKeyArgs,
    ServiceRole,
    ServiceRoleArgs,
    add_log_group,
)
from nottermost_platform.policy import Statement, canonical_json, trust
from nottermost_platform.program import Component, Stack

RUNBOOKS: Final = "https://github.com/nottermost/nottermost/blob/main/runbooks/alerts"
COMPARISONS: Final = {
    ">": "GreaterThanThreshold",
    ">=": "GreaterThanOrEqualToThreshold",
    "<": "LessThanThreshold",
    "<=": "LessThanOrEqualToThreshold",
}
QUERY_SAMPLES_LOGGED: Final = 10_000_000  # a query that reads more samples than that is worth a line


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One metric of CloudWatch. `statistic`: Sum, Average, Minimum, Maximum, SampleCount, or a percentile as p99."""

    namespace: str
    metric: str
    dimensions: Mapping[str, pulumi.Input[str]]
    statistic: str = "Average"


@dataclass(frozen=True, slots=True)
class Formula:
    """Metric math over series by their names in it."""

    expression: str
    series: Mapping[str, Series]


@dataclass(frozen=True, slots=True)
class Query:
    """A Metrics Insights query that gives one series: for metrics of each broker or operation, however many."""

    sql: pulumi.Input[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What is wrong, as a number compared.

    Attributes:
        summary: one sentence on what it means, the beginning of the alarm's description.
        periods, period_s: it must hold for so many periods in a row, each so long.
        missing: how no data is judged.
        runbook: its file under runbooks/alerts/, without ending; the alarm's name where empty.
    """

    summary: str
    measure: Series | Formula | Query
    threshold: float
    comparison: Literal[">", ">=", "<", "<="] = ">"
    period_s: int = 60
    periods: int = 5
    missing: Literal["breaching", "ignore", "missing", "notBreaching"] = "notBreaching"
    runbook: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmArgs:
    """An alarm.

    Attributes:
        actions: ARNs that are told when it begins and when it ends; at least one.
        starts: ARNs of what begins with it and ends by itself, as a scaling policy.
    """

    condition: Condition
    actions: Sequence[pulumi.Input[str]]
    starts: Sequence[pulumi.Input[str]] = ()


class Alarm(Component):
    """A CloudWatch alarm that somebody hears of and that says what to do."""

    KIND = "observability:Alarm"

    def __init__(self, stack: Stack[Any], name: str, args: AlarmArgs, *, parent: Component | None = None) -> None:
        super().__init__(stack, name, parent=parent)
        if not args.actions:
            raise ValueError(f"alarm {name} tells nobody; give it actions")
        condition = args.condition
        self.alarm = self.add(
            MetricAlarm, "", alarm_description=describe(condition.summary, condition.runbook or name),
            actions_enabled=True, alarm_actions=[*args.actions, *args.starts], ok_actions=args.actions,
            comparison_operator=COMPARISONS[condition.comparison], threshold=condition.threshold,
            evaluation_periods=condition.periods, datapoints_to_alarm=condition.periods,
            treat_missing_data=condition.missing, **_measured(condition),
        )  # fmt: skip
        self.arn: pulumi.Output[str] = self.alarm.arn
        self.name: pulumi.Output[str] = self.alarm.name
        self.register_outputs({"arn": self.arn})


def describe(summary: str, runbook: str) -> str:
    """The description of an alarm: what it means, and where it says what to do."""
    return f"{summary} {RUNBOOKS}/{runbook}.md"


def _measured(condition: Condition) -> dict[str, Any]:
    """The arguments of an alarm that say what is measured."""
    match condition.measure:
        case Series(namespace=namespace, metric=metric, dimensions=dimensions, statistic=statistic):
            found = {
                "namespace": namespace,
                "metric_name": metric,
                "dimensions": dimensions,
                "period": condition.period_s,
            }
            if statistic.startswith("p"):  # with few requests a percentile is one slow request: not judged
                return {**found, "extended_statistic": statistic, "evaluate_low_sample_count_percentiles": "ignore"}
            return {**found, "statistic": statistic}
        case Formula(expression=expression, series=parts):
            result = aws.cloudwatch.MetricAlarmMetricQueryArgs(id="result", expression=expression, return_data=True)
            return {"metric_queries": [result, *(_part(id_, each, condition) for id_, each in sorted(parts.items()))]}
        case Query(sql=sql):
            query = aws.cloudwatch.MetricAlarmMetricQueryArgs(
                id="result", expression=sql, period=condition.period_s, return_data=True
            )
            return {"metric_queries": [query]}
        case unknown:
            assert_never(unknown)


def _part(id_: str, series: Series, condition: Condition) -> aws.cloudwatch.MetricAlarmMetricQueryArgs:
    metric = aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
        namespace=series.namespace, metric_name=series.metric, dimensions=series.dimensions,
        stat=series.statistic, period=condition.period_s,
    )  # fmt: skip
    return aws.cloudwatch.MetricAlarmMetricQueryArgs(id=id_, metric=metric, return_data=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOfArgs:
    """One alarm over several. `alarms`: their names."""

    summary: str
    alarms: Sequence[pulumi.Input[str]]
    actions: Sequence[pulumi.Input[str]]


class AnyOf(Component):
    """A composite alarm: raised when any of its alarms is, so that one trouble is one page."""

    KIND = "observability:AnyOf"

    def __init__(self, stack: Stack[Any], name: str, args: AnyOfArgs, *, parent: Component | None = None) -> None:
        super().__init__(stack, name, parent=parent)
        rule = pulumi.Output.all(*args.alarms).apply(lambda names: " OR ".join(f'ALARM("{each}")' for each in names))
        self.alarm = self.add(
            CompositeAlarm, "", alarm_rule=rule, alarm_description=describe(args.summary, name),
            actions_enabled=True, alarm_actions=args.actions, ok_actions=args.actions,
        )  # fmt: skip
        self.register_outputs({"arn": self.alarm.arn})


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardArgs:
    """A dashboard: one graph a condition, with its threshold as a line."""

    conditions: Mapping[str, Condition]


class Board(Component):
    """A CloudWatch dashboard of what the alarms watch, for when Grafana itself is in doubt."""

    KIND = "observability:Board"

    def __init__(self, stack: Stack[Any], name: str, args: BoardArgs) -> None:
        super().__init__(stack, name)
        region = stack.place.region
        widgets = [draw(place, title, each, region) for place, (title, each) in enumerate(args.conditions.items())]
        body: pulumi.Output[dict[str, Any]] = pulumi.Output.from_input({"widgets": widgets})
        self.add(Dashboard, "", dashboard_body=body.apply(canonical_json))
        self.register_outputs({})


def draw(place: int, title: str, condition: Condition, region: str) -> dict[str, Any]:
    """A widget of a dashboard, three in a row of 24 columns."""
    lines: list[Any]
    match condition.measure:
        case Series() as series:
            lines = [_line(series, {"period": condition.period_s})]
        case Formula(expression=expression, series=parts):
            lines = [[{"id": "result", "expression": expression, "label": title}]]
            hidden = {"period": condition.period_s, "visible": False}
            lines += [_line(each, {**hidden, "id": id_}) for id_, each in sorted(parts.items())]
        case Query(sql=sql):
            lines = [[{"id": "result", "expression": sql, "label": title, "period": condition.period_s}]]
        case unknown:
            assert_never(unknown)
    return {
        "type": "metric", "x": place % 3 * 8, "y": place // 3 * 6, "width": 8, "height": 6,
        "properties": {
            "title": title, "region": region, "view": "timeSeries", "metrics": lines,
            "annotations": {"horizontal": [{"label": "alarm", "value": condition.threshold}]},
        },
    }  # fmt: skip


def _line(series: Series, options: Mapping[str, Any]) -> list[Any]:
    flat = [part for pair in series.dimensions.items() for part in pair]
    return [series.namespace, series.metric, *flat, {"stat": series.statistic, **options}]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLogArgs:
    """A log of who did what with the chat and the platform. `days`: how long it stays."""

    days: int
    key_arn: pulumi.Input[str]


class AuditLog(Component):
    """Administrators' acts, promotions, broken glass: written by the chat and the pipeline, kept when the stack goes."""

    KIND = "observability:AuditLog"

    def __init__(self, stack: Stack[Any], name: str, args: AuditLogArgs) -> None:
        super().__init__(stack, name, data_class="restricted", protect=stack.place.is_prod or None)
        path = f"/nottermost/{stack.place.env}/audit"
        group = add_log_group(self, "log", days=args.days, key_arn=args.key_arn, path=path, keep=True)
        self.name: pulumi.Output[str] = group.name
        self.register_outputs({"name": self.name})


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsArgs:
    """A Prometheus workspace.

    Attributes:
        retention_days: of samples, at most 1095.
        series_max: active series of this environment (external label `env`); more are refused, not billed.
        log_days, log_key_arn: how long its logs stay, and the key that encrypts them.
    """

    retention_days: int
    series_max: int
    log_days: int
    log_key_arn: pulumi.Input[str]


class Metrics(Component):
    """A workspace of Amazon Managed Prometheus, with a key, limits, and logs of refused samples and dear queries."""

    KIND = "observability:Metrics"

    def __init__(self, stack: Stack[Any], name: str, args: MetricsArgs) -> None:
        super().__init__(stack, name, protect=stack.place.is_prod or None)
        env = stack.place.env
        self.key = EncryptionKey(stack, name, EncryptionKeyArgs(description="Metrics and dashboards"), parent=self)
        # Vended logs: under this prefix AWS keeps the permission to write them by itself.
        path = f"/aws/vendedlogs/prometheus/{env}"
        group = add_log_group(self, "logs", days=args.log_days, key_arn=args.log_key_arn, path=path)
        streams = group.arn.apply(lambda arn: f"{arn}:*")
        self.workspace = self.add(
            MetricsWorkspace, "", kms_key_arn=self.key.arn,
            logging_configuration=aws.amp.WorkspaceLoggingConfigurationArgs(log_group_arn=streams),
        )  # fmt: skip
        limits = aws.amp.WorkspaceConfigurationLimitsPerLabelSetArgs(
            label_set={"env": env},
            limits=aws.amp.WorkspaceConfigurationLimitsPerLabelSetLimitsArgs(max_series=args.series_max),
        )
        self.add(
            WorkspaceConfiguration, "limits", workspace_id=self.workspace.id,
            retention_period_in_days=args.retention_days, limits_per_label_sets=[limits],
        )  # fmt: skip
        destination = aws.amp.QueryLoggingConfigurationDestinationArgs(
            cloudwatch_logs=aws.amp.QueryLoggingConfigurationDestinationCloudwatchLogsArgs(log_group_arn=streams),
            filters=aws.amp.QueryLoggingConfigurationDestinationFiltersArgs(qsp_threshold=QUERY_SAMPLES_LOGGED),
        )
        self.add(QueryLoggingConfiguration, "queries", workspace_id=self.workspace.id, destinations=[destination])
        self.arn: pulumi.Output[str] = self.workspace.arn
        self.write_url = self.workspace.prometheus_endpoint.apply(lambda url: f"{url.rstrip('/')}/api/v1/remote_write")
        self.register_outputs({"arn": self.arn})


@dataclass(frozen=True, slots=True, kw_only=True)
class GrafanaArgs:
    """A Grafana workspace. `version`: 9.4, 10.4, 12.4 or 13.2."""

    version: str
    metrics_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str]


class Grafana(Component):
    """A workspace of Amazon Managed Grafana that reads metrics, alarms, logs and traces of this account, and changes none."""

    KIND = "observability:Grafana"

    def __init__(self, stack: Stack[Any], name: str, args: GrafanaArgs) -> None:
        super().__init__(stack, name)
        account, region = stack.settings.account_id, stack.place.region
        metrics = Statement(
            actions=[
                "aps:DescribeWorkspace",
                "aps:GetLabels",
                "aps:GetMetricMetadata",
                "aps:GetSeries",
                "aps:QueryMetrics",
            ],
            resources=[args.metrics_arn],
        )
        everywhere = Statement(
            actions=[
                "aps:ListWorkspaces", "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "cloudwatch:ListMetrics",
                "logs:DescribeLogGroups", "logs:GetQueryResults", "logs:StopQuery", "tag:GetResources",
                "xray:BatchGetTraces", "xray:GetGroups", "xray:GetServiceGraph", "xray:GetTraceSummaries",
            ],
            resources=["*"],
        )  # fmt: skip
        logs = Statement(
            actions=["logs:GetLogGroupFields", "logs:StartQuery"],
            resources=[f"arn:aws:logs:{region}:{account}:log-group:/nottermost/{stack.place.env}/*"],
        )
        source = f"arn:aws:grafana:{region}:{account}:/workspaces/*"
        role = ServiceRole(
            stack, f"{name}-reader", parent=self,
            args=ServiceRoleArgs(
                description="Lets dashboards read metrics, alarms, logs and traces",
                trusted=[trust("grafana.amazonaws.com", account, source_arn=source)],
                allows={"read": [metrics, everywhere, logs]},
            ),
        )  # fmt: skip
        configuration = {"plugins": {"pluginAdminEnabled": False}, "unifiedAlerting": {"enabled": True}}
        self.workspace = self.add(
            GrafanaWorkspace, "", account_access_type="CURRENT_ACCOUNT", authentication_providers=["AWS_SSO"],
            permission_type="CUSTOMER_MANAGED", role_arn=role.arn, data_sources=["CLOUDWATCH", "PROMETHEUS", "XRAY"],
            grafana_version=args.version, configuration=canonical_json(configuration), kms_key_id=args.key_arn,
            description=f"Nottermost {stack.place.env}",
        )  # fmt: skip
        self.endpoint: pulumi.Output[str] = self.workspace.endpoint
        self.register_outputs({"endpoint": self.endpoint})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Which share of requests is traced: so many a second, and a ratio of the rest."""

    path: str
    a_second: int
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TracesArgs:
    """Traces. `rules`: by name, the first that matches decides."""

    rules: Mapping[str, Sampling] = field(default_factory=dict)


class Traces(Component):
    """X-Ray's sampling rules, and a group of this environment's traces (annotation `env`) with insights."""

    KIND = "observability:Traces"

    def __init__(self, stack: Stack[Any], name: str, args: TracesArgs) -> None:
        super().__init__(stack, name)
        env = stack.place.env
        for place, (rule, sampling) in enumerate(args.rules.items()):
            self.add(
                SamplingRule, rule, version=1, priority=100 + 10 * place, fixed_rate=sampling.ratio,
                reservoir_size=sampling.a_second, url_path=sampling.path, http_method="*", host="*",
                resource_arn="*", service_name=f"{env}-*", service_type="*",
            )  # fmt: skip
        self.add(
            Group, "", filter_expression=f'annotation.env = "{env}"',
            insights_configuration=aws.xray.GroupInsightsConfigurationArgs(insights_enabled=True, notifications_enabled=True),
        )  # fmt: skip
        self.register_outputs({})
