"""What is odd in a bill. Nothing odd is mended or left out: it is counted, with first rows and the money concerned."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from nottermost_cost.bill.amounts import Amounts, exact
from nottermost_cost.bill.moments import UNKNOWN_MONTH, parse_moment
from nottermost_cost.bill.reading import Batch, Mask
from nottermost_cost.bill.rows import LIST_UNIT_PRICE, QUANTITY, USD, Rows, find
from nottermost_cost.bill.tags import parse_tags
from nottermost_cost.services import is_known

ROWS_SHOWN: Final = 5
_ABSOLUTE: Final = 1e-9  # USD; exports round costs to ten decimals
_RELATIVE: Final = 1e-6  # unit prices are rounded too
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no column's digest is lost
_TIMES: Final = ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")


class Oddity(StrEnum):
    """What can be odd, in the order of a report."""

    COST_ROUNDED = "cost_rounded"
    COST_MISSING = "cost_missing"
    LIST_COST_MISMATCH = "list_cost_mismatch"
    EFFECTIVE_DIFFERS = "effective_differs"
    COMMITTED_ROW_BILLED = "committed_row_billed"
    COMMITMENT_MISMATCH = "commitment_mismatch"
    CREDIT = "credit"
    NEGATIVE_COST = "negative_cost"
    DUPLICATE_ROW = "duplicate_row"
    OTHER_MONTH = "other_month"
    TIME_UNREADABLE = "time_unreadable"
    TIME_WITHOUT_ZONE = "time_without_zone"
    CURRENCY_CONVERTED = "currency_converted"
    CURRENCY_MISSING = "currency_missing"
    AMOUNT_FORMATTED = "amount_formatted"
    NULL_WORD = "null_word"
    NO_PRICING_CATEGORY = "no_pricing_category"
    UNKNOWN_SERVICE = "unknown_service"
    TAGS_AS_TEXT = "tags_as_text"
    TAGS_EMPTY = "tags_empty"
    TAGS_UNREADABLE = "tags_unreadable"
    TAG_KEY_BLANKS = "tag_key_blanks"
    BLANK_ROW = "blank_row"
    LINE_BREAK = "line_break"
    UNKNOWN_COLUMN = "unknown_column"
    MISSING_COLUMN = "missing_column"


SENTENCES: Final[dict[Oddity, str]] = {
    Oddity.COST_ROUNDED: "effective or contracted cost is a rounded whole number where the billed cost has decimals: "
    "trust the billed cost",
    Oddity.COST_MISSING: "a cost has no value and counts as nothing",
    Oddity.LIST_COST_MISMATCH: "list unit price times quantity is not the list cost",
    Oddity.EFFECTIVE_DIFFERS: "effective cost differs from the billed cost and no commitment says why",
    Oddity.COMMITTED_ROW_BILLED: "usage that a commitment covers is billed, where FOCUS has 0",
    Oddity.COMMITMENT_MISMATCH: "used and unused effective cost of a commitment do not add up to what was billed for it",
    Oddity.CREDIT: "credits",
    Oddity.NEGATIVE_COST: "negative cost that is no credit",
    Oddity.DUPLICATE_ROW: "the same as an earlier row in every known column; both are counted",
    Oddity.OTHER_MONTH: "the charge starts in another month than the bill; counted in the bill's month",
    Oddity.TIME_UNREADABLE: "a time that is none",
    Oddity.TIME_WITHOUT_ZONE: "a time without zone, taken as UTC",
    Oddity.CURRENCY_CONVERTED: "another currency, converted at the dated rate that was given",
    Oddity.CURRENCY_MISSING: "no currency, taken as USD",
    Oddity.AMOUNT_FORMATTED: "an amount written for people, such as `$10,000.00`",
    Oddity.NULL_WORD: "the word NULL instead of no value",
    Oddity.NO_PRICING_CATEGORY: "usage without a pricing category",
    Oddity.UNKNOWN_SERVICE: "a service that no estimate has; kept under its own name",
    Oddity.TAGS_AS_TEXT: "tags are JSON within text",
    Oddity.TAGS_EMPTY: "no tags",
    Oddity.TAGS_UNREADABLE: "tags are no JSON object; they count as none",
    Oddity.TAG_KEY_BLANKS: "a tag key begins or ends with a blank; found without it",
    Oddity.BLANK_ROW: "rows without any value, not among the rows counted",
    Oddity.LINE_BREAK: "line breaks within cells: row numbers count rows, not lines",
    Oddity.UNKNOWN_COLUMN: "columns that FOCUS does not have, not read",
    Oddity.MISSING_COLUMN: "columns that FOCUS demands are not there",
}


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One kind of oddity in one bill.

    Attributes:
        count: of rows, columns, or commitments.
        rows: the first of them as a spreadsheet numbers them, the header being 1.
        cost: USD of those rows, billed or else effective.
    """

    code: Oddity
    count: int
    rows: tuple[int, ...]
    cost: Decimal
    sentence: str


