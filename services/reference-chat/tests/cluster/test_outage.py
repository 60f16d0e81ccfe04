"""How long a fault was felt, worked out from made-up times; and the page that tells it."""

from datetime import UTC, datetime
from pathlib import Path

from nottermost_chat.testing.chaos.faults import all_faults
from nottermost_chat.testing.chaos.load import Stamped
from nottermost_chat.testing.chaos.measure import Outage, measure_outage
from nottermost_chat.testing.chaos.report import render_row, write_rows
from nottermost_chat.testing.chaos.run import Phase
from nottermost_chat.testing.history import Acknowledged, LogEntry, Refused, Result, Seen, Sent, Verdict

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


def make_phase(number: int, result: Result = Result.VALID, *, normal_s: float | None = 1.0) -> Phase:
    outage = Outage(
        first_s=0.5, normal_s=normal_s, slowest_s=1.0, ack_gap_s=0.2, before_s_p99=0.1, acked=10, unknown=0, refused=0
    )  # fmt: skip
    verdict = Verdict(result, "5 | violations\nof all kinds", {}, ())
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Phase(
        fault=all_faults()[number], store="postgres", verdict=verdict, outage=outage, load=2.0, at=at, healed_s=12.0
    )


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
    assert "never (too long)" in row
    assert "\n" not in row


def test_names_are_unique_and_layouts_stand_together() -> None:
    """So that --only hits one, and each cluster is started once."""
    faults = all_faults()
    assert len({fault.name for fault in faults}) == len(faults)
    layouts = [fault.layout for fault in faults]
    assert layouts == sorted(layouts, key=layouts.index)
