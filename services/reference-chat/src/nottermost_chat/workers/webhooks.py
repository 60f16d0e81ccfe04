"""Tells webhooks what happens: a consumer of the log makes jobs, a sender does them."""

import random
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from nottermost_chat.clock import Clock
from nottermost_chat.directory import DeliveryRow, DeliveryState, Directory, HookEvent, WebhookRow
from nottermost_chat.jobs import WEBHOOK, Later, Never, work_off
from nottermost_chat.model import Entry, LogRecord, Message
from nottermost_chat.ports import Job, JobQueue, MessageStore
from nottermost_chat.webhooks import Answer, ForbiddenAddress, HookJob, Poster, SecretBox, Unreadable, describe

AT_ONCE: Final = 32  # jobs: a receiver that hangs takes one of them for ten seconds
FIRST_WAIT_S: Final = 30.0
WAIT_FACTOR: Final = 4.0  # 30 s, 2 min, 8 min, 32 min, 2 h, 8 h, 8 h: seven waits of nearly a day together
WAIT_S_MAX: Final = 8 * 3600.0
JITTER: Final = 0.2  # of the wait, up or down: what failed together does not come back together

EVENTS: Final = frozenset(HookEvent)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(HookJob).decode


def backoff_s(attempt: int, chance: Callable[[], float] = random.random) -> float:
    """How long to wait after this attempt failed; `chance`: 0 to 1."""
    wait_s = min(FIRST_WAIT_S * WAIT_FACTOR ** (attempt - 1), WAIT_S_MAX)
    return wait_s * (1 + JITTER * (2 * chance() - 1))


class HookConsumer:
    """A log consumer: a job for each webhook and entry that it wants. Again makes the same deliveries."""

    group = "webhooks"

    def __init__(self, directory: Directory, queue: JobQueue) -> None:
        self._directory, self._queue = directory, queue

    async def handle(self, records: Sequence[LogRecord]) -> None:
        entries = [record.entry for record in records if record.entry.kind.value in EVENTS and not record.silent]
        if not entries:
            return
        wanting = await self._directory.webhooks.wanting(entry.conversation_id for entry in entries)
        jobs = [
            HookJob.about(wanted.webhook_id, event, entry)
            for entry in entries
            for wanted in wanting
            if wanted.conversation_id == entry.conversation_id
            and (event := HookEvent(entry.kind.value)) in wanted.events
            and entry.created_at >= wanted.created_at
        ]
        if jobs:
            await self._queue.put([_encode(job) for job in jobs])


class HookSender:
    """Does the jobs, with the words of now."""

    def __init__(
        self,
        *,
        directory: Directory,
        store: MessageStore,
        queue: JobQueue,
        box: SecretBox,
        poster: Poster,
        clock: Clock,
    ) -> None:
        self._directory, self._store, self._queue = directory, store, queue
        self._box, self._poster, self._clock = box, poster, clock

    async def run(self) -> None:
        """Until cancelled."""
        try:
            await work_off(self._queue, self.handle, at_once=AT_ONCE, on_error_s=FIRST_WAIT_S)
        finally:
            await self._poster.close()

    async def handle(self, job: Job) -> None:
        """Raises Later, Never."""
        wanted = _decode(job.body)
        hook = await self._directory.webhooks.get(wanted.webhook_id)
        if hook is None or not (hook.active or wanted.is_test):
            return  # nobody wants it any more
        answer = await self._tell(hook, wanted)
        if answer.taken:
            if wanted.is_test or job.attempt > 1 or await self._is_noted(wanted):
                await self._note(job, wanted, DeliveryState.DELIVERED, answer)
        elif answer.gone:
            await self._directory.webhooks.change(hook.webhook_id, active=False)
            reason = "the receiver answered 410 (gone), so the webhook was switched off"
            await self._note(job, wanted, DeliveryState.DEAD, Answer(answer.status, reason))
        elif wanted.is_test:
            await self._note(job, wanted, DeliveryState.DEAD, answer)
        elif answer.hopeless or job.attempt >= WEBHOOK.attempts_max:
            await self._note(job, wanted, DeliveryState.DEAD, answer)
            raise Never(answer.reason)
        else:
            await self._note(job, wanted, DeliveryState.RETRYING, answer)
            raise Later(backoff_s(job.attempt), answer.reason)

    async def _tell(self, hook: WebhookRow, wanted: HookJob) -> Answer:
        entry, message = None, None
        if not wanted.is_test:
            entry, message = await self._read(wanted)
            if entry is None:
                return Answer(None, "the entry is gone: retention took it", hopeless=True)
        try:
            secret = self._box.open(hook.secret, hook.webhook_id)
            body = describe(wanted, hook.workspace_id, entry, message)
            return await self._poster.post(
                hook.url, event=wanted.event, delivery_id=wanted.delivery_id, secret=secret, body=body
            )
        except (ForbiddenAddress, Unreadable) as error:
            return Answer(None, str(error), hopeless=True)

    async def _read(self, wanted: HookJob) -> tuple[Entry | None, Message | None]:
        """The entry, and the message it is about as it is now."""
        found = await self._store.entries(wanted.conversation_id, wanted.seq - 1, 1)
        if not found or found[0].position != (wanted.epoch, wanted.seq):
            return None, None
        entry = found[0]
        if not entry.message_id or wanted.event == HookEvent.MEMBERSHIP:
            return entry, None
        return entry, await self._store.full_message(entry.conversation_id, entry.message_id)

    async def _is_noted(self, wanted: HookJob) -> bool:
        """Whether it failed before: a delivery that is replayed begins with attempt 1 again."""
        return await self._directory.webhooks.delivery(wanted.delivery_id) is not None

    async def _note(self, job: Job, wanted: HookJob, state: DeliveryState, answer: Answer) -> None:
        await self._directory.webhooks.note(
            DeliveryRow(
                delivery_id=wanted.delivery_id, webhook_id=wanted.webhook_id, job_id=job.job_id, event=wanted.event,
                conversation_id=wanted.conversation_id, epoch=wanted.epoch, seq=wanted.seq, state=state,
                attempts=job.attempt, status=answer.status, reason=answer.reason, at=self._clock.now_ms(),
            )
        )  # fmt: skip
