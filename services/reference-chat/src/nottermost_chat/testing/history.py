"""Checks what clients sent and saw against what is stored: the chat's promises, over a recorded history.

`check_history` is a pure function of values, whoever recorded them: a client library in one
process, raw sockets against a cluster, or a test that makes a history up. Events are listed in
the order in which they really happened (one recorder, or clocks that agree): that an
acknowledged message stays before what is sent later is judged by it.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from operator import attrgetter, itemgetter

import msgspec

from nottermost_chat.model import Position

SendKey = tuple[str, str, str]  # (conversation_id, sender_id, client_msg_id)
Place = tuple[str, Position]  # a conversation and a position in it
NOWHERE: Position = (0, 0)  # before everything


class Sent(msgspec.Struct, frozen=True):
    """A send was invoked. A repeat under the same id is no new event."""

    conversation_id: str
    sender_id: str
    client_msg_id: str
    body: str

    @property
    def key(self) -> SendKey:
        return (self.conversation_id, self.sender_id, self.client_msg_id)


class Acknowledged(msgspec.Struct, frozen=True):
    """The chat said that the message is stored, and where."""

    conversation_id: str
    sender_id: str
    client_msg_id: str
    message_id: str
    epoch: int
    seq: int

    @property
    def key(self) -> SendKey:
        return (self.conversation_id, self.sender_id, self.client_msg_id)

    @property
    def position(self) -> Position:
        return (self.epoch, self.seq)


class Refused(msgspec.Struct, frozen=True):
    """The chat said for good that the message is not stored.

    A send that got neither answer is unknown: it may be stored once, or not at all.
    """

    conversation_id: str
    sender_id: str
    client_msg_id: str

    @property
    def key(self) -> SendKey:
        return (self.conversation_id, self.sender_id, self.client_msg_id)


class LogEntry(msgspec.Struct, frozen=True):
    """One entry of a conversation, as a client got it.

    Attributes:
        client_msg_id: of a message; of other entries it is not compared.
        body: None: not all of it came (a preview), or it is not what was sent (edited, deleted).
    """

    conversation_id: str
    epoch: int
    seq: int
    kind: str
    message_id: str = ""
    sender_id: str = ""
    client_msg_id: str = ""
    body: str | None = None

    @property
    def key(self) -> SendKey:
        return (self.conversation_id, self.sender_id, self.client_msg_id)

    @property
    def position(self) -> Position:
        return (self.epoch, self.seq)

    @property
    def place(self) -> Place:
        return (self.conversation_id, self.position)


class Following(msgspec.Struct, frozen=True):
    """From here on a reader is owed every entry after a position; said again after a `reset`.

    Attributes:
        reader: one device of one user.
        raw: it speaks the socket itself: what it resumes may be entries that it has seen.
    """

    reader: str
    conversation_id: str
    after: Position
    raw: bool = False


class Seen(msgspec.Struct, frozen=True):
    """A reader got an entry.

    Attributes:
        connection: counts the reader's connections; the client library, which is one line over
            all of them, may leave it at 0.
    """

    reader: str
    entry: LogEntry
    connection: int = 0


class PageAsked(msgspec.Struct, frozen=True):
    """A user asks for the newest page of a conversation's history; `page` tells its answer from others."""

    user_id: str
    conversation_id: str
    page: int


class PageAnswered(msgspec.Struct, frozen=True):
    """The page came; `newest`: the position of its last message."""

    user_id: str
    conversation_id: str
    page: int
    newest: Position


Event = Sent | Acknowledged | Refused | Following | Seen | PageAsked | PageAnswered


class Log(msgspec.Struct, frozen=True):
    """A whole conversation as somebody read it when all was over.

    Attributes:
        entries: in the order in which they were given, those that are no messages too.
        floor_seq: entries at or below it were removed by retention.
    """

    conversation_id: str
    read_by: str
    entries: tuple[LogEntry, ...]
    floor_seq: int = 0


class History(msgspec.Struct, frozen=True):
    """All that was recorded. The first log of a conversation is what the others are compared with."""

    events: tuple[Event, ...]
    logs: tuple[Log, ...]


