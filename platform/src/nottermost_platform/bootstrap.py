"""Runs Ansible's roles over an environment, in order, and says what they did.

On AWS Secrets Manager is asked for the database's password; it travels in the environment of the process and in
no file.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec

from nottermost_conventions.errors import ExitCode, NottermostError
from nottermost_platform.inventory import PORTS, Group, Host, Inventory, render

FOLDER: Final = Path(__file__).parents[3] / "ansible"
CONNECT_S: Final = 3.0
RUN_S: Final = 3600.0  # filling a large table in a migration takes a while
STOP_S: Final = 10.0  # for Ansible to end its workers, which are in groups of their own
PASSWORD: Final = "NOTTERMOST_BOOTSTRAP_DATABASE_PASSWORD"  # noqa: S105 - the name of a variable
RECAP: Final = "NOTTERMOST_RECAP"
Phase = Literal["expand", "promoted", "contract"]
Say = Callable[[str], None]


class BootstrapFailed(NottermostError):
    """A role did not come to its end; says which, and what it said."""

    code = "bootstrap_failed"


class Unreachable(NottermostError):
    """Something does not answer from here, so that nothing can be said of it."""

    code = "unreachable"
    exit_code = ExitCode.COULD_NOT_TELL


class NoRecap(NottermostError):
    """Ansible ended before it had begun."""

    code = "no_recap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be run.

    Attributes:
        hosts: in order. phase: of migrations. variables: they win over those of the inventory.
    """

    inventory: Inventory
    hosts: tuple[Host, ...]
    phase: Phase
    dry_run: bool
    variables: Mapping[str, Any]

    @property
    def groups(self) -> list[Group]:
        return list(dict.fromkeys(host.group for host in self.hosts))

    def render(self) -> Iterator[str]:
        what = "what would change" if self.dry_run else "bring about what is missing"
        yield f"plan: bootstrap {self.inventory.env}, {what}"
        for number, host in enumerate(self.hosts, 1):
            phase = f", migrations: {self.phase}" if host.group == "database" else ""
            yield f"{number:>3}. {host.group} on {host.name}: {', '.join(_show(each) for each in addresses(host)) or 'this machine'}{phase}"


class Play(msgspec.Struct, frozen=True):
    """What one play came to, as the callback of our collection counts it."""

    play: str
    ok: int
    changed: int
    failed: int
    skipped: int
    unreachable: int
    changes: list[str]
    problems: list[str]

    def render(self, *, dry_run: bool) -> str:
        verb = "would change" if dry_run else "changed"
        what = f": {', '.join(self.changes)}" if self.changes else ""
        return f"{self.play.lower()}: ok={self.ok} {verb}={self.changed} failed={self.failed}{what}"


def addresses(host: Host) -> list[tuple[str, int]]:
    """What has to answer before the role can do anything; nothing for this machine itself."""
    variables = host.variables
    match host.group:
        case "database":
            return [(str(variables["database_host"]), int(variables.get("database_port", PORTS["database"])))]
        case "search":
            url = urlsplit(str(variables["search_url"]))
            return [(url.hostname or "", url.port or (443 if url.scheme == "https" else 80))]
        case "topics":
            return [
                (name, int(port))
                for name, _, port in (each.partition(":") for each in variables["topics_brokers"].split(","))
            ]
        case _:
            return []


def find_silent(hosts: tuple[Host, ...]) -> list[str]:
    """Those that do not answer from here, with the reason."""
    return [
        f"{host.name} ({_show(place)}: {reason})"
        for host in hosts
        for place in addresses(host)
        if (reason := _knock(place))
    ]


def _knock(place: tuple[str, int]) -> str:
    try:
        socket.create_connection(place, timeout=CONNECT_S).close()
    except OSError as error:
        return error.strerror or str(error) or type(error).__name__
    return ""


def _show(place: tuple[str, int]) -> str:
    return f"{place[0]}:{place[1]}"


# --- what AWS knows -------------------------------------------------------------------------------


def find_secrets(hosts: tuple[Host, ...], environ: Mapping[str, str]) -> dict[str, str]:
    """The database's password by its variable, unless the environment has it or no host needs it.

    Raises: BootstrapFailed.
    """
    wanted = next((each for each in hosts if "database_secret_arn" in each.variables), None)
    return {} if wanted is None or PASSWORD in environ else {PASSWORD: _ask_password(wanted)}


