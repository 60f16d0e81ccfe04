"""JSON Schemas, made from the types: of every stack's settings, and of the resource graph."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from nottermost_conventions.contracts import SCHEMAS as CONTRACTS
from nottermost_platform.catalog import MODULES, stack_module
from nottermost_platform.graph import SCHEMA, Graph
from nottermost_platform.program import ROOT, StackModule

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
FOLDER: Final = ROOT / "platform" / "schemas"
MODES: Final = ("known", "unknown")


def render_schemas(folder: Path = FOLDER, contracts: Path = CONTRACTS) -> dict[Path, str]:
    """Every schema by the path at which it is committed."""
    schemas = {folder / f"{name}.json": stack_schema(stack_module(name)) for name in MODULES}
    schemas[contracts / "graph.json"] = graph_schema()
    return {
        path: json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for path, schema in schemas.items()
    }


def find_stale(folder: Path = FOLDER, contracts: Path = CONTRACTS) -> list[Path]:
    """Those that are missing, differ, or belong to a stack that is no more."""
    rendered = render_schemas(folder, contracts)
    stale = [path for path, text in rendered.items() if not path.is_file() or path.read_text() != text]
    return sorted([*stale, *(set(folder.glob("*.json")) - rendered.keys())])


def write_schemas(folder: Path = FOLDER, contracts: Path = CONTRACTS) -> list[Path]:
    """Write them; returns the files that changed."""
    rendered = render_schemas(folder, contracts)
    stale = find_stale(folder, contracts)
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path in rendered:
            path.write_text(rendered[path])
        else:
            path.unlink()
    return stale


def stack_schema(module: StackModule) -> dict[str, Any]:
    """Of a whole `Pulumi.<env>-<region>.yaml`; what some layer provides need not be in it."""
    settings = module.Settings.model_json_schema()
    definitions = settings.pop("$defs", {})
    provided = {key for layer in module.LAYERS.values() for key in layer}
    settings["required"] = [key for key in settings.get("required", []) if key not in provided]
    for name in set(_refs(settings["properties"][key] for key in provided & settings["properties"].keys())):
        _make_partial(definitions, name)
    key = f"nottermost-{module.NAME}:settings"
    text = {"type": "string"}
    return {
        "$schema": DIALECT,
        "title": f"Settings of the stack {module.NAME}",
        "type": "object",
        "required": ["config"],
        "additionalProperties": False,
        "properties": {
            "config": {"type": "object", "required": [key], "properties": {key: settings, "pulumi:disable-default-providers": {}}, "additionalProperties": False},
            "secretsprovider": text,  # these three are written by the CLI when it makes the stack
            "encryptedkey": text,
            "encryptionsalt": text,
        },
        "$defs": definitions,
    }  # fmt: skip


def _make_partial(definitions: dict[str, Any], name: str) -> None:
    """A mapping is merged key by key, so a part of what a layer provides is enough, at every depth."""
    if definitions[name].pop("required", None) is not None:
        for inner in set(_refs(definitions[name].get("properties", {}).values())):
            _make_partial(definitions, inner)


def _refs(value: Any) -> Iterator[str]:
    """The names of the definitions that are referred to."""
    if isinstance(value, Mapping):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].rpartition("/")[2]
        for each in value.values():
            yield from _refs(each)
    elif not isinstance(value, str) and hasattr(value, "__iter__"):
        for each in value:
            yield from _refs(each)


def graph_schema() -> dict[str, Any]:
    """Of `nottermost env graph --json`: exactly these keys, all of them."""
    _, definitions = msgspec.json.schema_components([Graph], ref_template="#/$defs/{name}")
    for each in definitions.values():
        each["additionalProperties"] = False
        each["required"] = sorted(each["properties"])
    graph = definitions.pop("Graph")
    graph["properties"]["schema"] = {"const": SCHEMA}
    graph["properties"]["mode"] = {"enum": list(MODES)}
    return {"$schema": DIALECT, **graph, "title": SCHEMA, "$defs": definitions}
