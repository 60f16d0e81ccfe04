"""The account stack: state, audit, defaults and money, in production and elsewhere."""

from typing import Any

import pytest

from nottermost_platform.capture import Captured, capture
from nottermost_platform.settings import Place, SettingsError

PROD = Place(env="prod", region="us-east-1")
DEV = Place(env="dev", region="us-east-1")
ACCOUNT = "333344445555"
Inputs = dict[str, Any]


def inputs(captured: Captured, kind: str, name: str = "") -> list[Inputs]:
    """Inputs of all resources of a type, or of the one of a name."""
    nodes = [node for node in captured.nodes.values() if node.custom and node.type.endswith(f":{kind}")]
    return [node.inputs for node in nodes if name in ("", node.name)]


@pytest.fixture(scope="module")
def prod() -> Captured:
    return capture("account", PROD, {})


def test_a_first_preview_declares_the_same(prod: Captured) -> None:
    """Nothing is made inside `apply`."""
    assert set(capture("account", PROD, {}, unknown=True).nodes) == set(prod.nodes)


def test_audit_and_state_outlive_the_stack(prod: Captured) -> None:
    """What was recorded stays, also when the stack goes."""
    kept = {node.name for node in prod.nodes.values() if node.options["retain_on_delete"]}
    assert kept == {"access-logs", "inventory", "state", "trail", "trail-log"}


def test_config_records_with_the_role_of_the_service(prod: Captured) -> None:
    """No managed policy is attached to anything: AWS's own role for Config follows the service."""
    roles = {each["awsServiceName"] for each in inputs(prod, "ServiceLinkedRole")}
    assert roles == {"config.amazonaws.com", "opensearchservice.amazonaws.com"}
    assert not inputs(prod, "RolePolicyAttachment")


def test_money_is_watched(prod: Captured) -> None:
    """Warnings at 50, 80 and 100 %, spent and foreseen."""
    (budget,) = inputs(prod, "Budget")
    warned = {(each["notificationType"], each["threshold"]) for each in budget["notifications"]}
    assert warned == {(kind, percent) for kind in ("ACTUAL", "FORECASTED") for percent in (50, 80, 100)}


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
