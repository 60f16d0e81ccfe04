"""Rules of logs, alarms and scaling: controls 74, 75 and 79, and our own."""

import re
from collections.abc import Iterator
from typing import Final

from nottermost_platform.graph import Resource
from nottermost_platform.naming import NAMED
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.keys import KEYS, lets_service
from nottermost_platform.rules.view import View, get, items, number, parse, texts

GROUP: Final = "cloudwatch/logGroup:LogGroup"
ALARM: Final = "cloudwatch/metricAlarm:MetricAlarm"
COMPOSITE: Final = "cloudwatch/compositeAlarm:CompositeAlarm"
TOPIC: Final = "sns/topic:Topic"
TARGET: Final = "appautoscaling/target:Target"
SCALING: Final = "appautoscaling/policy:Policy"
WORKSPACE: Final = "amp/workspace:Workspace"
LIMITS: Final = "amp/workspaceConfiguration:WorkspaceConfiguration"
QUERIES: Final = "amp/queryLoggingConfiguration:QueryLoggingConfiguration"
DASHBOARDS: Final = "grafana/workspace:Workspace"
RUNBOOK: Final = re.compile(r"https://\S+/runbooks/\S+\.md\b")
MISSING: Final = ("breaching", "notBreaching", "ignore", "missing")
AUDIT_DAYS_MIN: Final = {"prod": 365}  # who did what is asked months later
SERVICE_DAYS_MIN: Final = {"prod": 30}  # of the chat's own logs, which hold no texts and are many
DAYS_MIN_ELSEWHERE: Final = 3  # a pull request's logs need no more
TASKS_MIN: Final = {"prod": 2}  # elsewhere 1
SCALE_MAX: Final = {  # what the budget of an environment bears, as (production, elsewhere)
    "ecs:service:DesiredCount": (1250, 100),  # ten million sockets, 8,000 a task
    "kafka:broker-storage:VolumeSize": (16_384, 16_384),  # GiB, as MSK's own limit
}
COOLDOWNS: Final = ("scaleInCooldown", "scaleOutCooldown")
# What has to be watched of each kind: metrics, each by an alarm of the resource's own region.
WATCHED: Final = {
    "rds/instance:Instance": ("CPUUtilization", "DatabaseConnections", "FreeStorageSpace"),
    "elasticache/replicationGroup:ReplicationGroup": ("DatabaseMemoryUsagePercentage",),
    "msk/cluster:Cluster": (
        "OfflinePartitionsCount", "UnderReplicatedPartitions", "KafkaDataLogsDiskUsed", "SumOffsetLag"
    ),
    "opensearch/domain:Domain": ("ClusterStatus.red", "ClusterIndexWritesBlocked", "FreeStorageSpace"),
    "dynamodb/table:Table": ("ReadThrottleEvents", "WriteThrottleEvents", "SystemErrors"),
    "dynamodb/tableReplica:TableReplica": ("ReadThrottleEvents", "WriteThrottleEvents", "SystemErrors"),
    "cloudfront/distribution:Distribution": ("5xxErrorRate",),
    "lb/loadBalancer:LoadBalancer": ("HTTPCode_ELB_5XX_Count", "TargetResponseTime"),
    "lb/targetGroup:TargetGroup": ("HTTPCode_Target_5XX_Count", "TargetResponseTime", "UnHealthyHostCount"),
    "ecs/service:Service": ("RunningTaskCount",),
}  # fmt: skip
REPLICA_WATCHED: Final = ("ReplicaLag",)
COPY_WATCHED: Final = ("ReplicationLatency",)


# --- logs ---------------------------------------------------------------------------------------


@rule(
    "logs-kept", 74, Severity.MEDIUM, GROUP,
    title="Logs are kept for a set time: a year in production, a month those of services, the raw figures briefly",
    fsbp="CloudWatch.16", checkov="66 338", fix="add_log_group(days=...) with the days of the environment's settings",
)  # fmt: skip
def logs_kept(group: Resource, view: View) -> Lacks:
    days, name = number(group, "retentionInDays"), str(get(group, "name", ""))
    least = (SERVICE_DAYS_MIN if "/chat/" in name else AUDIT_DAYS_MIN).get(view.env_class, DAYS_MIN_ELSEWHERE)
    if name.endswith("/figures"):
        least = 1  # CloudWatch has made metrics of them as they came
    if days == 0:
        yield "keeps its logs for ever"
    elif days < least:
        yield f"keeps its logs for {days:.0f} days"
    if get(group, "logGroupClass", "STANDARD") != "STANDARD":
        yield f"is of class {get(group, 'logGroupClass')}, which filters and alarms cannot read"