@dataclass
class _Count:
    count: int = 0
    rows: list[int] = field(default_factory=list)
    cost: Decimal = Decimal(0)
    details: list[str] = field(default_factory=list)


class Watch:
    """Counts oddities while a bill is read."""

    def __init__(self, columns: Sequence[str]) -> None:
        """`columns`: those whose texts make two rows the same."""
        self._columns = columns
        self._counts: dict[Oddity, _Count] = {}
        self._seen: set[int] = set()

    def look(self, rows: Rows, findings: Iterator[tuple[Oddity, Mask]]) -> None:
        """Count the findings of one batch."""
        cost = rows.main_cost
        for oddity, mask in findings:
            if mask.any():
                found = self._counts.setdefault(oddity, _Count())
                found.count += int(mask.sum())
                found.rows.extend(rows.numbers[mask][: ROWS_SHOWN - len(found.rows)].tolist())
                with exact():
                    found.cost += cost.total(mask)

    def note(self, oddity: Oddity, names: Sequence[str], cost: Decimal = Decimal(0)) -> None:
        """Count what has names rather than rows."""
        if names:
            self._counts[oddity] = _Count(len(names), [], cost, list(names))

    def count(self, oddity: Oddity, number: int) -> None:
        """Count what has neither."""
        if number:
            self._counts.setdefault(oddity, _Count()).count += number

    def find_duplicates(self, batch: Batch) -> Mask:
        """Rows of a batch that are the same as an earlier row of the file."""
        digests = np.zeros(len(batch), dtype=np.uint64)
        for name in self._columns:
            column = batch.columns[name]
            hashes = np.fromiter(map(hash, column.values), dtype=np.int64, count=len(column.values)).view(np.uint64)
            digests = digests * _MULTIPLIER + hashes[column.codes]
        distinct, first = np.unique(digests, return_index=True)
        repeated = np.ones(len(batch), dtype=bool)
        repeated[first] = [digest in self._seen for digest in distinct.tolist()]
        self._seen.update(distinct.tolist())
        return repeated

    def anomalies(self) -> tuple[Anomaly, ...]:
        """What was odd, in the order of `Oddity`."""
        return tuple(
            Anomaly(oddity, found.count, tuple(found.rows), found.cost, _sentence(oddity, found.details))
            for oddity in Oddity
            if (found := self._counts.get(oddity))
        )


def find_oddities(rows: Rows) -> Iterator[tuple[Oddity, Mask]]:
    """What is odd in rows of any export."""
    category, effective, cost = rows.texts("ChargeCategory"), rows.amounts["EffectiveCost"], rows.main_cost
    credit = find(category, "Credit")
    yield Oddity.CREDIT, credit
    yield Oddity.NEGATIVE_COST, (cost.floats < 0) & ~credit
    yield Oddity.AMOUNT_FORMATTED, _any(rows, (each.formatted for each in rows.amounts.values()))
    yield Oddity.UNKNOWN_SERVICE, rows.texts("ServiceName").where(lambda name: bool(name) and not is_known(name))
    currency = rows.texts("BillingCurrency")
    yield Oddity.CURRENCY_CONVERTED, currency.where(lambda each: each not in (USD, ""))
    if "BillingCurrency" in rows.batch.columns:
        yield Oddity.CURRENCY_MISSING, currency.is_empty
    yield Oddity.OTHER_MONTH, _other_month(rows)
    times = [rows.texts(name) for name in _TIMES if name in rows.batch.columns]
    unreadable = [each.where(lambda text: bool(text) and not parse_moment(text).is_known) for each in times]
    yield Oddity.TIME_UNREADABLE, _any(rows, unreadable)
    unzoned = [each.where(lambda text: (when := parse_moment(text)).is_known and not when.zoned) for each in times]
    yield Oddity.TIME_WITHOUT_ZONE, _any(rows, unzoned)
    yield Oddity.COST_MISSING, cost.missing | effective.missing


