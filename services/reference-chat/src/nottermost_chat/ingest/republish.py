"""Publishing to the log, and catching up after the log was away: a send never waits for it."""

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from nottermost_chat.errors import Unavailable
from nottermost_chat.model import Entry, LogRecord
from nottermost_chat.ports import EventLog, MessageStore

CONFIRM_S = 1.0  # how long an acknowledgement waits for the log; then the note stands in for it
RETRY_S = 1.0
PAGE = 500

logger = structlog.get_logger(__name__)


class Publisher:
    """Publishes records; what the log did not confirm is noted durably and published again.

    While the log is away the note is written before the append, so that no crash can leave
    an acknowledged message that nobody would ever publish.
    """

    def __init__(self, store: MessageStore, log: EventLog) -> None:
        self._store, self._log = store, log
        self._away = False
        self._noted: set[str] = set()
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
            for conversation_id, seq in seqs.items():
                if conversation_id not in self._noted:
                    await self._store.note_republish(conversation_id, seq)
                    self._noted.add(conversation_id)

    async def run(self) -> None:
        """Publish again what the notes name, at the start and whenever the log comes back."""
        while True:
            self._wake.clear()
            try:
                while notes := await self._store.republish_notes(PAGE):
                    for conversation_id, from_seq in notes.items():
                        await self._republish(conversation_id, from_seq)
                self._away = False
            except (Unavailable, TimeoutError):
                await asyncio.sleep(RETRY_S)
                continue
            await self._wake.wait()

    async def _republish(self, conversation_id: str, from_seq: int) -> None:
        after = from_seq - 1
        while True:
            self._fresh.discard(conversation_id)
            after = await self._publish_after(conversation_id, after)
            async with self._notes:
                if conversation_id not in self._fresh:
                    self._noted.discard(conversation_id)
                    await self._store.clear_republish(conversation_id, from_seq)
                    return

    async def _publish_after(self, conversation_id: str, after: int) -> int:
        """Publish what follows `after`; returns the last seq."""
        while records := await self._store.records(conversation_id, after, PAGE):
            async with asyncio.timeout(CONFIRM_S):
                await self._log.publish(records)
            after = records[-1].entry.seq
        return after
