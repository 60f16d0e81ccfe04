"""`nottermost env` without a cloud: the graph, the preview and its goldens, differences between environments."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema_rs
import pytest

from nottermost_cli.testing import Call, make_call
from nottermost_conventions import ExitCode
from nottermost_conventions.contracts import SCHEMAS
from nottermost_platform.checks import OWNERSHIP, Owned
from nottermost_platform.configuration import STACKS

NOTTERMOST = str(Path(sys.executable).with_name("nottermost"))
WITHIN_S = 60


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Runs the command in this process."""
    return make_call(monkeypatch, capfd)


@pytest.fixture
def bad_settings() -> Iterator[tuple[str, Path]]:
    """A temporary environment whose network has a setting that does not exist."""
    path = STACKS / "network" / "Pulumi.pr-99998-us-east-1.yaml"
    text = (STACKS / "network" / "Pulumi.pr-0-us-east-1.yaml").read_text()
    path.write_text(text + "    vpc_cider: 10.0.0.0/16\n")
    yield "pr-99998", path
    path.unlink()


def run_process(*arguments: str) -> bytes:
    done = subprocess.run([NOTTERMOST, "env", *arguments], capture_output=True, timeout=WITHIN_S, check=True)
    assert done.stderr == b""
    return done.stdout


def test_the_graph_is_the_contracts_and_the_same_each_time(call: Call) -> None:
    """Two processes print the same bytes: one object of the schema that conventions hold, and nothing beside it."""
    arguments = ("graph", "dev", "--stack", "cluster", "--json")
    first = run_process(*arguments)
    assert first.decode() == call(*arguments).out
    document = json.loads(first)
    jsonschema_rs.validator_for(json.loads((SCHEMAS / "graph.json").read_text())).validate(document)
    assert [stack["name"] for stack in document["stacks"]] == ["cluster"]
    assert {"from", "property", "to"} == set(document["references"][0])  # to the stack that is not shown


def test_the_graph_for_people_is_a_tree(call: Call) -> None:
    """Components, and under each what it holds."""
    lines = call("graph", "dev", "--stack", "network").out.splitlines()
    assert lines[0].startswith("network us-east-1 (")
    at = lines.index("  main  nottermost:network:Network")
    assert lines[at + 1] == "    main  aws:ec2/vpc:Vpc"
    assert lines[-1].startswith("  exports ")


def test_the_graph_of_a_first_preview_knows_less(call: Call) -> None:
    """With --unknown, what only AWS would know is marked, and the mode says so."""
    document = json.loads(call("graph", "dev", "--stack", "network", "--json", "--unknown").out)
    subnets = [each for each in document["stacks"][0]["resources"] if each["type"] == "aws:ec2/subnet:Subnet"]
    assert document["mode"] == "unknown"
    assert {json.dumps(each["inputs"]["vpcId"]) for each in subnets} == {'{"$unknown": true}'}


def test_preview_against_what_was_reviewed(call: Call, tmp_path: Path) -> None:
    """Never reviewed is not a pass; accepted it is one; changed since, 3 again, and the change is told."""
    arguments = ("preview", "dev", "--stack", "network", "--graphs", str(tmp_path))
    never = call(*arguments, "--expect-no-changes")
    assert never.code == ExitCode.SAYS_NO
    assert "never reviewed, so all of it counts as added: network.us-east-1" in never.out
    assert call(*arguments).code == ExitCode.DONE  # to look is no failure
    accepted = call(*arguments, "--accept")
    golden = tmp_path / "dev" / "network.us-east-1.json"
    assert accepted.err == f"wrote {golden}\n"
    same = call(*arguments, "--expect-no-changes")
    assert same.code == ExitCode.DONE
    assert same.out.endswith("resources, no change\n")
    assert call(*arguments, "--accept").err == ""  # nothing to write
    golden.write_text(golden.read_text().replace('"10.10.0.0/16"', '"10.99.0.0/16"'))
    changed = call(*arguments, "--expect-no-changes")
    assert changed.code == ExitCode.SAYS_NO
    assert "~ network us-east-1 aws:ec2/vpc:Vpc main  (may replace)" in changed.out
    assert 'cidrBlock: "10.99.0.0/16" → "10.10.0.0/16"' in changed.out


def test_preview_counts_by_stack_and_type(call: Call, tmp_path: Path) -> None:
    """The table, the JSON and the comment for a pull request agree on what there is."""
    arguments = ("preview", "dev", "--stack", "network", "--graphs", str(tmp_path))
    found = json.loads(call(*arguments, "--json").out)
    subnets = next(each for each in found["counts"] if each["type"] == "aws:ec2/subnet:Subnet")
    assert (subnets["stack"], subnets["region"], subnets["count"]) == ("network", "us-east-1", 6)
    assert found["resources"] == sum(each["count"] for each in found["counts"])
    assert next(line.split() for line in call(*arguments).out.splitlines() if "ec2/subnet:" in line) == [
        "network", "us-east-1", "aws:ec2/subnet:Subnet", "6",
    ]  # fmt: skip
    markdown = call(*arguments, "--markdown").out
    assert markdown.startswith(f"### dev: {found['resources']} resources, ")
    assert "| network | us-east-1 | `aws:ec2/subnet:Subnet` | 6 |" in markdown


