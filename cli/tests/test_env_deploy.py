"""`nottermost env up`, `down` and `outputs`, by the calls that the Pulumi CLI gets; a stand-in takes them down."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nottermost_cli.testing import Call, make_call
from nottermost_conventions import ExitCode
from nottermost_platform.checks import OWNERSHIP, Owned
from nottermost_platform.configuration import STACKS
from nottermost_platform.deploy import pipeline_role

STAND_IN = Path(__file__).with_name("pulumi_stand_in.py")
REASON = "the pipeline is down and so is the chat"
DEV = ["account", "network", "identity", "data", "async", "edge", "cluster", "observability", "chat", "delivery"]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """With nothing of the environment that could be meant for Pulumi; the audit goes to a folder of the test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in (
        "PULUMI_BACKEND_URL",
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
    ):
        monkeypatch.delenv(name, raising=False)
    return make_call(monkeypatch, capfd)


class Pulumi:
    """The stand-in, as a test sees it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "world.json"
        self.write({"version": "3.200.0", "stacks": {}, "fail": [], "closed": False})

    def write(self, world: dict[str, Any]) -> None:
        self.file.write_text(json.dumps(world))

    def set(self, **changes: Any) -> None:
        self.write({**self.world, **changes})

    def fill(self, *stacks: str, resources: list[dict[str, Any]] | None = None) -> None:
        """Stacks, as `<folder>/<stack>`, with something in them."""
        each: dict[str, Any] = {"outputs": {}, "resources": [{"urn": "urn:x::vpc"}] if resources is None else resources}
        self.set(stacks={**self.world["stacks"], **dict.fromkeys(stacks, each)})

    @property
    def world(self) -> dict[str, Any]:
        return dict(json.loads(self.file.read_text()))

    @property
    def calls(self) -> list[dict[str, Any]]:
        path = self.file.with_suffix(".calls")
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def folders(self, verb: str) -> list[str]:
        """The stacks for which a verb was called, in order."""
        return [each["folder"] for each in self.calls if each["argv"][0] == verb]


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pulumi:
    """A `pulumi` on the PATH."""
    command = tmp_path / "bin" / "pulumi"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {STAND_IN} "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    found = Pulumi(tmp_path)
    monkeypatch.setenv("PULUMI_STAND_IN", str(found.file))
    return found


@pytest.fixture
def temporary() -> Iterator[str]:
    """The name of a temporary environment, whose settings are gone afterwards."""
    env = f"pr-{20_000 + os.getpid() % 70_000}"
    yield env
    for path in STACKS.glob(f"*/Pulumi.{env}-*.yaml"):
        path.unlink()


@pytest.fixture
def audit(tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    path = tmp_path / "state" / "nottermost" / "break-glass.jsonl"
    return lambda: [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_up_calls_the_cli_exactly_so(call: Call, pulumi: Pulumi) -> None:
    """One stack: selected, made with the account's key, brought up with bounds and a message, by its own folder."""
    result = call("up", "dev", "--stack", "network", "--yes")
    assert result.code == ExitCode.DONE, result.err
    assert result.out.endswith("dev is up: network in us-east-1\n")
    stack = ["--stack", "dev-us-east-1"]
    argv = [each["argv"] for each in pulumi.calls]
    message = argv[2][argv[2].index("--message") + 1]
    assert message.startswith("nottermost env up dev (commit ")
    key = "awskms:///arn:aws:kms:us-east-1:111122223333:alias/dev-state?region=us-east-1"
    assert argv == [
        ["stack", "select", *stack],
        ["stack", "init", "dev-us-east-1", "--secrets-provider", key],
        [
            "up", "--yes", "--skip-preview", "--message", message, "--parallel", "20", "--color", "never",
            "--suppress-outputs", "--exec-kind", "auto.local", *stack,
        ],
        ["stack", "output", "--json", *stack],
        ["stack", "output", "--json", "--show-secrets", *stack],
        ["stack", "history", "--json", "--page-size", "1", "--page", "1", *stack],
    ]  # fmt: skip
    assert {each["folder"] for each in pulumi.calls} == {"network"}
    backend = "s3://nottermost-dev-use1-state-111122223333?region=us-east-1&awssdk=v2"
    assert {each["environment"]["PULUMI_BACKEND_URL"] for each in pulumi.calls} == {backend}


@pytest.mark.slow
def test_up_goes_through_all_stacks(call: Call, pulumi: Pulumi) -> None:
    """Each stack comes after what it requires."""
    result = call("up", "dev", "--yes")
    assert result.code == ExitCode.DONE, result.err
    order = pulumi.folders("up")
    assert sorted(order) == sorted(DEV)
    assert order.index("network") < order.index("data") < order.index("chat") < len(order)


