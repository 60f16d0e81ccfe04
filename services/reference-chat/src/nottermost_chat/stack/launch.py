"""How one process of the cluster is started: data, so that it can be read, compared and rendered."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nottermost_chat.stack.probes import Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What to run, in the process's own folder.

    Attributes:
        files: written before each start, path in the folder -> content; readable by the owner alone.
        once: commands that make the data folder, run before the first start, in order.
        user: who runs it when we are root, because it refuses root; "": whoever we are.
        environment: added to our own.
    """

    command: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    once: tuple[tuple[str, ...], ...] = ()
    user: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One process of one cluster: a server, the load balancer or a role of the chat.

    Attributes:
        name: unique in the cluster: `redis`, `kafka1`, `gateway2`.
        folder: its own, for configuration and data.
        ports: by what they are for; the first is the one that clients know.
        start_s: the time it may take until it answers, on a busy machine.
        memory_mib: what it takes under load, at most.
        stop: the signal that ends it in order.
    """

    name: str
    folder: Path
    ports: Mapping[str, int]
    launch: Launch
    probe: Probe
    start_s: float
    memory_mib: int
    stop: signal.Signals = signal.SIGTERM

    @property
    def port(self) -> int:
        return next(iter(self.ports.values()))