def test_a_finding_fails_and_accepts_nothing(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each finding is a line; exit 1 wins over 3, and no golden is written."""
    monkeypatch.setitem(OWNERSHIP, "aws:ec2/vpc:Vpc", (Owned(("cidrBlock",), "nobody"),))
    arguments = ("preview", "dev", "--stack", "network", "--graphs", str(tmp_path))
    for result in (
        call(*arguments, "--accept"),
        call(*arguments, "--expect-no-changes"),
        call(*arguments, "--json"),
    ):
        assert result.code == ExitCode.FAILED
        assert result.err.endswith("(ownership)\n")
        assert len(result.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_diff_tells_values_and_not_names(call: Call) -> None:
    """Two environments with the same resources differ in what was chosen for them, not in names, ids and accounts."""
    shown = call("diff", "dev", "staging", "--stack", "network").out
    assert '  cidrBlock: "10.10.0.0/16" → "10.20.0.0/16"' in shown
    found = json.loads(call("diff", "dev", "staging", "--stack", "network", "--json").out)
    paths = {each["path"] for one in found["differences"] for each in one["properties"]}
    assert paths == {"cidrBlock", "cidrIpv4"}
    prod = json.loads(call("diff", "staging", "prod", "--stack", "network", "--json").out)
    only = {(each["name"], each["only_in"]) for each in prod["differences"] if each["only_in"]}
    assert ("main-app-us-east-1c", "prod") in only
    assert call("diff", "dev", "dev", "--stack", "network").out == "0 resources differ, dev → dev\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("graph", "production"),
        ("preview", "pr-0", "--stack", "account"),
        ("preview", "dev", "--stack", "nothing"),
        ("diff", "dev", "pr-x"),
        ("outputs", "prd"),
        ("preview", "dev", "--accept", "--expect-no-changes"),
        ("preview", "dev", "--json", "--markdown"),
        ("preview", "pr-7", "--accept"),
    ],
)
def test_wrong_usage_is_one_sentence_and_2(call: Call, arguments: tuple[str, ...]) -> None:
    """Environments, stacks and options that do not exist or do not go together."""
    result = call(*arguments)
    assert (result.code, result.out) == (ExitCode.USAGE, "")
    assert result.err.startswith("nottermost: ")
    assert len(result.err.splitlines()) == 1


def test_bad_settings_are_one_sentence(call: Call, bad_settings: tuple[str, Path]) -> None:
    """File, key and what is allowed, exit 1."""
    env, path = bad_settings
    result = call("preview", env, "--stack", "network")
    assert result.code == ExitCode.FAILED
    assert result.err.startswith(
        f"nottermost: platform/stacks/network/{path.name}: vpc_cider: there is no such setting"
    )
    assert len(result.err.splitlines()) == 1


def test_broken_yaml_is_one_sentence(call: Call, bad_settings: tuple[str, Path]) -> None:
    """File, line, column and what is wrong there, exit 1."""
    env, path = bad_settings
    path.write_text(f"{path.read_text()}  - broken\n")
    line = len(path.read_text().splitlines())
    result = call("preview", env, "--stack", "network")
    assert result.code == ExitCode.FAILED
    assert result.err.startswith(f"nottermost: platform/stacks/network/{path.name}:{line}:3: ")
    assert len(result.err.splitlines()) == 1


def test_diff_with_a_temporary_environment_names_missing_stacks_once(call: Call) -> None:
    """Account and delivery are a line each, not one for each of their resources."""
    lines = call("diff", "dev", "pr-99997").out.splitlines()
    assert [line.split(",")[0] for line in lines if line.startswith("stack ")] == ["stack account", "stack delivery"]
    assert not any(line.startswith(("account ", "delivery ")) for line in lines)


def test_diff_tells_what_all_have_in_common_once(call: Call) -> None:
    """Production protects what holds data: a line with a count."""
    lines = call("diff", "staging", "prod", "--stack", "data").out.splitlines()
    assert sum("options.protect: false → true" in line for line in lines) == 1


def test_without_the_platform_it_says_what_to_install(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chat runs without these packages; the commands that need them say so."""
    monkeypatch.setitem(sys.modules, "nottermost_platform", None)
    for arguments in (("graph", "dev"), ("up", "dev"), ("schemas", "--check")):
        result = call(*arguments)
        assert result.code == ExitCode.FAILED
        assert result.err == "nottermost: `nottermost env` needs the platform's packages, which `make setup` installs\n"


def test_help_loads_no_sdk() -> None:
    """`nottermost --help` stays quick: neither Pulumi nor the platform is imported for it."""
    code = "import sys; from nottermost_cli.main import app; import typer; typer.main.get_command(app); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=WITHIN_S, check=True)
    assert not {"pulumi", "pulumi_aws", "nottermost_platform", "yaml", "msgspec"} & set(done.stdout.split())


def test_committed_schemas_are_those_of_the_code(call: Call) -> None:
    """`nottermost env schemas --check` is content."""
    result = call("schemas", "--check")
    assert (result.code, result.err) == (ExitCode.DONE, "")
