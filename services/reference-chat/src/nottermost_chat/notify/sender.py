"""Works pushes off: looks once more whether one is still wanted, then sends it to the user's devices."""

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec
import structlog

from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory, PushKind, Subscription
from nottermost_chat.jobs import Later, Never, work_off
from nottermost_chat.metrics import Metrics
from nottermost_chat.notify.badge import count_badge
from nottermost_chat.notify.decide import Decision, Reason, Said, Verdict, decide, mention_of
from nottermost_chat.notify.facts import Facts
from nottermost_chat.notify.job import PushJob, decode_job, encode_job
from nottermost_chat.notify.port import News, Notice, Outcome, PushService, Sent
from nottermost_chat.notify.shown import Shown
from nottermost_chat.ports import Job, JobQueue, MessageStore

AT_ONCE: Final = 10  # what SQS hands out at most
FAILURES_MAX: Final = 5  # refusals in a row, after which a device is taken for dead
RETRY_S: Final = 5.0  # then four times as long each time
RETRY_S_MAX: Final = 900.0

logger = structlog.get_logger(__name__)


class Sender:
    """The worker of the push queue."""

    def __init__(
        self, *, directory: Directory, store: MessageStore, facts: Facts, services: Mapping[PushKind, PushService],
        queue: JobQueue, shown: Shown, metrics: Metrics, clock: Clock,
    ) -> None:  # fmt: skip
        self._directory, self._store, self._facts, self._services = directory, store, facts, services
        self._queue, self._shown, self._metrics, self._clock = queue, shown, metrics, clock

    async def run(self) -> None:
        await work_off(self._queue, self.handle, at_once=AT_ONCE, on_error_s=RETRY_S)

    async def handle(self, job: Job) -> None:
        """Raises: Later, Never; Unavailable."""
        try:
            push = decode_job(job.body)
        except msgspec.DecodeError as error:
            raise Never(f"no push: {error}") from None
        news = push.news if push.news is News.READ else await self._judge(push)
        if news is None:
            return
        devices = [each for each in await self._directory.notifications.subscriptions(push.user_id)
                   if each.kind in self._services and push.device_id in ("", each.device_id)]  # fmt: skip
        if not devices:
            return
        badge = await count_badge(self._directory, self._store, self._clock, push.user_id)
        notice = Notice(news, push.conversation_id, push.seq, badge)
        if news is not News.READ:
            self._shown.note(push.user_id, push.conversation_id, (push.epoch, push.seq))
        results = await asyncio.gather(*(self._send(device, notice) for device in devices))
        later = [(device, sent) for device, sent in zip(devices, results, strict=True) if sent.outcome is Outcome.LATER]
        if push.device_id and later:
            raise Later(later[0][1].after_s or retry_after_s(job.attempt), later[0][1].reason)
        for device, sent in later:  # of its own, so that the others do not get it twice
            alone = msgspec.structs.replace(push, device_id=device.device_id)
            await self._queue.put([encode_job(alone)], delay_s=sent.after_s or RETRY_S)

    async def _judge(self, push: PushJob) -> News | None:
        """What to tell the user of the message now; None: nothing."""
        found = await self._store.messages(push.conversation_id, [push.message_id])
        conversation = await self._directory.conversations.get(push.conversation_id)
        message = found.get(push.message_id)
        if message is None or conversation is None:
            self._count(Decision(Reason.DELETED))
            return None
        members = await self._directory.conversations.among(push.conversation_id, [push.user_id])
        said = Said(message.entry, conversation.kind, push.large, deleted=message.text is None)
        for recipient in await self._facts.recipients(push.conversation_id, members, [push.user_id]):
            decision = decide(said, recipient, now_ms=self._clock.now_ms(), graced=True)
            if decision.verdict is Verdict.PUSH:
                return News.MENTION if mention_of(said, push.user_id) else News.MESSAGE
            self._count(decision)
        return None

    async def _send(self, device: Subscription, notice: Notice) -> Sent:
        sent = await self._services[device.kind].send(device, notice)
        self._metrics.pushes.labels(device.kind, sent.outcome).inc()
        if sent.outcome is not Outcome.SENT:
            logger.info(
                "push_failed", device_id=device.device_id, kind=device.kind, outcome=sent.outcome, reason=sent.reason
            )
        notifications = self._directory.notifications
        match sent.outcome:
            case Outcome.SENT if device.failures:
                await notifications.note_sent(device.device_id, device.address)
            case Outcome.GONE:
                await notifications.unsubscribe(device.device_id, device.address)
            case Outcome.REFUSED:
                await notifications.note_refused(device.device_id, device.address, failures_max=FAILURES_MAX)
        return sent

    def _count(self, decision: Decision) -> None:
        self._metrics.notify_decisions.labels(decision.verdict, decision.reason).inc()


def retry_after_s(attempt: int) -> float:
    """How long to wait after this attempt (from 1), when the service did not say."""
    return min(RETRY_S * 4.0 ** (attempt - 1), RETRY_S_MAX)
