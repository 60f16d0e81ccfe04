"""Rules of an account: what is recorded, who is told, what is off by default, and money."""

from typing import Final

from nottermost_platform.graph import Resource
from nottermost_platform.naming import REQUIRED_TAGS
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.keys import KEYS, lets_service
from nottermost_platform.rules.statements import read
from nottermost_platform.rules.view import View, get, items, number, parse, texts

TRAIL: Final = "cloudtrail/trail:Trail"
RECORDER: Final = "cfg/recorder:Recorder"
RECORDING: Final = "cfg/recorderStatus:RecorderStatus"
CHANNEL: Final = "cfg/deliveryChannel:DeliveryChannel"
DETECTOR: Final = "guardduty/detector:Detector"
FEATURE: Final = "guardduty/detectorFeature:DetectorFeature"
ANALYZER: Final = "accessanalyzer/analyzer:Analyzer"
DISKS: Final = "ebs/encryptionByDefault:EncryptionByDefault"
SNAPSHOTS: Final = "ebs/snapshotBlockPublicAccess:SnapshotBlockPublicAccess"
IMAGES: Final = "ec2/imageBlockPublicAccess:ImageBlockPublicAccess"
METADATA: Final = "ec2/instanceMetadataDefaults:InstanceMetadataDefaults"
PASSWORDS: Final = "iam/accountPasswordPolicy:AccountPasswordPolicy"
BUCKETS: Final = "s3/accountPublicAccessBlock:AccountPublicAccessBlock"
EVENT_RULE: Final = "cloudwatch/eventRule:EventRule"
EVENT_TARGET: Final = "cloudwatch/eventTarget:EventTarget"
BUDGET: Final = "budgets/budget:Budget"
MONITOR: Final = "costexplorer/anomalyMonitor:AnomalyMonitor"
SUBSCRIPTION: Final = "costexplorer/anomalySubscription:AnomalySubscription"
BILL_TAG: Final = "costexplorer/costAllocationTag:CostAllocationTag"
EXPORT: Final = "bcmdata/export:Export"
BUCKET: Final = "s3/bucket:Bucket"
GROUP: Final = "cloudwatch/logGroup:LogGroup"
TOPIC: Final = "sns/topic:Topic"
ROLE: Final = "iam/role:Role"
ONCE: Final = (TRAIL, BUCKETS, PASSWORDS, BUDGET, SUBSCRIPTION, EXPORT)
IN_EACH_REGION: Final = (RECORDER, DETECTOR, ANALYZER, DISKS, SNAPSHOTS, IMAGES, METADATA)
FEATURES: Final = ("EBS_MALWARE_PROTECTION", "LAMBDA_NETWORK_LOGS", "RDS_LOGIN_EVENTS", "S3_DATA_EVENTS")
INSIGHTS: Final = {"prod": {"ApiCallRateInsight", "ApiErrorRateInsight"}}
PASSWORD: Final = ("requireLowercaseCharacters", "requireNumbers", "requireSymbols", "requireUppercaseCharacters")
WARN_PERCENT_MAX: Final = 100
SEVERITY_MAX: Final = 4  # GuardDuty's medium: from there on somebody has to hear of it
SET: Final[dict[str, dict[str, object]]] = {  # what each default of a region has to be
    ANALYZER: {"type": "ACCOUNT"},
    DISKS: {"enabled": True},
    SNAPSHOTS: {"state": "block-all-sharing"},
    IMAGES: {"state": "block-new-sharing"},
    METADATA: {"httpTokens": "required", "httpPutResponseHopLimit": 1},
}
FREQUENCIES: Final = ("One_Hour", "Three_Hours", "Six_Hours", "Twelve_Hours", "TwentyFour_Hours")


