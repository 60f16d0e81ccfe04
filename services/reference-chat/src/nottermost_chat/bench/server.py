"""The chat as a process of its own, on a core of its own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from nottermost_chat.bench.crowd import ENVIRONMENT
from nottermost_chat.errors import StartError

START_S = 120.0  # a busy machine is slow, not broken
STOP_S = 20.0


class RunningServer(msgspec.Struct, frozen=True):
    """A process that listens."""

    pid: int
    port: int

    def rss_kib(self) -> int:
        """Resident memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])


def pin(core: int) -> None:
    """Keep this process on one core, where the machine has another for the server."""
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[core]})


@asynccontextmanager
async def chat_server(data: Path) -> AsyncIterator[RunningServer]:
    """The real chat over the folder."""
    command = "from nottermost_chat.bench.server import run_chat; run_chat()"
    async with _process(command, {"NOTTERMOST_DATA": str(data), "NOTTERMOST_PORT": "0"} | ENVIRONMENT) as server:
        yield server


@asynccontextmanager
async def bare_server() -> AsyncIterator[RunningServer]:
    """The reference: a bare uvloop loop that writes a prebuilt frame."""
    async with _process("from nottermost_chat.bench.reference import run_bare; run_bare()", {}) as server:
        yield server


@asynccontextmanager
async def bare_sends_server(folder: Path, senders: int, body: str) -> AsyncIterator[RunningServer]:
    """The reference: a bare uvloop loop that commits what it gets in groups and sends it back."""
    command = "from nottermost_chat.bench.reference import run_bare_sends; run_bare_sends()"
    async with _process(command, {}, str(folder), str(senders), body) as server:
        yield server


@asynccontextmanager
async def role_server(role: str, environment: Mapping[str, str]) -> AsyncIterator[RunningServer]:
    """One role of the chat over servers; the environment says where they are."""
    command = "import sys; from nottermost_chat.bench.server import run_role; run_role(sys.argv[1])"
    async with _process(command, {**environment}, role) as server:
        yield server


@asynccontextmanager
async def _process(command: str, environment: dict[str, str], *arguments: str) -> AsyncIterator[RunningServer]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", command, *arguments, env=os.environ | environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_S):
            line = await process.stdout.readline()
        if not line.strip().isdigit():
            raise StartError("the server to be measured did not start: see its message above")
        yield RunningServer(process.pid, int(line))
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


def run_chat() -> None:
    """The chat as `nottermost chat run --empty` runs it; prints its port."""
    import uvloop

    from nottermost_chat.bootstrap import serve
    from nottermost_chat.logs import configure_logging
    from nottermost_chat.settings import load_settings

    pin(0)
    raise_file_limit()
    settings = load_settings(os.environ)
    configure_logging(settings.log_level)

    def announce(url: str, _accounts: object) -> None:
        print(url.rpartition(":")[2], flush=True)  # noqa: T201 - read by the parent

    uvloop.run(serve(settings, welcome=False, announce=announce))


def run_role(name: str) -> None:
    """A role as `nottermost chat run --role` runs it; prints its port."""
    import uvloop

    from nottermost_chat.logs import configure_logging
    from nottermost_chat.roles import parse_role, serve_role
    from nottermost_chat.settings import load_secrets, load_settings

    raise_file_limit()
    settings = load_settings(os.environ)
    configure_logging(settings.log_level, role=name)

    def announce(port: int) -> None:
        print(port, flush=True)  # noqa: T201 - read by the parent

    uvloop.run(serve_role(parse_role(name), settings, load_secrets(os.environ), announce=announce))


def raise_file_limit() -> None:
    """As many open sockets as the machine allows."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
