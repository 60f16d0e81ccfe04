"""Puts the chat together: every role in one process, over embedded stores in one folder."""

import asyncio
import fcntl
import gc
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from pathlib import Path

from nottermost_chat.adapters.file_blobs import FileBlobStore
from nottermost_chat.adapters.fts_search import FtsSearchIndex
from nottermost_chat.adapters.local_delivery import LocalDelivery
from nottermost_chat.adapters.memory_routes import MemoryRoutes
from nottermost_chat.adapters.sql_jobs import SqlJobs
from nottermost_chat.adapters.sqlite_store import SqliteStore
from nottermost_chat.adapters.store_log import StoreLog
from nottermost_chat.api.app import create_app
from nottermost_chat.archive import Archive, has_arrow
from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory
from nottermost_chat.errors import StartError
from nottermost_chat.fanout.service import Fanout
from nottermost_chat.front_door import listen
from nottermost_chat.gateway.gateway import Gateway
from nottermost_chat.identity import Tokens
from nottermost_chat.ingest.receipts import Receipts
from nottermost_chat.ingest.service import IngestService
from nottermost_chat.jobs import PUSH, WEBHOOK, Queues
from nottermost_chat.limiter import RateLimiter
from nottermost_chat.metrics import Metrics
from nottermost_chat.notify.keys import NO_PUSH_KEYS, PushKeys
from nottermost_chat.notify.running import notifying
from nottermost_chat.oidc import open_oidc
from nottermost_chat.people import People
from nottermost_chat.pictures import Pictures
from nottermost_chat.private_file import write_private_file
from nottermost_chat.pseudonyms import PSEUDONYMS, Pseudonyms
from nottermost_chat.services import Embedded
from nottermost_chat.settings import Settings
from nottermost_chat.trust import trusted
from nottermost_chat.webhooks import Poster, SecretBox
from nottermost_chat.welcome import WelcomeAccount, make_welcome
from nottermost_chat.workers import housekeeping, removing
from nottermost_chat.workers.archiver import Archiver
from nottermost_chat.workers.audit import Auditor
from nottermost_chat.workers.canary import Canary
from nottermost_chat.workers.counts import Counter
from nottermost_chat.workers.indexer import Indexer
from nottermost_chat.workers.projector import Projector
from nottermost_chat.workers.webhooks import HookConsumer, HookSender
from nottermost_chat.working import working

GIL_SWITCH_S = 0.0005  # sqlite3 gives the interpreter back for every row; with the default of 5 ms reads crawl
LINK_SECRET_BYTES = 32
EMBEDDED = "embedded"  # the only ingest there is: what an earlier process noted is its own


@asynccontextmanager
async def open_services(
    settings: Settings, clock: Clock | None = None, *, push_keys: PushKeys = NO_PUSH_KEYS
) -> AsyncIterator[Embedded]:
    """The parts over the data folder, with ingest running; enough to import and to administer.

    Raises: StartError when the folder cannot be used, is used by another process, or is from a
    newer version.
    """
    clock = clock or Clock()
    metrics, limiter = Metrics(), RateLimiter(clock.monotonic)
    async with AsyncExitStack() as stack:
        stack.enter_context(lock_folder(settings.data))
        directory = await Directory.open(settings.data / "directory.db", clock)
        stack.push_async_callback(directory.close)
        tokens = await Tokens.open(directory, settings, clock)
        stack.push_async_callback(tokens.close)
        store = SqliteStore.open(settings.data / "store.db")
        stack.push_async_callback(store.close)
        search = FtsSearchIndex(settings.data / "search.db")
        stack.push_async_callback(search.close)
        if search.is_new:
            await store.commit_position(Indexer.group, 0)
        archive = Archive.in_folder(settings.data / "archive", metrics, clock) if has_arrow() else None
        if archive is not None:
            stack.push_async_callback(archive.close)
        jobs = SqlJobs(settings.data / "jobs.db", clock)
        stack.push_async_callback(jobs.close)
        oidc = await stack.enter_async_context(open_oidc(settings, metrics, clock))
        log, delivery = StoreLog(store, metrics, clock.monotonic), LocalDelivery()
        receipts = Receipts(store, directory.conversations, delivery, clock)
        ingest = IngestService(
            store=store, memberships=directory.conversations, attachments=directory.files, log=log,
            receipts=receipts, limiter=limiter, metrics=metrics, clock=clock, settings=settings, instance=EMBEDDED,
        )  # fmt: skip
        running = asyncio.create_task(ingest.run(), name="ingest")
        stack.push_async_callback(receipts.flush)
        stack.push_async_callback(_cancel, running)
        yield Embedded(
            settings=settings, clock=clock, metrics=metrics, limiter=limiter, directory=directory, tokens=tokens,
            store=store, log=log, ingest=ingest, delivery=delivery, signals=delivery, routes=MemoryRoutes(clock.monotonic),
            search=search, blobs=FileBlobStore(settings.data / "files"),
            queues=Queues(push=jobs.queue(PUSH), webhook=jobs.queue(WEBHOOK)),
            secret_box=SecretBox.find("", settings.data), oidc=oidc, pseudonyms=Pseudonyms(tokens.derive_secret(PSEUDONYMS)),
            push_keys=push_keys, archive=archive,
        )  # fmt: skip


