"""Starts, stops and kills the processes of one local cluster, each by name.

What it starts stays up when the command that did it has ended; the folder's `stack.json` says what runs.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec
import psutil

from nottermost_chat.errors import NotFound, StartError
from nottermost_chat.stack.admin import BACKENDS, ServerState, set_servers
from nottermost_chat.stack.artifacts import Artifacts
from nottermost_chat.stack.cluster import BALANCER, LOCK_FILE, LOGS, STATE_FILE, Cluster, Options, State, kind_of
from nottermost_chat.stack.keys import Keys
from nottermost_chat.stack.launch import Unit
from nottermost_chat.stack.ports import is_free, name_owner
from nottermost_chat.stack.process import Running, end_all, inherited_environment, start_units, tail
from nottermost_chat.stack.roles import ROLES
from nottermost_chat.stack.status import Condition, Status, UnitStatus

MIB: Final = 1024 * 1024
RESTING_SHARE: Final = 0.5  # of what the processes take at most they take about half when nobody is there
SETUP_S_MAX: Final = 180.0  # migrations, tables, topics and an index, each within seconds
STOP_S: Final = 20.0  # a gateway drains for 10 s, PostgreSQL writes a checkpoint
STAGES: Final = ("servers", "roles", BALANCER)  # in the order in which they start; they end the other way round

Announce = Callable[[str], object]


class Stack:
    """The cluster in one folder. Several processes may use it; starting and ending is done one at a time."""

    def __init__(self, folder: Path, artifacts: Artifacts | None = None, command: tuple[str, ...] = ()) -> None:
        """
        Args:
            artifacts: what the servers are made of; by default the user's cache.
            command: starts `nottermost`; by default the one beside this Python.
        """
        self.folder = folder.absolute()
        self._artifacts = artifacts or Artifacts.of(os.environ)
        self._command = command or (str(Path(sys.executable).with_name("nottermost")),)

    def up(
        self,
        options: Options | None = None,
        *,
        only: Collection[str] = (),
        announce: Announce = lambda _: None,
    ) -> list[str]:
        """Start what does not run; returns the names of what was started once all of it answers.

        Args:
            options: None: those of the last time, at first the usual ones.
            only: units, kinds or `servers`; nothing: all. A role then needs its servers to run already.
        Raises: StartError, and then nothing that this call started stays; NotFound for an unknown name.
        """
        with self._locked():
            cluster = self._open_or_make(options)
            cluster.save()  # from here on the folder is known to hold a cluster, whatever becomes of it
            wanted = cluster.resolve(only) if only else cluster.names
            missing = [cluster.unit(name) for name in wanted if not self._runs(cluster, name)]
            check_ports(missing)
            check_memory(missing)
            cluster.save()
            self._end(cluster, self._surplus(cluster))
            try:
                for stage in STAGES:
                    self._start(cluster, stage, [unit for unit in missing if _stage_of(unit.name) == stage], announce)
            except BaseException:
                self._end(cluster, [unit.name for unit in missing])
                raise
            return [unit.name for unit in missing]

    def down(self, *, volumes: bool = False) -> list[str]:
        """End all of it; returns the names of what ran. `volumes`: remove all data, logs and secrets too."""
        if not (self.folder / STATE_FILE).exists():
            return []
        with self._locked():
            cluster = self._open()
            running = [name for name in cluster.state.processes if self._runs(cluster, name)]
            for stage in reversed(STAGES):
                self._end(cluster, [name for name in cluster.state.processes if _stage_of(name) == stage])
            _free_postgres_memory(self.folder / "postgres")
            if volumes:
                cluster.remove()
        return running

    def start(self, name: str) -> None:
        """Start one unit unless it runs; returns when it answers. Raises: StartError, NotFound."""
        self.up(only=[name])

    def stop(self, name: str) -> None:
        """End one unit in order: a role drains. Raises: NotFound."""
        with self._locked():
            cluster = self._open()
            self._end(cluster, cluster.resolve([name]))

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> list[str]:
        """Send a signal to a unit, or to all of a kind; returns whom it reached.

        SIGKILL ends it without warning; SIGSTOP freezes it until SIGCONT. It is not started again by itself: `up` does.
        Raises: NotFound for an unknown name, or when nothing of that name runs.
        """
        cluster = self._open()
        processes = cluster.state.processes
        reached = [unit for unit in cluster.resolve([name]) if unit in processes and processes[unit].send(number)]
        if not reached:
            raise NotFound(f"{name} does not run: `nottermost stack status` shows what does")
        return reached

    def restart(self, name: str) -> None:
        """SIGKILL, and a new process on the same data and ports. Raises: StartError, NotFound."""
        with suppress(NotFound):
            self.kill(name)
        self.start(name)

    def runs(self, name: str) -> bool:
        """Whether its process is there, whatever it does."""
        return self._runs(self._open(), name)

    def options(self) -> Options:
        """Those of the last time, at first the usual ones."""
        return self._open().state.options if (self.folder / STATE_FILE).exists() else Options()

    def port(self, name: str, use: str = "") -> int:
        """Where a unit listens; `use`: `metrics`, `health`, `controller` …; "": what clients know."""
        return self._open().port(name, use)

    def describe(self, name: str) -> Unit:
        """One process as it is started: command, environment, files, ports. Holds secrets."""
        return self._open().unit(name)

    def url(self) -> str:
        """Where people open the chat."""
        return self._open().url

    def environment(self) -> dict[str, str]:
        """What every role is told, as environment variables. Holds secrets."""
        return self._open().environment()

    def logs(self, name: str = "") -> list[Path]:
        """The log of one unit or of all that ever ran. Raises: NotFound."""
        if not name:
            return sorted((self.folder / LOGS).glob("*.log"))
        return [self.folder / LOGS / f"{unit}.log" for unit in self._open().resolve([name])]

    def status(self) -> Status:
        """What was started, whether it runs and answers, and how much memory it takes."""
        cluster = self._open()
        names = list(cluster.state.processes)
        with ThreadPoolExecutor(max(1, len(names))) as threads:  # a frozen one takes its time to not answer
            return Status(url=cluster.url, units=list(threads.map(lambda name: _look_at(cluster, name), names)))

    def _start(self, cluster: Cluster, stage: str, units: list[Unit], announce: Announce) -> None:
        if not units:
            return
        (self.folder / LOGS).mkdir(exist_ok=True)
        if stage == "roles":
            self._set_up(cluster, announce)
        announce(f"starting {', '.join(unit.name for unit in units)}")

        def record(unit: Unit, running: Running) -> None:
            cluster.state.processes[unit.name] = running
            cluster.save()

        start_units(units, self.folder / LOGS, record)
        if stage == "servers":
            cluster.state.set_up = False  # one of them may have come back empty
            cluster.save()
        if stage == "roles":
            self._balance(cluster, [unit.name for unit in units], "ready")

    def _set_up(self, cluster: Cluster, announce: Announce) -> None:
        if cluster.state.set_up:
            return
        announce("setting up schema, tables, topics, buckets, queues and index")
        command, environment = cluster.setup_unit()
        log = self.folder / LOGS / "setup.log"
        with log.open("ab") as file:
            try:
                subprocess.run(  # noqa: S603 - our own command
                    command, env=inherited_environment() | environment, stdin=subprocess.DEVNULL, stdout=file,
                    stderr=file, check=True, timeout=SETUP_S_MAX,
                )  # fmt: skip
            except subprocess.SubprocessError as error:
                raise StartError(f"the servers could not be set up:\n{tail(log)}") from error
        cluster.state.set_up = True
        cluster.save()

    def _surplus(self, cluster: Cluster) -> list[str]:
        """Roles that a smaller `--scale` leaves over."""
        roles = set(cluster.roles)
        return [name for name in cluster.state.processes if kind_of(name) in ROLES and name not in roles]

    def _end(self, cluster: Cluster, names: Collection[str]) -> None:
        there = [(name, cluster.state.processes.pop(name)) for name in names if name in cluster.state.processes]
        with suppress(OSError, StartError):  # a load balancer that hangs sends nobody anything
            self._balance(cluster, [name for name, _ in there], "drain")
        end_all([(running, cluster.unit(name).stop) for name, running in there], STOP_S)
        with suppress(OSError, StartError):
            self._balance(cluster, [name for name, _ in there], "maint")
        if there:
            cluster.save()

    def _balance(self, cluster: Cluster, names: Collection[str], state: ServerState) -> None:
        """Tell the load balancer, if it runs, of those of them that stand behind it."""
        if self._runs(cluster, BALANCER):
            set_servers(self.folder / BALANCER, [name for name in names if kind_of(name) in BACKENDS], state)

    def _runs(self, cluster: Cluster, name: str) -> bool:
        running = cluster.state.processes.get(name)
        return running is not None and running.find() is not None

    def _open(self) -> Cluster:
        """Raises: NotFound when the folder holds no cluster."""
        path = self.folder / STATE_FILE
        if not path.exists():
            raise NotFound(f"there is no cluster in {self.folder}: `nottermost stack up` makes one")
        return self._cluster(msgspec.json.decode(path.read_bytes(), type=State))

    def _open_or_make(self, options: Options | None) -> Cluster:
        if not (self.folder / STATE_FILE).exists():
            return self._cluster(State(options=options or Options()))
        cluster = self._open()
        if options is not None and options != cluster.state.options:
            return self._cluster(_change_options(cluster.state, options))
        return cluster

    def _cluster(self, state: State) -> Cluster:
        return Cluster(self.folder, state, Keys.open(self.folder), self._artifacts, self._command)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(mode=0o711, parents=True, exist_ok=True)  # PostgreSQL, which refuses root, has to pass
        with (self.folder / LOCK_FILE).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _stage_of(name: str) -> str:
    kind = kind_of(name)
    return kind if kind == BALANCER else "roles" if kind in ROLES else "servers"


def check_ports(units: Collection[Unit]) -> None:
    """Raises: StartError that says who has a port."""
    taken = [(unit.name, port) for unit in units for port in unit.ports.values() if not is_free(port)]
    if taken:
        said = "; ".join(f"port {port} for {name} is taken by {name_owner(port)}" for name, port in taken)
        raise StartError(f"{said}: end it, or say --free-ports (and --port for the load balancer)")


def check_memory(units: Collection[Unit]) -> None:
    """Raises: StartError when so little is free that the kernel would kill something soon."""
    needed = RESTING_SHARE * sum(unit.memory_mib for unit in units)
    free = psutil.virtual_memory().available / MIB
    if free < needed:
        raise StartError(
            f"{len(units)} processes need about {needed:.0f} MiB of memory and {free:.0f} MiB are free: "
            "end something else, or start less with --only"
        )


def _change_options(state: State, options: Options) -> State:
    """What may change while it runs is the number of processes."""
    fixed = {"store", "kafka_nodes", "port", "free_ports", "scratch", "origin"}
    changed = [name for name in fixed if getattr(options, name) != getattr(state.options, name)]
    if changed and any(running.find() for running in state.processes.values()):
        raise StartError(f"{', '.join(sorted(changed))} cannot change while it runs: `nottermost stack down` first")
    ports = {} if {"port", "free_ports"} & set(changed) else state.ports
    return State(options=options, ports=ports, processes=state.processes, set_up=state.set_up and not changed)


def _look_at(cluster: Cluster, name: str) -> UnitStatus:
    running = cluster.state.processes[name]
    process = running.find()
    if process is None:
        return UnitStatus(name=name, condition=Condition.ENDED, port=cluster.port(name))
    with suppress(psutil.NoSuchProcess):
        if process.status() == psutil.STATUS_STOPPED:
            condition = Condition.FROZEN
        else:
            condition = Condition.READY if cluster.unit(name).probe() else Condition.SILENT
        return UnitStatus(
            name=name,
            condition=condition,
            port=cluster.port(name),
            pid=running.pid,
            memory_bytes=running.memory_bytes(),
        )
    return UnitStatus(name=name, condition=Condition.ENDED, port=cluster.port(name))


def _free_postgres_memory(folder: Path) -> None:
    """A killed PostgreSQL leaves a segment of shared memory, whose id is the second number in a line of this file."""
    with suppress(FileNotFoundError, IndexError):
        segment = (folder / "data" / "postmaster.pid").read_text().splitlines()[6].split()[1]
        ipcrm = shutil.which("ipcrm")
        if ipcrm is not None:
            subprocess.run([ipcrm, "-m", segment], capture_output=True, timeout=10, check=False)  # noqa: S603
