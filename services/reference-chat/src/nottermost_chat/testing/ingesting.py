"""Ingest over real stores without the rest of the chat, and logs and stores that fail on demand."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from nottermost_chat.adapters.local_delivery import LocalDelivery
from nottermost_chat.adapters.sqlite_store import SqliteStore
from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory
from nottermost_chat.errors import Unavailable
from nottermost_chat.ingest.receipts import Receipts
from nottermost_chat.ingest.service import IngestService
from nottermost_chat.limiter import RateLimiter
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import ConversationKind, LogRecord, Role
from nottermost_chat.ports import Appended, AppendRequest, BatchLimits, EventLog, Handler, MessageStore
from nottermost_chat.settings import Limits, Rate, Settings, Tier

_MANY = Rate(1e9, 1_000_000_000)
NO_LIMITS = Limits(standard=Tier(_MANY, _MANY, _MANY, _MANY), ip_handshakes=_MANY, ip_log_ins=_MANY)


class ListLog:
    """An event log that keeps what it is given. `mode`: "up", "down" (raises), "hangs" (never answers)."""

    def __init__(self) -> None:
        self.records: list[LogRecord] = []
        self.mode = "up"

    async def publish(self, records: Sequence[LogRecord]) -> None:
        if self.mode == "down":
            raise Unavailable("the log is away")
        if self.mode == "hangs":
            await asyncio.Event().wait()
        self.records.extend(records)

    async def consume(self, group: str, handler: Handler, *, from_end: bool = False) -> None:
        raise NotImplementedError

    async def lag(self, group: str) -> int:  # noqa: ARG002 - the port's
        return 0

    def seqs(self, conversation_id: str) -> list[int]:
        """The conversation's published seqs, each once."""
        return sorted({one.entry.seq for one in self.records if one.entry.conversation_id == conversation_id})


class FaultyStore:
    """A message store whose named methods refuse as often as `failures` says, before or after they did their work."""

    def __init__(self, store: MessageStore) -> None:
        self._store, self.limits = store, store.limits
        self.failures: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def call(*args: Any, **more: Any) -> Any:
            if self.failures.get(name, 0) > 0:
                self.failures[name] -= 1
                raise Unavailable(f"{name} failed")
            return await method(*args, **more)

        return call


@dataclass(kw_only=True)
class Writing:
    """A running ingest and what it stands on."""

    directory: Directory
    store: SqliteStore
    ingest: IngestService
    receipts: Receipts
    clock: Clock

    async def users(self, *names: str) -> list[str]:
        """New users; ids in the order of the names."""
        made = []
        for name in names:
            unique = f"{name}-{self.clock.new_id()}".lower()
            made.append((await self.directory.accounts.create_user(username=unique)).user_id)
        return made

    async def conversation(
        self, *members: str, kind: ConversationKind = ConversationKind.GROUP, join: bool = True
    ) -> str:
        """A new conversation; the first member is its admin. Not `join`: its row only, nobody is in yet."""
        if kind is ConversationKind.CHANNEL:
            workspace = await self.directory.workspaces.create("workspace", members[0])
            name = self.clock.new_id().lower()
            row = await self.directory.conversations.create_channel(workspace.workspace_id, name, members[0])
        else:
            row = await self.directory.conversations.create_group("group", members[0])
        if join:
            roles = [(member, Role.MEMBER if place else Role.ADMIN) for place, member in enumerate(members)]
            await self.change(row.conversation_id, members[0], *roles)
        return row.conversation_id

    async def change(self, conversation_id: str, actor_id: str, *changes: tuple[str, Role | None]) -> Appended:
        """A membership entry."""
        return await self.do("membership", conversation_id, actor_id, changes=changes)

    async def say(self, conversation_id: str, actor_id: str, body: str = "hello", **more: Any) -> Appended:
        return await self.do("message", conversation_id, actor_id, body=body, **more)

    async def do(self, kind: str, conversation_id: str, actor_id: str, *, op_id: str = "", **more: Any) -> Appended:
        """Any operation; `op_id` "": a new one."""
        op_id = op_id or self.clock.new_id()
        request = AppendRequest(kind=kind, conversation_id=conversation_id, actor_id=actor_id, op_id=op_id, **more)
        return await self.ingest.submit(request)


@asynccontextmanager
async def open_writing(
    folder: Path, *, directory: Directory | None = None, store: MessageStore | None = None, log: EventLog | None = None,
    clock: Clock | None = None, settings: Settings | None = None, instance: str = "one",
    limits: BatchLimits | None = None,
) -> AsyncIterator[Writing]:  # fmt: skip
    """Ingest over the folder's files, running.

    Args:
        directory: shared with another ingest; None: the folder's own.
        store: what ingest writes to; None: the folder's own.
        instance: another one for each ingest that runs at the same time.
        limits: ingest keeps to these; None: the store's own.
    """
    clock, settings = clock or Clock(), settings or Settings(data=folder, limits=NO_LIMITS)
    async with AsyncExitStack() as stack:
        if directory is None:
            directory = await Directory.open(folder / "directory.db", clock)
            stack.push_async_callback(directory.close)
        own = SqliteStore.open(folder / "store.db")
        own.limits = limits or own.limits
        stack.push_async_callback(own.close)
        receipts = Receipts(store or own, directory.conversations, LocalDelivery(), clock)
        ingest = IngestService(
            store=store or own, memberships=directory.conversations, attachments=directory.files,
            log=log or cast("EventLog", ListLog()), receipts=receipts, limiter=RateLimiter(clock.monotonic),
            metrics=Metrics(), clock=clock, settings=settings, instance=instance,
        )  # fmt: skip
        running = asyncio.create_task(ingest.run())
        stack.push_async_callback(_end, running)
        yield Writing(directory=directory, store=own, ingest=ingest, receipts=receipts, clock=clock)


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