class ViolationKind(StrEnum):
    """A promise of the chat that was broken; the worst first."""

    ACKNOWLEDGED_MISSING = "acknowledged_missing"
    STORED_TWICE = "stored_twice"
    REFUSED_STORED = "refused_stored"
    PHANTOM = "phantom"  # stored, but nobody sent it
    SEEN_NOT_STORED = "seen_not_stored"
    BODY_DIFFERS = "body_differs"
    READERS_DISAGREE = "readers_disagree"
    ACK_DIFFERS = "ack_differs"  # from what is stored: position or message id
    SEQ_GAP = "seq_gap"
    SEQ_REPEAT = "seq_repeat"
    LOG_OUT_OF_ORDER = "log_out_of_order"
    LATER_BEFORE_EARLIER = "later_before_earlier"  # behind a message that was sent after its acknowledgement
    NOT_SEEN = "not_seen"  # by a reader who was owed it
    SEEN_OUT_OF_ORDER = "seen_out_of_order"
    SEEN_TWICE = "seen_twice"
    OWN_WRITE_NOT_READ = "own_write_not_read"  # a page that was asked for after the acknowledgement lacks it
    READ_WENT_BACK = "read_went_back"  # a page ends before one that the same user had read already


class Violation(msgspec.Struct, frozen=True):
    """What is wrong, where, and a sentence with what was found and expected."""

    kind: ViolationKind
    conversation_id: str
    sentence: str


