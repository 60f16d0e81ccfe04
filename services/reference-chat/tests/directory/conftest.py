"""A directory on a real file and on a real server, with a clock that tests move."""

import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory, Server
from nottermost_chat.directory.sqlite import open_engine
from nottermost_chat.migrations import upgrade
from nottermost_chat.model import Detail, Entry, EntryKind, MemberChange, Role
from nottermost_chat.testing.databases import USER, empty_directory_database, make_database
from nottermost_chat.testing.servers import Address


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


@pytest.fixture(scope="session")
def directory_database(postgres: Address) -> Iterator[str]:
    """A database with the newest schema; each test that uses it empties it first."""
    with make_database(postgres, "directory") as name:
        yield name


@pytest.fixture
def server(postgres: Address, directory_database: str) -> Server:
    """An empty directory on PostgreSQL."""
    empty_directory_database(postgres, directory_database)
    return Server(host=postgres.authority, database=directory_database, user=USER)


@pytest.fixture(scope="session")
def directory_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("directory") / "directory.db"
    engine = open_engine(path, "BEGIN IMMEDIATE")
    with engine.connect() as connection:
        upgrade(connection, "directory")
    engine.dispose()
    return path


@pytest.fixture
def file(path: Path, directory_file: Path) -> Path:
    """An empty directory in a file."""
    shutil.copyfile(directory_file, path)
    return path


@pytest.fixture(params=["file", "server"])
def place(request: pytest.FixtureRequest) -> Path | Server:
    """An empty directory on SQLite, and one on PostgreSQL."""
    found: Path | Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def directory(place: Path | Server, clock: SetClock) -> AsyncIterator[Directory]:
    directory = await Directory.open(place, clock)
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
