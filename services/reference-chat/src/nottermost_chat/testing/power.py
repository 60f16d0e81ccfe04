"""Power cuts: what SQLite wrote and synced is recorded, and its files are made again as a cut would leave them.

SIGKILL proves nothing about syncs, because the kernel keeps what a dead process wrote. Here every
write of SQLite, every truncation, deletion and sync goes through a VFS of ours into a list; a cut
is a place in that list. What had been synced before it is there afterwards; of the rest nothing,
everything, or any part of it.

    with record_disk(folder) as disk:
        ...                                    # whatever uses SQLite in this process, on any thread
        disk.mark(promise)                     # something that must survive from here on
    replay = Replay(disk.events)
    replay.advance(cut)
    replay.write(elsewhere, Survive.SYNCED)    # open it there, and look for replay.marks

The VFS is the default one with a few functions replaced. It is registered in the very library
that Python's sqlite3 uses, which ctypes finds through the extension module. An interpreter with
an SQLite inside that exports nothing cannot be watched: `NotWatchable`.

The disk that is imagined: a sync of a file makes durable what had been written to it; its name,
and that another name is gone, become durable when the folder is synced (as SQLite's unix VFS
does with the first sync of a journal or write-ahead log). Sectors of 512 bytes are written whole
or not at all; bytes next to a write are not harmed (SQLite's own assumption); syncs are honest.
Not imagined: that the folder itself is lost, and files that are not SQLite's.
"""

import ctypes
import functools
import importlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

SECTOR: Final = 512  # bytes; the least that disks promise to write in one piece
_OK: Final = 0
_OPEN_CREATE: Final = 0x4
_OPEN_JOURNALS: Final = 0x800 | 0x4000 | 0x80000  # main journal, super-journal, write-ahead log
_NAME: Final = b"nottermost-power"


class NotWatchable(RuntimeError):
    """This interpreter's SQLite cannot be reached from outside."""


class Wrote(msgspec.Struct, frozen=True):
    """Bytes at an offset of a file."""

    name: str
    offset: int
    data: bytes


class Truncated(msgspec.Struct, frozen=True):
    """A file was cut to a size."""

    name: str
    size: int


class Deleted(msgspec.Struct, frozen=True):
    """A file was removed; `folder_synced`: and that is durable."""

    name: str
    folder_synced: bool = False


class Synced(msgspec.Struct, frozen=True):
    """A sync of a file returned.

    Attributes:
        began: how many events there were when it was asked for: what came later is not covered.
        folder: the folder was synced too, so that names which came and went before are durable.
    """

    name: str
    began: int
    folder: bool = False


class Marked(msgspec.Struct, frozen=True):
    """Something happened outside the disk, for instance an acknowledgement."""

    value: Any


DiskEvent = Wrote | Truncated | Deleted | Synced | Marked


class Disk:
    """What happened to the SQLite files of a folder, in order."""

    def __init__(self, folder: Path) -> None:
        self._folder = f"{folder.resolve()}/"
        self.events: list[DiskEvent] = []

    def mark(self, value: Any) -> None:
        """Remember that by now this is so."""
        self.events.append(Marked(value))

    def name_of(self, path: str) -> str | None:
        """The file's name within the folder; None: it lies elsewhere."""
        return path.removeprefix(self._folder) if path.startswith(self._folder) else None


@contextmanager
def record_disk(folder: Path) -> Iterator[Disk]:
    """Record what SQLite does to files in `folder`, by connections that are opened and closed in here.

    Raises: NotWatchable.
    """
    vfs = _the_vfs()
    _check_watchable(vfs)
    with vfs.watching(Disk(folder)) as disk:
        yield disk


class Survive(StrEnum):
    """What a cut leaves of that which was not synced."""

    SYNCED = "synced"  # nothing
    SOME = "some"  # any part, torn at sectors: what really happens
    WRITTEN = "written"  # all, as after SIGKILL


