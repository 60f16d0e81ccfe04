"""Who asks, when load balancers stand before the chat."""

import pytest

from nottermost_chat.errors import StartError
from nottermost_chat.proxies import Proxies

BALANCER, EDGE, CLIENT = "10.30.192.7", "130.176.1.2", "198.51.100.7"
TRUSTED = Proxies("10.30.192.0/18, 130.176.0.0/16,::1")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        (BALANCER, [f"{CLIENT}, {EDGE}"], CLIENT),
        (BALANCER, [CLIENT, EDGE], CLIENT),
        (BALANCER, [CLIENT], CLIENT),
        ("::1", ["2001:db8::7"], "2001:db8::7"),
        (BALANCER, [f"203.0.113.1, {CLIENT}, {EDGE}"], CLIENT),
        (BALANCER, [f"{EDGE}, {CLIENT}"], CLIENT),
        (BALANCER, [f"nobody, {EDGE}"], "nobody"),
        (BALANCER, [f"{BALANCER}, {EDGE}"], BALANCER),
        (BALANCER, [", "], BALANCER),
        (BALANCER, [], BALANCER),
        (CLIENT, ["203.0.113.1"], CLIENT),
        ("10.30.191.255", ["203.0.113.1"], "10.30.191.255"),
        ("", ["203.0.113.1"], ""),
    ],
)
def test_the_last_name_that_is_no_proxy_asks(peer: str, forwarded: list[str], client: str) -> None:
    """Through one proxy or two, in one header or several; what the client wrote itself does not count."""
    assert TRUSTED.find_client(peer, [value.encode() for value in forwarded]) == client


def test_nobody_is_believed_by_default() -> None:
    """Without proxies it is who is connected."""
    assert Proxies("").find_client(CLIENT, [b"203.0.113.1"]) == CLIENT


@pytest.mark.parametrize("text", ["balancer", "10.0.0.1/8", "10.0.0.0/33", "127.0.0.1;10.0.0.1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """A name, or a network with bits of a host in it, ends the start with a sentence."""
    with pytest.raises(StartError, match=r"trusted_proxies: .* as 127\.0\.0\.1 or 10\.0\.0\.0/16"):
        Proxies(f"127.0.0.1,{text}")
