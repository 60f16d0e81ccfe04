"""A bill's file, decompressed, in batches of columns: every distinct text of a batch is looked at once."""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import csv as arrow_csv

from nottermost_cost.errors import BillError

Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]

_BLOCK_BYTES: Final = 16 << 20  # a batch: some 20,000 rows of a FOCUS export; the longest row must fit
_HEADER_BYTES: Final = 1 << 20
_NULL_WORDS: Final = frozenset(("NULL", "null", "Null"))
_FIRST_ROW: Final = 2  # as a spreadsheet counts: the header is row 1
_UNDECODABLE: Final = re.compile("[\udc80-\udcff]")  # bytes that are not UTF-8, as "surrogateescape" reads them
NO_ROWS: Final = "it has a header and no rows"


@dataclass(frozen=True)
class Texts:
    """One column of a batch: its distinct texts, and which of them each row has; "" is no value."""

    values: list[str]
    codes: Codes
    null_words: Mask | None = None  # rows that say NULL instead of nothing

    def map(self, change: Callable[[str], str]) -> "Texts":
        """The same rows with every distinct text changed."""
        return Texts([change(value) for value in self.values], self.codes)

    def where(self, holds: Callable[[str], bool]) -> Mask:
        """Rows whose text holds."""
        return np.fromiter(map(holds, self.values), dtype=bool, count=len(self.values))[self.codes]

    @cached_property
    def is_empty(self) -> Mask:
        """Rows without a value."""
        return self.where(lambda value: not value)

    def take(self, keep: Mask) -> "Texts":
        """Only some rows."""
        return Texts(self.values, self.codes[keep], None if self.null_words is None else self.null_words[keep])


@dataclass(frozen=True)
class Batch:
    """Some rows of the file by its own column names; `numbers` are the rows' in the file, the header being 1."""

    numbers: Codes
    columns: dict[str, Texts]
    blank: int = 0  # rows without any value, which are not among `numbers`

    def __len__(self) -> int:
        return len(self.numbers)

    def texts(self, name: str) -> Texts:
        """A column; one that the file lacks has no value in any row."""
        found = self.columns.get(name)
        return found if found is not None else Texts([""], np.zeros(len(self), dtype=np.int64))


@dataclass
class _Marks:
    """Counts bytes as they pass: an odd number of quotes may be one that never closes and swallows rows."""

    raw: BinaryIO
    lines: int = 0
    quotes: int = 0
    last: bytes = b"\n"
    closed: bool = field(default=False, init=False)

    def read(self, size: int = -1) -> bytes:
        data = self.raw.read(size)
        self.lines += data.count(b"\n")
        self.quotes += data.count(b'"')
        self.last = data[-1:] or self.last
        return data

    def close(self) -> None:
        self.closed = True


class BillFile:
    """A CSV file, plain or gzip.

    Attributes:
        header: its column names, without blanks around them.
        line_breaks: after reading all, the line breaks within cells.
    Raises: BillError where there is no such file, it is empty, of another format, or names a column twice.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.line_breaks = 0
        with self._open() as raw:
            self.header = _read_header(raw.read(_HEADER_BYTES))

    def batches(self) -> Iterator[Batch]:
        """Every row once, in order. Raises: BillError with the row or line that cannot be read."""
        number = _FIRST_ROW
        with self._open() as raw:
            marks = _Marks(raw)
            try:
                reader = arrow_csv.open_csv(
                    pa.PythonFile(marks, mode="r"),
                    read_options=arrow_csv.ReadOptions(
                        block_size=_BLOCK_BYTES, column_names=self.header, skip_rows_after_names=1
                    ),
                    parse_options=arrow_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
                    convert_options=arrow_csv.ConvertOptions(
                        column_types={name: pa.dictionary(pa.int32(), pa.string()) for name in self.header},
                        strings_can_be_null=False,
                    ),
                )
                for arrow in reader:
                    yield _batch(arrow, self.header, number)
                    number += arrow.num_rows
            except pa.ArrowInvalid as error:
                raise BillError(self._find_fault() or str(error)) from None
            if marks.quotes % 2 and (fault := self._find_fault()):
                raise BillError(fault)
            lines = marks.lines + (marks.last != b"\n")
            self.line_breaks = max(0, lines - number + 1)

    @contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        """The bytes, decompressed. Damage shows while they are read, so it is translated here."""
        try:
            with self.path.open("rb") as file:
                packed = file.read(2) == b"\x1f\x8b"
                file.seek(0)
                if packed:
                    with gzip.open(file) as unpacked:
                        yield unpacked  # type: ignore[misc]  # GzipFile is a BinaryIO in all but name
                else:
                    yield file
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise BillError(f"the gzip data are damaged or cut off ({error}): fetch the file again") from None
        except OSError as error:
            raise BillError(f"it cannot be read: {error.strerror or error}") from None

    def _find_fault(self) -> str:
        """A slower reading that tells the row; "" when it finds nothing wrong."""
        expected = len(self.header)
        number = line = 0
        with self._open() as raw:
            try:
                text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")
                rows = csv.reader(text, strict=True)
                for number, row in enumerate(rows, 1):
                    if fault := _find_undecodable(number, row):
                        return fault
                    if len(row) not in (0, expected):
                        return f"row {number} has {len(row)} columns, the header {expected}: {', '.join(row)[:80]!r}"
                    line = rows.line_num
            except csv.Error as error:
                return f"after line {line}: {error}, such as a quote that is never closed"
        return "" if number > 1 else NO_ROWS


def _read_header(start: bytes) -> list[str]:
    if not start.strip():
        raise BillError("the file is empty: expected a header and rows")
    if start.startswith((b"PAR1", b"PK\x03\x04")):
        raise BillError("it is Parquet or a zip archive: export the bill as CSV, plain or gzip")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in start[:200]:
        raise BillError("it is UTF-16 or binary: export it as CSV in UTF-8")
    try:
        text = start.decode("utf-8-sig", errors="surrogateescape")
        header = [name.strip() for name in next(csv.reader(io.StringIO(text, newline="")))]
    except (csv.Error, StopIteration):
        raise BillError("there is no header in its first line: expected CSV") from None
    if fault := _find_undecodable(1, header):
        raise BillError(fault)
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise BillError(f"it names a column twice: {', '.join(repr(name) for name in islice(twice, 3))}")
    return header


def _find_undecodable(number: int, row: Iterable[str]) -> str:
    """The sentence for a row that is not UTF-8, else ""."""
    found = _UNDECODABLE.search("".join(row))
    if not found:
        return ""
    return f"row {number} is not UTF-8 (byte 0x{ord(found[0]) - 0xDC00:02x}): export or convert it as UTF-8"


def _batch(arrow: pa.RecordBatch, header: list[str], first: int) -> Batch:
    columns = {name: _texts(arrow.column(index)) for index, name in enumerate(header)}
    numbers = np.arange(first, first + arrow.num_rows, dtype=np.int64)
    blank = np.logical_and.reduce([column.is_empty for column in columns.values()])
    if not blank.any():
        return Batch(numbers, columns)
    keep = ~blank
    return Batch(numbers[keep], {name: column.take(keep) for name, column in columns.items()}, int(blank.sum()))


def _texts(column: pa.DictionaryArray) -> Texts:
    values = column.dictionary.to_pylist()
    codes = column.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    if _NULL_WORDS.isdisjoint(values):
        return Texts(values, codes)
    words = np.fromiter((value in _NULL_WORDS for value in values), dtype=bool, count=len(values))
    return Texts(["" if value in _NULL_WORDS else value for value in values], codes, words[codes])