def find_focus_oddities(rows: Rows) -> Iterator[tuple[Oddity, Mask]]:
    """What is odd in rows of a FOCUS export only."""
    usage = find(rows.texts("ChargeCategory"), "Usage")
    if "PricingCategory" in rows.batch.columns:
        yield Oddity.NO_PRICING_CATEGORY, usage & rows.texts("PricingCategory").is_empty
    if "BilledCost" in rows.amounts:
        billed, effective = rows.amounts["BilledCost"], rows.amounts["EffectiveCost"]
        committed = ~rows.texts("CommitmentDiscountId").is_empty
        covered = find(rows.texts("CommitmentDiscountStatus"), "Used")
        yield Oddity.COMMITTED_ROW_BILLED, covered & (np.abs(billed.floats) > _ABSOLUTE)
        rounded = _rounded(effective, billed)
        contracted = rows.amounts.get("ContractedCost", effective)
        yield Oddity.COST_ROUNDED, (rounded | _rounded(contracted, billed)) & ~committed
        yield Oddity.EFFECTIVE_DIFFERS, usage & ~committed & ~rounded & _differs(effective.floats, billed.floats)
    if {"ListCost", LIST_UNIT_PRICE, QUANTITY} <= set(rows.amounts):
        cost, price, quantity = (rows.amounts[name] for name in ("ListCost", LIST_UNIT_PRICE, QUANTITY))
        told = ~(cost.missing | price.missing | quantity.missing)
        yield Oddity.LIST_COST_MISMATCH, told & _differs(price.floats * quantity.floats, cost.floats)
    if "Tags" in rows.batch.columns:
        tags = rows.texts("Tags")
        yield Oddity.TAGS_EMPTY, tags.is_empty
        yield Oddity.TAGS_UNREADABLE, tags.where(lambda text: parse_tags(text) is None)
        yield Oddity.TAGS_AS_TEXT, tags.where(lambda text: bool(parse_tags(text)))
        yield Oddity.TAG_KEY_BLANKS, tags.where(lambda text: any(key != key.strip() for key in parse_tags(text) or ()))


def find_null_words(batch: Batch) -> Mask:
    """Rows in which any column says NULL."""
    found = np.zeros(len(batch), dtype=bool)
    for column in batch.columns.values():
        if column.null_words is not None:
            found |= column.null_words
    return found


def _any(rows: Rows, masks: Iterable[Mask]) -> Mask:
    found = np.zeros(len(rows), dtype=bool)
    for mask in masks:
        found |= mask
    return found


def _other_month(rows: Rows) -> Mask:
    """Both months are known, and differ."""
    billing, charge = (
        np.array(months.values)[months.codes]
        for months in (rows.months("BillingPeriodStart"), rows.months("ChargePeriodStart"))
    )
    return np.asarray((billing != charge) & (billing != UNKNOWN_MONTH) & (charge != UNKNOWN_MONTH))


def _rounded(cost: Amounts, billed: Amounts) -> Mask:
    """A whole number less than one away from a billed cost that is none."""
    is_near = np.abs(cost.floats - billed.floats) < 1
    is_whole, was_whole = np.mod(cost.floats, 1) == 0, np.mod(billed.floats, 1) == 0
    return np.asarray(is_whole & ~was_whole & is_near & ~cost.missing & ~billed.missing)


def _differs(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> Mask:
    return np.asarray(np.abs(one - other) > _ABSOLUTE + _RELATIVE * np.abs(other))


def _sentence(oddity: Oddity, details: Sequence[str]) -> str:
    return f"{SENTENCES[oddity]}: {', '.join(details)}" if details else SENTENCES[oddity]
