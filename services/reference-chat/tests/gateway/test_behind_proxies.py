"""Limits by address go by the client's own, also behind a load balancer."""

import asyncio
from pathlib import Path

from httpx import AsyncClient

from nottermost_chat.settings import Limits, Rate
from nottermost_chat.testing.running import RunningChat, run_chat

ANN, BOB = "198.51.100.7", "198.51.100.8"
ONE = Rate(per_minute=0.01, burst=1)
LIMITS = Limits(ip_handshakes=ONE, ip_log_ins=ONE)
GUESS = {"email": "ann@example.org", "password": "guess"}


async def shake_hands(chat: RunningChat, forwarded: str) -> int:
    """The status of a handshake that came by a proxy."""
    reader, writer = await asyncio.open_connection("127.0.0.1", chat.port)
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: chat\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nX-Forwarded-For: " + forwarded.encode() + b"\r\n\r\n"
    )
    status = int((await reader.readline()).split()[1])
    writer.close()
    await writer.wait_closed()
    return status


async def log_in(chat: RunningChat, forwarded: str) -> int:
    async with AsyncClient(base_url=f"http://127.0.0.1:{chat.port}") as http:
        answer = await http.post("/api/users/auth/login", json=GUESS, headers={"X-Forwarded-For": forwarded})
        return answer.status_code


async def test_each_client_of_a_trusted_network_has_its_own_allowance(tmp_path: Path) -> None:
    """For sockets and for REST alike; a name that a client puts before its own gives it no second one."""
    async with run_chat(tmp_path, limits=LIMITS, trusted_proxies="127.0.0.0/8,130.176.0.0/16") as chat:
        named = [ANN, f"{BOB}, 130.176.1.2", f"203.0.113.1, {ANN}"]
        assert [await shake_hands(chat, each) for each in named] == [101, 101, 429]
        assert [await log_in(chat, each) for each in named] == [401, 401, 429]


async def test_who_is_not_trusted_names_nobody(tmp_path: Path) -> None:
    """All that one address sends counts as that address's."""
    async with run_chat(tmp_path, limits=LIMITS, trusted_proxies="10.0.0.0/8") as chat:
        assert [await shake_hands(chat, each) for each in (ANN, BOB)] == [101, 429]
        assert [await log_in(chat, each) for each in (ANN, BOB)] == [401, 429]
