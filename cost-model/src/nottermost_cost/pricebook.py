"""The price book: one price for a key, a region and a day, or an error that says what is near.

A key has bands: half-open, contiguous from 0 to infinity, in price units. What a source repeats
under other names is found through `aliases.csv`; what no source gives is derived in `assumed.csv`
from a price that one does, with a reason. See `cost-model/prices/README.md` for the files.
"""

import csv
import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Final

from nottermost_cost.errors import PriceError, PriceNotFound

PRICES: Final = Path(__file__).parents[2] / "prices"
INFINITE: Final = Decimal("Infinity")
COLUMNS: Final = (
    "service", "sku_key", "description", "unit", "unit_system", "region", "price_usd", "tier_from", "tier_to",
    "effective_from", "effective_to", "snapshot_date", "confidence", "aws_sku", "aws_usage_type", "source",
)  # fmt: skip
_PREFIXES: Final = {"1k": 1_000, "10k": 10_000, "100k": 100_000, "1M": 1_000_000}
_UNITS: Final = {  # words that sources use for one unit: how many of the second make one of the first
    ("GiBps-month", "MiBps-month"): Decimal(1024),
    ("NLCU-hour", "LCU-hour"): Decimal(1),
    ("alarm-month", "alarm-metric-month"): Decimal(1),
}
_TIER: Final = re.compile(r"\.(t\d+|free)$")


class Confidence(StrEnum):
    """Where a price comes from: AWS's own list at one remove at most; a page or a hand table; our reasoning."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Band:
    """A price between two quantities.

    Attributes:
        start, end: half-open, in price units.
        price: USD for one price unit.
        snapshot: the day on which it was read; None where the source has no date.
        source: where it was read, or for an assumed price the basis, the factor and the reasoning.
    """

    start: Decimal
    end: Decimal
    price: Decimal
    confidence: Confidence
    snapshot: date | None
    source: str
    sku: str = ""


def weakest(bands: Iterable[Band]) -> Confidence:
    """The confidence of a price that is made of these bands, at least one."""
    order = list(Confidence)
    return max((band.confidence for band in bands), key=order.index)


@dataclass(frozen=True)
class Rate:
    """What one key costs in one region, valid from a day until before another."""

    service: str
    key: str
    region: str
    unit: str
    unit_system: int
    description: str
    bands: tuple[Band, ...]
    valid_from: date | None = None
    valid_to: date | None = None

    @cached_property
    def unit_size(self) -> Decimal:
        """How many of what is counted make one price unit: 1,000,000 for `1M messages`, 2^30 bytes for a binary `GB`.

        Data is counted in bytes, everything else in pieces or hours.
        """
        prefix, _, _ = self.unit.partition(" ")
        if prefix in _PREFIXES:
            return Decimal(_PREFIXES[prefix])
        if self.unit in ("GB", "GB-month"):
            return Decimal(self.unit_system) ** 3
        return Decimal(1)

    @property
    def confidence(self) -> Confidence:
        """Of the weakest band."""
        return weakest(self.bands)

    def in_unit(self, unit: str) -> "Rate":
        """The same price per another unit. Raises: PriceError when the units do not measure the same."""
        factor = convert_unit(unit, self.unit)
        if factor == 1:
            return replace(self, unit=unit)
        bands = (
            replace(band, start=band.start / factor, end=band.end / factor, price=band.price * factor)
            for band in self.bands
        )
        return replace(self, unit=unit, bands=tuple(bands))

    def is_valid(self, day: date) -> bool:
        """Whether it was the price on that day."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day < self.valid_to)


class PriceBook:
    """All prices. Raises PriceError when the files contradict themselves.

    Args:
        aliases: the key by another name of it.
        alias_units: the unit of quantities under an alias, where it differs from the key's.
    """

    def __init__(
        self,
        rates: Iterable[Rate],
        aliases: Mapping[str, str] | None = None,
        alias_units: Mapping[str, str] | None = None,
    ) -> None:
        self._rates: dict[tuple[str, str], list[Rate]] = defaultdict(list)
        for rate in rates:
            _check_bands(rate)
            for other in self._rates[rate.key, rate.region]:
                if _overlap(rate, other):
                    raise PriceError(f"{rate.key} in {rate.region} has two prices at once: give the older one an end")
            self._rates[rate.key, rate.region].append(rate)
        self.aliases = dict(aliases or {})
        self._alias_units = dict(alias_units or {})

    def __iter__(self) -> Iterator[Rate]:
        for key in sorted(self._rates):
            yield from self._rates[key]

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Every key once, sorted."""
        return tuple(sorted({key for key, _ in self._rates}))

    def find(self, key: str, region: str, day: date) -> Rate:
        """The one price; under an alias per the alias's unit. Raises: PriceNotFound, which names what is near."""
        name = self.aliases.get(key, key)
        found = [rate for rate in self._rates.get((name, region), ()) if rate.is_valid(day)]
        if len(found) == 1:
            return found[0].in_unit(self._alias_units[key]) if key in self._alias_units else found[0]
        raise PriceNotFound(key, region, day.isoformat(), self.nearest(key), self.regions(name))

    def nearest(self, key: str) -> list[str]:
        """Up to three names of the book that are like it; for a tier's name the key that has the tier."""
        whole = strip_tier(key)
        if whole in self.keys or whole in self.aliases:
            return [whole]
        return difflib.get_close_matches(key, (*self.keys, *self.aliases), n=3)

    def regions(self, key: str) -> tuple[str, ...]:
        """Where a key is priced, sorted."""
        return tuple(sorted(region for name, region in self._rates if name == self.aliases.get(key, key)))


