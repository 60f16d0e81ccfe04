"""Workload scenarios: what the product is used for, in numbers that the cost model prices and a load test runs."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, Field, model_validator

from nottermost_conventions.contracts import SCENARIO
from nottermost_cost.documents import Document, Range, load_document
from nottermost_cost.errors import ScenarioError
from nottermost_cost.inputs import Input, Kind

SCENARIOS: Final = Path(__file__).parents[2] / "scenarios"
_ALMOST_ONE: Final = Decimal("0.000001")


class Users(Document):
    """`peak_concurrency`: of all devices of a day, the share that is connected at the busiest moment."""

    dau: Range
    mau_per_dau: Range
    devices_per_user: Range
    peak_concurrency: Range


class Region(Document):
    """A group of users: the region that serves them, the edge they are near, their share and clock."""

    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    edge: Literal["us", "eu", "apac", "japan", "india", "sa"]
    share: Range
    utc_offset: int = Field(ge=-12, le=14)

    @property
    def name(self) -> str:
        """What tells it from the others."""
        return f"{self.region}/{self.edge}"


class Curve(Document):
    """`hourly`: relative weights of the hours of a local day; `peak_factor`: busiest second over the mean."""

    hourly: tuple[Range, ...] = Field(min_length=24, max_length=24)
    peak_factor: Range


class Kinds(Document):
    """Shares of entries by kind; together 1."""

    text: Range
    file: Range
    edit: Range


class BodyBytes(Document):
    """Median and 99th percentile of a text in bytes; a lognormal between them."""

    p50: Range
    p99: Range


class FanOut(Document):
    """`mean_online`: connections that a message is delivered to; `big_channel_share`: sent to large channels."""

    mean_online: Range
    big_channel_share: Range


class Messages(Document):
    """What is sent."""

    per_dau_day: Range
    kinds: Kinds
    body_bytes: BodyBytes
    fan_out: FanOut


class Attachments(Document):
    """What is uploaded; a download that the edge has is a hit."""

    per_dau_day: Range
    bytes_mean: Range
    downloads_per_upload: Range
    cdn_hit: Range


class Retention(Document):
    """`hot`: months in the message store; `archive`: months until it is gone for good; `files`: the same, if other."""

    hot: Range
    archive: Range
    files: Range | None = None


class Reads(Document):
    """`per_message`: look-ups of the store for each message sent; `cache_hit`: the share that a cache answers."""

    per_message: Range
    history_pages_per_dau_day: Range
    searches_per_dau_day: Range
    cache_hit: Range
    push_per_message: Range


class ThinkTime(Document):
    """Seconds between two actions of a simulated user."""

    p50: Range


class Load(Document):
    """How a load test runs it; nothing of it is priced."""

    ramp_s: Range
    think_s: ThinkTime
    mass_reconnect: bool


_FRACTIONS: Final = (
    "users.peak_concurrency", "messages.kinds.text", "messages.kinds.file", "messages.kinds.edit",
    "messages.fan_out.big_channel_share", "attachments.cdn_hit", "reads.cache_hit",
)  # fmt: skip
# Above these somebody has mistyped: more people than there are, more a day than a person can do, more than S3 takes.
_LIMITS: Final = {
    "users.dau": 8_000_000_000,
    "users.mau_per_dau": 100,
    "users.devices_per_user": 20,
    "messages.per_dau_day": 10_000,
    "messages.body_bytes.p99": 400_000,  # 100,000 characters
    "messages.fan_out.mean_online": 1_000_000,  # a channel's members
    "attachments.per_dau_day": 10_000,
    "attachments.bytes_mean": 5_000_000_000_000,
    "attachments.downloads_per_upload": 1_000_000,
    "retention_months.archive": 1_200,
    "retention_months.files": 1_200,
    "reads.per_message": 10_000,
    "reads.history_pages_per_dau_day": 100_000,
    "reads.searches_per_dau_day": 10_000,
    "reads.push_per_message": 1_000_000,
    "curve.peak_factor": 1_000,
}


_UNITS: Final = {
    "users.dau": "users",
    "users.mau_per_dau": "users / daily user",
    "users.devices_per_user": "devices / user",
    "messages.per_dau_day": "messages / user and day",
    "messages.body_bytes.p50": "B",
    "messages.body_bytes.p99": "B",
    "messages.fan_out.mean_online": "connections / message",
    "attachments.per_dau_day": "files / user and day",
    "attachments.bytes_mean": "B",
    "attachments.downloads_per_upload": "downloads / file",
    "retention_months.hot": "months",
    "retention_months.archive": "months",
    "retention_months.files": "months",
    "reads.per_message": "look-ups / message",
    "reads.history_pages_per_dau_day": "pages / user and day",
    "reads.searches_per_dau_day": "searches / user and day",
    "reads.push_per_message": "notifications / message",
}  # the others are shares, weights and factors
_AT_LEAST_ONE: Final = (
    "users.dau", "users.mau_per_dau", "users.devices_per_user", "curve.peak_factor", "messages.body_bytes.p50",
    "attachments.bytes_mean",
)  # fmt: skip


class Scenario(Document):
    """A workload."""

    scheme: Literal["nottermost.scenario/1"] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    users: Users
    regions: tuple[Region, ...] = Field(min_length=1)
    curve: Curve
    messages: Messages
    attachments: Attachments
    retention_months: Retention
    reads: Reads
    load: Load

    @model_validator(mode="after")
    def _check(self) -> "Scenario":
        problems = list(_find_problems(self))
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def inputs(self) -> dict[str, Input]:
        """Every number that is priced, by its path."""
        return {
            name: Input(
                name,
                each.base,
                each.low,
                each.high,
                _UNITS.get(name, ""),
                each.source or f"scenario {self.name}",
                Kind.SCENARIO,
            )
            for name, each in _walk(self)
        }


def load_scenario(name: str, folder: Path = SCENARIOS) -> Scenario:
    """A committed scenario by its name, or any by its path. Raises: ScenarioError."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in folder.glob("*.yaml")))
        raise ScenarioError(f"there is no scenario {name}: name one of {known}, or give a path")
    scenario = load_document(path, Scenario, SCENARIO, ScenarioError)
    if path.parent == folder and scenario.name != path.stem:
        raise ScenarioError(f"{path} names itself {scenario.name}, expected {path.stem}")
    return scenario


