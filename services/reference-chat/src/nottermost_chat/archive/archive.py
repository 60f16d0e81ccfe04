"""The archive as the chat talks to it: append rows, find them again, and take out what has to go."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from nottermost_chat.archive.rows import Registered, Row, Wanted
from nottermost_chat.clock import Clock
from nottermost_chat.metrics import Metrics
from nottermost_chat.resilience import POLICIES, Guard

if TYPE_CHECKING:
    from nottermost_chat.archive.parts import Part
    from nottermost_chat.archive.shelf import Shelf

THREADS: Final = 2  # of reading and writing at a time; more wait

T = TypeVar("T")


def has_arrow() -> bool:
    """Whether this installation can keep an archive."""
    return find_spec("pyarrow") is not None


class Archive:
    """Every method raises Unavailable when the archive does not answer.

    Arrow is imported when it is first needed, in a thread: it takes a second and 60 MiB.
    """

    def __init__(self, open_shelf: "Callable[[], Shelf]", metrics: Metrics, clock: Clock) -> None:
        self._open_shelf, self._opening = open_shelf, threading.Lock()
        self._shelf: Shelf | None = None
        self._guard = Guard(POLICIES["archive"], metrics, clock.monotonic, OSError)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="archive")
        self._changing = asyncio.Lock()  # one change of what is there at a time; who changes it elsewhere has the lease

    @classmethod
    def in_folder(cls, folder: Path, metrics: Metrics, clock: Clock) -> "Archive":
        def open_shelf() -> "Shelf":
            from nottermost_chat.archive.parts import Parts
            from nottermost_chat.archive.shelf import Shelf

            return Shelf(Parts.in_folder(folder))

        return cls(open_shelf, metrics, clock)

    @classmethod
    def in_bucket(cls, bucket: str, metrics: Metrics, clock: Clock) -> "Archive":
        def open_shelf() -> "Shelf":
            from nottermost_chat.archive.parts import Parts
            from nottermost_chat.archive.shelf import Shelf

            return Shelf(Parts.in_bucket(bucket, os.environ))

        return cls(open_shelf, metrics, clock)

    async def set_up(self) -> None:
        """Make the bucket if there is none. Again is the same as once."""
        await self._run(lambda shelf: shelf.set_up())

    async def close(self) -> None:
        """Finish what is under way."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    # --- writing and reading ---------------------------------------------------------------------

    async def append(self, rows: Sequence[Row]) -> None:
        """Durable when this returns; again is the same as once."""
        if rows:
            await self._run(lambda shelf: shelf.append(rows))

    async def days(self) -> dict[str, int]:
        """Every day there is, the oldest first, and how many parts it has."""
        return await self._run(lambda shelf: shelf.days())

    async def messages(self, wanted: Wanted) -> list[Row]:
        """Messages as they were last known, by seq."""
        return await self._run(lambda shelf: shelf.messages(wanted))

    async def states(self, rows: Sequence[Row]) -> dict[tuple[int, int], Row]:
        """What the archive has under the keys of these rows, all of one conversation: by (epoch, seq)."""
        return await self._run(lambda shelf: shelf.states(rows)) if rows else {}

    async def query(self, conversation_id: str, from_ms: int, until_ms: int, text: str = "") -> AsyncIterator[Row]:
        """Messages of these times (`until_ms` left out), by seq; `text`: those that hold it, in any case."""
        folded = text.casefold()
        for day in await self._run(lambda shelf: shelf.days_between(from_ms, until_ms)):
            for row in await self._run(lambda shelf: shelf.said(day, conversation_id, from_ms, until_ms)):  # noqa: B023 - awaited
                if folded in (row.text or "").casefold():
                    yield row

    async def of_sender(self, user_id: str) -> AsyncIterator[Row]:
        """The user's messages that have a text, by day."""
        for day in await self.days():
            for row in await self._run(lambda shelf: shelf.sent(day, user_id)):  # noqa: B023 - awaited
                if row.text is not None:
                    yield row

    # --- taking out ------------------------------------------------------------------------------

    async def merge(self, day: str) -> int:
        """Make a day's parts few; texts that were replaced or taken back are gone afterwards. Returns how many went."""
        async with self._changing:
            return await self._run(lambda shelf: shelf.merge(day))

    async def erase(self, user_id: str, check: Callable[[], Awaitable[None]]) -> int:
        """Blank all texts and take back all reactions of a user; returns in how many rows.

        `check` is awaited before each part; what it raises ends it there.
        """
        found = 0
        for day in await self.days():
            found += await self._rewrite(day, lambda shelf, part: shelf.erase(part, user_id), check)
        return found

    async def expire(
        self, day: str, workspace_ids: Sequence[str | None], held: Callable[[], Awaitable[Sequence[str]]]
    ) -> int:
        """Remove a day's rows of these workspaces (None: of none), but for held conversations; returns how many.

        Which are held is asked before each part.
        """
        now: Sequence[str] = ()

        async def ask() -> None:
            nonlocal now
            now = await held()

        return await self._rewrite(day, lambda shelf, part: shelf.expire(part, workspace_ids, now), ask)

    async def _rewrite(
        self, day: str, act: "Callable[[Shelf, Part], int | None]", before: Callable[[], Awaitable[None]]
    ) -> int:
        """`act` on every part of a day, also on those that others were merged into meanwhile, by another process."""
        found, seen, again = 0, set[str](), True
        while again:
            again = False
            for part in await self._run(lambda shelf: shelf.parts(day)):
                if part.path not in seen:
                    seen.add(part.path)
                    async with self._changing:
                        await before()
                        rows = await self._run(lambda shelf: act(shelf, part))  # noqa: B023 - awaited
                    found, again = found + (rows or 0), again or rows is None
        return found

    async def count_expired(self, day: str, workspace_ids: Sequence[str | None], held: Sequence[str]) -> int:
        """How many rows `expire` would remove."""
        return await self._run(lambda shelf: shelf.count_expired(day, workspace_ids, held))

    # --- the register of erasures ----------------------------------------------------------------

    async def register(self, erasure: Registered) -> None:
        """Write down who is to be erased, so that it is done again after a restore."""
        await self._run(lambda shelf: shelf.register(erasure))

    async def registered(self) -> list[Registered]:
        """All of them, the oldest first."""
        return await self._run(lambda shelf: shelf.registered())

    # --- threads ---------------------------------------------------------------------------------

    async def _run(self, act: "Callable[[Shelf], T]") -> T:
        """In a thread. Again where a part went away meanwhile: it was merged into others."""
        loop = asyncio.get_running_loop()
        return await self._guard.call(lambda: loop.run_in_executor(self._threads, lambda: act(self._opened())))

    def _opened(self) -> "Shelf":
        with self._opening:
            if self._shelf is None:
                self._shelf = self._open_shelf()
            return self._shelf
