"""`nottermost stack …`: the whole cluster on this machine, with real servers and without containers."""

import signal
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nottermost_chat.stack.launcher import Stack

app = typer.Typer(
    help="Run the whole cluster on this machine: real servers, a load balancer, every role a process. "
    "Begin with: nottermost stack up",
    no_args_is_help=True,
)

Folder = Annotated[Path, typer.Option(help="Where the cluster keeps its data, logs and secrets.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
FOLDER = Path("cluster")  # not below `data`, which is private: PostgreSQL, which refuses root, has to pass
POLL_S = 0.2


class StoreChoice(StrEnum):
    """What holds the messages."""

    DYNAMODB = "dynamodb"
    POSTGRES = "postgres"


class SignalChoice(StrEnum):
    """What a process can be sent."""

    KILL = "KILL"
    STOP = "STOP"
    CONT = "CONT"
    TERM = "TERM"


@app.command()
def fetch() -> None:
    """Fetch what the servers are made of into the cache that later runs reuse; `make servers` calls it.

    Example: nottermost stack fetch
    """
    import os

    from nottermost_chat.stack.artifacts import Artifacts

    artifacts = Artifacts.of(os.environ)
    artifacts.fetch(_tell)
    print(artifacts.folder)


@app.command()
def up(
    scale: Annotated[list[str] | None, typer.Option(help="How many of a role, as gateway=3. Repeatable.")] = None,
    store: Annotated[StoreChoice | None, typer.Option(help="What holds the messages. [default: dynamodb]")] = None,
    folder: Folder = FOLDER,
    port: Annotated[int | None, typer.Option(help="Of the load balancer; 0 takes a free one. [default: 3000]")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Start only this: a process, a kind, or servers. Repeatable.")
    ] = None,
    origin: Annotated[str | None, typer.Option(help="A page of this origin may call the chat (CORS).")] = None,
    kafka_nodes: Annotated[int | None, typer.Option(min=1, max=3, help="Brokers of the log. [default: 1]")] = None,
    free_ports: Annotated[
        bool, typer.Option("--free-ports", help="Take any free ports behind the load balancer.")
    ] = False,
) -> None:
    """Start what does not run yet; returns when everything answers. Said again it brings back what was killed.

    Options that are not given stay as they were the last time.

    Example: nottermost stack up --scale gateway=3
    """
    stack = _open(folder)
    import msgspec

    from nottermost_chat.settings import Store
    from nottermost_chat.stack.cluster import parse_scale

    before = stack.options()
    given = {
        "store": None if store is None else Store(store.value),
        "port": port, "origin": origin, "kafka_nodes": kafka_nodes, "free_ports": free_ports or None,
        "scale": None if not scale else before.scale | parse_scale(scale),
    }  # fmt: skip
    options = msgspec.structs.replace(before, **{name: value for name, value in given.items() if value is not None})
    started = stack.up(options, only=only or (), announce=_tell)
    print(f"started {', '.join(started)}" if started else "everything runs already")
    if stack.runs("haproxy"):
        print(f"Nottermost is running at {stack.url()} (stop it with: nottermost stack down)")


@app.command()
def status(folder: Folder = FOLDER, json: Json = False) -> None:
    """Tell which processes run and answer, and how much memory all of them take; exit 3 when one does not answer.

    Example: nottermost stack status --json
    """
    from nottermost_conventions import ExitCode

    found = _open(folder).status()
    if json:
        sys.stdout.buffer.write(found.to_json() + b"\n")
    else:
        for line in found.render():
            print(line)
    if not found.ready:
        raise typer.Exit(int(ExitCode.SAYS_NO))


@app.command()
def logs(
    name: Annotated[str, typer.Argument(help="A process or a kind; nothing: all.")] = "",
    folder: Folder = FOLDER,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")] = False,
    lines: Annotated[int, typer.Option(min=0, help="How many lines of each to begin with.")] = 20,
) -> None:
    """Print what the processes wrote.

    Example: nottermost stack logs gateway1 --follow
    """
    stack = _open(folder)
    from nottermost_chat.stack.process import tail

    paths = [path for path in stack.logs(name) if path.exists()]
    ends = {path: path.stat().st_size for path in paths}
    for path in paths:
        _print_lines(path, tail(path, lines) if lines else "")
    while follow:
        time.sleep(POLL_S)
        for path in paths:
            with path.open("rb") as file:
                file.seek(ends[path])
                text = file.read()
            whole = text.rfind(b"\n") + 1
            ends[path] += whole
            _print_lines(path, text[:whole].decode(errors="replace"))


@app.command()
def kill(
    name: Annotated[str, typer.Argument(help="A process (gateway2) or a kind (gateway).")],
    folder: Folder = FOLDER,
    how: Annotated[
        SignalChoice, typer.Option("--signal", help="KILL ends it at once, STOP freezes it until CONT, TERM asks.")
    ] = SignalChoice.KILL,
) -> None:
    """Send a signal to a process of the cluster; it stays down until `up` is said again.

    Example: nottermost stack kill gateway2
    """
    for reached in _open(folder).kill(name, signal.Signals[f"SIG{how}"]):
        print(f"sent {how} to {reached}")


@app.command()
def down(
    folder: Folder = FOLDER,
    volumes: Annotated[bool, typer.Option("--volumes", help="Remove all data, logs and secrets too.")] = False,
) -> None:
    """End everything in order; the data stay.

    Example: nottermost stack down
    """
    ended = _open(folder).down(volumes=volumes)
    print(f"ended {', '.join(ended)}" if ended else "nothing ran")


@app.command()
def env() -> None:
    """Print a .env for compose.yaml, with new secrets.

    Example: nottermost stack env > .env
    """
    from nottermost_chat.stack.compose import render_env
    from nottermost_chat.stack.keys import Keys

    sys.stdout.write(render_env(Keys.make()))


@app.command()
def docs(
    root: Annotated[Path, typer.Option(help="Where compose.yaml is.")] = Path(),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 3 when a file is stale.")] = False,
) -> None:
    """Write compose.yaml and .env.example, which are made from the description of the cluster.

    Example: nottermost stack docs --check
    """
    from nottermost_chat.stack.compose import check_compose, write_compose
    from nottermost_conventions import ExitCode

    if not check:
        write_compose(root)
        return
    stale = check_compose(root)
    for name in stale:
        print(f"nottermost: {root / name} is stale: run `nottermost stack docs`", file=sys.stderr)
    if stale:
        raise typer.Exit(int(ExitCode.SAYS_NO))


def _open(folder: Path) -> "Stack":
    from nottermost_chat.errors import StartError

    try:
        from nottermost_chat.stack.launcher import Stack
    except ModuleNotFoundError as error:
        raise StartError(f"the cluster needs {error.name}: run `make servers`, which installs it") from error
    return Stack(folder)


def _print_lines(path: Path, text: str) -> None:
    for line in text.splitlines():
        print(f"{path.stem:<12} {line}", flush=True)


def _tell(step: str) -> None:
    print(step, file=sys.stderr, flush=True)
