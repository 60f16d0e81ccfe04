"""Job queues on SQS, and on whatever speaks its protocol.

Region, endpoint and credentials come from the environment, as every AWS SDK reads them. A retry is a new
message with the next attempt's number, and the old one is deleted: a hidden message would count as in flight,
of which a queue has 120,000, and it could not carry the reason. What SQS itself counts are takings that nobody
spoke of; its redrive policy moves away what ends whoever takes it. The workers' role needs `sqs:SendMessage` on
the queue and its dead letters, and whoever revives has to receive, change and delete there.
"""

import asyncio
import base64
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError

from nottermost_chat.adapters.aws_calls import Away, code_of, make_config, passing
from nottermost_chat.clock import Clock
from nottermost_chat.errors import StartError
from nottermost_chat.jobs import DEAD_KEPT_S, NEVER_FINISHED, REASON_CHARS_MAX, Kind, check_bodies
from nottermost_chat.metrics import Metrics
from nottermost_chat.ports import DeadJob, Job
from nottermost_chat.resilience import POLICIES, Guard

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient
    from types_aiobotocore_sqs.type_defs import MessageTypeDef, SendMessageBatchRequestEntryTypeDef

BATCH_MAX: Final = 10  # messages a call, as SQS has it
BATCH_BYTES_MAX: Final = 262_144  # of all messages of a call together
ATTRIBUTES_BYTES: Final = 4_096  # more than the attributes of a message take
DELAY_S_MAX: Final = 900  # SQS knows no longer one: what is due later is delayed again
POLL_S: Final = 3  # of a long poll; shorter than the policy's time limit
LOOK_S: Final = 30  # for which dead letters are hidden from others while they are looked through
DEAD_MAX: Final = 1_000  # dead letters that are looked through for those to revive
RECEIVES_MAX: Final = 5  # takings nobody spoke of; as Pulumi makes the queues on AWS
_GONE: Final = frozenset({"ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight"})
_NO_QUEUE: Final = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})

T = TypeVar("T")


class _Letter(msgspec.Struct, frozen=True):
    """A message as it lies in a queue.

    Attributes:
        attempt: the number that its first taking has.
        due_at: ms since the epoch; SQS alone holds it back for a quarter of an hour at most.
    """

    job_id: str
    body: bytes
    attempt: int = 1
    due_at: int = 0
    reason: str = ""

    def entry(self, number: int, now_ms: int) -> "SendMessageBatchRequestEntryTypeDef":
        """What a batch is made of."""
        attributes = {"job": self.job_id, "attempt": str(self.attempt), "due": str(self.due_at)}
        if self.reason:
            attributes["reason"] = self.reason
        return {
            "Id": str(number),
            "MessageBody": base64.b64encode(self.body).decode() or "-",
            "DelaySeconds": min(DELAY_S_MAX, max(0, math.ceil((self.due_at - now_ms) / 1000))),
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        }


