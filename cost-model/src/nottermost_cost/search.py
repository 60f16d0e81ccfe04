"""Looking into the price book: what it holds for some words, how old it is, and where two regions differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from nottermost_cost.encoding import encode_json
from nottermost_cost.errors import PriceError
from nottermost_cost.plain import lay_out
from nottermost_cost.price_lines import format_usd
from nottermost_cost.pricebook import INFINITE, Confidence, PriceBook, Rate
from nottermost_cost.report.cells import Kind
from nottermost_cost.report.tables import Column, Table

OLD_AFTER: Final = timedelta(days=365)
_COLUMNS: Final = (
    Column("Key"), Column("Region"), Column("Since"), Column("Until"), Column("USD", Kind.PRICE), Column("Unit"),
    Column("From", Kind.COUNT), Column("Below", Kind.COUNT), Column("Confidence"), Column("Read on"),
    Column("Description"), Column("Source"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BookAge:
    """How far the book can be trusted; counts are of prices, one a band.

    Attributes:
        old: read more than a year before the day; undated: without a day. An assumption is as old as its basis.
    """

    day: date
    prices: int
    old: int
    undated: int
    by_confidence: dict[Confidence, int]


@dataclass(frozen=True, slots=True)
class Parity:
    """Keys that two regions do not have alike, on one day.

    Attributes:
        only_one, only_other: priced in that region alone.
        assumed_one, assumed_other: sourced in the other region, and in this at least partly assumed.
    """

    one: str
    other: str
    only_one: tuple[str, ...]
    only_other: tuple[str, ...]
    assumed_one: tuple[str, ...]
    assumed_other: tuple[str, ...]


def search_prices(book: PriceBook, words: Sequence[str], *, region: str = "") -> tuple[Rate, ...]:
    """Every rate, of any day, whose key, service or description has all the words.

    Raises: PriceError when there is none, with the nearest keys.
    """
    found = tuple(rate for rate in book if region in ("", rate.region) and _has_words(rate, words))
    if not found:
        near = list(dict.fromkeys(key for word in words for key in book.nearest(word)))
        where = f" in {region}" if region else ""
        raise PriceError(f"no price for {' '.join(words)!r}{where}; nearest: {', '.join(near) or 'nothing like it'}")
    return found


def measure_age(book: PriceBook, day: date) -> BookAge:
    """How old the prices are on that day."""
    bands = [band for rate in book for band in rate.bands]
    dates = [band.snapshot for band in bands]
    return BookAge(
        day=day,
        prices=len(bands),
        old=sum(snapshot is not None and day - snapshot > OLD_AFTER for snapshot in dates),
        undated=dates.count(None),
        by_confidence={kind: sum(band.confidence is kind for band in bands) for kind in Confidence},
    )


def compare_regions(book: PriceBook, one: str, other: str, day: date) -> Parity:
    """Which keys the two regions do not have alike."""
    mine, theirs = (
        {rate.key: rate.confidence for rate in book if rate.region == region and rate.is_valid(day)}
        for region in (one, other)
    )
    both = sorted(mine.keys() & theirs.keys())
    assumed = Confidence.ASSUMED
    return Parity(
        one=one,
        other=other,
        only_one=tuple(sorted(mine.keys() - theirs.keys())),
        only_other=tuple(sorted(theirs.keys() - mine.keys())),
        assumed_one=tuple(key for key in both if mine[key] is assumed and theirs[key] is not assumed),
        assumed_other=tuple(key for key in both if theirs[key] is assumed and mine[key] is not assumed),
    )


def render_prices(rates: Sequence[Rate]) -> list[str]:
    """One table with a row for each band; nothing without rates."""
    rows = tuple(
        (
            *(rate.key, rate.region, rate.valid_from, rate.valid_to, format_usd(band.price), rate.unit),
            *(f"{band.start:,f}", "" if band.end == INFINITE else f"{band.end:,f}"),
            *(band.confidence, band.snapshot or "undated", rate.description, band.source),
        )
        for rate in rates
        for band in rate.bands
    )
    return [lay_out(Table("", _COLUMNS, rows))] if rows else []


def render_age(age: BookAge) -> str:
    """One line."""
    shares = ", ".join(f"{count} {kind.value} ({count / age.prices:.0%})" for kind, count in age.by_confidence.items())
    return f"{age.prices} prices on {age.day}: {age.old} were read over a year before, {age.undated} have no date; {shares}"


def render_parity(parity: Parity) -> list[str]:
    """A heading and its keys, four times."""
    parts = (
        (f"only in {parity.one}", parity.only_one),
        (f"only in {parity.other}", parity.only_other),
        (f"assumed in {parity.one}, sourced in {parity.other}", parity.assumed_one),
        (f"assumed in {parity.other}, sourced in {parity.one}", parity.assumed_other),
    )
    return [line for title, keys in parts for line in (f"{title}: {len(keys)}", *(f"    {key}" for key in keys))]


def render_prices_json(rates: Sequence[Rate], age: BookAge, parity: Parity | None = None) -> bytes:
    """One object; prices are numbers with every digit."""
    prices = [
        {
            "service": rate.service,
            "sku_key": rate.key,
            "region": rate.region,
            "description": rate.description,
            "unit": rate.unit,
            "unit_system": rate.unit_system,
            "effective_from": rate.valid_from,
            "effective_to": rate.valid_to,
            "confidence": rate.confidence,
            "bands": [
                {
                    "tier_from": band.start,
                    "tier_to": None if band.end == INFINITE else band.end,
                    "price_usd": band.price,
                    "confidence": band.confidence,
                    "snapshot_date": band.snapshot,
                    "aws_sku": band.sku,
                    "source": band.source,
                }
                for band in rate.bands
            ],
        }
        for rate in rates
    ]
    return encode_json({"prices": prices, "book": age, "parity": parity})


def _has_words(rate: Rate, words: Sequence[str]) -> bool:
    text = f"{rate.key} {rate.service} {rate.description}".casefold()
    return all(word.casefold() in text for word in words)
