"""Addresses of roles: lists and names."""

import socket

import pytest

from nottermost_chat.errors import StartError
from nottermost_chat.rpc.addresses import DnsName, FixedAddresses, parse_addresses


async def test_a_list_is_taken_as_it_is() -> None:
    """Blanks and a comma at the end do no harm."""
    resolver = parse_addresses("one:7000, two:7000,[::1]:7001,")
    assert isinstance(resolver, FixedAddresses)
    assert await resolver.addresses() == {"one:7000", "two:7000", "[::1]:7001"}


async def test_one_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every address that it stands for is an instance."""
    found = [("192.0.2.1", 7000), ("192.0.2.2", 7000), ("2001:db8::1", 7000, 0, 0), ("192.0.2.1", 7000)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: [(0, 0, 0, "", address) for address in found])
    resolver = parse_addresses("ingest.internal:7000")
    assert isinstance(resolver, DnsName)
    assert await resolver.addresses() == {"192.0.2.1:7000", "192.0.2.2:7000", "[2001:db8::1]:7000"}


async def test_a_name_that_nobody_knows_is_an_os_error() -> None:
    """The caller keeps what it knew."""
    with pytest.raises(socket.gaierror):
        await parse_addresses("nothing.invalid:7000").addresses()


@pytest.mark.parametrize("text", ["", " ,", "host", "host:", ":7000", "host:port", "one:1,two"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """At the start, with the form that is expected."""
    with pytest.raises(StartError, match="host:port"):
        parse_addresses(text)
