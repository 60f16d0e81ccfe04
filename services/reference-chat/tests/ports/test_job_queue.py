"""What every JobQueue promises. Another adapter joins with one line in ADAPTERS."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from aiobotocore.session import AioSession
from ulid import ULID

from nottermost_chat.adapters.sql_jobs import SqlJobs
from nottermost_chat.adapters.sqs_jobs import SqsJobQueue, open_sqs
from nottermost_chat.clock import Clock
from nottermost_chat.errors import TooLarge
from nottermost_chat.jobs import Kind
from nottermost_chat.metrics import Metrics
from nottermost_chat.ports import JOB_BYTES_MAX, Job, JobQueue
from nottermost_chat.testing.queues import ACCOUNT, remove_queues, sqs_environment
from nottermost_chat.testing.servers import Address

Opener = Callable[[Path, float], AbstractAsyncContextManager[JobQueue]]  # where, and for how long a job is hidden
HIDDEN_S = {"sql": 0.2, "sqs": 1.0}  # where a test waits for it to end: the least that SQS knows
LONG_S = 60.0  # everywhere else: nothing comes back while a slow machine looks at it
ATTEMPTS = 3
WAIT_S = 20.0


def kind(visibility_s: float) -> Kind:
    return Kind(name="test", visibility_s=visibility_s, attempts_max=ATTEMPTS)


@asynccontextmanager
async def open_sql(path: Path, visibility_s: float) -> AsyncIterator[JobQueue]:
    jobs = SqlJobs(path, Clock())
    yield jobs.queue(kind(visibility_s))
    await jobs.close()


@contextmanager
def on_sqs(address: Address) -> Iterator[Opener]:
    """Every path stands for a queue; in the end they are all removed."""
    used: set[str] = set()
    session = AioSession()

    @asynccontextmanager
    async def open_queue(path: Path, visibility_s: float) -> AsyncIterator[JobQueue]:
        url = f"{address.url}/{ACCOUNT}/test-{RUN}-{sha256(bytes(path)).hexdigest()[:16]}"
        async with open_sqs(session) as client:
            queue = SqsJobQueue(client, url, kind(visibility_s), Metrics(), Clock())
            await queue.set_up()
            used.add(url)
            yield queue

    with pytest.MonkeyPatch.context() as environment:
        for name, value in sqs_environment(address).items():
            environment.setenv(name, value)
        yield open_queue
        asyncio.run(remove_queues(session, *used))


ADAPTERS = ("sql", "sqs")
RUN = str(ULID()).lower()


@pytest.fixture(params=ADAPTERS, scope="module")
def adapter(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def open_queue(adapter: str, request: pytest.FixtureRequest) -> Iterator[Opener]:
    if adapter == "sql":
        yield open_sql
    else:
        with on_sqs(request.getfixturevalue("sqs")) as opener:
            yield opener


@pytest.fixture
async def queue(open_queue: Opener, tmp_path: Path) -> AsyncIterator[JobQueue]:
    async with open_queue(tmp_path / "jobs.db", LONG_S) as queue:
        yield queue


@pytest.fixture
def hidden_s(adapter: str) -> float:
    return HIDDEN_S[adapter]


@pytest.fixture
async def forgetful(open_queue: Opener, tmp_path: Path, hidden_s: float) -> AsyncIterator[JobQueue]:
    """A queue that soon gives a job to others."""
    async with open_queue(tmp_path / "forgetful.db", hidden_s) as queue:
        yield queue


async def take_one(queue: JobQueue, wait_s: float = WAIT_S) -> Job:
    jobs = await queue.take(1, wait_s)
    assert len(jobs) == 1
    return jobs[0]


async def take_all(queue: JobQueue, expected: int) -> list[Job]:
    jobs: list[Job] = []
    while len(jobs) < expected and (more := await queue.take(expected - len(jobs), WAIT_S)):
        jobs += more
    return jobs


async def test_a_job_is_handed_out_whole_and_once(forgetful: JobQueue, hidden_s: float) -> None:
    """Any bytes come back as they were; a finished job never again."""
    body = bytes(range(256))
    (job_id,) = await forgetful.put([body])
    job = await take_one(forgetful)
    assert (job.job_id, job.body, job.attempt) == (job_id, body, 1)
    await forgetful.finish(job)
    assert await forgetful.take(1, hidden_s * 1.5) == []
    assert await forgetful.waiting() == 0


async def test_many_at_once_all_come(queue: JobQueue) -> None:
    """More than fit into one call of any adapter; each comes once to those who share the work."""
    bodies = [f"{number}".encode() for number in range(25)]
    ids = await queue.put(bodies)
    assert len(set(ids)) == len(bodies)
    first, second = await asyncio.gather(take_all(queue, 13), take_all(queue, 12))
    assert sorted(job.body for job in first + second) == sorted(bodies)
    await asyncio.gather(*(queue.finish(job) for job in first + second))
    assert await queue.waiting() == 0


async def test_whoever_waits_gets_what_comes(queue: JobQueue) -> None:
    """`take` returns as soon as there is a job."""
    waiting = asyncio.create_task(queue.take(1, 20.0))
    await asyncio.sleep(0)
    await queue.put([b"late"])
    async with asyncio.timeout(10):
        (job,) = await waiting
    assert job.body == b"late"
    await queue.finish(job)


async def test_delayed_jobs_wait_for_their_time(queue: JobQueue) -> None:
    """Not before the delay; while it lasts they count as waiting."""
    await queue.put([b"much later"], delay_s=600)
    began = time.monotonic()
    await queue.put([b"later"], delay_s=1)
    assert await queue.waiting() == 2
    job = await take_one(queue)
    assert job.body == b"later"
    assert time.monotonic() - began >= 1
    assert await queue.take(1, 0) == []


async def test_a_taken_job_is_hidden_and_comes_back_to_others(
    queue: JobQueue, forgetful: JobQueue, hidden_s: float
) -> None:
    """A worker that ended has not done it: the next attempt is somebody else's, after the set time."""
    await queue.put([b"work"])
    await take_one(queue)
    assert await queue.take(1, 0) == []
    await forgetful.put([b"work"])
    began = time.monotonic()
    lost = await take_one(forgetful)
    again = await take_one(forgetful)
    assert time.monotonic() - began >= hidden_s
    assert (again.job_id, again.attempt) == (lost.job_id, 2)
    await forgetful.finish(again)


