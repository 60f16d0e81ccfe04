"""Reading the YAML that people write: scenarios, terms, budgets. Strict: a key twice, or an unknown one, is an error."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema

from nottermost_cost.errors import CostError
from nottermost_cost.numeric import to_decimal


def _plain(value: object) -> object:
    """Floats keep the digits that were written; truth values are no numbers."""
    if isinstance(value, bool):
        raise ValueError("is no number")  # noqa: TRY004 (pydantic turns it into an error of this field)
    return to_decimal(value) if isinstance(value, float) else value


Decimals = Annotated[Decimal, BeforeValidator(_plain), WithJsonSchema({"type": "number"})]


class Document(BaseModel):
    """The base of everything read from YAML."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Range(Document):
    """A number with a low and a high end and where they come from; written as `{low, base, high, source}` or bare."""

    low: Decimals
    base: Decimals
    high: Decimals
    source: str = ""

    @model_validator(mode="before")
    @classmethod
    def _read_bare(cls, value: object) -> object:
        if isinstance(value, dict | Range):
            return value
        return {"low": value, "base": value, "high": value}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """A bare number will do."""
        return {"anyOf": [{"type": "number"}, handler(schema)]}

    @model_validator(mode="after")
    def _check_order(self) -> "Range":
        if not self.low <= self.base <= self.high:
            raise ValueError(f"low {self.low} <= base {self.base} <= high {self.high} does not hold")
        return self


class _Loader(yaml.SafeLoader):
    """Refuses a key that is there twice; leaves dates as text."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{key} is there twice", node.start_mark)
        return super().construct_mapping(node, deep)


_T = TypeVar("_T", bound=Document)


def load_document(path: Path, kind: type[_T], schema: str, error: type[CostError]) -> _T:
    """Read a YAML file into a type. Raises: `error`, one sentence with the file and every field at fault."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise error(f"cannot read {path}: {problem}") from None
    return parse_document(text, kind, schema, error, str(path))


def parse_document(text: str, kind: type[_T], schema: str, error: type[CostError], source: str) -> _T:
    """The same for text. Raises: `error`."""
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 (a subclass of the safe loader)
    except yaml.YAMLError as problem:
        raise error(f"{source} is no YAML: {' '.join(str(problem).split())}") from None
    if not isinstance(data, dict):
        raise error(f"{source} is no mapping: it begins with `schema: {schema}`")
    if data.get("schema") != schema:
        raise error(f"{source} has schema {data.get('schema')!r}, expected {schema!r}")
    try:
        return kind.model_validate(data)
    except ValidationError as problem:
        found = "; ".join(
            ": ".join(filter(None, (".".join(map(str, each["loc"])), each["msg"].removeprefix("Value error, "))))
            for each in problem.errors()
        )
        raise error(f"{source}: {found}") from None
