"""What a benchmark needs to run: its own, in a temporary folder, with fsync on; gone with all they wrote afterwards."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psycopg

from nottermost_chat.bench.crowd import ENVIRONMENT
from nottermost_chat.roles.process import Process, Role, make_process
from nottermost_chat.settings import PREFIX, Store, load_secrets, load_settings
from nottermost_chat.stack.cluster import Options
from nottermost_chat.stack.launcher import Stack
from nottermost_conventions.figures import Figure

POSTGRES = "postgres"

Tell = Callable[[str], None]
Connection = psycopg.Connection[tuple[object, ...]]


class Servers:
    """What runs, as a role of the chat is told of it. `environment` holds secrets."""

    def __init__(self, stack: Stack) -> None:
        self.environment = stack.environment() | {f"{PREFIX}DATA": str(stack.folder / "bench")}
        settings, secrets = load_settings(self.environment), load_secrets(self.environment)
        self.process: Process = make_process(Role.API, settings, secrets)

    def connect(self) -> Connection:
        """To the roles' database, as its owner."""
        return connect(self.environment)


def connect(environment: Mapping[str, str]) -> Connection:
    """To the database that roles are told of, as its owner."""
    host, _, port = environment[f"{PREFIX}DATABASE_HOST"].partition(":")
    return psycopg.connect(
        host=host, port=port, dbname=environment[f"{PREFIX}DATABASE_NAME"], user=environment[f"{PREFIX}DATABASE_USER"],
        password=environment[f"{PREFIX}DATABASE_PASSWORD"],
    )  # fmt: skip


async def measure_over(
    names: Sequence[str], tell: Tell, measure: Callable[[Servers], Awaitable[list[Figure]]]
) -> list[Figure]:
    """What `measure` gives with these servers, between rows that say what it was taken under.

    Raises: StartError when a server cannot be started.
    """

    async def start_and_measure() -> list[Figure]:
        tell(f"starting {', '.join(names)}")
        async with running_stack(Store.POSTGRES, names) as stack:
            servers = Servers(stack)
            asked = _ask_fsync(servers) if POSTGRES in names else []
            return asked + await measure(servers)

    return await between_loads(start_and_measure)


async def between_loads(measure: Callable[[], Awaitable[list[Figure]]]) -> list[Figure]:
    """What it gives, between the load averages before and after."""
    before = Figure("load average before", os.getloadavg()[0], "", "of the whole machine: what else ran")
    rows = await measure()
    return [before, *rows, Figure("load average after", os.getloadavg()[0], "", "with all of this in it")]


@asynccontextmanager
async def running_stack(store: Store, names: Sequence[str]) -> AsyncIterator[Stack]:
    """Units on free ports, at least one, named as for `nottermost stack up --only`; AWS's clients find their servers."""
    assert names, "none would mean all"
    folder = await asyncio.to_thread(_make_folder)
    settings = {name.removeprefix(PREFIX): value for name, value in ENVIRONMENT.items()}
    options = Options(store=store, port=0, free_ports=True, settings={"": settings})
    stack = Stack(folder)
    try:
        await asyncio.to_thread(stack.up, options, only=names)
        with _aws_environment(stack):
            yield stack
    finally:
        await asyncio.to_thread(stack.down, volumes=True)
        shutil.rmtree(folder, ignore_errors=True)


def _make_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="nottermost-bench-"))
    folder.chmod(0o711)  # PostgreSQL, which refuses root, has to pass
    return folder


@contextmanager
def _aws_environment(stack: Stack) -> Iterator[None]:
    """What AWS's clients take from the environment."""
    given = {name: value for name, value in stack.environment().items() if not name.startswith(PREFIX)}
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _ask_fsync(servers: Servers) -> list[Figure]:
    """Whether commits are on the disk when they are acknowledged, as PostgreSQL says itself."""
    with servers.connect() as connection:
        said = {name: _show(connection, name) for name in ("fsync", "synchronous_commit")}
    on = all(value == "on" for value in said.values())
    return [Figure("PostgreSQL syncs its commits", float(on), "", ", ".join(f"{key} {said[key]}" for key in said))]


def _show(connection: Connection, name: str) -> str:
    row = connection.execute(f"SHOW {name}".encode()).fetchone()
    assert row is not None
    return str(row[0])