@rule(
    "logs-encrypted", 74, Severity.MEDIUM, GROUP,
    title="Logs are encrypted with a key of ours that CloudWatch Logs can use",
    checkov="158", fix="add_log_group(key_arn=...) of a key with the service logs.<region>",
)  # fmt: skip
def logs_encrypted(group: Resource, view: View) -> Lacks:
    keys = [each for each in view.targets(group, "kmsKeyId", *KEYS) if each.region == group.region]
    if not keys:
        yield "is encrypted with no key of ours"
    for key in keys:
        if not lets_service(key, f"logs.{group.region}.amazonaws.com"):
            yield f"has the key {key.name}, which CloudWatch Logs cannot use"


@rule(
    "logs-written", 74, Severity.LOW, GROUP,
    title="A log group is there before what writes it, which would make one without key or end",
    fix="depends_on of what writes it, or the group's name in its settings",
)  # fmt: skip
def logs_written(group: Resource, view: View) -> Lacks:
    stack = view.stacks[group.urn]
    waited = any(group.urn in each.dependencies for each in stack.resources)
    exported = get(group, "name") in set(texts({key: each.value for key, each in stack.outputs.items()}))
    if not waited and not exported and not view.users(group) and not _of_another(group, view):
        yield "is written by nothing that waits for it"


def _of_another(group: Resource, view: View) -> bool:
    """Whether the name is one that AWS gives to the log of a resource of ours."""
    path = str(get(group, "name", "")).split("/")
    return path[:2] == ["", "aws"] and any(
        get(each, NAMED[each.type].property) in path for each in view.resources if each.type in NAMED
    )


# --- alarms -------------------------------------------------------------------------------------


@rule(
    "alarms-heard", 75, Severity.HIGH, ALARM, COMPOSITE,
    title="An alarm is on, and tells a topic of ours in its region when it begins and when it ends",
    fsbp="CloudWatch.15 CloudWatch.17", checkov="319", fix="the component Alarm, which takes the topic of alarms",
)  # fmt: skip
def alarms_heard(alarm: Resource, view: View) -> Lacks:
    if get(alarm, "actionsEnabled") is not True:
        yield "is switched off"
    for actions in ("alarmActions", "okActions"):
        if not any(each.region == alarm.region for each in view.targets(alarm, actions, TOPIC)):
            yield f"tells nobody of ours ({actions})"


@rule(
    "alarms-lead-to-runbooks", 75, Severity.MEDIUM, ALARM, COMPOSITE,
    title="An alarm says what is wrong and links the runbook",
    fix="a description that ends in the runbook's address; see observability.py",
)  # fmt: skip
def alarms_lead_to_runbooks(alarm: Resource, _view: View) -> Lacks:
    said = str(get(alarm, "alarmDescription", ""))
    if not RUNBOOK.search(said):
        yield "links no runbook"
    if len(RUNBOOK.sub("", said).strip()) < 10:
        yield "does not say what is wrong"


@rule(
    "alarms-judge", 75, Severity.MEDIUM, ALARM,
    title="An alarm says what no data means, judges one result, and can go off",
    fix="treat_missing_data, and datapoints_to_alarm of 1 to evaluation_periods",
)  # fmt: skip
def alarms_judge(alarm: Resource, _view: View) -> Lacks:
    if get(alarm, "treatMissingData") not in MISSING:
        yield "does not say what no data means"
    periods, points = number(alarm, "evaluationPeriods"), number(alarm, "datapointsToAlarm")
    if not 1 <= points <= periods:
        yield f"goes off at {points:.0f} of {periods:.0f} points"
    if "ThanOrEqual" not in (compares := str(get(alarm, "comparisonOperator", ""))) and "ThanThreshold" not in compares:
        yield "compares with nothing"
    if get(alarm, "threshold") is None and get(alarm, "thresholdMetricId") is None:
        yield "has no threshold"
    queries = items(alarm, "metricQueries")
    if queries and sum(get(each, "returnData") is True for each in queries) != 1:
        yield "judges none or several of its series"
    for series in [get(each, "metric") for each in queries if get(each, "metric")] if queries else [alarm.inputs]:
        yield from _reads_nothing(series)
    if queries and not any(get(each, "expression") for each in queries) and len(queries) > 1:
        yield "makes nothing of its series"


