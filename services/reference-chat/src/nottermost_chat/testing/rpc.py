"""gRPC servers that a test kills and starts again, and a wire between them that it cuts or freezes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import grpc.aio

from nottermost_chat.errors import Unavailable
from nottermost_chat.model import Head, LogRecord
from nottermost_chat.ports import DeliveryItem, Signal
from nottermost_chat.protocol import Presence
from nottermost_chat.rpc.channel import SERVER_OPTIONS
from nottermost_chat.rpc.link import Pace
from nottermost_chat.rpc.server import Served
from nottermost_chat.settings import Tier
from nottermost_chat.testing.batches import Draft
from nottermost_chat.testing.running import wait_until

QUICK = Pace(beat_s=0.05, beats_missed_max=4, answer_s=2.0, redial_s=0.01, redial_s_max=0.05)


class KillableServer:
    """Serves without any grace; may be started again on the port it had."""

    def __init__(self, *services: Served) -> None:
        self._services, self.port = services, 0
        self._server: grpc.aio.Server | None = None

    async def start(self) -> "KillableServer":
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        for service in self._services:
            service.register(self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()
        return self

    async def kill(self) -> None:
        if self._server is not None:
            await self._server.stop(grace=0)
            self._server = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


class Wire:
    """A TCP relay to one port. Frozen, it keeps connections open and passes nothing on, like a stopped process or a partition."""

    def __init__(self, port_to: int) -> None:
        self._port_to = port_to
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._relays: set[asyncio.Task[None]] = set()
        self.address = ""

    async def start(self) -> "Wire":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def end(self) -> None:
        if self._server is not None:
            self._server.close()
        for relay in self._relays:
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    def freeze(self) -> None:
        self._open.clear()

    def thaw(self) -> None:
        self._open.set()

    def cut(self) -> None:
        """Reset every connection; new ones are let through."""
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._relays.add(task)
        writers = [writer]
        try:
            await self._open.wait()
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self._port_to)
            writers.append(other_writer)
            self._writers.update(writers)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._relay(reader, other_writer))
                tasks.create_task(self._relay(other_reader, writer))
        except* (OSError, asyncio.CancelledError):
            pass  # an end has gone, or the test is over
        finally:
            for one in writers:
                one.transport.abort()
                self._writers.discard(one)
            self._relays.discard(task)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._open.wait()
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError


class Strangers:
    """People of whom nothing is known but what a test sets."""

    def __init__(self) -> None:
        self.tier = Tier()
        self.presence = Presence.ONLINE
        self.acquaintances: frozenset[str] = frozenset()
        self.seen: list[tuple[str, str]] = []
        self.times: dict[str, int] = {}

    async def tier_of(self, user_id: str) -> Tier:  # noqa: ARG002 - the port's
        return self.tier

    async def acquainted(self, user_id: str, user_ids: Sequence[str]) -> frozenset[str]:  # noqa: ARG002
        return self.acquaintances & {*user_ids}

    async def note_seen(self, user_id: str, device_id: str) -> Presence:
        self.seen.append((user_id, device_id))
        return self.presence

    async def last_seen(self, user_ids: Sequence[str]) -> dict[str, int]:
        return {user: self.times[user] for user in user_ids if user in self.times}

    async def revoked_since(self, since_ms: int) -> dict[str, int]:
        return {device: at for device, at in self.times.items() if at >= since_ms}


class Inbox:
    """A gateway that keeps what it is told. While `opened` is cleared it hangs; `refuse` makes it fail that often."""

    def __init__(self, gateway_id: str) -> None:
        self.gateway_id = gateway_id
        self.items: list[DeliveryItem] = []
        self.lapses = self.refuse = 0
        self.opened, self.asked = asyncio.Event(), asyncio.Event()
        self.opened.set()

    async def take(self, items: Sequence[DeliveryItem]) -> None:
        self.asked.set()
        await self.opened.wait()
        if self.refuse:
            self.refuse -= 1
            raise Unavailable("the hole cannot be filled")
        self.items += items

    def signal(self, signal: Signal) -> None:
        raise NotImplementedError

    def lapse(self) -> None:
        self.lapses += 1

    def has_lapsed(self) -> bool:
        return self.lapses > 0

    def shown(self) -> list[int]:
        """Seqs as the gateway's cursor lets them through: each once, never back."""
        seqs: list[int] = []
        for item in self.items:
            if not seqs or item.record.entry.seq > seqs[-1]:
                seqs.append(item.record.entry.seq)
        return seqs


def make_items(count: int, first: int = 1) -> list[DeliveryItem]:
    """Messages of one conversation, for everybody, seqs from `first` on."""
    draft = Draft(Head("place", seq=first - 1))
    for number in range(count):
        draft.say("place", str(first + number), "hello")
    return [DeliveryItem(LogRecord(new.entry, preview=new.preview)) for new in draft.batch.entries]


async def until(holds: Callable[[], bool]) -> None:
    """Returns when it holds. Raises: TimeoutError."""

    async def does() -> bool:
        return holds()

    await wait_until(does)


@asynccontextmanager
async def running(*work: "asyncio.Task[None]") -> AsyncIterator[None]:
    """These tasks run until the block ends; what one of them dies of is raised."""
    try:
        yield
    finally:
        for task in work:
            task.cancel()
        for task in work:
            with suppress(asyncio.CancelledError):
                await task
