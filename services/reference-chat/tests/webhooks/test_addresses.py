"""Webhooks go to the internet and nowhere else, whatever a name claims."""

import asyncio
import socket
from collections.abc import Iterable

import httpcore
import pytest

from nottermost_chat.errors import BadRequest
from nottermost_chat.webhooks.addresses import CheckedNetwork, ForbiddenAddress, check_url, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254",
        "192.0.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1",
        "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "2001:db8::1", "::ffff:127.0.0.1",
        "::ffff:8.8.8.8", "::ffff:169.254.169.254", "64:ff9b::a00:1", "2002:7f00:1::", "2001:0:7f00:1::", "::7f00:1",
    ],
)  # fmt: skip
def test_addresses_of_our_own_are_refused(address: str) -> None:
    """Loopback, private, link-local (with the clouds' credentials), multicast, reserved, and IPv6 that hides them."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001:82f::200e"])
def test_addresses_of_the_internet_are_not(address: str) -> None:
    """Ordinary ones."""
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/", "ftp://example.org/", "https://", "https:///x", "example.org", "https://localhost/",
        "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/", "https://169.254.169.254/latest/",
        "https://user@example.org/", "https://example.org/#x", "https://example.org/ x", "https://ex\u00e4mple.org/",
        "https://example.org:99999/", "https://[::1/", "https://example.org/" + "x" * 2_000,
    ],
)  # fmt: skip
def test_addresses_that_can_never_do_are_refused_at_once(url: str) -> None:
    """Before anything is stored."""
    with pytest.raises(BadRequest):
        check_url(url, private=False)


def test_an_operator_may_allow_its_own_network() -> None:
    """For tests, and for a server beside which the receivers run."""
    assert check_url("http://127.0.0.1:8080/x", private=True)
    with pytest.raises(BadRequest):
        check_url("file:///etc/passwd", private=True)


class Noted(httpcore.AsyncNetworkBackend):
    """Connects nowhere, and notes where to."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.asked.append(host)
        raise httpcore.ConnectError("nowhere")


async def test_names_of_our_own_machine_are_looked_through() -> None:
    """`localhost`, and old ways to write 127.0.0.1, are resolved before they are judged."""
    inner = Noted()
    network = CheckedNetwork(private=False, inner=inner)
    for host in ("localhost", "127.1", "0x7f.0.0.1", "2130706433"):
        with pytest.raises(ForbiddenAddress):
            await network.connect_tcp(host, 443)
    assert inner.asked == []


async def test_it_connects_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name whose second answer is another one (DNS rebinding) is asked once; any bad address refuses the name."""
    answers = [["8.8.8.8"], ["127.0.0.1"], ["8.8.8.8", "10.0.0.1"]]

    async def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers.pop(0)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve, raising=False)
    inner = Noted()
    network = CheckedNetwork(private=False, inner=inner)
    with pytest.raises(httpcore.ConnectError):
        await network.connect_tcp("rebinding.example", 443)
    assert inner.asked == ["8.8.8.8"]
    for _ in range(2):
        with pytest.raises(ForbiddenAddress):
            await network.connect_tcp("rebinding.example", 443)
    assert inner.asked == ["8.8.8.8"]
