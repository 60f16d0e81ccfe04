"""How a cluster is: which processes run, which answer, and how much memory all of them take."""

from enum import StrEnum
from typing import Final

import msgspec

MIB: Final = 1024 * 1024
MEMORY_MIB_MAX: Final = 6 * 1024  # what the cluster and the chat may take together on a small machine


class Condition(StrEnum):
    """What a process does."""

    READY = "ready"  # it answers
    SILENT = "silent"  # it runs and does not answer
    FROZEN = "frozen"  # stopped by a signal, waiting for SIGCONT
    ENDED = "ended"  # killed or crashed; `up` starts it again


class UnitStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One process. `memory_bytes`: resident, with the processes that it started."""

    name: str
    condition: Condition
    port: int
    pid: int | None = None
    memory_bytes: int = 0


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A whole cluster."""

    url: str
    units: list[UnitStatus]

    @property
    def ready(self) -> bool:
        """Whether there is anything, and all of it answers."""
        return bool(self.units) and all(unit.condition is Condition.READY for unit in self.units)

    @property
    def memory_mib(self) -> int:
        return sum(unit.memory_bytes for unit in self.units) // MIB

    def to_json(self) -> bytes:
        """One object, with what follows from the units."""
        sums = {"ready": self.ready, "memory_mib": self.memory_mib, "memory_mib_max": MEMORY_MIB_MAX}
        return msgspec.json.encode(msgspec.to_builtins(self) | sums)

    def render(self) -> list[str]:
        """A line a process, then what all of them take."""
        lines = [f"{'name':<14}{'condition':<11}{'port':>6}{'pid':>9}{'memory':>10}"]
        for unit in self.units:
            memory = f"{unit.memory_bytes // MIB} MiB"
            lines.append(f"{unit.name:<14}{unit.condition:<11}{unit.port:>6}{unit.pid or '-':>9}{memory:>10}")
        verdict = "within" if self.memory_mib <= MEMORY_MIB_MAX else "ABOVE"
        return [*lines, f"{self.memory_mib} MiB in all, {verdict} the {MEMORY_MIB_MAX} MiB that it may take"]
