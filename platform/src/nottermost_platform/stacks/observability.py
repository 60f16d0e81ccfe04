"""What tells how the platform is, in a region: metrics, traces, dashboards, alarms."""

from dataclasses import dataclass
from typing import Final, Literal

import pulumi
from pydantic import Field, ValidationInfo, field_validator

from nottermost_conventions.tables import TABLES
from nottermost_platform.components.conditions import (
    Conditions,
    Limits,
    broker_conditions,
    cache_conditions,
    cdn_conditions,
    database_conditions,
    door_conditions,
    queue_conditions,
    search_conditions,
    standby_conditions,
    table_conditions,
)
from nottermost_platform.components.observability import (
    Alarm,
    AlarmArgs,
    AnyOf,
    AnyOfArgs,
    AuditLog,
    AuditLogArgs,
    Board,
    BoardArgs,
    Grafana,
    GrafanaArgs,
    Metrics,
    MetricsArgs,
    Sampling,
    Traces,
    TracesArgs,
)
from nottermost_platform.program import Requirement, Stack
from nottermost_platform.settings import Layers, StackSettings, regions_of
from nottermost_platform.stacks import async_ as async_stack
from nottermost_platform.stacks import data as data_stack
from nottermost_platform.stacks import edge as edge_stack
from nottermost_platform.stacks import network as network_stack

NAME: Final = "observability"
EACH_REGION: Final = True
REQUIRES: Final = {
    "network": Requirement(outputs=("log_key_arn",)),
    "data": Requirement(outputs=("database_identifier", "search_domain_name", "broker_cluster_name", "table_arns")),
    "async": Requirement(outputs=("dead_letter_names", "alarms_topic_arn")),
    "edge": Requirement(outputs=("load_balancer_arn_suffix", "distribution_id")),
}
YEAR: Final = 365
AFFECTING: Final = ("api-errors", "api-slow", "broker-offline", "table-log-throttled")  # what users notice at once


class Settings(StackSettings):
    """What may be chosen about observability.

    Attributes:
        metrics_days, series_max: how long samples stay; how many active series there may be.
        grafana: whether there is a workspace; off for temporary environments, of which an account holds few.
        trace_ratio: of requests that are traced; of sent messages five times that.
        limits: from where on somebody is told.
    """

    metrics_days: int = Field(default=30, ge=1, le=1095)
    series_max: int = Field(default=200_000, ge=1_000)
    log_days: Literal[7, 14, 30, 90, 365] = 30
    audit_days: Literal[30, 90, 365, 400, 731] = 90
    grafana: bool = True
    grafana_version: Literal["9.4", "10.4", "12.4", "13.2"] = "12.4"
    trace_ratio: float = Field(default=1.0, ge=0, le=1)
    limits: Limits = Limits()

    @field_validator("audit_days")
    @classmethod
    def _keeps_a_year(cls, value: int, info: ValidationInfo) -> int:
        if info.context and info.context["place"].is_prod and value < YEAR:
            raise ValueError(f"production keeps its audit log for {YEAR} days or more: 365, 400 or 731")
        return value


LAYERS: Final[Layers] = {
    "pr": {"metrics_days": 7, "series_max": 50_000, "log_days": 7, "audit_days": 30, "grafana": False},
    "staging": {"metrics_days": 90, "series_max": 1_000_000, "trace_ratio": 0.1},
    "prod": {
        "metrics_days": 400, "series_max": 5_000_000, "log_days": 365, "audit_days": 400, "trace_ratio": 0.01,
        # D's 150 ms to send is judged by the objectives, on sockets; the door also takes uploads and searches.
        "limits": {"answer_p99_s": 0.5, "dead_letters": 1_000, "database_connections": 2_000, "database_free_gib": 50,
                   "search_free_gib": 25},
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outputs:
    """What others take of observability. `grafana_endpoint` is empty where there is no workspace."""

    metrics_write_url: pulumi.Input[str]
    metrics_workspace_arn: pulumi.Input[str]
    grafana_endpoint: pulumi.Input[str]
    audit_log_group: pulumi.Input[str]


def build(stack: Stack[Settings]) -> Outputs:
    settings = stack.settings
    network = stack.require(network_stack.Outputs, "network")
    data, edge = stack.require(data_stack.Outputs, "data"), stack.require(edge_stack.Outputs, "edge")
    jobs = stack.require(async_stack.Outputs, "async")
    audit = AuditLog(stack, "audit", AuditLogArgs(days=settings.audit_days, key_arn=network.log_key_arn))
    metrics = Metrics(
        stack, "metrics",
        MetricsArgs(
            retention_days=settings.metrics_days, series_max=settings.series_max, log_days=settings.log_days,
            log_key_arn=network.log_key_arn,
        ),
    )  # fmt: skip
    grafana = None
    if settings.grafana:
        workspace = GrafanaArgs(version=settings.grafana_version, metrics_arn=metrics.arn, key_arn=metrics.key.arn)
        grafana = Grafana(stack, "dashboards", workspace)
    ratio = settings.trace_ratio
    rules = {
        "health": Sampling(path="/healthz", a_second=0, ratio=0),
        "send": Sampling(path="/api/messages/*", a_second=5, ratio=min(1, 5 * ratio)),
        "rest": Sampling(path="*", a_second=1, ratio=ratio),
    }
    Traces(stack, "traces", TracesArgs(rules=rules))
    told = [jobs.alarms_topic_arn]
    conditions = _watch(stack, data, edge, jobs)
    alarms = {name: Alarm(stack, name, AlarmArgs(condition=each, actions=told)) for name, each in conditions.items()}
    AnyOf(
        stack, "users-affected",
        AnyOfArgs(
            summary="Users notice that something is wrong.", alarms=[alarms[each].name for each in AFFECTING],
            actions=told,
        ),
    )  # fmt: skip
    Board(stack, "overview", BoardArgs(conditions=conditions))
    return Outputs(
        metrics_write_url=metrics.write_url,
        metrics_workspace_arn=metrics.arn,
        grafana_endpoint=grafana.endpoint if grafana else "",
        audit_log_group=audit.name,
    )


def _watch(
    stack: Stack[Settings], data: data_stack.Outputs, edge: edge_stack.Outputs, jobs: async_stack.Outputs
) -> Conditions:
    """Everything that is watched here, by the name of its alarm."""
    place, limits = stack.place, stack.settings.limits
    letters, arns = pulumi.Output.from_input(jobs.dead_letter_names), pulumi.Output.from_input(data.table_arns)
    tables = {table.name: arns[at].apply(_name) for at, table in enumerate(TABLES)}
    conditions = {
        **door_conditions(edge.load_balancer_arn_suffix, limits),
        **queue_conditions({queue: letters[at] for at, queue in enumerate(async_stack.HANDLERS_S)}, limits),
        **table_conditions(tables),
        **broker_conditions(data.broker_cluster_name, limits),
        **database_conditions(data.database_identifier, limits),
        **cache_conditions(limits),
        **search_conditions(data.search_domain_name, stack.settings.account_id, limits),
    }
    if not place.is_standby:
        conditions |= cdn_conditions(edge.distribution_id, limits)
        for standby in regions_of(place.env)[1:]:
            conditions |= standby_conditions(tables, standby, limits)
    return conditions


def _name(arn: str) -> str:
    """The name at the end of a table's ARN."""
    return arn.rpartition("/")[2]
