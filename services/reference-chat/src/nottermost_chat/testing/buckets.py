"""Buckets of a local S3 server, and how the SDK finds it."""

from aiobotocore.session import AioSession

from nottermost_chat.stack.servers import AWS_ACCOUNT
from nottermost_chat.testing.servers import Address


def s3_environment(address: Address) -> dict[str, str]:
    """What the environment of a process holds that uses this server."""
    return AWS_ACCOUNT | {"AWS_ENDPOINT_URL_S3": address.url}


async def remove_buckets(session: AioSession, *buckets: str) -> None:
    """With everything in them."""
    async with session.create_client("s3") as client:
        for bucket in buckets:
            while objects := (await client.list_objects_v2(Bucket=bucket)).get("Contents", []):
                for found in objects:
                    await client.delete_object(Bucket=bucket, Key=found["Key"])
            await client.delete_bucket(Bucket=bucket)