def _reads_nothing(series: dict[str, object]) -> Lacks:
    """What a series of CloudWatch lacks to be one that there is."""
    if not get(series, "metricName") or not get(series, "namespace") or not get(series, "dimensions"):
        yield "watches nothing in particular"
    if number(series, "period") < 10 or not any(
        get(series, each) for each in ("stat", "statistic", "extendedStatistic")
    ):
        yield "sums up over no time, or in no way"
    dimensions = get(series, "dimensions", {})
    if "ECS" in str(get(series, "namespace")) and not {"ClusterName", "ServiceName"} <= set(dimensions):
        yield "watches no service in particular"
    if "TargetGroup" in dimensions and "LoadBalancer" not in dimensions:
        yield "watches targets of no load balancer, which CloudWatch does not count"


@rule(
    "composite-alarms", 75, Severity.MEDIUM, COMPOSITE,
    title="An alarm of alarms is about ones that there are",
    fix="AnyOf over alarms of the same stack",
)  # fmt: skip
def composite_alarms(composite: Resource, view: View) -> Lacks:
    named = set(re.findall(r'ALARM\("?([^")]+)"?\)', str(get(composite, "alarmRule", ""))))
    known = {get(each, "name") for each in view.of(ALARM) if each.region == composite.region}
    if not named:
        yield "is about no alarm"
    yield from (f"is about {missing}, which is no alarm" for missing in sorted(named - known))


@rule(
    "watched", 75, Severity.MEDIUM, *WATCHED,
    title="Alarms watch what users would notice first, of each store, balancer and service",
    fsbp="CloudWatch.15", fix="an Alarm in the stack chat or observability",
)  # fmt: skip
def watched(resource: Resource, view: View) -> Lacks:
    kind = resource.type.removeprefix("aws:")
    replica = kind.startswith("rds/") and get(resource, "replicateSourceDb")
    about = [
        each for each in _about(resource, view) if kind != "lb/loadBalancer:LoadBalancer" or "targetgroup/" not in each
    ]
    if resource.type == "aws:ecs/service:Service" and not _scales(resource, view):
        return  # started and ended by a person, as the load fleet
    copied = kind == "dynamodb/table:Table" and bool(view.users(resource, "dynamodb/tableReplica:TableReplica"))
    for metric in REPLICA_WATCHED if replica else WATCHED[kind] + COPY_WATCHED * copied:
        if not any(metric in each for each in about):
            yield f"has {metric}, and no alarm sees it"


def _scales(service: Resource, view: View) -> bool:
    return any(_is_of(each, service) for each in view.of(TARGET))


def _is_of(target: Resource, service: Resource) -> bool:
    return str(get(target, "resourceId", "")).endswith(f"/{get(service, 'name')}") and target.region == service.region


def _about(resource: Resource, view: View) -> Iterator[str]:
    """What alarms of the region watch of a resource: of it by name, or of all of its kind."""
    property_ = NAMED[resource.type].property if resource.type in NAMED else "name"
    name = str(get(resource, property_, "")) or " nothing "
    users = {each.urn for each in view.users(resource, ALARM)}
    for alarm in view.of(ALARM):
        watches = " ".join(texts([get(alarm, "metricName"), get(alarm, "dimensions"), get(alarm, "metricQueries")]))
        of_all = "SCHEMA(" in watches and "WHERE" not in watches
        if alarm.region == resource.region and (alarm.urn in users or name in watches or of_all):
            yield watches


# --- scaling ------------------------------------------------------------------------------------


@rule(
    "scaling-targets", 79, Severity.MEDIUM, TARGET,
    title="What scales has a floor of two tasks in production, a ceiling that the budget bears, and a policy",
    fsbp="AutoScaling.1", fix="tasks_min and tasks_max of the role's size; Scaling adds the policies",
)  # fmt: skip
def scaling_targets(target: Resource, view: View) -> Lacks:
    low, high = number(target, "minCapacity"), number(target, "maxCapacity")
    if low < TASKS_MIN.get(view.env_class, 1):
        yield f"may fall to {low:.0f}"
    if high < low:
        yield f"has a ceiling of {high:.0f} below its floor"
    most = SCALE_MAX.get(str(get(target, "scalableDimension")))
    if most and high > most[not view.is_prod]:
        yield f"may grow to {high:.0f}"
    if not any(_same(each, target) for each in view.of(SCALING)):
        yield "has no policy: it never scales"
    if len({str(each) for each in get(target, "suspendedState", {}).values()}) > 1:
        yield "scales one way only"


def _same(policy: Resource, target: Resource) -> bool:
    return policy.region == target.region and all(
        get(policy, each) == get(target, each) for each in ("resourceId", "scalableDimension", "serviceNamespace")
    )


