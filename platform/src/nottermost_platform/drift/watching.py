"""Reads what watches: log groups, alarms, the trail of the account."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from nottermost_platform.drift.account import View, pick, tags_of
from nottermost_platform.drift.readers import reader
from nottermost_platform.drift.values import Found

LOGS: Final = "aws:cloudwatch/logGroup:LogGroup"
ALARM: Final = "aws:cloudwatch/metricAlarm:MetricAlarm"
TRAIL: Final = "aws:cloudtrail/trail:Trail"


@reader(LOGS)
def read_log_groups(view: View) -> Iterator[Found]:
    groups = view.list("logs", "describe_log_groups", "logGroups")
    ours = [each for each in groups if view.is_ours(LOGS, each["logGroupName"])]
    yield from view.each(lambda each: _read_log_group(view, each), ours)


def _read_log_group(view: View, group: dict[str, Any]) -> Found:
    arn = group["arn"].removesuffix(":*")
    tags = view.tags.get(arn)
    if tags is None:
        tags = (view.get("logs", "list_tags_for_resource", resourceArn=arn) or {}).get("tags", {})
    properties = pick(group, name="logGroupName", retentionInDays="retentionInDays", kmsKeyId="kmsKeyId")
    outputs = {"id": group["logGroupName"], "arn": arn}
    return Found(type=LOGS, region=view.region, properties=properties, outputs=outputs, tags=tags)


@reader(ALARM)
def read_alarms(view: View) -> Iterator[Found]:
    alarms = view.list("cloudwatch", "describe_alarms", "MetricAlarms", AlarmTypes=["MetricAlarm"])
    ours = [each for each in alarms if view.is_ours(ALARM, each["AlarmName"])]
    yield from view.each(lambda each: _read_alarm(view, each), ours)


def _read_alarm(view: View, alarm: dict[str, Any]) -> Found:
    properties = pick(
        alarm, name="AlarmName", alarmDescription="AlarmDescription", actionsEnabled="ActionsEnabled",
        alarmActions="AlarmActions", okActions="OKActions", comparisonOperator="ComparisonOperator", threshold="Threshold",
        evaluationPeriods="EvaluationPeriods", datapointsToAlarm="DatapointsToAlarm", treatMissingData="TreatMissingData",
        metricName="MetricName", namespace="Namespace", period="Period", statistic="Statistic",
        extendedStatistic="ExtendedStatistic",
    )  # fmt: skip
    properties["dimensions"] = {each["Name"]: each["Value"] for each in alarm.get("Dimensions", [])}
    properties["metricQueries"] = [_read_query(each) for each in alarm.get("Metrics", [])]
    tags = view.tags.get(alarm["AlarmArn"])
    if tags is None:
        tags = tags_of(view.list("cloudwatch", "list_tags_for_resource", "Tags", ResourceARN=alarm["AlarmArn"]))
    outputs = {"id": alarm["AlarmName"], "arn": alarm["AlarmArn"]}
    return Found(type=ALARM, region=view.region, properties=properties, outputs=outputs, tags=tags)


def _read_query(query: dict[str, Any]) -> dict[str, Any]:
    found = pick(
        query, id="Id", expression="Expression", label="Label", returnData="ReturnData", period="Period", accountId="AccountId",
        metric="MetricStat.{namespace: Metric.Namespace, metricName: Metric.MetricName, period: Period, stat: Stat, unit: Unit}",
    )  # fmt: skip
    if found["metric"]:
        dimensions = query["MetricStat"]["Metric"].get("Dimensions", [])
        found["metric"] = _set({**found["metric"], "dimensions": {each["Name"]: each["Value"] for each in dimensions}})
    return found


def _set(block: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in block.items() if value is not None}


@reader(TRAIL)
def read_trails(view: View) -> Iterator[Found]:
    for each in view.list("cloudtrail", "describe_trails", "trailList", includeShadowTrails=False):
        if not view.is_ours(TRAIL, each["Name"]):
            continue
        status = view.get("cloudtrail", "get_trail_status", Name=each["TrailARN"]) or {}
        properties = pick(
            each, name="Name", s3BucketName="S3BucketName", isMultiRegionTrail="IsMultiRegionTrail", kmsKeyId="KmsKeyId",
            includeGlobalServiceEvents="IncludeGlobalServiceEvents", enableLogFileValidation="LogFileValidationEnabled",
            cloudWatchLogsGroupArn="CloudWatchLogsLogGroupArn", cloudWatchLogsRoleArn="CloudWatchLogsRoleArn",
        )  # fmt: skip
        properties["enableLogging"] = status.get("IsLogging")
        outputs = {"id": each["TrailARN"], "arn": each["TrailARN"]}
        properties |= _read_selectors(view, each["TrailARN"])
        listed = view.list("cloudtrail", "list_tags", "ResourceTagList[].TagsList[]", ResourceIdList=[each["TrailARN"]])
        yield Found(type=TRAIL, region=view.region, properties=properties, outputs=outputs, tags=tags_of(listed))


def _in_plural(field: Mapping[str, Any]) -> dict[str, Any]:
    """A condition as the provider writes it, which has `startsWiths` where CloudTrail says `StartsWith`."""
    return {f"{key}s" if key.endswith("With") else key: value for key, value in field.items()}


def _read_selectors(view: View, arn: str) -> dict[str, Any]:
    """What the trail keeps, and of what it tells what is unusual."""
    events = view.get("cloudtrail", "get_event_selectors", TrailName=arn)
    insights = view.get("cloudtrail", "get_insight_selectors", TrailName=arn, absent=("InsightNotEnabledException",))
    selectors = [
        {**each, "FieldSelectors": [_in_plural(field) for field in each.get("FieldSelectors", ())]}
        for each in (events or {}).get("AdvancedEventSelectors") or ()
    ]
    return pick({"AdvancedEventSelectors": selectors}, advancedEventSelectors="AdvancedEventSelectors") | pick(
        insights, insightSelectors="InsightSelectors"
    )
