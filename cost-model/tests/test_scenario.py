"""Scenarios and coefficients: what people write is read as meant, or refused in one sentence."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from nottermost_cost.coefficients import CITED, FOLDER, load_coefficients
from nottermost_cost.errors import ScenarioError
from nottermost_cost.inputs import Kind
from nottermost_cost.scenario import SCENARIOS, load_scenario

ALL = sorted(path.stem for path in SCENARIOS.glob("*.yaml"))


def test_every_size_has_a_scenario() -> None:
    """From the launch to a hundred million users a day, and what non-production environments carry."""
    users = {name: load_scenario(name).users.dau.base for name in ALL}
    assert users == {
        "team": 50, "launch": 10_000, "mvp": 100_000, "growth": 1_000_000, "scale": 10_000_000, "100m": 100_000_000,
    }  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_every_number_has_a_source(name: str) -> None:
    """A range says where it comes from; a bare number is the scenario's own."""
    for each in load_scenario(name).inputs().values():
        assert each.source
        assert each.low <= each.value <= each.high


def test_the_hundred_million_are_the_design_documents() -> None:
    """100M users a day, 10M sockets, 5 billion messages a day, peak factor 3, 10 reads a write."""
    values = {name: each.value for name, each in load_scenario("100m").inputs().items()}
    assert values["users.dau"] * values["users.devices_per_user"] * values["users.peak_concurrency"] == 10_000_000
    assert values["users.dau"] * values["messages.per_dau_day"] == 5_000_000_000
    assert values["curve.peak_factor"] == 3
    assert values["reads.per_message"] == 10


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write the scenario of a million users with one field changed; returns the path."""

    def change(path: str, value: object) -> str:
        data: Any = yaml.safe_load((SCENARIOS / "growth.yaml").read_text())
        *parents, last = path.split(".")
        at = data
        for part in parents:
            at = at[int(part)] if part.isdigit() else at[part]
        at[last] = value
        target = tmp_path / "growth.yaml"
        target.write_text(yaml.safe_dump(data))
        return str(target)

    return change


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("users.dau", -1, "users.dau is negative"),
        ("users.dau", 9_000_000_000, "users.dau is 9000000000, more than"),
        ("users.dau", "many", "users.dau.base: Input should be a valid decimal"),
        ("users.dau", True, "is no number"),
        ("users.dau", {"low": 3, "base": 2, "high": 4, "source": ""}, "low 3 <= base 2"),
        ("users.peak_concurrency", 1.5, "users.peak_concurrency is 1.5"),
        ("users.typo", 1, "users.typo: Extra inputs are not permitted"),
        ("messages.kinds", {"text": 0.5, "file": 0.1, "edit": 0.1}, "the kinds of messages add up to 0.7"),
        ("regions.0.share", 0.9, "the shares of regions add up to 1.3"),
        ("regions.0.utc_offset", 30, "less than or equal to 14"),
        ("regions.0.edge", "mars", "Input should be 'us'"),
        ("regions.1.edge", "us", "two regions have the same region and edge"),
        ("messages.body_bytes", {"p50": 200, "p99": 100}, "p99 is not above p50"),
        ("messages.fan_out.mean_online", 900_000, "more than the 210,000 connections"),
        ("users.peak_concurrency", 0, "nobody is ever connected"),
        ("retention_months", {"hot": 6, "archive": 3}, "archive is the whole life"),
        ("curve.hourly", [0] * 24, "curve.hourly is all zero"),
        ("curve.hourly", [1] * 23, "at least 24 items"),
        ("curve.peak_factor", 1.1, "curve.peak_factor 1.1 is below"),
        ("schema", "nottermost.scenario/2", "expected 'nottermost.scenario/1'"),
        ("attachments.bytes_mean", float("inf"), "attachments.bytes_mean"),
    ],
)
def test_what_cannot_be_is_refused(write: Callable[..., str], path: str, value: object, said: str) -> None:
    """One sentence that names the field, for contradictions, negative, absurd and unreadable numbers."""
    with pytest.raises(ScenarioError) as refused:
        load_scenario(write(path, value))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    """No file, no YAML, a key that is there twice."""
    with pytest.raises(ScenarioError, match="there is no scenario nowhere: name one of 100m, growth"):
        load_scenario("nowhere")
    for text, said in (("a: [", "is no YAML"), ("a: 1\na: 2\n", "a is there twice"), ("[]", "is no mapping")):
        path = tmp_path / "bad.yaml"
        path.write_text(text)
        with pytest.raises(ScenarioError, match=said):
            load_scenario(str(path))


def test_every_coefficient_says_where_it_is_from() -> None:
    """Without a measurement each is cited or assumed, with its range and source."""
    for each in load_coefficients().values():
        assert each.kind in (Kind.CITED, Kind.ASSUMED)
        assert each.source
        assert each.low <= each.value <= each.high


def _measure(folder: Path, name: str, **changes: object) -> None:
    document: dict[str, Any] = {
        "schema": "nottermost.coefficients/1",
        "commit": "0123456789abcdef",
        "measured_at": "2026-11-01T10:00:00Z",
        "host": "two cores",
        "coefficients": {
            "gateway.connections_per_vcpu": {
                "value": 5000, "unit": "connections/vCPU", "low": 4000, "high": 6000, "n": 12, "source": "load knee",
            }
        },
    }  # fmt: skip
    (folder / CITED).write_bytes((FOLDER / CITED).read_bytes())
    (folder / name).write_text(json.dumps({**document, **changes}))


def test_the_newest_measurement_wins(tmp_path: Path) -> None:
    """A load test's file takes the place of what was cited, and says so."""
    _measure(tmp_path, "new.json")
    found = load_coefficients(tmp_path)["gateway.connections_per_vcpu"]
    assert [found.value, found.low, found.high] == [5000, 4000, 6000]
    assert found.kind is Kind.MEASURED
    assert "measured 2026-11-01 at 0123456789ab on two cores" in found.source
    newer = {"value": Decimal(7000), "unit": "connections/vCPU", "low": 1, "high": 9000, "n": 1, "source": "again"}
    _measure(
        tmp_path, "a.json", measured_at="2026-11-02T10:00:00Z",
        coefficients={"gateway.connections_per_vcpu": {**newer, "value": 7000}},
    )  # fmt: skip
    assert load_coefficients(tmp_path)["gateway.connections_per_vcpu"].value == 7000


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": "nottermost.coefficients/2"}, "expected 'nottermost.coefficients/1'"),
        ({"measured_at": None}, "does not say when"),
        ({"coefficients": {"unheard.of": {"value": 1, "unit": "", "low": 1, "high": 1, "n": 1, "source": "x"}}}, "does not use"),
        (
            {"coefficients": {"gateway.connections_per_vcpu": {"value": 1, "unit": "per pod", "low": 1, "high": 1, "n": 1, "source": "x"}}},
            "expected connections/vCPU",
        ),
        (
            {"coefficients": {"gateway.connections_per_vcpu": {"value": 9, "unit": "connections/vCPU", "low": 1, "high": 1, "n": 1, "source": "x"}}},
            "does not hold",
        ),
        ({"extra": 1}, "unknown field"),
    ],
)  # fmt: skip
def test_a_measurement_that_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    """Another version, another unit, a name the model does not know, numbers out of order."""
    _measure(tmp_path, "bad.json", **changes)
    with pytest.raises(ScenarioError, match=said):
        load_coefficients(tmp_path)
