"""The blob store in a folder: a file for each object."""

import asyncio
import filecmp
import hashlib
import os
import re
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import IO, Final, TypeVar

from nottermost_chat.errors import BadRequest, Conflict, NotFound, StartError, TooLarge, Unavailable

READ_BYTES: Final = 65_536  # a chunk; small enough that a slow reader holds little
_WRITE_BYTES: Final = 1_048_576  # gathered before a thread is asked to write: sockets deliver much less at a time

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._\-]{0,199}")  # no separator and no leading dot: it stays in its folder

T = TypeVar("T")


class FileBlobStore:
    """BlobStore on a folder of which this process is the only user.

    An object is written to `incoming/`, made durable, and then renamed into one of 256 folders.
    They are named by a hash: the keys are ULIDs, whose first characters hardly ever change.
    """

    links = None  # uploads and downloads go through the API

    def __init__(self, folder: Path) -> None:
        """Create the folder where needed, and remove what unfinished uploads left."""
        self._folder, self._incoming = folder, folder / "incoming"
        self._placing = threading.Lock()
        try:
            self._incoming.mkdir(parents=True, exist_ok=True)
            for leftover in self._incoming.iterdir():
                leftover.unlink()
        except OSError as error:
            raise StartError(f"cannot use {folder} for files: {error}; check that it can be written") from error

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, bytes_max: int) -> int:
        """Store an object; the same again is the same as once.

        Raises: TooLarge, and Conflict when `key` holds other bytes; then nothing has changed.
        """
        target = self._path_of(key)
        file = await _in_thread(self._open_incoming)
        try:
            size = await _write(file, chunks, bytes_max)
            await _in_thread(_sync_and_close, file)
            await _in_thread(self._place, Path(file.name), target)
        finally:
            _discard(file)  # here and now: a cancelled upload leaves nothing either
        return size

    async def size(self, key: str) -> int | None:
        target = self._path_of(key)
        try:
            return (await asyncio.to_thread(target.stat)).st_size
        except FileNotFoundError:
            return None

    async def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Bytes [start, end), or up to the object's end, in chunks. Raises NotFound."""
        target = self._path_of(key)
        try:
            file = await asyncio.to_thread(target.open, "rb")
        except FileNotFoundError as error:
            raise NotFound(f"there is no stored file {key}") from error
        with file:
            file.seek(start)
            while start < end and (chunk := await asyncio.to_thread(file.read, min(READ_BYTES, end - start))):
                start += len(chunk)
                yield chunk

    async def delete(self, key: str) -> None:
        target = self._path_of(key)
        await asyncio.to_thread(target.unlink, missing_ok=True)

    def _path_of(self, key: str) -> Path:
        check_key(key)
        return self._folder / hashlib.sha256(key.encode()).hexdigest()[:2] / key

    def _open_incoming(self) -> IO[bytes]:
        return tempfile.NamedTemporaryFile(dir=self._incoming, delete=False)

    def _place(self, incoming: Path, target: Path) -> None:
        """Rename, for good: also the folders' entries are made durable."""
        with self._placing:
            if target.exists():
                if not filecmp.cmp(incoming, target, shallow=False):
                    raise Conflict(f"the file {target.name} is stored already, with other content")
            else:
                target.parent.mkdir(exist_ok=True)
                incoming.rename(target)
        _sync_folder(target.parent)
        _sync_folder(self._folder)


def check_key(key: str) -> None:
    """Raises BadRequest unless it is a key that every store takes as it is."""
    if not _KEY.fullmatch(key):
        raise BadRequest(f"{key!r} is no key of a file: expected up to 200 of A-Z a-z 0-9 . _ -")


async def _write(file: IO[bytes], chunks: AsyncIterator[bytes], bytes_max: int) -> int:
    """Returns how many bytes came. Raises TooLarge as soon as there are more than `bytes_max`."""
    gathered, size = bytearray(), 0
    async for chunk in chunks:
        size += len(chunk)
        if size > bytes_max:
            raise TooLarge(f"the file is larger than {bytes_max} bytes: make it smaller or share a link to it")
        gathered += chunk
        if len(gathered) >= _WRITE_BYTES:
            await _in_thread(file.write, bytes(gathered))
            gathered.clear()
    await _in_thread(file.write, bytes(gathered))
    return size


async def _in_thread(work: Callable[..., T], *arguments: object) -> T:
    try:
        return await asyncio.to_thread(work, *arguments)
    except OSError as error:
        raise Unavailable(f"the file could not be stored ({error.strerror}): try again later") from error


def _sync_and_close(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def _discard(file: IO[bytes]) -> None:
    """Close and remove what was not renamed."""
    try:
        file.close()
    except OSError:
        pass  # it writes what is left, for which there is no room; it is closed all the same
    Path(file.name).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
