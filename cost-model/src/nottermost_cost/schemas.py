"""JSON Schemas, made from the types: of what load tests share with the cost model, and of what people write for it."""

import json
from pathlib import Path
from typing import Any, Final

import msgspec

from nottermost_conventions.contracts import COEFFICIENTS, SCHEMAS
from nottermost_cost.budgets import Budgets
from nottermost_cost.coefficients import Measurement
from nottermost_cost.layouts import Regions
from nottermost_cost.pricebook import COLUMNS, Confidence
from nottermost_cost.report.document import Document
from nottermost_cost.scenario import Scenario
from nottermost_cost.terms import Terms

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
FOLDER: Final = Path(__file__).parents[2] / "schemas"

_NUMBER: Final = {"type": "string", "pattern": r"^\d+(\.\d+)?$"}
_DATE: Final = {"type": "string", "pattern": r"^(\d{4}-\d{2}-\d{2})?$"}
_PRICE_FIELDS: Final[dict[str, dict[str, Any]]] = {
    "unit_system": {"enum": ["1000", "1024"]},
    "region": {"type": "string", "pattern": r"^([a-z]{2}(-[a-z]+)+-\d|global|edge:[a-z]+)$"},
    "price_usd": _NUMBER,
    "tier_from": _NUMBER,
    "tier_to": {"type": "string", "pattern": r"^(\d+(\.\d+)?|Inf)$"},
    "effective_from": _DATE,
    "effective_to": _DATE,
    "snapshot_date": _DATE,
    "confidence": {"enum": [str(each) for each in Confidence]},
}


def render_schemas() -> dict[Path, str]:
    """Every schema by the path at which it is committed."""
    coefficients = _numbers(msgspec.json.schema(Measurement))
    coefficients["$defs"]["Measurement"]["properties"]["schema"] = {"const": COEFFICIENTS}
    schemas = {
        SCHEMAS / "scenario.json": Scenario.model_json_schema(),
        SCHEMAS / "coefficients.json": coefficients,
        SCHEMAS / "prices.json": price_row_schema(),
        SCHEMAS / "estimate.json": _numbers(msgspec.json.schema(Document)),
        FOLDER / "terms.json": Terms.model_json_schema(),
        FOLDER / "regions.json": Regions.model_json_schema(),
        FOLDER / "budgets.json": Budgets.model_json_schema(),
    }
    return {
        path: json.dumps({"$schema": DIALECT, **schema}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for path, schema in schemas.items()
    }


def _numbers(schema: Any) -> Any:
    """Decimals are written as numbers, which msgspec's schema does not know."""
    if isinstance(schema, dict):
        if schema.get("format") == "decimal":
            return {**{key: value for key, value in schema.items() if key != "format"}, "type": "number"}
        return {key: _numbers(value) for key, value in schema.items()}
    return [_numbers(each) for each in schema] if isinstance(schema, list) else schema


def price_row_schema() -> dict[str, Any]:
    """Of one row of the price book, as a mapping of its columns to text."""
    return {
        "title": "A row of the price book",
        "type": "object",
        "properties": {column: _PRICE_FIELDS.get(column, {"type": "string"}) for column in COLUMNS},
        "required": list(COLUMNS),
        "additionalProperties": False,
    }
