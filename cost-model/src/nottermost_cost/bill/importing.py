"""Importing a bill: every row is read once and counted, or the file is refused with one sentence."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nottermost_cost.bill import cur_bill, focus_bill
from nottermost_cost.bill.anomalies import (
    Oddity,
    Watch,
    find_cur_oddities,
    find_focus_oddities,
    find_null_words,
    find_oddities,
)
from nottermost_cost.bill.bill import Bill, BillKind, CostType, sum_commitments
from nottermost_cost.bill.reading import NO_ROWS, Batch, BillFile, Mask
from nottermost_cost.bill.rows import Rows, in_usd
from nottermost_cost.bill.sums import COST_COLUMNS, Sums
from nottermost_cost.currencies import ExchangeRate
from nottermost_cost.errors import BillError
from nottermost_cost.focus import COLUMNS, MANDATORY
from nottermost_cost.numeric import sum_exact

_FOCUS_NAMES_MIN: Final = 3  # of FOCUS in a header that is taken for it


@dataclass(frozen=True)
class _Format:
    kind: BillKind
    read: Callable[[Batch], Rows]
    missing: Callable[[Sequence[str]], list[str]]
    find_oddities: Callable[[Rows], Iterator[tuple[Oddity, Mask]]]  # those of this format only


_FOCUS: Final = _Format(BillKind.FOCUS, focus_bill.read_focus, focus_bill.missing_columns, find_focus_oddities)
_CUR: Final = _Format(BillKind.CUR, cur_bill.read_cur, cur_bill.missing_columns, find_cur_oddities)


def load_bill(path: Path, rates: Mapping[str, ExchangeRate] | None = None, tag_keys: Sequence[str] = ()) -> Bill:
    """Import a FOCUS 1.x export or an AWS cost and usage report (legacy or 2.0), CSV or gzip, of any length.

    Args:
        rates: USD for one unit of each currency other than USD that the bill may hold.
        tag_keys: such as `owner`; costs are told apart by their values.
    Raises: BillError, with the row where there is one; then nothing was imported.
    """
    try:
        file = BillFile(path)
        importing = _Import(file.header, rates or {}, tag_keys)
        for batch in file.batches():
            importing.add(batch)
        return importing.finish(path.name, file.line_breaks)
    except BillError as error:
        raise BillError(f"{path.name}: {error}") from None


class _Import:
    """One import on its way."""

    def __init__(self, header: Sequence[str], rates: Mapping[str, ExchangeRate], tag_keys: Sequence[str]) -> None:
        self._format = _detect(header)
        self._header, self._rates, self._tag_keys = header, rates, tuple(tag_keys)
        self._watch = Watch([name for name in header if self._format is _CUR or name in COLUMNS])
        self._sums = Sums(tag_keys)
        self._amounts: set[str] = set()
        self._currencies: set[str] = set()
        self._rows = 0

    def add(self, batch: Batch) -> None:
        """Count and look at every row of a batch."""
        rows = in_usd(self._format.read(batch), self._rates)
        self._rows += len(rows)
        self._amounts |= rows.amounts.keys()
        self._currencies.update(rows.texts("BillingCurrency").values)
        self._sums.add(rows)
        self._watch.count(Oddity.BLANK_ROW, batch.blank)
        self._watch.look(rows, self._findings(batch, rows))
        self._watch.look_at_months(rows)

    def finish(self, name: str, line_breaks: int) -> Bill:
        """The bill. Raises: BillError when there was no row."""
        if not self._rows:
            raise BillError(NO_ROWS)
        if self._rows != self._sums.rows:
            raise AssertionError(f"{self._rows} rows were read and {self._sums.rows} counted")
        cost_types = frozenset(cost for cost, column in COST_COLUMNS.items() if column in self._amounts)
        sums = self._sums.sums(cost_types)
        commitments = sum_commitments(sums, CostType.BILLED if CostType.BILLED in cost_types else CostType.EFFECTIVE)
        self._watch.count(Oddity.LINE_BREAK, line_breaks)
        self._watch.note_other_months(self._sums.main_month)
        uneven = [each for each in commitments if each.is_uneven]
        self._watch.note(
            Oddity.COMMITMENT_MISMATCH, [each.name for each in uneven], sum_exact(e.purchased for e in uneven)
        )
        if self._format is _FOCUS:
            self._note_columns()
        return Bill(
            name=name,
            kind=self._format.kind,
            rows=self._rows,
            cost_types=cost_types,
            sums=sums,
            months=self._sums.months(),
            commitments=commitments,
            anomalies=self._watch.anomalies(),
            rates={each: rate for each, rate in sorted(self._rates.items()) if each in self._currencies},
            tag_keys=self._tag_keys,
        )

    def _findings(self, batch: Batch, rows: Rows) -> Iterator[tuple[Oddity, Mask]]:
        yield from find_oddities(rows)
        yield from self._format.find_oddities(rows)
        yield Oddity.NULL_WORD, find_null_words(batch)
        yield Oddity.DUPLICATE_ROW, self._watch.find_duplicates(batch)

    def _note_columns(self) -> None:
        known = COLUMNS.union(focus_bill.PROVIDERS)
        unknown = [name for name in self._header if name not in known and not name.startswith("x_")]
        self._watch.note(Oddity.UNKNOWN_COLUMN, unknown)
        if focus_bill.ESTIMATE_MARK not in self._header:
            self._watch.note(Oddity.MISSING_COLUMN, [name for name in MANDATORY if name not in self._header])


def _detect(header: Sequence[str]) -> _Format:
    """Raises: BillError naming what was found, for another file and for one that lacks what is needed."""
    if any(name.startswith(("lineItem/", "line_item_")) for name in header):
        found = _CUR
    elif len(COLUMNS & set(header)) >= _FOCUS_NAMES_MIN:
        found = _FOCUS
    else:
        shown = ", ".join(header[:6])[:120]
        raise BillError(
            f"neither a FOCUS export nor an AWS cost and usage report: its {len(header)} columns begin with {shown!r}, "
            "expected columns such as BilledCost and ChargePeriodStart, or lineItem/UnblendedCost"
        )
    missing = found.missing(header)
    if missing:
        raise BillError(f"a {found.kind} file without the column {', '.join(missing)}: export it with all columns")
    return found
