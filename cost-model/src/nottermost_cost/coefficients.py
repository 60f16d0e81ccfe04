"""Coefficients: how much one unit of work takes. Measured by load tests where there is a file, cited elsewhere."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

import msgspec

from nottermost_conventions.contracts import COEFFICIENTS
from nottermost_cost.errors import ScenarioError
from nottermost_cost.inputs import Input, Kind

FOLDER: Final = Path(__file__).parents[2] / "coefficients"
CITED: Final = "cited.json"


class Coefficient(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One coefficient; `n`: samples behind it, 0 for what is cited or assumed."""

    value: Decimal
    unit: str
    low: Decimal
    high: Decimal
    n: int
    source: str
    kind: Literal["measured", "cited", "assumed"] = "measured"


class Measurement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of coefficients; a load test writes one, and `cited.json` holds what nobody has measured yet."""

    schema: str
    commit: str
    measured_at: datetime | None
    host: str
    coefficients: Mapping[str, Coefficient]


def load_coefficients(folder: Path = FOLDER) -> dict[str, Input]:
    """The newest measurement of each coefficient, else what is cited or assumed.

    Raises: ScenarioError when a file cannot be read, measures something the model does not know, or has
        numbers that cannot be.
    """
    cited = _read(folder / CITED)
    found = {name: _input(name, each, "") for name, each in cited.coefficients.items()}
    measured = [(_read(path), path) for path in sorted(folder.glob("*.json")) if path.name != CITED]
    for measurement, path in sorted(measured, key=lambda each: str(each[0].measured_at)):
        if measurement.measured_at is None:
            raise ScenarioError(f"{path} does not say when it was measured")
        where = f" (measured {measurement.measured_at:%Y-%m-%d} at {measurement.commit[:12]} on {measurement.host})"
        for name, each in measurement.coefficients.items():
            if name not in found:
                raise ScenarioError(f"{path} measures {name}, which the model does not use")
            if each.unit != found[name].unit:
                raise ScenarioError(f"{path}: {name} is in {each.unit}, expected {found[name].unit}")
            found[name] = _input(name, each, where)
    return found


def _input(name: str, each: Coefficient, where: str) -> Input:
    return Input(name, each.value, each.low, each.high, each.unit, each.source + where, Kind(each.kind))


def _read(path: Path) -> Measurement:
    try:
        measurement = msgspec.json.decode(path.read_bytes(), type=Measurement)
    except OSError as error:
        raise ScenarioError(f"cannot read {path}: {error}") from None
    except msgspec.DecodeError as error:
        raise ScenarioError(f"{path} is no file of coefficients: {error}") from None
    if measurement.schema != COEFFICIENTS:
        raise ScenarioError(f"{path} has schema {measurement.schema!r}, expected {COEFFICIENTS!r}")
    for name, each in measurement.coefficients.items():
        if not 0 <= each.low <= each.value <= each.high or not each.high.is_finite():
            raise ScenarioError(
                f"{path}: {name}: 0 <= low {each.low} <= {each.value} <= high {each.high} does not hold"
            )
        if not each.source:
            raise ScenarioError(f"{path}: {name} has no source")
    return measurement
