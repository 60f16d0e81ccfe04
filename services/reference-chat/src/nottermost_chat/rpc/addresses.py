"""Where all instances of a role are: a fixed list, or a name that is looked up again and again."""

import asyncio
import socket
from typing import Protocol

import structlog

from nottermost_chat.errors import StartError

LOOK_UP_EVERY_S = 5.0
LOOK_UP_WITHIN_S = 2.0

logger = structlog.get_logger(__name__)


class Resolver(Protocol):
    """Tells where the instances are now.

    DNS answers with at most eight addresses on AWS: with more instances a resolver over Cloud
    Map's DiscoverInstances takes its place.
    """

    async def addresses(self) -> frozenset[str]:
        """`host:port` of each instance. Raises: OSError when it cannot tell; the last answer then stays."""
        ...


class FixedAddresses:
    """Instances that are written down."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = frozenset(addresses)

    async def addresses(self) -> frozenset[str]:
        return self._addresses


class DnsName:
    """One name whose A and AAAA records are all instances, on one port."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    async def addresses(self) -> frozenset[str]:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(LOOK_UP_WITHIN_S):  # a TimeoutError is an OSError
            found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        return frozenset(_authority(str(address[0]), self._port) for *_, address in found)


def parse_addresses(text: str) -> Resolver:
    """`host:port,host:port` is a fixed list; a single `host:port` is looked up. Raises: StartError."""
    parts = [_split(part.strip()) for part in text.split(",") if part.strip()]
    if not parts:
        raise StartError("no addresses are given: write host:port, with commas between")
    if len(parts) == 1:
        return DnsName(*parts[0])
    return FixedAddresses(*(_authority(host, port) for host, port in parts))


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise StartError(f"{address!r} is no address: write host:port, with commas between")
    return host.strip("[]"), int(port)


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