def test_up_stops_where_a_stack_fails(call: Call, pulumi: Pulumi) -> None:
    """After a failure nothing is touched, and the last line says why, what was done and what not."""
    arguments = ("up", "prod", "--stack", "network", "--yes", "--break-glass", REASON)
    pulumi.set(fail=["network/prod-us-east-1"])
    first = call(*arguments)
    assert first.code == ExitCode.FAILED
    assert [each["argv"][-1] for each in pulumi.calls if each["argv"][0] == "up"] == ["prod-us-east-1"]
    why = "failed: error: update failed: the subnet is in use"
    last = f"nottermost: network in us-east-1 {why}; done: none; not begun: network in eu-west-1"
    assert first.err.splitlines()[-1] == last
    pulumi.set(fail=["network/prod-eu-west-1"])
    last = f"nottermost: network in eu-west-1 {why}; done: network in us-east-1; not begun: none"
    assert call(*arguments).err.splitlines()[-1] == last


def test_a_state_that_cannot_be_opened_stops_it(call: Call, pulumi: Pulumi) -> None:
    """The CLI's reason is passed on; for the account, whose bucket may not be there yet, with what to do."""
    pulumi.set(closed=True)
    network = call("up", "dev", "--stack", "network", "--yes")
    assert network.code == ExitCode.FAILED
    assert "cannot be opened: error: could not list bucket: NoSuchBucket; done: none" in network.err
    account = call("up", "dev", "--stack", "account", "--yes")
    assert account.code == ExitCode.FAILED
    assert "NoSuchBucket; an account's first state is in files: see PULUMI_BACKEND_URL" in account.err
    assert call("outputs", "dev", "--stack", "network").code == ExitCode.FAILED
    assert pulumi.folders("up") == []


def test_dry_run_prints_the_plan_and_calls_nobody(call: Call, pulumi: Pulumi) -> None:
    """The plan of a dry run is the one that the real run prints; production's needs no permission."""
    plan = call("up", "dev", "--stack", "network", "--dry-run")
    assert plan.code == ExitCode.DONE
    assert "  1. pulumi up --stack dev-us-east-1 in platform/stacks/network\n" in plan.out
    assert pulumi.calls == []
    real = call("up", "dev", "--stack", "network", "--yes")
    assert real.out.startswith(plan.out)
    prod = call("up", "prod", "--stack", "network", "--dry-run")
    assert prod.code == ExitCode.DONE
    assert "  2. pulumi up --stack prod-eu-west-1 in platform/stacks/network\n" in prod.out


