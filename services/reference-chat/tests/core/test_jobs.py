"""How a worker works a queue off."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from nottermost_chat.adapters.sql_jobs import SqlJobs
from nottermost_chat.clock import Clock
from nottermost_chat.errors import Unavailable
from nottermost_chat.jobs import Kind, Later, Never, work_off
from nottermost_chat.ports import Job, JobQueue

KIND = Kind(name="test", visibility_s=30, attempts_max=2)


@pytest.fixture
async def queue(tmp_path: Path) -> AsyncIterator[JobQueue]:
    jobs = SqlJobs(tmp_path / "jobs.db", Clock())
    yield jobs.queue(KIND)
    await jobs.close()


@asynccontextmanager
async def worker(queue: JobQueue, handle: Callable[[Job], Awaitable[None]], at_once: int = 2) -> AsyncIterator[None]:
    task = asyncio.create_task(work_off(queue, handle, at_once=at_once, on_error_s=0))
    try:
        async with asyncio.timeout(20):
            yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def ended(queue: JobQueue) -> None:
    while await queue.waiting():  # noqa: ASYNC110 - a queue tells nobody when it is empty
        await asyncio.sleep(0.01)


async def test_what_a_handler_says_becomes_of_the_job(queue: JobQueue) -> None:
    """Done, tried again, or buried with the reason; a mistake of the handler is tried again too, and ends no worker."""
    seen: list[tuple[bytes, int]] = []

    async def handle(job: Job) -> None:
        seen.append((job.body, job.attempt))
        match job.body, job.attempt:
            case b"later", 1:
                raise Later(0, "busy")
            case b"never", _:
                raise Never("no use")
            case b"away", 1:
                raise Unavailable("away")
            case b"broken", _:
                raise ValueError("a secret")

    await queue.put([b"done", b"later", b"never", b"away", b"broken"])
    async with worker(queue, handle):
        await ended(queue)
    assert sorted(seen) == [
        (b"away", 1), (b"away", 2), (b"broken", 1), (b"broken", 2), (b"done", 1), (b"later", 1), (b"later", 2),
        (b"never", 1),
    ]  # fmt: skip
    assert {(dead.body, dead.reason) for dead in await queue.dead(10)} == {
        (b"never", "no use"), (b"broken", "ValueError"),
    }  # fmt: skip


async def test_a_slow_job_takes_up_its_own_place_only(queue: JobQueue) -> None:
    """The others go by."""
    free, done = asyncio.Event(), asyncio.Event()

    async def handle(job: Job) -> None:
        if job.body == b"slow":
            await free.wait()
        elif job.body == b"9":
            done.set()

    await queue.put([b"slow"])
    async with worker(queue, handle):
        await queue.put([f"{number}".encode() for number in range(10)])
        await done.wait()
        free.set()
        await ended(queue)
