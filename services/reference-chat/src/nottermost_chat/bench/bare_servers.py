"""What the cluster's figures are compared with: the same servers, asked by as little as can be."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from aiobotocore.session import AioSession
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from nottermost_chat.bench import reference
from nottermost_chat.bench.own_servers import connect
from nottermost_chat.clock import Clock
from nottermost_chat.settings import Store

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import TransactWriteItemTypeDef

WRITERS: Final = 2  # as there are ingests
ROWS: Final = 32  # a commit of each: half of the senders
TRANSACTIONS: Final = 16  # of DynamoDB under way, as one ingest has them
MESSAGES: Final = 2  # in each: two senders share a conversation
ITEMS: Final = 3  # a message
ROUNDS: Final = 200  # of what is timed one by one
PAUSE_S: Final = 0.002
BODY: Final = b"x" * 300
TABLE: Final = "bare"
WITHIN_S: Final = 20.0

INSERT: Final = "INSERT INTO bare VALUES (%s, %s, %s, %s, %s, %s)"
CREATE: Final = (
    "CREATE TABLE IF NOT EXISTS bare (conversation_id text, seq bigint, actor_id text, op_id text, detail text, body text,"
    " PRIMARY KEY (conversation_id, seq), UNIQUE (conversation_id, actor_id, op_id))"
)


async def measure_store(store: Store, environment: Mapping[str, str]) -> float:
    """Messages a second that the store's server takes: in commits of 32 by two writers, or in transactions of two by 16."""
    if store is Store.POSTGRES:
        await asyncio.to_thread(_create_table, environment)
        return sum(await asyncio.gather(*(asyncio.to_thread(_fill_postgres, environment) for _ in range(WRITERS))))
    return await _fill_dynamodb()


async def measure_commit(store: Store, environment: Mapping[str, str]) -> list[float]:
    """Seconds of one message's commit, one after the other, sorted."""
    if store is Store.POSTGRES:
        await asyncio.to_thread(_create_table, environment)
        return await asyncio.to_thread(_time_postgres, environment)
    return await _time_dynamodb()


def _create_table(environment: Mapping[str, str]) -> None:
    with connect(environment) as connection:
        connection.execute(CREATE)


def _row(conversation_id: str, number: int, new_id: Callable[[], str]) -> tuple[object, ...]:
    return (conversation_id, number, f"user{number % ROWS}", new_id(), "{}", BODY.decode())


def _fill_postgres(environment: Mapping[str, str]) -> float:
    new_id, done = Clock().new_id, 0
    conversation_id = new_id()
    with connect(environment) as connection, connection.cursor() as cursor:
        started = time.perf_counter()
        while time.perf_counter() - started < reference.SECONDS:
            cursor.executemany(INSERT, [_row(conversation_id, done + place, new_id) for place in range(ROWS)])
            connection.commit()
            done += ROWS
        return done / (time.perf_counter() - started)


def _time_postgres(environment: Mapping[str, str]) -> list[float]:
    new_id, times = Clock().new_id, list[float]()
    conversation_id = new_id()
    with connect(environment) as connection:
        for number in range(ROUNDS):
            started = time.perf_counter()
            connection.execute(INSERT, _row(conversation_id, number, new_id))
            connection.commit()
            times.append(time.perf_counter() - started)
            time.sleep(PAUSE_S)
    return sorted(times)


class _Dynamo:
    """A table of our own, and a client as plain as it comes."""

    async def __aenter__(self) -> "_Dynamo":
        self._context = AioSession().create_client("dynamodb")
        self._client = await self._context.__aenter__()
        if TABLE not in (await self._client.list_tables())["TableNames"]:
            await self._client.create_table(
                TableName=TABLE, BillingMode="PAY_PER_REQUEST",
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            )  # fmt: skip
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._context.__aexit__(None, None, None)

    async def write(self, key: str, messages: int) -> None:
        """One transaction, nothing of which may be there."""
        puts: list[TransactWriteItemTypeDef] = [
            {
                "Put": {
                    "TableName": TABLE,
                    "Item": {"pk": {"S": key}, "sk": {"S": str(place)}, "body": {"B": BODY}},
                    "ConditionExpression": "attribute_not_exists(pk)",
                }
            }
            for place in range(messages * ITEMS)
        ]
        await self._client.transact_write_items(TransactItems=puts)


async def _fill_dynamodb() -> float:
    new_id, done, ends = Clock().new_id, 0, time.perf_counter() + reference.SECONDS

    async def write() -> None:
        nonlocal done
        while time.perf_counter() < ends:
            await dynamo.write(new_id(), MESSAGES)
            done += MESSAGES

    async with _Dynamo() as dynamo:
        started = time.perf_counter()
        await asyncio.gather(*(write() for _ in range(TRANSACTIONS)))
        return done / (time.perf_counter() - started)


async def _time_dynamodb() -> list[float]:
    new_id, times = Clock().new_id, list[float]()
    async with _Dynamo() as dynamo:
        for _ in range(ROUNDS):
            started = time.perf_counter()
            await dynamo.write(new_id(), 1)
            times.append(time.perf_counter() - started)
            await asyncio.sleep(PAUSE_S)
    return sorted(times)


def measure_log(brokers: str) -> list[float]:
    """Seconds of one record from produce to consume, sorted: acknowledged by all, idempotent, linger 1 ms."""
    common: dict[str, str | int | float | bool] = {"bootstrap.servers": brokers}
    admin = AdminClient(common)
    topic = f"bare-{Clock().new_id()}"
    admin.create_topics([NewTopic(topic, num_partitions=1)])[topic].result(WITHIN_S)
    producer = Producer({**common, "enable.idempotence": True, "acks": "all", "linger.ms": 1})
    consumer = Consumer({**common, "group.id": topic, "auto.offset.reset": "earliest", "fetch.wait.max.ms": 100})
    try:
        consumer.subscribe([topic])
        times = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            producer.produce(topic, BODY)
            producer.poll(0)
            message = consumer.poll(WITHIN_S)
            assert message is not None
            times.append(time.perf_counter() - started)
            time.sleep(PAUSE_S)
        return sorted(times[ROUNDS // 10 :])  # joining the group is in the first
    finally:
        consumer.close()
        producer.flush(WITHIN_S)
        admin.delete_topics([topic])[topic].result(WITHIN_S)
