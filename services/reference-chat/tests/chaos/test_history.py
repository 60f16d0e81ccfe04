"""The history checker: silent about what a right chat does, and it finds every kind of wrong."""

import sys
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nottermost_chat.testing.history import (
    SHOWN_MAX,
    Acknowledged,
    Event,
    Following,
    History,
    Log,
    LogEntry,
    PageAnswered,
    PageAsked,
    Refused,
    Result,
    Seen,
    Sent,
    ViolationKind,
    check_history,
    judge,
)

T = TypeVar("T")
Moved = TypeVar("Moved", Acknowledged, LogEntry)
Mistake = Callable[[Random, History], History]
MESSAGES_MIN = 6  # acknowledged in each conversation, so that every mistake finds something to break


class RightChat:
    """A chat without mistakes that records its own history; what happens next is drawn at random."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.events: list[Event] = []
        self.logs: dict[str, list[LogEntry]] = {}
        self.waiting: list[Sent] = []
        self.unanswered: list[LogEntry] = []
        self.asked: list[PageAnswered] = []
        self.delivered: dict[tuple[str, str], int] = {}
        self.connections: dict[str, int] = {}
        for number in range(rng.randint(1, 3)):
            conversation_id = f"c{number}"
            self.logs[conversation_id] = [LogEntry(conversation_id, 1, 1, "membership")]
            for reader in ("ann-1", "ann-2", "bob-1", "raw"):
                self.delivered[reader, conversation_id] = 1
                self.events.append(Following(reader, conversation_id, (1, 1), raw=reader == "raw"))

    def invoke(self, conversation_id: str) -> None:
        number = len(self.events)
        sent = Sent(conversation_id, self.rng.choice(["ann", "bob"]), f"m{number}", f"body {number}")
        self.events.append(sent)
        self.waiting.append(sent)

    def store(self, conversation_id: str) -> None:
        self.waiting.sort(key=lambda sent: sent.conversation_id != conversation_id)
        if self.waiting:
            sent = self.waiting.pop(0)
            self.unanswered.append(self.append(sent.conversation_id, sent))

    def append(self, conversation_id: str, sent: Sent | None = None) -> LogEntry:
        log = self.logs[conversation_id]
        epoch, seq = log[-1].epoch + (self.rng.random() < 0.05), log[-1].seq + 1
        entry = LogEntry(conversation_id, epoch, seq, "membership")
        if sent is not None:
            entry = LogEntry(
                conversation_id, epoch, seq, "message", f"id-{sent.client_msg_id}", sent.sender_id, sent.client_msg_id, sent.body
            )  # fmt: skip
        log.append(entry)
        return entry

    def acknowledge(self, _conversation_id: str) -> None:
        if self.unanswered:
            entry = self.unanswered.pop(self.rng.randrange(len(self.unanswered)))
            self.events.append(Acknowledged(*entry.key, entry.message_id, *entry.position))

    def lose_answer(self, _conversation_id: str) -> None:
        if self.unanswered:
            self.unanswered.pop(self.rng.randrange(len(self.unanswered)))

    def refuse(self, _conversation_id: str) -> None:
        if self.waiting:
            self.events.append(Refused(*self.waiting.pop().key))

    def deliver(self, conversation_id: str, reader: str = "") -> bool:
        """Show the next entry to a reader; False: it has seen everything."""
        reader = reader or self.rng.choice(["ann-1", "ann-2", "bob-1", "raw"])
        at = self.delivered[reader, conversation_id]
        if at == len(self.logs[conversation_id]):
            return False
        entry = self.logs[conversation_id][at]
        if self.rng.random() < 0.3:
            entry = msgspec.structs.replace(entry, body=None)  # only its preview came
        self.events.append(Seen(reader, entry, self.connections.get(reader, 0)))
        self.delivered[reader, conversation_id] = at + 1
        return True

    def reconnect_raw(self, conversation_id: str) -> None:
        """It resumes from an older place than it had reached."""
        self.connections["raw"] = self.connections.get("raw", 0) + 1
        self.delivered["raw", conversation_id] = self.rng.randint(1, self.delivered["raw", conversation_id])

    def ask(self, conversation_id: str) -> None:
        """A user asks for the newest page; what the log holds when it comes is what is read."""
        user_id, page = self.rng.choice(["ann", "bob"]), len(self.events)
        self.events.append(PageAsked(user_id, conversation_id, page))
        self.asked.append(PageAnswered(user_id, conversation_id, page, (0, 0)))

    def answer_page(self, _conversation_id: str) -> None:
        if self.asked:
            answer = self.asked.pop(self.rng.randrange(len(self.asked)))
            newest = self.logs[answer.conversation_id][-1].position
            self.events.append(msgspec.structs.replace(answer, newest=newest))

    def reset(self, conversation_id: str) -> None:
        """One reader is told to read afresh and goes on from the head."""
        log = self.logs[conversation_id]
        self.events.append(Following("ann-2", conversation_id, log[-1].position))
        self.delivered["ann-2", conversation_id] = len(log)

    def run(self, steps: int) -> History:
        acts: list[Callable[[str], object]] = [self.invoke, self.store, self.acknowledge, self.deliver]
        rare: list[Callable[[str], object]] = [
            self.lose_answer,
            self.refuse,
            self.reconnect_raw,
            self.reset,
            self.append,
            self.ask,
            self.answer_page,
        ]
        for _ in range(steps):
            act = self.rng.choice(acts * 3 + rare)
            act(self.rng.choice(list(self.logs)))
        self.waiting.clear()  # for ever unknown, and so are these
        self.unanswered.clear()
        for conversation_id in self.logs:
            for _ in range(MESSAGES_MIN):
                self.invoke(conversation_id)
                self.store(conversation_id)
                self.acknowledge(conversation_id)
                self.deliver(conversation_id, "bob-1")
            self.asked.clear()
            for user_id in ("ann", "bob"):
                page = len(self.events)
                self.events.append(PageAsked(user_id, conversation_id, page))
                self.events.append(
                    PageAnswered(user_id, conversation_id, page, self.logs[conversation_id][-1].position)
                )
        for reader, conversation_id in self.delivered:
            while self.deliver(conversation_id, reader):
                pass
        logs = [Log(id_, by, tuple(log)) for id_, log in self.logs.items() for by in ("ann", "bob")]
        return History(tuple(self.events), tuple(logs))


seeds = st.integers(0, 2**32)  # st.randoms would shrink further, and be thirty times as slow
right_histories = st.builds(lambda seed, steps: RightChat(Random(seed)).run(steps), seeds, st.integers(0, 200))


@given(history=right_histories)
@settings(deadline=None)
def test_a_right_history_has_no_violation(history: History) -> None:
    """Unknown sends, refusals, resets, resumed repeats and rising epochs are all allowed."""
    assert check_history(history) == []
    assert judge(history).result is Result.VALID


# --- mistakes, each made in a history that was right ------------------------------------------------


def with_logs(history: History, change: Callable[[Log], list[LogEntry]]) -> History:
    logs = tuple(msgspec.structs.replace(log, entries=tuple(change(log))) for log in history.logs)
    return msgspec.structs.replace(history, logs=logs)


def with_events(history: History, events: list[Event]) -> History:
    return msgspec.structs.replace(history, events=tuple(events))


def replace_everywhere(history: History, old: LogEntry, *new: LogEntry) -> History:
    return with_logs(
        history, lambda log: [each for entry in log.entries for each in (new if entry == old else (entry,))]
    )


def pick(rng: Random, history: History, kind: type[T], where: Callable[[T], bool] = lambda _: True) -> tuple[int, T]:
    """One of the events of a kind, and its place."""
    return rng.choice(
        [(at, event) for at, event in enumerate(history.events) if isinstance(event, kind) and where(event)]
    )


def acknowledged(rng: Random, history: History) -> tuple[int, Acknowledged, LogEntry]:
    """An acknowledgement, its place, and the entry that it is about."""
    at, ack = pick(rng, history, Acknowledged)
    entry = next(entry for log in history.logs for entry in log.entries if entry.key == ack.key)
    return at, ack, entry


def lose_acknowledged(rng: Random, history: History) -> History:
    return replace_everywhere(history, acknowledged(rng, history)[2])


def lose_the_last(_rng: Random, history: History) -> History:
    """The end of a log is cut off: no gap shows it."""
    return with_logs(history, lambda log: list(log.entries[:-1]))


def refuse_stored(rng: Random, history: History) -> History:
    _, ack, _ = acknowledged(rng, history)
    return with_events(history, [event for event in history.events if event is not ack] + [Refused(*ack.key)])


def store_twice(rng: Random, history: History) -> History:
    entry = acknowledged(rng, history)[2]
    return with_logs(history, lambda log: [*log.entries, *after_end(log, entry)])


def after_end(log: Log, entry: LogEntry) -> list[LogEntry]:
    last = log.entries[-1]
    if entry.conversation_id != log.conversation_id:
        return []
    return [msgspec.structs.replace(entry, epoch=last.epoch, seq=last.seq + 1, message_id="another")]


def store_unsent(rng: Random, history: History) -> History:
    entry = msgspec.structs.replace(acknowledged(rng, history)[2], client_msg_id="never sent")
    return with_logs(history, lambda log: [*log.entries, *after_end(log, entry)])


def store_under_another_sender(rng: Random, history: History) -> History:
    entry = acknowledged(rng, history)[2]
    return replace_everywhere(history, entry, msgspec.structs.replace(entry, sender_id="eve"))


def store_another_body(rng: Random, history: History) -> History:
    entry = acknowledged(rng, history)[2]
    return replace_everywhere(history, entry, msgspec.structs.replace(entry, body=f"{entry.body}\x00"))


def acknowledge_another_seq(rng: Random, history: History) -> History:
    at, ack, _ = acknowledged(rng, history)
    return with_events(
        history, [*history.events[:at], msgspec.structs.replace(ack, seq=ack.seq + 1), *history.events[at + 1 :]]
    )


def acknowledge_another_id(rng: Random, history: History) -> History:
    at, ack, _ = acknowledged(rng, history)
    wrong = msgspec.structs.replace(ack, message_id="another")
    return with_events(history, [*history.events[:at], wrong, *history.events[at + 1 :]])


def acknowledge_another_epoch(rng: Random, history: History) -> History:
    at, ack, _ = acknowledged(rng, history)
    wrong = msgspec.structs.replace(ack, epoch=ack.epoch + 1)
    return with_events(history, [*history.events[:at], wrong, *history.events[at + 1 :]])


def overtake(rng: Random, history: History) -> History:
    """A message takes the place of one that was acknowledged before it was sent, wherever either is shown."""
    pairs = []
    acks: dict[str, list[Acknowledged]] = {}
    sent_after: dict[tuple[str, str, str], Acknowledged] = {}
    for event in history.events:
        if isinstance(event, Sent) and acks.get(event.conversation_id):
            sent_after[event.key] = rng.choice(acks[event.conversation_id])
        elif isinstance(event, Acknowledged):
            acks.setdefault(event.conversation_id, []).append(event)
            if event.key in sent_after:
                pairs.append((sent_after[event.key], event))
    first, second = rng.choice(pairs)
    places = {first.key: second.position, second.key: first.position}

    def move(item: Moved) -> Moved:
        epoch, seq = places.get(item.key, item.position)
        return msgspec.structs.replace(item, epoch=epoch, seq=seq)

    swapped = with_logs(history, lambda log: sorted(map(move, log.entries), key=lambda entry: entry.position))
    events: list[Event] = []
    for event in history.events:
        match event:
            case Acknowledged():
                events.append(move(event))
            case Seen():
                events.append(msgspec.structs.replace(event, entry=move(event.entry)))
            case _:
                events.append(event)
    return with_events(swapped, events)


def skip_seq(rng: Random, history: History) -> History:
    at = rng.randrange(1, MESSAGES_MIN)
    return with_logs(history, lambda log: [*log.entries[:at], *log.entries[at + 1 :]])


def begin_above_one(_rng: Random, history: History) -> History:
    return with_logs(history, lambda log: list(log.entries[1:]))


def repeat_seq(rng: Random, history: History) -> History:
    at = rng.randrange(1, MESSAGES_MIN)
    return with_logs(history, lambda log: [*log.entries[: at + 1], *log.entries[at:]])


def swap_in_log(rng: Random, history: History) -> History:
    at = rng.randrange(MESSAGES_MIN)
    return with_logs(
        history, lambda log: [*log.entries[:at], log.entries[at + 1], log.entries[at], *log.entries[at + 2 :]]
    )


def let_epoch_fall(_rng: Random, history: History) -> History:
    return with_logs(history, lambda log: [msgspec.structs.replace(log.entries[0], epoch=99), *log.entries[1:]])


def show_another(rng: Random, history: History) -> History:
    at, seen = pick(rng, history, Seen)
    wrong = msgspec.structs.replace(seen, entry=msgspec.structs.replace(seen.entry, message_id="another"))
    return with_events(history, [*history.events[:at], wrong, *history.events[at + 1 :]])


def show_another_body(rng: Random, history: History) -> History:
    at, seen = pick(rng, history, Seen, lambda seen: seen.entry.body is not None)
    wrong = msgspec.structs.replace(seen, entry=msgspec.structs.replace(seen.entry, body="another"))
    return with_events(history, [*history.events[:at], wrong, *history.events[at + 1 :]])


def show_another_sender(rng: Random, history: History) -> History:
    at, seen = pick(rng, history, Seen, lambda seen: seen.entry.kind == "message")
    wrong = msgspec.structs.replace(seen, entry=msgspec.structs.replace(seen.entry, sender_id="eve"))
    return with_events(history, [*history.events[:at], wrong, *history.events[at + 1 :]])


def shorten_one_log(_rng: Random, history: History) -> History:
    last = history.logs[-1]
    shorter = msgspec.structs.replace(last, entries=last.entries[:-1])
    return msgspec.structs.replace(history, logs=(*history.logs[:-1], shorter))


def change_one_log(_rng: Random, history: History) -> History:
    last = history.logs[-1]
    wrong = msgspec.structs.replace(last.entries[-1], kind="redact")
    return msgspec.structs.replace(
        history, logs=(*history.logs[:-1], msgspec.structs.replace(last, entries=(*last.entries[:-1], wrong)))
    )


def show_unstored(rng: Random, history: History) -> History:
    _, seen = pick(rng, history, Seen, lambda seen: seen.reader == "ann-1")
    beyond = msgspec.structs.replace(seen, entry=msgspec.structs.replace(seen.entry, seq=9999))
    return with_events(history, [*history.events, beyond])


def show_twice(rng: Random, history: History) -> History:
    at, seen = pick(rng, history, Seen, lambda seen: seen.reader != "raw")
    return with_events(history, [*history.events[:at], seen, *history.events[at:]])


def show_again_later(rng: Random, history: History) -> History:
    """Also over another connection: the client library promises once."""
    _, seen = pick(rng, history, Seen, lambda seen: seen.reader != "raw")
    return with_events(history, [*history.events, msgspec.structs.replace(seen, connection=99)])


def show_raw_twice(rng: Random, history: History) -> History:
    """Even a raw reader gets an entry only once on one connection."""
    at, seen = pick(rng, history, Seen, lambda seen: seen.reader == "raw")
    return with_events(history, [*history.events[:at], seen, *history.events[at:]])


def show_in_wrong_order(rng: Random, history: History) -> History:
    pairs = []
    places: dict[str, list[int]] = {}
    for at, event in enumerate(history.events):
        if isinstance(event, Seen) and event.reader == "bob-1":
            places.setdefault(event.entry.conversation_id, []).append(at)
    for of_conversation in places.values():
        pairs += list(pairwise(of_conversation))
    first, second = rng.choice(pairs)
    events = list(history.events)
    events[first], events[second] = events[second], events[first]
    return with_events(history, events)


def hide(rng: Random, history: History) -> History:
    at, _ = pick(rng, history, Seen, lambda seen: seen.reader in ("ann-1", "bob-1"))
    return with_events(history, [*history.events[:at], *history.events[at + 1 :]])


def hide_the_last(_rng: Random, history: History) -> History:
    last = max(at for at, event in enumerate(history.events) if isinstance(event, Seen) and event.reader == "ann-1")
    return with_events(history, [*history.events[:last], *history.events[last + 1 :]])


def read_before_own_write(rng: Random, history: History) -> History:
    """A page that lacks what its reader was told is stored."""
    at, ack = pick(rng, history, Acknowledged, lambda _ack: True)
    page = 10**9
    asked = PageAsked(ack.sender_id, ack.conversation_id, page)
    stale = PageAnswered(ack.sender_id, ack.conversation_id, page, (ack.epoch, ack.seq - 1))
    return with_events(history, [*history.events[: at + 1], asked, stale, *history.events[at + 1 :]])


def read_backwards(rng: Random, history: History) -> History:
    at, answer = pick(rng, history, PageAnswered, lambda _answer: True)
    page, (epoch, seq) = 10**9, answer.newest
    asked = PageAsked(answer.user_id, answer.conversation_id, page)
    stale = PageAnswered(answer.user_id, answer.conversation_id, page, (epoch, seq - 1))
    return with_events(history, [*history.events[: at + 1], asked, stale, *history.events[at + 1 :]])


Kind = ViolationKind
MISTAKES: list[tuple[Mistake, set[ViolationKind]]] = [
    (lose_acknowledged, {Kind.ACKNOWLEDGED_MISSING, Kind.SEEN_NOT_STORED}),
    (lose_the_last, {Kind.ACKNOWLEDGED_MISSING, Kind.SEEN_NOT_STORED}),
    (refuse_stored, {Kind.REFUSED_STORED}),
    (store_twice, {Kind.STORED_TWICE}),
    (store_unsent, {Kind.PHANTOM}),
    (store_under_another_sender, {Kind.PHANTOM, Kind.ACKNOWLEDGED_MISSING, Kind.READERS_DISAGREE}),
    (store_another_body, {Kind.BODY_DIFFERS}),
    (acknowledge_another_seq, {Kind.ACK_DIFFERS}),
    (acknowledge_another_id, {Kind.ACK_DIFFERS}),
    (acknowledge_another_epoch, {Kind.ACK_DIFFERS}),
    (overtake, {Kind.LATER_BEFORE_EARLIER}),
    (skip_seq, {Kind.SEQ_GAP}),
    (begin_above_one, {Kind.SEQ_GAP}),
    (repeat_seq, {Kind.SEQ_REPEAT}),
    (swap_in_log, {Kind.LOG_OUT_OF_ORDER}),
    (let_epoch_fall, {Kind.LOG_OUT_OF_ORDER}),
    (show_another, {Kind.READERS_DISAGREE}),
    (show_another_body, {Kind.READERS_DISAGREE}),
    (show_another_sender, {Kind.READERS_DISAGREE}),
    (shorten_one_log, {Kind.READERS_DISAGREE}),
    (change_one_log, {Kind.READERS_DISAGREE}),
    (show_unstored, {Kind.SEEN_NOT_STORED}),
    (show_twice, {Kind.SEEN_TWICE}),
    (show_again_later, {Kind.SEEN_TWICE}),
    (show_raw_twice, {Kind.SEEN_TWICE}),
    (show_in_wrong_order, {Kind.SEEN_OUT_OF_ORDER}),
    (hide, {Kind.NOT_SEEN}),
    (hide_the_last, {Kind.NOT_SEEN}),
    (read_before_own_write, {Kind.OWN_WRITE_NOT_READ}),
    (read_backwards, {Kind.READ_WENT_BACK}),
]


@pytest.mark.parametrize(("mutate", "expected"), [pytest.param(*row, id=row[0].__name__) for row in MISTAKES])
@given(history=right_histories, seed=seeds)
@settings(deadline=None, max_examples=25)
def test_every_mistake_is_found(mutate: Mistake, expected: set[ViolationKind], history: History, seed: int) -> None:
    """One mistake in a right history is reported as what it is."""
    found = {violation.kind for violation in check_history(mutate(Random(seed), history))}
    assert expected <= found


def count_calls(history: History) -> int:
    """Calls that judging makes, of Python's functions and of built-in ones; a generator's every step is one."""
    calls, before = 0, sys.getprofile()

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        judge(history)
    finally:
        sys.setprofile(before)
    return calls


def keep_right(_rng: Random, history: History) -> History:
    return history


@pytest.mark.parametrize("mutate", [keep_right, *(mutate for mutate, _ in MISTAKES)])
def test_judging_takes_linear_work(mutate: Mistake) -> None:
    """Ten times as much takes less than twelve times as many calls, whatever is found, and with as frequent resets."""
    short, long = (mutate(Random(1), RightChat(Random(1)).run(steps)) for steps in (600, 6000))
    growth = len(long.events) / len(short.events)
    assert growth > 8
    assert count_calls(long) / count_calls(short) < 1.2 * growth


def test_every_kind_of_violation_has_a_mistake() -> None:
    """A new kind comes with a mistake that it finds."""
    assert {kind for _, kinds in MISTAKES for kind in kinds} == set(ViolationKind)


def test_what_lies_below_the_floor_is_not_owed() -> None:
    """Retention took the first entries: a log that begins above them is whole."""
    entries = tuple(LogEntry("c", 1, seq, "membership") for seq in range(1, 6))
    events: tuple[Event, ...] = (Following("ann", "c", (1, 0)), *(Seen("ann", entry) for entry in entries))
    assert check_history(History(events, (Log("c", "ann", entries[3:], floor_seq=3),))) == []


@given(history=right_histories, seed=seeds)
@settings(deadline=None, max_examples=25)
def test_the_worst_is_told_first(history: History, seed: int) -> None:
    """A lost acknowledged message stands before what it also breaks; few of each kind are shown, all are counted."""
    broken = lose_acknowledged(Random(seed), history)
    verdict = judge(broken)
    assert verdict.result is Result.INVALID
    assert verdict.worst[0].kind is Kind.ACKNOWLEDGED_MISSING
    assert sum(verdict.counts.values()) == len(check_history(broken))
    apart = tuple(LogEntry("c", 1, seq, "message", f"m{seq}", "ann", f"m{seq}") for seq in range(1, 100))
    verdict = judge(History((), (Log("c", "ann", apart),)))
    assert (verdict.counts, len(verdict.worst)) == ({Kind.PHANTOM: 99}, SHOWN_MAX)


SENT, ACK = Sent("c", "ann", "m", "text"), Acknowledged("c", "ann", "m", "id-m", 1, 1)
ENTRY = LogEntry("c", 1, 1, "message", "id-m", "ann", "m", "text")
FOLLOWING, SEEN, LOG = Following("bob", "c", (1, 0)), Seen("bob", ENTRY), Log("c", "ann", (ENTRY,))


@pytest.mark.parametrize(
    ("events", "logs", "reason"),
    [
        ((), (), "nothing was acknowledged"),
        ((SENT,), (LOG,), "nothing was acknowledged"),
        ((FOLLOWING, SENT, ACK, SEEN), (), "not read in the end"),
        ((SENT, ACK), (LOG,), "nobody followed"),
    ],
)
def test_what_proves_nothing_is_no_pass(events: tuple[Event, ...], logs: tuple[Log, ...], reason: str) -> None:
    """Nothing sent, nothing read back, nobody listening: unknown, never valid."""
    verdict = judge(History(events, logs))
    assert (verdict.result, reason in verdict.reason) == (Result.UNKNOWN, True)
    assert judge(History((FOLLOWING, SENT, ACK, SEEN), (LOG,))).result is Result.VALID
