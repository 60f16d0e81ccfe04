"""Which addresses may be told: those of the internet, none of our own network.

Otherwise an admin of a workspace could let the server ask what only the server may ask: its neighbours,
or the address at which a cloud hands out its credentials.
"""

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

import httpcore

from nottermost_chat.errors import BadRequest

URL_CHARS_MAX: Final = 2_000
_IPV6: Final = IPv6Network("2000::/3")  # all that is given out; the rest is for special purposes
_EMBEDDING: Final = [IPv6Network("2001::/32"), IPv6Network("2002::/16")]  # stands for an IPv4 address: any one


class ForbiddenAddress(Exception):
    """A name leads to an address that must not be asked."""


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Resolves a name once, looks at every address, and connects to what it has looked at: no second look-up
    can lead elsewhere."""

    def __init__(self, *, private: bool, inner: httpcore.AsyncNetworkBackend | None = None) -> None:
        """`private`: any address will do."""
        self._private, self._inner = private, inner or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises ForbiddenAddress, and what httpcore raises."""
        address = await self._find(host, port, timeout)
        return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

    async def _find(self, host: str, port: int, within_s: float | None) -> str:
        try:
            async with asyncio.timeout(within_s):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host} has no address") from error
        addresses = [str(place[0]) for *_, place in found]
        if not self._private:
            for address in addresses:
                if not is_public(address):
                    raise ForbiddenAddress(f"{host} leads to {address}, which is not an address of the internet")
        return addresses[0]


def is_public(address: str) -> bool:
    """Whether the address belongs to the internet: not to a machine, a network, a multicast group or nobody."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and (found not in _IPV6 or any(found in net for net in _EMBEDDING)):
        return False
    return found.is_global and not (found.is_multicast or found.is_reserved)


def check_url(url: str, *, private: bool) -> str:
    """Returns the address. Raises BadRequest for what can never be told; names are looked up when it is."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise BadRequest(f"{url!r} is no address: {error}") from error
    schemes = ("https", "http") if private else ("https",)
    if parts.scheme not in schemes or not host:
        raise BadRequest(f"the address has to begin with {schemes[0]}:// and name a host")
    if parts.username is not None or parts.fragment or len(url) > URL_CHARS_MAX or not _is_plain(url):
        raise BadRequest("the address may hold visible ASCII only, no user name and no #fragment")
    if not private and (host == "localhost" or _is_forbidden_literal(host)):
        raise BadRequest(f"{host} is not an address of the internet: webhooks go nowhere else")
    return url


def _is_forbidden_literal(host: str) -> bool:
    try:
        return not is_public(host)
    except ValueError:
        return False  # a name


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url
