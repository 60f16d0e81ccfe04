"""The inventory that Ansible works with comes from what the stacks export, whole or not at all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nottermost_platform import inventory as module
from nottermost_platform.components.doors import STORES
from nottermost_platform.inventory import (
    GROUPS,
    PLACEHOLDERS,
    PORTS,
    InventoryError,
    make_inventory,
    make_local,
    parse,
    read_reviewed,
    render,
)
from nottermost_platform.testing import find, graph_of

Outputs = dict[str, Mapping[str, Any] | None]


def outputs_of(env: str) -> Outputs:
    """What `nottermost env outputs ENV --stack data --captured` shows."""
    stacks = [each for each in graph_of(env).stacks if each.name == "data"]
    return {f"data.{each.region}": {name: one.value for name, one in each.outputs.items()} for each in stacks}


def without(outputs: Outputs, output: str) -> Outputs:
    return {
        name: {key: value for key, value in (values or {}).items() if key != output} for name, values in outputs.items()
    }


def test_production_is_worked_on_where_it_is_home() -> None:
    """One database, a search domain and an admin host a region, no topics: those are Pulumi's."""
    found = make_inventory("prod", outputs_of("prod"), source="state")
    assert [(host.group, host.name) for host in found.hosts] == [
        ("database", "prod-use1-database"), ("search", "prod-euw1-search"), ("search", "prod-use1-search"),
        ("hosts", "prod-euw1-admin"), ("hosts", "prod-use1-admin"),
    ]  # fmt: skip
    assert [host.name for host in found.select("eu-west-1", GROUPS)] == ["prod-euw1-search", "prod-euw1-admin"]
    assert [host.group for host in found.select("us-east-1", ("hosts", "database"))] == ["hosts", "database"]


def test_the_database_proves_who_it_is() -> None:
    """By a certificate for its name, in AWS."""
    (host,) = make_inventory("prod", outputs_of("prod"), source="state").select("us-east-1", ("database",))
    assert host.variables["database_sslmode"] == "verify-full"
    assert Path(host.variables["database_sslrootcert"]).is_absolute()


@pytest.mark.parametrize("env", ["dev", "prod"])
def test_who_may_search_are_the_chats_own_tasks(env: str) -> None:
    """By the ARNs of roles that the graph has; nobody writes who only reads."""
    names = {role.inputs["name"] for role in find(graph_of(env), "iam/role:Role", stack="chat")}
    (host,) = make_inventory(env, outputs_of(env), source="state").select("us-east-1", ("search",))
    readers, writers = host.variables["search_readers"], host.variables["search_writers"]
    assert {arn.rpartition("/")[2] for arn in readers + writers} <= names
    assert {arn.rpartition("/")[2] for arn in readers} == {f"{env}-use1-api-task"}
    assert {arn.rpartition("/")[2] for arn in writers} == {f"{env}-use1-indexer-task", f"{env}-use1-keeper-task"}


def test_the_ports_are_those_of_the_doors() -> None:
    """Where a forward leads is where the stores let clients in."""
    assert {store: STORES[store].port for store in PORTS} == PORTS


@pytest.mark.parametrize(
    "output",
    [
        "database_address",
        "admin_group",
        "database_secret_arn",
        "search_endpoint",
        "search_admin_role_arn",
        "home_region",
        "cache_endpoint",
    ],
)
def test_what_is_not_exported_is_told_by_name(output: str) -> None:
    """Nothing is left empty in silence."""
    with pytest.raises(InventoryError, match=f"data in us-east-1 does not export {output}"):
        make_inventory("dev", without(outputs_of("dev"), output), source="state")


def test_what_is_not_known_yet_is_no_inventory() -> None:
    """Outputs of a first preview, a stack that is not there, an environment without one."""
    unknown: Outputs = {
        "data.us-east-1": {**(outputs_of("dev")["data.us-east-1"] or {}), "search_endpoint": {"$unknown": True}}
    }
    with pytest.raises(InventoryError, match="search_endpoint of data in us-east-1 is"):
        make_inventory("dev", unknown, source="state")
    with pytest.raises(InventoryError, match="was never brought up"):
        make_inventory("dev", {"data.us-east-1": None}, source="state")
    with pytest.raises(InventoryError, match="no outputs of the stack data"):
        make_inventory("dev", {}, source="state")


@pytest.mark.parametrize("env", ["dev", "prod"])
def test_the_file_is_read_as_it_was_written(env: str) -> None:
    """And the reviewed one marks each line that only AWS can fill."""
    captured = make_inventory(env, outputs_of(env), source="state")
    assert parse(render(captured), "file") == captured
    assert "# placeholder" not in render(captured)
    reviewed = read_reviewed(env)
    assert reviewed.hosts == captured.hosts
    lines = render(reviewed).splitlines()
    assert {line.split(":")[0].strip() for line in lines if line.endswith("# placeholder")} == PLACEHOLDERS
    assert not [line for line in lines if ".amazonaws.com" in line and "# placeholder" not in line]


@pytest.mark.parametrize(
    "text", ["", "[]", "all: {}", "a: [", "all: {vars: {}, children: {web: {hosts: {a: {region: x}}}}}"]
)
def test_another_file_is_no_inventory(text: str) -> None:
    """Its name is told."""
    with pytest.raises(InventoryError, match="mine is no inventory of ours"):
        parse(text, "mine")


def test_a_laptop_with_three_brokers_keeps_three_copies(tmp_path: Path) -> None:
    """With one it keeps one; a prefix stays."""
    settings = {
        "NOTTERMOST_DATABASE_HOST": "127.0.0.1:25432", "NOTTERMOST_DATABASE_NAME": "chat", "NOTTERMOST_DATABASE_USER": "chat",
        "NOTTERMOST_SEARCH_HOST": "http://127.0.0.1:29200", "NOTTERMOST_BROKERS": "a:1", "NOTTERMOST_TOPIC_PREFIX": "x-",
    }  # fmt: skip
    (topics,) = make_local(settings, tmp_path).select("local", ("topics",))
    assert topics.variables == {"topics_brokers": "a:1", "topics_prefix": "x-", "topics_replication": 1}
    (topics,) = make_local(settings | {"NOTTERMOST_BROKERS": "a:1,b:1,c:1"}, tmp_path).select("local", ("topics",))
    assert topics.variables["topics_replication"] == 3
    assert set(module.GROUPS) == {host.group for host in make_local(settings, tmp_path).hosts}
