"""What is odd in a bill. Nothing odd is mended or left out: it is counted, with first rows and the money concerned."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from nottermost_cost.bill.amounts import Amounts
from nottermost_cost.bill.moments import UNKNOWN_MONTH, parse_moment
from nottermost_cost.bill.reading import Batch, Mask
from nottermost_cost.bill.rows import LIST_UNIT_PRICE, QUANTITY, Rows, find
from nottermost_cost.bill.tags import parse_tags
from nottermost_cost.currencies import USD
from nottermost_cost.numeric import sum_exact
from nottermost_cost.services import is_known

ROWS_SHOWN: Final = 5
_ABSOLUTE: Final = 1e-9  # USD; exports round costs to ten decimals
_RELATIVE: Final = 1e-6  # unit prices are rounded too
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no column's digest is lost
_COSTS: Final = ("BilledCost", "ListCost", "ContractedCost", "EffectiveCost")
_CATEGORIES: Final = ("Usage", "Purchase", "Tax", "Credit", "Adjustment")
_TIMES: Final = ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")


class Oddity(StrEnum):
    """What can be odd, in the order of a report: its code, and the sentence for it."""

    sentence: str

    def __new__(cls, code: str, sentence: str) -> "Oddity":
        """A member is its code."""
        member = str.__new__(cls, code)
        member._value_, member.sentence = code, sentence
        return member

    COST_ROUNDED = (
        "cost_rounded",
        "effective or contracted cost is rounded to a whole number (integer) where the billed cost is not: trust the latter",
    )
    COST_MISSING = "cost_missing", "a cost has no value and counts as nothing"
    LIST_COST_MISMATCH = "list_cost_mismatch", "list unit price times quantity is not the list cost"
    EFFECTIVE_DIFFERS = "effective_differs", "effective cost differs from the billed cost and no commitment says why"
    COMMITTED_ROW_BILLED = "committed_row_billed", "usage that a commitment covers is billed, where FOCUS has 0"
    COMMITMENT_MISMATCH = (
        "commitment_mismatch",
        "used and unused effective cost of a commitment do not add up to what was billed for it",
    )
    CREDIT = "credit", "credits"
    UNKNOWN_CATEGORY = (
        "unknown_category",
        f"a charge category that is not one of FOCUS's ({', '.join(_CATEGORIES)}); kept as it is",
    )
    NEGATIVE_COST = "negative_cost", "negative cost that is no credit"
    DUPLICATE_ROW = "duplicate_row", "the same as an earlier row in every known column; both are counted"
    OTHER_MONTH = (
        "other_month",
        "of another month than most rows, or of time outside its billing period; counted in its billing month",
    )
    TIME_UNREADABLE = "time_unreadable", "a time that is none"
    TIME_WITHOUT_ZONE = "time_without_zone", "a time without zone, taken as UTC"
    CURRENCY_CONVERTED = "currency_converted", "another currency, converted at the dated rate that was given"
    CURRENCY_MISSING = "currency_missing", "no currency, taken as USD"
    AMOUNT_FORMATTED = "amount_formatted", "an amount written for people, such as `$10,000.00`"
    NULL_WORD = "null_word", "the word NULL instead of no value"
    NO_PRICING_CATEGORY = "no_pricing_category", "usage without a pricing category"
    UNKNOWN_SERVICE = "unknown_service", "a service that no estimate has; kept under its own name"
    TAGS_AS_TEXT = "tags_as_text", "tags are JSON within text"
    TAGS_EMPTY = "tags_empty", "no tags"
    TAGS_UNREADABLE = "tags_unreadable", "tags are no JSON object; they count as none"
    TAG_KEY_BLANKS = "tag_key_blanks", "a tag key begins or ends with a blank; found without it"
    BLANK_ROW = "blank_row", "rows without any value, not among the rows counted"
    LINE_BREAK = "line_break", "line breaks within cells: row numbers count rows, not lines"
    UNKNOWN_COLUMN = "unknown_column", "columns that FOCUS 1.2 does not have, not read"
    MISSING_COLUMN = "missing_column", "columns that FOCUS demands are not there"


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

    def add(self, rows: Rows, mask: Mask) -> None:
        """Count rows of the next batch."""
        if mask.any():
            self.count += int(mask.sum())
            self.rows.extend(rows.numbers[mask][: ROWS_SHOWN - len(self.rows)].tolist())
            self.cost = sum_exact((self.cost, *rows.main_cost.values[mask]))

    def merge(self, other: "_Count") -> None:
        """Count the rows of another count too."""
        self.count += other.count
        self.rows = sorted(self.rows + other.rows)[:ROWS_SHOWN]
        self.cost = sum_exact((self.cost, other.cost))


class Watch:
    """Counts oddities while a bill is read."""

    def __init__(self, columns: Sequence[str]) -> None:
        """`columns`: those whose texts make two rows the same."""
        self._columns = columns
        self._counts: defaultdict[Oddity, _Count] = defaultdict(_Count)
        self._months: defaultdict[str, _Count] = defaultdict(_Count)  # rows within the month of their bill
        self._seen: set[int] = set()

    def look(self, rows: Rows, findings: Iterator[tuple[Oddity, Mask]]) -> None:
        """Count the findings of one batch."""
        for oddity, mask in findings:
            self._counts[oddity].add(rows, mask)

    def look_at_months(self, rows: Rows) -> None:
        """Count rows outside their billing period, and the others by month: which one is the file's shows at its end."""
        outside = _outside_period(rows)
        self._counts[Oddity.OTHER_MONTH].add(rows, outside)
        months = rows.billed_months
        for month in set(months.values) - {UNKNOWN_MONTH}:
            self._months[month].add(rows, find(months, month) & ~outside)

    def note_other_months(self, main: str) -> None:
        """Count the rows of every month but the file's main one."""
        for month, found in self._months.items():
            if month != main:
                self._counts[Oddity.OTHER_MONTH].merge(found)

    def note(self, oddity: Oddity, names: Sequence[str], cost: Decimal = Decimal(0)) -> None:
        """Count what has names rather than rows."""
        if names:
            self._counts[oddity] = _Count(len(names), [], cost, list(names))

    def count(self, oddity: Oddity, number: int) -> None:
        """Count what has neither."""
        self._counts[oddity].count += number

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
            if (found := self._counts[oddity]).count
        )


