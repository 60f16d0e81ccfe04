"""How connections end, and what the close code says about coming back."""

import asyncio
from pathlib import Path

import pytest

from nottermost_chat.clock import Clock
from nottermost_chat.gateway.gateway import RESUME_SPREAD_S
from nottermost_chat.ports import Signal
from nottermost_chat.protocol import CLOSE_RULES, CloseCode
from nottermost_chat.testing.raw_socket import CLOSE, HandshakeRefused, make_client_frame
from nottermost_chat.testing.running import RunningChat, run_chat


async def test_who_does_not_authenticate_is_closed(tmp_path: Path) -> None:
    """After the deadline, whatever else was sent."""
    async with run_chat(tmp_path, authenticate_within_s=1) as chat:
        one = await chat.raw()
        await one.send({"type": "ping"})
        assert await one.closed() == CloseCode.NOT_AUTHENTICATED


async def test_who_is_silent_is_closed(tmp_path: Path) -> None:
    """Nothing came for the heartbeat's time: closed with a code that says to resume; who pings stays."""
    async with run_chat(tmp_path, heartbeat_timeout_s=1) as chat:
        ann, bob = await chat.users("ann", "bob")
        silent, alive = await chat.raw(ann), await chat.raw(bob)
        closed = asyncio.create_task(silent.closed())
        while not closed.done():
            await alive.send({"type": "ping"})
            await alive.expect("pong")
            await asyncio.wait({closed}, timeout=0.1)
        assert closed.result() == CloseCode.HEARTBEAT
        assert CLOSE_RULES[CloseCode.HEARTBEAT].resume
        await alive.send({"type": "ping"})
        await alive.expect("pong")


async def test_a_token_that_ends_closes_the_connection(tmp_path: Path) -> None:
    """Unless a fresh one came in time."""
    async with run_chat(tmp_path, authenticate_within_s=1) as chat:
        ann, bob = await chat.users("ann", "bob")
        renewed = await chat.raw(chat.hasty(bob, access_token_s=3))
        await renewed.authenticate(chat.services.tokens.issue(bob.user_id, bob.device_id))
        ends = await chat.raw(chat.hasty(ann, access_token_s=3))  # made just before: a busy machine has these seconds
        assert await ends.closed() == CloseCode.TOKEN_EXPIRED
        await renewed.send({"type": "ping"})
        await renewed.expect("pong")


@pytest.mark.parametrize("all_devices", [False, True])
async def test_a_revoked_device_is_closed_at_once(chat: RunningChat, all_devices: bool) -> None:
    """Only that device's sockets, or all of the user's; nobody else's."""
    ann, bob = await chat.users("ann", "bob")
    other_device = await chat.device(ann.user_id)
    one, two, three = await chat.raw(ann), await chat.raw(other_device), await chat.raw(bob)
    device = "" if all_devices else ann.device_id
    await chat.services.signals.signal(Signal(revoke_user=ann.user_id, revoke_device=device))
    assert await one.closed() == CloseCode.REVOKED
    if all_devices:
        assert await two.closed() == CloseCode.REVOKED
    else:
        await two.send({"type": "ping"})
        await two.expect("pong")
    await three.send({"type": "ping"})
    await three.expect("pong")


async def test_a_drain_tells_and_then_closes(tmp_path: Path) -> None:
    """`server:drain` first, then DRAIN, also to who has not signed in; new connections are refused."""
    async with run_chat(tmp_path) as chat:
        (ann,) = await chat.users("ann")
        one, nobody = await chat.raw(ann), await chat.raw()
        await chat.gateway.drain()
        await one.expect("server:drain")
        assert await one.closed() == CloseCode.DRAIN
        assert await nobody.closed() == CloseCode.DRAIN
        with pytest.raises(HandshakeRefused):
            await chat.raw()


async def test_a_drain_of_many_is_spread(tmp_path: Path) -> None:
    """Above the few, connections are closed one after the other over the drain's time."""
    async with run_chat(tmp_path, drain_s=1, drain_connections_few=2) as chat:
        sockets = [await chat.raw(user) for user in await chat.users(*(f"u{number}" for number in range(6)))]
        started = Clock().monotonic()
        await chat.gateway.drain()
        assert Clock().monotonic() - started >= 0.5
        for one in sockets:
            assert (await one.expect("server:drain"))["within_ms"] == 1000
            assert await one.closed() == CloseCode.DRAIN


async def test_a_lapse_sends_everybody_to_resume(chat: RunningChat) -> None:
    """When deliveries to the gateway were dropped its clients are told to come back and resume; a few at once."""
    sockets = [await chat.raw(user) for user in await chat.users("ann", "bob")]
    began = Clock().monotonic()
    chat.gateway.lapse()
    for one in sockets:
        assert await one.closed() == CloseCode.RESYNC
    assert Clock().monotonic() - began < RESUME_SPREAD_S / len(sockets)


async def test_a_close_is_answered_once(chat: RunningChat) -> None:
    """A client's close gets one close frame back, and the connection ends."""
    (ann,) = await chat.users("ann")
    one = await chat.raw(ann)
    await one.send_raw(make_client_frame(CLOSE, (1000).to_bytes(2, "big")))
    frame = await one.receive_frame()
    while frame.opcode != CLOSE:
        frame = await one.receive_frame()
    assert await one.closed() == 1006