class SqsJobQueue:
    """JobQueue over a queue and its dead letters, shared by any number of processes."""

    def __init__(self, client: "SQSClient", url: str, kind: Kind, metrics: Metrics, clock: Clock) -> None:
        """`url`: the queue's address; its redrive policy says where the dead letters go."""
        self._client, self._url, self._clock = client, url, clock
        self._visibility_s, self._attempts_max = math.ceil(kind.visibility_s), kind.attempts_max
        self._guard = Guard(POLICIES["jobs"], metrics, clock.monotonic, Away)
        self._dead_url = ""

    async def set_up(self) -> None:
        """Make the queue and its dead letters if they are not there. For servers that no infrastructure program owns."""
        try:
            await self._call(lambda: self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"]))
        except ClientError as error:
            if code_of(error) not in _NO_QUEUE:
                raise
            await self._create()

    async def put(self, bodies: Sequence[bytes], *, delay_s: float = 0.0) -> list[str]:
        check_bodies(bodies)
        due_at = self._clock.now_ms() + round(delay_s * 1000)
        letters = [_Letter(self._clock.new_id(), body, due_at=due_at) for body in bodies]
        await self._send(self._url, letters)
        return [letter.job_id for letter in letters]

    async def take(self, limit: int, wait_s: float) -> list[Job]:
        ends_at = self._clock.monotonic() + wait_s
        while True:
            left_s = ends_at - self._clock.monotonic()
            poll_s = max(0, min(POLL_S, int(left_s)))  # whole seconds
            messages = await self._receive(self._url, limit, poll_s, self._visibility_s)
            jobs = [job for message in messages if (job := await self._open(message)) is not None]
            if jobs or left_s <= 0:
                return jobs
            if not poll_s:
                await asyncio.sleep(left_s)

    async def finish(self, job: Job) -> None:
        await self._delete(self._url, job.receipt)

    async def retry(self, job: Job, after_s: float, reason: str) -> None:
        if job.attempt >= self._attempts_max:
            await self.bury(job, reason)
            return
        due_at = self._clock.now_ms() + round(after_s * 1000)
        again = _Letter(job.job_id, job.body, job.attempt + 1, due_at, reason[:REASON_CHARS_MAX])
        await self._move(job.receipt, self._url, again)

    async def bury(self, job: Job, reason: str) -> None:
        letter = _Letter(job.job_id, job.body, job.attempt, reason=reason[:REASON_CHARS_MAX])
        await self._move(job.receipt, await self._dead_letters(), letter)

    async def dead(self, limit: int) -> list[DeadJob]:
        found = await self._look_through(lambda letters: len(letters) >= limit)
        await self._show_again(found.values())
        letters = [_letter(message) for message in found.values()]
        letters.sort(key=lambda letter: letter.job_id)
        return [DeadJob(each.job_id, each.body, each.reason or NEVER_FINISHED) for each in letters[:limit]]

    async def revive(self, job_ids: Sequence[str]) -> int:
        if not (wanted := set(job_ids)):
            return 0
        found = await self._look_through(lambda letters: len(letters) >= DEAD_MAX or wanted <= letters.keys())
        revived = [found.pop(job_id) for job_id in wanted & found.keys()]
        await self._show_again(found.values())
        await self._send(self._url, [_Letter(each.job_id, each.body) for each in map(_letter, revived)])
        for message in revived:
            await self._delete(await self._dead_letters(), message["ReceiptHandle"])
        return len(revived)

    async def waiting(self) -> int:
        answer = await self._call(
            lambda: self._client.get_queue_attributes(
                QueueUrl=self._url,
                AttributeNames=[
                    "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible",
                    "ApproximateNumberOfMessagesDelayed",
                ],
            )
        )  # fmt: skip
        return sum(map(int, answer["Attributes"].values()))

    async def _open(self, message: "MessageTypeDef") -> Job | None:
        """The job in a message; None when it is not due yet, or was tried often enough."""
        letter, receipt = _letter(message), message["ReceiptHandle"]
        attempt = letter.attempt + int(message["Attributes"]["ApproximateReceiveCount"]) - 1
        if letter.due_at > self._clock.now_ms():
            await self._move(receipt, self._url, letter)
            return None
        if attempt > self._attempts_max:
            dead = msgspec.structs.replace(letter, reason=letter.reason or NEVER_FINISHED)
            await self._move(receipt, await self._dead_letters(), dead)
            return None
        return Job(letter.job_id, letter.body, attempt, receipt)

    async def _move(self, receipt: str, url: str, letter: _Letter) -> None:
        """First it is there, then no longer here: a crash in between makes two, never none."""
        await self._send(url, [letter])
        await self._delete(self._url, receipt)

    async def _send(self, url: str, letters: Sequence[_Letter]) -> None:
        for batch in _batches(letters):
            await self._call(partial(self._send_batch, url, batch))

    async def _send_batch(self, url: str, letters: Sequence[_Letter]) -> None:
        now = self._clock.now_ms()
        entries = [letter.entry(number, now) for number, letter in enumerate(letters)]
        answer = await self._client.send_message_batch(QueueUrl=url, Entries=entries)
        if failed := answer.get("Failed"):
            raise Away(failed[0]["Code"])

    async def _receive(self, url: str, limit: int, wait_s: int, hidden_s: int) -> "list[MessageTypeDef]":
        answer = await self._call(
            lambda: self._client.receive_message(
                QueueUrl=url, MaxNumberOfMessages=min(limit, BATCH_MAX), WaitTimeSeconds=wait_s,
                VisibilityTimeout=hidden_s, MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        )  # fmt: skip
        return answer.get("Messages", [])

    async def _delete(self, url: str, receipt: str) -> None:
        await self._ignoring_gone(lambda: self._client.delete_message(QueueUrl=url, ReceiptHandle=receipt))

    async def _look_through(self, enough: Callable[[Mapping[str, object]], bool]) -> "dict[str, MessageTypeDef]":
        """Dead letters by job id, hidden from others for a while."""
        found: dict[str, MessageTypeDef] = {}
        url = await self._dead_letters()
        while not enough(found) and (messages := await self._receive(url, BATCH_MAX, 1, LOOK_S)):
            found |= {_letter(message).job_id: message for message in messages}
        return found

    async def _show_again(self, messages: "Iterable[MessageTypeDef]") -> None:
        url = await self._dead_letters()
        for message in messages:
            change = partial(self._client.change_message_visibility, QueueUrl=url, VisibilityTimeout=0)
            await self._ignoring_gone(partial(change, ReceiptHandle=message["ReceiptHandle"]))

    async def _dead_letters(self) -> str:
        """The address, which the redrive policy tells; asked once. Raises StartError when there is none."""
        if not self._dead_url:
            answer = await self._call(
                lambda: self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["RedrivePolicy"])
            )
            policy = json.loads(answer.get("Attributes", {}).get("RedrivePolicy", "{}"))
            if not (arn := policy.get("deadLetterTargetArn", "")):
                raise StartError(f"the queue {self._url} has no dead letters: give it a redrive policy")
            self._dead_url = f"{self._url.rpartition('/')[0]}/{arn.rpartition(':')[2]}"
        return self._dead_url

    async def _create(self) -> None:
        name = self._url.rpartition("/")[2]
        dead = await self._call(
            lambda: self._client.create_queue(
                QueueName=f"{name}-dead", Attributes={"MessageRetentionPeriod": str(DEAD_KEPT_S)}
            )
        )
        known = await self._call(
            lambda: self._client.get_queue_attributes(QueueUrl=dead["QueueUrl"], AttributeNames=["QueueArn"])
        )
        policy = json.dumps({"deadLetterTargetArn": known["Attributes"]["QueueArn"], "maxReceiveCount": RECEIVES_MAX})
        await self._call(
            lambda: self._client.create_queue(
                QueueName=name, Attributes={"RedrivePolicy": policy, "VisibilityTimeout": str(self._visibility_s)}
            )
        )

    async def _ignoring_gone(self, act: Callable[[], Awaitable[object]]) -> None:
        try:
            await self._call(act)
        except ClientError as error:
            if code_of(error) not in _GONE:
                raise

    async def _call(self, act: Callable[[], Awaitable[T]]) -> T:
        return await self._guard.call(lambda: passing(act, _GONE | _NO_QUEUE))


@asynccontextmanager
async def open_sqs(session: AioSession | None = None) -> "AsyncIterator[SQSClient]":
    """A client."""
    async with (session or AioSession()).create_client("sqs", config=make_config(POLICIES["jobs"])) as client:
        yield client


def _batches(letters: Sequence[_Letter]) -> Iterator[Sequence[_Letter]]:
    """As many as one call takes, by number and by size."""
    batch: list[_Letter] = []
    size = 0
    for letter in letters:
        more = ATTRIBUTES_BYTES + len(letter.body) * 4 // 3 + 4
        if batch and (len(batch) == BATCH_MAX or size + more > BATCH_BYTES_MAX):
            yield batch
            batch, size = [], 0
        batch.append(letter)
        size += more
    if batch:
        yield batch


def _letter(message: "MessageTypeDef") -> _Letter:
    attributes = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
    body = message["Body"]
    return _Letter(
        attributes["job"], b"" if body == "-" else base64.b64decode(body), int(attributes["attempt"]),
        int(attributes["due"]), attributes.get("reason", ""),
    )  # fmt: skip