def find_oddities(rows: Rows) -> Iterator[tuple[Oddity, Mask]]:
    """What is odd in rows of any export."""
    category, cost = rows.texts("ChargeCategory"), rows.main_cost
    credit = find(category, "Credit")
    yield Oddity.CREDIT, credit
    yield Oddity.NEGATIVE_COST, (cost.floats < 0) & ~credit
    yield Oddity.AMOUNT_FORMATTED, _any(rows, (each.formatted for each in rows.amounts.values()))
    yield Oddity.UNKNOWN_SERVICE, rows.texts("ServiceName").where(lambda name: bool(name) and not is_known(name))
    currency = rows.texts("BillingCurrency")
    yield Oddity.CURRENCY_CONVERTED, currency.where(lambda each: each not in (USD, ""))
    if "BillingCurrency" in rows.columns:
        yield Oddity.CURRENCY_MISSING, currency.is_empty
    times = [rows.texts(name) for name in _TIMES if name in rows.columns]
    unreadable = [each.where(lambda text: bool(text) and not parse_moment(text).is_known) for each in times]
    yield Oddity.TIME_UNREADABLE, _any(rows, unreadable)
    unzoned = [each.where(lambda text: (when := parse_moment(text)).is_known and not when.zoned) for each in times]
    yield Oddity.TIME_WITHOUT_ZONE, _any(rows, unzoned)


def find_focus_oddities(rows: Rows) -> Iterator[tuple[Oddity, Mask]]:
    """What is odd in rows of a FOCUS export only."""
    category = rows.texts("ChargeCategory")
    usage = find(category, "Usage")
    yield Oddity.UNKNOWN_CATEGORY, category.where(lambda each: each not in _CATEGORIES)
    yield Oddity.COST_MISSING, _any(rows, (rows.amounts[name].missing for name in _COSTS if name in rows.amounts))
    if "PricingCategory" in rows.columns:
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
    if "Tags" in rows.columns:
        tags = rows.texts("Tags")
        yield Oddity.TAGS_EMPTY, tags.is_empty
        yield Oddity.TAGS_UNREADABLE, tags.where(lambda text: parse_tags(text) is None)
        yield Oddity.TAGS_AS_TEXT, tags.where(lambda text: bool(parse_tags(text)))
        yield Oddity.TAG_KEY_BLANKS, tags.where(lambda text: any(key != key.strip() for key in parse_tags(text) or ()))


def find_cur_oddities(rows: Rows) -> Iterator[tuple[Oddity, Mask]]:
    """What is odd in rows of a cost and usage report only; that usage without a public price has no list cost is not."""
    yield Oddity.COST_MISSING, rows.main_cost.missing


def find_null_words(batch: Batch) -> Mask:
    """Rows in which any column says NULL."""
    return _any(batch, (each.null_words for each in batch.columns.values() if each.null_words is not None))


def _any(rows: Sized, masks: Iterable[Mask]) -> Mask:
    found = np.zeros(len(rows), dtype=bool)
    for mask in masks:
        found |= mask
    return found


def _outside_period(rows: Rows) -> Mask:
    """The charge starts in another month than the bill, or it is usage that ends after it, where both are known."""
    billing, charge = (
        np.array(months.values)[months.codes]
        for months in (rows.months("BillingPeriodStart"), rows.months("ChargePeriodStart"))
    )
    elsewhere = (billing != charge) & (billing != UNKNOWN_MONTH) & (charge != UNKNOWN_MONTH)
    closes, closes_known = rows.seconds("BillingPeriodEnd")
    ends, ends_known = rows.seconds("ChargePeriodEnd")
    usage = find(rows.texts("ChargeCategory"), "Usage")
    return np.asarray(elsewhere | (usage & closes_known & ends_known & (ends > closes)))


def _rounded(cost: Amounts, billed: Amounts) -> Mask:
    """A whole number less than one away from a billed cost that is none."""
    is_near = np.abs(cost.floats - billed.floats) < 1
    is_whole, was_whole = np.mod(cost.floats, 1) == 0, np.mod(billed.floats, 1) == 0
    return np.asarray(is_whole & ~was_whole & is_near & ~cost.missing & ~billed.missing)


def _differs(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> Mask:
    return np.asarray(np.abs(one - other) > _ABSOLUTE + _RELATIVE * np.abs(other))


def _sentence(oddity: Oddity, details: Sequence[str]) -> str:
    return f"{oddity.sentence}: {', '.join(details)}" if details else oddity.sentence
