"""Typed configuration in layers, and the one clear error for each way to get it wrong."""

from datetime import date
from typing import Any

import pytest

from nottermost_platform.catalog import MODULES, places, stack_module
from nottermost_platform.configuration import stack_file
from nottermost_platform.settings import (
    Place,
    SettingsError,
    StackSettings,
    Strict,
    load,
    merge,
    parse_stack_name,
)
from nottermost_platform.testing import ENVIRONMENTS, what_if

GIVEN = {"account_id": "111122223333", "domain": "chat.example.com"}


class Size(Strict):
    nodes: int = 1
    kind: str = "small"


class Example(StackSettings):
    size: Size = Size()
    names: tuple[str, ...] = ()


LAYERS: dict[str, dict[str, Any]] = {
    "prod": {"size": {"nodes": 3, "kind": "large"}, "names": ["a", "b"]},
    "eu-west-1": {"size": {"kind": "middle"}},
    "prod/eu-west-1": {"size": {"nodes": 2}},
}


def read(env: str = "prod", region: Any = "us-east-1", **given: Any) -> Example:
    return load(Example, LAYERS, Place(env=env, region=region), GIVEN | given, source="Pulumi.x.yaml")


def test_the_later_layer_wins_key_by_key() -> None:
    """Defaults < environment class < region < both < the stack's YAML."""
    assert read("dev").size == Size(nodes=1, kind="small")
    assert read().size == Size(nodes=3, kind="large")
    assert read(region="eu-west-1").size == Size(nodes=2, kind="middle")
    assert read(region="eu-west-1", size={"nodes": 9}).size == Size(nodes=9, kind="middle")


def test_lists_are_replaced_whole() -> None:
    """Half a list of each layer would be nobody's choice."""
    assert read(names=["c"]).names == ("c",)
    assert merge({"a": [1, 2]}, {"a": [3]}) == {"a": [3]}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"siez": {}}, r"Pulumi\.x\.yaml: siez: there is no such setting; there are account_id, .* size"),
        ({"size": {"node": 3}}, r"size\.node: there is no such setting; there are kind, nodes"),
        ({"size": {"nodes": "many"}}, r"size\.nodes: .*integer.*'many'"),
        ({"account_id": "12"}, r"account_id: .*12"),
        ({"domain": "no dots"}, r"domain: .*no dots"),
        ({"domain": "-a.example.com"}, r"domain: .*-a\.example\.com"),
        ({"domain": "a-.example.com"}, r"domain: .*a-\.example\.com"),
        ({"domain": "a.example.com\n"}, r"domain: .*"),
        ({"domain": f"{'a' * 64}.example.com"}, r"domain: .*aaa"),
        ({"domain": f"{'a.' * 123}example.com"}, r"domain: .*253"),
        ({"account_id": "١" * 12}, r"account_id: .*"),
        ({"owner": "a team, or two"}, r"owner: .*a team, or two"),
        ({"owner": "équipe"}, r"owner: .*équipe"),
        ({"cost_center": ""}, r"cost_center: .*''"),
        ({"repo": "a" * 257}, r"repo: .*aaa"),
        ({"expires_on": "2027-01-01"}, r"expires_on: prod is not temporary; only pr-<n> ends by itself"),
        ({"data_class": "secret"}, r"data_class: .*'public', 'internal', 'confidential' or 'restricted'"),
    ],
)
def test_wrong_keys_are_named(given: dict[str, Any], said: str) -> None:
    """With the file, the key, what was found and what is allowed."""
    with pytest.raises(SettingsError, match=said):
        read(**given)


def test_all_that_is_wrong_is_said_at_once() -> None:
    """Nobody wants to find three errors one after the other."""
    with pytest.raises(SettingsError, match=r"domain: .*; size\.nodes: ") as caught:
        read(domain="x", size={"nodes": "y"})
    assert "\n" not in str(caught.value)


def test_temporary_environments_end() -> None:
    """Without a date there is none, and none after its date; on that day there still is."""
    with pytest.raises(SettingsError, match="expires_on: pr-7 is temporary"):
        read("pr-7")

    def on(today: date) -> Example:
        given = GIVEN | {"expires_on": "2027-01-01"}
        return load(Example, LAYERS, Place(env="pr-7", region="us-east-1"), given, source="x.yaml", today=today)

    assert on(date(2027, 1, 1)).expires_on == date(2027, 1, 1)
    with pytest.raises(SettingsError, match=r"x\.yaml: expires_on: pr-7 ended on 2027-01-01; say a later day"):
        on(date(2027, 1, 2))
    with pytest.raises(SettingsError, match="ended on 2001-01-01"):
        read("pr-7", expires_on="2001-01-01")


@pytest.mark.parametrize("domain", ["chat.example.com", "a.b-c.xn--p1ai", "1.example.com", f"{'a' * 63}.example.com"])
def test_domains(domain: str) -> None:
    """What DNS takes."""
    assert read(domain=domain).domain == domain


def test_tags_take_what_aws_takes() -> None:
    """Letters, digits, spaces and _ . : / = + @ -."""
    assert read(owner="Team_1 a.b:c/d=e+f@g-h").owner == "Team_1 a.b:c/d=e+f@g-h"


@pytest.mark.parametrize("name", ["prod", "prod-us-west-2", "test-us-east-1", "us-east-1", "prod-us-east-1-x"])
def test_stack_names_are_environment_and_region(name: str) -> None:
    """Others are refused."""
    with pytest.raises(SettingsError):
        parse_stack_name(name)
    assert parse_stack_name("pr-12-us-east-1") == Place(env="pr-12", region="us-east-1")


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_stack_has_its_own_settings_file(env: str) -> None:
    """One per environment and region, as Pulumi names it."""
    for name, place in places(env):
        assert stack_file(name, place).name == f"Pulumi.{place.stack}.yaml"


@pytest.mark.parametrize(
    ("stack", "settings", "said"),
    [
        ("network", {"vpc_cidr": "10.0.0.0/99"}, "vpc_cidr: .*10.0.0.0/99"),
        ("network", {"zones": {"us-east-1a": 0, "us-east-1b": 0, "us-east-1c": 1}}, "zones: .*slot"),
        ("data", {"database": {"multi_az": False}}, "multi_az"),
        ("data", {"backup_days": 3}, "backup_days"),
        ("chat", {"tasks_ceiling": 0}, "tasks_ceiling"),
    ],
)
def test_unsafe_production_is_refused(stack: str, settings: dict[str, Any], said: str) -> None:
    """By the same models that the programs load, so a capture, a preview and `pulumi up` agree."""
    with pytest.raises(SettingsError, match=said):
        what_if("prod", stack, **settings)


def test_every_stack_has_a_model() -> None:
    """Each refuses unknown keys."""
    for name in MODULES:
        assert stack_module(name).Settings.model_config["extra"] == "forbid"