class Result(StrEnum):
    """What a history proves."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"  # too little happened, or too little was read in the end: that is no pass


class Verdict(msgspec.Struct, frozen=True):
    """What came of checking a history.

    Attributes:
        reason: a sentence.
        counts: violations by kind.
        worst: at most SHOWN_MAX of each kind, the worst kinds first.
    """

    result: Result
    reason: str
    counts: Mapping[ViolationKind, int]
    worst: tuple[Violation, ...]


SHOWN_MAX = 32


def judge(history: History) -> Verdict:
    """Whether the promises were kept.

    Takes time linear in the number of events, of entries in the logs and of violations, however often readers are
    reset; only sorting, and finding the place of a reset, add the logarithm that they cost.
    """
    found: dict[ViolationKind, list[Violation]] = {kind: [] for kind in ViolationKind}
    for violation in check_history(history):
        found[violation.kind].append(violation)
    counts = {kind: len(violations) for kind, violations in found.items() if violations}
    if counts:
        worst = tuple(violation for violations in found.values() for violation in violations[:SHOWN_MAX])
        return Verdict(Result.INVALID, f"{sum(counts.values())} violations; {worst[0].sentence}", counts, worst)
    unproved = _find_unproved(history)
    if unproved:
        return Verdict(Result.UNKNOWN, unproved, {}, ())
    acknowledged = sum(isinstance(event, Acknowledged) for event in history.events)
    seen = sum(isinstance(event, Seen) for event in history.events)
    return Verdict(Result.VALID, f"{acknowledged} acknowledged, {seen} seen, nothing wrong", {}, ())


def _find_unproved(history: History) -> str:
    """Why the history proves nothing; "": it does."""
    acknowledged = {event.conversation_id for event in history.events if isinstance(event, Acknowledged)}
    if not acknowledged:
        return "nothing was acknowledged"
    if unread := acknowledged - {log.conversation_id for log in history.logs}:
        return f"{len(unread)} conversations were written to and not read in the end, {min(unread)} among them"
    followed = {event.conversation_id for event in history.events if isinstance(event, Following)}
    if unfollowed := acknowledged - followed:
        return f"nobody followed {len(unfollowed)} conversations that were written to, {min(unfollowed)} among them"
    if not any(isinstance(event, Seen) for event in history.events):
        return "nobody saw anything"
    return ""


def check_history(history: History) -> list[Violation]:
    """Every violation; none: all promises were kept.

    A conversation of which no log was read is checked only as far as its readers agree.
    """
    logs: dict[str, Log] = {}
    for log in history.logs:
        logs.setdefault(log.conversation_id, log)
    return [
        *_check_sends(history.events, logs),
        *_check_order(history.events, logs),
        *(violation for log in history.logs for violation in _check_seqs(log)),
        *_check_agreement(history, logs),
        *_check_readers(history.events, logs),
        *_check_pages(history.events),
    ]


def _check_sends(events: Iterable[Event], logs: Mapping[str, Log]) -> Iterator[Violation]:
    """What was sent is stored: once if acknowledged, never if refused, else at most once."""
    stored: dict[SendKey, list[LogEntry]] = defaultdict(list)
    for log in logs.values():
        for entry in log.entries:
            if entry.kind == "message":
                stored[entry.key].append(entry)
    sent: dict[SendKey, Sent] = {}
    for event in events:
        found = stored.get(event.key, []) if isinstance(event, Sent | Acknowledged | Refused) else []
        match event:
            case Sent():
                sent[event.key] = event
            case Acknowledged() if event.conversation_id in logs:
                yield from _check_acknowledged(event, found)
            case Refused() if found:
                yield Violation(
                    ViolationKind.REFUSED_STORED, event.conversation_id,
                    f"{event.client_msg_id} was refused and is stored at {found[0].position}",
                )  # fmt: skip
            case _:
                pass
    for key, entries in stored.items():
        yield from _check_stored(sent.get(key), entries)


def _check_acknowledged(ack: Acknowledged, found: list[LogEntry]) -> Iterator[Violation]:
    if not found:
        yield Violation(
            ViolationKind.ACKNOWLEDGED_MISSING, ack.conversation_id,
            f"{ack.client_msg_id} was acknowledged at {ack.position} and is not stored",
        )  # fmt: skip
    elif all((entry.position, entry.message_id) != (ack.position, ack.message_id) for entry in found):
        entry = found[0]
        yield Violation(
            ViolationKind.ACK_DIFFERS, ack.conversation_id,
            f"{ack.client_msg_id} was acknowledged as {ack.message_id} at {ack.position},"
            f" stored as {entry.message_id} at {entry.position}",
        )  # fmt: skip


def _check_stored(sent: Sent | None, entries: list[LogEntry]) -> Iterator[Violation]:
    entry = entries[0]
    if len(entries) > 1:
        places = ", ".join(str(each.position) for each in entries)
        yield Violation(
            ViolationKind.STORED_TWICE, entry.conversation_id, f"{entry.client_msg_id} is stored at {places}"
        )
    if sent is None:
        yield Violation(
            ViolationKind.PHANTOM, entry.conversation_id,
            f"{entry.client_msg_id or entry.message_id} is stored at {entry.position} and was never sent",
        )  # fmt: skip
        return
    for each in entries:
        if each.body is not None and each.body != sent.body:
            yield Violation(
                ViolationKind.BODY_DIFFERS, each.conversation_id,
                f"{each.client_msg_id} at {each.position} has another body than was sent",
            )  # fmt: skip


def _check_order(events: Iterable[Event], logs: Mapping[str, Log]) -> Iterator[Violation]:
    """What was acknowledged before another send began stands before it."""
    places = {entry.key: entry.position for log in logs.values() for entry in log.entries if entry.kind == "message"}
    highest: dict[str, Position] = {}  # acknowledged so far, by conversation
    known: set[SendKey] = set()
    for event in events:
        if isinstance(event, Acknowledged):
            conversation_id = event.conversation_id
            highest[conversation_id] = max(event.position, highest.get(conversation_id, event.position))
        elif isinstance(event, Sent) and event.key not in known:
            known.add(event.key)
            earlier, place = highest.get(event.conversation_id), places.get(event.key)
            if earlier is not None and place is not None and place <= earlier:
                yield Violation(
                    ViolationKind.LATER_BEFORE_EARLIER, event.conversation_id,
                    f"{event.client_msg_id} is at {place}, but {earlier} was acknowledged before it was sent",
                )  # fmt: skip


def _check_seqs(log: Log) -> Iterator[Violation]:
    """Seqs go up by one from the floor, and epochs never fall."""
    epoch, seq = 0, log.floor_seq
    for entry in log.entries:
        if entry.seq == seq:
            kind = ViolationKind.SEQ_REPEAT
        elif entry.seq < seq or entry.epoch < epoch:
            kind = ViolationKind.LOG_OUT_OF_ORDER
        elif entry.seq > seq + 1:
            kind = ViolationKind.SEQ_GAP
        else:
            epoch, seq = entry.position
            continue
        yield Violation(
            kind, log.conversation_id, f"{log.read_by} read {entry.position} after {(epoch, seq)}"
        )  # fmt: skip
        epoch, seq = max(epoch, entry.epoch), max(seq, entry.seq)


def _check_agreement(history: History, logs: Mapping[str, Log]) -> Iterator[Violation]:
    """Whoever read a position read the same there; what was read live is there in the end."""
    first: dict[Place, LogEntry] = {}
    for log in history.logs:
        reference = logs[log.conversation_id]
        for entry in log.entries:
            yield from _compare(log.read_by, entry, first.setdefault(entry.place, entry))
        lacks = {entry.place for entry in reference.entries} ^ {entry.place for entry in log.entries}
        for _, position in sorted(lacks):
            yield Violation(
                ViolationKind.READERS_DISAGREE, log.conversation_id,
                f"only one of {reference.read_by} and {log.read_by} read {position}",
            )  # fmt: skip
    for event in history.events:
        if not isinstance(event, Seen):
            continue
        entry = event.entry
        log_of = logs.get(entry.conversation_id)
        below = log_of is not None and entry.seq <= log_of.floor_seq
        if log_of is not None and not below and entry.place not in first:
            yield Violation(
                ViolationKind.SEEN_NOT_STORED, entry.conversation_id,
                f"{event.reader} saw {entry.client_msg_id or entry.kind} at {entry.position}, which is not stored",
            )  # fmt: skip
        yield from _compare(event.reader, entry, first.setdefault(entry.place, entry))


def _compare(reader: str, entry: LogEntry, first: LogEntry) -> Iterator[Violation]:
    same = (entry.kind, entry.message_id) == (first.kind, first.message_id)
    if entry.kind == "message":
        same = same and entry.key == first.key and (None in (entry.body, first.body) or entry.body == first.body)
    if not same:
        yield Violation(
            ViolationKind.READERS_DISAGREE, entry.conversation_id,
            f"{reader} read {entry.kind} {entry.message_id or '-'} at {entry.position}, another reader"
            f" {first.kind} {first.message_id or '-'}, or another sender, id or body",
        )  # fmt: skip


class _Line:
    """What one reader follows of one conversation."""

    def __init__(self) -> None:
        self.owed: list[tuple[Position, Position | None]] = []  # (after, up to); None: to the end
        self.seen: set[Position] = set()
        self.last: Position | None = None  # before what comes next
        self.connection = 0
        self.raw = False

    def follow(self, after: Position, raw: bool) -> None:
        if self.owed:  # a reset: what lies between is read from REST
            self.owed[-1] = (self.owed[-1][0], self.last)
        self.owed.append((after, None))
        self.last, self.raw = after, raw

    def see(self, entry: LogEntry, connection: int) -> ViolationKind | None:
        if self.raw and connection != self.connection:
            self.last = None  # it resumes from wherever it likes
        self.connection = connection
        last, known = self.last, entry.position in self.seen
        self.seen.add(entry.position)
        if last is not None and entry.position <= last:
            return ViolationKind.SEEN_TWICE if known or entry.position == last else ViolationKind.SEEN_OUT_OF_ORDER
        self.last = entry.position
        return None

    def lacks(self, positions: Sequence[Position]) -> Iterator[int]:
        """Which of a log's positions, in order, were owed and not seen: indices."""
        begin = 0  # what lies before it has been looked at
        for after, until in sorted(self.owed, key=itemgetter(0)):
            start = bisect_right(positions, after, begin)
            begin = len(positions) if until is None else bisect_right(positions, until, start)
            for index in range(start, begin):
                if positions[index] not in self.seen:
                    yield index


