"""`nottermost env reap`, with the stand-in for the Pulumi CLI and an account that moto serves."""

import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from nottermost_cli.testing import Call, make_call
from nottermost_conventions import ExitCode
from nottermost_platform import deploy
from nottermost_platform.reap import Environment, Verdict, decide
from nottermost_platform.testing_account import credentials, running_account

pytestmark = pytest.mark.slow  # the stand-in is started for every stack
STAND_IN = Path(__file__).with_name("pulumi_stand_in.py")
DEV_ACCOUNT = "111122223333"
TODAY = datetime.now(UTC).date()
YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)
STACKS = ("network", "data", "chat")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_account(DEV_ACCOUNT, tmp_path_factory.mktemp("moto") / "moto.log") as found:
        yield found


class World:
    """What there is: the settings in the stacks' folders, the state that the stand-in keeps, the account."""

    def __init__(self, folder: Path, stacks: Path) -> None:
        self.file, self.stacks = folder / "world.json", stacks
        self.state: dict[str, Any] = {"version": "3.200.0", "stacks": {}, "fail": [], "closed": False}
        self._write()

    def _write(self) -> None:
        self.file.write_text(json.dumps(self.state))

    def settings(self, env: str, expires: date | str | None, *stacks: str) -> list[Path]:
        """Write settings of an environment's stacks."""
        text = "" if expires is None else f'\n    expires_on: "{expires}"'
        paths = [self.stacks / stack / f"Pulumi.{env}-us-east-1.yaml" for stack in stacks or STACKS]
        for path in paths:
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"config:\n  nottermost-{path.parent.name}:settings:\n    domain: x.example.com{text}\n")
        return paths

    def up(self, env: str, *stacks: str, fail: str = "") -> None:
        """Put stacks into the state, each with one thing by its id; `fail`: the one that cannot be destroyed."""
        for stack in stacks or STACKS:
            resources = [{"urn": "urn:x::vpc", "inputs": {"tags": {"nottermost-id": f"{env}-{stack}"}}}]
            self.state["stacks"][f"{stack}/{env}-us-east-1"] = {"outputs": {}, "resources": resources}
        self.state["fail"] = [f"{fail}/{env}-us-east-1"] if fail else []
        self._write()

    def tag(self, env: str, expires: str, stack: str = "chat") -> str:
        """Something of a stack in the account that bears an environment's tags."""
        tags = {"env": env, "expires-on": expires, "managed-by": "pulumi", "nottermost-id": f"{env}-{stack}"}
        sqs = boto3.client("sqs", region_name="us-east-1")
        sqs.create_queue(QueueName=f"{env}-{stack}", tags=tags)
        return f"arn:aws:sqs:us-east-1:{DEV_ACCOUNT}:{env}-{stack}"

    @property
    def left(self) -> list[str]:
        """The stacks that the state still has."""
        return sorted(json.loads(self.file.read_text())["stacks"])

    @property
    def destroyed(self) -> list[str]:
        """`<folder>/<stack>` of every destruction that was asked for, in order."""
        path = self.file.with_suffix(".calls")
        calls = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [f"{each['folder']}/{each['argv'][-1]}" for each in calls if each["argv"][0] == "destroy"]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> World:
    """An empty one; `pulumi` is the stand-in, AWS is moto, settings are in a folder of the test."""
    urllib.request.urlopen(urllib.request.Request(f"{address}/moto-api/reset", method="POST")).close()
    for name in ("PULUMI_BACKEND_URL", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in credentials(address).items():
        monkeypatch.setenv(name, value)
    command = tmp_path / "bin" / "pulumi"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {STAND_IN} "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    stacks = tmp_path / "stacks"
    stacks.mkdir()
    found = World(tmp_path, stacks)
    monkeypatch.setenv("PULUMI_STAND_IN", str(found.file))
    monkeypatch.setattr("nottermost_platform.reap.STACKS", stacks)
    return found


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    return make_call(monkeypatch, capfd)


# --- what is ended --------------------------------------------------------------------------------


def test_what_has_expired_is_ended_and_nothing_else(call: Call, world: World) -> None:
    """The last stack first; one whose last day is today, the tests' fixture and permanent ones stay."""
    gone, kept = world.settings("pr-11", YESTERDAY), world.settings("pr-12", TODAY)
    fixture, dev = world.settings("pr-0", "2001-01-01"), world.settings("dev", "2001-01-01")
    for env in ("pr-11", "pr-12", "pr-0", "dev"):
        world.up(env)
    result = call("reap")
    assert result.code == ExitCode.DONE, result.err
    assert world.destroyed == [f"{stack}/pr-11-us-east-1" for stack in ("chat", "data", "network")]
    assert sorted({each.partition("/")[2] for each in world.left}) == [
        "dev-us-east-1",
        "pr-0-us-east-1",
        "pr-12-us-east-1",
    ]
    assert result.out == (
        f"pr-11: ended on {YESTERDAY}; is down: chat in us-east-1, data in us-east-1, network in us-east-1\n"
        f"pr-12: lives until {TODAY}\n"
    )
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in (*kept, *fixture, *dev))