class Replay:
    """The files of a recording at a place in it; the place only moves forward.

    Attributes:
        marks: the values marked before the place.
    """

    def __init__(self, events: Sequence[DiskEvent]) -> None:
        self._events, self._at = events, 0
        self._names: dict[str, _Name] = {}
        self.marks: list[Any] = []

    def advance(self, cut: int) -> None:
        """Go to where the first `cut` events have happened."""
        for index in range(self._at, cut):
            match event := self._events[index]:
                case Marked():
                    self.marks.append(event.value)
                case Wrote() | Truncated():
                    self._name(event).change(index, event)
                case Synced():
                    self._name(event).sync(event.began)
                    if event.folder:
                        self._settle(event.began)
                case Deleted():
                    self._name(event).delete(index)
                    if event.folder_synced:
                        self._settle(index + 1)
        self._at = cut

    def write(self, folder: Path, survive: Survive, rng: Random | None = None) -> None:
        """Make the files in `folder` as they are found after a cut here. `rng`: for SOME."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, state in self._names.items():
            content = state.content(survive, rng or Random())
            if content is not None:
                (folder / name).write_bytes(content)

    def _name(self, event: Wrote | Truncated | Synced | Deleted) -> "_Name":
        return self._names.setdefault(event.name, _Name())

    def _settle(self, before: int) -> None:
        for name in self._names.values():
            name.settle(before)


class _Name:
    """A name in the folder: what it durably stands for, and what it came to stand for since."""

    def __init__(self) -> None:
        self._stands_for: list[tuple[int, _File | None]] = [(-1, None)]  # since which event; the first is durable

    def change(self, index: int, change: Wrote | Truncated) -> None:
        file = self._stands_for[-1][1]
        if file is None:
            file = _File()
            self._stands_for.append((index, file))
        file.pending.append((index, change))

    def delete(self, index: int) -> None:
        self._stands_for.append((index, None))

    def sync(self, began: int) -> None:
        file = self._stands_for[-1][1]
        if file is not None:
            file.sync(began)

    def settle(self, before: int) -> None:
        """The folder is synced, with what happened in it before this event."""
        settled = [state for state in self._stands_for if state[0] < before]
        self._stands_for = self._stands_for[len(settled) - 1 :]

    def content(self, survive: Survive, rng: Random) -> bytes | None:
        choices = {
            Survive.SYNCED: self._stands_for[:1],
            Survive.SOME: self._stands_for,
            Survive.WRITTEN: self._stands_for[-1:],
        }
        _, file = rng.choice(choices[survive])
        return None if file is None else file.content(survive, rng)


class _File:
    """A file's durable content, and what was done to it since."""

    def __init__(self) -> None:
        self._durable = bytearray()
        self.pending: list[tuple[int, Wrote | Truncated]] = []

    def sync(self, began: int) -> None:
        for at, change in self.pending:
            if at < began:
                _apply(self._durable, change)
        self.pending = [(at, change) for at, change in self.pending if at >= began]

    def content(self, survive: Survive, rng: Random) -> bytes:
        content = bytearray(self._durable)
        likely = rng.choice((0.1, 0.5, 0.9))
        for _, change in self.pending:
            match survive:
                case Survive.SYNCED:
                    break
                case Survive.WRITTEN:
                    _apply(content, change)
                case Survive.SOME if rng.random() < likely:
                    for part in _tear(change, rng):
                        _apply(content, part)
                case Survive.SOME:
                    pass
        return bytes(content)


def _apply(content: bytearray, change: Wrote | Truncated) -> None:
    end = change.size if isinstance(change, Truncated) else change.offset
    content.extend(bytes(max(0, end - len(content))))  # a hole reads as zeros
    if isinstance(change, Truncated):
        del content[end:]
    else:
        content[end : end + len(change.data)] = change.data


def _tear(change: Wrote | Truncated, rng: Random) -> list[Wrote] | list[Truncated]:
    """The parts of a change that reach the disk: all, the first sectors, or any sectors."""
    if isinstance(change, Truncated):
        return [change]
    sectors = []
    start, end = change.offset, change.offset + len(change.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        sectors.append(Wrote(change.name, start, change.data[start - change.offset : stop - change.offset]))
        start = stop
    match rng.randrange(3):
        case 0:
            return sectors
        case 1:
            return sectors[: rng.randrange(len(sectors) + 1)]
        case _:
            return [sector for sector in sectors if rng.random() < 0.5]


# --- SQLite's own structures (sqlite3.h: sqlite3_vfs, sqlite3_io_methods, sqlite3_file) -----------


class _Vfs(ctypes.Structure):
    _fields_ = [
        ("iVersion", ctypes.c_int),
        ("szOsFile", ctypes.c_int),
        ("mxPathname", ctypes.c_int),
        ("pNext", ctypes.c_void_p),
        ("zName", ctypes.c_char_p),
        ("pAppData", ctypes.c_void_p),
        ("xOpen", ctypes.c_void_p),
        ("xDelete", ctypes.c_void_p),
        ("others", ctypes.c_void_p * 14),  # up to xNextSystemCall, of version 3
    ]


class _Methods(ctypes.Structure):
    _fields_ = [
        ("iVersion", ctypes.c_int),
        ("xClose", ctypes.c_void_p),
        ("xRead", ctypes.c_void_p),
        ("xWrite", ctypes.c_void_p),
        ("xTruncate", ctypes.c_void_p),
        ("xSync", ctypes.c_void_p),
        ("others", ctypes.c_void_p * 13),  # up to xUnfetch, of version 3
    ]


# Calls through these give the interpreter away while they last; calls from SQLite take it.
_Open = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_Delete = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
_Write = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64)
_Truncate = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64)
_Sync = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