def test_nothing_is_deployed_with_a_finding(call: Call, pulumi: Pulumi, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that fails ends it before the CLI is as much as looked for."""
    monkeypatch.setitem(OWNERSHIP, "aws:ec2/vpc:Vpc", (Owned(("cidrBlock",), "nobody"),))
    result = call("up", "dev", "--stack", "network", "--yes")
    assert result.code == ExitCode.FAILED
    assert "must ignore changes of cidrBlock" in result.err
    assert pulumi.calls == []


def test_without_yes_somebody_has_to_be_there(call: Call, pulumi: Pulumi) -> None:
    """In a job nobody can be asked: that is wrong usage, and nothing happens."""
    result = call("up", "dev", "--stack", "network")
    assert result.code == ExitCode.USAGE
    assert "--yes" in result.err
    assert pulumi.calls == []


def test_without_the_cli_it_says_what_to_install(call: Call, pulumi: Pulumi, monkeypatch: pytest.MonkeyPatch) -> None:
    """No CLI, or one that is too old: the preview, then one sentence with version and address."""
    pulumi.set(version="3.180.0")
    old = call("up", "dev", "--stack", "network", "--yes")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    missing = call("up", "dev", "--stack", "network", "--yes")
    for result in (old, missing, call("outputs", "dev"), call("down", "dev", "--confirm", "dev")):
        assert result.code == ExitCode.FAILED
        assert "the Pulumi CLI 3.194.0 or newer is needed: install it from https://" in result.err
    assert "your current CLI version is 3.180.0" in old.err
    assert "dev: " in missing.out
    assert pulumi.calls == []


# --- production -----------------------------------------------------------------------------------


def test_production_is_refused_without_role_or_reason(call: Call, pulumi: Pulumi, audit: Callable[[], Any]) -> None:
    """No role, a reason that says nothing, a reason where none is needed: refused, nothing called, nothing written."""
    refused = call("up", "prod", "--stack", "network", "--yes")
    assert refused.code == ExitCode.FAILED
    assert "--break-glass" in refused.err
    assert call("up", "prod", "--stack", "network", "--yes", "--break-glass", "urgent").code == ExitCode.USAGE
    assert call("up", "dev", "--stack", "network", "--yes", "--break-glass", REASON).code == ExitCode.USAGE
    assert call("down", "prod", "--confirm", "prod").code == ExitCode.FAILED
    assert (pulumi.calls, audit()) == ([], [])


def test_the_pipelines_role_may(
    call: Call, pulumi: Pulumi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, audit: Callable[[], Any]
) -> None:
    """The role that a job takes by OIDC is enough; not while keys are set, which the SDKs would use instead."""
    (tmp_path / "token").write_text("token")
    monkeypatch.setenv("AWS_ROLE_ARN", pipeline_role("prod"))
    assert call("up", "prod", "--stack", "network", "--yes").code == ExitCode.FAILED  # without a token nobody is it
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    keys = call("up", "prod", "--stack", "network", "--yes")
    assert keys.code == ExitCode.FAILED
    assert "AWS_ACCESS_KEY_ID would be used instead" in keys.err
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert call("up", "prod", "--stack", "network", "--yes").code == ExitCode.DONE
    assert [each["argv"][-1] for each in pulumi.calls if each["argv"][0] == "up"] == [
        "prod-us-east-1",
        "prod-eu-west-1",
    ]
    assert audit() == []


def test_broken_glass_is_written_down_first(call: Call, pulumi: Pulumi, audit: Callable[[], Any]) -> None:
    """Who, what and why stand in the audit also when the deployment fails, each time; the state's history has the reason."""
    pulumi.set(fail=["network/prod-eu-west-1"])
    for _ in range(2):
        assert call("up", "prod", "--stack", "network", "--yes", "--break-glass", REASON).code == ExitCode.FAILED
    first, second = audit()
    assert first["reason"] == second["reason"] == REASON
    assert first["stacks"] == ["network.us-east-1", "network.eu-west-1"]
    assert {"at", "user", "commit", "environment", "action"} <= first.keys()
    ups = [each["argv"] for each in pulumi.calls if each["argv"][0] == "up"]
    assert all(argv[argv.index("--message") + 1].startswith(f"break-glass: {REASON}") for argv in ups)


# --- down -----------------------------------------------------------------------------------------


def test_down_wants_the_name(call: Call, pulumi: Pulumi) -> None:
    """Without the name, or with another: wrong usage; production's two steps are shown with their commands."""
    assert call("down", "dev").code == ExitCode.USAGE
    assert call("down", "dev", "--confirm", "staging").code == ExitCode.USAGE
    prod = call("down", "prod", "--break-glass", REASON)
    assert prod.code == ExitCode.USAGE
    assert "1. Take off what protects it" in prod.out
    assert "pulumi state unprotect --all --yes --stack prod-us-east-1" in prod.out
    assert "2. Destroy what is left unprotected" in prod.out
    assert call("down", "dev", "--dry-run").code == ExitCode.DONE
    assert pulumi.calls == []


def test_down_goes_backwards_and_leaves_the_account(call: Call, pulumi: Pulumi) -> None:
    """What was brought up last goes first; the account, which holds the state, stays; refused when asked for alone."""
    pulumi.fill(*(f"{name}/dev-us-east-1" for name in DEV))
    result = call("down", "dev", "--confirm", "dev")
    assert result.code == ExitCode.DONE, result.err
    order = pulumi.folders("destroy")
    assert sorted([*order, "account"]) == sorted(DEV)
    assert order.index("chat") < order.index("data") < order.index("network")
    (argv,) = [each["argv"] for each in pulumi.calls if each["argv"][0] == "destroy" and each["folder"] == "network"]
    assert argv[:3] == ["destroy", "--skip-preview", "--yes"]
    assert "--exclude-protected" not in argv
    assert argv[-2:] == ["--stack", "dev-us-east-1"]
    assert "network/dev-us-east-1" in pulumi.world["stacks"]
    refused = call("down", "dev", "--stack", "account", "--confirm", "dev")
    assert refused.code == ExitCode.USAGE
    assert "holds the state" in refused.err


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ({"urn": "urn:x::main", "protect": True}, "pulumi state unprotect --all --stack prod-us-east-1"),
        ({"urn": "urn:x::main", "outputs": {"deletionProtection": True}}, "deletion protection of main"),
        ({"urn": "urn:x::pool", "outputs": {"deletionProtection": "ACTIVE"}}, "deletion protection of pool"),
    ],
)
def test_down_touches_nothing_while_something_is_protected(
    call: Call, pulumi: Pulumi, resource: dict[str, Any], words: str
) -> None:
    """One protected resource anywhere keeps all of the environment standing, also with a reason and the name."""
    pulumi.fill("chat/prod-us-east-1")
    pulumi.fill("network/prod-us-east-1", resources=[resource])
    result = call("down", "prod", "--confirm", "prod", "--break-glass", REASON)
    assert result.code == ExitCode.FAILED
    assert words in result.err
    assert pulumi.folders("destroy") == []


