"""How long a fault was felt, worked out from made-up times; what search lacks; and the page that tells it."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from nottermost_chat.clock import Clock, ClockThatIsSet
from nottermost_chat.testing.chaos.faults import all_faults
from nottermost_chat.testing.chaos.found import choose_wanted, find_mark, mark_text, tell_unfound
from nottermost_chat.testing.chaos.load import Stamped
from nottermost_chat.testing.chaos.measure import Outage, measure_outage
from nottermost_chat.testing.chaos.report import name_missed, render_row, write_rows
from nottermost_chat.testing.chaos.run import Phase
from nottermost_chat.testing.history import Acknowledged, Log, LogEntry, Refused, Result, Seen, Sent, Verdict

BOTH = {"c": frozenset({"ann", "bob"})}
BEGAN = 100.0


def message(number: int, sent: float, acked: float | None, **seen: float) -> list[Stamped]:
    """One message of conversation c and what became of it."""
    key = ("c", "ann", f"m{number}")
    entry = LogEntry("c", 1, number, "message", f"id{number}", "ann", f"m{number}")
    found = [Stamped(sent, Sent(*key, "text"))]
    if acked is not None:
        found.append(Stamped(acked, Acknowledged(*key, f"id{number}", 1, number)))
    return found + [Stamped(at, Seen(reader, entry)) for reader, at in seen.items()]


def measure(*messages: list[Stamped], ended: float = 120.0) -> Outage:
    stamped = sorted((one for events in messages for one in events), key=lambda one: one.at)
    return measure_outage(stamped, BOTH, began=BEGAN, ended=ended)


def steady(first: int, start: float, count: int) -> list[list[Stamped]]:
    """Ten messages a second that go through at once."""
    times = [start + number / 10 for number in range(count)]
    return [message(first + number, at, at + 0.01, ann=at + 0.02, bob=at + 0.03) for number, at in enumerate(times)]


def test_what_goes_through_at_once_was_not_felt() -> None:
    """No outage: the first message counts, and deliveries were always normal."""
    outage = measure(*steady(0, 95.0, 250))
    assert outage.first_s is not None
    assert outage.first_s < 0.1
    assert outage.normal_s == 0.0
    assert outage.ack_gap_s < 0.2
    assert outage.before_s_p99 is not None
    assert outage.before_s_p99 < 0.05
    assert (outage.acked, outage.unknown, outage.refused) == (200, 0, 0)


def test_an_outage_lasts_until_the_last_late_message_is_seen() -> None:
    """Sent at 101 and 103, seen at 106: normal after 6 s; what one reader saw early is not yet through."""
    late = [message(1000, 101.0, 104.0, ann=104.1, bob=106.0), message(1001, 103.0, 105.0, ann=105.5, bob=105.6)]
    outage = measure(*steady(0, 95.0, 50), *late, *steady(2000, 106.0, 140))
    assert outage.first_s is not None
    assert round(outage.first_s, 6) == 5.6
    assert outage.normal_s is not None
    assert round(outage.normal_s, 6) == 6.0
    assert round(outage.ack_gap_s, 6) == 4.0
    assert outage.slowest_s is not None
    assert round(outage.slowest_s, 6) == 5.0


def test_what_comes_after_a_calm_is_counted_apart() -> None:
    """Late for 2 s, then right for 3 s and more: a slow second after that is told, and does not lengthen the outage."""
    late = message(1000, 101.0, 101.1, ann=102.5, bob=102.5)
    again = message(3000, 110.2, 110.3, ann=112.0, bob=112.0)
    outage = measure(*steady(0, 95.0, 50), late, *steady(2000, 102.6, 70), again, *steady(4000, 111.0, 90))
    assert (round(outage.normal_s or 0.0, 6), outage.relapsed_s) == (2.5, 1.0)
    soon = message(3000, 104.2, 104.3, ann=106.0, bob=106.0)
    outage = measure(*steady(0, 95.0, 50), late, soon, *steady(4000, 106.1, 90))
    assert (round(outage.normal_s or 0.0, 6), outage.relapsed_s) == (6.0, 0.0)


def test_a_message_that_nobody_sees_is_an_outage() -> None:
    """A second in which nothing was seen lasts to its end; with nothing after it, to the end of all."""
    lost = [message(1000 + number, 101.0 + number, None) for number in range(3)]
    outage = measure(*steady(0, 95.0, 60), *lost, *steady(2000, 104.0, 160))
    assert outage.normal_s == 4.0
    assert outage.unknown == 3
    assert measure(*steady(0, 95.0, 50), *lost, ended=103.5).normal_s is None
    assert measure(*steady(0, 95.0, 50), *lost, ended=103.5).first_s is None


def test_refused_is_not_unknown() -> None:
    """Only what nobody knows is unknown."""
    refused = [Stamped(101.0, Sent("c", "ann", "x", "text")), Stamped(101.5, Refused("c", "ann", "x"))]
    outage = measure(*steady(0, 95.0, 50), refused)
    assert (outage.acked, outage.unknown, outage.refused) == (0, 0, 1)


def make_phase(number: int, result: Result = Result.VALID, *, normal_s: float | None = 1.0, amiss: str = "") -> Phase:
    outage = Outage(
        first_s=0.5, normal_s=normal_s, relapsed_s=1.0, slowest_s=1.0, ack_gap_s=0.2, before_s_p99=0.1, acked=10,
        unknown=0, refused=0,
    )  # fmt: skip
    verdict = Verdict(result, "5 | violations\nof all kinds", {}, ())
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Phase(
        fault=all_faults()[number], store="postgres", verdict=verdict, outage=outage, load=2.0, at=at, healed_s=12.0,
        amiss=amiss,
    )  # fmt: skip


def test_the_page_keeps_what_was_not_run_again(tmp_path: Path) -> None:
    """Rows are replaced by fault and stand in the table's order."""
    page, faults = tmp_path / "chaos.md", all_faults()
    write_rows(page, [make_phase(3, Result.INVALID)], faults)
    write_rows(page, [make_phase(1)], faults)
    write_rows(page, [make_phase(3), make_phase(0)], faults)
    rows = [line for line in page.read_text().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [faults[number].name for number in (0, 1, 3)]
    assert all("**valid**" in row for row in rows)


def test_a_row_tells_what_is_wrong() -> None:
    """A verdict that is no pass has its reason, in one line of the table; too long is said."""
    row = render_row(make_phase(0, Result.UNKNOWN, normal_s=None))
    assert "**unknown**: 5 / violations of all kinds" in row
    assert "never, later 1 s (too long)" in row
    assert "\n" not in row


def test_what_else_is_wrong_makes_a_row_invalid() -> None:
    """A right history is no pass when search lacks a message."""
    row = render_row(make_phase(0, amiss="search finds 49 of 50"))
    assert "**invalid**: search finds 49 of 50" in row


def test_the_last_line_names_what_missed_its_aim() -> None:
    """Too late or never; what came back in time and what was not measured is not among them."""
    late, never, in_time = make_phase(0, normal_s=99.0), make_phase(1, normal_s=None), make_phase(2)
    unmeasured = msgspec.structs.replace(make_phase(3), outage=None)
    assert name_missed([late, never, in_time, unmeasured]) == "missed their aim: kill-ingest, stop-ingest"
    assert name_missed([in_time]) == "missed their aim: none"


def entry_of(number: int, body: str | None) -> LogEntry:
    return LogEntry("c", 1, number, "message", f"id{number}", "ann", f"m{number}", body)


def test_what_search_has_to_find() -> None:
    """Acknowledged and still as it was sent, each once, evenly from the first one on."""
    acked = [Acknowledged("c", "ann", f"m{number}", f"id{number}", 1, number) for number in range(200)]
    entries = [entry_of(number, None if number % 2 else mark_text("text", f"{number:x}")) for number in range(210)]
    logs = [Log("c", reader, tuple(entries)) for reader in ("ann", "bob")]
    wanted = choose_wanted(acked, logs)
    assert [entry.seq for entry in wanted] == list(range(0, 200, 4))
    assert find_mark(wanted[-1].body or "") == f"{196:x}"
    assert choose_wanted(acked[:3], logs) == [entries[0], entries[2]]
    assert choose_wanted([], logs) == []


async def test_what_search_lacks_is_told() -> None:
    """What comes at the second look was found; what does not come in time is counted, and one of it named."""
    looks: Counter[int] = Counter()

    async def find(entry: LogEntry) -> bool:
        looks[entry.seq] += 1
        return entry.seq == 1 or (entry.seq == 2 and looks[2] > 1)

    entries = [entry_of(number, "text") for number in (1, 2, 3)]
    assert await tell_unfound(find, entries[:2]) == ""
    assert await tell_unfound(find, [entries[0], entries[2]], within_s=0) == (
        "search finds 1 of 2 acknowledged messages within 0 s, not (1, 3) m3"
    )


def test_a_clock_that_is_set_while_it_runs(tmp_path: Path) -> None:
    """It jumps when its file is written, both ways; durations stay right."""
    file, right = tmp_path / "clock", Clock()
    clock = ClockThatIsSet(file)
    began = clock.monotonic()
    for ahead_s in (None, 3600, -3600, 0):
        if ahead_s is not None:
            file.write_text(str(ahead_s))
        wrong_s = (clock.now_ms() - right.now_ms()) / 1000
        assert abs(wrong_s - (ahead_s or 0)) < 60
    assert 0 <= clock.monotonic() - began < 60


def test_names_are_unique_and_layouts_stand_together() -> None:
    """So that --only hits one, and each cluster is started once."""
    faults = all_faults()
    assert len({fault.name for fault in faults}) == len(faults)
    layouts = [fault.layout for fault in faults]
    assert layouts == sorted(layouts, key=layouts.index)
