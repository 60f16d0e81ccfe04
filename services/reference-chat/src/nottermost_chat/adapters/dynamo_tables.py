"""How this process reads and writes its two DynamoDB tables: by key, strongly, through one guard."""

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection
from botocore.parsers import ResponseParserError

from nottermost_chat.adapters.dynamo_items import Item, Key, read_key
from nottermost_chat.adapters.dynamo_writes import Write, render
from nottermost_chat.errors import ChatError, Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.resilience import POLICIES, Guard
from nottermost_conventions.tables import TABLES, Table

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient
    from types_aiobotocore_dynamodb.type_defs import CreateTableInputTypeDef

CALLS_MAX: Final = 32  # at a time, each on its own connection; an ingest has up to 16 appends under way
CONNECT_S: Final = 1.0  # loopback or the same region: a server that takes longer is away
THROTTLED_S: Final = 5.0  # how long a call stands back for others: half of what ingest gives an append
STAND_BACK_S: Final = 0.02  # at most, the first time; then twice as long,
STAND_BACK_S_MAX: Final = 0.64  # up to this: always a random part of it, so that rivals come apart
GET_MAX: Final = 100  # keys in one BatchGetItem
KEEP_PAGE: Final = 50  # items read at a time where some are left out
DELETE_MAX: Final = 25  # items in one BatchWriteItem
WRITES_MAX: Final = 100  # items in one transaction, and 4 MB
POLICY: Final = POLICIES["message store"]

BUSY: Final = frozenset((
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException",
    "TransactionConflictException", "TransactionInProgressException",
))  # fmt: skip
BUSY_REASONS: Final = frozenset(("TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError"))
SERVER_ERROR: Final = 500

T = TypeVar("T")


class Busy(ChatError):
    """Others were first, or faster than the table takes: the same call may succeed in a moment."""

    code = "busy"


class Away(ChatError):
    """DynamoDB answered with an error of its own; whether it did what was asked is unknown."""

    code = "away"


class ConditionFailed(ChatError):
    """An item was not as expected, and nothing was written.

    Attributes:
        places: which writes of the transaction it was; empty: a transaction that is too large in bytes.
    """

    code = "condition_failed"

    def __init__(self, places: Sequence[int]) -> None:
        super().__init__(f"{len(places)} items were not as expected: read them again")
        self.places = tuple(places)


