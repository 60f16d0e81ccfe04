"""The YAML of the stacks: read as strictly as Pulumi does, and what those of an environment have to agree on."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nottermost_platform import configuration
from nottermost_platform.capture import capture_environment
from nottermost_platform.configuration import (
    check_environment,
    parse_settings,
    read_environment,
    read_settings,
    stack_file,
    temporary_text,
)
from nottermost_platform.settings import Place, SettingsError
from nottermost_platform.testing import ENVIRONMENTS

FILE = Path("Pulumi.dev-us-east-1.yaml")
DEV, PR = Place(env="dev", region="us-east-1"), Place(env="pr-41234", region="us-east-1")
PRIMARY, STANDBY = Place(env="prod", region="us-east-1"), Place(env="prod", region="eu-west-1")
KEY = "nottermost-network:settings"


def parse(text: str) -> dict[str, Any]:
    return parse_settings(text, "network", FILE)


# --- one file -------------------------------------------------------------------------------------


def test_what_pulumi_writes_is_allowed() -> None:
    """Beside the settings: the switch for default providers, and what the CLI adds when it makes a stack."""
    text = f"secretsprovider: a\nencryptedkey: b\nencryptionsalt: c\nconfig:\n  pulumi:disable-default-providers: ['*']\n  {KEY}: {{a: 1, b: 2}}"
    assert parse(text) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"Pulumi\.dev-us-east-1\.yaml is empty"),
        ("# nothing\n", "is empty"),
        ("- a", r"the file is not a mapping \(it is \['a'\]\)"),
        ("config: [", r"Pulumi\.dev-us-east-1\.yaml:1:10: expected the node content"),
        ("config:\n  a: 1\n b: 2\n", r"yaml:3:2: expected <block end>"),
        ("config:\n\ta: 1\n", r"yaml:2:1: found character '\\t'"),
        ("a: 1\n---\nb: 2\n", r"yaml:2:1: but found another document"),
        ("config: {}", f"has no `{KEY}`; settings stand at `config: {KEY}:`"),
        ("secretsprovider: a", "has no `config`"),
        ("config: 3", r"config is not a mapping \(it is 3\)"),
        (f"config: {{{KEY}: 3}}", rf"{KEY} is not a mapping \(it is 3\)"),
        (f"config: {{{KEY}: null}}", "is not a mapping"),
        (f"config: {{{KEY}: {{}}}}\nconfigs: 1", "configs: there is no such key; there are config, secretsprovider"),
        (
            f"config:\n  {KEY}: {{}}\n  nottermost-data:settings: {{}}",
            f"nottermost-data:settings: there is no such key below config; there are {KEY}, pulumi:",
        ),
        (f"config:\n  {KEY}:\n    a: 1\n    b: 2\n    a: 3", r"yaml:5:5: a is there twice"),
        (f"config: {{{KEY}: {{}}}}\nconfig: {{}}", "yaml:2:1: config is there twice"),
        (f"config:\n  {KEY}:\n    x:\n      - {{a: 1, a: 1}}", "a is there twice"),
        (f"config:\n  {KEY}: {{[a]: 1}}", "a key is a word"),
        ("config: \x00", "special characters are not allowed"),
    ],
)
def test_yaml_that_cannot_be_used(text: str, said: str) -> None:
    """One line with the file, and where the text itself is broken with line and column."""
    with pytest.raises(SettingsError, match=said) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("word", ["2099-12-31", "NO", "on", "012345678901", "0o17", "12:30", "12e5"])
def test_words_that_pulumi_reads_otherwise_want_quotes(word: str) -> None:
    """A preview would show one value, and the deployment use another."""
    with pytest.raises(
        SettingsError, match=rf'yaml:3:8: {word} is something else to Pulumi; put it in quotes, "{word}"'
    ):
        parse(f"config:\n  {KEY}:\n    a: {word}")
    assert parse(f'config:\n  {KEY}:\n    a: "{word}"') == {"a": word}


def test_plain_words_need_none() -> None:
    """Texts, numbers, truth values and nothing are the same to both."""
    text = f"config:\n  {KEY}: {{a: x-1, b: 10.0.0.0/16, c: 12, d: -0.5, e: true, f: null, g: 0, h: us-east-1a}}"
    assert list(parse(text).values()) == ["x-1", "10.0.0.0/16", 12, -0.5, True, None, 0, "us-east-1a"]


def test_text_in_another_encoding_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that are no UTF-8 are a sentence, too."""
    path = tmp_path / "network" / FILE
    path.parent.mkdir()
    path.write_bytes(b"config: \xff")
    monkeypatch.setattr(configuration, "STACKS", tmp_path)
    with pytest.raises(SettingsError, match="is not text in UTF-8"):
        read_settings("network", DEV)


def test_a_place_without_yaml_is_named() -> None:
    """It says which file is missing."""
    with pytest.raises(SettingsError, match=r"dev has no platform/stacks/network/Pulumi\.dev-eu-west-1\.yaml"):
        read_settings("network", Place(env="dev", region="eu-west-1"))


# --- temporary environments -----------------------------------------------------------------------


