"""Opening the zip of an export without trusting it.

SlackExportError
├── NotAnExport     no zip file, or one without conversations
├── DamagedExport   the central directory, a checksum or a compressed stream is broken
└── UnsafeExport    paths that lead outside, links, or far more inside than there should be

Nothing is ever unpacked to disk: files are read one at a time, into memory.
"""

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from nottermost_chat.errors import ChatError

MIB: Final = 1024 * 1024

_JUNK = re.compile(r"(?:^|/)(?:__MACOSX/|\.DS_Store$|Thumbs\.db$|desktop\.ini$|\._)", re.IGNORECASE)
_ABSOLUTE = re.compile(r"/|[A-Za-z]:/")
_UTF8_NAME: Final = 0x800  # flag bit 11: the name is UTF-8
_ENCRYPTED: Final = 0x1
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others unpack without a bound on memory


class SlackExportError(ChatError):
    """The export is refused as a whole; nothing was read from it."""

    code = "export_refused"
    status = 422


class NotAnExport(SlackExportError):
    """The file is no zip, or holds no conversation."""

    code = "export_not_recognised"


class DamagedExport(SlackExportError):
    """The archive is damaged: its directory, a checksum or a compressed stream."""

    code = "export_damaged"


class UnsafeExport(SlackExportError):
    """The archive is made, by accident or not, to do harm."""

    code = "export_unsafe"


class ArchiveLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much an archive may hold.

    Attributes:
        entries_max: a thousand channels for three years; each costs about 1 KB of memory to list.
        unpacked_bytes_max: at 50 MB/s a quarter of an hour of reading.
        file_bytes_max: one .json file is in memory at a time, and ten times as large once parsed; what people
            uploaded, which some exporters add, is not read.
        ratio_max: chat as JSON packs 3 to 30 times smaller, text made to explode a thousand times.
        ratio_from_bytes: below it the ratio proves nothing: a few equal messages pack as well as a bomb.
    """

    entries_max: int = 1_000_000
    unpacked_bytes_max: int = 48 * 1024 * MIB
    file_bytes_max: int = 256 * MIB
    ratio_max: int = 100
    ratio_from_bytes: int = 10 * MIB


LIMITS: Final = ArchiveLimits()


class Archive:
    """The files of an archive by path, "/" between the parts.

    Of entries with the same path the last one counts, as when the archive is unpacked.
    """

    def __init__(self, zip_file: zipfile.ZipFile, infos: Mapping[str, zipfile.ZipInfo]) -> None:
        self._zip = zip_file
        self._infos = infos

    @property
    def paths(self) -> list[str]:
        """Every path, sorted."""
        return sorted(self._infos)

    def read(self, path: str) -> bytes:
        """The content of a file. Raises: DamagedExport when its checksum or its compressed stream is wrong."""
        with _damage_told(path):
            return self._zip.read(self._infos[path])

    def check(self, path: str) -> None:
        """Read a file, however large, for nothing but its checksum. Raises: DamagedExport."""
        with _damage_told(path), self._zip.open(self._infos[path]) as file:
            while file.read(MIB):
                continue


@contextmanager
def _damage_told(path: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise DamagedExport(f"{path!r} in the archive is damaged ({error}): download the export again") from error


@contextmanager
def open_archive(path: Path, limits: ArchiveLimits = LIMITS) -> Iterator[Archive]:
    """Open the zip at `path` and check its directory; no content is read yet.

    Raises: NotAnExport, DamagedExport, UnsafeExport.
    """
    with _open_zip(path) as zip_file:
        infos = zip_file.infolist()
        _check_amount(path, infos, limits)
        named = [(_checked_name(info), info) for info in infos]
        files = {_squeeze(name): info for name, info in named if not name.endswith("/") and not _JUNK.search(name)}
        yield Archive(zip_file, files)


@contextmanager
def _open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    if path.exists() and not path.is_file():  # opening a pipe would wait for somebody to write
        raise NotAnExport(f"{path.name} cannot be opened: it is not a file; pass the zip as Slack delivers it")
    try:
        zip_file = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        if _looks_like_zip(path):
            raise DamagedExport(f"{path.name} is damaged ({error}): download the export again") from error
        raise NotAnExport(f"{path.name} is not a zip file: pass the export as Slack delivers it") from error
    except OSError as error:
        raise NotAnExport(f"{path.name} cannot be opened: {error.strerror or error}") from error
    except (struct.error, ValueError, RuntimeError) as error:
        raise DamagedExport(f"{path.name} is damaged ({error}): download the export again") from error
    with zip_file:
        yield zip_file


def _looks_like_zip(path: Path) -> bool:
    """Whether it is a zip that lost a part, rather than something else."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04" or zipfile.is_zipfile(path)


def _check_amount(path: Path, infos: Sequence[zipfile.ZipInfo], limits: ArchiveLimits) -> None:
    """Refuse an archive that holds too much, by what its directory says; reading never exceeds that."""
    packed = path.stat().st_size
    unpacked = sum(info.file_size for info in infos)
    if len(infos) > limits.entries_max:
        raise UnsafeExport(f"{path.name} holds {len(infos)} entries, the limit is {limits.entries_max}")
    if unpacked > limits.unpacked_bytes_max:
        raise UnsafeExport(f"{path.name} unpacks to {unpacked} bytes, the limit is {limits.unpacked_bytes_max}")
    if unpacked > limits.ratio_from_bytes and unpacked > packed * limits.ratio_max:
        raise UnsafeExport(
            f"{path.name} unpacks from {packed} to {unpacked} bytes, more than {limits.ratio_max} times its size"
        )
    if sum(info.compress_size for info in infos) > packed:
        raise UnsafeExport(f"{path.name} lists more packed bytes than it has: its entries overlap")
    largest = max((info.file_size for info in infos if info.filename.lower().endswith(".json")), default=0)
    if largest > limits.file_bytes_max:
        raise UnsafeExport(f"{path.name} holds a file of {largest} bytes, the limit is {limits.file_bytes_max}")


def _checked_name(info: zipfile.ZipInfo) -> str:
    """The entry's path with "/" between its parts. Raises: UnsafeExport."""
    name = _decoded_name(info).replace("\\", "/")
    mode = info.external_attr >> 16
    if _ABSOLUTE.match(name) or ".." in name.split("/"):
        raise UnsafeExport(f"the archive holds the path {name!r}, which leads out of its folder")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnsafeExport(f"{name!r} in the archive is a link or a device, not a file")
    if info.flag_bits & _ENCRYPTED:
        raise UnsafeExport(f"{name!r} in the archive is encrypted: unpack it and zip it without a password")
    if info.compress_type not in _METHODS:
        raise UnsafeExport(f"{name!r} in the archive is packed by method {info.compress_type}, expected deflate")
    return name


def _decoded_name(info: zipfile.ZipInfo) -> str:
    """Some programs write UTF-8 names without saying so; zipfile then takes them for code page 437."""
    if info.flag_bits & _UTF8_NAME:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _squeeze(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", "."))
