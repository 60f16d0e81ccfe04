"""Processes that outlive the command which started them, known by id and start time.

mirakuru starts them and waits until they answer. It would also end them when this program ends, by a mark in their
environment, so they get no mark.
"""

import atexit
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any, Final

import mirakuru
import mirakuru.base
import msgspec
import psutil

from nottermost_chat.errors import StartError
from nottermost_chat.stack.launch import Unit

POLL_S: Final = 0.05
STARTED_APART_S: Final = 0.5  # one process read twice differs by a clock tick; another one with its id by far more
ONCE_S_MAX: Final = 120.0  # Kafka's format and initdb take 2 to 5 s
GONE_S_MAX: Final = 10.0  # after SIGKILL
FROZEN_S_MAX: Final = 5.0  # the kernel stops a process when it next leaves a system call
LOG_LINES: Final = 15
MADE: Final = ".made"  # in a unit's folder once its data were made
NOT_INHERITED: Final = ("NOTTERMOST_", "AWS_")  # what the cluster itself says about settings and accounts counts


class Running(msgspec.Struct, frozen=True):
    """A process that was started. Its id alone does not name it: it is given to another one later.

    Attributes:
        started: seconds since the epoch, as the kernel tells it.
    """

    pid: int
    started: float

    def find(self) -> psutil.Process | None:
        """The process, unless it ended."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                _reap(self.pid)
            elif abs(process.create_time() - self.started) < STARTED_APART_S:
                return process
        return None

    def family(self) -> list[psutil.Process]:
        """The process, then those that it started; PostgreSQL's put themselves into groups of their own."""
        process = self.find()
        with suppress(psutil.NoSuchProcess):
            return [] if process is None else [process, *process.children(recursive=True)]
        return []

    def send(self, number: signal.Signals) -> bool:
        """Send it to the process and to all that it started; what kills or freezes has done so when this returns.

        Returns: False when the process ended before.
        """
        family = self.family()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        if number is signal.SIGKILL:
            _wait_gone(family, GONE_S_MAX)
        if number is signal.SIGSTOP:
            _wait_frozen(family)
        return bool(family)

    def memory_bytes(self) -> int:
        """Resident memory of the process and of those it started; pages that they share count for each."""
        total = 0
        for process in self.family():
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total


def _wait_gone(processes: Collection[psutil.Process], within_s: float) -> list[psutil.Process]:
    """Returns who is left. One that has ended is gone, also while its parent, which may be busy, has not asked for it."""
    deadline = time.monotonic() + within_s
    while left := [process for process in processes if _lives(process)]:
        if time.monotonic() > deadline:
            break
        time.sleep(POLL_S)
    return left


def _lives(process: psutil.Process) -> bool:
    """Its first thread may be gone before the others, which hold ports and files until they are gone too."""
    with suppress(psutil.NoSuchProcess):
        if process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1:
            return process.is_running()
        _reap(process.pid)
    return False


def _wait_frozen(processes: Collection[psutil.Process]) -> None:
    deadline = time.monotonic() + FROZEN_S_MAX
    with suppress(psutil.NoSuchProcess):
        while any(process.status() != psutil.STATUS_STOPPED for process in processes) and time.monotonic() < deadline:
            time.sleep(POLL_S)


def end_all(processes: Collection[tuple[Running, signal.Signals]], within_s: float) -> None:
    """Ask all of them to end, side by side, and kill what is left after `within_s`; returns when nothing is."""
    families: list[psutil.Process] = []
    for running, number in processes:
        family = running.family()
        with suppress(psutil.NoSuchProcess):
            for process in family:
                process.resume()  # a stopped one would not hear the rest
            for process in family[:1]:
                process.send_signal(number)
        families += family
    left = _wait_gone(families, within_s)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    _wait_gone(left, GONE_S_MAX)


def start_units(units: Collection[Unit], logs: Path, started: Callable[[Unit, Running], object]) -> None:
    """Start them side by side; returns when all answer.

    Args:
        started: told of each process at once, before it answers.
    Raises: StartError with the end of the log; others may then be running.
    """
    atexit.unregister(mirakuru.base.cleanup_subprocesses)  # finds by part of a mark: could hit what others run
    with ExitStack() as files:
        starters: list[_Starter] = []
        try:
            for unit in sorted(units, key=lambda unit: bool(unit.launch.once)):  # who has data to make goes last
                prepare(unit)
                log = files.enter_context((logs / f"{unit.name}.log").open("ab"))
                starter = _Starter(unit, log)
                started(unit, starter.launch())
                starters.append(starter)
            for starter in starters:
                _wait(starter, logs)
        finally:
            for starter in starters:
                starter.detach()


