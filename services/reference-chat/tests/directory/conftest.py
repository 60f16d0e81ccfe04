"""A directory on a real file, with a clock that tests move."""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory
from nottermost_chat.model import Detail, Entry, EntryKind, MemberChange, Role


class SetClock(Clock):
    """Stands still until it is moved; its ids are real ones."""

    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def wait(clock: SetClock) -> Callable[[float], None]:
    """Let this many seconds pass."""

    def move(seconds: float) -> None:
        clock.ms += round(seconds * 1000)

    return move


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "directory.db"


@pytest.fixture
async def directory(path: Path, clock: SetClock) -> AsyncIterator[Directory]:
    directory = await Directory.open(path, clock)
    yield directory
    await directory.close()


@pytest.fixture
def new_user(directory: Directory) -> Callable[[str], Awaitable[str]]:
    """A registered user of this name; returns the id."""

    async def register(name: str) -> str:
        user = await directory.accounts.create_user(username=name, email=f"{name}@example.org", password_hash="-")
        return user.user_id

    return register


@pytest.fixture
def change(directory: Directory) -> Callable[..., Awaitable[None]]:
    """Apply the next membership entry of a conversation: `change(conversation_id, Role.MEMBER, *user_ids)`."""
    seqs: dict[str, int] = defaultdict(int)

    async def apply(conversation_id: str, role: Role | None, *user_ids: str) -> None:
        seqs[conversation_id] += 1
        entry = Entry(
            conversation_id=conversation_id,
            epoch=1,
            seq=seqs[conversation_id],
            kind=EntryKind.MEMBERSHIP,
            actor_id="",
            message_id="",
            target_seq=0,
            created_at=0,
            members_seq=seqs[conversation_id],
            messages=0,
            channel_mentions=0,
            op_id="",
            detail=Detail(changes=tuple(MemberChange(user_id, role) for user_id in user_ids)),
        )
        await directory.conversations.apply([entry])

    return apply
