"""The account stack: state, audit, defaults and money, in production and elsewhere."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from nottermost_platform.capture import Captured, capture
from nottermost_platform.naming import REQUIRED_TAGS
from nottermost_platform.settings import Place, SettingsError

PROD = Place(env="prod", region="us-east-1")
DEV = Place(env="dev", region="us-east-1")
ACCOUNT = "333344445555"
Inputs = dict[str, Any]


def inputs(captured: Captured, kind: str, name: str = "") -> list[Inputs]:
    """Inputs of all resources of a type, or of the one of a name."""
    nodes = [node for node in captured.nodes.values() if node.custom and node.type.endswith(f":{kind}")]
    return [node.inputs for node in nodes if name in ("", node.name)]


def statements(document: str) -> dict[str, Inputs]:
    """Statements of a policy by their sid."""
    return {each.get("Sid", str(place)): each for place, each in enumerate(json.loads(document)["Statement"])}


@pytest.fixture(scope="module")
def prod() -> Captured:
    return capture("account", PROD, {})


def test_a_first_preview_declares_the_same(prod: Captured) -> None:
    """Nothing is made inside `apply`."""
    assert set(capture("account", PROD, {}, unknown=True).nodes) == set(prod.nodes)


CONTROLS = [
    (
        53,
        "BucketPublicAccessBlock",
        lambda i: i["blockPublicAcls"] and i["blockPublicPolicy"] and i["ignorePublicAcls"],
    ),
    (53, "BucketPolicy", lambda i: "DenyPlainTransport" in statements(i["policy"])),
    (54, "BucketOwnershipControls", lambda i: i["rule"]["objectOwnership"] == "BucketOwnerEnforced"),
    (54, "BucketVersioning", lambda i: i["versioningConfiguration"]["status"] == "Enabled"),
    (55, "BucketLogging", lambda i: "access-logs" in i["targetBucket"]),
    (55, "Bucket", lambda i: i["forceDestroy"] is False),
    (71, "Topic", lambda i: i["kmsMasterKeyId"].startswith("arn:aws:kms:")),
    (72, "Key", lambda i: i["enableKeyRotation"] and i["deletionWindowInDays"] == 30),
    (74, "LogGroup", lambda i: i["retentionInDays"] >= 365 and i["kmsKeyId"]),
]


@pytest.mark.parametrize(
    ("control", "kind", "holds"), CONTROLS, ids=[f"{number}-{kind}" for number, kind, _ in CONTROLS]
)
def test_controls_hold(prod: Captured, control: int, kind: str, holds: Callable[[Inputs], bool]) -> None:
    """The controls of the checklist that concern an account."""
    found = inputs(prod, kind)
    assert found
    assert all(holds(each) for each in found), control


def test_buckets_but_that_of_access_logs_have_our_key(prod: Captured) -> None:
    """Control 54; AWS cannot deliver access logs to a bucket with a key of ours."""
    found = {each["bucket"]: each["rules"][0] for each in inputs(prod, "BucketServerSideEncryptionConfiguration")}
    plain = [bucket for bucket, rule in found.items() if not rule["bucketKeyEnabled"]]
    assert plain == [f"nottermost-prod-use1-access-logs-{ACCOUNT}"]
    assert len(found) == 5


def test_the_trail_sees_all_and_cannot_be_changed(prod: Captured) -> None:
    """All regions, validated, encrypted, searchable; its bucket is locked, its own, and both stay."""
    (trail,) = inputs(prod, "Trail")
    assert trail["isMultiRegionTrail"]
    assert trail["enableLogFileValidation"]
    assert trail["kmsKeyId"]
    assert trail["cloudWatchLogsGroupArn"].endswith("/nottermost/prod/trail:*")
    assert "resources.ARN" in str(trail["advancedEventSelectors"])  # who read the state
    (lock,) = inputs(prod, "BucketObjectLockConfiguration")
    assert lock["bucket"] == trail["s3BucketName"]
    assert lock["rule"]["defaultRetention"]["days"] >= 365
    (policy,) = (each["policy"] for each in inputs(prod, "BucketPolicy", "trail-policy"))
    writes = statements(policy)["TrailWrites"]
    assert writes["Condition"]["StringEquals"]["aws:SourceArn"].endswith(f"trail/{trail['name']}")
    kept = {node.name for node in prod.nodes.values() if node.options["retain_on_delete"]}
    assert kept == {"access-logs", "inventory", "state", "trail", "trail-log"}


def test_every_region_in_use_is_looked_after(prod: Captured) -> None:
    """GuardDuty, Config, disks and outside access: on in both of production's regions, in dev's one."""
    for captured, regions in ((prod, {"us-east-1", "eu-west-1"}), (capture("account", DEV, {}), {"us-east-1"})):
        for kind in ("Detector", "Recorder", "RecorderStatus", "DeliveryChannel", "EncryptionByDefault", "Analyzer"):
            assert {each["region"] for each in inputs(captured, kind)} == regions, kind
        assert {each["status"] for each in inputs(captured, "DetectorFeature")} == {"ENABLED"}
        assert len(inputs(captured, "DetectorFeature")) == 4 * len(regions)


def test_control_76_roles(prod: Captured) -> None:
    """Services take roles on behalf of this account; CloudTrail alone does not say for whom (so its role trusts it)."""
    trusts = {
        node.name: node.inputs["assumeRolePolicy"] for node in prod.nodes.values() if node.type == "aws:iam/role:Role"
    }
    plain = {name for name, policy in trusts.items() if f'"aws:SourceAccount":"{ACCOUNT}"' not in policy}
    assert plain == {"trail-log"}
    (statement,) = statements(trusts["trail-log"]).values()
    assert statement["Principal"] == {"Service": ["cloudtrail.amazonaws.com"]}


def test_config_records_with_the_role_of_the_service(prod: Captured) -> None:
    """No managed policy is attached to anything: AWS's own role for Config follows the service."""
    roles = {each["awsServiceName"] for each in inputs(prod, "ServiceLinkedRole")}
    assert roles == {"config.amazonaws.com", "opensearchservice.amazonaws.com"}
    assert not inputs(prod, "RolePolicyAttachment")
    assert sum(each["recordingGroup"]["includeGlobalResourceTypes"] for each in inputs(prod, "Recorder")) == 1


