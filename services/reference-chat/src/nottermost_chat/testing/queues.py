"""Queues of a local SQS server, and how the SDK finds it."""

from typing import Final

from aiobotocore.session import AioSession

from nottermost_chat.testing.servers import Address

ACCOUNT: Final = "000000000000"


def sqs_environment(address: Address) -> dict[str, str]:
    """What the environment of a process holds that uses this server."""
    return {
        "AWS_ENDPOINT_URL_SQS": address.url,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",  # the name that botocore reads
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "localsecret",
    }


async def remove_queues(session: AioSession, *urls: str) -> None:
    """And their dead letters."""
    async with session.create_client("sqs") as client:
        for url in urls:
            await client.delete_queue(QueueUrl=url)
            await client.delete_queue(QueueUrl=f"{url}-dead")