def load_prices(folder: Path = PRICES) -> PriceBook:
    """Read every file of the book.

    Raises: PriceError with file and line of a row that cannot be read, and when bands do not join.
    """
    sourced: _Rates = {}
    for path in sorted(folder.glob("*.csv")):
        if path.name in _OTHER_FILES:
            continue
        for number, row in read_rows(path, COLUMNS):
            rate, band = _parse_row(row, f"{path.name}:{number}")
            first, bands = sourced.setdefault((rate.key, rate.region, rate.valid_from), (rate, []))
            if replace(rate, description=first.description) != first:
                raise PriceError(
                    f"{path.name}:{number}: the bands of {rate.key} in {rate.region} differ in unit or period"
                )
            bands.append(band)
    rates = {key: (rate, list(found)) for key, (rate, found) in sourced.items()}
    namesakes = {name: rate for rate, _ in sourced.values() for name in (_family(rate.key), rate.key)}
    for number, row in read_rows(folder / "assumed.csv", _ASSUMED_COLUMNS):
        rate, bands = _assume(row, sourced, f"assumed.csv:{number}")
        rate = _describe(rate, namesakes)
        rates.setdefault((rate.key, rate.region, rate.valid_from), (rate, []))[1].extend(bands)
    aliases = [row for _, row in read_rows(folder / "aliases.csv", _ALIAS_COLUMNS)]
    return PriceBook(
        (
            replace(rate, bands=tuple(sorted(bands, key=lambda band: band.start)))
            for _, (rate, bands) in sorted(rates.items(), key=lambda item: (item[0][0], item[0][1], str(item[0][2])))
        ),
        {row["alias"]: row["sku_key"] for row in aliases},
        {row["alias"]: row["unit"] for row in aliases if row["unit"]},
    )


def load_allowances(folder: Path = PRICES) -> dict[str, Decimal]:
    """What an account has free each month, by key, in price units: only with `--free-tier`."""
    rows = read_rows(folder / "free-tier.csv", ("sku_key", "quantity", "unit", "note"))
    return {row["sku_key"]: parse_number(row["quantity"], f"free-tier.csv:{number}") for number, row in rows}


def _family(key: str) -> str:
    return key.partition(".")[0]


def strip_tier(key: str) -> str:
    """The key without the name of one of its tiers."""
    return _TIER.sub("", key)


def convert_unit(unit: str, other: str) -> Decimal:
    """How many of the other make one unit. Raises: PriceError when they do not measure the same."""
    if unit == other:
        return Decimal(1)
    if (unit, other) in _UNITS:
        return _UNITS[unit, other]
    if (other, unit) in _UNITS:
        return 1 / _UNITS[other, unit]
    raise PriceError(f"the unit is {unit!r}, expected {other!r}")


_OTHER_FILES: Final = frozenset({"aliases.csv", "assumed.csv", "free-tier.csv", "mends.csv", "quarantine.csv"})
_ALIAS_COLUMNS: Final = ("alias", "sku_key", "unit", "note")
_ASSUMED_COLUMNS: Final = (
    "sku_key", "region", "tier_from", "tier_to", "basis_key", "basis_region", "basis_day", "factor",
    "effective_from", "effective_to", "reasoning",
)  # fmt: skip
_Rates = dict[tuple[str, str, date | None], tuple[Rate, list[Band]]]