@rule(
    "account-looked-after", 0, Severity.HIGH, *ONCE, *IN_EACH_REGION,
    title="An account has its trail, its bans, its budget and its bill; each region its recorder, detector and defaults",
    fsbp="CloudTrail.1 Config.1 GuardDuty.1 IAM.28 EC2.7 EC2.182 S3.1", checkov="67 238",
    fix="the stack account, with every region in its settings",
)  # fmt: skip
def account_looked_after(resource: Resource, view: View) -> Lacks:
    """What is there speaks for what is missing: the first of all that are."""
    found = view.of(*ONCE, *IN_EACH_REGION)
    if resource.urn != found[0].urn:
        return
    types = {each.type for each in found}
    yield from (f"is in an account without {each}" for each in ONCE if f"aws:{each}" not in types)
    for region in sorted({each.region for each in view.graph.stacks}):
        here = {each.type for each in found if each.region == region}
        yield from (
            f"is in an account without {each} in {region}" for each in IN_EACH_REGION if f"aws:{each}" not in here
        )


# --- what is recorded ---------------------------------------------------------------------------


@rule(
    "trail", 0, Severity.HIGH, TRAIL,
    title="Every call in every region is recorded, sealed, encrypted, kept and searchable, and who read the state too",
    fsbp="CloudTrail.1 CloudTrail.2 CloudTrail.4 CloudTrail.5", checkov="35 36 67 251 252 CKV2_AWS_10",
    fix="the component Trail",
)  # fmt: skip
def trail(resource: Resource, view: View) -> Lacks:
    for each in ("isMultiRegionTrail", "enableLogFileValidation", "includeGlobalServiceEvents"):
        if get(resource, each) is not True:
            yield f"has {each} off"
    if get(resource, "enableLogging", True) is not True:
        yield "is switched off"
    keys = view.targets(resource, "kmsKeyId", *KEYS)
    if not any(lets_service(key, "cloudtrail.amazonaws.com") for key in keys):
        yield "is encrypted with no key of ours that CloudTrail can use"
    if not any(
        takes(each, "cloudtrail.amazonaws.com", view) for each in view.targets(resource, "s3BucketName", BUCKET)
    ):
        yield "writes into a bucket whose policy does not take it"
    for path, type_ in (("s3BucketName", BUCKET), ("cloudWatchLogsGroupArn", GROUP), ("cloudWatchLogsRoleArn", ROLE)):
        if not view.targets(resource, path, type_):
            yield f"names nothing of ours as {path}"
    selected = [dict(_fields(each)) for each in items(resource, "advancedEventSelectors")]
    if not any(fields == {"eventCategory": ["Management"]} for fields in selected):
        yield "leaves out some calls"
    if not any(view.meant([each.rstrip("/") for each in _arns(fields)], BUCKET) for fields in selected):
        yield "does not record who read the state"
    insights = {get(each, "insightType") for each in items(resource, "insightSelectors")}
    if not insights >= INSIGHTS.get(view.env_class, set()):
        yield "does not notice calls that are unlike those before"
    if view.is_prod and not resource.options.protect:
        yield "is not protected from being deleted"


def takes(bucket: Resource, service: str, view: View) -> bool:
    """Whether a bucket's policy lets a service write objects."""
    documents = [read(get(each, "policy")) for each in view.users_at(bucket, "s3/bucketPolicy:BucketPolicy", "bucket")]
    written = (said for document in documents for said in document if said.allows and service in said.services)
    return any("s3:PutObject" in said.actions for said in written)


def _fields(selector: dict[str, object]) -> list[tuple[str, list[object]]]:
    return [
        (str(get(each, "field")), [*items(each, "equals"), *items(each, "startsWiths")])
        for each in items(selector, "fieldSelectors")
    ]


def _arns(fields: dict[str, list[object]]) -> list[str]:
    return [str(each) for each in fields.get("resources.ARN", [])] if fields.get("eventCategory") == ["Data"] else []