def test_a_second_run_does_nothing(call: Call, world: World) -> None:
    """Neither state nor settings are left that it could end again; without any it needs no Pulumi."""
    world.settings("pr-11", YESTERDAY)
    world.up("pr-11", "network")
    assert call("reap").code == ExitCode.DONE
    before = world.destroyed
    again = call("reap")
    assert (again.code, again.out, world.destroyed) == (ExitCode.DONE, "no temporary environments\n", before)


def test_a_half_ended_one_is_finished(call: Call, world: World) -> None:
    """Of what failed the rest is left; the next run ends it."""
    world.settings("pr-11", YESTERDAY)
    world.up("pr-11", fail="data")
    first = call("reap")
    assert first.code == ExitCode.FAILED
    assert world.left == ["data/pr-11-us-east-1", "network/pr-11-us-east-1"]
    world.state["stacks"] = {key: world.state["stacks"][key] for key in world.left}
    world.up("pr-11", "network")
    assert call("reap").code == ExitCode.DONE
    assert world.left == []


def test_one_failure_does_not_keep_the_others(call: Call, world: World) -> None:
    """All are tried; the names of those that are left stand at the end."""
    for env in ("pr-11", "pr-12", "pr-13"):
        world.settings(env, YESTERDAY)
        world.up(env)
    world.up("pr-12", fail="data")
    result = call("reap")
    assert result.code == ExitCode.FAILED
    assert sorted({each.partition("/")[2] for each in world.left}) == ["pr-12-us-east-1"]
    assert "pr-12: ended on" in result.out
    assert "not ended: data in us-east-1 failed: error: update failed: the subnet is in use" in result.out
    assert result.err.splitlines()[-1] == "nottermost: not ended: pr-12"


def test_dry_run_prints_the_plans_and_does_nothing(call: Call, world: World) -> None:
    """The very plan of `env down`; nobody is called, nothing is removed."""
    paths = world.settings("pr-11", YESTERDAY)
    world.up("pr-11")
    result = call("reap", "--dry-run")
    assert result.code == ExitCode.DONE
    down = call("down", "pr-11", "--dry-run").out
    assert "".join(f"  {line}\n" for line in down.splitlines()) in result.out
    assert world.destroyed == []
    assert all(path.exists() for path in paths)


def test_json_is_one_object(call: Call, world: World) -> None:
    """What was decided, why, and what came of it, for a job that reports it."""
    world.settings("pr-11", YESTERDAY)
    world.settings("pr-12", TOMORROW)
    world.up("pr-11", "network")
    found = json.loads(call("reap", "--json").out)
    assert found["today"] == str(TODAY)
    ended, kept = found["environments"]
    assert (ended["env"], ended["verdict"], ended["done"]) == ("pr-11", "end", ["network in us-east-1"])
    assert (kept["env"], kept["verdict"], kept["done"], kept["ends"]) == ("pr-12", "keep", [], str(TOMORROW))


# --- when it ends ---------------------------------------------------------------------------------


@pytest.mark.parametrize("expires", [None, "soon", "2001-13-01"])
def test_without_a_day_it_is_not_touched(call: Call, world: World, expires: str | None) -> None:
    """No expiry, or one that is no day: left alone, and said so."""
    world.settings("pr-11", expires)
    world.up("pr-11")
    result = call("reap")
    assert result.code == ExitCode.DONE
    assert "pr-11: nobody knows when it ends" in result.out
    assert "left alone" in result.out
    assert world.destroyed == []


def test_the_later_of_two_days_counts(call: Call, world: World) -> None:
    """Somebody brought it up again from a branch, whose settings are not here: the account knows."""
    world.settings("pr-11", YESTERDAY)
    world.up("pr-11")
    world.tag("pr-11", str(TOMORROW))
    result = call("reap")
    assert (result.code, result.out) == (ExitCode.DONE, f"pr-11: lives until {TOMORROW}\n")
    assert world.destroyed == []