def prepare(unit: Unit) -> None:
    """Folder, configuration and, the first time, data. Raises: StartError."""
    user = unit.launch.user if os.geteuid() == 0 else ""
    for folder in (unit.folder, unit.folder / "tmp"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if user:
        _check_way(unit, user)
    for name, content in unit.launch.files.items():
        (unit.folder / name).touch(mode=0o600)
        (unit.folder / name).write_text(content)
    if user:
        for path in (unit.folder, *(unit.folder / name for name in ("tmp", *unit.launch.files))):
            shutil.chown(path, user, user)
    if not (unit.folder / MADE).exists():
        for command in unit.launch.once:
            _run_once(unit, command, user)
        (unit.folder / MADE).touch()


def _run_once(unit: Unit, command: tuple[str, ...], user: str) -> None:
    try:
        subprocess.run(  # noqa: S603 - our own command
            command, cwd=unit.folder, env=_environment(unit), stdin=subprocess.DEVNULL, check=True, timeout=ONCE_S_MAX,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **_identity(user),
        )  # fmt: skip
    except subprocess.SubprocessError as error:
        said = (getattr(error, "output", b"") or b"").decode(errors="replace").strip()
        raise StartError(f"{unit.name}: its data in {unit.folder} could not be made: {said or error}") from error


def _check_way(unit: Unit, user: str) -> None:
    """PostgreSQL refuses root, and a folder below root's own is closed to anybody else."""
    for parent in unit.folder.absolute().parents:
        if not parent.stat().st_mode & stat.S_IXOTH:
            raise StartError(
                f"{unit.name} refuses root and runs as {user}, who cannot enter {parent}: choose another --folder"
            )


class _Starter(mirakuru.Executor):
    """Starts one unit in a session of its own and waits until it answers."""

    def __init__(self, unit: Unit, log: IO[bytes]) -> None:
        super().__init__(
            unit.launch.command, cwd=str(unit.folder), timeout=unit.start_s, sleep=POLL_S,
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.unit = unit

    @property
    def envvars(self) -> dict[str, str]:
        return _environment(self.unit)

    @property
    def _popen_kwargs(self) -> dict[str, Any]:
        kwargs = super()._popen_kwargs
        kwargs.pop("preexec_fn", None)  # runs Python between fork and exec: no good beside threads
        user = self.unit.launch.user if os.geteuid() == 0 else ""
        return kwargs | {"start_new_session": True} | _identity(user)

    def launch(self) -> Running:
        """Start it, without waiting."""
        mirakuru.SimpleExecutor.start(self)
        assert self.process is not None
        return Running(self.process.pid, psutil.Process(self.process.pid).create_time())

    def after_start_check(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise mirakuru.ProcessExitedWithError(self, self.process.returncode)
        return self.unit.probe()

    def detach(self) -> None:
        """Leave it to itself: neither this object nor its end concern the process any more."""
        if self.process is not None:
            self.process.returncode = 0  # else Popen warns that it still runs
            self.process = None


def _wait(starter: _Starter, logs: Path) -> None:
    name = starter.unit.name
    try:
        if not starter.after_start_check():  # its time may be over when the turn comes to one that is long ready
            starter.wait_for(starter.check_subprocess)
    except mirakuru.ProcessExitedWithError as error:
        raise StartError(f"{name} ended while it started:\n{tail(logs / f'{name}.log')}") from error
    except mirakuru.TimeoutExpired as error:
        end = tail(logs / f"{name}.log")
        raise StartError(f"{name} does not answer after {starter.unit.start_s:.0f} s:\n{end}") from error


def tail(log: Path, lines: int = LOG_LINES) -> str:
    """The end of a log; "" when there is none."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


def inherited_environment() -> dict[str, str]:
    """Our own, without what the cluster itself says."""
    return {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}


def _environment(unit: Unit) -> dict[str, str]:
    return {**inherited_environment(), **unit.launch.environment}


def _identity(user: str) -> dict[str, Any]:
    return {"user": user, "group": user, "extra_groups": []} if user else {}


def _reap(pid: int) -> None:
    """Take the exit code of a child, so that it is gone; of others somebody else takes it."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
