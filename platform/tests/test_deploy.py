"""What a deployment relies on: names by construction, settings of temporary environments, the audit."""

import json
import stat
from datetime import date
from pathlib import Path

import pytest

from nottermost_platform.configuration import STACKS, check_environment, read_environment
from nottermost_platform.deploy import (
    find_dependents,
    find_state,
    make_plan,
    pipeline_role,
    plan_settings,
    read_commit,
    write_audit,
)
from nottermost_platform.targets import WrongUsage, find_targets
from nottermost_platform.testing import one, what_if

TODAY = date(2026, 11, 21)


def test_state_is_where_the_account_makes_it() -> None:
    """The backend's bucket and the key's alias are those that the account stack declares; pr-<n> uses dev's."""
    graph = what_if("dev", "account")
    bucket = one(graph, "s3/bucket:Bucket", "state").inputs["bucket"]
    alias = one(graph, "kms/alias:Alias", "state-alias").inputs["name"]
    backend, secrets = find_state("dev", {})
    assert backend.startswith(f"s3://{bucket}?")
    assert secrets.endswith(f":{alias}?region=us-east-1")
    assert find_state("pr-12", {}) == (backend, secrets)


def test_another_backend_wins() -> None:
    """Pulumi's own variable; what is in files is encrypted by passphrase, as there may be no key yet."""
    assert find_state("dev", {"PULUMI_BACKEND_URL": "file:///state"}) == ("file:///state", "passphrase")
    assert find_state("dev", {"PULUMI_BACKEND_URL": "s3://other"})[1].startswith("awskms://")


def test_the_pipelines_role_is_the_one_that_the_stack_makes() -> None:
    """The guard of production waits for exactly the role that the delivery stack declares."""
    role = one(what_if("dev", "delivery"), "iam/role:Role", "pipeline-deploy", stack="delivery")
    assert pipeline_role("dev").endswith(f":role/{role.inputs['name']}")


def test_a_plan_goes_up_in_order_and_down_in_reverse() -> None:
    """Production goes up in its primary region first and down there last; the account stays unless its state moved."""
    targets = find_targets("prod")
    up = make_plan("up", "prod", targets, environ={})
    down = make_plan("down", "prod", targets, environ={})
    moved = make_plan("down", "prod", targets, environ={"PULUMI_BACKEND_URL": "file:///state"})
    assert list(up.targets) == targets
    assert list(moved.targets) == targets[::-1]
    assert [each for each in moved.targets if each.stack != "account"] == list(down.targets)
    assert down.targets[0].place.region == "eu-west-1"
    assert [each.removes_stacks for each in (up, down, make_plan("down", "pr-7", find_targets("pr-7"), environ={}))] == [
        False, False, True,
    ]  # fmt: skip


def test_dependents_are_found_in_every_region() -> None:
    """On the primary's identity stands the chat of both regions; on the standby's network nothing in the primary's."""
    identity = find_dependents(tuple(find_targets("prod", "identity")))
    assert {each.place.region for each in identity if each.stack == "chat"} == {"us-east-1", "eu-west-1"}
    standby = tuple(each for each in find_targets("prod", "network") if each.place.is_standby)
    assert {each.place.region for each in find_dependents(standby)} == {"eu-west-1"}


def test_settings_of_a_temporary_environment() -> None:
    """Those of pr-0 with another name and date, as text and as what a preview is made with; nothing is written."""
    targets = find_targets("pr-41234")
    planned = plan_settings(targets, date(2026, 12, 1), today=TODAY)
    assert {path.parent.name for path in planned.files} == {each.stack for each in targets}
    path = STACKS / "network" / "Pulumi.pr-41234-us-east-1.yaml"
    text = planned.files[path]
    assert text.startswith("# yaml-language-server: $schema=../../schemas/network.json\n")
    assert planned.overrides["network"]["domain"] == "pr-41234.example.com"
    assert planned.overrides["network"]["expires_on"] == "2026-12-01"
    assert not path.exists()


def test_all_stacks_end_together() -> None:
    """Where one is brought up alone, the others, which have no settings yet, are previewed with its date."""
    planned = plan_settings(find_targets("pr-41234", "network"), date(2026, 12, 1), today=TODAY)
    assert [path.parent.name for path in planned.files] == ["network"]
    assert planned.overrides["data"] == {"expires_on": "2026-12-01"}
    check_environment(read_environment("pr-41234", overrides=planned.overrides))


@pytest.mark.parametrize("expires", [date(2026, 11, 21), date(2027, 3, 1), None])
def test_a_temporary_environment_needs_an_end(expires: date | None) -> None:
    """Today is too early, next year too late, and none is no end."""
    with pytest.raises(WrongUsage, match="--expires"):
        plan_settings(find_targets("pr-41234"), expires, today=TODAY)


def test_the_audit_only_grows(tmp_path: Path) -> None:
    """A line for each, readable by its owner alone, with all that a reader wants to know."""
    path = tmp_path / "new" / "audit.jsonl"
    plan = make_plan("up", "prod", find_targets("prod", "network"), environ={}, reason="a good reason")
    write_audit(plan, "a good reason", path)
    write_audit(plan, "another reason", path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["reason"] for line in lines] == ["a good reason", "another reason"]
    assert lines[0]["environment"] == "prod"
    assert lines[0]["commit"] == read_commit()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert plan.message.startswith("break-glass: a good reason (commit ")