@pytest.mark.parametrize(
    ("environment", "verdict"),
    [
        (Environment(env="dev", ends=(YESTERDAY,)), Verdict.LEAVE),
        (Environment(env="pr-0", ends=(YESTERDAY,)), Verdict.LEAVE),
        (Environment(env="pr-1", ends=(YESTERDAY,)), Verdict.END),
        (Environment(env="pr-1", ends=(YESTERDAY, TODAY)), Verdict.KEEP),
        (Environment(env="pr-1", ends=(YESTERDAY,), unclear=("a tag",)), Verdict.LEAVE),
        (Environment(env="pr-1"), Verdict.LEAVE),
    ],
)
def test_the_decision(environment: Environment, verdict: Verdict) -> None:
    """By values alone; and never without the account's tags."""
    assert decide(environment, TODAY)[0] is verdict
    assert decide(environment, TODAY, tags_known=False)[0] is not Verdict.END


# --- what only the account knows ------------------------------------------------------------------


def test_one_known_by_its_tags_is_ended_by_its_state(call: Call, world: World) -> None:
    """Its settings are on a branch that is gone; the state is still there."""
    world.up("pr-11")
    world.tag("pr-11", str(YESTERDAY))
    result = call("reap")
    assert result.code == ExitCode.DONE, result.err
    assert world.left == []


def test_an_orphan_is_reported_with_what_to_do(call: Call, world: World) -> None:
    """Neither settings nor state: what is left costs money, so it is no success."""
    arn = world.tag("pr-11", str(YESTERDAY))
    world.tag("pr-12", str(TOMORROW))
    result = call("reap")
    assert result.code == ExitCode.FAILED
    assert f"  {arn}\n" in result.out
    assert "--tag-filters Key=env,Values=pr-11" in result.out
    assert f"pr-12: lives until {TOMORROW}" in result.out
    assert result.err.splitlines()[-1] == "nottermost: not ended: pr-11"


def test_one_stack_that_is_ended_does_not_hide_the_orphans_of_others(call: Call, world: World) -> None:
    """What the state knew is not among them."""
    world.up("pr-11", "network")
    world.tag("pr-11", str(YESTERDAY), "network")
    arn = world.tag("pr-11", str(YESTERDAY), "data")
    result = call("reap", "--json")
    assert result.code == ExitCode.FAILED
    (found,) = json.loads(result.out)["environments"]
    assert (found["done"], found["orphans"]) == (["network in us-east-1"], [arn])
    assert found["error"].startswith("1 resources bear its tags")


def test_a_wrong_state_takes_no_settings_along(call: Call, world: World) -> None:
    """Every stack is not there, but its resources are: the settings are still needed to end it."""
    paths = world.settings("pr-11", YESTERDAY)
    arn = world.tag("pr-11", str(YESTERDAY))
    result = call("reap")
    assert result.code == ExitCode.FAILED
    assert f"  {arn}\n" in result.out
    assert "is the state asked for the right one (PULUMI_BACKEND_URL)?" in result.out
    assert all(path.exists() for path in paths)


@pytest.mark.parametrize("where", ["tags", "settings"])
def test_one_prolonged_while_others_are_ended_is_kept(
    call: Call, world: World, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """It is looked at again right before its turn: somebody may have brought it up again meanwhile."""
    for env in ("pr-11", "pr-12"):
        world.settings(env, YESTERDAY)
        world.up(env, "network")
    run_plan = deploy.run_plan

    def prolong(*arguments: Any) -> list[str]:
        if where == "tags":
            world.tag("pr-12", str(TOMORROW))
        else:
            world.settings("pr-12", TOMORROW, "data")
        return run_plan(*arguments)

    monkeypatch.setattr(deploy, "run_plan", prolong)
    result = call("reap")
    assert result.code == ExitCode.DONE, result.err
    assert world.destroyed == ["network/pr-11-us-east-1"]
    assert result.out.endswith(f"\npr-12: lives until {TOMORROW}\n")


def test_without_the_account_nothing_is_ended(call: Call, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers, or it is another account: a longer life may be written there. Exit 4 with why."""
    world.settings("pr-11", YESTERDAY)
    world.up("pr-11")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    result = call("reap")
    assert result.code == ExitCode.COULD_NOT_TELL
    assert "nottermost: the account's tags are unknown, so nothing was ended" in result.err
    assert "but the account may know of a later day; left alone" in result.out
    assert world.destroyed == []
