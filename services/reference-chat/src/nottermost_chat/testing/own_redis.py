"""A Redis of a test's own: one that it may flush, stop, kill and promote."""

import asyncio
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from nottermost_chat.testing.process import free_port, tied
from nottermost_chat.testing.running import SEEN_WITHIN_S, wait_until


class OwnRedis:
    """A redis-server process, in memory only, on a port that it keeps over restarts."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder, self._options = folder, options
        self._process: Process | None = None
        self.port = free_port()

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self, *options: str) -> None:
        """Start it, empty, and wait until it answers."""
        self._process = await asyncio.create_subprocess_exec(
            *tied("redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)),
            "--save", "", *self._options, *options, stdout=DEVNULL, stderr=DEVNULL,
        )  # fmt: skip
        await wait_until(self._answers)

    async def ask(self, *words: str, port: int | None = None) -> str:
        """What redis-cli prints."""
        process = await asyncio.create_subprocess_exec(
            "redis-cli", "-p", str(port or self.port), *words, stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(SEEN_WITHIN_S):
            out, _ = await process.communicate()
        return out.decode().strip()

    def send(self, number: signal.Signals) -> None:
        """SIGSTOP, SIGCONT …"""
        assert self._process is not None
        self._process.send_signal(number)

    async def kill(self) -> None:
        """SIGKILL, and it is gone when this returns."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    async def take_over(self, lost: "OwnRedis") -> None:
        """Become primary under the address of another that is gone, as a name moves on AWS."""
        await self.ask("replicaof", "no", "one")
        before, self.port = self.port, lost.port
        assert await self.ask("config", "set", "port", str(self.port), port=before) == "OK"

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True


@asynccontextmanager
async def own_redis(folder: Path, *options: str) -> AsyncIterator[OwnRedis]:
    """A running Redis with these options of redis-server, killed at the end."""
    server = OwnRedis(folder, *options)
    try:
        await server.start()
        yield server
    finally:
        await server.kill()
