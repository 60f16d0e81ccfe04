"""A whole cluster for the tests of a run: real servers, two of every role, the load balancer; started once.

It is shared by the workers of a run, and lies below the run's folder, so that it ends with the servers. Who only uses
it shares it; who breaks something has it alone, and brings back what is broken.
"""

import asyncio
import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

import httpx
import msgspec
import pytest

from nottermost_chat.roles import Role
from nottermost_chat.settings import PREFIX, Store
from nottermost_chat.stack.cluster import Options, kind_of
from nottermost_chat.stack.launcher import Stack
from nottermost_chat.stack.roles import ROLES
from nottermost_chat.testing.push_services import Certificate, find_certificate
from nottermost_chat.testing.servers import CLUSTER, FOLDER_VARIABLE

NOTICED_S: Final = 15.0
POLL_S: Final = 0.05
MANY: Final = "100000000"
UNLIMITED: Final = {  # one address, few people, many messages
    f"LIMITS__{name}__{part}": MANY
    for name in (
        "STANDARD__USER_MESSAGES",
        "STANDARD__CONVERSATION_MESSAGES",
        "STANDARD__USER_CALLS",
        "STANDARD__USER_GROUP_CREATIONS",
        "IP_LOG_INS",
        "IP_HANDSHAKES",
    )
    for part in ("PER_MINUTE", "BURST")
}
UNLIMITED_ENVIRONMENT: Final = {f"{PREFIX}{name}": value for name, value in UNLIMITED.items()}
PRIVATE: Final = {"WEBHOOK_PRIVATE": "true", "PUSH_PRIVATE": "true"}  # whom it tells are the tests themselves
SETTINGS: Final = {"": UNLIMITED | PRIVATE, "archiver": {"ARCHIVE_EVERY_S": "1"}}
OPTIONS: Final = Options(store=Store.POSTGRES, scratch=True, free_ports=True, port=0, settings=SETTINGS)
ROLES_THERE: Final = [name for name in ROLES if name in set(Role)]
ALL: Final = ("servers", *ROLES_THERE, "haproxy")

ON_CLUSTER: Final = pytest.param(
    "cluster", marks=[pytest.mark.slow, pytest.mark.timeout(600)]
)  # others may have it alone


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running cluster. `url`: its load balancer's; `stack` starts, stops and kills what belongs to it."""

    stack: Stack

    @property
    def url(self) -> str:
        return self.stack.url()

    @property
    def certificate(self) -> Certificate:
        """Of push services that its notifier believes."""
        return find_certificate(self.stack.folder.parent)

    @property
    def port(self) -> int:
        return self.stack.port("haproxy")

    @property
    def store(self) -> str:
        """The name of the server that holds the messages."""
        return self.stack.options().store.value

    @property
    def gateway_urls(self) -> list[str]:
        """Of each gateway, past the load balancer."""
        return self._urls("gateway")

    @property
    def api_urls(self) -> list[str]:
        return self._urls("api")

    @property
    def api_url(self) -> str:
        return self.api_urls[0]

    def _urls(self, kind: str) -> list[str]:
        names = sorted(unit.name for unit in self.stack.status().units if kind_of(unit.name) == kind)
        return [f"http://127.0.0.1:{self.stack.port(name)}" for name in names]

    def heal(self) -> None:
        """Bring back what does not run."""
        self.stack.up(only=ALL)

    async def kill(self) -> None:
        """Every gateway and every api, so that nobody is answered: SIGKILL."""
        for name in ("gateway", "api"):
            await asyncio.to_thread(self.stack.kill, name)

    async def start(self) -> None:
        """Bring them back; returns when the load balancer has noticed."""
        await asyncio.to_thread(self.heal)
        async with asyncio.timeout(NOTICED_S), httpx.AsyncClient(base_url=self.url) as http:
            for path in ("/readyz", "/ws"):  # an api's, a gateway's; that one wants an upgrade
                while (await http.get(path)).status_code == HTTPStatus.SERVICE_UNAVAILABLE:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(POLL_S)

    async def pause(self) -> None:
        """Every gateway: SIGSTOP."""
        await asyncio.to_thread(self.stack.kill, "gateway", signal.SIGSTOP)

    async def resume(self) -> None:
        """Every gateway: SIGCONT."""
        await asyncio.to_thread(self.stack.kill, "gateway", signal.SIGCONT)


@contextmanager
def using_cluster(*, alone: bool = False) -> Iterator[Cluster]:
    """The run's cluster, healthy, started by the first who asks. `alone`: nobody else uses it meanwhile."""
    folder = Path(os.environ[FOLDER_VARIABLE]) / CLUSTER
    with (folder.parent / ".cluster-users").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        cluster = Cluster(Stack(folder))
        believed = {"AUTHORITIES": str(cluster.certificate.path)}
        cluster.stack.up(msgspec.structs.replace(OPTIONS, settings=SETTINGS | {"notifier": believed}), only=ALL)
        yield cluster