def _check_readers(events: Iterable[Event], logs: Mapping[str, Log]) -> Iterator[Violation]:
    """Each reader got every entry it was owed, in order, and none twice."""
    lines: dict[tuple[str, str], _Line] = defaultdict(_Line)
    for event in events:
        if isinstance(event, Following):
            lines[event.reader, event.conversation_id].follow(event.after, event.raw)
        elif isinstance(event, Seen):
            entry = event.entry
            line = lines[event.reader, entry.conversation_id]
            before = line.last
            kind = line.see(entry, event.connection)
            if kind is not None:
                yield Violation(kind, entry.conversation_id, f"{event.reader} saw {entry.position} after {before}")
    ordered = {log.conversation_id: sorted(log.entries, key=attrgetter("position")) for log in logs.values()}
    positions = {conversation_id: [entry.position for entry in entries] for conversation_id, entries in ordered.items()}
    for (reader, conversation_id), line in lines.items():
        for index in line.lacks(positions.get(conversation_id, ())):
            entry = ordered[conversation_id][index]
            yield Violation(
                ViolationKind.NOT_SEEN, conversation_id, f"{reader} never saw {entry.position} {entry.client_msg_id}"
            )


def _check_pages(events: Iterable[Event]) -> Iterator[Violation]:
    """Who reads after an acknowledgement of the own message finds it, and what was read stays read."""
    own: dict[tuple[str, str], Position] = {}  # the highest acknowledged to, or read by, a user of a conversation
    read: dict[tuple[str, str], Position] = {}
    asked: dict[tuple[str, int], tuple[Position, Position]] = {}
    for event in events:
        match event:
            case Acknowledged():
                line = (event.sender_id, event.conversation_id)
                own[line] = max(event.position, own.get(line, NOWHERE))
            case PageAsked():
                line = (event.user_id, event.conversation_id)
                asked[event.user_id, event.page] = (own.get(line, NOWHERE), read.get(line, NOWHERE))
            case PageAnswered():
                line = (event.user_id, event.conversation_id)
                written, before = asked.pop((event.user_id, event.page))
                for kind, least in (
                    (ViolationKind.OWN_WRITE_NOT_READ, written),
                    (ViolationKind.READ_WENT_BACK, before),
                ):
                    if event.newest < least:
                        yield Violation(
                            kind, event.conversation_id, f"{event.user_id} read up to {event.newest}, {least} was there before"
                        )  # fmt: skip
                read[line] = max(event.newest, read.get(line, NOWHERE))
            case _:
                pass
