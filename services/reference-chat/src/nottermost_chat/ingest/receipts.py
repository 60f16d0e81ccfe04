"""Read and delivered cursors: collected for a second, raised in one go, told to those who look."""

import asyncio

import msgspec
import structlog

from nottermost_chat.clock import Clock
from nottermost_chat.errors import ChatError
from nottermost_chat.model import RECEIPT_MEMBERS_MAX, Entry, Head
from nottermost_chat.ports import Cursor, Memberships, MessageStore, Signal, Signals
from nottermost_chat.protocol import MeRead, ReceiptChanged

EVERY_S = 1.0
WAITING_MAX = 100_000  # users times conversations; above it new marks are dropped, cursors rise with the next one

logger = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode


class Receipts:
    """Collects marks and writes them. Cursors only rise, so a mark may come twice or late."""

    def __init__(self, store: MessageStore, memberships: Memberships, signals: Signals, clock: Clock) -> None:
        self._store, self._memberships, self._signals, self._clock = store, memberships, signals, clock
        self._read: dict[tuple[str, str], int] = {}
        self._delivered: dict[tuple[str, str], int] = {}
        self._sent: dict[tuple[str, str], Entry] = {}
        self._writing = asyncio.Lock()

    def mark(self, user_id: str, conversation_id: str, *, read_seq: int = 0, delivered_seq: int = 0) -> None:
        key = (conversation_id, user_id)
        if len(self._read) + len(self._delivered) > WAITING_MAX:
            return
        if read_seq > self._read.get(key, 0):
            self._read[key] = read_seq
        if delivered_seq > self._delivered.get(key, 0):
            self._delivered[key] = delivered_seq

    def mark_sent(self, entry: Entry) -> None:
        """Sending moves the sender's own cursor."""
        key = (entry.conversation_id, entry.actor_id)
        before = self._sent.get(key)
        if len(self._sent) <= WAITING_MAX and (before is None or before.position < entry.position):
            self._sent[key] = entry

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.flush()
            except ChatError as error:
                logger.warning("receipts_failed", error=repr(error))

    async def flush(self) -> None:
        """Raise what was marked until now, and tell those who look. What fails is marked again."""
        async with self._writing:
            read, self._read = self._read, {}
            delivered, self._delivered = self._delivered, {}
            sent, self._sent = self._sent, {}
            try:
                await self._write(read, delivered, sent)
            except ChatError:
                for entry in sent.values():
                    self.mark_sent(entry)
                for (conversation_id, user_id), seq in read.items():
                    self.mark(user_id, conversation_id, read_seq=seq)
                for (conversation_id, user_id), seq in delivered.items():
                    self.mark(user_id, conversation_id, delivered_seq=seq)
                raise

    async def _write(
        self,
        read: dict[tuple[str, str], int],
        delivered: dict[tuple[str, str], int],
        sent: dict[tuple[str, str], Entry],
    ) -> None:
        keys = read.keys() | delivered.keys() | sent.keys()
        if not keys:
            return
        heads = await self._store.heads(sorted({conversation_id for conversation_id, _ in keys}))
        cursors = []
        for key in keys:
            head = heads.get(key[0], Head(key[0]))
            cursor = await self._cursor(key, head, read.get(key, 0), delivered.get(key, 0), sent.get(key))
            if cursor is not None:
                cursors.append(cursor)
        await self._memberships.raise_cursors(cursors)
        marked = read.keys() | delivered.keys()  # to the others, sending says that one has read
        for cursor in cursors:
            await self._tell(cursor, heads[cursor.conversation_id], (cursor.conversation_id, cursor.user_id) in marked)

    async def _cursor(
        self, key: tuple[str, str], head: Head, read_seq: int, delivered_seq: int, sent: Entry | None
    ) -> Cursor | None:
        conversation_id, user_id = key
        delivered_seq = min(delivered_seq, head.seq)  # nobody has received what is not there yet
        if read_seq > head.seq:
            read_seq = 0
        if sent is not None and sent.seq >= read_seq:
            return Cursor(conversation_id, user_id, sent.seq, sent.messages, sent.channel_mentions, sent.seq)
        if user_id not in await self._memberships.among(conversation_id, [user_id]):
            return None
        counted = await self._store.entries(conversation_id, read_seq - 1, 1) if read_seq else []
        if read_seq and (not counted or counted[0].seq != read_seq):
            return None  # trimmed: everybody has come further
        messages, mentions = (counted[0].messages, counted[0].channel_mentions) if counted else (0, 0)
        return Cursor(conversation_id, user_id, read_seq, messages, mentions, max(delivered_seq, read_seq))

    async def _tell(self, cursor: Cursor, head: Head, others: bool) -> None:
        if others and head.members <= RECEIPT_MEMBERS_MAX:
            frame = ReceiptChanged(cursor.conversation_id, cursor.user_id, cursor.delivered_seq, cursor.read_seq)
            await self._signals.signal(Signal(cursor.conversation_id, _encode(frame), cursor.user_id))
        if cursor.read_seq:  # else only more has been delivered
            read = MeRead(cursor.conversation_id, cursor.read_seq)
            await self._signals.signal(Signal(to_user=cursor.user_id, frame=_encode(read)))