def test_money_is_watched(prod: Captured) -> None:
    """Warnings at 50, 80 and 100 % spent and foreseen, to people and topic; the bill knows every tag and comes as FOCUS."""
    (budget,) = inputs(prod, "Budget")
    warned = {(each["notificationType"], each["threshold"]) for each in budget["notifications"]}
    assert warned == {(kind, percent) for kind in ("ACTUAL", "FORECASTED") for percent in (50, 80, 100)}
    assert all(each["subscriberEmailAddresses"] and each["subscriberSnsTopicArns"] for each in budget["notifications"])
    assert {each["tagKey"] for each in inputs(prod, "CostAllocationTag")} == set(REQUIRED_TAGS)
    (export,) = inputs(prod, "Export")
    assert "EffectiveCost" in export["export"]["dataQueries"][0]["queryStatement"]
    (policy,) = (each["policy"] for each in inputs(prod, "BucketPolicy", "bill-policy"))
    assert "bcm-data-exports.amazonaws.com" in statements(policy)["DataExports"]["Principal"]["Service"]


def test_a_member_account_leaves_out_what_only_the_payer_may() -> None:
    """No tags on the bill, and the monitor that AWS made is used."""
    monitor = "arn:aws:ce::111122223333:anomalymonitor/0"
    captured = capture("account", DEV, {}, overrides={"tags_on_bill": False, "anomaly_monitor_arn": monitor})
    assert not inputs(captured, "CostAllocationTag")
    assert not inputs(captured, "AnomalyMonitor")
    assert inputs(captured, "AnomalySubscription")[0]["monitorArnLists"] == [monitor]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"trail_locked_days": 30}, "trail_locked_days: in production 365 days or more, for audits"),
        ({"config_continuous": False}, "config_continuous: in production every change is recorded: true"),
        ({"emails": []}, "emails: "),
    ],
)
def test_unsafe_production_is_refused(settings: Inputs, told: str) -> None:
    """One sentence with the key and what is allowed."""
    with pytest.raises(SettingsError, match=told):
        capture("account", PROD, {}, overrides=settings)
