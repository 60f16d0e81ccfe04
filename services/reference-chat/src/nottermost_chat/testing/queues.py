"""Queues of a local SQS server, and how the SDK finds it."""

from aiobotocore.session import AioSession

from nottermost_chat.stack.servers import ACCOUNT, AWS_ACCOUNT
from nottermost_chat.testing.servers import Address

__all__ = ["ACCOUNT", "remove_queues", "sqs_environment"]


def sqs_environment(address: Address) -> dict[str, str]:
    """What the environment of a process holds that uses this server."""
    return AWS_ACCOUNT | {"AWS_ENDPOINT_URL_SQS": address.url}


async def remove_queues(session: AioSession, *urls: str) -> None:
    """And their dead letters."""
    async with session.create_client("sqs") as client:
        for url in urls:
            await client.delete_queue(QueueUrl=url)
            await client.delete_queue(QueueUrl=f"{url}-dead")
