"""The message store on DynamoDB: each append one conditional transaction, each read answered by a key.

Everything is laid out in nottermost_conventions.tables. Where several items are read one after the other,
what they say together was true at the first read or later: a text that is gone by then was replaced, and
its message is read again.
"""

import asyncio
import hashlib
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec
from aiobotocore.session import AioSession

from nottermost_chat.adapters.dynamo_append import (
    LIMITS,
    Concerned,
    MessageKey,
    Reply,
    concerned_ids,
    is_as_expected,
    lay_out,
    remove_row,
)
from nottermost_chat.adapters.dynamo_items import (
    MESSAGES,
    SEQ_MAX,
    SHARDS,
    HeadRow,
    Item,
    Key,
    ReactionRow,
    Row,
    Stream,
    Text,
    Value,
    body_key,
    deleted_key,
    deleted_partition,
    head_key,
    id_key,
    in_runs,
    note_key,
    note_values,
    notes_partition,
    operation_key,
    place,
    reaction_key,
    read_head,
    read_key,
    read_note,
    read_reaction,
    read_row,
    read_string,
    read_text,
    read_values,
    stream_of,
    thread_key,
)
from nottermost_chat.adapters.dynamo_tables import ConditionFailed, DynamoTables
from nottermost_chat.adapters.dynamo_writes import PRESENT, Presence, Write
from nottermost_chat.clock import Clock
from nottermost_chat.errors import Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import Entry, EntryKind, Head, LogRecord, Message, Reaction
from nottermost_chat.ports import AppendRefused, Batch, HeadMove, OpKey, RepublishNote, Stored, key_of
from nottermost_conventions.tables import LOG, TEXTS

PLACES_MAX: Final = 50_000  # message ids whose places are in memory; they never change
DIGESTS_MAX: Final = 10_000  # long texts put and not referred to yet; an ingest has few under way
UNREFERENCED_S: Final = 24 * 3600  # then the table's time to live removes a text that no entry refers to
REACTIONS_GAP: Final = 50  # messages this near to each other share a query for reactions: it reads 4 KB at least anyway
TRIM_PAGE: Final = 100  # entries removed at a time
TRIES: Final = 5  # reading again what changed meanwhile
FIRST: Final = " "  # below every sort key of ours,
LAST: Final = "\uffff"  # and above

ALL: Final = tuple(Stream)
NO_BODY: Final[Mapping[str, Value | Presence]] = {"body": None}
UNREFERENCED: Final[Mapping[str, Value | Presence]] = {"expires_at": PRESENT}
NAMED_RECORDS: Final = frozenset((EntryKind.MESSAGE, EntryKind.EDIT, EntryKind.DELETE))  # whose records carry a text


