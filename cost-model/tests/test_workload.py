"""Quantities: a month of a workload, checked against arithmetic done by hand."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nottermost_cost.coefficients import load_coefficients
from nottermost_cost.errors import ScenarioError
from nottermost_cost.inputs import base_values
from nottermost_cost.numeric import ceil, largest, smallest
from nottermost_cost.scenario import load_scenario
from nottermost_cost.workload import STORES, Shape, Workload, derive_workload

HOME = "us-east-1"


def derive(
    name: str = "growth", *, standbys: tuple[str, ...] = (), store: str = "dynamodb", month: int = 12, **changed: int
) -> Workload:
    """A scenario's workload, with inputs changed by name (dots as double underscores)."""
    scenario = load_scenario(name)
    values = base_values({**scenario.inputs(), **load_coefficients()})
    values |= {key.replace("__", "."): Decimal(value) for key, value in changed.items()}
    return derive_workload(values, Shape(scenario.regions, HOME, standbys, store, month, backup_days=35))


def test_messages_are_a_month_of_days() -> None:
    """5 billion a day are 152 billion in 730 hours, and fan out to as many deliveries as there are readers."""
    q = derive("100m").quantities
    assert q("messages.sent") == Decimal(5_000_000_000) * 730 / 24
    assert q("messages.delivered") == q("messages.sent") * 4


def test_connections_peak_where_the_scenario_says() -> None:
    """However users are spread over clocks, the busiest hour of all together has the stated connections."""
    for name, peak in (("100m", 10_000_000), ("growth", 210_000), ("launch", 2_100)):
        workload = derive(name)
        assert max(workload.connections[HOME]) == pytest.approx(Decimal(peak))
        assert workload.quantities.total("connections.peak") == pytest.approx(Decimal(peak))


def test_the_busiest_second_is_the_peak_factor() -> None:
    """174,000 messages a second at the peak of 58,000 on average."""
    workload = derive("100m")
    assert float(max(workload.messages_per_s)) == pytest.approx(3 * 5e9 / 86400)


def test_clocks_move_the_curve() -> None:
    """Users five hours behind UTC are busiest five hours later."""
    day = derive("launch").connections[HOME]
    local = [each.base for each in load_scenario("launch").curve.hourly]
    assert day.index(max(day)) == (local.index(max(local)) + 5) % 24


def test_write_units_by_design() -> None:
    """A transaction costs two units for one; a single item of 1 KB costs about one."""
    ours, single = (derive("100m", store=store).quantities("store.writes_per_message") for store in STORES[:2])
    assert 8 < ours < 12
    assert 1 < single < 3
    with pytest.raises(KeyError):
        derive("100m", store="postgresql").quantities("store.writes", HOME)
    with pytest.raises(ScenarioError, match="no store cassandra"):
        derive("100m", store="cassandra")


def test_storage_grows_until_its_retention() -> None:
    """Hot text stays at its months, files grow with every month until they are deleted."""
    kept = {month: derive(month=month).quantities for month in (1, 12, 60, 61, 200)}
    assert kept[1]("store.bytes", HOME) == kept[200]("store.bytes", HOME)
    assert kept[12]("files.bytes_instant", HOME) == kept[12]("files.large_bytes") * 9
    assert kept[60]("storage.gb") == kept[61]("storage.gb") > kept[12]("storage.gb")
    assert kept[1]("archive.bytes_recent", HOME) == 0
    assert kept[1]("storage.gb.month.12") == kept[12]("storage.gb") == kept[60]("storage.gb.month.12")


def test_small_files_are_neither_tiered_nor_monitored() -> None:
    """Below 128 KiB S3 keeps a file at the standard rate: most of those of 50 KB are, few of those of 3 MB."""
    small, large = derive("100m").quantities, derive(attachments__bytes_mean=3_000_000).quantities
    assert small("files.large") < small("attachments.uploaded") / 4
    assert large("files.large") > large("attachments.uploaded") / 2
    for q in (small, large):
        assert q("files.large_bytes") + q("files.small_bytes") == pytest.approx(
            q("attachments.bytes") * Decimal("1.05")
        )


def test_what_leaves_the_store_is_deleted() -> None:
    """After the hot months every entry is also deleted once, which costs units; before, nothing is."""
    young, old = (derive(month=month).quantities for month in (1, 12))
    assert old("store.writes", HOME) - young("store.writes", HOME) == pytest.approx(3 * old("messages.sent"))


def test_the_day_is_told_by_the_hour() -> None:
    """Connections of each hour and region, of which the largest is the peak."""
    q = derive().quantities
    assert max(q(f"connections.hour.{hour:02}", HOME) for hour in range(24)) == q("connections.peak", HOME)


def test_standbys_hold_copies() -> None:
    """A standby stores what home stores, and the way there is counted; without one nothing is."""
    q = derive(standbys=("eu-west-1",)).quantities
    assert q("store.bytes", "eu-west-1") == q("store.bytes", HOME)
    assert q("network.cross_region_bytes", HOME) > q("messages.sent") * q("store.bytes_per_message")
    with pytest.raises(KeyError):
        derive().quantities("network.cross_region_bytes", HOME)


def test_every_quantity_explains_itself() -> None:
    """A unit and a formula for each; none is negative."""
    for each in derive(standbys=("eu-west-1",)).quantities:
        assert each.unit
        assert each.formula
        assert each.value >= 0


_NUMBERS = st.decimals(min_value=0, max_value=10**9, places=4)


@given(one=_NUMBERS, other=_NUMBERS)
def test_both_kinds_of_numbers_agree(one: Decimal, other: Decimal) -> None:
    """Rounding up, largest and smallest give for columns what they give for decimals."""
    columns = np.array([float(one)]), np.array([float(other)])
    assert float(ceil(one)) == ceil(columns[0])[0]
    assert float(largest(one, other)) == largest(*columns)[0]
    assert float(smallest(one, other)) == smallest(*columns)[0]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 8_000_000), st.integers(1, 8_000_000))
def test_quantities_never_fall_when_users_come(one: int, other: int) -> None:
    """More users a day: at least as much of everything."""
    few, many = (derive("launch", users__dau=dau).quantities for dau in sorted((one, other)))
    for less, more in zip(few, many, strict=True):
        assert less.value <= more.value, less.name
