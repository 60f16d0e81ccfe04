"""Load balancers that say who really asks, and what of it is believed."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from nottermost_chat.errors import StartError


class Proxies:
    """Networks of machines that are believed when they name, in X-Forwarded-For, whom they were asked by."""

    def __init__(self, text: str) -> None:
        """`text`: addresses and networks, with commas between; "": nobody is believed. Raises: StartError."""
        self.networks = [_parse(each.strip()) for each in text.split(",") if each.strip()]

    def find_client(self, peer: str, forwarded: Sequence[bytes]) -> str:
        """Who asks.

        Each proxy adds at the end whom it was asked by, so the last name that is none of theirs is the client's:
        what stands before it, the client may have written itself.

        Args:
            peer: who is connected; "": unknown.
            forwarded: values of X-Forwarded-For, in the order in which they came.
        """
        names = [name.strip() for value in forwarded for name in value.decode("ascii", "replace").split(",")]
        chain = [*(name for name in names if name), peer]
        return next((name for name in reversed(chain) if not self._has(name)), chain[0])

    def _has(self, name: str) -> bool:
        try:
            address = ip_address(name)
        except ValueError:
            return False
        return any(address in network for network in self.networks)


def _parse(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise StartError(
            f"trusted_proxies: {error}; give addresses and networks, as 127.0.0.1 or 10.0.0.0/16, with commas between"
        ) from error