async def test_retry_hands_out_again_and_later_to_the_dead_letters(queue: JobQueue) -> None:
    """After the last attempt it lies there with the last reason, and comes no more by itself."""
    (job_id,) = await queue.put([b"hard"])
    for attempt in range(1, ATTEMPTS + 1):
        job = await take_one(queue)
        assert job.attempt == attempt
        await queue.retry(job, 0, f"reason {attempt}")
    assert [(dead.job_id, dead.body, dead.reason) for dead in await queue.dead(10)] == [
        (job_id, b"hard", f"reason {ATTEMPTS}")
    ]
    assert await queue.waiting() == 0


async def test_retry_waits(forgetful: JobQueue, hidden_s: float) -> None:
    """Not before `after_s`, also when that is longer than a taken job is hidden."""
    await forgetful.put([b"busy"])
    job, began = await take_one(forgetful), time.monotonic()
    await forgetful.retry(job, hidden_s * 2, "busy")
    job = await take_one(forgetful)
    assert time.monotonic() - began >= hidden_s * 2
    assert job.attempt == 2


async def test_a_job_that_ends_its_workers_does_not_go_on_for_ever(forgetful: JobQueue, hidden_s: float) -> None:
    """Attempts count that nobody spoke of."""
    await forgetful.put([b"poison"])
    for _ in range(ATTEMPTS):
        await take_one(forgetful)
    assert await forgetful.take(1, hidden_s * 2.5) == []
    (dead,) = await forgetful.dead(10)
    assert dead.body == b"poison"
    assert dead.reason


async def test_dead_letters_can_be_looked_at_and_revived(queue: JobQueue) -> None:
    """Looking changes nothing; what is revived begins again, the rest stays."""
    ids = dict(zip((b"one", b"two"), await queue.put([b"one", b"two"]), strict=True))
    for job in await take_all(queue, 2):
        await queue.bury(job, "no use")
    for _ in range(2):
        assert sorted((dead.body, dead.reason) for dead in await queue.dead(10)) == [
            (b"one", "no use"), (b"two", "no use"),
        ]  # fmt: skip
    assert len(await queue.dead(1)) == 1
    assert await queue.revive([ids[b"two"], "of nobody"]) == 1
    job = await take_one(queue)
    assert (job.job_id, job.body, job.attempt) == (ids[b"two"], b"two", 1)
    await queue.finish(job)
    assert [dead.body for dead in await queue.dead(10)] == [b"one"]
    assert await queue.revive([ids[b"two"]]) == 0


async def test_late_words_do_no_harm(forgetful: JobQueue, hidden_s: float) -> None:
    """Who comes back after the job was given to others neither loses it nor sends it to the dead letters twice."""
    await forgetful.put([b"slow"])
    late = await take_one(forgetful)
    current = await take_one(forgetful)
    await forgetful.finish(current)
    await forgetful.finish(late)
    await forgetful.finish(current)
    assert await forgetful.take(1, hidden_s * 1.5) == []
    assert await forgetful.dead(10) == []


async def test_jobs_outlive_who_put_them(open_queue: Opener, tmp_path: Path, hidden_s: float) -> None:
    """What `put` returned for is there after a restart, in whatever state it was."""
    path = tmp_path / "jobs.db"
    async with open_queue(path, hidden_s) as queue:
        ids = await queue.put([b"free", b"taken"])
        await take_one(queue)
    found: set[str] = set()
    async with open_queue(path, hidden_s) as queue:
        while found < set(ids):
            job = await take_one(queue)
            await queue.finish(job)
            found.add(job.job_id)
        assert found == set(ids)


async def test_bodies_are_bounded(queue: JobQueue) -> None:
    """The largest goes through, one byte more is refused and nothing of that call is queued."""
    await queue.put([b"x" * JOB_BYTES_MAX, b"small"])
    jobs = await take_all(queue, 2)
    assert {len(job.body) for job in jobs} == {JOB_BYTES_MAX, 5}
    await asyncio.gather(*(queue.finish(job) for job in jobs))
    with pytest.raises(TooLarge):
        await queue.put([b"small", b"x" * (JOB_BYTES_MAX + 1)])
    assert await queue.waiting() == 0


async def test_nothing_is_nothing(queue: JobQueue) -> None:
    """Empty calls are allowed."""
    assert await queue.put([]) == []
    assert await queue.revive([]) == 0
    assert await queue.take(1, 0) == []