@rule(
    "scaling-policies", 79, Severity.MEDIUM, SCALING,
    title="A scaling policy is of a target, aims at more than nothing, and at less than all of a percentage",
    fix="Track(target=...), or a step that an alarm takes",
)  # fmt: skip
def scaling_policies(policy: Resource, view: View) -> Lacks:
    if not any(_same(policy, each) for each in view.of(TARGET)):
        yield "is of no target of ours"
    track = "targetTrackingScalingPolicyConfiguration"
    if get(policy, "policyType") == "TargetTrackingScaling":
        aim = number(policy, f"{track}.targetValue")
        percent = "Utilization" in " ".join(texts(get(policy, track)))
        if aim <= 0 or (percent and aim > 90):
            yield f"aims at {aim:g}"
        if (
            str(get(policy, "serviceNamespace")) == "ecs"
            and min(number(policy, f"{track}.{each}") for each in COOLDOWNS) < 10
        ):
            yield "changes its mind at once"
        series = items(policy, f"{track}.customizedMetricSpecification.metrics")
        if series and sum(get(each, "returnData") is True for each in series) != 1:
            yield "looks at none or several of its series"
        metrics = [get(policy, f"{track}.{each}MetricSpecification") for each in ("predefined", "customized")]
        if not any(metrics):
            yield "looks at nothing"
    else:
        if not items(policy, "stepScalingPolicyConfiguration.stepAdjustments"):
            yield "takes no steps"
        if not view.users(policy, ALARM):
            yield "is asked by no alarm"


@rule(
    "scaling-goes-both-ways", 79, Severity.LOW, TARGET,
    title="What grew shrinks again: one policy at least takes tasks away",
    fix="Track(tasks_fall=True) for CPU", envs=("prod", "staging", "dev", "pr"),
)  # fmt: skip
def scaling_goes_both_ways(target: Resource, view: View) -> Lacks:
    policies = [each for each in view.of(SCALING) if _same(each, target)]
    if str(get(target, "serviceNamespace")) == "kafka" or not policies:
        return  # disks do not shrink
    if not any(get(each, "targetTrackingScalingPolicyConfiguration.disableScaleIn") is False for each in policies):
        yield "never shrinks"


# --- where metrics are --------------------------------------------------------------------------


@rule(
    "metrics-kept", 74, Severity.MEDIUM, WORKSPACE,
    title="Metrics are encrypted with a key of ours, kept for a set time, bounded, and what is asked is logged",
    fix="the component Metrics",
)  # fmt: skip
def metrics_kept(workspace: Resource, view: View) -> Lacks:
    if not view.targets(workspace, "kmsKeyArn", *KEYS):
        yield "is encrypted with no key of ours"
    if not view.targets(workspace, "loggingConfiguration.logGroupArn", GROUP):
        yield "logs nothing"
    queries = view.users_at(workspace, QUERIES, "workspaceId")
    if not any(view.targets(each, "destinations", GROUP) for each in queries):
        yield "does not log what asks too much of it"
    limits = view.users_at(workspace, LIMITS, "workspaceId")
    if not any(1 <= number(each, "retentionPeriodInDays") <= 1095 for each in limits):
        yield "does not say how long it keeps metrics"
    if not any(number(each, "limitsPerLabelSets.0.limits.maxSeries") > 0 for each in limits):
        yield "takes any number of series"


@rule(
    "dashboards-closed", 75, Severity.MEDIUM, DASHBOARDS,
    title="Dashboards are for people of this account who signed in, with a key and a role of ours, and no plugins",
    fix="the component Grafana",
)  # fmt: skip
def dashboards_closed(workspace: Resource, view: View) -> Lacks:
    if get(workspace, "accountAccessType") != "CURRENT_ACCOUNT":
        yield "reads other accounts"
    if not set(items(workspace, "authenticationProviders")) <= {"AWS_SSO", "SAML"} or not items(
        workspace, "authenticationProviders"
    ):
        yield "lets people in who did not sign in"
    if not view.targets(workspace, "kmsKeyId", *KEYS):
        yield "is encrypted with no key of ours"
    if (
        not view.targets(workspace, "roleArn", "iam/role:Role")
        or get(workspace, "permissionType") != "CUSTOMER_MANAGED"
    ):
        yield "has a role that AWS wrote"
    configuration = parse(get(workspace, "configuration"))
    if get(configuration, "plugins.pluginAdminEnabled") is not False:
        yield "lets its users install plugins"
    if get(configuration, "unifiedAlerting.enabled") is not True:
        yield "has its alerts switched off"
