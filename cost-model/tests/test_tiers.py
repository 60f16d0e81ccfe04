"""What a quantity costs along the bands, and sharing it back."""

from datetime import date
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nottermost_cost.numeric import MONEY
from nottermost_cost.pricebook import INFINITE, Band, Confidence, PriceBook, Rate, load_prices
from nottermost_cost.tiers import cost_by_confidence, price_quantity, price_samples, share, walk_tiers

DAY = date(2026, 11, 21)
BOOK = load_prices()
TIERED = [rate for rate in BOOK if len(rate.bands) > 1]

quantities = st.decimals(0, 10**12, places=3)
prices = st.decimals(0, 100, places=10)


@st.composite
def rates(draw: st.DrawFn) -> Rate:
    """A rate of one to six bands with any prices."""
    starts = sorted(draw(st.sets(st.integers(1, 10**10), max_size=5)))
    edges = [Decimal(0), *map(Decimal, starts), INFINITE]
    bands = tuple(Band(start, end, draw(prices), Confidence.PRIMARY, DAY, "drawn") for start, end in pairwise(edges))
    return Rate("Any", "any.key", "global", "GB", 1024, "any", bands)


def marginal_price(rate: Rate, quantity: Decimal) -> Decimal:
    """What the next unit costs, found band by band."""
    return next(band.price for band in rate.bands if band.start <= quantity < band.end)


@pytest.mark.parametrize(
    ("key", "region", "boundary", "below", "above"),
    [
        ("dt.internet_out", "us-east-1", 10_240, "0.09", "0.085"),
        ("dt.internet_out", "eu-west-1", 51_200, "0.085", "0.07"),
        ("dt.internet_out", "ap-southeast-1", 153_600, "0.082", "0.08"),
        ("apigw.ws.messages", "us-east-1", 1_000, "1", "0.8"),  # 1e9 messages
        ("cloudfront.out.eu", "edge:eu", 1_048_576, "0.03", "0.025"),
        ("cognito.classic", "us-east-1", 50_000, "0", "0.0055"),
        ("vpc.endpoint.interface.gb", "us-east-1", 1_000_000, "0.01", "0.006"),
        ("lambda.arm.gb_second", "us-east-1", 7_500_000_000, "0.0000133334", "0.0000120001"),
    ],
)
def test_the_last_unit_below_a_boundary_and_the_first_above(
    key: str, region: str, boundary: int, below: str, above: str
) -> None:
    """A band ends before its bound: the unit that reaches it is the last at the lower price."""
    rate = BOOK.find(key, region, DAY)
    at = price_quantity(rate, Decimal(boundary))
    assert at - price_quantity(rate, Decimal(boundary - 1)) == Decimal(below)
    assert price_quantity(rate, Decimal(boundary + 1)) - at == Decimal(above)


@given(rate=rates() | st.sampled_from(TIERED), cuts=st.lists(quantities, min_size=1, max_size=8))
def test_a_walk_is_the_integral_of_the_marginal_price(rate: Rate, cuts: list[Decimal]) -> None:
    """Wherever the quantity is cut, length times marginal price of the pieces adds up to the cost."""
    quantity = max(cuts)
    inner = {band.start for band in rate.bands if band.start < quantity}
    edges = sorted({Decimal(0), *inner, *cuts})
    pieces = [(end - start) * marginal_price(rate, start) for start, end in pairwise(edges)]
    assert price_quantity(rate, quantity) == sum(pieces, Decimal(0))


@given(rate=rates() | st.sampled_from(TIERED), one=quantities, more=quantities)
def test_cost_never_falls_when_the_quantity_grows(rate: Rate, one: Decimal, more: Decimal) -> None:
    """Prices are not negative."""
    assert price_quantity(rate, one) <= price_quantity(rate, one + more)


@given(rate=rates() | st.sampled_from(TIERED), quantity=quantities)
def test_the_steps_hold_the_whole_quantity(rate: Rate, quantity: Decimal) -> None:
    """Nothing falls between two bands, and the cost by confidence is the cost."""
    steps = walk_tiers(rate, quantity)
    assert sum(step.quantity for step in steps) == quantity
    assert sum(cost_by_confidence(steps).values()) == price_quantity(rate, quantity)


@given(rate=rates() | st.sampled_from(TIERED), column=st.lists(quantities, min_size=1, max_size=20))
def test_samples_cost_what_decimals_cost(rate: Rate, column: list[Decimal]) -> None:
    """The vectorised walk is the exact one, to a billionth."""
    exact = [float(price_quantity(rate, quantity)) for quantity in column]
    assert price_samples(rate, np.array(column, dtype=float)) == pytest.approx(exact, rel=1e-9, abs=1e-9)


@given(
    total=st.decimals(-(10**9), 10**9, places=12),
    weights=st.lists(st.decimals(0, 10**12, places=9), min_size=1, max_size=30),
)
def test_sharing_loses_nothing_and_is_proportional(total: Decimal, weights: list[Decimal]) -> None:
    """The parts add up to the rounded total; each is within one quantum of its exact share."""
    parts = share(total, weights)
    rounded = total.quantize(MONEY)
    assert sum(parts) == rounded
    whole = sum(weights)
    for part, weight in zip(parts, weights, strict=True):
        exact = rounded * weight / whole if whole else rounded / len(weights)
        assert abs(part - exact) <= MONEY


def test_sharing_among_nobody_gives_nothing() -> None:
    """An empty list of weights is no division by zero."""
    assert share(Decimal(1), []) == []


def test_a_price_per_another_unit_costs_the_same() -> None:
    """1 GiBps of throughput is 1024 MiBps, also across bands."""
    bands = (
        Band(Decimal(0), Decimal(2048), Decimal("0.04"), Confidence.PRIMARY, DAY, "drawn"),
        Band(Decimal(2048), INFINITE, Decimal("0.02"), Confidence.PRIMARY, DAY, "drawn"),
    )
    rate = Rate("EBS", "ebs.any", "us-east-1", "MiBps-month", 1024, "any", bands)
    assert price_quantity(rate.in_unit("GiBps-month"), Decimal(3)) == price_quantity(rate, Decimal(3072))


def test_a_book_of_no_rates_is_a_book() -> None:
    """Nothing is priced, nothing fails before it is asked for."""
    assert PriceBook([]).keys == ()
