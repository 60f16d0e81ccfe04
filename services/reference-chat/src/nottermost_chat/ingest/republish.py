"""Publishing to the log, and catching up after the log was away: a send never waits for it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import structlog

from nottermost_chat.clock import Clock
from nottermost_chat.errors import ChatError, Unavailable
from nottermost_chat.model import Entry, LogRecord
from nottermost_chat.ports import EventLog, MessageStore, RepublishNote

CONFIRM_S = 1.0  # how long an acknowledgement waits for the log; then the note stands in for it
RETRY_S = 1.0
RENEW_S = 5.0  # an ingest that lives renews its notes this often,
ABANDONED_S = 20.0  # so one that is older than this has no owner any more
PAGE = 500

logger = structlog.get_logger(__name__)


class Publisher:
    """Publishes records; what the log did not confirm is noted durably and published again.

    While the log is away the note is written before the append, so that no crash can leave
    an acknowledged message that nobody would ever publish. Every ingest has notes of its own:
    nobody clears a note on which somebody else still relies.
    """

    def __init__(self, store: MessageStore, log: EventLog, clock: Clock, *, owner: str) -> None:
        """`owner`: this ingest, by a name that no other one that runs has."""
        self._store, self._log, self._clock, self._owner = store, log, clock, owner
        self._away = False
        self._noted: dict[str, float] = {}  # conversation to when it was noted or renewed
        self._fresh: set[str] = set()  # noted conversations that grew since they were last read for republishing
        self._notes = asyncio.Lock()  # a note is not cleared while another one is made
        self._wake = asyncio.Event()

    async def before_append(self, first_seqs: Mapping[str, int]) -> None:
        """Write the notes first while the log is away. `first_seqs`: any seq of the append a conversation."""
        if self._away:
            await self._note(first_seqs)

    async def publish(self, records: Sequence[LogRecord]) -> None:
        """Returns when the log has the records, or a note says that it lacks them."""
        if not self._away:
            try:
                async with asyncio.timeout(CONFIRM_S):
                    await self._log.publish(records)
                return
            except (Unavailable, TimeoutError) as error:
                logger.warning("log_away", error=repr(error))
                self._away = True
        seqs: dict[str, int] = {}
        for record in records:
            entry = record.entry
            seqs[entry.conversation_id] = min(entry.seq, seqs.get(entry.conversation_id, entry.seq))
        await self._note(seqs)
        self._wake.set()

    async def publish_again(self, entries: Sequence[Entry]) -> None:
        """Publish entries that were found stored: whoever appended them may have failed before publishing."""
        found = [await self._store.records(entry.conversation_id, entry.seq - 1, 1) for entry in entries]
        await self.publish([record for records in found for record in records])

    async def _note(self, seqs: Mapping[str, int]) -> None:
        self._fresh.update(seqs)
        async with self._notes:
            await self._write_notes({key: seq for key, seq in seqs.items() if self._is_due(key)})

    def _is_due(self, conversation_id: str) -> bool:
        """Whether the conversation has no note yet, or one that others would soon take for abandoned."""
        noted_at = self._noted.get(conversation_id)
        return noted_at is None or self._clock.monotonic() - noted_at > RENEW_S

    async def _write_notes(self, seqs: Mapping[str, int]) -> None:
        if not seqs:
            return
        now_ms, now = self._clock.now_ms(), self._clock.monotonic()
        await self._store.note_republish([RepublishNote(key, self._owner, seq, now_ms) for key, seq in seqs.items()])
        self._noted |= dict.fromkeys(seqs, now)

    async def run(self) -> None:
        """Publish again what the notes name, whenever the log comes back; also what a crashed ingest left."""
        while True:
            self._wake.clear()
            try:
                while notes := await self._read_notes():
                    await self._renew(notes)
                    for note in notes:
                        await self._republish(note)
                self._away = False
            except (Unavailable, TimeoutError):
                await asyncio.sleep(RETRY_S)
                continue
            except ChatError as error:  # of one that cannot be read; the others wait no longer than a moment
                logger.warning("republish_failed", error=repr(error))
                await asyncio.sleep(RETRY_S)
                continue
            try:
                await asyncio.wait_for(self._wake.wait(), ABANDONED_S)
            except TimeoutError:
                pass  # time to look for abandoned notes

    async def _read_notes(self) -> list[RepublishNote]:
        abandoned_before = self._clock.now_ms() - int(ABANDONED_S * 1000)
        return await self._store.republish_notes(self._owner, abandoned_before=abandoned_before, limit=PAGE)

    async def _renew(self, notes: Iterable[RepublishNote]) -> None:
        """Before a long round: our own notes stay ours."""
        async with self._notes:
            own = {note.conversation_id: note.from_seq for note in notes if note.owner == self._owner}
            await self._write_notes({key: seq for key, seq in own.items() if self._is_due(key)})

    async def _republish(self, note: RepublishNote) -> None:
        conversation_id, after = note.conversation_id, note.from_seq - 1
        while True:
            self._fresh.discard(conversation_id)
            after = await self._publish_after(conversation_id, after)
            async with self._notes:
                if conversation_id not in self._fresh:
                    if note.owner == self._owner:
                        self._noted.pop(conversation_id, None)
                    await self._store.clear_republish(note)
                    return

    async def _publish_after(self, conversation_id: str, after: int) -> int:
        """Publish what follows `after`; returns the last seq."""
        while records := await self._store.records(conversation_id, after, PAGE):
            async with asyncio.timeout(CONFIRM_S):
                await self._log.publish(records)
            after = records[-1].entry.seq
        return after