class DynamoTables:
    """The log and the texts. Every call is repeated as the policy says, and stands back while it is throttled.

    Raises Unavailable in the end; a transaction whose outcome is unknown is repeated under the same token.
    """

    def __init__(
        self, client: "DynamoDBClient", names: Mapping[Table, str], metrics: Metrics, monotonic: Callable[[], float]
    ) -> None:
        self._client, self._names, self._monotonic = client, names, monotonic
        # DynamoDB Local holds them, which removes nothing by itself when its time to live is over.
        self.are_local = "amazonaws.com" not in client.meta.endpoint_url
        self._guard = Guard(
            POLICY, metrics, monotonic,
            Away, NoConnection, HTTPClientError, ResponseParserError, aiohttp.ClientError, OSError,
        )  # fmt: skip
        self._calls = asyncio.Semaphore(CALLS_MAX)
        self._exit = AsyncExitStack()

    @classmethod
    async def open(
        cls, names: Mapping[Table, str], metrics: Metrics, monotonic: Callable[[], float], session: AioSession | None
    ) -> "DynamoTables":
        """Region, endpoint and credentials come from the environment, as for every AWS SDK. Nothing is connected yet."""
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(create_client(session or get_session()))
            tables = cls(client, names, metrics, monotonic)
            tables._exit = stack.pop_all()
            return tables

    async def close(self) -> None:
        await self._exit.aclose()

    async def get(self, keys: Iterable[Key], *only: str) -> dict[Key, Item]:
        """The items that are there; `only`: with these attributes and their keys."""
        wanted = list(dict.fromkeys(keys))
        parts = [wanted[start : start + GET_MAX] for start in range(0, len(wanted), GET_MAX)]
        found: dict[Key, Item] = {}
        for items in await asyncio.gather(*(self._get_some(part, only) for part in parts)):
            found |= items
        return found

    async def _get_some(self, keys: Sequence[Key], only: Sequence[str]) -> dict[Key, Item]:
        found: dict[Key, Item] = {}
        left = list(keys)
        while left:  # an answer holds at most 16 MB, and less when a table is throttled
            found |= (got := await self._ask(partial(self._get_once, left, only)))
            left = [key for key in left if key not in got]
        return {key: item for key, item in found.items() if item}

    async def _get_once(self, keys: Sequence[Key], only: Sequence[str]) -> dict[Key, Item]:
        """What was answered; an item that is not there is empty. Raises Busy when nothing was."""
        by_name = {self._names[table]: table for table in TABLES}
        request: dict[str, Any] = {}
        for key in keys:
            part = request.setdefault(
                self._names[key.table], {"ConsistentRead": True, "Keys": []} | _only(key.table, only)
            )
            part["Keys"].append(key.item())
        answer = await self._client.batch_get_item(RequestItems=request)
        left = {
            read_key(by_name[name], item) for name, part in answer["UnprocessedKeys"].items() for item in part["Keys"]
        }
        if len(left) == len(keys):
            raise Busy("the message store is throttled: try again in a moment")
        found: dict[Key, Item] = {key: {} for key in keys if key not in left}
        for name, items in answer["Responses"].items():
            found |= {read_key(by_name[name], item): item for item in items}
        return found

    async def query(
        self, table: Table, partition: str, low: str, high: str, *, limit: int | None = None, newest_first: bool = False,
        keep: Callable[[Item], bool] | None = None, only: Sequence[str] = (),
    ) -> list[Item]:  # fmt: skip
        """Items of a partition from `low` to `high`, both included, in order of their sort keys.

        Args:
            keep: leave out others; what is left out is read all the same.
        """
        if low > high or limit == 0:
            return []
        request: dict[str, Any] = {
            "TableName": self._names[table], "ConsistentRead": True, "ScanIndexForward": not newest_first,
            "KeyConditionExpression": "#partition = :partition AND #sort BETWEEN :low AND :high",
            "ExpressionAttributeValues": {":partition": {"S": partition}, ":low": {"S": low}, ":high": {"S": high}},
        } | _only(table, only)  # fmt: skip
        request["ExpressionAttributeNames"] = request.get("ExpressionAttributeNames", {}) | {
            "#partition": table.partition.name, "#sort": table.sort.name,
        }  # fmt: skip
        if limit is not None:
            request["Limit"] = limit if keep is None else max(limit, KEEP_PAGE)
        return await self._read_pages(lambda: self._client.query(**request), request, limit, keep)

    async def scan(self, table: Table, having: str, *only: str) -> list[Item]:
        """All items that have an attribute. Reads the whole table."""
        request: dict[str, Any] = {
            "TableName": self._names[table], "ConsistentRead": True, "FilterExpression": "attribute_exists(#having)",
        } | _only(table, only)  # fmt: skip
        request["ExpressionAttributeNames"] = request.get("ExpressionAttributeNames", {}) | {"#having": having}
        return await self._read_pages(lambda: self._client.scan(**request), request, None, None)

    async def _read_pages(
        self, read: Callable[[], Awaitable[Any]], request: dict[str, Any], limit: int | None,
        keep: Callable[[Item], bool] | None,
    ) -> list[Item]:  # fmt: skip
        found: list[Item] = []
        while True:  # a page ends after 1 MB
            page = await self._ask(read)
            found += [item for item in page["Items"] if keep is None or keep(item)]
            if limit is not None and len(found) >= limit:
                return found[:limit]
            if "LastEvaluatedKey" not in page:
                return found
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    async def write(self, write: Write) -> bool:
        """Write one item. False: it was not as expected.

        A write that is repeated because its outcome was unknown may find its own work and return False.
        """
        request = render(write, self._names[write.key.table])
        acts: dict[str, Callable[..., Awaitable[Any]]] = {
            "Put": self._client.put_item, "Update": self._client.update_item, "Delete": self._client.delete_item,
        }  # fmt: skip
        try:
            await self._ask(lambda: acts[write.action](**request))
        except ConditionFailed:
            return False
        await self._settle(write.key)
        return True

    async def delete(self, keys: Iterable[Key]) -> None:
        """Delete items, whether they are there or not."""
        wanted = list(dict.fromkeys(keys))
        parts = [wanted[start : start + DELETE_MAX] for start in range(0, len(wanted), DELETE_MAX)]
        await asyncio.gather(*(self._delete_some(part) for part in parts))

    async def _delete_some(self, keys: Sequence[Key]) -> None:
        left: dict[str, Any] = {}
        for key in keys:
            left.setdefault(self._names[key.table], []).append({"DeleteRequest": {"Key": key.item()}})
        while left:
            left = await self._ask(partial(self._delete_once, left))

    async def _delete_once(self, requests: dict[str, Any]) -> dict[str, Any]:
        answer = await self._client.batch_write_item(RequestItems=requests)
        left: dict[str, Any] = dict(answer["UnprocessedItems"])
        if left == requests:
            raise Busy("the message store is throttled: try again in a moment")
        return left

    async def transact(self, writes: Sequence[Write]) -> None:
        """All of the writes or none. Raises ConditionFailed; ValueError for more than 100."""
        if len(writes) > WRITES_MAX:
            raise ValueError(f"{len(writes)} items, a transaction takes {WRITES_MAX}: append fewer entries at once")
        actions: Any = [{write.action: render(write, self._names[write.key.table])} for write in writes]
        token = uuid.uuid4().hex  # of this call: within it a repeat is known for ten minutes, and is done once
        await self._ask(lambda: self._client.transact_write_items(TransactItems=actions, ClientRequestToken=token))
        await self._settle(writes[0].key)

    async def _settle(self, key: Key) -> None:
        """DynamoDB Local answers before it commits, and a kill in between loses what it answered. A read waits for the commit."""
        if self.are_local:
            await self.get([key], key.table.partition.name)

    async def _ask(self, act: Callable[[], Awaitable[T]]) -> T:
        """What `act` returns. Its turn may take a moment; the time limit runs from then on."""
        give_up, wait_s = self._monotonic() + THROTTLED_S, STAND_BACK_S
        while True:
            try:
                async with self._calls:
                    return await self._guard.call(lambda: _translated(act))
            except Busy as busy:
                if self._monotonic() > give_up:
                    raise Unavailable("the message store is throttled: try again in a moment") from busy
            await asyncio.sleep(random.uniform(0, wait_s))  # noqa: S311 - spreads rivals, guards no secret
            wait_s = min(2 * wait_s, STAND_BACK_S_MAX)


