"""What every BlobStore promises. Another adapter joins with one line in ADAPTERS."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nottermost_chat.adapters.file_blobs import FileBlobStore
from nottermost_chat.errors import BadRequest, Conflict, NotFound, TooLarge
from nottermost_chat.ports import BlobStore

Opener = Callable[[Path], BlobStore]

ADAPTERS: dict[str, Opener] = {"files": FileBlobStore}


@pytest.fixture(params=sorted(ADAPTERS), scope="module")
def open_store(request: pytest.FixtureRequest) -> Opener:
    return ADAPTERS[request.param]


@pytest.fixture
def store(open_store: Opener, tmp_path: Path) -> BlobStore:
    return open_store(tmp_path / "blobs")


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def put(store: BlobStore, key: str, *chunks: bytes, bytes_max: int = 1_000_000) -> int:
    return await store.put(key, stream(*chunks), bytes_max=bytes_max)


async def read(store: BlobStore, key: str, start: int = 0, end: int = 10**9) -> bytes:
    return b"".join([chunk async for chunk in store.read(key, start, end)])


async def test_what_was_put_is_read(store: BlobStore) -> None:
    """Whole, in order, of any size; an empty object is an object."""
    long = bytes(range(256)) * 20_000
    assert await put(store, "one", b"ab", b"", b"cd") == 4
    assert await put(store, "none") == 0
    assert await put(
        store, "long", *(long[place : place + 70_001] for place in range(0, len(long), 70_001)), bytes_max=len(long)
    ) == len(long)
    assert [await read(store, key) for key in ("one", "none", "long")] == [b"abcd", b"", long]
    assert [await store.size(key) for key in ("one", "none", "long")] == [4, 0, len(long)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(0, 200_000), start=st.integers(0, 200_001), length=st.integers(0, 200_001))
def test_ranges(store: BlobStore, size: int, start: int, length: int) -> None:
    """[start, end) is what a slice of the object is, in chunks that are never empty."""
    content = (b"0123456789abcdef" * 12_501)[:size]

    async def check() -> None:
        await put(store, f"key{size}", content)
        chunks = [chunk async for chunk in store.read(f"key{size}", start, start + length)]
        assert b"".join(chunks) == content[start : start + length]
        assert all(chunks)

    asyncio.run(check())


async def test_too_large(store: BlobStore) -> None:
    """Refused at the first byte too many, and then nothing is there."""
    assert await put(store, "fits", b"12345", bytes_max=5) == 5
    with pytest.raises(TooLarge):
        await put(store, "large", b"123", b"456", bytes_max=5)
    assert await store.size("large") is None
    assert await put(store, "large", b"123", bytes_max=5) == 3


async def test_what_is_there_never_changes(store: BlobStore) -> None:
    """The same again is the same as once; other bytes are refused."""
    await put(store, "key", b"first")
    assert await put(store, "key", b"fi", b"rst") == 5
    with pytest.raises(Conflict):
        await put(store, "key", b"other")
    assert await read(store, "key") == b"first"


async def test_an_upload_is_seen_whole_or_not_at_all(store: BlobStore) -> None:
    """Not while it runs, and not when it breaks or is cancelled."""
    half, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"first half"
        half.set()
        await go_on.wait()
        yield b"second half"

    async def broken() -> AsyncIterator[bytes]:
        yield b"first half"
        raise ConnectionResetError

    running = asyncio.create_task(store.put("key", slow(), bytes_max=100))
    await half.wait()
    assert await store.size("key") is None
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(ConnectionResetError):
        await store.put("key", broken(), bytes_max=100)
    assert await store.size("key") is None
    go_on.set()
    assert await store.put("key", slow(), bytes_max=100) == 21
    assert await store.size("key") == 21


async def test_uploads_at_once(store: BlobStore) -> None:
    """Of the same key with different bytes exactly one is kept; different keys do not disturb each other."""
    contents = [bytes([number]) * 100_000 for number in range(8)]
    results = await asyncio.gather(
        *(put(store, "same", content) for content in contents),
        *(put(store, f"own{number}", content) for number, content in enumerate(contents)),
        return_exceptions=True,
    )
    assert sorted(isinstance(result, Conflict) for result in results[:8]) == [False] + [True] * 7
    assert await read(store, "same") in contents
    assert [await read(store, f"own{number}") for number in range(8)] == contents


async def test_what_is_not_there(store: BlobStore) -> None:
    """It has no size, cannot be read, and removing it is nothing."""
    assert await store.size("missing") is None
    await store.delete("missing")
    with pytest.raises(NotFound):
        await read(store, "missing")
    await put(store, "key", b"content")
    await store.delete("key")
    assert await store.size("key") is None
    with pytest.raises(NotFound):
        await read(store, "key")
    await put(store, "key", b"another")  # the key is free again


@pytest.mark.parametrize(
    "key", ["", ".", "..", "../x", "a/b", "a\\b", "/etc/passwd", ".hidden", "a\x00b", "ü", "x" * 201, "a\n"]
)
async def test_keys_cannot_leave_the_store(store: BlobStore, tmp_path: Path, key: str) -> None:
    """Every operation refuses them, before anything is touched."""
    with pytest.raises(BadRequest):
        await put(store, key, b"content")
    with pytest.raises(BadRequest):
        await store.size(key)
    with pytest.raises(BadRequest):
        await read(store, key)
    with pytest.raises(BadRequest):
        await store.delete(key)


async def test_it_is_still_there_after_a_restart(open_store: Opener, tmp_path: Path) -> None:
    """What `put` returned for is kept."""
    await put(open_store(tmp_path / "blobs"), "key", b"content")
    assert await read(open_store(tmp_path / "blobs"), "key") == b"content"
