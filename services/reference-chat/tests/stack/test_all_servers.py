"""Every server of the cluster at once, keeping its data: they answer, fit into memory, and outlive SIGKILL."""

import json
import urllib.request
from pathlib import Path

import aiobotocore.session
import pytest

from nottermost_chat.stack.cluster import Options
from nottermost_chat.stack.launcher import Stack
from nottermost_chat.stack.status import MEMORY_MIB_MAX

OPTIONS = Options(free_ports=True, port=0)


@pytest.mark.slow
@pytest.mark.timeout(400)  # two starts of all; 77 s at a load of 10 on two cores, 199 s at 16
async def test_all_servers_together(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was put into table, bucket, queue and index is there after all servers were killed and started again."""
    stack = Stack(folder)
    names = stack.up(OPTIONS, only=["servers", "toxiproxy"])
    assert set(names) == {"redis", "postgres", "kafka", "dynamodb", "opensearch", "sqs", "s3", "toxiproxy"}
    status = stack.status()
    assert status.ready, status.render()
    assert status.memory_mib < MEMORY_MIB_MAX / 2  # the other half is the chat's
    for name, value in stack.environment().items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    queue = await put_something(stack)
    for name in names:
        stack.kill(name)
    assert sorted(stack.up(only=["servers"])) == sorted(set(names) - {"toxiproxy"})
    await find_it(stack, queue)


async def put_something(stack: Stack) -> str:
    """Returns the queue's address."""
    session = aiobotocore.session.get_session()
    async with session.create_client("dynamodb") as tables:
        await tables.create_table(
            TableName="kept",
            KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        await tables.put_item(TableName="kept", Item={"key": {"S": "there"}})
    async with session.create_client("s3") as buckets:
        await buckets.create_bucket(Bucket="kept")
        await buckets.put_object(Bucket="kept", Key="there", Body=b"yes")
    async with session.create_client("sqs") as queues:
        queue = (await queues.create_queue(QueueName="kept"))["QueueUrl"]
        await queues.send_message(QueueUrl=queue, MessageBody="there")
    search(stack, "PUT", "/kept/_doc/1?refresh=true", {"text": "there"})
    return str(queue)


async def find_it(stack: Stack, queue: str) -> None:
    session = aiobotocore.session.get_session()
    async with session.create_client("dynamodb") as tables:
        found = await tables.get_item(TableName="kept", Key={"key": {"S": "there"}}, ConsistentRead=True)
        assert "Item" in found
    async with session.create_client("s3") as buckets:
        answer = await buckets.get_object(Bucket="kept", Key="there")
        assert await answer["Body"].read() == b"yes"
    async with session.create_client("sqs") as queues:
        received = await queues.receive_message(QueueUrl=queue, WaitTimeSeconds=5)
        assert [message["Body"] for message in received["Messages"]] == ["there"]
    assert search(stack, "GET", "/kept/_doc/1")["_source"] == {"text": "there"}


def search(stack: Stack, method: str, path: str, body: object = None) -> dict[str, object]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{stack.port('opensearch')}{path}",
        method=method,
        data=json.dumps(body).encode() if body else None,
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, object] = json.load(answer)
        return found