def test_down_of_one_stack_spares_what_others_stand_on(call: Call, pulumi: Pulumi) -> None:
    """The network does not go while the data stack is up; it does when that is gone."""
    pulumi.fill("network/dev-us-east-1", "data/dev-us-east-1")
    refused = call("down", "dev", "--stack", "network", "--confirm", "dev")
    assert refused.code == ExitCode.FAILED
    assert "data in us-east-1 stands on it" in refused.err
    assert pulumi.folders("destroy") == []
    assert call("down", "dev", "--stack", "data", "--confirm", "dev").code == ExitCode.DONE
    assert call("down", "dev", "--stack", "network", "--confirm", "dev").code == ExitCode.DONE


# --- temporary environments -----------------------------------------------------------------------


def test_a_temporary_environment_comes_and_goes(call: Call, pulumi: Pulumi, temporary: str) -> None:
    """A date writes settings of its own; with them it is brought up again; down leaves neither stack nor settings."""
    from datetime import UTC, datetime, timedelta

    until = (datetime.now(UTC) + timedelta(days=7)).date().isoformat()
    path = STACKS / "network" / f"Pulumi.{temporary}-us-east-1.yaml"
    without = call("up", temporary, "--stack", "network", "--yes")
    assert without.code == ExitCode.USAGE
    assert f"--expires {until}" in without.err
    call("up", temporary, "--stack", "network", "--expires", until, "--dry-run")
    assert not path.exists()
    made = call("up", temporary, "--stack", "network", "--expires", until, "--yes")
    assert made.code == ExitCode.DONE, made.err
    text = path.read_text()
    assert f'expires_on: "{until}"' in text
    assert f"domain: {temporary}.example.com" in text
    assert "pr-0" not in text
    assert call("up", temporary, "--stack", "network", "--yes").code == ExitCode.DONE
    gone = call("down", temporary, "--stack", "network", "--confirm", temporary)
    assert gone.code == ExitCode.DONE, gone.err
    assert pulumi.world["stacks"] == {}
    assert not path.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("up", "pr-0", "--yes"),
        ("up", "dev", "--expires", "2099-01-01", "--yes"),
        ("up", "pr-7", "--expires", "2001-01-01", "--yes"),
        ("up", "pr-7", "--expires", "2099-01-01", "--yes"),
        ("up", "pr-7", "--stack", "delivery", "--yes"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(call: Call, pulumi: Pulumi, arguments: tuple[str, ...]) -> None:
    """The tests' fixture, a date where none belongs, in the past or too far away, a stack that is not there."""
    result = call(*arguments)
    assert result.code == ExitCode.USAGE
    assert result.err.startswith("nottermost: ")
    assert len(result.err.strip().splitlines()) == 1
    assert pulumi.calls == []


# --- outputs --------------------------------------------------------------------------------------


def test_outputs_never_ask_for_secrets(call: Call, pulumi: Pulumi) -> None:
    """Secrets come masked from the CLI itself; a stack that was never brought up is not there."""
    pulumi.set(
        stacks={"network/dev-us-east-1": {"outputs": {"vpc_id": "vpc-1", "token": "plain text"}, "resources": []}}
    )
    shown = call("outputs", "dev", "--stack", "network")
    assert shown.out == "from state\nnetwork.us-east-1\n  vpc_id: vpc-1\n  token: [secret]\n"
    found = json.loads(call("outputs", "dev", "--stack", "network", "--json").out)
    assert found["stacks"] == {"network.us-east-1": {"vpc_id": "vpc-1", "token": "[secret]"}}
    assert call("outputs", "dev", "--stack", "identity").out == "from state\nidentity.us-east-1: not there\n"
    assert not any("--show-secrets" in each["argv"] for each in pulumi.calls)


def test_captured_outputs_say_what_they_are(call: Call, pulumi: Pulumi) -> None:
    """Without state there are placeholders, and they are called so."""
    found = json.loads(call("outputs", "dev", "--stack", "network", "--captured", "--json").out)
    assert found["source"].startswith("captured")
    assert found["stacks"]["network.us-east-1"]["vpc_id"].startswith("vpc-")
    assert pulumi.calls == []


def test_another_backend_is_taken_from_the_environment(
    call: Call, pulumi: Pulumi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An account's first state is in files, encrypted by passphrase: its bucket is not there yet."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    assert call("up", "dev", "--stack", "account", "--yes").code == ExitCode.DONE
    assert ["stack", "init", "dev-us-east-1", "--secrets-provider", "passphrase"] in [
        each["argv"] for each in pulumi.calls
    ]
    assert {each["environment"]["PULUMI_BACKEND_URL"] for each in pulumi.calls} == {f"file://{tmp_path}"}
