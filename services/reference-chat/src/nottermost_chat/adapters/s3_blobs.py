"""The blob store on S3, and on whatever speaks its protocol.

Region, endpoint and credentials come from the environment, as every AWS SDK reads them. The bucket
encrypts and checksums by its own default, and drops parts of uploads that never ended after a day.
The role needs `s3:ListBucket` too: without it S3 answers for an object that is not there as for one
that is forbidden.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

import aiohttp
import structlog
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, ClientError

from nottermost_chat.adapters.aws_calls import Away, code_of, make_config, passing
from nottermost_chat.adapters.file_blobs import READ_BYTES, check_key
from nottermost_chat.clock import Clock
from nottermost_chat.errors import Conflict, NotFound, TooLarge, Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.ports import SignedRequest
from nottermost_chat.resilience import POLICIES, Guard

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef, CORSRuleTypeDef

PART_BYTES: Final = 5_242_880  # S3's least for a part; an upload holds two at a time
UPLOADED_TYPE: Final = "application/octet-stream"  # whoever uploads does not say what browsers take it for
_CONNECTIONS_MAX: Final = 50  # transfers at a time, a process; more wait
_CORS_S: Final = 3600  # for which browsers remember what they may
_PARTS_DAYS: Final = 1
_NOT_THERE: Final = frozenset({"404", "NoSuchKey", "NotFound"})
_TAKEN: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchUpload"})  # or it took it before
_TELLING: Final = _NOT_THERE | _TAKEN | {"InvalidRange", "NotImplemented", "BucketAlreadyOwnedByYou"}

T = TypeVar("T")
logger = structlog.get_logger(__name__)


class S3Links:
    """BlobLinks into one bucket. Signing asks nobody, so it works while S3 is away."""

    def __init__(self, client: "S3Client", bucket: str, origin: str) -> None:
        self._client, self._bucket, self.origin = client, bucket, origin

    async def upload(self, key: str, size: int, *, expires_s: int) -> SignedRequest:
        check_key(key)
        headers = {"content-type": UPLOADED_TYPE, "if-none-match": "*"}
        url = await self._client.generate_presigned_url(
            "put_object",
            Params={
                "Bucket": self._bucket, "Key": key, "ContentLength": size,
                "ContentType": UPLOADED_TYPE, "IfNoneMatch": "*",
            },
            ExpiresIn=expires_s,
        )  # fmt: skip
        return SignedRequest("PUT", url, headers)  # browsers send the length by themselves

    async def download(self, key: str, *, content_type: str, disposition: str, expires_s: int) -> str:
        check_key(key)
        return await self._client.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket, "Key": key,
                "ResponseContentType": content_type, "ResponseContentDisposition": disposition,
                "ResponseCacheControl": f"private, max-age={expires_s}, immutable",
            },
            ExpiresIn=expires_s,
        )  # fmt: skip


class S3BlobStore:
    """BlobStore in one bucket, shared by any number of processes."""

    def __init__(self, client: "S3Client", bucket: str, links: S3Links, metrics: Metrics, clock: Clock) -> None:
        self._client, self._bucket, self.links = client, bucket, links
        self._guard = Guard(POLICIES["files"], metrics, clock.monotonic, Away)

    async def set_up(self, page_origin: str) -> None:
        """Make the bucket if there is none, let the page reach it, and clean up after uploads. Again is the same as once.

        For buckets that no infrastructure program owns. Servers that lack a setting go without it.
        """
        rule: CORSRuleTypeDef = {
            "AllowedOrigins": [page_origin],
            "AllowedMethods": ["GET", "HEAD", "PUT"],
            "AllowedHeaders": ["*"],
            "MaxAgeSeconds": _CORS_S,
        }
        await self._try_to_set(lambda: self._client.create_bucket(Bucket=self._bucket))
        await self._try_to_set(
            lambda: self._client.put_bucket_cors(Bucket=self._bucket, CORSConfiguration={"CORSRules": [rule]})
        )
        await self._try_to_set(
            lambda: self._client.put_bucket_lifecycle_configuration(
                Bucket=self._bucket,
                LifecycleConfiguration={
                    "Rules": [
                        {
                            "ID": "unfinished-uploads",
                            "Status": "Enabled",
                            "Filter": {"Prefix": ""},
                            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _PARTS_DAYS},
                        }
                    ]
                },
            )
        )

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, bytes_max: int) -> int:
        check_key(key)
        upload = _Received(chunks, bytes_max)
        first, second = await upload.part(), await upload.part()
        if second:
            await self._put_parts(key, upload, first, second)
        else:
            await self._commit(key, upload, lambda: self._client.put_object(
                Bucket=self._bucket, Key=key, Body=first, ContentType=UPLOADED_TYPE, IfNoneMatch="*"
            ))  # fmt: skip
        return upload.size

    async def size(self, key: str) -> int | None:
        check_key(key)
        try:
            answer = await self._call(lambda: self._client.head_object(Bucket=self._bucket, Key=key))
        except ClientError as error:
            if code_of(error) in _NOT_THERE:
                return None
            raise
        return answer["ContentLength"]

    async def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        check_key(key)
        if start >= end:
            if await self.size(key) is None:
                raise _not_found(key)
            return
        part = f"bytes={start}-{end - 1}"
        try:
            answer = await self._call(lambda: self._client.get_object(Bucket=self._bucket, Key=key, Range=part))
        except ClientError as error:
            if code_of(error) in _NOT_THERE:
                raise _not_found(key) from error
            if code_of(error) == "InvalidRange":
                return  # it begins beyond the end
            raise
        async with answer["Body"] as body:
            while chunk := await _read(body.read):
                yield chunk

    async def delete(self, key: str) -> None:
        check_key(key)
        await self._call(lambda: self._client.delete_object(Bucket=self._bucket, Key=key))

    async def _put_parts(self, key: str, upload: "_Received", first: bytes, second: bytes) -> None:
        started = await self._call(
            lambda: self._client.create_multipart_upload(Bucket=self._bucket, Key=key, ContentType=UPLOADED_TYPE)
        )
        upload_id = started["UploadId"]
        parts: list[CompletedPartTypeDef] = []
        done = False
        try:
            waiting = [first, second]
            while waiting:
                parts.append(await self._put_part(key, upload_id, len(parts) + 1, waiting.pop(0)))
                if not waiting and (more := await upload.part()):
                    waiting.append(more)
            done = await self._commit(key, upload, lambda: self._client.complete_multipart_upload(
                Bucket=self._bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
            ))  # fmt: skip
        finally:
            if not done:
                await asyncio.shield(self._abort(key, upload_id))

    async def _put_part(self, key: str, upload_id: str, number: int, content: bytes) -> "CompletedPartTypeDef":
        answer = await self._call(
            lambda: self._client.upload_part(
                Bucket=self._bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=content
            )
        )
        return {"ETag": answer["ETag"], "PartNumber": number}

    async def _abort(self, key: str, upload_id: str) -> None:
        try:
            await self._call(
                lambda: self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload_id)
            )
        except (ClientError, Unavailable) as error:  # then the bucket's own rule does it
            logger.info("upload_not_aborted", key=key, error=repr(error))

    async def _commit(self, key: str, upload: "_Received", act: Callable[[], Awaitable[object]]) -> bool:
        """Make it visible unless the same is there already, perhaps from an earlier attempt: then False."""
        try:
            await self._call(act)
        except ClientError as error:
            if code_of(error) not in _TAKEN:
                raise
            await self._compare(key, upload, error)
            return False
        return True

    async def _compare(self, key: str, upload: "_Received", refusal: ClientError) -> None:
        found = hashlib.sha256()
        try:
            async for chunk in self.read(key, 0, upload.size + 1):
                found.update(chunk)
        except NotFound:
            raise Unavailable(f"the file {key} could not be stored: try again") from refusal
        if found.digest() != upload.hash.digest():
            raise Conflict(f"the file {key} is stored already, with other content") from refusal

    async def _call(self, act: Callable[[], Awaitable[T]]) -> T:
        return await self._guard.call(lambda: passing(act, _TELLING))

    async def _try_to_set(self, act: Callable[[], Awaitable[object]]) -> None:
        try:
            await self._call(act)
        except ClientError as error:
            if code_of(error) not in ("NotImplemented", "BucketAlreadyOwnedByYou"):
                raise


class _Received:
    """An upload on its way, part by part."""

    def __init__(self, chunks: AsyncIterator[bytes], bytes_max: int) -> None:
        self._chunks, self._bytes_max, self._kept = chunks, bytes_max, bytearray()
        self.size, self.hash = 0, hashlib.sha256()

    async def part(self) -> bytes:
        """The next PART_BYTES, or what is left; empty at the end. Raises TooLarge as soon as it is."""
        while len(self._kept) < PART_BYTES and (chunk := await anext(self._chunks, None)) is not None:
            self._kept += chunk
            self.size += len(chunk)
            self.hash.update(chunk)
            if self.size > self._bytes_max:
                raise TooLarge(
                    f"the file is larger than {self._bytes_max} bytes: make it smaller or share a link to it"
                )
        content = bytes(self._kept[:PART_BYTES])
        del self._kept[:PART_BYTES]
        return content


@asynccontextmanager
async def open_s3_blobs(
    bucket: str, metrics: Metrics, clock: Clock, session: AioSession | None = None
) -> AsyncIterator[S3BlobStore]:
    """The store over a client of its own."""
    config = make_config(POLICIES["files"], signature_version="s3v4", max_pool_connections=_CONNECTIONS_MAX)
    async with (session or AioSession()).create_client("s3", config=config) as client:
        link = urlsplit(await client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "any"}))
        links = S3Links(client, bucket, f"{link.scheme}://{link.netloc}")
        yield S3BlobStore(client, bucket, links, metrics, clock)


async def _read(read: Callable[[int], Awaitable[bytes]]) -> bytes:
    """Raises Unavailable; who downloads asks for the rest."""
    try:
        async with asyncio.timeout(POLICIES["files"].timeout_s):
            return await read(READ_BYTES)
    except (BotoCoreError, aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
        raise Unavailable("the files do not answer: ask for the rest in a moment") from error


def _not_found(key: str) -> NotFound:
    return NotFound(f"there is no stored file {key}")