async def serve(
    settings: Settings,
    *,
    welcome: bool,
    announce: Callable[[str, list[WelcomeAccount]], object],
    push_keys: PushKeys = NO_PUSH_KEYS,
) -> None:
    """Run the whole chat until SIGTERM or SIGINT, then drain.

    Args:
        welcome: fill an empty data folder with the welcome workspace.
        announce: called once the port is open, with the address and the welcome accounts.
    """
    sys.setswitchinterval(GIL_SWITCH_S)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_services(settings, push_keys=push_keys) as services:
        accounts = await make_welcome(services) if welcome else []
        async with running_chat(services) as port:
            gc.collect()
            gc.freeze()  # what is here now stays: full collections need not walk all code each time
            announce(settings.public_url or f"http://{settings.host}:{port}", accounts)
            await stop.wait()


@asynccontextmanager
async def running_chat(services: Embedded) -> AsyncIterator[int]:
    """All roles over these services; gives the port. Ends with a drain.

    When any role dies the whole body is cancelled and its error raised: a chat that half works
    is worse than one that is restarted.
    """
    settings, clock, directory = services.settings, services.clock, services.directory
    people = People(directory, settings.limits, clock)
    gateway = Gateway(
        gateway_id=f"gateway-{clock.new_id()}", identity=services.tokens, ingest=services.ingest,
        memberships=directory.conversations, routes=services.routes, signals=services.signals,
        limiter=services.limiter, metrics=services.metrics, clock=clock, settings=settings,
        tier_of=people.tier_of, seen=people.note_seen, acquainted=people.acquainted,
    )  # fmt: skip
    if isinstance(services.delivery, LocalDelivery):
        services.delivery.attach(gateway)
    pictures = Pictures(directory.conversations, services.store)
    fanout = Fanout(pictures, services.routes, services.delivery)
    projector, indexer = Projector(directory, pictures), Indexer(services.store, directory, services.search)
    auditor = Auditor(services.store, directory)
    counter = Counter(services.store, directory, services.pseudonyms, services.metrics, clock)
    hooks = HookConsumer(directory, services.queues.webhook)
    sender = HookSender(
        directory=directory, store=services.store, queue=services.queues.webhook, box=services.secret_box,
        poster=Poster(clock, private=settings.webhook_private, trust=trusted(settings.authorities)), clock=clock,
    )  # fmt: skip
    canary = Canary(services)
    app = create_app(services, canary.status, link_secret=_link_secret(settings.data))
    server = await listen(app, settings.host, settings.port, gateway=gateway, proxies=settings.trusted_proxies)
    canary.watch(f"http://127.0.0.1:{server.port}")
    async with working(
        gateway=gateway.run(),
        fanout=services.log.consume("fanout", fanout.handle, from_end=True),
        projector=services.log.consume(projector.group, projector.handle),
        indexer=services.log.consume(indexer.group, indexer.handle),
        hooks=services.log.consume(hooks.group, hooks.handle),
        hook_sender=sender.run(),
        people=people.run(),
        housekeeping=housekeeping.run(services),
        auditor=services.log.consume(auditor.group, auditor.handle),
        counter=services.log.consume(counter.group, counter.handle),
        counting_up=counter.run(),
    ):
        try:
            async with working(canary=canary.run()), _notifying(services), _archiving(services):
                try:
                    yield server.port
                finally:
                    await canary.settle()
        finally:
            server.stop_listening()
            await gateway.drain()
            await server.finish()
            await app.state["files"].images.close()
            await people.flush()


def _notifying(services: Embedded) -> AbstractAsyncContextManager[None]:
    return notifying(
        directory=services.directory, store=services.store, log=services.log, routes=services.routes,
        queue=services.queues.push, keys=services.push_keys, settings=services.settings, metrics=services.metrics,
        clock=services.clock,
    )  # fmt: skip


@asynccontextmanager
async def _archiving(services: Embedded) -> AsyncIterator[None]:
    """What keeps the archive and removes what is old, where there is an archive."""
    async with AsyncExitStack() as stack:
        if services.archive is not None:
            archiver = Archiver(
                services.archive, services.store, services.directory, every_s=services.settings.archive_every_s
            )
            consuming = services.log.consume(archiver.group, archiver.handle)
            await stack.enter_async_context(working(archiver=consuming))
        await stack.enter_async_context(working(removing=removing.run(services)))
        yield


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Only one process uses a data folder; the lock goes with the process, however it ends. Raises StartError."""
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = stack.enter_context((folder / "lock").open("w"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(f"{folder} is in use by another process: stop it first, or choose --data") from None
        except OSError as error:
            raise StartError(f"cannot use the data folder {folder}: {error.strerror}; choose --data") from error
        yield


def _link_secret(folder: Path) -> bytes:
    path = folder / "link-secret"
    if path.exists() and len(secret := path.read_bytes()) == LINK_SECRET_BYTES:
        return secret
    secret = secrets.token_bytes(LINK_SECRET_BYTES)
    write_private_file(path, secret)
    return secret


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
