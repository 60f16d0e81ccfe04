"""Shared by all tests of the chat."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import settings

from nottermost_chat.testing.running import RunningChat, run_chat

settings.register_profile("chat", deadline=None)  # a busy machine is slow, not wrong
settings.load_profile("chat")


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[RunningChat]:
    """The whole chat, running, without rate limits."""
    async with run_chat(tmp_path) as chat:
        yield chat