class DynamoStore:
    """MessageStore on two tables. An instance remembers only what never changes."""

    limits = LIMITS

    def __init__(self, tables: DynamoTables, clock: Clock) -> None:
        self._tables, self._clock = tables, clock
        self._places: OrderedDict[MessageKey, str] = OrderedDict()
        self._digests: OrderedDict[tuple[str, int], str] = OrderedDict()

    @classmethod
    async def open(
        cls, *, table_log: str, table_texts: str, metrics: Metrics, clock: Clock, session: AioSession | None = None
    ) -> "DynamoStore":
        """Region, endpoint and credentials are found as every AWS SDK finds them. Nothing is connected yet."""
        names = {LOG: table_log, TEXTS: table_texts}
        return cls(await DynamoTables.open(names, metrics, clock.monotonic, session), clock)

    async def close(self) -> None:
        await self._tables.close()

    # --- appending ----------------------------------------------------------------------------

    async def append(self, batch: Batch) -> list[int]:
        """See MessageStore.append. The positions are 0: the log is not here.

        When it is not known whether an append was committed it is tried again under the same token, and
        takes effect once. Where DynamoDB has forgotten the token it is refused, naming its own entries as repeats.
        """
        layout = lay_out(batch, await self._read_concerned(batch))
        if layout.stale:
            raise await self._refuse(batch, layout.stale)
        await self._blank_edits(batch)
        try:
            await self._tables.transact(layout.writes)
        except ConditionFailed as failed:
            about = [layout.writes[index].about for index in failed.places]
            raise await self._refuse(batch, [message_id for message_id in about if message_id]) from failed
        for new in batch.entries:
            if new.entry.kind is EntryKind.MESSAGE:
                self._remember(new.entry)
        await self._drop_reactions(batch)
        return [0] * len(batch.entries)

    async def _read_concerned(self, batch: Batch) -> Concerned:
        added = {
            (new.entry.conversation_id, new.entry.message_id)
            for new in batch.entries
            if new.entry.kind is EntryKind.MESSAGE
        }
        wanted = {(new.entry.conversation_id, each) for new in batch.entries for each in concerned_ids(new.entry)}
        rows = await self._rows_of(wanted - added)
        turned = {
            (new.entry.conversation_id, new.target.message_id): new.target.deleted
            for new in batch.entries
            if new.target is not None and new.target.deleted != new.target.deleted_from
        }
        losing: dict[MessageKey, int] = defaultdict(int)
        for key, deleted in turned.items():
            row = rows.get(key)
            if row is not None and row.entry.detail.thread_id is not None:
                losing[key[0], row.entry.detail.thread_id] += deleted
        rows |= await self._rows_of({*losing} - rows.keys() - added)
        shrunk = [key for key, count in losing.items() if count]
        replies = await asyncio.gather(*(self._last_replies(key, losing[key] + 1) for key in shrunk))
        digests = {
            key: digest
            for new in batch.entries
            for key in _texts_of(new.entry)
            if (digest := self._digests.pop(key, None))
        }
        return Concerned(rows, dict(zip(shrunk, replies, strict=True)), digests)

    async def _last_replies(self, root: MessageKey, count: int) -> tuple[Reply, ...]:
        """The last replies of a thread that show, newest first."""
        conversation_id, root_id = root
        found: list[Row] = []
        before = SEQ_MAX
        while True:
            places = await self._places_in_thread(conversation_id, root_id, 1, before, count, newest_first=True)
            rows = await self._rows_at([Key(LOG, conversation_id, place) for place in places])
            found += [row for row in rows if row.is_shown]
            if len(found) >= count or len(places) < count:
                return tuple((row.entry.created_at, row.entry.message_id) for row in found[:count])
            before = _seq_in(places[-1]) - 1

    async def _refuse(self, batch: Batch, stale: Sequence[str]) -> AppendRefused:
        """Why the batch was not written, read anew: what refused it is still there, or came and went."""
        targets = {
            (new.entry.conversation_id, new.target.message_id): new.target
            for new in reversed(batch.entries)
            if new.target
        }
        heads, repeats, rows = await asyncio.gather(
            self.heads([move.expected.conversation_id for move in batch.moves]),
            self.stored([key_of(new.entry) for new in batch.entries]),
            self._rows_of(targets),
        )
        lost = [move.expected.conversation_id for move in batch.moves if _is_lost(move, heads)]
        changed = [target.message_id for key, target in targets.items() if not is_as_expected(rows.get(key), target)]
        named = changed if lost else [*changed, *stale]  # a lost head moves every message that it changed
        return AppendRefused(repeats, lost, tuple(dict.fromkeys(named)))

    async def _blank_edits(self, batch: Batch) -> None:
        """A redacted message's edits lose their fingerprints, and first: who does it again after a crash finds them."""
        for new in batch.entries:
            target = new.target
            if target is None or not target.redacted or target.version_from == 1:
                continue
            edits = await self._edits_of(
                new.entry.conversation_id, target.message_id, target.seq, target.version_from - 1
            )
            for edit in edits:
                await self._tables.write(
                    Write(action="Update", key=edit.key, sets={"fingerprint": None}, expects={"entry": PRESENT})
                )

    async def _edits_of(self, conversation_id: str, message_id: str, seq: int, count: int) -> list[Row]:
        def is_edit(item: Item) -> bool:
            entry = read_row(conversation_id, item).entry
            return entry.kind is EntryKind.EDIT and entry.message_id == message_id

        items = await self._tables.query(
            LOG, conversation_id, place(Stream.ENTRY, seq), place(Stream.ENTRY, SEQ_MAX), limit=count, keep=is_edit
        )
        return [read_row(conversation_id, item) for item in items]

    async def _drop_reactions(self, batch: Batch) -> None:
        """Those of redacted messages show no more; what a crash leaves of them says no more than the log does."""
        for new in batch.entries:
            if new.target is not None and new.target.redacted:
                reactions = await self._reactions_between(new.entry.conversation_id, new.target.seq, new.target.seq)
                await self._tables.delete(_reaction_key(new.entry.conversation_id, each) for each in reactions)

    async def put_text(self, message_id: str, version: int, body: str) -> None:
        key, now_ms = body_key(message_id, version), self._clock.now_ms()
        digest = hashlib.blake2b(body.encode(), digest_size=16).hexdigest()
        sets: dict[str, Value] = {
            "body": body, "digest": digest, "written_at": now_ms, "expires_at": now_ms // 1000 + UNREFERENCED_S,
        }  # fmt: skip
        self._digests[message_id, version] = digest
        if len(self._digests) > DIGESTS_MAX:
            self._digests.popitem(last=False)
        for expects in (NO_BODY, UNREFERENCED):  # one in use stays
            if await self._tables.write(Write(action="Put", key=key, sets=sets, expects=expects)):
                return

    async def collect_texts(self, older_than_ms: int) -> int:
        """See MessageStore.collect_texts. On AWS the table's time to live does it, and this has nothing left to do."""
        if not self._tables.are_local:
            return 0
        done = 0
        for item in await self._tables.scan(TEXTS, "expires_at", "written_at"):
            written_at = read_values(item)["written_at"]
            if isinstance(written_at, int) and written_at < older_than_ms:
                expects = {"written_at": written_at, **UNREFERENCED}
                done += await self._tables.write(Write(action="Delete", key=read_key(TEXTS, item), expects=expects))
        return done

    # --- heads, operations, entries -----------------------------------------------------------

    async def heads(self, conversation_ids: Sequence[str]) -> dict[str, Head]:
        found = await self._tables.get(head_key(conversation_id) for conversation_id in conversation_ids)
        return {key.partition: read_head(key.partition, item).head for key, item in found.items()}

    async def _head_row(self, conversation_id: str) -> HeadRow | None:
        key = head_key(conversation_id)
        found = await self._tables.get([key])
        return read_head(conversation_id, found[key]) if key in found else None

    async def stored(self, keys: Sequence[OpKey]) -> dict[OpKey, Stored]:
        wanted = {operation_key(key): key for key in keys}
        operations = await self._tables.get(wanted)
        places = {key: Key(LOG, key.partition, read_string(item, "at")) for key, item in operations.items()}
        rows = {row.key: row for row in await self._rows_at(places.values())}
        return {
            wanted[key]: Stored(rows[place].entry, rows[place].fingerprint)
            for key, place in places.items()
            if place in rows
        }

    async def entries(self, conversation_id: str, after_seq: int, limit: int) -> list[Entry]:
        return [row.entry for row in await self._entry_rows(conversation_id, after_seq, limit)]

    async def _entry_rows(self, conversation_id: str, after_seq: int, limit: int) -> list[Row]:
        """Seqs have no gaps, so a range of them is a page; only below the floor there may be nothing."""
        rows = await self._rows_between(conversation_id, ALL, after_seq + 1, after_seq + limit)
        if rows and rows[0].entry.seq == after_seq + 1:
            return rows
        known = await self._head_row(conversation_id)
        if known is None or known.head.floor_seq <= after_seq:
            return rows
        floor_seq = known.head.floor_seq
        if known.trimming:
            left = await self._rows_between(conversation_id, ALL, after_seq + 1, floor_seq, limit=limit)
            if left:
                return left
        return await self._rows_between(conversation_id, ALL, floor_seq + 1, floor_seq + limit)

    async def records(self, conversation_id: str, after_seq: int, limit: int) -> list[LogRecord]:
        rows, texts = await asyncio.gather(
            self._entry_rows(conversation_id, after_seq, limit),
            self._texts_between(conversation_id, after_seq + 1, after_seq + limit),
        )
        about = {(conversation_id, row.entry.message_id) for row in rows if row.entry.kind in NAMED_RECORDS}
        known = {(conversation_id, row.entry.message_id): row for row in rows if row.entry.kind is EntryKind.MESSAGE}
        shown = await self._messages(known | await self._rows_of(about - known.keys()), texts, reactions=False)
        records = []
        for row in rows:
            message = shown.get((conversation_id, row.entry.message_id)) if row.entry.kind in NAMED_RECORDS else None
            text, has_more = (None, False) if message is None else (message.text, message.has_more)
            records.append(LogRecord(row.entry, row.large, text, has_more, row.silent))
        return records

    # --- messages -----------------------------------------------------------------------------

    async def messages(self, conversation_id: str, message_ids: Sequence[str]) -> dict[str, Message]:
        rows = await self._rows_of((conversation_id, message_id) for message_id in message_ids)
        return {message_id: message for (_, message_id), message in (await self._messages(rows)).items()}

    async def full_message(self, conversation_id: str, message_id: str) -> Message | None:
        key = (conversation_id, message_id)
        for _ in range(TRIES):
            rows = await self._rows_of([key])
            message = (await self._messages(rows)).get(key)
            if message is None or message.text is None or not message.has_more:
                return message
            body = await self._body(rows[key])
            if body is not None:
                return msgspec.structs.replace(message, text=body)
        raise Unavailable(f"message {message_id} changes too fast to read it: try again")

    async def _body(self, row: Row) -> str | None:
        """The whole text; None: it was replaced since."""
        short, long = row.text_key, body_key(row.entry.message_id, row.version)
        found = await self._tables.get([long] if row.long else [short], "body")
        return read_string(found[key], "body") if (key := long if row.long else short) in found else None

    async def history(
        self,
        conversation_id: str,
        *,
        limit: int,
        after_seq: int | None = None,
        before_seq: int | None = None,
        thread_id: str | None = None,
        roots_only: bool = False,
        floor_seq: int = 0,
    ) -> list[Message]:
        newest_first = after_seq is None
        first = max(floor_seq, after_seq or 0) + 1
        last = before_seq - 1 if newest_first and before_seq is not None else SEQ_MAX
        streams = MESSAGES[:1] if roots_only else MESSAGES
        texts: Mapping[Key, Text] = {}
        if thread_id is None:
            rows, texts = await asyncio.gather(
                self._rows_between(conversation_id, streams, first, last, limit=limit, newest_first=newest_first),
                self._texts_between(conversation_id, first, last, limit=limit, newest_first=newest_first),
            )
        else:
            rows = await self._thread_rows(conversation_id, thread_id, first, last, limit, newest_first=newest_first)
            rows = [row for row in rows if stream_of(row.entry) in streams]
        shown = await self._messages({(conversation_id, row.entry.message_id): row for row in rows}, texts)
        return sorted(shown.values(), key=lambda message: message.entry.seq)

    async def _thread_rows(
        self, conversation_id: str, root_id: str, first: int, last: int, limit: int, *, newest_first: bool
    ) -> list[Row]:
        root, places = await asyncio.gather(
            self._rows_of([(conversation_id, root_id)]),
            self._places_in_thread(conversation_id, root_id, first, last, limit, newest_first=newest_first),
        )
        rows = [row for row in root.values() if first <= row.entry.seq <= last]
        rows += await self._rows_at([Key(LOG, conversation_id, place) for place in places])
        return sorted(rows, key=lambda row: row.entry.seq, reverse=newest_first)[:limit]

    async def _places_in_thread(
        self, conversation_id: str, root_id: str, first: int, last: int, limit: int, *, newest_first: bool
    ) -> list[str]:
        low, high = (str(thread_key(conversation_id, root_id, seq).sort) for seq in (first, last))
        items = await self._tables.query(LOG, conversation_id, low, high, limit=limit, newest_first=newest_first)
        return [read_string(item, "at") for item in items]

    async def last_messages(self, conversation_ids: Sequence[str]) -> dict[str, Message]:
        heads = await self._tables.get((head_key(conversation_id) for conversation_id in conversation_ids), "newest")
        newest = [
            Key(LOG, key.partition, read_string(item, "newest")) for key, item in heads.items() if "newest" in item
        ]
        rows = {row.entry.conversation_id: row for row in await self._rows_at(newest) if row.is_shown}
        hidden = [key.partition for key in newest if key.partition not in rows]
        for row in await asyncio.gather(*(self._newest_shown(conversation_id) for conversation_id in hidden)):
            if row is not None:
                rows[row.entry.conversation_id] = row
        shown = await self._messages({(key, row.entry.message_id): row for key, row in rows.items()}, reactions=False)
        return {conversation_id: message for (conversation_id, _), message in shown.items() if message.text is not None}

    async def _newest_shown(self, conversation_id: str) -> Row | None:
        rows = await self._rows_between(
            conversation_id,
            MESSAGES,
            1,
            SEQ_MAX,
            limit=1,
            newest_first=True,
            keep=lambda item: "deleted_at" not in item,
        )
        return rows[0] if rows else None

    async def seq_at(self, conversation_id: str, at: int) -> int:
        head = (await self.heads([conversation_id])).get(conversation_id)
        low, high = 1, 1 if head is None else head.seq + 1
        while low < high:  # times do not fall from message to message, so they can be searched by halves
            middle = (low + high) // 2
            found = await self._rows_between(conversation_id, MESSAGES, middle, SEQ_MAX, limit=1)
            if found and _shown_at(found[0].entry) < at:
                low = found[0].entry.seq + 1
            else:
                high = middle
        return low

    async def deleted_before(self, deleted_at: int, limit: int) -> list[Entry]:
        last = f"{deleted_at - 1:016d}{LAST}"
        parts = await asyncio.gather(
            *(self._tables.query(LOG, deleted_partition(shard), FIRST, last, limit=limit) for shard in range(SHARDS))
        )
        items = sorted((item for part in parts for item in part), key=lambda item: str(read_key(LOG, item).sort))[
            :limit
        ]
        places = [Key(LOG, read_string(item, "conversation_id"), read_string(item, "at")) for item in items]
        return [row.entry for row in await self._rows_at(places)]

    # --- rows and what belongs to them --------------------------------------------------------

    async def _rows_between(
        self, conversation_id: str, streams: Iterable[Stream], first: int, last: int, *, limit: int | None = None,
        newest_first: bool = False, keep: Callable[[Item], bool] | None = None,
    ) -> list[Row]:  # fmt: skip
        """The rows of these seqs, both ends included, in order."""
        if first > last:
            return []
        parts = await asyncio.gather(
            *(
                self._tables.query(
                    LOG, conversation_id, place(stream, first), place(stream, last), limit=limit,
                    newest_first=newest_first, keep=keep,
                )
                for stream in streams
            )
        )  # fmt: skip
        rows = [read_row(conversation_id, item) for part in parts for item in part]
        rows.sort(key=lambda row: row.entry.seq, reverse=newest_first)
        return rows[:limit]

    async def _texts_between(
        self, conversation_id: str, first: int, last: int, *, limit: int | None = None, newest_first: bool = False
    ) -> dict[Key, Text]:
        """The texts of these seqs that are no replies, read beside their rows. A message has one at most, so a page
        has as many as are asked for."""
        low, high = place(Stream.MESSAGE, first), place(Stream.MESSAGE, last) + LAST
        items = await self._tables.query(
            TEXTS, conversation_id, low, high, limit=limit, newest_first=newest_first, only=("preview", "has_more")
        )
        return {read_key(TEXTS, item): read_text(item) for item in items}

    async def _rows_at(self, keys: Iterable[Key]) -> list[Row]:
        """Rows by their keys, in that order; those that are gone are left out."""
        wanted = list(keys)
        found = await self._tables.get(wanted)
        return [read_row(key.partition, found[key]) for key in wanted if key in found]

    async def _rows_of(self, keys: Iterable[MessageKey]) -> dict[MessageKey, Row]:
        """Messages by their ids."""
        wanted = list(keys)
        unknown = {id_key(*key): key for key in wanted if key not in self._places}
        found = await self._tables.get(unknown)
        places = {unknown[key]: read_string(item, "at") for key, item in found.items()}
        places |= {key: self._places[key] for key in wanted if key in self._places}
        rows = await self._rows_at(Key(LOG, conversation_id, at) for (conversation_id, _), at in places.items())
        for row in rows:
            self._remember(row.entry)
        return {(row.entry.conversation_id, row.entry.message_id): row for row in rows}

    def _remember(self, entry: Entry) -> None:
        key = (entry.conversation_id, entry.message_id)
        self._places[key] = place(stream_of(entry), entry.seq)
        self._places.move_to_end(key)
        if len(self._places) > PLACES_MAX:
            self._places.popitem(last=False)

    async def _messages(
        self, rows: Mapping[MessageKey, Row], texts: Mapping[Key, Text] | None = None, *, reactions: bool = True
    ) -> dict[MessageKey, Message]:
        """The rows with their texts. A text that is not there was replaced since: then the row is read again.

        Args:
            texts: some that were read beside the rows.
        """
        current, known = dict(rows), dict(texts or {})
        left = current
        for _ in range(TRIES):
            wanted = {row.text_key: key for key, row in left.items() if row.is_shown}
            found = await self._tables.get(wanted.keys() - known.keys(), "preview", "has_more")
            known |= {key: read_text(item) for key, item in found.items()}
            missing = [wanted[key] for key in wanted if key not in known]
            if not missing:
                break
            again = await self._rows_of(missing)
            left = {key: row for key, row in again.items() if row != current[key]}  # an equal one never had a text
            current = {key: row for key, row in current.items() if key not in missing} | again
        else:
            raise Unavailable("the messages change too fast to read them: try again")
        reacted = [row for row in current.values() if row.reacted and row.is_shown] if reactions else []
        shown = await self._reactions(reacted)
        return {key: _make_message(row, known.get(row.text_key), shown.get(key, ())) for key, row in current.items()}

    async def _reactions(self, rows: Sequence[Row]) -> dict[MessageKey, tuple[Reaction, ...]]:
        """Reactions of these messages: one query for those that are near to each other."""
        seqs: dict[str, dict[int, str]] = defaultdict(dict)
        for row in rows:
            seqs[row.entry.conversation_id][row.entry.seq] = row.entry.message_id
        runs = [
            (conversation_id, *run) for conversation_id, known in seqs.items() for run in in_runs(known, REACTIONS_GAP)
        ]
        found = await asyncio.gather(*(self._reactions_between(*run) for run in runs))
        users: dict[MessageKey, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for (conversation_id, _, _), reactions in zip(runs, found, strict=True):
            for one in sorted(reactions, key=lambda one: one.seq):
                message_id = seqs[conversation_id].get(one.target_seq, "")
                users[conversation_id, message_id][one.emoji].append(one.user)
        return {key: tuple(Reaction(emoji, tuple(who)) for emoji, who in given.items()) for key, given in users.items()}

    async def _reactions_between(self, conversation_id: str, first: int, last: int) -> list[ReactionRow]:
        low, high = (str(reaction_key(conversation_id, seq, "", "").sort).removesuffix("#") for seq in (first, last))
        return [read_reaction(item) for item in await self._tables.query(LOG, conversation_id, low, high + LAST)]

    # --- retention and republishing -----------------------------------------------------------

    async def trim(self, conversation_id: str, floor_seq: int, *, seen_seq: int | None = None) -> bool:
        """See MessageStore.trim. Goes in many steps, the floor first; if it ends early, trim again.

        A message that is edited, deleted or redacted meanwhile stays. A reaction that comes meanwhile goes with it.
        """
        head = (await self.heads([conversation_id])).get(conversation_id)
        if head is None:
            return True
        floor = min(floor_seq, head.seq - 1)  # the last entry stays
        if seen_seq is not None and await self._is_acted_on(conversation_id, floor, seen_seq, head.seq):
            return False
        top = await self._raise_floor(conversation_id, floor)
        while rows := await self._rows_between(conversation_id, ALL, 1, floor, limit=TRIM_PAGE):
            if seen_seq is not None and any(row.changed_seq > seen_seq for row in rows):
                return False
            await self._remove(conversation_id, rows)
        if floor == top or not await self._rows_between(conversation_id, ALL, 1, top, limit=1):
            done = Write(
                action="Update", key=head_key(conversation_id), sets={"trimming": None}, expects={"floor_seq": top}
            )
            await self._tables.write(done)  # not if somebody else trims further now
        return True

    async def half_trimmed(self, conversation_ids: Sequence[str]) -> frozenset[str]:
        found = await self._tables.get((head_key(conversation_id) for conversation_id in conversation_ids), "trimming")
        return frozenset(key.partition for key, item in found.items() if "trimming" in item)

    async def _is_acted_on(self, conversation_id: str, floor: int, seen_seq: int, last_seq: int) -> bool:
        """Whether an entry after `seen_seq` is about one at or below the floor."""
        later = await self._rows_between(conversation_id, [Stream.ENTRY], seen_seq + 1, last_seq)
        return any(0 < row.entry.target_seq <= floor for row in later)

    async def _raise_floor(self, conversation_id: str, floor: int) -> int:
        """At least so far, with a mark that stays until everything below is gone; returns where it is."""
        for _ in range(TRIES):
            head = (await self.heads([conversation_id])).get(conversation_id)
            if head is None or floor <= head.floor_seq:
                return floor if head is None else head.floor_seq
            raised = Write(
                action="Update", key=head_key(conversation_id), sets={"floor_seq": floor, "trimming": True},
                expects={"floor_seq": head.floor_seq},
            )  # fmt: skip
            if await self._tables.write(raised):
                return floor
        raise Unavailable(f"conversation {conversation_id} is trimmed by somebody else: try again")

    async def _remove(self, conversation_id: str, rows: Sequence[Row]) -> None:
        """Entries, but for those that change meanwhile: whoever trims reads them again."""
        parts = await asyncio.gather(*(self._dependents(row) for row in rows))
        await self._tables.delete(key for part in parts for key in part)
        # Last, because they lead to the others; one that was changed meanwhile may lead to more.
        gone = await asyncio.gather(*(self._remove_row(row) for row in rows))
        seqs = {row.entry.seq for row, is_gone in zip(rows, gone, strict=True) if is_gone}
        late = await self._reactions_between(conversation_id, rows[0].entry.seq, rows[-1].entry.seq)
        await self._tables.delete(_reaction_key(conversation_id, each) for each in late if each.target_seq in seqs)

    async def _remove_row(self, row: Row) -> bool:
        """With what it is found by. False: it is not any more as it was read."""
        if row.entry.kind is not EntryKind.MESSAGE:
            return await self._tables.write(remove_row(row))
        self._places.pop((row.entry.conversation_id, row.entry.message_id), None)
        try:
            await self._tables.transact(
                [remove_row(row), Write(action="Delete", key=id_key(row.entry.conversation_id, row.entry.message_id))]
            )
        except ConditionFailed:
            return False
        return True

    async def _dependents(self, row: Row) -> Collection[Key]:
        """The keys of what has no meaning without an entry, but for the one that a message is found by."""
        entry = row.entry
        keys = {operation_key(key_of(entry))}
        if entry.kind is not EntryKind.MESSAGE:
            return keys
        keys.add(row.text_key)
        if row.long:
            keys.add(body_key(entry.message_id, row.version))
        if entry.detail.thread_id is not None:
            keys.add(thread_key(entry.conversation_id, entry.detail.thread_id, entry.seq))
        if row.deleted_at is not None:
            keys.add(deleted_key(entry, row.deleted_at))
        if row.reacted:
            reactions = await self._reactions_between(entry.conversation_id, entry.seq, entry.seq)
            keys |= {_reaction_key(entry.conversation_id, each) for each in reactions}
        return keys

    async def note_republish(self, notes: Sequence[RepublishNote]) -> None:
        await asyncio.gather(*(self._note(note) for note in notes))

    async def _note(self, note: RepublishNote) -> None:
        key = note_key(note)
        for _ in range(TRIES):
            found = await self._tables.get([key])
            known = read_note(found[key]) if key in found else None
            wanted = note if known is None else _join(known, note)
            if wanted == known:
                return
            expects = {"owner": None} if known is None else note_values(known)
            if await self._tables.write(Write(action="Put", key=key, sets=note_values(wanted), expects=expects)):
                return
        raise Unavailable(f"the note of conversation {note.conversation_id} changes too fast: try again")

    async def republish_notes(self, owner: str, *, abandoned_before: int, limit: int) -> list[RepublishNote]:
        def is_wanted(item: Item) -> bool:
            note = read_note(item)
            return note.owner == owner or note.noted_at < abandoned_before

        parts = await asyncio.gather(
            *(
                self._tables.query(LOG, notes_partition(shard), FIRST, LAST, limit=limit, keep=is_wanted)
                for shard in range(SHARDS)
            )
        )
        return [read_note(item) for part in parts for item in part][:limit]

    async def clear_republish(self, note: RepublishNote) -> None:
        await self._tables.write(Write(action="Delete", key=note_key(note), expects=note_values(note)))


def _make_message(row: Row, text: Text | None, reactions: tuple[Reaction, ...]) -> Message:
    shown = text if row.is_shown else None
    return Message(
        row.entry, None if shown is None else shown.preview, shown is not None and shown.has_more, row.version,
        row.changed_seq, row.edited_at, row.deleted_at, row.redacted, reactions if row.is_shown else (),
        row.replies, row.last_reply_at,
    )  # fmt: skip


def _join(known: RepublishNote, note: RepublishNote) -> RepublishNote:
    """Of one owner's notes the lowest seq and the latest time count."""
    return msgspec.structs.replace(
        known, from_seq=min(known.from_seq, note.from_seq), noted_at=max(known.noted_at, note.noted_at)
    )


def _is_lost(move: HeadMove, heads: Mapping[str, Head]) -> bool:
    now = heads.get(move.expected.conversation_id)
    return move.expected.seq != 0 if now is None else now.position != move.expected.position


def _texts_of(entry: Entry) -> list[tuple[str, int]]:
    """Message and version of the text that an entry brings."""
    return [(entry.message_id, entry.detail.version)] if entry.kind in (EntryKind.MESSAGE, EntryKind.EDIT) else []


def _shown_at(entry: Entry) -> int:
    return entry.created_at if entry.detail.sent_at is None else entry.detail.sent_at


def _reaction_key(conversation_id: str, reaction: ReactionRow) -> Key:
    return reaction_key(conversation_id, reaction.target_seq, reaction.user, reaction.emoji)


def _seq_in(place: str) -> int:
    return int(place.partition("#")[2])
