"""docs/chaos.md: what was broken, how long it was felt, and whether anything was lost."""

import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import psutil

from nottermost_chat.testing.chaos.faults import Fault
from nottermost_chat.testing.chaos.found import FOUND_S, SAMPLE_MAX
from nottermost_chat.testing.chaos.measure import Outage
from nottermost_chat.testing.chaos.run import RATE_PER_S, Phase

PATH: Final = Path("docs/chaos.md")
COMMAND: Final = "make chaos"
COLUMNS: Final = (
    "fault", "store", "first message through", "normal again", "aim", "all runs again", "slowest delivery", "longest gap in acks",
    "acked / unknown / refused", "verdict", "document D", "load", "measured",
)  # fmt: skip
INTRODUCTION: Final = f"""\
# Faults under load
`{COMMAND}` writes this table; `{COMMAND} ARGS="--only kill-gateway,kill-ingest"` only those rows, the others stay.

Ten people with twelve devices, in five direct conversations, two groups of ten and a channel of 310, send {RATE_PER_S:.0f} messages a second in all (a fifth of it on DynamoDB Local), edit, react and read history through the load balancer; two further devices record raw frames, and one takes nothing. All servers have fsync on. After six seconds something breaks; it is healed, everything drains, and people who signed in anew read every conversation over REST and socket. The history checker (`nottermost_chat.testing.history`) judges what was sent, acknowledged, seen and read: **valid**: nothing lost, twice, out of order or from nowhere; **invalid**: something was, and the row says what; **unknown**: the run proves nothing.

- *first message through*: from the fault until a message that was sent after it was acknowledged and seen by every device in its conversation; the devices are spread over both gateways.
- *normal again*: until the p99 of deliveries, by second of sending, is below 1 s (or three times what it was before), for three seconds at least. *Later n s* were not, of the seconds after that: above all a consumer that takes its share of the log back when its fault is healed makes that share a second late.
- *aim*: 10 s for one of two of a role, 15 s for a broker or a server with a standby; where there is but one, delivery can be back only after it is healed (*all runs again*).
- *slowest delivery*: the longest that any message sent after the fault took to any device.
- *unknown* sends got neither an acknowledgement nor a refusal before everybody gave up; each is stored once or not at all.
- *indexer* and *opensearch*: when all is over, up to {SAMPLE_MAX} acknowledged messages that nobody edited have to be found by search over REST within {FOUND_S:.0f} s.
- *notifier*, *webhooks*, *archiver*: these rows prove that the chat goes on without them, and nothing about what they themselves deliver: `tests/cluster/test_workers.py` proves that, over a kill of each.
- *clock*: `clock-ahead` and `clock-behind` are wrong from a process's start; `jump-…` is set while the process runs, and set right again while it runs, so that each jumps both ways. Identifiers keep the machine's time.
- *document D* is what the design document for 100M users claims.
- A dash: there is nothing to tell, or an earlier version of the run did not measure it.
- *load* is the machine's own mean of the last minute, of {{cores}} processors that run all servers, roles and clients.
"""


def machine() -> str:
    """The machine in a line."""
    gib = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} processors, {gib:.0f} GiB, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def render_row(phase: Phase) -> str:
    """One line of the table."""
    outage, fault = phase.outage, phase.fault
    verdict = f"**{phase.result}**" + ("" if phase.result == "valid" else f": {_reason(phase)}")
    figures = ("–",) * 5 if outage is None else (
        _seconds(outage.first_s), _tell_normal(outage) + ("" if phase.within_aim is not False else " (too long)"),
        _seconds(outage.slowest_s), _seconds(outage.ack_gap_s), f"{outage.acked} / {outage.unknown} / {outage.refused}",
    )  # fmt: skip
    first, normal, slowest, gap, sends = figures
    aim = "–" if fault.aim_s is None else f"{fault.aim_s:.0f} s"
    cells = (
        _title(fault), phase.store, first, normal, aim, _seconds(phase.healed_s), slowest, gap, sends, verdict, fault.claim,
        f"{phase.load:.0f}", f"{phase.at:%Y-%m-%d}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _tell_normal(outage: Outage) -> str:
    return _seconds(outage.normal_s) + (f", later {outage.relapsed_s:.0f} s" if outage.relapsed_s else "")


def name_missed(phases: Iterable[Phase]) -> str:
    """A line with the names of those that were measured and did not come back in time."""
    missed = [phase.fault.name for phase in phases if phase.within_aim is False]
    return f"missed their aim: {', '.join(missed) or 'none'}"


def write_rows(path: Path, phases: Iterable[Phase], order: Iterable[Fault]) -> None:
    """Write the page; rows of faults that were not run this time stay."""
    kept = [line for line in path.read_text().splitlines() if line.startswith("| `")] if path.exists() else []
    rows = {_key(line): line for line in [*kept, *map(render_row, phases)]}
    wanted = {_title(fault): place for place, fault in enumerate(order)}
    there = sorted((key for key in rows if key in wanted), key=lambda key: wanted[key])
    head = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    text = INTRODUCTION.replace("{cores}", str(os.cpu_count()))
    path.write_text("\n".join([text, f"Measured on: {machine()}.", "", *head, *(rows[key] for key in there), ""]))


def _reason(phase: Phase) -> str:
    return " ".join(phase.reason.replace("|", "/").split())[:300]


def _title(fault: Fault) -> str:
    return f"`{fault.name}` {fault.title}"


def _key(line: str) -> str:
    return line.split(" | ", 1)[0].removeprefix("| ")


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"
