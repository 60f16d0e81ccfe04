"""Reads the log for who has to be told, and puts one job for each of them."""

from collections.abc import Mapping, Sequence

from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import Entry, LogRecord, Member
from nottermost_chat.notify.decide import GRACE_S, Decision, Said, Verdict, decide, refuse_message
from nottermost_chat.notify.facts import Facts
from nottermost_chat.notify.job import PushJob, encode_job
from nottermost_chat.notify.port import News
from nottermost_chat.pictures import Pictures
from nottermost_chat.ports import JobQueue


class Notifier:
    """A log consumer. A record that comes twice puts its jobs twice, and the second notification replaces the first."""

    group = "notifier"

    def __init__(
        self, directory: Directory, pictures: Pictures, facts: Facts, queue: JobQueue, metrics: Metrics, clock: Clock
    ) -> None:
        self._directory, self._pictures, self._facts = directory, pictures, facts
        self._queue, self._metrics, self._clock = queue, metrics, clock

    async def handle(self, records: Sequence[LogRecord]) -> None:
        """Returns when every job is queued. Raises: Unavailable."""
        wanted: dict[str, list[tuple[LogRecord, Mapping[str, Member]]]] = {}
        for record in records:
            reason = refuse_message(record.entry, self._clock.now_ms(), silent=record.silent)
            if reason is not None:
                self._count(Decision(reason))
            elif candidates := await self._candidates(record):
                wanted.setdefault(record.entry.conversation_id, []).append((record, candidates))
        if not wanted:
            return
        everybody = {user_id for asked in wanted.values() for _, candidates in asked for user_id in candidates}
        reachable = await self._directory.notifications.subscribed(sorted(everybody))
        now: list[bytes] = []
        later: list[bytes] = []
        for conversation_id, asked in wanted.items():
            for verdict, job in await self._decide(conversation_id, asked, reachable):
                (now if verdict is Verdict.PUSH else later).append(encode_job(job))
        if now:
            await self._queue.put(now)
        if later:
            await self._queue.put(later, delay_s=GRACE_S)

    async def _candidates(self, record: LogRecord) -> Mapping[str, Member]:
        """Members whom it may concern; of a large conversation those who are named, so that no million is looked up."""
        entry = record.entry
        if not record.large:
            picture = await self._pictures.at(entry.conversation_id, entry.members_seq)
        elif entry.detail.mentions:
            picture = await self._pictures.excerpt(entry.conversation_id, entry.members_seq, entry.detail.mentions)
        else:
            return {}
        if picture is None:
            return {}
        named = entry.detail.mentions if record.large else picture.members
        return {user: picture.members[user] for user in named if user in picture.members and user != entry.actor_id}

    async def _decide(
        self, conversation_id: str, asked: Sequence[tuple[LogRecord, Mapping[str, Member]]], reachable: frozenset[str]
    ) -> list[tuple[Verdict, PushJob]]:
        """Who of those who can be reached at all is to be told, now or later."""
        members = {user: member for _, candidates in asked for user, member in candidates.items() if user in reachable}
        conversation = await self._directory.conversations.get(conversation_id) if members else None
        if conversation is None:
            return []
        recipients = await self._facts.recipients(conversation_id, members, sorted(members))
        jobs: list[tuple[Verdict, PushJob]] = []
        for record, candidates in asked:
            said = Said(record.entry, conversation.kind, record.large, record.silent)
            for recipient in recipients:
                if recipient.user_id in candidates:
                    decision = decide(said, recipient, now_ms=self._clock.now_ms())
                    self._count(decision)
                    if decision.verdict is not Verdict.NO:
                        jobs.append((decision.verdict, _job(record.entry, recipient.user_id, large=record.large)))
        return jobs

    def _count(self, decision: Decision) -> None:
        self._metrics.notify_decisions.labels(decision.verdict, decision.reason).inc()


def _job(entry: Entry, user_id: str, *, large: bool) -> PushJob:
    return PushJob(
        News.MESSAGE, user_id, entry.conversation_id, entry.epoch, entry.seq, message_id=entry.message_id, large=large
    )
