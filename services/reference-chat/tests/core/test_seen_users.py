"""When users were last there, while the directory is away."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import cast

import pytest

from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory
from nottermost_chat.errors import Unavailable
from nottermost_chat.testing.running import wait_until
from nottermost_chat.workers import presence
from nottermost_chat.workers.presence import SeenUsers


class Accounts:
    """Away for the first writes."""

    def __init__(self, away: int) -> None:
        self.away = away
        self.written: list[tuple[str, str, int]] = []

    async def user(self, _user_id: str) -> None:
        return None

    async def note_seen(self, seen: Sequence[tuple[str, str, int]]) -> None:
        if self.away:
            self.away -= 1
            raise Unavailable("the directory is away")
        self.written += seen


async def test_what_could_not_be_written_is_written_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that notes who is there outlives the directory, and keeps the newest times."""
    monkeypatch.setattr(presence, "EVERY_S", 0.001)
    accounts = Accounts(away=3)
    seen = SeenUsers(cast("Directory", SimpleNamespace(accounts=accounts)), Clock())
    await seen.note("ann", "phone")
    await seen.note("bob", "desk")
    running = asyncio.create_task(seen.run())

    async def is_written() -> bool:
        return len(accounts.written) == 2

    await wait_until(is_written)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert {(user_id, device_id) for user_id, device_id, _ in accounts.written} == {("ann", "phone"), ("bob", "desk")}
    assert accounts.away == 0
