"""What every BlobStore promises. Another adapter joins with one line in ADAPTERS."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from aiobotocore.session import AioSession
from hypothesis import given, settings
from hypothesis import strategies as st
from ulid import ULID

from nottermost_chat.adapters.file_blobs import FileBlobStore
from nottermost_chat.adapters.s3_blobs import open_s3_blobs
from nottermost_chat.clock import Clock
from nottermost_chat.errors import BadRequest, Conflict, NotFound, TooLarge
from nottermost_chat.metrics import Metrics
from nottermost_chat.ports import BlobStore
from nottermost_chat.testing.buckets import remove_buckets, s3_environment
from nottermost_chat.testing.servers import Address

Opener = Callable[[Path], AbstractAsyncContextManager[BlobStore]]


@asynccontextmanager
async def open_files(folder: Path) -> AsyncIterator[BlobStore]:
    yield FileBlobStore(folder)


@contextmanager
def on_s3(address: Address) -> Iterator[Opener]:
    """Every folder stands for a bucket; in the end they are all removed."""
    used: set[str] = set()
    session = AioSession()

    @asynccontextmanager
    async def open_bucket(folder: Path) -> AsyncIterator[BlobStore]:
        bucket = f"test-{RUN}-{sha256(bytes(folder)).hexdigest()[:16]}"
        async with open_s3_blobs(bucket, Metrics(), Clock(), session) as store:
            if bucket not in used:
                await store.set_up("http://page.test")
                used.add(bucket)
            yield store

    with pytest.MonkeyPatch.context() as environment:
        for name, value in s3_environment(address).items():
            environment.setenv(name, value)
        yield open_bucket
        asyncio.run(remove_buckets(session, *used))


ADAPTERS = ("files", "s3")
RUN = str(ULID()).lower()
EXAMPLES = {"files": 10, "s3": 3}  # of several ranges each


@pytest.fixture(params=ADAPTERS, scope="module")
def adapter(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def open_store(adapter: str, request: pytest.FixtureRequest) -> Iterator[Opener]:
    if adapter == "files":
        yield open_files
    else:
        with on_s3(request.getfixturevalue("s3")) as opener:
            yield opener


@pytest.fixture
async def store(open_store: Opener, tmp_path: Path) -> AsyncIterator[BlobStore]:
    async with open_store(tmp_path / "blobs") as store:
        yield store


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For tests that store nothing."""
    return tmp_path_factory.mktemp("shared")


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


RANGES = st.lists(
    st.tuples(st.integers(0, 200_000), st.integers(0, 200_001), st.integers(0, 200_001)), min_size=5, max_size=8
)


def test_ranges(adapter: str, open_store: Opener, tmp_path: Path) -> None:
    """[start, end) is what a slice of the object is, in chunks that are never empty."""
    examples = settings(max_examples=EXAMPLES[adapter], deadline=None)
    examples(given(st.just(open_store), st.just(tmp_path / "blobs"), RANGES)(read_ranges))()


def read_ranges(open_store: Opener, folder: Path, cases: list[tuple[int, int, int]]) -> None:
    async def check() -> None:
        async with open_store(folder) as store:
            for size, start, length in cases:
                content = (b"0123456789abcdef" * 12_501)[:size]
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
async def test_keys_cannot_leave_the_store(open_store: Opener, shared_folder: Path, key: str) -> None:
    """Every operation refuses them, before anything is touched."""
    async with open_store(shared_folder) as store:
        for work in (put(store, key, b"content"), store.size(key), read(store, key), store.delete(key)):
            with pytest.raises(BadRequest):
                await work


async def test_it_is_still_there_after_a_restart(open_store: Opener, tmp_path: Path) -> None:
    """What `put` returned for is kept."""
    async with open_store(tmp_path / "blobs") as store:
        await put(store, "key", b"content")
    async with open_store(tmp_path / "blobs") as store:
        assert await read(store, "key") == b"content"
