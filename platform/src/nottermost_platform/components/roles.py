"""The roles of the chat: what each needs of the platform, how it is reached, what it calls, how large it may be."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, model_validator

from nottermost_conventions.topics import ENTRIES
from nottermost_platform.components.needs import Need
from nottermost_platform.components.scaling import Schedule
from nottermost_platform.settings import Strict

DIGEST: Final = "sha256:"
NO_IMAGE: Final = f"{DIGEST}{'0' * 64}"  # until the first one was pushed
MEMORY_BY_CPU: Final[dict[int, Sequence[int]]] = {  # what Fargate offers, in MiB
    256: (512, 1024, 2048),
    512: range(1024, 4097, 1024),
    1024: range(2048, 8193, 1024),
    2048: range(4096, 16385, 1024),
    4096: range(8192, 30721, 1024),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role of the chat (design §3.1): what it needs, how it is reached, what it calls.

    Attributes:
        groups: under which it reads the log, beside the one of its own name.
        redrives: whose dead letters it hands over again.
    """

    needs: tuple[Need, ...]
    port: int | None = None
    paths: tuple[str, ...] = ()
    priority: int = 0
    calls: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    redrives: tuple[str, ...] = ()
    drain_s: int = 30
    latency_s_p95_max: float = 0.5

    def at(self, path: str, *, priority: int) -> "Role":
        """The same role behind another path."""
        return replace(self, paths=(path,), priority=priority)


ROLES: Final = {
    "gateway": Role(
        needs=(Need.CACHE, Need.IDENTITY), calls=("ingest", "fanout"), port=8080, paths=("/ws",), priority=100,
        drain_s=60, latency_s_p95_max=1.0,
    ),
    "api": Role(
        needs=(
            Need.ARCHIVE, Need.CACHE, Need.DATABASE, Need.FILES, Need.IDENTITY, Need.PSEUDONYMS, Need.PUSH_KEYS,
            Need.REPLAY, Need.SEARCH_READ, Need.TABLES_READ,
        ),
        calls=("ingest",), port=8081, paths=("/api/*", "/healthz", "/readyz"), priority=200,
    ),
    "ingest": Role(needs=(Need.CACHE, Need.DATABASE, Need.LOG_WRITE, Need.TABLES_WRITE), port=9001),
    "fanout": Role(  # the log has previews, and of a crowd's entry the store the rest
        needs=(Need.CACHE, Need.LOG_READ, Need.TABLES_READ), calls=("ingest",), port=9002,
    ),
    "indexer": Role(needs=(Need.DATABASE, Need.LOG_READ, Need.SEARCH_WRITE, Need.TABLES_READ)),
    "notifier": Role(
        needs=(Need.CACHE, Need.DATABASE, Need.LOG_READ, Need.PUSH, Need.TABLES_READ),
    ),
    "webhooks": Role(needs=(Need.DATABASE, Need.LOG_READ, Need.TABLES_READ, Need.WEBHOOKS)),
    "archiver": Role(needs=(Need.ARCHIVE, Need.DATABASE, Need.LOG_READ, Need.TABLES_READ)),
    # What the directory derives from the log, retention, counts, the canary; operators' commands run as its tasks.
    "keeper": Role(
        needs=(
            Need.ARCHIVE, Need.CACHE, Need.DATABASE, Need.FILES, Need.IDENTITY, Need.LOG_READ, Need.PSEUDONYMS,
            Need.REDRIVE, Need.SEARCH_WRITE, Need.TABLES_SWEEP, Need.TABLES_WRITE,
        ),
        calls=("ingest",), groups=("audit", "counts"),
        redrives=("keeper", "audit", "counts", "indexer", "notifier", "webhooks", "archiver"),
    ),
}  # fmt: skip
TIER_PRIORITY: Final = 110  # and its slot


class Size(Strict):
    """How large a role is, and how many tasks it has.

    Attributes:
        spot_percent: of the tasks above the minimum, which may vanish on two minutes' notice.
        needs: only for a role that the chat does not have: a worker of one's own.
    """

    cpu: Literal[256, 512, 1024, 2048, 4096]
    memory_mib: int
    tasks_min: int = Field(ge=1)
    tasks_max: int = Field(ge=1)
    spot_percent: int = Field(default=0, ge=0, le=75)
    schedules: dict[str, Schedule] = Field(default={})
    needs: list[Need] = Field(default=[])

    @model_validator(mode="after")
    def _fits(self) -> "Size":
        offered = MEMORY_BY_CPU[self.cpu]
        if self.memory_mib not in offered:
            raise ValueError(f"memory_mib: with cpu {self.cpu} Fargate has {', '.join(map(str, offered))}")
        if self.tasks_max < self.tasks_min:
            raise ValueError(f"tasks_max: at least tasks_min, {self.tasks_min}")
        return self


class Tier(Size):
    """A pool of gateways for one tier, reached at `/ws/<tier>`. `slot`: its place among rules, never given twice."""

    slot: int = Field(ge=0, le=80)


Image = Annotated[str, StringConstraints(pattern=r"^(sha256:[0-9a-f]{64}|[A-Za-z0-9_][A-Za-z0-9._-]{0,127})$")]
RoleName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,18}[a-z0-9]$")]
TierName = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,12}$")]


def _size(cpu: int, memory_mib: int, tasks_min: int, tasks_max: int, spot_percent: int = 0) -> dict[str, int]:
    return {
        "cpu": cpu, "memory_mib": memory_mib, "tasks_min": tasks_min, "tasks_max": tasks_max,
        "spot_percent": spot_percent,
    }  # fmt: skip


READERS: Final = ENTRIES.partitions  # of the log: a further consumer would have nothing to read
SMALL: Final = {role: _size(256, 512, 1, 2, 75) for role in ROLES}
MIDDLE: Final = {role: _size(512, 1024, 2, 6, 0 if role in ("gateway", "ingest") else 50) for role in ROLES}
# Document D: 10 million sockets, 8,000 a gateway; 174,000 requests a second at peak, 5,000 a task.
LARGE: Final = {
    "gateway": _size(2048, 4096, 3, 1250), "api": _size(2048, 4096, 3, 60, 25), "ingest": _size(2048, 4096, 3, 60),
    "fanout": _size(2048, 4096, 3, READERS), "indexer": _size(1024, 2048, 2, READERS, 75),
    "notifier": _size(1024, 2048, 2, READERS, 75), "webhooks": _size(512, 1024, 2, 40, 75),
    "archiver": _size(512, 1024, 2, READERS, 75), "keeper": _size(512, 1024, 2, READERS, 75),
}  # fmt: skip
WARM: Final = {role: {"tasks_min": 2} for role in ROLES}  # a standby: two of each, growing when it takes over
