"""Buckets of a local S3 server, and how the SDK finds it."""

from aiobotocore.session import AioSession

from nottermost_chat.testing.servers import Address


def s3_environment(address: Address) -> dict[str, str]:
    """What the environment of a process holds that uses this server."""
    return {
        "AWS_ENDPOINT_URL_S3": address.url,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",  # the name that botocore reads
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "localsecret",
    }


async def remove_buckets(session: AioSession, *buckets: str) -> None:
    """With everything in them."""
    async with session.create_client("s3") as client:
        for bucket in buckets:
            while objects := (await client.list_objects_v2(Bucket=bucket)).get("Contents", []):
                for found in objects:
                    await client.delete_object(Bucket=bucket, Key=found["Key"])
            await client.delete_bucket(Bucket=bucket)
