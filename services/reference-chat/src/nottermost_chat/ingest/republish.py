"""Publishing to the log, and catching up after the log was away: a send never waits for it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

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
AT_ONCE = 8  # conversations that are published again at a time

logger = structlog.get_logger(__name__)


class Noted(NamedTuple):
    """A note of ours. `at`: when it was written or renewed; `from_seq`: it covers this seq and all above."""

    at: float
    from_seq: int


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
        self._noted: dict[str, Noted] = {}
        self._fresh: dict[str, int] = {}  # lowest seq that a conversation lacks since it was last read for republishing
        self._notes = asyncio.Lock()  # a note is not cleared while another one is made
        self._wake = asyncio.Event()

    async def before_append(self, first_seqs: Mapping[str, int]) -> None:
        """Write the notes first while the log is away. `first_seqs`: the lowest seq of the append in each conversation."""
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
        for conversation_id, seq in seqs.items():
            self._fresh[conversation_id] = min(seq, self._fresh.get(conversation_id, seq))
        async with self._notes:
            await self._write_notes(seqs)

    async def _write_notes(self, seqs: Mapping[str, int]) -> None:
        """Write those that are not covered by a note yet, or by one that others would soon take for abandoned."""
        now_ms, now = self._clock.now_ms(), self._clock.monotonic()
        due: dict[str, Noted] = {}
        for conversation_id, seq in seqs.items():
            noted = self._noted.get(conversation_id)
            if noted is None or seq < noted.from_seq or now - noted.at > RENEW_S:
                due[conversation_id] = Noted(now, seq if noted is None else min(seq, noted.from_seq))
        if due:
            notes = [RepublishNote(key, self._owner, noted.from_seq, now_ms) for key, noted in due.items()]
            await self._store.note_republish(notes)
            self._noted |= due

    async def run(self) -> None:
        """Publish again what the notes name, whenever the log comes back; also what a crashed ingest left."""
        while True:
            self._wake.clear()
            try:
                is_done = await self._republish_all()
            except (Unavailable, TimeoutError):
                is_done = False
            if not is_done:
                await asyncio.sleep(RETRY_S)
                continue
            self._away = False
            with suppress(TimeoutError):  # then it is time to look for abandoned notes
                async with asyncio.timeout(ABANDONED_S):  # wait_for might lose a cancellation, before Python 3.12
                    await self._wake.wait()

    async def _republish_all(self) -> bool:
        """Until there is no note any more. False: some could not be followed; the others wait no longer for them.

        Raises: Unavailable, TimeoutError.
        """
        while notes := await self._read_notes():
            await self._renew(notes)
            refused: list[ChatError] = []
            for start in range(0, len(notes), AT_ONCE):
                part = notes[start : start + AT_ONCE]
                for outcome in await asyncio.gather(*map(self._republish, part), return_exceptions=True):
                    match outcome:
                        case None:
                            pass
                        case ChatError() if not isinstance(outcome, Unavailable):
                            logger.warning("republish_failed", error=repr(outcome))
                            refused.append(outcome)
                        case error:
                            raise error
            if refused:
                return False
        return True

    async def _read_notes(self) -> list[RepublishNote]:
        abandoned_before = self._clock.now_ms() - int(ABANDONED_S * 1000)
        return await self._store.republish_notes(self._owner, abandoned_before=abandoned_before, limit=PAGE)

    async def _renew(self, notes: Iterable[RepublishNote]) -> None:
        """Before a long round: our own notes stay ours."""
        async with self._notes:
            await self._write_notes(
                {note.conversation_id: note.from_seq for note in notes if note.owner == self._owner}
            )

    async def _republish(self, note: RepublishNote) -> None:
        conversation_id, after = note.conversation_id, note.from_seq - 1
        while True:
            self._fresh.pop(conversation_id, None)
            after = await self._publish_after(conversation_id, after)
            async with self._notes:
                fresh = self._fresh.get(conversation_id)
                if fresh is None:
                    if note.owner == self._owner:
                        self._noted.pop(conversation_id, None)
                    await self._store.clear_republish(note)
                    return
                after = min(after, fresh - 1)

    async def _publish_after(self, conversation_id: str, after: int) -> int:
        """Publish what follows `after`; returns the last seq."""
        while records := await self._store.records(conversation_id, after, PAGE):
            async with asyncio.timeout(CONFIRM_S):
                await self._log.publish(records)
            self._away = False  # new records need no notes: waiting for the last note would make notes faster than it clears them
            after = records[-1].entry.seq
        return after
