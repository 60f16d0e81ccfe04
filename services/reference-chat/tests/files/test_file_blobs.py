"""What is special about the blob store in a folder: its files."""

import errno
import os
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest

from nottermost_chat.adapters import file_blobs
from nottermost_chat.adapters.file_blobs import FileBlobStore
from nottermost_chat.errors import StartError, TooLarge, Unavailable


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


async def test_leftovers_of_a_crash_are_removed(tmp_path: Path) -> None:
    """Unfinished uploads when it starts; nothing else."""
    store = FileBlobStore(tmp_path)
    await store.put("key", stream(b"content"), bytes_max=10)
    (tmp_path / "incoming" / "tmpabc").write_bytes(b"half of somethi")
    FileBlobStore(tmp_path)
    assert files_in(tmp_path) == ["key"]


async def test_nothing_stays_of_what_was_refused(tmp_path: Path) -> None:
    """Neither of what is too large, nor of what could not be made durable: a full disk is said to be one."""
    store = FileBlobStore(tmp_path)
    with pytest.raises(TooLarge):
        await store.put("key", stream(b"content"), bytes_max=3)
    assert files_in(tmp_path) == []


async def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with the reason, and nothing stays."""

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store = FileBlobStore(tmp_path)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Unavailable, match="No space left"):
        await store.put("key", stream(b"content"), bytes_max=10)
    assert files_in(tmp_path) == []


async def test_a_reader_may_stop_early(tmp_path: Path) -> None:
    """And the file is closed then: an unclosed one would be a warning, which is an error here."""
    store = FileBlobStore(tmp_path)
    await store.put("key", stream(b"x" * 200_000), bytes_max=200_000)
    reading = store.read("key", 0, 200_000)
    assert isinstance(reading, AsyncGenerator)
    assert len(await anext(reading)) == file_blobs.READ_BYTES
    await store.delete("key")
    assert len(await anext(reading)) == file_blobs.READ_BYTES  # what is being read stays readable
    await reading.aclose()


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """One sentence."""
    (tmp_path / "blobs").write_text("not a folder")
    with pytest.raises(StartError, match="cannot use"):
        FileBlobStore(tmp_path / "blobs")
