"""What was set aside after several attempts: records by consumers of the log, jobs by their workers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from nottermost_chat import backends
from nottermost_chat.clock import Clock
from nottermost_chat.directory import AuditAction, Directory
from nottermost_chat.errors import BadRequest, StartError
from nottermost_chat.jobs import Queues
from nottermost_chat.metrics import Metrics
from nottermost_chat.notify.facts import Facts
from nottermost_chat.operating import note_operator, open_directory
from nottermost_chat.people import People
from nottermost_chat.pictures import Pictures
from nottermost_chat.ports import EventLog, Handler, JobQueue, MessageStore, Routes, SearchIndex
from nottermost_chat.pseudonyms import Pseudonyms, find_pseudonyms
from nottermost_chat.roles.process import Process, Role, make_process
from nottermost_chat.services import Embedded
from nottermost_chat.settings import Secrets, Settings, Store
from nottermost_chat.workers.archiver import Archiver
from nottermost_chat.workers.audit import Auditor
from nottermost_chat.workers.counts import Counter
from nottermost_chat.workers.indexer import Indexer
from nottermost_chat.workers.notifier import Notifier
from nottermost_chat.workers.projector import Projector
from nottermost_chat.workers.webhooks import HookConsumer

if TYPE_CHECKING:
    from nottermost_chat.archive import Archive

PAGE: Final = 200
CONSUMERS: Final = ("projector", "indexer", "notifier", "webhooks", "archiver", "audit", "counts")
QUEUES: Final = ("push-jobs", "webhook-jobs")
GROUPS: Final = (*CONSUMERS, *QUEUES)
GROUPS_ON_A_CLUSTER: Final = {"projector": "keeper"}  # the log calls it there after its role


class Letter(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something set aside, without a word of what was said. `entry`: conversation:epoch:seq."""

    reason: str
    entry: str = ""
    kind: str = ""
    job_id: str = ""


class Letters(Protocol):
    """The dead letters of one group."""

    async def list(self, limit: int) -> list[Letter]: ...

    async def redrive(self) -> int:
        """Have them tried once more; returns how many were taken."""
        ...


@dataclass(frozen=True)
class Records:
    """Of a consumer of the log."""

    log: EventLog
    group: str
    handler: Handler

    async def list(self, limit: int) -> list[Letter]:
        letters: list[Letter] = []
        for dead in await self.log.dead_letters(self.group, limit):
            entry = None if dead.record is None else dead.record.entry
            place = "" if entry is None else f"{entry.conversation_id}:{entry.epoch}:{entry.seq}"
            letters.append(Letter(dead.reason, entry=place, kind="" if entry is None else entry.kind))
        return letters

    async def redrive(self) -> int:
        return await self.log.redrive(self.group, self.handler)


@dataclass(frozen=True)
class Jobs:
    """Of a queue: they go back into it, for its workers."""

    queue: JobQueue

    async def list(self, limit: int) -> list[Letter]:
        return [Letter(job.reason, job_id=job.job_id) for job in await self.queue.dead(limit)]

    async def redrive(self) -> int:
        count, seen = 0, set[str]()
        while ids := [job.job_id for job in await self.queue.dead(PAGE) if job.job_id not in seen]:
            count += await self.queue.revive(ids)
            seen.update(ids)  # what is dead again by then has been tried
        return count


@asynccontextmanager
async def open_letters(settings: Settings, secrets: Secrets, group: str) -> AsyncIterator[Letters]:
    """Those in the data folder, which no chat may be running on, or of the cluster that the settings name.

    Raises: BadRequest for a group that there is not, StartError.
    """
    if group not in GROUPS:
        raise BadRequest(f"there is no group {group}: choose one of {', '.join(GROUPS)}")
    async with AsyncExitStack() as stack:
        if settings.store is Store.SQLITE:
            from nottermost_chat.bootstrap import open_services

            yield await _letters(group, Folder(await stack.enter_async_context(open_services(settings))))
        else:
            yield await _letters(group, await Cluster.open(settings, secrets, stack))


async def redrive(settings: Settings, secrets: Secrets, group: str) -> int:
    """Have a group's dead letters tried once more, which is noted first; returns how many were taken."""
    async with open_letters(settings, secrets, group) as letters, open_directory(settings, secrets) as directory:
        await note_operator(directory, AuditAction.DEAD_LETTERS_REDRIVEN, group)
        return await letters.redrive()