@rule(
    "changes-recorded", 0, Severity.MEDIUM, RECORDER,
    title="AWS Config records every kind of resource as it changes, into a bucket of ours, encrypted",
    fsbp="Config.1", checkov="121 CKV2_AWS_45 CKV2_AWS_48", fix="the component Inventory",
)  # fmt: skip
def changes_recorded(recorder: Resource, view: View) -> Lacks:
    if get(recorder, "recordingGroup.allSupported") is not True:
        yield "leaves out some kinds"
    everywhere = [each for each in view.of(RECORDER) if get(each, "recordingGroup.includeGlobalResourceTypes") is True]
    if len(everywhere) != 1:
        yield f"is one of {len(everywhere)} that record roles and users: one should"
    if view.is_prod and get(recorder, "recordingMode.recordingFrequency") != "CONTINUOUS":
        yield "records once a day"
    if not view.targets(recorder, "roleArn", ROLE, "iam/serviceLinkedRole:ServiceLinkedRole"):
        yield "has no role of ours"
    name = get(recorder, "name")
    running = [each for each in view.of(RECORDING) if get(each, "name") == name and each.region == recorder.region]
    if not any(get(each, "isEnabled") is True for each in running):
        yield "is not switched on"
    channels = [each for each in view.of(CHANNEL) if each.region == recorder.region]
    if not channels:
        yield "delivers to nowhere"
    for channel in channels:
        buckets = view.targets(channel, "s3BucketName", BUCKET)
        if not any(takes(each, "config.amazonaws.com", view) for each in buckets):
            yield "delivers to no bucket of ours that takes it"
        if not any(lets_service(key, "config.amazonaws.com") for key in view.targets(channel, "s3KmsKeyArn", *KEYS)):
            yield "delivers without a key of ours that Config can use"
        if get(channel, "snapshotDeliveryProperties.deliveryFrequency") not in FREQUENCIES:
            yield "never writes down how all of it stands"


@rule(
    "threats-found", 0, Severity.HIGH, DETECTOR,
    title="GuardDuty looks in every region, with every feature, and what it finds is told",
    fsbp="GuardDuty.1 GuardDuty.6 GuardDuty.8 GuardDuty.9 GuardDuty.10", checkov="238 CKV2_AWS_3",
    fix="the component Threats",
)  # fmt: skip
def threats_found(detector: Resource, view: View) -> Lacks:
    if get(detector, "enable") is not True:
        yield "is switched off"
    if get(detector, "findingPublishingFrequency") not in ("FIFTEEN_MINUTES", "ONE_HOUR"):
        yield "tells hours later"
    on = {
        get(each, "name") for each in view.users_at(detector, FEATURE, "detectorId") if get(each, "status") == "ENABLED"
    }
    yield from (f"does not look at {each}" for each in FEATURES if each not in on)
    rules = [each for each in view.of(EVENT_RULE) if each.region == detector.region and _tells_of_threats(each)]
    if not rules:
        yield "finds what nobody hears of"


def _tells_of_threats(rule_: Resource) -> bool:
    pattern = parse(get(rule_, "eventPattern"))
    severities = [each for each in items(pattern, "detail.severity") if isinstance(each, dict)]
    limits = [number(each, "numeric.1") for each in severities if get(each, "numeric.0") in (">=", ">")]
    return items(pattern, "source") == ["aws.guardduty"] and (not limits or min(limits) <= SEVERITY_MAX)


@rule(
    "events-told", 0, Severity.MEDIUM, EVENT_RULE,
    title="An event rule is on, and tells a topic of ours, or with a role of ours a bus of ours",
    fix="an EventTarget with the topic, or with the bus of the primary region and a role",
)  # fmt: skip
def events_told(event_rule: Resource, view: View) -> Lacks:
    if get(event_rule, "state", "ENABLED") != "ENABLED" or get(event_rule, "isEnabled", True) is not True:
        yield "is switched off"
    if not parse(get(event_rule, "eventPattern")) and not get(event_rule, "scheduleExpression"):
        yield "waits for nothing"
    targets = [
        each
        for each in view.of(EVENT_TARGET)
        if get(each, "rule") == get(event_rule, "name") and each.region == event_rule.region
    ]
    if not targets:
        yield "tells nobody"
    for target in targets:
        arn = str(get(target, "arn", ""))
        if ":event-bus/" in arn:
            if not view.targets(target, "roleArn", ROLE):
                yield "forwards without a role of ours"
            if not any(f":{each.region}:" in arn for each in view.of(EVENT_RULE) if each.region != event_rule.region):
                yield "forwards to where nobody listens"
        elif not view.targets(target, "arn"):
            yield "tells nobody of ours"


