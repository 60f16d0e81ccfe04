"""What is special about files on S3: parts, repeats, and a server behind it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiobotocore.session import AioSession
from ulid import ULID

from nottermost_chat.adapters.s3_blobs import PART_BYTES, S3BlobStore, open_s3_blobs
from nottermost_chat.clock import Clock
from nottermost_chat.errors import Conflict, TooLarge, Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.testing.buckets import remove_buckets, s3_environment
from nottermost_chat.testing.servers import Address

CHUNK = 65_536


@pytest.fixture(autouse=True)
def environment(s3: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_environment(s3).items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def session() -> AioSession:
    return AioSession()


@pytest.fixture
def bucket() -> str:
    return f"test-{ULID()}".lower()


@pytest.fixture
async def store(bucket: str, session: AioSession) -> AsyncIterator[S3BlobStore]:
    async with open_s3_blobs(bucket, Metrics(), Clock(), session) as store:
        await store.set_up("http://page.test")
        yield store
    await remove_buckets(session, bucket)


async def stream(size: int, byte: bytes = b"x") -> AsyncIterator[bytes]:
    for start in range(0, size, CHUNK):
        yield byte * min(CHUNK, size - start)


async def unfinished(bucket: str, session: AioSession) -> int:
    async with session.create_client("s3") as client:
        return len((await client.list_multipart_uploads(Bucket=bucket)).get("Uploads", []))


async def read(store: S3BlobStore, key: str) -> bytes:
    return b"".join([chunk async for chunk in store.read(key, 0, 10**9)])


@pytest.mark.parametrize("size", [PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES])
async def test_large_files_go_in_parts(store: S3BlobStore, bucket: str, session: AioSession, size: int) -> None:
    """Whole around every border; the same again is the same as once, other bytes are refused; no part is left."""
    for _ in range(2):
        assert await store.put("key", stream(size), bytes_max=size) == size
    assert await store.size("key") == size
    assert await read(store, "key") == b"x" * size
    for other in (stream(size, b"y"), stream(size - 1), stream(size + 1)):
        with pytest.raises(Conflict):
            await store.put("key", other, bytes_max=size + 1)
    assert await store.size("key") == size
    assert await unfinished(bucket, session) == 0


async def test_what_breaks_leaves_nothing(store: S3BlobStore, bucket: str, session: AioSession) -> None:
    """Too large after some parts, a reader that breaks, one that is cancelled: neither object nor parts."""
    half = asyncio.Event()

    async def broken() -> AsyncIterator[bytes]:
        async for chunk in stream(2 * PART_BYTES + 1):
            yield chunk
        raise ConnectionResetError

    async def stuck() -> AsyncIterator[bytes]:
        async for chunk in stream(3 * PART_BYTES):
            yield chunk
        half.set()
        await asyncio.Event().wait()

    with pytest.raises(TooLarge):
        await store.put("key", stream(4 * PART_BYTES), bytes_max=3 * PART_BYTES)
    with pytest.raises(ConnectionResetError):
        await store.put("key", broken(), bytes_max=10**8)
    running = asyncio.create_task(store.put("key", stuck(), bytes_max=10**8))
    await half.wait()
    assert await unfinished(bucket, session) == 1
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await unfinished(bucket, session) == 0
    assert await store.size("key") is None


async def test_parts_at_once(store: S3BlobStore) -> None:
    """Of the same key exactly one is kept, whole."""
    size = PART_BYTES + 1
    uploads = [store.put("key", stream(size, bytes([number])), bytes_max=size) for number in range(3)]
    results = await asyncio.gather(*uploads, return_exceptions=True)
    assert sorted(isinstance(result, Conflict) for result in results) == [False, True, True]
    content = await read(store, "key")
    assert len(content) == size
    assert len(set(content)) == 1


async def test_set_up_is_repeated_without_harm(store: S3BlobStore) -> None:
    """Over a bucket that is in use."""
    await store.put("key", stream(5), bytes_max=5)
    await store.set_up("http://page.test")
    assert await read(store, "key") == b"xxxxx"


async def test_a_server_that_is_gone(
    unused_tcp_port: int, session: AioSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is refused as unavailable; links are still made, since nobody is asked."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{unused_tcp_port}")
    async with open_s3_blobs("gone", Metrics(), Clock(), session) as store:
        for work in (
            store.put("key", stream(5), bytes_max=5),
            store.put("key", stream(PART_BYTES + 1), bytes_max=10**8),
            store.size("key"),
            read(store, "key"),
            store.delete("key"),
        ):
            with pytest.raises(Unavailable):
                await work
        assert (await store.links.upload("key", 5, expires_s=60)).url.startswith(store.links.origin)


async def test_a_refused_log_in(store: S3BlobStore, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is as if it were away, to those who want a file; nothing is taken for missing."""
    await store.put("key", stream(5), bytes_max=5)
    with monkeypatch.context() as other:
        other.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        async with open_s3_blobs(bucket, Metrics(), Clock()) as refused:
            with pytest.raises(Unavailable):
                await refused.size("key")
            with pytest.raises(Unavailable):
                await read(refused, "key")