def test_a_temporary_environment_without_yaml_has_its_own_name_and_end() -> None:
    """What a preview shows of it is what `up --expires` would deploy, not the fixture's name and day."""
    assert stack_file("network", PR).name == "Pulumi.pr-0-us-east-1.yaml"
    week = (datetime.now(UTC).date() + timedelta(days=7)).isoformat()
    given = read_settings("network", PR)
    assert (given["domain"], given["expires_on"]) == ("pr-41234.example.com", week)
    (captured,) = capture_environment(PR.env, stack="network")
    vpc = next(each for each in captured.nodes.values() if each.type == "aws:ec2/vpc:Vpc")
    assert (vpc.inputs["tags"]["env"], vpc.inputs["tags"]["expires-on"]) == (PR.env, week)


def test_the_end_is_that_of_its_other_stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack that has no YAML yet ends with those that have."""
    for stack in ("network", "data"):
        (tmp_path / stack).mkdir()
        fixture = configuration.STACKS / stack / "Pulumi.pr-0-us-east-1.yaml"
        (tmp_path / stack / fixture.name).write_text(fixture.read_text())
    monkeypatch.setattr(configuration, "STACKS", tmp_path)
    (tmp_path / "data" / f"Pulumi.{PR.stack}.yaml").write_text(temporary_text("data", PR, date(2099, 2, 3)))
    assert read_settings("network", PR)["expires_on"] == "2099-02-03"


def test_only_the_fixtures_name_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a part of a longer word; and the day alone of the line with the day."""
    path = tmp_path / "network" / "Pulumi.pr-0-us-east-1.yaml"
    path.parent.mkdir()
    path.write_text(
        f"config:\n  {KEY}:\n    a: pr-0.example.com x-pr-0 pr-01\n    expires_on: 2099-12-31  # why\n    b: 1\n"
    )
    monkeypatch.setattr(configuration, "STACKS", tmp_path)
    lines = temporary_text("network", PR, date(2099, 2, 3)).splitlines()
    assert lines[2:] == ["    a: pr-41234.example.com x-pr-0 pr-01", '    expires_on: "2099-02-03"  # why', "    b: 1"]


# --- all of an environment ------------------------------------------------------------------------


@pytest.mark.parametrize("env", [*ENVIRONMENTS, PR.env])
def test_what_is_committed_agrees(env: str) -> None:
    """Each environment as it is."""
    check_environment(read_environment(env))


@pytest.mark.parametrize(
    ("env", "stack", "place", "settings", "said"),
    [
        (
            "prod", "chat", STANDBY, {"account_id": "111122223333"},
            (r"stacks/chat/Pulumi\.prod-eu-west-1\.yaml: account_id is 111122223333, but platform/stacks/account/"
            r"Pulumi\.prod-us-east-1\.yaml: account_id is 333344445555: one environment has one"),
        ),
        ("dev", "edge", DEV, {"domain": "dev.example.org"}, r"edge/.*: domain is dev\.example\.org, but .*: domain is dev\.example\.com"),
        ("pr-0", "data", Place(env="pr-0", region="us-east-1"), {"expires_on": "2099-01-01"}, "data/.*: expires_on is 2099-01-01"),
        ("prod", "network", STANDBY, {"vpc_cidr": "10.30.0.0/16"}, r"prod-eu-west-1\.yaml: vpc_cidr, 10\.30\.0\.0/16, overlaps .*prod-us-east-1\.yaml: vpc_cidr, 10\.30"),
        ("prod", "data", STANDBY, {"home_region": "eu-west-1"}, r"home_region is us-east-1 and .*home_region is eu-west-1: two regions would append"),
        ("dev", "data", DEV, {"home_region": "eu-west-1"}, "home_region is eu-west-1; dev is in us-east-1 alone"),
    ],
)  # fmt: skip
def test_what_does_not_agree_is_refused(
    env: str, stack: str, place: Place, settings: dict[str, Any], said: str
) -> None:
    """One sentence with both files and the key, also where a layer or a default says the other half."""
    given = read_environment(env)
    given[stack, place] |= settings
    with pytest.raises(SettingsError, match=said):
        check_environment(given)


def test_a_region_may_be_fenced_before_the_other_opens() -> None:
    """No home at all is a step of every failover."""
    given = read_environment("prod", "data")
    given["data", PRIMARY]["home_region"] = "eu-west-1"
    check_environment(given)


def test_owners_may_differ() -> None:
    """Nobody is hurt by a stack of another team."""
    given = read_environment("dev")
    given["data", DEV]["owner"] = "storage"
    check_environment(given)


def test_a_temporary_environment_lives_in_devs_account() -> None:
    """Its state, its key and its pipeline are there."""
    given = read_environment("pr-0")
    for values in given.values():
        values["account_id"] = "999999999999"
    given["account", DEV]["account_id"] = "111122223333"
    with pytest.raises(SettingsError, match=r"account_id is 111122223333, but .*: account_id is 999999999999"):
        check_environment(given)


def test_a_capture_checks_it_first() -> None:
    """Also what is asked with other settings."""
    with pytest.raises(SettingsError, match="one environment has one"):
        capture_environment("dev", stack="data", overrides={"data": {"domain": "x.example.com"}})
