"""The servers that a benchmark needs: its own, in a temporary folder, with fsync on; gone with all they wrote afterwards."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psycopg

from nottermost_chat.backends import database_server
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
    """What runs, as a role of the chat is told of it."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """`environment`: holds secrets."""
        self.folder, self.environment = folder, dict(environment)
        given = {name: value for name, value in self.environment.items() if name.startswith(PREFIX)}
        self.process: Process = make_process(Role.API, load_settings(given), load_secrets(given))

    def connect(self) -> Connection:
        """To the roles' database, as its owner."""
        server = database_server(self.process.settings, self.process.secrets)
        host, _, port = server.host.partition(":")
        password = self.process.secrets.database_password
        return psycopg.connect(host=host, port=port, user=server.user, dbname=server.database, password=password)


async def measure_over(
    names: Sequence[str], tell: Tell, measure: Callable[[Servers], Awaitable[list[Figure]]]
) -> list[Figure]:
    """What `measure` gives with these servers, between rows that say what it was taken under.

    Raises: StartError when a server cannot be started.
    """

    async def start_and_measure() -> list[Figure]:
        tell(f"starting {', '.join(names)}")
        async with running_servers(names) as servers:
            asked = _ask_fsync(servers) if POSTGRES in names else []
            return asked + await measure(servers)

    return await between_loads(start_and_measure)


async def between_loads(measure: Callable[[], Awaitable[list[Figure]]]) -> list[Figure]:
    """What it gives, between the load averages before and after."""
    before = Figure("load average before", os.getloadavg()[0], "", "of the whole machine: what else ran")
    rows = await measure()
    return [before, *rows, Figure("load average after", os.getloadavg()[0], "", "with all of this in it")]


@asynccontextmanager
async def running_servers(names: Sequence[str]) -> AsyncIterator[Servers]:
    """Servers on free ports, at least one, named as for `nottermost stack up --only`; AWS's clients find theirs."""
    assert names, "none would mean all"
    folder = await asyncio.to_thread(_make_folder)
    settings = {name.removeprefix(PREFIX): value for name, value in ENVIRONMENT.items()}
    options = Options(store=Store.POSTGRES, port=0, free_ports=True, settings={"": settings})
    stack = Stack(folder / "stack")
    try:
        await asyncio.to_thread(stack.up, options, only=names)
        environment = stack.environment() | {f"{PREFIX}DATA": str(folder / "data")}
        with _in_environment({name: value for name, value in environment.items() if not name.startswith(PREFIX)}):
            yield Servers(folder, environment)
    finally:
        await asyncio.to_thread(stack.down, volumes=True)
        shutil.rmtree(folder, ignore_errors=True)


def _make_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="nottermost-bench-"))
    folder.chmod(0o711)  # PostgreSQL, which refuses root, has to pass
    return folder


@contextmanager
def _in_environment(given: Mapping[str, str]) -> Iterator[None]:
    """What AWS's clients take from the environment."""
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
