"""Opens what a role stands on, as its settings say. The embedded chat opens its own, in `bootstrap.py`.

Each client is imported where it is opened: a process has only those that its role needs.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from nottermost_chat.errors import StartError
from nottermost_chat.jobs import PUSH, WEBHOOK, Kind, Queues
from nottermost_chat.ports import MessageStore
from nottermost_chat.settings import Secrets, Settings, Store

if TYPE_CHECKING:
    from nottermost_chat.adapters.dynamo_store import DynamoStore
    from nottermost_chat.adapters.kafka_log import KafkaLog
    from nottermost_chat.adapters.opensearch_index import OpenSearchIndex
    from nottermost_chat.adapters.postgres_store import PostgresStore
    from nottermost_chat.adapters.redis_client import Cache
    from nottermost_chat.adapters.redis_limits import SharedLimiter
    from nottermost_chat.adapters.redis_routes import LastSeen, RedisRoutes
    from nottermost_chat.adapters.s3_blobs import S3BlobStore
    from nottermost_chat.adapters.sqs_jobs import SqsJobQueue
    from nottermost_chat.archive import Archive
    from nottermost_chat.directory import Directory, Server
    from nottermost_chat.roles import Process

POSTGRES_PORT: Final = 5432


@asynccontextmanager
async def directory(process: "Process") -> AsyncIterator["Directory"]:
    from nottermost_chat.directory import Directory

    server = database_server(process.settings, process.secrets)
    opened = await Directory.open(server, process.clock, process.metrics)
    async with closing(opened):
        yield opened


@asynccontextmanager
async def store(process: "Process") -> AsyncIterator[MessageStore]:
    """The message store that the settings choose. Raises StartError."""
    async with closing(await _open_store(process)) as opened:
        yield process.tracing.storing(opened) if process.tracing else opened


async def _open_store(process: "Process") -> "PostgresStore | DynamoStore":
    settings, metrics, clock = process.settings, process.metrics, process.clock
    match settings.store:
        case Store.POSTGRES:
            from nottermost_chat.adapters.postgres_store import PostgresStore

            server = database_server(settings, process.secrets)
            return await PostgresStore.open(server, metrics, clock.monotonic)
        case Store.DYNAMODB:
            from nottermost_chat.adapters.dynamo_store import DynamoStore

            return await DynamoStore.open(
                table_log=settings.table_log, table_texts=settings.table_texts, metrics=metrics, clock=clock
            )
        case Store.SQLITE:
            raise StartError(
                "a role run apart needs a shared message store: set NOTTERMOST_STORE to postgres or dynamodb"
            )


@asynccontextmanager
async def log(process: "Process", store: MessageStore) -> AsyncIterator["KafkaLog"]:
    from nottermost_chat.adapters.kafka_client import brokers_of
    from nottermost_chat.adapters.kafka_log import KafkaLog

    opened = KafkaLog(brokers_of(process.settings), store, process.metrics, process.clock)
    async with closing(opened):
        yield process.tracing.logging(opened) if process.tracing else opened


@asynccontextmanager
async def stores_and_log(process: "Process") -> AsyncIterator[tuple["Directory", MessageStore, "KafkaLog"]]:
    """What everybody stands on who follows the log. Raises StartError."""
    async with directory(process) as accounts, store(process) as messages, log(process, messages) as entries:
        yield accounts, messages, entries


@asynccontextmanager
async def cache(process: "Process") -> AsyncIterator["Cache"]:
    """Redis; it may be away."""
    from nottermost_chat.adapters.redis_client import open_cache

    opened = open_cache(process.settings, process.secrets, process.metrics, process.clock.monotonic)
    async with closing(opened):
        yield opened


def routes(process: "Process", cache: "Cache", last_seen: "LastSeen") -> "RedisRoutes":
    from nottermost_chat.adapters.redis_routes import RedisRoutes

    return RedisRoutes(cache, last_seen, process.clock.monotonic)


def limiter(process: "Process", cache: "Cache") -> "SharedLimiter":
    from nottermost_chat.adapters.redis_limits import SharedLimiter

    return SharedLimiter(cache, process.clock.monotonic)


@asynccontextmanager
async def search(process: "Process") -> AsyncIterator["OpenSearchIndex"]:
    from nottermost_chat.adapters.opensearch_index import OpenSearchIndex

    settings = process.settings
    opened = OpenSearchIndex.connect(settings.search_host, settings.search_prefix, process.metrics, process.clock)
    async with closing(opened):
        yield opened


@asynccontextmanager
async def blobs(process: "Process") -> AsyncIterator["S3BlobStore"]:
    from nottermost_chat.adapters.s3_blobs import open_s3_blobs

    async with open_s3_blobs(process.settings.files_bucket, process.metrics, process.clock) as opened:
        yield opened


@asynccontextmanager
async def archive(process: "Process") -> AsyncIterator["Archive"]:
    """Raises StartError."""
    from nottermost_chat.archive import Archive

    if not process.settings.archive_bucket:
        raise StartError("a role run apart needs a bucket for the archive: set NOTTERMOST_ARCHIVE_BUCKET")
    async with closing(Archive.in_bucket(process.settings.archive_bucket, process.metrics, process.clock)) as opened:
        yield opened


@asynccontextmanager
async def queues(process: "Process") -> AsyncIterator[Queues["SqsJobQueue"]]:
    """Raises StartError."""
    from nottermost_chat.adapters.sqs_jobs import SqsJobQueue, open_sqs

    async with open_sqs() as client:

        def queue(url: str, kind: Kind) -> SqsJobQueue:
            if not url:
                raise StartError(f"a role run apart needs SQS: set NOTTERMOST_{kind.name.upper()}_QUEUE")
            return SqsJobQueue(client, url, kind, process.metrics, process.clock)

        settings = process.settings
        yield Queues(push=queue(settings.push_queue, PUSH), webhook=queue(settings.webhook_queue, WEBHOOK))


def database_server(settings: Settings, secrets: Secrets) -> "Server":
    """Where PostgreSQL is. Raises StartError."""
    from nottermost_chat.directory import Server

    if not settings.database_host:
        raise StartError("a role run apart needs PostgreSQL: set NOTTERMOST_DATABASE_HOST")
    password: str | Callable[[], str] = secrets.database_password
    if settings.database_iam:
        password = _iam_password(settings)
    return Server(
        host=settings.database_host, database=settings.database_name, user=settings.database_user, password=password
    )


def _iam_password(settings: Settings) -> Callable[[], str]:
    """A token for each new connection; it is signed here, without a request, and good for a quarter of an hour."""
    import botocore.session
    from botocore.signers import generate_db_auth_token

    host, _, port = settings.database_host.partition(":")
    client = botocore.session.get_session().create_client("rds")

    def sign() -> str:
        token: str = generate_db_auth_token(client, host, int(port or POSTGRES_PORT), settings.database_user)
        return token

    return sign


class _Closes(Protocol):
    async def close(self) -> None: ...


Closes = TypeVar("Closes", bound=_Closes)


@asynccontextmanager
async def closing(opened: Closes) -> AsyncIterator[Closes]:
    """contextlib's `aclosing`, for what says `close`."""
    try:
        yield opened
    finally:
        await opened.close()
