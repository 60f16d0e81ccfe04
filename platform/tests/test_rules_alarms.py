"""Each rule of logs, alarms and scaling notices what it is for, and production passes."""

import pytest

from nottermost_platform.rules.alarms import (
    ALARM,
    COMPOSITE,
    DASHBOARDS,
    GROUP,
    LIMITS,
    QUERIES,
    SCALING,
    TARGET,
    WORKSPACE,
)
from nottermost_platform.testing import REMOVED, Bad, added, changed, check_bad, removed

CPU, TRACK = "api-blue-cpu", "targetTrackingScalingPolicyConfiguration"
DISK, ERRORS, LOGS = "database-storage", "api-blue-errors", "api-logs"
SLOW = "api-blue-slow"
CASES = [
    Bad("logs-kept", changed(GROUP, "retentionInDays", 0, LOGS), "for ever"),
    Bad("logs-kept", changed(GROUP, "retentionInDays", 7, LOGS), "for 7 days"),
    Bad("logs-kept", changed(GROUP, "retentionInDays", 90, "trail-log"), "for 90 days"),
    Bad("logs-kept", changed(GROUP, "retentionInDays", REMOVED, "gateway-figures"), "for ever"),
    Bad("logs-kept", changed(GROUP, "logGroupClass", "INFREQUENT_ACCESS", LOGS), "INFREQUENT_ACCESS"),
    Bad("logs-encrypted", changed(GROUP, "kmsKeyId", REMOVED, LOGS), "no key of ours"),
    Bad("logs-encrypted", changed("kms/key:Key", "policy.Statement.1.Effect", "Deny", "logs"), "cannot use"),
    Bad("logs-written", added(GROUP, {"name": "/nottermost/prod/nobody"}), "by nothing that waits"),
    Bad("alarms-heard", changed(ALARM, "actionsEnabled", False), "switched off"),
    Bad("alarms-heard", changed(ALARM, "alarmActions", []), "alarmActions"),
    Bad("alarms-heard", changed(ALARM, "okActions", ["arn:aws:sns:us-east-1:1:x"]), "okActions"),
    Bad("alarms-heard", changed(COMPOSITE, "alarmActions", []), "alarmActions"),
    Bad("alarms-lead-to-runbooks", changed(ALARM, "alarmDescription", "Something is very wrong here."), "no runbook"),
    Bad("alarms-lead-to-runbooks", changed(ALARM, "alarmDescription", "https://a.b/runbooks/x.md"), "what is wrong"),
    Bad("alarms-judge", changed(ALARM, "treatMissingData", REMOVED), "no data means"),
    Bad("alarms-judge", changed(ALARM, "datapointsToAlarm", 9, ERRORS), "9 of 3"),
    Bad("alarms-judge", changed(ALARM, "threshold", REMOVED), "no threshold"),
    Bad("alarms-judge", changed(ALARM, "comparisonOperator", REMOVED), "compares with nothing"),
    Bad("alarms-judge", changed(ALARM, "metricQueries.1.returnData", True, ERRORS), "none or several"),
    Bad("alarms-judge", changed(ALARM, "metricQueries.0.expression", REMOVED, ERRORS), "makes nothing"),
    Bad("alarms-judge", changed(ALARM, "metricName", REMOVED, SLOW), "nothing in particular"),
    Bad("alarms-judge", changed(ALARM, "period", 0, SLOW), "over no time"),
    Bad("alarms-judge", changed(ALARM, "metricQueries.1.metric.stat", REMOVED, ERRORS), "in no way"),
    Bad("alarms-judge", changed(ALARM, "dimensions.LoadBalancer", REMOVED, SLOW), "no load balancer"),
    Bad("composite-alarms", changed(COMPOSITE, "alarmRule", "TRUE"), "about no alarm"),
    Bad("composite-alarms", changed(COMPOSITE, "alarmRule", 'ALARM("gone")'), "about gone"),
    Bad("watched", removed(ALARM, DISK), "has FreeStorageSpace"),
    Bad("watched", changed(ALARM, "dimensions.DBInstanceIdentifier", "other", DISK), "has FreeStorageSpace"),
    Bad("watched", removed(ALARM, "database-replica-lag"), "has ReplicaLag"),
    Bad("watched", removed(ALARM, "cache-memory"), "has DatabaseMemoryUsagePercentage"),
    Bad("watched", removed(ALARM, "api-slow"), "has TargetResponseTime"),
    Bad("alarms-judge", changed(ALARM, "metricQueries.1.metric.dimensions", {"ClusterName": "c"}, "api-blue-missing"), "no service in particular"),
    Bad("watched", removed(ALARM, "api-blue-missing"), "has RunningTaskCount"),
    Bad("watched", removed(ALARM, "cdn-errors"), "has 5xxErrorRate"),
    Bad("watched", removed(ALARM, "standby-texts-lag"), "has ReplicationLatency"),
    Bad("scaling-targets", changed(TARGET, "minCapacity", 1), "fall to 1"),
    Bad("scaling-targets", changed(TARGET, "maxCapacity", 1), "ceiling of 1"),
    Bad("scaling-targets", changed(TARGET, "maxCapacity", 9999, "api-blue"), "grow to 9999"),
    Bad("scaling-targets", changed(TARGET, "resourceId", "service/x/y", "api-blue"), "never scales"),
    Bad("scaling-targets", changed(TARGET, "suspendedState.dynamicScalingOutSuspended", True, "api-blue"), "one way"),
    Bad("scaling-policies", changed(SCALING, "resourceId", "service/x/y", CPU), "no target of ours"),
    Bad("scaling-policies", changed(SCALING, f"{TRACK}.targetValue", 0, CPU), "aims at 0"),
    Bad("scaling-policies", changed(SCALING, f"{TRACK}.targetValue", 100, CPU), "aims at 100"),
    Bad("scaling-policies", changed(SCALING, f"{TRACK}.scaleOutCooldown", 0, CPU), "at once"),
    Bad("scaling-policies", changed(SCALING, f"{TRACK}.customizedMetricSpecification.metrics.0.returnData", False, "api-blue-latency"), "none or several"),
    Bad("scaling-policies", changed(SCALING, f"{TRACK}.predefinedMetricSpecification", REMOVED, CPU), "looks at nothing"),
    Bad("scaling-policies", changed(SCALING, "stepScalingPolicyConfiguration.stepAdjustments", [], "gateway-blue-surge"), "no steps"),
    Bad("scaling-policies", removed(ALARM, "gateway-blue-full"), "asked by no alarm"),
    Bad("scaling-goes-both-ways", changed(SCALING, f"{TRACK}.disableScaleIn", True, CPU), "never shrinks"),
    Bad("metrics-kept", changed(WORKSPACE, "kmsKeyArn", REMOVED), "no key of ours"),
    Bad("metrics-kept", changed(WORKSPACE, "loggingConfiguration", REMOVED), "logs nothing"),
    Bad("metrics-kept", removed(QUERIES), "asks too much"),
    Bad("metrics-kept", changed(LIMITS, "retentionPeriodInDays", 0), "how long"),
    Bad("metrics-kept", changed(LIMITS, "limitsPerLabelSets", []), "any number of series"),
    Bad("dashboards-closed", changed(DASHBOARDS, "accountAccessType", "ORGANIZATION"), "other accounts"),
    Bad("dashboards-closed", changed(DASHBOARDS, "authenticationProviders", []), "did not sign in"),
    Bad("dashboards-closed", changed(DASHBOARDS, "kmsKeyId", REMOVED), "no key of ours"),
    Bad("dashboards-closed", changed(DASHBOARDS, "permissionType", "SERVICE_MANAGED"), "that AWS wrote"),
    Bad("dashboards-closed", changed(DASHBOARDS, "configuration.plugins.pluginAdminEnabled", True), "install plugins"),
    Bad("dashboards-closed", changed(DASHBOARDS, "configuration.unifiedAlerting.enabled", False), "alerts switched off"),
    *(
        Bad("watched", changed(ALARM, path, "Other", name), f"has {metric}")
        for metric, name, path in (
            ("OfflinePartitionsCount", "broker-offline", "metricName"),
            ("ClusterStatus.red", "search-red", "metricName"),
            ("5xxErrorRate", "cdn-errors", "metricName"),
            ("WriteThrottleEvents", "table-log-throttled", "metricQueries.2.metric.metricName"),
            ("UnHealthyHostCount", "api-blue-unhealthy", "metricName"),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)