def _ask_password(host: Host) -> str:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        vault = boto3.client("secretsmanager", region_name=host.region)
        text = vault.get_secret_value(SecretId=host.variables["database_secret_arn"])["SecretString"]
        return str(json.loads(text)["password"])
    except (BotoCoreError, ClientError, LookupError, ValueError) as error:
        raise BootstrapFailed(
            f"{host.name}: AWS does not tell the database's password: {error}; "
            f"is this machine's role allowed to ask, or give {PASSWORD}"
        ) from error


# --- running --------------------------------------------------------------------------------------


def run(plan: Plan, secrets: Mapping[str, str], say: Say) -> list[Play]:
    """Run the playbooks. `say`: is given every line of Ansible's. Raises: BootstrapFailed, NoRecap, Unreachable."""
    silent = find_silent(plan.hosts)
    if silent:
        raise Unreachable(
            f"nothing was done: {'; '.join(silent)}; on AWS the stores answer only inside their network: "
            "run this on the admin host"
        )
    with tempfile.TemporaryDirectory(prefix="nottermost-bootstrap-") as name:
        folder = Path(name)
        inventory = msgspec.structs.replace(plan.inventory, hosts=plan.hosts)
        (folder / "inventory.yml").write_text(render(inventory))
        (folder / "variables.json").write_text(json.dumps({"database_phase": plan.phase, **plan.variables}))
        recap = folder / "recap.json"
        code = _play(_command(plan, folder), _environment(secrets, recap), say)
        if not recap.exists():
            raise NoRecap(f"ansible-playbook ended with {code} before any role had begun; what it said is above")
        plays = msgspec.json.decode(recap.read_bytes(), type=list[Play])
    problems = [f"{play.play.lower()}: {text}" for play in plays for text in play.problems]
    if problems or code:
        done = ", ".join(play.play.lower() for play in plays if not play.problems) or "none"
        raise BootstrapFailed(f"{'; '.join(problems) or f'ansible-playbook ended with {code}'} (done: {done})")
    return plays


def _command(plan: Plan, folder: Path) -> list[str]:
    program = Path(sys.executable).with_name("ansible-playbook")
    options = ["--check"] if plan.dry_run else []
    playbooks = [str(FOLDER / "playbooks" / f"{group}.yml") for group in plan.groups]
    return [
        str(program), "--diff", *options, "--inventory", str(folder / "inventory.yml"),
        "--extra-vars", f"@{folder / 'variables.json'}", *playbooks,
    ]  # fmt: skip


def _environment(secrets: Mapping[str, str], recap: Path) -> dict[str, str]:
    return {
        **os.environ, **secrets, RECAP: str(recap), "ANSIBLE_CONFIG": str(FOLDER / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "true", "LC_ALL": "C.UTF-8",
    }  # fmt: skip


def _play(command: list[str], environment: dict[str, str], say: Say) -> int:
    """Its exit code. Raises: BootstrapFailed after `RUN_S`, NoRecap when it cannot be started."""
    try:
        process = subprocess.Popen(  # noqa: S603 - fixed arguments
            command, env=environment, cwd=FOLDER, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise NoRecap(f"{command[0]} cannot be started ({error.strerror}): run `make setup`") from error
    with process, _limited(process) as late:
        assert process.stdout is not None
        for line in process.stdout:
            say(line.rstrip())
        process.wait()
    if late.is_set():
        raise BootstrapFailed(
            f"ansible-playbook was ended, since it did not come to its end in {RUN_S / 60:g} minutes: see above what it was "
            "at and what that waits for; what is done stays done, so run this again"
        )
    return process.returncode


@contextmanager
def _limited(process: "subprocess.Popen[str]") -> Iterator[threading.Event]:
    """It does not outlive the block, nor `RUN_S`; what is given is set when that has passed."""
    late = threading.Event()

    def end() -> None:
        late.set()
        _stop(process)

    timer = threading.Timer(RUN_S, end)
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
        if process.poll() is None:  # interrupted: its session is its own, so nobody else tells it
            _stop(process)


def _stop(process: "subprocess.Popen[str]") -> None:
    """Its whole process group; it is asked first."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
