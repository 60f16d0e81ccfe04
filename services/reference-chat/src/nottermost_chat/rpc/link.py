"""A stream that is kept up to each instance of a role: dialled, watched by heartbeats, dialled again."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Generic, Protocol, TypeVar

import grpc.aio
import msgspec
import structlog

from nottermost_chat.rpc.addresses import LOOK_UP_EVERY_S, Resolver
from nottermost_chat.rpc.channel import CLIENT_OPTIONS
from nottermost_chat.rpc.streams import until_one_ends

logger = structlog.get_logger(__name__)


class Pace(msgspec.Struct, frozen=True):
    """How soon a link notices and tries.

    Attributes:
        beat_s: between heartbeats; two without anything heard and the other side counts as gone, after 2 to 3 s.
        answer_s: for the answer to the first message of a new stream.
        redial_s, redial_s_max: before dialling again, doubled each time, with as much jitter.
    """

    beat_s: float = 1.0
    beats_missed_max: int = 2
    answer_s: float = 2.0
    redial_s: float = 0.05
    redial_s_max: float = 1.0


DEFAULT_PACE = Pace()


class HasBeat(Protocol):
    """A message that can carry a heartbeat."""

    beat: int


Up = TypeVar("Up", bound=HasBeat)
Down = TypeVar("Down", bound=HasBeat)
Stream = grpc.aio.StreamStreamCall[Up, Down]


class End(Protocol[Up, Down]):
    """What one end of a link does with its stream."""

    def open(self, channel: grpc.aio.Channel) -> Stream[Up, Down]: ...

    def hello(self) -> Up: ...

    def on_up(self, first: Down) -> None:
        """The other side answered the hello."""
        ...

    def on_message(self, message: Down) -> None: ...

    def collect(self) -> Up | None:
        """What waits to be sent, as one message; None: nothing."""
        ...

    def is_over(self) -> bool:
        """The other side is about to go, and nothing is expected of it any more."""
        ...

    async def work(self) -> None:
        """Runs beside the stream as long as it is up."""
        ...

    def on_down(self, *, silent: bool) -> None:
        """The stream is gone, or there was none. `silent`: the other side hung or was cut off; it may live on."""
        ...


class Silent(Exception):
    """Nothing was heard for too long."""


class Over(Exception):
    """The stream has ended."""


class Link(Generic[Up, Down]):
    """One instance. `run` keeps the stream until it is cancelled."""

    def __init__(self, address: str, end: End[Up, Down], make_empty: Callable[[], Up], pace: Pace) -> None:
        self.address, self.is_up = address, False
        self.was_tried = False  # up, or failed once
        self._end, self._make_empty, self._pace = end, make_empty, pace
        self._wake = asyncio.Event()
        self._beat_due = 0
        self._heard = False

    def wake(self) -> None:
        """Something waits to be sent."""
        self._wake.set()

    async def run(self) -> None:
        pause_s = self._pace.redial_s
        while True:
            if await self._hold_stream():
                pause_s = self._pace.redial_s
            await asyncio.sleep(pause_s * random.uniform(1, 2))  # noqa: S311 - no secret
            pause_s = min(2 * pause_s, self._pace.redial_s_max)

    async def _hold_stream(self) -> bool:
        """Dial and stay until the stream ends. Returns whether it was up at all."""
        was_up = silent = False
        try:
            async with grpc.aio.insecure_channel(self.address, options=CLIENT_OPTIONS) as channel:
                stream = self._end.open(channel)
                answers = aiter(stream)
                async with asyncio.timeout(self._pace.answer_s):
                    await stream.write(self._end.hello())
                    first = await anext(answers, None)
                if first is None:
                    return False
                self.is_up = self.was_tried = was_up = True
                self._end.on_up(first)
                await self._use(stream, answers)
        except Silent:
            silent = True
        except grpc.aio.AioRpcError as error:
            logger.debug("link_broke", address=self.address, code=error.code().name, details=error.details())
        except (Over, TimeoutError, asyncio.InvalidStateError) as error:  # the last one: written to what has just ended
            logger.debug("link_ended", address=self.address, reason=repr(error))
        except Exception:  # a message that cannot be handled ends its stream, not the process
            logger.exception("link_failed", address=self.address)
        finally:
            self.is_up, self.was_tried = False, True
            if was_up:
                logger.info("link_down", address=self.address, silent=silent)
            self._end.on_down(silent=silent)
        return was_up

    async def _use(self, stream: Stream[Up, Down], answers: AsyncIterator[Down]) -> None:
        self._heard, self._beat_due = True, 0
        self._wake.set()
        await until_one_ends(self._read(answers), self._write(stream), self._beat(), self._end.work())

    async def _read(self, answers: AsyncIterator[Down]) -> None:
        async for message in answers:
            self._heard = True
            self._end.on_message(message)
            if self._end.is_over():
                break
        raise Over

    async def _write(self, stream: Stream[Up, Down]) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while (message := self._next()) is not None:
                await stream.write(message)

    def _next(self) -> Up | None:
        message = self._end.collect()
        if self._beat_due:
            message = message or self._make_empty()
            message.beat, self._beat_due = self._beat_due, 0
        return message

    async def _beat(self) -> None:
        """Counts its own wakings, not time: a process that was itself stopped must not blame the other side."""
        number = missed = 0
        while True:
            missed = 0 if self._heard else missed + 1
            if missed >= self._pace.beats_missed_max:
                raise Silent
            self._heard = False
            number += 1
            self._beat_due = number
            self.wake()
            await asyncio.sleep(self._pace.beat_s)


class Links(Generic[Up, Down]):
    """A link to every instance that the resolver tells of."""

    def __init__(self, resolver: Resolver, make_link: Callable[[str], Link[Up, Down]]) -> None:
        self._resolver, self._make_link = resolver, make_link
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.by_address: dict[str, Link[Up, Down]] = {}

    async def run(self) -> None:
        """Dial new instances and drop those that are gone, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    self._follow(await self._resolver.addresses(), tasks)
                except OSError as error:
                    logger.warning("addresses_unknown", error=repr(error))
                await asyncio.sleep(LOOK_UP_EVERY_S)

    def _follow(self, addresses: frozenset[str], tasks: asyncio.TaskGroup) -> None:
        for address in addresses - self.by_address.keys():
            link = self.by_address[address] = self._make_link(address)
            self._tasks[address] = tasks.create_task(link.run(), name=f"link {address}")
        for address in self.by_address.keys() - addresses:
            if not self.by_address[address].is_up:  # a live stream says more than a name server
                del self.by_address[address]
                self._tasks.pop(address).cancel()
