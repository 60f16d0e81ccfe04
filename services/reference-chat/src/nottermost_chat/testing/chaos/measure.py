"""How long a fault was felt, from what was recorded: pure functions of stamped events."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from nottermost_chat.testing.chaos.load import Stamped
from nottermost_chat.testing.history import Acknowledged, Refused, Seen, SendKey, Sent

WINDOW_S: Final = 1.0
NORMAL_S_MIN: Final = 1.0  # a delivery below it is normal on a machine that runs everything at once
NORMAL_RATIO: Final = 3.0  # ... and above it up to three times what was before
CALM_S: Final = 3.0  # so long every window has to be normal before delivery counts as back
SIGHTINGS_MIN: Final = 20  # of a window: fewer have no p99


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """What was felt.

    Attributes:
        first_s: until a message that was sent after the fault began was acknowledged and seen by every device that
            follows its conversation, on both gateways; None: none was.
        normal_s: until the p99 of deliveries was normal again for a while, 0.0: it always was; None: it was not.
        relapsed_s: how many seconds of sending were not normal after that.
        slowest_s: the longest that a message sent after the fault began took to a device; None: none arrived.
        ack_gap_s: the longest time without any acknowledgement.
        before_s_p99: of deliveries before the fault began; None: too few.
        acked, unknown, refused: sends after the fault began.
    """

    first_s: float | None
    normal_s: float | None
    relapsed_s: float
    slowest_s: float | None
    ack_gap_s: float
    before_s_p99: float | None
    acked: int
    unknown: int
    refused: int


class Send(msgspec.Struct):
    """One message on its way."""

    sent: float
    acked: float | None = None
    refused: bool = False
    seen: dict[str, float] = {}


def measure_outage(
    stamped: Sequence[Stamped], followers: Mapping[str, frozenset[str]], *, began: float, ended: float
) -> Outage:
    """
    Args:
        followers: conversation -> devices that follow it all the time.
        began, ended: of the fault, and of the traffic.
    """
    sends = _collect(stamped)
    after = {key: send for key, send in sends.items() if send.sent >= began}
    before = [
        delay for send in sends.values() if send.sent < began for delay in _delays(send) if send.sent + delay < began
    ]
    before_s = quantile(before, 0.99) if len(before) >= SIGHTINGS_MIN else None
    normal_s, relapsed_s = _normal(after, began, ended, max(NORMAL_S_MIN, NORMAL_RATIO * (before_s or 0.0)))
    return Outage(
        first_s=_first(after, followers, began),
        normal_s=normal_s,
        relapsed_s=relapsed_s,
        slowest_s=max((delay for send in after.values() for delay in _delays(send)), default=None),
        ack_gap_s=_ack_gap(sends, began, ended),
        before_s_p99=before_s,
        acked=sum(send.acked is not None for send in after.values()),
        unknown=sum(send.acked is None and not send.refused for send in after.values()),
        refused=sum(send.refused for send in after.values()),
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _collect(stamped: Sequence[Stamped]) -> dict[SendKey, Send]:
    sends: dict[SendKey, Send] = {}
    for at, event in ((one.at, one.event) for one in stamped):
        match event:
            case Sent():
                sends[event.key] = Send(at)
            case Acknowledged() if event.key in sends:
                sends[event.key].acked = at
            case Refused() if event.key in sends:
                sends[event.key].refused = True
            case Seen(reader=reader, entry=entry) if entry.kind == "message" and entry.key in sends:
                sends[entry.key].seen.setdefault(reader, at)
            case _:
                pass
    return sends


def _delays(send: Send) -> list[float]:
    return [at - send.sent for at in send.seen.values()]


def _first(after: Mapping[SendKey, Send], followers: Mapping[str, frozenset[str]], began: float) -> float | None:
    through = [
        max(send.acked, *send.seen.values()) - began
        for (conversation_id, _, _), send in after.items()
        if send.acked is not None and send.seen and followers[conversation_id] <= send.seen.keys()
    ]
    return min(through, default=None)


def _normal(after: Mapping[SendKey, Send], began: float, ended: float, normal_s: float) -> tuple[float | None, float]:
    """Until when delivery was not normal, and how many seconds of sending were not once more."""
    windows: dict[int, list[Send]] = defaultdict(list)
    for send in after.values():
        windows[int((send.sent - began) / WINDOW_S)].append(send)
    slow, relapsed_s = 0.0, 0.0
    for number, sends in sorted(windows.items()):
        delays = [delay for send in sends for delay in _delays(send)]
        if delays and quantile(delays, 0.99) <= normal_s:
            continue
        if slow and number * WINDOW_S >= slow + CALM_S:
            relapsed_s += WINDOW_S
            continue
        arrived = [send.sent + delay - began for send in sends for delay in _delays(send)]
        slow = max(slow, *arrived) if arrived else max(slow, (number + 1) * WINDOW_S)
    return (slow if slow < ended - began else None), relapsed_s


def _ack_gap(sends: Mapping[SendKey, Send], began: float, ended: float) -> float:
    times = sorted(send.acked for send in sends.values() if send.acked is not None)
    inside = [began, *(at for at in times if began <= at <= ended), ended]
    return max(later - earlier for earlier, later in pairwise(inside))
