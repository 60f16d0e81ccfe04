"""People of a test on a cluster that others use too, and the command line beside them."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import msgspec

from nottermost_chat.clock import Clock
from nottermost_chat.stack.process import inherited_environment
from nottermost_chat.testing.cluster import Cluster
from nottermost_chat.testing.people import PASSWORD, Person, read
from nottermost_chat.testing.running import SEEN_WITHIN_S

POLL_S: Final = 0.1
CLI_S_MAX: Final = 60.0  # its imports take 2 s alone, on a busy machine ten times as long

T = TypeVar("T")


class Town:
    """A cluster, people whom nobody else knows, and a workspace of theirs with a public channel."""

    def __init__(self, cluster: Cluster, http: httpx.AsyncClient) -> None:
        self.cluster, self._http = cluster, http
        self.environment = cluster.stack.environment()

    async def open(self) -> None:
        self.ann, self.bob = await self.join("ann"), await self.join("bob")
        self.workspace_id = await self.ann.workspace("W", self.bob)
        self.place = await self.ann.channel(self.workspace_id, "town", self.bob)

    async def join(self, name: str) -> Person:
        """A new account."""
        unique = f"{name}{Clock().new_id().lower()}"
        body = {"email": f"{unique}@example.org", "username": unique, "password": PASSWORD}
        session = read(await self._http.post("/api/users/auth/register", json=body), 201)
        return Person(
            http=self._http, user_id=session["user"]["user_id"], name=unique, device_id=session["user"]["device_id"],
            access_token=session["access_token"], refresh_token=session["refresh_token"],
        )  # fmt: skip

    async def run(self, *arguments: str) -> Any:
        """What `nottermost chat …` prints with --json."""
        command = (str(Path(sys.executable).with_name("nottermost")), "chat", *arguments, "--json")
        process = await asyncio.create_subprocess_exec(
            *command, env=inherited_environment() | self.environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(CLI_S_MAX):
            out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return msgspec.json.decode(out)


async def until(look: Callable[[], Awaitable[T]], holds: Callable[[T], bool]) -> T:
    """What is seen once it holds, of what tells nobody when it changes. Raises: TimeoutError."""
    async with asyncio.timeout(SEEN_WITHIN_S):
        while not holds(seen := await look()):  # noqa: ASYNC110 - see above
            await asyncio.sleep(POLL_S)
        return seen