def _assume(row: Mapping[str, str], sourced: _Rates, where: str) -> tuple[Rate, list[Band]]:
    """A price derived from a sourced one: its bands between `tier_from` and `tier_to`, times the factor.

    The basis's highest band is taken to go on where a source ends below infinity. A basis with several periods
    serves with that of `basis_day`, or the newest. The factor is a number or a ratio such as 0.50/0.57.
    """
    day = parse_date(row["basis_day"], where) or date.max
    bases = [
        entry
        for (key, region, _), entry in sourced.items()
        if (key, region) == (row["basis_key"], row["basis_region"]) and entry[0].is_valid(day)
    ]
    if len(bases) != 1:
        raise PriceError(f"{where}: {row['basis_key']} in {row['basis_region']} is no single sourced price")
    if not row["reasoning"].strip():
        raise PriceError(f"{where}: an assumption needs its reasoning")
    basis, known = bases[0]
    bands = sorted(known, key=lambda band: band.start)
    bands[-1] = replace(bands[-1], end=INFINITE)
    first, last = parse_number(row["tier_from"] or "0", where), parse_end(row["tier_to"] or "Inf", where)
    times, over = _parse_factor(row["factor"], where)
    source = f"assumed: {basis.key} in {basis.region} x {row['factor']}: {row['reasoning'].strip()}"
    rate = replace(
        basis,
        key=row["sku_key"],
        region=row["region"],
        valid_from=parse_date(row["effective_from"], where),
        valid_to=parse_date(row["effective_to"], where),
    )
    return rate, [
        replace(
            band,
            start=max(band.start, first),
            end=min(band.end, last),
            price=band.price * times / over,
            confidence=Confidence.ASSUMED,
            source=source,
            sku="",
        )
        for band in bands
        if band.start < last and first < band.end
    ]


def _describe(rate: Rate, namesakes: Mapping[str, Rate]) -> Rate:
    """An assumed rate with the words of its own key where a source has it anywhere, else with its family's service."""
    if rate.key in namesakes:
        known = namesakes[rate.key]
        return replace(rate, service=known.service, unit=known.unit, description=known.description)
    family = namesakes.get(_family(rate.key), rate)
    return replace(rate, service=family.service, description=f"derived from {rate.description}")


def _parse_factor(text: str, where: str) -> tuple[Decimal, Decimal]:
    times, _, over = text.partition("/")
    factor = parse_number(times, where), parse_number(over or "1", where)
    if not all(factor):
        raise PriceError(f"{where}: {text!r} is no factor above 0, such as 1.107 or 0.50/0.57")
    return factor


def read_rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with their line numbers. Raises: PriceError when the file, a column or a cell is missing or unknown."""
    if not path.is_file():
        raise PriceError(f"there is no {path}")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != columns:
            raise PriceError(f"{path.name} has the columns {reader.fieldnames}, expected {list(columns)}")
        for row in reader:
            if None in row or None in row.values():
                raise PriceError(f"{path.name}:{reader.line_num} has not {len(columns)} cells")
            yield reader.line_num, row


def _parse_row(row: Mapping[str, str], where: str) -> tuple[Rate, Band]:
    try:
        confidence = Confidence(row["confidence"])
        unit_system = {"1000": 1000, "1024": 1024}[row["unit_system"]]
    except (KeyError, ValueError):
        raise PriceError(f"{where}: confidence {row['confidence']!r} or unit system {row['unit_system']!r}") from None
    snapshot = parse_date(row["snapshot_date"], where)
    if snapshot is None and confidence is Confidence.PRIMARY:
        raise PriceError(f"{where}: a price without a date is secondary")
    rate = Rate(
        service=row["service"],
        key=row["sku_key"],
        region=row["region"],
        unit=row["unit"],
        unit_system=unit_system,
        description=row["description"],
        bands=(),
        valid_from=parse_date(row["effective_from"], where),
        valid_to=parse_date(row["effective_to"], where),
    )
    band = Band(
        start=parse_number(row["tier_from"], where),
        end=parse_end(row["tier_to"], where),
        price=parse_number(row["price_usd"], where),
        confidence=confidence,
        snapshot=snapshot,
        source=row["source"],
        sku=row["aws_sku"],
    )
    return rate, band


def parse_number(text: str, where: str) -> Decimal:
    """A finite number >= 0. Raises: PriceError, which names the place."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise PriceError(f"{where}: {text!r} is no number") from None
    if not value.is_finite() or value < 0:
        raise PriceError(f"{where}: {text} is negative or not finite")
    return value


def parse_end(text: str, where: str) -> Decimal:
    """Where a band ends: a number, or Inf. Raises: PriceError, which names the place."""
    return INFINITE if text == "Inf" else parse_number(text, where)


def parse_date(text: str, where: str) -> date | None:
    """A day; None for an empty text. Raises: PriceError, which names the place."""
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise PriceError(f"{where}: {text!r} is no date like 2026-11-21") from None


def _check_bands(rate: Rate) -> None:
    at = Decimal(0)
    for band in rate.bands:
        if band.start != at or band.end <= band.start:
            problem = "two bands overlap" if band.start < at else "there is a gap"
            raise PriceError(
                f"{rate.key} in {rate.region}: {problem} between {at:f} and {band.start:f} ({band.source[:60]})"
            )
        at = band.end
    if at != INFINITE:
        raise PriceError(f"{rate.key} in {rate.region}: the bands end at {at:f} instead of Inf")


def _overlap(one: Rate, other: Rate) -> bool:
    return (one.valid_to is None or other.valid_from is None or other.valid_from < one.valid_to) and (
        other.valid_to is None or one.valid_from is None or one.valid_from < other.valid_to
    )