class _RecordingVfs:
    """The default VFS, whose files tell the disk what is done to them.

    Files stay those of the default VFS: only the table of functions that they point to is
    another, with three entries replaced. So reads, locks and shared memory cost nothing.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        library.sqlite3_vfs_find.argtypes = [ctypes.c_char_p]
        library.sqlite3_vfs_register.argtypes = [ctypes.POINTER(_Vfs), ctypes.c_int]
        self._disk: Disk | None = None
        self._names: dict[int, str] = {}  # address of a file -> its name
        self._syncs_folder: set[int] = set()  # addresses of files whose next sync is also their folder's
        self._tables: dict[int, _Methods] = {}  # address of the original table -> ours
        self._kept: list[object] = []  # SQLite points to them for as long as the process lives
        self._default = library.sqlite3_vfs_find(None)
        self._ours = _Vfs.from_buffer_copy(self._default.contents)
        self._ours.zName = _NAME
        self._open, self._delete = _Open(self._ours.xOpen), _Delete(self._ours.xDelete)
        self._ours.xOpen = self._keep(_Open(self._on_open))
        self._ours.xDelete = self._keep(_Delete(self._on_delete))

    @contextmanager
    def watching(self, disk: Disk) -> Iterator[Disk]:
        """Make this the default VFS, with its files told to `disk`."""
        assert self._disk is None, "one recording at a time"
        self._disk = disk
        self._library.sqlite3_vfs_register(ctypes.byref(self._ours), 1)
        try:
            yield disk
        finally:
            self._library.sqlite3_vfs_register(self._default, 1)
            self._disk = None

    def _keep(self, function: Any) -> int | None:
        self._kept.append(function)
        return ctypes.cast(function, ctypes.c_void_p).value

    def _on_open(self, vfs: int, path: int | None, file: int, flags: int, out_flags: int | None) -> int:
        result = int(self._open(vfs, path, file, flags, out_flags))
        disk = self._disk
        name = disk.name_of(ctypes.string_at(path).decode()) if disk and path else None
        if result == _OK and name is not None:
            self._names[file] = name
            (self._syncs_folder.add if _is_new_journal(flags) else self._syncs_folder.discard)(file)
            table = ctypes.c_void_p.from_address(file)
            assert table.value is not None
            table.value = ctypes.addressof(self._table_like(table.value))
        return result

    def _table_like(self, original: int) -> _Methods:
        if original not in self._tables:
            table = _Methods.from_buffer_copy(_Methods.from_address(original))
            table.xWrite = self._keep(_Write(functools.partial(self._on_write, _Write(table.xWrite))))
            table.xTruncate = self._keep(_Truncate(functools.partial(self._on_truncate, _Truncate(table.xTruncate))))
            table.xSync = self._keep(_Sync(functools.partial(self._on_sync, _Sync(table.xSync))))
            self._tables[original] = table
        return self._tables[original]

    def _note(self, event: DiskEvent) -> None:
        if self._disk is not None:
            self._disk.events.append(event)

    def _on_write(self, write: Callable[..., int], file: int, data: int, size: int, offset: int) -> int:
        content = ctypes.string_at(data, size)
        result = write(file, data, size, offset)
        if result == _OK:
            self._note(Wrote(self._names[file], offset, content))
        return result

    def _on_truncate(self, truncate: Callable[..., int], file: int, size: int) -> int:
        result = truncate(file, size)
        if result == _OK:
            self._note(Truncated(self._names[file], size))
        return result

    def _on_sync(self, sync: Callable[..., int], file: int, flags: int) -> int:
        began = len(self._disk.events) if self._disk else 0
        result = sync(file, flags)
        if result == _OK:
            self._note(Synced(self._names[file], began, file in self._syncs_folder))
            self._syncs_folder.discard(file)
        return result

    def _on_delete(self, vfs: int, path: bytes, sync_folder: int) -> int:
        result = int(self._delete(vfs, path, sync_folder))
        name = self._disk.name_of(path.decode()) if self._disk else None
        if result == _OK and name is not None:
            self._note(Deleted(name, bool(sync_folder)))
        return result


def _is_new_journal(flags: int) -> bool:
    """As os_unix.c decides it when it opens a file (UNIXFILE_DIRSYNC)."""
    return bool(flags & _OPEN_CREATE and flags & _OPEN_JOURNALS)


@functools.cache
def _the_vfs() -> _RecordingVfs:
    # A symbol of a library is also looked for in what the library needs: so this is the SQLite that it uses.
    path = getattr(importlib.import_module("_sqlite3"), "__file__", None)
    try:
        return _RecordingVfs(ctypes.CDLL(path))
    except (OSError, AttributeError) as error:
        raise NotWatchable(f"the SQLite of this Python cannot be reached through ctypes: {error}") from error


def _check_watchable(vfs: _RecordingVfs) -> None:
    """A symbol may be there and belong to another SQLite: look whether a write is really seen."""
    with tempfile.TemporaryDirectory() as folder, vfs.watching(Disk(Path(folder))) as disk:
        with closing(sqlite3.connect(Path(folder) / "probe.db")) as connection:
            connection.execute("CREATE TABLE probe (one)")
        if not any(isinstance(event, Wrote) for event in disk.events):
            raise NotWatchable("Python's sqlite3 uses another SQLite than the one that ctypes finds")