# --- where they are -------------------------------------------------------------------------------


class Place(Protocol):
    """What consumers stand on; opened when it is asked for, because few need all of it."""

    async def log(self) -> EventLog: ...

    async def store(self) -> MessageStore: ...

    async def directory(self) -> Directory: ...

    async def search(self) -> SearchIndex: ...

    async def queues(self) -> Queues[JobQueue]: ...

    async def routes(self) -> Routes: ...

    async def archive(self) -> "Archive": ...

    def pseudonyms(self) -> Pseudonyms: ...

    def group_of(self, consumer: str) -> str:
        """What the log calls it."""
        ...


@dataclass(frozen=True)
class Folder:
    """A data folder: everything is open."""

    services: Embedded

    async def log(self) -> EventLog:
        return self.services.log

    async def store(self) -> MessageStore:
        return self.services.store

    async def directory(self) -> Directory:
        return self.services.directory

    async def search(self) -> SearchIndex:
        return self.services.search

    async def queues(self) -> Queues[JobQueue]:
        return self.services.queues

    async def routes(self) -> Routes:
        return self.services.routes

    async def archive(self) -> "Archive":
        if self.services.archive is None:
            raise StartError("there is no archive: install the extra `archive`")
        return self.services.archive

    def pseudonyms(self) -> Pseudonyms:
        return self.services.pseudonyms

    def group_of(self, consumer: str) -> str:
        return consumer


@dataclass(frozen=True)
class Cluster:
    """The servers that the settings name."""

    process: Process
    stack: AsyncExitStack
    opened_store: MessageStore
    opened_directory: Directory

    @classmethod
    async def open(cls, settings: Settings, secrets: Secrets, stack: AsyncExitStack) -> "Cluster":
        process = make_process(Role.KEEPER, settings, secrets)
        store = await stack.enter_async_context(backends.store(process))
        return cls(process, stack, store, await stack.enter_async_context(backends.directory(process)))

    async def log(self) -> EventLog:
        return await self.stack.enter_async_context(backends.log(self.process, self.opened_store))

    async def store(self) -> MessageStore:
        return self.opened_store

    async def directory(self) -> Directory:
        return self.opened_directory

    async def search(self) -> SearchIndex:
        return await self.stack.enter_async_context(backends.search(self.process))

    async def queues(self) -> Queues[JobQueue]:
        return await self.stack.enter_async_context(backends.queues(self.process))

    async def routes(self) -> Routes:
        cache = await self.stack.enter_async_context(backends.cache(self.process))
        people = People(self.opened_directory, self.process.settings.limits, self.process.clock)
        routes = backends.routes(self.process, cache, people.last_seen)
        self.stack.push_async_callback(routes.close)
        return routes

    async def archive(self) -> "Archive":
        return await self.stack.enter_async_context(backends.archive(self.process))

    def pseudonyms(self) -> Pseudonyms:
        return find_pseudonyms(self.process.secrets.pseudonym_key, self.process.keys)

    def group_of(self, consumer: str) -> str:
        return GROUPS_ON_A_CLUSTER.get(consumer, consumer)


async def _letters(group: str, place: Place) -> Letters:
    match group:
        case "push-jobs":
            return Jobs((await place.queues()).push)
        case "webhook-jobs":
            return Jobs((await place.queues()).webhook)
        case _:
            return Records(await place.log(), place.group_of(group), await _handler(group, place))


async def _handler(consumer: str, place: Place) -> Handler:
    """What the consumer does with records, here too."""
    store, directory, metrics, clock = await place.store(), await place.directory(), Metrics(), Clock()
    match consumer:
        case "projector":
            return Projector(directory, Pictures(directory.conversations, store)).handle
        case "indexer":
            return Indexer(store, directory, await place.search()).handle
        case "notifier":
            facts, queue = Facts(directory, await place.routes()), (await place.queues()).push
            return Notifier(directory, Pictures(directory.conversations, store), facts, queue, metrics, clock).handle
        case "webhooks":
            return HookConsumer(directory, (await place.queues()).webhook).handle
        case "archiver":
            return Archiver(await place.archive(), store, directory, every_s=0).handle
        case "audit":
            return Auditor(store, directory).handle
        case _:
            return Counter(store, directory, place.pseudonyms(), metrics, clock, pause_s=0).handle
