"""The JSON Schemas that editors and readers use are those of the code."""

import json
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from nottermost_platform.catalog import places
from nottermost_platform.configuration import STACKS, parse_settings, stack_file
from nottermost_platform.graph import encode
from nottermost_platform.preview import accept
from nottermost_platform.schemas import FOLDER, find_stale, graph_schema, write_schemas
from nottermost_platform.settings import SettingsError, merge
from nottermost_platform.testing import ENVIRONMENTS, what_if

FILES = sorted(stack_file(name, place) for env in ENVIRONMENTS for name, place in places(env))


def validator(path: Path) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(json.loads(path.read_text()))


def test_committed_schemas_are_fresh(tmp_path: Path) -> None:
    """None is stale; one that was edited by hand, is missing or has lost its stack would be."""
    assert find_stale() == []
    write_schemas(tmp_path, tmp_path / "contracts")
    (tmp_path / "network.json").write_text("{}")
    (tmp_path / "data.json").unlink()
    (tmp_path / "gone.json").write_text("{}")
    assert [path.name for path in find_stale(tmp_path, tmp_path / "contracts")] == [
        "data.json",
        "gone.json",
        "network.json",
    ]
    write_schemas(tmp_path, tmp_path / "contracts")
    assert find_stale(tmp_path, tmp_path / "contracts") == []


@pytest.mark.parametrize("file", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_settings_fit_the_schema_that_they_name(file: Path) -> None:
    """Each YAML names its stack's schema in its first line, and fits it."""
    text = file.read_text()
    assert text.splitlines()[0] == f"# yaml-language-server: $schema=../../schemas/{file.parent.name}.json"
    content = json.loads(json.dumps(yaml.safe_load(text), default=str))
    validator(FOLDER / f"{file.parent.name}.json").validate(content)


@pytest.mark.parametrize("key", ["no_such_setting", "domain"])
def test_wrong_settings_do_not_fit(key: str) -> None:
    """An editor marks a key that does not exist and a value that is none."""
    file = STACKS / "network" / "Pulumi.dev-us-east-1.yaml"
    content = json.loads(json.dumps(yaml.safe_load(file.read_text()), default=str))
    content["config"]["nottermost-network:settings"][key] = "not a domain"
    assert not validator(FOLDER / "network.json").is_valid(content)


def test_keys_that_the_reader_refuses_do_not_fit() -> None:
    """The schema and the reader agree on what may stand beside the settings."""
    file = STACKS / "network" / "Pulumi.dev-us-east-1.yaml"
    check = validator(FOLDER / "network.json")
    for text, fits in (("encryptedkey: x\n", True), ("more: 1\n", False), ("config:\n  more: 1\n", False)):
        content = merge(yaml.safe_load(file.read_text()), yaml.safe_load(text))
        assert check.is_valid(content) is fits
        try:
            parse_settings(yaml.safe_dump(content), "network", file)
        except SettingsError:
            assert not fits
        else:
            assert fits


def test_graphs_and_goldens_fit_the_contract(tmp_path: Path) -> None:
    """Both are of one schema, which knows every key: one more or one less is refused."""
    check = jsonschema_rs.validator_for(graph_schema())
    graph = what_if("dev", "network")
    document = json.loads(encode(graph))
    check.validate(document)
    for path in accept(graph, golden=tmp_path):
        check.validate(json.loads(path.read_text()))
    assert not check.is_valid({**document, "schema": "nottermost.graph/2"})
    assert not check.is_valid({**document, "more": 1})
    document["stacks"][0]["resources"][0].pop("source")
    assert not check.is_valid(document)