def _walk(scenario: Scenario) -> Iterator[tuple[str, Range]]:
    for field in ("users", "curve", "messages", "attachments", "retention_months", "reads"):
        yield from _walk_model(field, getattr(scenario, field))
    if scenario.retention_months.files is None:
        yield "retention_months.files", scenario.retention_months.archive
    for region in scenario.regions:
        yield f"regions.{region.name}.share", region.share


def _walk_model(path: str, model: BaseModel) -> Iterator[tuple[str, Range]]:
    for field in type(model).model_fields:
        value = getattr(model, field)
        if isinstance(value, Range):
            yield f"{path}.{field}", value
        elif isinstance(value, tuple):
            yield from ((f"{path}.{field}.{index}", each) for index, each in enumerate(value))
        elif value is not None:
            yield from _walk_model(f"{path}.{field}", value)


def _find_problems(scenario: Scenario) -> Iterator[str]:
    values = dict(_walk(scenario))
    for name, each in values.items():
        if each.low < 0:
            yield f"{name} is negative ({each.low})"
        limit = 1 if name in _FRACTIONS else _LIMITS.get(name)
        if limit is not None and each.high > limit:
            yield f"{name} is {each.high}, more than {limit:,} cannot be"
    for name in _AT_LEAST_ONE:
        if values[name].low < 1:
            yield f"{name} is {values[name].low}, at least 1 is possible"
    base = {name: each.base for name, each in values.items()}
    yield from _find_contradictions(scenario, base)


def _find_contradictions(scenario: Scenario, base: dict[str, Decimal]) -> Iterator[str]:
    names = [region.name for region in scenario.regions]
    if len(set(names)) < len(names):
        yield "two regions have the same region and edge"
    for what, parts in (
        ("the shares of regions", [base[f"regions.{name}.share"] for name in names]),
        ("the kinds of messages", [base[f"messages.kinds.{kind}"] for kind in ("text", "file", "edit")]),
    ):
        whole = sum(parts, Decimal(0))
        if abs(whole - 1) > _ALMOST_ONE:
            yield f"{what} add up to {whole}, expected 1"
    body = scenario.messages.body_bytes
    if body.p99.low <= body.p50.high:
        yield "messages.body_bytes: p99 is not above p50"
    if base["retention_months.archive"] < base["retention_months.hot"]:
        yield "retention_months: archive is the whole life and at least hot"
    connected = base["users.dau"] * base["users.devices_per_user"] * base["users.peak_concurrency"]
    if base["messages.fan_out.mean_online"] > max(connected, Decimal(1)) and base["messages.per_dau_day"] > 0:
        yield f"messages.fan_out.mean_online is more than the {connected:,.0f} connections there are"
    if base["messages.per_dau_day"] > 0 and connected == 0:
        yield "messages are sent but nobody is ever connected"
    hourly = [base[f"curve.hourly.{hour}"] for hour in range(24)]
    if sum(hourly) == 0:
        yield "curve.hourly is all zero"
    elif base["curve.peak_factor"] * sum(hourly) < 24 * max(hourly):
        yield (
            f"curve.peak_factor {base['curve.peak_factor']} is below the {24 * max(hourly) / sum(hourly):.2f} "
            "that curve.hourly reaches by itself"
        )
