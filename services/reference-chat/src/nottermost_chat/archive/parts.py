"""The files of the archive, in a folder or a bucket: `day=YYYY-MM-DD/<digest of the content>.parquet`.

A part never changes. What replaces some of them is written first, then they are removed: a crash in
between leaves rows twice, which reading expects. Everything here blocks; `archive.py` calls it in threads.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import compute as pc
from pyarrow import dataset as ds
from pyarrow import fs
from pyarrow import parquet as pq

from nottermost_chat.archive.rows import Row
from nottermost_chat.errors import StartError

PART_BYTES_MAX: Final = 64 * 1024 * 1024  # of columns in memory, where a part is read and written whole
GROUP_ROWS: Final = 10_000  # of a row group: what a query for one conversation reads at least
_TEXTS: Final = {"conversation_id", "kind", "actor_id", "message_id", "op_id", "detail", "reactions"}
_MAYBE_TEXTS: Final = {"workspace_id", "thread_id", "text"}
_FLAGS: Final = {"broadcast", "redacted"}
_TIMES: Final = {"created_at", "edited_at", "deleted_at", "last_reply_at"}
_ORDER: Final = [("conversation_id", "ascending"), ("epoch", "ascending"), ("seq", "ascending")]
_BEST_LAST: Final = [*_ORDER, ("redacted", "ascending"), ("as_of", "ascending")]


def _column(name: str) -> pa.Field:
    if name in _TIMES:
        return pa.field(name, pa.timestamp("ms", tz="UTC"))
    if name in _TEXTS | _MAYBE_TEXTS:
        return pa.field(name, pa.string())
    return pa.field(name, pa.bool_() if name in _FLAGS else pa.int64())


SCHEMA: Final = pa.schema([_column(name) for name in Row.__struct_fields__])
KEY: Final = ["conversation_id", "epoch", "seq", "redacted", "as_of"]


class Part(msgspec.Struct, frozen=True):
    """A file: its path and its size in bytes."""

    path: str
    size: int


class Parts:
    """The files below one root."""

    def __init__(self, filesystem: fs.FileSystem, root: str) -> None:
        self._fs, self._root = filesystem, root
        self._settled: dict[str, list[Part]] = {}  # days as they were when there was nothing more to merge

    @classmethod
    def in_folder(cls, folder: Path) -> "Parts":
        """Raises StartError."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for leftover in folder.glob("day=*/.*"):
                leftover.unlink()
        except OSError as error:
            raise StartError(f"cannot use {folder} for the archive: {error}; check that it can be written") from error
        return cls(fs.LocalFileSystem(), str(folder))

    @classmethod
    def in_bucket(cls, bucket: str, environment: Mapping[str, str]) -> "Parts":
        """Region and credentials come from the environment as for every AWS SDK; the endpoint Arrow wants to be told."""
        endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or None
        region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
        s3 = fs.S3FileSystem(
            endpoint_override=endpoint, region=region, connect_timeout=3, request_timeout=20, allow_bucket_creation=True
        )
        return cls(s3, f"{bucket}/archive")

    def make_bucket(self) -> None:
        """If there is none; for buckets that no infrastructure program owns."""
        bucket = self._root.partition("/")[0]
        if self._fs.get_file_info(bucket).type == fs.FileType.NotFound:
            self._fs.create_dir(bucket)

    # --- what there is ---------------------------------------------------------------------------

    def days(self) -> dict[str, list[Part]]:
        """Every day's parts, the oldest day first."""
        found: dict[str, list[Part]] = {}
        for info in self._fs.get_file_info(fs.FileSelector(self._root, allow_not_found=True, recursive=True)):
            if info.type == fs.FileType.File and info.extension == "parquet" and not info.base_name.startswith("."):
                found.setdefault(_day_in(info.path), []).append(Part(info.path, info.size))
        return {day: sorted(found[day], key=lambda part: part.path) for day in sorted(found)}

    def parts(self, day: str) -> list[Part]:
        selector = fs.FileSelector(f"{self._root}/day={day}", allow_not_found=True)
        infos = [info for info in self._fs.get_file_info(selector) if not info.base_name.startswith(".")]
        return sorted((Part(info.path, info.size) for info in infos), key=lambda part: part.path)

    # --- notes beside the days -------------------------------------------------------------------

    def put_note(self, folder: str, name: str, content: bytes) -> None:
        """A small file, in place of the one of that name; durable when this returns."""
        self._put(f"{self._root}/{folder}/{name}", pa.py_buffer(content))

    def notes(self, folder: str) -> list[bytes]:
        """The contents of all of them, by name."""
        selector = fs.FileSelector(f"{self._root}/{folder}", allow_not_found=True)
        paths = [info.path for info in self._fs.get_file_info(selector) if info.type == fs.FileType.File]
        return [self._read_note(path) for path in sorted(paths) if not path.rsplit("/", 1)[-1].startswith(".")]

    def _read_note(self, path: str) -> bytes:
        with self._fs.open_input_stream(path) as stream:
            content: bytes = stream.read()
        return content

    # --- reading ---------------------------------------------------------------------------------

    def read(self, parts: Sequence[Part], wanted: ds.Expression, columns: Sequence[str] | None = None) -> pa.Table:
        """Rows of parts, those row groups left out whose statistics say that there is nothing. Raises FileNotFoundError."""
        if not parts:
            return SCHEMA.empty_table().select(list(columns or SCHEMA.names))
        return _dataset(self._fs, parts).to_table(columns=list(columns or SCHEMA.names), filter=wanted)

    def count(self, part: Part, wanted: ds.Expression) -> int:
        return int(_dataset(self._fs, [part]).count_rows(filter=wanted))

    # --- writing ---------------------------------------------------------------------------------

    def write(self, day: str, table: pa.Table) -> str:
        """One part; durable when this returns. The same rows again are the same file."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd", row_group_size=GROUP_ROWS)
        content = sink.getvalue()
        name = hashlib.blake2b(content, digest_size=16).hexdigest()
        path = f"{self._root}/day={day}/{name}.parquet"
        self._put(path, content)
        return path

    def _put(self, path: str, content: pa.Buffer) -> None:
        if isinstance(self._fs, fs.LocalFileSystem):
            _write_file(Path(path), content)
            return
        with self._fs.open_output_stream(path) as stream:  # S3 shows it when it is closed, whole
            stream.write(content)

    def write_all(self, day: str, table: pa.Table) -> set[str]:
        """As many parts as it takes."""
        ordered = table.sort_by(_ORDER)
        rows = max(1, ordered.num_rows * PART_BYTES_MAX // max(1, ordered.nbytes))
        return {self.write(day, ordered.slice(at, rows)) for at in range(0, ordered.num_rows, rows)}

    def remove(self, paths: Iterable[str]) -> None:
        """Those that are gone already are passed over. A folder without files is removed too."""
        for path in paths:
            try:
                self._fs.delete_file(path)
            except FileNotFoundError:
                continue
            if isinstance(self._fs, fs.LocalFileSystem):
                folder = Path(path).parent
                if not any(folder.iterdir()):
                    folder.rmdir()

    def rewrite(self, part: Part, wanted: ds.Expression, change: Callable[[pa.Table], pa.Table]) -> int | None:
        """Put `change` of a part in its place if a row of it is `wanted`; returns how many rows are.

        None when the part is gone: somebody else has merged or changed it, and its rows are in another.
        """
        try:
            count = self.count(part, wanted)
            changed = change(self.read([part], _ALL)) if count else None
        except FileNotFoundError:
            return None
        if changed is not None:
            self.remove({part.path} - self.write_all(_day_in(part.path), changed))
        return count

    def merge(self, day: str) -> int:
        """Make the day's parts few and leave out rows that others stand for; returns by how many parts there are less.

        Takes as much memory as the keys of the day's rows, and twice PART_BYTES_MAX.
        """
        parts = self.parts(day)
        if len(parts) < 2 or self._settled.get(day) == parts:
            return 0
        kept = self._kept(parts)
        small = [part for part in parts if part.size < PART_BYTES_MAX // 4 or not pc.all(kept[part.path]).as_py()]
        if not small:
            self._settled[day] = parts
            return 0
        written: set[str] = set()
        for tables in self._groups(small, kept):
            written |= self.write_all(day, pa.concat_tables(tables))
        gone = {part.path for part in small} - written
        self.remove(gone)
        left = {part.path for part in parts} - gone | written
        now = self.parts(day)
        if {part.path for part in now} == left:  # else there is something new, to be merged next time
            self._settled[day] = now
        return len(parts) - len(left)

    def _kept(self, parts: Sequence[Part]) -> dict[str, pa.BooleanArray]:
        """Of each part which rows stand, in the order of its rows."""
        keys = [pq.read_table(part.path, filesystem=self._fs, columns=KEY, partitioning=None) for part in parts]
        stands = standing(pa.concat_tables(keys))
        found, at = {}, 0
        for part, table in zip(parts, keys, strict=True):
            found[part.path] = stands.slice(at, table.num_rows)
            at += table.num_rows
        return found

    def _groups(self, parts: Sequence[Part], kept: Mapping[str, pa.BooleanArray]) -> Iterator[list[pa.Table]]:
        """The rows that stand, in portions that fit into memory."""
        group: list[pa.Table] = []
        for part in parts:
            table = pq.read_table(part.path, filesystem=self._fs, partitioning=None).filter(kept[part.path])
            if group and sum(one.nbytes for one in group) + table.nbytes > PART_BYTES_MAX:
                yield group
                group = []
            group.append(table)
        if group:
            yield group


_ALL: Final = ds.scalar(value=True)


def to_table(rows: Sequence[Row]) -> pa.Table:
    columns = {name: [getattr(row, name) for row in rows] for name in SCHEMA.names}
    return pa.table(columns, schema=SCHEMA)


def to_rows(table: pa.Table) -> list[Row]:
    """Of a table with all columns."""
    columns = [
        (table[name].cast(pa.int64()) if name in _TIMES else table[name]).to_pylist() for name in Row.__struct_fields__
    ]
    return [Row(*values) for values in zip(*columns, strict=True)]


def standing(keys: pa.Table) -> pa.BooleanArray:
    """Which rows are the right ones for their (conversation_id, epoch, seq). `keys`: the columns KEY."""
    if keys.num_rows == 0:
        return pa.array([], pa.bool_())
    order = pc.sort_indices(keys, sort_keys=_BEST_LAST)
    ordered = keys.select(KEY[:3]).take(order).combine_chunks()
    last = pa.array([True])
    if keys.num_rows > 1:
        differs = [pc.not_equal(ordered[name].slice(1), ordered[name].slice(0, keys.num_rows - 1)) for name in KEY[:3]]
        next_differs = pc.or_(pc.or_(differs[0], differs[1]), differs[2])
        last = pa.concat_arrays([*next_differs.chunks, last])
    back = pc.sort_indices(order)  # where each row went
    return last.take(back)


def only_standing(table: pa.Table) -> pa.Table:
    return table.filter(standing(table.select(KEY))).sort_by(_ORDER)


def _dataset(filesystem: fs.FileSystem, parts: Sequence[Part]) -> ds.Dataset:
    return ds.dataset([part.path for part in parts], schema=SCHEMA, format="parquet", filesystem=filesystem)


def _day_in(path: str) -> str:
    return path.rsplit("/", 2)[-2].removeprefix("day=")


def _write_file(path: Path, content: pa.Buffer) -> None:
    """Visible whole or not at all, and durable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    incoming = path.with_name(f".{path.name}")
    with incoming.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    incoming.replace(path)
    for folder in (path.parent, path.parent.parent):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
