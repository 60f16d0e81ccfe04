"""The quantities of a workload as people read them: the main ones first, those by hour and by month apart."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from nottermost_cost.estimate import Estimate, Quantity
from nottermost_cost.numeric import HOURS_PER_DAY, to_decimal
from nottermost_cost.report.cells import show_quantity

STORED: Final = "storage.gb"
_HOUR: Final = "connections.hour."
_AGE: Final = f"{STORED}.month."
_MAIN: Final = {
    "users.dau": "daily users",
    "users.mau": "monthly users",
    "connections.peak": "open connections in the busiest hour",
    "messages.sent": "messages sent",
    "messages.delivered": "messages delivered, after fan-out",
    "history.pages": "history pages read",
    "requests.api": "REST requests",
    "edge.requests": "requests at the edge",
    "edge.bytes_out": "bytes out at the edge",
    "store.writes_per_message": "write units of the message store",
    "store.reads_per_message": "read units of the message store",
    "store.reads_per_page": "read units of a history page",
    STORED: "messages and files stored",
    "attachments.bytes": "files uploaded",
    "log.bytes": "message log, before its copies",
    "logs.bytes": "log lines of the services",
    "push.notifications": "push notifications",
    "searches": "searches",
}
_SPLIT: Final = ("connections.peak", "edge.bytes_out")  # also told by place
_NAME: Final = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
_PER_DAY: Final = re.compile(r"(?<=[a-z])_day$")
_WORDS: Final = {
    "api": "API", "cdn": "CDN", "dau": "daily user", "gb": "GB", "kms": "KMS", "mau": "monthly users", "nat": "NAT",
    "p50": "median", "vcpu": "vCPU", "waf": "WAF",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Amount:
    """A main quantity in one place, or over all; `value` in `unit`."""

    title: str
    place: str
    value: Decimal
    unit: str

    @property
    def short(self) -> str:
        """57 TB."""
        return show_quantity(self.value, self.unit)


def find_main(estimate: Estimate) -> tuple[Amount, ...]:
    """What a workload is told by, those that it has; over all places, and of some by place."""
    return tuple(amount for name, title in _MAIN.items() for amount in _amounts(estimate, name, title))


def _amounts(estimate: Estimate, name: str, title: str) -> Iterator[Amount]:
    found = [each for each in estimate.quantities if each.name == name]
    if len(found) > 1 or (found and not found[0].place):
        yield Amount(title, "all", estimate.quantity(name), found[0].unit)
    if len(found) == 1 or name in _SPLIT:
        yield from (Amount(title, each.place, to_decimal(each.value), each.unit) for each in found if each.place)


def find_single(estimate: Estimate) -> tuple[Quantity, ...]:
    """All but those by hour of the day and by month since launch."""
    return tuple(each for each in estimate.quantities if not each.name.startswith((_HOUR, _AGE)))


def find_hours(estimate: Estimate) -> Mapping[str, tuple[Decimal, ...]]:
    """Open connections in each hour of the day (UTC) by region, those with all hours."""
    found: dict[str, dict[str, Decimal]] = {}
    for each in estimate.quantities:
        if each.name.startswith(_HOUR):
            found.setdefault(each.place, {})[each.name.removeprefix(_HOUR)] = to_decimal(each.value)
    return {
        region: tuple(hours[each] for each in sorted(hours))
        for region, hours in found.items()
        if len(hours) == HOURS_PER_DAY
    }


def find_storage(estimate: Estimate) -> Mapping[int, Decimal]:
    """GB stored by month since launch, the estimate's among them; empty without a series."""
    found = {
        int(each.name.removeprefix(_AGE)): to_decimal(each.value)
        for each in estimate.quantities
        if each.name.startswith(_AGE)
    }
    if found:
        found[estimate.month] = estimate.quantity(STORED)
    return dict(sorted(found.items()))


def say_name(name: str) -> str:
    """`store.copied_writes` as store: copied writes; what is no such name as it is."""
    if not _NAME.fullmatch(name):
        return name
    parts = (
        " ".join(_WORDS.get(word, word) for word in part.split("_"))
        for part in _PER_DAY.sub("_and_day", name).split(".")
    )
    return ": ".join(parts)
