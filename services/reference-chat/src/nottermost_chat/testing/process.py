"""The real chat as a process of its own: started, killed without warning, started again on the same folder."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

import httpx

from nottermost_chat.stack.ports import find_free

START_S: Final = 30.0  # a cold start takes about 2 s; a busy machine gets the rest
STOP_S: Final = 30.0
POLL_S: Final = 0.02
# Below what kernels give to outgoing connections (32768 and up): a client that tries to reconnect
# while the chat is down must not be given the chat's own port, nor be connected to itself.
PORTS: Final = range(15_000, 30_000)
LOG_TAIL_CHARS: Final = 4000


class Chat(Protocol):
    """A running chat, whatever it is made of."""

    @property
    def url(self) -> str: ...

    @property
    def port(self) -> int: ...


class OwnChat(Chat, Protocol):
    """A chat that a test has alone. What is killed or paused is what browsers talk to."""

    async def kill(self) -> None:
        """SIGKILL: no warning, no clean end."""

    async def start(self) -> None:
        """Returns when it answers again."""

    async def pause(self) -> None:
        """Nobody answers, and no connection ends."""

    async def resume(self) -> None:
        """As if nothing had been."""


class ChatProcess:
    """One chat process on one folder and port; at most one is alive at a time.

    Everything goes by the id of the process that was started here, and which does not outlive this one.

    Attributes:
        log: what the processes wrote, one after the other.
    """

    def __init__(
        self,
        data: Path,
        *,
        port: int,
        log: Path,
        command: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """
        Args:
            command: starts the chat without `--data` and `--port`; by default `nottermost chat run --empty`.
            environment: added to this process's own.
        """
        self.data, self.port, self.log = data, port, log
        command = command or (str(Path(sys.executable).with_name("nottermost")), "chat", "run", "--empty")
        self._command = tied(*command, "--data", str(data), "--port", str(port))
        self._environment = {**os.environ, **(environment or {})}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def start(self, within_s: float = START_S) -> None:
        """Returns when the chat answers. Raises: RuntimeError with the end of its log when it does not."""
        assert self._process is None, "it runs already"
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
            )
        try:
            async with asyncio.timeout(within_s):
                await self._wait_healthy(self._process)
        except TimeoutError:
            await self.kill()
            raise RuntimeError(f"the chat did not answer within {within_s:.0f} s:\n{self._log_tail()}") from None

    async def _wait_healthy(self, process: asyncio.subprocess.Process) -> None:
        async with httpx.AsyncClient(base_url=self.url, timeout=2.0) as http:
            while process.returncode is None:
                with suppress(httpx.TransportError):
                    if (await http.get("/healthz")).is_success:
                        return
                await asyncio.sleep(POLL_S)
        self._process = None
        raise RuntimeError(f"the chat ended with {process.returncode} while it started:\n{self._log_tail()}")

    async def kill(self) -> None:
        """SIGKILL: no warning, no clean end. Returns when the process is gone."""
        await self._end(signal.SIGKILL)

    async def pause(self) -> None:
        """SIGSTOP."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    async def resume(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def stop(self, within_s: float = STOP_S) -> int:
        """SIGTERM: the chat drains. Returns its exit code. Raises: TimeoutError; then it has been killed."""
        try:
            async with asyncio.timeout(within_s):
                return await self._end(signal.SIGTERM)
        finally:
            await self.kill()

    async def restart(self, within_s: float = START_S) -> None:
        """SIGKILL, and a new process on the same folder and port."""
        await self.kill()
        await self.start(within_s)

    async def _end(self, how: signal.Signals) -> int:
        process = self._process
        if process is None:
            return 0
        with suppress(ProcessLookupError):
            process.send_signal(how)
        code = await process.wait()
        self._process = None
        return code

    def _log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-LOG_TAIL_CHARS:]


@asynccontextmanager
async def running_process(
    folder: Path, *, command: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> AsyncIterator[ChatProcess]:
    """A chat with its data in `folder/data`, on a free port; killed at the end, whatever happens."""
    process = ChatProcess(
        folder / "data", port=free_port(), log=folder / "chat.log", command=command, environment=environment
    )
    try:
        await process.start()
        yield process
    finally:
        await process.kill()


def free_port() -> int:
    """A port on which nobody listens now, in a range that is not used for outgoing connections."""
    return find_free(set(), PORTS)


def tied(*command: str) -> tuple[str, ...]:
    """The command, killed by the kernel when this program ends, however it ends; where Linux's setpriv is."""
    setpriv = shutil.which("setpriv")
    return command if setpriv is None else (setpriv, "--pdeathsig", "KILL", *command)