# --- defaults -----------------------------------------------------------------------------------


@rule(
    "account-defaults", 0, Severity.MEDIUM, ANALYZER, DISKS, SNAPSHOTS, IMAGES, METADATA, PASSWORDS,
    title="By default disks are encrypted, nothing is shared, metadata wants a token, passwords are long",
    fsbp="EC2.7 EC2.8 EC2.182 IAM.15 IAM.16 IAM.28", checkov="9 10 11 12 13 14 15 106 CKV2_AWS_5",
    fix="the component Defaults",
)  # fmt: skip
def account_defaults(resource: Resource, _view: View) -> Lacks:
    match resource.type.removeprefix("aws:"):
        case kind if kind == PASSWORDS:
            yield from _short_passwords(resource)
        case kind if kind == ANALYZER and items(resource, "configuration"):
            yield "leaves out some findings"
        case kind:
            for path, value in SET.get(kind, {}).items():
                if (found := get(resource, path)) != value or isinstance(found, bool) != isinstance(value, bool):
                    yield f"has {path} {found} and not {value}"


def _short_passwords(policy: Resource) -> Lacks:
    if number(policy, "minimumPasswordLength") < 14:
        yield f"takes passwords of {number(policy, 'minimumPasswordLength'):.0f} characters"
    if number(policy, "passwordReusePrevention") < 24:
        yield "takes passwords that were used before"
    yield from (f"has {each} off" for each in PASSWORD if get(policy, each) is not True)
    if get(policy, "allowUsersToChangePassword") is not True:
        yield "lets nobody change a password that leaked"


# --- money --------------------------------------------------------------------------------------


@rule(
    "budgets-warn", 0, Severity.MEDIUM, BUDGET,
    title="A monthly budget warns a topic and people before it is spent, of what was spent and of what is foreseen",
    fix="the component Spending",
)  # fmt: skip
def budgets_warn(budget: Resource, view: View) -> Lacks:
    if number(budget, "limitAmount") <= 0 or get(budget, "budgetType") != "COST":
        yield "has no limit in money"
    if get(budget, "timeUnit") != "MONTHLY":
        yield f"is {get(budget, 'timeUnit')}"
    if {get(each, "notificationType") for each in items(budget, "notifications")} - {"ACTUAL", "FORECASTED"}:
        yield "warns of neither what was spent nor what is foreseen"
    for kind in ("ACTUAL", "FORECASTED"):
        warned = [each for each in items(budget, "notifications") if get(each, "notificationType") == kind]
        heard = [each for each in warned if _is_heard(each, view)]
        if not heard or len(heard) < len(warned):
            yield f"does not tell people and a topic of ours what is {kind.lower()}"
        if not any(0 < number(each, "threshold") < WARN_PERCENT_MAX for each in heard):
            yield f"warns of what is {kind.lower()} when it is too late"
        if any(
            get(each, "thresholdType") != "PERCENTAGE" or get(each, "comparisonOperator") != "GREATER_THAN"
            or not 0 < number(each, "threshold") <= WARN_PERCENT_MAX
            for each in heard
        ):  # fmt: skip
            yield f"warns of what is {kind.lower()} at no percentage up to {WARN_PERCENT_MAX}"


def _is_heard(notification: dict[str, object], view: View) -> bool:
    topics = view.meant(get(notification, "subscriberSnsTopicArns"), TOPIC)
    return bool(topics) and bool(items(notification, "subscriberEmailAddresses"))