def create_client(session: AioSession) -> Any:
    """A client whose repeats are ours: `async with` gives the DynamoDBClient."""
    config = AioConfig(
        retries={"total_max_attempts": 1}, max_pool_connections=CALLS_MAX, connect_timeout=CONNECT_S,
        read_timeout=POLICY.timeout_s, tcp_keepalive=True, parameter_validation=False,
        user_agent="nottermost",  # a longer one, put together with every call, takes a tenth of its work
    )  # fmt: skip
    return session.create_client("dynamodb", config=config)


async def create_tables(client: "DynamoDBClient", names: Mapping[Table, str]) -> None:
    """Make the tables where no Pulumi does: on a local server. Tables that are there stay."""
    for table, name in names.items():
        try:
            await client.create_table(**declare(table, name))
        except client.exceptions.ResourceInUseException:
            pass
        await client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def declare(table: Table, name: str) -> "CreateTableInputTypeDef":
    """The table as CreateTable takes it."""
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [
            {"AttributeName": table.partition.name, "KeyType": "HASH"},
            {"AttributeName": table.sort.name, "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": key.name, "AttributeType": key.type} for key in (table.partition, table.sort)
        ],
    }


async def _translated(act: Callable[[], Awaitable[T]]) -> T:
    try:
        return await act()
    except ClientError as error:
        raise _translate(error) from error


def _translate(error: ClientError) -> Exception:
    """What the error means to who asked; a bug or a missing permission stays what it is."""
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    if code in BUSY:
        return Busy("the message store is throttled: try again in a moment")
    if code == "ConditionalCheckFailedException":
        return ConditionFailed((0,))
    if code == "TransactionCanceledException":
        return _translate_reasons(error)
    if code == "ValidationException" and "4MB" in message.replace(" ", ""):
        return ConditionFailed(())
    if code == "ResourceNotFoundException":
        return Unavailable(
            "a table of the message store does not exist: create it, or correct its name in the settings"
        )
    if error.response["ResponseMetadata"]["HTTPStatusCode"] >= SERVER_ERROR:
        return Away(f"DynamoDB failed: {code}")
    return error


def _translate_reasons(error: ClientError) -> Exception:
    """One condition that fails decides; else it was only a bad moment."""
    reasons: Any = error.response
    codes = [reason.get("Code", "None") for reason in reasons.get("CancellationReasons", ())]
    failed = [place for place, code in enumerate(codes) if code == "ConditionalCheckFailed"]
    if failed:
        return ConditionFailed(failed)
    if BUSY_REASONS & {*codes}:
        return Busy("another transaction writes the same items: try again in a moment")
    return error


def _only(table: Table, attributes: Sequence[str]) -> dict[str, Any]:
    """The parameters that leave out other attributes; keys always come."""
    if not attributes:
        return {}
    wanted = dict.fromkeys((*attributes, table.partition.name, table.sort.name))
    return {
        "ProjectionExpression": ", ".join(f"#{name}" for name in wanted),
        "ExpressionAttributeNames": {f"#{name}": name for name in wanted},
    }
