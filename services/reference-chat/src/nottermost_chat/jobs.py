"""The chat's queues of jobs, and how a worker works one off."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import msgspec
import structlog

from nottermost_chat.errors import ChatError, TooLarge, Unavailable
from nottermost_chat.ports import JOB_BYTES_MAX, Job, JobQueue

DEAD_KEPT_S: Final = 14 * 24 * 3600  # the longest that SQS keeps a message
REASON_CHARS_MAX: Final = 500  # a sentence for a person
NEVER_FINISHED: Final = "nobody who took it said what became of it"
WAIT_S: Final = 20.0  # for the next job; a poll costs money
AWAY_S: Final = 1.0  # between two tries while the queue is away

logger = structlog.get_logger(__name__)


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """How a queue treats its jobs.

    Attributes:
        visibility_s: for which who takes a job has it alone; six times the longest a worker takes over
            one, as AWS advises and Pulumi makes them.
        attempts_max: then it lies with the dead letters.
    """

    name: str
    visibility_s: float
    attempts_max: int


PUSH: Final = Kind(name="push", visibility_s=60, attempts_max=8)
WEBHOOK: Final = Kind(name="webhook", visibility_s=120, attempts_max=8)

Q_co = TypeVar("Q_co", bound=JobQueue, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues(Generic[Q_co]):
    """All of them."""

    push: Q_co
    webhook: Q_co


def check_bodies(bodies: Sequence[bytes]) -> None:
    """Raises TooLarge."""
    if (longest := max(map(len, bodies), default=0)) > JOB_BYTES_MAX:
        raise TooLarge(f"a job has {longest} bytes, the limit is {JOB_BYTES_MAX}: let it name what is large")


class Later(Exception):
    """The job could not be done now; try it again after so many seconds."""

    def __init__(self, after_s: float, reason: str) -> None:
        super().__init__(reason)
        self.after_s, self.reason = after_s, reason


class Never(Exception):
    """The job can never be done."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


async def work_off(
    queue: JobQueue, handle: Callable[[Job], Awaitable[None]], *, at_once: int, on_error_s: float
) -> None:
    """Do jobs until cancelled; a slow one takes up its own place only.

    Args:
        handle: does one, or raises Later or Never; must end well within the queue's visibility time.
        on_error_s: until a job is tried again whose handler raised something else.
    """
    running: set[asyncio.Task[None]] = set()
    async with asyncio.TaskGroup() as group:
        while True:
            if len(running) >= at_once:
                await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            try:
                jobs = await queue.take(at_once - len(running), WAIT_S)
            except Unavailable:
                await asyncio.sleep(AWAY_S)
                continue
            for job in jobs:
                task = group.create_task(_do(queue, job, handle, on_error_s))
                running.add(task)
                task.add_done_callback(running.discard)


async def _do(queue: JobQueue, job: Job, handle: Callable[[Job], Awaitable[None]], on_error_s: float) -> None:
    try:
        try:
            await handle(job)
        except Later as later:
            await queue.retry(job, later.after_s, later.reason)
        except Never as never:
            await queue.bury(job, never.reason)
        except ChatError as error:  # something that the job needs is away
            await queue.retry(job, on_error_s, error.code)
        except Exception as error:
            logger.exception("job_failed", job_id=job.job_id, attempt=job.attempt)
            await queue.retry(job, on_error_s, type(error).__name__)
        else:
            await queue.finish(job)
    except Unavailable:
        logger.warning("job_unsettled", job_id=job.job_id)  # it comes back by itself