@rule(
    "anomalies-told", 0, Severity.LOW, SUBSCRIPTION, MONITOR,
    title="A service that suddenly costs more is told at once, to a topic of ours",
    fix="the component Spending",
)  # fmt: skip
def anomalies_told(resource: Resource, view: View) -> Lacks:
    if resource.type == f"aws:{MONITOR}":
        if not view.users_at(resource, SUBSCRIPTION, "monitorArnLists"):
            yield "tells nobody"
        if (get(resource, "monitorType"), get(resource, "monitorDimension")) != ("DIMENSIONAL", "SERVICE"):
            yield "does not look at each service"
        return
    arns = [str(each) for each in items(resource, "monitorArnLists")]
    if not arns or not all(
        view.meant(each, MONITOR) or (not view.is_prod and ":anomalymonitor/" in each) for each in arns
    ):
        yield "hears of no monitor"
    if not view.meant(get(resource, "subscribers"), TOPIC):
        yield "tells no topic of ours"
    if get(resource, "frequency") != "IMMEDIATE":
        yield f"tells {str(get(resource, 'frequency')).lower()}"
    if not str(get(resource, "thresholdExpression.dimension.key", "")).startswith("ANOMALY_TOTAL_IMPACT_"):
        yield "tells of anything but money"
    least = [number({"usd": each}, "usd") for each in texts(get(resource, "thresholdExpression.dimension.values"))]
    if not any(each > 0 for each in least):
        yield "tells of every cent"


@rule(
    "bill-knows-tags", 0, Severity.LOW, BILL_TAG,
    title="The bill knows every required tag", fix="Spending's tags, status Active",
)  # fmt: skip
def bill_knows_tags(tag: Resource, view: View) -> Lacks:
    if get(tag, "status") != "Active":
        yield "is not on the bill"
    if tag.urn == view.of(BILL_TAG)[0].urn:
        known = {get(each, "tagKey") for each in view.of(BILL_TAG)}
        yield from (f"is there without {each}" for each in sorted(set(REQUIRED_TAGS) - known))


@rule(
    "bill-exported", 0, Severity.LOW, EXPORT,
    title="The bill comes as FOCUS into a bucket of ours, kept up to date", fix="the component BillExport",
)  # fmt: skip
def bill_exported(export: Resource, view: View) -> Lacks:
    destinations = [
        s3
        for each in items(export, "export.destinationConfigurations")
        for s3 in items(each, "s3Destinations")
    ]  # fmt: skip
    buckets = [each for there in destinations for each in view.meant(get(there, "s3Bucket"), BUCKET)]
    if not buckets or not all(takes(each, "bcm-data-exports.amazonaws.com", view) for each in buckets):
        yield "goes to no bucket of ours that takes it"
    if get(export, "export.refreshCadences.0.frequency") != "SYNCHRONOUS":
        yield "is not kept up to date"
    if "EffectiveCost" not in str(get(export, "export.dataQueries.0.queryStatement")):
        yield "does not say what things cost"


# --- questions to the archive -------------------------------------------------------------------


@rule(
    "questions-bounded", 0, Severity.MEDIUM, "athena/workgroup:Workgroup",
    title="Answers from the archive are encrypted with a key of ours, in a bucket of ours, and each question has a limit",
    fsbp="Athena.4", checkov="82 159", fix="the component Archive",
)  # fmt: skip
def questions_bounded(group: Resource, view: View) -> Lacks:
    if get(group, "configuration.enforceWorkgroupConfiguration") is not True:
        yield "lets those who ask say otherwise"
    if number(group, "configuration.bytesScannedCutoffPerQuery") < 1:
        yield "lets a question read everything"
    if get(group, "configuration.publishCloudwatchMetricsEnabled") is not True:
        yield "counts nothing"
    result = "configuration.resultConfiguration"
    keys = view.targets(group, f"{result}.encryptionConfiguration.kmsKeyArn", *KEYS)
    if get(group, f"{result}.encryptionConfiguration.encryptionOption") not in ("SSE_KMS", "CSE_KMS") or not keys:
        yield "writes answers with no key of ours"
    place = str(get(group, f"{result}.outputLocation", "")).removeprefix("s3://").partition("/")[0]
    if not any(get(each, "bucket") == place for each in view.of(BUCKET)):
        yield "writes answers to no bucket of ours"
    if not get(group, f"{result}.expectedBucketOwner"):
        yield "writes answers to whoever owns the bucket by then"
    if view.is_prod and get(group, "forceDestroy") is not False:
        yield "is deleted with the questions that were asked"
